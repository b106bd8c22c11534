"""The types of columns: from Polars' data types to the language's."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from smartkpi.language.types import BOOLEAN, DATE, DURATION, NUMBER, PLAIN, TEXT, TIME, UNKNOWN, WHOLE, Kind, Type


def type_of(dtype: pl.DataType) -> Type | None:
    """Return the type of a column, or None where the language has none (lists, structs, times of day, bytes)."""
    if dtype.is_integer():
        return WHOLE
    if dtype.is_float():
        return NUMBER
    match dtype:
        case pl.Decimal():
            return Type(Kind.NUMBER, PLAIN, decimal=True)
        case pl.String() | pl.Categorical() | pl.Enum():
            return TEXT
        case pl.Boolean():
            return BOOLEAN
        case pl.Date():
            return DATE
        case pl.Datetime():
            return TIME
        case pl.Duration():
            return Type(Kind.NUMBER, DURATION)
        case pl.Null():
            return UNKNOWN
        case _:
            return None


def types_of(schema: Mapping[str, pl.DataType]) -> dict[str, Type]:
    """Return the types of all columns that the language can use; the others are no fields."""
    types = {name: type_of(dtype) for name, dtype in schema.items()}
    return {name: type_ for name, type_ in types.items() if type_ is not None}
