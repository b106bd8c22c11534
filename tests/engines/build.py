"""Plans by hand, for tests of the engine alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.language.types import BOOLEAN, DATE, DURATION, MONEY, NUMBER, PLAIN, TEXT, TIME, WHOLE, Kind, Type
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Range, Scan
from smartkpi.semantics.formula import Apply, Column, Expr, Literal, TypedBinding, TypedDataset
from smartkpi.source import Source, Span
from smartkpi.sources.tables import Table, open_table
from smartkpi.spec.model import Dataset, Read

SPAN = Span(Source("kpis.yml", "read: x"), 0, 7)
CASH = Type(Kind.NUMBER, MONEY)
KINDS = {int: WHOLE, float: NUMBER, str: TEXT, bool: BOOLEAN, date: DATE, datetime: TIME}
CONDITIONS = frozenset(("==", "!=", "<", "<=", ">", ">=", "and", "or", "not", "in", "is null"))


def lit(value: Any) -> Literal:
    """A literal of a Python value."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, date)):
        return Literal(value, KINDS.get(type(value), TEXT))
    return Literal(Decimal(str(value)), NUMBER)


def col(name: str, type_: Type = NUMBER) -> Column:
    """A column."""
    return Column(name, type_)


def call(function: str, *args: Any, type_: Type = NUMBER) -> Apply:
    """A function of expressions and plain values."""
    exprs = tuple(arg if isinstance(arg, (Literal, Column, Apply)) else lit(arg) for arg in args)
    return Apply(function, exprs, BOOLEAN if function in CONDITIONS else type_)


def dataset(
    name: str = "log", time: Expr | None = None, key: Sequence[str] = (), zone: str = "UTC", **times: Expr
) -> TypedDataset:
    """A dataset with an event of its own time for each further keyword."""
    spec = Dataset(name, None, None, None, tuple(key), {}, {}, None, None, SPAN)
    events = {event: TypedBinding(event, name, None, expr, None) for event, expr in {"row": time, **times}.items()}
    keys = tuple(Column(column, TEXT) for column in key)
    return TypedDataset(name, spec, time, zone, keys, {}, events, None)


def cell(id: str, aggregate: str = "rows", argument: Expr | None = None, *where: Expr, type_: Type = WHOLE) -> Cell:
    """A cell."""
    return Cell(id, tuple(where), aggregate, argument, type_)


def scan(
    cells: Sequence[Cell],
    grains: Sequence[Grain] = (Grain.DAY,),
    *,
    time: Expr | None = None,
    state: str = "additive",
    by: Mapping[str, Expr] | None = None,
    discriminators: Sequence[Expr] = (),
    name: str = "log",
) -> Scan:
    """A scan without filter."""
    return Scan(name, time, state, (), tuple((by or {}).items()), tuple(grains), tuple(cells), tuple(discriminators))


def plan(
    scans: Sequence[Scan],
    data: TypedDataset,
    *,
    calendar: Calendar | None = None,
    as_of: date | datetime | None = None,
    range_: Range | None = None,
) -> Plan:
    """A plan of scans over one dataset."""
    return Plan(
        samples={},
        calendar=calendar or Calendar(),
        components={},
        scans=tuple(scans),
        steps=(),
        outputs=(),
        by=(),
        range=range_ or Range(),
        as_of=as_of,
        datasets={data.name: data},
        profiles=(data.name,),
        scorecard=False,
    )


def table(frame: Any, name: str = "log") -> Table:
    """A table handed over."""
    return open_table(Dataset(name, None, None, None, (), {}, {}, None, None, SPAN), frame)


def read(path: str, base: Path, **options: Any) -> Dataset:
    """A dataset that reads files."""
    return Dataset("log", Read(path, base, span=SPAN, **options), None, None, (), {}, {}, None, None, SPAN)


def engine(frame: Any, name: str = "log") -> PolarsEngine:
    """An engine over one table."""
    return PolarsEngine({name: frame if isinstance(frame, Table) else table(frame, name)})


def rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows of a frame."""
    return frame.rows()


__all__ = [name for name in globals() if not name.startswith("_")] + ["DURATION", "PLAIN"]
