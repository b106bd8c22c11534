"""Datasets and events: which rows an event has, when, with what weight, under which names their fields are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from smartkpi.language import syntax
from smartkpi.spec.group import Group
from smartkpi.spec.model import Binding, Catalog, Column, Dataset, FieldDef, Formula
from tests.oracle.days import DAY, TICK, Begins, Period, first_day, is_listed, local_day, midnight, period_of
from tests.oracle.values import clean, compare, evaluate, holds

Row = Mapping[str, Any]
FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A project with the rows of its datasets, as far as the as-of of the question lets one see.

    ``held`` says whether a row is in a group, which is another thing for each KPI; ``members`` what it has found.
    """

    catalog: Catalog
    rows: Mapping[str, list[Row]]
    columns: Mapping[str, tuple[str, ...]]
    cut: datetime | None = None
    held: Callable[[RowNames, Group], bool] | None = field(default=None, compare=False)
    members: dict[Any, bool] = field(default_factory=dict, compare=False)

    @property
    def zone(self) -> str:
        return self.catalog.calendar.timezone

    @property
    def begins(self) -> Begins:
        calendar = self.catalog.calendar
        lists = tuple((one.grain.value, (*one.starts, one.end)) for one in calendar.periods)
        return Begins(calendar.week_start, calendar.year_start, lists)

    def providers(self, event: str) -> list[Dataset]:
        return [dataset for dataset in self.catalog.datasets.values() if event in dataset.events]

    def names(
        self, dataset: Dataset, row: Row, time: date | None = None, own: str | None = None, outside: bool = False
    ) -> RowNames:
        return RowNames(self, dataset, row, time, own, outside)


@dataclass(frozen=True)
class RowNames:
    """The names that an expression over one row sees.

    In a dataset (its fields, times, `when`): fields, columns, constants. In a condition on an event (``outside``;
    ``time`` is then the event's, if it has one): the same, and no column by `col` but the field of that name.
    """

    world: World
    dataset: Dataset
    row: Row
    time: date | None = None
    own: str | None = None
    outside: bool = False

    @property
    def zone(self) -> str:
        return self.world.zone

    @property
    def naive_zone(self) -> str:
        return self.dataset.timezone or self.world.zone

    def column(self, name: str) -> Any:
        return self.field(name) if self.outside else self.row[name]

    def value(self, name: syntax.Name) -> Any:
        return self.field(".".join(name.parts))

    def field(self, name: str) -> Any:
        found = self.found(name)
        return self.spelt(name, found) if name != self.own else found

    def spelt(self, name: str, value: Any) -> Any:
        """A value of a field, or a text it is compared with, in the one spelling that its dimension gives it."""
        dimension = self.world.catalog.dimensions.get(name.split(".")[-1])
        return dimension.spellings.get(value, value) if dimension and isinstance(value, str) else value

    def start_of(self, time: date | None, grain: str) -> date | None:
        """The first day of the period of a time; none outside of those that the calendar lists."""
        if time is None or not is_listed(grain, time, self.zone, self.world.begins):
            return None
        return first_day(grain, local_day(time, self.zone) if isinstance(time, datetime) else time, self.world.begins)

    def found(self, name: str) -> Any:
        fields = self.dataset.fields
        group = self.world.catalog.groups.get(name)
        if self.outside and group is not None and self.world.held is not None:
            return self.world.held(self, group)
        if "." in name and name not in self.row:
            return looked_up(self, name)
        if name in fields and name != self.own:
            what = fields[name].is_
            assert what is not None
            return bound(what, self.world.names(self.dataset, self.row, own=name))
        if name == "time" and self.time is not None:
            return self.time
        if name in self.row:
            return self.row[name]
        if name == "time":
            return dataset_time(self.world, self.dataset, self.row)
        if name == "dataset":
            return self.dataset.name
        return evaluate(self.world.catalog.constants[name].formula.expr, self)


def looked_up(names: RowNames, path: str) -> Any:
    """A field of the one row of another dataset that a lookup leads to; null where there is none."""
    first, _, rest = path.partition(".")
    world, lookup = names.world, names.dataset.lookups[first]
    other = world.catalog.datasets[lookup.dataset]
    here = world.names(names.dataset, names.row)
    key = [clean(here.field(mine), here) for mine, _ in lookup.on]
    if any(part is None for part in key):
        return None
    time = dataset_time(world, names.dataset, names.row) if lookup.valid else None
    found = []
    for row in distinct_rows(world, other):
        there = world.names(other, row)
        if [clean(there.field(theirs), there) for _, theirs in lookup.on] == key and (
            lookup.valid is None or holds_at(there, lookup.valid, time)
        ):
            found.append(there)
    assert len(found) < 2, f"not one row for {key} in {other.name}"
    return clean(found[0].field(rest), found[0]) if found else None


