"""What `kpi show` says of goals: all of them, or one with all that follows from what is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smartkpi.api import Project
from smartkpi.diagnostics import KpiError
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style
from smartkpi.report.table import draw
from smartkpi.semantics.goal import Bounds, TypedGoal

SHOWN = 6
"""How many targets of parts a sheet lists."""


def list_goals(project: Project, lang: str) -> tuple[list[dict[str, Any]], Callable[[Style], str]]:
    """Return all goals as plain data, and how to draw them."""
    data = [goal_facts(project, name, lang) for name in project.typed().goals]
    columns = tuple(
        Column(title, drop=drop) for title, drop in
        (("goal", 0), ("KPI", 0), ("target", 0), ("from", 2), ("to", 0), ("over", 3), ("owner", 1))
    )  # fmt: skip
    names = ("goal", "kpi", "target", "start", "deadline", "over", "owner")
    rows = tuple(tuple(Cell(str(one[name] or "")) for name in names) for one in data)
    grid = Grid("", columns, rows, 1) if rows else Grid("no goals", (), (), 0)
    return data, lambda style: draw([grid], style)


def goal_facts(project: Project, name: str, lang: str) -> dict[str, Any]:
    """Return all that is known of a goal. Raises KpiError for one that an error leaves out."""
    checked = project.typed()
    spec = project.catalog.goals[name]
    goal = checked.goals.get(name)
    if goal is None:
        found = [one for one in checked.diagnostics if one.subject == f"goal:{name}"]
        raise KpiError(*found or [checked.left_out[spec.kpi]])
    span = spec.span
    return {
        "goal": name,
        "kpi": goal.kpi.name,
        "title": spec.label.get(lang),
        "target": _target(goal),
        "aim": goal.aim,
        "over": _over(goal),
        "nature": goal.nature,
        "start": goal.start.isoformat(),
        "deadline": goal.deadline.isoformat(),
        "baseline": _baseline(goal),
        "path": spec.path,
        "milestones": [f"{value:g} by {day}" for day, value in goal.milestones],
        "by": ", ".join(goal.by),
        "parts": [_part(key, segment, bounds) for (key, segment), bounds in goal.targets.items() if key or segment],
        "where": None if spec.where is None else spec.where.text.value,
        "allow_misses": spec.allow_misses if goal.kind == "each" else None,
        "guardrails": [f"{rail.kpi} {rail.operator} {rail.bound:g}" for rail in goal.rails],
        "revisions": [_revised(goal, place) for place in range(len(goal.revisions))],
        "owner": spec.owner,
        "contributors": list(spec.contributors),
        "weight": float(spec.weight),
        "parent": spec.parent,
        "why": spec.why.get(lang),
        "stage": spec.stage,
        "commitment": spec.commitment,
        "projection": spec.evidence.projection,
        "settle": None if spec.settle is None else f"{spec.settle.count}{spec.settle.unit}",
        "place": f"{span.source.name}:{span.line}",
    }


def _written(bounds: Bounds) -> str:
    if bounds.change:
        return f"{bounds.change} {bounds.low:g}"
    return f"{bounds.low:g}" + ("" if bounds.high is None else f"..{bounds.high:g}")


def _target(goal: TypedGoal) -> str:
    whole, spec = goal.targets.get((None, ())), goal.spec
    if spec.target is not None and spec.target.amount is not None:
        return spec.target.amount.text.value.strip()
    count = len(goal.targets) - (whole is not None)
    return f"{count} of parts" if whole is None else _written(whole)


def _over(goal: TypedGoal) -> str:
    match goal.kind:
        case "each":
            return f"each {goal.each}"
        case "level":
            return f"trailing {goal.length}"
        case _:
            return "goal"


def _baseline(goal: TypedGoal) -> str:
    if goal.before is not None:
        first, last = goal.before
        return f"{goal.kpi.name} on {first}" if first == last else f"{goal.kpi.name} from {first} to {last}"
    if goal.baseline is not None:
        return f"{goal.baseline:g}"
    return "0" if goal.kind == "total" else ""


def _part(key: Any, segment: tuple[str, ...], bounds: Bounds) -> str:
    names = [*([key.isoformat()] if key else []), *segment]
    return f"{', '.join(names)}: {_written(bounds)}"


def _revised(goal: TypedGoal, place: int) -> str:
    one, spec = goal.revisions[place], goal.spec.revisions[place]
    said = [f"target {one.target:g}"] if one.target is not None else []
    said += [f"deadline {one.deadline}"] if one.deadline is not None else []
    said += [one.stage] if one.stage else []
    reason = spec.reason.get()
    return f"from {one.start}: {', '.join(said)}" + (f" ({reason})" if reason else "")


def goal_lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of a goal as names and texts."""
    for name, value in facts.items():
        match value:
            case list() if value:
                more = [f"and {len(value) - SHOWN} more"] if len(value) > SHOWN else []
                for i, text in enumerate([*value[:SHOWN], *more]):
                    yield name if i == 0 else "", text
            case str() if value and name != "goal":
                yield name.replace("_", " "), value
            case int() | float() if value and not (name == "weight" and value == 1):
                yield name.replace("_", " "), f"{value:g}"
