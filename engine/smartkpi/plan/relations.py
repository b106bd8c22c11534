"""Rows that are made of rows: what the scans of derived events read, down to the datasets that are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from smartkpi.language.types import UNKNOWN, WHOLE
from smartkpi.plan.nodes import Cell, Component, Delay, History, Relation, Scan, Side, Standing, View
from smartkpi.plan.scans import Rows, is_late, rows_of, standing_of
from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import Column, Derivation, Expr, Field, InGroup, TypedBinding, TypedDataset
from smartkpi.semantics.scope import DELAYS, WORKED
from smartkpi.tree import walk

VALUE = "value"
"""The column of what a group adds up."""

TIME, ROW, AGE, REACHED = "@time", "@row", "@age", "@reached"
"""Columns of derived rows: the time of the event, the number of the row that it is of the root event, periods between
rows, and how many other rows of a chain follow."""


def flag_of(place: int) -> str:
    """Return the column of rows that are read once which tells those of one operand."""
    return f"@is {place}"


@dataclass(slots=True)
class Relations:
    """Relations by the name of their dataset, each after those it is made of, and those datasets."""

    found: dict[str, Relation | Standing] = field(default_factory=dict)
    datasets: dict[str, TypedDataset] = field(default_factory=dict)
    opens: dict[str, tuple[str, ...]] = field(default_factory=dict)


def relations_of(checked: Checked, scans: Iterable[Scan], components: Mapping[str, Component]) -> Relations:
    """Return the relations that scans read, with the columns that are wanted of each."""
    build = _Build(checked)
    for scan in scans:
        exprs = [expr for _, expr in scan.keys] + [expr for cell in scan.cells for expr in _of_cell(cell)]
        for id in (cell.id for cell in scan.cells):
            for rows in rows_of(checked, components[id].event, components[id].view):
                if rows.dataset.name == scan.dataset:
                    build.want(rows, components[id].view, exprs)
    return build.relations()


def histories_of(checked: Checked, components: Iterable[Component]) -> dict[str, History]:
    """Return what the derived events among those of components stand on."""
    found = {}
    for event in dict.fromkeys(component.event for component in components):
        scope = checked.scopes[event]
        if scope.lineage is not None:
            found[event] = History(scope.lineage.home, scope.reads, scope.lineage.back, scope.lineage.until)
    return found


def provided(checked: Checked, components: Mapping[str, Component]) -> dict[str, tuple[TypedBinding, ...]]:
    """Return where the rows of components over derived events are."""
    found = {}
    for id, component in components.items():
        if checked.scopes[component.event].lineage is not None:
            sides = rows_of(checked, component.event, component.view)
            found[id] = tuple(replace(rows.binding, dataset=rows.dataset.name) for rows in sides)
    return found


def open_in(checked: Checked, components: Mapping[str, Component], known: Relations) -> dict[str, tuple[str, ...]]:
    """Return for each component the relations in which windows may be open that decide on its rows."""
    found = {}
    for id, component in components.items():
        names = (rows.dataset.name for rows in rows_of(checked, component.event, component.view))
        found[id] = tuple(dict.fromkeys(one for name in names for one in known.opens.get(name, ())))
    return {id: names for id, names in found.items() if names}


def _of_cell(cell: Cell) -> Iterator[Expr]:
    yield from cell.where
    if cell.argument is not None:
        yield cell.argument


@dataclass(slots=True)
class _Build:
    """Columns wanted of derived datasets: those of outer ones are found before those of inner ones.

    ``inner`` has the relations that one is made of, ``standings`` those that are of groups.
    """

    checked: Checked
    wanted: dict[str, dict[str, None]] = field(default_factory=dict)
    known: dict[str, tuple[Rows, View]] = field(default_factory=dict)
    inner: dict[str, dict[str, None]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)

    def want(self, rows: Rows, view: View, exprs: Iterable[Expr], outer: str = "") -> None:
        """Ask for what expressions over rows read, which an ``outer`` relation is made of perhaps.

        Of a derived dataset that are columns, and what those are made of; and the groups that rows are held against.
        """
        exprs = tuple(exprs)
        mine = self.inner.setdefault(outer, {})
        for node in (node for expr in exprs for node in walk(expr) if isinstance(node, InGroup)):
            mine[node.relation] = None
            self.stand(node.relation, view)
        derivation, name = rows.dataset.derivation, rows.dataset.name
        if derivation is None:
            return
        mine[name] = None
        columns = {node.name: None for expr in exprs for node in walk(expr) if isinstance(node, Column)}
        new = name not in self.known
        self.known[name] = (rows, view)
        before = self.wanted.setdefault(name, {})
        if not new and columns.keys() <= before.keys():
            return
        before |= columns
        ordered = _is_ordered(derivation, before)
        for place, operand in enumerate(derivation.operands):
            for one in rows_of(self.checked, operand.event, view):
                self.want(one, view, _side(derivation, place, one, before, numbered=ordered).reads, name)

    def stand(self, name: str, view: View) -> None:
        """Ask for the entities of a group, and for what it is made of."""
        if name in self.standings:
            return
        group = next(one for one in self.checked.groups.values() if standing_of(one, view) == name)
        operands = []
        for total in group.totals:
            sides = []
            for rows in rows_of(self.checked, total.event, view):
                assert rows.binding.time is not None, "check lets rows without a time be in no group"
                columns = () if total.argument is None else ((VALUE, rows.bind(total.argument)),)
                by = (rows.bind(Field(group.of, UNKNOWN)),)
                sides.append(Side(rows.dataset.name, rows.binding.time, rows.where(total.where), by, columns))
                self.want(rows, view, sides[-1].reads, name)
            operands.append(tuple(sides))
        grain = view.grain if group.by_period else None
        assert grain is not None or group.at != "period_start", f"`{group.name}` is asked for without a period"
        totals = tuple((total.function, total.type) for total in group.totals)
        self.standings[name] = Standing(
            group.name, tuple(operands), totals, group.condition, group.nothing, group.at, grain
        )

    def relations(self) -> Relations:
        found = Relations()
        for name in (*self.known, *self.standings):
            self.add(name, found)
        return found

    def add(self, name: str, found: Relations) -> None:
        if name in found.found:
            return
        for inner in self.inner.get(name, {}):
            self.add(inner, found)
        if name in self.standings:
            found.found[name] = self.standings[name]
            return
        rows, view = self.known[name]
        derivation = rows.dataset.derivation
        assert derivation is not None
        columns = self.wanted[name]
        ordered = _is_ordered(derivation, columns)
        operands = tuple(
            tuple(
                _side(derivation, place, one, columns, numbered=ordered)
                for one in rows_of(self.checked, operand.event, view)
            )
            for place, operand in enumerate(derivation.operands)
        )
        relation = Relation(
            kind=derivation.kind,
            operands=operands,
            roots=tuple(operand.root for operand in derivation.operands),
            within=derivation.within,
            match=derivation.match,
            dates=derivation.dates,
            delays=tuple(_delays(derivation, columns)),
            ordered=ordered,
            seen=view.seen if is_late(self.checked, rows.binding.event) else (),
            grain=derivation.grain,
        )
        found.found[name] = relation
        found.datasets[name] = rows.dataset
        below = [one for inner in self.inner.get(name, {}) for one in found.opens.get(inner, ())]
        found.opens[name] = tuple(dict.fromkeys((*below, *((name,) if relation.opens else ()))))


def _is_ordered(derivation: Derivation, columns: Iterable[str]) -> bool:
    """Say whether the order of equal rows shows: rows meet others of their event, or one of several is looked at."""
    if derivation.kind == "returns":
        return False
    roots = [operand.root for operand in derivation.operands]
    if len(set(roots)) < len(roots):
        return True
    names = {operand.name for operand in derivation.operands if operand.name}
    looked = {name for name in columns if name not in (TIME, *(one.name for one in _delays(derivation, columns)))}
    follower = any(name.partition(".")[0] in names and "." in name for name in looked)
    own = any(name.partition(".")[0] not in names or "." not in name for name in looked)
    return follower or (own and (derivation.kind == "first" or derivation.match != "all"))


def _delays(derivation: Derivation, columns: Iterable[str]) -> Iterator[Delay]:
    """Yield the wanted columns that are times between two rows: of the whole chain, and of one step."""
    if derivation.kind not in ("then", "after"):
        return
    places = {operand.name: place for place, operand in enumerate(derivation.operands) if operand.name}
    for name in columns:
        step, _, rest = name.partition(".")
        if name in DELAYS:
            yield Delay(name, 0, len(derivation.operands) - 1, name == WORKED)
        elif rest in DELAYS and step in places and not derivation.repeat:
            yield Delay(name, places[step] - 1, places[step], rest == WORKED)


def _side(derivation: Derivation, place: int, rows: Rows, columns: Iterable[str], *, numbered: bool) -> Side:
    """Return the rows of an operand in one dataset, with those of the wanted columns that are of them."""
    time = rows.binding.time
    assert time is not None, "check lets rows without a time be no step"
    mine = []
    delays = {one.name for one in _delays(derivation, columns)}
    names = {operand.name for operand in derivation.operands if operand.name} if derivation.kind != "without" else set()
    for name in columns:
        step, dot, rest = name.partition(".")
        of = step if dot and step in names else ""
        if name in (TIME, ROW, AGE) or name in delays or of != derivation.operands[place].name or (place and not of):
            continue
        mine.append((name, rows.bind(Field(rest if of else name, UNKNOWN))))
    if numbered or (ROW in columns and not place):
        mine.append((ROW, Column(ROW, WHOLE)))
    by = tuple(rows.bind(Field(name, UNKNOWN)) for name in derivation.by)
    return Side(rows.dataset.name, time, rows.where(()), by, tuple(mine))
