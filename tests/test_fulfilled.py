"""What a pack declares is fulfilled by an event that is made of others, as it is by a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.diagnostics import Severity

ROWS = pl.DataFrame(
    {
        "ts": ["2026-01-05", "2026-01-06", "2026-02-05", "2026-02-06"],
        "who": ["ann", "bob", "ann", "bob"],
        "total": [10.0, 20.0, 10.0, 20.5],
        "status": ["paid", "open", "paid", "paid"],
    }
).with_columns(pl.col("ts").str.to_date())
LOG = {"time": "ts", "fields": {"buyer": "who", "amount": "total"}, "events": {"order": "all rows"}}
PAID = 'order where status == "paid"'


def project(folder: Path | None = None, part: str = "", **more: Any) -> smartkpi.Project:
    definition = {"include": ["customers"], "datasets": {"log": LOG}, **more}
    if folder is not None:
        (folder / "part.yml").write_text(part, encoding="utf-8")
        definition["include"] = [{"path": str(folder / "part.yml")}]
    return smartkpi.load(definition, data={"log": ROWS})


def problems(opened: smartkpi.Project) -> list[tuple[str, str]]:
    found = opened.check(data=True).diagnostics
    return [(one.code, one.message) for one in found if one.severity is Severity.ERROR]


def test_a_condition_makes_the_event_of_a_pack() -> None:
    opened = project(events={"sales_order": PAID, "order_with_amount": PAID})
    assert problems(opened) == []
    rows = opened.run(["ordering_customers", "new_customers", "returning_revenue_share"], grain="month").to_dicts()
    values = {(row["kpi"], f"{row['start']:%m}"): row["value"] for row in rows}
    assert values == {
        ("ordering_customers", "01"): 1, ("ordering_customers", "02"): 2,
        ("new_customers", "01"): 1, ("new_customers", "02"): 1,
        ("returning_revenue_share", "01"): 0, ("returning_revenue_share", "02"): pytest.approx(10 / 30.5),
    }  # fmt: skip
    cohort = opened.run("revenue_cohorts", grain="month", until="2026-01").to_dicts()
    assert cohort[0]["value"] == 1


def test_steps_make_the_event_of_a_pack() -> None:
    opened = project(events={"sales_order": "repeat order by buyer", "order_with_amount": "first order by buyer"})
    assert problems(opened) == []
    rows = opened.run(["ordering_customers", "returning_revenue_share"], grain="all").to_dicts()
    assert {row["kpi"]: row["value"] for row in rows} == {"ordering_customers": 2, "returning_revenue_share": 0}


def test_an_amount_is_money_as_the_pack_says() -> None:
    opened = project(events={"order_with_amount": PAID}, kpis={"sum": "sum(order_with_amount.amount)"})
    row = opened.run(["sum"], grain="all").to_dicts()[0]
    assert (str(row["money"]), row["unit"]) == ("40.500000", "money")
    wrong = {**LOG, "fields": {"buyer": "who", "amount": "status"}}
    told = problems(project(events={"order_with_amount": PAID}, datasets={"log": wrong}))
    assert told[0] == (
        "unit-mismatch", "`order_with_amount.amount` is declared as money, of `order` it is text",
    )  # fmt: skip


def test_a_field_that_lacks_is_an_error_of_the_event() -> None:
    wrong = {**LOG, "fields": {"amount": "total"}}
    opened = project(events={"sales_order": PAID}, datasets={"log": wrong})
    assert problems(opened) == [("missing-field", "`sales_order` is made of `order`, which has no field `buyer`")]


def test_an_event_of_what_nobody_provides_is_unavailable_too() -> None:
    events = {"order_with_amount": "promised where amount > 5", "promised": {"fields": {"amount": {"unit": "money"}}}}
    opened = project(events=events)
    assert problems(opened) == []
    row = opened.run(["returning_revenue_share"]).to_dicts()[0]
    assert (row["state"], row["reason"]) == ("unavailable", "no dataset provides `promised`")


def test_labels_are_those_of_the_pack_unless_it_says_its_own() -> None:
    said = {"is": PAID, "label": "Paid"}
    derived = project(events={"sales_order": PAID, "order_with_amount": said}).catalog.derived
    assert derived["sales_order"].label.get("zh") == "销售订单"
    assert derived["order_with_amount"].label.get("zh") == "Paid"


@pytest.mark.parametrize(
    ("part", "events", "code"),
    [
        ("events: {paid: {fields: {buyer: }}}\nkpis: {n: paid}\n", {"paid": PAID}, None),
        ("events: {paid: order where status is null}\n", {"paid": {"fields": {"buyer": {}}}}, None),
        ("events: {paid: order where status is null}\n", {"paid": PAID}, "duplicate-name"),
        ("events: {paid: {key: number, prefer: [log]}}\n", {"paid": PAID}, "bad-value"),
        ("events: {order: {fields: {buyer: }}}\n", {"order": "order where buyer is null"}, "duplicate-name"),
        ("kpis: {paid: count(order)}\n", {"paid": PAID}, "duplicate-name"),
    ],
)
def test_one_of_two_may_be_made_of_others(tmp_path: Path, part: str, events: dict[str, Any], code: str | None) -> None:
    opened = project(tmp_path, part, events=events)
    assert {one for one, _ in problems(opened)} == ({code} if code else set())


def test_two_files_of_a_project_say_it_once(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("events: {paid: {fields: {buyer: }}}\n", encoding="utf-8")
    (tmp_path / "b.yml").write_text("events: {order: , paid: order where buyer is null}\n", encoding="utf-8")
    assert [one for one, _ in problems(smartkpi.load(tmp_path))] == ["duplicate-name"]
