"""Formulas over filled components: each node becomes columns, level by level, with its state, exact money and n."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import assert_never

import polars as pl

from smartkpi.derive.rounding import round_significant, to_float
from smartkpi.engines.polars.functions import SCALAR
from smartkpi.language.types import Kind
from smartkpi.periods.windows import Shift
from smartkpi.plan.nodes import Component, Earlier, Fold, Formula, Plan, Rank, Result, Revised, Step, Value
from smartkpi.semantics.formula import Apply, Literal

OK, UNDEFINED, NO_DATA = 0, 1, 2
"""Why a value is null, from good to bad; a function of several nulls is as bad as the worst."""

ZERO_FILLED = ("rows", "weight", "sum", "present", "distinct", "approx_distinct")
MONEY = pl.Decimal(38, 6)


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts of a node stand. ``why`` None: never null; ``money`` None: not exact; ``n`` None: has none.

    ``sizeless`` says in which periods a node with ``n`` has none after all, as a version is in force that has none.
    """

    value: pl.Expr
    why: pl.Expr | None = None
    money: pl.Expr | None = None
    n: pl.Expr | None = None
    sizeless: pl.Expr | None = None


@dataclass(slots=True)
class _Build:
    """The frame as columns are added to it, its types at the start, and the nodes that it has already."""

    frame: pl.DataFrame
    raw: Mapping[str, pl.DataType]
    components: Mapping[str, Component]
    samples: Mapping[str, str]
    uncovered: Mapping[str, str]
    steps: Mapping[str, Step]
    presences: Mapping[tuple[str, ...], str]
    shifts: Mapping[Shift, str]
    parts: dict[Formula, Parts] = field(default_factory=dict)
    depths: dict[Formula, int] = field(default_factory=dict)


def evaluate(
    frame: pl.DataFrame,
    plan: Plan,
    steps: Iterable[Step],
    uncovered: Mapping[str, str],
    presences: Mapping[tuple[str, ...], str] = MappingProxyType({}),
    folds: Mapping[Fold, Parts] = MappingProxyType({}),
    shifts: Mapping[Shift, str] = MappingProxyType({}),
) -> tuple[pl.DataFrame, dict[str, Parts]]:
    """Return the frame with the columns of all steps, and where the parts of each step stand.

    ``frame`` has a raw column a component, by its id. ``uncovered`` names, for components that some period does not
    cover, the boolean column that says where; ``presences`` the columns with a segment's first period, for ranks;
    ``folds`` where the parts of folds stand already; ``shifts`` the columns with the row that each leads to.
    """
    by_id = {step.id: step for step in plan.steps}
    build = _Build(frame, frame.schema, plan.components, plan.samples, uncovered, by_id, presences, shifts)
    for one, made in folds.items():
        build.parts[one] = made
    wanted = list(steps)
    for step in wanted:
        _depth(build, step.formula)
    levels: dict[int, list[Formula]] = {}
    for node, depth in build.depths.items():
        levels.setdefault(depth, []).append(node)
    for depth in sorted(levels):
        _add_level(build, levels[depth])
    return build.frame, {step.id: build.parts[step.formula] for step in wanted}


def _depth(build: _Build, node: Formula) -> int:
    """Return the level of a node, one above all that it reads, and note it and those below it."""
    if node not in build.depths:
        match node:
            case Literal() | Value() | Fold():
                below = -1
            case Result():
                below = _depth(build, build.steps[node.id].formula)
            case Rank() | Earlier():
                below = _depth(build, node.argument)
            case Apply():
                below = max((_depth(build, arg) for arg in _args(node)), default=-1)
            case Revised():
                below = max(_depth(build, version) for version in node.versions)
            case _:
                assert_never(node)
        build.depths[node] = below + 1
    return build.depths[node]


def _args(node: Apply) -> tuple[Formula, ...]:
    return node.args  # type: ignore[return-value]


def _add_level(build: _Build, nodes: list[Formula]) -> None:
    """Add the columns of nodes that read only lower levels; a state only where some value is null."""
    added: list[pl.Expr] = []
    placed: list[tuple[Formula, str, Parts]] = []
    for node in nodes:
        if isinstance(node, Result):
            build.parts[node] = build.parts[build.steps[node.id].formula]
            continue
        if isinstance(node, Fold):
            assert node in build.parts, f"a fold that was not computed: {node}"
            continue
        if isinstance(node, Literal):  # stays a literal: functions may ask for one
            build.parts[node] = Parts(_literal(node), why=pl.lit(UNDEFINED) if node.value is None else None)
            continue
        name = f"#{len(build.parts) + len(placed)}"
        made = _rank(build, node) if isinstance(node, Rank) else _parts(build, node)
        added.append(made.value.alias(name))
        money = n = None
        if made.money is not None:
            added.append(made.money.alias(f"{name}.money"))
            money = pl.col(f"{name}.money")
        if made.n is not None:
            added.append(made.n.cast(pl.Int64).alias(f"{name}.n"))
            n = pl.col(f"{name}.n")
        placed.append((node, name, Parts(pl.col(name), made.why, money, n, made.sizeless)))
    build.frame = build.frame.with_columns(added)
    reasons: list[pl.Expr] = []
    for node, name, made in placed:
        why = None
        if made.why is not None and build.frame[name].null_count():
            reasons.append(
                pl.when(made.value.is_null()).then(made.why).otherwise(OK).cast(pl.UInt8).alias(f"{name}.why")
            )
            why = pl.col(f"{name}.why")
        build.parts[node] = replace(made, why=why)
    if reasons:
        build.frame = build.frame.with_columns(reasons)


