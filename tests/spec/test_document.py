"""Reading YAML: values, bounds, and each mistake with the place and the fix."""

from __future__ import annotations

import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.spec import document
from smartkpi.spec.document import decode
from smartkpi.spec.nodes import Fields
from tests.spec.reading import PARSERS, codes, data, read


def test_values_are_those_of_yaml_1_2() -> None:
    text = "a: no\nb: 12:30\nc: 010\nd: [1, 2.5, true, ~, 'x']\ne: {on: 1e3}\nf: 2026-01-01\n2026-07: x\n"
    assert data(text) == {
        "a": "no",
        "b": "12:30",
        "c": 10,
        "d": [1, 2.5, True, None, "x"],
        "e": {"on": 1000.0},
        "f": "2026-01-01",
        "2026-07": "x",
    }


def test_anchors_repeat_values_and_tags_of_the_core_give_types() -> None:
    assert data("a: &x [1, {b: 2}]\nc: *x\nd: !!str 5\ne: !!int '7'\nf: ! 8\n") == {
        "a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "5", "e": 7, "f": "8",
    }  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert data("\ufeffa: 1\n") == {"a": 1}


def test_line_separators_of_yaml_1_1_are_letters() -> None:
    assert data("a: x\u2028y\x85z\u2029!\n") == {"a": "x\u2028y\x85z\u2029!"}
    assert data("a: \ue000\u2028\n") == {"a": "\ue000\u2028"}


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: >= 5%\n", "yaml-folded", ">= 5%"),
        ("a: >5\nb: 1\n", "yaml-folded", ">5"),
        ("a: > 5  # note\n", "yaml-folded", "> 5"),
        ("a: {b: >= 5%}\n", "yaml-folded", ">= 5%"),
        ("a: | x\n", "yaml-folded", "| x"),
        ("a: @b\n", "yaml-start", "@"),
        ("a: `b`\n", "yaml-start", "`"),
        ("a: %b\n", "yaml-start", "%"),
        ("%b: 1\n", "yaml-start", "%"),
        ("a: - b\n", "yaml-start", "-"),
        ("a: *bold* text\n", "yaml-start", "*"),
        ("a: [, b]\n", "yaml-start", ","),
        ("a: 'b\nc: d\n", "yaml-quote", "'"),
        ("a: 'it's'\n", "yaml-quote", "s"),
        ('a: "b" of c\n', "yaml-quote", "o"),
        ("a: [1, 2\nb: 3\n", "yaml-bracket", "["),
        ("a: {b: 1\nc: 3\n", "yaml-bracket", "{"),
        ("a: ]\n", "yaml-bracket", "]"),
        ("a: {b: x in [1, 2]}\n", "yaml-bracket", "["),
        ("a: [1] b\n", "yaml-bracket", "b"),
        ("a: 1\n  b: 2\n", "yaml-indent", "b: 2"),
        ("a:\n    b: 1\n  c: 2\n", "yaml-indent", "c: 2"),
        ("a:\n  - x\n - y\n", "yaml-indent", "- y"),
        ("a:\n\tb: 1\n", "yaml-tab", "\t"),
        ("a:\n  b: 1\n\tc: 1\n", "yaml-tab", "\t"),
        ("a: b: c\n", "yaml-colon", ":"),
        ("a: 'b' c: d\n", "yaml-quote", "c"),
        ("a:b\nc: 2\n", "yaml-space", "a:"),
        ("x:\n  a:b\n  c: 2\n", "yaml-space", "a:"),
        ("x:\n  c: 2\n  a:b\n", "yaml-space", "a:"),
        ("a: 1\nb\nc: 2\n", "yaml-no-key", "b"),
        ("x: {f: least(a, b)}\n", "yaml-comma", ","),
        ("x: {label: Visits, orders}\n", "yaml-comma", ","),
        ("x: [least(a, b), c]\n", "yaml-comma", ","),
        ('a: f(x == "a #1")\n', "yaml-hash", "#"),
        ("a: f(x #1)\n", "yaml-hash", "#"),
        ("a: x == 'a #1'\n", "yaml-hash", "#"),
        ('a: "\\d"\n', "yaml-escape", "\\d"),
        ('a: "\\xZZ"\n', "yaml-escape", "\\x"),
        ("a: !ruby/object:X {}\n", "yaml-tag", "!ruby/object:X "),
        ("a: !!python/object/apply:os.system ['ls']\n", "yaml-tag", "!!python/object/apply:os.system "),
        ("a: !!int x\n", "yaml-tag", "!!int x"),
        ("a: !<x b\n", "yaml-tag", "!"),
        ("a: *b\n", "yaml-alias", "*b"),
        ("a: &b [*b]\n", "yaml-alias", "*b"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "yaml-merge", "<<"),
        ("? [a]\n: 1\n", "yaml-key", "["),
        ("a: {{ b }}\n", "yaml-key", "{"),
        ("a:\n  : 1\n", "yaml-key", ":"),
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", "a"),
        ("x: {a: 1, a: 2}\n", "duplicate-key", "a"),
        ("a: 1\n---\nb: 2\n", "several-documents", "---"),
        ("a: \x07\n", "bad-character", "\x07"),
        ("a: b\x00c\n", "bad-character", "\x00"),
        ("{a: 1}\nb: 2\n", "yaml-syntax", "b"),
        ("{a: [1, 2", "yaml-bracket", "["),
    ],
)
@pytest.mark.parametrize("parser", PARSERS)
def test_a_mistake_has_a_code_and_a_place(
    text: str, code: str, place: str, parser: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "_PARSER", parser)
    first = read(text).diagnostics[0]
    assert first.code == code
    assert first.span is not None
    assert text[first.span.start : first.span.end] == place


