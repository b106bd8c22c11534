"""The function table: its types against types.txt, its words, its examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartkpi.language import types as t
from smartkpi.language.functions import FUNCTIONS, SAMPLE, Function
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Apply
from smartkpi.language.types import Kind, Type, Unit
from smartkpi.language.units import Mismatch, describe
from smartkpi.source import text_of
from smartkpi.tree import walk

LINES = Path(__file__).with_name("types.txt")
TYPES = {
    "usd": Type(Kind.NUMBER, Unit("money", "USD")),
    "eur": Type(Kind.NUMBER, Unit("money", "EUR")),
    "money": Type(Kind.NUMBER, t.MONEY),
    "decimal": Type(Kind.NUMBER, Unit("money", "USD"), decimal=True),
    "bare": Type(Kind.NUMBER, t.BARE),
    "number": t.NUMBER,
    "whole": t.WHOLE,
    "duration": Type(Kind.NUMBER, t.DURATION),
    "score": Type(Kind.NUMBER, t.SCORE),
    "text": t.TEXT,
    "boolean": t.BOOLEAN,
    "time": t.TIME,
    "date": t.DATE,
    "null": t.NULL,
    "unknown": t.UNKNOWN,
}
NAMES = {type_: name for name, type_ in TYPES.items()}


def cases() -> list[str]:
    return [line for line in LINES.read_text("utf-8").splitlines() if line and not line.startswith("# ")]


def outcome(call: str) -> str:
    words = call.split()
    size = max(i for i in range(1, len(words) + 1) if " ".join(words[:i]) in FUNCTIONS)
    found = FUNCTIONS[" ".join(words[:size])].infer(tuple(TYPES[word] for word in words[size:]))
    if not isinstance(found, Mismatch):
        return NAMES[found]
    hint = f" | {found.hint}" if found.hint else ""
    return f"! {found.argument}: {found.message}{hint}"


@pytest.mark.parametrize("line", cases())
def test_types(line: str, update: bool) -> None:
    call, _, expected = line.partition(" => ")
    if not update:
        assert outcome(call) == expected


def test_update(update: bool) -> None:
    if update:
        lines = LINES.read_text("utf-8").splitlines()
        done = [line if not line or line.startswith("# ") else _answered(line) for line in lines]
        LINES.write_text("\n".join(done) + "\n", "utf-8")


def _answered(line: str) -> str:
    call = line.partition(" => ")[0].rstrip()
    return f"{call} => {outcome(call)}"


def test_mismatches_say_what_each_part_is() -> None:
    found = FUNCTIONS["+"].infer((TYPES["usd"], TYPES["bare"], TYPES["whole"]))
    assert isinstance(found, Mismatch)
    assert found.parts == ((0, "money in USD"), (2, "a plain number"))
    found = FUNCTIONS["if"].infer((t.BOOLEAN, t.TEXT, t.NUMBER))
    assert isinstance(found, Mismatch)
    assert found.parts == ((1, "text"), (2, "a plain number"))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_unknown_goes_with_anything(function: Function) -> None:
    """An unknown part silences its users: it is never what is wrong."""
    for size in range(5):
        found = function.infer((t.UNKNOWN,) * size)
        assert not isinstance(found, Mismatch) or found.parts == ()
        for other in TYPES.values():
            function.infer((other, *(t.UNKNOWN,) * size))  # never raises
            function.infer((*(t.UNKNOWN,) * size, other))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_functions_are_documented(function: Function) -> None:
    assert function.doc.endswith(".")
    assert function.doc[0].isupper() or function.doc[:2] in ("a ", "e ", "x ")
    sign = "-" if function.name == "neg" else function.name
    assert all(part in function.signature for part in sign.split())
    tree = parse_formula(text_of(function.example.expression))
    assert function.name in {node.function for node in walk(tree) if isinstance(node, Apply)}
    parse_formula(text_of(function.example.value))


def test_sample_has_equal_rows() -> None:
    for rows in SAMPLE.values():
        assert len({tuple(row) for row in rows}) == 1


def test_types_have_words() -> None:
    for type_ in TYPES.values():
        assert describe(type_)
