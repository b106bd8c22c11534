"""What `kpi show` says of a funnel or a cohort, and the KPIs that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from smartkpi.api import Project
from smartkpi.language.format import format_expr
from smartkpi.spec.parts import RETENTION, RETURNED, SIZE, ages_of, measures_of, part_name


def funnel_facts(project: Project, name: str, lang: str) -> dict[str, Any]:
    """Return all that is known of a funnel, as plain data."""
    funnel = project.catalog.funnels[name]
    span = funnel.span
    return {
        "funnel": name,
        "label": funnel.label.get(lang),
        "description": funnel.description.get(lang),
        "steps": [
            {
                "step": step.name,
                "label": step.label.get(lang),
                "event": format_expr(step.event.expr),
                "kpis": [part_name(measure, name, step.name) for measure in measures_of(funnel, place)],
            }
            for place, step in enumerate(funnel.steps)
        ],
        "by": [format_expr(key) for key in funnel.by],
        "within": None if funnel.within is None else format_expr(funnel.within),
        "used_by": _users(project, name),
        "place": f"{span.source.name}:{span.line}",
        "included": None if funnel.origin is None else funnel.origin.text,
    }


def cohort_facts(project: Project, name: str, lang: str) -> dict[str, Any]:
    """Return all that is known of a cohort, as plain data."""
    cohort = project.catalog.cohorts[name]
    last, span = ages_of(cohort)[-1], cohort.span
    value = "count" if cohort.value is None else f"sum of {cohort.value.text}"
    return {
        "cohort": name,
        "label": cohort.label.get(lang),
        "description": cohort.description.get(lang),
        "of": format_expr(cohort.of),
        "start": format_expr(cohort.start.expr),
        "return": format_expr(cohort.return_.expr),
        "grain": cohort.grain,
        "value": value,
        "ages": [0, last],
        "kpis": [part_name(SIZE, name), part_name(RETURNED, name, 1), part_name(RETENTION, name, 1)],
        "used_by": _users(project, name),
        "place": f"{span.source.name}:{span.line}",
        "included": None if cohort.origin is None else cohort.origin.text,
    }


def cohort_lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of a cohort as lines of a name and a value."""
    for key in ("description", "of", "start", "return", "grain", "value"):
        if facts[key]:
            yield key, facts[key]
    first, last = facts["ages"]
    yield "ages", f"from {first} to {last}; of others, `retention({facts['cohort']}, n)` in a formula"
    yield "KPIs", "; ".join(facts["kpis"])
    yield from _whence(facts)


def _users(project: Project, name: str) -> list[str]:
    """Return the KPIs that name a part of a funnel or cohort."""
    kpis = project.typed().kpis
    parts = {one.name for one in project.catalog.kpis.values() if one.part_of == name}
    return sorted(kpi.name for kpi in kpis.values() if kpi.name not in parts and not parts.isdisjoint(kpi.kpis))


def funnel_lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of a funnel as lines of a name and a value."""
    if facts["description"]:
        yield "description", facts["description"]
    for step in facts["steps"]:
        label = f" ({step['label']})" if step["label"] else ""
        event = "" if step["event"] == step["step"] else f": {step['event']}"
        yield "step", f"{step['step']}{label}{event}"
    if facts["by"]:
        yield "by", ", ".join(facts["by"])
    else:
        yield "counts", "each step by itself: its rates may be above 100 %"
    if facts["within"]:
        yield "within", facts["within"]
    for step in facts["steps"]:
        yield "KPIs", "; ".join(step["kpis"])
    yield from _whence(facts)


def _whence(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield who uses a funnel or cohort, and where it comes from."""
    if facts["used_by"]:
        yield "used by", ", ".join(facts["used_by"])
    yield "defined at", facts["place"]
    if facts["included"]:
        yield "comes from", facts["included"]
