"""What may be looked up, by what, and what is said where it may not."""

from __future__ import annotations

from typing import Any

import pytest

from smartkpi.diagnostics import Severity
from smartkpi.language.types import BOOLEAN, DATE, NUMBER, TEXT, WHOLE
from smartkpi.semantics.check import Checked, check
from smartkpi.spec.load import load

SCHEMAS = {
    "orders": {"ts": DATE, "customer_id": WHOLE, "amount": NUMBER, "sku": TEXT},
    "customers": {"id": WHOLE, "country": TEXT, "vip": BOOLEAN, "size": NUMBER, "city": TEXT, "since": DATE},
    "cities": {"city": TEXT, "people": WHOLE},
}
GOOD = {"dataset": "customers", "on": {"customer_id": "id"}, "fields": ["country", "vip"]}


def checked(lookup: Any = GOOD, kpi: str = "order", *, data: bool = True, **orders: Any) -> Checked:
    datasets = {
        "orders": {"time": "ts", "lookups": {"customer": lookup}, "events": {"order": "all rows"}, **orders},
        "customers": {"lookups": {"town": {"dataset": "cities", "on": "city"}}},
        "cities": {},
    }
    loaded = load({"datasets": datasets, "kpis": {"k": kpi}})
    assert not [one for one in loaded.diagnostics if one.severity is Severity.ERROR]
    return check(loaded.catalog, SCHEMAS if data else None)


def problems(*args: Any, **options: Any) -> list[tuple[str, str, str]]:
    found = checked(*args, **options).diagnostics
    return [(one.code, one.message, one.hint) for one in found if one.severity is Severity.ERROR]


@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize(
    "kpi",
    [
        'count(order where customer.country == "BR" and not customer.vip)',
        "distinct(order.customer.country)",
        "sum(order.customer.town.people) / order",
        "max((order where amount > 1).customer.town.people)",
    ],
)
def test_looked_up_fields_are_typed(kpi: str, data: bool) -> None:
    assert problems(kpi=kpi, data=data) == []


@pytest.mark.parametrize(
    ("kpi", "message", "hint"),
    [
        ("distinct(order.customer.contry)", "the lookup `customer` has no field `contry`", "did you mean `country`?"),
        ("sum(order.customer.size)", "the lookup `customer` has no field `size`", "add it to the lookup's `fields`"),
        ("sum(order.customer.town.peple)", "`cities` has no column or field `peple`", "did you mean `people`?"),
        ("sum(order.customer.city.people)", "`customers` has no lookup `city`", ""),
        ("sum(order.custmer.size)", "`order` has no lookup `custmer`", "did you mean `customer`?"),
        ('count(order where custmer.country == "BR")', "`order` has no lookup `custmer`", "did you mean `customer`?"),
    ],
)
def test_unknown_fields(kpi: str, message: str, hint: str) -> None:
    assert problems(kpi=kpi) == [("unknown-field", message, hint)]


def test_types_of_looked_up_fields_are_checked() -> None:
    assert [code for code, *_ in problems(kpi="sum(order.customer.country)")] == ["type-mismatch"]
    assert [code for code, *_ in problems(kpi="count(order where customer.country > 3)")] == ["type-mismatch"]
    assert [code for code, *_ in problems(fields={"x": "customer.vip + 1"}, kpi="order")] == ["type-mismatch"]


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        ({"dataset": "customers", "on": {"amount": "size"}}, "rows cannot be looked up by `amount`"),
        ({"dataset": "customers", "on": {"customer_id": "country"}}, "no row would match"),
    ],
)
def test_wrong_keys(lookup: Any, message: str) -> None:
    found = problems(lookup)
    assert {code for code, *_ in found} == {"bad-lookup"}
    assert message in found[0][1]


def test_unknown_names_of_a_lookup() -> None:
    assert problems({"dataset": "custmers", "on": "id"})[0][::2] == ("unknown-dataset", "did you mean `customers`?")
    assert problems({"dataset": "customers", "on": "idd"})[0][0] == "unknown-field"
    assert problems({**GOOD, "fields": ["contry"]})[0][::2] == ("unknown-field", "did you mean `country`?")
    ends = {**GOOD, "valid": ["since", "vip"]}
    assert [code for code, *_ in problems(ends)] == ["not-a-time"]


def test_what_reads_a_wrong_lookup_is_left_out_alone() -> None:
    wrong = {"dataset": "custmers", "on": "id"}
    found = checked(wrong, kpi="order")
    assert list(found.kpis) == ["k"]
    found = checked(wrong, kpi='count(order where customer.country == "BR")')
    assert list(found.kpis) == []


