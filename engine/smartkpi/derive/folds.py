"""Folds: values of each entity of a segment, aggregated to one value of the segment (`… per buyer`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from smartkpi.derive.formula import NO_DATA, OK, Parts, evaluate, reached
from smartkpi.derive.spine import Periods, attach, dimension_types, gather, place
from smartkpi.engines.polars.partials import HUGE, SCALE
from smartkpi.plan.nodes import Fold, Plan, Step

ZERO_FILLED = ("count", "sum", "distinct")


@dataclass(frozen=True, slots=True)
class Folded:
    """What folds gave: the spine with their columns, where the parts of each stand, rows by event without entity."""

    spine: pl.DataFrame
    parts: Mapping[Fold, Parts]
    left_out: Mapping[str, int]


def folds_of(plan: Plan, steps: Iterable[Step]) -> Iterator[Fold]:
    """Yield each fold in some steps, and in those that they refer to, once."""
    return (node for node in reached(plan, steps) if isinstance(node, Fold))


def fold(
    plan: Plan,
    frames: tuple[pl.DataFrame, ...],
    periods: Periods,
    segments: pl.DataFrame,
    spine: pl.DataFrame,
    folds: Iterable[Fold],
    uncovered: Mapping[str, str],
) -> Folded:
    """Return the spine with the columns of folds. ``segments`` has the dimensions of each `sid` of the spine."""
    parts: dict[Fold, Parts] = {}
    left_out: dict[str, int] = {}
    for number, one in enumerate(dict.fromkeys(folds)):
        values, lost = _entities(plan, frames, periods, one, uncovered)
        for event, rows in lost.items():
            left_out[event] = max(left_out.get(event, 0), rows)
        name = f"fold.{number}"
        columns = {part: f"{name}.{part}" for part in ("value", "money", "n")}
        found = values.group_by([*one.keep, "i"]).agg(_aggregates(one, columns, "money" in values.columns))
        found = found.with_columns(_finished(one, columns, found.columns)).drop(
            f"{name}.high", f"{name}.low", f"{name}.exact", strict=False
        )
        kinds = [pl.col(name).cast(segments.schema[name]) for name in one.keep]
        placed = spine.select("sid", "i").join(segments.select("sid", *one.keep), on="sid", maintain_order="left")
        keys = [*one.keep, "i"]
        placed = placed.join(found.with_columns(kinds), on=keys, how="left", nulls_equal=True, maintain_order="left")
        spine = spine.with_columns(placed[column] for column in found.columns if column.startswith(f"{name}."))
        spine = _fill(spine, one, columns, uncovered)
        value, n = pl.col(columns["value"]), pl.col(columns["n"])
        money = pl.col(columns["money"]) if columns["money"] in spine.columns else None
        parts[one] = Parts(value, pl.when(value.is_null()).then(NO_DATA).otherwise(OK).cast(pl.UInt8), money, n)
    return Folded(spine, parts, left_out)


def _entities(
    plan: Plan, frames: tuple[pl.DataFrame, ...], periods: Periods, one: Fold, uncovered: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return a row for each entity that takes part, with its value; and how many rows of each event have no entity."""
    by = (*one.keep, *one.keys)
    mine = [frame for frame in frames if any(id in frame.columns for id in one.inner)]
    dimensions = dimension_types(mine, by)
    answers = gather(mine, periods.grain, by, plan.components, one.inner, dimensions)
    placed = place(answers, periods)
    rows = [
        frame.select("sid", "i", *here).filter(pl.any_horizontal(pl.col(id) > 0 for id in here))
        for frame in placed
        if (here := [id for id in one.entities if id in frame.columns])
    ]
    none = pl.DataFrame(schema={"sid": pl.Int64, "i": pl.Int64, **dict.fromkeys(one.entities, pl.Int64)})
    seen = pl.concat([none, *rows], how="diagonal").group_by("sid", "i").agg(pl.col(id).sum() for id in one.entities)
    seen = seen.join(answers.segments.select("sid", *by), on="sid", how="left")
    nameless = pl.any_horizontal(pl.col(key).is_null() for key in one.keys)
    lost: dict[str, int] = {}
    for id, rows_lost in seen.filter(nameless).select(pl.col(*one.entities).sum()).to_dicts()[0].items():
        event = plan.components[id].event
        lost[event] = max(lost.get(event, 0), rows_lost)
    table = seen.filter(~nameless).drop(*one.entities, *one.keys).sort("i", "sid")
    table = attach(table, placed, one.inner, plan.components)
    columns = sorted({uncovered[id] for id in one.inner if id in uncovered})
    table = table.join(periods.frame.select("i", "first", *columns), on="i", how="left", maintain_order="left")
    steps = [Step("argument", "", one.argument, one.type, (), ())]
    if one.condition is not None:
        steps.append(Step("condition", "", one.condition, one.type, (), ()))
    table, parts = evaluate(table, plan, steps, {id: uncovered[id] for id in one.inner if id in uncovered})
    if one.condition is not None:
        table = table.filter(parts["condition"].value.fill_null(value=False))
    value = [parts["argument"].value.cast(pl.Float64).alias("value")]
    if parts["argument"].money is not None:
        value.append(parts["argument"].money.alias("money"))
    return table.select(*one.keep, "i", *value).filter(pl.col("value").is_not_null()), lost


