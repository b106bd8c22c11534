"""Derive: the engine's small tables become values with states, one row a KPI, period and segment."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from smartkpi.derive.coverage import FULL, NONE, TICK, Cover, cover, cover_timeless, describe, edge_of, judge
from smartkpi.derive.folds import fold, folds_of
from smartkpi.derive.formula import OK, Parts, evaluate, ranked
from smartkpi.derive.pieces import Pieces, as_asked, divide
from smartkpi.derive.spine import (
    Answers,
    Periods,
    attach,
    build_spine,
    dimension_types,
    first_rows,
    gather,
    null_counts,
    place,
)
from smartkpi.derive.tidy import TALL, tidy
from smartkpi.derive.window import Window, count_cells, lay_out_periods, too_many_cells, windows_of
from smartkpi.diagnostics import Diagnostic
from smartkpi.engines.answer import Answer
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Output, Plan, Step

MAX_CELLS = 5_000_000


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
    """KPIs of one grain, one as-of, one set of datasets: they share periods and coverage."""

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
    for group in _groups(plan, edges):
        prepared = _prepare(plan, answer, group, dimensions, limit)
        cells += count_cells(prepared.firsts, prepared.windows)
        if cells > limit:
            raise too_many_cells(limit, cells)
        values, nameless = _values(plan, answer, group, prepared, limit)
        parts.append(values)
        for name, rows in nameless.items():
            left_out[name] = max(left_out.get(name, 0), rows)
    tall = pl.concat(parts) if parts else None
    frame, trend = tidy(plan, tall, dimensions)
    zone = plan.calendar.zone
    return Derived(
        frame=frame,
        trend=trend,
        as_of={kpi: None if edge is None else (edge - TICK).astimezone(zone) for kpi, edge in edges.items()},
        datasets=describe(plan, answer.coverage, edges, left_out),
    )


def _groups(plan: Plan, edges: Mapping[str, datetime | None]) -> list[Group]:
    found: dict[tuple[Grain, datetime | None, tuple[str, ...]], list[tuple[int, Output]]] = {}
    for k, output in enumerate(plan.outputs):
        if output.step is not None:
            found.setdefault((output.grain, edges[output.kpi], output.datasets), []).append((k, output))
    return [Group(*key, tuple(outputs)) for key, outputs in found.items()]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A group before its formulas: answers, periods, coverage (columns of ``periods.frame``) and each KPI's window.

    ``presences`` names the column of ``firsts`` with the first period of a row in any of some components.

    ``uncovered`` names the column that says where a component has no coverage at all, for those that lack some;
    ``pieces`` are the periods, and their parts, over which folds run.
    """

    steps: Mapping[str, Step]
    answers: Answers
    frames: tuple[pl.DataFrame, ...]
    firsts: pl.DataFrame
    periods: Periods
    windows: tuple[Window, ...]
    uncovered: Mapping[str, str]
    presences: Mapping[tuple[str, ...], str]
    pieces: Mapping[Grain | None, Pieces]


def _prepare(plan: Plan, answer: Answer, group: Group, dimensions: Mapping[str, pl.DataType], limit: int) -> _Prepared:
    by_id = {step.id: step for step in plan.steps}
    steps = {output.step: by_id[output.step] for _, output in group.outputs if output.step is not None}
    wanted = dict.fromkeys(id for step in steps.values() for id in (*step.components, *step.presence))
    frames = answer.frames.get(group.grain, ())
    answers = gather(frames, group.grain, plan.by, plan.components, wanted, dimensions)
    firsts = first_rows(answers, (id for step in steps.values() for id in step.presence))
    covers = {name: _cover(plan, answer, name, group.edge) for name in group.datasets}
    known = [found.begin for found in covers.values() if found is not None and not found.timeless]
    present = [steps[output.step].presence for _, output in group.outputs if output.step is not None]
    periods = lay_out_periods(plan, group.grain, group.edge, firsts, present, known, limit)
    inner = dict.fromkeys(id for step in steps.values() for id in step.inside)
    periods, uncovered = _judge(plan, group, periods, covers, wanted | inner)
    pieces: dict[Grain | None, Pieces] = {None: as_asked(periods, uncovered)}
    for grain in {grain for step in steps.values() for _, grain in step.inner if grain is not None}:
        parts, silent = _judge(plan, group, divide(plan.calendar, periods, grain, limit), covers, inner)
        pieces[grain] = Pieces(grain, parts.frame, silent)
    placed = place(answers, periods)
    nulls = null_counts(placed, wanted)
    presences = {
        presence: f"first.{i}"
        for i, presence in enumerate(
            dict.fromkeys((*(step.presence for step in steps.values()), *ranked(plan, steps.values())))
        )
    }
    firsts, windows = windows_of(plan, group.outputs, steps, periods, firsts, nulls, presences)
    return _Prepared(steps, answers, tuple(placed), firsts, periods, windows, uncovered, presences, pieces)


def _cover(plan: Plan, answer: Answer, name: str, edge: datetime | None) -> Cover | None:
    dataset, found = plan.datasets[name], answer.coverage.get(name)
    if dataset.timeless:
        return cover_timeless(dataset, found)
    return None if edge is None else cover(plan.calendar, dataset, found, edge)


