"""`kpi goals`: each format, filters, exit codes; and wrong input of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from smartkpi.resources import find
from tests.app.conftest import Kpi

GOALS = """
datasets:
  log:
    read: events.csv
    time: ts
    fields: {amount: {is: amount, unit: money, currency: BRL}}
    events: {visit: event == "visit", order: event == "order"}
kpis:
  orders: {formula: order, direction: higher, goal: {target: 4, deadline: 2026-03-31, weight: 2, owner: Ana}}
  revenue: {formula: sum(order.amount), direction: higher}
dimensions: {country: {order: [BR, DE]}}   # it has visits, but no order yet
goals:
  both: {kpi: revenue, target: 100, deadline: 2026-03-31, by: {country: {BR: 80, DE: 20}}, parent: orders, owner: Bo}
  months: {kpi: orders, over: each month, target: 1, deadline: 2026-03-31, allow_misses: 1, contributors: [Ana]}
"""


@pytest.fixture
def aimed(project: Path) -> Path:
    (project / "kpis.yml").write_text(GOALS, encoding="utf-8")
    return project


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv", "markdown"])
@pytest.mark.parametrize("more", [(), ("--history",), ("--lang", "zh"), ("--period", "2026-02")])
def test_every_format(aimed: Path, kpi: Kpi, form: str, more: tuple[str, ...]) -> None:
    done = kpi("goals", "--format", form, *more)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()
    if form == "json":
        schema = json.loads((find("schemas") / "goals.json").read_text(encoding="utf-8"))
        found = json.loads(done.stdout)
        Draft202012Validator(schema).validate(found)
        assert {row["goal"] for row in found["rows"]} == {"orders", "both", "months"}


def rows(kpi: Kpi, *words: str) -> list[dict[str, object]]:
    done = kpi("goals", "--format", "json", *words)
    assert done.exit_code in (0, 1), done.output
    found = json.loads(done.stdout)["rows"]
    assert isinstance(found, list)
    return found


def test_names_owners_and_periods_choose(aimed: Path, kpi: Kpi) -> None:
    assert [row["segment"] for row in rows(kpi, "both")] == [None, "BR", "DE"]
    assert [row["goal"] for row in rows(kpi, "m*")] == ["months"]
    assert [row["goal"] for row in rows(kpi, "revenue")] == ["both"] * 3
    assert [row["goal"] for row in rows(kpi, "--owner", "Ana")] == ["orders", "months"]
    assert [row["segment"] for row in rows(kpi, "--owner", "DE")] == ["DE"]
    assert [row["period"] for row in rows(kpi, "months", "--period", "2026-Q1")] == ["2026-01", "2026-02", "2026-03"]
    assert rows(kpi, "orders", "--period", "2025") == []


def test_what_stands_below(aimed: Path, kpi: Kpi) -> None:
    (orders,) = (row for row in rows(kpi, "orders") if row["goal"] == "orders")
    assert orders["children"] == "1 off_track"
    assert orders["children_status"] == "off_track"


def test_a_history_ends_with_now(aimed: Path, kpi: Kpi) -> None:
    found = rows(kpi, "orders", "--history")
    (now,) = (row for row in rows(kpi, "orders") if row["goal"] == "orders")
    last = [row for row in found if row["goal"] == "orders"][-1]
    assert {**last, "children": None} == {**now, "children": None, "children_status": None, "children_progress": None}
    assert [row["day"] for row in found] == sorted(str(row["day"]) for row in found)


def test_a_status_that_is_to_fail_ends_with_one(aimed: Path, kpi: Kpi) -> None:
    assert kpi("goals", "--fail-on", "off_track").exit_code == 1
    assert kpi("goals", "--fail-on", "missed").exit_code == 0
    failed = kpi("run", "--fail-on", "off_track")
    assert (failed.exit_code, "off_track or missed: orders" in failed.stderr) == (1, True)
    assert kpi("run", "--fail-on", "missed").exit_code == 0


def test_a_file_gets_what_its_name_says(aimed: Path, kpi: Kpi) -> None:
    assert kpi("goals", "--output", "out.csv").exit_code == 0
    assert Path("out.csv").read_text(encoding="utf-8").startswith("goal,kpi,title")
    assert kpi("goals", "--output", "out.parquet").exit_code == 2


def test_scorecards_of_persons(aimed: Path, kpi: Kpi) -> None:
    found = json.loads(kpi("goals", "--format", "json").stdout)["scorecards"]
    people = {(one["owner"], one["period"]): one for one in found}
    assert people["Ana", "2026-Q1"]["weight"] == 2
    assert people["BR", "2026-Q1"]["score"] == pytest.approx(40.5 / 80)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nothing",), 2, "unknown-goal"),
        (("--owner", "Nobody"), 2, "unknown-owner"),
        (("--period", "Q3"), 2, "bad-period"),
        (("--period", "all"), 2, "bad-period"),
        (("--as-of", "tomorrow"), 2, "bad-period"),
        (("--format", "excel"), 2, "Invalid value"),
        (("--owner", ""), 2, "--owner is empty"),
    ],
)
def test_wrong_questions(aimed: Path, kpi: Kpi, words: tuple[str, ...], code: int, said: str) -> None:
    done = kpi("goals", *words)
    assert done.exit_code == code
    assert said in done.stderr


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("target: 4", "goal-dates"),
        ("target: 4, deadline: 2026-04-15", "goal-dates"),
        ("target: 4, deadline: 9999-12-31", "bad-value"),
        ("target: 4, start: 1900-01-01, deadline: 2500-12-31", "goal-dates"),
        ("deadline: 2026-03-31", "goal-target"),
        ("target: x, deadline: 2026-03-31", "not-constant"),
        ("target: '4 EUR', deadline: 2026-03-31", "syntax"),
        ("target: 3d, deadline: 2026-03-31", "unit-mismatch"),
        ("target: 4, deadline: 2026-02-30", "bad-value"),
        ("target: {min: 4}, deadline: 2026-03-31", "bad-value"),
        ("target: {min: 4, grow: 1}, deadline: 2026-03-31", "bad-value"),
        ("target: {min: 4, max: 5}, deadline: 2026-03-31", "goal-aim"),
        ("target: 4, aim: stay_within, deadline: 2026-03-31", "goal-aim"),
        ("target: 4, aim: up, deadline: 2026-03-31", "bad-value"),
        ("target: 4, over: each fortnight, deadline: 2026-03-31", "goal-window"),
        ("target: 4, over: trailing, deadline: 2026-03-31", "bad-value"),
        ("target: 4, over: each month, start: 2026-01-05, deadline: 2026-03-31", "goal-dates"),
        ("target: 4, baseline: last_period, deadline: 2026-03-31", "bad-value"),
        ("target: 4, baseline: {from: 2026-02-01, to: 2026-01-01}, deadline: 2026-03-31", "goal-dates"),
        ("target: 4, path: milestones, deadline: 2026-03-31", "goal-path"),
        ("target: 4, milestones: [{by: 2026-05-01, value: 3}], deadline: 2026-03-31", "goal-path"),
        ("target: 4, guardrails: [{kpi: x, at_most: 3}], deadline: 2026-03-31", "unknown-kpi"),
        ("target: 4, guardrails: [{kpi: orders}], deadline: 2026-03-31", "bad-value"),
        ("target: 4, parent: x, deadline: 2026-03-31", "unknown-goal"),
        ("target: 4, weight: -1, deadline: 2026-03-31", "bad-value"),
        ("target: 4, allow_misses: 1, deadline: 2026-03-31", "goal-window"),
        ("target: 4, where: colour == 1, deadline: 2026-03-31", "unknown-field"),
        ("target: 4, where: {country: BR}, deadlin: 2026-03-31", "unknown-key"),
        ("periods: {2026-01: 4, 2026-Q2: 5}", "goal-targets"),
        ("periods: {January: 4}", "goal-targets"),
        ("periods: {2026-01: 4}, deadline: 2026-03-31, start: 2026-02-01", "goal-targets"),
        ("by: {colour: {red: 3}}, deadline: 2026-03-31", "unknown-field"),
        ("by: {country: {US: 3}}, deadline: 2026-03-31", "unmatched-target"),
        ("targets: {read: none.csv}, deadline: 2026-03-31", "unreadable-file"),
        ("targets: {by: country}, deadline: 2026-03-31", "goal-targets"),
        ("targets: {rows: [{country: BR}]}, deadline: 2026-03-31", "goal-targets"),
        ("target: 4, stretch: 3, deadline: 2026-03-31", "goal-target"),
        ("target: {grow: 10%}, baseline: 0, deadline: 2026-03-31", "goal-target"),
        ("periods: {2026-01: -3}", "goal-target"),
        ("target: 4, over: each month, allow_misses: 3, deadline: 2026-03-31", "goal-window"),
        ("target: {grow: 10%}, over: each month, deadline: 2026-03-31", "goal-target"),
        ("target: 4, deadline: 2026-03-31, revisions: [{from: 2026-02-01}]", "bad-value"),
        ("target: 4, deadline: 2026-03-31, revisions: [{from: 2026-02-01, stage: draft}]", "bad-value"),
        ("target: 4, deadline: 2026-03-31, revisions: [{from: 2027-02-01, stage: paused}]", "goal-revision"),
        ("target: 4, over: each month, baseline: previous_period, deadline: 2026-03-31", "goal-target"),
        ("target: 4, evidence: {min_coverage: 180%}, deadline: 2026-03-31", "bad-value"),
        ("target: 4, settle: soon, deadline: 2026-03-31", "bad-value"),
        ("target: 4, commitment: aspired, deadline: 2026-03-31", "bad-value"),
        ("target: 4, evidence: {days: 14}, deadline: 2026-03-31", "bad-value"),
        ("target: 4, evidence: {days: 1000}, deadline: 2026-03-31", "bad-value"),
        ("target: 4, evidence: {projection: magic}, deadline: 2026-03-31", "bad-value"),
    ],
)
def test_wrong_goals(aimed: Path, kpi: Kpi, written: str, code: str) -> None:
    text = f"{GOALS}  wrong: {{kpi: orders, {written}}}\n"
    (aimed / "kpis.yml").write_text(text, encoding="utf-8")
    done = kpi("goals", "wrong")
    assert done.exit_code in (3, 4, 5), done.output
    assert f"error[{code}]" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert kpi("goals", "orders").exit_code in (0, 5)  # the others stand


def test_targets_of_a_spreadsheet(aimed: Path, kpi: Kpi) -> None:
    (aimed / "kpis.yml").write_text(f"{GOALS}  sheet: {{kpi: orders, targets: {{read: t.csv}}}}\n", encoding="utf-8")
    (aimed / "t.csv").write_text("period;country;target\n2026-01;BR;\n2026-02;BR;1\n2026-03;BR;2\n", encoding="utf-8")
    (total, brazil) = rows(kpi, "sheet")
    assert (total["periods"], brazil["periods"], brazil["kept"]) == (2, 2, 1)
    wrong = {"2026-01;BR": "goal-targets", "2026-13;BR;1": "goal-targets", "2026-01;BR;many x": "goal-targets"}
    for line, code in {**wrong, "2026-01;Brasil;3": "unmatched-target"}.items():
        (aimed / "t.csv").write_text(f"period;country;target\n2026-02;BR;1\n{line}\n", encoding="utf-8")
        done = kpi("goals", "sheet")
        assert f"error[{code}]" in done.stderr, done.stderr
        assert "t.csv:3:" in done.stderr


def test_a_run_shows_the_goal_of_each_kpi(aimed: Path, kpi: Kpi) -> None:
    shown = kpi("run").stdout
    assert "4 by 2026-03-31" in shown
    assert "off track" in shown
    found = json.loads(kpi("run", "--format", "json").stdout)["goals"]
    assert {row["kpi"]: row["goal"] for row in found} == {"orders": "orders", "revenue": "both"}
    assert json.loads(kpi("run", "orders", "--by", "country", "--format", "json").stdout)["goals"] == []


def test_goals_are_shown_as_they_are_defined(aimed: Path, kpi: Kpi) -> None:
    assert kpi("show", "goals").stdout.count("\n") == 5
    sheet = kpi("show", "both").stdout
    for text in ("BR: 80", "2026-01-01", "parent        orders"):
        assert text in sheet
    assert "goals         orders, months" in kpi("show", "orders").stdout
    facts = json.loads(kpi("show", "months", "--format", "json").stdout)
    assert (facts["over"], facts["allow_misses"], facts["contributors"]) == ("each month", 1, ["Ana"])


def test_a_goal_without_any_data_has_none(aimed: Path, kpi: Kpi) -> None:
    (aimed / "events.csv").write_text("ts,event,country,amount\n", encoding="utf-8")
    assert {row["status"] for row in rows(kpi)} <= {"no_data", "too_early"}


MORE = """
  per_person: {formula: avg(order per country), direction: higher}
  changed: {formula: order, direction: higher, revisions: [{from: 2026-02-01, formula: order * 2}]}
  own_share: {formula: share(order), direction: higher}
goals:
  steady: {kpi: per_person, over: each month, target: 1, deadline: 2026-03-31, evidence: {min_sample: 1}}
  bent: {kpi: changed, target: 3, deadline: 2026-03-31}
  monthly: {kpi: changed, over: each month, target: 2, deadline: 2026-03-31}
  part: {kpi: own_share, target: 50%, deadline: 2026-03-31}
"""


def test_kpis_that_have_no_value_over_a_goal(aimed: Path, kpi: Kpi) -> None:
    (aimed / "kpis.yml").write_text(GOALS[: GOALS.index("dimensions:")].rstrip() + MORE, encoding="utf-8")
    done = kpi("goals", "bent")
    assert done.exit_code == 3
    assert "error[goal-window]" in done.stderr
    assert rows(kpi, "monthly")[0]["counted"] == 1
    (february,) = (row for row in rows(kpi, "steady", "--period", "2026-02"))
    assert (february["status"], february["value"], february["period"]) == ("achieved", 1, "2026-02")
    assert rows(kpi, "part")[0]["required"] is None  # no count of anything: nothing can be said of the rest
