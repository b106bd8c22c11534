"""Distributions: known values, and what holds for each of them."""

from __future__ import annotations

from fractions import Fraction
from math import comb, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.distributions import (
    EXACT,
    beta_below,
    beta_binomial_from,
    normal_below,
    student_below,
    student_quantile,
)


@pytest.mark.parametrize(
    ("t", "freedom", "below"),
    [
        (0.0, 3, 0.5),
        (1.0, 1, 0.75),  # Cauchy: 1/2 + atan(t)/pi
        (1.8856180831641267, 2, 0.9),
        (2.353363434801826, 3, 0.95),
        (2.364624251592785, 7, 0.975),
        (-3.499483297350493, 7, 0.005),
    ],
)
def test_students_t_is_that_of_the_tables(t: float, freedom: int, below: float) -> None:
    assert student_below(t, freedom) == pytest.approx(below, abs=1e-12)
    assert student_quantile(below, freedom) == pytest.approx(t, abs=1e-9)


@given(st.floats(-50, 50))
def test_two_degrees_of_freedom_have_a_formula(t: float) -> None:
    assert student_below(t, 2) == pytest.approx(0.5 + t / (2 * sqrt(2 + t * t)), abs=1e-12)


@given(st.floats(-30, 30), st.floats(-30, 30), st.integers(1, 60))
def test_students_t_rises_and_is_even(one: float, other: float, freedom: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= student_below(low, freedom) <= student_below(high, freedom) <= 1
    assert student_below(-low, freedom) == pytest.approx(1 - student_below(low, freedom), abs=1e-12)


def test_many_degrees_of_freedom_are_normal() -> None:
    assert student_below(1.3, 1e7) == pytest.approx(normal_below(1.3), abs=1e-7)
    assert normal_below(1.959963984540054) == pytest.approx(0.975)


def test_incomplete_beta_of_whole_numbers_is_a_binomial_sum() -> None:
    x, a, b = 0.3, 4, 6
    n = a + b - 1
    assert beta_below(x, a, b) == pytest.approx(sum(comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(a, n + 1)))
    assert (beta_below(0, 2, 3), beta_below(1, 2, 3)) == (0.0, 1.0)


def _exactly(least: int, trials: int, a: int, b: int) -> Fraction:
    """Return the sum for whole a and b, where gamma functions are factorials: C(a+x−1, x)·C(b+n−x−1, n−x) / C(…)."""
    ways = [comb(a + x - 1, x) * comb(b + trials - x - 1, trials - x) for x in range(trials + 1)]
    return Fraction(sum(ways[least:]), sum(ways))


@given(st.integers(0, 41), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30))
def test_the_sum_is_exact(least: int, trials: int, a: int, b: int) -> None:
    found = beta_binomial_from(least, trials, a, b)
    expected = 0.0 if least > trials else float(_exactly(least, trials, a, b))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_three_of_ten_and_ten_more() -> None:
    assert 1 - beta_binomial_from(3, 10, 4, 8) == pytest.approx((19448 + 45760 + 64350) / 352716)


def test_far_more_trials_are_taken_as_normal_and_join_smoothly() -> None:
    just = beta_binomial_from(1050, EXACT, 100, 1900)
    beyond = beta_binomial_from(1050, EXACT + 1, 100, 1900)
    assert just == pytest.approx(beyond, abs=0.01)


@given(st.integers(0, 400), st.integers(1, 400), st.floats(0.5, 200), st.floats(0.5, 200))
def test_hits_and_misses_mirror(least: int, trials: int, a: float, b: float) -> None:
    found = beta_binomial_from(least, trials, a, b)
    assert 0 <= found <= 1
    assert found == pytest.approx(1 - beta_binomial_from(trials - least + 1, trials, b, a), abs=1e-9)
    assert found >= beta_binomial_from(least + 1, trials, a, b)