def _parts(build: _Build, node: Apply | Value | Revised | Earlier) -> Parts:
    """Return the expressions of one node; `why` is what holds where the value is null."""
    if isinstance(node, Earlier):
        return _earlier(build.parts[node.argument], pl.col(build.shifts[node.shift]))
    if isinstance(node, Value):
        return _component(build, node.id)
    if isinstance(node, Revised):
        return _revised(node, [build.parts[version] for version in node.versions])
    return _apply(node, [build.parts[arg] for arg in _args(node)])


def _revised(node: Revised, versions: list[Parts]) -> Parts:
    """Return all parts of the version that is in force on the first day of a period."""

    def choose(parts: list[pl.Expr]) -> pl.Expr:
        found = parts[0]
        for start, part in zip(node.starts, parts[1:], strict=True):
            found = pl.when(pl.col("first") >= start).then(part).otherwise(found)
        return found

    def maybe(parts: list[pl.Expr | None], none: pl.Expr) -> pl.Expr | None:
        return None if all(part is None for part in parts) else choose([none if p is None else p for p in parts])

    return Parts(
        choose([one.value.cast(pl.Float64) for one in versions]),
        choose([pl.lit(OK) if one.why is None else one.why for one in versions]),
        maybe([one.money for one in versions], pl.lit(None, dtype=MONEY)),
        maybe([one.n for one in versions], pl.lit(None, dtype=pl.Int64)),
        choose([_sizeless(one) for one in versions]) if any(_may_lack(one) for one in versions) else None,
    )


def _may_lack(parts: Parts) -> bool:
    return parts.n is None or parts.sizeless is not None


def _sizeless(parts: Parts) -> pl.Expr:
    """Return where a node has no n, whatever the data."""
    return pl.lit(parts.n is None) if parts.sizeless is None else parts.sizeless


def _earlier(made: Parts, row: pl.Expr) -> Parts:
    """Return the parts that stand in another row of the same segment."""

    def there(expr: pl.Expr) -> pl.Expr:
        return expr if expr.meta.is_literal() else expr.gather(row)

    why = pl.lit(UNDEFINED) if made.why is None else there(made.why)
    why = pl.when(row.is_null()).then(NO_DATA).otherwise(why)
    money, n = (None if part is None else there(part) for part in (made.money, made.n))
    sizeless = None if made.sizeless is None else there(made.sizeless & pl.col("i").is_not_null())
    return Parts(there(made.value), why, money, n, sizeless)


def _rank(build: _Build, node: Rank) -> Parts:
    """Return the place of each segment that has begun, among those of its period, by the value as it is shown."""
    made = build.parts[node.argument]
    begun = pl.col("at") >= pl.col(build.presences[node.presence])
    measured = build.frame.select(made.value.cast(pl.Float64).alias("value"), money=made.money)
    if made.money is not None and measured["money"].null_count() == measured["value"].null_count():
        value = made.money
    else:  # amounts that are not exact, or not all of them
        column = f"#{len(build.frame.columns)}.ranked"
        rounded = to_float(round_significant(measured["value"]), measured["money"])
        build.frame = build.frame.with_columns(rounded.alias(column))
        value = pl.col(column)
    place = pl.when(begun).then(value).rank("min", descending=node.descending).over("i")
    why = pl.lit(UNDEFINED) if made.why is None else pl.when(begun).then(made.why).otherwise(UNDEFINED)
    return Parts(place.cast(pl.Float64), why, None, made.n, made.sizeless)


def ranked(known: Mapping[str, Step], steps: Iterable[Step]) -> Iterator[tuple[str, ...]]:
    """Yield the presence of each rank in some steps, and in those that they refer to."""
    return (node.presence for node in reached(known, steps) if isinstance(node, Rank))


def reached(known: Mapping[str, Step], steps: Iterable[Step]) -> Iterator[Formula]:
    """Yield each node of some steps, and of those ``known`` that they refer to, once; a fold is not looked into."""
    stack: list[Formula] = [step.formula for step in steps]
    seen: set[Formula] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        match node:
            case Rank() | Earlier():
                stack.append(node.argument)
            case Result():
                stack.append(known[node.id].formula)
            case Apply():
                stack.extend(_args(node))
            case Revised():
                stack.extend(node.versions)
            case Literal() | Value() | Fold():
                pass
            case _:
                assert_never(node)


def _literal(node: Literal) -> pl.Expr:
    match node.value:
        case Decimal():
            return pl.lit(float(node.value))
        case None:
            return pl.lit(None, dtype=pl.Float64)
        case bool() | str() | date():
            return pl.lit(node.value)
        case _:
            assert_never(node.value)


