from __future__ import annotations

from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.report.problems import as_dict, box, boxes, github, line
from smartkpi.report.style import Style
from smartkpi.source import Source, Span

TEXT = """datasets: {}
kpis:
  转化率:
    formula: ordr / visit
\tx: "a\x1b[31mb" - ordr
"""
SOURCE = Source("kpis.yml", TEXT)


def _span(part: str, start: int = 0) -> Span:
    at = TEXT.index(part, start)
    return Span(SOURCE, at, at + len(part))


UNKNOWN = Diagnostic(
    "unknown-event",
    "no event is named `ordr`",
    _span("ordr"),
    hint="did you mean `order`?",
    notes=(Note("events: order, visit"),),
)


def test_a_box_shows_the_place_and_the_fix() -> None:
    assert box(UNKNOWN) == (
        "error[unknown-event]: no event is named `ordr`\n"
        " --> kpis.yml:4:14\n"
        "  |\n"
        "4 |     formula: ordr / visit\n"
        "  |              ^^^^ did you mean `order`?\n"
        "  = events: order, visit\n"
    )


def test_a_second_place_is_shown_below() -> None:
    clash = Diagnostic(
        "name-clash", "`a` is defined twice", _span("ordr"), notes=(Note("also here", _span("datasets")),)
    )
    assert box(clash).splitlines()[-5:] == [
        "  = also here",
        " --> kpis.yml:1:1",
        "  |",
        "1 | datasets: {}",
        "  | ^^^^^^^^",
    ]


def test_carets_stand_below_wide_characters() -> None:
    lines = box(Diagnostic("x", "y", _span("转化率"))).splitlines()
    assert lines[-2:] == ["3 |   转化率:", "  |   ^^^^^^"]


def test_control_characters_of_a_source_never_reach_the_terminal() -> None:
    text = box(Diagnostic("x", "a\x1b[2Jb", _span("ordr", TEXT.index("\t"))))
    assert "\x1b" not in text
    assert text.splitlines()[-1].index("^") == text.splitlines()[-2].index("ordr")


def test_a_place_at_the_end_of_the_text_has_a_caret() -> None:
    assert box(Diagnostic("x", "y", Span(SOURCE, len(TEXT), len(TEXT)))).splitlines()[-1] == "  | ^"


def test_a_long_line_is_shown_around_its_place() -> None:
    text = "a" * 5000 + "ordr" + "b" * 5000
    shown = box(Diagnostic("x", "y", Span(Source("f", text), 5000, 5004))).splitlines()
    assert max(map(len, shown)) < 140
    assert shown[-1].index("^") == shown[-2].index("ordr")


def test_without_a_place_the_hint_stands_below() -> None:
    assert box(Diagnostic("x", "y", hint="do z")) == "error[x]: y\n  = do z\n"


def test_color() -> None:
    assert "\x1b[1;31merror[unknown-event]\x1b[0m" in box(UNKNOWN, Style(color=True))


def test_boxes_have_an_empty_line_between() -> None:
    assert boxes([Diagnostic("x", "y"), Diagnostic("z", "w")]) == "error[x]: y\n\nerror[z]: w\n"


def test_a_line() -> None:
    note = Diagnostic("null-time", "3 rows have no time", _span("kpis"), severity=Severity.NOTE)
    assert line(note) == "note[null-time]: kpis.yml:2: 3 rows have no time\n"


def test_github() -> None:
    text = github(Diagnostic("a", "50% of\nit", _span("ordr"), severity=Severity.NOTE))
    assert text == "::notice title=a,file=kpis.yml,line=4,col=14,endLine=4,endColumn=18::50%25 of%0Ait\n"


def test_plain_data() -> None:
    assert as_dict(UNKNOWN) == {
        "code": "unknown-event",
        "severity": "error",
        "message": "no event is named `ordr`",
        "hint": "did you mean `order`?",
        "subject": "",
        "place": {"file": "kpis.yml", "line": 4, "column": 14, "end_line": 4, "end_column": 18},
        "notes": [{"message": "events: order, visit", "place": None}],
    }
