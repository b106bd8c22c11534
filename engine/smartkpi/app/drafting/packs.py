"""Draft how tables provide the events of a pack: by what columns, values and tables are called, and what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from smartkpi.app.drafting.given import ENOUGH, PEOPLE, Given, Reach, Source, concepts, fields_of, like
from smartkpi.app.drafting.names import tokens
from smartkpi.app.drafting.roles import Roles, is_daily_unique
from smartkpi.app.drafting.words import AD_STEPS, AD_WORDS, ALSO, PARTS, UNDONE
from smartkpi.sources.look import ColumnFacts, TableFacts
from smartkpi.spec.model import Contract, FieldDef

LESS = 0.4
"""A status says what became of a row, not when: so much less likely is it an event than a time of that name."""

TOLD = 1.5
"""With a time of that name it says both: not all rows that have the time are such."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An event of a pack, what provides it, the columns of its fields, and what else might provide it."""

    contract: Contract
    source: Source
    fields: Mapping[str, Given]
    others: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """An event of a pack that nothing provides: what comes nearest, and the fields that lack there."""

    contract: Contract
    nearest: Source | None = None
    lacking: tuple[FieldDef, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapped:
    """How tables provide the events of a pack, and which they do not."""

    bound: tuple[Bound, ...]
    missing: tuple[Missing, ...]


def map_pack(
    contracts: Mapping[str, Contract],
    tables: Mapping[str, TableFacts],
    roles: Mapping[str, Roles],
    timed: set[str],
    reach: Reach,
) -> Mapped:
    """Return what provides each event of a pack; a source goes to the event that it is most like.

    ``timed`` are the tables whose rows have a time. Tables that provide more events come first, so that what is divided
    by each other is of one table where it can be.
    """
    ranked: list[_Ranked] = []
    looked_up = {way.other for ways in reach.values() for way in ways}
    for contract in contracts.values():
        for name, facts in tables.items():
            if _is_elsewhere(contract, name, facts):
                continue
            for source in _sources(contract, name, facts, roles[name]):
                if not source.body and not facts.times and name in looked_up:
                    continue  # a list of what others are about
                fields, lacking = fields_of(contract, source, tables, roles[name], reach.get(name, ()))
                ranked.append(_Ranked(contract, source, fields, lacking))
    able = Counter(table for table, _ in {(one.source.table, one.contract.name) for one in ranked if not one.lacking})
    ranked.sort(key=lambda one: (bool(one.lacking), -able[one.source.table], one.source.table not in timed,
                                 -one.source.likeness))  # fmt: skip
    bound: dict[str, Bound] = {}
    others: dict[str, list[Source]] = {}
    nearest: dict[str, Missing] = {}
    taken: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for one in ranked:
        contract, source, lacking = one.contract, one.source, one.lacking
        key = (source.table, source.body)
        if contract.name in bound and not lacking:
            others.setdefault(contract.name, []).append(source)
        if contract.name in bound or taken.get(key, 0) > source.likeness:
            continue
        if lacking:
            nearest.setdefault(contract.name, Missing(contract, source, lacking))
            continue
        bound[contract.name] = Bound(contract, source, one.fields)
        taken[key] = max(taken.get(key, 0), source.likeness)
    missing = (nearest.get(name, Missing(contract)) for name, contract in contracts.items() if name not in bound)
    found = (replace(bound[name], others=tuple(others.get(name, ()))) for name in contracts if name in bound)
    return Mapped(tuple(found), tuple(missing))


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A source of an event, the fields that it has, and those that it lacks."""

    contract: Contract
    source: Source
    fields: Mapping[str, Given]
    lacking: tuple[FieldDef, ...]


def _sources(contract: Contract, name: str, facts: TableFacts, roles: Roles) -> Iterator[Source]:
    """Yield what of a table may be an event: rows with a value, counts, amounts, dates, all rows."""
    for column in (roles.event, roles.status):
        for value, count in column.values if column is not None else ():
            alike = like(contract, str(value))
            if column is not None and alike >= ENOUGH:
                body: tuple[tuple[str, str], ...] = (("value", column.name), ("is", str(value)))
                told = column is roles.status and contract.name in ALSO
                when = next(_dates(contract, facts), None) if told else None
                alike *= 1 if column is roles.event else TOLD if when is not None else LESS
                because = f"{count:,} rows have `{value}` in `{column.name}`"
                because += "" if when is None else f", `{when}` says when"
                body += () if when is None else (("at", when),)
                yield Source(name, body, column.name, alike, because)
    for column in roles.counts:
        alike = _counts(contract, column)
        if alike >= ENOUGH:
            people = (("additive", "not over time"),) if is_daily_unique(column) else ()
            yield Source(name, (("count", column.name), *people), column.name, alike, f"`{column.name}` counts it")
    if any(field.unit is not None and field.unit.name == "money" for field in contract.fields.values()):
        for amount in roles.amounts:
            alike = like(contract, amount.column.name)
            if amount.money and amount.adds and alike >= ENOUGH and (facts.times or roles.counts):
                because = f"`{amount.column.name}` sounds like its amount"
                yield Source(name, (), amount.column.name, alike, because)
    for when in _dates(contract, facts):
        yield Source(name, (("dated", when),), when, like(contract, when), f"`{when}` says when")
    alike = like(contract, name)
    if alike >= ENOUGH and roles.event is None and not roles.counts and UNDONE.isdisjoint(tokens(name)):
        yield Source(name, (), None, alike, f"a row of `{name}` each")


def _is_elsewhere(contract: Contract, table: str, facts: TableFacts) -> bool:
    """Say whether an event is about ads and a table is not: of all orders it is not known which came of ads."""
    if AD_WORDS.isdisjoint(tokens(contract.description.get("en") or "")):
        return False
    texts = (table, *(one.name for one in facts.columns))
    return all(AD_WORDS.isdisjoint(tokens(text)) and AD_STEPS.isdisjoint(concepts(text)) for text in texts)


def _counts(contract: Contract, column: ColumnFacts) -> float:
    """Return how much a column of counts is like an event: those of people only like one that is of people.

    What a column counts a part of, such as first visits, is not what the event is.
    """
    said = set(tokens(column.name))
    if not (said - set(tokens(contract.name))).isdisjoint(PARTS):
        return 0.0
    if not is_daily_unique(column):
        return like(contract, column.name)
    return max(like(contract, column.name), ENOUGH) if not concepts(contract.name).isdisjoint(PEOPLE) else 0.0


def _dates(contract: Contract, facts: TableFacts) -> Iterator[str]:
    """Yield the columns that say when an event was, for rows for which it was, the last first."""
    for time in reversed(facts.times):
        if time.nulls and len(time.columns) == 1 and like(contract, time.name) >= ENOUGH:
            yield time.name


def event_body(source: Source, column: Any) -> str | dict[str, Any]:
    """Return how an event is bound, as the language writes it; `column` writes a column."""
    match dict(source.body):
        case {"value": name, "is": value, **more}:
            quoted = value.replace('"', '""')
            same = f'{column(name)} == "{quoted}"'
            return {"when": same, "time": {"column": more["at"]}} if more else same
        case {"count": name, **more}:
            return {"count": {"column": name}, **more}
        case {"dated": name}:
            return {"when": f"{column(name)} is not null", "time": {"column": name}}
        case _:
            return "all rows"
