"""Projects over tables: events, fields, KPIs that refer to each other; and questions to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import strategies as st

from tests.oracle.days import made_of
from tests.strategies import groups as entity_groups
from tests.strategies import parts as parts_of
from tests.strategies import steps as derived_events
from tests.strategies.tables import CLOCK_CHANGES, ZONES, Table, small_tables, tables

GRAINS = ("day", "week", "month", "quarter", "year", "all")
LISTED = Path(__file__).with_name("periods.csv")
LISTED_GRAINS = ("stretch", "fourth")
"""Periods that a calendar lists: uneven ones, about changes of the clock, and such of four weeks from Monday."""
DIMENSIONS = (
    "country", "channel", "tier", "paid", "buyer", "due", "big", "began", "stretched",
    "person.region", "person.town.area", "person.rich", "grade.name", "northern", "home.area", "standing.name",
    *derived_events.DIMENSIONS,
    *entity_groups.NAMES,
)  # fmt: skip
HOURS: tuple[dict[str, Any], ...] = (
    {"mon-fri": "09:00-18:00"},
    {"mon-thu": ["08:30-12:00", "13:00-17:45"], "sat": "10:00-14:00"},
    {"mon-sun": ["00:00-02:30", "22:00-24:00"]},
    {"mon-sun": "00:00-24:00"},
)
CONSTANTS = {"limit": 1.5, "share": "20%", "home": "BR", "cycle": "3d"}


@dataclass(frozen=True)
class Event:
    """An event as drawn: its fields, whether its rows are counted, have a clock, are those of several datasets."""

    name: str
    fields: frozenset[str]
    counted: bool
    clock: bool
    united: bool = False
    periods: frozenset[str] = frozenset()
    daily: bool = False


@dataclass(frozen=True)
class Formula:
    """A formula as drawn: its text, the events that it reads, whether it is money.

    ``whole``: no window is taken of it; ``shifted``: an earlier period stands in it; ``grains`` are those that it fits.
    """

    text: str
    events: frozenset[str]
    money: bool = False
    ranked: bool = False
    whole: bool = False
    shifted: bool = False
    grains: frozenset[str] = frozenset(("hour", *GRAINS))


@dataclass(frozen=True)
class Project:
    """A project as plain data, the tables that it reads, and what questions can name."""

    definition: Mapping[str, Any]
    tables: Mapping[str, Table]
    events: Mapping[str, Event]
    kpis: Mapping[str, Formula]
    first: date
    span: int

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        return {name: table.frame for name, table in self.tables.items()}

    @property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        return {name: table.frame.to_dicts() for name, table in self.tables.items()}

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        return {name: table.columns for name, table in self.tables.items()}

    @property
    def zone(self) -> str:
        return str(self.definition["calendar"]["timezone"])


@st.composite
def conditions(draw: st.DrawFn, fields: frozenset[str], clock: bool = False, depth: int = 1) -> str:
    """A condition on rows with these fields."""
    if depth and draw(st.integers(0, 3)) == 0:
        first, second = draw(conditions(fields, clock, 0)), draw(conditions(fields, clock, 0))
        return draw(st.sampled_from([f"{first} and {second}", f"{first} or {second}", f"not ({first})"]))
    pool = [text for name, texts in CONDITIONS.items() if name in fields for text in texts]
    return draw(st.sampled_from(pool + (CLOCK_CONDITIONS if clock else [])))


CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "country": (
        'country == "BR"', 'country != "BR"', 'country in ("BR", "US")', 'country not in ("BR", "日本")',
        "country is null", "country is not null", 'contains(country, "R")', 'lower(trim(country)) == "br"',
        'country < "M"', 'matches(country, "^[A-Z]+$")', 'starts_with(upper(country), "B")', "country == home",
        'not ends_with(country, "S")',
    ),
    "channel": ('channel == "ads"', 'channel != "ads"', 'channel in ("ads", "mail")', 'col("channel") == "mail"'),
    "size": (
        "size > 0", "size between 0 and 3", "size not between 0 and 3", "mod(size, 2) == 1", "size is not null",
        "size >= limit", "size == 4611686018427387905", "size * 2 > 5", "abs(size) <= 2",
    ),
    "tier": ("tier == 1", "tier != 2", "tier in (0, 3)", "-tier < 0"),
    "amount": (
        "amount > 1.5", "amount <= 0", "not amount > 2", "amount != 2", "abs(amount) < 2", "round(amount) == 2",
        "coalesce(amount, 0) >= 1", "amount * 2 + 1 > 3", "if(amount > 1, amount, 0) > 2", "amount >= limit",
        "greatest(amount, 3) == 3", "sqrt(amount) > 2", "1 / amount > 0.5", "floor(amount / 3) == 1",
        "amount between -1 and 20%", "amount is null",
    ),
    "price": ("price > 5", "price == 1.1", "price < 0", "price is null"),
    "paid": ("paid", "not paid", "paid == true", "paid is null", "paid != false"),
    "buyer": ('buyer == "a"', "buyer is null", 'buyer > "b"'),
    "due": ('due >= "2026-03-29"', "due is null", "day_of_week(due) == 1", "day_of_month(due) > 15"),
    "big": ("big", "not big"),
    "began": ('began >= "2026-03-29"', "began is null", "start_of(due, quarter) == start_of(began, quarter)"),
    "stretched": ('stretched < "2026-10-25"', "stretched is not null", "start_of(due, year) != stretched"),
    "at": ('time >= "2026-03-29"', 'time < "2018-11-04"', 'date(time) == "2026-10-25"', "day_of_week(time) in (6, 7)",
           'start_of(time, month) == "2026-03-01"', "start_of(time, fourth) is null"),
    "odd": ('odd == "p"', "odd is null"),
    "person.region": ('person.region == "north"', "person.region is null", 'person.region not in ("north", "south")'),
    "person.rich": ("person.rich", "not person.rich"),
    "person.town.area": ("person.town.area > 1", "person.town.area is null", "not person.town.area == 2"),
    "grade.name": ('grade.name == "low"', "grade.name is not null", "grade.cost > 1.5"),
    "northern": ("northern", "not northern"),
    "home.area": ("home.area > 1", "home.area is null"),
    "standing.name": ('standing.name == "low"', "standing.name is not null", "standing.cost > 1.5"),
    **derived_events.CONDITIONS,
    **entity_groups.CONDITIONS,
}  # fmt: skip
CLOCK_CONDITIONS = ["hour_of_day(time) < 12", "hour_of_day(time) in (0, 1, 2)", 'time > "2026-10-25T01:30:00Z"']


@st.composite
def datasets(
    draw: st.DrawFn, table: Table, events: tuple[str, ...], first: date, span: int
) -> tuple[dict[str, Any], list[Event]]:
    """How a dataset is written, and its events."""
    fields = fields_of(table)
    written: dict[str, Any] = {"time": table.written, "fields": fields}
    if not table.timeless and draw(st.integers(0, 5)) == 0:
        begin, end = sorted(draw(st.tuples(st.integers(-3, span + 3), st.integers(-3, span + 3))))
        ends = {"from": first + timedelta(days=begin), "to": first + timedelta(days=end)}
        said = draw(st.sampled_from([("from",), ("to",), ("from", "to")]))
        written["covers"] = {name: ends[name].isoformat() for name in said}
    if draw(st.booleans()):
        written["timezone"] = table.zone
    if table.keyed:
        written["key"] = "id"
        if draw(st.booleans()):
            written["keep"] = "latest by version"
    if table.counted and not table.timeless and draw(st.booleans()):
        written["gaps"] = "zero"
    every = draw(st.sampled_from(("hour", "day", "week", "month", "quarter"))) if draw(st.booleans()) else None
    names = frozenset(table.columns) | frozenset(fields)
    found_by = ("person", "home") if table.timeless else ("home", "standing", "person", "grade")
    lookups = {name: LOOKUPS[name] for name in found_by if LOOKED_UP_BY[name] in table.columns}
    if lookups and draw(st.integers(0, 2)):
        written["lookups"] = lookups
        names |= {name for one in lookups for name in LOOKED_UP[one]}
        if "person" in lookups:
            fields["northern"] = 'person.region == "north"'
            fields["lives"] = "person.home"
            names |= {"northern"}
    clock = table.time != "date" and not table.timeless
    seen = names - {"at"} if table.timeless else names
    found, bound = [], {}
    for event in events:
        binding: dict[str, Any] = {}
        if draw(st.booleans()):
            binding["when"] = draw(conditions(names - {"at"}))
        if not table.timeless and draw(st.integers(0, 4)) == 0:
            binding["time"] = "sent"
        counted = table.counted and draw(st.integers(0, 3)) > 0
        if counted:
            if every and not table.timeless and not (every == "hour" and table.time == "date"):
                written["every"] = every
            binding["count"] = "shows"
            if draw(st.integers(0, 5)) == 0:
                binding["additive"] = "not over time"
        bound[event] = binding or "all rows"
        found.append(Event(event, seen, counted, clock, daily="additive" in binding))
    found = [replace(event, periods=stood_for(written, event.counted)) for event in found]
    return {**written, "events": bound}, found


def made_of_whole(length: str, period: str) -> bool:
    """Whether a window of some length is whole periods that rows stand for."""
    if period == "week":
        return length in ("7d", "28d", "2w")
    months = {"month": ("1mo", "1q", "1y"), "quarter": ("1q", "1y"), "year": ("1y",)}
    return period in ("hour", "day") or length in months[period]


def stood_for(written: Mapping[str, Any], counted: bool) -> frozenset[str]:
    """The period that rows of an event stand for, if any."""
    return frozenset([written["every"]] if "every" in written else ["day"] if counted else [])


LOOKUPS: Mapping[str, Any] = {
    "person": {"dataset": "people", "on": "buyer"},
    "grade": {"dataset": "grades", "on": {"tier": "level"}, "valid": ["since", "until"], "fields": ["name", "cost"]},
    "home": {"dataset": "towns", "on": {"lives": "town"}},
    "standing": {"dataset": "grades", "on": {"person.home": "level"}, "valid": ["since", "until"]},
}
DESCRIBED: Mapping[str, Any] = {
    "country": {"values": {"br": "BR", " BR ": "BR", "US": "USA", "日本": {"en": "Japan"}}},
    "region": {"values": {"south": "deep south"}, "label": {"en": "Region", "zh": "地区"}},
    "buyer": {"values": {"c": "a c"}},
}
LOOKED_UP_BY = {"person": "buyer", "grade": "tier", "home": "buyer", "standing": "buyer"}
LOOKED_UP = {
    "person": ("person.region", "person.rich", "person.spend", "person.town.area"),
    "grade": ("grade.name", "grade.cost"),
    "home": ("home.area",),
    "standing": ("standing.name", "standing.cost"),
}
SMALL = {
    "people": {
        "fields": {"spend": {"is": "paid_so_far", "unit": "money"}, "rich": "paid_so_far > limit"},
        "lookups": {"town": {"dataset": "towns", "on": {"home": "town"}}},
    },
    "towns": {},
    "grades": {},
}


def fields_of(table: Table) -> dict[str, Any]:
    """Fields that a table allows: money, a date, a flag, a ratio, a renamed column."""
    fields: dict[str, Any] = {
        "revenue": {"is": "price" if "price" in table.columns else "amount", "unit": "money"},
        "big": "amount > limit",
        "due": "date(sent)" if table.time != "date" else "sent",
        "began": "start_of(sent, week)",
        "stretched": "start_of(at, stretch)",
        "wait": {"is": "sent - at", "unit": "duration"},
        "day": "date(at)" if table.time != "date" else "at",
    }
    if "size" in table.columns:
        fields["rate"] = "amount / size"
    if "odd name" in table.columns:
        fields["odd"] = {"column": "odd name"}
    return fields


@st.composite
def aggregates(draw: st.DrawFn, event: Event, money: bool | None = None) -> Formula:
    """An aggregate of an event, most with a condition of its own."""
    where = f" where {draw(conditions(event.fields, event.clock))}" if draw(st.booleans()) else ""
    money = draw(st.integers(0, 3)) == 0 if money is None else money
    only = frozenset({event.name})
    if money and "person.spend" in event.fields and draw(st.integers(0, 2)) == 0:
        return Formula(f"sum({event.name}.person.spend{where})", only, True)
    if money and not event.counted and draw(st.integers(0, 2)) == 0:
        return Formula(draw(per_entity(event, where, money=True)), only, True)
    if money:
        return Formula(f"sum({event.name}.revenue{where})", only, True, whole=event.daily)
    numbers = [name for name in NUMBERS if name in event.fields]
    things = [name for name in THINGS if name in event.fields]
    functions = ["count", "bare", "sum", "avg", "wait"]
    if not event.counted:
        functions += ["min", "max", "distinct", "per", "per"]
    if not event.counted and not event.united:
        functions += ["median", "quantile", "stddev", *(["first", "last"] if "at" in event.fields else [])]
    chosen = draw(st.sampled_from(functions))
    match chosen:
        case "bare":
            text = f"({event.name}{where})" if where else event.name
        case "count":
            text = f"count({event.name}{where})"
        case "wait":
            spans = ["wait", *(name for name in SPANS if name in event.fields)]
            text = f"avg({event.name}.{draw(st.sampled_from(spans))}{where}) / 1h"
        case "per":
            text = draw(per_entity(event, where, money=False))
        case "distinct":
            text = f"distinct({event.name}.{draw(st.sampled_from(things))}{where})"
        case "quantile":
            text = f"quantile({event.name}.{draw(st.sampled_from(numbers))}{where}, {draw(st.sampled_from(SHARES))})"
        case function:
            text = f"{function}({event.name}.{draw(st.sampled_from(numbers))}{where})"
    return Formula(text, only, whole=event.daily)


SPANS = ("delay", "s0.delay", "order.delay", "work_delay", "order.work_delay")
LENGTHS = ("1d", "3d", "7d", "28d", "400d", "2w", "1mo", "1q", "1y")
SHIFTS: Mapping[str, tuple[str, ...]] = {
    "": ("hour", "day", "week", "month", "quarter", "year"),
    ", 1d": ("hour", "day"),
    ", 7d": ("hour", "day", "week"),
    ", 2w": ("hour", "day", "week"),
    ", 52w": ("hour", "day", "week"),
    ", 1mo": ("hour", "day", "month"),
    ", 1q": ("hour", "day", "month", "quarter"),
    ", 1y": ("hour", "day", "week", "month", "quarter", "year"),
    ", 2h": ("hour",),
}


@st.composite
def timed(draw: st.DrawFn, x: Formula, events: Mapping[str, Event], known: Mapping[str, Formula]) -> Formula:
    """A formula over a window, or held against an earlier period; as it was where it has no history."""
    read = [events[name] for name in x.events]
    if any("at" not in event.fields for event in read):
        return x
    clock = all(event.clock for event in read)
    if x.whole or x.shifted or x.ranked or draw(st.booleans()):
        function = draw(st.sampled_from(("previous", "change", "growth")))
        usable = {shift: x.grains & {*grains} for shift, grains in SHIFTS.items() if clock or "h" not in shift}
        fitting = {shift: grains for shift, grains in usable.items() if grains}
        if not fitting:
            return x
        shift = draw(st.sampled_from(sorted(fitting)))
        grains = fitting[shift]
        money = x.money and function != "growth"
        return replace(x, text=f"{function}({x.text}{shift})", grains=grains, money=money, shifted=True)
    function = draw(st.sampled_from(("trailing", "trailing", "to_date", "cumulative")))
    if function == "cumulative":
        return replace(x, text=f"cumulative({x.text})")
    periods = {period for event in read for period in event.periods} | periods_in(x.text, known)
    if function == "trailing":
        lengths = [length for length in LENGTHS if all(made_of_whole(length, period) for period in periods)]
        return replace(x, text=f"trailing({x.text}, {draw(st.sampled_from(lengths))})") if lengths else x
    order = ("hour", *GRAINS[:-1])
    if draw(st.integers(0, 4)) == 0 and periods <= {"hour", "day"} and x.grains & {"hour", "day"}:
        return replace(
            x, text=f"to_date({x.text}, {draw(st.sampled_from(LISTED_GRAINS))})", grains=x.grains & {"hour", "day"}
        )
    to = draw(st.sampled_from(order[1:]))
    if not all(made_of(to, period) for period in periods):
        return x
    grains = x.grains & {*order[: order.index(to) + 1]}
    return replace(x, text=f"to_date({x.text}, {to})", grains=grains) if grains else x


@st.composite
def over_entities(draw: st.DrawFn, event: Event, where: str, values: list[str], by_period: bool, money: bool) -> str:
    """An aggregate of values for each entity, each calendar period, or each entity in one."""
    field, other = (draw(st.sampled_from(sorted(event.fields & set(DIMENSIONS)))) for _ in range(2))
    key = draw(st.sampled_from((field, f"({field}, {other})", f'col("{field}")')))
    functions = ["sum", "avg", "min", "max", "median", "quantile", "stddev", *(() if money else ("count", "distinct"))]
    if by_period:
        periods = ("day", "day", "week", "month", "quarter", *(("hour",) if event.clock else ()))
        period = draw(st.sampled_from(periods))
        key = draw(st.sampled_from((period, period, f"({field}, {period})", f"({period}, {field})")))
        functions += ["first", "last"] if key == period else []
    function = draw(st.sampled_from(functions))
    condition = draw(st.sampled_from(("", "", " where value > 1", f" where {event.name} > 1 and value != 3")))
    share = f", {draw(st.sampled_from(SHARES))}" if function == "quantile" else ""
    return f"{function}({draw(st.sampled_from(values))} per {key}{condition}{share})"


@st.composite
def per_entity(draw: st.DrawFn, event: Event, where: str, money: bool) -> str:
    """A formula of each entity's rows, in an aggregate of them."""
    name, timed = event.name, "at" in event.fields
    by_period = timed and draw(st.booleans())
    if money:
        values = [f"sum({name}.revenue{where})", f"avg({name}.revenue)", f"sum({name}.revenue) / {name}"]
        values.append(f"if({name} > 1, avg({name}.revenue), sum({name}.revenue))")
        return draw(over_entities(event, where, values, by_period, True))
    number = f"{name}.{draw(st.sampled_from([one for one in NUMBERS if one in event.fields]))}"
    thing = f"{name}.{draw(st.sampled_from([one for one in THINGS if one in event.fields]))}"
    values = [
        name, f"sum({number}{where})", f"avg({number})", f"count({name}{where}) / {name}", f"distinct({thing}{where})"
    ]  # fmt: skip
    if not event.united:
        values += [f"median({number})", f"max({number}{where})"]
        values += [f"last({number})", f"first({number}{where})"] if timed else []
    if timed and not by_period:
        values += [f"trailing({draw(st.sampled_from(values))}, 3d)", f"cumulative({name}) - to_date({name}, year)"]
    return draw(over_entities(event, where, values, by_period, False))


