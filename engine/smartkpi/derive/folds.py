"""Folds: values of each entity or calendar period of a segment, aggregated (`… per buyer`, `… per day`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

from smartkpi.derive.formula import NO_DATA, OK, UNDEFINED, Parts, evaluate, reached
from smartkpi.derive.pieces import Pieces
from smartkpi.derive.spine import complete, dimension_types, unite
from smartkpi.derive.window import too_many_cells
from smartkpi.engines.answer import PERIOD, Answer
from smartkpi.engines.exact import HUGE, SCALE
from smartkpi.engines.polars.holistic import SIZE, Groups
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Fold, Plan, Step

ZERO_FILLED = ("count", "sum", "distinct")
ORDERED = ("quantile", "stddev", "first", "last")
"""What needs the values in order: by size, or by the time of their periods."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What folds gave: the spine with their columns and where the parts of each stand.

    ``partial`` names the column that says where some of the periods that a fold runs over is known in part only;
    ``left_out`` are the rows without entity, by dataset.
    """

    spine: pl.DataFrame
    parts: Mapping[Fold, Parts]
    partial: Mapping[Fold, str]
    left_out: Mapping[str, int]


def folds_of(known: Mapping[str, Step], steps: Iterable[Step]) -> Iterator[Fold]:
    """Yield each fold in some steps, and in those ``known`` that they refer to, once."""
    return (node for node in reached(known, steps) if isinstance(node, Fold))


def fold(
    plan: Plan,
    answer: Answer,
    pieces: Mapping[Grain | None, Pieces],
    segments: pl.DataFrame,
    spine: pl.DataFrame,
    folds: Iterable[Fold],
    limit: int,
) -> Folded:
    """Return the spine with the columns of folds. ``segments`` has the dimensions of each `sid` of the spine.

    ``pieces`` has the periods in which values are taken, by the grain of the fold.
    """
    parts: dict[Fold, Parts] = {}
    partial: dict[Fold, str] = {}
    left_out: dict[str, int] = {}
    for number, one in enumerate(dict.fromkeys(folds)):
        name = f"fold.{number}"
        here = pieces[one.grain]
        kinds = [pl.col(key).cast(segments.schema[key]) for key in one.keep]
        placed = spine.select("sid", "i").join(segments.select("sid", *one.keep), on="sid", maintain_order="left")
        table, lost = _table(plan, answer, here, one, placed, limit)
        for dataset, rows in lost.items():
            left_out[dataset] = max(left_out.get(dataset, 0), rows)
        found = _aggregate(one, _values(plan, one, table), name).with_columns(kinds)
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
            partial[one] = f"{name}.partial"
    return Folded(spine, parts, partial, left_out)


def _table(
    plan: Plan, answer: Answer, pieces: Pieces, one: Fold, placed: pl.DataFrame, limit: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return a row for each entity or period that takes part, with its components; and rows lost, by dataset."""
    keys = [*([] if pieces.grain is Grain.ALL else [PERIOD]), *one.keep, *one.keys]
    period = [PERIOD] if PERIOD in keys else []
    covered = pieces.covered(one.inner).select("i", pl.col("asked").alias("first"), *period)
    mine, lost = _frames(plan, answer, pieces, one, keys)
    if not one.keys:
        return _spread(mine, one, covered, placed, limit), lost
    told = [frame for frame in mine if not {*one.entities}.isdisjoint(frame.columns)]
    rest = [frame for frame in mine if {*one.entities}.isdisjoint(frame.columns)]
    if not told:
        kinds = dimension_types([], (*one.keep, *one.keys))
        return pl.DataFrame(
            schema={"i": pl.Int64, "first": pl.Date, **{name: kinds[name] for name in (*one.keep, *one.keys)}}
        ), lost
    table = reduce(lambda a, b: a.join(b, on=keys, how="full", coalesce=True, nulls_equal=True), told)
    here = [id for id in one.entities if id in table.columns]
    table = table.filter(pl.any_horizontal(pl.col(id) > 0 for id in here))
    table = table.join(covered, on=PERIOD, how="inner") if PERIOD in keys else table.join(covered, how="cross")
    for frame in rest:
        table = table.join(frame, on=keys, how="left", nulls_equal=True)
    return table, lost


def _frames(
    plan: Plan, answer: Answer, pieces: Pieces, one: Fold, keys: list[str]
) -> tuple[list[pl.DataFrame], dict[str, int]]:
    """Return the engine's frames with what a fold reads, of entities that have a name, each cell in one of them."""
    found: list[pl.DataFrame] = []
    lost: dict[str, int] = {}
    frames = answer.frames.get(pieces.grain, ())
    origins = answer.origins.get(pieces.grain, ("",) * len(frames))
    nameless = pl.any_horizontal(pl.col(key).is_null() for key in one.keys) if one.keys else pl.lit(value=False)
    for frame, dataset in zip(frames, origins, strict=True):
        cells = [id for id in one.inner if id in frame.columns]
        if not cells:
            continue
        if told := [id for id in one.entities if id in frame.columns]:
            rows = frame.filter(nameless)
            if PERIOD in keys:
                rows = rows.join(pieces.frame.select(PERIOD), on=PERIOD, how="semi")
            counts = rows.select(pl.col(*told).sum()).row(0)
            lost[dataset] = max(lost.get(dataset, 0), *counts)
        found.append(frame.select(*keys, *cells).filter(~nameless))
    kinds = dimension_types(found, (*one.keep, *one.keys))
    cast = [frame.with_columns(pl.col(n).cast(k) for n, k in kinds.items() if frame.schema[n] != k) for frame in found]
    return unite(cast, keys, plan.components), lost


def _spread(
    frames: Sequence[pl.DataFrame], one: Fold, covered: pl.DataFrame, placed: pl.DataFrame, limit: int
) -> pl.DataFrame:
    """Return a row for each covered period of each segment; cells are null where the engine has no row."""
    segments = placed.select(*one.keep, "i").unique()
    each = covered.group_by("i").len().join(segments.group_by("i").len(name="segments"), on="i")
    cells = int((each["len"].cast(pl.Int64) * each["segments"].cast(pl.Int64)).sum())
    if cells > limit:
        raise too_many_cells(limit, cells)
    table = segments.join(covered, on="i", how="inner")
    for frame in frames:
        kinds = [pl.col(name).cast(table.schema[name]) for name in one.keep]
        table = table.join(frame.with_columns(kinds), on=[PERIOD, *one.keep], how="left", nulls_equal=True)
    return table


def _values(plan: Plan, one: Fold, table: pl.DataFrame) -> pl.DataFrame:
    """Return the value of each entity or period, of those that the condition lets through and that have one."""
    table = complete(table, one.inner, plan.components)
    steps = [Step("argument", "", one.argument, one.type, (), ())]
    if one.condition is not None:
        steps.append(Step("condition", "", one.condition, one.type, (), ()))
    table, parts = evaluate(table, plan, steps, {})
    if one.condition is not None:
        table = table.filter(parts["condition"].value.fill_null(value=False))
    value = [parts["argument"].value.cast(pl.Float64).alias("value")]
    if parts["argument"].money is not None:
        value.append(parts["argument"].money.alias("money"))
    period = [PERIOD] if PERIOD in table.columns else []
    return table.select(*one.keep, "i", *period, *value).filter(pl.col("value").is_not_null())


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
    by = PERIOD if one.function in ("first", "last") else "value"
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
