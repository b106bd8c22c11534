"""How a diagnostic is shown: box, line, JSON, workflow command."""

from __future__ import annotations

import json
import re

import pytest

from smartkpi.diagnostics import Diagnostic, Note, Severity, render, render_line, to_github, to_json
from smartkpi.source import Source, Span

FILE = Source(
    "kpis.yml", "\n" * 11 + "    formula: ordr / visit\n" + "kpis:\n  轉化率: 訪問 / ordr\n\tx: \x1b[31mred\n"
)


def at(words: str, source: Source = FILE) -> Span:
    start = source.text.index(words)
    return Span(source, start, start + len(words))


UNKNOWN = Diagnostic(
    "unknown-event",
    "no event is named `ordr`",
    at("ordr / visit").to(at("ordr")),
    "did you mean `order`?",
    (Note("events: order, visit"),),
    subject="kpi:conversion_rate",
)


def test_the_box_of_the_language_reference() -> None:
    assert render(UNKNOWN) == (
        "error[unknown-event]: no event is named `ordr`\n"
        "  --> kpis.yml:12:14\n"
        "   |\n"
        "12 |     formula: ordr / visit\n"
        "   |              ^^^^ did you mean `order`?\n"
        "   = events: order, visit"
    )


def test_a_second_place_has_a_box_of_its_own() -> None:
    twice = Diagnostic("duplicate-key", "twice", at("kpis:"), notes=(Note("first here", at("formula")), Note("a\nb")))
    assert render(twice) == (
        "error[duplicate-key]: twice\n"
        "  --> kpis.yml:13:1\n"
        "   |\n"
        "13 | kpis:\n"
        "   | ^^^^^\n"
        "   = first here\n"
        "  --> kpis.yml:12:5\n"
        "   |\n"
        "12 |     formula: ordr / visit\n"
        "   |     ^^^^^^^\n"
        "   = a\n"
        "     b"
    )


def test_without_a_place_the_hint_is_a_note() -> None:
    nowhere = Diagnostic("no-such-project", "there is no `x`", hint="try y", severity=Severity.WARNING)
    assert render(nowhere) == "warning[no-such-project]: there is no `x`\n  = try y"


def test_carets_stand_under_wide_letters() -> None:
    word = Diagnostic("x", "y", Span(FILE, at("訪問").start, at("/ ordr").end))
    assert render(word).splitlines()[-1] == "   |" + " " * (1 + 2 + 6 + 2) + "^" * (4 + 1 + 6)


@pytest.mark.parametrize(("start", "end", "carets"), [(0, 0, 1), (0, 3, 3), (2, 30, 1), (3, 3, 1)])
def test_carets_stay_on_their_line(start: int, end: int, carets: int) -> None:
    source = Source("a", "abc\n" + "d" * 40)
    assert render(Diagnostic("x", "y", Span(source, start, end))).count("^") == carets


def test_nothing_steers_the_terminal() -> None:
    shown = render(Diagnostic("x", "a\x1b[2Jb\u202ec", at("red"), "\x07"))
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert shown.splitlines()[3].startswith("15 |  x:")
    assert shown.splitlines()[4].index("^") == shown.splitlines()[3].index("red")


def test_a_long_line_is_shown_around_the_place() -> None:
    source = Source("a", "x" * 50_000 + "here" + "y" * 50_000)
    shown = render(Diagnostic("x", "y", at("here", source))).splitlines()
    assert max(map(len, shown)) < 140
    assert shown[3].index("here") == shown[4].index("^^^^")
    whole = render(Diagnostic("x", "y", Span(source, 0, 100_000))).splitlines()
    assert max(map(len, whole)) < 140


def test_colours_leave_the_words_as_they_are() -> None:
    painted = render(UNKNOWN, color=True)
    assert "\x1b[1;31m" in painted

    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(UNKNOWN)


def test_one_line() -> None:
    assert render_line(UNKNOWN) == (
        "kpis.yml:12:14: error[unknown-event]: no event is named `ordr` (did you mean `order`?)"
    )
    assert render_line(Diagnostic("x", "a\nb")) == "error[x]: a b"


def test_json() -> None:
    shown = to_json(UNKNOWN)
    assert json.loads(json.dumps(shown)) == {
        "code": "unknown-event",
        "severity": "error",
        "message": "no event is named `ordr`",
        "hint": "did you mean `order`?",
        "subject": "kpi:conversion_rate",
        "place": {"file": "kpis.yml", "line": 12, "column": 14, "end_line": 12, "end_column": 18},
        "notes": [{"message": "events: order, visit", "place": None}],
    }
    assert to_json(Diagnostic("x", "y"))["place"] is None


def test_a_workflow_command_escapes_what_would_end_it() -> None:
    odd = Diagnostic("x", "50%\nmore::", Span(Source("a,b:c.yml", "x"), 0, 1), severity=Severity.NOTE)
    assert to_github(odd) == "::notice file=a%2Cb%3Ac.yml,line=1,col=1,endLine=1,endColumn=2,title=x::50%25%0Amore::"
    assert to_github(UNKNOWN).startswith("::error file=kpis.yml,line=12,col=14,")
    assert to_github(Diagnostic("x", "y")) == "::error title=x::y"
