"""What a reader is told: the nearest names, why a value is missing, which constants a KPI uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.app.cli import main
from smartkpi.report.render import FORMATS
from smartkpi.report.style import Style

ROWS = pl.DataFrame({"who": ["a", "b", "b"], "shop_city": ["x", "y", "y"], "n": [1, 2, 3]})


def project(**more: Any) -> smartkpi.Project:
    written = {"datasets": {"log": {"time": "none", "events": {"visit": "all rows"}}}, **more}
    return smartkpi.load(written, data={"log": ROWS})


def test_a_dimension_that_no_field_has_is_told_with_the_nearest_name() -> None:
    kpis = {"visits": "visit"}
    found = project(kpis=kpis, dimensions={"shop_ciy": {"label": "City"}, "who": {}})
    (told,) = found.check(data=True).diagnostics
    assert (told.code, told.severity, told.subject) == ("unknown-field", "warning", "dimension:shop_ciy")
    assert told.hint == "did you mean `shop_city`?"
    assert told.span is not None
    assert told.span.source.text[told.span.start : told.span.end] == "shop_ciy"
    assert found.check().ok
    assert not found.check().diagnostics  # the columns are not known


@pytest.mark.parametrize(
    "formula", ["count(visit per who where vlue > 1)", "avg(sum(visit.n) per who where vlaue > 1)"]
)
def test_a_misspelt_value_is_told(formula: str) -> None:
    (told,) = project(kpis={"x": formula}).check().diagnostics
    assert "did you mean `value`?" in told.hint


@pytest.mark.parametrize("name", ["sum", "first", "last", "median", "avg", "stddev"])
def test_an_aggregate_of_texts_has_a_hint(name: str) -> None:
    found = smartkpi.load(
        {"datasets": {"log": {"time": "ts", "events": {"visit": "all rows"}}}, "kpis": {"x": f"{name}(visit.who)"}},
        data={"log": ROWS.with_columns(ts=pl.date(2026, 1, 1))},
    )
    (told,) = found.check(data=True).diagnostics
    assert told.hint == "write `distinct(visit.who)`"


def test_an_unknown_dataset_in_prefer_is_told_at_its_place() -> None:
    datasets = {
        name: {"time": "ts", "fields": {"id": 'col("id")'}, "events": {"order": "all rows"}}
        for name in ("shop", "phone")
    }
    for key, prefer, code, hint in (
        ("key", ["shop", "phnoe"], "unknown-dataset", "did you mean `phone`?"),
        ("kye", ["shop", "phone"], "unknown-key", "did you mean `key`?"),
    ):
        events = {"order": {key: "id", "prefer": prefer}}
        found = smartkpi.load({"datasets": datasets, "events": events, "kpis": {"x": "order"}}).check().diagnostics
        told = next(one for one in found if one.code == code)
        assert told.hint == hint
        assert told.span is not None
        assert told.span.source.text[told.span.start : told.span.end] in ("phnoe", "kye")


def test_a_timeless_period_is_all_and_one_period_is_no_trend() -> None:
    result = project(kpis={"visits": "visit"}).run(grain="all")
    assert str(FORMATS["table"](result, Style())).splitlines()[-1].split() == ["all", "3"]
    ordered = project(kpis={"visits": "visit"}).run(grain="all", by="who", order_by="value")
    assert "all" in str(FORMATS["table"](ordered, Style()))
    dated = ROWS.with_columns(ts=pl.date(2026, 1, 1))
    written = {"datasets": {"log": {"time": "ts", "events": {"visit": "all rows"}}}, "kpis": {"visits": "visit"}}
    assert "trend" not in str(FORMATS["table"](smartkpi.load(written, data={"log": dated}).run(), Style()))


def test_a_total_says_why_it_has_no_rank() -> None:
    rows = project(kpis={"place": "rank(visit)"}).run(by="who", total=True).to_dicts()
    assert [row["value"] for row in rows] == [2, 1, None]
    assert rows[-1]["reason"] == "a rank or share is of one segment, this is of several together"


def test_show_lists_constants_and_a_pipe_is_as_wide_as_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """constants:
  rate: {value: 20%, revisions: [{from: 2026-04-01, value: 19%}]}
  limit: 7
datasets:
  log: {read: a.csv, time: ts, events: {visit: all rows}}
kpis:
  many: {formula: visit * rate, thresholds: {good: ">= limit"}}
"""
    (tmp_path / "kpis.yml").write_text(text, encoding="utf-8")
    shown = ""
    for words in (["show", "many", "-p", str(tmp_path)], ["show", "functions"]):
        with pytest.raises(SystemExit):
            main(words)
        shown += capsys.readouterr().out
    assert "constant      limit = 7\nconstant      rate = 20%, from 2026-04-01: 19%\n" in shown
    assert max(map(len, shown.splitlines())) <= 100
