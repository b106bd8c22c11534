"""Paths: the worked examples, and what holds for each of them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.paths import (
    Path,
    Piece,
    by_weekday,
    day_of,
    expected_after,
    like_before,
    linear,
    through,
    weekday_weights,
    weighted,
)

MONDAY = date(2026, 1, 5)
WEEK = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5)


def test_weekdays_that_count_less() -> None:
    path = by_weekday(MONDAY, 14, WEEK)
    assert path.shares[5] == pytest.approx(5 / 12)
    assert linear(14).shares[5] == pytest.approx(5 / 14)
    assert 0.38 / linear(14).shares[5] == pytest.approx(1.064)
    assert 0.38 / path.shares[5] == pytest.approx(0.912)
    required = (100 - 38) / path.left(5)
    assert required == pytest.approx(62 / 7)
    assert required / (38 / 5) == pytest.approx(1.1654, abs=1e-4)


def test_weights_of_weekdays_are_drawn_to_the_mean() -> None:
    history = {MONDAY + timedelta(days=i): 0.0 if i % 7 > 4 else 7.0 for i in range(14)}
    weights = weekday_weights(history)
    raw = [(14 + 15) / 5 / 5] * 5 + [(0 + 15) / 5 / 5] * 2  # the mean is 5: (sum + 3·5) / (2 + 3) / 5
    assert weights == pytest.approx([one / (sum(raw) / 7) for one in raw])
    assert sum(weights) == pytest.approx(7)
    assert weekday_weights({}) == (1.0,) * 7
    assert weekday_weights({MONDAY: 0.0}) == (1.0,) * 7


def test_milestones_are_corners() -> None:
    path = through(365, 0, [(90, 100), (181, 300)], 1000)
    assert path is not None
    assert 1000 * path.shares[135] == pytest.approx(198.901, abs=1e-3)
    assert through(10, 5, [], 5) is None


def test_last_year_is_read_at_the_same_share_of_the_time() -> None:
    path = like_before(366, [1.0] * 365)
    assert path is not None
    assert path.shares[60] == pytest.approx(60 / 366)
    assert like_before(10, []) is None
    assert like_before(10, [0.0, 0.0]) is None


def test_a_new_target_bends_the_path() -> None:
    path = linear(100)
    pieces = [Piece(0, 1000, path), Piece(50, 1200, path)]
    assert expected_after(0, pieces, 50) == 500
    assert expected_after(0, pieces, 75) == 850
    assert expected_after(0, pieces, 100) == 1200


def test_the_day_on_which_a_path_has_a_share() -> None:
    assert day_of(linear(10), 0.35) == pytest.approx(3.5)
    assert day_of(linear(10), -1) == 0
    assert day_of(linear(10), 2) == 10


weights = st.lists(st.floats(0, 1000), min_size=1, max_size=60)


def paths() -> st.SearchStrategy[Path]:
    return st.one_of(
        st.integers(1, 400).map(linear),
        weights.map(weighted),
        st.tuples(st.integers(1, 60), weights).map(lambda pair: like_before(*pair) or linear(pair[0])),
        st.tuples(st.integers(1, 60), st.lists(st.floats(0.1, 9), min_size=7, max_size=7)).map(
            lambda pair: by_weekday(MONDAY, *pair)
        ),
    )


@given(paths())
def test_a_path_goes_from_nothing_to_all_and_never_back(path: Path) -> None:
    assert path.shares[0] == 0
    assert path.shares[-1] == 1
    assert all(after >= before - 1e-12 for before, after in zip(path.shares, path.shares[1:], strict=False))
    assert path.left(path.days) == 0


@given(paths(), st.data(), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_revision_changes_nothing_on_its_day(
    path: Path, data: st.DataObject, baseline: float, target: float, revised: float
) -> None:
    day = data.draw(st.integers(0, path.days))
    before = expected_after(baseline, [Piece(0, target, path)], day)
    after = expected_after(baseline, [Piece(0, target, path), Piece(day, revised, path)], day)
    assert after == pytest.approx(before, rel=1e-9, abs=1e-6)
    if day < path.days:
        end = expected_after(baseline, [Piece(0, target, path), Piece(day, revised, path)], path.days)
        assert end == pytest.approx(revised if path.shares[day] < 1 else end, rel=1e-9, abs=1e-6)
