"""Folds: values of each entity or calendar period of a segment, aggregated (`… per buyer`, `… per day`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from smartkpi.derive.entities import read_tables, rows_of
from smartkpi.derive.formula import NO_DATA, OK, UNDEFINED, Parts, evaluate, reached
from smartkpi.derive.pieces import Pieces, Where
from smartkpi.derive.spine import complete
from smartkpi.engines.answer import Answer
from smartkpi.engines.exact import HUGE, SCALE
from smartkpi.engines.polars.holistic import SIZE, Groups
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path
from smartkpi.plan.nodes import Cell, Earlier, Fold, Formula, Plan, Result, Step
from smartkpi.tree import children

ZERO_FILLED = ("count", "sum", "distinct")
MARKS = ("partial", "immature", "like_for_like", "clamped")
ORDERED = ("quantile", "stddev", "first", "last")
"""What needs the values in order: by size, or by the time of their periods."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What folds gave: the spine with their columns and where the parts of each stand.

    ``marks`` names the column that says where some mark holds of one of the periods that a fold runs over: it is known
    in part only, not mature, held against as many days, clamped. ``left_out`` are the rows without entity, by dataset.
    """

    spine: pl.DataFrame
    parts: Mapping[Fold, Parts]
    marks: Mapping[tuple[Fold, str], str]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What the steps of a series gave: the ``values`` that take part, with `i` and `piece`, and the dimensions of each.

    ``pieces`` says what of them is known; ``marks`` has a row for each `i` with those that hold somewhere in it.
    """

    values: pl.DataFrame
    pieces: Pieces
    marks: pl.DataFrame


Take = Callable[[Fold, pl.DataFrame], Taken]
"""Asks for the series of a fold, for the segments of a frame."""


def folds_of(known: Mapping[str, Step], steps: Iterable[Step]) -> Iterator[Fold]:
    """Yield each fold in some steps, and in those ``known`` that they refer to, once."""
    return (node for node in reached(known, steps) if isinstance(node, Fold))


def folds_at(known: Mapping[str, Step], step: Step) -> Iterator[tuple[Fold, Path]]:
    """Yield each fold in a step, and in those that it refers to, with the shifts that lead to where it is read."""
    stack: list[tuple[Formula, Path]] = [(step.formula, ())]
    seen: set[tuple[Formula, Path]] = set()
    while stack:
        node, path = stack.pop()
        if (node, path) in seen:
            continue
        seen.add((node, path))
        match node:
            case Fold():
                yield node, path
            case Earlier(argument=argument, shift=shift):
                stack.append((argument, (*path, shift)))
            case Result(id=id):
                stack.append((known[id].formula, path))
            case _:
                stack.extend((below, path) for below in children(node))


def fold(
    plan: Plan,
    answer: Answer,
    asked: Grain,
    pieces: Mapping[Where, Pieces],
    segments: pl.DataFrame,
    spine: pl.DataFrame,
    folds: Iterable[Fold],
    limit: int,
    take: Take,
) -> Folded:
    """Return the spine with the columns of folds. ``segments`` has the dimensions of each `sid` of the spine.

    ``pieces`` has the places at which values are taken, by the grain and the window of a fold.
    """
    parts: dict[Fold, Parts] = {}
    marks: dict[tuple[Fold, str], str] = {}
    left_out: dict[str, int] = {}
    for number, one in enumerate(dict.fromkeys(folds)):
        name = f"fold.{number}"
        here = pieces[one.grain, one.window]
        kinds = [pl.col(key).cast(segments.schema[key]) for key in one.keep]
        placed = spine.select("sid", "i").join(segments.select("sid", *one.keep), on="sid", maintain_order="left")
        if one.series:
            taken = take(one, placed)
            here, each = taken.pieces, iter([taken.values])
            held = taken.marks.rename({mark: f"{name}.{mark}" for mark in taken.marks.columns if mark != "i"})
            spine = spine.join(held, on="i", how="left", maintain_order="left")
            marks |= {(one, mark): f"{name}.{mark}" for mark in taken.marks.columns if mark != "i"}
        else:
            tables, lost = read_tables(plan, answer, here, one, asked)
            for dataset, rows in lost.items():
                left_out[dataset] = max(left_out.get(dataset, 0), rows)
            each = (_values(plan, one, table) for table in rows_of(plan, tables, here, one, placed, limit))
        some = [_aggregate(one, values, name).with_columns(kinds) for values in each]
        found = pl.concat(some, how="diagonal_relaxed")
        keys = [*one.keep, "i"]
        placed = placed.join(found, on=keys, how="left", nulls_equal=True, maintain_order="left")
        spine = spine.with_columns(placed[column] for column in found.columns if column.startswith(f"{name}."))
        spine = _fill(spine, one, name, here)
        columns = {part: f"{name}.{part}" for part in ("value", "money", "n")}
        value, n = pl.col(columns["value"]), pl.col(columns["n"])
        money = pl.col(columns["money"]) if columns["money"] in spine.columns else None
        none = pl.when(n > 0).then(UNDEFINED).otherwise(NO_DATA) if one.function == "stddev" else pl.lit(NO_DATA)
        parts[one] = Parts(value, pl.when(value.is_null()).then(none).otherwise(OK).cast(pl.UInt8), money, n)
        if f"{name}.partial" in spine.columns:
            marks[one, "partial"] = f"{name}.partial"
    return Folded(spine, parts, marks, left_out)