def test_what_only_looks_like_a_mistake_is_read() -> None:
    assert data("a: Customer's # of visits\n") == {"a": "Customer's"}
    assert data("a: x # y (z\n") == {"a": "x"}
    assert data("a: f(x)  # (a\n") == {"a": "f(x)"}
    assert data("a: {b: x y, c: 'd, e'}\n") == {"a": {"b": "x y", "c": "d, e"}}
    assert data("a: {b: , c: 1}\n") == {"a": {"b": None, "c": 1}}
    assert data("a: https://x.y/z\nb: 12:30\nc: <= 5%\nd: x >= 5\n") == {
        "a": "https://x.y/z", "b": "12:30", "c": "<= 5%", "d": "x >= 5",
    }  # fmt: skip
    assert data("a: >\n\nb: |\n") == {"a": "", "b": ""}


def test_duplicate_keys_show_both_places_and_the_first_stays() -> None:
    found = read("a: 1\nb: 2\na: 3\n")
    (problem,) = found.diagnostics
    assert problem.span is not None
    assert problem.notes[0].span is not None
    assert (problem.span.line, problem.notes[0].span.line) == (3, 1)
    assert isinstance(found.root, Fields)
    assert found.root.entries["a"].value.start == 3


def test_one_mistake_leaves_the_other_definitions() -> None:
    text = "kpis:\n  a: x\n  b:\n    thresholds: {good: >= 5%}\n    owner: me\n  c: y\n  d: 'it\n  e: z\n"
    text += "constants: {f: 1}\n"
    found = read(text)
    assert [d.code for d in found.diagnostics] == ["yaml-folded", "yaml-quote"]
    assert [(lost.section, lost.name) for lost in found.lost] == [("kpis", "b"), ("kpis", "d")]
    assert isinstance(found.root, Fields)
    kpis = found.root.entries["kpis"].value
    assert isinstance(kpis, Fields)
    assert list(kpis.entries) == ["a", "c", "e"]
    assert "constants" in found.root.entries


def test_a_lost_definition_keeps_its_keys() -> None:
    text = (
        "datasets:\n  log:\n    read: a.csv\n    fields: {x: {is: col('a [b]') c}}\n    events: {visit: a, 订单: 'b'}\n"
    )
    (lost,) = read(text).lost
    assert lost.keys == ("log", "read", "fields", "x", "is", "events", "visit", "订单")


def test_recovery_ends() -> None:
    text = "kpis:\n" + "".join(f"  k{i}: >= {i}\n" for i in range(100))
    found = read(text)
    assert set(codes(text)) == {"yaml-folded"}
    assert len(found.diagnostics) == document.MAX_RECOVERIES


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "{? "])
def test_depth_is_bounded(opening: str, parser: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_PARSER", parser)
    assert codes(opening * 60_000)[0] in ("too-deep", "yaml-key")


def test_the_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_NODES", 100)
    assert codes("a: [" + "1, " * 200 + "]\n") == ["too-many-values"]


def test_the_size_of_a_file_is_bounded() -> None:
    with pytest.raises(KpiError) as error:
        decode(b"a" * (document.MAX_BYTES + 1), "kpis.yml")
    assert error.value.diagnostics[0].code == "file-too-large"


def test_what_aliases_repeat_is_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    assert codes("\n".join(lines)) == ["too-many-aliases"]
    wide = "a: &a [" + "x, " * 1000 + "]\n" + "".join(f"b{i}: *a\n" for i in range(60))
    assert codes(wide) == ["too-many-aliases"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a: é\n".encode("utf-16"), "UTF-16"),
        ("a: é\n".encode("utf-16-le"), "UTF-16"),
        ("a: é\n".encode("utf-16-be"), "UTF-16"),
        ("a: é\n".encode("latin-1"), "byte 0xe9"),
        (b"a: \xff\n", "byte 0xff"),
        (b"a: \xed\xa0\x80\n", "byte 0xed"),
    ],
)
def test_other_encodings_are_named(written: bytes, words: str) -> None:
    with pytest.raises(KpiError) as error:
        decode(written, "kpis.yml")
    (problem,) = error.value.diagnostics
    assert problem.code == "bad-encoding"
    assert words in problem.message


def test_the_place_of_a_wrong_byte() -> None:
    with pytest.raises(KpiError) as error:
        decode("a: é\nb: ".encode() + b"\xe9\n", "kpis.yml")
    span = error.value.diagnostics[0].span
    assert span is not None
    assert (span.line, span.column) == (2, 4)
