"""Draft a project from facts: datasets bound to events, fields for what is no name, lookups between tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from smartkpi.app.drafting.kpis import Bound, Counted, draft_kpis
from smartkpi.app.drafting.model import Draft, DraftDataset, Part
from smartkpi.app.drafting.money import filled_events, money_fields
from smartkpi.app.drafting.names import column_text, identifier, is_plain, singular, stem, tokens, unique
from smartkpi.app.drafting.roles import Roles, find_roles, is_daily_unique, reads_as_column
from smartkpi.app.drafting.words import CURRENCIES, NOISE
from smartkpi.semantics.dimensions import RESERVED
from smartkpi.sources.look import ColumnFacts, TableFacts
from smartkpi.sources.look_times import How, TimeFacts
from smartkpi.sources.relate import Relation
from smartkpi.sources.writing import ISO

MOST_EVENTS = 30
MOST_FIELDS = 12
SMALL_TABLE = 50
"""A table of fewer rows that others look up is a list, even where it has dates."""


@dataclass(slots=True)
class Work:
    """A table under draft: its facts and roles, what is looked up, and the names of fields for columns."""

    name: str
    facts: TableFacts
    roles: Roles
    relations: tuple[Relation, ...]
    looked_up: bool
    fields: dict[str, Part] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    money: dict[str, tuple[Part, ...]] = field(default_factory=dict)

    def field(self, column: ColumnFacts | str) -> str:
        """Return the name by which a column is a field; one that is no name, or that results have, gets one."""
        name = column if isinstance(column, str) else column.name
        if is_plain(name) and name not in RESERVED:
            return name
        if name not in self.names:
            plain = identifier(name)
            own = f"{identifier(singular(self.name))}_{plain}" if plain in RESERVED else plain
            self.names[name] = unique(own, self.taken)
            self.fields[name] = Part(self.names[name], {"column": name})
        return self.names[name]


def draft(
    tables: Mapping[str, TableFacts],
    relations: Sequence[Relation],
    reads: Mapping[str, str],
    notes: Mapping[str, Sequence[str]],
) -> Draft:
    """Return a project over tables; ``reads`` has the path of each as it is to be written, ``notes`` what to add."""
    works = {name: work_of(name, facts, relations) for name, facts in tables.items()}
    taken: set[str] = set()
    datasets: list[DraftDataset] = []
    bound: list[Bound] = []
    for work in works.values():
        time, time_notes = time_of(work, works)
        if _is_list(work, time, works):
            time, time_notes = None, _list_notes(work)
            events: tuple[Part, ...] = ()
        else:
            events, what = _events(work, time is not None, taken)
            bound.append(what)
        datasets.append(
            DraftDataset(
                work.name,
                read_of(work.facts, reads[work.name]),
                time,
                time_notes,
                None if work.roles.key is None else work.roles.key.name,
                lookups=lookups_of(work, works),
                events=events,
                notes=(*table_notes(work), *notes.get(work.name, ())),
                more=_more(work, time),
            )
        )
    kpis = draft_kpis(bound, taken)
    finished = [replace(one, fields=tuple(_fields(works[one.name]))) for one in datasets]
    return Draft(tuple(finished), kpis)


def work_of(name: str, facts: TableFacts, relations: Sequence[Relation]) -> Work:
    """Return a table as it is drafted: with its roles and what it looks up."""
    own = tuple(one for one in relations if one.table == name)
    looked_up = any(one.other == name for one in relations)
    work = Work(name, facts, find_roles(facts), own, looked_up, taken={one.name for one in facts.columns})
    work.money = money_fields(work)
    return work


def read_of(facts: TableFacts, path: str) -> str | dict[str, Any]:
    """Return how a table is read: a path, or a path with what was found out."""
    read = facts.read
    options: dict[str, Any] = {
        name: getattr(read, name)
        for name in ("separator", "encoding", "skip_rows", "skip_footer", "decimal", "thousands", "dates")
        if getattr(read, name)
    }
    if read.nulls:
        options["nulls"] = list(read.nulls)
    return {"path": path, **options} if options else path


def table_notes(work: Work) -> tuple[str, ...]:
    """Return what is to be said above a table: how large it is, how it is written, what does not parse."""
    facts = work.facts
    rows = f"{facts.rows:,} row{'' if facts.rows == 1 else 's'}, {len(facts.columns)} columns"
    if facts.times:
        time = facts.times[0]
        rows += f", {_day(time.first)} to {_day(time.last)}"
    notes = [rows]
    for guess in facts.guesses:
        other = f"; or {guess.instead}, decide which" if guess.instead else ""
        notes.append(f"{guess.about}: {guess.because}{other}")
    for one in facts.columns:
        if one.odd is not None:
            first = one.odd.places[0]
            where = f" (line {first.line})" if first.line else ""
            what = f"{one.odd.count:,} value{' is' if one.odd.count == 1 else 's are'} no {one.odd.kind}"
            notes.append(f"`{one.name}`: {what}, such as `{first.value}`{where}; the column stays text until mended")
    return tuple(notes)


def _day(value: Any) -> str:
    return str(value)[:10]


# Times


def time_of(work: Work, works: Mapping[str, Work]) -> tuple[str | Mapping[str, Any] | None, tuple[str, ...]]:
    """Return the time of a table: its own, or that of the table that it looks up; and what it rests on."""
    mine = work.roles.time
    for one in work.relations if mine is None or mine.later else ():
        other = works[one.other]
        theirs = other.roles.time
        if theirs is None or theirs.later or not is_plain(theirs.name) or is_small(other):
            continue
        read = reads_as_column(theirs, other.facts.read.dates)
        if read or (theirs.midnight and theirs.how is How.TIME):
            name = f"{lookup_name(one, work)}.{theirs.name}"
            own = "no time of its own" if mine is None else f"only `{mine.name}`, which is none of happening"
            note = f"it has {own}: its rows are dated by `{theirs.name}` of `{one.other}`"
            return (name if read else f"date({name})"), (note,)
    if mine is not None:
        return time_text(mine, work.facts), tuple(_time_notes(mine, work.facts))
    return None, ("no column says when a row was: its KPIs answer over everything",)


def time_text(time: TimeFacts, facts: TableFacts) -> str | dict[str, str]:
    """Return a time as the language writes it."""
    names = [column_text(name) for name in time.columns]
    if reads_as_column(time, facts.read.dates):
        return time.name if is_plain(time.name) or time.name == "time" else {"column": time.name}
    if time.midnight:
        return f"date({_clock_text(time, names)})"
    return _clock_text(time, names)


def _clock_text(time: TimeFacts, names: Sequence[str]) -> str:
    column = names[0]
    match time.how:
        case How.SECONDS | How.MILLISECONDS:
            return f"{time.how}({column})"
        case How.MICROSECONDS:
            return f"epoch_ms({column} / 1000)"
        case How.DIGITS:
            x = column
            return f"make_date(floor({x} / 10000), mod(floor({x} / 100), 100), mod({x}, 100))"
        case How.PARTS:
            return f"make_date({', '.join(names)})"
        case How.TEXT:
            plain = time.format is None or time.format == ISO
            return f"parse_time({column})" if plain else f'parse_time({column}, "{time.format}")'
        case _:
            return column


def _time_notes(time: TimeFacts, facts: TableFacts) -> list[str]:
    notes = []
    if time.how in (How.SECONDS, How.MILLISECONDS, How.MICROSECONDS):
        notes.append(f"`{time.name}` counts from 1970: its values lie between {_day(time.first)} and {_day(time.last)}")
    if time.midnight:
        notes.append(f"`{time.name}` is always midnight: it says the day")
    if time.clock and not _zoned(time, facts):
        notes.append("times without a zone are read in UTC: if they are local, add `timezone: Europe/Berlin` or such")
    if time.nulls:
        notes.append(f"{time.nulls:,} rows have no `{time.name}`: they count in no KPI")
    others = [f"`{one.name}`" for one in facts.times[1:] if one.columns != time.columns]
    if others:
        notes.append(f"it could also be {', '.join(others[:4])}")
    return notes


def _zoned(time: TimeFacts, facts: TableFacts) -> bool:
    if time.how in (How.SECONDS, How.MILLISECONDS, How.MICROSECONDS):
        return True
    return time.how is How.TIME and "time_zone='" in facts.column(time.name).dtype


# Lookups


def lookup_name(one: Relation, work: Work) -> str:
    """Return what a lookup is called: what it leads to, or the column that it goes by."""
    words_ = [word for word in tokens(one.column) if word not in ("id", "key", "code", "no")]
    same = one.column.casefold() == one.key.casefold()
    return identifier(singular(one.other) if same or not words_ else "_".join(words_))


def lookups_of(work: Work, works: Mapping[str, Work]) -> tuple[Part, ...]:
    """Return the lookups of a table."""
    found: list[Part] = []
    taken: set[str] = set()
    for one in work.relations:
        on: Any = one.column if one.column == one.key else {one.column: one.key}
        name = unique(lookup_name(one, work), taken)
        notes = []
        share = "all" if one.matched == 1 else f"{one.matched:.1%}"
        notes.append(f"{share} of the values of `{one.column}` are keys of `{one.other}`")
        found.append(Part(name, {"dataset": one.other, "on": on}, tuple(notes)))
    return tuple(found)


def _is_list(work: Work, time: Any, works: Mapping[str, Work]) -> bool:
    """Say whether a table only describes what others refer to."""
    if not work.looked_up:
        return False
    return time is None or is_small(work)


def is_small(work: Work) -> bool:
    """Say whether a table that others look up is a list of a few things, even where it has dates."""
    return work.looked_up and work.facts.rows < SMALL_TABLE


def _list_notes(work: Work) -> tuple[str, ...]:
    if work.roles.time is not None:
        return (f"others look it up; if its rows are events too, add `time: {work.roles.time.name}` and `events`",)
    return ("others look it up: it needs neither a time nor events",)


# Events


def _events(work: Work, timed: bool, taken: set[str]) -> tuple[tuple[Part, ...], Bound]:
    roles = work.roles
    if roles.event is not None:
        return _named_events(work, taken)
    able = [one for one in roles.counts if timed or not is_daily_unique(one)]
    rows = [] if able and not roles.amounts else [unique(_row_name(work), taken)]
    parts = [Part(name, "all rows") for name in rows]
    counted = []
    for one in able:
        part, what = _counted(one, work, taken)
        parts.append(part)
        counted.append(what)
    events = tuple((name, work.facts.rows) for name in rows)
    return tuple(parts), Bound(work.name, roles, work.field, events, tuple(counted), work.money, {})


def _row_name(work: Work) -> str:
    name = identifier(singular(work.name))
    return f"{name}_day" if work.roles.daily else name


def _named_events(work: Work, taken: set[str]) -> tuple[tuple[Part, ...], Bound]:
    """Bind an event for each value of the column that names events."""
    column = work.roles.event
    assert column is not None
    parts, counts, events = [], [], {}
    for value, count in column.values[:MOST_EVENTS]:
        name = _take(identifier(str(value)), work, taken)
        quoted = str(value).replace('"', '""')
        parts.append(Part(name, f'{column_text(column.name)} == "{quoted}"'))
        counts.append((name, count))
        events[value] = name
    reason = f"`{column.name}` names the event: it has {column.distinct} values"
    left = f"; the {MOST_EVENTS} most frequent ones are here" if column.distinct > MOST_EVENTS else ""
    parts[0] = replace(parts[0], notes=(reason + left,))
    filled = filled_events(work, events)
    return tuple(parts), Bound(work.name, work.roles, work.field, tuple(counts), (), work.money, filled)


def _take(name: str, work: Work, taken: set[str]) -> str:
    """Return a name for an event; one that another dataset has is told apart by the dataset's."""
    return unique(name if name not in taken else f"{identifier(work.name)}_{name}", taken)


