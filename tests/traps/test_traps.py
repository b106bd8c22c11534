"""Traps that need more than a table: each is named after the number of the defect in the field that it pins down."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.diagnostics import Severity

LOG = pl.DataFrame(
    {
        "ts": [datetime(2026, 1, 5), datetime(2026, 1, 20), datetime(2026, 2, 10)],
        "event": ["visit", "order", "visit"],
        "amount": [None, 10.0, None],
    }
)
DATASETS: dict[str, Any] = {
    "log": {"time": "ts", "events": {"visit": 'event == "visit"', "order": 'event == "order"'}},
}


def project(kpis: dict[str, Any], **more: Any) -> smartkpi.Project:
    """Return a project over the small log."""
    return smartkpi.load({"datasets": DATASETS, "kpis": kpis, **more}, data={"log": LOG})


def codes(kpis: Any, **more: Any) -> list[str]:
    """Return the codes of all errors of a project."""
    report = project(kpis, **more).check(data=True)
    return [d.code for d in report.diagnostics if d.severity is Severity.ERROR]


def test_trap_1_a_join_never_doubles_a_row() -> None:
    log = LOG.with_columns(country=pl.Series(["BR", "BR", "DE"]))
    datasets = {
        "log": {**DATASETS["log"], "lookups": {"place": {"dataset": "places", "on": "country"}}},
        "places": {},
    }
    kpis = {"visits": "visit", "revenue": "sum(order.amount)", "rate": "order / visit"}
    places = pl.DataFrame({"country": ["BR", "FR"], "continent": ["America", "Europe"]})
    one = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"log": log, "places": places})
    by = one.run(grain="all", by="place.continent").frame
    assert by.filter(pl.col("kpi") == "visits")["value"].to_list() == [1, 1]  # the unmatched row stays, as null
    assert by.filter(pl.col("kpi") == "revenue")["money"].is_null().all()
    assert by["value"].sum() == 2 + 10 + 1
    doubled = pl.concat([places, places])
    refused = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"log": log, "places": doubled})
    with pytest.raises(smartkpi.KpiError) as caught:
        refused.run(grain="all", by="place.continent")
    assert [d.code for d in caught.value.diagnostics] == ["ambiguous-lookup"]


def test_trap_12_looked_up_segments_of_one_side_stay() -> None:
    places = pl.DataFrame({"country": ["BR", "DE"], "continent": ["America", "Europe"]})
    visits = pl.DataFrame({"ts": [datetime(2026, 1, 5)], "country": ["BR"]})
    orders = pl.DataFrame({"ts": [datetime(2026, 1, 5)], "country": ["DE"]})
    place = {"place": {"dataset": "places", "on": "country"}}
    datasets = {
        "web": {"time": "ts", "lookups": place, "events": {"visit": "all rows"}},
        "shop": {"time": "ts", "lookups": place, "events": {"order": "all rows"}},
        "places": {},
    }
    data = {"web": visits, "shop": orders, "places": places}
    one = smartkpi.load({"datasets": datasets, "kpis": {"rate": "order / visit"}}, data=data)
    found = one.run(grain="all", by="place.continent").frame
    assert found.select("place.continent", "value", "state").rows() == [
        ("America", 0.0, "ok"),
        ("Europe", None, "undefined"),
    ]


def test_trap_16_null_times_are_counted_not_dropped_in_silence() -> None:
    log = LOG.with_columns(ts=pl.Series([datetime(2026, 1, 5), None, datetime(2026, 2, 10)]))
    one = smartkpi.load({"datasets": DATASETS, "kpis": {"visits": "visit", "orders": "order"}}, data={"log": log})
    result = one.run(grain="month")
    assert result.provenance.datasets["log"]["left_out"]["null_time"] == 1
    assert result.frame.filter(pl.col("kpi") == "visits")["value"].to_list() == [1.0, 1.0]


def test_trap_16_rows_without_any_time_are_not_taken_for_rows_of_some_day() -> None:
    datasets = {"log": {"time": "none", "events": {"visit": "all rows"}}}
    one = smartkpi.load({"datasets": datasets, "kpis": {"visits": "visit"}}, data={"log": LOG})
    assert one.run().frame["value"].to_list() == [3.0]
    assert one.run(grain="day").frame["state"].to_list() == ["unavailable"]


def test_trap_17_a_kpi_asked_alone_and_with_others_is_the_same() -> None:
    kpis = {"orders": "order", "visits": "visit", "rate": "order / visit", "revenue": "sum(order.amount)"}
    together = project(kpis).run(grain="month").frame
    for name in kpis:
        alone = project(kpis).run([name], grain="month").frame
        assert alone.equals(together.filter(pl.col("kpi") == name))


def test_trap_18_what_check_passes_runs_and_one_broken_kpi_blocks_no_other() -> None:
    one = project({"good": "order / visit", "broken": "ordr / visit"})
    report = one.check(data=True)
    assert [d.code for d in report.diagnostics if d.severity is Severity.ERROR] == ["unknown-event"]
    result = one.run(grain="month")
    assert set(result.frame["kpi"]) == {"good"}
    assert "unknown-event" in {d.code for d in result.diagnostics}


def test_trap_18_a_yaml_mistake_is_named_as_one(tmp_path: Path) -> None:
    file = tmp_path / "kpis.yml"
    file.write_text("kpis:\n  rate: {formula: order / visit, thresholds: {good: >= 5%}}\n", encoding="utf-8")
    report = smartkpi.load(file).check()
    text = " ".join(f"{d.message} {d.hint} {[n.message for n in d.notes]}" for d in report.diagnostics)
    assert "quote" in text
    assert "semicolon" not in text.lower()


def test_trap_19_compiling_is_linear() -> None:
    def seconds(count: int) -> float:
        kpis = {f"k{i}": f"count(order where amount > {i}) / (visit + {i}) * 100" for i in range(count)}
        start = time.process_time()
        one = project(kpis)
        assert not codes({"a": "order"})
        one.explain("k1", "optimized")
        return time.process_time() - start

    seconds(10)
    small, large = seconds(100), seconds(1000)
    assert large < 30 * max(small, 0.05)


@pytest.mark.parametrize("operator", ["+", "*", "and"])
def test_trap_25_long_chains_are_flat_and_bounded(operator: str) -> None:
    term = "(order > 0)" if operator == "and" else "order"
    chain = f" {operator} ".join([term] * 200)
    formula = f"if({chain}, 1, 0)" if operator == "and" else chain
    start = time.process_time()
    value = project({"chain": formula}).run(grain="all").frame["value"][0]
    assert value == {"+": 200.0, "*": 1.0, "and": 1.0}[operator]
    assert time.process_time() - start < 5
    assert codes({"chain": f"{chain} {operator} {term}"}) == ["formula-too-large"]


def test_trap_25_deep_nesting_is_refused() -> None:
    assert codes({"flat": "(" * 2000 + "order" + ")" * 2000}) == []
    assert codes({"deep": "abs(" * 2000 + "order" + ")" * 2000}) == ["formula-too-deep"]
    assert codes({"deep": "-" * 5000 + "order"}) == ["formula-too-deep"]


def test_trap_25_chains_of_kpis_are_bounded_and_checked_in_linear_time() -> None:
    def chain(count: int) -> dict[str, Any]:
        return {"k0": "order", **{f"k{i}": f"k{i - 1} + 1" for i in range(1, count)}}

    assert project(chain(101)).run("k100", grain="all").frame["value"].to_list() == [101.0]
    start = time.process_time()
    assert codes(chain(5_000)) == ["formula-too-deep"]
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "order.__class__.__mro__",
        "{{ 7 * 7 }}",
        "${jndi:ldap}",
        "eval('1')",
        "lambda: 1",
        "order; drop table order",
    ],
)
def test_trap_27_nothing_of_a_definition_is_executed(formula: str) -> None:
    assert len(codes({"bad": formula})) == 1


def test_trap_27_yaml_tags_make_no_objects(tmp_path: Path) -> None:
    file = tmp_path / "kpis.yml"
    file.write_text("kpis:\n  a: !!python/object/apply:os.getcwd []\n", encoding="utf-8")
    report = smartkpi.load(file).check()
    assert any(d.severity is Severity.ERROR for d in report.diagnostics)


def test_trap_28_unknown_and_misindented_keys_are_refused_with_the_near_name() -> None:
    report = project({"rate": {"formula": "order / visit", "threshold": {"good": "at least 5%"}}}).check()
    (error,) = [d for d in report.diagnostics if d.severity is Severity.ERROR]
    assert "threshold" in error.message
    assert "thresholds" in error.hint + " ".join(n.message for n in error.notes)
