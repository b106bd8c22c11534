"""Derive: the engine's small tables become values with states, one row a KPI, period and segment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from smartkpi.derive.compared import Held, hold, tall_columns
from smartkpi.derive.coverage import FULL, TICK, Cover, cover, cover_timeless, describe
from smartkpi.derive.folds import fold, folds_at, folds_of
from smartkpi.derive.formula import OK, Parts, evaluate, ranked
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
from smartkpi.derive.spine import (
    Answers,
    attach,
    build_spine,
    dimension_types,
    first_rows,
    gather,
    null_counts,
    point,
    reach_back,
    within_periods,
)
from smartkpi.derive.stretches import attach_stretches
from smartkpi.derive.tidy import TALL, tidy
from smartkpi.derive.window import Window, beyond_periods, count_cells, lay_out_periods, too_many_cells, windows_of
from smartkpi.diagnostics import Diagnostic
from smartkpi.engines.answer import FROM, UPTO, Answer, edge_of
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path, grid_of, is_cut
from smartkpi.plan.nodes import Fold, Output, Plan, Step
from smartkpi.plan.scans import is_gridded

MAX_CELLS = 5_000_000
TOGETHER = 200
"""How many KPIs share a frame: a step costs as much as its frame has columns, so that thousands are done in parts."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The values of a question.

    ``frame`` and ``trend`` have all columns of a Result's frame, ``status`` still null. ``as_of`` is the last instant
    that counts, by KPI, in the project's zone. ``datasets`` has first and last day, rows, left_out, stale of each.
    """

    frame: pl.DataFrame
    trend: pl.DataFrame
    as_of: Mapping[str, datetime | None]
    diagnostics: tuple[Diagnostic, ...] = ()
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """KPIs of one grain, one as-of, one set of datasets: they share periods and coverage. At most TOGETHER."""

    grain: Grain
    edge: datetime | None
    datasets: tuple[str, ...]
    outputs: tuple[tuple[int, Output], ...]


def derive(plan: Plan, answer: Answer, limit: int = MAX_CELLS) -> Derived:
    """Return the values of all asked KPIs. Raises KpiError (`too-many-cells`) where there are more than `limit`."""
    edges = {
        output.kpi: edge_of(plan, answer.coverage, output.datasets) if output.step is not None else None
        for output in plan.outputs
    }
    dimensions = dimension_types([frame for frames in answer.frames.values() for frame in frames], plan.by)
    parts, cells = [], 0
    left_out: dict[str, int] = {}
    notes: list[Diagnostic] = []
    groups = _groups(plan, edges)
    for place, group in enumerate(groups):
        prepared = _prepare(plan, answer, group, dimensions, limit)
        cells += count_cells(prepared.firsts, prepared.windows)
        if cells > limit:
            rest = (_prepare(plan, answer, one, dimensions, limit) for one in groups[place + 1 :])
            cells += sum(count_cells(one.firsts, one.windows) for one in rest)
            raise too_many_cells(limit, cells, _made_of(plan, group, prepared))
        values, nameless = _values(plan, answer, group, prepared, limit)
        parts.append(values)
        for name, rows in nameless.items():
            left_out[name] = max(left_out.get(name, 0), rows)
        notes += beyond_periods(plan, group.grain, group.edge, prepared.begin)
    tall = pl.concat(parts) if parts else None
    frame, trend = tidy(plan, tall, dimensions)
    zone = plan.calendar.zone
    return Derived(
        frame=frame,
        trend=trend,
        as_of={kpi: None if edge is None else (edge - TICK).astimezone(zone) for kpi, edge in edges.items()},
        datasets=describe(plan, answer.coverage, edges, left_out),
        diagnostics=tuple(dict.fromkeys(notes)),
    )


def _made_of(plan: Plan, group: Group, prepared: _Prepared) -> str:
    """Say what makes the cells of a group."""
    periods = max(window.high - window.low + 1 for window in prepared.windows)
    segments = f" for each of {prepared.firsts.height:,} segments by {', '.join(plan.by)}" if plan.by else ""
    kpis = len(plan.outputs)
    what = f"{kpis:,} KPI{'' if kpis == 1 else 's'}, {periods:,} periods of grain `{group.grain}`"
    return what + segments


def _groups(plan: Plan, edges: Mapping[str, datetime | None]) -> list[Group]:
    found: dict[tuple[Grain, datetime | None, tuple[str, ...]], list[tuple[int, Output]]] = {}
    for k, output in enumerate(plan.outputs):
        if output.step is not None:
            found.setdefault((output.grain, edges[output.kpi], output.datasets), []).append((k, output))
    return [
        Group(*key, tuple(outputs[first : first + TOGETHER]))
        for key, outputs in found.items()
        for first in range(0, len(outputs), TOGETHER)
    ]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A group before its formulas: answers, periods, coverage (columns of ``reached.frame``) and each KPI's window.

    ``steps`` are those of the group's KPIs, ``known`` all that they may refer to.

    ``presences`` names the column of ``firsts`` with the first period of a row in any of some components.

    ``uncovered`` names the column that says where a component has no coverage at all, for those that lack some;
    ``pieces`` are the periods, and their parts, over which folds run; ``gridded`` the components that are added up over
    stretches of time.
    """

    known: Mapping[str, Step]
    steps: Mapping[str, Step]
    answers: Answers
    frames: tuple[pl.DataFrame, ...]
    firsts: pl.DataFrame
    reached: Reached
    windows: tuple[Window, ...]
    uncovered: Mapping[str, str]
    presences: Mapping[tuple[str, ...], str]
    pieces: Mapping[Where, Pieces]
    gridded: tuple[str, ...]
    begin: datetime | None


