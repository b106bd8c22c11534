"""The KPIs that a funnel is made of, and their names: as formulas say them, `step_rate(purchase, order)`."""

from __future__ import annotations

import re

from smartkpi.spec.model import Funnel

COUNT, RATE, OVERALL, LOST, TIME = "step_count", "step_rate", "overall_rate", "drop_off", "step_time"
MEASURES = (COUNT, RATE, OVERALL, LOST, TIME)
"""What is known of each step of a funnel; all but the count are of steps that follow another."""


def part_name(measure: str, owner: str, part: str) -> str:
    """Return the name of a KPI of a funnel."""
    return f"{measure}({owner}, {part})"


def one_spelling(name: str) -> str:
    """Return the name of a KPI in its one spelling, however its blanks were typed."""
    if "(" not in name:
        return name
    return re.sub(r"\s*,\s*", ", ", re.sub(r"\s*([()])\s*", r"\1", name.strip()))


def measures_of(funnel: Funnel, place: int) -> tuple[str, ...]:
    """Return what is known of a step."""
    if not place:
        return (COUNT,)
    return MEASURES if funnel.by else MEASURES[:-1]
