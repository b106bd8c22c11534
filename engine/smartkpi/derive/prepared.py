"""KPIs before their formulas: what the engine answered for them, which periods they read, what is known of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from smartkpi.derive.coverage import FULL, Cover, cover_of
from smartkpi.derive.folds import folds_of
from smartkpi.derive.pieces import Pieces, Where, as_pieces, divide
from smartkpi.derive.reached import (
    Judged,
    Open,
    Reached,
    complete_in,
    immature_in,
    marks_of,
    null_rows,
    place_all,
    reach_out,
)
from smartkpi.derive.spine import Answers, Periods, gather, null_counts, within_periods
from smartkpi.engines.answer import FROM, UPTO, Answer
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path, grid_of, is_cut
from smartkpi.plan.nodes import Output, Plan, Step
from smartkpi.plan.reads import with_series
from smartkpi.plan.scans import is_gridded


@dataclass(frozen=True, slots=True)
class Group:
    """KPIs of one grain, one as-of, one set of datasets: they share periods and coverage. At most TOGETHER."""

    grain: Grain
    edge: datetime | None
    datasets: tuple[str, ...]
    outputs: tuple[tuple[int, Output], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What steps read of an answer, by segments of the dimensions ``by``: the answers of the components ``wanted``.

    ``known`` are all steps that these may refer to, ``gridded`` the components that are added up over stretches of
    time. ``covers`` says what each dataset covers, which begins with ``begin``.
    """

    known: Mapping[str, Step]
    steps: Mapping[str, Step]
    by: tuple[str, ...]
    wanted: Mapping[str, None]
    answers: Answers
    gridded: tuple[str, ...]
    covers: Mapping[str, Cover | None]
    begin: datetime | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What is read, with the periods: those shown and those they are held against; coverage is columns of their frame.

    ``frames`` are the answers by number of the period; ``missing`` the periods, by step, in which a count is null.
    ``uncovered`` names the column that says where a component has no coverage at all, for those that lack some;
    ``pieces`` are the periods, and their parts, over which folds run.
    """

    read: Read
    reached: Reached
    frames: tuple[pl.DataFrame, ...]
    missing: Mapping[str, set[int]]
    uncovered: Mapping[str, str]
    pieces: Mapping[Where, Pieces]


def read(
    plan: Plan,
    answer: Answer,
    group: Group,
    steps: Mapping[str, Step],
    by: tuple[str, ...],
    dimensions: Mapping[str, pl.DataType],
    segments: pl.DataFrame | None = None,
) -> Read:
    """Return what the steps of a group read; with some ``segments`` whether or not they have rows."""
    wanted = dict.fromkeys(id for step in steps.values() for id in (*step.components, *step.presence))
    added = (id for step in steps.values() for id in _gridded(plan, group.grain, step) if id in wanted)
    gridded = tuple(dict.fromkeys(added))
    frames = within_periods(plan.calendar.own(group.grain), answer.frames.get(group.grain, ()))
    stretches = answer.stretches.get(group.grain, ())
    grids = answer.frames.get(grid_of(group.grain), ()) if gridded else ()
    answers = gather(frames, group.grain, by, plan.components, wanted, dimensions, stretches, grids, gridded, segments)
    covers = {name: cover_of(plan, answer.coverage, name, group.edge) for name in group.datasets}
    begins = (found.begin for found in covers.values() if found is not None and not found.timeless)
    known = {step.id: step for step in plan.steps}
    return Read(known, steps, by, wanted, answers, gridded, covers, min(begins, default=None))


def settle(plan: Plan, answer: Answer, group: Group, read: Read, periods: Periods, limit: int) -> Settled:
    """Return what is read with the periods that it is read of."""
    steps = read.steps.values()
    reads = dict.fromkeys(one for step in steps for one in step.reads)
    reached = reach_out(plan, group.grain, periods, group.edge, reads, group.datasets)
    inner = dict.fromkeys(id for step in steps for id in step.inside)
    reached, uncovered = _judge(plan, group, reached, read.covers, steps, {**read.wanted, **inner}, answer.open)
    pieces = _pieces(plan, group, reached, read, uncovered, limit)
    placed = place_all(read.answers, reached, plan.components)
    missing = {step.id: _missing(plan, step, read.answers, placed, reached, read.gridded) for step in steps}
    return Settled(read, reached, tuple(placed), missing, uncovered, pieces)


def _gridded(plan: Plan, grain: Grain, step: Step) -> Iterator[str]:
    """Yield the components that a step adds up from days or hours: over a window, or over a part of a period."""
    for id, path in step.reads:
        component, part = plan.components[id], bool(path) and is_cut(grain) and not step.whole
        if is_gridded(component) and (component.window is not None or part):
            yield id


def _missing(
    plan: Plan,
    step: Step,
    answers: Answers,
    placed: Sequence[pl.DataFrame],
    reached: Reached,
    gridded: Collection[str],
) -> set[int]:
    """Return the periods in whose answer, of a step, some row's count is null."""
    nulls = null_counts(placed, step.components)
    rows = reached.frame["i"].to_list()
    found: set[int] = set()
    for id, path in step.reads:
        where = null_rows(answers.grids, id, reached, plan.components[id].window) if id in gridded else nulls.get(id)
        if where:
            at = reached.follow(path).to_list()
            found |= {number for number, row in zip(rows, at, strict=True) if row is not None and rows[row] in where}
    return found


