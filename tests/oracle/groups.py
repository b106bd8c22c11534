"""Groups: every row of an entity that counts by then is looked at anew for each row that is held against a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from smartkpi.language import syntax
from smartkpi.spec.group import Group
from smartkpi.spec.model import Catalog
from smartkpi.tree import walk
from tests.oracle.days import period_of
from tests.oracle.formula import Cell, compute
from tests.oracle.rows import EventRow, RowNames, World, ends_at, starts_at
from tests.oracle.steps import derived_rows, meaning
from tests.oracle.values import clean


def is_member(names: RowNames, group: Group, grain: str, edge: datetime | None) -> bool:
    """Whether the entity of a row is in a group at the time that the group is as of."""
    world = names.world
    entity = clean(names.field(group.of), names)
    if entity is None:
        return False
    moment = moment_of(world, group, names.time, grain)
    key = (group.name, entity, moment, grain, edge, id(world.catalog))
    if key not in world.members:
        rows = {event: derived_rows(world, event, edge)[0] for event in events_in(world.catalog, group)}
        kept = {event: [row for row in some if counts(world, row, moment)] for event, some in rows.items()}
        mine = {event: [row for row in some if row.field(group.of) == entity] for event, some in kept.items()}
        world.members[key] = compute(cell_of(world, mine), group.where.expr, ()).number is True
    return world.members[key]


def moment_of(world: World, group: Group, time: date | None, grain: str) -> datetime | None:
    """The first instant that no longer counts; none where all rows do."""
    if group.at == "as_of":
        return None
    assert time is not None
    if group.at == "event":
        return starts_at(time, world.zone)
    moment = time.astimezone(UTC) if isinstance(time, datetime) else time
    return period_of(grain, moment, world.zone, world.begins).start


def counts(world: World, row: EventRow, moment: datetime | None) -> bool:
    """Whether a row lies wholly before a moment."""
    assert row.time is not None
    return moment is None or ends_at(row.time, world.zone) <= moment


def cell_of(world: World, rows: dict[str, list[EventRow]]) -> Cell:
    """A cell of known rows, in which totals are rounded as values are."""

    def nowhere(*_: Any) -> Any:
        raise AssertionError("a group is over the rows so far, and nothing else")

    return Cell(world, rows.__getitem__, lambda event: True, nowhere, nowhere, nowhere, nowhere, rounded=True)


def events_in(catalog: Catalog, group: Group) -> list[str]:
    """The events that the condition of a group is over."""
    names = [node.parts[0] for node in walk(group.where.expr) if isinstance(node, syntax.Name)]
    known = {event for dataset in catalog.datasets.values() for event in dataset.events} | set(catalog.derived)
    return list(dict.fromkeys(name for name in names if name in known))


def groups_named(catalog: Catalog, exprs: Iterable[syntax.Expr]) -> Iterator[Group]:
    """The groups that expressions name, those too that stand in the events and groups that they are made of."""
    stack, seen = list(exprs), set()
    while stack:
        for node in walk(stack.pop()):
            parts = (
                node.parts if isinstance(node, syntax.Name) else (node.name,) if isinstance(node, syntax.Member) else ()
            )
            for name in (part for one in parts for part in one.split(".")):
                if name in seen:
                    continue
                seen.add(name)
                if name in catalog.groups:
                    yield catalog.groups[name]
                    stack.append(catalog.groups[name].where.expr)
                elif name in catalog.derived and (found := meaning(catalog, name)) is not None:
                    stack.append(found)
                elif name in catalog.kpis:
                    kpi = catalog.kpis[name]
                    stack += [kpi.formula.expr, *([] if kpi.where is None else [kpi.where.expr])]
