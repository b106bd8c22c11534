"""Diagnostics as text: a caret box for people, a line for a forge's checks, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from smartkpi.diagnostics import Diagnostic, Severity
from smartkpi.report.style import Style, cells, plain
from smartkpi.source import Span

COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
REACH = 100
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def box(diagnostic: Diagnostic, style: Style = Style()) -> str:  # noqa: B008 (a frozen value)
    """Return a diagnostic as a caret box: what is wrong, where, the source line, the fix."""
    severity = diagnostic.severity
    head = _paint(f"{severity}[{diagnostic.code}]", f"1;{COLORS[severity]}", style)
    lines = [f"{head}: {_paint(plain(diagnostic.message), '1', style)}"]
    spans = [s for s in (diagnostic.span, *(note.span for note in diagnostic.notes)) if s is not None]
    gutter = max((len(str(span.line)) for span in spans), default=1)
    hint = diagnostic.hint
    if diagnostic.span is not None:
        lines += _place(diagnostic.span, hint, gutter, COLORS[severity], style)
    elif hint:
        lines.append(f"{' ' * gutter} = {_clean(hint, gutter)}")
    for note in diagnostic.notes:
        lines.append(f"{' ' * gutter} = {_clean(note.message, gutter)}")
        if note.span is not None:
            lines += _place(note.span, "", gutter, COLORS[Severity.NOTE], style)
    return "\n".join(lines) + "\n"


def boxes(diagnostics: Iterable[Diagnostic], style: Style = Style()) -> str:  # noqa: B008 (a frozen value)
    """Return diagnostics as caret boxes with an empty line between them."""
    return "\n".join(box(diagnostic, style) for diagnostic in diagnostics)


def line(diagnostic: Diagnostic, style: Style = Style()) -> str:  # noqa: B008 (a frozen value)
    """Return a diagnostic in one line."""
    severity = diagnostic.severity
    head = _paint(f"{severity}[{diagnostic.code}]", f"1;{COLORS[severity]}", style)
    place = "" if diagnostic.span is None else f"{plain(diagnostic.span.source.name)}:{diagnostic.span.line}: "
    hint = f" ({plain(diagnostic.hint)})" if diagnostic.hint else ""
    return f"{head}: {place}{plain(diagnostic.message)}{hint}\n"


def github(diagnostic: Diagnostic) -> str:
    """Return a diagnostic as a workflow command, which GitHub shows beside the line."""
    places = {"title": diagnostic.code}
    if diagnostic.span is not None:
        place = where(diagnostic.span)
        places |= {
            "file": place["file"],
            "line": str(place["line"]),
            "col": str(place["column"]),
            "endLine": str(place["end_line"]),
            "endColumn": str(place["end_column"]),
        }
    text = ". ".join(part for part in (diagnostic.message, diagnostic.hint) if part)
    written = ",".join(f"{key}={_escape(value, ':,')}" for key, value in places.items())
    return f"::{LEVELS[diagnostic.severity]} {written}::{_escape(text)}\n"


def as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data, as in schemas/result.json."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "subject": diagnostic.subject,
        "place": None if diagnostic.span is None else where(diagnostic.span),
        "notes": [
            {"message": note.message, "place": None if note.span is None else where(note.span)}
            for note in diagnostic.notes
        ],
    }


def where(span: Span) -> dict[str, Any]:
    """Return a span's file, and its lines and columns from 1, the end exclusive."""
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _place(span: Span, hint: str, gutter: int, color: str, style: Style) -> list[str]:
    """Return the lines that show a place: file, source line, carets with the hint behind them."""
    number, column = span.source.position(span.start)
    line, first = span.source.line(number), column - 1
    wide = min(span.end - span.start, max(len(line) - first, 0))
    line, first, wide = _window(line, first, wide)
    before, marked = plain(line[:first]), plain(line[first : first + wide])
    carets = "^" * max(cells(marked), 1)
    mark = _paint(f"{carets} {_clean(hint, 0)}".rstrip(), f"1;{color}", style)
    bar = f"{' ' * gutter} |"
    return [
        f"{' ' * gutter}--> {plain(span.source.name)}:{number}:{column}",
        bar,
        f"{number:>{gutter}} | {plain(line)}".rstrip(),
        f"{bar} {' ' * cells(before)}{mark}",
    ]


def _window(line: str, first: int, wide: int) -> tuple[str, int, int]:
    """Return the part of a long line around the place, and the place in it."""
    start = max(0, first - REACH // 2) if len(line) > REACH + 20 else 0
    shown = line[start : start + REACH + 20]
    head = "..." if start else ""
    tail = "..." if start + len(shown) < len(line) else ""
    first = first - start + len(head)
    return head + shown + tail, first, min(wide, len(shown) + len(head) - first)


def _clean(text: str, gutter: int) -> str:
    """Return a text of one or several lines without control characters, its further lines indented."""
    return f"\n{' ' * (gutter + 3)}".join(plain(line) for line in text.split("\n"))


def _paint(text: str, code: str, style: Style) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if style.color else text


def _escape(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
