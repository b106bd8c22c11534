"""Series: formulas asked for in each calendar period by themselves, whose values a `per` of other periods takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType

import polars as pl

from smartkpi.derive.entities import MOST
from smartkpi.derive.folds import MARKS, Folded, Taken, fold, folds_of, part_taken
from smartkpi.derive.formula import Parts, evaluate
from smartkpi.derive.formula import reached as nodes_in
from smartkpi.derive.pieces import OF, Pieces
from smartkpi.derive.prepared import Group, Settled, read, settle
from smartkpi.derive.spine import attach, dimension_types, lay_out, point, reach_back
from smartkpi.derive.stretches import attach_stretches
from smartkpi.derive.window import too_many_cells
from smartkpi.engines.answer import PERIOD, UPTO, Answer
from smartkpi.plan.nodes import Fold, Output, Plan, Result, Revised

TICK = timedelta(microseconds=1)


def evaluate_on(
    plan: Plan,
    answer: Answer,
    group: Group,
    settled: Settled,
    spine: pl.DataFrame,
    presences: Mapping[tuple[str, ...], str],
    limit: int,
    day: date | None = None,
) -> tuple[pl.DataFrame, dict[str, Parts], Folded]:
    """Return the spine with the columns of a group's steps, where the parts of each stand, and what folds gave.

    ``spine`` has a row (`sid`, `i`) for each value, and the columns that ``presences`` names. In force is what is so on
    the first day of each period, or on some ``day``.
    """
    found, reached = settled.read, settled.reached
    steps, segments = found.steps, found.answers.segments
    groups = [name for name in segments.columns if name.startswith("of.") and name not in found.by]
    if groups:
        spine = spine.join(segments.select("sid", *groups), on="sid", how="left", maintain_order="left")
    spine = spine.join(reached.frame.drop("last"), on="i", how="left", maintain_order="left")
    if day is not None:
        spine = spine.with_columns(pl.lit(day).alias("first"))
    spine = point(spine, reached.frame, reached.shifts.values())
    columns = {id: reached.windows[plan.components[id].window] for id in found.gridded}
    frames = [frame.drop(columns, strict=False) for frame in settled.frames]
    spine = attach_stretches(spine, found.answers.grids, found.gridded, plan.components, columns, group.grain)
    ids = dict.fromkeys(id for step in steps.values() for id in step.components)
    spine = attach(spine, frames, ids, plan.components)

    def take(one: Fold, placed: pl.DataFrame) -> Taken:
        return _take(plan, answer, group, settled, one, placed, limit)

    folds = folds_of(found.known, steps.values())
    folded = fold(plan, answer, group.grain, settled.pieces, segments, spine, folds, limit, take)
    spine, parts = evaluate(
        folded.spine, plan, steps.values(), settled.uncovered, presences, folded.parts, reached.shifts
    )
    return spine, parts, folded


def _take(
    plan: Plan, answer: Answer, group: Group, around: Settled, one: Fold, placed: pl.DataFrame, limit: int
) -> Taken:
    """Return the values of a fold's steps in each of its periods, for the segments and periods of ``placed``."""
    assert one.grain is not None
    pieces, known = around.pieces[one.grain, one.window], around.read.known
    ids = [node.id for node in (one.argument, one.condition) if isinstance(node, Result)]
    keys = pieces.places[OF].unique().sort()
    if not len(keys):
        return _nothing(one, pieces, placed)
    own = Group(one.grain, group.edge, group.datasets, ((0, Output("", ids[0], one.grain, group.datasets)),))
    segments = placed.select(one.keep).unique() if one.keep else None
    kinds = dimension_types([placed], one.keep)
    found = read(plan, answer, own, {id: known[id] for id in ids}, one.keep, kinds, segments)
    settled = settle(plan, answer, own, found, lay_out(plan.calendar, one.grain, keys.to_list()), limit)
    numbers = pl.DataFrame({OF: keys, "n": pl.int_range(len(keys), eager=True)})
    places = pieces.places.select("piece", OF).join(numbers, on=OF).select("piece", "n")
    here, marks = _marked(_usable(plan, group, pieces), places, settled, ids, one)
    wanted = here.covered(one.inner).select("i", "asked", "piece").join(places, on="piece")
    wanted = placed.select(*one.keep, "i").unique().join(wanted, on="i")
    spine, taken = _spine(settled, segments, len(keys), limit), []
    for day, some in _by_version(settled, wanted):
        rows, parts, _ = evaluate_on(plan, answer, own, settled, spine, MappingProxyType({}), limit, day)
        rows = rows.with_columns(found.answers.segments[name].gather(rows["sid"]) for name in one.keep)
        values = part_taken(one, rows, parts[ids[0]], parts[ids[1]] if len(ids) > 1 else None).rename({"i": "n"})
        taken.append(some.drop("asked").join(values, on=["n", *one.keep], nulls_equal=True).drop("n"))
    return Taken(pl.concat(taken), here, marks)


