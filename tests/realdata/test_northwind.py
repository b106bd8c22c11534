"""A small trader: eight tables, lines dated by their order, products with a category and a supplier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def northwind(open_project: Open) -> smartkpi.Project:
    return open_project("northwind")


TOTALS = {
    "orders": (830, 0),
    "net_sales": (1_265_793.0395, 1e-9),
    "gross_sales": (1_354_458.59, 0),
    "units": (51_317, 0),
    "freight": (64_942.69, 0),
    "net_per_order": (1_525.0519, 1e-7),
    "net_per_unit": (1_265_793.0395 / 51_317, 1e-9),
    "discount_rate": (1 - 1_265_793.0395 / 1_354_458.59, 1e-8),
    "shipped": (809, 0),
    "on_time": (772 / 809, 1e-11),
    "days_to_ship": (8.492, 1e-4),
    "customers": (89, 0),
    "repeat_customers": (88, 0),
}
"""Each total, and how exactly it is known."""


def test_totals(northwind: smartkpi.Project, cells: Cells) -> None:
    result = northwind.run(grain="all")
    assert not result.diagnostics
    values = {kpi: value for (kpi, _), value in cells(result).items()}
    assert values.keys() == TOTALS.keys()
    for kpi, (value, precision) in TOTALS.items():
        assert values[kpi] == pytest.approx(value, rel=precision), kpi


def test_net_sales_are_exact(northwind: smartkpi.Project) -> None:
    assert str(northwind.run(["net_sales"], grain="all").frame["money"][0]) == "1265793.039500"


def test_sales_of_a_salesperson(northwind: smartkpi.Project, cells: Cells) -> None:
    orders = cells(northwind.run(["orders"], grain="all", by=["employeeID"]))
    net = cells(northwind.run(["net_sales"], grain="all", by=["order.employeeID"]))
    assert max(orders, key=lambda key: orders[key]) == ("orders", "all", "4")
    assert orders["orders", "all", "4"] == 156
    assert max(net, key=lambda key: net[key]) == ("net_sales", "all", "4")
    assert net["net_sales", "all", "4"] == pytest.approx(232_890.846)
    assert sum(net.values()) == pytest.approx(1_265_793.0395)


def test_no_segment_fans_out(northwind: smartkpi.Project) -> None:
    counts = {
        "order.customer.country": 21, "order.seller.title": 4, "product.category.categoryName": 8,
        "product.supplier.country": 16, "order.shipper.companyName": 3,
    }  # fmt: skip
    for by, count in counts.items():
        frame = northwind.run(["net_sales", "units"], grain="all", by=[by]).frame
        assert frame.height == 2 * count
        assert frame.filter(kpi="units")["value"].sum() == 51_317
        assert str(frame.filter(kpi="net_sales")["money"].sum()) == "1265793.039500"


def test_the_last_month_is_not_whole(northwind: smartkpi.Project, cells: Cells) -> None:
    flags = cells(northwind.run(["orders"], grain="month", since="1998-04"), "flags")
    assert flags == {("orders", "1998-04-01"): [], ("orders", "1998-05-01"): ["incomplete"]}
