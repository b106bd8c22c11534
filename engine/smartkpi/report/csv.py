"""A result as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

from smartkpi.report.rows import plain_rows
from smartkpi.report.style import Style
from smartkpi.result import Result

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render(result: Result, _style: Style) -> str:
    """Return the tidy table with a header; numbers in full, texts that a spreadsheet would run behind a `'`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([safe(name) for name in result.columns])
    for row in plain_rows(result.frame):
        writer.writerow([value if name == "money" else _cell(value) for name, value in row.items()])
    return stream.getvalue()


def safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return safe(" ".join(str(item) for item in value))
        case str():
            return safe(value)
        case _:
            return value