def _prepare(plan: Plan, answer: Answer, group: Group, dimensions: Mapping[str, pl.DataType], limit: int) -> _Prepared:
    known = {step.id: step for step in plan.steps}
    steps = {id: known[id] for _, output in group.outputs for id in output.steps}
    wanted = dict.fromkeys(id for step in steps.values() for id in (*step.components, *step.presence))
    reads = dict.fromkeys(read for step in steps.values() for read in step.reads)
    added = (id for step in steps.values() for id in _gridded(plan, group.grain, step) if id in wanted)
    gridded = tuple(dict.fromkeys(added))
    frames = within_periods(plan.calendar.own(group.grain), answer.frames.get(group.grain, ()))
    stretches = answer.stretches.get(group.grain, ())
    grids = answer.frames.get(grid_of(group.grain), ()) if gridded else ()
    answers = gather(frames, group.grain, plan.by, plan.components, wanted, dimensions, stretches, grids, gridded)
    firsts = first_rows(answers, (id for step in steps.values() for id in step.presence))
    covers = {name: _cover(plan, answer, name, group.edge) for name in group.datasets}
    begins = [found.begin for found in covers.values() if found is not None and not found.timeless]
    present = [steps[output.step].presence for _, output in group.outputs if output.step is not None]
    periods = lay_out_periods(plan, group.grain, group.edge, firsts, present, begins, limit)
    reached = reach_out(plan, group.grain, periods, group.edge, reads, group.datasets)
    inner = dict.fromkeys(id for step in steps.values() for id in step.inside)
    reached, uncovered = _judge(plan, group, reached, covers, steps.values(), wanted | inner, answer.open)
    begin = min(begins, default=None)
    pieces = _pieces(plan, group, reached, begin, covers, steps.values(), uncovered, limit, known)
    placed = place_all(answers, reached, plan.components)
    missing = {step.id: _missing(plan, step, answers, placed, reached, gridded) for step in steps.values()}
    presences = {
        presence: f"first.{i}"
        for i, presence in enumerate(
            dict.fromkeys((*(step.presence for step in steps.values()), *ranked(known, steps.values())))
        )
    }
    firsts, windows = windows_of(plan, group.outputs, steps, periods, firsts, reached, missing, presences)
    found = tuple(placed)
    return _Prepared(
        known, steps, answers, found, firsts, reached, windows, uncovered, presences, pieces, gridded, begin
    )


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