def _judge(
    plan: Plan, group: Group, periods: Periods, covers: Mapping[str, Cover | None], wanted: Mapping[str, None]
) -> tuple[Periods, dict[str, str]]:
    """Add to each period whether it is complete, reaches into a silence, and which events it does not cover."""
    frame = periods.frame
    judged = {name: judge(frame, found) for name, found in covers.items()}
    timeless = all(found is not None and found.timeless for found in covers.values())
    over = pl.lit(value=timeless) if group.edge is None else (pl.col("end") <= group.edge).fill_null(value=False)
    silent = [pl.col("end") > found.end for found in covers.values() if found is not None and found.stale]
    frame = frame.with_columns(
        pl.all_horizontal(over, *(pl.lit(column == FULL) for column in judged.values())).alias("complete"),
        pl.any_horizontal(pl.lit(value=False), *silent).alias("stale"),
    )
    uncovered: dict[str, str] = {}
    columns: dict[str, bool] = {}
    for id in wanted:
        event = plan.components[id].event
        name = f"uncovered.{event}"
        if name not in columns:
            providers = [judged[d] for d, dataset in plan.datasets.items() if event in dataset.events and d in judged]
            missing = pl.all_horizontal(pl.lit(value=True), *(pl.lit(column == NONE) for column in providers))
            frame = frame.with_columns(missing.alias(name))
            columns[name] = bool(frame[name].any())
        if columns[name]:
            uncovered[id] = name
    return replace(periods, frame=frame), uncovered


def _values(
    plan: Plan, answer: Answer, group: Group, prepared: _Prepared, limit: int
) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """Return the tall table of a group: a row a KPI, period and segment; and rows left out for a null entity."""
    steps, windows = prepared.steps, prepared.windows
    distinct = {(window.first, window.low, window.high): window for window in windows}
    low = pl.min_horizontal([window.lowest() for window in distinct.values()])
    spine = build_spine(prepared.firsts, low, max(window.high for window in windows))
    ids = dict.fromkeys(id for step in steps.values() for id in step.components)
    groups = [name for name in prepared.answers.segments.columns if name.startswith("of.") and name not in plan.by]
    if groups:
        numbers = prepared.answers.segments.select("sid", *groups)
        spine = spine.join(numbers, on="sid", how="left", maintain_order="left")
    spine = attach(spine, prepared.frames, ids, plan.components)
    spine = spine.join(prepared.periods.frame.drop("last"), on="i", how="left", maintain_order="left")
    firsts = prepared.firsts.select("sid", *(name for name in prepared.firsts.columns if name.startswith("first.")))
    spine = spine.join(firsts, on="sid", how="left", maintain_order="left")
    folds = folds_of(plan, steps.values())
    folded = fold(plan, answer, prepared.pieces, prepared.answers.segments, spine, folds, limit)
    spine, parts = evaluate(folded.spine, plan, steps.values(), prepared.uncovered, prepared.presences, folded.parts)
    dimensions = [prepared.answers.segments[name].gather(spine["sid"]) for name in plan.by]
    spine = spine.with_columns(dimensions)
    shown: dict[tuple[str | None, int, int], list[_Shown]] = {}
    for (k, output), window in zip(group.outputs, windows, strict=True):
        assert output.step is not None
        step = steps[output.step]
        partial = tuple(folded.partial[one] for one in folds_of(plan, [step]) if one in folded.partial)
        one = _Shown(k, step, parts[output.step], window, partial)
        shown.setdefault((window.first, window.low, window.high), []).append(one)
    tall = pl.concat([_stack(plan, kpis, spine, prepared.uncovered) for kpis in shown.values()])
    return tall, folded.left_out


@dataclass(frozen=True, slots=True)
class _Shown:
    """One KPI to be shown: its number among the outputs, its parts, its window.

    ``partial`` names columns that say where something it runs over is known in part only.
    """

    k: int
    step: Step
    parts: Parts
    window: Window
    partial: tuple[str, ...]


def _stack(plan: Plan, kpis: list[_Shown], spine: pl.DataFrame, uncovered: Mapping[str, str]) -> pl.DataFrame:
    """Return the tall table of KPIs with the same window, from one selection of all their columns."""
    known = set(spine.columns)
    made = {f"{one.k}.{name}": e for one in kpis for name, e in _own(one, uncovered, known).items()}
    complete = (~pl.col("complete")).alias("incomplete")
    wide = spine.lazy().filter(kpis[0].window.holds()).select("i", "start", "end", "stale", complete, *plan.by, **made)
    columns = {column.name: column for column in wide.collect(engine="in-memory").get_columns()}
    period = columns.pop("i")
    if kpis[0].window.shown is not None:
        columns["shown"] = period == kpis[0].window.shown
    constant = {"why": OK, "shown": True, "unknown": False, "uncovered": False}
    tall = []
    for name, kind in TALL.items():
        values = [one.k for one in kpis] if name == "k" else [constant.get(name)]
        blanks = [pl.Series([value], dtype=kind).new_from_index(0, len(period)) for value in values]
        own = [columns.get(f"{one.k}.{name}", columns.get(name)) for one in kpis]
        parts = blanks if name == "k" else [blanks[0] if column is None else column for column in own]
        tall.append(pl.concat([part.alias(name).cast(kind) for part in parts]))
    return pl.DataFrame([*tall, *(pl.concat([columns[name]] * len(kpis)) for name in plan.by)])


def _own(one: _Shown, uncovered: Mapping[str, str], known: AbstractSet[str]) -> dict[str, pl.Expr]:
    """Return the columns of the tall table that one KPI has for itself."""
    parts, ids = one.parts, (*one.step.components, *one.step.inside)
    made = {"value": parts.value.cast(pl.Float64), "why": parts.why, "money": parts.money, "n": parts.n}
    if counts := [pl.col(f"{id}_null").fill_null(0) > 0 for id in ids if f"{id}_null" in known]:
        made["unknown"] = pl.any_horizontal(counts)
    if counts or one.partial:
        made["incomplete"] = ~pl.col("complete") | pl.any_horizontal(*counts, *one.partial)
    if missing := {uncovered[id] for id in ids if id in uncovered}:
        made["uncovered"] = pl.any_horizontal(sorted(missing))
    return {name: e for name, e in made.items() if e is not None}
