"""Tables without dates: ads with their counts, payments, sessions. They answer over everything, and only so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def kag(open_project: Open) -> smartkpi.Project:
    return open_project("kag")


@pytest.fixture
def both(open_project: Open) -> smartkpi.Project:
    return open_project("timeless")


def test_ads_without_dates(kag: smartkpi.Project, cells: Cells) -> None:
    values = {key[0]: value for key, value in cells(kag.run()).items()}
    counts = {"ads": 1143, "exposures": 213_434_828, "clicks": 38_165, "enquiries": 3_264, "approved_ones": 1_079}
    assert {name: values[name] for name in counts} == counts
    assert values["idle"] == 207
    rates = {"ctr": 0.000178813366, "cpc": 1.538195, "cpm": 0.275050, "cpa": 54.407071, "spend": 58_705.229958}
    assert {name: values[name] for name in rates} == pytest.approx(rates, rel=2e-6)


def test_the_raw_file_says_the_same(kag: smartkpi.Project, cells: Cells) -> None:
    values = {key[0]: value for key, value in cells(kag.run(grain="all")).items()}
    for name in ("ads", "ctr", "cpc", "cpa", "spend"):
        assert values[f"raw_{name}"] == pytest.approx(values[name], rel=1e-11)


def test_a_campaign(kag: smartkpi.Project, cells: Cells) -> None:
    values = cells(kag.run(["ads", "spend", "approved_ones", "cpa"], by=["campaign"]))
    assert values["ads", "all", "1178"] == 625
    assert values["spend", "all", "1178"] == pytest.approx(55_662.149959, abs=2e-6)
    assert values["approved_ones", "all", "1178"] == 872
    assert values["cpa", "all", "1178"] == pytest.approx(63.832741, rel=1e-7)


@pytest.mark.parametrize("asked", [{"grain": "month"}, {"since": "2026-01"}, {"as_of": "2026-01-31"}])
def test_any_other_question_is_unavailable(kag: smartkpi.Project, asked: dict[str, str]) -> None:
    frame = kag.run(["ctr", "ads"], **asked).frame
    assert frame["state"].to_list() == ["unavailable"] * 2
    assert frame["reason"].str.contains("no time").all()
    assert frame["value"].null_count() == 2


def test_payments_of_orders(both: smartkpi.Project, cells: Cells) -> None:
    result = both.run(["paid", "orders", "payments", "average_order_value"])
    values = cells(result)
    assert str(result.frame.filter(pl.col("kpi") == "paid")["money"][0]) == "16008872.120000"
    assert (values["orders", "all"], values["payments", "all"]) == (99_440, 103_886)
    assert values["average_order_value", "all"] == pytest.approx(160.9903, abs=5e-5)


def test_sessions(both: smartkpi.Project, cells: Cells) -> None:
    values = cells(both.run(["sessions", "bought", "conversion", "bounce", "exit", "page_value"]))
    assert (values["sessions", "all"], values["bought", "all"]) == (12_330, 1_908)
    assert values["conversion", "all"] == pytest.approx(0.15474453, rel=1e-7)
    assert values["bounce", "all"] == pytest.approx(0.02219138, rel=1e-6)
    assert values["page_value", "all"] == pytest.approx(5.88925786, rel=1e-8)
    by = cells(both.run(["conversion"], by=["VisitorType"]))
    shares = {"New_Visitor": 0.24911452, "Returning_Visitor": 0.13932329, "Other": 0.18823529}
    assert {key[2]: value for key, value in by.items()} == pytest.approx(shares, rel=1e-7)