NUMBERS = (
    "prior.amount",
    "amount",
    "size",
    "rate",
    "tier",
    "price",
    "person.town.area",
    "grade.cost",
    "home.area",
)
THINGS = ("country", "buyer", "size", "paid", "due", "amount", "channel", "price", "day", "person.region")
SHARES = ("95%", "0.25", "share", "0", "1", "0.333", "29%", "50%, nearest", "95%, nearest", "share, nearest")
SHAPES = (
    "{a}", "{a}", "{a} / {b}", "{a} / {b}", "{a} + {b}", "{a} - {b} * 2", "if({a} > 2, {a}, {b})",
    "coalesce({a} / {b}, 0)", "round({a} / {b}, 2)", "greatest({a}, {b}) - least({a}, 3)", "abs({a}) ^ 2",
    "{a} * share", "({a} + {b}) / ({a} - {b})", "if({a} == {b} or {b} < 1, 1, {a} / 7)", "-{a}", "sqrt({a})",
    "mod(least(greatest({a}, -99), 99), 3)", "if({b} is null, 0, {a})",
    "total({a})", "{a} / total({b})", "share({a})", "share({a} + {b})", "rank({a})", "rank({a}) - rank({b})",
    "share({a}, {f})", "total({a} / {b})", "rank(share({a}))",
)  # fmt: skip
MONEY_SHAPES = (
    "{a}",
    "{a}",
    "{a} + {b}",
    "{a} - {b}",
    "{a} / {n}",
    "{a} / {b}",
    "{a} * 2",
    "-{a}",
    "coalesce({a} / {n}, 0)",
    "{a} - total({b})",
)


