"""`drill`: what lies below segments, as dimensions say; a drill is a question that one could have written out."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import smartkpi
from smartkpi.diagnostics import KpiError

ORDERS = pl.DataFrame(
    {
        "time": [date(2026, 1, day) for day in range(1, 8)],
        "country": ["BR", "BR", "BR", "DE", "DE", None, "BR"],
        "region": ["SP", "SP", "RJ", "HE", "HE", None, None],
        "city": ["Santos", "Campinas", "Niteroi", "Kassel", "Kassel", None, "Santos"],
        "tier": [1, 2, 1, 2, 2, 1, 1],
        "shop": [10, 20, 11, 21, 22, 12, 13],
        "buyer": ["a", "b", "a", "c", "d", "c", "b"],
    }
)
BUYERS = pl.DataFrame({"buyer": ["a", "b", "c"], "group": ["x", "x", "y"], "team": ["x1", "x2", "y1"]})
DIMENSIONS: dict[str, Any] = {
    "region": {"parent": "country", "order": ["SP", "RJ"]},
    "city": {"parent": "region", "values": {"Niteroi": "Niterói"}},
    "country": {"values": {"DE": {"en": "Germany", "zh": "德国"}}},
    "shop": {"parent": "tier"},
    "team": {"parent": "group"},
    "buyer": {"parent": "customer.team"},
}


@pytest.fixture
def project() -> smartkpi.Project:
    lookups = {"customer": {"dataset": "buyers", "on": "buyer"}}
    datasets = {"orders": {"time": "time", "lookups": lookups, "events": {"order": "all rows"}}, "buyers": {}}
    written = {"datasets": datasets, "dimensions": DIMENSIONS, "kpis": {"orders": "order", "part": "share(order)"}}
    return smartkpi.load(written, data={"orders": ORDERS, "buyers": BUYERS})


@pytest.mark.parametrize(
    ("drilled", "written"),
    [
        ({"by": "country", "drill": True}, {"by": "country,region"}),
        ({"by": "country,tier", "drill": "country"}, {"by": "country,region,tier"}),
        ({"by": "country,region", "drill": True}, {"by": "country,region,city"}),
        ({"by": "country,region", "drill": "country"}, {"by": "country,region"}),
        ({"drill": "region"}, {"by": "region,city"}),
        ({"drill": "region=SP"}, {"by": "city", "where": 'region == "SP"'}),
        ({"by": "tier", "drill": "region = SP"}, {"by": "tier,city", "where": 'region == "SP"'}),
        ({"by": "region", "drill": "region=SP"}, {"by": "region,city", "where": 'region == "SP"'}),
        ({"drill": "country=德国"}, {"by": "region", "where": 'country == "DE"'}),
        ({"drill": "region=null"}, {"by": "city", "where": "region is null"}),
        ({"drill": "tier=2"}, {"by": "shop", "where": "tier == 2"}),
        ({"drill": 'region="SP"', "where": "tier == 1"}, {"by": "city", "where": 'tier == 1 and region == "SP"'}),
        ({"by": "customer.group", "drill": True}, {"by": "customer.group,customer.team"}),
        ({"drill": "customer.group=x"}, {"by": "customer.team", "where": 'customer.group == "x"'}),
        ({"by": "customer.team", "drill": True}, {"by": "customer.team,buyer"}),
        ({"drill": "customer.team=x1"}, {"by": "buyer", "where": 'customer.team == "x1"'}),
        ({"by": "region", "drill": True, "top": 2, "total": True}, {"by": "region,city", "top": 2, "total": True}),
    ],
)
def test_a_drill_is_a_question_written_out(
    project: smartkpi.Project, drilled: dict[str, Any], written: dict[str, Any]
) -> None:
    found, expected = project.run(grain="all", **drilled), project.run(grain="all", **written)
    assert_frame_equal(found.frame, expected.frame, check_exact=True)
    assert found.by == expected.by
    assert found.frame.height


def test_the_order_is_that_of_both(project: smartkpi.Project) -> None:
    rows = project.run("orders", grain="all", by="region", drill=True).frame.select("region", "city", "value").rows()
    assert rows == [
        ("SP", "Campinas", 1),
        ("SP", "Santos", 1),
        ("RJ", "Niterói", 1),
        (None, None, 1),
        (None, "Santos", 1),
        ("HE", "Kassel", 2),
    ]


def test_the_value_of_a_segment_is_of_the_type_of_its_field() -> None:
    rows = pl.DataFrame(
        {"code": ["01", "1", "true", "null", None], "city": list("abcde"), "tier": [1] * 5, "shop": [7] * 5}
    )
    tiers = {"values": {"1": {"en": "first"}}}
    written = {
        "datasets": {"orders": {"time": "none", "events": {"order": "all rows"}}},
        "dimensions": {"city": {"parent": "code"}, "shop": {"parent": "tier"}, "tier": tiers},
        "kpis": {"orders": "order"},
    }
    project = smartkpi.load(written, data={"orders": rows})
    for typed, city in {"01": "a", "1": "b", "true": "c", '"null"': "d", "null": "e"}.items():
        assert project.run(drill=f"code={typed}").frame["city"].to_list() == [city]
    for typed in ("1", "first"):
        assert project.run(drill=f"tier={typed}").frame["value"].to_list() == [5]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"drill": True}, "needs a field"),
        ({"drill": " =SP"}, "needs a field"),
        ({"by": "city", "drill": True}, "nothing lies below `city`"),
        ({"by": "country", "drill": "regio"}, "nothing lies below `regio`"),
        ({"by": "country", "drill": "orders"}, "nothing lies below `orders`"),
    ],
)
def test_what_cannot_be_drilled_into_is_refused(project: smartkpi.Project, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(KpiError, match=words) as raised:
        project.run(**asked)
    assert raised.value.diagnostics[0].code == "no-hierarchy"
    assert raised.value.diagnostics[0].hint


def test_several_below_are_to_be_chosen_from() -> None:
    written = {
        "datasets": {"orders": {"time": "time", "events": {"order": "all rows"}}},
        "dimensions": {"region": {"parent": "country"}, "tier": {"parent": "country"}},
        "kpis": {"orders": "order"},
    }
    with pytest.raises(KpiError) as raised:
        smartkpi.load(written, data={"orders": ORDERS}).run(by="country", drill=True)
    assert "`--by country,region`, `--by country,tier`" in raised.value.diagnostics[0].hint


def test_a_value_below_two_others_is_told(project: smartkpi.Project) -> None:
    (told,) = project.run("orders", grain="all", by="region,city").diagnostics
    assert (told.code, told.message) == ("two-parents", "`Santos` of `city` lies below several of `region`: none, `SP`")
    assert not project.run("orders", grain="all", by="country,region").diagnostics


def test_a_field_below_itself_is_refused() -> None:
    dimensions = {"a": {"parent": "b"}, "b": {"parent": "c"}, "c": {"parent": "b"}}
    found = smartkpi.load({"dimensions": dimensions}).check().diagnostics
    assert [(one.code, one.subject) for one in found] == [("bad-value", "dimension:b"), ("bad-value", "dimension:c")]
    assert "`b` → `c` → `b`" in found[0].message