def _component(build: _Build, id: str) -> Parts:
    """Return a component, zero where its data is covered but has no row, null where it is not."""
    component = build.components[id]
    filled = _filled(build, id)
    money = filled if build.raw[id] == MONEY else None
    match component.aggregate:
        case "sum" | "min" | "max" | "quantile" | "stddev" | "first" | "last":
            n = _filled(build, build.samples[id]) if id in build.samples else None
        case _:
            n = filled
    why = pl.lit(NO_DATA)
    if component.aggregate == "stddev" and n is not None:  # there are rows, but one does not deviate
        why = pl.when(n > 0).then(UNDEFINED).otherwise(NO_DATA)
    return Parts(filled.cast(pl.Float64), why, money, n)


def _filled(build: _Build, id: str) -> pl.Expr:
    filled = pl.col(id)
    if build.components[id].aggregate in ZERO_FILLED:
        empty = filled.is_null()
        if f"{id}_null" in build.raw:  # rows may be there of which none says how many it counts
            empty = empty & (pl.col(f"{id}_null").fill_null(0) == 0)
        filled = pl.when(empty).then(pl.lit(0).cast(build.raw[id])).otherwise(filled)
    if id in build.uncovered:
        filled = pl.when(~pl.col(build.uncovered[id])).then(filled)
    return filled


def _apply(node: Apply, args: list[Parts]) -> Parts:
    values = [arg.value for arg in args]
    if node.function == "mean":
        total, present = args
        mean = pl.when(present.value != 0).then(total.value / present.value)
        return Parts(mean, pl.lit(NO_DATA), n=present.n)
    value = growth(*values) if node.function == "growth" else SCALAR[node.function](*values)
    why = None if node.type.kind is Kind.BOOLEAN else _why(node, args)
    sized = [arg for arg in args if arg.n is not None]
    sizeless = None
    if sized and all(arg.sizeless is not None for arg in sized):
        sizeless = pl.all_horizontal(_sizeless(arg) for arg in sized)
    return Parts(value, why, _money(node, args), _size(node, args), sizeless)


def growth(now: pl.Expr, before: pl.Expr) -> pl.Expr:
    """Return by how much a value grew, as a share of what it was: undefined from nothing, or from below it."""
    return pl.when(before > 0).then(now / before - 1)


def _why(node: Apply, args: list[Parts]) -> pl.Expr:
    """Return the state of a null result: the worst of the arguments', at least undefined; of `if` its branch's."""
    known = [arg.why if arg.why is not None else pl.lit(OK) for arg in args]
    if node.function == "if":
        return pl.when(args[0].value.fill_null(value=False)).then(known[1]).otherwise(known[2])
    return pl.max_horizontal(pl.lit(UNDEFINED), *(arg.why for arg in args if arg.why is not None))


def _money(node: Apply, args: list[Parts]) -> pl.Expr | None:
    """Return the exact amount where sums and differences of exact amounts keep it, or a choice takes one."""
    moneys = [arg.money for arg in args]
    none = pl.lit(None, dtype=MONEY)
    match node.function:
        case "if":
            if moneys[1] is None and moneys[2] is None:
                return None
            then, otherwise = (none if m is None else m for m in moneys[1:])
            return pl.when(args[0].value.fill_null(value=False)).then(then).otherwise(otherwise)
        case "coalesce":
            if all(m is None for m in moneys):
                return None
            chosen = none
            for arg in reversed(args):
                own = none if arg.money is None else arg.money
                chosen = pl.when(arg.value.is_not_null()).then(own).otherwise(chosen)
            return chosen
        case "+" | "-" | "neg":
            exact = [m for m in moneys if m is not None]
            if len(exact) < len(moneys):
                return None
            if node.function == "neg" or len(exact) == 1:
                return -exact[0]
            return exact[0] - exact[1] if node.function == "-" else _sum(exact)
        case _:
            return None


def _sum(amounts: list[pl.Expr]) -> pl.Expr:
    """Return an exact sum, by halves: deep expressions cost Polars seconds."""
    if len(amounts) == 1:
        return amounts[0]
    half = len(amounts) // 2
    return _sum(amounts[:half]) + _sum(amounts[half:])


def _size(node: Apply, args: list[Parts]) -> pl.Expr | None:
    """Return n: of a ratio that of its denominator, of a sum the sum, else the least that the arguments have."""
    sizes = [arg.n for arg in args]
    if node.function in ("/", "growth"):
        upper, lower = sizes
        if lower is None or upper is None or args[1].sizeless is None:
            return upper if lower is None else lower
        return pl.when(args[1].sizeless).then(upper).otherwise(lower)
    known = [size for size in sizes if size is not None]
    if len(known) <= 1:
        return known[0] if known else None
    if node.function == "+":
        return pl.when(pl.any_horizontal(size.is_not_null() for size in known)).then(pl.sum_horizontal(known))
    return pl.min_horizontal(known)