def test_the_time_of_a_row_may_be_looked_up_but_not_as_of_itself() -> None:
    assert problems({**GOOD, "fields": ["since"]}, time="customer.since") == []
    dated = {**GOOD, "fields": ["since"], "valid": ["since", "since"]}
    assert [code for code, *_ in problems(dated, time="customer.since")] == ["bad-lookup"]


def test_a_lookup_does_not_hide_a_column() -> None:
    columns = {**SCHEMAS, "orders": {**SCHEMAS["orders"], "customer.country": TEXT}}
    datasets = {
        "orders": {"time": "ts", "lookups": {"customer": GOOD}, "events": {"order": "all rows"}},
        "customers": {},
    }
    found = check(load({"datasets": datasets, "kpis": {"k": "order"}}).catalog, columns)
    assert [one.code for one in found.diagnostics if one.severity is Severity.ERROR] == ["bad-lookup"]


@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize("key", ["customer.city", "home"])
def test_what_a_lookup_finds_may_be_looked_up_by(key: str, data: bool) -> None:
    lookups = {"town": {"dataset": "cities", "on": {key: "city"}}, "customer": {**GOOD, "fields": ["city"]}}
    found = checked(kpi="sum(order.town.people)", data=data, fields={"home": "customer.city"}, lookups=lookups)
    assert [one for one in found.diagnostics if one.severity is Severity.ERROR] == []
    assert list(found.datasets["orders"].lookups) == ["customer", "town"]


@pytest.mark.parametrize(
    ("on", "code", "message"),
    [
        ({"customer.city": "city"}, "unknown-field", "the lookup `customer` has no field `city`"),
        ({"custmer.city": "city"}, "unknown-field", "`orders` has no column or field `custmer.city`"),
        ({"customer.vip": "city"}, "bad-lookup", "no row would match"),
        ({"town.city": "city"}, "lookup-cycle", "look up by each other's values: `town` -> `town`"),
    ],
)
def test_wrong_keys_that_are_looked_up(on: Any, code: str, message: str) -> None:
    lookups = {"customer": GOOD, "town": {"dataset": "cities", "on": on}}
    (found,) = problems(kpi="order", lookups=lookups)
    assert found[0] == code
    assert message in found[1]


def test_the_other_side_is_found_by_its_own_columns() -> None:
    datasets = {
        "orders": {
            "time": "ts",
            "lookups": {"customer": {"dataset": "customers", "on": {"customer_id": "size_of_town"}}},
            "events": {"order": "all rows"},
        },
        "customers": {
            "fields": {"size_of_town": "town.people"},
            "lookups": {"town": {"dataset": "cities", "on": "city"}},
        },
        "cities": {},
    }
    found = check(load({"datasets": datasets, "kpis": {"k": "order"}}).catalog, SCHEMAS).diagnostics
    assert [one.message for one in found if one.code == "bad-lookup"] == [
        "rows of `customers` cannot be found by `size_of_town`: there it is itself looked up"
    ]


def test_a_group_by_what_is_looked_up_is_no_field_of_others_whatever_data_is_at_hand() -> None:
    orders = {"time": "ts", "lookups": {"customer": GOOD}, "events": {"order": "all rows"}}
    definition = {
        "datasets": {"orders": orders, "customers": {}, "web": {"time": "ts", "events": {"visit": "all rows"}}},
        "groups": {"often": {"of": "customer.country", "where": "count(order) > 1", "at": "event"}},
        "kpis": {"k": "count(order where often)"},
    }
    catalog = load(definition).catalog
    for schemas in (SCHEMAS, SCHEMAS | {"web": {"ts": DATE}}, None):
        found = check(catalog, schemas)
        assert [one for one in found.diagnostics if one.severity is Severity.ERROR] == []
        assert "often" not in found.scopes["visit"].fields


@pytest.mark.parametrize(
    ("kpi", "code"),
    [
        ("count(order where start_of(customer.since, month) == ts)", ""),
        ("count(order where start_of(customer.since, hour) == ts)", "unknown-grain"),
        ("count(order where start_of(customer.since, moon) == ts)", "unknown-grain"),
        ("count(order where start_of(customer.since) == ts)", "wrong-arguments"),
        ("count(order where start_of(customer.since, month, 2) == ts)", "wrong-arguments"),
        ("count(order where start_of(sku, month) == ts)", "type-mismatch"),
        ("count(order where start_of(ts, month) == 3)", "type-mismatch"),
        ("start_of(order, month)", "row-function"),
        ("count(order where month(ts) == 3)", "unknown-function"),
    ],
)
def test_the_period_of_a_looked_up_time(kpi: str, code: str) -> None:
    lookup = {**GOOD, "fields": ["since"]}
    assert [found for found, _, _ in problems(lookup, kpi)] == ([code] if code else [])
