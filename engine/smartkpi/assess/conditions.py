"""Conditions on values as Polars expressions: true, false, or not known where they compare something that is null."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import assert_never

import polars as pl

from smartkpi.derive.rounding import round_significant
from smartkpi.engines.polars.functions import SCALAR
from smartkpi.language.functions import COMPARISONS
from smartkpi.language.types import Kind
from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Apply,
    Column,
    Expr,
    Field,
    Literal,
    LookedUp,
    Per,
    Reference,
    Shifted,
    Windowed,
)
from smartkpi.tree import walk


def holds(condition: Expr) -> pl.Expr:
    """Return whether a condition holds over rows with what they are held against; null where that is not known."""
    unknown = [_value(arg).is_null() for node in _compared(condition) for arg in node.args]
    return pl.when(~pl.any_horizontal(pl.lit(value=False), *unknown)).then(_value(condition))


def lacking(condition: Expr) -> pl.Expr:
    """Return the names, with commas, of what a condition looks at and rows have no value of."""
    names = dict.fromkeys(node.name for node in walk(condition) if isinstance(node, Field) and node.name != "value")
    missing = [pl.when(pl.col(f".{name}").is_null()).then(pl.lit(f"`{name}`")) for name in names]
    return pl.concat_str(missing or [pl.lit("")], separator=", ", ignore_nulls=True)


def _compared(condition: Expr) -> Iterator[Apply]:
    for node in walk(condition):
        if isinstance(node, Apply) and node.function in COMPARISONS:
            yield node


def _value(expr: Expr) -> pl.Expr:
    match expr:
        case Literal():
            return _literal(expr)
        case Field(name="value"):
            return pl.col("value")
        case Field(name=name):
            return pl.col(f".{name}")
        case Apply():
            args = [_value(arg) for arg in expr.args]
            if expr.function in COMPARISONS:  # of 12 digits both, as values are: 1.1 * 10 is 11
                args = [
                    arg.map_batches(round_significant, return_dtype=pl.Float64)
                    if known.type.kind is Kind.NUMBER and not isinstance(known, Literal)
                    else arg
                    for arg, known in zip(args, expr.args, strict=True)
                ]
            return SCALAR[expr.function](*args)
        case Column() | LookedUp() | Aggregate() | Reference() | Across() | Per() | Windowed() | Shifted():
            raise AssertionError(f"not a condition over values: {expr}")
        case _:
            assert_never(expr)


def _literal(literal: Literal) -> pl.Expr:
    match literal.value:
        case Decimal():
            return pl.lit(float(literal.value))
        case None:
            return pl.lit(None, dtype=pl.Float64)
        case bool() | str() | date():
            return pl.lit(literal.value)
        case _:
            assert_never(literal.value)
