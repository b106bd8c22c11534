"""A result as JSON lines: one row of the tidy table a line."""

from __future__ import annotations

import json

from smartkpi.report.rows import plain_rows
from smartkpi.report.style import Style
from smartkpi.result import Result


def render(result: Result, style: Style) -> str:
    """Return one JSON object a row and line."""
    return "".join(f"{json.dumps(row, ensure_ascii=not style.unicode)}\n" for row in plain_rows(result.frame))
