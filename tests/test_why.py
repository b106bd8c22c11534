"""`Project.why`: a change told by segment, by rate and weight, by term, by factor; and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import smartkpi
from smartkpi.report.style import Style
from smartkpi.report.why import FORMATS, as_data
from smartkpi.result import Change

ROWS = {
    "at": ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-31", "2026-02-01", "2026-02-02", "2026-02-03",
           "2026-02-04", "2026-02-28", "2026-03-01"],
    "country": ["BR", "BR", "DE", "FR", "BR", "BR", "DE", "BR", "US", "BR"],
    "paid": [True, False, True, False, True, True, True, False, True, True],
    "amount": [10.1, 20.2, 30.3, 5.0, 10.1, 40.4, 1.1, 2.2, 3.3, 1.0],
}  # fmt: skip
KPIS: dict[str, Any] = {
    "orders": "order",
    "revenue": "sum(order.amount)",
    "paid_share": {"formula": "count(order where paid) / order", "format": "percent", "by": ["country"]},
    "aov": "revenue / orders",
    "again": {"formula": "aov", "where": 'country != "FR"'},
    "net": "revenue - sum(order.amount where not paid) * 2",
    "three": "orders * paid_share * aov",
    "best": "max(order.amount)",
    "most": "orders * best",
    "odd": "orders * (1 - paid_share)",
    "cost": "2 * count(order where paid) * revenue / orders / orders",
    "buyers": {"formula": "distinct(order.country)", "by": ["country"]},
    "none": 'sum(order.amount where country == "XX") / order',
    "dated": {"formula": "revenue / orders", "revisions": [{"from": "2026-02-01", "formula": "revenue / 2"}]},
    "renamed": {"formula": "orders", "revisions": [{"from": "2026-02-01", "formula": "orders * 3"}]},
    "of_dated": "dated * paid_share",
    "unpaid_share": "1 - paid_share",
    "scaled": "-100 * count(order where paid) / (order * 2)",
    "mean": "avg(order.amount where paid)",
    "recent": {"formula": "order", "window": "7d", "grain": "month"},
    "recent_share": {"formula": "count(order where paid) / order", "window": "14d", "grain": "month"},
    "bought_again": "count(order then order as second within 30d by country) / order",
}


def project(rows: Any = None, kpis: dict[str, Any] = KPIS) -> smartkpi.Project:
    frame = pl.DataFrame(ROWS if rows is None else rows).with_columns(pl.col("at").str.to_date())
    fields = {"amount": {"is": "amount", "unit": "money", "currency": "EUR"}}
    shop = {"time": "at", "fields": fields, "covers": {"from": "2026-01-01"}, "events": {"order": "all rows"}}
    return smartkpi.load({"datasets": {"shop": shop}, "kpis": kpis}, data={"shop": frame})


def adds_up(found: Change) -> None:
    assert sum((one.amount for one in found.parts), Fraction(0)) == found.change == found.after - found.before
    for form in FORMATS.values():
        assert form(found, Style())


def test_a_sum_by_segment_exactly() -> None:
    found = project().why("revenue", by="country")
    adds_up(found)
    amounts = {one.segment["country"]: (one.before, one.after, one.amount) for one in found.parts}
    assert amounts["BR"] == (Fraction("30.3"), Fraction("52.7"), Fraction("22.4"))
    assert amounts["FR"] == (5, 0, -5)  # gone
    assert amounts["US"] == (0, Fraction("3.3"), Fraction("3.3"))  # new
    assert (found.period, found.against, found.method) == ("2026-02", "2026-01", "segments")


def test_a_ratio_by_rate_and_weight_of_its_usual_segments() -> None:
    found = project().why("paid_share", by="country")
    adds_up(found)
    by_name = {one.segment["country"]: one for one in found.parts}
    assert by_name["US"].rate == by_name["FR"].rate == 0
    assert by_name["BR"].before == Fraction(1, 2)
    assert by_name["BR"].weights == (Fraction(1, 2), Fraction(3, 5))
    assert as_data(found)["method"] == "ratio"


def test_terms_and_factors_of_a_formula() -> None:
    for name, method, count in (
        ("aov", "product", 2),
        ("again", "product", 2),
        ("net", "sum", 2),
        ("three", "product", 3),
    ):
        found = project().why(name)
        adds_up(found)
        assert (found.method, len(found.parts)) == (method, count)
    assert [one.label for one in project().why("aov").parts] == ["* revenue", "/ orders"]


def test_a_product_by_segment_and_factor() -> None:
    """Orders are in the one factor and below the line of both others: once below it remains."""
    found = project().why("three", by="country")
    adds_up(found)
    assert found.method == "product"
    assert {one.label for one in found.parts} == {"* count(order where paid)", "/ orders", "* revenue"}
    each = {(one.segment["country"], one.label): (one.before, one.after) for one in found.parts}
    assert each["BR", "* revenue"] == (Fraction("30.3"), Fraction("52.7"))
    assert ("DE", "/ orders") not in each  # one order before, one after
    whole = {one.label: float(one.amount) for one in project().why("three").parts}
    revenue = sum(float(one.amount) for one in found.parts if one.label == "* revenue")
    assert revenue == pytest.approx(whole["* aov"] + whole["* orders"], abs=1e-5)  # aov is revenue / orders


def test_a_factor_twice_is_its_square() -> None:
    found = project().why("cost", by="country")
    adds_up(found)
    assert {one.label for one in found.parts} == {"* count(order where paid)", "* revenue", "/ orders ^ 2"}
    assert [one.level for one in project().why("cost", by="country", top=2).parts] == ["segment", "segment", "other"]
    adds_up(project().why("cost", by="country", top=2))


def test_numbers_are_no_parts_and_a_mean_is_a_sum_by_a_count() -> None:
    found = project().why("unpaid_share", by="country")
    adds_up(found)
    mirrored = {one.segment["country"]: one.amount for one in project().why("paid_share", by="country").parts}
    assert {one.segment["country"]: -one.amount for one in found.parts} == pytest.approx(mirrored)
    assert {one.segment["country"]: one.before for one in found.parts}["BR"] == Fraction(1, 2)
    found = project().why("scaled")
    adds_up(found)
    assert [one.label for one in found.parts] == ["* count(order where paid)", "/ order"]
    found = project().why("mean")
    adds_up(found)
    assert [(one.before, one.after) for one in found.parts] == [(Fraction("40.4"), Fraction("54.9")), (2, 4)]


def test_another_formula_is_a_part_of_its_own() -> None:
    found = project().why("dated")
    adds_up(found)
    assert [one.label for one in found.parts] == ["* revenue", "/ orders", "= revenue / 2"]
    definition = found.parts[-1]
    assert (definition.before, definition.after) == (Fraction("11.42"), Fraction("28.55"))  # 57.1 by 5, or by 2
    assert [one.level for one in project().why("dated", by="country", top=1).parts] == [
        "segment",
        "other",
        "definition",
    ]
    found = project().why("renamed")
    assert [(one.label, one.amount) for one in found.parts] == [("+ order", 1), ("= orders * 3", 10)]


def test_others_together_add_up_too() -> None:
    for name in ("orders", "revenue", "paid_share", "aov"):
        found = project().why(name, by="country", top=1)
        adds_up(found)
        assert [one.level for one in found.parts] == ["segment", "other"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"kpi": "orders"}, "cannot-decompose"),
        ({"kpi": "best", "by": "country"}, "cannot-decompose"),
        ({"kpi": "buyers"}, "cannot-decompose"),
        ({"kpi": "most", "by": "country"}, "cannot-decompose"),
        ({"kpi": "odd", "by": "country"}, "cannot-decompose"),
        ({"kpi": "none"}, "cannot-decompose"),
        ({"kpi": "orders", "by": "nothing"}, "unknown-field"),
        ({"kpi": "order"}, "unknown-kpi"),
        ({"kpi": "aov", "period": "2026-02", "against": "2026-Q1"}, "unlike-periods"),
        ({"kpi": "aov", "period": "2026-02", "against": "2026-02"}, "unlike-periods"),
        ({"kpi": "aov", "period": "2026-13"}, "bad-period"),
        ({"kpi": "aov", "period": "all"}, "bad-period"),
        ({"kpi": "aov", "period": "2025-02"}, "no-change"),
        ({"kpi": "aov", "by": "country", "top": 0}, "bad-limit"),
    ],
)
def test_what_cannot_be_told_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(smartkpi.KpiError) as error:
        project().why(**asked)
    assert [one.code for one in error.value.diagnostics] == [code]


row = st.fixed_dictionaries(
    {
        "at": st.sampled_from(("2026-01-05", "2026-01-20", "2026-02-07", "2026-02-21")),
        "country": st.sampled_from(("BR", "DE", "FR", None)),
        "paid": st.booleans(),
        "amount": st.integers(-300, 5000).map(lambda cents: cents / 100),
    }
)
ENDS = [
    {"at": day, "country": "BR", "paid": True, "amount": 1.0}
    for day in ("2026-01-01", "2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")
]


@settings(max_examples=4)
@given(st.lists(row, max_size=12), st.randoms())
def test_parts_add_up_over_any_rows_in_any_order(rows: list[dict[str, Any]], chance: Any) -> None:
    mixed = [*ENDS, *rows]
    chance.shuffle(mixed)
    for name in ("revenue", "paid_share", "aov", "unpaid_share", "mean", "recent", "recent_share", "bought_again"):
        found = project(pl.DataFrame([*ENDS, *rows])).why(name, by="country", period="2026-02")
        adds_up(found)
        assert as_data(project(pl.DataFrame(mixed)).why(name, by="country", period="2026-02")) == as_data(found)


def test_on_a_page_it_is_a_table() -> None:
    page = project().why("paid_share", by="country")._repr_html_()
    assert "<table>" in page
    assert "<pre>" not in page
    assert "by mix" in page
