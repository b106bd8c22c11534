from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi import errors
from smartkpi.api import DataError, DefinitionError, UsageError
from tests.rendering import hold, rendered

LOG = pl.DataFrame(
    {
        "ts": [datetime(2026, 1, 5), datetime(2026, 1, 20), datetime(2026, 2, 10), datetime(2026, 3, 1)],
        "event": ["visit", "order", "visit", "visit"],
        "country": ["BR", "BR", "DE", None],
        "amount": [None, 10, None, None],
    }
)
DEFINITION: dict[str, Any] = {
    "datasets": {"log": {"time": "ts", "events": {"visit": 'event == "visit"', "order": 'event == "order"'}}},
    "kpis": {
        "rate": {"formula": "order / visit", "format": "percent", "label": {"en": "Rate", "zh": "比率"}, "tags": ["a"]},
        "amount": "sum(order.amount)",
        "secret": {"formula": "visit", "hidden": True},
    },
}


@pytest.fixture
def project() -> smartkpi.Project:
    return smartkpi.load(DEFINITION, data={"log": LOG})


def test_a_stream_can_be_asked_again() -> None:
    reader = pytest.importorskip("pyarrow").RecordBatchReader.from_stream(LOG)
    project = smartkpi.load(DEFINITION, data={"log": reader})
    first, second = (project.run("amount", grain="month").frame["value"].to_list() for _ in range(2))
    assert first == second == [10, 0, 0]


def test_a_lost_dataset_takes_its_events_along(tmp_path: Path) -> None:
    text = """datasets:
  log: {read: a.csv, time: ts, fields: {x: {is: col("a [b]")}}, events: {visit: all rows}}
kpis: {visits: visit, other: vist}
"""
    (tmp_path / "kpis.yml").write_text(text, encoding="utf-8")
    found = smartkpi.load(tmp_path / "kpis.yml").check().diagnostics
    assert [one.code for one in found] == ["yaml-bracket", "depends-on-broken", "unknown-event"]


def test_import_is_cheap() -> None:
    code = "import sys, smartkpi; print([m for m in ('polars', 'click', 'yaml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_check_of_definitions_waits_for_no_engine() -> None:
    code = "import sys, smartkpi; smartkpi.load({'kpis': {'a': 'b'}}).check(); print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_names_of_the_package() -> None:
    assert dir(smartkpi) == ["KpiError", "Project", "__version__", "load"]
    with pytest.raises(AttributeError, match="nothing"):
        smartkpi.nothing  # noqa: B018


def test_check(project: smartkpi.Project) -> None:
    report = project.check(data=True)
    assert report.ok
    assert repr(report) == "no problems"
    wrong = smartkpi.load({**DEFINITION, "kpis": {"bad": "ordr / visit"}}, data={"log": LOG}).check()
    assert not wrong.ok
    assert "did you mean `order`?" in repr(wrong)


def test_run(project: smartkpi.Project) -> None:
    result = project.run()
    assert result.frame["kpi"].to_list() == ["rate", "amount"]
    assert result.kpis["rate"].format == "percent"
    assert result.provenance.datasets["log"]["rows"] == 4
    assert "Rate" in repr(result)
    assert "<table>" in result._repr_html_()
    assert "比率" in repr(project.run(lang="zh"))
    assert result.left_out == {}


@pytest.mark.parametrize("until", ["2026-01", "2026-01-31", "2026-01-07", date(2026, 1, 31), datetime(2026, 1, 31, 12)])
def test_periods_are_inclusive_and_whole(project: smartkpi.Project, until: Any) -> None:
    frame = project.run("amount", grain="month", until=until).frame
    assert frame["start"].dt.date().to_list() == [date(2026, 1, 1)]
    assert frame["value"].to_list() == [10.0]


def test_hidden_kpis_answer_by_name(project: smartkpi.Project) -> None:
    assert project.run(["secret"], grain="all").frame["value"].to_list() == [3.0]


def test_order_and_limit(project: smartkpi.Project) -> None:
    frame = project.run("secret", grain="month", order_by="-start", limit=2).frame
    assert frame["start"].dt.month().to_list() == [3, 2]


def test_on_and_off_the_optimizer_agree(project: smartkpi.Project) -> None:
    on, off = (project.run(grain="week", by="country", optimize=flag).frame for flag in (True, False))
    assert on.equals(off)


