"""How many periods of a goal will be as wanted: the worked example, and what holds for each of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.compliance import Ahead, Running, project_periods
from smartkpi.assess.outlook import Fixed, Outlook, Quantiles
from smartkpi.semantics.goal import Bounds
from tests.oracle import projected

DUE = Bounds(10.0)
EVEN = Running(Outlook(Quantiles({0.1: 6.0, 0.5: 10.0, 0.9: 14.0}), "weekly", 56), DUE)


def past(*values: float) -> list[tuple[float, Bounds]]:
    return [(value, DUE) for value in values]


def test_twelve_months_of_which_two_may_miss() -> None:
    found = project_periods("increase", past(12, 11, 9, 13, 10, 15), 5, 6, EVEN, 30)
    assert found is not None
    assert isinstance(found.rest, Ahead)
    assert found.rest.evidence == (3.0, 1.0)
    assert found.above(10) == pytest.approx((3 / 8 + 3 / 8 + 15 / 56) / 2)
    assert found.mean == pytest.approx(9.25)
    assert (found.method, found.days) == ("periods", 180)
    assert found.interval == (7, 11)


def test_too_few_periods_tell_nothing() -> None:
    assert project_periods("increase", past(12, 11), 2, 4, EVEN, 30) is None
    assert project_periods("increase", past(12, 11, 9), 2, 0, None, 30) is None


def test_as_many_periods_tell_as_are_to_come() -> None:
    values = past(*[5] * 10, *[12] * 10)
    assert project_periods("increase", values, 10, 3, None, 7).rest.evidence == (3.5, 0.5)  # type: ignore[union-attr]
    assert project_periods("increase", values, 10, 15, None, 7).rest.evidence == (5.5, 3.0)  # type: ignore[union-attr]


def test_more_of_all_that_comes() -> None:
    found = project_periods("increase", past(9, 9, 9, 9, 12, 12), 2, 5, EVEN, 30)
    less = project_periods("stay_below", past(9, 9, 9, 9, 12, 12), 4, 5, EVEN, 30)
    assert found is not None
    assert less is not None
    assert found.faster(1.2).above(5) > found.above(5) > found.faster(0.5).above(5)
    assert less.faster(1.2).above(6) < less.above(6) < less.faster(0.8).above(6)
    inside = Bounds(8, 10)
    ranged = Ahead(
        "stay_within", ((9, inside), (12, inside), (8, inside)), 2, Running(Outlook(Fixed(9), "own", 1), inside)
    )
    assert ranged.evidence == (1.5, 1.0)
    assert ranged.current == 1
    assert (ranged.faster(1.5).current, ranged.faster(0.8).evidence) == (0, (1.0, 1.5))


@given(
    st.lists(st.floats(5, 15), min_size=3, max_size=9),
    st.integers(0, 8),
    st.one_of(st.none(), st.floats(5, 15)),
    st.integers(-1, 10),
)
def test_the_sum_is_the_integral(values: list[float], later: int, running: float | None, needed: int) -> None:
    ahead = Ahead("increase", tuple(past(*values)), later, None if running is None else EVEN)
    kept = sum(value >= 10 - 1e-8 for value in values)
    mean, chance = projected.periods_kept(kept, len(values), None if running is None else 0.5, later, needed)
    assert ahead.mean == pytest.approx(mean)
    assert ahead.above(needed) == pytest.approx(chance, abs=1e-6)
    assert ahead.above(needed) + ahead.below(needed - 1) == pytest.approx(1)
    for share in (0.1, 0.5, 0.9):
        assert ahead.below(ahead.quantile(share)) >= share - 1e-9
        assert ahead.quantile(share) == 0 or ahead.below(ahead.quantile(share) - 1) < share


def test_drawing_agrees() -> None:
    some = random.Random(7)
    ahead, hits, rounds = Ahead("increase", tuple(past(12, 9, 11, 12, 8, 13)), 4, EVEN), 0, 20_000
    for _ in range(rounds):
        rate = some.betavariate(*ahead.evidence)
        hits += (some.random() < 0.5) + sum(some.random() < rate for _ in range(4)) >= 4
    assert ahead.above(4) == pytest.approx(hits / rounds, abs=0.01)
