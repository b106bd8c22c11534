"""Questions about a funnel or a cohort: its KPIs are asked, all in the same periods, and shown as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from smartkpi.api import pipeline
from smartkpi.api.failures import DefinitionError, UsageError
from smartkpi.api.pipeline import Judge
from smartkpi.api.question import Ask
from smartkpi.diagnostics import Diagnostic
from smartkpi.engines.polars.meter import Progress
from smartkpi.language import syntax
from smartkpi.language.format import format_expr
from smartkpi.result import CohortInfo, FunnelInfo, Result, StepInfo
from smartkpi.semantics.check import check
from smartkpi.spec.load import Loaded
from smartkpi.spec.model import Catalog, Cohort, Funnel, FunnelStep, Labels
from smartkpi.spec.parts import COUNT, RETENTION, RETURNED, SIZE, ages_of, measures_of, part_name

STEP, AGE = ("step", "measure"), ("age", "measure")
"""What tells the rows of a funnel, or of a cohort, apart beside the name of the KPI."""

RECENT = {"day": 28}
RECENT_ELSE = 12
"""How many cohorts are shown unless periods are asked for."""


def answer(
    loaded: Loaded,
    handed: Mapping[str, object],
    ask: Ask,
    lang: str = "en",
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> Result:
    """Answer a question about KPIs, or about a funnel or a cohort; that one is asked for alone."""
    whole = find_whole(loaded, ask.kpis)
    if whole is None:
        return pipeline.answer(loaded, handed, ask, lang, progress, judge)
    result = pipeline.answer(loaded, handed, as_asked(whole, loaded, ask), lang, progress)
    scorecard = (ask.grain, ask.since, ask.until) == (None, None, None)
    if isinstance(whole, Funnel):
        frame = _last_whole(result.frame) if scorecard else result.frame
        info = _info(whole, loaded.catalog)
        steps = [(kpi, step.name, measure) for step in info.steps for measure, kpi in step.kpis.items()]
        return replace(result, frame=_told_apart(frame, steps, STEP), funnel=info)
    frame = _last(result.frame, RECENT.get(whole.grain, RECENT_ELSE)) if scorecard else result.frame
    cohort = _cohort_info(whole)
    ages = [(kpi, age, RETURNED) for age, kpi in cohort.returned.items()]
    ages += [(kpi, age, RETENTION) for age, kpi in cohort.retention.items()]
    return replace(result, frame=_told_apart(frame, [(cohort.size, None, SIZE), *ages], AGE), cohort=cohort)


def as_asked(whole: Funnel | Cohort, loaded: Loaded, ask: Ask) -> Ask:
    """Return the question about the KPIs of a funnel or cohort. Raises UsageError for what is asked of single KPIs."""
    _refuse(whole, ask)
    if isinstance(whole, Cohort):
        grain: str | None = whole.grain
    else:
        last = check(loaded.catalog).kpis.get(part_name(COUNT, whole.name, whole.steps[-1].name))
        grain = None if last is None else last.grain
    return replace(ask, kpis=parts_of(whole), grain=ask.grain or grain, compare=("none",))


def find_whole(loaded: Loaded, names: Sequence[str]) -> Funnel | Cohort | None:
    """Return the funnel or cohort that is asked for. Raises KpiError for one beside others, or with an error."""
    catalog = loaded.catalog
    known: dict[str, Funnel | Cohort] = {**catalog.funnels, **catalog.cohorts}
    broken = {
        key.partition(":")[2]: one for key, one in catalog.broken.items() if key.startswith(("funnel:", "cohort:"))
    }
    found = [name for name in names if name in known or name in broken]
    if not found:
        return None
    if len(names) > 1:
        kind = "cohort" if found[0] in catalog.cohorts else "funnel"
        message = f"`{found[0]}` is a {kind}, which is shown by itself"
        raise UsageError(Diagnostic("shown-alone", message, hint=f"ask for it alone: `kpi run {found[0]}`"))
    if found[0] not in known:
        raise DefinitionError(broken[found[0]])
    return known[found[0]]


def parts_of(whole: Funnel | Cohort) -> tuple[str, ...]:
    """Return the KPIs of a funnel, step by step, or of a cohort, by age."""
    if isinstance(whole, Cohort):
        found = [part_name(measure, whole.name, age) for age in ages_of(whole) for measure in (RETURNED, RETENTION)]
        return (part_name(SIZE, whole.name), *found)
    return tuple(
        part_name(measure, whole.name, step.name)
        for place, step in enumerate(whole.steps)
        for measure in measures_of(whole, place)
    )


def _refuse(whole: Funnel | Cohort, ask: Ask) -> None:
    """Refuse what rearranges the rows of single KPIs: those of a funnel or cohort belong together."""
    kind, columns = ("cohort", AGE) if isinstance(whole, Cohort) else ("funnel", STEP)
    options = (("compare", ask.compare), ("order_by", ask.order_by), ("limit", ask.limit), ("top", ask.top))
    for option, given in options:
        if given not in (None, ()):
            message = f"`{option}` is of single KPIs, `{whole.name}` is a {kind}"
            hint = "leave it out; `--grain month` shows its periods one below the other"
            raise UsageError(Diagnostic("shown-alone", message, hint=hint))
    for name in columns:
        if name in ask.by:
            message = f"`{name}` is a column of a {kind}'s rows already"
            raise UsageError(Diagnostic("reserved-dimension", message, hint="give the field another name"))


def _cohort_info(cohort: Cohort) -> CohortInfo:
    returned, retention = (
        {age: part_name(measure, cohort.name, age) for age in ages_of(cohort)} for measure in (RETURNED, RETENTION)
    )
    return CohortInfo(
        name=cohort.name,
        label=cohort.label,
        description=cohort.description,
        of=format_expr(cohort.of),
        grain=cohort.grain,
        amounts=cohort.value is not None,
        size=part_name(SIZE, cohort.name),
        returned=returned,
        retention=retention,
    )


def _info(funnel: Funnel, catalog: Catalog) -> FunnelInfo:
    steps = tuple(
        StepInfo(
            step.name,
            _label(step, catalog),
            {measure: part_name(measure, funnel.name, step.name) for measure in measures_of(funnel, place)},
        )
        for place, step in enumerate(funnel.steps)
    )
    by = ", ".join(map(format_expr, funnel.by))
    within = "" if funnel.within is None else format_expr(funnel.within)
    return FunnelInfo(funnel.name, funnel.label, funnel.description, steps, by, within)


def _label(step: FunnelStep, catalog: Catalog) -> Labels:
    """Return the label of a step, or of the event that it is."""
    expr = step.event.expr
    if step.label.texts or not isinstance(expr, syntax.Name):
        return step.label
    known = catalog.contracts.get(expr.text) or catalog.derived.get(expr.text)
    return step.label if known is None else known.label


def _last_whole(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the last period that is complete and mature for all steps; else of the last period."""
    marked = pl.col("flags").list.contains("incomplete") | pl.col("flags").list.contains("immature")
    periods = frame.drop_nulls("start").group_by("start").agg(marked.any().alias("open"), pl.col("kpi").n_unique())
    whole = periods.filter(~pl.col("open") & (pl.col("kpi") == pl.col("kpi").max()))["start"]
    last = (periods["start"] if whole.is_empty() else whole).max()
    return frame.filter(pl.col("start").eq_missing(pl.lit(last, frame.schema["start"])) | pl.col("start").is_null())


def _last(frame: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return the rows of the last periods, so many of them."""
    shown = frame["start"].drop_nulls().unique().sort().tail(count)
    return frame.filter(pl.col("start").is_in(shown.implode()) | pl.col("start").is_null())


def _told_apart(frame: pl.DataFrame, known: Sequence[tuple[object, ...]], columns: tuple[str, str]) -> pl.DataFrame:
    """Return rows with the columns that tell those of a funnel or cohort apart, behind the name of the KPI."""
    names = pl.DataFrame(known, schema=["kpi", *columns], orient="row", infer_schema_length=None)
    joined = frame.join(names, on="kpi", how="left", maintain_order="left")
    return joined.select("kpi", *columns, pl.exclude("kpi", *columns))
