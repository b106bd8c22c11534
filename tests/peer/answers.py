"""A peer's answer and ours as cells, and in what they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

import smartkpi

Key = tuple[Any, ...]
Cells = dict[Key, dict[str, Any]]
NOTHING = (None, 0)


@dataclass(frozen=True, slots=True)
class Table:
    """Values of metrics by key; the keys in the order of the rows."""

    cells: Cells
    keys: Sequence[Key]


def read_theirs(frame: pl.DataFrame, metrics: Sequence[str], dimensions: Sequence[str]) -> Table:
    """Return the peer's answer; the column of the metric's time, if there is one, leads the keys."""
    times = [name for name in frame.columns if name not in (*metrics, *dimensions)]
    assert all(name.startswith(("metric_time", "booking__ds__")) for name in times), times
    rows = frame.to_dicts()
    keys = [tuple(_plain(row[name]) for name in (*times, *dimensions)) for row in rows]
    assert len(set(keys)) == len(keys), "a key twice"
    cells = {key: {name: row[name] for name in metrics} for key, row in zip(keys, rows, strict=True)}
    return Table(cells, keys)


def read_ours(result: smartkpi.Result, names: Mapping[str, str], timed: bool) -> Table:
    """Return our answer under the peer's names: ``names`` maps a KPI to its metric."""
    rows = result.frame.to_dicts()
    cells: Cells = {}
    for row in rows:
        start = (row["start"].replace(tzinfo=None),) if timed else ()
        key = (*start, *(_plain(row[name]) for name in result.by))
        assert names[row["kpi"]] not in cells.setdefault(key, {}), "a value twice"
        cells[key][names[row["kpi"]]] = row["value"]
    return Table(cells, list(cells))


def _plain(value: Any) -> Any:
    """Return a value as both sides can write it: a day as its midnight."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value


def differences(ours: Table, theirs: Table) -> set[str]:
    """Return the names of the ways in which two answers differ; `wrong` where there is no name for it."""
    found: set[str] = set()
    times = [key[0] for key in ours.cells if _is_timed(key)] or [datetime.min]
    first, last = min(times), max(times)
    for key, values in theirs.cells.items():
        for metric, value in values.items():
            if key not in ours.cells and value in NOTHING and _is_timed(key):
                found.add("nowhere" if first <= key[0] <= last else "beyond")
                continue
            if _is_timed(key) and key[0] > last:
                found.add("onward")
                continue
            mine = ours.cells.get(key, {}).get(metric)
            found.add(_name(mine, value) or f"wrong: {key} {metric}: {mine}, not {value}")
    for key, values in ours.cells.items():
        if key not in theirs.cells:
            empty = all(value in NOTHING for value in values.values())
            found.add("gapless" if empty and _is_timed(key) else f"wrong: {key}: {values}, where they have no row")
    return found - {"same"}


def _is_timed(key: Key) -> bool:
    return bool(key) and isinstance(key[0], datetime)


def _name(mine: Any, value: Any) -> str:
    """Return the name of a difference between two values, nothing where there is no name for it."""
    if mine is None:
        return "same" if value is None else ""
    if value is None:
        return "zero" if mine == 0 else "filled"
    if math.isclose(mine, value, rel_tol=1e-6, abs_tol=1e-6):
        return "same"
    return "estimated" if math.isclose(mine, value, rel_tol=0.03) else ""


def in_their_order(ours: Table, theirs: Table) -> bool:
    """Return whether the rows that both have come in one order."""
    return [key for key in ours.keys if key in theirs.cells] == list(theirs.keys)
