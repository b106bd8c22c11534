"""Whatever is written, the parser ends in a tree or in errors that point into the text."""

from __future__ import annotations

import random

import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language.format import format_expr
from smartkpi.language.parse import reserved_words
from smartkpi.source import text_of
from tests.language.test_pairs import PARSE, read_pairs

CASES = 3_000  # of each kind
WORDS = [
    *sorted(reserved_words()),
    "all",
    "last",
    "at",
    "least",
    "most",
    "above",
    "below",
    "rows",
    "count",
    "sum",
    "order",
]
WORDS += ["visit", "buyer", "amount", "AND", "like", "订单", "é"]
SIGNS = [
    "+",
    "-",
    "*",
    "/",
    "^",
    "(",
    ")",
    ",",
    ".",
    "==",
    "<",
    ">=",
    "<>",
    "=",
    "!",
    "%",
    '"',
    "'",
    "；",
    "（",
    "\t",
    "\0",
]
VALUES = [
    "1",
    "0.5",
    "5%",
    "7d",
    "1e6",
    '"x"',
    "'y'",
    "90min",
    "12345678901234567890123456789012",
    "1_0",
    "\ud800",
    "🙂",
]


def check(section: str, written: str) -> None:
    try:
        tree = PARSE[section](text_of(written))
    except KpiError as error:
        (one,) = error.diagnostics
        assert one.span is not None
        assert one.message
        assert 0 <= one.span.start <= one.span.end <= len(written)
    else:
        assert PARSE[section](text_of(format_expr(tree))) == tree, written


@pytest.mark.parametrize("section", PARSE)
def test_words_in_any_order(section: str) -> None:
    dice = random.Random(7)
    parts = WORDS + SIGNS * 2 + VALUES
    for _ in range(CASES):
        words = dice.choices(parts, k=dice.randint(1, 12))
        check(section, dice.choice(["", " "]).join(words))


@pytest.mark.parametrize("section", PARSE)
def test_mutated_formulas(section: str) -> None:
    dice = random.Random(8)
    corpus = [written for _, written, _ in read_pairs()]
    for _ in range(CASES):
        text = list(dice.choice(corpus))
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(len(text) + 1)
            cut = place + dice.choice([0, 0, 1, 1, 4])
            text[place:cut] = dice.choice(["", dice.choice(WORDS), dice.choice(SIGNS), dice.choice(VALUES), " "])
        check(section, "".join(text))


@pytest.mark.parametrize("section", PARSE)
def test_any_characters(section: str) -> None:
    dice = random.Random(9)
    for _ in range(CASES):
        code = [dice.choice([dice.randrange(32, 127), dice.randrange(0x2FF), dice.randrange(0xFFFF)]) for _ in range(8)]
        check(section, "".join(map(chr, code)))
