"""Operands of steps: the rows of an event in all its datasets, by entity and time, as one query a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from smartkpi.engines.polars.compile import Opened, joined
from smartkpi.engines.polars.expressions import Typed, clock_of, compile_row, conditions, text
from smartkpi.engines.polars.match import AT
from smartkpi.engines.polars.times import INSTANT, LOCAL, Clock, before, day_of, localise
from smartkpi.language.types import Kind
from smartkpi.plan.nodes import Relation, Side, Standing
from smartkpi.plan.relations import TIME, flag_of
from smartkpi.semantics.formula import Expr

EXACT = "@exact"
"""The instant of a row, where whole days are compared."""

WIDE = (pl.UInt64, pl.Int128, pl.UInt128)
Open = Callable[[str], Opened]


def entity(place: int) -> str:
    """Return the column of a part of the entity."""
    return f"@by{place}"


@dataclass(frozen=True, slots=True)
class Operand:
    """The rows of an event, one query a dataset; ``columns`` are those wanted of them."""

    sides: tuple[tuple[Opened, pl.LazyFrame], ...]
    columns: tuple[str, ...]

    @property
    def rows(self) -> int | None:
        """How many rows its datasets have at most, where that is known."""
        hints = [opened.table.rows_hint for opened, _ in self.sides]
        return None if None in hints else sum(hint or 0 for hint in hints)


def operands_of(relation: Relation, open_: Open) -> list[Operand]:
    """Return the operands of a relation, their entities in the same types."""
    opened = [[(side, open_(side.dataset)) for side in operand] for operand in relation.operands]
    every = [one for operand in opened for one in operand]
    kinds = common_types([[(expr, one) for expr in side.by] for side, one in every])
    found = []
    for place, operand in enumerate(opened):
        apart = len(operand) == 1
        sides = tuple((one, _rows(relation, side, one, kinds, apart=apart, base=not place)) for side, one in operand)
        found.append(Operand(sides, tuple(name for name, _ in operand[0][0].columns)))
    return found


def pass_of(relation: Relation, open_: Open) -> tuple[Opened, pl.LazyFrame]:
    """Return a dataset and the query for those of its rows that are of any operand, which tells of which."""
    sides = [side for (side,) in relation.operands]
    opened = open_(sides[0].dataset)
    clock = clock_of(sides[0].time, opened.rows)
    frame = joined(opened, [expr for side in sides for expr in side.reads])
    kept = [conditions(side.where, opened.rows) for side in sides]
    flags = [pl.lit(value=True) if one is None else one for one in kept]
    if all(one is not None for one in kept):
        frame = frame.filter(pl.any_horizontal(flags))
    frame = frame.filter(clock.expr.is_not_null())
    if opened.edge is not None:
        frame = frame.filter(before(clock, opened.edge))
    made = [_shown(clock, apart=True).alias(TIME)]
    made += [compile_row(expr, opened.rows).expr.alias(name) for name, expr in sides[0].columns]
    if len(flags) > 1:
        made += [flag.alias(flag_of(place)) for place, flag in enumerate(flags)]
    return opened, frame.select(made)


def passes_of(
    of: str, relation: Relation, known: Mapping[str, Relation | Standing], open_: Open
) -> Iterator[tuple[str, pl.LazyFrame]]:
    """Yield the title and query of each pass over a dataset for a relation, unless it is made of matched rows."""
    others = [known[side.dataset] for sides in relation.operands for side in sides if side.dataset in known]
    if any(not isinstance(one, Relation) or one.kind != "rows" for one in others):
        return
    if relation.kind == "rows":
        opened, query = pass_of(relation, open_)
        yield f"{opened.table.name} [rows] of {of}", query
        return
    for sides, operand in zip(relation.operands, operands_of(relation, open_), strict=True):
        for side, (_, query) in zip(sides, operand.sides, strict=True):
            if side.dataset not in known:
                yield f"{side.dataset} [{relation.kind}] of {of}", query


def common_types(sides: Sequence[Sequence[tuple[Expr, Opened]]]) -> list[pl.DataType]:
    """Return the types in which the parts of entities are compared, each of which has an expression in each side."""
    return [_common([side[place] for side in sides]) for place in range(len(sides[0]))]


def _common(parts: Sequence[tuple[Expr, Opened]]) -> pl.DataType:
    """Return the type in which a part of the entity is compared."""
    typed = [(expr, compile_row(expr, opened.rows), opened) for expr, opened in parts]
    match next((one.kind for _, one, _ in typed if one.kind is not Kind.NULL), Kind.NULL):
        case Kind.NUMBER:
            dtypes = [joined(o, (e,)).select(t.expr).collect_schema().dtypes()[0] for e, t, o in typed]
            return pl.Int128() if any(dtype in WIDE for dtype in dtypes) else pl.Int64()
        case Kind.BOOLEAN:
            return pl.Boolean()
        case Kind.DATE:
            return pl.Date()
        case _:
            return pl.String()


def _rows(
    relation: Relation, side: Side, opened: Opened, kinds: Sequence[pl.DataType], *, apart: bool, base: bool
) -> pl.LazyFrame:
    """Return the rows of one dataset: entity, AT, and of the base TIME, with the columns that are wanted."""
    clock = clock_of(side.time, opened.rows)
    frame = joined(opened, side.reads)
    kept = conditions(side.where, opened.rows)
    if kept is not None:
        frame = frame.filter(kept)
    frame = frame.filter(clock.expr.is_not_null())
    if opened.edge is not None:
        frame = frame.filter(before(clock, opened.edge))
    by = [compile_row(expr, opened.rows).expr.cast(kind).alias(entity(i)) for i, (expr, kind) in
          enumerate(zip(side.by, kinds, strict=True))]  # fmt: skip
    made = [*by, _at(clock, dates=relation.dates).alias(AT)]
    if relation.dates and relation.ordered:
        made.append(_instant(clock).alias(EXACT))
    if base:
        made.append(_shown(clock, apart=apart).alias(TIME))
    made += [_value(compile_row(expr, opened.rows), apart=apart).alias(name) for name, expr in side.columns]
    return frame.select(made)


def _value(typed: Typed, *, apart: bool) -> pl.Expr:
    """Return a wanted column; where rows of several datasets come together, in a type that all can have."""
    return text(typed) if typed.kind is Kind.TEXT and not apart else typed.expr


def _at(clock: Clock, *, dates: bool) -> pl.Expr:
    """Return the time that is compared: microseconds of UTC, or days, since 1970."""
    return day_of(clock).cast(pl.Int32).cast(pl.Int64) if dates else _instant(clock)


def _instant(clock: Clock) -> pl.Expr:
    match clock.form:
        case "aware":
            return clock.expr.dt.timestamp("us")
        case "naive":
            return localise(clock.expr.cast(LOCAL), clock.zone).dt.convert_time_zone("UTC").dt.timestamp("us")
        case "date":
            return clock.expr.cast(LOCAL).dt.timestamp("us")


def _shown(clock: Clock, *, apart: bool) -> pl.Expr:
    """Return the time of a row, as it is stored where it is of one dataset."""
    if clock.form == "date" or (apart and clock.form == "naive"):
        return clock.expr
    if clock.form == "naive":
        return localise(clock.expr.cast(LOCAL), clock.zone).dt.convert_time_zone("UTC").cast(INSTANT)
    return clock.expr.cast(INSTANT)
