"""Diagnoses: conditions over what several KPIs are, typed as conditions on one row that has all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import NUMBER, TEXT, UNKNOWN, WHOLE, Kind, Type
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import Apply, Expr, Field, Literal, TypedKpi
from smartkpi.semantics.rows import type_condition
from smartkpi.semantics.scope import EventScope, Namespace, part_span
from smartkpi.source import Span
from smartkpi.spec.model import Catalog, Diagnosis
from smartkpi.tree import rewrite, walk

PARTS = ("status", "value", "previous", "growth", "benchmark", "n", "state")
"""What a condition may ask of a KPI."""
STATUSES = ("good", "warning", "critical", "inconclusive", "pending")
STATES = ("ok", "undefined", "no_data", "unavailable")


@dataclass(frozen=True, slots=True)
class TypedDiagnosis:
    """A diagnosis whose condition is typed: its fields are called `kpi.part`. ``kpis`` are those it is about."""

    name: str
    spec: Diagnosis
    when: tuple[Expr, ...]
    kpis: tuple[str, ...]


def compared_before(catalog: Catalog) -> dict[str, Span]:
    """Return the KPIs of which a diagnosis asks what they were before, with where it does."""
    names = (node for one in catalog.diagnoses.values() for node in walk(one.when.expr) if _is_part(node))
    return {node.parts[0]: node.span for node in names if node.parts[1] in ("previous", "growth")}


def _is_part(node: object) -> bool:
    return isinstance(node, syntax.Name) and len(node.parts) == 2


def check_diagnoses(
    catalog: Catalog, space: Namespace, left_out: Mapping[str, Diagnostic], found: list[Diagnostic]
) -> dict[str, TypedDiagnosis]:
    """Return the diagnoses that are right; what is wrong with others goes to ``found``."""
    known = {}
    for spec in catalog.diagnoses.values():
        findings = Findings(f"diagnosis:{spec.name}")
        typed = _check(spec, space, left_out, findings)
        findings.close(f"the diagnosis `{spec.name}`", spec.span)
        found.extend(findings.diagnostics)
        if typed is not None and not findings.failed:
            known[spec.name] = typed
    return known


def _check(
    spec: Diagnosis, space: Namespace, left_out: Mapping[str, Diagnostic], findings: Findings
) -> TypedDiagnosis | None:
    names = [node for node in walk(spec.when.expr) if isinstance(node, syntax.Name)]
    fields: dict[str, Type] = {}
    for name in names:
        fields |= _part(name, space, left_out, findings)
    if not any(len(name.parts) == 2 for name in names) and not findings.failed:
        hint = 'such as `ctr.status == "critical"`'
        findings.error("bad-diagnosis", "the condition asks nothing of any KPI", spec.when.expr.span, hint)
    if findings.failed:
        return None
    scope = EventScope(spec.name, None, fields, False, False, space.constants, space.calendar)
    when = type_condition(rewrite(spec.when.expr, _flat), scope, findings, "`when`")
    for node in walk(spec.when.expr):
        if isinstance(node, syntax.Apply) and node.function in FUNCTIONS and FUNCTIONS[node.function].kind == "row":
            message = f"`{node.function}` works on the values of a row of data, a diagnosis is about KPIs"
            findings.error("row-function", message, node.span, "compare statuses and values")
    if not findings.failed:
        _check_words(when, spec, findings)
    return TypedDiagnosis(spec.name, spec, when, tuple(dict.fromkeys(n.parts[0] for n in names if len(n.parts) == 2)))


def _flat(node: syntax.Expr) -> syntax.Expr:
    if isinstance(node, syntax.Name) and len(node.parts) == 2:
        return replace(node, parts=(node.text,))
    return node


def _part(
    name: syntax.Name, space: Namespace, left_out: Mapping[str, Diagnostic], findings: Findings
) -> dict[str, Type]:
    """Return what a name stands for, by its text, or say what is wrong with it."""
    first, *rest = name.parts
    if first in left_out:
        findings.depend(first, left_out[first])
    elif first not in space.kpis:
        if first in space.constants and not rest:
            return {}
        hint = did_you_mean(first, space.kpis)
        findings.error(
            "unknown-kpi", f"no KPI is named `{first}`", part_span(name, 0), hint, listing("KPIs", space.kpis)
        )
    elif not rest:
        hint = f"write `{first}.status` or `{first}.value`"
        findings.error("bad-diagnosis", f"a diagnosis asks for a part of `{first}`", name.span, hint)
    elif len(rest) > 1 or rest[0] not in PARTS:
        hint = did_you_mean(rest[0], PARTS) or f"its parts: {', '.join(PARTS)}"
        findings.error("bad-diagnosis", f"a KPI has no part `{'.'.join(rest)}`", part_span(name, 1), hint)
    else:
        kpi = space.kpis[first]
        if rest[0] == "status" and not _has_bands(kpi):
            hint = "give it `thresholds`, or ask for its `value`"
            findings.error("bad-diagnosis", f"`{first}` has no thresholds, so that it has no status", name.span, hint)
        if rest[0] == "benchmark" and all(one.ruled.benchmark is None for one in kpi.versions):
            findings.error("bad-diagnosis", f"`{first}` has no benchmark", name.span, "add one to its `thresholds`")
        types = {"status": TEXT, "state": TEXT, "n": WHOLE, "growth": NUMBER}
        unknown = UNKNOWN if kpi.type.kind is Kind.UNKNOWN else kpi.type
        return {name.text: types.get(rest[0], unknown)}
    return {}


def _has_bands(kpi: TypedKpi) -> bool:
    return any(one.bands or any(bands for _, bands in one.ruled.scopes) for one in kpi.versions)


def _check_words(when: Iterable[Expr], spec: Diagnosis, findings: Findings) -> None:
    """Refuse a status or state that there is not."""
    for node in (node for one in when for node in walk(one) if isinstance(node, Apply)):
        asked = {arg.name.rpartition(".")[2] for arg in node.args if isinstance(arg, Field)}
        for part, words in (("status", STATUSES), ("state", STATES)):
            for arg in node.args:
                if part in asked and isinstance(arg, Literal) and isinstance(arg.value, str) and arg.value not in words:
                    hint = did_you_mean(arg.value, words) or f"one of {', '.join(words)}"
                    texts = (one for one in walk(spec.when.expr) if isinstance(one, syntax.Text))
                    span = next(text.span for text in texts if text.value == arg.value)
                    findings.error("bad-diagnosis", f"no {part} is called `{arg.value}`", span, hint)