@st.composite
def formulas(draw: st.DrawFn, events: list[Event], known: Mapping[str, Formula]) -> Formula:
    """A formula over events and over KPIs that are known already."""

    def part(money: bool) -> Formula:
        fitting = sorted(name for name, formula in known.items() if formula.money == money)
        if fitting and draw(st.integers(0, 2)) == 0:
            name = draw(st.sampled_from(fitting))
            read = known[name].events
            text = name
            if not name.startswith("(") and draw(st.booleans()):
                common = frozenset.intersection(*(event.fields for event in events if event.name in read))
                text = f"({name} where {draw(conditions(common - {'at'}))})"
            found = replace(known[name], text=text)
        else:
            event = draw(st.sampled_from(events))
            found = draw(aggregates(event, money))
            periods = event.periods | periods_in(found.text, known)
            whole = frozenset(g for g in found.grains if all(made_of(g, period) for period in periods))
            found = replace(found, grains=whole)
        if draw(st.integers(0, 3)) == 0:
            over = draw(timed(found, by_name, known))
            return over if over.money == money else found
        return found

    by_name = {event.name: event for event in events}
    money = draw(st.integers(0, 3)) == 0
    a, b, n = part(money), part(money), part(False)
    shape = draw(st.sampled_from(MONEY_SHAPES if money else SHAPES))
    read = frozenset().union(
        *(found.events for key, found in zip("abn", (a, b, n), strict=True) if f"{{{key}}}" in shape)
    )
    common = frozenset.intersection(*(event.fields for event in events if event.name in read))
    field = draw(st.sampled_from(sorted(common & set(DIMENSIONS)) or ["buyer"])) if "{f}" in shape else ""
    texts = " ".join(found.text for found in (a, b, n) if found is not n or "{n}" in shape)
    ranked = any(formula.ranked and re.search(rf"\b{name}\b", texts) for name, formula in known.items())
    if ranked and re.search("total|share|rank", shape):
        shape = "{a}"
    used = [found for key, found in zip("abn", (a, b, n), strict=True) if f"{{{key}}}" in shape]
    grains = frozenset.intersection(*(found.grains for found in used))
    if not grains:
        shape, used, grains, read = "{a}", [a], a.grains, a.events
    text = shape.format(a=a.text, b=b.text, n=n.text, f=field)
    found = Formula(
        text,
        read,
        money and shape != "{a} / {b}",
        ranked or "rank(" in text,
        any(found.whole for found in used),
        any(found.shifted for found in used),
        grains,
    )
    return draw(timed(found, by_name, known)) if draw(st.integers(0, 5)) == 0 else found


