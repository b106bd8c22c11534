"""The scale on which a value changes: a share on the logit, what is above zero on the logarithm, else as it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt
from statistics import median
from typing import Literal

Scale = Literal["difference", "log", "logit"]
LARGEST = 700.0
"""Beyond, an exponential is no number."""


def scale_of(values: Sequence[float], *, proportion: bool) -> Scale:
    """Return the scale on which a level changes: of a share the logit, of what is above zero the logarithm."""
    if proportion and all(0 < one < 1 for one in values):
        return "logit"
    return "log" if not proportion and values and all(one > 0 for one in values) else "difference"


def has_place(scale: Scale, value: float) -> bool:
    """Return whether a scale has a place for a value."""
    return 0 < value < 1 if scale == "logit" else value > 0 if scale == "log" else True


def bounded(scale: Scale, value: float) -> float:
    """Return a value that the scale has a place for, or its end."""
    return value if scale == "difference" else max(value, 0.0) if scale == "log" else min(max(value, 0.0), 1.0)


def there(scale: Scale, value: float) -> float:
    """Return the place of a value on a scale."""
    match scale:
        case "log":
            return log(value)
        case "logit":
            return log(value / (1 - value))
        case _:
            return value


def back(scale: Scale, place: float) -> float:
    """Return the value at a place of a scale."""
    match scale:
        case "log":
            return exp(min(place, LARGEST))
        case "logit":
            return 1 / (1 + exp(min(-place, LARGEST)))
        case _:
            return place


def moved(scale: Scale, value: float, changes: Sequence[float], horizons: int) -> tuple[float, ...]:
    """Return where a value ends if it changes as it did before, ascending: med/2 + (change − med)·√(1 + 1/m) added.

    Half of the median change is believed; the few independent ones, m, stand for more.
    """
    middle, wide = median(changes), sqrt(1 + 1 / horizons)
    at = there(scale, value)
    return tuple(sorted(back(scale, at + middle / 2 + (one - middle) * wide) for one in changes))
