"""An event counted once across its datasets, and rows counted once by their key, worked by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.api.failures import DataError
from smartkpi.diagnostics import Severity

DAYS = [date(2026, 1, day) for day in (1, 2, 31)]
SHOP = pl.DataFrame({"order_id": [1, 2, 3], "day": DAYS, "status": ["ok", "no", "ok"], "amount": [10, 20, 30]})
WEB = pl.DataFrame({"order_id": [1, 2, 4, None], "day": [*DAYS, DAYS[2]], "amount": [11, 21, 41, 5]})
PHONE = pl.DataFrame({"id": [2, 5, 4, None], "day": [*DAYS, DAYS[1]], "amount": [12, 52, 42, 6]})
DATASETS: dict[str, Any] = {
    "phone": {"time": "day", "fields": {"order_id": "id"}, "events": {"order": "all rows"}},
    "shop": {"time": "day", "events": {"order": 'status == "ok"'}},
    "web": {"time": "day", "events": {"order": "all rows"}},
}
PREFER = {"order": {"key": "order_id", "prefer": ["shop", "web", "phone"]}}
KPIS = {"orders": "order", "revenue": "sum(order.amount)", "ids": "distinct(order.order_id)"}


def project(events: Any = PREFER, datasets: Any = DATASETS, **data: pl.DataFrame) -> smartkpi.Project:
    definition = {"events": events, "datasets": datasets, "kpis": KPIS}
    return smartkpi.load(definition, data={"shop": SHOP, "web": WEB, "phone": PHONE, **data})


def values(result: smartkpi.Result) -> list[Any]:
    return list(result.frame["value"])


def codes(found: smartkpi.Project) -> list[tuple[str, str]]:
    problems = found.check(data=True).diagnostics
    return [(one.code, one.message) for one in problems if one.severity is Severity.ERROR]


@pytest.mark.parametrize("optimize", [True, False])
def test_an_order_of_several_datasets_is_that_of_the_first(optimize: bool) -> None:
    found = project().run(optimize=optimize)
    # shop: 1 and 3; web: 2 (not an order in the shop), 4, and one without a number; phone: 5 and one without
    assert values(found) == [7, 10 + 30 + 21 + 41 + 5 + 52 + 6, 5]
    left = {name: one["left_out"] for name, one in found.provenance.datasets.items()}
    assert left == {"shop": {}, "web": {"preferred_elsewhere": 1}, "phone": {"preferred_elsewhere": 2}}
    assert {name: one["rows"] for name, one in found.provenance.datasets.items()} == {"shop": 3, "web": 4, "phone": 4}
    assert [one.message for one in found.diagnostics] == [
        "2 rows of `order` left out in `phone`: known from `shop` or `web`",
        "1 row of `order` left out in `web`: known from `shop`",
    ]


def test_segments_and_conditions_come_after() -> None:
    by = project().run("orders", by="dataset").frame.filter(pl.col("level") == "segment")
    assert list(by["value"]) == [2, 2, 3]
    assert values(project().run("orders", where='dataset == "phone"')) == [2]


def test_what_the_as_of_does_not_show_hides_nothing() -> None:
    found = project().run("orders", grain="all", as_of="2026-01-30")
    assert values(found) == [1 + 1 + 2]  # 1 in the shop, 2 on the web; by phone 5 and the one without a number


def test_a_dataset_alone_is_as_it_is() -> None:
    one = {"order": {"key": "order_id", "prefer": ["shop"]}}
    definition = {"events": one, "datasets": {"shop": DATASETS["shop"]}, "kpis": {"orders": "order"}}
    assert values(smartkpi.load(definition, data={"shop": SHOP}).run()) == [2]


@pytest.mark.parametrize(
    ("prefer", "code", "words"),
    [
        (["shop", "web"], "bad-prefer", "leaves out `phone`"),
        (["shop", "web", "phone", "fax"], "unknown-dataset", "no dataset is named `fax`"),
        (["shop", "web", "phone", "other"], "bad-prefer", "`other`, which does not provide"),
    ],
)
def test_prefer_names_those_that_provide_the_event(prefer: list[str], code: str, words: str) -> None:
    datasets = {**DATASETS, "other": {"time": "day"}}
    ((found, message), *_) = codes(project({"order": {"key": "order_id", "prefer": prefer}}, datasets, other=SHOP))
    assert found == code
    assert words in message


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pl.lit("x"), "is number in `web`, text in `phone`"),
        (pl.lit(1.5), "is a number with fractions in `phone`"),
    ],
)
def test_the_key_is_of_one_kind_everywhere(column: pl.Expr, words: str) -> None:
    ((code, message), *_) = codes(project(phone=PHONE.with_columns(id=column)))
    assert code == "bad-prefer"
    assert words in message


def test_a_dataset_without_the_key_is_told_how_to_name_it() -> None:
    datasets = {**DATASETS, "phone": {"time": "day", "events": {"order": "all rows"}}}
    ((code, message), *_) = codes(project(datasets=datasets))
    assert (code, message) == ("bad-prefer", "`phone` has no field `order_id`, the key of `order`")


@pytest.mark.parametrize("twice", ["shop", "web", "phone"])
def test_a_key_twice_in_one_dataset_is_an_error(twice: str) -> None:
    table = {"shop": SHOP, "web": WEB, "phone": PHONE}[twice]
    with pytest.raises(DataError, match=f"`{twice}` has several rows of `order` with one key"):
        project(**{twice: pl.concat([table, table.head(1)])}).run()
    datasets = {**DATASETS, twice: {**DATASETS[twice], "key": "order_id"}}
    found = project(datasets=datasets, **{twice: pl.concat([table, table.head(1)])}).run()
    assert values(found) == values(project().run())


def test_preferences_in_opposite_directions() -> None:
    datasets = {
        "shop": {"time": "day", "events": {"order": "all rows", "refund": "amount > 15"}},
        "web": {"time": "day", "events": {"order": "all rows", "refund": "amount > 15"}},
    }
    events = {
        "order": {"key": "order_id", "prefer": ["shop", "web"]},
        "refund": {"key": "order_id", "prefer": ["web", "shop"]},
    }
    kpis = {"orders": "order", "refunds": "sum(refund.amount)"}
    found = smartkpi.load({"events": events, "datasets": datasets, "kpis": kpis}, data={"shop": SHOP, "web": WEB})
    assert values(found.run()) == [5, 21 + 41 + 30]


VERSIONS = pl.DataFrame(
    {"id": [1, 1, 2, 2, 3], "day": [DAYS[0]] * 5, "version": [2, 1, None, 1, 1], "amount": [10, 99, 99, 20, 30]}
)


def versions(frame: pl.DataFrame, keep: str | None) -> smartkpi.Project:
    dataset = {"time": "day", "key": "id", "events": {"order": "all rows"}, **({"keep": keep} if keep else {})}
    return smartkpi.load({"datasets": {"log": dataset}, "kpis": {"revenue": "sum(order.amount)"}}, data={"log": frame})


def test_the_row_that_keep_names_stays() -> None:
    found = versions(VERSIONS, "latest by version").run()
    assert values(found) == [60]
    assert found.provenance.datasets["log"]["left_out"] == {"duplicate": 2}
    assert values(versions(VERSIONS, "latest by -coalesce(version, 9)").run()) == [99 + 20 + 30]
    assert values(versions(VERSIONS, 'latest by if(amount > 50, "a", "b")').run()) == [60]


def test_without_keep_the_same_time_is_a_tie() -> None:
    with pytest.raises(DataError, match="different rows of one key and time"):
        versions(VERSIONS, None).run()
    with pytest.raises(DataError, match="different rows of one key and order"):
        versions(VERSIONS.with_columns(version=1), "latest by version").run()


def test_a_table_to_look_up_keeps_its_latest_rows(tmp_path: Path) -> None:
    people = pl.DataFrame({"buyer": ["a", "a", "b"], "country": ["BR", "US", "BR"], "written": [1, 2, 1]})
    people.write_parquet(tmp_path / "people.parquet")
    orders = pl.DataFrame({"day": DAYS, "buyer": ["a", "b", "b"]})
    datasets = {
        "log": {
            "time": "day",
            "lookups": {"who": {"dataset": "people", "on": "buyer"}},
            "events": {"order": "all rows"},
        },
        "people": {"read": str(tmp_path / "people.parquet"), "key": "buyer", "keep": "latest by written"},
    }
    found = smartkpi.load({"datasets": datasets, "kpis": {"orders": "order"}}, data={"log": orders})
    by = found.run(by="who.country").frame
    assert dict(zip(by["who.country"], by["value"], strict=True)) == {"BR": 2, "US": 1}
