"""Conditions on values as Polars expressions: true, false, or not known (null) where what they compare is null.

What is not known stays so by the rules of Kleene: `a and b` is false where one of them is, whatever the other is.
"""

from __future__ import annotations

from collections.abc import Callable
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
    InGroup,
    Literal,
    LookedUp,
    Per,
    Reference,
    Shifted,
    Windowed,
)
from smartkpi.tree import walk

Columns = Callable[[str, Apply | None], pl.Expr]
"""What a name stands for, where it is an argument of some comparison."""


def _held(name: str, _: Apply | None) -> pl.Expr:
    return pl.col("value" if name == "value" else f".{name}")


def holds(condition: Expr, columns: Columns = _held) -> pl.Expr:
    """Return whether a condition holds over rows, with the columns that its names stand for; null: not known."""
    return _value(condition, columns, None)


def lacking(condition: Expr) -> pl.Expr:
    """Return the names, with commas, of what a condition looks at and rows have no value of."""
    names = dict.fromkeys(node.name for node in walk(condition) if isinstance(node, Field) and node.name != "value")
    missing = [pl.when(pl.col(f".{name}").is_null()).then(pl.lit(f"`{name}`")) for name in names]
    return pl.concat_str(missing or [pl.lit("")], separator=", ", ignore_nulls=True)


def _value(expr: Expr, columns: Columns, around: Apply | None) -> pl.Expr:
    match expr:
        case Literal():
            return _literal(expr)
        case Field(name=name):
            return columns(name, around)
        case Apply(function="and"):
            return pl.all_horizontal(_value(arg, columns, expr) for arg in expr.args)
        case Apply(function="or"):
            return pl.any_horizontal(_value(arg, columns, expr) for arg in expr.args)
        case Apply(function="not"):
            return ~_value(expr.args[0], columns, expr)
        case Apply():
            args = [_value(arg, columns, expr) for arg in expr.args]
            if expr.function not in COMPARISONS:
                return SCALAR[expr.function](*args)
            known = [_rounded(arg, one) for arg, one in zip(args, expr.args, strict=True)]
            unknown = pl.any_horizontal(arg.is_null() for arg in args)
            return pl.when(~unknown).then(SCALAR[expr.function](*known))
        case Column() | LookedUp() | InGroup() | Aggregate() | Reference() | Across() | Per() | Windowed() | Shifted():
            raise AssertionError(f"not a condition over values: {expr}")
        case _:
            assert_never(expr)


def _rounded(value: pl.Expr, expr: Expr) -> pl.Expr:
    """Return a number with 12 digits, as values have them: 1.1 * 10 is 11."""
    if isinstance(expr, Literal) or expr.type.kind is not Kind.NUMBER:
        return value
    return value.map_batches(round_significant, return_dtype=pl.Float64)


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