def holds_at(row: RowNames, valid: tuple[str, str], time: date | None) -> bool:
    """Whether a row holds at a time: from its first end on, before its second; a null end is open."""
    start, end = (clean(row.field(name), row) for name in valid)
    if time is None:
        return False
    after = start is None or compare("<=", start, time, row.zone)
    return after and (end is None or compare("<", time, end, row.zone))


def bound(what: Formula | Column, names: RowNames) -> Any:
    """The value of a field, a time, a count: a column by its exact name, or an expression."""
    return clean(names.column(what.name), names) if isinstance(what, Column) else evaluate(what.expr, names)


@dataclass(frozen=True)
class EventRow:
    """One row of an event: its time (None: timeless), and what it stands for (None: a count that is null)."""

    names: RowNames
    time: date | None
    weight: int | None
    event: str = ""

    def field(self, name: str) -> Any:
        return clean(self.names.field(name), self.names)

    def passes(self, conditions: Iterable[syntax.Expr]) -> bool:
        return all(holds(condition, self.names) for condition in conditions)

    __hash__ = object.__hash__


def day_of(time: date, zone: str) -> date:
    return local_day(time, zone) if isinstance(time, datetime) else time


def starts_at(time: date, zone: str) -> datetime:
    """The first instant of a time: itself, or the local midnight of a date."""
    return time.astimezone(UTC) if isinstance(time, datetime) else midnight(time, zone)


def ends_at(time: date, zone: str) -> datetime:
    """The first instant after a time; a date covers its day."""
    return time.astimezone(UTC) + TICK if isinstance(time, datetime) else midnight(time + DAY, zone)


def stands_for(world: World, dataset: Dataset, time: date) -> Period | None:
    """The period that a row of some time stands for; none where rows are things that happened then."""
    counts = [binding.count is not None for binding in dataset.events.values()]
    every = dataset.every.value if dataset.every else "day" if counts and all(counts) else None
    moment = time.astimezone(UTC) if isinstance(time, datetime) else time
    return period_of(every, moment, world.zone, world.begins) if every else None


def seen(world: World, dataset: Dataset, time: date | None) -> bool:
    """Whether a time lies before the as-of that was asked for; a longer period than a day also ends before it."""
    if time is None or world.cut is None:
        return time is not None
    period = stands_for(world, dataset, time)
    if period is not None and period.last > period.first:
        return period.end <= world.cut
    return starts_at(time, world.zone) < world.cut


def dataset_time(world: World, dataset: Dataset, row: Row) -> date | None:
    found: date | None = None if dataset.time is None else bound(dataset.time, world.names(dataset, row))
    return found


def is_stated(dataset: Dataset, day: date) -> bool:
    """Whether a day lies within the coverage that a dataset states, if it states any."""
    first, last = (dataset.covers.start, dataset.covers.end) if dataset.covers else (None, None)
    return (first is None or first <= day) and (last is None or day <= last)


def times(world: World, dataset: Dataset) -> list[date]:
    """All times of a dataset's rows: its own, and those that its events have instead; whatever is asked."""
    bindings = [b.time for b in dataset.events.values() if b.time is not None]
    bound_times = [*([dataset.time] if dataset.time is not None else []), *bindings]
    found = [bound(what, world.names(dataset, row)) for row in distinct_rows(world, dataset) for what in bound_times]
    return [time for time in found if seen(world, dataset, time)]


def distinct_rows(world: World, dataset: Dataset) -> list[Row]:
    """The rows of a dataset; of those with an equal key the latest by time that the as-of lets one see."""
    rows = world.rows[dataset.name]
    if not dataset.key:
        return rows
    latest: dict[tuple[Any, ...], tuple[Any, Row]] = {}
    for row in rows:
        names = world.names(dataset, row)
        key = tuple(clean(names.field(part), names) for part in dataset.key)
        time = dataset_time(world, dataset, row)
        instant = FIRST if time is None else starts_at(time, world.zone)
        kept = None if dataset.keep is None else evaluate(dataset.keep.expr, names)
        newest = (True, instant) if dataset.keep is None else (kept is not None, kept or 0)
        order = (time is None or seen(world, dataset, time), newest)
        if key not in latest or latest[key][0] < order:
            latest[key] = (order, row)
    return [row for _, row in latest.values()]


