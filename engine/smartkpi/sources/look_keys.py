"""Keys and repetitions of a table: which columns tell its rows apart. Counted over all rows, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from smartkpi.language.types import Kind

if TYPE_CHECKING:  # the facts of columns are made where these are used
    from smartkpi.sources.look import ColumnFacts

AT_ONCE = 4_000_000
"""So many rows are compared at once; of more, one part by fingerprint after the other."""

NEARLY = 0.95
PAIRS = 8


def find_keys(
    frame: pl.LazyFrame, columns: Sequence[ColumnFacts], rows: int, time: tuple[str, ...]
) -> tuple[tuple[tuple[str, ...], ...], int | None]:
    """Return the keys of one column, else those of two or of the time and two more; and how many rows are repetitions.

    The second is None where there is a key.
    """
    able = [one for one in columns if _can_be_key(one)]
    single = [one for one in able if one.distinct == rows or (not one.exact and one.distinct >= NEARLY * rows)]
    keys = tuple((one.name,) for one in single if one.exact or is_unique(frame, (one.name,), rows))
    if keys or not rows:
        return keys, None
    for names in _sets(able, rows, time):
        if is_unique(frame, names, rows):
            return (names,), None
    usable = [one.name for one in columns if one.type is not None]
    return (), (rows - count_distinct(frame, usable, rows) if usable else None)


def is_unique(frame: pl.LazyFrame, names: Sequence[str], rows: int) -> bool:
    """Return whether no two rows have the same values in some columns."""
    return count_distinct(frame, names, rows, enough=True) == rows


def count_distinct(frame: pl.LazyFrame, names: Sequence[str], rows: int, *, enough: bool = False) -> int:
    """Return how many different rows some columns have, by fingerprints of 64 bits.

    With ``enough`` the count ends at the first part that has an equal pair.
    """
    print_ = pl.struct(pl.col(*names)).hash().alias("print")
    parts = rows // AT_ONCE + 1
    total = 0
    for part in range(parts):
        prints = frame.select(print_)
        if parts > 1:
            prints = prints.filter(pl.col("print") % parts == part)
        found = prints.select(pl.len().alias("all"), pl.col("print").n_unique().alias("different")).collect()
        total += found["different"].item()
        if enough and found["different"].item() < found["all"].item():
            break
    return total


def _can_be_key(one: ColumnFacts) -> bool:
    kinds = (Kind.TEXT, Kind.DATE, Kind.TIME)
    whole = one.kind is Kind.NUMBER and one.dtype.startswith(("Int", "UInt"))
    return (one.kind in kinds or whole) and not one.nulls and one.distinct > 1


def _sets(able: Sequence[ColumnFacts], rows: int, time: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the sets of two columns that may tell rows apart, likeliest first, then the time with two others."""
    ranked = sorted((one for one in able if not _is_measure(one)), key=lambda one: -one.distinct)[:6]
    pairs = [pair for pair in combinations(ranked, 2) if pair[0].distinct * pair[1].distinct >= rows]
    in_order = {one.name: i for i, one in enumerate(able)}
    sets = [tuple(sorted((a.name, b.name), key=in_order.__getitem__)) for a, b in pairs[:PAIRS]]
    few = [one.name for one in able if one.kind is Kind.TEXT and one.name not in time]
    if len(time) == 1 and time[0] in in_order:
        sets += [(time[0], name) for name in few[:4] if (time[0], name) not in sets and (name, time[0]) not in sets]
        sets += [(time[0], *two) for two in combinations(few[:4], 2)]
    return sets


def _is_measure(one: ColumnFacts) -> bool:
    """Say whether a column of whole numbers is more likely an amount than a number that counts within something."""
    return one.kind is Kind.NUMBER and (one.negatives > 0 or one.zeros > 0)
