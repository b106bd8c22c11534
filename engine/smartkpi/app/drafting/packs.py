"""Draft how tables provide the events of a pack: by what columns, values and tables are called, and what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from smartkpi.app.drafting.names import is_plain, singular, stem, tokens
from smartkpi.app.drafting.roles import Amount, Roles
from smartkpi.app.drafting.words import ALSO, CURRENCIES, FILLERS, GENERIC, SAME, UNDONE
from smartkpi.language.types import Kind
from smartkpi.sources.look import ColumnFacts, TableFacts
from smartkpi.spec.model import Contract, FieldDef

ENOUGH = 0.5
LESS = 0.4
"""A status says what became of a row, not when: so much less likely is it an event than a time of that name."""

TOLD = 1.5
"""With a time of that name it says both: not all rows that have the time are such."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a table that may be an event: which (None: all), what counts them, when, and what it rests on."""

    table: str
    body: tuple[tuple[str, str], ...]
    column: str | None
    likeness: float
    because: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a field is made of: a column of the table or of one that it looks up, or whether the column has a value.

    ``times`` are columns that it is multiplied by, ``less`` one of a share that is taken off.
    """

    column: str
    lookup: str | None = None
    exists: bool = False
    times: tuple[str, ...] = ()
    less: str | None = None

    @property
    def plain(self) -> bool:
        """Whether it is the column as it is."""
        return self == Given(self.column)


Reach = Mapping[str, Sequence[tuple[str, str]]]
"""The lookups of each table: their names, and the tables they lead to."""


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
    looked_up = {other for pairs in reach.values() for _, other in pairs}
    for contract in contracts.values():
        for name, facts in tables.items():
            for source in _sources(contract, name, facts, roles[name]):
                if not source.body and not facts.times and name in looked_up:
                    continue  # a list of what others are about
                fields, lacking = _fields(contract, source, tables, roles[name], reach.get(name, ()))
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


def concepts(text: str) -> frozenset[str]:
    """Return what the words of a name stand for: `purchases`, `orders` and `transaction` are the same."""
    return frozenset(
        SAME.get(word, word) for word in map(singular, map(stem, tokens(text))) if word not in FILLERS | CURRENCIES
    )


def likeness(one: str, other: str) -> float:
    """Return how much two names have in common, from 0 to 1: a half at least where all of the first is in it."""
    mine, theirs = concepts(one), concepts(other)
    if not mine or not theirs:
        return 0.0
    return max(len(mine & theirs) / len(mine | theirs), ENOUGH if mine <= theirs else 0.0)


def _like(contract: Contract, text: str) -> float:
    """Return how much a text is like an event: by its name, its label in any language, or a word known for it."""
    also = ENOUGH if not ALSO.get(contract.name, frozenset()).isdisjoint(tokens(text)) else 0.0
    labels = (label for _, label in contract.label.texts)
    return max(likeness(contract.name, text), *(likeness(label, text) for label in labels), also)


def _sources(contract: Contract, name: str, facts: TableFacts, roles: Roles) -> Iterator[Source]:
    """Yield what of a table may be an event: rows with a value, counts, amounts, dates, all rows."""
    for column in (roles.event, roles.status):
        for value, count in column.values if column is not None else ():
            like = _like(contract, str(value))
            if column is not None and like >= ENOUGH:
                body: tuple[tuple[str, str], ...] = (("value", column.name), ("is", str(value)))
                told = column is roles.status and contract.name in ALSO
                when = next(_dates(contract, facts), None) if told else None
                like *= 1 if column is roles.event else TOLD if when is not None else LESS
                because = f"{count:,} rows have `{value}` in `{column.name}`"
                because += "" if when is None else f", `{when}` says when"
                body += () if when is None else (("at", when),)
                yield Source(name, body, column.name, like, because)
    for column in roles.counts:
        like = _like(contract, column.name)
        if like >= ENOUGH:
            yield Source(name, (("count", column.name),), column.name, like, f"`{column.name}` counts it")
    if any(field.unit is not None and field.unit.name == "money" for field in contract.fields.values()):
        for amount in roles.amounts:
            like = _like(contract, amount.column.name)
            if amount.money and amount.adds and like >= ENOUGH and facts.times:
                because = f"`{amount.column.name}` sounds like its amount"
                yield Source(name, (), amount.column.name, like, because)
    for when in _dates(contract, facts):
        yield Source(name, (("dated", when),), when, _like(contract, when), f"`{when}` says when")
    like = _like(contract, name)
    if like >= ENOUGH and roles.event is None and not roles.counts and UNDONE.isdisjoint(tokens(name)):
        yield Source(name, (), None, like, f"a row of `{name}` each")


def _dates(contract: Contract, facts: TableFacts) -> Iterator[str]:
    """Yield the columns that say when an event was, for rows for which it was, the last first."""
    for time in reversed(facts.times):
        if time.nulls and len(time.columns) == 1 and _like(contract, time.name) >= ENOUGH:
            yield time.name


def _fields(
    contract: Contract,
    source: Source,
    tables: Mapping[str, TableFacts],
    roles: Roles,
    reach: Sequence[tuple[str, str]],
) -> tuple[dict[str, Given], tuple[FieldDef, ...]]:
    """Return what each field of an event is made of, and the fields that nothing is like."""
    found: dict[str, Given] = {}
    lacking = []
    for name, field in contract.fields.items():
        given = _field(field, contract, source, tables, roles, reach, set(found.values()))
        if given is None:
            lacking.append(field)
        else:
            found[name] = given
    return found, tuple(lacking)


def _field(
    field: FieldDef,
    contract: Contract,
    source: Source,
    tables: Mapping[str, TableFacts],
    roles: Roles,
    reach: Sequence[tuple[str, str]],
    used: set[Given],
) -> Given | None:
    facts = tables[source.table]
    unit = None if field.unit is None else field.unit.name
    if unit == "money":
        if roles.currency is not None:
            return None  # amounts of several currencies do not add up
        money = _money(field.name, contract, source, roles.amounts, used)
        return _product(contract, facts, roles.amounts) if money is None and roles.event is None else money
    if field.description.get("en").casefold().startswith("true"):
        said = concepts(field.description.get("en"))
        dated = (one.columns[0] for one in reversed(facts.times) if one.nulls and said & concepts(one.name))
        column = next(dated, None)
        return None if column is None else Given(column, exists=True)
    column = _named(field.name, [one for one in facts.columns if _fits(one, unit) and Given(one.name) not in used])
    if column is not None:
        return Given(column)
    for lookup, other in reach:
        column = _named(field.name, [one for one in tables[other].columns if _fits(one, unit) and is_plain(one.name)])
        if column is not None:
            return Given(column, lookup)
    return None


def _fits(one: ColumnFacts, unit: str | None) -> bool:
    return bool(one.distinct) and (unit is None or one.kind is Kind.NUMBER)


def _money(name: str, contract: Contract, source: Source, amounts: Sequence[Amount], used: set[Given]) -> Given | None:
    """Return the column of an amount: that which is like the event or the field, else one of no other meaning."""
    able = [one.column.name for one in amounts if one.money and one.adds and Given(one.column.name) not in used]
    if source.column in able:
        return Given(source.column)
    ranked = sorted(able, key=lambda one: max(_like(contract, one), likeness(name, one)), reverse=True)
    like = [one for one in ranked if max(_like(contract, one), likeness(name, one)) >= ENOUGH]
    about = set(tokens(contract.name)) | GENERIC | CURRENCIES | FILLERS
    plain = [one for one in able if set(tokens(one)) <= about]
    return next((Given(one) for one in (*like, *(plain if len(plain) == 1 else ()))), None)


def _product(contract: Contract, facts: TableFacts, amounts: Sequence[Amount]) -> Given | None:
    """Return a price times a quantity, less a discount, where the event asks for both and there is one of each."""
    prices = [one.column.name for one in amounts if one.money and not one.adds and "price" in tokens(one.column.name)]
    pieces = [one.name for one in facts.columns if _fits(one, "plain") and concepts(one.name) == concepts("quantity")]
    off = [one for one in facts.columns if one.kind is Kind.NUMBER and "discount" in tokens(one.name)]
    lines = "quantity" in contract.fields or "line" in concepts(contract.description.get("en") or "")
    if len(prices) != 1 or len(pieces) != 1 or len(off) > 1 or not lines:
        return None
    if off and not (off[0].low >= 0 and off[0].high <= 1):
        return None
    return Given(prices[0], times=(pieces[0],), less=off[0].name if off else None)


def _named(name: str, columns: Sequence[ColumnFacts]) -> str | None:
    """Return the column whose name is most like that of a field; among many words only a date is found by one."""
    found = [
        (likeness(name, one.name), one.name)
        for one in columns
        if one.kind in (Kind.DATE, Kind.TIME) or 2 * len(concepts(name)) >= len(concepts(one.name))
    ]
    return max((pair for pair in found if pair[0] >= ENOUGH), default=(0.0, None), key=lambda pair: pair[0])[1]


def event_body(source: Source, column: Any) -> str | dict[str, Any]:
    """Return how an event is bound, as the language writes it; `column` writes a column."""
    match dict(source.body):
        case {"value": name, "is": value, **more}:
            quoted = value.replace('"', '""')
            same = f'{column(name)} == "{quoted}"'
            return {"when": same, "time": {"column": more["at"]}} if more else same
        case {"count": name}:
            return {"count": {"column": name}}
        case {"dated": name}:
            return {"when": f"{column(name)} is not null", "time": {"column": name}}
        case _:
            return "all rows"