def _values(plan: Plan, one: Fold, table: pl.DataFrame) -> pl.DataFrame:
    """Return the value of each entity or period, of those that the condition lets through and that have one."""
    table = complete(table, one.inner, plan.components)
    steps = [Step("argument", "", one.argument, one.type, (), ())]
    if one.condition is not None:
        steps.append(Step("condition", "", one.condition, one.type, (), ()))
    table, parts = evaluate(table, plan, steps, {})
    return part_taken(one, table, parts["argument"], parts.get("condition"))


def part_taken(one: Fold, table: pl.DataFrame, argument: Parts, condition: Parts | None) -> pl.DataFrame:
    """Return the values, of the rows of a table, that the condition lets through and that there are."""
    if condition is not None:
        table = table.filter(condition.value.fill_null(value=False))
    value = [argument.value.cast(pl.Float64).alias("value")]
    if argument.money is not None:
        value.append(argument.money.alias("money"))
    piece = ["piece"] if "piece" in table.columns else []
    return table.select(*one.keep, "i", *piece, *value).filter(pl.col("value").is_not_null())


def _aggregate(one: Fold, values: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the columns of a fold by segment and period asked for."""
    keys = [*one.keep, "i"]
    if one.function in ORDERED:
        return _in_order(one, values, keys, name)
    found = values.group_by(keys).agg(_aggregates(one, name, values))
    finished = found.with_columns(_finished(one, name, found.columns))
    return finished.drop(f"{name}.high", f"{name}.low", f"{name}.exact", strict=False)


def _in_order(one: Fold, values: pl.DataFrame, keys: list[str], name: str) -> pl.DataFrame:
    """Return the columns of a fold that needs its values in order."""
    by = "piece" if one.function in ("first", "last") else "value"
    rows = values.sort([*keys, by])
    sizes = rows.group_by(keys, maintain_order=True).agg(pl.len().cast(pl.Int64).alias(SIZE))
    if not sizes.height:
        return sizes.rename({SIZE: f"{name}.n"}).with_columns(pl.lit(None, dtype=pl.Float64).alias(f"{name}.value"))
    cell = Cell(name, (), one.function, None, one.type, one.share, one.nearest)
    value = Groups(rows["value"], sizes[SIZE]).cell(cell).alias(f"{name}.value")
    return sizes.rename({SIZE: f"{name}.n"}).with_columns(value)


def _aggregates(one: Fold, name: str, values: pl.DataFrame) -> list[pl.Expr]:
    """Return the aggregates of a fold: sums in two parts that do not depend on the order of the entities.

    Of money, the sum is exact where all of its values are: a formula that chooses may have given others too.
    """
    value = pl.col("value")
    size = pl.len().cast(pl.Int64).alias(f"{name}.n")
    match one.function:
        case "count":
            return [size]
        case "distinct":
            return [value.n_unique().cast(pl.Int64).alias(f"{name}.n")]
        case "min" | "max":
            return [getattr(value, one.function)().alias(f"{name}.value"), size]
        case "sum" | "avg":
            exact = []
            if "money" in values.columns:
                kept = f"{name}.money" if one.function == "sum" else f"{name}.exact"
                money = pl.col("money")
                if not values["money"].null_count():
                    return [money.sum().alias(kept), size]
                exact = [pl.when(money.null_count() == 0).then(money.sum()).alias(kept)]
            whole = (value * SCALE).round(0).cast(pl.Int128, strict=False)
            high = pl.when(value.abs() < HUGE).then(whole).otherwise(pl.lit(0, pl.Int128))
            low = value - high.cast(pl.Float64) / SCALE
            return [*exact, high.sum().alias(f"{name}.high"), low.sum().alias(f"{name}.low"), size]
        case _:
            raise AssertionError(f"no aggregate of entities: {one.function}")


def _finished(one: Fold, name: str, known: list[str]) -> list[pl.Expr]:
    """Return the value of a fold from its aggregates."""
    value, size = f"{name}.value", pl.col(f"{name}.n")
    if one.function in ("count", "distinct"):
        return [size.cast(pl.Float64).alias(value)]
    if one.function in ("min", "max"):
        return []
    summed = next((column for column in (f"{name}.money", f"{name}.exact") if column in known), None)
    totals = [] if summed is None else [pl.col(summed).cast(pl.Float64)]
    if f"{name}.high" in known:
        totals.append(pl.col(f"{name}.high").cast(pl.Float64) / SCALE + pl.col(f"{name}.low"))
    total = pl.coalesce(totals)
    return [(total if one.function == "sum" else total / size).alias(value)]


def _fill(spine: pl.DataFrame, one: Fold, name: str, pieces: Pieces) -> pl.DataFrame:
    """Return the spine with zeros where data is covered but nothing takes part, and null where it is not."""
    known = pieces.covered(one.inner)
    own = (~(pl.col("complete") & pl.col("whole"))).any().alias("own")
    covered = known.group_by("i").agg(own)
    spine = spine.join(covered, on="i", how="left", maintain_order="left")
    names = [column for column in (f"{name}.{part}" for part in ("value", "money", "n")) if column in spine.columns]
    zeros = names if one.function in ZERO_FILLED else [f"{name}.n"]
    none = pl.col(f"{name}.n").is_null()
    filled = [pl.when(none & (c in zeros)).then(pl.lit(0).cast(spine.schema[c])).otherwise(c).alias(c) for c in names]
    spine = spine.with_columns(pl.when(pl.col("own").is_not_null()).then(e).alias(e.meta.output_name()) for e in filled)
    if one.grain is None or not known.filter(~(pl.col("complete") & pl.col("whole"))).height:
        return spine.drop("own")
    return spine.with_columns(pl.col("own").fill_null(value=False).alias(f"{name}.partial")).drop("own")
