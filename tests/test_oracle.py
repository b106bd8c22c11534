"""The oracle against answers worked out by hand from the language's own page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.oracle.answer import Question, answer

SHOP = {"shop": {"time": "at", "events": {"order": "all rows"}}}
TWO = {
    "shop": {"time": "at", "events": {"order": "all rows"}},
    "web": {"time": "on", "events": {"visit": "all rows"}},
}
Rows = Mapping[str, list[dict[str, Any]]]


def ask(
    kpis: Mapping[str, Any],
    rows: Rows,
    datasets: Mapping[str, Any] = SHOP,
    more: Mapping[str, Any] | None = None,
    **q: Any,
) -> list[dict[str, Any]]:
    return answer({"datasets": datasets, "kpis": kpis, **(more or {})}, rows, Question(**q))


def columns(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    """Some columns of a result: plain values for one, tuples for several."""
    found = [tuple(row.get(name) for name in names) for row in rows]
    return [row[0] for row in found] if len(names) == 1 else found


def on(*days: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"at": date.fromisoformat(day), "on": date.fromisoformat(day), **fields} for day in days]


def at(*moments: str, **fields: Any) -> list[dict[str, Any]]:
    found = [datetime.fromisoformat(moment) for moment in moments]
    return [{"at": moment, "on": moment, **fields} for moment in found]


def days(first: str, count: int) -> list[str]:
    return [(date.fromisoformat(first) + timedelta(days=i)).isoformat() for i in range(count)]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Zero, no data, undefined


def test_covered_without_rows_is_zero_and_the_first_and_last_months_are_incomplete() -> None:
    found = ask({"orders": "order"}, {"shop": on("2026-01-05", "2026-03-10")}, grain="month")
    assert columns(found, "value", "state", "flags", "n") == [
        (1, "ok", ["incomplete"], 1),
        (0, "ok", [], 0),
        (1, "ok", ["incomplete"], 1),
    ]
    assert found[1]["start"] == utc("2026-02-01")
    assert found[1]["end"] == utc("2026-03-01")


def test_averages_and_extremes_of_no_rows_are_no_data() -> None:
    rows = {"shop": [*on("2026-01-01", amount=-2.0), *on("2026-03-01", amount=5.0)]}
    kpis = {"mean": "avg(order.amount)", "low": "min(order.amount)", "total": "sum(order.amount)"}
    found = ask(kpis, rows, grain="month")
    assert columns(found, "value", "state") == [
        (-2, "ok"), (None, "no_data"), (5, "ok"),
        (-2, "ok"), (None, "no_data"), (5, "ok"),
        (-2, "ok"), (0, "ok"), (5, "ok"),
    ]  # fmt: skip


def test_nothing_over_nothing_is_undefined() -> None:
    rows = {"shop": [*on("2026-01-01", "2026-03-01", paid=True)]}
    found = ask({"rate": "count(order where paid) / order"}, rows, grain="month")
    assert columns(found, "value", "state", "n") == [(1, "ok", 1), (None, "undefined", 0), (1, "ok", 1)]


def test_nan_is_null_and_meets_no_condition() -> None:
    rows = {
        "shop": [{"at": date(2026, 1, 1), "amount": amount} for amount in (10.0, float("nan"), float("inf"), None, 2.0)]
    }
    kpis = {
        "mean": "avg(order.amount)",
        "big": "order where amount > 5",
        "small": "order where not amount > 5",
        "other": "order where amount != 10",
        "known": "order where amount is not null",
        "out": "order where amount not between 0 and 5",
    }
    found = ask(kpis, rows, grain="all")
    assert columns(found, "kpi", "value", "n") == [
        ("mean", 6, 2), ("big", 1, 1), ("small", 4, 4), ("other", 4, 4), ("known", 2, 2), ("out", 4, 4),
    ]  # fmt: skip


def test_a_null_flag_counts_as_false() -> None:
    rows = {"shop": [{"at": date(2026, 1, 1), "paid": paid} for paid in (True, False, None)]}
    found = ask({"yes": "order where paid", "no": "order where not paid"}, rows, grain="all")
    assert columns(found, "value") == [1, 2]


@pytest.mark.parametrize(
    ("formula", "value", "state"),
    [
        ("if(order > 1, 1, 2)", 1, "ok"),
        ("if(order / (order - order) > 1, 1, 2)", 2, "ok"),
        ("coalesce(order / (order - order), 7)", 7, "ok"),
        ("coalesce(order / (order - order), avg(order.amount where amount > 99))", None, "no_data"),
        ("avg(order.amount where amount > 99) + order / (order - order)", None, "no_data"),
        ("ln(order - order)", None, "undefined"),
        ("greatest(order, 5) - 2 ^ 3", -3, "ok"),
        ("order + avg(order.amount) * vat", 2.3, "ok"),
        ("round(-order / 4)", -1, "ok"),
        ("mod(-order, 5)", 3, "ok"),
    ],
)
def test_states_of_formulas(formula: str, value: float | None, state: str) -> None:
    rows = {"shop": [*on("2026-01-01", amount=1.0), *on("2026-01-02", amount=2.0)]}
    (found,) = ask({"x": formula}, rows, more={"constants": {"vat": "20%"}}, grain="all")
    assert (found["value"], found["state"]) == (value, state)


# Counted rows


COUNTED = {
    "ads": {
        "time": "at",
        "events": {"shown": {"count": "shows"}},
    }
}


def counted(*rows: tuple[str, int | None, float | None]) -> Rows:
    return {"ads": [{"at": date.fromisoformat(day), "shows": count, "cost": cost} for day, count, cost in rows]}


def test_a_missing_day_of_counts_is_no_data() -> None:
    rows = counted(("2026-01-01", 3, 1.0), ("2026-01-03", 4, 2.0))
    found = ask({"shows": "shown"}, rows, COUNTED, grain="day")
    assert columns(found, "value", "state", "flags") == [
        (3, "ok", []), (None, "no_data", ["incomplete"]), (4, "ok", []),
    ]  # fmt: skip
    (month,) = ask({"shows": "shown"}, rows, COUNTED, grain="month")
    assert (month["value"], month["flags"]) == (7, ["incomplete"])


def test_gaps_may_be_zero() -> None:
    rows = counted(("2026-01-01", 3, 1.0), ("2026-01-03", 4, 2.0))
    found = ask({"shows": "shown"}, rows, {"ads": {**COUNTED["ads"], "gaps": "zero"}}, grain="day")
    assert columns(found, "value", "state", "flags") == [(3, "ok", []), (0, "ok", []), (4, "ok", [])]


def test_a_null_count_leaves_its_period_incomplete_and_its_other_numbers_sum() -> None:
    rows = counted(("2026-01-01", 3, 1.0), ("2026-01-02", None, 2.0), ("2026-01-03", 4, None))
    kpis = {"shows": "shown", "cost": "sum(shown.cost)"}
    found = ask(kpis, rows, COUNTED, grain="day")
    assert columns(found, "value", "n") == [(3, 3), (None, None), (4, 4), (1, 3), (2, None), (0, 4)]
    assert columns(found, "flags")[:3] == [[], ["incomplete"], []]


def test_an_average_of_counted_rows_is_their_total_by_their_count() -> None:
    rows = counted(("2026-01-01", 3, 1.0), ("2026-01-01", 5, None), ("2026-01-01", 1, 3.0))
    (found,) = ask({"mean": "avg(shown.cost)"}, rows, COUNTED, grain="day")
    assert (found["value"], found["n"]) == (1, 4)


# As-of, complete periods, coverage


@pytest.mark.parametrize(
    ("as_of", "value", "flags"),
    [
        (date(2026, 1, 31), 3, []),
        (date(2026, 1, 30), 2, ["incomplete"]),
        (datetime(2026, 1, 31, 23, tzinfo=UTC), 3, ["incomplete"]),
        (datetime(2026, 1, 31, 22, 59, tzinfo=UTC), 2, ["incomplete"]),
        (None, 3, ["incomplete"]),
    ],
)
def test_a_date_covers_its_day_and_an_instant_is_inclusive(as_of: Any, value: float, flags: list[str]) -> None:
    rows = {"shop": at("2026-01-01T00:00", "2026-01-16T12:00", "2026-01-31T23:00")}
    (found,) = ask({"orders": "order"}, rows, grain="month", as_of=as_of)
    assert (found["value"], found["flags"]) == (value, flags)


def test_a_scorecard_shows_the_last_complete_month() -> None:
    rows = {"shop": at("2026-01-01T08:00", "2026-02-03T10:00", "2026-02-20T10:00", "2026-03-02T10:00")}
    (found,) = ask({"orders": "order"}, rows)
    assert (found["start"], found["value"], found["flags"]) == (utc("2026-02-01"), 2, [])


def test_a_scorecard_without_a_complete_month_shows_the_last_and_says_so() -> None:
    (found,) = ask({"orders": "order"}, {"shop": on("2026-01-05", "2026-01-06")})
    assert (found["start"], found["value"], found["flags"]) == (utc("2026-01-01"), 2, ["incomplete"])


def test_a_silent_dataset_is_stale() -> None:
    rows = {"shop": on(*days("2026-01-01", 3)), "web": on(*days("2026-01-01", 6))}
    found = ask({"rate": "order / visit"}, rows, TWO, grain="day")
    assert columns(found, "value", "state", "flags") == [
        (1, "ok", []), (1, "ok", []), (1, "ok", []),
        (None, "no_data", ["incomplete", "stale"]),
        (None, "no_data", ["incomplete", "stale"]),
        (None, "no_data", ["incomplete", "stale"]),
    ]  # fmt: skip


def test_silence_that_happened_before_is_no_news() -> None:
    rows = {"shop": on("2026-01-01", "2026-01-04"), "web": on(*days("2026-01-01", 7))}
    found = ask({"rate": "order / visit"}, rows, TWO, grain="day")
    assert columns(found, "value") == [1, 0, 0, 1, 0, 0, 0]
    assert columns(found, "flags") == [[]] * 7


def test_one_day_of_silence_is_not_stale() -> None:
    rows = {"shop": on("2026-01-01"), "web": on("2026-01-01", "2026-01-02")}
    assert columns(ask({"rate": "order / visit"}, rows, TWO, grain="day"), "value", "flags") == [(1, []), (0, [])]


def test_coverage_may_be_stated() -> None:
    covered = {"shop": {**SHOP["shop"], "covers": {"from": "2026-01-01", "to": "2026-02-28"}}}
    found = ask(
        {"orders": "order"}, {"shop": on("2026-01-05", "2026-02-10")}, covered, grain="month", as_of=date(2026, 3, 31)
    )
    assert columns(found, "value", "state", "flags") == [
        (1, "ok", []), (1, "ok", []), (None, "no_data", ["incomplete"]),
    ]  # fmt: skip


def test_of_a_period_partly_covered_the_covered_part_counts() -> None:
    covered = {"shop": {**SHOP["shop"], "covers": {"from": "2026-01-10"}}}
    found = ask({"orders": "order"}, {"shop": on("2026-01-09", "2026-01-10", "2026-02-28")}, covered, grain="month")
    assert columns(found, "value", "flags") == [(1, ["incomplete"]), (1, [])]
    (whole,) = ask({"orders": "order"}, {"shop": on("2026-01-09", "2026-01-10", "2026-02-28")}, covered, grain="all")
    assert (whole["start"], whole["value"], whole["flags"]) == (utc("2026-01-10"), 2, [])


def test_the_as_of_is_that_of_the_datasets_read() -> None:
    rows = {"shop": on("2026-01-01", "2026-01-31"), "web": on("2026-01-01", "2026-03-31")}
    found = ask({"orders": "order", "visits": "visit"}, rows, TWO)
    assert columns(found, "kpi", "start") == [("orders", utc("2026-01-01")), ("visits", utc("2026-03-01"))]


def test_an_event_may_have_its_own_time() -> None:
    datasets = {
        "shop": {
            "time": "at",
            "events": {"order": "all rows", "delivery": {"when": "sent is not null", "time": "sent"}},
        }
    }
    rows = {"shop": [{"at": date(2026, 1, 1), "sent": date(2026, 1, 3)}, {"at": date(2026, 1, 2), "sent": None}]}
    found = ask({"orders": "order", "deliveries": "delivery"}, rows, datasets, grain="day")
    assert columns(found, "kpi", "value") == [("orders", 1), ("orders", 1), ("orders", 0), ("deliveries", 1)]


# Zones


def test_days_are_local_where_midnight_is_skipped() -> None:
    sao_paulo = {"calendar": {"timezone": "America/Sao_Paulo"}}
    rows = {
        "shop": at(
            "2018-11-04T02:59+00:00", "2018-11-04T03:00+00:00", "2018-11-05T01:59+00:00", "2018-11-05T02:00+00:00"
        )
    }
    found = ask({"orders": "order"}, rows, more=sao_paulo, grain="day")
    assert columns(found, "start", "value") == [
        (utc("2018-11-03T03:00"), 1), (utc("2018-11-04T03:00"), 2), (utc("2018-11-05T02:00"), 1),
    ]  # fmt: skip


def test_the_hour_that_comes_twice_is_two_periods() -> None:
    berlin = {"calendar": {"timezone": "Europe/Berlin"}}
    rows = {
        "shop": at(
            "2026-10-25T00:10+00:00", "2026-10-25T01:10+00:00", "2026-10-25T01:20+00:00", "2026-10-25T02:00+00:00"
        )
    }
    found = ask({"orders": "order"}, rows, more=berlin, grain="hour")
    assert columns(found, "start", "value") == [
        (utc("2026-10-25T00:00"), 1), (utc("2026-10-25T01:00"), 2), (utc("2026-10-25T02:00"), 1),
    ]  # fmt: skip


def test_half_an_hour_that_comes_twice_belongs_to_its_hour() -> None:
    lord_howe = {"calendar": {"timezone": "Australia/Lord_Howe"}}
    rows = {"shop": at("2026-04-04T14:10+00:00", "2026-04-04T15:10+00:00", "2026-04-04T15:30+00:00")}
    found = ask({"orders": "order"}, rows, more=lord_howe, grain="hour")
    assert columns(found, "start", "end", "value")[0] == (utc("2026-04-04T14:00"), utc("2026-04-04T15:30"), 2)
    assert columns(found, "value") == [2, 1]


def test_naive_times_are_in_the_zone_of_their_dataset() -> None:
    datasets = {"shop": {**SHOP["shop"], "timezone": "America/New_York"}}
    berlin = {"calendar": {"timezone": "Europe/Berlin"}}
    rows = {"shop": at("2026-01-05T17:59", "2026-01-05T18:00")}  # 23:59 and 00:00 in Berlin
    found = ask({"orders": "order"}, rows, datasets, berlin, grain="day")
    assert columns(found, "start", "value") == [(utc("2026-01-04T23:00"), 1), (utc("2026-01-05T23:00"), 1)]


def test_between_steps_goes_by_what_the_clock_does() -> None:
    berlin = {"calendar": {"timezone": "Europe/Berlin"}}
    rows = {"shop": at("2026-03-29T01:30", "2026-03-29T03:30", buyer="a")}  # an hour apart: one is skipped
    kpis = {
        "hours": "avg((repeat order by buyer).delay) / 1h",
        "soon": "count(repeat order by buyer within 1h)",
    }
    assert columns(ask(kpis, rows, more=berlin, grain="all"), "value") == [1, 1]


def test_dates_are_never_shifted() -> None:
    tokyo = {"calendar": {"timezone": "Asia/Tokyo"}}
    found = ask({"orders": "order"}, {"shop": on("2026-01-31", "2026-02-01")}, more=tokyo, grain="month")
    assert columns(found, "start", "value") == [(utc("2025-12-31T15:00"), 1), (utc("2026-01-31T15:00"), 1)]


def test_weeks_begin_where_the_calendar_says() -> None:
    rows = {"shop": on("2026-02-14", "2026-02-15")}  # Saturday and Sunday
    sunday = {"calendar": {"week_start": "sunday"}}
    assert columns(ask({"orders": "order"}, rows, grain="week"), "value") == [2]
    assert columns(ask({"orders": "order"}, rows, more=sunday, grain="week"), "value") == [1, 1]


# Segments


def test_a_segment_on_one_side_only_stays() -> None:
    rows = {"shop": on("2026-01-01", country="BR"), "web": on("2026-01-01", country="US")}
    found = ask({"rate": "order / visit"}, rows, TWO, grain="month", by=("country",))
    assert columns(found, "country", "level", "value", "state") == [
        ("BR", "segment", None, "undefined"), ("US", "segment", 0, "ok"),
    ]  # fmt: skip


def test_a_segment_begins_with_its_first_row_and_has_no_holes() -> None:
    rows = {
        "shop": [
            *on("2026-01-01", "2026-01-04", country="BR"),
            *on("2026-01-02", country=None),
            *on("2026-01-04", country="US"),
        ]
    }
    found = ask({"orders": "order where country == 'BR'"}, rows, grain="day", by=("country",))
    assert columns(found, "start", "country", "value") == [
        (utc("2026-01-01"), "BR", 1),
        (utc("2026-01-02"), None, 0), (utc("2026-01-02"), "BR", 0),
        (utc("2026-01-03"), None, 0), (utc("2026-01-03"), "BR", 0),
        (utc("2026-01-04"), None, 0), (utc("2026-01-04"), "BR", 1), (utc("2026-01-04"), "US", 0),
    ]  # fmt: skip


def test_a_range_is_widened_to_whole_periods() -> None:
    rows = {"shop": on(*days("2026-01-01", 120))}
    found = ask({"orders": "order"}, rows, grain="month", since=date(2026, 2, 10), until=date(2026, 3, 1))
    assert columns(found, "start", "value") == [(utc("2026-02-01"), 28), (utc("2026-03-01"), 31)]


def test_all_is_one_period() -> None:
    rows = {"shop": on(*days("2026-01-05", 10))}
    (found,) = ask({"orders": "order"}, rows, grain="all")
    assert (found["start"], found["end"], found["value"]) == (utc("2026-01-05"), utc("2026-01-15"), 10)
    assert found["flags"] == []


# References and conditions


def test_every_condition_on_the_way_holds() -> None:
    rows = {
        "shop": [
            {"at": date(2026, 1, 1), "country": country, "paid": paid, "amount": amount}
            for country in ("BR", "US")
            for paid in (True, False)
            for amount in (1, 2, 3)
        ]
    }
    kpis = {
        "paid_orders": {"formula": "order where paid", "where": "amount >= 2"},
        "rate": "paid_orders / count(order where amount > 1)",
        "brazil": {"formula": "rate where country == 'BR'"},
        "dear": {"formula": "brazil + order", "where": "amount == 3"},
    }
    found = ask(kpis, rows, grain="all")
    assert columns(found, "value") == [4, 0.5, 0.5, 4.5]
    asked = ask(kpis, rows, grain="all", where="country == 'US' or amount == 1")
    assert columns(asked, "value", "state") == [(2, "ok"), (0.5, "ok"), (None, "undefined"), (None, "undefined")]


def test_a_kpi_of_an_event_that_nobody_provides_is_unavailable() -> None:
    more = {"events": {"refund": {"fields": {"amount": {"unit": "money"}}}}}
    found = ask({"refunds": "refund / order", "orders": "order"}, {"shop": on("2026-01-01")}, more=more)
    assert columns(found, "kpi", "value", "state") == [("refunds", None, "unavailable"), ("orders", 1, "ok")]


def test_a_field_that_one_side_lacks_makes_the_question_unanswerable() -> None:
    rows = {"shop": on("2026-01-01", country="BR"), "web": on("2026-01-01")}
    found = ask({"rate": "order / visit", "orders": "order"}, rows, TWO, grain="month", by=("country",))
    assert columns(found, "kpi", "state") == [("rate", "unavailable"), ("orders", "ok")]


def test_n_is_of_the_denominator() -> None:
    rows = {"shop": [{"at": date(2026, 1, 1), "buyer": buyer, "amount": 1.0} for buyer in ("a", "a", "b", None)]}
    kpis = {
        "per_buyer": "sum(order.amount) / distinct(order.buyer)",
        "half": "order / 2",
        "both": "order + distinct(order.buyer)",
        "ref": "abs(per_buyer)",
    }
    assert columns(ask(kpis, rows, grain="all"), "value", "n") == [(2, 2), (2, 4), (6, 6), (2, 2)]


# Numbers


def test_money_is_rounded_by_row_half_to_even_and_summed_exactly() -> None:
    datasets = {"shop": {**SHOP["shop"], "fields": {"amount": {"is": "paid", "unit": "money"}}}}
    kpis = {"revenue": "sum(order.amount)"}
    rows = [{"at": date(2026, 1, 1), "paid": paid} for paid in (0.1, 0.1, 0.1, 0.0000005, 0.0000015, None)]
    (found,) = ask(kpis, {"shop": rows}, datasets, grain="all")
    assert found["money"] == Fraction("0.300002")
    assert found["value"] == 0.300002
    whole = [{"at": date(2026, 1, 1), "paid": paid} for paid in (2**62, 2**62, 2**62)]
    (found,) = ask(kpis, {"shop": whole}, datasets, grain="all")
    assert found["money"] == 3 * 2**62
    cents = [{"at": date(2026, 1, 1), "paid": paid} for paid in (Decimal("1.10"), Decimal("0.0000015"))]
    (found,) = ask(kpis, {"shop": cents}, datasets, grain="all")
    assert found["money"] == Fraction("1.100002")


def test_whole_numbers_do_not_wrap() -> None:
    rows = {"shop": [{"at": date(2026, 1, 1), "size": size} for size in (2**63 - 1, 2**63 - 1, -5)]}
    found = ask({"total": "sum(order.size)", "least": "min(order.size)"}, rows, grain="all")
    assert columns(found, "value") == [float(2**64 - 7), -5]


def test_values_have_twelve_digits() -> None:
    rows = {"shop": on("2026-01-01", "2026-01-01", "2026-01-01")}
    (found,) = ask({"third": "1 / order"}, rows, grain="all")
    assert found["value"] == 0.333333333333


# Keys, times, names


def test_of_rows_with_an_equal_key_the_latest_counts() -> None:
    datasets = {"shop": {**SHOP["shop"], "key": "id"}}
    rows = {
        "shop": [
            {"at": date(2026, 1, 1), "id": 1, "amount": 5.0},
            {"at": date(2026, 1, 3), "id": 1, "amount": 7.0},
            {"at": date(2026, 1, 2), "id": 2, "amount": 1.0},
            {"at": date(2026, 1, 2), "id": 2, "amount": 1.0},
        ]
    }
    found = ask({"orders": "order", "revenue": "sum(order.amount)"}, rows, datasets, grain="all")
    assert columns(found, "value") == [2, 8]


def test_a_later_row_of_a_key_is_not_known_at_an_earlier_as_of() -> None:
    datasets = {"shop": {"time": "at", "key": "id", "events": {"order": "all rows", "booking": {"time": "on"}}}}
    rows = {
        "shop": [
            {"at": date(2026, 1, 3), "on": date(2026, 1, 1), "id": 1, "amount": 5.0},
            {"at": date(2026, 1, 9), "on": date(2026, 1, 1), "id": 1, "amount": 7.0},
            {"at": date(2026, 1, 8), "on": date(2026, 1, 2), "id": 2, "amount": 1.0},
            {"at": date(2026, 1, 9), "on": date(2026, 1, 2), "id": 2, "amount": 2.0},
        ]
    }
    kpis = {"revenue": "sum(order.amount)", "booked": "sum(booking.amount)"}
    assert columns(ask(kpis, rows, datasets, grain="all"), "value") == [9, 9]
    assert columns(ask(kpis, rows, datasets, grain="all", as_of=date(2026, 1, 5)), "value") == [5, 7]


def test_rows_without_a_time_are_left_out() -> None:
    rows = {"shop": [*on("2026-01-01"), {"at": None, "on": None}]}
    assert columns(ask({"orders": "order"}, rows, grain="all"), "value") == [1]


def test_dates_and_times_compare_as_local_days() -> None:
    berlin = {"calendar": {"timezone": "Europe/Berlin"}}
    datasets = {"shop": {**SHOP["shop"], "fields": {"quick": "sent - at < 36h", "late": "sent > at + 48h"}}}
    rows = {
        "shop": [
            {"at": utc("2026-01-05T23:30"), "sent": utc("2026-01-07T10:00"), "due": date(2026, 1, 6)},
            {"at": utc("2026-01-05T22:30"), "sent": utc("2026-01-08T10:00"), "due": date(2026, 1, 6)},
        ]
    }
    kpis = {
        "on_sixth": "order where at == '2026-01-06'",
        "due_day": "order where at == due",
        "afterwards": "order where at > '2026-01-06T00:00'",
        "quick": "order where quick",
        "late": "order where late",
        "midnight": "order where hour_of_day(at) == 0",
        "tuesday": "order where day_of_week(at) == 2",
    }
    found = ask(kpis, rows, datasets, berlin, grain="all")
    assert columns(found, "value") == [1, 1, 1, 1, 1, 1, 1]


def test_fields_win_over_columns_and_see_them() -> None:
    datasets = {
        "shop": {
            **SHOP["shop"],
            "fields": {"amount": "amount / 100", "big": "amount > 1", "Who": {"column": "buyer name"}},
        }
    }
    rows = {
        "shop": [
            {"at": date(2026, 1, 1), "amount": amount, "buyer name": who} for amount, who in ((150, "a"), (90, "b"))
        ]
    }
    kpis = {
        "revenue": "sum(order.amount)", "big": "order where big", "who": "distinct(order.Who)",
        "b": "order where col('buyer name') == 'b'", "same": "order where dataset == 'shop'",
    }  # fmt: skip
    assert columns(ask(kpis, rows, datasets, grain="all"), "value") == [2.4, 1, 2, 1, 2]


# Status


@pytest.mark.parametrize(
    ("thresholds", "status"),
    [
        ({"good": "at least 50%", "warning": "at least 25%"}, "good"),
        ({"good": "above 50%", "warning": "at least 25%"}, "warning"),
        ({"good": "above 0.6", "warning": "above 0.55"}, "critical"),
        ({"good": "between 0.4 and 0.5"}, "good"),
        ({"good": "below 0.4", "warning": "at most 0.5", "critical": "above 0.5"}, "warning"),
    ],
)
def test_the_first_band_that_holds(thresholds: dict[str, str], status: str) -> None:
    rows = {"shop": [*on("2026-01-01", paid=True), *on("2026-01-31", paid=False)]}
    kpis = {"rate": {"formula": "count(order where paid) / order", "thresholds": thresholds}}
    assert columns(ask(kpis, rows), "status") == [status]


def test_no_status_of_no_value_of_another_grain_or_of_an_unfinished_period() -> None:
    rows = {"shop": [*on("2026-01-01", paid=True), *on("2026-03-31", "2026-04-02", paid=False)]}
    kpis = {
        "rate": {"formula": "count(order where paid) / order", "thresholds": {"good": "at least 50%"}},
        "orders": {"formula": "order", "thresholds": {"good": "at least 1"}},
        "ref": {"formula": "rate", "thresholds": {"good": "at least 50%"}},
    }
    found = ask(kpis, rows, grain="month")
    assert columns(found, "status") == [
        "good", None, "critical", "pending",
        "good", "critical", "good", "pending",
        "good", None, "critical", "pending",
    ]  # fmt: skip
    assert columns(ask(kpis, rows, grain="quarter"), "status") == ["good", "pending", None, None, "good", "pending"]
