"""grammar.lark, the tables made of it, and Lark's own reading of it say the same."""

from __future__ import annotations

import json
import logging
import random

import lark
import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language.build import BUILDERS
from smartkpi.language.compile import GRAMMAR, STARTS, TABLES, compile_grammar, render_tables
from smartkpi.language.complain import OPERATORS, PHRASES, VALUES
from smartkpi.language.parse import FULL_WIDTH, SOFT, is_name, parse_formula, reserved_words
from smartkpi.language.tables import load_tables
from smartkpi.source import text_of
from tests.language.test_pairs import PARSE, read_pairs

PIECES = ["and", "or", "not", "in", "is", "null", "between", "where", "then", "by", "per", "first", "as"]


@pytest.fixture(scope="module")
def by_lark() -> lark.Lark:
    """Lark's contextual lexer takes a word for a name wherever the word cannot stand; ours are reserved."""
    reserved = "|".join(sorted(reserved_words()))
    grammar = GRAMMAR.read_text("utf-8").replace("NAME: /", rf"NAME: /(?!(?:{reserved})(?!\w))")
    return lark.Lark(grammar, parser="lalr", lexer="contextual", start=list(STARTS))


def test_tables_are_fresh() -> None:
    tables = compile_grammar(GRAMMAR.read_text("utf-8"))
    assert render_tables(tables) == TABLES.read_text("utf-8"), "run `python -m smartkpi.language.compile`"
    assert json.loads(TABLES.read_text("utf-8")) == tables


def test_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    level = lark.logger.level
    lark.logger.setLevel(logging.DEBUG)
    try:
        with caplog.at_level(logging.DEBUG, logger="lark"):
            lark.logger.propagate = True
            lark.Lark(GRAMMAR.read_text("utf-8"), parser="lalr", start=list(STARTS), debug=True)
    finally:
        lark.logger.setLevel(level)
    assert not [record.getMessage() for record in caplog.records if "onflict" in record.getMessage()]


def test_every_rule_has_a_builder() -> None:
    callbacks = {callback for _, callback, _, _ in json.loads(TABLES.read_text("utf-8"))["rules"]} - {"", "_"}
    assert callbacks == set(BUILDERS)


def test_every_terminal_has_words() -> None:
    tables = load_tables()
    kinds = {kind for row in tables.states for kind in row if kind.isupper() or kind == "$END"}
    starts = {"AT_LEAST", "AT_MOST", "ABOVE", "BELOW", "ALL_ROWS"}  # where they may stand, a name may too
    assert kinds <= set(PHRASES) | VALUES | OPERATORS | starts


def test_lark_reads_the_same(by_lark: lark.Lark) -> None:
    """The corpus, and words in random order, are taken or refused by both."""
    dice = random.Random(5)
    words = ["a", "b", "visit", "5%", "7d", "1", "'x'", *"+-*/^(),.<", "==", *PIECES]
    texts = [(section, written) for section, written, expected in read_pairs() if expected.startswith("=")]
    texts += [(dice.choice(STARTS), " ".join(dice.choices(words, k=dice.randint(1, 8)))) for _ in range(2000)]
    for section, written in texts:
        assert _taken_by_lark(by_lark, section, written.translate(FULL_WIDTH)) == _taken(section, written), written


def _taken_by_lark(parser: lark.Lark, section: str, written: str) -> bool:
    try:
        parser.parse(written, start=section)
    except lark.UnexpectedInput:
        return False
    return True


MEANING = (
    "a step is made of",
    "no event",
    "no band",
    "comparisons cannot",
    "stands twice in",
    "in one chain",
    "no field",
)
"""What the tables take and the builders refuse."""


def _taken(section: str, written: str) -> bool:
    try:
        PARSE[section](text_of(written))
    except KpiError as error:
        return any(part in error.diagnostics[0].message for part in MEANING)
    return True


def test_reserved_words() -> None:
    for word in sorted(reserved_words()):
        assert not is_name(word)
        with pytest.raises(KpiError):
            parse_formula(text_of(f"order.{word}"))
    for name in ("all", "last", "above", "at", "订单", "हिन्दी", "ordr", "iff"):
        assert is_name(name)
        parse_formula(text_of(f"{name} + order.{name}"))
    soft = {word for word, kind in load_tables().words.items() if kind in SOFT}
    assert soft == {"all", "last", "above", "below"}
