"""The rows of a result as plain values: what JSON and CSV write, by schemas/result.json."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl

from smartkpi.periods.grain import Grain


def plain_rows(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield rows with dates and times as ISO text, whole numbers as such and money exactly, as text."""
    for row in frame.iter_rows(named=True):
        yield {name: _plain(value, row["grain"]) for name, value in row.items()}


def _plain(value: Any, grain: str) -> Any:
    match value:
        case datetime():
            return moment_text(value, grain)
        case date():
            return value.isoformat()
        case Decimal():
            return exact(value)
        case float() if value.is_integer() and abs(value) < 1e15:
            return int(value)
        case _:
            return value


def exact(value: Decimal) -> str:
    """Return a decimal as text without needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def readable(value: Decimal) -> str:
    """Return a decimal as text, exactly: one that would take many zeros with an exponent."""
    return exact(value) if not value or -7 < value.adjusted() < 21 else f"{value.normalize():e}"


def moment_text(moment: datetime, grain: str) -> str:
    """Return the day of a boundary; an hour, and an end within a day, as a time with its offset."""
    if grain == Grain.HOUR or (grain == Grain.ALL and moment.time() != time()):
        return moment.isoformat()
    return moment.date().isoformat()