THRESHOLDS: list[dict[str, str]] = [
    {"good": "at least 1", "warning": "at least 0.5"},
    {"good": "at most 2", "warning": "between 2 and 7", "critical": "above 7"},
    {"good": "below 50%"},
    {"good": "above 3", "warning": "at least 0"},
    {"warning": "above 0"},
    {"good": "at least hurdle"},
]


CONDITIONED: list[dict[str, str]] = [
    {"good": "value >= 0.9 * previous", "warning": "growth > -50%"},
    {"good": "above 5", "warning": "value > previous or not value < 1"},
    {"warning": "value between previous and 3 * previous", "critical": "growth is null"},
    {"good": "growth >= 10% and value != 3"},
]
HELD: list[dict[str, Any]] = [
    {"good": "value >= benchmark", "warning": "benchmark is null or value * 2 >= benchmark"},
    {"good": "value <= 1.1 * benchmark"},
    {"good": "benchmark < value"},
]


@st.composite
def judged(draw: st.DrawFn, name: str, formula: Formula, fields: frozenset[str], history: bool) -> dict[str, Any]:
    """Thresholds with what else they say: conditions, benchmarks, segments, samples."""
    plain = not (formula.whole or formula.ranked or formula.shifted)
    held: list[Any] = [2, {"value": "150%", "source": "a book", "date": 2018}]
    held += [{"value": 3, "by": {"country": {"BR": 1, "US": 2.5}}}] if "country" in fields else []
    held += [f"total({name})"] if plain else []
    found = dict(draw(st.sampled_from([*THRESHOLDS, *(CONDITIONED if history and plain else ()), *HELD])))
    if any("benchmark" in text for text in found.values()):
        found["benchmark"] = draw(st.sampled_from(held))
    if draw(st.integers(0, 2)) == 0:
        found["min_sample"] = draw(st.integers(1, 3))
    if "country" in fields and draw(st.booleans()):
        found["by"] = {"country": {"BR": draw(st.sampled_from(THRESHOLDS[:5]))}}
    return found


