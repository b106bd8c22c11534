"""One spelling for several, labels and order of a field's values."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.diagnostics import Severity
from smartkpi.report.style import Style
from smartkpi.report.table import render

DEALS = pl.DataFrame(
    {
        "at": [date(2026, 1, 5)] * 5,
        "product": ["GTXPro", "GTX Pro", "gtx pro", "MG", None],
        "stage": [1, 2, 2, 3, 1],
        "value": [1, 2, 4, 8, 16],
    }
)
PRODUCTS = pl.DataFrame({"product": ["GTX Pro", "mg"], "series": ["GTX", "MG"]})
DATASETS: dict[str, Any] = {
    "deals": {
        "time": "at",
        "lookups": {"item": {"dataset": "products", "on": "product"}},
        "fields": {"raw": 'col("product")', "is_pro": 'product == "GTXPro"'},
        "events": {"deal": "all rows"},
    },
    "products": {},
}
DIMENSIONS: dict[str, Any] = {
    "product": {
        "label": {"en": "Product", "zh": "产品"},
        "values": {"GTXPro": "GTX Pro", "gtx pro": "GTX Pro", "mg": "MG", "MG": {"en": "Motor", "zh": "电机"}},
        "order": ["MG", "GTX Pro"],
    },
    "stage": {"order": [3, 1, 2], "values": {1: "new", 2: "open"}},
}


def project(dimensions: Any = DIMENSIONS, datasets: Any = DATASETS, **kpis: str) -> smartkpi.Project:
    data = {name: frame for name, frame in (("deals", DEALS), ("products", PRODUCTS)) if name in datasets}
    written = {"datasets": datasets, "dimensions": dimensions, "kpis": kpis or {"value": "sum(deal.value)"}}
    return smartkpi.load(written, data=data)


def by(name: str, **asked: Any) -> list[tuple[Any, ...]]:
    return project().run(grain="all", by=name, **asked).frame.select(name, "value").rows()


def test_spellings_are_one_before_grouping_and_in_their_order() -> None:
    assert by("product") == [("MG", 8), ("GTX Pro", 7), (None, 16)]
    assert by("stage") == [(3, 8), (1, 17), (2, 6)]


def test_spellings_are_one_before_rows_are_looked_up() -> None:
    assert by("item.series") == [(None, 16), ("GTX", 7), ("MG", 8)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('product == "GTX Pro"', 3),
        ('product == "GTXPro"', 3),
        ('product in ("gtx pro", "mg")', 4),
        ('product not in ("gtx pro", "mg")', 1),
        ('product != "GTXPro"', 2),
        ('raw == "GTXPro"', 1),
        ("is_pro", 3),
        ('item.product == "mg"', 1),
    ],
)
def test_conditions_know_every_spelling(condition: str, expected: int) -> None:
    assert project(k=f"count(deal where {condition})").run(grain="all").frame["value"].to_list() == [expected]


def test_labels_are_shown_in_the_language_of_the_reader() -> None:
    result = project().run(grain="all", by=["product", "stage"])
    english, chinese = (render(result, Style(lang=lang, width=100)) for lang in ("en", "zh"))
    assert "Product" in english
    assert "Motor" in english
    assert "new" in english
    assert "产品" in chinese
    assert "电机" in chinese
    assert result.frame["product"].drop_nulls().unique().sort().to_list() == ["GTX Pro", "MG"]


def test_a_dimension_with_an_error_leaves_out_those_who_read_it() -> None:
    chain = {"product": {"values": {"a": "b", "b": "c"}}}
    plain = {"deals": {"time": "at", "events": {"deal": "all rows"}}}
    one = project(chain, plain, pro='count(deal where product == "a")', all_of_it="count(deal)")
    assert [d.code for d in one.check(data=True).diagnostics if d.severity is Severity.ERROR] == ["bad-value"]
    result = one.run(grain="all")
    assert result.left_out == {"pro": "definition"}
    assert result.frame["value"].to_list() == [5]
