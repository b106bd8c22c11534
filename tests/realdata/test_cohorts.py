"""Cohorts of real orders, by the month of the first one: held against counts that DuckDB makes of the same files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import smartkpi

ROOT = Path(__file__).resolve().parents[2]
ORDERS = {
    "northwind": """
        select customerID as buyer, orderDate as bought, shipCountry as country, 1.0 as amount
        from 'DATA/northwind/orders.parquet'
    """,
    "olist": """
        select customer_unique_id as buyer, order_purchase_timestamp as bought, customer_state as country, 1.0 as amount
        from 'DATA/olist/olist_orders_dataset.parquet' join 'DATA/olist/olist_customers_dataset.parquet'
        using (customer_id) where order_status not in ('canceled', 'unavailable')
    """,
    "crm": """
        select account as buyer, close_date as bought, '' as country, close_value as amount
        from 'DATA/crm_sales_opportunities/sales_pipeline.parquet' where deal_stage = 'Won'
    """,
}
"""The orders of each example, by another way than its definitions go."""

CELLS = """
    with orders as (ORDERS),
    began as (
        select buyer, date_trunc('month', min(bought)) as month, arg_min(country, bought) as country
        from orders group by buyer
    ),
    came as (
        select month, began.country, buyer, amount,
               date_diff('month', month, date_trunc('month', bought)) as age
        from orders join began using (buyer)
    )
    select strftime(month, '%Y-%m') as month, SEGMENT as segment, age, count(distinct buyer), sum(amount)
    from came group by all
"""
Cell = tuple[str, str, int]
Bound = Callable[[str], smartkpi.Project]


@pytest.fixture
def bound(shared_data: Path, tmp_path: Path) -> Bound:
    """Open an example as a reader of its page would, with the tables in its folder `data`."""
    tables = {"crm": "crm_sales_opportunities"}

    def opened(name: str) -> smartkpi.Project:
        shutil.copytree(ROOT / "examples" / name, tmp_path / name)
        shutil.copytree(shared_data / tables.get(name, name), tmp_path / name / "data")
        return smartkpi.load(tmp_path / name)

    return opened


def count(shared_data: Path, name: str, segment: str = "''") -> dict[Cell, tuple[int, float]]:
    """Return how many customers of each month come back at each age, and what they bring then."""
    query = CELLS.replace("ORDERS", ORDERS[name]).replace("SEGMENT", segment)
    rows = duckdb.sql(query.replace("DATA", shared_data.as_posix())).fetchall()
    return {(month, part, age): (people, amount) for month, part, age, people, amount in rows}


def told(result: smartkpi.Result, measure: str) -> dict[Cell, float | None]:
    """Return a measure of a cohort by month, segment and age."""
    segment = result.by[0] if result.by else None
    return {
        (f"{row['start']:%Y-%m}", row[segment] if segment else "", row["age"]): row["value"]
        for row in result.to_dicts()
        if row["measure"] == measure and row["level"] in ("total", "segment")
    }


def agree(got: dict[Cell, float | None], wanted: dict[Cell, float]) -> None:
    """Hold the cells that are known against those of a count; each of its own is known, or not over."""
    known = {cell: value for cell, value in got.items() if value is not None}
    assert known == pytest.approx({cell: wanted.get(cell, 0) for cell in known}, rel=1e-11)
    assert all(got[cell] is None for cell in wanted if cell in got and cell not in known)


@pytest.mark.parametrize(("name", "customers", "again"), [("northwind", 89, 27), ("olist", 14_069, 8), ("crm", 85, 80)])
def test_who_comes_back_is_who_duckdb_finds(
    bound: Bound, shared_data: Path, name: str, customers: int, again: int
) -> None:
    cells = count(shared_data, name)
    result = bound(name).run("customer_cohorts", since="1996-01", until="2018-12")
    returned = told(result, "returned")
    agree(returned, {cell: people for cell, (people, _) in cells.items()})
    sizes = {month: value for (month, _, _), value in told(result, "cohort_size").items()}
    assert sizes == {month: cells.get((month, "", 0), (0,))[0] for month in sizes}
    assert sum(sizes.values()) == customers
    assert sum(value or 0 for (_, _, age), value in returned.items() if age == 1) == again
    shares = told(result, "retention")
    size_of = {(month, "", age): sizes[month] for month, _, age in shares}
    agree(shares, {cell: people / size_of[cell] for cell, (people, _) in cells.items() if cell in size_of})
    assert max(value or 0 for value in shares.values()) == 1
    assert all(value is None for (month, _, _), value in shares.items() if not sizes[month])


def test_segments_are_those_of_the_first_order(bound: Bound, shared_data: Path) -> None:
    result = bound("northwind").run("customer_cohorts", by="country", since="1996-07", until="1998-04")
    cells = count(shared_data, "northwind", "country")
    agree(told(result, "returned"), {cell: people for cell, (people, _) in cells.items()})


def test_what_they_bring_is_what_duckdb_adds_up(bound: Bound, shared_data: Path) -> None:
    project, cells = bound("crm"), count(shared_data, "crm")
    result = project.run("revenue_cohorts", since="2017-01", until="2017-12")
    agree(told(result, "returned"), {cell: amount for cell, (_, amount) in cells.items()})
    rows = project.run(["revenue_of_new_customer"], grain="month", since="2017-03", until="2017-05").to_dicts()
    values = {f"{row['start']:%Y-%m}": row["value"] for row in rows}
    months = {month: [cells.get((month, "", age), (0, 0.0)) for age in range(3)] for month in values}
    wanted = {
        month: sum(amount for _, amount in ages) / ages[0][0] if ages[0][0] else None for month, ages in months.items()
    }
    assert values == pytest.approx(wanted)
