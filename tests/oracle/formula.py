"""Formulas: KPIs in one cell (a period and a segment), with state and number of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from smartkpi.language import syntax
from smartkpi.spec.model import Kpi
from smartkpi.tree import rewrite
from tests.oracle.rows import EventRow, World, is_money, micros, starts_at
from tests.oracle.steps import DerivedNames, Made, base_of, first_name, meaning, steps_in, steps_of, written
from tests.oracle.time import SHIFTS, WINDOWS, Option, Window, option
from tests.oracle.values import SECONDS, TESTS, clean, evaluate, numeric

OF_ALL = ("median", "quantile", "stddev", "first", "last")
AGGREGATES = ("count", "sum", "avg", "min", "max", "distinct", *OF_ALL)
PERIODS = ("hour", "day", "week", "month", "quarter", "year")
WORST = ("ok", "undefined", "no_data")

Conditions = tuple[syntax.Expr, ...]


@dataclass(frozen=True)
class Value:
    """A value of a formula. ``sized``: whether it has an n at all; ``exact``: an exact sum of money."""

    number: Any
    state: str = "ok"
    sized: bool = False
    n: int | None = None
    exact: Fraction | None = None


@dataclass(frozen=True)
class Leaf:
    """An aggregate in a KPI: its event, the conditions around it (the question's and those of KPIs), and its own.

    ``whole``: it stands in a `total`, over all segments that agree in the fields ``within``, so that its rows need not
    have those of segments. ``windows`` are
    those around it, of which the innermost counts, ``shifts`` lead to the period that it is of, the outermost first.
    """

    event: str
    around: Conditions
    own: Conditions = ()
    whole: bool = False
    windows: tuple[Window, ...] = ()
    shifts: tuple[Option, ...] = ()
    within: tuple[str, ...] = ()

    @property
    def window(self) -> Window | None:
        return self.windows[-1] if self.windows else None


@dataclass(frozen=True)
class Cell:
    """Where a formula is computed: the rows of an event in this period and segment, and whether they are known.

    ``only`` narrows the rows down; ``over`` gives the cell of a window of the period, ``before`` that of the period
    which a shift leads to. ``whole`` gives the cell of all segments that agree with this one in some fields, None where
    it has no such field; ``peers`` those of the segments that have begun by the rows of some leaves, this one first,
    empty where this has not, None where it is over several segments; ``direction`` is that of the KPI being computed.
    ``parts`` gives the cells of the calendar periods of a grain that lie in this one's period; ``series`` each of them
    with that of the whole period, as it is asked for by itself. ``rounded``: aggregates are rounded as values are.
    """

    world: World
    found: Callable[[str], list[EventRow]]
    covered: Callable[[str], bool]
    whole: Callable[[tuple[str, ...]], Cell | None]
    peers: Callable[[list[Leaf]], list[Cell] | None]
    over: Callable[[Window], Cell]
    before: Callable[[Option], Cell]
    direction: str | None = None
    parts: Callable[[str], list[Cell]] = lambda grain: []
    series: Callable[[str], list[tuple[Cell, Cell | None]]] = lambda grain: []
    only: Callable[[EventRow], bool] = lambda row: True
    rounded: bool = False

    def rows(self, event: str) -> list[EventRow]:
        return [row for row in self.found(event) if self.only(row)]

    def within(self, window: Window | None) -> Cell:
        """This cell, over a window."""
        return self if window is None else replace(self.over(window), direction=self.direction, only=self.only)


def constant(world: World, name: syntax.Name) -> syntax.Expr | None:
    found = world.catalog.constants.get(name.text)
    return found.formula.expr if found else None


def meant(kpi: Kpi) -> syntax.Expr:
    """The formula of a KPI, with its window around it."""
    expr = kpi.formula.expr
    return expr if kpi.window is None else syntax.Apply("trailing", (expr, kpi.window), expr.span, expr.span)


def around(kpi: Kpi, outer: Conditions) -> Conditions:
    return (*outer, kpi.where.expr) if kpi.where else outer


def leaves(world: World, expr: syntax.Expr, conditions: Conditions) -> list[Leaf]:
    """All aggregates that a formula reads, directly and through other KPIs."""
    match expr:
        case syntax.Apply(function, (syntax.Per(keys=keys) as per, *_)) if function in AGGREGATES:
            found = before_per(world, per, conditions)
            if period_among(world, keys) is not None:  # windows and earlier periods are those of its periods
                return [replace(leaf, windows=(), shifts=()) for leaf in found]
            return found
        case syntax.Name() if expr.text in world.catalog.kpis:
            kpi = world.catalog.kpis[expr.text]
            return leaves(world, meant(kpi), around(kpi, conditions))
        case syntax.Name():
            return [] if constant(world, expr) else [Leaf(expr.text, conditions)]
        case syntax.Where(syntax.Name() as operand, condition) if operand.text in world.catalog.kpis:
            return leaves(world, operand, (*conditions, condition))
        case syntax.Where(operand, condition):
            below = leaves(world, operand, conditions)
            return [replace(leaf, own=(*leaf.own, condition)) for leaf in below]
        case syntax.Apply(function, args) if function in AGGREGATES:
            event, _, own = split(args[0])
            return [Leaf(event, conditions, own)]
        case syntax.Step():
            return [Leaf(written(expr), conditions)]
        case syntax.Apply(function, (x, *_)) if function in WINDOWS:
            window = (function, option(expr, world.catalog.constants))
            return [replace(leaf, windows=(window, *leaf.windows)) for leaf in leaves(world, x, conditions)]
        case syntax.Apply(function, (x, *_)) if function in SHIFTS:
            now, shift = leaves(world, x, conditions), option(expr, world.catalog.constants)
            then = [replace(leaf, shifts=(shift, *leaf.shifts)) for leaf in now]
            return then if function == "previous" else now + then
        case syntax.Apply("total", (x,)):
            return [replace(leaf, whole=True) for leaf in leaves(world, x, conditions)]
        case syntax.Apply("share", (x, *fields)):
            own, within = (
                leaves(world, x, conditions),
                tuple(one.text for one in fields if isinstance(one, syntax.Name)),
            )
            return own + [replace(leaf, whole=True, within=within) for leaf in own]
        case syntax.Apply("rank", args):
            return leaves(world, args[0], conditions)
        case syntax.Apply(_, args):
            return [leaf for arg in args for leaf in leaves(world, arg, conditions)]
        case _:
            return []


def before_per(world: World, per: syntax.Per, conditions: Conditions) -> list[Leaf]:
    """All aggregates before `per`, and in its condition."""
    asked = [] if per.condition is None else leaves(world, named(per.condition, per.value), conditions)
    return leaves(world, per.value, conditions) + asked


def is_series(world: World, per: syntax.Per) -> bool:
    """Whether what stands before `per` a calendar period has windows or earlier periods of its own."""
    timed = any(leaf.windows or leaf.shifts for leaf in before_per(world, per, ()))
    return timed and period_among(world, per.keys) is not None


def withins(world: World, expr: syntax.Expr) -> set[str]:
    """The fields that shares are taken within, directly and through other KPIs."""
    match expr:
        case syntax.Name() if expr.text in world.catalog.kpis:
            return withins(world, meant(world.catalog.kpis[expr.text]))
        case syntax.Where(operand, _):
            return withins(world, operand)
        case syntax.Apply(function, (x, *_)) if function in (*WINDOWS, *SHIFTS):
            return withins(world, x)
        case syntax.Apply("share", (x, syntax.Name() as field)):
            return {field.text} | withins(world, x)
        case syntax.Apply(_, args):
            return set().union(*(withins(world, arg) for arg in args))
        case _:
            return set()


@dataclass(frozen=True)
class Run:
    """A calendar period that a formula takes values for, with the events read, in a window of the period that shifts
    lead to. ``series`` are the aggregates of values with windows or earlier periods of their own."""

    events: frozenset[str]
    period: str
    window: Window | None = None
    shifts: tuple[Option, ...] = ()
    series: tuple[Leaf, ...] = ()


def runs(world: World, expr: syntax.Expr) -> Iterator[Run]:
    """Each calendar period that a formula takes values for, directly and through other KPIs."""
    match expr:
        case syntax.Name() if expr.text in world.catalog.kpis:
            yield from runs(world, meant(world.catalog.kpis[expr.text]))
        case syntax.Where(operand, _):
            yield from runs(world, operand)
        case syntax.Apply(_, (syntax.Per(_, keys, _) as per, *_)):
            if (period := period_among(world, keys)) is not None:
                read = before_per(world, per, ())
                series = tuple(read) if is_series(world, per) else ()
                yield Run(frozenset(leaf.event for leaf in read), period, series=series)
        case syntax.Apply(function, (x, *_)) if function in WINDOWS:
            window = (function, option(expr, world.catalog.constants))
            yield from (replace(run, window=run.window or window) for run in runs(world, x))
        case syntax.Apply(function, (x, *_)) if function in SHIFTS:
            now, shift = list(runs(world, x)), option(expr, world.catalog.constants)
            yield from () if function == "previous" else now
            yield from (replace(run, shifts=(shift, *run.shifts)) for run in now)
        case syntax.Apply(_, args):
            for arg in args:
                yield from runs(world, arg)


def adds_over_time(world: World, grain: str, expr: syntax.Expr) -> bool:
    """Whether a formula counts or sums, directly or through references, what must not be added over time."""
    match expr:
        case syntax.Name() if expr.text in world.catalog.kpis:
            return adds_over_time(world, grain, meant(world.catalog.kpis[expr.text]))
        case syntax.Name():
            return not constant(world, expr) and is_daily(world, grain, expr.text, None)
        case syntax.Where(operand, _):
            return adds_over_time(world, grain, operand)
        case syntax.Apply(function, (syntax.Per(value, keys, condition), *_)):
            parts = [value, *([] if condition is None else [condition])]
            span = grain if function == "sum" else period_among(world, keys) or grain
            return any(adds_over_time(world, span, part) for part in parts)
        case syntax.Apply(function, args) if function in AGGREGATES:
            event, inner, _ = split(args[0])
            root = base_of(world.catalog, event)
            counted = any(dataset.events[root].count for dataset in world.providers(root))
            counts = function == "count" or (function == "avg" and counted)
            field = inner.parts[-1] if function in ("sum", "avg") and isinstance(inner, syntax.Name) else None
            summed = field is not None and (function == "sum" or counted)
            return (counts and is_daily(world, grain, event, None)) or (summed and is_daily(world, grain, event, field))
        case syntax.Apply(function, (x, *_)) if function in (*WINDOWS, *SHIFTS):
            return adds_over_time(world, grain, x)
        case syntax.Apply(_, args):
            return any(adds_over_time(world, grain, arg) for arg in args)
        case _:
            return False


def is_daily(world: World, grain: str, event: str, field: str | None) -> bool:
    """Whether some dataset says that the counts of an event, or a field, are not to be added as a grain does.

    A grain no coarser than what rows stand for, else than a day, adds none over time.
    """
    if not coarser(grain, periods_of(world, event) or {"day"}):
        return False
    if field is None and any(steps_of(world.catalog, event)):
        return False
    event = base_of(world.catalog, event)
    for dataset in world.providers(event):
        said = dataset.events[event] if field is None else dataset.fields.get(field)
        if said is not None and said.additive == "not over time" and not dataset.timeless:
            return True
    return False


GRAINS = ("hour", "day", "week", "month", "quarter", "year", "all")


def coarser(grain: str, parts: set[str]) -> bool:
    return any(grain not in GRAINS or GRAINS.index(grain) > GRAINS.index(part) for part in parts)


def periods_of(world: World, event: str) -> set[str]:
    """The periods that rows of an event stand for."""
    event = base_of(world.catalog, event)
    read = [(dataset.every, dataset.events[event].count) for dataset in world.providers(event)]
    return {every.value if every else "day" for every, count in read if every or count}


def split(argument: syntax.Expr) -> tuple[str, syntax.Expr, Conditions]:
    """What an aggregate is about: its event, what is aggregated, its own conditions."""
    match argument:
        case syntax.Where(operand, condition):
            event, inner, conditions = split(operand)
            return event, inner, (*conditions, condition)
        case syntax.Step():
            return written(argument), argument, ()
        case syntax.Member(operand, name):
            event, inner, conditions = split(operand)
            path = inner.parts if isinstance(operand, syntax.Member) and isinstance(inner, syntax.Name) else ()
            return event, syntax.Name((*path, name), argument.span), conditions
        case syntax.Name(parts):
            return parts[0], replace(argument, parts=parts[1:] or parts), ()
        case _:
            raise AssertionError(f"no event in {argument}")


def aggregated(expr: syntax.Expr) -> syntax.Apply | None:
    """The aggregate below conditions that are written behind it."""
    match expr:
        case syntax.Apply(function, _) if function in AGGREGATES:
            return expr
        case syntax.Where(operand, condition) if (below := aggregated(operand)) is not None:
            return replace(below, args=(syntax.Where(below.args[0], condition, expr.span), *below.args[1:]))
        case _:
            return None


def compute(cell: Cell, expr: syntax.Expr, conditions: Conditions) -> Value:
    """The value of a formula in a cell, under the conditions around it."""
    kpis = cell.world.catalog.kpis
    match expr:
        case syntax.Number(value):
            return Value(float(value))
        case syntax.Duration(count, unit):
            return Value(float(count * SECONDS[unit]))
        case syntax.Text(value) | syntax.Boolean(value):
            return Value(value)
        case syntax.Null():
            return Value(None, "undefined")
        case syntax.Name() if expr.text in kpis:
            kpi = kpis[expr.text]
            return compute(replace(cell, direction=kpi.direction), meant(kpi), around(kpi, conditions))
        case syntax.Name():
            named = constant(cell.world, expr)
            return compute(cell, named, ()) if named else aggregate(cell, "count", expr, conditions)
        case syntax.Where(syntax.Name() as operand, condition) if operand.text in kpis:
            return compute(cell, operand, (*conditions, condition))
        case syntax.Where(operand, condition) if (inner := aggregated(operand)) is not None:
            return compute(cell, aggregated(expr) or inner, conditions)
        case syntax.Where() | syntax.Step():
            return aggregate(cell, "count", expr, conditions)
        case syntax.Apply(function, (syntax.Per() as per, *options)) if function in AGGREGATES:
            return over_entities(cell, function, per, conditions, tuple(options))
        case syntax.Apply(function, args) if function in AGGREGATES:
            return aggregate(cell, function, args[0], conditions, args[1:])
        case syntax.Apply(function, (x, *_)) if function in WINDOWS:
            return compute(cell.within((function, option(expr, cell.world.catalog.constants))), x, conditions)
        case syntax.Apply(function, (x, *_)) if function in SHIFTS:
            earlier = replace(cell.before(option(expr, cell.world.catalog.constants)), direction=cell.direction)
            return compared(cell, function, x, earlier, conditions)
        case syntax.Apply("total", (x,)):
            return total_of(cell, x, (), conditions)
        case syntax.Apply("share", (x, *fields)):
            within = tuple(field.text for field in fields if isinstance(field, syntax.Name))
            return combine("/", [compute(cell, x, conditions), total_of(cell, x, within, conditions)])
        case syntax.Apply("rank", (x,)):
            return rank(cell, x, conditions)
        case syntax.Apply(function, args):
            return combine(function, [compute(cell, arg, conditions) for arg in args])
        case _:
            raise AssertionError(f"not a formula: {expr}")


def compared(cell: Cell, function: str, x: syntax.Expr, earlier: Cell, conditions: Conditions) -> Value:
    """A value held against that of an earlier period; growth from nothing, or from below it, is undefined."""
    before = compute(earlier, x, conditions)
    if function == "previous":
        return before
    now = compute(cell, x, conditions)
    if function == "change":
        return combine("-", [now, before])
    grown = combine("-", [combine("/", [now, before]), Value(1.0)])
    if now.number is not None and before.number is not None and before.number <= 0:
        return replace(grown, number=None, state="undefined")
    return grown


def named(condition: syntax.Expr, value: syntax.Expr) -> syntax.Expr:
    """A condition with what `value` stands for."""
    return rewrite(condition, lambda node: value if isinstance(node, syntax.Name) and node.text == "value" else node)


def period_among(world: World, keys: Iterable[syntax.Expr]) -> str | None:
    """The calendar period among the keys of `per`, perhaps one that the calendar lists."""
    known = (*PERIODS, *(grain for grain, _ in world.begins.lists))
    return next((key.text for key in keys if isinstance(key, syntax.Name) and key.text in known), None)


def over_entities(
    cell: Cell, function: str, per: syntax.Per, conditions: Conditions, options: tuple[syntax.Expr, ...]
) -> Value:
    """An aggregate of one value for each entity that has a row of some aggregate before `per`, or for each period."""
    everything, period = before_per(cell.world, per, ()), period_among(cell.world, per.keys)
    if is_series(cell.world, per):
        assert period is not None
        return over_series(cell, function, per, conditions, options, cell.series(period))
    cells = [cell] if period is None else cell.parts(period)
    cells = [one for one in cells if all(one.within(leaf.window).covered(leaf.event) for leaf in everything)]
    if not cells:
        return Value(None, "no_data", sized=True)
    names = [
        key.text if isinstance(key, syntax.Name) else key.args[0].value
        for key in per.keys
        if period_among(cell.world, [key]) is None
    ]
    values = []
    for one in cells:
        for mine in entities(one, per, conditions, names) if names else [one]:
            value = compute(mine, per.value, conditions)
            fits = per.condition is None or compute(mine, named(per.condition, per.value), conditions).number is True
            if fits and value.number is not None:
                values.append(value)
    if function == "sum" and not values:  # an exact sum of nothing is exact
        nothing = compute(replace(cells[0], found=lambda event: []), per.value, conditions)
        return Value(0.0, sized=True, n=0, exact=None if nothing.exact is None else Fraction(0))
    return folded(cell, function, values, options)


def over_series(
    cell: Cell,
    function: str,
    per: syntax.Per,
    conditions: Conditions,
    options: tuple[syntax.Expr, ...],
    series: list[tuple[Cell, Cell | None]],
) -> Value:
    """An aggregate of the values that a formula has when it is asked for in each period by itself.

    ``series`` has for each period the part of it that lies here, and itself; a period that is over, of which only a
    part counts here, is none.
    """
    events = {leaf.event for leaf in before_per(cell.world, per, ())}
    covered = [own for part, own in series if all(part.covered(event) for event in events)]
    if not covered or any(own is None for _, own in series):
        return Value(None, "no_data", sized=True)
    values = []
    for one in (own for own in covered if own is not None):
        value = compute(one, per.value, conditions)
        fits = per.condition is None or compute(one, named(per.condition, per.value), conditions).number is True
        if fits and value.number is not None:
            values.append(value)
    if function == "sum" and not values and covered[0] is not None:
        nothing = compute(empty(covered[0]), per.value, conditions)
        return Value(0.0, sized=True, n=0, exact=None if nothing.exact is None else Fraction(0))
    return folded(cell, function, values, options)


def empty(cell: Cell) -> Cell:
    """A cell without rows, at all times."""
    return replace(
        cell,
        found=lambda event: [],
        covered=lambda event: True,
        over=lambda window: empty(cell),
        before=lambda shift: empty(cell),
    )


def entities(cell: Cell, per: syntax.Per, conditions: Conditions, names: list[str]) -> Iterator[Cell]:
    """The cell as each entity sees it that has a row of an aggregate before `per`."""

    def entity(row: EventRow) -> tuple[Any, ...]:
        return tuple(row.field(name) for name in names)

    inside = leaves(cell.world, per.value, conditions)
    read = [(leaf, row) for leaf in inside for row in cell.within(leaf.window).rows(leaf.event)]
    for one in {entity(row) for leaf, row in read if row.passes((*leaf.around, *leaf.own))}:
        if None not in one:
            yield replace(cell, only=lambda row, one=one: cell.only(row) and entity(row) == one)


def folded(cell: Cell, function: str, values: list[Value], options: tuple[syntax.Expr, ...]) -> Value:
    """An aggregate of values, which come in the order of their periods."""
    numbers, n = [value.number for value in values], len(values)
    if function == "count":
        return Value(float(n), sized=True, n=n)
    if function == "distinct":
        return Value(float(len(set(numbers))), sized=True, n=len(set(numbers)))
    amounts = [value.exact for value in values if value.exact is not None]
    exact = sum(amounts, Fraction(0)) if values and len(amounts) == n else None
    if function == "sum":
        return Value(float(exact if exact is not None else sum(numbers)), sized=True, n=n, exact=exact)
    if not values:
        return Value(None, "no_data", sized=True, n=0)
    if function == "avg":
        return Value(float(exact if exact is not None else sum(numbers)) / n, sized=True, n=n)
    if function in ("first", "last"):
        return Value(numbers[0 if function == "first" else -1], sized=True, n=n)
    if function in OF_ALL:
        return in_order(cell, function, [Fraction(number) for number in numbers], options)
    return Value({"min": min, "max": max}[function](numbers), sized=True, n=n)


def total_of(cell: Cell, x: syntax.Expr, within: tuple[str, ...], conditions: Conditions) -> Value:
    """A formula over all segments, computed from their rows."""
    whole = cell.whole(within)
    return Value(None, "undefined") if whole is None else compute(whole, x, conditions)


def rank(cell: Cell, x: syntax.Expr, conditions: Conditions) -> Value:
    """How many segments are better, and one; a segment that has not begun, or whose value is null, has no place."""
    peers = cell.peers(leaves(cell.world, x, conditions))
    if peers is None:
        return Value(None, "undefined")
    mine = shown(compute(cell, x, conditions))
    if not peers or mine.number is None:
        state = mine.state if peers and mine.state != "ok" else "undefined"
        return replace(mine, number=None, state=state, exact=None)
    sign = -1 if best(cell, x) == "lower" else 1
    values = [shown(compute(peer, x, conditions)) for peer in peers]
    measured = [key(value) * sign for value in values if value.number is not None]
    better = sum(value > key(mine) * sign for value in measured)
    return replace(mine, number=float(better + 1), state="ok", exact=None)


def key(value: Value) -> Any:
    return value.number if value.exact is None else value.exact


def best(cell: Cell, x: syntax.Expr) -> str | None:
    """Which end is best: as the KPI that is ranked says or its good band implies, else as the KPI around says."""
    while isinstance(x, syntax.Where):
        x = x.operand
    if not isinstance(x, syntax.Name) or x.text not in cell.world.catalog.kpis:
        return cell.direction
    kpi = cell.world.catalog.kpis[x.text]
    good = next((threshold.band.operator for threshold in kpi.thresholds if threshold.status == "good"), "")
    return kpi.direction or ("lower" if good in ("<", "<=") else "higher")


def aggregate(
    cell: Cell, function: str, argument: syntax.Expr, conditions: Conditions, options: tuple[syntax.Expr, ...] = ()
) -> Value:
    """An aggregate of the rows that pass all conditions."""
    found = aggregate_of(cell, function, argument, conditions, options)
    return shown(found) if cell.rounded else found


def aggregate_of(
    cell: Cell, function: str, argument: syntax.Expr, conditions: Conditions, options: tuple[syntax.Expr, ...]
) -> Value:
    """An aggregate of the rows that pass all conditions. Where rows are known, none of them is zero, not nothing."""
    event, inner, own = split(argument)
    if not cell.covered(event):
        return Value(None, "no_data", sized=True)
    rows = [row for row in cell.rows(event) if row.passes((*conditions, *own))]
    size = weight(rows)
    if function == "count":
        return Value(None, "no_data", sized=True) if size is None else Value(float(size), sized=True, n=size)
    pairs = [(value, row) for row in rows if (value := evaluate(inner, row.names)) is not None]
    values = [value for value, _ in pairs]
    if function == "distinct":
        return Value(float(len(set(values))), sized=True, n=len(set(values)))
    if function == "sum":
        return total(event, inner, pairs, cell.world, size)
    if function in OF_ALL:
        return of_all(cell, function, pairs, options)
    if function == "avg":
        present = weight([row for _, row in pairs])
        if not present:
            return Value(None, "no_data", sized=True, n=present)
        summed = total(event, inner, pairs, cell.world, size)
        return Value(summed.number / present, sized=True, n=present)
    if not values:
        return Value(None, "no_data", sized=True, n=size)
    return Value(float({"min": min, "max": max}[function](values)), sized=True, n=size)


def of_all(cell: Cell, function: str, pairs: list[tuple[Any, EventRow]], options: tuple[syntax.Expr, ...]) -> Value:
    """An aggregate that needs all values at once, of rows that have one; n is how many."""
    n = len(pairs)
    if not pairs:
        return Value(None, "no_data", sized=True, n=0)
    if function in ("first", "last"):
        ordered = sorted((starts_at(row.time, row.names.zone), key_of(row), float(value)) for value, row in pairs)
        return Value(ordered[0 if function == "first" else -1][-1], sized=True, n=n)
    return in_order(cell, function, [Fraction(float(value)) for value, _ in pairs], options)


def in_order(cell: Cell, function: str, values: list[Fraction], options: tuple[syntax.Expr, ...]) -> Value:
    """A deviation, or the value at some place in the order of size; there are values."""
    values, n = sorted(values), len(values)
    if function == "stddev":
        if n == 1:
            return Value(None, "undefined", sized=True, n=1)
        mean = sum(values) / n
        return Value(math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1)), sized=True, n=n)
    place = (share(cell.world, options[0]) if options else Fraction(1, 2)) * (n - 1)
    if len(options) > 1:
        return Value(float(values[math.floor(place + Fraction(1, 2))]), sized=True, n=n)
    low = math.floor(place)
    high = min(low + 1, n - 1)
    return Value(float(values[low] + (values[high] - values[low]) * (place - low)), sized=True, n=n)


def share(world: World, expr: syntax.Expr) -> Fraction:
    """The share of a quantile: a number or a constant."""
    if isinstance(expr, syntax.Name):
        expr = world.catalog.constants[expr.text].formula.expr
    assert isinstance(expr, syntax.Number)
    return Fraction(expr.value)


def key_of(row: EventRow) -> list[tuple[bool, Any]]:
    """The key of a row's dataset, as it is ordered: null first."""
    keys = () if isinstance(row.names, DerivedNames) else row.names.dataset.key
    values = [clean(row.names.field(part), row.names) for part in keys]
    return [(value is not None, 0 if value is None else value) for value in values]


def weight(rows: list[EventRow]) -> int | None:
    """How many events rows stand for; none knows it where there are rows and each of them counts null."""
    known = [row.weight for row in rows if row.weight is not None]
    return sum(known) if known or not rows else None


def named_in(world: World, event: str, inner: syntax.Expr) -> tuple[str, syntax.Expr]:
    """The event that datasets provide, and the field of it, for a field of a derived event."""
    while (expr := meaning(world.catalog, event)) is not None:
        event = first_name(expr)
        for step in steps_in(world.catalog, expr):
            names = Made(world, step, None).names
            if isinstance(inner, syntax.Name) and inner.parts[0] in names[1:] and len(inner.parts) > 1:
                event = first_name(Made(world, step, None).operands[names.index(inner.parts[0])])
                inner = replace(inner, parts=inner.parts[1:])
                break
    return event, inner


def total(event: str, inner: syntax.Expr, pairs: list[tuple[Any, EventRow]], world: World, size: int | None) -> Value:
    """A sum: of money in millionths, of anything else without error until the end."""
    event, inner = named_in(world, event, inner)
    contract = world.catalog.contracts[event].fields if event in world.catalog.contracts else {}
    if any(is_money(world, dataset, inner, contract) for dataset in world.providers(event)):
        exact = Fraction(sum(micros(value) for value, _ in pairs), 10**6)
        return Value(float(exact), sized=True, n=size, exact=exact)
    return Value(float(sum(Fraction(value) for value, _ in pairs)), sized=True, n=size)


def combine(function: str, args: list[Value]) -> Value:
    """A function of values: null in, null out, with the worst state; conditions are true or false and always ok."""
    sizes = [arg.n for arg in args if arg.sized]
    sized = bool(sizes)
    n = added(sizes) if function == "+" else least(sizes)
    numbers = [arg.number for arg in args]
    if function == "if":
        chosen = args[1] if numbers[0] is True else args[2]
        return replace(chosen, sized=sized, n=n)
    if function == "coalesce":
        known = [arg for arg in args if arg.number is not None]
        return replace(known[0], sized=sized, n=n) if known else Value(None, worst(args), sized, n)
    if function in ("and", "or", "not"):
        truths = [number is True for number in numbers]
        return Value({"and": all(truths), "or": any(truths), "not": not truths[0]}[function], "ok", sized, n)
    if function in TESTS:
        return Value(TESTS[function](numbers, "UTC"), "ok", sized, n)
    if function == "/":
        counting = args[1] if args[1].sized else args[0]
        sized, n = counting.sized, counting.n
    if any(number is None for number in numbers):
        state = worst(args)
        return Value(None, "undefined" if state == "ok" else state, sized, n)
    result = numeric(function, [float(number) for number in numbers])
    return Value(result, "ok" if result is not None else "undefined", sized, n, exactly(function, args))


def exactly(function: str, args: list[Value]) -> Fraction | None:
    """Sums and differences of exact amounts are exact."""
    if any(arg.exact is None for arg in args):
        return None
    amounts = [arg.exact for arg in args if arg.exact is not None]
    match function:
        case "+":
            return sum(amounts, Fraction(0))
        case "-":
            return amounts[0] - amounts[1]
        case "neg":
            return -amounts[0]
        case _:
            return None


def worst(args: Iterable[Value]) -> str:
    return max((arg.state for arg in args), key=WORST.index)


def least(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return min(known) if known else None


def added(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def is_ratio(world: World, expr: syntax.Expr) -> bool:
    """Whether a formula is a division at its top, directly or through references."""
    match expr:
        case syntax.Apply("/" | "share", _):
            return True
        case syntax.Apply(function, (x, *_)) if function in WINDOWS:
            return is_ratio(world, x)
        case syntax.Name() if expr.text in world.catalog.kpis:
            return is_ratio(world, meant(world.catalog.kpis[expr.text]))
        case syntax.Where(operand, _):
            return is_ratio(world, operand)
        case _:
            return False


def shown(value: Value) -> Value:
    """A value as delivered: rounded to twelve significant digits where it is neither whole nor exact money."""
    number = value.number
    if value.exact is not None:
        return replace(value, number=float(value.exact))
    if number is None or (math.isfinite(number) and number == int(number)):
        return value
    return replace(value, number=float(f"{number:.12g}")) if math.isfinite(number) else replace(value, number=None)
