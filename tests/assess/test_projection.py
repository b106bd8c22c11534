"""Projections: the worked examples to the digit, and what holds for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.daily import Daily, changes, growths, rarity
from smartkpi.assess.levels import damped, project_level, slope
from smartkpi.assess.outlook import Distribution, Fixed, Hits, Mixed, Outlook, Quantiles, Sampled, Student
from smartkpi.assess.projection import Historic, Weekly, project_total, resample, turnouts
from smartkpi.assess.ratios import overdispersion, pearson, project_rate, project_share, share_left
from smartkpi.assess.scales import moved, scale_of
from smartkpi.periods.calendar import Calendar
from tests.oracle import projected

MONDAY, DAY = date(2026, 1, 5), timedelta(days=1)
CALENDAR = Calendar("UTC")
amounts = st.lists(st.floats(0, 1000), min_size=21, max_size=80)


def daily(values: Sequence[float], first: date = MONDAY) -> Daily:
    return Daily.of({first + DAY * i: float(value) for i, value in enumerate(values)})


def weeks(*totals: float) -> Daily:
    return daily([total / 7 for total in totals for _ in range(7)])


# totals


def test_three_weeks_and_two_to_come() -> None:
    outlook = project_total(weeks(100, 120, 110), CALENDAR, 14, 330)
    assert outlook is not None
    assert isinstance(outlook.rest, Student)
    assert outlook.rest.mean == pytest.approx(220)
    assert outlook.rest.spread == pytest.approx(10 * sqrt(2 + 4 / 3))
    assert outlook.rest.freedom == 2
    assert outlook.above(550) == pytest.approx(0.5)
    assert outlook.above(560) == pytest.approx(0.3194, abs=5e-5)
    assert outlook.interval == pytest.approx((515.57, 584.43), abs=5e-3)
    assert (outlook.method, outlook.days) == ("weekly", 21)


def test_what_never_varies_is_deterministic() -> None:
    outlook = project_total(daily([9500] * 46), CALENDAR, 46, 437_000)
    assert outlook is not None
    assert (outlook.method, outlook.days) == ("deterministic", 42)
    assert outlook.mean == pytest.approx(874_000)
    assert (outlook.above(920_000), outlook.below(920_000)) == (0.0, 1.0)
    assert (outlook.above(874_000), outlook.below(874_000)) == (1.0, 1.0)


def test_too_short_a_history_tells_nothing() -> None:
    assert project_total(daily([5, 6] * 10), CALENDAR, 14, 0) is None
    assert project_total(daily([5] * 20), CALENDAR, 14, 0) is None
    assert project_total(daily([0] * 40), CALENDAR, 14, 0) is None
    assert project_total(Daily.of({}), CALENDAR, 14, 0) is None
    assert project_total(daily([5] * 30), CALENDAR, 0, 150) is None


def test_uncovered_days_are_missing_and_not_zero() -> None:
    full = {MONDAY + DAY * i: 10.0 + i % 3 for i in range(56)}
    holes = {day: value for day, value in full.items() if day not in (MONDAY + DAY * 3, MONDAY + DAY * 17)}
    found = Weekly().project(Daily.of(holes), CALENDAR, 28)
    assert isinstance(found, Student)
    assert found.freedom == 5  # six whole weeks
    assert found.mean == pytest.approx(11 * 28, rel=0.01)
    workdays = {day: value for day, value in full.items() if day.weekday() < 5}
    assert Weekly().project(Daily.of(workdays), CALENDAR, 28) is None


def test_weekdays_are_projected_as_they_are() -> None:
    history = daily([10.0, 10, 10, 10, 10, 2, 2] * 8)
    week, weekend = Weekly().project(history, CALENDAR, 7), Weekly().project(history, CALENDAR, 5)
    assert week is not None
    assert weekend is not None
    assert week.mean == pytest.approx(54)
    assert weekend.mean > 5 / 7 * 54 * 1.1


def test_weeks_that_resemble_the_one_before_widen_the_interval() -> None:
    swinging = Weekly().project(weeks(100, 120, 100, 120, 100, 120, 100, 120), CALENDAR, 28)
    drifting = Weekly().project(weeks(100, 100, 100, 100, 120, 120, 120, 120), CALENDAR, 28)
    assert isinstance(swinging, Student)
    assert isinstance(drifting, Student)
    plain = swinging.spread
    middle = [-10, -10, -10, -10, 10, 10, 10, 10]
    rho = sum(a * b for a, b in pairwise(middle)) / 800 + 1 / 8
    assert drifting.spread == pytest.approx(plain * sqrt((1 + rho) / (1 - rho)))


def test_how_projections_turned_out_before() -> None:
    ratios = [0.8, 0.9, 1, 1, 1, 1.1, 1.2, 1.3]
    sims = Sampled(tuple(500 * one for one in resample(ratios, 3)))
    outlook = Outlook(sims, "historic", 0, now=500)
    assert outlook.above(1050) == pytest.approx(0.4)
    assert outlook.above(1060) == pytest.approx(0.3)
    assert resample(ratios[:7], 3) == []
    assert resample(ratios, 2) == []
    assert resample([0.0] * 8, 3) == []


def test_a_long_history_of_growth_is_half_believed() -> None:
    history = daily([100 * 1.001**i for i in range(400)])
    plain, mixed = Weekly().project(history, CALENDAR, 90), Historic().project(history, CALENDAR, 90)
    assert plain is not None
    assert isinstance(mixed, Mixed)
    assert plain.mean < mixed.mean
    assert turnouts(history, 90)[0] == pytest.approx(1.001 ** (28 + 45.0), rel=0.01)
    assert isinstance(Historic().project(history, CALENDAR, 120), Student)  # two horizons are too few
    assert isinstance(Historic().project(daily([5, 6] * 14), CALENDAR, 10), Student)


@given(
    st.lists(st.integers(0, 9), min_size=7, max_size=21),
    st.integers(21, 260),
    st.integers(5, 70),
    st.sets(st.integers(0, 250), max_size=3),
)
def test_totals_agree_with_a_slow_reading(cycle: list[int], size: int, days: int, holes: set[int]) -> None:
    values = {MONDAY + DAY * i: float(cycle[i % len(cycle)] + i // 50) for i in range(size)}
    last, target = max(values), 3.0 * days
    plain = project_total(Daily.of(values), CALENDAR, days, 10, Historic())
    slow = projected.historic(values, last, days, 10, target)
    assert plain is None if slow[0] == 10 and plain is None else plain is not None
    if plain is not None:
        assert plain.mean == pytest.approx(slow[0])
        assert plain.above(target) == pytest.approx(slow[1], abs=1e-6)
        assert (plain.method == "historic") is (slow[2] > 0)
    broken = {day: value for day, value in values.items() if (last - day).days not in holes}
    found = project_total(Daily.of(broken, last), CALENDAR, days, 10)
    read = projected.total(broken, last, days, 10, target)
    assert (found is None) is (read is None)
    if found is not None and read is not None:
        assert found.mean == pytest.approx(read[0])
        assert found.above(target) == pytest.approx(read[1], abs=1e-6)


@given(amounts, st.integers(1, 120), st.floats(0, 5000), st.floats(0, 90_000), st.floats(0, 5000))
def test_more_done_is_more_likely_a_higher_target_less(
    values: list[float], days: int, done: float, target: float, more: float
) -> None:
    for projector in (Weekly(), Historic()):
        outlook = project_total(daily(values), CALENDAR, days, done, projector)
        ahead = project_total(daily(values), CALENDAR, days, done + more, projector)
        if outlook is None or ahead is None:
            assert outlook is ahead
            return
        found = outlook.above(target)
        assert 0 <= found <= 1
        assert ahead.above(target) >= found - 1e-9
        assert outlook.above(target + more) <= found + 1e-9
        assert outlook.interval[0] <= outlook.interval[1]


@given(amounts, st.integers(1, 60), st.floats(0, 60_000))
def test_lower_is_better_mirrors(values: list[float], days: int, target: float) -> None:
    outlook = project_total(daily(values), CALENDAR, days, 0)
    mirrored = project_total(daily([-value for value in values]), CALENDAR, days, 0)
    if outlook is None or mirrored is None or not isinstance(outlook.rest, Student):
        return
    assert outlook.above(target) + outlook.below(target) == pytest.approx(1)
    if len(set(values)) == 1:  # a falling total has no weekdays
        assert mirrored.below(-target) == pytest.approx(outlook.above(target), abs=1e-6)


@given(st.lists(st.floats(0.1, 1000), min_size=5, max_size=5).flatmap(st.permutations))
def test_the_order_of_fewer_than_six_weeks_does_not_matter(totals: list[float]) -> None:
    one, other = (Weekly().project(weeks(*some), CALENDAR, 20) for some in (totals, sorted(totals)))
    assert one is not None
    assert other is not None
    assert one.mean == pytest.approx(other.mean)
    if isinstance(one, Student) and isinstance(other, Student):
        assert one.spread == pytest.approx(other.spread)


@given(amounts, st.integers(1, 60), st.sampled_from([0.5, 3.0, 100.0]))
def test_another_unit_changes_no_probability(values: list[float], days: int, factor: float) -> None:
    one = project_total(daily([round(value) for value in values]), CALENDAR, days, 0)
    other = project_total(daily([round(value) * factor for value in values]), CALENDAR, days, 0)
    if one is None or other is None:
        assert one is other
        return
    assert other.mean == pytest.approx(one.mean * factor)
    assert other.above(factor * 2000 + factor) == pytest.approx(one.above(2001), abs=1e-9)


def test_it_is_known_what_was_known_on_a_day() -> None:
    values = [10 + (i * 7) % 13 for i in range(200)]
    then, later = daily(values[:120]), daily(values).upto(MONDAY + DAY * 119)
    for projector in (Weekly(), Historic()):
        assert projector.project(then, CALENDAR, 15) == projector.project(later, CALENDAR, 15)
    assert len(then) == len(later) == 120


# shares and rates


def test_shares_over_a_goal() -> None:
    uniform = share_left(3, 10, 10, prior=1)
    assert uniform.above(3) == pytest.approx(1 - (19448 + 45760 + 64350) / 352716)
    assert share_left(3, 10, 10).above(3) == pytest.approx(0.59779, abs=5e-6)
    expected = {180: (0.0212, 0.0783), 190: (0.1584, 0.2451), 205: (0.7050, 0.6416)}
    for hits, found in expected.items():
        need = 400 - hits
        assert share_left(hits, 4000, 4000).above(need) == pytest.approx(found[0], abs=5e-5)
        assert share_left(hits, 4000, 4000, 2.0).above(need) == pytest.approx(found[1], abs=5e-5)


def test_both_ends_of_a_range_are_in_it() -> None:
    certain = Outlook(share_left(50, 50, 20), "share", 56, now=50, scale=70, ceiling=1.0)
    assert certain.within(0.9, 1.0) == certain.above(0.9) > 0.9  # nothing ends above all
    assert [Outlook(Fixed(end), "deterministic", 56).within(2, 6) for end in (1, 2, 6, 7)] == [0, 1, 1, 0]


def test_a_share_that_is_reached_or_out_of_reach() -> None:
    left = share_left(420, 4000, 4000)
    assert left.above(400 - 420) == 1.0
    assert share_left(100, 4000, 100).above(105) == 0.0


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 200), st.floats(1, 9), st.integers(0, 200))
def test_misses_mirror_hits(hits: int, misses: int, later: int, dispersion: float, need: int) -> None:
    one = share_left(hits, hits + misses, later, dispersion)
    other = share_left(misses, hits + misses, later, dispersion)
    assert one.above(need) == pytest.approx(other.below(later - need), abs=1e-9)
    assert 0 <= one.above(need) <= 1
    assert one.above(need) >= one.above(need + 1)
    assert one.quantile(0.1) <= one.mean + later / one.trials
    assert one.quantile(0.9) >= one.quantile(0.1)


def test_days_that_differ_more_than_chance() -> None:
    assert pearson([(10, 100), (2, 100), (10, 100), (2, 100)]) == pytest.approx((4 * 16 / 5.64) / 3)
    assert pearson([(0, 100), (0, 100)]) == 1.0
    assert pearson([(5, 100)]) == 1.0
    assert pearson([(0, 0), (0, 0)]) == 1.0
    hits = {MONDAY + DAY * i: 10.0 if i // 7 % 2 else 2.0 for i in range(28)}
    trials = dict.fromkeys(hits, 100.0)
    by_week = pearson([(14, 700), (70, 700), (14, 700), (70, 700)])
    assert overdispersion(hits, trials, max(hits), 56) == pytest.approx(by_week)


def test_a_share_is_projected_with_the_trials_to_come() -> None:
    trials, hits = daily([100] * 56), daily([5] * 56)
    outlook = project_share(hits, trials, CALENDAR, 40, (205, 4000))
    assert outlook is not None
    assert outlook.scale == pytest.approx(8000)
    assert outlook.above(0.05) == pytest.approx(0.7050, abs=5e-5)
    assert outlook.mean == pytest.approx((205 + 4000 * 205.5 / 4001) / 8000)
    fresh = project_share(hits, trials, CALENDAR, 40, (0, 0))
    assert fresh is not None
    assert fresh.mean == pytest.approx(280.5 / 5601)
    assert project_share(daily([1] * 10), daily([2] * 10), CALENDAR, 40, (10, 20)) is None


def test_a_rate_is_projected_by_weeks() -> None:
    visits, orders = daily([100] * 28), weeks(60, 80, 70, 70)
    outlook = project_rate(orders, visits, CALENDAR, 14, (280, 2800))
    assert outlook is not None
    assert outlook.mean == pytest.approx(0.1)
    assert outlook.above(0.1) == pytest.approx(0.5)
    spread = sqrt(200 / 3 / 7 * (14 + 14 * 14 / 28)) / 4200
    assert outlook.interval[1] == pytest.approx(0.1 + spread * 1.6377, rel=1e-4)
    steady = project_rate(daily([7] * 28), visits, CALENDAR, 14, (100, 2800))
    assert steady is not None
    assert steady.method == "deterministic"
    assert steady.mean == pytest.approx((100 + 98) / 4200)


def test_a_share_changes_as_it_did_before() -> None:
    trials = daily([100] * 140)
    hits = daily([10.0 if i < 70 else 20.0 for i in range(140)])
    plain = project_share(hits, trials, CALENDAR, 28, (560, 2800))
    mixed = project_share(hits, trials, CALENDAR, 28, (560, 2800), past=True)
    assert plain is not None
    assert mixed is not None
    assert (mixed.method, mixed.days, mixed.scale) == ("historic", 140, plain.scale)
    assert mixed.interval[1] > plain.interval[1]  # it doubled once
    assert 0 <= mixed.interval[0] <= mixed.interval[1] <= 1
    short = project_share(hits, trials, CALENDAR, 29, (560, 2800), past=True)
    assert short is not None
    assert short.method == "share"  # two horizons are too few
    faster, impossible = mixed.faster(1.5), mixed.faster(50)
    assert mixed.above(0.2) < faster.above(0.2)
    assert impossible.interval[1] <= 1
    assert (impossible.above(1.01), impossible.below(1.0)) == (0.0, 1.0)


def test_odds_that_changed_before() -> None:
    changes = [log(one) for one in (0.8, 0.9, 1, 1, 1, 1.1, 1.2, 1.3)]
    ends = moved("logit", 0.2, changes, 3)
    outlook = Outlook(Sampled(tuple(1000 * one for one in ends)), "historic", 0, now=200, scale=2000, ceiling=1.0)
    assert outlook.above(0.205) == pytest.approx(0.4)
    assert outlook.above(0.21) == pytest.approx(0.3)


def test_a_rate_that_grew_is_half_believed_to_grow_on() -> None:
    under = daily([50] * 336)
    over = daily([50 * 2 * 1.004**i for i in range(336)])
    plain = project_rate(over, under, CALENDAR, 56, (0, 0))
    mixed = project_rate(over, under, CALENDAR, 56, (0, 0), past=True)
    assert plain is not None
    assert mixed is not None
    assert mixed.mean == pytest.approx(plain.mean * (1 + 1.004**28) / 2, rel=1e-3)  # one window on is a factor 1.004^56
    assert mixed.method == "historic"


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=5, max_size=30),
    st.integers(60, 220),
    st.integers(7, 60),
    st.sets(st.integers(0, 200), max_size=2),
    st.booleans(),
)
def test_ratios_agree_with_a_slow_reading(
    cycle: list[tuple[int, int]], size: int, days: int, holes: set[int], share: bool
) -> None:
    some = [cycle[i % len(cycle)] for i in range(size)]
    known = [i for i in range(size) if size - 1 - i not in holes or i in (0, size - 1)]
    over = {MONDAY + DAY * i: float(some[i][0] + (i // 60) * share) for i in known}
    under = {MONDAY + DAY * i: float(sum(some[i]) + (1 + i // 60) * share) for i in known}
    last, done = MONDAY + DAY * (size - 1), (3.0, 10.0)
    make, read = (project_share, projected.share) if share else (project_rate, projected.rate)
    found = make(Daily.of(over), Daily.of(under), CALENDAR, days, done, past=True)
    plain = read(over, under, last, days, done, 0.4)
    assert (found is None) is (plain is None)
    if found is None or plain is None:
        return
    slow = projected.ratio_before(over, under, last, days, done, 0.4, plain, share=share)
    assert found.mean == pytest.approx(slow[0])
    assert found.above(0.4) == pytest.approx(slow[1], abs=1e-6)
    assert (found.method == "historic") is (slow[2] > 0)


# levels


def test_one_outlier_turns_no_trend() -> None:
    assert slope([3.0, 3.1, 3.2, 3.3, 9.0]) == pytest.approx(0.1)
    assert slope([3.0, 3.1, 3.2, 3.3, 9.0]) * damped(4) == pytest.approx(0.30951)
    assert damped(0.5) == pytest.approx(0.45)
    history = daily([3.0] * 7 + [3.1] * 7 + [3.2] * 7 + [3.3] * 7 + [9.0])
    outlook = project_level(history, 28, 9.0, "difference")
    assert outlook is not None
    assert (outlook.method, outlook.informs) == ("trend", True)
    assert outlook.mean == pytest.approx(9.30951)


def test_a_level_changes_as_it_did() -> None:
    history = daily([100 * 1.01 ** (i / 7) for i in range(140)])
    outlook = project_level(history, 28, 200, "log")
    assert outlook is not None
    assert outlook.method == "changes"
    assert outlook.mean == pytest.approx(200 * 1.01**2, rel=1e-6)  # half of the median change
    assert outlook.informs
    share = project_level(daily([0.3 + 0.01 * (i % 5) for i in range(140)]), 28, 0.99, "logit")
    assert share is not None
    assert 0.9 < share.interval[0] <= share.interval[1] < 1


def test_a_level_with_too_little_past() -> None:
    assert project_level(daily([3.0] * 14), 28, 3, "log") is None
    assert project_level(daily([3.0] * 30), 0, 3, "log") is None
    falling = project_level(daily([60 - i for i in range(50)]), 28, 1, "log")
    assert falling is not None
    assert falling.mean == 0


def test_the_scale_of_a_level() -> None:
    assert scale_of([0.2, 0.9], proportion=True) == "logit"
    assert scale_of([0.2, 1.0], proportion=True) == "difference"
    assert scale_of([2, 5], proportion=False) == "log"
    assert scale_of([2, -5], proportion=False) == "difference"


# what was reached before


def test_how_rarely_growth_was_reached() -> None:
    history = [2, 3, 5, 6, 8, 9, 11, 12, 14, 18]
    assert rarity(history, 20) == pytest.approx(1 / 12)
    assert rarity(history, 10) == pytest.approx(5 / 12)
    assert rarity(history, 2) == pytest.approx(11 / 12)
    assert rarity([-one for one in history], -20, rising=False) == pytest.approx(1 / 12)
    assert rarity([], 5) == 0.5


def test_growth_of_the_past() -> None:
    history = daily([10] * 28 + [11] * 28)
    assert growths(history, 28) == pytest.approx([0.1])
    assert growths(history, 7)[:5] == pytest.approx([0, 0, 0, 0.1, 0])
    assert changes(history, 28) == [1.0, 1.0, 1.0, 1.0]
    assert growths(history, 60) == []


# distributions

SAMPLES = [
    Fixed(5),
    Student(5, 2, 4),
    Sampled((1, 2, 3, 5, 8, 9, 9, 12)),
    Mixed(Student(5, 2, 4), Sampled((1, 2, 3, 5, 8, 9, 9, 12))),
    Hits(20, 20, 3.5, 4.5),
    Quantiles({0.1: 1, 0.5: 5, 0.9: 14}),
]


@pytest.mark.parametrize("one", SAMPLES, ids=lambda one: type(one).__name__)
def test_probabilities_and_quantiles_agree(one: Distribution) -> None:
    places = [i / 4 for i in range(-20, 100)]
    below, above = [one.below(x) for x in places], [one.above(x) for x in places]
    assert below == sorted(below)
    assert above == sorted(above, reverse=True)
    assert all(0 <= p <= 1 for p in (*below, *above))
    assert one.quantile(0.1) <= one.quantile(0.5) <= one.quantile(0.9)
    for share in (0.1, 0.3, 0.5, 0.9):
        assert one.below(one.quantile(share)) >= share - 1e-9
        assert one.below(one.quantile(share) - 1e-6) <= share + 1e-6


def test_a_total_that_cannot_fall_does_not() -> None:
    outlook = Outlook(Student(10, 50, 3), "weekly", 56, now=100, floor=100)
    assert outlook.interval[0] == 100
    assert (outlook.above(99), outlook.below(99)) == (1.0, 0.0)
