"""One KPI at each stage of its way: as written, typed, planned, optimized, as the engine's query."""

from __future__ import annotations

from collections.abc import Mapping

from smartkpi.api.drill import drill_down
from smartkpi.api.failures import DataError, UsageError, failing_as
from smartkpi.api.pipeline import Opened, compile_plan, open_data
from smartkpi.api.question import Ask, understand
from smartkpi.diagnostics import KpiError, errors
from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.language.format import format_expr
from smartkpi.plan import explain as plans
from smartkpi.plan.reads import datasets_read
from smartkpi.report.outline import outline
from smartkpi.semantics.check import check
from smartkpi.semantics.lookups import reached_datasets
from smartkpi.semantics.question import Question, select_kpis
from smartkpi.spec.load import Loaded


def explain(loaded: Loaded, handed: Mapping[str, object], name: str, stage: str, ask: Ask) -> str:
    """Return a stage of a KPI as text, of its way to the answer of a question.

    Raises KpiError for an unknown KPI, one that an error leaves out, or a question that cannot be read.
    """
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
    with failing_as(UsageError):
        question = understand(loaded.catalog, (name,), drill_down(loaded.catalog.dimensions, ask))
    if stage == "polars":
        wanted = typed.datasets | reached_datasets(checked.datasets, typed.datasets)
        return _query(open_data(loaded, handed, wanted), question)
    return plans.explain(compile_plan(checked, question, optimized=stage == "optimized"), name)


def _query(opened: Opened, question: Question) -> str:
    """Return the engine's query of a KPI. Raises KpiError where its data, or what it says of that, is wrong."""
    (name,) = question.kpis
    if name in opened.checked.left_out:
        raise KpiError(opened.checked.left_out[name])
    plan = compile_plan(opened.checked, question)
    if datasets_read(plan)[name] - set(opened.tables):
        raise DataError(*errors(opened.data))
    return PolarsEngine(opened.tables).explain(plan)