def _cover(plan: Plan, answer: Answer, name: str, edge: datetime | None) -> Cover | None:
    dataset, found = plan.datasets[name], answer.coverage.get(name)
    if dataset.timeless:
        return cover_timeless(dataset, found)
    return None if edge is None else cover(plan.calendar, dataset, found, edge)


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
    plan: Plan,
    group: Group,
    reached: Reached,
    begin: datetime | None,
    covers: Mapping[str, Cover | None],
    steps: Collection[Step],
    uncovered: Mapping[str, str],
    limit: int,
    known: Mapping[str, Step],
) -> dict[Where, Pieces]:
    """Return the places at which folds take values, with what is known of each."""
    if not any(step.inner for step in steps):
        return {}
    found: dict[Where, Pieces] = {(None, None): as_pieces(reached, uncovered)}
    inner = dict.fromkeys(id for step in steps for id in step.inside)
    for one in folds_of(known, steps):
        if one.grain is not None and (one.grain, one.window) not in found:
            pairs, bounds = divide(plan.calendar, reached, one.grain, one.window, begin, limit)
            alone = bounds.with_columns(pl.col("piece").alias("i"), pl.col("piece").alias("at"))
            judged, silent = _judge(
                plan, group, Reached(one.grain, alone, (), 0, {}, {}), covers, (), inner, {}, over=False
            )
            columns = judged.frame.select("piece", "complete", *dict.fromkeys(silent.values()))
            pairs = pairs.join(columns, on="piece")
            ends = {one.window: (FROM, UPTO)}
            found[one.grain, one.window] = Pieces(one.grain, "piece", pairs, alone, ends, silent)
    return found


def _values(
    plan: Plan, answer: Answer, group: Group, prepared: _Prepared, limit: int
) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """Return the tall table of a group: a row a KPI, period and segment; and rows left out for a null entity."""
    steps, windows = prepared.steps, prepared.windows
    distinct = {(window.first, window.low, window.high): window for window in windows}
    low = pl.min_horizontal([window.lowest() for window in distinct.values()])
    reached = prepared.reached
    paths = dict.fromkeys(path for step in steps.values() for _, path in step.reads if path)
    spine = build_spine(prepared.firsts, low, max(window.high for window in windows))
    spine = reach_back(spine, reached.frame, ([reached.shifts[shift] for shift in path] for path in paths))
    ids = dict.fromkeys(id for step in steps.values() for id in step.components)
    groups = [name for name in prepared.answers.segments.columns if name.startswith("of.") and name not in plan.by]
    if groups:
        numbers = prepared.answers.segments.select("sid", *groups)
        spine = spine.join(numbers, on="sid", how="left", maintain_order="left")
    spine = spine.join(reached.frame.drop("last"), on="i", how="left", maintain_order="left")
    spine = point(spine, reached.frame, reached.shifts.values())
    columns = {id: reached.windows[plan.components[id].window] for id in prepared.gridded}
    frames = [frame.drop(columns, strict=False) for frame in prepared.frames]
    grids = (prepared.answers.grids, prepared.gridded, plan.components, columns, group.grain)
    spine = attach_stretches(spine, *grids)
    spine = attach(spine, frames, ids, plan.components)
    firsts = prepared.firsts.select("sid", *(name for name in prepared.firsts.columns if name.startswith("first.")))
    spine = spine.join(firsts, on="sid", how="left", maintain_order="left")
    folds = folds_of(prepared.known, steps.values())
    folded = fold(plan, answer, group.grain, prepared.pieces, prepared.answers.segments, spine, folds, limit)
    spine, parts = evaluate(
        folded.spine, plan, steps.values(), prepared.uncovered, prepared.presences, folded.parts, reached.shifts
    )
    present = set(spine.columns)  # asked once: a frame writes all of its names anew each time
    spine = spine.with_columns(gap for step in steps.values() for gap in _gaps(step, present, prepared, folded.partial))
    dimensions = [prepared.answers.segments[name].gather(spine["sid"]) for name in plan.by]
    spine = spine.with_columns(dimensions)
    shown: dict[tuple[str | None, int, int], list[_Shown]] = {}
    for (k, output), window in zip(group.outputs, windows, strict=True):
        assert output.step is not None
        step = steps[output.step]
        held = tuple(Held(name.name, steps[name.step], parts[name.step]) for name in output.compared)
        one = _Shown(k, step, parts[output.step], window, held)
        shown.setdefault((window.first, window.low, window.high), []).append(one)
    tall = pl.concat([_stack(plan, kpis, spine) for kpis in shown.values()])
    return tall, folded.left_out


