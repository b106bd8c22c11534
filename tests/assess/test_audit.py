"""The review of a project: of each rule the bad lines of the register are found, and the good lines are not."""

from __future__ import annotations

from datetime import date

import pytest

import smartkpi
from smartkpi.assess.audit import CHECKS, Audit, audit
from smartkpi.resources import find
from smartkpi.rules import rules
from smartkpi.semantics.check import check
from smartkpi.spec.load import load
from tests.rules import project

DAY = date(2026, 6, 30)
CODES = [rule.code for rule in rules().values() if not rule.letter]


def reviewed(lines: str, day: date = DAY) -> Audit:
    return audit(check(load(project(lines)).catalog), day)


def subjects(found: Audit, code: str) -> dict[str, str]:
    return {one.name: one.detail for concern in found.concerns if concern.rule.code == code for one in concern.subjects}


@pytest.mark.parametrize("code", CODES)
def test_the_bad_lines_are_found_and_the_good_ones_are_not(code: str) -> None:
    bad, good = (subjects(reviewed(lines), code) for lines in (rules()[code].bad, rules()[code].good))
    assert bad.keys() - good.keys(), (bad, good)


def test_every_rule_has_a_check() -> None:
    assert list(CHECKS) == CODES


def kpis(text: str) -> Audit:
    base = "events: {visit: {fields: {country: }}, order: {fields: {country: }}}\nkpis:\n"
    return audit(check(load({"kpis": {}} if not text else _plain(base + text)).catalog), DAY)


def _plain(text: str) -> dict[str, object]:
    import yaml

    found: dict[str, object] = yaml.load(text, yaml.BaseLoader)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  {a: order, b: count(order)}", {"b": "is `a`"}),
        ("  {a: order + visit, b: visit + order}", {"b": "is `a`"}),
        ("  {a: order / visit, b: visit, c: order, d: c / b}", {"d": "is `a`"}),
        ("  {a: order / visit, b: visit / order}", {}),
        ("  {a: order - visit, b: visit - order}", {}),
        ("  {a: {formula: order, where: country == 'BR'}, b: count(order where country == 'BR')}", {"b": "is `a`"}),
        ("  {a: order, b: count(order where country == 'BR')}", {"b": "is `a` under a condition"}),
        (
            "  {a: order / visit, b: {formula: order / visit, where: country == 'BR'}}",
            {"b": "is `a` under a condition"},
        ),
        ("  {a: order / visit, b: count(order where country == 'BR') / visit}", {}),
        ("  {a: order / visit, b: 1 - a}", {"b": "is `a`, taken from a number"}),
        ("  {a: order / visit, b: a * 100}", {"b": "is `a`, times a number"}),
        ("  {a: order / visit, b: order / 100}", {}),
        ("  {a: order, b: {formula: order, window: 28d}}", {}),
        ("  {a: order, b: {formula: order, hidden: true}}", {}),
        ("  {a: order, b: {formula: order, lint: {overlap: the old name of the board}}}", {}),
    ],
)
def test_overlaps(text: str, expected: dict[str, str]) -> None:
    assert subjects(kpis(text), "overlap") == expected


def test_an_event_that_only_leaves_rows_out_is_its_condition() -> None:
    lines = """
    datasets: {shop: {fields: {amount: 3, size: amount}}}
    events: {german: visit where country == "DE", first_german: first german by bought}
    kpis: {germans: german, in_germany: count(visit where country == "DE"), firsts: first_german}
    """
    assert subjects(reviewed(lines), "overlap") == {"in_germany": "is `germans`"}


def test_labels_are_held_against_each_other_in_each_language() -> None:
    one, two = "label: {en: Orders, zh: 订单}", "label: {en: Sales, zh: 订单}"
    found = kpis(
        f"  {{a: {{formula: order, {one}}}, b: {{formula: visit, {two}}}, c: {{formula: visit, label: ' orders'}}}}"
    )
    assert subjects(found, "namesake") == {"b": "is called `订单`, as is `a`", "c": "is called ` orders`, as is `a`"}


def test_a_description_says_more_than_the_name() -> None:
    found = kpis("  {new_orders: {formula: order, description: New orders.}, b: {formula: visit, description: Calls}}")
    assert subjects(found, "description") == {"new_orders": "says no more than its name"}


def test_steps_of_a_funnel_without_rows_or_a_measure() -> None:
    lines = """
    datasets: {shop: {events: {look: country == "DE"}}}
    events: {paid: {description: money came}}
    funnels: {buying: {steps: [look, visit, order, paid]}}
    goals: {growth: {kpi: orders}, better_visits: null}
    kpis: {visits: {thresholds: {good: "at least 1_000"}}}
    """
    assert subjects(reviewed(lines), "funnel") == {
        "buying: look": "has no thresholds, no goal",
        "buying: paid": "lacks `paid`",
    }