def _judge(
    plan: Plan,
    group: Group,
    reached: Reached,
    covers: Mapping[str, Cover | None],
    steps: Iterable[Step],
    wanted: Mapping[str, None],
    open_: Open,
    *,
    over: bool = True,
) -> tuple[Reached, dict[str, str]]:
    """Add to each period which steps are complete and mature, if it reaches into a silence, which events it lacks.

    These are those of components ``over`` their windows.
    """
    frame = reached.frame
    known = Judged(plan, reached, covers)
    judged = {name: known.judge(name, None) for name in covers}
    timeless = all(found is not None and found.timeless for found in covers.values())
    past = pl.lit(value=timeless) if group.edge is None else (pl.col("end") <= group.edge).fill_null(value=False)
    silent = [pl.col("end") > found.end for found in covers.values() if found is not None and found.stale]
    frame = frame.with_columns(
        pl.all_horizontal(past, *(pl.lit(column == FULL) for column in judged.values())).alias("complete"),
        pl.any_horizontal(pl.lit(value=False), *silent).alias("stale"),
    )
    known.reached = replace(reached, frame=frame)
    uncovered: dict[str, str] = {}
    for id in wanted:
        column, _ = known.columns_of(plan.components[id].event, plan.components[id].window if over else None)
        if known.reached.frame[column].any():
            uncovered[id] = column
    shown, always = {output.step for _, output in group.outputs}, pl.Series([True]).new_from_index(0, frame.height)
    own: list[pl.Series] = []
    seen: dict[tuple[frozenset[tuple[str, Path]], bool], tuple[pl.Series, ...]] = {}
    for step in steps:
        read = frozenset(step.reads)
        if (read, step.id in shown) not in seen:  # most KPIs read the same periods of the same events
            base = frame["complete"] if step.id in shown else always
            seen[read, step.id in shown] = complete_in(step, plan, known, base), *marks_of(step, known.reached)
        marks = zip(("complete", "like_for_like", "clamped"), seen[read, step.id in shown], strict=True)
        own += [column.alias(f"{mark}.{step.id}") for mark, column in marks]
        if (immature := immature_in(step, plan, known, group.edge, open_)) is not None:
            own.append(immature.alias(f"immature.{step.id}"))
    return replace(known.reached, frame=known.reached.frame.with_columns(own)), uncovered


def _pieces(
    plan: Plan, group: Group, reached: Reached, read: Read, uncovered: Mapping[str, str], limit: int
) -> dict[Where, Pieces]:
    """Return the places at which folds take values, with what is known of each."""
    steps = read.steps.values()
    if not any(step.inner or step.series for step in steps):
        return {}
    found: dict[Where, Pieces] = {(None, None): as_pieces(reached, uncovered)}
    inner = dict.fromkeys(id for step in with_series(read.known, steps) for id in (*step.components, *step.inside))
    for one in folds_of(read.known, steps):
        if one.grain is not None and (one.grain, one.window) not in found:
            pairs, bounds = divide(plan.calendar, reached, one.grain, one.window, read.begin, limit)
            alone = bounds.with_columns(pl.col("piece").alias("i"), pl.col("piece").alias("at"))
            judged, silent = _judge(
                plan, group, Reached(one.grain, alone, (), 0, {}, {}), read.covers, (), inner, {}, over=False
            )
            columns = judged.frame.select("piece", "complete", *dict.fromkeys(silent.values()))
            pairs = pairs.join(columns, on="piece")
            ends = {one.window: (FROM, UPTO)}
            found[one.grain, one.window] = Pieces(one.grain, "piece", pairs, alone, ends, silent)
    return found
