"""`kpi test`: the tests of the definitions, expected against got."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from smartkpi.api import load
from smartkpi.api.cases import Difference, Outcome
from smartkpi.app.edge import DEFINITIONS, FAILED, FINE, say, worst
from smartkpi.app.terminal import style_of, write
from smartkpi.diagnostics import errors, render, to_json
from smartkpi.report.rows import exact, readable
from smartkpi.report.style import Style, pad, plain
from smartkpi.report.style import cells as width_of
from smartkpi.source import Span


def test(path: Path, sets: Mapping[str, str], update: bool, form: str) -> int:
    """Run the tests of a project, write how they went, and return the exit code."""
    project = load(path, sets=sets)
    broken = errors(project.check().definitions)
    say(broken)
    outcomes = project.test(update=update)
    if form == "json":
        write(json.dumps([_as_dict(one) for one in outcomes], ensure_ascii=False, indent=2, default=_shown) + "\n")
    else:
        write(text(outcomes, style_of(sys.stdout)))
    failed = any(not one.passed for one in outcomes)
    return worst((DEFINITIONS if broken else FINE, FAILED if failed else FINE))


def text(outcomes: Sequence[Outcome], style: Style) -> str:
    """Return how tests went: the failed ones with each cell that differs, and a line that counts."""
    parts = [_failure(one, style) for one in outcomes if not one.passed]
    failed = len(parts)
    cells = sum(one.cells for one in outcomes)
    if not outcomes:
        return "no tests\n"
    count = f"{len(outcomes)} test{'' if len(outcomes) == 1 else 's'}, {cells} cells"
    parts.append(f"{count}: {failed} failed\n" if failed else f"{count}: all as expected\n")
    return "\n".join(parts)


def _failure(outcome: Outcome, style: Style) -> str:
    head = f"FAILED {plain(outcome.name)}\n  --> {outcome.span.source.name}:{outcome.span.line}:{outcome.span.column}\n"
    rows = [("kpi", "period", "cell", "expected", "got"), *_rows(outcome.differences)]
    widths = [max(width_of(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "   " + "  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    table = "\n".join(lines) + "\n" if len(rows) > 1 else ""
    return head + table + "".join(f"{render(one, style.color)}\n" for one in outcome.diagnostics)


def _rows(differences: Sequence[Difference]) -> Iterator[tuple[str, str, str, str, str]]:
    for one in differences:
        segment = ", ".join(f"{name} = {_shown(value)}" for name, value in one.segment.items())
        place = ", ".join(part for part in (one.period or "last", segment) if part)
        if one.column:
            expected, got = (_shown(value, percent=one.percent) for value in (one.expected, one.got))
            yield one.kpi, plain(place), one.column, expected, got
        else:
            yield one.kpi, plain(place), "row", "a row", _shown(one.got)


def _shown(value: Any, *, percent: bool = False) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            shown = readable(Decimal(repr(value)) * (100 if percent else 1))
            return f"{shown}%" if percent else shown
        case Decimal():
            return exact(value)
        case list() | tuple():
            return ", ".join(filter(None, value)) or "none"
        case _:
            return plain(str(value))


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "passed": outcome.passed,
        "place": _place(outcome.span),
        "cells": outcome.cells,
        "differences": [
            {
                "kpi": one.kpi,
                "period": one.period,
                "segment": dict(one.segment),
                "column": one.column or None,
                "expected": one.expected,
                "got": one.got,
                "place": _place(one.span),
            }
            for one in outcome.differences
        ],
        "diagnostics": [to_json(one) for one in outcome.diagnostics],
    }


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.source.name, "line": span.line, "column": span.column}
