"""Small plans and answers by hand: one dataset `log` with the events visit, order and more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from smartkpi.derive.derive import Derived, derive
from smartkpi.engines.answer import PERIOD, Answer, Coverage
from smartkpi.language.types import BOOLEAN, MONEY, NUMBER, TIME, Kind, Type, Unit
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Component, Formula, Output, Plan, Range, Result, Step, Value
from smartkpi.semantics.formula import Apply, Column, Literal, TypedBinding, TypedDataset
from smartkpi.source import Source, Span
from smartkpi.spec.model import Covers, Dataset

AMOUNT = Type(Kind.NUMBER, Unit(MONEY.name, "BRL"))
TS = Column("ts", TIME)
EVER, PLAIN = Range(), Calendar()
NOWHERE = Span(Source("test", ""), 0, 0)


def dataset(
    name: str, events: Iterable[str], counted: bool = False, covers: Covers | None = None, gaps: Any = None
) -> TypedDataset:
    spec = Dataset(name, None, None, None, (), {}, {}, covers, gaps, NOWHERE)
    count = Column("n", NUMBER) if counted else None
    bindings = {event: TypedBinding(event, name, None, TS, count) for event in events}
    return TypedDataset(name, spec, TS, "UTC", (), {}, bindings, None)


def component(event: str, aggregate: str = "rows", kind: Type = NUMBER) -> Component:
    argument = Column("amount", kind) if aggregate not in ("rows", "weight") else None
    return Component(event, (), aggregate, argument, kind)


def apply(function: str, *args: Formula, kind: Type = NUMBER) -> Apply:
    return Apply(function, args, BOOLEAN if function in ("==", "<", ">", "is null", "and") else kind)  # type: ignore[arg-type]


def number(value: float | str | None) -> Literal:
    return Literal(None if value is None else Decimal(str(value)), NUMBER)


def value(id: str, kind: Type = NUMBER) -> Value:
    return Value(id, kind)


def step(id: str, formula: Formula, presence: Sequence[str], kind: Type = NUMBER, reads: Iterable[str] = ()) -> Step:
    ids: dict[str, None] = dict.fromkeys(reads)
    stack: list[Any] = [formula]
    while stack:
        node = stack.pop()
        if isinstance(node, Value):
            ids[node.id] = None
        if isinstance(node, Apply):
            stack.extend(node.args)
    return Step(id, f"kpi_{id}", formula, kind, tuple(ids), tuple(presence), reads=tuple((id, ()) for id in ids))


def frame(rows: Mapping[Any, Mapping[str, Any]] | Sequence[Mapping[str, Any]], **kinds: Any) -> pl.DataFrame:
    """A frame from rows by period, or from rows that have it; sums of money are given as Decimal."""
    listed = rows if isinstance(rows, Sequence) else [{PERIOD: key, **cells} for key, cells in rows.items()]
    return pl.DataFrame(listed, schema_overrides=kinds, infer_schema_length=None)


def plan_of(
    components: Mapping[str, Component],
    steps: Sequence[Step],
    grain: Grain = Grain.MONTH,
    by: tuple[str, ...] = (),
    datasets: Sequence[TypedDataset] = (dataset("log", ("visit", "order")),),
    asked: Range = EVER,
    as_of: date | datetime | None = None,
    scorecard: bool = False,
    calendar: Calendar = PLAIN,
    reads: Mapping[str, tuple[str, ...]] | None = None,
    outputs: tuple[Output, ...] = (),
) -> Plan:
    names = tuple(d.name for d in datasets)
    made = tuple(Output(s.kpi, s.id, grain, (reads or {}).get(s.id, names)) for s in steps)
    return Plan(
        samples={id: f"{id}_n" for id in components if f"{id}_n" in components},
        calendar=calendar,
        components=components,
        scans=(),
        steps=tuple(steps),
        outputs=outputs or made,
        by=by,
        range=asked,
        as_of=as_of,
        datasets={d.name: d for d in datasets},
        profiles=names,
        scorecard=scorecard,
    )


def covered(
    first: date, last: date, name: str = "log", days: Sequence[date] | None = None, edge: datetime | None = None
) -> dict[str, Coverage]:
    """Coverage with a row on every day, or on those given; the edge is the end of the last."""
    every = tuple(first + timedelta(days=i) for i in range((last - first).days + 1))
    end = edge or datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    return {name: Coverage(name, tuple(days) if days is not None else every, end, 100)}


def run(plan: Plan, coverage: Mapping[str, Coverage], *frames: pl.DataFrame, grain: Grain = Grain.MONTH) -> Derived:
    return derive(plan, Answer({grain: tuple(frames)}, coverage, 1))


def column(derived: Derived, name: str) -> list[Any]:
    return derived.frame[name].to_list()


def result(id: str, kind: Type = NUMBER) -> Result:
    return Result(id, kind)
