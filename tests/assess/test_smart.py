"""The rules of goals: of each the bad lines of the register break it, and the good lines do not."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.api.smart import JUDGES
from smartkpi.assess.daily import rarity
from smartkpi.assess.smart import OF_LEVEL, Case, Finding, Known, Part, Score
from smartkpi.periods.calendar import PLAIN
from smartkpi.rules import LETTERS, explain, read_rules, rules, sample
from tests.rules import project, visits

GOALS = [rule for rule in rules().values() if rule.letter]


@cache
def shop() -> pl.DataFrame:
    return visits()


def scores(lines: str, *, data: bool = True, **given: Any) -> dict[str, Score]:
    loaded = smartkpi.load(project(lines), data={"shop": shop()})
    found = loaded.check(smart=True, data=data, **given).smart
    assert found is not None
    return {one.goal: one for one in found}


def finding(code: str, lines: str, *, data: bool = True) -> Finding:
    return next(one for one in scores(lines, data=data)["better_visits"].findings if one.rule.code == code)


def test_the_project_of_the_register_is_smart() -> None:
    found = scores("owner: Bo")
    assert [(one.goal, one.smart) for one in found.values()] == [("growth", "yes"), ("better_visits", "yes")]
    assert {one.mark(letter) for one in found.values() for letter in LETTERS} == {"pass"}


@pytest.mark.parametrize("code", [rule.code for rule in GOALS])
def test_the_bad_lines_break_the_rule(code: str) -> None:
    rule = rules()[code]
    got = finding(code, rule.bad)
    expected = {OF_LEVEL[rule.level], "warn"} if code == "T7" else {OF_LEVEL[rule.level]}
    assert got.mark in expected, got
    assert got.message
    assert got.write


@pytest.mark.parametrize("code", [rule.code for rule in GOALS])
def test_the_good_lines_keep_it(code: str) -> None:
    found = scores(rules()[code].good)["better_visits"]
    assert [one for one in found.findings if one.rule.code == code and one.mark != "pass"] == []
    assert [one for one in found.findings if one.mark == "fail"] == []


def test_every_rule_of_goals_has_a_judge() -> None:
    assert {rule.code for rule in GOALS} == JUDGES.keys()


def test_without_data_what_data_decides_is_unknown() -> None:
    found = scores("owner: Bo", data=False)["better_visits"]
    marks = {one.rule.code: one.mark for one in found.findings}
    unknown = {"M2", "M3", "M4", "M5", "M7", "A1", "A2", "A3", "A4", "R0"}
    assert {code for code, mark in marks.items() if mark == "unknown"} == unknown
    assert found.smart == "unknown"
    assert found.mark("A") == "unknown"


def test_before_the_baseline_is_over_it_is_awaited() -> None:
    found = scores("owner: Bo", as_of="2026-05-31")["better_visits"]
    got = next(one for one in found.findings if one.rule.code == "M2")
    assert (got.mark, got.message) == ("unknown", "the baseline will be known when 2026-06-30 is over")


def test_a_rule_is_silenced_with_its_reason() -> None:
    got = finding("A2", "{target: 25%, lint: {A2: a new market}}")
    assert (got.mark, got.reason) == ("silenced", "a new market")
    assert "never happened" in got.message
    held = finding("A2", "{lint: {A2: a new market}}")
    assert (held.mark, held.reason) == ("pass", "")


def test_a_title_of_several_languages_is_held_in_each() -> None:
    lines = "title: {en: Raise conversion to 12% by 30 September 2026, zh: 2026 年 9 月 30 日前转化率提高到 12%}"
    assert finding("S3", lines, data=False).mark == "pass"
    got = finding("S3", lines.replace("到 12%", "到 13%"), data=False)
    assert got.message == "the title (zh) does not say the target, 12%"


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        ("title: Sell", "S3", "the title has 4 characters, not 10 to 90"),
        ("title: Raise conversion to 12% by 31 December 2026", "S3", "does not say the deadline, 2026-09-30"),
        ("owner: null", "S4", "nobody owns it"),
        ("owner: 李 和 王", "S4", "are 2"),
        ("{kpi: orders, baseline: null, target: 40%}", "S2", "has no percentage"),
        ("deadline: null", "T1", "has a deadline"),
        ("deadline: soon", "T2", ""),
        ("target: null", "S2", "has a target"),
        ("{start: 2026-01-01, deadline: 2027-12-31, parent: null, why: x}", "T3", "takes 730 days"),
        ("{revisions: [{from: 2026-09-20, deadline: 2026-12-31, reason: more time}]}", "T7", "moves the deadline"),
        ("{baseline: {from: 2026-06-30, to: 2026-04-01}}", "T1", "ends on 2026-04-01, before"),
        ("{kpi: orders, baseline: null, target: 0}", "M3", "reached already"),
    ],
)
def test_what_is_said_of_what_is_wrong(lines: str, code: str, message: str) -> None:
    got = finding(code, lines, data=False)
    assert got.mark in ("fail", "warn")
    assert message in got.message


def test_a_cancelled_goal_is_not_held_against_anything() -> None:
    assert list(scores("stage: cancelled", data=False)) == ["growth"]


def test_segments_are_told_by_name() -> None:
    lines = "{by: {country: {BR: 9%, DE: 60%, XX: 12%}}, target: null, title: Conversion by country 30 September 2026}"
    found = {one.rule.code: one for one in scores(lines)["better_visits"].findings}
    assert "no row of `conversion` has the country `XX`" in found["S5"].message
    rare = {one.rule.code: one for one in scores(lines.replace(", XX: 12%", ""))["better_visits"].findings}["A2"]
    assert rare.message.startswith("DE: it takes +")


def test_a_register_that_is_not_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a level"):
        read_rules("## S1 error\nAsks.\n\nBad:\n```yaml\na\n```\n")
    with pytest.raises(ValueError, match="stands twice"):
        read_rules(2 * "## S1 error\nAsks.\n\nWhy.\n\nBad:\n```yaml\na\n```\nGood:\n```yaml\na\n```\n")
    assert "goals:" in sample()
    assert (explain("S3") or "").startswith("## S3 warning")
    assert explain("S9") is None


GROWTHS = (1.02, 1.03, 1.05, 1.06, 1.08, 1.09, 1.11, 1.12, 1.14, 1.18)


@pytest.mark.parametrize(("needed", "mark"), [(1.20, "warn"), (1.10, None), (1.02, None)])
def test_w11_what_never_happened_takes_a_reason(needed: float, mark: str | None) -> None:
    """Of ten growths only what is outside all of them is told: the smallest rarity there can be is 1/12."""
    loaded = smartkpi.load(project("{kpi: orders, baseline: null, target: 400}"))
    checked = loaded.typed()
    part = Part(None, 400.0, prior=300.0, growths=GROWTHS, needed=needed)
    known = Known(date(2026, 6, 30), 1.0, 92, (), (part,), 4.0)
    goal = checked.goals["better_visits"]
    case = Case("better_visits", goal.spec, goal, PLAIN, checked.goals, checked.kpis, known=known)
    said = JUDGES["A2"](case)
    assert (None if said is None else "warn") == mark
    assert rarity(GROWTHS, 1.20) == pytest.approx(1 / 12)
    assert rarity(GROWTHS, 1.10) == pytest.approx(5 / 12)
    assert rarity(GROWTHS, 1.02) == pytest.approx(11 / 12)


@pytest.mark.parametrize(("window", "mark"), [("28d", "warn"), ("22d", "pass")])
def test_w26_a_window_that_lags(window: str, mark: str) -> None:
    """28 of 90 days: a level on its way would be called off track."""
    lines = f"{{over: trailing {window}, baseline: 10%, start: 2026-07-03}}"
    got = finding("T5", lines, data=False)
    assert got.mark == mark


def test_an_aspiring_goal_needs_no_precedent() -> None:
    assert finding("A2", "{target: 25%, commitment: aspirational}").mark == "pass"


def test_a_pack_without_rows_is_told_so() -> None:
    got = finding("R0", "{datasets: null, events: {visit: {fields: {bought: }}, order: {}}}", data=False)
    assert (got.mark, got.message[:6]) == ("unknown", "a pack")


def test_a_segment_begins_with_its_first_row() -> None:
    """MT comes once in sixty days: what is said of it is not that its zeros grew."""
    lines = "{kpi: visits, baseline: null, by: {country: {MT: 3, BR: 2_500}}, target: null}"
    found = {one.rule.code: one for one in scores(lines)["better_visits"].findings}
    assert found["S5"].mark == "pass"
    assert found["A4"].mark == "pass"
