"""What a dataset says of columns: money is read to the last digit, texts that are all dates are days."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi

MONEY = {"amount": {"unit": "money"}}
KPIS = {"revenue": "sum(order.amount)", "orders": "order"}


def project(source: Any, **dataset: Any) -> smartkpi.Project:
    written = {"time": "day", "events": {"order": "all rows"}, **dataset}
    handed = {"log": source} if isinstance(source, pl.DataFrame) else {}
    if not handed:
        written["read"] = source
    return smartkpi.load({"datasets": {"log": written}, "kpis": KPIS}, data=handed)


def csv(folder: Path, *amounts: str, separator: str = ",") -> str:
    rows = [f"2026-01-{day:02}{separator}{amount}" for day, amount in enumerate(amounts, 1)]
    (folder / "log.csv").write_text("\n".join([f"day{separator}amount", *rows]) + "\n")
    return str(folder / "log.csv")


@pytest.mark.parametrize("fields", [MONEY, {"value": {"is": "amount", "unit": "money"}, "amount": {"unit": "money"}}])
def test_large_amounts_are_exact(tmp_path: Path, fields: Any) -> None:
    path = csv(tmp_path, "12345678901.23", "-9876543210.000001", "", " 0.1")
    frame = project(path, fields=fields).run("revenue").frame
    assert frame["money"].to_list() == [Decimal("2469135691.329999")]


def test_a_contract_says_it_too(tmp_path: Path) -> None:
    path = csv(tmp_path, "90000000000.000001", "0.000001")
    definition = {
        "events": {"order": {"fields": MONEY}},
        "datasets": {"log": {"read": path, "time": "day", "events": {"order": "all rows"}}},
        "kpis": KPIS,
    }
    assert smartkpi.load(definition).run("revenue").frame["money"].to_list() == [Decimal("90000000000.000002")]


def test_a_decimal_comma(tmp_path: Path) -> None:
    path = csv(tmp_path, "90.000.000.000,000001", "1.000,5", separator=";")
    read = {"path": path, "separator": ";", "decimal": ",", "thousands": "."}
    frame = project(read, fields=MONEY).run("revenue").frame
    assert frame["money"].to_list() == [Decimal("90000001000.500001")]


@pytest.mark.parametrize("amounts", [("1.5", "2.25"), ("1e12", "0.5"), ("12345678901.0000001", "1.5")])
def test_others_stay_fractions(tmp_path: Path, amounts: tuple[str, ...]) -> None:
    opened = project(csv(tmp_path, *amounts), fields=MONEY)
    assert opened.run("revenue").frame["value"][0] == pytest.approx(sum(map(float, amounts)))


@pytest.mark.parametrize("stored", ["table", "parquet", "ndjson"])
def test_texts_that_are_all_dates_are_days(tmp_path: Path, stored: str) -> None:
    table = pl.DataFrame({"day": ["2026-01-01", None, "2026-01-31"], "amount": [1, 2, 3]})
    path = tmp_path / f"log.{stored}"
    if stored == "parquet":
        table.write_parquet(path)
    elif stored == "ndjson":
        table.write_ndjson(path)
    opened = project(table if stored == "table" else str(path))
    row = opened.run("orders").frame.row(0, named=True)
    assert (row["start"].month, row["value"], row["flags"]) == (1, 2, [])
    assert "dated by day" in opened.run("orders", grain="hour").frame["reason"][0]


def test_one_text_that_is_no_date_makes_them_times() -> None:
    table = pl.DataFrame({"when": ["2026-01-01", "2026-01-31T12:00"], "amount": [1, 2]})
    opened = project(table, time="moment", fields={"moment": {"column": "when"}})
    assert opened.run("orders").frame["flags"].to_list() == [["incomplete"]]
    assert opened.run("orders", grain="hour").frame["value"].sum() == 2
    days = project(table.head(1), time="moment", fields={"moment": {"column": "when"}})
    assert days.run("orders", grain="day").frame["flags"].to_list() == [[]]


def test_a_contract_may_name_a_field_like_a_word_of_the_language() -> None:
    table = pl.DataFrame({"day": ["2026-01-01", "2026-01-02"], "first": [1, 2]})
    definition = {
        "events": {"order": {"fields": {"first": "its place"}}},
        "datasets": {"log": {"time": "day", "events": {"order": "all rows"}}},
        "kpis": {"firsts": 'count(order where col("first") == 1)'},
    }
    opened = smartkpi.load(definition, data={"log": table})
    assert opened.check(data=True).ok
    assert opened.run(grain="all").frame["value"].to_list() == [1]
