"""Lookups: a join never adds a row nor takes one away, and what it finds is the one row that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.api.failures import DataError
from smartkpi.api.values import values_of
from smartkpi.diagnostics import KpiError
from smartkpi.engines.polars import compile as compile_

ORDERS = pl.DataFrame(
    {
        "ts": [date(2026, 1, 5), date(2026, 1, 10), date(2026, 1, 20), date(2026, 1, 31), None],
        "customer_id": [1, 1, 2, 3, None],
        "amount": [10.0, 20.0, 40.0, 80.0, 160.0],
    }
)
CUSTOMERS = pl.DataFrame({"id": [1, 2, 9], "country": ["BR", "DE", "FR"], "city_id": ["a", "b", "c"]})
CITIES = pl.DataFrame({"city": ["a", "b"], "people": [5, 50]})
DATASETS: dict[str, Any] = {
    "orders": {
        "time": "ts",
        "lookups": {"customer": {"dataset": "customers", "on": {"customer_id": "id"}}},
        "events": {"order": "all rows"},
    },
    "customers": {"lookups": {"city": {"dataset": "cities", "on": {"city_id": "city"}}}},
    "cities": {},
}
FRAMES = {"orders": ORDERS, "customers": CUSTOMERS, "cities": CITIES}


def values(
    kpi: Any, frames: Mapping[str, pl.DataFrame] = FRAMES, datasets: Any = DATASETS, **asked: Any
) -> dict[Any, Any]:
    """The values of one KPI over all time, by segment."""
    project = smartkpi.load({"datasets": datasets, "kpis": {"k": kpi}}, data=frames)
    result = project.run(grain="all", **asked)
    return {tuple(row[name] for name in result.by): row["value"] for row in result.to_dicts()}


def refused(frames: Mapping[str, pl.DataFrame], datasets: Any = DATASETS, kpi: str = "order") -> Any:
    with pytest.raises(DataError) as caught:
        values(kpi, frames, datasets, by="customer.country")
    return caught.value.diagnostics[0]


@pytest.fixture(params=["in-memory", "streaming"])
def _engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "streaming":
        monkeypatch.setattr(compile_, "SMALL", -1)


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("kpi", "asked", "expected"),
    [
        ("order", {"by": "customer.country"}, {(None,): 1, ("BR",): 2, ("DE",): 1}),
        ("sum(order.amount)", {"by": "customer.country"}, {(None,): 80, ("BR",): 30, ("DE",): 40}),
        ("count(order where customer.country != 'BR')", {}, {(): 2}),
        ("count(order where customer.country is null)", {}, {(): 1}),
        ("order", {"where": 'customer.country == "DE" or amount > 50'}, {(): 2}),
        ("sum(order.customer.city.people)", {}, {(): 60}),
        ("distinct(order.customer.country)", {}, {(): 2}),
        ("max(order.customer.city.people where customer.country == 'BR')", {}, {(): 5}),
        ("order", {"by": ["customer.city.people", "customer.country"]}, {(None, None): 1, (5, "BR"): 2, (50, "DE"): 1}),
        ("distinct((order where amount > 15).customer.id)", {}, {(): 2}),
    ],
)
def test_looked_up_fields(kpi: str, asked: dict[str, Any], expected: dict[Any, Any]) -> None:
    assert values(kpi.replace("'", '"'), **asked) == expected


def test_keys_of_other_types_and_several_columns() -> None:
    coded = ORDERS.with_columns(pl.col("customer_id").cast(pl.Int8), shop=pl.lit("x").cast(pl.Categorical))
    people = CUSTOMERS.with_columns(pl.col("id").cast(pl.UInt64), shop=pl.Series(["x", "x", "y"]))
    several = {
        **DATASETS["orders"],
        "lookups": {"customer": {"dataset": "customers", "on": {"customer_id": "id", "shop": "shop"}}},
    }
    frames = {**FRAMES, "orders": coded, "customers": people}
    found = values("order", frames, {**DATASETS, "orders": several}, by="customer.country")
    assert found == {(None,): 1, ("BR",): 2, ("DE",): 1}


def test_a_repeated_key_is_an_error_with_an_example() -> None:
    found = refused({**FRAMES, "customers": pl.concat([CUSTOMERS, CUSTOMERS.head(1)])})
    assert found.code == "ambiguous-lookup"
    assert "id 1" in found.message


def test_a_repeated_null_key_is_none() -> None:
    nobody = pl.DataFrame({"id": [None, None], "country": ["??", "?"], "city_id": ["a", "b"]}, schema=CUSTOMERS.schema)
    assert values("order", {**FRAMES, "customers": pl.concat([CUSTOMERS, nobody])}, by="customer.country") == {
        (None,): 1,
        ("BR",): 2,
        ("DE",): 1,
    }


def test_the_key_of_a_dataset_decides_which_row_is_looked_up() -> None:
    doubled = pl.concat([CUSTOMERS, CUSTOMERS.head(1)])
    keyed = {**DATASETS, "customers": {**DATASETS["customers"], "key": "id"}}
    found = values("order", {**FRAMES, "customers": doubled}, keyed, by="customer.country")
    assert found == {(None,): 1, ("BR",): 2, ("DE",): 1}


def test_a_broken_lookup_leaves_out_only_those_who_read_it() -> None:
    doubled = {**FRAMES, "customers": pl.concat([CUSTOMERS, CUSTOMERS])}
    kpis = {"all_orders": "order", "from_brazil": 'count(order where customer.country == "BR")'}
    result = smartkpi.load({"datasets": DATASETS, "kpis": kpis}, data=doubled).run(grain="all")
    assert result.left_out == {"from_brazil": "data"}
    assert result.frame["value"].to_list() == [4]


def test_rows_without_a_match_are_counted() -> None:
    result = smartkpi.load({"datasets": DATASETS, "kpis": {"k": "order"}}, data=FRAMES).run(by="customer.country")
    assert result.provenance.datasets["orders"]["unmatched"] == {"customer": 2}
    (note,) = [one for one in result.diagnostics if one.code == "unmatched-rows"]
    assert "2 rows of `orders`" in note.message
    assert "customer_id 3" in note.message


def prices(
    since: list[Any], until: list[Any], cost: list[float], sku: list[int] | None = None
) -> dict[str, pl.DataFrame]:
    frame = pl.DataFrame({"sku": sku or [1] * len(cost), "since": since, "until": until, "cost": cost})
    sales = pl.DataFrame(
        {
            "ts": [
                datetime(2026, 1, 1, 0),
                datetime(2026, 1, 9, 23),
                datetime(2026, 1, 10),
                datetime(2026, 1, 31),
                None,
            ],
            "sku": [1, 1, 1, 1, 1],
        }
    )
    return {"sales": sales, "prices": frame}


PRICED: dict[str, Any] = {
    "sales": {
        "time": "ts",
        "lookups": {"price": {"dataset": "prices", "on": "sku", "valid": ["since", "until"], "fields": ["cost"]}},
        "events": {"sale": "all rows"},
    },
    "prices": {},
}


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("since", "until", "cost", "expected"),
    [
        ([None, date(2026, 1, 10)], [date(2026, 1, 10), None], [1.0, 2.0], {(1.0,): 2, (2.0,): 2}),
        ([date(2026, 1, 2)], [date(2026, 1, 10)], [1.0], {(None,): 3, (1.0,): 1}),
        ([None], [None], [7.0], {(7.0,): 4}),
        ([date(2026, 1, 2), date(2026, 1, 31)], [date(2026, 1, 3), date(2026, 1, 31)], [1.0, 2.0], {(None,): 4}),
        ([datetime(2026, 1, 9, 23)], [datetime(2026, 1, 31)], [3.0], {(None,): 2, (3.0,): 2}),
    ],
)
def test_rows_that_hold_at_the_time_of_a_row(
    since: list[Any], until: list[Any], cost: list[float], expected: dict[Any, Any]
) -> None:
    frames = prices(since, until, cost)
    whole = {**frames, "prices": frames["prices"].with_columns(pl.col("cost").cast(pl.Int64))}
    assert values("sale", whole, PRICED, by="price.cost") == expected
    total = sum(value * (cost or 0) for (cost,), value in expected.items())
    assert (values("sum(sale.price.cost)", frames, PRICED)[()] or 0) == total


def test_rows_that_hold_at_one_time_are_an_error() -> None:
    frames = prices([None, date(2026, 1, 9)], [date(2026, 1, 10), None], [1.0, 2.0])
    with pytest.raises(DataError) as caught:
        values("sum(sale.price.cost)", frames, PRICED)
    assert caught.value.diagnostics[0].code == "overlapping-validity"
    assert "sku 1" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("written", ["open", "31.12.2026", "2026-99-99"])
def test_an_end_of_validity_that_is_no_date_is_an_error_and_not_open(written: str) -> None:
    frames = prices([None, None], [date(2026, 1, 10), None], [1.0, 2.0])
    table = pl.DataFrame(
        {"sku": [1], "since": [None], "until": [written], "cost": [1.0]}, schema_overrides={"since": pl.String}
    )
    with pytest.raises(DataError) as caught:
        values("sum(sale.price.cost)", {**frames, "prices": table}, PRICED)
    assert caught.value.diagnostics[0].code == "bad-lookup"
    assert caught.value.diagnostics[0].message.startswith(f"`{written}` in `until` of `prices` is no date")
    blank = table.with_columns(until=pl.lit(" "))
    assert values("sum(sale.price.cost)", {**frames, "prices": blank}, PRICED)[()] is not None


def test_a_table_that_is_not_there_is_missed_only_by_those_who_look_it_up() -> None:
    data = {name: frame for name, frame in FRAMES.items() if name != "customers"}
    datasets = {**DATASETS, "customers": {**DATASETS["customers"], "read": "no-such-file.csv"}}
    kpis = {"all_orders": "order", "from_brazil": 'count(order where customer.country == "BR")'}
    project = smartkpi.load({"datasets": datasets, "kpis": kpis}, data=data)
    assert "no-file" not in {one.code for one in project.run("all_orders", grain="all").diagnostics}
    result = project.run(grain="all")
    assert result.left_out == {"from_brazil": "data"}
    assert "no-file" in {one.code for one in result.diagnostics}
    with pytest.raises(DataError) as caught:
        project.run("from_brazil")
    assert [one.code for one in caught.value.diagnostics] == ["no-file"]


def test_the_values_of_a_looked_up_field() -> None:
    loaded = smartkpi.load({"datasets": DATASETS}).loaded
    found = values_of(loaded, FRAMES, "customer.city.people")
    assert found.counts == ((5, (2,)), (50, (1,)), (None, (1,)))
    with pytest.raises(KpiError) as caught:
        values_of(loaded, FRAMES, "countri")
    assert caught.value.diagnostics[0].hint == "did you mean `customer.country`?"


BY_VALUES: dict[str, Any] = {
    "sales": {
        "time": "order.at",
        "lookups": {
            "price": {"dataset": "prices", "on": {"order.shop": "shop", "sku": "sku"}, "valid": ["since", "until"]},
            "order": {"dataset": "orders", "on": "order_id"},
        },
        "events": {"sale": "all rows"},
    },
    "orders": {},
    "prices": {},
}
BY_VALUES_FRAMES = {
    "sales": pl.DataFrame({"order_id": [1, 2, 2, 3], "sku": ["x", "x", "y", "x"]}),
    "orders": pl.DataFrame(
        {"order_id": [1, 2], "shop": [7, 7], "at": [datetime(2026, 1, 1), datetime(2026, 1, 5)]},
        schema_overrides={"shop": pl.UInt8},
    ),
    "prices": pl.DataFrame(
        {
            "shop": [7, 7, 8],
            "sku": ["x", "x", "x"],
            "since": [None, date(2026, 1, 3), None],
            "until": [date(2026, 1, 3), None, None],
            "cost": [1, 20, 300],
        }
    ),
}


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("kpi", "asked", "expected"),
    [
        ("sum(sale.price.cost)", {}, {(): 21}),
        ("sale", {"by": "price.cost"}, {(None,): 1, (1,): 1, (20,): 1}),
        ("sale", {"by": ["order.shop", "price.cost"]}, {(7, None): 1, (7, 1): 1, (7, 20): 1}),
        ("distinct(sale.price.cost)", {}, {(): 2}),
        ("median(sale.price.cost)", {}, {(): 10.5}),
        ("sale", {"where": "price.cost > 5"}, {(): 1}),
        ("last(sale.price.cost)", {}, {(): 20}),
    ],
)
def test_a_lookup_by_what_others_find_as_of_a_time_that_is_looked_up(
    kpi: str, asked: dict[str, Any], expected: dict[Any, Any]
) -> None:
    assert values(kpi, BY_VALUES_FRAMES, BY_VALUES, **asked) == expected


def test_lookups_on_the_way_to_a_lookup_are_read_and_counted() -> None:
    project = smartkpi.load({"datasets": BY_VALUES, "kpis": {"k": "sale"}}, data=BY_VALUES_FRAMES)
    result = project.run(by="price.cost")
    assert result.provenance.datasets["sales"]["unmatched"] == {"order": 1, "price": 2}
    twice = {**BY_VALUES_FRAMES, "orders": pl.concat([BY_VALUES_FRAMES["orders"]] * 2)}
    with pytest.raises(DataError) as caught:
        values("sale", twice, BY_VALUES, by="price.cost")
    assert caught.value.diagnostics[0].code == "ambiguous-lookup"


def test_the_query_of_a_kpi_that_looks_up_is_shown() -> None:
    kpis = {"k": "sum(sale.price.cost)", "all_sales": "sale"}
    project = smartkpi.load({"datasets": BY_VALUES, "kpis": kpis}, data=BY_VALUES_FRAMES)
    assert "JOIN" in project.explain("k", "polars")
    nowhere = {**BY_VALUES, "prices": {"read": "no-such-file.csv"}}
    data = {name: frame for name, frame in BY_VALUES_FRAMES.items() if name != "prices"}
    project = smartkpi.load({"datasets": nowhere, "kpis": kpis}, data=data)
    assert project.explain("all_sales", "polars")
    with pytest.raises(DataError) as caught:
        project.explain("k", "polars")
    assert [one.code for one in caught.value.diagnostics] == ["no-file"]
