"""The stages in their order: select, open, check, resolve, lower, optimize, verify, collect, derive, assess."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import polars as pl

import smartkpi
from smartkpi.api.beside import benchmarks_of, diagnosed, follow, kpi_of, part, with_beside
from smartkpi.api.drill import check_parents, drill_down
from smartkpi.api.failures import DataError, DefinitionError, UsageError, failing_as
from smartkpi.api.question import Ask, check_order, understand
from smartkpi.api.spoilt import accused
from smartkpi.assess.diagnoses import diagnose
from smartkpi.assess.held import Asked, hold
from smartkpi.assess.standing import Standing
from smartkpi.assess.thresholds import assess
from smartkpi.derive.derive import MAX_CELLS, Derived, derive
from smartkpi.derive.levels import add_level, choose_best, derive_totals, keep_best
from smartkpi.diagnostics import Diagnostic, KpiError, Severity, errors
from smartkpi.engines.answer import Answer
from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.engines.polars.meter import Progress
from smartkpi.periods.windows import Length
from smartkpi.plan.lower import lower, lower_rest
from smartkpi.plan.nodes import Plan
from smartkpi.plan.reads import datasets_read
from smartkpi.plan.rules import optimize
from smartkpi.plan.verify import verify
from smartkpi.report import html, table
from smartkpi.report.style import Style
from smartkpi.result import KpiInfo, Provenance, Result, arrange, in_order, noted
from smartkpi.semantics.check import Checked, check
from smartkpi.semantics.comparisons import ON_SCORECARD
from smartkpi.semantics.formula import Across, TypedKpi
from smartkpi.semantics.question import Question, fits, fixed_values, is_fixed, resolve, rest_of, select_kpis
from smartkpi.semantics.reached import datasets_behind
from smartkpi.sources.inspect import DatasetFacts, inspect, mixed
from smartkpi.sources.tables import Table, accuse, open_tables
from smartkpi.spec.load import Loaded
from smartkpi.spec.model import Dimension

WIDTH = 100
EARLIER = {"previous": "the period before", "year": "a year ago"}


@dataclass(frozen=True, slots=True)
class Levels:
    """Which rows stand beside those of segments: a total, and one for all but so many of the best."""

    total: bool = False
    top: int | None = None


SEGMENTS_ONLY = Levels()


@dataclass(frozen=True, slots=True)
class Selection:
    """The KPIs asked for: those to run, and those that an error leaves out, with the reason."""

    kpis: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Collected:
    """An engine's answer to as much of a question as the data allows, with its plan and what was left out."""

    plan: Plan
    question: Question
    answer: Answer
    left_out: Mapping[str, str]
    problems: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A project with its data at hand: what is valid, the tables, and every problem on the way."""

    checked: Checked
    tables: Mapping[str, Table]
    definitions: tuple[Diagnostic, ...]
    data: tuple[Diagnostic, ...]


Judge = Callable[[Opened, Question], Mapping[str, Standing]]
"""What says how the goals of a question's KPIs stand."""