def event_rows(world: World, event: str) -> list[EventRow]:
    """The rows of an event, of all datasets that provide it; of those with one key the first dataset's."""
    contract = world.catalog.contracts.get(event)
    if contract is None or contract.prefer is None:
        return provided_rows(world, event, world.providers(event))
    found: list[EventRow] = []
    for name in contract.prefer.datasets:
        rows = provided_rows(world, event, [world.catalog.datasets[name]])
        keys = [tuple(row.field(part) for part in contract.prefer.key) for row in rows]
        known = {tuple(row.field(part) for part in contract.prefer.key) for row in found}
        found += [row for row, key in zip(rows, keys, strict=True) if None in key or key not in known]
    return found


def provided_rows(world: World, event: str, datasets: Iterable[Dataset]) -> list[EventRow]:
    """The rows of an event in some datasets; those without a time are left out."""
    found = []
    for dataset in datasets:
        binding = dataset.events[event]
        for row in distinct_rows(world, dataset):
            time = event_time(world, dataset, binding, row)
            names = world.names(dataset, row)
            if not dataset.timeless and (
                time is None or not seen(world, dataset, time) or not is_stated(dataset, day_of(time, world.zone))
            ):
                continue
            if binding.when is None or holds(binding.when.expr, names):
                weight = 1 if binding.count is None else bound(binding.count, names)
                found.append(
                    EventRow(
                        world.names(dataset, row, time, outside=True),
                        time,
                        None if weight is None else int(weight),
                        event,
                    )
                )
    return found


def event_time(world: World, dataset: Dataset, binding: Binding, row: Row) -> date | None:
    if binding.time is None:
        return dataset_time(world, dataset, row)
    return bound(binding.time, world.names(dataset, row))


def has_field(world: World, event: str, name: str) -> bool:
    """Whether every dataset that provides an event has a field of this name, and no two look it up."""
    if (group := world.catalog.groups.get(name)) is not None:
        dated = group.at == "as_of" or not any(dataset.timeless for dataset in world.providers(event))
        return dated and has_field(world, event, group.of)
    if len(world.providers(event)) > 1 and any(name.split(".")[0] in d.lookups for d in world.providers(event)):
        return False
    return all(knows(world, dataset, name) for dataset in world.providers(event))


def knows(world: World, dataset: Dataset, name: str) -> bool:
    """Whether the rows of a dataset have a field of this name, or one that their lookups lead to."""
    first, dot, rest = name.partition(".")
    if dot and first in dataset.lookups:
        return knows(world, world.catalog.datasets[dataset.lookups[first].dataset], rest)
    return name in dataset.fields or name in world.columns[dataset.name] or name in ("time", "dataset")


def is_money(
    world: World, dataset: Dataset, expr: syntax.Expr, contract: Mapping[str, FieldDef], own: str = ""
) -> bool:
    """Whether a row expression is an amount of money: a money field, or arithmetic that keeps it one."""
    match expr:
        case syntax.Name((first, *rest)) if rest and first in dataset.lookups:
            other = world.catalog.datasets[dataset.lookups[first].dataset]
            return is_money(world, other, replace(expr, parts=tuple(rest)), {})
        case syntax.Name((*_, name)):
            field = dataset.fields.get(name) if name != own else None
            for known in (field, contract.get(name)):
                if known is not None and known.unit is not None:
                    return known.unit.name == "money"
            return (
                field is not None
                and isinstance(field.is_, Formula)
                and is_money(world, dataset, field.is_.expr, contract, own=name)
            )
        case syntax.Apply("/", (above, below)):
            return is_money(world, dataset, above, contract, own) and not is_money(world, dataset, below, contract, own)
        case syntax.Apply("if", (_, *args)) | syntax.Apply(_, args):
            return any(is_money(world, dataset, arg, contract, own) for arg in args)
        case _:
            return False


def micros(value: Any) -> int:
    """An amount in millionths, half to even: exact for whole and decimal numbers, of the product for floats."""
    if isinstance(value, float):
        return round(value * 1e6)
    return round(Fraction(value) * 10**6)
