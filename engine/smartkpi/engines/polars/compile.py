"""Scans as lazy frames: which rows count, under which keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars.expressions import Rows, Typed, clock_of, compile_row, conditions
from smartkpi.engines.polars.meter import Meter
from smartkpi.engines.polars.times import Clock, before, edge_of
from smartkpi.language.types import WHOLE, Kind
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan, Scan
from smartkpi.plan.relations import ROW
from smartkpi.semantics.formula import Apply, Column, Expr, InGroup, Literal, LookedUp
from smartkpi.sources.faults import reading
from smartkpi.sources.tables import Table, accuse, refuse_changed
from smartkpi.spec.model import Lookup
from smartkpi.tree import walk

SMALL = 100_000
"""Up to so many rows the in-memory engine is faster than the streaming one."""


@dataclass(frozen=True, slots=True)
class Join:
    """A lookup ready to be joined: my keys, and the small table with columns of the names ``keys`` beside its values.

    ``live`` names the column that is true where a row matched. With a ``time`` the table has, for each key, a row for
    any time, and exactly one of them fits. ``after`` names the lookups whose values my keys and time are made of.
    """

    name: str
    mine: tuple[pl.Expr, ...] = field(repr=False)
    keys: tuple[str, ...]
    small: pl.DataFrame = field(repr=False)
    live: str
    time: pl.Expr | None = field(repr=False)
    after: tuple[str, ...] = ()

    def add_to(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows with the looked-up columns; as many as before."""
        keyed = frame.with_columns(mine.alias(name) for mine, name in zip(self.mine, self.keys, strict=True))
        if self.time is None:
            return keyed.join(self.small.lazy(), on=list(self.keys), how="left")
        at, low, high, none = (f"__{self.name}:{part}" for part in ("at", "low", "high", "none"))
        time, start, end = pl.col(at), pl.col(low), pl.col(high)
        holds = (start.is_null() | (start <= time)) & (end.is_null() | (time < end))
        fits = pl.when(time.is_null()).then(pl.col(none)).otherwise(~pl.col(none) & holds)
        joined = keyed.with_columns(self.time.alias(at)).join(self.small.lazy(), on=list(self.keys), how="left")
        return joined.filter(pl.col(self.live).is_null() | fits)


@dataclass(frozen=True, slots=True)
class Opened:
    """A dataset as a plan reads it: rows once each, and what expressions over them need to know.

    ``joins`` come each after those by whose values it looks up; ``groups`` name those that say who is in a group;
    ``numbered`` has the rows with a number each (ROW): what reads that reads all of them.
    """

    table: Table
    frame: pl.LazyFrame = field(repr=False)
    rows: Rows
    edge: datetime | None
    meter: Meter | None = field(default=None, repr=False)
    joins: Mapping[str, Join] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    groups: Mapping[InGroup, str] = field(default_factory=dict)
    numbered: pl.LazyFrame | None = field(default=None, repr=False)

    @property
    def engine(self) -> str:
        """The Polars engine that suits the number of rows."""
        hint = self.table.rows_hint
        return "in-memory" if hint is not None and hint <= SMALL else "streaming"

    def watched(self, frame: pl.LazyFrame, exprs: Iterable[pl.Expr]) -> pl.LazyFrame:
        """Return a frame, its rows counted as they pass where somebody listens; the expressions read it."""
        return frame if self.meter is None else self.meter.watch(frame, self.table, exprs)

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """Run a query over the dataset. Raises KpiError for data that cannot be read."""
        try:
            with reading(self.table.origin, self.table.span, f"dataset:{self.table.name}"):
                return collect(frame, self.engine)
        except KpiError as error:
            refuse_changed(self.table)
            raise accuse(self.table, error) from error


def collect(frame: pl.LazyFrame, engine: Any = "in-memory") -> pl.DataFrame:
    """Run a query; by default in memory, as befits small tables."""
    found = frame.collect(engine=engine)
    assert isinstance(found, pl.DataFrame)
    return found


def rows_of(plan: Plan, table: Table, dataset: str) -> Rows:
    """Return what expressions over a dataset need to know."""
    typed = plan.datasets[dataset]
    return Rows(table.polars, table.schema, typed.timezone, plan.calendar.timezone, dataset, calendar=plan.calendar)