def _counted(one: ColumnFacts, work: Work, taken: set[str]) -> tuple[Part, Counted]:
    """Bind a column of counts; those of people on a day must not be added over days."""
    said = [word for word in tokens(one.name) if word not in NOISE and word not in CURRENCIES] or list(tokens(one.name))
    people = is_daily_unique(one)
    name = _take(identifier(singular("_".join(map(stem, said)))), work, taken)
    column: Any = one.name if is_plain(one.name) else {"column": one.name}
    whole = one.dtype.startswith(("Int", "UInt"))
    body: dict[str, Any] = {"count": column if whole else f"round({column_text(one.name)})"}
    notes = []
    if people:
        body["additive"] = "not over time"
        notes.append(f"`{one.name}` counts people: those of two days are not to be added")
    return Part(name, body, tuple(notes)), Counted(name, one.name, people)


# Fields


def _fields(work: Work) -> list[Part]:
    """Return the fields of a table: money with its unit, and names for columns that have none."""
    for column in work.roles.dimensions[:MOST_FIELDS]:
        work.field(column)
    money = [part for parts in work.money.values() for part in parts]
    known = {part.name for part in money}
    return [*money, *(part for part in work.fields.values() if part.name not in known)]


# What else could be said


def _more(work: Work, time: Any) -> tuple[str, ...]:
    notes = []
    status = work.roles.status
    if status is not None and work.roles.event is None and status.values:
        shown = ", ".join(f"`{value}`" for value, _ in status.values[:6])
        quoted = str(status.values[0][0]).replace('"', '""')
        name = identifier(str(status.values[0][0]))
        notes.append(f"`{status.name}` has {shown}: an event of its own may be")
        notes.append(f'  {name}: {column_text(status.name)} == "{quoted}"')
    later = [one for one in work.facts.times[1:] if one.nulls and reads_as_column(one, work.facts.read.dates)]
    if later and time is not None and work.roles.event is None:
        one = later[0]
        notes.append(f"what happens at `{one.name}` may be an event with a time of its own:")
        notes.append(f"  {identifier(one.name)}: {{when: '{column_text(one.name)} is not null', "
                     f"time: '{column_text(one.name)}'}}")  # fmt: skip
    by = [work.field(one) for one in work.roles.dimensions]
    if by:
        notes.append(f"segments: {', '.join(by[:10])}")
    lacking = [one for one in work.roles.counts if one.nulls]
    if lacking:
        names = ", ".join(f"`{one.name}`" for one in lacking[:3]) + (" and others" if len(lacking) > 3 else "")
        notes.append(f"{_rows(max(one.nulls for one in lacking))} without a count ({names}): that period is incomplete")
    notes += _suggestions(work)
    if work.facts.equal_rows:
        equal = _rows(work.facts.equal_rows)
        notes.append(f"{equal} equal to an earlier one, and no column that tells rows apart")
    pair = next((key for key in work.facts.keys if len(key) > 1), None)
    if pair is not None:
        notes.append(f"no two rows have the same {' and '.join(f'`{name}`' for name in pair)}")
    return tuple(notes)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _suggestions(work: Work) -> list[str]:
    """Return what columns would say together: a price times a quantity, rates of exchange."""
    notes = []
    price = next((a.column for a in work.roles.amounts if a.money and not a.adds), None)
    quantity = next((a.column for a in work.roles.amounts if not a.money and a.adds), None)
    if price is not None and quantity is not None:
        notes.append("if a row is that many pieces at that price, its value is a field:")
        product = f"{column_text(price.name)} * {column_text(quantity.name)}"
        notes.append(f"  revenue: {{is: '{product}', unit: money}}")
    codes = [one.name for one in work.facts.columns if one.name.casefold() in CURRENCIES]
    if len(codes) >= 5 and work.roles.time is not None:
        notes.append(f"{len(codes)} columns are named after currencies: these look like rates of exchange")
    return notes


def alike(column: str, table: str, key: str) -> bool:
    """Say whether a column sounds like the key of a table."""
    mine, theirs = tokens(column), tokens(key)
    if mine == theirs:
        return True
    about = {singular(word) for word in tokens(table)}
    named = [word for word in mine if word not in ("id", "key", "code", "no", "nr")]
    return any(singular(word) in about or any(word[:4] == other[:4] for other in about if len(other) > 3)
               for word in named if len(word) > 3)  # fmt: skip
