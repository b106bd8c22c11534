"""Which datasets an answer stands on: those that provide its events, and those that are looked up on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from smartkpi.plan.nodes import Cell, Plan, Scan, Side, Step
from smartkpi.semantics.covering import covering
from smartkpi.semantics.formula import Expr, InGroup, LookedUp, TypedDataset
from smartkpi.tree import walk


def datasets_read(plan: Plan) -> Mapping[str, frozenset[str]]:
    """Return for each KPI of a plan the datasets that it cannot do without."""
    steps = {step.id: step for step in plan.steps}
    scans: dict[str, list[tuple[Scan, Cell]]] = {}
    for scan in plan.scans:
        for cell in scan.cells:
            scans.setdefault(cell.id, []).append((scan, cell))
    found = {}
    for output in plan.outputs:
        names = set(covering(plan.datasets, output.datasets))
        if output.step is not None:
            asked = with_series(steps, [steps[output.step]])
            for id in {id for step in asked for id in (*step.components, *step.presence, *step.inside)}:
                for scan, cell in scans.get(id, ()):
                    names |= _read_from(plan, scan.dataset, _read(scan, cell))
        found[output.kpi] = frozenset(names)
    return found


def with_series(known: Mapping[str, Step], steps: Iterable[Step]) -> list[Step]:
    """Return steps with those whose values of other periods they take, each once."""
    found = {step.id: step for step in steps}
    stack = list(found.values())
    while stack:
        for one in stack.pop().series:
            if one.step not in found:
                found[one.step] = known[one.step]
                stack.append(known[one.step])
    return list(found.values())


def _read_from(plan: Plan, dataset: str, exprs: Iterable[Expr]) -> set[str]:
    """Return the datasets that row expressions of a dataset look up, and those that derived rows are made of."""
    exprs = tuple(exprs)
    held = {node.relation for expr in exprs for node in walk(expr) if isinstance(node, InGroup)}
    grouped = {one for name in held for one in _read_from(plan, name, ())}
    if dataset not in plan.relations:
        return {dataset} | grouped | _reached(plan.datasets, plan.datasets[dataset], exprs)
    sides = (side for operand in plan.relations[dataset].operands for side in operand)
    return {name for side in sides for name in _read_from(plan, side.dataset, side.reads)}


def read_from(plan: Plan, dataset: str) -> tuple[str, ...]:
    """Return the datasets whose rows those of a dataset are made of, or are."""
    if dataset not in plan.relations:
        return (dataset,)
    return made_from(plan, plan.relations[dataset].operands)


def made_from(plan: Plan, operands: Iterable[tuple[Side, ...]]) -> tuple[str, ...]:
    """Return the datasets whose rows those of operands are made of, or are."""
    sides = (side for operand in operands for side in operand)
    return tuple(dict.fromkeys(name for side in sides for name in read_from(plan, side.dataset)))


def _read(scan: Scan, cell: Cell) -> Iterator[Expr]:
    yield from cell.where
    yield from () if cell.argument is None else (cell.argument,)
    yield from (expr for _, expr in scan.keys)
    yield from () if scan.time is None else (scan.time,)


def _reached(datasets: Mapping[str, TypedDataset], dataset: TypedDataset, exprs: Iterable[Expr]) -> set[str]:
    """Return the datasets that row expressions of a dataset look up, directly and through others."""
    found: set[str] = set()
    stack: list[tuple[TypedDataset, Expr]] = [(dataset, expr) for expr in exprs]
    stack += [(dataset, expr) for expr in _always(dataset)]
    seen: set[tuple[str, tuple[str, ...], str]] = set()
    while stack:
        here, expr = stack.pop()
        for node in walk(expr):
            if not isinstance(node, LookedUp) or (here.name, node.path, node.name) in seen:
                continue
            seen.add((here.name, node.path, node.name))
            lookup = here.lookups[node.path[0]]
            stack += [(here, one) for one in lookup.reads]
            other = datasets.get(lookup.dataset)
            found.add(lookup.dataset)
            if other is not None:
                if not node.name:
                    continue
                inner = LookedUp(node.path[1:], node.name, node.type) if node.path[1:] else other.field(node.name)
                stack += [(other, one) for one in (inner, *_always(other)) if one is not None]
    return found


def _always(dataset: TypedDataset) -> tuple[Expr, ...]:
    """Return what is read of a dataset whatever is asked: its key, and what decides between rows of one."""
    return (*dataset.key, *(one for one in (dataset.time, dataset.keep) if one is not None))
