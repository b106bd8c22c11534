"""Distributions in closed form: Student's t, the normal, the beta-binomial. No random numbers, no tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import erfc, exp, isfinite, lgamma, log, log1p, sqrt

EXACT = 20_000
"""Up to how many trials a beta-binomial is summed term by term; beyond, it is taken as normal."""
SMALLEST = 1e-300


def student_below(t: float, freedom: float) -> float:
    """Return the probability that Student's t with some degrees of freedom is at most a value."""
    square = t * t
    if square < freedom:  # else a small value is lost beside the degrees of freedom
        tail = (1 - beta_below(square / (freedom + square), 0.5, freedom / 2)) / 2
    else:
        tail = beta_below(freedom / (freedom + square), freedom / 2, 0.5) / 2
    return tail if t < 0 else 1 - tail


@lru_cache(maxsize=1024)
def student_quantile(share: float, freedom: float) -> float:
    """Return the value below which Student's t lies with a probability, by halving."""
    if share == 0.5:
        return 0.0
    if share < 0.5:
        return -student_quantile(1 - share, freedom)
    high = 1.0
    while student_below(high, freedom) < share:
        high *= 2
    return halve(lambda t: student_below(t, freedom) >= share, 0.0, high)


def halve(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return the least value between two from which on a condition holds, to the last digit."""
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return high
        low, high = (low, middle) if holds(middle) else (middle, high)


def normal_below(z: float) -> float:
    """Return the probability that a standard normal is at most a value."""
    return erfc(-z / sqrt(2)) / 2


def beta_below(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction.

    W. H. Press et al., Numerical Recipes, 6.4, with the fraction evaluated by Lentz's method.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_below(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 400):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            c, d = _apart(1 + term / c), 1 / _apart(1 + term * d)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction


def _apart(value: float) -> float:
    """Return a value that one may divide by."""
    return value if abs(value) > SMALLEST else SMALLEST


def beta_binomial_from(least: int, trials: int, a: float, b: float) -> float:
    """Return the probability of at least so many hits in some trials whose rate is Beta(a, b)."""
    if least <= 0 or least > trials:
        return 1.0 if least <= 0 else 0.0
    mean = trials * a / (a + b)
    if trials > EXACT:
        spread = sqrt(mean * b / (a + b) * (a + b + trials) / (a + b + 1))
        return 1 - normal_below((least - 0.5 - mean) / spread)
    if least > mean:
        return min(_tail(least, trials, a, b), 1.0)
    return max(1 - _tail(trials - least + 1, trials, b, a), 0.0)


def _tail(least: int, trials: int, a: float, b: float) -> float:
    """Return the sum of the terms from one up; where they only fall, until they no longer count."""
    term = exp(
        lgamma(trials + 1) - lgamma(least + 1) - lgamma(trials - least + 1)
        + lgamma(least + a) + lgamma(trials - least + b) - lgamma(trials + a + b)
        + lgamma(a + b) - lgamma(a) - lgamma(b)
    )  # fmt: skip
    total, falls = term, a >= 1 or b >= 1
    for hits in range(least, trials):
        ratio = (trials - hits) * (hits + a) / ((hits + 1) * (trials - hits - 1 + b))
        term *= ratio
        total += term
        if falls and ratio < 1 and term < total * 1e-17:
            break
    return total if isfinite(total) else 1.0
