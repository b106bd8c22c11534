"""Which tables look up which: columns whose values are the unique key of another table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from smartkpi.language.types import Kind
from smartkpi.sources.look import ColumnFacts, TableFacts

SAMPLED = 200_000
"""Up to so many different values are looked up; of more, so many of the first rows."""

MATCHED, WHOLLY = 0.5, 0.99
TELLING = 20
"""So many different texts do not all agree with a key by chance."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A column of one table and the key of another: ``matched`` is the share of its values that the key has."""

    table: str
    column: str
    other: str
    key: str
    matched: float


Alike = Callable[[str, str, str], bool]
"""Says whether a column, the name of a table and its key sound like the same thing."""


def relate(tables: Mapping[str, TableFacts], alike: Alike) -> tuple[Relation, ...]:
    """Return the best relation of each column, as a graph without circles: a table is looked up by those before it."""
    found: dict[tuple[str, str], Relation] = {}
    for name, facts in tables.items():
        for other, target in tables.items():
            if other == name:
                continue
            for column, key in _candidates(facts, target, other, alike):
                one = _measure(name, facts, column, other, target, key, alike)
                best = found.get((name, column.name))
                if one is not None and (best is None or _rank(one, tables) > _rank(best, tables)):
                    found[name, column.name] = one
    return _without_circles(sorted(found.values(), key=lambda one: _rank(one, tables), reverse=True))


def _candidates(
    facts: TableFacts, target: TableFacts, other: str, alike: Alike
) -> list[tuple[ColumnFacts, ColumnFacts]]:
    keys = [target.column(key[0]) for key in target.keys if len(key) == 1]
    found = []
    for key in keys:
        if key.kind not in (Kind.TEXT, Kind.NUMBER) or key.distinct < 2:
            continue
        for column in facts.columns:
            telling = column.kind is Kind.TEXT and min(column.distinct, key.distinct) >= TELLING
            same = column.kind is key.kind and column.whole == key.whole and column.distinct > 0
            if same and (telling or alike(column.name, other, key.name)):
                found.append((column, key))
    return found


def _measure(
    name: str, facts: TableFacts, column: ColumnFacts, other: str, target: TableFacts, key: ColumnFacts, alike: Alike
) -> Relation | None:
    mine = facts.frame.select(pl.col(column.name).alias("value")).drop_nulls()
    mine = (mine if column.distinct <= SAMPLED else mine.head(SAMPLED)).unique()
    theirs = target.frame.select(pl.col(key.name).alias("value"))
    if column.kind is Kind.TEXT:
        mine, theirs = mine.cast(pl.String), theirs.cast(pl.String)
    else:
        mine, theirs = mine.cast(pl.Int128), theirs.cast(pl.Int128)
    values = mine.collect()
    if not values.height:
        return None
    both = values.lazy().join(theirs, on="value", how="semi").select(pl.len()).collect().item()
    matched = both / values.height
    enough = MATCHED if alike(column.name, other, key.name) else WHOLLY
    return Relation(name, column.name, other, key.name, matched) if both and matched >= enough else None


def _rank(one: Relation, tables: Mapping[str, TableFacts]) -> tuple[float, ...]:
    """Return how good a relation is: named alike, wholly matched, from many rows to few, from times to none."""
    mine, theirs = tables[one.table], tables[one.other]
    many = mine.rows / max(theirs.rows, 1)
    return (
        float(one.column.casefold() == one.key.casefold()),
        float(one.matched >= WHOLLY),
        float(many > 1 or (many == 1 and bool(mine.times) and not theirs.times)),
        one.matched,
        -float(len(theirs.columns) == 1),
        many,
    )


def _without_circles(relations: Sequence[Relation]) -> tuple[Relation, ...]:
    kept: list[Relation] = []
    for one in relations:
        if not _reaches(kept, one.other, one.table):
            kept.append(one)
    return tuple(kept)


def _reaches(relations: Sequence[Relation], start: str, end: str) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        table = waiting.pop()
        if table == end:
            return True
        if table not in seen:
            seen.add(table)
            waiting += [one.other for one in relations if one.table == table]
    return False