def periods_in(text: str, known: Mapping[str, Formula]) -> set[str]:
    """The calendar periods that a formula takes values for, and those that it refers to."""
    keys = re.findall(r" per (\w+|\([^)]*\))", text)
    found = {*re.findall(r"\b(?:hour|day|week|month|quarter|year)\b", " ".join(keys))}
    return found.union(*(periods_in(known[name].text, known) for name in re.findall(r"\bk\d\b", text)))


@st.composite
def revised(
    draw: st.DrawFn,
    formula: Formula,
    events: list[Event],
    known: Mapping[str, Formula],
    days: st.SearchStrategy[str],
    filtered: bool,
) -> tuple[list[dict[str, Any]], Formula]:
    """Revisions of a KPI, and all that it reads then; ``filtered``: of no events but those before."""
    found = []
    for day in sorted(set(draw(st.lists(days, min_size=1, max_size=2)))):
        one: dict[str, Any] = {"from": day}
        kind = draw(st.integers(0, 2))
        if kind:
            other = draw(formulas(events, known))
            timeless = {event.name for event in events if "at" not in event.fields}
            unlike = other.money != formula.money or other.ranked or other.shifted or not other.grains >= formula.grains
            unlike = unlike or (filtered and not other.events <= formula.events)
            # rows without time have no grain but `all`, for which a part of a year is none
            unlike = unlike or ("to_date" in other.text and bool(formula.events & timeless))
            if unlike or (other.whole and not formula.whole) or (other.events & timeless and formula.shifted):
                other = replace(formula, text=f"({formula.text}) * 2")
            one["formula"] = other.text
            formula = replace(formula, events=formula.events | other.events)
        if kind != 1:
            one["thresholds"] = draw(st.sampled_from(THRESHOLDS))
        found.append(one)
    return found, formula


