"""Plans and typed formulas as text, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, assert_never

from smartkpi.periods.grain import GRAINS
from smartkpi.plan import nodes
from smartkpi.plan.nodes import Back, Cell, Component, Demand, Plan, Relation, Scan, Standing, Step
from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Apply,
    Column,
    Expr,
    Field,
    InGroup,
    Literal,
    LookedUp,
    Per,
    Reference,
    Shifted,
    Windowed,
)
from smartkpi.tree import rewrite, walk

INFIX = frozenset(("+", "-", "*", "/", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"))
WORDED = frozenset(("between", "not between", "in", "not in", "is null", "is not null"))
WRAPPED = INFIX | WORDED | {"not", "neg"}


def explain(plan: Plan, *kpis: str) -> str:
    """Return the part of a plan that answers KPIs: their steps, components and scans, as text."""
    lines: list[str] = []
    wanted: list[str] = []
    for output in (output for output in plan.outputs if output.kpi in kpis):
        if output.step is None:
            lines.append(f"{output.kpi} by {output.grain}: unavailable, {output.unavailable}")
            continue
        lines.append(f"{output.kpi} by {output.grain} = {output.step}")
        lines += [f"  compared with {one.name} = {one.step}" for one in output.compared]
        wanted += output.steps
    steps = _needed(plan, wanted)
    lines += [f"  {step.id} {step.kpi}: {text(step.formula)}" for step in steps]
    ids = {id for step in steps for id in (*step.components, *step.presence, *step.inside)}
    lines += [f"  {id} {_component(component)}" for id, component in plan.components.items() if id in ids]
    scans = [scan for scan in plan.scans if any(cell.id in ids for cell in scan.cells)]
    made = _made(plan, [name for scan in scans for name in (scan.dataset, *_held(_of_scan(scan, ids)))])
    for name in (name for name in plan.relations if name in made):
        lines += _relation(name, plan.relations[name])
    for scan in scans:
        lines += _scan(scan, ids)
    return "\n".join(lines) + "\n"


def _needed(plan: Plan, steps: Iterable[str]) -> list[Step]:
    """Return steps and those they refer to, in the plan's order."""
    wanted = set(steps)
    for candidate in reversed(plan.steps):
        if candidate.id in wanted:
            wanted |= set(_references(candidate.formula))
    return [candidate for candidate in plan.steps if candidate.id in wanted]


def _references(formula: nodes.Formula) -> Iterator[str]:
    return (node.id for node in walk(formula) if isinstance(node, nodes.Result))


def _component(component: Component) -> str:
    days = component.days
    bounds = [f" from {days.start}"] if days.start else []
    bounds += [f" before {days.end}"] if days.end else []
    bounds += [] if component.window is None else [f", {component.window}"]
    if component.window is not None and any(name.startswith("@") for name in component.keep):
        bounds.append(", each entity's day (hour) looked at once for every window that holds it")
    return f"{_what(component)} of {component.event}{_where(component.where)}{''.join(bounds)}"


def _what(found: Component | Cell) -> str:
    if found.argument is None:
        return found.aggregate
    share = [] if found.share is None else [f"{(found.share * 100).normalize():f}%"]
    return f"{found.aggregate}({', '.join([text(found.argument), *share, *(['nearest'] if found.nearest else [])])})"


def _where(where: tuple[Expr, ...]) -> str:
    return f" where {' and '.join(_wrap(condition) for condition in where)}" if where else ""


def _scan(scan: Scan, ids: set[str]) -> list[str]:
    cells = [cell for cell in scan.cells if cell.id in ids]
    if not cells:
        return []
    parts = [f"scan {scan.dataset} [{scan.state}]", *([f"at {', '.join(scan.grains)}"] if scan.grains else [])]
    over: dict[tuple[str, str], list[str]] = {}
    for demand in scan.demands:
        shown = str(demand.window) if demand.window else "as much as has gone by"
        which = f"of each {demand.grain}" if demand.window else f"of an earlier {demand.grain}"
        which += f", as far as it cuts a {demand.cut}" if demand.cut else ""
        over.setdefault((which, _often(scan, demand)), []).append(shown)
    parts += [f"over {', '.join(dict.fromkeys(some))} {which}{often}" for (which, often), some in over.items()]
    if scan.back:
        parts.append("back to " + ", ".join(map(_back, scan.back)))
    if scan.time is not None:
        parts.append(f"time {text(scan.time)}")
    if scan.keys:
        parts.append("keys " + ", ".join(f"{name} = {text(key)}" for name, key in scan.keys))
    if scan.discriminators:
        parts.append("first level by " + ", ".join(text(column) for column in scan.discriminators))
    if scan.filter:
        parts.append("filter " + " and ".join(_wrap(condition) for condition in scan.filter))
    others = len(scan.cells) - len(cells)
    if others:
        parts.append(f"shared with {others} other cells")
    return [" · ".join(parts), *(f"  {_cell(cell)}" for cell in cells)]


