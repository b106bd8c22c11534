"""Additive cells in one pass, on two levels (rule 2 of the plan shapes measured).

Level 1 groups the rows by finest period, dimensions, discriminators and a bit mask of the remaining conditions, with a
few exact partials. Level 2 adds up, on that small table, what each cell wants at each grain. So sixty conditions cost
sixty bits, not sixty passes or branches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_

import polars as pl

from smartkpi.engines.polars.compile import Keys, Opened, clock_of_scan, counted, decided, grouped, keys_of
from smartkpi.engines.polars.estimate import Layout
from smartkpi.engines.polars.expressions import Rows, condition
from smartkpi.engines.polars.partials import Use, partials_of
from smartkpi.engines.polars.slices import Bounds
from smartkpi.engines.polars.times import Clock, before, key_of, within
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Scan
from smartkpi.semantics.formula import Expr

PERIOD_KEY, CUT, LATEST = "__p", "__cut", "__latest"
WORD = 63
WIDTHS = {8: pl.UInt8, 16: pl.UInt16, 32: pl.UInt32, 64: pl.UInt64}


@dataclass(frozen=True, slots=True)
class Level1:
    """The first level of a scan: its query, and where the second finds things in the small table.

    ``unit`` is the grain of the periods in the small table (None: it has none), ``names`` all that it is grouped by.
    ``masks`` has for each cell the condition on the small table (None: all of it); ``partials`` where each partial
    stands; ``moved`` the conditions that are not bits but filters of partials; ``guards`` the columns that say whether
    a value was too large to be added; ``suspects``, by column of the data, those that say whether to look closer, and
    ``exact`` which of these columns are added exactly. ``covers`` says that coverage can be read off the result; the
    latest time stands in it by group unless the days tell it or a look at the last day is cheaper.
    """

    query: pl.LazyFrame = field(repr=False)
    clock: Clock | None
    unit: Grain | None
    names: tuple[str, ...]
    keys: Keys
    masks: tuple[pl.Expr | None, ...] = field(repr=False)
    moved: tuple[tuple[Expr, ...], ...]
    partials: dict[Use, str]
    guards: tuple[str, ...]
    suspects: dict[str, str]
    exact: frozenset[str]
    covers: bool

    @property
    def hours(self) -> bool:
        """Whether the periods are hours."""
        return self.unit is Grain.HOUR


@dataclass(frozen=True, slots=True)
class Codes:
    """Conditions by number, in words of at most 63 bits."""

    bits: dict[Expr, int]

    def columns(self, rows: Rows) -> list[pl.Expr]:
        """Return the words as columns of the rows."""
        words: dict[int, list[pl.Expr]] = {}
        for expr, bit in self.bits.items():
            word = bit // WORD
            value = pl.lit(1 << bit % WORD, self.dtype(word))
            flag = pl.when(condition(expr, rows)).then(value).otherwise(pl.lit(0, self.dtype(word)))
            words.setdefault(word, []).append(flag)
        return [reduce(or_, flags).alias(f"__c{word}") for word, flags in words.items()]

    def dtype(self, word: int) -> type[pl.DataType]:
        """Return the narrowest type that holds a word: keys are hashed by their bytes."""
        size = min(WORD, len(self.bits) - word * WORD)
        return next(dtype for width, dtype in WIDTHS.items() if size <= width)

    def names(self) -> list[str]:
        """Return the names of the words."""
        return [f"__c{word}" for word in range(-(-len(self.bits) // WORD))]

    def mask(self, exprs: Iterable[Expr]) -> list[pl.Expr]:
        """Return, over the small table, that conditions hold."""
        words: dict[int, int] = {}
        for expr in exprs:
            bit = self.bits[expr]
            words[bit // WORD] = words.get(bit // WORD, 0) | 1 << bit % WORD
        masks = {word: pl.lit(mask, self.dtype(word)) for word, mask in words.items()}
        return [pl.col(f"__c{word}") & mask == mask for word, mask in masks.items()]


def first_level(
    opened: Opened,
    scan: Scan,
    covers: bool,
    bounded: bool,
    layout: Layout,
    calendar: Calendar,
    span: Bounds = (None, None),
) -> Level1:
    """Compile the first level of a scan, of rows of the days of a span.

    ``covers``: rows without time or past the as-of stay, told apart by keys, since coverage is read off the result.
    ``bounded``: a range is to be cut from grain `all`, so days are wanted.
    """
    rows = opened.rows
    clock = clock_of_scan(scan, rows)
    unit = None if clock is None else _unit(scan, covers, bounded)
    keys = keys_of(scan, rows, layout.discriminators)
    split = [_split(cell, keys, layout.moved) for cell in scan.cells]
    codes = Codes({expr: bit for bit, expr in enumerate(dict.fromkeys(e for _, bits, _ in split for e in bits))})
    masks = tuple(_mask(decided_, bits, codes, rows, keys) for decided_, bits, _ in split)
    columns = [*keys.exprs, *codes.columns(rows)]
    names = [*keys.dimensions, *keys.others, *codes.names()]
    if clock is not None and unit is not None:
        columns.append(key_of(clock, unit, calendar).alias(PERIOD_KEY))
        names.append(PERIOD_KEY)
    if clock is not None and covers and opened.edge is not None:
        columns.append((~before(clock, opened.edge)).fill_null(value=False).alias(CUT))
        names.append(CUT)
    partials = partials_of(scan.cells, [m for _, _, m in split], rows)
    aggregates = list(partials.aggregates)
    if covers and clock is not None and clock.form != "date" and not (layout.ordered and clock.expr.meta.is_column()):
        aggregates.append(clock.expr.max().alias(LATEST))
    frame = counted(opened, scan, clock, cut=not covers)
    for bound in () if clock is None else within(clock, *span):
        frame = frame.filter(bound)
    frame = partials.add_to(opened.watched(frame, (*columns, *partials.layers[0])), columns)
    query = grouped(frame, names, aggregates)
    filters, guards = tuple(m for _, _, m in split), tuple(partials.guards.values())
    exact = frozenset(partials.exact)
    return Level1(
        query=query,
        clock=clock,
        unit=unit,
        names=tuple(names),
        keys=keys,
        masks=masks,
        moved=filters,
        partials=partials.names,
        guards=guards,
        suspects=partials.suspects,
        exact=exact,
        covers=covers,
    )


def _unit(scan: Scan, covers: bool, bounded: bool) -> Grain | None:
    """Return the grain that the first level groups by: days, or where entities are many the finest that will do."""
    if Grain.HOUR in scan.grains:
        return Grain.HOUR
    if covers or bounded:
        return Grain.DAY
    wanted = [grain for grain in scan.grains if grain is not Grain.ALL]
    if not wanted or not scan.told_apart:
        return Grain.DAY if wanted else None
    finest = wanted[0]
    return finest if all(grain.is_made_of(finest) for grain in wanted) else Grain.DAY


def _split(cell: Cell, keys: Keys, moved: frozenset[Expr]) -> tuple[list[Expr], list[Expr], tuple[Expr, ...]]:
    """Split a cell's conditions: decided on keys, bits of the code, filters of partials."""
    on_keys = [expr for expr in cell.where if decided(expr, keys.known)]
    rest = [expr for expr in dict.fromkeys(cell.where) if expr not in on_keys]
    return on_keys, [expr for expr in rest if expr not in moved], tuple(expr for expr in rest if expr in moved)


def _mask(on_keys: list[Expr], bits: list[Expr], codes: Codes, rows: Rows, keys: Keys) -> pl.Expr | None:
    parts = [condition(expr, rows, keys.known) for expr in on_keys] + codes.mask(bits)
    return reduce(and_, parts) if parts else None
