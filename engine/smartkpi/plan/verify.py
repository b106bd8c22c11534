"""Check that a plan is whole, before and after the optimizer: nothing that was declared may be lost on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import grid_of
from smartkpi.plan.nodes import Cell, Plan, Result, Scan, Step, Value
from smartkpi.plan.scans import Rows, is_gridded
from smartkpi.semantics.formula import TypedBinding, TypedDataset
from smartkpi.tree import walk


def verify(plan: Plan) -> None:
    """Raise AssertionError where a plan dropped a filter, an answer or a grain, or refers to what it does not have.

    A failure is a bug of the compiler, never the analyst's; it is cheap enough to run before every question.
    """
    known: set[str] = set()
    for step in plan.steps:
        for node in walk(step.formula):
            match node:
                case Value(id=id):
                    assert id in (*step.components, *step.inside), f"{step.id} reads {id} without saying so"
                case Result(id=id):
                    assert id in known, f"{step.id} reads {id} before it is made"
                case _:
                    pass
        assert {*step.components, *step.presence} <= plan.components.keys(), f"{step.id} reads unknown components"
        known.add(step.id)
    answers: dict[str, list[tuple[Scan, Cell]]] = {id: [] for id in plan.components}
    for scan in plan.scans:
        for cell in scan.cells:
            answers[cell.id].append((scan, cell))
    steps = {step.id: step for step in plan.steps}
    asked = dict.fromkeys(
        (id, at)
        for output in (*plan.outputs, *plan.totals)
        for step in output.steps
        for id, at in _read_at(plan, steps, steps[step], output.grain)
    )
    providers: dict[str, list[tuple[TypedDataset, TypedBinding]]] = {}
    for dataset in plan.datasets.values():
        for event, binding in dataset.events.items():
            providers.setdefault(event, []).append((dataset, binding))
    for id, grain in asked:
        found = [(scan, cell) for scan, cell in answers[id] if grain in scan.grains]
        own = [(plan.datasets[binding.dataset], binding) for binding in plan.provided.get(id, ())]
        component = plan.components[id]
        sides = [Rows(*one, component.view, plan.groups) for one in own or providers[component.event]]
        _verify_component(plan, id, found, sides)


def _read_at(plan: Plan, steps: Mapping[str, Step], step: Step, grain: Grain) -> Iterator[tuple[str, Grain]]:
    """Yield the components that a step reads off scans by grain, with that grain."""
    yield from ((id, at) for id, at in step.inner if at is not None)
    for id in (*step.components, *step.presence, *(id for id, at in step.inner if at is None)):
        component = plan.components[id]
        if component.window is None:
            yield id, grain
        elif is_gridded(component):
            yield id, grid_of(grain)
    for one in step.series:
        yield from _read_at(plan, steps, steps[one.step], one.grain)


def _verify_component(plan: Plan, id: str, answers: list[tuple[Scan, Cell]], providers: list[Rows]) -> None:
    """Hold one component against the cells that answer it at one grain: each provider once, every filter there."""
    by_dataset = {scan.dataset: (scan, cell) for scan, cell in answers}
    assert len(answers) == len(by_dataset) == len(providers), f"{id} is not answered once by each provider"
    for rows in providers:
        scan, cell = by_dataset[rows.dataset.name]
        missing = [
            condition
            for condition in rows.where(plan.components[id].where, plan.components[id].days)
            if condition not in cell.where
        ]
        assert not missing, f"{id} lost a filter in {scan.dataset}: {missing}"
        wanted, found = ((one.aggregate, one.share, one.nearest) for one in (plan.components[id], cell))
        assert found == wanted, f"{id} became another aggregate in {scan.dataset}"
        assert scan.time == rows.binding.time, f"{id} is dated by another time"
        keys = {name for name, _ in scan.keys}
        kept = plan.components[id].keep
        assert cell.keep == kept, f"{id} lost a dimension"
        assert keys >= {*kept}, f"{id} lost a dimension in {scan.dataset}"
        assert scan.state == "additive" or keys == {*kept}, f"{id} cannot be added up to fewer dimensions"
