"""Events derived from events: every chain of rows is tried, and held against what the language says of it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smartkpi.language import syntax
from smartkpi.language.format import format_expr
from smartkpi.language.parse import parse_event
from smartkpi.source import text_of
from smartkpi.spec.model import Catalog, Dataset
from tests.oracle import rows as base
from tests.oracle.days import DAY, TICK, Period, is_listed, localize, midnight, period_of
from tests.oracle.hours import worked_in
from tests.oracle.rows import EventRow, World, day_of, starts_at
from tests.oracle.values import clean

DELAYS = ("delay", "work_delay")
EXACT = {"s": 1, "min": 60, "h": 3600}
MONTHS = {"mo": 1, "q": 3, "y": 12}
LATE = datetime.max.replace(tzinfo=UTC)


def meaning(catalog: Catalog, event: str) -> syntax.Expr | None:
    """What a derived event is made of, by its name or its text; none for one that datasets provide."""
    if event in catalog.derived:
        return catalog.derived[event].formula.expr
    if event in RETURNS:
        return RETURNS[event]
    if all(part.isidentifier() for part in event.split(".")):
        return None
    return parse_event(text_of(event))


RETURNS: dict[str, syntax.Step] = {}
"""What cohorts are made of, by its text: nobody can write it."""


def base_of(catalog: Catalog, event: str) -> str:
    """The event that the rows of another are rows of."""
    expr = meaning(catalog, event)
    return event if expr is None else base_of(catalog, first_name(expr))


def first_name(expr: syntax.Expr) -> str:
    return names_in(expr)[0]


def names_in(expr: syntax.Expr) -> list[str]:
    match expr:
        case syntax.Name():
            return [expr.text]
        case syntax.Where(operand, _) | syntax.Alias(operand, _):
            return names_in(operand)
        case syntax.Step():
            return [name for operand in expr.operands for name in names_in(operand)]
        case _:
            raise AssertionError(f"no event: {expr}")


def bases_of(catalog: Catalog, event: str) -> list[str]:
    """All events that datasets provide and that another is made of."""
    expr = meaning(catalog, event)
    if expr is None:
        return [event]
    return list(dict.fromkeys(one for name in names_in(expr) for one in bases_of(catalog, name)))


def steps_of(catalog: Catalog, event: str) -> Iterator[syntax.Step]:
    """All steps that an event is made of, its own and those inside."""
    if (expr := meaning(catalog, event)) is not None:
        yield from steps_in(catalog, expr)


def steps_in(catalog: Catalog, expr: syntax.Expr) -> Iterator[syntax.Step]:
    match expr:
        case syntax.Name():
            yield from steps_of(catalog, expr.text)
        case syntax.Where(operand, _) | syntax.Alias(operand, _):
            yield from steps_in(catalog, operand)
        case syntax.Step():
            yield expr
            for operand in expr.operands:
                yield from steps_in(catalog, operand)


@dataclass(frozen=True)
class DerivedNames:
    """The names of a derived row: the fields of its own row, those of matched rows by their steps, and delays.

    ``between`` has the instants that the working time of a delay lies between.
    """

    row: EventRow
    steps: dict[str, EventRow] = field(hash=False)
    delays: dict[str, float] = field(hash=False)
    between: dict[str, tuple[datetime, datetime]] = field(hash=False)

    @property
    def zone(self) -> str:
        return self.row.names.zone

    @property
    def naive_zone(self) -> str:
        return self.row.names.naive_zone

    @property
    def dataset(self) -> Dataset:
        return self.row.names.dataset

    def column(self, name: str) -> Any:
        return self.field(name)

    def value(self, name: syntax.Name) -> Any:
        return self.field(name.text)

    def field(self, name: str) -> Any:
        step, _, rest = name.partition(".")
        if name in self.delays:
            return self.delays[name]
        if name in self.between:
            return worked_in(self.row.names.world.catalog.calendar, *self.between[name])
        return self.steps[step].field(rest) if rest and step in self.steps else self.row.names.field(name)

    def spelt(self, name: str, value: Any) -> Any:
        return self.row.names.spelt(name, value)


def derived_rows(world: World, event: str, edge: datetime | None) -> tuple[list[EventRow], list[tuple[date, datetime]]]:
    """The rows of an event, and the times of rows that something may still follow with the end of their windows."""
    expr = meaning(world.catalog, event)
    if expr is None:
        return base.event_rows(world, event), []
    return rows_of(world, expr, edge)


def rows_of(world: World, expr: syntax.Expr, edge: datetime | None) -> Any:
    match expr:
        case syntax.Name():
            return derived_rows(world, expr.text, edge)
        case syntax.Where(operand, condition):
            rows, still = rows_of(world, operand, edge)
            return [row for row in rows if row.passes((condition,))], still
        case syntax.Alias(operand, _):
            return rows_of(world, operand, edge)
        case syntax.Step():
            rows, still = Made(world, expr, edge).rows()
            kept = rows if expr.condition is None else [row for row in rows if row.passes((expr.condition,))]
            return kept, still
        case _:
            raise AssertionError(f"no event: {expr}")


@dataclass(frozen=True)
class Made:
    """A step, and how its rows are made."""

    world: World
    step: syntax.Step
    edge: datetime | None

    def rows(self) -> tuple[list[EventRow], list[tuple[date, datetime]]]:
        made = [rows_of(self.world, operand, self.edge) for operand in self.operands]
        operands = [list(rows) for rows, _ in made]
        open_ = [one for _, still in made[: len(self.step.operands)] for one in still]
        dates = any(self.is_dated(operand) for operand in self.operands)
        if self.step.kind == "first":
            return [row for row in operands[0] if self.is_first(row, operands[0])], open_
        if self.step.kind == "returns":
            return list(self.returned(*operands, dates)), open_
        if self.step.kind == "without":
            pairs = [self.chains([operands[0], others], dates) for others in operands[1:]]
            hit = {id(chain[0]) for found in pairs for chain in found}
            left = [row for row in operands[0] if id(row) not in hit]
            ends = [self.closes(row, dates) for row in left]
            kept = [row for row, end in zip(left, ends, strict=True) if self.edge is not None and end <= self.edge]
            return kept, open_ + [(row.time, end) for row, end in zip(left, ends, strict=True) if row.time]
        chains = self.chains(operands, dates)
        if self.step.match in ("first", "last"):
            chains = self.credited(chains)
        best = self.best(chains)
        found = [self.row(chain, dates) for chain in best.values()]
        if self.step.kind == "then" and self.within is not None:
            left = [row for row in operands[0] if id(row) not in best]
            open_ += [(row.time, self.closes(row, dates)) for row in left if row.time]
        return found, open_

    def returned(self, starts: list[EventRow], others: list[EventRow], dates: bool) -> Iterator[EventRow]:
        """The first rows of a cohort with what returns at an age: one such row of each, or all."""
        for row in starts:
            period = self.aged(self.day(row))
            mine = [one for one in others if None not in self.entity(row) and self.entity(one) == self.entity(row)]
            mine = [one for one in mine if self.at(row, dates) <= self.at(one, dates)]
            mine = [one for one in mine if period and period.first <= self.day(one) <= period.last]
            for one in mine[:1] if self.step.match == "first" else mine:
                names = DerivedNames(row, {self.names[1]: one}, {}, {})
                yield EventRow(names, row.time, 1)  # type: ignore[arg-type]

    def day(self, row: EventRow) -> date:
        assert row.time is not None
        return day_of(row.time, self.world.zone)

    def aged(self, day: date) -> Period | None:
        """The period that lies so many periods after that of a day, as far as a calendar lists them."""
        assert self.step.at is not None
        grain, age = self.step.at
        zone, begins = self.world.zone, self.world.begins
        for step in range((age or 0) + 1):
            if not is_listed(grain, day, zone, begins):
                return None
            period = period_of(grain, day, zone, begins)
            day = period.last + DAY
            if step == age:
                return period
        raise AssertionError("an age is 0 or more")

    @property
    def operands(self) -> tuple[syntax.Expr, ...]:
        return self.step.operands * 2 if self.step.kind == "repeat" else self.step.operands

    @property
    def names(self) -> list[str]:
        if self.step.kind == "repeat":
            return ["", "prior"]
        return [o.name if isinstance(o, syntax.Alias) else first_name(o) for o in self.operands]

    @property
    def within(self) -> syntax.Duration | None:
        within = self.step.within
        if not isinstance(within, syntax.Name):
            return within
        found = self.world.catalog.constants[within.text].formula
        assert found is not None
        assert isinstance(found.expr, syntax.Duration)
        return found.expr

    def is_dated(self, operand: syntax.Expr) -> bool:
        """Whether the rows of an operand have dates only, no time of day."""
        event = base_of(self.world.catalog, first_name(operand))
        return any(type(row.time) is date for row in base.event_rows(self.world, event))

    def entity(self, row: EventRow) -> tuple[Any, ...]:
        names = (key.text if isinstance(key, syntax.Name) else key.args[0].value for key in self.step.by)
        return tuple(row.field(name) for name in names)

    def is_first(self, row: EventRow, rows: list[EventRow]) -> bool:
        entity = self.entity(row)
        mine = [one for one in rows if self.entity(one) == entity]
        return None not in entity and min(mine, key=order) is row

    def at(self, row: EventRow, dates: bool) -> Any:
        assert row.time is not None
        return day_of(row.time, self.world.zone) if dates else starts_at(row.time, self.world.zone)

    def end(self, row: EventRow, dates: bool) -> Any:
        """The last moment at which something may follow a row."""
        within, at = self.within, self.at(row, dates)
        if within is None:
            return date.max if dates else LATE
        if within.unit in EXACT:
            return at + timedelta(seconds=within.count * EXACT[within.unit])
        if dates:
            return later(at, within)
        local = at.astimezone(ZoneInfo(self.world.zone)).replace(tzinfo=None)
        return localize(datetime.combine(later(local.date(), within), local.time()), self.world.zone)

    def closes(self, row: EventRow, dates: bool) -> datetime:
        end = self.end(row, dates)
        return midnight(end + DAY, self.world.zone) if dates else end + TICK

    def follows(self, before: EventRow, after: EventRow, dates: bool) -> bool:
        """Whether a row comes at or after another; of one event no row comes after itself."""
        if root(before) == root(after):
            return order(before) < order(after)
        return bool(self.at(before, dates) <= self.at(after, dates))

    def chains(self, operands: list[list[EventRow]], dates: bool) -> list[list[EventRow]]:
        """All chains of one entity, each row after the one before it (for `after`: before it), within the window."""
        back = self.step.kind in ("after", "repeat")
        found = [[row] for row in operands[0] if None not in self.entity(row)]
        for rows in operands[1:]:
            longer = []
            for chain in found:
                for row in rows:
                    pairs = [(chain[-1], row), *((one, row) for one in chain if root(one) == root(row))]
                    fits = all(self.follows(b, a, dates) if back else self.follows(a, b, dates) for a, b in pairs)
                    if fits and self.entity(row) == self.entity(chain[0]):
                        longer.append([*chain, row])
            found = longer
        ends = [(chain[-1], chain[0]) if back else (chain[0], chain[-1]) for chain in found]
        return [c for c, (a, b) in zip(found, ends, strict=True) if self.at(b, dates) <= self.end(a, dates)]

    def credited(self, chains: list[list[EventRow]]) -> list[list[EventRow]]:
        """The chains whose last row credits their first: the latest or earliest that it has a chain with."""
        choose = max if self.step.match == "last" else min
        mine: dict[int, EventRow] = {}
        for chain in chains:
            known = mine.get(id(chain[-1]), chain[0])
            mine[id(chain[-1])] = choose(known, chain[0], key=order)
        return [chain for chain in chains if mine[id(chain[-1])] is chain[0]]

    def best(self, chains: list[list[EventRow]]) -> dict[int, list[EventRow]]:
        """For each first row the chain of the earliest rows that fit, one after the other; for `after` the latest."""
        choose = min if self.step.kind == "then" else max
        found: dict[int, list[list[EventRow]]] = {}
        for chain in chains:
            found.setdefault(id(chain[0]), []).append(chain)
        return {
            first: choose(same, key=lambda chain: [order(row) for row in chain[1:]]) for first, same in found.items()
        }

    def row(self, chain: list[EventRow], dates: bool) -> EventRow:
        ends = {"": (chain[0], chain[-1])}
        if self.step.kind != "repeat":
            ends |= {f"{name}.": (a, b) for name, a, b in zip(self.names[1:], chain, chain[1:], strict=False)}
        delays: dict[str, float] = {}
        between: dict[str, tuple[datetime, datetime]] = {}
        for name, pair in ends.items():
            first, last = sorted(self.at(row, dates) for row in pair)
            delays[f"{name}delay"] = float((last - first).total_seconds())
            instants = [midnight(at, self.world.zone) for at in (first, last)] if dates else [first, last]
            between[f"{name}work_delay"] = (instants[0], instants[1])
        steps = dict(zip(self.names[1:], chain[1:], strict=True))
        return EventRow(DerivedNames(chain[0], steps, delays, between), chain[0].time, 1)  # type: ignore[arg-type]


def later(day: date, length: syntax.Duration) -> date:
    """The day so long after one; of a month that is too short, the last."""
    if length.unit in MONTHS:
        months = day.month - 1 + length.count * MONTHS[length.unit]
        year, month = day.year + months // 12, months % 12 + 1
        return date(year, month, min(day.day, monthrange(year, month)[1]))
    return day + length.count * {"d": 1, "w": 7}[length.unit] * DAY


def origin(row: EventRow) -> EventRow:
    """The row of an event that datasets provide, which a row is, whatever was derived of it."""
    while isinstance(row.names, DerivedNames):
        row = row.names.row
    return row


def root(row: EventRow) -> str:
    return origin(row).event


def order(row: EventRow) -> Any:
    """The order of rows: by time, and equal ones of an event by dataset, its key, then its columns by name."""
    found = origin(row)
    names, world = found.names, found.names.world
    assert found.time is not None
    datasets = list(world.catalog.datasets)
    columns = sorted(world.columns[names.dataset.name])
    values = [clean(names.field(part), names) for part in names.dataset.key]
    values += [clean(names.row[column], names) for column in columns]
    place = next(n for n, one in enumerate(world.rows[names.dataset.name]) if one is names.row)
    told = [(value is not None, 0 if value is None else value) for value in values]
    return starts_at(found.time, world.zone), datasets.index(names.dataset.name), told, place


def has_derived(world: World, event: str, name: str) -> bool:
    """Whether the rows of a derived event have a field."""
    expr = meaning(world.catalog, event)
    return base.has_field(world, event, name) if expr is None else has_in(world, expr, name)


def has_in(world: World, expr: syntax.Expr, name: str) -> bool:
    match expr:
        case syntax.Name():
            return has_derived(world, expr.text, name)
        case syntax.Where(operand, _) | syntax.Alias(operand, _):
            return has_in(world, operand, name)
        case syntax.Step():
            step, _, rest = name.partition(".")
            if expr.kind in ("then", "after", "repeat"):
                operands = expr.operands * 2 if expr.kind == "repeat" else expr.operands
                made = Made(world, expr, None)
                for known, operand in zip(made.names[1:], operands[1:], strict=True):
                    if rest and step == known:
                        return (rest in DELAYS and expr.kind != "repeat") or has_in(world, operand, rest)
                if name in DELAYS:
                    return True
            return has_in(world, expr.operands[0], name)
        case _:
            raise AssertionError(f"no event: {expr}")


def written(expr: syntax.Expr) -> str:
    """The name by which formulas go on with an event that stands in them."""
    text = format_expr(expr)
    if isinstance(expr, syntax.Step) and expr.kind == "returns":
        RETURNS[text] = expr
    return text


def begins_with(catalog: Catalog, event: str) -> str:
    """The event that tells in which segments there is something: of a cohort that of its first rows."""
    expr = meaning(catalog, event)
    return written(expr.operands[0]) if isinstance(expr, syntax.Step) and expr.kind == "returns" else event


def is_over(world: World, event: str, last: date, known: datetime | None) -> bool:
    """Whether so many periods have gone by after the one of a day as a cohort needs to know what returns."""
    for step in steps_of(world.catalog, event):
        if step.kind == "returns":
            period = Made(world, step, None).aged(last)
            if known is None or period is None or period.end > known:
                return False
    return True


def ends_before(world: World, event: str, start: datetime, found: dict[str, datetime | None]) -> bool:
    """Whether a period begins so long after the coverage of what must come before that nothing of it is missing."""
    for step in steps_of(world.catalog, event):
        made = Made(world, step, None)
        if step.kind not in ("after", "repeat") or made.within is None:
            continue
        for operand in made.operands[1:]:
            for name in names_in(operand):
                for one in bases_of(world.catalog, name):
                    for dataset in world.providers(one):
                        begin = found[dataset.name]
                        if begin is None or start < shifted(begin, made.within, world.zone):
                            return False
    return True


def shifted(begin: datetime, length: syntax.Duration, zone: str) -> datetime:
    if length.unit in EXACT:
        return begin + timedelta(seconds=length.count * EXACT[length.unit])
    return midnight(later(day_of(begin, zone), length), zone)
