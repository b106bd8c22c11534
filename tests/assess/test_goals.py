"""Goals: the worked examples of their arithmetic, and what holds whatever the numbers are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.goals import RULES, STATUSES, Facts, assess, distance, is_met, measure, required_rate
from smartkpi.assess.intervals import wilson
from smartkpi.assess.outlook import Outlook
from smartkpi.spec.goal import Evidence

HALF = Facts(
    aim="increase",
    kind="total",
    value=437_000,
    target=920_000,
    baseline=0,
    expected=460_000,
    share=0.5,
    base=0.5,
    left=46,
    days=92,
    done=46,
    gone=46,
)


def test_a_total_half_way() -> None:
    found = assess(HALF)
    assert (found.status, found.measures.progress, found.measures.pace) == ("on_track", 0.475, 0.95)
    assert found.measures.required == 10_500
    assert found.measures.lift == pytest.approx(1.1053, abs=1e-4)


def way(baseline: float, target: float, value: float, share: float, **other: Any) -> Facts:
    """Return the facts of a level on its way."""
    aim = "increase" if target > baseline else "decrease"
    expected = baseline + share * (target - baseline)
    facts = Facts(aim=aim, kind="level", value=value, target=target, baseline=baseline, expected=expected,
                  share=share, base=share, days=100, done=int(100 * share), gone=int(100 * share))  # fmt: skip
    return replace(facts, **other)


def test_a_decrease_by_the_same_formula() -> None:
    found = assess(way(0.05, 0.03, 0.042, 0.5))
    assert found.measures.progress == pytest.approx(0.4)
    assert found.measures.pace == pytest.approx(0.8)
    assert found.status == "at_risk"  # though 0.8 is computed as 0.7999999


def test_baselines_below_zero() -> None:
    assert measure(way(-50, 50, -10, 0.5)).progress == 0.4


def test_a_target_that_is_the_baseline_has_no_way() -> None:
    found = assess(replace(way(1, 2, 1, 0.5), baseline=2))
    assert found.measures.at_start
    assert found.measures.progress is None
    assert found.status == "off_track"


def test_a_window_lags_behind() -> None:
    assert measure(way(0, 1, 0.35, 0.5)).pace == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("counted", "misses", "allowed", "status", "burn"),
    [(6, 1, 1, "off_track", 2.0), (6, 2, 1, "missed", None), (11, 0, 1, "achieved", 0.0), (6, 0, 1, "on_track", 0.0)],
)
def test_misses_that_are_allowed(counted: int, misses: int, allowed: int, status: str, burn: float | None) -> None:
    facts = Facts(aim="increase", kind="each", value=1, target=1, counted=counted, kept=counted - misses, periods=12,
                  allowed=allowed, gone=1, done=1, days=365)  # fmt: skip
    found = assess(facts)
    assert found.status == status
    if status != "missed":
        assert found.measures.burn == burn


def test_the_rate_of_the_rest() -> None:
    assert required_rate(0.05, 180, 4000, 4000) == pytest.approx(0.055)
    assert required_rate(0.05, 420, 4000, 4000) == pytest.approx(-0.005)
    assert required_rate(0.05, 100, 4000, 100) == pytest.approx(1.05)
    assert required_rate(0.05, 100, 4000, 0) is None


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(1, 3, 0.0615, 0.7923), (100, 300, 0.2824, 0.3885), (3, 3, 0.4385, 1), (0, 20, 0, 0.1611)],
)
def test_intervals_of_shares(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 0) is None


def test_a_budget_that_burns() -> None:
    facts = replace(HALF, aim="decrease", value=60_000, target=100_000, share=0.4, days=100, done=40, left=60)
    found = measure(facts)
    assert found.burn == pytest.approx(1.5)
    assert found.exhausted == pytest.approx(66.67, abs=0.01)
    assert assess(facts).status == "off_track"
    assert assess(replace(facts, value=0)).status == "on_track"


def test_how_far_from_a_range() -> None:
    assert [distance(value, 2, 6) for value in (5, 7, 1)] == [0, 0.5, -0.5]


@pytest.mark.parametrize(
    ("facts", "status", "reason"),
    [
        (replace(HALF, begun=False), "scheduled", "before_start"),
        (replace(HALF, done=0, gone=0, value=None), "too_early", "no_complete_day"),
        (replace(HALF, coverage=0.5), "no_data", "low_coverage"),
        (replace(HALF, done=2), "too_early", "warm_up"),
        (replace(HALF, passed=True), "settling", "data_incomplete"),
        (way(0, 1, 0.4, 1, closed=True, passed=True, sample=3), "no_data", "insufficient_sample"),
        (way(0, 1, 1, 1, closed=True, passed=True, sample=30), "achieved", "met"),
        (replace(HALF, value=920_000), "achieved", "early"),
        (replace(HALF, value=None), "no_data", "no_value"),
        (replace(HALF, share=None, expected=None), "no_data", "no_path"),
        (replace(HALF, guardrail="refunds"), "at_risk", "guardrail"),
        (replace(HALF, guardrail="refunds", value=100), "off_track", "pace"),
        (way(0, 1, 0.4, 0.5, interval=(0.3, 0.55)), "at_risk", "pace"),
        (way(0, 1, 0.3, 0.5, interval=(0.2, 0.55)), "at_risk", "within_interval"),
        (way(0, 1, 0.3, 0.5, interval=(0.2, 0.45)), "off_track", "pace"),
    ],
)
def test_the_first_rule_that_holds(facts: Facts, status: str, reason: str) -> None:
    found = assess(facts)
    assert (found.status, found.reason) == (status, reason)


def test_every_status_has_a_rule() -> None:
    assert {rule.status for rule in RULES} == set(STATUSES)


amounts = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
shares = st.floats(0.11, 1)
ORDER = ("off_track", "at_risk", "on_track")


@st.composite
def ways(draw: st.DrawFn) -> Facts:
    baseline, target = draw(amounts), draw(amounts)
    if abs(target - baseline) < 1:
        target = baseline + 1
    return way(baseline, target, draw(amounts), draw(shares))


@given(ways(), st.floats(0.1, 100), amounts)
def test_units_and_zero_points_change_nothing(facts: Facts, scale: float, shift: float) -> None:
    moved = moved_by(facts, scale, shift)
    assert moved.measures.pace == pytest.approx(assess(facts).measures.pace, rel=1e-4, abs=1e-4)
    if not borderline(facts):
        assert moved.status == assess(facts).status


@given(ways(), amounts)
def test_less_is_better_as_more_is(facts: Facts, shift: float) -> None:
    turned = "decrease" if facts.aim == "increase" else "increase"
    mirrored = moved_by(replace(facts, aim=turned), -1, shift)
    assert mirrored.measures.pace == pytest.approx(assess(facts).measures.pace, rel=1e-4, abs=1e-4)
    if not borderline(facts):
        assert mirrored.status == assess(facts).status


def moved_by(facts: Facts, scale: float, shift: float) -> Any:
    """Return how a goal stands whose amounts are in another unit."""
    names = ("value", "target", "baseline", "expected")
    return assess(replace(facts, **{name: scale * getattr(facts, name) + shift for name in names}))


def borderline(facts: Facts) -> bool:
    """Return whether a pace lies so near a bound that rounding decides."""
    pace = assess(facts).measures.pace
    return pace is None or any(abs(pace - bound) < 1e-3 for bound in (0.8, 0.95))


@given(ways(), st.floats(0, 1e6))
def test_a_better_value_is_no_worse(facts: Facts, more: float) -> None:
    assert facts.value is not None
    better = replace(facts, value=facts.value + (more if facts.aim == "increase" else -more))
    assert ORDER.index(assess(better).status) >= ORDER.index(assess(facts).status)


@given(ways(), st.floats(0, 1e6))
def test_a_harder_target_is_no_better(facts: Facts, more: float) -> None:
    assert facts.target is not None
    target = facts.target + (more if facts.aim == "increase" else -more)
    harder = way(facts.baseline or 0.0, target, facts.value or 0.0, facts.share or 0.0)
    assert ORDER.index(assess(harder).status) <= ORDER.index(assess(facts).status) or borderline(facts)


@given(ways())
def test_judging_twice_says_the_same(facts: Facts) -> None:
    assert assess(facts) == assess(facts)
    assert is_met(facts.aim, facts.target or 0.0, facts.target or 0.0)


@given(ways(), st.booleans(), st.booleans(), st.integers(0, 5), st.sampled_from(["draft", "active", "paused"]))
def test_there_is_always_a_status(facts: Facts, begun: bool, closed: bool, gone: int, stage: str) -> None:
    found = assess(replace(facts, begun=begun, closed=closed, passed=closed, gone=gone, stage=stage,
                           evidence=Evidence(min_periods=gone)))  # fmt: skip
    assert found.status in STATUSES


@dataclass(frozen=True)
class Said:
    """A distribution that is said to hit with a probability."""

    chance: float
    mean: float = 80.0

    def above(self, value: float) -> float:
        return self.chance if value == 100 else 0.0

    def below(self, value: float) -> float:
        return 1 - self.above(value)

    def quantile(self, share: float) -> float:
        return self.mean * (0.5 + share)


@pytest.mark.parametrize(
    ("chance", "mean", "commitment", "status"),
    [
        (0.70, 80, "committed", "on_track"),
        (0.6999, 80, "committed", "at_risk"),
        (0.30, 80, "committed", "at_risk"),
        (0.29, 80, "committed", "off_track"),
        (0.29, 95, "committed", "at_risk"),
        (0.29, 94.9, "committed", "off_track"),
        (0.50, 80, "aspirational", "on_track"),
        (0.4999, 80, "aspirational", "at_risk"),
        (0.15, 80, "aspirational", "at_risk"),
        (0.14, 80, "aspirational", "off_track"),
    ],
)
def test_what_is_likely_is_on_track(chance: float, mean: float, commitment: str, status: str) -> None:
    outlook = Outlook(Said(chance, mean), "weekly", 56)
    facts = replace(HALF, value=10.0, target=100.0, outlook=outlook, commitment=commitment)
    verdict = assess(facts)
    assert (verdict.status, verdict.reason) == (status, "probability")
    assert verdict.measures.chance == chance
    assert assess(replace(facts, outlook=replace(outlook, informs=True))).reason == "pace"
    assert assess(replace(facts, done=2)).status == "too_early"