def edge(plan: Plan, dataset: str) -> datetime | None:
    """Return the first instant of a dataset that an explicit as-of cuts off.

    A row that stands for a month or the like is known once that is over.
    """
    if plan.as_of is None:
        return None
    found, period = edge_of(plan.as_of, plan.calendar.timezone), plan.datasets[dataset].spec.period
    return found if period is None or period.rank <= Grain.DAY.rank else plan.calendar.whole(period, found)[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """What a scan groups by besides periods: dimensions and discriminators, each with its alias."""

    dimensions: tuple[str, ...]
    others: tuple[str, ...]
    exprs: tuple[pl.Expr, ...] = field(repr=False)
    known: dict[Expr, Typed] = field(repr=False)
    kinds: tuple[Typed, ...] = field(repr=False)


def keys_of(scan: Scan, rows: Rows, discriminators: Iterable[Expr]) -> Keys:
    """Compile the dimensions and discriminators of a scan; ``known`` maps each to its column of the small table."""
    exprs: list[pl.Expr] = []
    known: dict[Expr, Typed] = {}
    kinds: list[Typed] = []
    dimensions = []
    for place, (_, expr) in enumerate(scan.keys):
        typed = compile_row(expr, rows)
        dimensions.append(f"__d{place}")
        exprs.append(typed.expr.alias(dimensions[-1]))
        known[expr] = as_column(typed, dimensions[-1])
        kinds.append(typed)
    others = []
    for place, expr in enumerate(discriminators):
        if expr in known:
            continue
        typed = compile_row(expr, rows)
        others.append(f"__x{place}")
        exprs.append(typed.expr.alias(others[-1]))
        known[expr] = as_column(typed, others[-1])
    return Keys(tuple(dimensions), tuple(others), tuple(exprs), known, tuple(kinds))


def as_column(typed: Typed, alias: str) -> Typed:
    """Return what a column of the small table yields that holds an expression."""
    return Typed(pl.col(alias), typed.kind, typed.whole, typed.narrow, typed.decimal, typed.coded)


def decided(expr: Expr, known: dict[Expr, Typed]) -> bool:
    """Say whether a condition can be decided on keys alone."""
    if expr in known or isinstance(expr, Literal):
        return True
    return isinstance(expr, Apply) and all(decided(arg, known) for arg in expr.args)


def dimension(typed: Typed, alias: str) -> pl.Expr:
    """Return a dimension of the small table as the answer has it: String, Int64, Boolean or Date."""
    match typed.kind:
        case Kind.TEXT | Kind.NULL:
            return pl.col(alias).cast(pl.String)
        case Kind.NUMBER:
            return pl.col(alias).cast(pl.Int64)
        case _:
            return pl.col(alias)


def check_dimensions(found: pl.DataFrame, keys: Keys, opened: Opened) -> None:
    """Refuse a dimension with numbers that the answer has no type for. KpiError `number-too-large`."""
    for typed, name in zip(keys.kinds, keys.dimensions, strict=True):
        values = found[name]
        if typed.kind is Kind.NUMBER and values.cast(pl.Int64, strict=False).null_count() > values.null_count():
            raise too_large(opened, "to be a segment", "a segment may be a whole number of up to 18 digits, or a text")


def beyond_sums(opened: Opened) -> KpiError:
    """Return the error for a number of a dataset that cannot be added exactly."""
    return too_large(opened, "to be added exactly", "amounts and whole numbers may have 20 digits before the point")


def too_large(opened: Opened, why: str, hint: str) -> KpiError:
    """Return the error for a number of a dataset that is beyond what can be computed with exactly."""
    name = opened.table.name
    message = f"a row of dataset `{name}` has a number that is too large {why}"
    return KpiError(Diagnostic("number-too-large", message, opened.table.span, hint, subject=f"dataset:{name}"))


def looked_up(exprs: Iterable[Expr]) -> tuple[LookedUp, ...]:
    """Return the looked-up fields that expressions read, each once."""
    found = (node for expr in exprs for node in walk(expr) if isinstance(node, LookedUp))
    return tuple(dict.fromkeys(found))


def held_in(exprs: Iterable[Expr]) -> tuple[InGroup, ...]:
    """Return the groups that expressions hold rows against, each once."""
    found = (node for expr in exprs for node in walk(expr) if isinstance(node, InGroup))
    return tuple(dict.fromkeys(found))


def joined(opened: Opened, exprs: Iterable[Expr], frame: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Return the rows of a dataset, or a part of them, with the lookups joined that expressions read."""
    exprs = tuple(exprs)
    found = opened.frame if frame is None else frame
    if frame is None and opened.numbered is not None and Column(ROW, WHOLE) in exprs:
        found = opened.numbered
    wanted: list[str] = []
    more = [node.path[0] for node in looked_up(exprs)] + [opened.groups[node] for node in held_in(exprs)]
    while more:
        wanted += more
        more = [name for one in more for name in opened.joins[one].after]
    for name, join in opened.joins.items():
        if name in wanted:
            found = join.add_to(found)
    return found


def read_by(scan: Scan) -> Iterator[Expr]:
    """Yield the expressions over rows that a scan reads."""
    if scan.time is not None:
        yield scan.time
    yield from scan.filter
    yield from (expr for _, expr in scan.keys)
    yield from scan.discriminators
    for cell in scan.cells:
        yield from cell.where
        if cell.argument is not None:
            yield cell.argument


def counted(opened: Opened, scan: Scan, clock: Clock | None, cut: bool) -> pl.LazyFrame:
    """Return the rows that a scan counts; with ``cut``, without those that have no time or lie past the as-of."""
    frame = joined(opened, read_by(scan))
    kept = conditions(scan.filter, opened.rows)
    if kept is not None:
        frame = frame.filter(kept)
    if clock is not None and cut:
        frame = frame.filter(clock.expr.is_not_null())
        if opened.edge is not None:
            frame = frame.filter(before(clock, opened.edge))
    return frame


def clock_of_scan(scan: Scan, rows: Rows) -> Clock | None:
    """Return the time of a scan's rows, None for a timeless dataset."""
    return None if scan.time is None else clock_of(scan.time, rows)


def sort_by_key(frame: pl.DataFrame, scan: Scan) -> pl.DataFrame:
    """Return the rows of an answer in the order of period and dimensions, nulls last."""
    names = [name for name in (PERIOD, *(name for name, _ in scan.keys)) if name in frame.columns]
    return frame.sort(names, nulls_last=True) if names else frame


def grouped(frame: pl.LazyFrame, keys: list[str], aggregates: list[pl.Expr]) -> pl.LazyFrame:
    """Group by keys; without any, aggregate all rows into one."""
    return frame.group_by(keys).agg(aggregates) if keys else frame.select(aggregates)
