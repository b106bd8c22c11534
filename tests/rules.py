"""The project of the register of rules, its three years of visits, and lines put over it."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from math import pi, sin
from typing import Any

import polars as pl
import yaml

from smartkpi.rules import sample

FIRST, LAST = date(2023, 7, 1), date(2026, 6, 30)
SECTIONS = {"datasets", "kpis", "goals", "funnels", "dimensions", "events", "constants"}


def visits() -> pl.DataFrame:
    """Forty visits a day, some 10 % of which buy, with a slow wave and a rhythm of weeks; no dice."""
    rows: list[tuple[date, str, bool]] = []
    owed = 0.0
    for i in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=i)
        count = 42 if day.weekday() < 5 else 36
        owed += count * (0.10 + 0.012 * sin(2 * pi * i / 170) + 0.01 * sin(2 * pi * i / 11))
        bought, owed = int(owed), owed - int(owed)
        for j in range(count):
            country = "MT" if i % 60 == 0 and j == count - 1 else "BR" if j % 3 else "DE"
            rows.append((day, country, (j * 5) % count < bought))
    return pl.DataFrame(rows, schema={"day": pl.Date, "country": pl.String, "bought": pl.Boolean}, orient="row")


def project(lines: str) -> dict[str, Any]:
    """Return the project of the register with some lines over it: of its goal, or of its sections. null removes."""
    base: dict[str, Any] = yaml.load(sample(), yaml.BaseLoader)
    over = yaml.load(lines, yaml.BaseLoader)
    if not set(over) <= SECTIONS:
        over = {"goals": {"better_visits": over}}
    return _merged(copy.deepcopy(base), over)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        if value == "null":
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict) and key not in ("target", "baseline"):
            _merged(base[key], value)
        else:
            base[key] = value
    return base
