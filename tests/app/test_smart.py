"""`kpi check --smart` at the edge: formats, exit codes, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from smartkpi.resources import find
from tests.app.conftest import Kpi

PROJECT = """\
datasets: {d: {read: d.csv, time: day, events: {order: {count: orders}}}}
kpis: {orders: {formula: order, direction: higher}}
goals:
  good: {kpi: orders, title: "20 orders in January 2026", target: 20, deadline: 2026-01-31, owner: Ana, why: rent}
  poor: {kpi: orders, title: "20 orders, no | pipe, in January 2026", target: 20, deadline: 2026-01-31, parent: good}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kpis.yml").write_text(PROJECT)
    (tmp_path / "d.csv").write_text("day,orders\n2026-01-01,3\n2026-01-02,4\n")
    return tmp_path


def test_a_goal_that_fails_ends_with_3(project: Path, kpi: Kpi) -> None:
    done = kpi("check", "--smart")
    assert done.exit_code == 3
    assert "poor  fail" in done.stdout
    assert kpi("check", "--smart", "good").exit_code == 0
    assert kpi("check", "kpis.yml", "--smart", "g*").exit_code == 0


def test_json_has_every_rule(project: Path, kpi: Kpi) -> None:
    done = kpi("check", "--smart", "--data", "--format", "json")
    found = json.loads(done.stdout)
    Draft202012Validator(json.loads((find("schemas") / "check.json").read_text("utf-8"))).validate(found)
    assert done.exit_code == 3
    assert not found["ok"]
    good, poor = found["smart"]
    assert (good["smart"], poor["smart"]) == ("yes", "no")
    owner = next(rule for rule in poor["rules"] if rule["code"] == "S4")
    assert owner["mark"] == "fail"
    assert owner["write"] == "owner: NAME"
    assert owner["place"]["line"] == 5


def test_markdown_and_github(project: Path, kpi: Kpi) -> None:
    text = kpi("check", "--smart", "--format", "markdown").stdout
    assert "| poor | fail |" in text
    assert "no \\| pipe" in text
    lines = kpi("check", "--smart", "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::error file=kpis.yml,line=5,")


def test_data_that_is_gone_is_told_and_leaves_things_unknown(project: Path, kpi: Kpi) -> None:
    (project / "d.csv").unlink()
    done = kpi("check", "--smart", "good", "--data")
    assert done.exit_code == 4
    assert "the data cannot be read" in done.stdout