def test_a_silenced_rule_is_told_with_its_reason() -> None:
    found = kpis("  {a: {formula: order, lint: {owner: everybody looks at it}}}")
    assert "a" not in subjects(found, "owner")
    assert [(name, one.rule, one.reason) for name, one in found.silenced] == [("a", "owner", "everybody looks at it")]


def test_descriptions_are_wanted_in_each_language_of_the_project() -> None:
    a, c = "label: {en: A, zh: 甲}, description: {en: x}", "description: x"
    found = kpis(f"  {{a: {{formula: order, {a}}}, b: visit, c: {{formula: order * 2, {c}}}}}")
    assert subjects(found, "description") == {"a": "not in zh", "b": ""}


def test_reviews_are_due_after_a_year() -> None:
    text = "  {a: {formula: order, reviewed: 2025-06-30}, b: {formula: visit, reviewed: 2025-06-29}, c: order * 2}"
    assert subjects(kpis(text), "review") == {"b": "was due on 2026-06-29", "c": "never"}


def test_a_project_says_how_often_and_a_kpi_its_own() -> None:
    """In the project each quarter, `b` each month, `c` each two years; the day on which it is due is not over."""
    text = """
  a: {formula: order, reviewed: 2026-03-30}
  a2: {formula: order * 3, reviewed: 2026-03-29}
  b: {formula: visit, reviewed: 2026-05-31, review_every: 1mo}
  b2: {formula: visit * 2, reviewed: 2026-05-29, review_every: 30d}
  c: {formula: order * 2, reviewed: 2024-06-30, review_every: 2y}
review_every: 3mo
"""
    late = {"a2": "was due on 2026-06-29", "b2": "was due on 2026-06-28, each 30d"}
    assert subjects(kpis(text), "review") == late


@pytest.mark.parametrize("every", ["12h", "0d", "often", "90", "-1d", "200y", "[1d]"])
def test_an_interval_is_of_days(every: str) -> None:
    for text in (f"  {{a: {{formula: order, review_every: {every}}}}}", f"  {{a: order}}\nreview_every: {every}"):
        base = "events: {order: {fields: {country: }}}\nkpis:\n"
        found = load(_plain(base + text)).diagnostics
        assert len(found) == 1, found
        assert found[0].code in ("bad-duration", "bad-value", "wrong-type"), found


def test_steps_on_the_way_to_a_measured_event_are_measured() -> None:
    lines = """
    datasets: {shop: {events: {visit: all rows, order: bought, look: country == "DE"}}}
    events: {buying_look: look then order within 7d by country, far_look: look where country == "XX"}
    kpis: {buying_looks: buying_look}
    """
    assert subjects(reviewed(lines), "unmeasured") == {"far_look": ""}


def test_a_parent_of_what_is_asked_for_is_asked_for() -> None:
    lines = """
    dimensions: {country: {parent: region}, region: {parent: world}, world: {label: World}, plan: {label: Plan}}
    kpis: {visits: {by: [country]}}
    """
    assert subjects(reviewed(lines), "unasked") == {"plan": ""}


def test_goals_that_are_over_or_cancelled_are_none() -> None:
    assert "orders" not in subjects(reviewed("owner: Bo"), "goal")
    assert "orders" in subjects(reviewed("owner: Bo", date(2027, 1, 1)), "goal")
    assert "orders" in subjects(reviewed("goals: {growth: {stage: cancelled}}"), "goal")


def test_an_empty_project_has_nothing_to_review() -> None:
    assert kpis("").concerns == ()


@pytest.mark.parametrize("pack", sorted(path.name for path in find("metrics").glob("*.yml")))
def test_what_is_shipped_leaves_only_what_each_project_says_for_itself(pack: str) -> None:
    found = audit(check(load(find("metrics") / pack).catalog), DAY)
    assert {one.rule.code for one in found.concerns} <= {"owner", "threshold", "goal", "review", "funnel"}, (
        found.concerns
    )


def test_through_the_door() -> None:
    report = smartkpi.load(project("owner: Bo")).check(audit=True, smart="better_visits", as_of="2026-06-30")
    assert report.audit is not None
    assert report.smart is not None
    assert [one.goal for one in report.smart] == ["better_visits"]
    assert "no owner" in repr(report)
    assert "better_visits" in repr(report)
