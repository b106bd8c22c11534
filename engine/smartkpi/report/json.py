"""A result as JSON, by schemas/result.json: rows, trend, what the KPIs are, where the numbers come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from smartkpi.assess.diagnoses import Finding
from smartkpi.diagnostics import to_json
from smartkpi.report.aims import rows_of, to_frame
from smartkpi.report.rows import exact, moment_text, plain_rows
from smartkpi.report.style import Style
from smartkpi.result import CohortInfo, FunnelInfo, KpiInfo, PeriodNote, Provenance, Result


def render(result: Result, style: Style) -> str:
    """Return a result as one JSON object."""
    return json.dumps(as_data(result, style.lang), ensure_ascii=not style.unicode, indent=2, default=_default) + "\n"


def as_data(result: Result, lang: str = "en") -> dict[str, Any]:
    """Return a result as plain data, as in schemas/result.json."""
    return {
        "smartkpi": 1,
        "scorecard": result.scorecard,
        "by": list(result.by),
        "compare": list(result.compare),
        "kpis": {name: _kpi(info, lang) for name, info in result.kpis.items()},
        "rows": list(plain_rows(result.frame)),
        "trend": list(plain_rows(result.trend)),
        **({} if result.funnel is None else {"funnel": _funnel(result.funnel, lang)}),
        **({} if result.cohort is None else {"cohort": _cohort(result.cohort, lang)}),
        "benchmarks": list(plain_rows(result.benchmarks)),
        "diagnoses": [_finding(one, lang) for one in result.findings],
        "goals": list(rows_of(to_frame(list(result.goals.values())))),
        "notes": [_note(note, lang) for note in result.notes],
        "left_out": dict(result.left_out),
        "provenance": provenance_data(result.provenance),
        "diagnostics": [to_json(diagnostic) for diagnostic in result.diagnostics],
    }


def _funnel(funnel: FunnelInfo, lang: str) -> dict[str, Any]:
    return {
        "funnel": funnel.name,
        "label": funnel.label.get(lang) or funnel.name,
        "by": funnel.by or None,
        "within": funnel.within or None,
        "steps": [
            {"step": step.name, "label": step.label.get(lang) or step.name, "kpis": dict(step.kpis)}
            for step in funnel.steps
        ],
    }


def _cohort(cohort: CohortInfo, lang: str) -> dict[str, Any]:
    return {
        "cohort": cohort.name,
        "label": cohort.label.get(lang) or cohort.name,
        "of": cohort.of,
        "grain": cohort.grain,
        "amounts": cohort.amounts,
        "size": cohort.size,
        "returned": {str(age): name for age, name in cohort.returned.items()},
        "retention": {str(age): name for age, name in cohort.retention.items()},
    }


def provenance_data(provenance: Provenance) -> dict[str, Any]:
    """Return where numbers come from as plain data."""
    return {
        "version": provenance.version,
        "timezone": provenance.timezone,
        "scans": provenance.scans,
        "as_of": {name: None if moment is None else moment.isoformat() for name, moment in provenance.as_of.items()},
        "datasets": {name: _dataset(facts) for name, facts in provenance.datasets.items()},
    }


def _finding(one: Finding, lang: str) -> dict[str, Any]:
    return {
        "diagnosis": one.name,
        "label": one.label.get(lang) or one.name,
        "holds": one.holds,
        "say": one.say.get(lang) if one.holds else None,
        "kpis": list(one.kpis),
        "lacking": dict(one.lacking),
        "grain": one.grain,
        "start": None if one.start is None or one.grain is None else moment_text(one.start, one.grain),
        "level": one.level,
        "segment": {name: _plain(value) for name, value in one.segment.items()},
    }


def _note(note: PeriodNote, lang: str) -> dict[str, Any]:
    return {
        "grain": note.grain,
        "start": moment_text(note.start, note.grain),
        "end": moment_text(note.end, note.grain),
        "date": note.day.isoformat(),
        "label": note.label.get(lang),
        "labels": dict(note.label.texts),
    }


def _kpi(info: KpiInfo, lang: str) -> dict[str, Any]:
    return {
        "label": info.label.get(lang) or info.name,
        "labels": dict(info.label.texts),
        "description": info.description.get(lang),
        "format": info.format,
        "unit": info.unit,
        "currency": info.currency,
        "direction": info.direction,
        "owner": info.owner,
        "tags": list(info.tags),
        "benchmark": _source(info, lang),
        "advice": {status: said.get(lang) for status, said in info.advice.items()},
    }


def _source(info: KpiInfo, lang: str) -> dict[str, Any] | None:
    if info.benchmark is None:
        return None
    source, date = info.benchmark
    return {"source": source.get(lang), "date": date or None}


def _dataset(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            return value


def _default(value: object) -> object:
    if isinstance(value, Decimal):
        return exact(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
