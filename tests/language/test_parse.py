"""Spans through every style of text, limits, threads and speed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language import syntax, tables
from smartkpi.language.build import MOST_PARTS
from smartkpi.language.parse import DEEPEST, LONGEST, parse_formula
from smartkpi.source import Source, Span, Text, text_of
from smartkpi.tree import walk


def shifted(value: str, by: int = 7) -> Text:
    """A text whose characters stand two apart in its source, as doubled quotes of YAML or folded lines make them."""
    source = Source("<yaml>", "#" * by + "".join(f"{character}\\" for character in value) + "\n")
    offsets = tuple(by + 2 * i for i in range(len(value) + 1))
    return Text(value, Span(source, by, by + 2 * len(value)), offsets)


def written(node: object) -> str:
    span: Span = node.span  # type: ignore[attr-defined]
    return span.source.text[span.start : span.end]


def test_spans_cover_what_was_written() -> None:
    tree = parse_formula(text_of('if((a + b)/c >= 5%, sum(order.amount where not x), -"t" ^ 2) - （d－e） - f'))
    found = {written(node) for node in walk(tree) if isinstance(node, syntax.Apply | syntax.Where | syntax.Name)}
    assert "(a + b)/c >= 5%" in found
    assert "a + b" in found
    assert "(a + b)/c" in found
    assert "order.amount where not x" in found
    assert '-"t" ^ 2' in found
    assert "d－e" in found
    whole = '(if((a + b)/c >= 5%, sum(order.amount where not x), -"t" ^ 2) - （d－e）'
    assert whole[1:] in found
    names = {n.span.source.text[n.name_span.start : n.name_span.end] for n in walk(tree) if isinstance(n, syntax.Apply)}
    assert names == {"if", ">=", "/", "+", "sum", "not", "-", "^", "－"}


def test_spans_follow_the_offsets_of_the_text() -> None:
    text = shifted("a + order.amount * 2")
    tree = parse_formula(text)
    assert isinstance(tree, syntax.Apply)
    name = next(node for node in walk(tree) if isinstance(node, syntax.Name) and node.parts[0] == "order")
    assert name.span == text.at(4, 16)
    assert tree.name_span == text.at(2, 3)
    assert tree.span == text.at(0, 20)
    with pytest.raises(KpiError) as raised:
        parse_formula(shifted("a + (b"))
    assert raised.value.diagnostics[0].span == shifted("a + (b").at(4, 5)


def test_spans_are_no_part_of_equality() -> None:
    assert parse_formula(text_of("a+b")) == parse_formula(text_of("a  +\n b"))


def _code(value: str) -> str:
    with pytest.raises(KpiError) as raised:
        parse_formula(text_of(value))
    return raised.value.diagnostics[0].code


def test_length_is_bounded() -> None:
    assert isinstance(parse_formula(text_of("a" + " " * (LONGEST - 1))), syntax.Name)
    assert _code("a" + " " * LONGEST) == "formula-too-large"


@pytest.mark.parametrize("sign", ["+", "*", "and", "or"])
def test_chains_are_flat_and_bounded(sign: str) -> None:
    tree = parse_formula(text_of(f" {sign} ".join(["a"] * MOST_PARTS)))
    assert isinstance(tree, syntax.Apply)
    assert len(tree.args) == MOST_PARTS
    assert _code(f" {sign} ".join(["a"] * (MOST_PARTS + 1))) == "formula-too-large"


@pytest.mark.parametrize(
    "deep",
    ["-" * 5000 + "1", "not " * 3000 + "a", "f(" * 3000 + "1" + ")" * 3000, "2^" * 3000 + "2", "1" + "-1" * 3000,
     "(a)." + ".".join(["b"] * 3000), "(" * 900 + "a where b" + ") where b" * 900],
)  # fmt: skip
def test_depth_is_bounded(deep: str) -> None:
    assert _code(deep) in ("formula-too-deep", "syntax", "unclosed-parenthesis")
    assert _code(deep[: len(deep) // 2] + "+") in ("formula-too-deep", "syntax", "unclosed-parenthesis")


def test_depth_at_the_bound_is_taken() -> None:
    assert isinstance(parse_formula(text_of("-" * (DEEPEST - 1) + "a")), syntax.Apply)
    assert _code("-" * DEEPEST + "a") == "formula-too-deep"
    assert isinstance(parse_formula(text_of("(" * 5000 + "a" + ")" * 5000)), syntax.Name)


def test_threads_share_the_tables() -> None:
    tables.load_tables.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(lambda i: parse_formula(text_of(f"a{i % 5} + b")), range(200)))
    assert all(tree == trees[i % 5] for i, tree in enumerate(trees))


def test_a_thousand_formulas_are_read_at_once() -> None:
    """Measured 0.07 s; the bound leaves room for slow and busy machines."""
    texts = [text_of(f'sum(order.amount where channel == "c{i}") / count(order)') for i in range(1000)]
    tables.load_tables.cache_clear()
    started = time.process_time()
    for text in texts:
        parse_formula(text)
    assert time.process_time() - started < 0.5
