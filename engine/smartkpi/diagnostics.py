"""Errors as values: a diagnostic says what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unicodedata import combining, east_asian_width

from smartkpi.source import Span

_LONGEST = 120  # characters of a source line that are shown


class Severity(StrEnum):
    """How much a diagnostic matters: an error leaves its definition out, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


@dataclass(frozen=True, slots=True)
class Note:
    """A line below the caret box; with a span, a second place is shown too."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: its code (see errors.md), its words, its place, and the fix.

    ``hint`` stands behind the caret; ``notes`` below the box, each behind `=`. ``subject`` names the definition that
    the problem leaves out, as `kpi:conversion_rate`, where there is one.
    """

    code: str
    message: str
    span: Span | None = None
    hint: str = ""
    notes: tuple[Note, ...] = ()
    severity: Severity = Severity.ERROR
    subject: str = ""


class KpiError(Exception):
    """One or more diagnostics on their way to the edge, where they are rendered."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return only the errors among diagnostics."""
    return tuple(d for d in diagnostics if d.severity is Severity.ERROR)


def render(diagnostic: Diagnostic, color: bool = False) -> str:
    """Return a diagnostic as a caret box: what is wrong, where, the source line, the fix. No line end at its end."""
    severity = diagnostic.severity
    head = _paint(f"{severity}[{diagnostic.code}]", f"1;{_COLORS[severity]}", color)
    lines = [f"{head}: {_paint(_clean(diagnostic.message), '1', color)}"]
    spans = [s for s in (diagnostic.span, *(note.span for note in diagnostic.notes)) if s is not None]
    gutter = " " * max((len(str(span.line)) for span in spans), default=1)
    if diagnostic.span is not None:
        lines += _box(diagnostic.span, diagnostic.hint, gutter, f"1;{_COLORS[severity]}", color)
    elif diagnostic.hint:
        lines.append(_note(diagnostic.hint, gutter))
    for note in diagnostic.notes:
        lines.append(_note(note.message, gutter))
        if note.span is not None:
            lines += _box(note.span, "", gutter, f"1;{_COLORS[Severity.NOTE]}", color)
    return "\n".join(lines)


def render_line(diagnostic: Diagnostic) -> str:
    """Return a diagnostic on one line: `kpis.yml:12:14: error[unknown-event]: …`."""
    span = diagnostic.span
    place = "" if span is None else f"{_clean(span.source.name)}:{span.line}:{span.column}: "
    hint = f" ({_clean(diagnostic.hint)})" if diagnostic.hint else ""
    return f"{place}{diagnostic.severity}[{diagnostic.code}]: {_clean(diagnostic.message)}{hint}"


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data, as in schemas/result.json."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "subject": diagnostic.subject,
        "place": place_of(diagnostic.span),
        "notes": [{"message": note.message, "place": place_of(note.span)} for note in diagnostic.notes],
    }


def to_github(diagnostic: Diagnostic) -> str:
    """Return a diagnostic as a workflow command, which GitHub shows beside the line."""
    level = "notice" if diagnostic.severity is Severity.NOTE else str(diagnostic.severity)
    properties = {"title": diagnostic.code}
    if (place := place_of(diagnostic.span)) is not None:
        names = {"file": "file", "line": "line", "col": "column", "endLine": "end_line", "endColumn": "end_column"}
        properties = {name: str(place[key]) for name, key in names.items()} | properties
    text = ". ".join(part for part in (diagnostic.message, diagnostic.hint) if part)
    written = ",".join(f"{name}={_percent(value, ':,')}" for name, value in properties.items())
    return f"::{level} {written}::{_percent(text)}"


def place_of(span: Span | None) -> dict[str, Any] | None:
    """Return a span's file, and its lines and columns from 1, the end exclusive."""
    if span is None:
        return None
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {"file": span.source.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}


def _box(span: Span, hint: str, gutter: str, paint: str, color: bool) -> list[str]:
    number, column = span.source.position(span.start)
    line, first = span.source.line(number), column - 1
    line, first, width = _window(line, first, max(min(span.end - span.start, len(line) - first), 0))
    before, marked = _clean(line[:first]), _clean(line[first : first + width])
    mark = "^" * max(_cells(marked), 1) + (f" {_clean(hint)}" if hint else "")
    return [
        f"{gutter}--> {_clean(span.source.name)}:{number}:{column}",
        f"{gutter} |",
        f"{number:>{len(gutter)}} | {_clean(line)}".rstrip(),
        f"{gutter} | {' ' * _cells(before)}{_paint(mark, paint, color)}",
    ]


def _window(line: str, first: int, width: int) -> tuple[str, int, int]:
    """Return the part of a line around a place, and the place in it: lines may be as long as a file."""
    if len(line) <= _LONGEST:
        return line, first, width
    start = max(0, first - _LONGEST // 2)
    head, tail = "…" if start else "", "…" if start + _LONGEST < len(line) else ""
    shown = head + line[start : start + _LONGEST] + tail
    first += len(head) - start
    return shown, first, min(width, len(shown) - first)


def _note(message: str, gutter: str) -> str:
    return f"{gutter} = " + f"\n{gutter}   ".join(_clean(line) for line in message.split("\n"))


def _clean(text: str) -> str:
    """Return a text without control characters, so that no file can steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _paint(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def _percent(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