def _back(back: Back) -> str:
    path = " ".join("the one before" if shift is None else str(shift) for shift in back.path)
    window = "" if back.window is None else f"{back.window} of each {back.grain}"
    own = ", ".join(part for part in (path, window) if part)
    if back.inside is None:
        return own
    around = _back(back.inside) or f"each {back.inside.grain}"
    return f"{own or f'each {back.grain}'} in {around}"


def _often(scan: Scan, demand: Demand) -> str:
    """Say of what needs all values of a window at once how often it looks at a row: it is of many windows."""
    if scan.state not in ("holistic", "sketch") or demand.window is None or demand.cut:
        return ""
    if all(cell.aggregate == "quantile" for cell in scan.cells):
        return ", each window looked through by the bits of its rows' ranks"
    match demand.window.kind:
        case "cumulative":
            return ", each row looked at once for every period that follows it"
        case "to_date":
            return f", each row looked at once for every {demand.grain} of its {demand.window.grain} that follows it"
        case "trailing":
            return f", each row looked at once for every {demand.grain} whose {demand.window.length} hold it"


def _made(plan: Plan, datasets: list[str]) -> set[str]:
    """Return the relations that are read, and those that they are made of."""
    found: set[str] = set()
    while datasets:
        name = datasets.pop()
        if name in plan.relations and name not in found:
            found.add(name)
            sides = [side for sides in plan.relations[name].operands for side in sides]
            datasets += [one for side in sides for one in (side.dataset, *_held(side.reads))]
    return found


def _held(exprs: Iterable[Expr]) -> Iterator[str]:
    """Yield the relations of groups that rows are held against."""
    return (node.relation for expr in exprs for node in walk(expr) if isinstance(node, InGroup))


def _of_scan(scan: Scan, ids: set[str]) -> Iterator[Expr]:
    yield from (expr for _, expr in scan.keys)
    yield from scan.filter
    for cell in (cell for cell in scan.cells if cell.id in ids):
        yield from (*cell.where, *(() if cell.argument is None else (cell.argument,)))


def _relation(name: str, relation: Relation | Standing) -> list[str]:
    """Return how the rows of a dataset are made of those of others."""
    if isinstance(relation, Standing):
        return _standing(name, relation)
    parts = [f"make {name}", relation.kind]
    parts += [] if relation.grain is None else [f"each {relation.grain}"]
    parts += [] if relation.within is None else [f"within {relation.within}"]
    parts += [] if relation.match == "all" else [f"match {relation.match}"]
    parts += ["days are compared"] if relation.dates else []
    parts += [f"as of the latest row of {', '.join(relation.seen)}"] if relation.seen else []
    also = ", ".join(name for name, _ in relation.prefixes)
    parts += [f"from step {relation.ends[0]} on, for {also} too"] if also else []
    lines = [" · ".join(parts)]
    for place, sides in enumerate(relation.operands):
        for side in sides:
            by = ", ".join(text(expr) for expr in side.by)
            whose = f" by {by}" if by else ""
            columns = ", ".join(f"{column} = {text(expr)}" for column, expr in side.columns)
            wanted = f" with {columns}" if columns else ""
            lines.append(f"  {place} {side.dataset}{whose} at {text(side.time)}{_where(side.where)}{wanted}")
    return lines


def _standing(name: str, standing: Standing) -> list[str]:
    """Return since when entities are in a group."""
    which = {"event": "of the rows so far", "as_of": "of all rows", "period_start": f"of each earlier {standing.grain}"}
    totals = {str(place): function for place, (function, _) in enumerate(standing.totals)}
    shown = rewrite(
        standing.condition,
        lambda node: replace(node, name=f"{totals[node.name]}_{node.name}") if isinstance(node, Column) else node,
    )
    parts = [f"make {name}", "group", f"{text(shown)} {which[standing.at]}"]
    lines = [" · ".join(parts)]
    for place, sides in enumerate(standing.operands):
        for side in sides:
            argument = "".join(f"({text(expr)})" for _, expr in side.columns)
            which_rows = f"{side.dataset} by {text(side.by[0])} at {text(side.time)}{_where(side.where)}"
            lines.append(f"  {totals[str(place)]}_{place} = {totals[str(place)]}{argument} of {which_rows}")
    return lines


