"""`kpi check`: every problem at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from smartkpi.api import Report, load
from smartkpi.app.edge import DATA, DEFINITIONS, FINE, USAGE, worst
from smartkpi.app.terminal import style_of, write
from smartkpi.diagnostics import Severity, errors, render, to_github, to_json
from smartkpi.spec.constants import SET


def check(path: Path, sets: Mapping[str, str], data: bool, form: str) -> int:
    """Check a project, write what was found to stdout, and return the exit code."""
    project = load(path, sets=sets)
    report = project.check(data=data)
    style = style_of(sys.stdout)
    match form:
        case "json":
            found = {"ok": report.ok, "diagnostics": [to_json(one) for one in report.diagnostics]}
            write(json.dumps(found, ensure_ascii=not style.unicode, indent=2) + "\n")
        case "github":
            write("".join(f"{to_github(one)}\n" for one in report.diagnostics))
        case _:
            text = "\n\n".join(render(one, style.color) for one in report.diagnostics)
            catalog = project.catalog
            size = f"{_count(len(catalog.kpis), 'KPI')}, {_count(len(catalog.datasets), 'dataset')}"
            write(f"{text}\n\n{_summary(report)}\n" if text else f"no problems: {size}\n")
    wrong = errors(report.definitions)
    codes = [USAGE for one in wrong if one.span is not None and one.span.source.name == SET]
    return worst((*codes, DEFINITIONS if wrong else FINE, DATA if errors(report.data) else FINE))


def _summary(report: Report) -> str:
    counts = [(kind, sum(1 for one in report.diagnostics if one.severity is kind)) for kind in Severity]
    return ", ".join(_count(count, str(kind)) for kind, count in counts if count)


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
