"""Derive: the engine's small tables become values with states, one row a KPI, period and segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from smartkpi.derive.compared import Held, hold, tall_columns
from smartkpi.derive.coverage import TICK, describe
from smartkpi.derive.folds import MARKS, Folded, folds_at
from smartkpi.derive.formula import OK, Parts, ranked
from smartkpi.derive.prepared import Group, Settled, read, settle
from smartkpi.derive.series import evaluate_on
from smartkpi.derive.spine import build_spine, dimension_types, first_rows, reach_back
from smartkpi.derive.tidy import TALL, tidy
from smartkpi.derive.window import Window, beyond_periods, count_cells, lay_out_periods, too_many_cells, windows_of
from smartkpi.diagnostics import Diagnostic
from smartkpi.engines.answer import Answer, edge_of
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path
from smartkpi.plan.nodes import Output, Plan, Step

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
        notes += beyond_periods(plan, group.grain, group.edge, prepared.settled.read.begin)
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
    """A group before its formulas: what is read for it, and each KPI's window.

    ``firsts`` are the segments; ``presences`` names the column of them with the first period of a row in any of some
    components.
    """

    settled: Settled
    firsts: pl.DataFrame
    windows: tuple[Window, ...]
    presences: Mapping[tuple[str, ...], str]


def _prepare(plan: Plan, answer: Answer, group: Group, dimensions: Mapping[str, pl.DataType], limit: int) -> _Prepared:
    known = {step.id: step for step in plan.steps}
    steps = {id: known[id] for _, output in group.outputs for id in output.steps}
    found = read(plan, answer, group, steps, plan.by, dimensions)
    firsts = first_rows(found.answers, (id for step in steps.values() for id in step.presence))
    begins = [one.begin for one in found.covers.values() if one is not None and not one.timeless]
    present = [steps[output.step].presence for _, output in group.outputs if output.step is not None]
    periods = lay_out_periods(plan, group.grain, group.edge, firsts, present, begins, limit)
    settled = settle(plan, answer, group, found, periods, limit)
    presences = {
        presence: f"first.{i}"
        for i, presence in enumerate(
            dict.fromkeys((*(step.presence for step in steps.values()), *ranked(known, steps.values())))
        )
    }
    firsts, windows = windows_of(
        plan, group.outputs, steps, periods, firsts, settled.reached, settled.missing, presences
    )
    return _Prepared(settled, firsts, windows, presences)


def _values(
    plan: Plan, answer: Answer, group: Group, prepared: _Prepared, limit: int
) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """Return the tall table of a group: a row a KPI, period and segment; and rows left out for a null entity."""
    settled, windows = prepared.settled, prepared.windows
    steps, reached = settled.read.steps, settled.reached
    distinct = {(window.first, window.low, window.high): window for window in windows}
    low = pl.min_horizontal([window.lowest() for window in distinct.values()])
    paths = dict.fromkeys(path for step in steps.values() for _, path in step.reads if path)
    spine = build_spine(prepared.firsts, low, max(window.high for window in windows))
    spine = reach_back(spine, reached.frame, ([reached.shifts[shift] for shift in path] for path in paths))
    firsts = prepared.firsts.select("sid", *(name for name in prepared.firsts.columns if name.startswith("first.")))
    spine = spine.join(firsts, on="sid", how="left", maintain_order="left")
    spine, parts, folded = evaluate_on(plan, answer, group, settled, spine, prepared.presences, limit)
    present = set(spine.columns)  # asked once: a frame writes all of its names anew each time
    spine = spine.with_columns(gap for step in steps.values() for gap in _gaps(step, present, settled, folded))
    dimensions = [settled.read.answers.segments[name].gather(spine["sid"]) for name in plan.by]
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
    gaps = [pl.col(name) for name in (f"of.partial.{step.id}", f"unknown.{step.id}") if name in known]
    made["incomplete"] = pl.any_horizontal(~pl.col(f"complete.{step.id}"), *gaps)
    if f"unknown.{step.id}" in known:
        made["unknown"] = pl.col(f"unknown.{step.id}")
    if f"lacks.{step.id}" in known:
        made["uncovered"] = pl.col(f"lacks.{step.id}")
    own = {"immature": f"immature.{step.id}" in known} | dict.fromkeys(
        ("like_for_like", "clamped"), any(path for _, path in step.reads)
    )
    for mark, has in own.items():
        columns = [f"{mark}.{step.id}"] if has else []
        columns += [f"of.{mark}.{step.id}"] if f"of.{mark}.{step.id}" in known else []
        if columns:
            made[mark] = pl.any_horizontal(columns)
    for held in one.held:
        made |= hold(held, known)
    return {name: e for name, e in made.items() if e is not None}


def _gaps(step: Step, known: AbstractSet[str], settled: Settled, folded: Folded) -> Iterator[pl.Expr]:
    """Yield, if that may be, whether some row's count is null in what a step reads, whether data lacks there, and what
    holds of the periods that it takes values of: that one is known in part only, that it is not mature."""
    reached, uncovered = settled.reached, settled.uncovered

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
    folds = list(folds_at(settled.read.known, step)) if step.inner or step.series else []
    for mark in MARKS:
        parts = [there(folded.marks[one, mark], path) for one, path in folds if (one, mark) in folded.marks]
        if parts:
            yield pl.any_horizontal(part.fill_null(value=False) for part in parts).alias(f"of.{mark}.{step.id}")
