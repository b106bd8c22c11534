"""The KPIs that funnels and cohorts are made of, and their names: as formulas say them, `retention(buyers, 1)`."""

from __future__ import annotations

import re

from smartkpi.spec.model import Cohort, Funnel

COUNT, RATE, OVERALL, LOST, TIME = "step_count", "step_rate", "overall_rate", "drop_off", "step_time"
MEASURES = (COUNT, RATE, OVERALL, LOST, TIME)
"""What is known of each step of a funnel; all but the count are of steps that follow another."""

SIZE, RETURNED, RETENTION = "cohort_size", "returned", "retention"
AGES = {"day": 30, "week": 26, "month": 24, "quarter": 12, "year": 10}
AGES_ELSE = 24
"""Up to which age a cohort is shown."""


def part_name(measure: str, owner: str, part: str | int | None = None) -> str:
    """Return the name of a KPI of a funnel or cohort."""
    return f"{measure}({owner})" if part is None else f"{measure}({owner}, {part})"


def ages_of(cohort: Cohort) -> range:
    """Return the ages that a cohort is shown at."""
    return range(AGES.get(cohort.grain, AGES_ELSE) + 1)


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
