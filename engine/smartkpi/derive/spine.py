"""The spine: every period of every segment that a group of KPIs shows, with the engine's answers joined to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.engines.answer import FROM, PERIOD, UPTO
from smartkpi.periods.calendar import Calendar, Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.listed import Listed
from smartkpi.plan.nodes import Component

INSTANT = pl.Datetime("us", "UTC")
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Periods:
    """Consecutive periods of a grain; ``frame`` has their number `i`, `start` and `end` (instants, UTC) and `first`
    and `last` (local days, both in). One period of unknown place has nulls. ``ahead``: they begin after the as-of, so
    that only what never had a row is shown there.
    """

    grain: Grain
    keys: tuple[Key | None, ...]
    frame: pl.DataFrame
    ahead: bool = False

    def series(self) -> pl.Series:
        """Return the keys, typed as in the engine's frames."""
        return pl.Series(self.keys, dtype=key_type(self.grain))


def key_type(grain: Grain) -> pl.DataType:
    """Return the type of the period column of a grain (`all`, which has none: of the number 0)."""
    return INSTANT if grain is Grain.HOUR else pl.Int64() if grain is Grain.ALL else pl.Date()


def lay_out(calendar: Calendar, grain: Grain, keys: Sequence[Key]) -> Periods:
    """Return consecutive periods by their keys."""
    if grain is Grain.HOUR:
        starts = [key for key in keys if isinstance(key, datetime)]
        ends = [*starts[1:], *(calendar.bounds(grain, key)[1] for key in starts[-1:])]
        days = [calendar.local_day(start) for start in starts]
        return _periods(grain, keys, starts, ends, days, days)
    after = [*keys[1:], calendar.next(grain, keys[-1])]
    edges = [calendar.midnight(key) for key in (*keys, after[-1])]
    return _periods(grain, keys, edges[:-1], edges[1:], keys, [key - DAY for key in after])


def lay_out_one(calendar: Calendar, start: datetime | None, end: datetime | None) -> Periods:
    """Return the one period of grain `all`, from instant to instant."""
    if start is None or end is None or end <= start:
        return _periods(Grain.ALL, [None], [start], [end], [None], [None])
    days = calendar.local_day(start), calendar.local_day(end - TICK)
    return _periods(Grain.ALL, [None], [start], [end], [days[0]], [days[1]])


def unplaced(grain: Grain) -> Periods:
    """Return one period without place, for a KPI that has no data to place it by."""
    return _periods(grain, [None], [None], [None], [None], [None])


def _periods(
    grain: Grain,
    keys: Iterable[Key | None],
    starts: Sequence[datetime | None],
    ends: Sequence[datetime | None],
    first: Sequence[date | None],
    last: Sequence[date | None],
) -> Periods:
    frame = pl.DataFrame(
        {
            "start": pl.Series(starts, dtype=INSTANT),
            "end": pl.Series(ends, dtype=INSTANT),
            "first": pl.Series(first, dtype=pl.Date),
            "last": pl.Series(last, dtype=pl.Date),
        }
    )
    return Periods(grain, tuple(keys), frame.with_row_index("i").with_columns(pl.col("i").cast(pl.Int64)))


@dataclass(frozen=True, slots=True)
class Answers:
    """The engine's answers at one grain: frames with PERIOD (but for `all`), `sid` and cells, each cell in one.

    ``segments`` has a row a segment: `sid`, its dimensions, and for each smaller set of dimensions that some frames
    have, a column that numbers its values; those frames have that column in place of `sid`. ``grids`` have what is to
    be added up, by day or hour; ``stretches`` FROM and UPTO in place of PERIOD.
    """

    grain: Grain
    segments: pl.DataFrame
    frames: tuple[pl.DataFrame, ...]
    grids: tuple[pl.DataFrame, ...] = ()
    stretches: tuple[pl.DataFrame, ...] = ()