def dated_constants(draw: st.DrawFn, days: st.SearchStrategy[str]) -> dict[str, Any]:
    """Constants that change: one with a value at all times, one that has none at first."""
    first, second = sorted(draw(st.lists(days, min_size=2, max_size=2, unique=True)))
    revisions = [{"from": first, "value": 2}, {"from": second, "value": 0.5}]
    return {"hurdle": {"value": 1, "revisions": revisions}, "late": {"revisions": revisions[1:]}}


def of_part(part: parts_of.Part, events: list[Event]) -> Formula:
    """A number of a funnel or cohort, by the grains that cut no period that a row of it stands for."""
    periods = {period for event in events if event.name in part.events for period in event.periods}
    grains = frozenset(grain for grain in ("hour", *GRAINS) if all(made_of(grain, period) for period in periods))
    return Formula(part.text, part.events, part.money, grains=grains)


@st.composite
def kpis(
    draw: st.DrawFn, events: list[Event], days: st.SearchStrategy[str], parts: list[parts_of.Part]
) -> tuple[dict[str, Any], dict[str, Formula]]:
    """Some KPIs, later ones over earlier ones, and over those of funnels and cohorts, which may be asked for too."""
    written: dict[str, Any] = {}
    known = {part.text: of_part(part, events) for part in parts}
    for i in range(draw(st.integers(1, 5))):
        name = f"k{i}"
        formula = draw(formulas(events, known))
        by_name = {event.name: event for event in events}
        clock = all(by_name[event].clock for event in formula.events)
        timeless = any("at" not in by_name[event].fields for event in formula.events)
        if not formula.grains - (frozenset() if clock else {"hour"}) or (timeless and "all" not in formula.grains):
            formula = Formula(events[0].name, frozenset({events[0].name}), whole=events[0].daily)
        definition: dict[str, Any] = {"formula": formula.text}
        if draw(st.integers(0, 5)) == 0:
            formula = replace(formula, text=f"({formula.text}) * {draw(st.sampled_from(('hurdle', 'late')))}")
            definition["formula"] = formula.text
        if draw(st.integers(0, 3)) == 0:
            common = frozenset.intersection(*(event.fields for event in events if event.name in formula.events))
            dated = ("amount > hurdle", "amount * late <= 1") if "amount" in common else ()
            definition["where"] = draw(
                st.sampled_from(dated) if dated and draw(st.booleans()) else conditions(common - {"at"})
            )
        periods = {period for event in events if event.name in formula.events for period in event.periods}
        periods |= periods_in(formula.text, known)
        history = all("at" in by_name[event].fields for event in formula.events)
        if history and not (formula.whole or formula.shifted or formula.ranked) and draw(st.integers(0, 5)) == 0:
            lengths = [length for length in LENGTHS if all(made_of_whole(length, period) for period in periods)]
            if lengths:
                definition["window"] = draw(st.sampled_from(lengths))
        clock = all(by_name[event].clock for event in formula.events)
        fitting = [
            grain
            for grain in ("hour", *GRAINS)
            if grain in formula.grains
            and (clock or grain != "hour")
            and all(made_of(grain, period) for period in periods)
        ]
        usual = next(
            grain
            for grain in (*(("day",) if "window" in definition else ()), "month", "week", "quarter", "year", "all")
            if all(made_of(grain, period) for period in periods)
        )
        if usual not in fitting:
            definition["grain"] = draw(st.sampled_from(fitting))
        elif draw(st.integers(0, 3)) == 0 and (common := [g for g in GRAINS[:4] if g in fitting]):
            definition["grain"] = draw(st.sampled_from(common))
        if draw(st.integers(0, 3)) == 0:
            definition["direction"] = draw(st.sampled_from(("higher", "lower", "none")))
        if draw(st.booleans()):
            definition["thresholds"] = draw(st.sampled_from(THRESHOLDS))
        if draw(st.integers(0, 4)) == 0:
            definition["revisions"], formula = draw(
                revised(formula, events, known, days, not {"where", "window"}.isdisjoint(definition))
            )
        if draw(st.booleans()):
            mine = [event for event in events if event.name in formula.events]
            fields = frozenset.intersection(*(event.fields for event in mine))
            history = all("at" in event.fields for event in mine) and definition.get("grain", usual) != "all"
            definition["thresholds"] = draw(judged(name, formula, fields, history))
        written[name] = definition
        known[name] = formula
    for part in parts:
        if not part.named:
            del known[part.text]
    return written, known


