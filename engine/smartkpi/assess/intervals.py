"""Intervals: between which values the true one lies, most likely."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""


def wilson(hits: float, trials: float, z: float = Z95) -> tuple[float, float] | None:
    """Return the Wilson score interval of a proportion, by default of 95 %; None without a trial.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if trials <= 0:
        return None
    share, square = hits / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * sqrt(max(share * (1 - share), 0.0) / trials + square / trials / 4)
    return max(middle - half, 0.0), min(middle + half, 1.0)
