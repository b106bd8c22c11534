"""One KPI at each stage of its way: as written, typed, planned, optimized, as the engine's query."""

from __future__ import annotations

from collections.abc import Mapping

from smartkpi.api.drill import drill_down
from smartkpi.api.failures import DataError, UsageError, failing_as
from smartkpi.api.parts import as_asked, parts_of
from smartkpi.api.pipeline import Opened, compile_plan, open_data
from smartkpi.api.question import Ask, understand
from smartkpi.diagnostics import KpiError, errors
from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.language.format import format_expr
from smartkpi.plan import explain as plans
from smartkpi.plan.reads import datasets_read
from smartkpi.report.outline import outline
from smartkpi.semantics.check import check
from smartkpi.semantics.question import Question, select_kpis
from smartkpi.semantics.reached import datasets_behind
from smartkpi.spec.load import Loaded
from smartkpi.spec.parts import one_spelling


def explain(loaded: Loaded, handed: Mapping[str, object], name: str, stage: str, ask: Ask) -> str:
    """Return a stage of a KPI as text, of its way to the answer of a question.

    Raises KpiError for an unknown KPI, one that an error leaves out, or a question that cannot be read.
    """
    name = one_spelling(name)
    whole = loaded.catalog.funnels.get(name) or loaded.catalog.cohorts.get(name)
    if whole is not None and stage in ("plan", "optimized", "polars"):
        asked = as_asked(whole, loaded, ask)
        return _whole(loaded, handed, asked.kpis, stage, asked)
    if whole is not None:
        return "\n".join(explain(loaded, handed, one, stage, ask) for one in parts_of(whole))
    written = loaded.catalog.kpis.get(name)
    if stage == "syntax" and written is not None:
        later = ((one.start, one.formula) for one in written.revisions if one.formula is not None)
        parts = [(name, written.formula), *((f"{name} from {start}", formula) for start, formula in later)]
        return "\n".join(f"{what} = {format_expr(one.expr)}\n\n{outline(one.expr)}" for what, one in parts)
    checked = check(loaded.catalog)
    if name in checked.left_out:
        raise KpiError(checked.left_out[name])
    with failing_as(UsageError):
        select_kpis(checked.kpis, (name,))
    if name not in checked.kpis:  # a pattern
        return "\n".join(explain(loaded, handed, one, stage, ask) for one in select_kpis(checked.kpis, (name,)))
    typed = checked.kpis[name]
    if stage == "typed":
        return "\n".join(
            f"{name}{f' from {one.start}' if number else ''} = {plans.text(one.formula)}\n\n{outline(one.formula)}"
            for number, one in enumerate(typed.versions)
        )
    return _whole(loaded, handed, (name,), stage, ask)


def _whole(loaded: Loaded, handed: Mapping[str, object], kpis: tuple[str, ...], stage: str, ask: Ask) -> str:
    """Return the plan or the query of KPIs that are asked for together. Raises KpiError for one with an error."""
    checked = check(loaded.catalog)
    for name in kpis:
        if name in checked.left_out:
            raise KpiError(checked.left_out[name])
    with failing_as(UsageError):
        question = understand(loaded.catalog, kpis, drill_down(loaded.catalog.dimensions, ask))
    if stage == "polars":
        datasets = frozenset[str]().union(*(checked.kpis[name].datasets for name in kpis))
        return _query(open_data(loaded, handed, datasets_behind(checked, datasets)), question)
    return plans.explain(compile_plan(checked, question, optimized=stage == "optimized"), *kpis)


def _query(opened: Opened, question: Question) -> str:
    """Return the engine's query of KPIs. Raises KpiError where their data, or what they say of that, is wrong."""
    for name in question.kpis:
        if name in opened.checked.left_out:
            raise KpiError(opened.checked.left_out[name])
    plan = compile_plan(opened.checked, question)
    reads = datasets_read(plan)
    if any(reads[name] - set(opened.tables) for name in question.kpis):
        raise DataError(*errors(opened.data))
    return PolarsEngine(opened.tables).explain(plan)
