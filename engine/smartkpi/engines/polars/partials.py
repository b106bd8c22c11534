"""Partials: the exact sums, counts and extremes of row values that additive cells are made of.

Sums of money are whole micro units, sums of whole numbers 128 bits wide. Other floats are split into a high part, a
multiple of 2^-40 that adds up exactly, and the rest below it: so a sum does not depend on the order of the rows.
Amounts and whole numbers of 10^20 and above would leave the 128 bits: guards find them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from smartkpi.engines.exact import HUGE, MICROS, SCALE
from smartkpi.engines.polars.expressions import Rows, Typed, compile_row, conditions, number
from smartkpi.language.types import Kind
from smartkpi.plan.nodes import Cell
from smartkpi.semantics.formula import Column, Expr
from smartkpi.tree import walk

ROWS = "__n"
LIMIT = 10**20
LARGEST_FLOAT = 1.7976931348623157e308

Use = tuple[str, Expr | None, tuple[Expr, ...]]
"""A partial: what (rows count whole micro high low min max), of which argument, under which filters."""


def uses_of(cell: Cell, moved: tuple[Expr, ...]) -> list[Use]:
    """Return the partials that a cell is made of; the first is the number of rows under its conditions."""
    uses: list[Use] = [("rows", None, moved)]
    if cell.argument is None:
        return uses
    match cell.aggregate:
        case "sum":
            kinds = sum_kinds(cell)
        case "weight":
            kinds = ("count", "whole", "min")
        case "present":
            kinds = ("count",)
        case _:
            kinds = (cell.aggregate,)
    return uses + [(kind, cell.argument, moved) for kind in kinds]


def sum_kinds(cell: Cell) -> tuple[str, ...]:
    """Return the exact partials of a sum: micro units of money, whole numbers, or a high and a low part."""
    if cell.type.unit.name == "money":
        return ("micro",)
    return ("whole",) if cell.type.whole else ("high", "low")


@dataclass(slots=True)
class Partials:
    """Where each partial stands, the columns to add to the rows, in order, and the aggregates over them.

    ``guards`` name, by argument, the aggregates that say whether a value is too large to be added; ``suspects``, by
    column of floats, those that say whether a value is no number or too large: one look in the rare case tells which.
    ``exact`` are the columns of floats whose values are added exactly.
    """

    rows: Rows
    names: dict[Use, str] = field(default_factory=dict)
    inputs: dict[tuple[str, Expr | tuple[Expr, ...]], str] = field(default_factory=dict)
    layers: tuple[list[pl.Expr], list[pl.Expr], list[pl.Expr]] = field(default_factory=lambda: ([], [], []))
    aggregates: list[pl.Expr] = field(default_factory=list)
    guards: dict[Expr, str] = field(default_factory=dict)
    suspects: dict[str, str] = field(default_factory=dict)
    exact: set[str] = field(default_factory=set)

    def add(self, use: Use) -> None:
        """Add a partial, if it is new."""
        if use in self.names:
            return
        kind, argument, under = use
        self.names[use] = ROWS if use == ("rows", None, ()) else f"__a{len(self.names)}"
        mask = pl.col(self._filter(under)) if under else None
        if argument is None:
            size = pl.len() if mask is None else mask.sum()
            self.aggregates.append(size.cast(pl.Int64).alias(self.names[use]))
            return
        if kind in ("micro", "whole"):
            self._guard(argument)
        self._watch(argument)
        value = pl.col(self._input(kind, argument))
        self.aggregates.append(_aggregate(kind, value if mask is None else value.filter(mask)).alias(self.names[use]))

    def add_to(self, frame: pl.LazyFrame, columns: list[pl.Expr]) -> pl.LazyFrame:
        """Return the rows with further columns and those that the aggregates read; the first layer shares its work."""
        for layer in (columns + self.layers[0], *self.layers[1:]):
            if layer:
                frame = frame.with_columns(layer)
        return frame

    def _guard(self, argument: Expr) -> None:
        if isinstance(argument, Column) and self.rows.dtypes[argument.name].is_float():
            self.exact.add(argument.name)
            return
        large = None if argument in self.guards else _too_large(argument, self.rows)
        if large is not None:
            self.guards[argument] = f"__g{len(self.guards)}"
            column = pl.col(self._place(0, "large", argument, large))
            self.aggregates.append(column.any().alias(self.guards[argument]))

    def _watch(self, argument: Expr) -> None:
        """Look out for NaN and infinity in the columns of an argument: they are read as null, which is to be said."""
        for node in walk(argument):
            if isinstance(node, Column) and node.name not in self.suspects and self.rows.dtypes[node.name].is_float():
                self.suspects[node.name] = f"__s{len(self.suspects)}"
                fine = pl.col(node.name).abs() < LIMIT
                self.aggregates.append((~fine).any().alias(self.suspects[node.name]))

    def _filter(self, under: tuple[Expr, ...]) -> str:
        together = conditions(under, self.rows)
        assert together is not None
        return self._place(0, "filter", under, together)

    def _input(self, kind: str, argument: Expr) -> str:
        """Return the column that a partial aggregates; what a high or low part is made of comes in earlier layers."""
        typed = compile_row(argument, self.rows)
        if typed.kind is Kind.NULL:  # a column without any value has no type to add up
            typed = Typed(typed.expr.cast(pl.Float64), Kind.NUMBER)
        match kind:
            case "high":
                value = pl.col(self._input("value", argument))
                return self._place(1, kind, argument, _high(value))
            case "low":
                value = pl.col(self._input("value", argument))
                high = pl.col(self._input("high", argument))
                return self._place(2, kind, argument, value - high.cast(pl.Float64) / SCALE)
            case "whole" | "micro":
                return self._place(0, kind, argument, _whole(typed) if kind == "whole" else _micro(typed))
            case "count" if typed.kind not in (Kind.NUMBER, Kind.NULL):
                return self._place(0, kind, argument, typed.expr)
            case _:
                return self._place(0, "value", argument, plain(typed))

    def _place(self, layer: int, kind: str, of: Expr | tuple[Expr, ...], made: pl.Expr) -> str:
        if (kind, of) not in self.inputs:
            self.inputs[kind, of] = f"__m{len(self.inputs)}"
            self.layers[layer].append(made.alias(self.inputs[kind, of]))
        return self.inputs[kind, of]


def partials_of(cells: Sequence[Cell], moved: Sequence[tuple[Expr, ...]], rows: Rows) -> Partials:
    """Return the partials of all cells, each once; ``moved`` are the conditions of each cell that filter partials."""
    partials = Partials(rows)
    partials.add(("rows", None, ()))
    for cell, under in zip(cells, moved, strict=True):
        for use in uses_of(cell, under):
            partials.add(use)
    return partials


def plain(typed: Typed) -> pl.Expr:
    """Return a number as a float; what turns out to be of another kind is none."""
    return number(typed) if typed.kind in (Kind.NUMBER, Kind.NULL) else pl.lit(None, dtype=pl.Float64)


def _too_large(argument: Expr, rows: Rows) -> pl.Expr | None:
    """Return whether a value is too large to be added exactly, None where its type keeps it small."""
    typed = compile_row(argument, rows)
    dtype = rows.dtypes.get(argument.name) if isinstance(argument, Column) else None
    if typed.kind is not Kind.NUMBER or typed.narrow or dtype in (pl.Int64, pl.UInt64):
        return None
    if isinstance(dtype, pl.Decimal) and (dtype.precision or 38) - dtype.scale <= 20:
        return None
    value = number(typed) if typed.raw is None else typed.raw
    return value.abs().is_between(float(LIMIT), LARGEST_FLOAT)


def _whole(typed: Typed) -> pl.Expr:
    """Return a whole number in so many bits that sums do not wrap."""
    if typed.whole:
        return typed.expr.cast(pl.Int64 if typed.narrow else pl.Int128)
    return number(typed).cast(pl.Int128, strict=False)


def _micro(typed: Typed) -> pl.Expr:
    """Return money in whole micro units, rounded half to even; NaN and infinity become null on the way."""
    if typed.decimal:
        return typed.expr.cast(pl.Decimal(38, 6), strict=False).to_physical().cast(pl.Int128)
    if typed.whole:
        return typed.expr.cast(pl.Int128) * MICROS
    value = number(typed) if typed.raw is None else typed.raw
    return (value * MICROS).round(0, mode="half_to_even").cast(pl.Int128, strict=False)


def _high(value: pl.Expr) -> pl.Expr:
    whole = (value * SCALE).round(0).cast(pl.Int128, strict=False)
    return pl.when(value.abs() < HUGE).then(whole).when(value.is_not_null()).then(pl.lit(0, pl.Int128))


def _aggregate(kind: str, value: pl.Expr) -> pl.Expr:
    match kind:
        case "count":
            return value.count().cast(pl.Int64)
        case "min":
            return value.min()
        case "max":
            return value.max()
        case _:
            return value.sum()