@st.composite
def shared(draw: st.DrawFn, event: Event, definitions: dict[str, Any], found: Mapping[str, Table]) -> Event:
    """The first dataset's event as the second one provides it too: it has the fields that both have."""
    first, second = (found[name] for name in list(found)[:2])
    written = definitions[list(found)[1]]
    names = frozenset(second.columns) | frozenset(written["fields"])
    binding: dict[str, Any] = {"when": draw(conditions(names - {"at"}))} if draw(st.booleans()) else {}
    counted = second.counted and draw(st.booleans())
    if counted:
        binding["count"] = "shows"
    written["events"][event.name] = binding or "all rows"
    both, clock = event.fields & names, event.clock and second.time != "date" and not second.timeless
    alike = (first.time == "date") == (second.time == "date") and not first.timeless and not second.timeless
    periods = event.periods | stood_for(written, counted)
    fields = both if alike else both - {"at"}
    return Event(event.name, fields, event.counted or counted, clock, True, periods, event.daily)


def numbered(table: Table, place: int) -> Table:
    """A table with a number that tells rows of one key apart; the next one has some of them too, and some lack one."""
    frame = table.frame
    number = pl.col("id") if table.keyed else pl.int_range(pl.len(), dtype=pl.Int64)
    moved = number + 3 * place
    known = pl.when(pl.lit(place == 1) | (moved % 4 != 1)).then(moved)
    return replace(table, frame=frame.with_columns(known.cast(pl.Int32 if place else pl.Int64).alias("number")))