def _cell(cell: Cell) -> str:
    return f"{cell.id} {_what(cell)}{_where(cell.where)}"


def text(expr: Expr | nodes.Formula) -> str:
    """Return a typed expression as text, in the language's own form where it has one."""
    match expr:
        case Literal(value=value):
            return _literal(value)
        case Column(name=name):
            return name if name.isidentifier() else f'col("{name}")'
        case Field(name=name):
            return name
        case LookedUp():
            return expr.text
        case InGroup(relation=relation, of=of):
            return f"{text(of)} in {relation}"
        case nodes.Value(id=id) | nodes.Result(id=id):
            return id
        case Apply(function="start_of", args=(time, Literal(value=grain))):
            return f"start_of({text(time)}, {grain})"
        case Apply(function=function, args=args):
            return _apply(function, [_wrap(arg) if function in INFIX | WORDED | {"neg"} else text(arg) for arg in args])
        case Aggregate():
            argument = expr.event if expr.argument is None else f"{expr.event}.{text(expr.argument)}"
            return f"{expr.function}({argument}{_where(expr.where)}{_options(expr)})"
        case Reference():
            conditions = tuple(dict.fromkeys(c for _, where in expr.where for c in where))
            return f"{expr.kpi}{_where(conditions)}"
        case Across():
            inside = [text(expr.argument), *expr.within]
            return f"{expr.function}({', '.join(inside)})"
        case Per():
            return _per(expr, expr.keys)
        case nodes.Fold():
            return _per(expr, tuple(key.removeprefix("@") for key in expr.keys))
        case nodes.Revised():
            later = [f"{text(one)} from {day}" for one, day in zip(expr.versions[1:], expr.starts, strict=True)]
            return f"revised({', '.join([text(expr.versions[0]), *later])})"
        case Windowed(argument=argument, window=window):
            option = window.length or window.grain
            return f"{window.kind}({text(argument)}{'' if option is None else f', {option}'})"
        case Shifted() | nodes.Earlier():
            return f"previous({text(expr.argument)}{'' if expr.shift is None else f', {expr.shift}'})"
        case nodes.Rank():
            return f"rank({text(expr.argument)}{'' if expr.descending else ', lowest first'})"
        case _:
            assert_never(expr)


def _per(expr: Per | nodes.Fold, fields: tuple[str, ...]) -> str:
    where = "" if expr.condition is None else f" where {text(expr.condition)}"
    keys = [_key(name) for name in fields] + ([] if expr.grain is None else [expr.grain.value])
    per = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
    return f"{expr.function}({text(expr.argument)} per {per}{where}{_options(expr)})"


def _key(name: str) -> str:
    plain = all(part.isidentifier() for part in name.split(".")) and name not in GRAINS
    return name if plain else f'col("{name}")'


def _options(expr: Aggregate | Per | nodes.Fold) -> str:
    share = "" if expr.share is None else f", {(expr.share * 100).normalize():f}%"
    return f"{share}{', nearest' if expr.nearest else ''}"


def _literal(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value.normalize(), "f")
        case date() | datetime():
            return f'"{value.isoformat()}"'
        case _:
            return f'"{value}"'


def _apply(function: str, args: list[str]) -> str:
    match function:
        case "neg":
            return f"-{args[0]}"
        case "not":
            return f"not ({args[0]})"
        case "is null" | "is not null":
            return f"{args[0]} {function}"
        case "between" | "not between":
            return f"{args[0]} {function} {args[1]} and {args[2]}"
        case "in" | "not in":
            return f"{args[0]} {function} ({', '.join(args[1:])})"
        case _ if function in INFIX:
            return f" {function} ".join(args)
        case _:
            return f"{function}({', '.join(args)})"


def _wrap(expr: Expr | nodes.Formula) -> str:
    """Return the text in parentheses where it is an operator's."""
    inner = text(expr)
    return f"({inner})" if isinstance(expr, Apply) and expr.function in WRAPPED else inner
