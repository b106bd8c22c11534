"""Draft a project that runs a pack over tables: what provides its events, and what it still lacks, as comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from smartkpi.app.drafting.draft import (
    Work,
    is_small,
    lookup_name,
    lookups_of,
    read_of,
    table_notes,
    time_of,
    work_of,
)
from smartkpi.app.drafting.given import Given, Way
from smartkpi.app.drafting.model import Draft, DraftDataset, Part
from smartkpi.app.drafting.names import column_text, is_plain, unique
from smartkpi.app.drafting.packs import Bound, Missing, event_body, map_pack
from smartkpi.sources.look import TableFacts
from smartkpi.sources.relate import Relation
from smartkpi.spec.model import Contract, FieldDef

MOST_FIELDS = 12


def draft_pack(
    pack: str,
    contracts: Mapping[str, Contract],
    tables: Mapping[str, TableFacts],
    relations: Sequence[Relation],
    reads: Mapping[str, str],
    notes: Mapping[str, Sequence[str]],
) -> Draft:
    """Return a project that includes a pack and binds its events to tables, as far as they provide them."""
    works = {name: work_of(name, facts, relations) for name, facts in tables.items()}
    timed = {name for name, work in works.items() if time_of(work, works)[0] is not None and not is_small(work)}
    reach = {name: _ways(work, works) for name, work in works.items()}
    mapped = map_pack(contracts, tables, {name: work.roles for name, work in works.items()}, timed, reach)
    needed = _needed({one.source.table for one in mapped.bound}, relations)
    taken = set(tables)
    datasets: list[DraftDataset] = []
    for name, work in works.items():
        groups = _agreeing([one for one in mapped.bound if one.source.table == name])
        if name not in needed:
            continue
        for i, group in enumerate(groups or [[]]):
            title = name if i == 0 else unique(f"{name}_{group[0].contract.name}", taken)
            said = (*table_notes(work), *notes.get(name, ())) if i == 0 else (f"{name} again: its fields differ here",)
            datasets.append(_dataset(title, work, works, group, reads[name], said))
    unused = [name for name in tables if name not in needed]
    lines = [line for one in mapped.missing for line in _missing(one, works)]
    if unused:
        lines.append(f"not used: {', '.join(unused)}")
    head = [f"The pack `{pack}` over these tables: events bound: {len(mapped.bound)} of {len(contracts)}."]
    tied, apart = _apart(mapped.bound, relations)
    if apart:
        ends = f"{', '.join(apart)} to {', '.join(tied)}"
        head.append(f"Nothing ties {ends}: where their rows are not of the same things, a KPI over both says nothing.")
    return Draft(tuple(datasets), include=({"pack": pack},), notes=tuple(head), missing=tuple(lines))


def _ways(work: Work, works: Mapping[str, Work]) -> list[Way]:
    """Return what a table looks up, and behind that what is looked up by that."""
    near = [Way(lookup_name(one, work), one.other, one.column) for one in work.relations]
    far = [(way, works[way.other]) for way in near]
    chained = [
        Way(f"{way.name}.{lookup_name(one, other)}", one.other, one.column)
        for way, other in far
        for one in other.relations
        if one.other != work.name
    ]
    return [*near, *chained]


def _apart(bound: Sequence[Bound], relations: Sequence[Relation]) -> tuple[list[str], list[str]]:
    """Return the tables that provide events: those tied to the first by what they look up, and those that are not."""
    tables = list(dict.fromkeys(one.source.table for one in bound))
    tied: set[str] = set()
    waiting = tables[:1]
    while waiting:
        name = waiting.pop()
        if name not in tied:
            tied.add(name)
            waiting += [
                other for one in relations for other in (one.table, one.other) if name in (one.table, one.other)
            ]
    return [name for name in tables if name in tied], [name for name in tables if name not in tied]


def _needed(tables: set[str], relations: Sequence[Relation]) -> set[str]:
    """Return tables with those that they look up."""
    found, waiting = set(), sorted(tables)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one.other for one in relations if one.table == name]
    return found


def _agreeing(bound: Sequence[Bound]) -> list[list[Bound]]:
    """Return events in groups within which each field is one column: a dataset has a field once."""
    groups: list[list[Bound]] = []
    for one in bound:
        home = next((group for group in groups if _agrees(one, group)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    return groups


def _agrees(one: Bound, group: Sequence[Bound]) -> bool:
    known = {name: given for other in group for name, given in other.fields.items()}
    return all(known.get(name, given) == given for name, given in one.fields.items())


def _dataset(
    title: str, work: Work, works: Mapping[str, Work], bound: Sequence[Bound], read: str, notes: Sequence[str]
) -> DraftDataset:
    time, time_notes = time_of(work, works)
    fields = {name: part for one in bound for name, part in _fields(one, work)}
    events = tuple(Part(one.contract.name, event_body(one.source, column_text), _reasons(one)) for one in bound)
    for column in work.roles.dimensions[:MOST_FIELDS]:
        work.field(column)
    segments = {column.name for column in work.roles.dimensions}
    aliases = [part for name, part in work.fields.items() if name in segments and part.name not in fields]
    return DraftDataset(
        title,
        read_of(work.facts, read),
        time if bound else None,
        time_notes if bound else ("others look it up",),
        None if work.roles.key is None else work.roles.key.name,
        fields=(*fields.values(), *aliases),
        lookups=lookups_of(work, works),
        events=events,
        notes=tuple(notes),
    )


def _fields(one: Bound, work: Work) -> Iterator[tuple[str, Part]]:
    for name, given in one.fields.items():
        column = given.column
        contract = one.contract.fields[name]
        unit: dict[str, Any] = {}
        if contract.unit is not None:
            unit["unit"] = contract.unit.name
            currency = next((a.currency for a in work.roles.amounts if a.column.name == column), None)
            unit |= {"currency": currency} if currency and contract.unit.name == "money" else {}
        if not given.plain:
            text = _made_of(given)
            yield name, Part(name, {"is": text, **unit} if unit else text, _said(contract, text, given.because))
            continue
        if column == name and is_plain(column):
            if unit:
                yield name, Part(name, unit)
            continue
        body = {"column": column, **unit} if unit or not is_plain(column) else column
        yield name, Part(name, body, _said(contract, column, given.because))


def _made_of(given: Given) -> str:
    if not given.column:
        return "1"
    column = column_text(given.column)
    if given.lookup is not None:
        return f"{given.lookup}.{column}"
    if given.exists:
        return f"{column} is not null"
    factors = [column, *map(column_text, given.times), *([f"(1 - {column_text(given.less)})"] if given.less else [])]
    return " * ".join(factors)


def _said(contract: FieldDef, by: str, because: str) -> tuple[str, ...]:
    said = contract.description.get("en")
    return (f"{said}: `{by}`{f', as {because}' if because else ' by its name'}",) if said else ()


def _reasons(one: Bound) -> tuple[str, ...]:
    mine = (one.source.table, one.source.body)
    others = [f"{other.because} (`{other.table}`)" if other.table != one.source.table else other.because
              for other in one.others if (other.table, other.body) != mine][:2]  # fmt: skip
    said = one.contract.description.get("en") or one.contract.name
    return (f"{said.rstrip('.')}: {one.source.because}" + "".join(f"; or {other}" for other in others),)


def _missing(one: Missing, works: Mapping[str, Work]) -> Iterator[str]:
    """Yield what lacks for an event, and how it would be bound."""
    name, said = one.contract.name, one.contract.description.get("en")
    about = f" ({said.rstrip('.')})" if said else ""
    if one.nearest is None:
        yield f"missing: `{name}`{about}: nothing sounds like it. Where rows are such, bind them:"
        yield f"  {name}: all rows"
        for field in one.contract.fields.values():
            yield f"  with the field `{field.name}`: {field.description.get('en') or 'see the pack'}"
        return
    nearest = f"`{one.nearest.table}` ({one.nearest.because})"
    yield f"missing: `{name}`{about}: {nearest} comes nearest, but lacks"
    for field in one.lacking:
        yield f"  {field.name}: {field.description.get('en') or 'see the pack'}"
    body = event_body(one.nearest, column_text)
    yield f"  then bind it: {name}: {body if isinstance(body, str) else _flow(body)}"


def _flow(body: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_flow(one) if isinstance(one, dict) else one}" for key, one in body.items()) + "}"
