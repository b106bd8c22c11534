"""Targets of parts of a goal: of its periods, of its segments; and whether they add up."""

from __future__ import annotations

from datetime import date, datetime

from smartkpi.diagnostics import KpiError
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import parse_key
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.goal import TypedGoal
from smartkpi.spec.goal import Goal, PartTarget

TOLERANCE = 1e-9
MOST_PERIODS = 1_000


def grain_of_parts(goal: Goal, calendar: Calendar, findings: Findings) -> Grain | None:
    """Return the grain of the periods that have targets; None where none has."""
    found: Grain | None = None
    for part in goal.parts:
        if part.period is None:
            continue
        try:
            grain, key = parse_key(calendar, part.period)
        except KpiError as error:
            one = error.diagnostics[0]
            findings.error("goal-targets", one.message, part.span, one.hint)
            continue
        if key is None or isinstance(key, datetime):
            findings.error("goal-targets", f"`{part.period}` is no period of a goal", part.span, "a day at the least")
        elif found is not None and grain is not found:
            hint = "all periods of a goal have one grain"
            findings.error("goal-targets", f"`{part.period}` is a {grain}, others are a {found}", part.span, hint)
        else:
            found = grain
    return found


def type_parts(
    goal: Goal, each: Grain | None, calendar: Calendar, findings: Findings | None
) -> list[tuple[PartTarget, date | None]]:
    """Return the targets of parts, each with the first day of its period; those of another grain have been told."""
    found: list[tuple[PartTarget, date | None]] = []
    for part in goal.parts:
        if part.period is None:
            found.append((part, None))
            continue
        try:
            grain, key = parse_key(calendar, part.period)
        except KpiError:
            continue
        if grain is each and key is not None and not isinstance(key, datetime):
            found.append((part, key))
    dated = {key is not None for _, key in found}
    if findings is not None and len(dated) > 1:
        part = next(part for part, key in found if key is None)
        findings.error("goal-targets", "this target has no period, others have", part.span, "give it one")
    return found


def check_sums(goal: TypedGoal, findings: Findings) -> None:
    """Warn where the targets of parts do not add up to that of the whole."""
    whole = goal.targets.get((None, ()))
    if whole is None or whole.change or goal.nature != "additive" or goal.kind == "level":
        return
    parts = [bounds.low for key, bounds in goal.targets.items() if key != (None, ())]
    if not parts:
        return
    total = sum(parts)
    if abs(total - whole.low) > TOLERANCE * max(abs(total), abs(whole.low)):
        message = f"the {len(parts)} targets of parts add up to {_text(total)}, that of the whole is {_text(whole.low)}"
        hint = "leave `target` out to take their sum"
        findings.warn("goal-sum", message, goal.spec.at("target"), hint)


def _text(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


def near_segment(name: str, known: list[str]) -> str:
    """Return the fix for a segment that the data does not have."""
    return did_you_mean(name, known) or "a segment without rows yet is declared under `dimensions: … order:`"
