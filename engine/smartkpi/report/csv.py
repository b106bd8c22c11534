"""A result as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smartkpi.report.rows import plain_rows
from smartkpi.report.style import Style
from smartkpi.result import Result

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
QUOTED = (",", ";", "\t", '"', "\r", "\n")
"""What a text must not show bare: a separator of some spreadsheet, a quote, a line end."""


def render(result: Result, _style: Style) -> str:
    """Return the tidy table with a header; numbers in full, texts that a spreadsheet would run behind a `'`."""
    return table(result.columns, plain_rows(result.frame))


def table(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows under a header."""
    head = [_written(safe(name)) for name in columns]
    body = ([_written(value) if name == "money" else _cell(value) for name, value in row.items()] for row in rows)
    return "".join(f"{','.join(row)}\n" for row in (head, *body))


def safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _cell(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return _written(safe(" ".join(str(item) for item in value)))
        case str():
            return _written(safe(value))
        case _:
            return _written(value)


def _written(value: Any) -> str:
    text = "" if value is None else str(value)
    if any(character in text for character in QUOTED):
        text = text.replace('"', '""')
        return f'"{text}"'
    return text
