"""Whatever tree there is, its canonical text is read as the same tree."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from smartkpi.language.format import format_expr, format_grouped, show_tree
from smartkpi.language.parse import parse_band, parse_formula
from smartkpi.language.syntax import Band, Expr
from smartkpi.source import text_of
from tests.language.trees import SPAN, TREES


@given(TREES)
def test_format_is_read_back(tree: Expr) -> None:
    text = format_expr(tree)
    again = parse_formula(text_of(text))
    assert again == tree, text
    assert format_expr(again) == text
    assert show_tree(again) == show_tree(tree)


@given(TREES)
def test_grouped_text_is_read_back(tree: Expr) -> None:
    assert parse_formula(text_of(format_grouped(tree))) == tree


@given(TREES, TREES)
def test_bands_are_read_back(low: Any, high: Any) -> None:
    for band in (
        Band("between", (low, high), SPAN),
        *(Band(sign, (low,), SPAN) for sign in (">=", "<=", ">", "<", "==", "!=")),  # type: ignore[arg-type]
    ):
        assert parse_band(text_of(format_expr(band))) == band