def _aggregates(one: Fold, columns: Mapping[str, str], exact: bool) -> list[pl.Expr]:
    """Return the aggregates of a fold: sums in two parts that do not depend on the order of the entities."""
    value, name = pl.col("value"), columns["value"]
    size = pl.len().cast(pl.Int64).alias(columns["n"])
    match one.function:
        case "count":
            return [size]
        case "distinct":
            return [value.n_unique().cast(pl.Int64).alias(columns["n"])]
        case "min" | "max":
            return [getattr(value, one.function)().alias(name), size]
        case "sum" | "avg":
            if exact:
                kept = columns["money"] if one.function == "sum" else name.removesuffix("value") + "exact"
                return [pl.col("money").sum().alias(kept), size]
            whole = (value * SCALE).round(0).cast(pl.Int128, strict=False)
            high = pl.when(value.abs() < HUGE).then(whole).otherwise(pl.lit(0, pl.Int128))
            low = value - high.cast(pl.Float64) / SCALE
            stem = name.removesuffix(".value")
            return [high.sum().alias(f"{stem}.high"), low.sum().alias(f"{stem}.low"), size]
        case _:
            raise AssertionError(f"no aggregate of entities: {one.function}")


def _finished(one: Fold, columns: Mapping[str, str], known: list[str]) -> list[pl.Expr]:
    """Return the value of a fold from its aggregates."""
    value, stem = columns["value"], columns["value"].removesuffix(".value")
    size = pl.col(columns["n"])
    if one.function in ("count", "distinct"):
        return [size.cast(pl.Float64).alias(value)]
    if one.function in ("min", "max"):
        return []
    summed = next((name for name in (columns["money"], f"{stem}.exact") if name in known), None)
    if summed is not None:
        total = pl.col(summed).cast(pl.Float64)
    else:
        total = pl.col(f"{stem}.high").cast(pl.Float64) / SCALE + pl.col(f"{stem}.low")
    return [(total if one.function == "sum" else total / size).alias(value)]


def _fill(spine: pl.DataFrame, one: Fold, columns: Mapping[str, str], uncovered: Mapping[str, str]) -> pl.DataFrame:
    """Return the spine with zeros where data is covered but no entity has a row, and null where it is not."""
    missing = [pl.col(name) for name in sorted({uncovered[id] for id in one.inner if id in uncovered})]
    covered = ~pl.any_horizontal(missing) if missing else pl.lit(value=True)
    names = [name for name in columns.values() if name in spine.columns]
    zeros = names if one.function in ZERO_FILLED else [columns["n"]]
    filled = [(pl.col(name).fill_null(0) if name in zeros else pl.col(name)).alias(name) for name in names]
    return spine.with_columns(pl.when(covered).then(expr).alias(expr.meta.output_name()) for expr in filled)