def within_periods(own: Listed | None, frames: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return an answer's frames without the days that lie before and after the periods which a calendar lists."""
    if own is None:
        return list(frames)
    inside = pl.col(PERIOD).is_between(own.starts[0], own.end, closed="left")
    return [frame.filter(inside) for frame in frames]


def gather(
    frames: Iterable[pl.DataFrame],
    grain: Grain,
    by: tuple[str, ...],
    components: Mapping[str, Component],
    wanted: Iterable[str],
    dimensions: Mapping[str, pl.DataType],
    stretches: Iterable[pl.DataFrame] = (),
    grids: Iterable[pl.DataFrame] = (),
    gridded: Iterable[str] = (),
    known: pl.DataFrame | None = None,
) -> Answers:
    """Return the wanted cells of an answer's frames, cells that several datasets answer added up.

    ``known`` are segments that may have no row in them.
    """
    ids = list(wanted)
    period = () if grain is Grain.ALL else (PERIOD,)
    whole = [id for id in ids if components[id].window is None]
    sorts = [
        (period, _keep(frames, period, by, whole, dimensions)),
        ((PERIOD,), _keep(grids, (PERIOD,), by, list(gridded), dimensions, parts=True)),
        ((FROM, UPTO), _keep(stretches, (FROM, UPTO), by, ids, dimensions)),
    ]
    told = [frame for _, kept in sorts for frame in kept.get(by, ())] + ([] if known is None else [known])
    segments = _segments(told, by, dimensions)
    found: list[tuple[pl.DataFrame, ...]] = []
    for keys, kept in sorts:
        placed: list[pl.DataFrame] = []
        for own, some in kept.items():
            united = unite(some, [*keys, *own], components)
            column = "sid" if own == by else f"of.{','.join(own)}"
            if own != by and column not in segments.columns:
                segments = _grouped(segments, own, column)
            placed += [_number(frame, segments, own, column) for frame in united]
        found.append(tuple(placed))
    return Answers(grain, segments, *found)


def _keep(
    frames: Iterable[pl.DataFrame],
    keys: tuple[str, ...],
    by: tuple[str, ...],
    wanted: Collection[str],
    dimensions: Mapping[str, pl.DataType],
    *,
    parts: bool = False,
) -> dict[tuple[str, ...], list[pl.DataFrame]]:
    """Return the wanted cells of frames by the dimensions that they have; with the ``parts`` of sums."""
    columns = {f"{id}{suffix}" for id in wanted for suffix in ("", "_null", *(("_high", "_low") if parts else ()))}
    kept: dict[tuple[str, ...], list[pl.DataFrame]] = {}
    for frame in frames:
        cells = [name for name in frame.columns if name in columns]
        if cells:
            own = tuple(name for name in by if name in frame.columns)
            cast = [pl.col(name).cast(dimensions[name]) for name in own if frame.schema[name] != dimensions[name]]
            kept.setdefault(own, []).append(frame.select(*keys, *own, *cells).with_columns(cast))
    return kept


def _grouped(segments: pl.DataFrame, own: tuple[str, ...], column: str) -> pl.DataFrame:
    """Return the segments with a column that numbers their values of some dimensions."""
    if not own:
        return segments.with_columns(pl.lit(0, dtype=pl.Int64).alias(column))
    numbers = segments.select(own).unique(maintain_order=True).with_row_index(column)
    numbers = numbers.with_columns(pl.col(column).cast(pl.Int64))
    return segments.join(numbers, on=list(own), how="left", nulls_equal=True, maintain_order="left")


def dimension_types(frames: Iterable[pl.DataFrame], by: tuple[str, ...]) -> dict[str, pl.DataType]:
    """Return the type of each dimension: that of all frames, String where they differ or none is known."""
    found: dict[str, set[pl.DataType]] = {name: set() for name in by}
    for frame in frames:
        for name in by:
            if frame.schema.get(name, pl.Null) != pl.Null:
                found[name].add(frame.schema[name])
    return {name: next(iter(types)) if len(types) == 1 else pl.String() for name, types in found.items()}


def _segments(frames: list[pl.DataFrame], by: tuple[str, ...], dimensions: Mapping[str, pl.DataType]) -> pl.DataFrame:
    if not by:
        return pl.DataFrame({"sid": pl.Series([0], dtype=pl.Int64)})
    empty = pl.DataFrame(schema={name: dimensions[name] for name in by})
    distinct = pl.concat([empty, *(frame.select(by) for frame in frames)]).unique().sort(by)
    return distinct.with_row_index("sid").with_columns(pl.col("sid").cast(pl.Int64))


def _number(frame: pl.DataFrame, segments: pl.DataFrame, own: tuple[str, ...], column: str) -> pl.DataFrame:
    """Replace the dimensions of a frame by their number, which stands in a column of the segments."""
    if not own:
        return frame.with_columns(pl.lit(0, dtype=pl.Int64).alias(column))
    numbers = segments.select(*own, column).unique()
    return frame.join(numbers, on=list(own), how="inner", nulls_equal=True).drop(own)


def unite(frames: list[pl.DataFrame], keys: list[str], components: Mapping[str, Component]) -> list[pl.DataFrame]:
    """Return the frames with each cell in one of them: those of several datasets are combined by their aggregate."""
    seen: dict[str, int] = {}
    for frame in frames:
        for name in frame.columns:
            if name not in keys:
                seen[name] = seen.get(name, 0) + 1
    shared = [name for name, count in seen.items() if count > 1]
    if not shared:
        return frames
    parts = [frame.select(*keys, *(n for n in shared if n in frame.columns)) for frame in frames]
    stacked = pl.concat([part for part in parts if part.width > len(keys)], how="diagonal_relaxed")
    combined = [_combine(name, components) for name in shared]
    grouped = stacked.group_by(keys, maintain_order=True).agg(combined) if keys else stacked.select(combined)
    rest = [frame.drop([name for name in shared if name in frame.columns]) for frame in frames]
    return [grouped, *(frame for frame in rest if frame.width > len(keys))]


def _combine(name: str, components: Mapping[str, Component]) -> pl.Expr:
    aggregate = components[name].aggregate if name in components else "rows"
    column = pl.col(name)
    match aggregate:
        case "min":
            return column.min()
        case "max":
            return column.max()
        case "distinct" | "approx_distinct" | "quantile" | "stddev" | "first" | "last":
            raise AssertionError(f"{aggregate} values of several datasets cannot be added up: {name}")
        case _:
            return pl.when(column.count() > 0).then(column.sum())


def first_rows(answers: Answers, presence: Iterable[str]) -> pl.DataFrame:
    """Return the segments with, for each presence cell, the key of the first period that has a row (`all`: 0)."""
    wanted = list(dict.fromkeys(presence))
    position = pl.lit(0, dtype=pl.Int64) if answers.grain is Grain.ALL else pl.col(PERIOD)
    found = answers.segments
    for frame in answers.frames:
        known = set(frame.columns)
        here = [id for id in wanted if id in known]
        if here:
            assert "sid" in known, f"presence is told by segment: {here}"
            firsts = frame.group_by("sid").agg(position.filter(pl.col(id) > 0).min().alias(id) for id in here)
            found = found.join(firsts, on="sid", how="left", maintain_order="left")
    kind, known = key_type(answers.grain), set(found.columns)
    return found.with_columns(pl.lit(None, dtype=kind).alias(id) for id in wanted if id not in known)


def place(answers: Answers, numbers: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the frames with the number `i` of the period in place of its `key`; rows elsewhere are left out."""
    if answers.grain is Grain.ALL:
        return [frame.with_columns(pl.lit(0, dtype=pl.Int64).alias("i")) for frame in answers.frames]
    return [frame.join(numbers, left_on=PERIOD, right_on="key", how="inner").drop(PERIOD) for frame in answers.frames]


def null_counts(frames: Iterable[pl.DataFrame], ids: Iterable[str]) -> dict[str, set[int]]:
    """Return for each counted cell the numbers of the periods in which some row's count is null."""
    found: dict[str, set[int]] = {}
    wanted = list(ids)
    for frame in frames:
        known = set(frame.columns)
        for id in wanted:
            if f"{id}_null" in known:
                found[id] = set(frame.filter(pl.col(f"{id}_null") > 0)["i"].to_list())
    return found


def build_spine(segments: pl.DataFrame, low: pl.Expr, high: int) -> pl.DataFrame:
    """Return a row (`sid`, `i`) for each segment and period from `low` (null: the segment has none) to `high`.

    They come in the order of a result: by period, then segment.
    """
    ranges = segments.select("sid", low.alias("low")).drop_nulls("low")
    ranges = ranges.select("sid", pl.int_ranges("low", high + 1).alias("i"))
    return ranges.explode("i").sort("i", "sid")


def point(spine: pl.DataFrame, frame: pl.DataFrame, shifts: Iterable[str]) -> pl.DataFrame:
    """Return the spine with, for each shift, the row of the same segment that it leads to in place of a number."""
    rows = spine.select("sid", "i").with_row_index("row")
    for name in shifts:
        to = frame.select("i", pl.col("i").gather(pl.col(name)).alias("to"))
        found = rows.select("sid", "i").join(to, on="i", how="left", maintain_order="left")
        found = found.join(rows, left_on=["sid", "to"], right_on=["sid", "i"], how="left", maintain_order="left")
        spine = spine.with_columns(found["row"].alias(name))
    return spine


def reach_back(spine: pl.DataFrame, frame: pl.DataFrame, paths: Iterable[Sequence[str]]) -> pl.DataFrame:
    """Return the spine with the rows that shifts lead to from it; ``paths`` name their columns in ``frame``."""
    added = [spine]
    for path in paths:
        here = spine
        for name in path:
            to = frame.select("i", pl.col("i").gather(pl.col(name)).alias("to"))
            here = here.join(to, on="i", how="inner").select("sid", pl.col("to").alias("i")).drop_nulls("i")
            added.append(here)
    return pl.concat(added).unique().sort("i", "sid") if len(added) > 1 else spine


def attach(
    spine: pl.DataFrame, frames: Iterable[pl.DataFrame], ids: Iterable[str], components: Mapping[str, Component]
) -> pl.DataFrame:
    """Return the spine with a column a cell, null where the engine has no row.

    A frame goes by segment, or by the column of the spine that numbers the values of fewer dimensions.
    """
    for frame in frames:
        by = "sid" if "sid" in frame.columns else next(name for name in frame.columns if name.startswith("of."))
        spine = spine.join(frame, on=[by, "i"], how="left", maintain_order="left")
    return complete(spine, ids, components)


def complete(frame: pl.DataFrame, ids: Iterable[str], components: Mapping[str, Component]) -> pl.DataFrame:
    """Return the frame with a column for each cell, null where the engine had no row for any."""
    known = set(frame.columns)
    missing = [id for id in ids if id not in known]
    return frame.with_columns(pl.lit(None, dtype=_raw_type(components[id])).alias(id) for id in missing)


def _raw_type(component: Component) -> pl.DataType:
    if component.aggregate == "sum" and component.type.unit.name == "money":
        return pl.Decimal(38, 6)
    counts = ("rows", "weight", "present", "distinct", "approx_distinct")
    return pl.Int64() if component.aggregate in counts else pl.Float64()