def _by_version(settled: Settled, wanted: pl.DataFrame) -> Iterator[tuple[date | None, pl.DataFrame]]:
    """Yield the wanted values by what is in force when the period that takes them begins, with that day."""
    known, steps = settled.read.known, settled.read.steps.values()
    starts = sorted({start for node in nodes_in(known, steps) if isinstance(node, Revised) for start in node.starts})
    if not starts:
        yield None, wanted
        return
    version = pl.Series(starts).search_sorted(wanted["asked"], "right")
    for number, day in enumerate((date.min, *starts)):
        yield day, wanted.filter(version == number)


def _spine(settled: Settled, segments: pl.DataFrame | None, size: int, limit: int) -> pl.DataFrame:
    """Return a row (`sid`, `i`) for each period of each segment, and those that its values are held against."""
    known, reached = settled.read.answers.segments, settled.reached
    if segments is not None:
        known = known.join(segments, on=segments.columns, how="semi", nulls_equal=True)
    if (cells := known.height * size) > max(limit, MOST):
        raise too_many_cells(limit, cells, f"a value per {reached.grain} of each segment")
    spine = known.select("sid").join(pl.DataFrame({"i": pl.int_range(size, eager=True)}), how="cross")
    paths = dict.fromkeys(path for step in settled.read.steps.values() for _, path in step.reads if path)
    return reach_back(spine, reached.frame, ([reached.shifts[shift] for shift in path] for path in paths))


def _usable(plan: Plan, group: Group, pieces: Pieces) -> Pieces:
    """Return the places without periods of which only the beginning counts though they are over: that has no value."""
    if group.edge is None:
        return pieces
    last = plan.calendar.local_day(group.edge - TICK)
    cut = pieces.places.filter(pl.col(PERIOD).is_null() & (pl.col(UPTO) <= last)).select("piece", OF, UPTO)
    parts = cut.filter([plan.calendar.days(pieces.grain, of)[1] != upto for _, of, upto in cut.rows()]).select("piece")
    lost = pieces.frame.join(parts, on="piece", how="semi").select("i")
    return replace(pieces, frame=pieces.frame.join(lost, on="i", how="anti")) if lost.height else pieces


def _marked(
    pieces: Pieces, places: pl.DataFrame, settled: Settled, ids: Sequence[str], one: Fold
) -> tuple[Pieces, pl.DataFrame]:
    """Return the places with what is known of the values there, and which marks hold somewhere in those of each `i`."""
    frame = settled.reached.frame
    made = [pl.col("i").alias("n"), pl.all_horizontal(f"complete.{id}" for id in ids).alias("complete")]
    marks = []
    for mark in MARKS[1:]:
        columns = [f"{mark}.{id}" for id in ids if f"{mark}.{id}" in frame.columns]
        if columns and frame.select(pl.any_horizontal(columns).any()).item():
            made.append(pl.any_horizontal(columns).alias(mark))
            marks.append(mark)
    known = places.join(frame.select(made), on="n").drop("n")
    found = replace(pieces, frame=pieces.frame.drop("complete").join(known, on="piece", how="left"))
    return found, found.covered(one.inner).group_by("i").agg(pl.col(mark).any() for mark in marks)


def _nothing(one: Fold, pieces: Pieces, placed: pl.DataFrame) -> Taken:
    values = placed.clear().select(*one.keep, "i", pl.lit(0).alias("piece"), pl.lit(0.0).alias("value"))
    return Taken(values, pieces, pl.DataFrame(schema={"i": pl.Int64()}))
