"""A sample of a Brazilian marketplace: orders with five times each, in local time, with empty months."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def olist(open_project: Open) -> smartkpi.Project:
    return open_project("olist")


@pytest.mark.parametrize(
    ("kpi", "value", "precision"),
    [
        ("orders", 14_318, 0),
        ("delivered", 13_910, 0),
        ("cancellation_rate", 99 / 14_318, 1e-11),
        ("late_by_time", 1_103 / 13_910, 1e-11),
        ("late_by_day", 922 / 13_910, 1e-11),
        ("delivery_days", 12.5304, 1e-3),  # the reference ignores that a day of clock change has 23 or 25 hours
        ("approval_time", 10.6003 * 3_600, 1e-3),
        ("gmv", 1_940_489.10, 0),
        ("freight", 325_305.27, 0),
        ("sellers", 1_865, 0),
        ("products", 8_790, 0),
        ("products_about", 8_790, 0.05),
        ("middle_price", 75, 0),
        ("low_price", 16.9, 0),
        ("high_price", 342.0965, 1e-11),
        ("spread_of_prices", 183.1938717985798, 1e-11),
        ("first_price", 44.99, 0),
        ("last_price", 69.99, 0),
        ("spread_of_scores", 1.3525954972053462, 1e-11),
        ("score", 4.077158, 1e-6),
        ("satisfied", 0.7678, 1e-4),
    ],
)
def test_totals(olist: smartkpi.Project, cells: Cells, kpi: str, value: float, precision: float) -> None:
    assert cells(olist.run([kpi], grain="all"))[kpi, "all"] == pytest.approx(value, rel=precision)


def test_money_is_exact(olist: smartkpi.Project) -> None:
    frame = olist.run(["gmv", "freight"], grain="all").frame
    assert [str(money) for money in frame["money"]] == ["1940489.100000", "325305.270000"]
    assert frame["currency"].to_list() == ["BRL", "BRL"]


def test_items_are_dated_and_placed_by_their_order(olist: smartkpi.Project, cells: Cells) -> None:
    result = olist.run(["sold"], grain="all", by=["order.customer.customer_state"])
    values = cells(result, "money")
    assert sum(values.values()) == Decimal("1940489.10")
    assert len(values) == 27
    assert not result.diagnostics
    months = cells(olist.run(["sold", "orders"], grain="month", since="2018-08", until="2018-08"))
    assert months["orders", "2018-08-01"] > 0
    assert months["sold", "2018-08-01"] > 0


PAYMENTS = {
    "all_payments": 16_008_872.12,
    "orders_paid": 99_440,
    "order_value": 160.9903,
    "payments": 2_291_071.84,
    "order_value_of_sample": 160.0246,
}


def test_payments_of_orders_that_are_not_in_the_sample_are_left_out_and_counted(
    olist: smartkpi.Project, cells: Cells
) -> None:
    result = olist.run(list(PAYMENTS), grain="all")
    values = {kpi: value for (kpi, _), value in cells(result).items()}
    assert values == pytest.approx(PAYMENTS, rel=1e-6)
    assert [values[name] for name in ("all_payments", "payments")] == [16_008_872.12, 2_291_071.84]
    known = result.provenance.datasets["payments_of_orders"]
    assert known["rows"] == 103_886
    assert known["left_out"]["null_time"] == known["unmatched"]["order"]


def test_on_time_has_two_readings(olist: smartkpi.Project, cells: Cells) -> None:
    values = cells(olist.run(["on_time_by_time", "on_time_by_day"], grain="all"))
    assert list(values.values()) == pytest.approx([1 - 1_103 / 13_910, 1 - 922 / 13_910], rel=1e-11)


def test_items_by_what_they_are_and_who_sells_them(olist: smartkpi.Project, cells: Cells) -> None:
    for by in ("seller.seller_state", "product.category.english", "order.customer.customer_state"):
        values = cells(olist.run(["gmv"], grain="all", by=[by, "order.order_status"]), "money")
        assert sum(values.values()) == Decimal("1940489.10"), by


def test_orders_by_the_state_of_their_customer(olist: smartkpi.Project, cells: Cells) -> None:
    values = cells(olist.run(["orders"], grain="all", by=["customer.customer_state"]))
    assert sum(values.values()) == 14_318


def test_empty_months_are_zero_and_their_rate_is_undefined(olist: smartkpi.Project, cells: Cells) -> None:
    result = olist.run(["orders", "cancellation_rate"], grain="month", since="2016-09", until="2017-02")
    values, states = cells(result), cells(result, "state")
    months = [start for kpi, start in values if kpi == "orders"]
    assert months == ["2016-09-01", "2016-10-01", "2016-11-01", "2016-12-01", "2017-01-01", "2017-02-01"]
    for month in ("2016-11-01", "2016-12-01"):
        assert (values["orders", month], states["orders", month]) == (0, "ok")
        assert (values["cancellation_rate", month], states["cancellation_rate", month]) == (None, "undefined")


def test_months_add_up_to_the_whole(olist: smartkpi.Project, cells: Cells) -> None:
    values = cells(olist.run(["orders", "gmv"], grain="month"))
    assert sum(value for (kpi, _), value in values.items() if kpi == "orders") == 14_318
    assert sum(value or 0 for (kpi, _), value in values.items() if kpi == "gmv") == pytest.approx(1_940_489.10)


def test_middle_and_spread_by_month(olist: smartkpi.Project, cells: Cells) -> None:
    result = olist.run(["middle_price", "spread_of_prices"], grain="month", until="2017-02")
    assert result.frame.filter(kpi="middle_price").select("unit", "currency").unique().rows() == [("money", "BRL")]
    values, states = cells(result), cells(result, "state")
    assert values["middle_price", "2017-01-01"] == 69.4
    assert values["spread_of_prices", "2017-02-01"] == 446.115692632
    assert values["spread_of_prices", "2016-09-01"] == 0
    assert states["spread_of_prices", "2016-11-01"] == "no_data"


def test_the_as_of_of_a_kpi_is_that_of_its_own_data(olist: smartkpi.Project) -> None:
    alone = olist.run(["orders"]).provenance.as_of["orders"]
    together = olist.run(["orders", "score", "gmv"]).provenance.as_of
    assert together["orders"] == alone
    assert together["score"] != alone