def test_an_error_elsewhere_is_shown_before(project: Path, kpi: Kpi) -> None:
    (project / "kpis.yml").write_text(PROJECT.replace("formula: order,", "formula: ordr,"))
    done = kpi("check", "--smart")
    assert done.exit_code == 3
    assert "error[unknown-event]" in done.stdout
    assert "M1 fail" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--smart", "gold"), "did you mean `good`"),
        (("--smart", "--as-of", "soon"), "soon"),
        (("--smart", "--as-of", ""), "--as-of is empty"),
        (("--as-of", "2026-01-01"), "--as-of goes with --smart"),
        (("--format", "markdown"), "goes with --smart"),
        (("kpis.yml", "good"), "one project"),
        (("--doctor", "--smart"), "--doctor goes without"),
    ],
)
def test_what_is_refused(project: Path, kpi: Kpi, words: tuple[str, ...], said: str) -> None:
    done = kpi("check", *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_project_without_goals(project: Path, kpi: Kpi) -> None:
    (project / "kpis.yml").write_text(PROJECT.partition("goals:")[0])
    done = kpi("check", "--smart")
    assert (done.exit_code, done.stdout) == (0, "no goals\n")


def test_a_rule_is_explained(project: Path, kpi: Kpi) -> None:
    done = kpi("explain", "S3")
    assert done.exit_code == 0
    assert done.stdout.startswith("## S3 warning")


def test_an_audit_in_every_format(project: Path, kpi: Kpi) -> None:
    text = kpi("check", "--audit", "--as-of", "2026-02-28")
    assert text.exit_code == 0
    assert "1 KPI, 2 goals, 1 dataset, 1 event · as of 2026-02-28" in text.stdout
    assert "| owner | no owner | 1 of 1 | orders |" in kpi("check", "--audit", "--format", "markdown").stdout
    lines = kpi("check", "--audit", "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::warning file=kpis.yml,line=2,")
    found = json.loads(kpi("check", "--audit", "--as-of", "2026-02-28", "--format", "json").stdout)
    assert found["ok"]
    assert found["audit"]["as_of"] == "2026-02-28"
    assert {one["code"] for one in found["audit"]["concerns"]} >= {"owner", "goal", "review"}


def test_an_audit_and_goals_together(project: Path, kpi: Kpi) -> None:
    done = kpi("check", "--audit", "--smart", "good", "--format", "json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert set(found) == {"smartkpi", "ok", "smart", "audit", "diagnostics"}
    schema = json.loads((find("schemas") / "check.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(found)
    assert kpi("check", "--audit", "good").exit_code == 2


def test_an_audit_tells_errors_of_definitions_too(project: Path, kpi: Kpi) -> None:
    (project / "kpis.yml").write_text(PROJECT.replace("formula: order,", "formula: ordr,"))
    done = kpi("check", "--audit")
    assert done.exit_code == 3
    assert "error[unknown-event]" in done.stdout


ODD = """\
datasets:
  m: {read: m.csv, time: month, every: month, events: {deal: {count: deals}, visit: {count: visits}}}
  d: {read: d.csv, time: day, fields: {amount: {is: amount, unit: money, currency: EUR}}, events: {sale: all rows}}
kpis:
  deals: {formula: deal, direction: higher}
  rate: {formula: deal / visit, direction: higher, format: percent}
  sales: {formula: sale, direction: higher}
  value: {formula: sum(sale.amount) / sales, direction: higher}
  middle: {formula: median(sale.amount), direction: lower}
  people: {formula: distinct(sale.who), direction: higher}
  rolling: {formula: "trailing(sum(sale.amount), 28d)", direction: higher}
goals:
  a: {kpi: deals, target: 50, deadline: 2026-06-30}
  b: {kpi: rate, over: each month, target: 12%, deadline: 2026-06-30}
  c: {kpi: sales, periods: {2026-04: 9, 2026-05: 10}}
  d: {kpi: sales, target: {grow: 10%}, baseline: same_period_last_year, deadline: 2026-06-30, path: weekday}
  e: {kpi: value, target: {add: 10}, deadline: 2026-06-30}
  f: {kpi: middle, target: 30, deadline: 2026-06-30, by: {who: {Ana: 30, Bo: 40}}}
  g: {kpi: people, target: 3, deadline: 2026-06-30}
  h: {kpi: rolling, target: 2_000, deadline: 2026-06-30, by: {who: {Ana: 600, Zed: 700}}}
  i: {kpi: sales, over: trailing 4w, target: {min: 1, max: 5}, deadline: 2026-06-30}
  j: {kpi: sales, target: 5, start: 1990-01-01, deadline: 1990-03-31}
  k: {kpi: sales, target: 5, start: 2490-01-01, deadline: 2490-03-31}
  l: {kpi: sales, target: 5, deadline: 2026-06-30, where: who == "Zed", achievable: {history: 30min}}
  m: {kpi: sales, target: 5, deadline: 2026-06-30, where: nobody == "Zed"}
"""


@pytest.mark.parametrize("as_of", ["2026-03-31", "2026-01-02", "2030-01-01", "2000-01-01"])
def test_goals_of_every_kind_are_judged_at_any_time(project: Path, kpi: Kpi, as_of: str) -> None:
    (project / "kpis.yml").write_text(ODD)
    (project / "m.csv").write_text("month,deals,visits\n2026-01-01,3,40\n2026-02-01,0,0\n2026-03-01,4,50\n")
    (project / "d.csv").write_text(
        "day,who,amount\n"
        + "".join(f"2026-0{1 + i % 3}-{1 + i % 28:02},{['Ana', 'Bo'][i % 2]},{i - 5}\n" for i in range(60))
    )
    done = kpi("check", "--smart", "--data", "--audit", "--as-of", as_of, "--format", "json")
    assert done.exit_code == 3, done.output
    found = json.loads(done.stdout)
    assert [one["goal"] for one in found["smart"]] == [*"abcdefghijklm"]
    assert all(len(one["rules"]) == 29 for one in found["smart"])
