"""Scalars by YAML 1.2, and the place of each character in every style of writing them."""

from __future__ import annotations

import math
import random

import pytest
import yaml

from smartkpi.source import Span
from smartkpi.spec import document
from smartkpi.spec.scalars import resolve
from tests.spec.reading import PARSERS, read, scalars


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1:20:30", "1:20:30"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("+7", 7),
        ("-0", 0),
        ("1e", "1e"),
        ("-", "-"),
        (".", "."),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("5%", "5%"),
        ("=", "="),
        ("<<", "<<"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("９", "９"),
        ("1e999", math.inf),
        ("9" * 5000, "9" * 5000),
        ("0o8", "0o8"),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(written: str, value: object) -> None:
    assert resolve(written) == value
    assert type(resolve(written)) is type(value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(float(resolve(".nan") or 0))


STYLES = {
    "plain": "formula: order / ordr\n",
    "plain, several lines": "formula: order\n  /\n\n  ordr   # the rest\n",
    "single quotes": "formula: 'order / ordr'\n",
    "single quotes with one inside": "formula: 'x == ''a'' and ordr'\n",
    "single quotes, several lines": "formula: 'order\n   /   \n\n  ordr'\n",
    "double quotes": 'formula: "order / ordr"\n',
    "double quotes with escapes": 'formula: "x == \\"\\u00e9\\x41\\U0001F600\\n\\" and ordr"\n',
    "double quotes, several lines": 'formula: "order\\\n    /  \\\n\n  \\ x\n   ordr"\n',
    "literal": "formula: |\n  order\n    /\n\n  ordr\n",
    "literal, stripped": "formula: |-\n   order /\n   ordr\n",
    "literal, kept": "formula: |+\n  order /\n  ordr\n\n\nother: x\n",
    "literal, indentation said": "formula: |2\n     order /\n  ordr\n",
    "literal behind a comment": "formula: | # how it is computed\n  order / ordr\n",
    "folded": "formula: >\n  order\n  /\n\n  ordr\n",
    "folded, deeper lines": "formula: >-\n  order\n    / x\n   \n  /\n  ordr\n",
    "folded, indentation and strip": "formula: >-2\n    order\n  / ordr\n",
    "in a flow mapping": "{formula: order / ordr}\n",
    "behind an anchor": "formula: &f order / ordr\n",
    "behind an anchor and a tag": "formula: &f !!str 'order / ordr'\n",
    "behind a tag on a line of its own": "formula: !!str\n  order / ordr\n",
    "wide letters before": "类别: 😀\nformula: 転化 / ordr\n",
    "line separators of YAML 1.1": "label: a\u2028b\x85c\u2029d\nformula: a\u2028 / ordr\n",
}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "bom"])
@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES.keys())
def test_a_word_of_a_formula_is_found_in_the_file(
    text: str, bom: str, end: str, parser: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "_PARSER", parser)
    read_in = read(bom + text.replace("\n", end))
    assert not read_in.diagnostics
    formula = next(s for s in scalars(read_in.root) if "ordr" in s.written).text
    start = formula.value.index("ordr")
    span = formula.at(start, start + 4)
    assert _shown(span) == "ordr"
    line = next(number for number, line in enumerate(text.split("\n"), 1) if "ordr" in line)
    assert (span.line, span.column) == (line, text.split("\n")[line - 1].index("ordr") + 1)


def test_a_text_ends_behind_its_last_character() -> None:
    for text in STYLES.values():
        formula = next(s for s in scalars(read(text).root) if "ordr" in s.written).text
        written = formula.value.rstrip("\n")
        assert _shown(formula.at(len(written) - 4, len(written))) == "ordr"
        end = formula.at(len(formula.value), len(formula.value))
        assert end.source.position(end.start) >= formula.span.source.position(formula.at(0, 1).start)


def _shown(span: Span) -> str:
    return span.source.text[span.start : span.end]


WORDS = [
    "ab", "c", "é", "😀", "x y", "'", "''", '"', '\\"', "\\n", "\\u00e9", "\\\n  ", " ", "  ", "\n", "\n\n", "\n  ",
    "\n   ", "\n\n\n    ", "\r\n  ", "\t", "#", "(", ")", "1", "\u2028", "\x85 ",
]  # fmt: skip
LINES = ["", "ab", "é c", "  d", "\te", "x  ", "😀", " ", " q "]


def _draw(chance: random.Random) -> str:
    """Return a mapping whose value is written in some style, often badly."""
    style = chance.choice(["", "'", '"', "|", ">"])
    properties = chance.choice(["", "&x ", "!!str "])
    if style not in ("|", ">"):
        body = "".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 9)))
        return f"a: {properties}{style}{body}{style}\nb: c\n"
    end = chance.choice(["\n", "\r\n"])
    header = style + chance.choice(["", "-", "+", "2", "1-", "+2", " # c"])
    indent = chance.choice(["  ", "    "])
    lines = [chance.choice(LINES) for _ in range(chance.randrange(1, 6))]
    return f"a: {header}{end}" + "".join((indent + line if line else "") + end for line in lines) + "b: c\n"


@pytest.mark.parametrize("parser", PARSERS)
def test_every_character_stands_where_it_is_said_to(parser: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_PARSER", parser)
    placed = 0
    for seed in range(3000):
        read_in = read(_draw(random.Random(seed)))
        for scalar in scalars(None if read_in.lost else read_in.root):
            text, file = scalar.text, read_in.source.text
            assert text.value == scalar.written
            if text.offsets is None:
                assert file[text.span.start :].startswith(text.value)
                continue
            assert len(text.offsets) == len(text.value) + 1
            assert list(text.offsets) == sorted(text.offsets)
            for letter, offset in zip(text.value, text.offsets, strict=False):
                there = file[offset]
                assert there in (letter, "\\") or (letter in " \n" and there in "\r\n") or not text.value.strip()
            placed += 1
    assert placed > 500


@pytest.mark.skipif(not hasattr(yaml, "CBaseLoader"), reason="no libyaml")
def test_both_parsers_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(1500):
        text = _draw(random.Random(seed)).replace("\t", " ")  # of a tab in an indentation they think differently
        seen = []
        for parser in PARSERS:
            monkeypatch.setattr(document, "_PARSER", parser)
            read_in = read(text)
            seen.append([(s.written, s.text.at(0, len(s.written))) for s in scalars(read_in.root) if not read_in.lost])
        assert seen[0] == seen[1], text