@pytest.mark.parametrize(
    ("kind", "code", "question"),
    [
        (UsageError, "unknown-kpi", {"kpis": ["nope"]}),
        (UsageError, "unknown-grain", {"grain": "fortnight"}),
        (UsageError, "unknown-order", {"order_by": "country"}),
        (UsageError, "unknown-field", {"by": "countri"}),
        (UsageError, "bad-period", {"since": "soon"}),
        (UsageError, "bad-period", {"as_of": "soon"}),
        (UsageError, "bad-period", {"since": "2026-01-05T10"}),
        (UsageError, "bad-period", {"until": "2026-01-05T10", "grain": "all"}),
        (UsageError, "empty-range", {"since": "2026-01-05T10", "until": "2026-01-05T09", "grain": "hour"}),
        (UsageError, "bad-limit", {"limit": -1}),
        (UsageError, "empty-range", {"since": "2026-02", "until": "2026-01"}),
        (UsageError, "repeated-dimension", {"by": "country,country"}),
    ],
)
def test_wrong_questions(project: smartkpi.Project, kind: type[Exception], code: str, question: dict[str, Any]) -> None:
    with pytest.raises(kind) as caught:
        project.run(**question)
    assert isinstance(caught.value, smartkpi.KpiError)
    assert caught.value.diagnostics[0].code == code


def test_nothing_valid_to_run() -> None:
    with pytest.raises(DefinitionError) as caught:
        smartkpi.load({**DEFINITION, "kpis": {"bad": "ordr / visit"}}, data={"log": LOG}).run()
    assert caught.value.diagnostics[0].code == "unknown-event"
    with pytest.raises(DefinitionError) as caught:
        smartkpi.load({"datasets": DEFINITION["datasets"]}, data={"log": LOG}).run()
    assert caught.value.diagnostics[0].code == "no-kpis"


def test_no_data_to_run() -> None:
    with pytest.raises(DataError) as caught:
        smartkpi.load(DEFINITION).run()
    assert caught.value.diagnostics[0].code == "no-table"
    with pytest.raises(UsageError) as usage:
        smartkpi.load(DEFINITION, data={"lgo": LOG}).run()
    assert usage.value.diagnostics[0].code == "unknown-dataset"


def test_one_broken_kpi_is_left_out(project: smartkpi.Project) -> None:
    kpis = {**DEFINITION["kpis"], "bad": {"formula": "ordr / visit", "tags": ["a", "b"]}}
    wrong = smartkpi.load({**DEFINITION, "kpis": kpis}, data={"log": LOG})
    assert wrong.run().left_out == {"bad": "definition"}
    assert wrong.run().diagnostics[0].code == "unknown-event"
    assert wrong.run("tag:a").left_out == {"bad": "definition"}
    alone = wrong.run("amount")
    assert (alone.left_out, alone.diagnostics) == ({}, ())
    for pattern in ("bad", "tag:b", "b*"):
        with pytest.raises(DefinitionError):
            wrong.run(pattern)


def test_constants(tmp_path: Path) -> None:
    definition = {**DEFINITION, "constants": {"fee": "10%"}, "kpis": {"net": "sum(order.amount) * (1 - fee)"}}
    project = smartkpi.load(definition, data={"log": LOG})
    assert project.run(grain="all").frame["value"].to_list() == [9.0]
    assert project.run(grain="all", sets={"fee": "50%"}).frame["value"].to_list() == [5.0]
    assert project.run(grain="all").frame["value"].to_list() == [9.0]


def test_explain(project: smartkpi.Project) -> None:
    texts = {stage: project.explain("rate", stage) for stage in smartkpi.api.STAGES}
    assert texts["syntax"].startswith("rate = order / visit\n")
    assert len(set(texts.values())) == 5
    with pytest.raises(UsageError):
        project.explain("nope")
    with pytest.raises(UsageError):
        project.explain("rate", "guess")  # type: ignore[arg-type]


def test_threads_share_a_project(project: smartkpi.Project) -> None:
    expected = project.run(grain="month", by="country").frame
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(lambda _: project.run(grain="month", by="country").frame, range(8)))
    assert all(frame.equals(expected) for frame in frames)


def test_tests_of_a_mapping() -> None:
    case = {
        "name": "types",
        "given": {
            "order": [
                {"time": "2026-01-05T10:00:00-03:00", "amount": 10, "sku": "7", "late": True, "due": "2026-01-07"}
            ]
        },
        "as_of": "2026-02-01",
        "expect": [
            {"kpi": "amount", "period": "2026-01", "value": 10, "state": "ok"},
            {"kpi": "amount", "period": "2026-01", "sku": "7", "value": 10},
            {"kpi": "late", "period": "2026-01-05", "value": 1},
            {"kpi": "rate", "period": "2026-01", "value": None, "state": "undefined"},
        ],
    }
    kpis = {**DEFINITION["kpis"], "late": "count(order where late and date(due) > date(time))"}
    project = smartkpi.load({**DEFINITION, "kpis": kpis, "tests": [case]})
    (outcome,) = project.test()
    assert outcome.passed, outcome


PYTHON = [entry for entry in errors.register().values() if entry.stage == "python"]