@st.composite
def projects(draw: st.DrawFn, plain: bool = False) -> Project:
    """A project of one to three datasets, each with one or two events."""
    first = draw(st.sampled_from(CLOCK_CHANGES))
    span = draw(st.sampled_from([2, 4, 40, 100]))
    found = {name: draw(tables(first, span, plain)) for name in ("web", "shop", "mail")[: draw(st.integers(1, 3))]}
    names = {"web": ("visit", "click"), "shop": ("order", "refund"), "mail": ("letter", "reply")}
    definitions, events = {}, []
    for name, table in found.items():
        definitions[name], own = draw(datasets(table, names[name][: draw(st.integers(1, 2))], first, span))
        events += own
    dated = [name for name, table in found.items() if not table.timeless]
    if len(dated) > 1 and draw(st.integers(0, 3)) == 0:
        one, other = draw(st.permutations(dated))[:2]
        definitions[one]["covers"] = {"to": other}
    contracts: dict[str, Any] = {"promised": {"fields": {"revenue": {"unit": "money"}}}}
    if len(found) > 1 and draw(st.integers(0, 2)) == 0:
        events[0] = draw(shared(events[0], definitions, found))
        if draw(st.booleans()):
            both = list(found)[:2]
            found |= {name: numbered(found[name], place) for place, name in enumerate(both)}
            contracts[events[0].name] = {"key": "number", "prefer": draw(st.permutations(both))}
    groups, events = draw(entity_groups.groups(events, events, conditions, "g0"))
    defined, events = draw(derived_events.derived(events, conditions))
    contracts |= defined
    spoken = [event for event in events if event.name.isidentifier()]
    more, events = draw(entity_groups.groups(events, spoken, conditions, "g1"))
    groups |= more
    looked = {one["dataset"] for written in definitions.values() for one in written.get("lookups", {}).values()}
    if looked:
        small = draw(small_tables(first, span, plain))
        wanted = [name for name in small if name in looked or (name == "towns" and "people" in looked)]
        definitions |= {name: dict(SMALL[name]) for name in wanted}
        found |= {name: small[name] for name in wanted}
    days = st.integers(-1, span + 1).map(lambda n: (first + timedelta(days=n)).isoformat())
    funnels, parts = draw(parts_of.funnels(events, conditions))
    cohorts, more_parts = draw(parts_of.cohorts(events, conditions))
    written, known = draw(kpis(events, days, [*parts, *more_parts]))
    used = frozenset().union(*(formula.events for formula in known.values()))
    events = [event for event in events if event.name.isidentifier() or event.name in used]
    if draw(st.integers(0, 5)) == 0:
        written["lost"] = {"formula": f"promised / {events[0].name}"}
        known["lost"] = Formula(written["lost"]["formula"], frozenset({events[0].name}))
    calendar = {
        "timezone": draw(st.sampled_from(ZONES)),
        "week_start": draw(st.sampled_from(["monday", "sunday", "saturday"])),
        "year_start": draw(st.sampled_from(["january", "january", "february", "april", "october"])),
        "periods": LISTED.as_posix(),
        "hours": draw(st.sampled_from(HOURS)) | draw(st.dictionaries(days, st.sampled_from(("closed", "10:00-24:00")))),
    }
    constants = CONSTANTS | dated_constants(draw, days)
    definition = {
        "calendar": calendar, "constants": constants, "events": contracts, "datasets": definitions, "kpis": written
    }  # fmt: skip
    definition |= {"funnels": funnels} if funnels else {}
    definition |= {"cohorts": cohorts} if cohorts else {}
    if groups:
        definition["groups"] = groups
    if draw(st.integers(0, 2)) == 0:
        definition["dimensions"] = DESCRIBED
    return Project(definition, found, {event.name: event for event in events}, known, first, span)


@dataclass(frozen=True)
class Asked:
    """A question as drawn."""

    kpis: tuple[str, ...]
    grain: str | None
    by: tuple[str, ...]
    since: date | None
    until: date | None
    where: str | None
    as_of: date | datetime | None
    compare: tuple[str, ...] | None = None

    def alone(self, kpi: str) -> Asked:
        return replace(self, kpis=(kpi,))


def hours_of(day: date, project: Project) -> st.SearchStrategy[datetime]:
    """The times of a day, those about a change of clocks among them."""
    zone = ZoneInfo(project.zone)
    return st.sampled_from([datetime(day.year, day.month, day.day, hour, tzinfo=zone) for hour in (0, 1, 2, 3, 13)])


@st.composite
def questions(draw: st.DrawFn, project: Project) -> Asked:
    """A question that the project has an answer to."""
    hours = project.span <= 4 and all(event.clock for event in project.events.values())
    asked = tuple(draw(st.lists(st.sampled_from(sorted(project.kpis)), unique=True)))
    shifted = any(project.kpis[name].shifted for name in asked or project.kpis)
    listed = () if shifted else LISTED_GRAINS
    grain = draw(st.sampled_from((None, *GRAINS, *listed, *(("hour",) * 3 if hours else ()))))
    everywhere = frozenset.union(*(event.fields for event in project.events.values()))
    known = sorted(everywhere & set(DIMENSIONS))
    by = tuple(draw(st.lists(st.sampled_from(known), max_size=2, unique=True)))
    where = draw(conditions(everywhere - {"at"})) if draw(st.integers(0, 2)) == 0 else None
    days = st.integers(-3, project.span + 3).map(lambda n: project.first + timedelta(days=n))
    since = draw(days) if draw(st.integers(0, 4)) == 0 else None
    until = draw(days) if draw(st.integers(0, 4)) == 0 else None
    if since and until and until < since:
        since, until = until, since
    if grain == "hour" and draw(st.booleans()):
        since, until = (draw(hours_of(one, project)) if one else None for one in (since, until))
        if since and until and until < since:
            since, until = until, since
    as_of: date | datetime | None = draw(st.none() | st.none() | days)
    if as_of and draw(st.booleans()):
        as_of = datetime(
            as_of.year, as_of.month, as_of.day, draw(st.sampled_from([0, 1, 2, 13])), tzinfo=ZoneInfo(project.zone)
        )
    compare = None
    if grain in LISTED_GRAINS:  # their years are not told
        compare = ()
    elif draw(st.booleans()):
        compare = draw(st.sampled_from((("previous",), ("year",), ("previous", "year"), ("none",))))
    return Asked(asked, grain, by, since, until, where, as_of, compare)