def answer(
    loaded: Loaded,
    handed: Mapping[str, object],
    ask: Ask,
    lang: str = "en",
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> Result:
    """Answer a question about a project. KPIs with an error are left out; KpiError where none is left."""
    with failing_as(UsageError):
        ask = drill_down(loaded.catalog.dimensions, ask)
    check_order(ask)
    checked = check(loaded.catalog)
    selection = select(checked, ask.kpis)
    if not selection.kpis:
        raise DefinitionError(*(errors((*loaded.diagnostics, *checked.diagnostics)) or (_no_kpis(),)))
    with failing_as(UsageError):
        question = understand(loaded.catalog, selection.kpis, ask)
    providers = _datasets(checked, selection.kpis)
    needed = providers | _aimed(checked, selection.kpis)
    opened = open_data(loaded, handed, datasets_behind(checked, needed))
    left_out = dict(selection.left_out)
    left_out |= {name: "definition" for name in selection.kpis if name not in opened.checked.kpis}
    closed = providers - set(opened.tables)
    left_out |= {name: "data" for name in selection.kpis if checked.kpis[name].datasets & closed}
    question = replace(question, kpis=tuple(name for name in selection.kpis if name not in left_out))
    if not question.kpis:
        if errors(opened.data):
            raise DataError(*errors(opened.data))
        raise DefinitionError(*errors(opened.definitions), *_texts(opened, left_out))
    levels, optimized = Levels(ask.total and bool(question.by), ask.top), ask.optimize
    try:
        result = evaluate(
            opened.checked,
            opened.tables,
            question,
            levels=levels,
            optimized=optimized,
            progress=progress,
            limit=ask.max_cells or MAX_CELLS,
        )
    except DataError as error:
        raise DataError(*_causes(error.diagnostics, opened.data)) from error
    left_out |= result.left_out
    shown = opened.definitions
    if "definition" not in left_out.values():
        shown = tuple(one for one in shown if one.severity is not Severity.ERROR or _is_of_none(one, ask.kpis))
    shown += _texts(opened, left_out)
    mine = (one for one in shown if _concerns(one, {*question.kpis, *left_out}))
    data = (one for one in opened.data if one.subject.removeprefix("dataset:") in {"", *providers})
    diagnostics = tuple(dict.fromkeys((*mine, *data, *_causes(result.diagnostics, opened.data))))
    result = replace(result, left_out=left_out, diagnostics=diagnostics, display=partial(_display, lang))
    if judge is not None and result.scorecard and not question.by and question.where is None:
        result = replace(result, goals=judge(opened, question))
    if ask.complete_only:
        result = replace(result, frame=result.frame.filter(~pl.col("flags").list.contains("incomplete")))
    return arrange(result, ask.order_by, ask.limit)


def _aimed(checked: Checked, kpis: Collection[str]) -> set[str]:
    """Return the datasets that goals of some KPIs read."""
    goals = (goal for goal in checked.goals.values() if goal.kpi.name in kpis)
    return {dataset for goal in goals for kpi in goal.questions.values() for dataset in kpi.datasets}


def _texts(opened: Opened, left_out: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Return notes on columns that are text for a few values, where a type left a KPI out: they may be why."""
    codes = {one.code for one in opened.definitions if one.subject.removeprefix("kpi:") in left_out}
    if not codes & {"type-mismatch", "not-a-number", "bad-band"}:
        return ()
    return tuple(note for one in opened.tables.values() for note in mixed(one))


def _causes(found: Iterable[Diagnostic], opening: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield problems, but where a table is not at hand the reason why it could not be opened."""
    reasons = {one.subject: one for one in errors(tuple(opening))}
    for one in found:
        yield reasons.get(one.subject, one) if one.code == "no-table" else one


def select(checked: Checked, patterns: tuple[str, ...]) -> Selection:
    """Return the KPIs that patterns name (none: all that are not hidden), valid ones and left out ones apart."""
    specs, lost = checked.catalog.kpis, checked.left_out
    with failing_as(UsageError):
        found = _select_valid(checked, patterns)
    chosen = [
        name
        for name in lost
        if any(fits(name, specs.get(name), pattern) for pattern in patterns if pattern in lost or pattern not in specs)
        or (not patterns and not (name in specs and specs[name].hidden))
    ]
    return Selection(found, dict.fromkeys(chosen, "definition"))


def _select_valid(checked: Checked, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the valid KPIs of patterns; a tag or another name that only left out KPIs have finds none."""
    specs = checked.catalog.kpis
    kept = tuple(
        pattern
        for pattern in patterns
        if any(fits(name, kpi.spec, pattern) for name, kpi in checked.kpis.items())
        or not any(fits(name, specs.get(name), pattern) for name in checked.left_out)
    )
    return () if patterns and not kept else select_kpis(checked.kpis, kept, checked.left_out)


def open_data(loaded: Loaded, handed: Mapping[str, object], names: Iterable[str] | None = None) -> Opened:
    """Open datasets (None: all) and check the definitions against their columns."""
    catalog = loaded.catalog
    wanted = set(catalog.datasets if names is None else names)
    part = replace(catalog, datasets={name: one for name, one in catalog.datasets.items() if name in wanted})
    unknown = [name for name in handed if name not in catalog.datasets and f"dataset:{name}" not in catalog.broken]
    if unknown:
        known = ", ".join(catalog.datasets) or "none"
        message = f"no dataset is named `{unknown[0]}`, but a table was handed over for it"
        raise UsageError(Diagnostic("unknown-dataset", message, hint=f"datasets: {known}"))
    with failing_as(DataError):
        tables, problems = open_tables(part, {name: one for name, one in handed.items() if name in wanted})
    checked = check(catalog, {name: one.schema for name, one in tables.items()})
    definitions = accused((*loaded.diagnostics, *checked.diagnostics), catalog, tables)
    return Opened(checked, tables, tuple(dict.fromkeys(definitions)), tuple(problems))


def inspect_data(opened: Opened) -> tuple[tuple[DatasetFacts, ...], tuple[Diagnostic, ...]]:
    """Read every value of every table once; return the facts, and what was found wrong or out of the ordinary."""
    facts: list[DatasetFacts] = []
    found: list[Diagnostic] = []
    for one in opened.tables.values():
        try:
            looked = inspect(one)
        except KpiError as error:
            found += accuse(one, error).diagnostics
        else:
            facts.append(looked)
            found += looked.notes
    return tuple(facts), tuple(found)


def evaluate(
    checked: Checked,
    tables: Mapping[str, Table],
    question: Question,
    *,
    levels: Levels = SEGMENTS_ONLY,
    optimized: bool = True,
    progress: Progress | None = None,
    limit: int = MAX_CELLS,
) -> Result:
    """Answer a question over open tables; KPIs whose data turns out unusable are left out, KpiError where all are."""
    engine = PolarsEngine(tables, progress)
    checked, asked = with_beside(checked, question, tables)
    collected = collect(checked, engine, asked, question.kpis, optimized=optimized, totals=levels.total)
    plan, found, asked = collected.plan, collected.answer, collected.question
    question = replace(question, kpis=tuple(name for name in question.kpis if name in asked.kpis))
    with failing_as(UsageError):
        derived = derive(plan, found, limit)
        shown = derived.frame
        if levels.top is not None and question.by:
            derived, more = _cut(checked, asked, derived, levels.top, engine, limit, optimized=optimized)
            found = replace(found, scans=found.scans + more)
        if plan.totals:
            derived = add_level(derived, derive_totals(plan, found, limit), "total", asked.kpis, shown)
    result = _finish(checked, plan, question, asked, found, derived)
    return replace(result, left_out=collected.left_out, diagnostics=(*collected.problems, *result.diagnostics))


def collect(
    checked: Checked,
    engine: PolarsEngine,
    question: Question,
    wanted: Collection[str],
    *,
    optimized: bool = True,
    totals: bool = False,
) -> Collected:
    """Return the engine's answer to a question; KPIs whose data is unusable are left out.

    Raises DataError where none of those ``wanted`` is left.
    """
    left_out: dict[str, str] = {}
    problems: list[Diagnostic] = []
    while True:
        plan = compile_plan(checked, question, optimized=optimized, totals=totals)
        try:
            return Collected(plan, question, engine.collect(plan), left_out, tuple(problems))
        except KpiError as error:
            problems += error.diagnostics
            bad = {one.subject.removeprefix("dataset:") for one in error.diagnostics}
            reads = datasets_read(compile_plan(checked, question, optimized=False, totals=totals))  # each KPI's own
            lost = {name for name in question.kpis if reads[name] & bad}
            left_out |= {name: "data" for name in question.kpis if name in lost and name in wanted}
            kept = tuple(name for name in question.kpis if name not in lost and kpi_of(name) not in lost)
            question = replace(question, kpis=kept)
            if not lost or not any(name in wanted for name in kept):
                raise DataError(*dict.fromkeys(problems)) from error


def _cut(
    checked: Checked,
    question: Question,
    derived: Derived,
    top: int,
    engine: PolarsEngine,
    limit: int,
    *,
    optimized: bool,
) -> tuple[Derived, int]:
    """Return the values of the best segments of each KPI, the others as one row; and how many scans that took.

    The engine answers anew over the rows of the others together: distincts and means of them cannot be added up.
    """
    best = choose_best(derived, question.by, top, {name: _best_end(checked.kpis[name]) for name in question.kpis})
    best = follow(best, derived.frame)
    kept = keep_best(derived, question.by, best)
    if not best.cut:
        return kept, 0
    resolved = resolve(checked, question)
    cuts = {name: rest_of(checked, question.by, name, best.shown[name]) for name in best.cut}
    plan = lower_rest(checked, resolved, cuts)
    verify(plan)
    if optimized:
        plan = optimize(plan)
        verify(plan)
    found = engine.collect(plan)
    return add_level(kept, derive(plan, found, limit), "other", question.kpis, derived.frame), found.scans


def _best_end(kpi: TypedKpi) -> str:
    """Return the direction of a KPI's values; of places the first is the best, whatever they are places of."""
    place = isinstance(kpi.formula, Across) and kpi.formula.function == "rank"
    return "lower" if place else kpi.direction


def compile_plan(checked: Checked, question: Question, *, optimized: bool = True, totals: bool = False) -> Plan:
    """Return the plan of a question, whole before and after the optimizer. KpiError where the question is wrong."""
    with failing_as(UsageError):
        resolved = resolve(checked, question)
    plan = lower(checked, resolved, totals)
    verify(plan)
    if optimized:
        plan = optimize(plan)
        verify(plan)
    return plan


def _finish(
    checked: Checked, plan: Plan, question: Question, answered: Question, found: Answer, derived: Derived
) -> Result:
    """Return the result of a question; ``answered`` is about more KPIs, those that the asked ones are judged by."""
    kpis = {name: checked.kpis[name] for name in question.kpis}
    judged = {name: checked.kpis[name] for name in answered.kpis if kpi_of(name) == name}
    described = checked.catalog.dimensions
    dimensions = {name: described[last] for name in question.by if (last := name.split(".")[-1]) in described}
    fixed = {name: _spelt(described, name, value) for name, value in fixed_values(question).items()}
    asked = Asked(question.by, fixed, is_fixed(question))
    whole, beside = part(derived, judged)
    held = hold(whole.frame, beside, judged, asked)
    known = assess(held, judged, asked)
    diagnoses = {name: one for name, one in diagnosed(checked, question.kpis).items() if judged.keys() >= {*one.kpis}}
    findings = diagnose(known, diagnoses, question.by, plan.scorecard)
    mine = pl.col("kpi").is_in(question.kpis)
    frame = in_order(known.filter(mine).select(derived.frame.columns), question.by, dimensions)
    lasts = dict(frame.group_by("kpi").agg(pl.col("start").max().dt.date()).iter_rows())
    torn = check_parents(described, question.by, frame)
    return Result(
        frame=frame,
        trend=whole.trend.filter(mine),
        kpis={name: info_of(kpi, lasts.get(name)) for name, kpi in kpis.items()},
        by=question.by,
        scorecard=plan.scorecard,
        provenance=Provenance(
            as_of={name: moment for name, moment in derived.as_of.items() if name in kpis},
            datasets=derived.datasets,
            scans=found.scans,
            timezone=plan.calendar.timezone,
            version=smartkpi.__version__,
        ),
        diagnostics=(*found.notes, *derived.diagnostics, *torn, *_uncompared(plan, question.kpis)),
        dimensions=dimensions,
        calendar=plan.calendar,
        notes=noted(frame, checked.catalog.notes),
        benchmarks=benchmarks_of(held.filter(mine), question.by),
        findings=findings,
        compare=plan.compare,
    )


def _uncompared(plan: Plan, kpis: Collection[str]) -> Iterator[Diagnostic]:
    """Yield a note on each KPI that a comparison which was asked for does not go with."""
    for output in plan.outputs if not plan.scorecard or plan.compare != ON_SCORECARD else ():
        for name, reason in output.uncompared if output.kpi in kpis else ():
            message = f"`{output.kpi}` is not compared with {EARLIER[name]}: {reason}"
            yield Diagnostic("no-comparison", message, severity=Severity.NOTE, subject=f"kpi:{output.kpi}")


def _spelt(described: Mapping[str, Dimension], name: str, value: str) -> str:
    known = described.get(name.rpartition(".")[2])
    return value if known is None else known.spellings.get(value, value)


def info_of(kpi: TypedKpi, day: date | None = None) -> KpiInfo:
    """Return what a surface needs to show a KPI: what is advised, and where its benchmark is from, as on a day."""
    spec, rules = kpi.spec, kpi.spec.rules_on(day or date.max)
    held = rules.benchmark
    return KpiInfo(
        name=kpi.name,
        label=spec.label,
        description=spec.description,
        format=spec.format,
        unit=kpi.type.unit.name,
        currency=kpi.type.unit.currency,
        direction=kpi.direction,
        owner=spec.owner,
        tags=spec.tags,
        window=None if spec.window is None else Length(spec.window.count, spec.window.unit),
        benchmark=None if held is None else (held.source, held.date or ""),
        advice=rules.advice,
    )


def _display(lang: str, result: Result, form: str) -> str:
    if form == "html":
        return html.render(result, Style(lang=lang))
    return table.render(result, Style(width=WIDTH, lang=lang))


def _datasets(checked: Checked, kpis: Collection[str]) -> set[str]:
    names = dict.fromkeys((*kpis, *(other for one in diagnosed(checked, tuple(kpis)).values() for other in one.kpis)))
    return {dataset for name in names for dataset in checked.kpis[name].reads}


def _concerns(one: Diagnostic, asked: set[str]) -> bool:
    """Return whether a diagnostic is to be shown with these KPIs: an error always, a note on another KPI not."""
    kind, _, name = one.subject.partition(":")
    return one.severity is Severity.ERROR or kind != "kpi" or name in asked


def _is_of_none(one: Diagnostic, asked: Sequence[str]) -> bool:
    """Return whether an error belongs to no definition: nobody knows what it leaves out.

    Where all KPIs are asked for, an error of what no KPI uses is one of these too.
    """
    return not one.subject or (not asked and not one.subject.startswith("kpi:"))


def _no_kpis() -> Diagnostic:
    return Diagnostic("no-kpis", "the project defines no KPI to run", hint="add one below `kpis:`")
