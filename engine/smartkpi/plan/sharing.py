"""Rules for rows that are made of rows: chains that begin alike are walked once, operands of one dataset read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import TypeVar

from smartkpi.language.types import BOOLEAN, WHOLE
from smartkpi.plan.nodes import Plan, Relation, Scan, Side, Standing
from smartkpi.plan.relations import REACHED, ROW, TIME, flag_of
from smartkpi.semantics.formula import Apply, Column, Expr, InGroup, Literal, TypedBinding
from smartkpi.tree import walk

PRUNED = ("then", "after")
"""Of these only such rows of the base are read as reach the others: by themselves, when those are known."""

Relations = Mapping[str, Relation | Standing]
Made = TypeVar("Made", bound=Relation | Standing)
Change = Callable[[Side], Side]


def share_chains(plan: Plan) -> Plan:
    """Make the rows of a chain that is the beginning of another together with that one's.

    before: make @a then b;  make @a then b then c;  scan @a then b: c0;  scan @a then b then c: c1
    after:  make @a then b then c, from 1 on;  scan it: c0 where @reached >= 1, c1 where @reached >= 2

    The earliest rows that follow are the same whatever else is to follow, and so is the end of the window.
    """
    chains = [name for name, one in plan.relations.items() if isinstance(one, Relation) and _is_chain(one)]
    chains.sort(key=lambda name: -len(plan.relations[name].operands))
    for place, name in enumerate(chains):
        whole = plan.relations.get(name)
        steps: dict[str, int] = {}
        for other in chains[place + 1 :]:
            part = plan.relations.get(other)
            if isinstance(whole, Relation) and isinstance(part, Relation) and other not in _below(plan.relations, name):
                both = _merged(whole, other, part)
                if both is not None:
                    whole, steps[other] = both, len(part.operands) - 1
        if isinstance(whole, Relation) and steps:
            plan = _moved(plan, name, whole, steps)
    return plan


def _is_chain(relation: Relation) -> bool:
    return relation.kind == "then" and relation.match == "all"


def _below(relations: Relations, name: str) -> set[str]:
    """Return the relations that one is made of, and those that they are."""
    found: set[str] = set()
    stack = [name]
    while stack:
        for side in (side for sides in relations[stack.pop()].operands for side in sides):
            held = (node.relation for expr in side.reads for node in walk(expr) if isinstance(node, InGroup))
            new = {one for one in (side.dataset, *held) if one in relations} - found
            found |= new
            stack += new
    return found


def _merged(whole: Relation, name: str, part: Relation) -> Relation | None:
    """Return a chain with all that is wanted of another, if that one is its beginning."""
    size = len(part.operands)
    mine = replace(whole, operands=whole.operands[:size], roots=whole.roots[:size])
    if _bare(mine) != _bare(part):
        return None
    operands = []
    for ours, theirs in zip(mine.operands, part.operands, strict=True):
        sides = []
        for one, other in zip(ours, theirs, strict=True):
            columns = dict(one.columns)
            if any(columns.setdefault(column, expr) != expr for column, expr in other.columns):
                return None
            sides.append(replace(one, columns=tuple(columns.items())))
        operands.append(tuple(sides))
    delays = {delay.name: delay for delay in whole.delays}
    if any(delays.setdefault(delay.name, delay) != delay for delay in part.delays):
        return None
    return replace(
        whole,
        operands=(*operands, *whole.operands[size:]),
        delays=tuple(delays.values()),
        ordered=whole.ordered or part.ordered,
        prefixes=(*whole.prefixes, (name, size - 1)),
    )


def _bare(relation: Relation) -> Relation:
    """Return what makes the rows of a chain, without what is wanted of them."""
    bare = _with_sides(relation, lambda side: replace(side, columns=()))
    return replace(bare, delays=(), ordered=False, prefixes=())


def _moved(plan: Plan, name: str, whole: Relation, steps: Mapping[str, int]) -> Plan:
    """Return the plan with a chain in place of others: of its rows those count that reach so many steps."""
    reached: dict[str, tuple[Expr, ...]] = {}
    for one, wanted in {**steps, name: len(whole.operands) - 1}.items():
        least = Apply(">=", (Column(REACHED, WHOLE), Literal(Decimal(wanted), WHOLE)), BOOLEAN)
        reached[one] = (least,) if whole.partial else ()

    def scan(one: Scan) -> Scan:
        if one.dataset not in reached:
            return one
        cells = (replace(cell, where=(*cell.where, *reached[one.dataset])) for cell in one.cells)
        return replace(one, dataset=name, cells=tuple(cells))

    def side(one: Side) -> Side:
        if one.dataset not in reached:
            return one
        return replace(one, dataset=name, where=(*one.where, *reached[one.dataset]))

    def binding(one: TypedBinding) -> TypedBinding:
        if one.dataset not in reached:
            return one
        return replace(one, dataset=name, where=(*one.where, *reached[one.dataset]))

    kept = {key: one for key, one in {**plan.relations, name: whole}.items() if key not in steps}
    return replace(
        plan,
        scans=tuple(map(scan, plan.scans)),
        relations=_in_order({key: _with_sides(one, side) for key, one in kept.items()}),
        provided={id: tuple(map(binding, found)) for id, found in plan.provided.items()},
    )


def _with_sides(relation: Made, change: Change) -> Made:
    return replace(relation, operands=tuple(tuple(map(change, sides)) for sides in relation.operands))


def _in_order(relations: Relations) -> Relations:
    """Return relations, each after those that it is made of."""
    found: dict[str, Relation | Standing] = {}

    def add(name: str) -> None:
        below = _below(relations, name)
        for inner in relations:
            if inner in below and inner not in found:
                add(inner)
        found.setdefault(name, relations[name])

    for name in relations:
        add(name)
    return found


def share_reads(plan: Plan) -> Plan:
    """Read the rows of several operands in one pass over their dataset.

    before: make @a then b then c: b in log, c in log
    after:  make @rows of log: b or c;  make @a then b then c: b and c in @rows of log

    So it is for operands of one relation or of several, for rows at the same time and in one dataset. What only begins
    chains stays apart: few of its rows may reach what follows.
    """
    found: dict[tuple[str, Expr], list[tuple[str, Side, bool]]] = {}
    for name, relation in plan.relations.items():
        for place, side in ((place, side) for place, sides in enumerate(relation.operands) for side in sides):
            if isinstance(relation, Relation) and side.dataset not in plan.relations:
                base = not place and relation.kind in PRUNED
                found.setdefault((side.dataset, side.time), []).append((name, side, base))
    relations = dict(plan.relations)
    for (dataset, _), readers in found.items():
        wheres = tuple(dict.fromkeys(side.where for _, side, base in readers if not base))
        mine = [(name, side) for name, side, _ in readers if side.where in wheres]
        if len({(name, side.where) for name, side in mine}) > 1:
            names = (f"@rows of {dataset}{f' · {number}' if number else ''}" for number in count())
            own = next(name for name in names if name not in relations)
            relations = _hoisted(relations, own, wheres, [side for _, side in mine])
    return replace(plan, relations=_in_order(relations))


def _hoisted(
    relations: Relations, name: str, wheres: Sequence[tuple[Expr, ...]], sides: Sequence[Side]
) -> dict[str, Relation | Standing]:
    """Return relations with one more: the rows that meet any of some conditions, and which, for these sides."""
    time = Column(TIME, sides[0].time.type)
    columns = _named(expr for side in sides for expr in (*side.by, *(expr for _, expr in side.columns)))
    flags = {where: Column(flag_of(place), BOOLEAN) for place, where in enumerate(wheres)}

    def known(expr: Expr) -> Expr:
        return expr if isinstance(expr, Literal) else Column(columns[expr], expr.type)

    def change(side: Side) -> Side:
        if side not in sides:
            return side
        return Side(
            dataset=name,
            time=time,
            where=(flags[side.where],) if len(flags) > 1 else (),
            by=tuple(map(known, side.by)),
            columns=tuple((column, known(expr)) for column, expr in side.columns),
        )

    made = {key: _with_sides(one, change) if isinstance(one, Relation) else one for key, one in relations.items()}
    first = tuple({column: expr for expr, column in columns.items()}.items())
    operands = tuple(
        (replace(sides[0], where=where, by=(), columns=() if place else first),) for place, where in enumerate(wheres)
    )
    rows = Relation("rows", operands, (), None, "all", dates=False, delays=(), ordered=False, seen=())
    return {name: rows, **made}


def _named(exprs: Iterable[Expr]) -> dict[Expr, str]:
    """Return expressions with a name each: columns keep their own, as far as it is none of ours."""
    found: dict[Expr, str] = {}
    for expr in exprs:
        match expr:
            case Literal():
                pass
            case Column(name=name) if name == ROW or not name.startswith("@"):
                found[expr] = name
            case _:
                found.setdefault(expr, f"@{len(found)}")
    return found
