"""Questions about a funnel: its KPIs are asked, all in the same periods, and shown as one."""

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
from smartkpi.result import FunnelInfo, Result, StepInfo
from smartkpi.semantics.check import check
from smartkpi.spec.load import Loaded
from smartkpi.spec.model import Catalog, Funnel, FunnelStep, Labels
from smartkpi.spec.parts import COUNT, measures_of, part_name

COLUMNS = ("step", "measure")
"""What tells the rows of a funnel apart beside the name of the KPI."""


def answer(
    loaded: Loaded,
    handed: Mapping[str, object],
    ask: Ask,
    lang: str = "en",
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> Result:
    """Answer a question about KPIs, or about a funnel; that one is asked for alone."""
    funnel = find_funnel(loaded, ask.kpis)
    if funnel is None:
        return pipeline.answer(loaded, handed, ask, lang, progress, judge)
    result = pipeline.answer(loaded, handed, as_asked(funnel, loaded, ask), lang, progress)
    scorecard = (ask.grain, ask.since, ask.until) == (None, None, None)
    frame = _last_whole(result.frame) if scorecard else result.frame
    info = _info(funnel, loaded.catalog)
    return replace(result, frame=_told_apart(frame, info), funnel=info)


def as_asked(funnel: Funnel, loaded: Loaded, ask: Ask) -> Ask:
    """Return the question about a funnel's KPIs. Raises UsageError for what cannot be asked of several as of one."""
    _refuse(funnel, ask)
    last = check(loaded.catalog).kpis.get(part_name(COUNT, funnel.name, funnel.steps[-1].name))
    grain = ask.grain or (None if last is None else last.grain)
    return replace(ask, kpis=parts_of(funnel), grain=grain, compare=("none",))


def find_funnel(loaded: Loaded, names: Sequence[str]) -> Funnel | None:
    """Return the funnel that is asked for, if one is. Raises KpiError for one beside others, or with an error."""
    catalog = loaded.catalog
    found = [name for name in names if name in catalog.funnels or f"funnel:{name}" in catalog.broken]
    if not found:
        return None
    if len(names) > 1:
        message = f"`{found[0]}` is a funnel, which is shown by itself"
        raise UsageError(Diagnostic("funnel-alone", message, hint=f"ask for it alone: `kpi run {found[0]}`"))
    if found[0] not in catalog.funnels:
        raise DefinitionError(catalog.broken[f"funnel:{found[0]}"])
    return catalog.funnels[found[0]]


def parts_of(funnel: Funnel) -> tuple[str, ...]:
    """Return the KPIs of a funnel, step by step."""
    return tuple(
        part_name(measure, funnel.name, step.name)
        for place, step in enumerate(funnel.steps)
        for measure in measures_of(funnel, place)
    )


def _refuse(funnel: Funnel, ask: Ask) -> None:
    """Refuse what rearranges the rows of single KPIs: those of a funnel belong together."""
    options = (("compare", ask.compare), ("order_by", ask.order_by), ("limit", ask.limit), ("top", ask.top))
    for option, given in options:
        if given not in (None, ()):
            message = f"`{option}` is of single KPIs, `{funnel.name}` is a funnel"
            hint = "leave it out; `--grain month` shows its periods one below the other"
            raise UsageError(Diagnostic("funnel-alone", message, hint=hint))
    for name in COLUMNS:
        if name in ask.by:
            message = f"`{name}` is a column of a funnel's rows already"
            raise UsageError(Diagnostic("reserved-dimension", message, hint="give the field another name"))


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


def _told_apart(frame: pl.DataFrame, info: FunnelInfo) -> pl.DataFrame:
    """Return rows with the columns that tell a funnel's apart, behind the name of the KPI."""
    known = [(kpi, step.name, measure) for step in info.steps for measure, kpi in step.kpis.items()]
    names = pl.DataFrame(known, schema=["kpi", *COLUMNS], orient="row")
    joined = frame.join(names, on="kpi", how="left", maintain_order="left")
    return joined.select("kpi", *COLUMNS, pl.exclude("kpi", *COLUMNS))