@dataclass(frozen=True, slots=True)
class _Shown:
    """One KPI to be shown: its number among the outputs, its parts, its window, and what it is held against."""

    k: int
    step: Step
    parts: Parts
    window: Window
    held: tuple[Held, ...] = ()


def _stack(plan: Plan, kpis: list[_Shown], spine: pl.DataFrame) -> pl.DataFrame:
    """Return the tall table of KPIs with the same window, from one selection of all their columns."""
    known = set(spine.columns)
    made = {f"{one.k}.{name}": e for one in kpis for name, e in _own(one, known).items()}
    wide = spine.lazy().filter(kpis[0].window.holds()).select("i", "start", "end", "stale", *plan.by, **made)
    columns = {column.name: column for column in wide.collect(engine="in-memory").get_columns()}
    period = columns.pop("i")
    if kpis[0].window.shown is not None:
        columns["shown"] = period == kpis[0].window.shown
    constant = dict.fromkeys(("immature", "unknown", "uncovered", "like_for_like", "clamped"), False) | {
        "why": OK,
        "shown": True,
    }
    tall = []
    for name, kind in {**TALL, **tall_columns(plan.compare)}.items():
        values = [one.k for one in kpis] if name == "k" else [constant.get(name)]
        blanks = [pl.Series([value], dtype=kind).new_from_index(0, len(period)) for value in values]
        own = [columns.get(f"{one.k}.{name}", columns.get(name)) for one in kpis]
        parts = blanks if name == "k" else [blanks[0] if column is None else column for column in own]
        tall.append(pl.concat([part if part.dtype == kind else part.cast(kind) for part in parts]).alias(name))
    return pl.DataFrame([*tall, *(pl.concat([columns[name]] * len(kpis)) for name in plan.by)])


def _own(one: _Shown, known: AbstractSet[str]) -> dict[str, pl.Expr]:
    """Return the columns of the tall table that one KPI has for itself."""
    parts, step = one.parts, one.step
    made = {"value": parts.value.cast(pl.Float64), "why": parts.why, "money": parts.money, "n": parts.n}
    gaps = [pl.col(name) for name in (f"partial.{step.id}", f"unknown.{step.id}") if name in known]
    made["incomplete"] = pl.any_horizontal(~pl.col(f"complete.{step.id}"), *gaps)
    if f"unknown.{step.id}" in known:
        made["unknown"] = pl.col(f"unknown.{step.id}")
    if f"lacks.{step.id}" in known:
        made["uncovered"] = pl.col(f"lacks.{step.id}")
    if f"immature.{step.id}" in known:
        made["immature"] = pl.col(f"immature.{step.id}")
    if any(path for _, path in step.reads):
        made |= {mark: pl.col(f"{mark}.{step.id}") for mark in ("like_for_like", "clamped")}
    for held in one.held:
        made |= hold(held, known)
    return {name: e for name, e in made.items() if e is not None}


def _gaps(step: Step, known: AbstractSet[str], prepared: _Prepared, partial: Mapping[Fold, str]) -> Iterator[pl.Expr]:
    """Yield, if that may be, whether some row's count is null in what a step reads, whether data lacks there, and
    whether a period that it takes a value of is known in part only."""
    reached, uncovered = prepared.reached, prepared.uncovered

    def there(column: str, path: Path) -> pl.Expr:
        found = pl.col(column)
        for shift in reversed(path):
            found = found.gather(pl.col(reached.shifts[shift]))
        return found

    counts = [there(f"{id}_null", path) for id, path in step.reads if f"{id}_null" in known]
    if counts:
        yield pl.any_horizontal(count.fill_null(0) > 0 for count in counts).alias(f"unknown.{step.id}")
    lacks = [there(uncovered[id], path) for id, path in step.reads if id in uncovered]
    if lacks:
        yield pl.any_horizontal(lack.fill_null(value=True) for lack in lacks).alias(f"lacks.{step.id}")
    folds = folds_at(prepared.known, step) if step.inner else ()
    parts = [there(partial[one], path) for one, path in folds if one in partial]
    if parts:
        yield pl.any_horizontal(part.fill_null(value=False) for part in parts).alias(f"partial.{step.id}")
