"""`kpi check`: every problem at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartkpi.api import Report, load
from smartkpi.app.edge import DATA, DEFINITIONS, FINE, USAGE, worst
from smartkpi.app.terminal import progress_bar, style_of, write
from smartkpi.diagnostics import Severity, errors, render, to_github, to_json
from smartkpi.report.style import Style, cells, pad, plain
from smartkpi.spec.constants import SET

if TYPE_CHECKING:  # a check of definitions waits for no engine
    from smartkpi.sources.inspect import DatasetFacts

SHOWN = 4
"""How many columns with the same remark are named."""


def lint(
    path: Path,
    sets: Mapping[str, str],
    names: Sequence[str] | None,
    form: str,
    *,
    data: bool,
    audit: bool,
    as_of: str | None,
    lang: str = "en",
) -> int:
    """Hold goals against the rules of SMART, review the project, write what was found, and return the exit code."""
    project = load(path, sets=sets)
    goals: bool | Sequence[str] = False if names is None else tuple(names)
    with progress_bar() as progress:
        report = project.check(data=data, smart=goals, audit=audit, as_of=as_of, progress=progress)
    write(_lint_text(report, form, replace(style_of(sys.stdout), lang=lang)))
    poor = any(one.smart == "no" for one in report.smart or ())
    failed = DEFINITIONS if poor or errors(report.definitions) else FINE
    return worst((failed, DATA if errors(report.data) else FINE))


def _lint_text(report: Report, form: str, style: Style) -> str:
    from smartkpi.report import audit, smart

    told = [one for one in report.diagnostics if one.severity is not Severity.NOTE]
    if report.smart is not None:  # what is wrong with goals stands with them
        told = [one for one in told if not one.subject.startswith("goal:")]
    if form == "json":
        found: dict[str, Any] = {"smartkpi": 1, "ok": report.ok}
        found |= {} if report.smart is None else {"smart": smart.as_data(report.smart, style.lang)}
        found |= {} if report.audit is None else {"audit": audit.as_data(report.audit)}
        found["diagnostics"] = [to_json(one) for one in report.diagnostics]
        return json.dumps(found, ensure_ascii=not style.unicode, indent=2) + "\n"
    parts = []
    if form == "github":
        parts += [f"{to_github(one)}\n" for one in told]
        parts += [] if report.smart is None else [smart.as_github(report.smart)]
        return "".join([*parts, *([] if report.audit is None else [audit.as_github(report.audit)])])
    parts += [f"{render(one, style.color)}\n" for one in told] if form == "text" else []
    parts += [] if report.smart is None else [smart.FORMATS[form](report.smart, style)]
    parts += [] if report.audit is None else [audit.FORMATS[form](report.audit, style)]
    return "\n".join(parts)


def check(path: Path, sets: Mapping[str, str], data: bool, form: str) -> int:
    """Check a project, write what was found to stdout, and return the exit code."""
    project = load(path, sets=sets)
    report = project.check(data=data)
    style = style_of(sys.stdout)
    match form:
        case "json":
            found: dict[str, Any] = {"ok": report.ok, "diagnostics": [to_json(one) for one in report.diagnostics]}
            if data:
                found["tables"] = [_as_dict(one) for one in report.tables]
            write(json.dumps(found, ensure_ascii=not style.unicode, indent=2, default=str) + "\n")
        case "github":
            write("".join(f"{to_github(one)}\n" for one in report.diagnostics))
        case _:
            text = "\n\n".join(render(one, style.color) for one in report.diagnostics)
            catalog = project.catalog
            kpis = sum(not one.part_of for one in catalog.kpis.values())
            size = f"{_count(kpis, 'KPI')}, {_count(len(catalog.datasets), 'dataset')}"
            size += f", {_count(len(catalog.funnels), 'funnel')}" if catalog.funnels else ""
            size += f", {_count(len(catalog.cohorts), 'cohort')}" if catalog.cohorts else ""
            read = f"{_table(report.tables, style)}\n" if report.tables else ""
            write(f"{text}\n\n{read}{_summary(report)}\n" if text else f"{read}no problems: {size}\n")
    wrong = errors(report.definitions)
    codes = [USAGE for one in wrong if one.span is not None and one.span.source.name == SET]
    return worst((*codes, DEFINITIONS if wrong else FINE, DATA if errors(report.data) else FINE))


def _table(tables: Sequence[DatasetFacts], style: Style) -> str:
    """Return a line a table: rows, files, columns, and what is missing, left out, or may be cut off."""
    heads = ("dataset", "rows", "files", "columns", "remarks")
    rows = [(one.dataset, f"{one.rows:,}", str(one.files or "-"), str(len(one.columns)), _remarks(one))
            for one in tables]  # fmt: skip
    widths = [max(cells(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    return "".join(
        "  ".join(
            (pad(cell, width) if i in (0, 4) else " " * (width - cells(cell)) + cell)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in (heads, *rows)
    )


def _remarks(table: DatasetFacts) -> str:
    missing = [one for one in table.columns if one.missing]
    odd = [one for one in table.columns if one.not_numbers]
    said = [f"{_count(table.skipped, 'bad row')} left out"] if table.skipped else []
    said += [f"missing: {_some([f'{one.name} {one.missing:,}' for one in missing])}"] if missing else []
    said += [f"NaN or infinite: {_some([f'{one.name} {one.not_numbers:,}' for one in odd])}"] if odd else []
    said += [f"no line end at the end of {_some(list(table.cut))}: cut off?"] if table.cut else []
    return plain("; ".join(said))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _as_dict(table: DatasetFacts) -> dict[str, Any]:
    facts = asdict(table)
    del facts["notes"]
    return facts | {"cut": list(table.cut)}


def _summary(report: Report) -> str:
    counts = [(kind, sum(1 for one in report.diagnostics if one.severity is kind)) for kind in Severity]
    return ", ".join(_count(count, str(kind)) for kind, count in counts if count)


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
