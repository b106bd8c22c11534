"""What folds run over: a row for each entity or calendar period that takes part, with the components of its value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

from smartkpi.derive.pieces import Pieces
from smartkpi.derive.spine import dimension_types, unite
from smartkpi.derive.stretches import counted_in, spread
from smartkpi.derive.window import too_many_cells
from smartkpi.engines.answer import FROM, PERIOD, UPTO, Answer
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Window, grid_of
from smartkpi.plan.nodes import Component, Fold, Plan
from smartkpi.plan.scans import is_gridded

MOST = 4_000_000
"""So many rows, each once for a window that it lies in, are held at a time."""


@dataclass(frozen=True, slots=True)
class Table:
    """An answer's frame with some cells that a fold reads, of entities that have a name.

    Its rows are those of a PERIOD, of a stretch under a ``window``, or of the ``grid`` of days or hours that such
    stretches are made of.
    """

    frame: pl.DataFrame
    cells: tuple[str, ...]
    window: Window | None = None
    stretches: bool = False
    grid: Grain | None = None


def read_tables(
    plan: Plan, answer: Answer, pieces: Pieces, one: Fold, asked: Grain
) -> tuple[list[Table], dict[str, int]]:
    """Return the tables that a fold reads; and the rows without entity that are left out, by dataset."""
    found: list[Table] = []
    lost: dict[str, int] = {}
    windows = dict.fromkeys(plan.components[id].window for id in one.inner)
    if one.grain is not None or None in windows:
        ids = [id for id in one.inner if one.grain is not None or plan.components[id].window is None]
        found += _whole(plan, answer, pieces, one, pieces.grain, ids, lost)
    gridded = [id for id in one.inner if one.grain is None and _is_gridded(plan.components[id])]
    for window in windows:
        ids = [id for id in one.inner if plan.components[id].window == window]
        if mine := [id for id in ids if id in gridded]:
            grid = grid_of(asked)
            tables = _whole(plan, answer, pieces, one, grid, mine, lost)
            found += [Table(table.frame, table.cells, window, grid=grid) for table in tables]
        frames = _stretches(plan, answer, one, asked, [id for id in ids if id not in gridded])
        found += [Table(frame, cells, window, stretches=True) for frame, cells in frames]
    return found, lost


def _is_gridded(component: Component) -> bool:
    return component.window is not None and is_gridded(component)


def _whole(
    plan: Plan, answer: Answer, pieces: Pieces, one: Fold, grain: Grain, ids: Sequence[str], lost: dict[str, int]
) -> list[Table]:
    """Return tables by period, each cell in one of them; rows without entity are added to what is lost."""
    keys = [*([] if grain is Grain.ALL else [PERIOD]), *one.keep, *one.keys]
    frames = answer.frames.get(grain, ())
    found = []
    for frame, dataset in zip(frames, answer.origins.get(grain, ("",) * len(frames)), strict=True):
        if not (cells := _cells(frame, ids)):
            continue
        if one.keys and (told := [id for id in one.entities if id in frame.columns]):
            rows = frame.filter(~_named(one))
            if PERIOD in keys and grain is pieces.grain:
                rows = rows.join(pieces.places.select(PERIOD), on=PERIOD, how="semi")
            lost[dataset] = max(lost.get(dataset, 0), *rows.select(pl.col(*told).sum()).row(0))
        found.append(frame.select(*keys, *cells).filter(_named(one)))
    united = unite(_alike(found, (*one.keep, *one.keys)), keys, plan.components)
    return [Table(frame, tuple(id for id in ids if id in frame.columns)) for frame in united]


def _stretches(
    plan: Plan, answer: Answer, one: Fold, asked: Grain, ids: Sequence[str]
) -> list[tuple[pl.DataFrame, tuple[str, ...]]]:
    """Return frames by stretch of time, each cell in one of them."""
    keys = [FROM, UPTO, *one.keep, *one.keys]
    frames = [frame for frame in answer.stretches.get(asked, ()) if _cells(frame, ids)]
    found = [frame.select(*keys, *_cells(frame, ids)).filter(_named(one)) for frame in frames]
    united = unite(_alike(found, (*one.keep, *one.keys)), keys, plan.components)
    return [(frame, tuple(id for id in ids if id in frame.columns)) for frame in united]


def _cells(frame: pl.DataFrame, ids: Iterable[str]) -> list[str]:
    return [name for id in ids for name in (id, f"{id}_high", f"{id}_low") if name in frame.columns]


def _named(one: Fold) -> pl.Expr:
    return pl.all_horizontal(pl.lit(value=True), *(pl.col(key).is_not_null() for key in one.keys))


def _alike(frames: Sequence[pl.DataFrame], names: tuple[str, ...]) -> list[pl.DataFrame]:
    kinds = dimension_types(frames, names)
    return [frame.with_columns(pl.col(n).cast(k) for n, k in kinds.items() if frame.schema[n] != k) for frame in frames]


def rows_of(
    plan: Plan, tables: Sequence[Table], pieces: Pieces, one: Fold, placed: pl.DataFrame, limit: int
) -> Iterator[pl.DataFrame]:
    """Yield a row for each entity or period that takes part, with its components; some periods at a time.

    ``placed`` has the dimensions and the number `i` of each row of the answer.
    """
    covered = pieces.covered(one.inner).select("i", pl.col("asked").alias("first"), *_key(pieces))
    covered = covered.filter(pl.col("i").is_in(placed["i"].unique().implode()))
    windowed = one.window is not None or any(table.grid is not None for table in tables)
    for some in _some(tables, pieces, covered, placed.height) if windowed else [covered]:
        here = pieces.places.join(some.select(pieces.key).unique(), on=pieces.key, how="semi")
        frames = _joined([_placed(plan, table, pieces, one, here) for table in tables], pieces, one)
        if one.keys:
            yield _of_entities(frames, pieces, one, some)
        else:
            yield _of_periods(frames, pieces, one, some, placed, limit)


def _key(pieces: Pieces) -> list[str]:
    return [] if pieces.key == "i" else [pieces.key]


def _some(tables: Sequence[Table], pieces: Pieces, covered: pl.DataFrame, segments: int) -> Iterator[pl.DataFrame]:
    """Yield the covered places of some periods at a time, so that few enough rows are laid out for them."""
    counts = covered.group_by("i").agg(pl.len().cast(pl.Int64).alias("n")).sort("i")
    if pieces.key == "i":
        ends = counts.join(pieces.places, on="i", how="left", maintain_order="left")
        grids = ((table.frame[PERIOD], table.grid, pieces.ends[table.window]) for table in tables if table.grid)
        sizes = [counted_in(moments, grid, *(ends[name] for name in names)) for moments, grid, names in grids]
        counts = counts.with_columns(n=pl.sum_horizontal("n", *sizes))
    else:
        each = max((table.frame.height for table in tables), default=0) // max(1, pieces.places.height)
        counts = counts.with_columns(n=pl.col("n") * max(each, segments // max(1, counts.height), 1))
    parts = counts.select("i", part=pl.col("n").cum_sum() // MOST)
    for part in parts.partition_by("part") or [parts]:
        yield covered.join(part.select("i"), on="i", how="semi")


def _placed(plan: Plan, table: Table, pieces: Pieces, one: Fold, here: pl.DataFrame) -> pl.DataFrame:
    """Return a table by the key of the places where its rows are wanted."""
    dims = [*one.keep, *one.keys]
    if table.grid is not None:
        low, high = pieces.ends[table.window]
        ends = here.select(pieces.key, pl.col(low).alias(FROM), pl.col(high).alias(UPTO))
        return spread(table.frame, table.cells, plan.components, ends, pieces.key, dims, table.grid)
    if table.stretches:
        if table.window not in pieces.ends:
            return table.frame.clear().drop(FROM, UPTO).with_columns(pl.lit(None, pl.Int64).alias(pieces.key))
        low, high = pieces.ends[table.window]
        ends = here.select(pieces.key, pl.col(low).alias(FROM), pl.col(high).alias(UPTO))
        return table.frame.join(ends, on=[FROM, UPTO], how="inner").select(pieces.key, *dims, *table.cells)
    if PERIOD not in table.frame.columns:
        return table.frame.join(here.select(pieces.key), how="cross").select(pieces.key, *dims, *table.cells)
    known = here.select(pieces.key, PERIOD)
    return table.frame.join(known, on=PERIOD, how="inner").select(pieces.key, *dims, *table.cells)


def _joined(frames: Sequence[pl.DataFrame], pieces: Pieces, one: Fold) -> list[pl.DataFrame]:
    """Return frames with each cell in one of them: some are known of whole periods here, of parts there."""
    dims = [pieces.key, *one.keep, *one.keys]
    found: list[pl.DataFrame] = []
    kinds = dimension_types(frames, (*one.keep, *one.keys))
    for frame in frames:
        frame = frame.with_columns(pl.col(n).cast(k) for n, k in kinds.items() if frame.schema[n] != k)
        both = {id for id in frame.columns if id not in dims and any(id in other.columns for other in found)}
        for id in both:
            place = next(number for number, other in enumerate(found) if id in other.columns)
            part = pl.concat([found[place].select(*dims, id), frame.select(*dims, id)], how="vertical_relaxed")
            found[place] = found[place].drop(id)
            found.append(part.filter(pl.col(id).is_not_null()))
        found.append(frame.drop(both))
    return [frame for frame in found if frame.width > len(dims)]


def _of_entities(frames: Sequence[pl.DataFrame], pieces: Pieces, one: Fold, covered: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each entity that has a row itself."""
    keys = [pieces.key, *one.keep, *one.keys]
    told = [frame for frame in frames if not {*one.entities}.isdisjoint(frame.columns)]
    rest = [frame for frame in frames if {*one.entities}.isdisjoint(frame.columns)]
    if not told:
        kinds = dimension_types([], (*one.keep, *one.keys))
        schema = {name: covered.schema[name] for name in covered.columns}
        return pl.DataFrame(schema=schema | {name: kinds[name] for name in (*one.keep, *one.keys)})
    table = reduce(lambda a, b: a.join(b, on=keys, how="full", coalesce=True, nulls_equal=True), told)
    here = [id for id in one.entities if id in table.columns]
    table = table.filter(pl.any_horizontal(pl.col(id) > 0 for id in here))
    for frame in rest:
        table = table.join(frame, on=keys, how="left", nulls_equal=True)
    return table.join(covered, on=pieces.key, how="inner")


def _of_periods(
    frames: Sequence[pl.DataFrame],
    pieces: Pieces,
    one: Fold,
    covered: pl.DataFrame,
    placed: pl.DataFrame,
    limit: int,
) -> pl.DataFrame:
    """Return a row for each covered period of each segment; cells are null where the engine has no row."""
    segments = placed.select(*one.keep, "i").unique()
    each = covered.group_by("i").len().join(segments.group_by("i").len(name="segments"), on="i")
    cells = int((each["len"].cast(pl.Int64) * each["segments"].cast(pl.Int64)).sum())
    if cells > max(limit, MOST):
        raise too_many_cells(limit, cells, f"a value per {one.grain} of each segment")
    table = segments.join(covered, on="i", how="inner")
    for frame in frames:
        kinds = [pl.col(name).cast(table.schema[name]) for name in one.keep]
        table = table.join(frame.with_columns(kinds), on=[pieces.key, *one.keep], how="left", nulls_equal=True)
    return table
