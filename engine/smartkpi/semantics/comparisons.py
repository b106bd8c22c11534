"""What values are held against: the period before, and a year ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length, Shift, refuse_shift
from smartkpi.semantics.formula import TypedKpi

YEAR = Length(1, "y")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a result that a comparison fills: the value then, the change since, its share, and marks."""

    value: str
    change: str
    growth: str
    flags: str

    @property
    def all(self) -> tuple[str, ...]:
        """The names in the order of the columns."""
        return self.value, self.change, self.growth, self.flags


COMPARISONS: Mapping[str, Columns] = {
    "previous": Columns("previous", "change", "growth", "previous_flags"),
    "year": Columns("year_ago", "year_change", "year_growth", "year_flags"),
}
"""All comparisons by the name that asks for them."""

ON_SCORECARD = ("previous",)
"""The comparisons of a scorecard that is asked for none."""


def shift_to(name: str, kpi: TypedKpi, grain: Grain, calendar: Calendar) -> Shift:
    """Return how far back the period lies that a comparison takes.

    A KPI over a window is held against the window that ends where this one begins, if that is a number of periods.
    """
    if name == "year":
        return YEAR
    window = kpi.spec.window
    length = None if window is None else Length(window.count, window.unit)
    return None if length is None or refuse_shift(calendar, length, grain) else length
