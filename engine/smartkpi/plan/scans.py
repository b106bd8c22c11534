"""Scans of a plan: each component as its datasets answer it, at the grains and stretches of time that are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product

from smartkpi.language.types import BOOLEAN, UNKNOWN, WHOLE
from smartkpi.language.types import TEXT as TEXT_TYPE
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path, grid_of, is_cut
from smartkpi.plan.nodes import ANY_VIEW, EVER, Back, Cell, Component, Demand, Output, Range, Scan, Step, View
from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import (
    Apply,
    Column,
    Expr,
    Field,
    InGroup,
    Literal,
    TypedBinding,
    TypedDataset,
    TypedGroup,
)
from smartkpi.semantics.prefer import between, stated
from smartkpi.semantics.steps import TIME_OF_ROW
from smartkpi.tree import rewrite

HOLISTIC = ("quantile", "stddev", "first", "last")
STATES = {"distinct": "distinct", "approx_distinct": "sketch"} | dict.fromkeys(HOLISTIC, "holistic")
"""The state class of an aggregate that is not additive; `values` for a distinct of several datasets."""


def scans_of(
    checked: Checked, components: Mapping[str, Component], steps: Iterable[Step], outputs: Iterable[Output]
) -> Iterator[Scan]:
    """Yield one scan a component, at the grains that ask for it; what does not add up takes one for each of them."""
    wanted = _wanted(components, {step.id: step for step in steps}, outputs)
    rows = {
        (event, view): tuple(rows_of(checked, event, view))
        for event, view in dict.fromkeys((components[id].event, components[id].view) for id in wanted)
    }
    for id in (id for id in components if id in wanted):
        component, asked = components[id], wanted[id]
        providers = rows[component.event, component.view]
        state = STATES.get(component.aggregate, "additive")
        if state == "distinct" and len(providers) > 1:
            state = "values"
        grains = tuple(sorted(asked.grains, key=lambda grain: grain.rank))
        for one, together in product(providers, (grains,) if state == "additive" else ((g,) for g in grains)):
            back = tuple(dict.fromkeys(one for g in together for one in asked.back.get(g, ())))
            yield _scan(id, component, one, state, together, back=back, parts=asked.parts)
        for one, demand in product(providers, asked.demands.values()):
            yield _scan(id, component, one, state, (), demands=(demand,))


def _scan(
    id: str,
    component: Component,
    one: Rows,
    state: str,
    grains: tuple[Grain, ...],
    demands: tuple[Demand, ...] = (),
    back: tuple[Back, ...] = (),
    parts: bool = False,
) -> Scan:
    return Scan(
        dataset=one.dataset.name,
        time=one.binding.time,
        state=state,
        filter=(),
        keys=tuple((name, one.bind(Field(name.removeprefix("@"), TEXT_TYPE))) for name in component.keep),
        grains=grains,
        cells=(replace(_cell(id, component, one), parts=parts),),
        demands=demands,
        back=back,
    )


@dataclass(slots=True)
class _Wanted:
    """How a component is asked for: at which grains, with which earlier periods, over which stretches of time."""

    grains: dict[Grain, None] = field(default_factory=dict)
    back: dict[Grain, dict[Back, None]] = field(default_factory=dict)
    demands: dict[Demand, Demand] = field(default_factory=dict)
    parts: bool = False

    def demand(self, more: Demand) -> None:
        """Ask for stretches of time, together with others of the same window."""
        key = replace(more, paths=())
        paths = self.demands[key].paths if key in self.demands else ()
        self.demands[key] = replace(more, paths=tuple(dict.fromkeys((*paths, *more.paths))))


def _wanted(
    components: Mapping[str, Component], steps: Mapping[str, Step], outputs: Iterable[Output]
) -> dict[str, _Wanted]:
    found: dict[str, _Wanted] = {}
    for output, step in ((one, steps[name]) for one in outputs for name in one.steps):
        _want_step(found, components, steps, step, _Asked(output.grain, output.datasets, step.whole))
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """At which periods a step is asked for: those of an output, or of a series ``inside`` of what is read of others."""

    grain: Grain
    datasets: tuple[str, ...]
    whole: bool
    inside: Back | None = None


def _want_step(
    found: dict[str, _Wanted], components: Mapping[str, Component], steps: Mapping[str, Step], step: Step, asked: _Asked
) -> None:
    inner = dict.fromkeys(id for id, read_at in step.inner if read_at is None)
    paths: dict[str, dict[Path, None]] = {id: {} for id in (*step.components, *step.presence, *step.inside)}
    for id, path in step.reads:
        paths[id][path] = None
    for id in dict.fromkeys((*step.components, *step.presence, *inner)):
        _want(found.setdefault(id, _Wanted()), components[id], asked, tuple(paths[id]))
    for id, read_at in step.inner:
        if read_at is not None:
            _want_values(found.setdefault(id, _Wanted()), components[id], asked, tuple(paths[id]), read_at)
    for one in step.series:
        inside = Back(asked.grain, one.path, one.window, asked.inside)
        _want_step(found, components, steps, steps[one.step], replace(asked, grain=one.grain, inside=inside))


def _want(one: _Wanted, component: Component, asked: _Asked, paths: tuple[Path, ...]) -> None:
    """Ask for what a component is in the periods asked for, those that paths lead to, or a window of them."""
    grain, inside, shifted = asked.grain, asked.inside, tuple(path for path in paths if path)
    if component.window is None:
        one.grains[grain] = None
        own = shifted if inside is None else ((), *shifted)
        one.back.setdefault(grain, {}).update(dict.fromkeys(Back(grain, path, None, inside) for path in own))
    if component.window is not None or (shifted and is_cut(grain) and not asked.whole):
        if is_gridded(component):
            grid = grid_of(grain)
            one.grains[grid] = None
            one.parts = True
            back = (Back(grain, path, component.window, inside) for path in paths)
            one.back.setdefault(grid, {}).update(dict.fromkeys(back))
        else:
            reached = paths if component.window is not None else shifted
            one.demand(Demand(grain, asked.datasets, component.window, reached, inside=inside))


def _want_values(one: _Wanted, component: Component, asked: _Asked, paths: tuple[Path, ...], period: Grain) -> None:
    """Ask for what a component is in the calendar periods that lie in those asked for, and in parts of them."""
    grain, window, shifted = asked.grain, component.window, tuple(path for path in paths if path)
    one.grains[period] = None
    own = shifted if window is None and asked.inside is None else paths
    one.back.setdefault(period, {}).update(dict.fromkeys(Back(grain, path, window, asked.inside) for path in own))
    if window is not None or (shifted and is_cut(grain) and not asked.whole):
        reached = shifted if window is None else paths
        one.demand(Demand(grain, asked.datasets, window, reached, period, asked.inside))


def is_gridded(component: Component) -> bool:
    """Say whether stretches of time are added up from the days or hours in them.

    A part of a single earlier period is not where there are many groups, one for each entity.
    """
    told_apart = any(name.startswith("@") for name in component.keep)
    return component.aggregate not in STATES and (component.window is not None or not told_apart)


def _cell(id: str, component: Component, rows: Rows) -> Cell:
    if component.aggregate == "weight":
        # a row without a count stands for one beside counted ones
        argument: Expr | None = rows.binding.count or Literal(Decimal(1), WHOLE)
    else:
        argument = None if component.argument is None else rows.bind(component.argument)
    where, share, nearest = rows.where(component.where, component.days), component.share, component.nearest
    return Cell(id, where, component.aggregate, argument, component.type, share, nearest, keep=component.keep)


def rows_of(checked: Checked, event: str, view: View) -> Iterator[Rows]:
    """Yield the rows of an event in each dataset that provides it, as a question looks at them."""
    groups = [checked.groups[name] for name in checked.grouped.get(event, ())]
    late, by_period = is_late(checked, event), any(group.by_period for group in groups)
    for binding in checked.events[event]:
        dataset = checked.datasets[binding.dataset]
        if dataset.derivation is not None:
            name = viewed(dataset.name, view, late=late, by_period=by_period)
            dataset = dataset if name == dataset.name else replace(dataset, name=name)
        yield Rows(dataset, binding, view, checked.groups)


def viewed(name: str, view: View, *, late: bool, by_period: bool) -> str:
    """Return the name of rows as a question looks at them, as far as they depend on it."""
    by = f" by {view.grain}" if by_period and view.grain is not None else ""
    return f"{name}{by}" + (f" as of {', '.join(view.seen)}" if late and view.seen else "")


def is_late(checked: Checked, event: str) -> bool:
    """Say whether it depends on the as-of which rows an event has."""
    lineage = checked.scopes[event].lineage
    late = lineage is not None and lineage.late
    return late or any(checked.groups[name].late for name in checked.grouped.get(event, ()))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an event in the dataset that provides it; what was bound to them is kept by identity.

    ``view`` is how the question looks at them, ``groups`` are those that they may be in.
    """

    dataset: TypedDataset
    binding: TypedBinding
    view: View = ANY_VIEW
    groups: Mapping[str, TypedGroup] = field(default_factory=dict)
    bound: dict[int, tuple[Expr, Expr]] = field(default_factory=dict)

    def where(self, conditions: Iterable[Expr], days: Range = EVER) -> tuple[Expr, ...]:
        """Return what makes a row one of the event, and conditions on it, over the dataset's columns."""
        when = () if self.binding.when is None else (self.binding.when,)
        conditions = join(self.binding.where, conditions)
        within = between(self.binding.time, days.start, days.end, "<")
        return join((*when, *stated(self.dataset.spec, self.binding.time), *within), map(self.bind, conditions))

    def bind(self, expr: Expr) -> Expr:
        """Return a row expression of the event as one over the dataset's columns."""
        if id(expr) not in self.bound:
            self.bound[id(expr)] = (expr, rewrite(expr, self._resolve))
        return self.bound[id(expr)][1]

    def _resolve(self, node: Expr) -> Expr:
        if not isinstance(node, Field):
            return node
        if self.dataset.derivation is not None:
            step, dot, name = node.name.rpartition(".")
            if name not in self.groups:
                return Column(node.name, node.type)
            time = Column(f"{step}.{TIME_OF_ROW}", UNKNOWN) if dot else self.binding.time
            return self._held(self.groups[name], Column(f"{step}{dot}{self.groups[name].of}", UNKNOWN), time)
        if node.name == TIME_OF_ROW and self.binding.time is not None:
            return self.binding.time
        group = self.groups.get(node.name)
        if group is not None and self.dataset.field(group.of) is not None and self._knows(group):
            return self._held(group, self.bind(Field(group.of, UNKNOWN)), self.binding.time)
        if node.name == "time" and "time" not in self.dataset.fields and self.binding.time is not None:
            return self.binding.time
        if node.name == "dataset" and "dataset" not in self.dataset.fields:
            return Literal(self.dataset.name, TEXT_TYPE)
        found = self.dataset.field(node.name)
        assert found is not None, f"check let a field through that {self.dataset.name} lacks: {node.name}"
        return found

    def _knows(self, group: TypedGroup) -> bool:
        """Say whether it can be told at which time a row is held against a group."""
        return group.at == "as_of" or self.binding.time is not None

    def _held(self, group: TypedGroup, of: Expr, time: Expr | None) -> Expr:
        """Return whether an entity is in a group at a time: a row without one never is."""
        held = InGroup(standing_of(group, self.view), of, None if group.at == "as_of" else time, BOOLEAN)
        known = Apply("coalesce", (held, group.nothing), BOOLEAN)
        return Apply("and", (Apply("is not null", (of,), BOOLEAN), known), BOOLEAN)


def standing_of(group: TypedGroup, view: View) -> str:
    """Return the name of the relation that has a group's entities, as a question looks at them."""
    return viewed(f"@{group.name}", view, late=group.late, by_period=group.by_period)


def join(first: Iterable[Expr], second: Iterable[Expr]) -> tuple[Expr, ...]:
    """Return the conjunction of two, each condition once."""
    return tuple(dict.fromkeys((*first, *second)))