@pytest.mark.parametrize("entry", PYTHON, ids=[entry.code for entry in PYTHON])
def test_examples_of_the_register(
    entry: errors.Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("kpis.yml")
    file.write_text(entry.good, encoding="utf-8")
    assert smartkpi.load(file, data={"logs": LOG}).run().frame.height == 1
    file.write_text(entry.bad, encoding="utf-8")
    with pytest.raises(smartkpi.KpiError) as caught:
        smartkpi.load(file, data={"logs": LOG}).run()
    assert [d.code for d in caught.value.diagnostics] == [entry.code]
    hold(entry.code, entry.bad, rendered(caught.value.diagnostics), update)


def test_a_dataset_tells_its_fields_the_time() -> None:
    fields = {"day": "date(time)", "wait": "done - time", "month": "month_of_year(day)"}
    events = {"order": "all rows", "delivery": {"when": "wait > 1d", "time": "done"}}
    project = smartkpi.load(
        {
            "datasets": {"log": {"time": "ts", "fields": fields, "events": events}},
            "kpis": {"orders": "order", "slow": "delivery", "wait": "avg(delivery.wait) / 1d"},
        },
        data={"log": pl.DataFrame({"ts": [date(2026, 1, 30), date(2026, 2, 1)], "done": [date(2026, 2, 3)] * 2})},
    )
    assert not project.check(data=True).diagnostics
    months = project.run(("orders", "slow"), grain="all", by=("month",)).frame
    assert months.select("kpi", "month", "value").rows() == [
        ("orders", 1, 1.0), ("orders", 2, 1.0), ("slow", 1, 1.0), ("slow", 2, 1.0)
    ]  # fmt: skip
    assert project.run(("wait",), grain="month").frame.filter(pl.col("state") == "ok")["value"].to_list() == [3.0]


def test_a_unit_that_only_the_data_tells_stops_nothing() -> None:
    fields = {"revenue": {"is": "amount", "unit": "money"}}
    project = smartkpi.load(
        {
            "datasets": {"log": {"time": "ts", "fields": fields, "events": {"order": "all rows"}}},
            "kpis": {"a": "sum(order.revenue) / avg(order.tier)", "b": "sum(order.revenue) - a"},
        },
        data={"log": pl.DataFrame({"ts": [date(2026, 1, 5)] * 2, "amount": [3, 5], "tier": [2, 2]})},
    )
    assert not project.check().diagnostics
    result = project.run(("b",), grain="all")
    assert result.frame["value"].to_list() == [4.0]
    assert result.kpis["b"].unit == "money"


def test_a_range_of_hours(project: smartkpi.Project) -> None:
    frame = project.run("secret", grain="hour", since="2026-01-05T02", until=datetime(2026, 1, 5, 4, 30)).frame
    assert frame["start"].dt.hour().to_list() == [2, 3, 4]
    assert frame["value"].to_list() == [0, 0, 0]
    first = project.run("secret", grain="hour", until="2026-01-05T00").frame
    assert first["value"].to_list() == [1]
    later = project.run("secret", grain="hour", since="2026-01-05T23", until="2026-01-06").frame
    assert later.height == 25
    with pytest.raises(UsageError) as caught:
        project.run("secret", grain="day", since="2026-01-05T02")
    assert "ask for `--grain hour`" in caught.value.diagnostics[0].hint


def test_the_change_of_a_window_is_on_the_window_that_ends_where_it_begins() -> None:
    times = [datetime(2026, 1, day) for day in (1, 3, 5, 10, 11, 12, 13, 14)]
    datasets = {"log": {"time": "at", "events": {"order": "all rows"}}}
    kpis = {"orders": {"formula": "order", "window": "7d"}}
    opened = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"log": pl.DataFrame({"at": times})})
    text = str(opened.run(as_of="2026-01-14"))  # five from the 8th to the 14th, three from the 1st to the 7th
    assert "+66.7%" in text, text


def test_complete_only_leaves_out_what_is_not_over() -> None:
    times = [datetime(2026, 1, 1), datetime(2026, 1, 31), datetime(2026, 2, 3)]
    datasets = {"log": {"time": "at", "events": {"order": "all rows"}}}
    opened = smartkpi.load(
        {"datasets": datasets, "kpis": {"orders": "order"}}, data={"log": pl.DataFrame({"at": times})}
    )
    assert opened.run(grain="month").frame["value"].to_list() == [2, 1]
    assert opened.run(grain="month", complete_only=True).frame["value"].to_list() == [2]


def test_what_follows_what_nobody_provides_is_unavailable_and_no_error() -> None:
    events = {"inquiry": {"fields": {"no": None}}, "reply": {"fields": {"no": None}}}
    project = {"events": events, "kpis": {"wait": "avg((inquiry then reply by no).delay)", "waits": "wait * 2"}}
    result = smartkpi.load(project).run()
    assert {row["kpi"]: row["reason"] for row in result.to_dicts()} == dict.fromkeys(
        ("wait", "waits"), "no dataset provides `inquiry`, `reply`"
    )
    assert result.left_out == {}
