"""Tables: rows with all that data does to one: nulls, NaN, huge numbers, odd letters, doubled keys, clock changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import strategies as st

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/New_York",
    "Africa/Cairo",
    "Asia/Shanghai",
    "Asia/Kolkata",
)
CLOCK_CHANGES = (date(2026, 3, 27), date(2026, 10, 23), date(2018, 11, 2), date(2018, 2, 15), date(2026, 4, 3))
TEXTS = ("BR", "US", "br", " BR ", 'a"b', "x;y,z", "=1+1", "日本", "Zoë", "")
PLAIN_TEXTS = ("BR", "US", "br", 'a"b', "x;y,z", "日本")
HUGE = (2**63 - 1, -(2**63) + 1, 2**62 + 1)
TIMES = ("date", "naive", "utc", "zoned")


@dataclass(frozen=True)
class Table:
    """A dataset's rows: the kind of their time and how it is written, whether rows are counted or have a key.

    ``timeless``: the columns with times are there, but none of them is the time of a row.
    """

    frame: pl.DataFrame
    time: str
    written: str
    counted: bool
    keyed: bool
    zone: str
    timeless: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.frame.columns)


def mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values, and now and then null."""
    return st.integers(0, 6).flatmap(lambda n: values if n else st.none())


def values(name: str, plain: bool) -> st.SearchStrategy[Any]:
    """Values of a column, by its name; plain ones have only what a CSV file can say."""
    quarters = st.integers(-8, 40).map(lambda n: n / 4)
    odd = st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.1, 1e15, -0.0, 1e-7])
    texts = st.sampled_from(("BR",) * 6 + ("US",) * 4 + (PLAIN_TEXTS if plain else TEXTS))
    small = st.integers(-3, 9)
    return {
        "country": mostly(texts),
        "channel": st.sampled_from(["ads", "mail", "shop"]),
        "size": mostly(small if plain else st.one_of(small, small, small, small, st.sampled_from(HUGE))),
        "tier": mostly(st.integers(0, 3)),
        "amount": mostly(quarters if plain else st.one_of(quarters, quarters, quarters, quarters, odd)),
        "price": mostly(st.integers(-500, 9999).map(lambda cents: Decimal(cents) / 100)),
        "paid": mostly(st.booleans()),
        "buyer": mostly(st.sampled_from(["a", "b", "c", "d"])),
        "odd name": mostly(st.sampled_from(["p", "q"])),
        "shows": mostly(st.integers(0, 9)),
    }[name]


TYPES: Mapping[str, Any] = {
    "country": pl.String,
    "channel": pl.String,
    "size": pl.Int64,
    "tier": pl.Int32,
    "amount": pl.Float64,
    "price": pl.Decimal(18, 2),
    "paid": pl.Boolean,
    "buyer": pl.String,
    "odd name": pl.String,
    "shows": pl.Int64,
}


@st.composite
def moments(draw: st.DrawFn, kind: str, zone: str, first: date, span: int) -> Any:
    """A time of a kind within the days from ``first``, often near midnight or a change of the clock."""
    day = first + timedelta(days=draw(st.integers(0, span - 1)))
    if kind == "date":
        return day
    minute = draw(
        st.sampled_from([0, 1, 59, 60, 89, 90, 119, 120, 150, 179, 180, 720, 1379, 1439]) | st.integers(0, 1439)
    )
    naive = datetime(day.year, day.month, day.day) + timedelta(
        minutes=minute, microseconds=draw(st.sampled_from([0, 1]))
    )
    if kind == "naive":
        return naive
    return naive.replace(tzinfo=UTC).astimezone(ZoneInfo("UTC" if kind == "utc" else zone))


def time_type(kind: str, zone: str) -> Any:
    return {"date": pl.Date, "naive": pl.Datetime("us"), "utc": pl.Datetime("us", "UTC")}.get(
        kind, pl.Datetime("us", zone)
    )


@st.composite
def tables(draw: st.DrawFn, first: date, span: int, plain: bool = False) -> Table:
    """A table with a time `at`, another `sent`, and some of the columns."""
    kind = draw(st.sampled_from(["date", "naive"] if plain else TIMES))
    zone = draw(st.sampled_from(ZONES))
    counted = draw(st.integers(0, 3)) == 0
    names = [
        "country",
        "amount",
        *draw(st.lists(st.sampled_from(sorted(set(TYPES) - {"country", "amount"})), unique=True)),
    ]
    if counted and "shows" not in names:
        names.append("shows")
    at = moments(kind, zone, first, span)
    columns = {name: values(name, plain) for name in names}
    row = st.fixed_dictionaries({"at": at if plain else mostly(at), "sent": mostly(at), **columns})
    size = draw(st.sampled_from([1, 5, 15, 40]))
    rows = draw(st.lists(row, min_size=size, max_size=size))
    if all(found["at"] is None for found in rows):
        rows[0]["at"] = draw(at)
    timeless = draw(st.integers(0, 7)) == 0
    keyed = not counted and not timeless and draw(st.integers(0, 3)) == 0
    if keyed:
        rows = draw(doubled(rows, kind))
    types = {"at": time_type(kind, zone), "sent": time_type(kind, zone)} | {name: TYPES[name] for name in names}
    if keyed:
        types |= {"id": pl.Int64, "version": pl.Int64}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    written = draw(st.sampled_from(["column", "column", "column", "text", "parts" if kind == "date" else "epoch"]))
    if not plain:
        frame = draw(stored(frame))
    if timeless:
        return Table(frame, kind, "none", counted, keyed, zone, timeless)
    if plain or written == "column":
        return Table(frame, kind, "at", counted, keyed, zone)
    spelled, time = SPELLINGS[written](frame, kind)
    return Table(spelled, kind, time, counted, keyed, zone)


@st.composite
def stored(draw: st.DrawFn, frame: pl.DataFrame) -> pl.DataFrame:
    """The same values in other types: small integers, Float32, Categorical, times in milli- and nanoseconds."""
    casts = []
    for name, types in OTHER_TYPES.items():
        if name in frame.columns and draw(st.integers(0, 3)) == 0:
            casts.append(pl.col(name).cast(draw(st.sampled_from(types))))
    if isinstance(frame.schema["at"], pl.Datetime) and draw(st.integers(0, 3)) == 0:
        casts.append(pl.col("at").dt.cast_time_unit(draw(st.sampled_from(["ms", "ns"]))))
    return frame.with_columns(casts)


OTHER_TYPES: Mapping[str, tuple[Any, ...]] = {
    "tier": (pl.Int8, pl.UInt8, pl.UInt64),
    "shows": (pl.UInt16, pl.Int32),
    "amount": (pl.Float32,),
    "channel": (pl.Categorical, pl.Enum(["mail", "shop", "ads"])),
    "buyer": (pl.Categorical,),
}


def as_text(frame: pl.DataFrame, kind: str) -> tuple[pl.DataFrame, str]:
    pattern = "%d.%m.%Y" if kind == "date" else "%d.%m.%Y %H:%M"
    return frame.with_columns(
        pl.col("at").dt.to_string(pattern).alias("at text")
    ), f'parse_time(col("at text"), "{pattern}")'


def as_parts(frame: pl.DataFrame, kind: str) -> tuple[pl.DataFrame, str]:
    at = pl.col("at").dt
    return frame.with_columns(at.year().alias("y"), at.month().alias("m"), at.day().alias("d")), "make_date(y, m, d)"


def as_epoch(frame: pl.DataFrame, kind: str) -> tuple[pl.DataFrame, str]:
    return frame.with_columns(pl.col("at").dt.epoch("ms").alias("stamp")), "epoch_ms(stamp)"


SPELLINGS = {"text": as_text, "parts": as_parts, "epoch": as_epoch}


@st.composite
def doubled(draw: st.DrawFn, rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Rows with a key `id`, some of them twice: as they are, or changed, later and of another `version`."""
    found = [{**row, "id": i, "version": draw(mostly(st.just(2)))} for i, row in enumerate(rows)]
    for row in list(found):
        what = draw(st.sampled_from(["once", "once", "twice", "changed"]))
        if what == "twice":
            found.append(dict(row))
        elif what == "changed" and row["at"] is not None:
            later = row["at"] + (timedelta(days=1) if kind == "date" else timedelta(hours=3))
            if kind not in ("date", "naive"):
                later = later.astimezone(UTC).astimezone(later.tzinfo)  # the clock may skip that hour
            version = draw(st.sampled_from([1, 3]))
            found.append({**row, "at": later, "version": version, "amount": draw(values("amount", True))})
    return draw(st.permutations(found))


@st.composite
def small_tables(draw: st.DrawFn, first: date, span: int, plain: bool = False) -> dict[str, Table]:
    """Tables to look up: people and the towns they live in, grades that change in time."""
    money = st.integers(0, 900).map(lambda cents: Decimal(cents) / 100)
    person = st.fixed_dictionaries(
        {"region": mostly(st.sampled_from(["north", "south"])), "home": mostly(st.integers(1, 4)), "paid_so_far": money}
    )
    buyers = draw(st.lists(st.sampled_from(["a", "b", "c", "z"]), min_size=1, unique=True))
    people = [{"buyer": buyer, **draw(person)} for buyer in buyers]
    if not plain:
        people += [{"buyer": None, **draw(person)}] * draw(st.integers(0, 2))
    towns = draw(st.lists(st.integers(1, 5), min_size=1, unique=True))
    types = {"buyer": pl.String, "region": pl.String, "home": pl.Int16, "paid_so_far": pl.Decimal(12, 2)}
    frames = {
        "people": pl.DataFrame(people, schema=types, orient="row"),
        "towns": pl.DataFrame({"town": towns, "area": [town % 3 for town in towns]}),
        "grades": draw(grades(first, span)),
    }
    return {name: Table(frame, "none", "", False, False, "UTC") for name, frame in frames.items()}


@st.composite
def grades(draw: st.DrawFn, first: date, span: int) -> pl.DataFrame:
    """Levels with a cost from one day to another: never two at once, with gaps and open ends."""
    rows: list[dict[str, Any]] = []
    for level in draw(st.lists(st.integers(0, 3), min_size=1, unique=True)):
        cuts = sorted(draw(st.lists(st.integers(-2, span + 2), min_size=1, max_size=4, unique=True)))
        for place, cut in enumerate(cuts):
            since = None if place == 0 and draw(st.booleans()) else first + timedelta(days=cut)
            last = place == len(cuts) - 1
            until = (
                None if last and draw(st.booleans()) else first + timedelta(days=span + 3 if last else cuts[place + 1])
            )
            if until is not None and until > first + timedelta(days=cut) + timedelta(days=1) and draw(st.booleans()):
                until -= timedelta(days=1)
            name = draw(st.sampled_from(["low", "high"]))
            rows.append(
                {"level": level, "since": since, "until": until, "name": name, "cost": draw(st.integers(0, 9)) / 4}
            )
    types = {"level": pl.Int64, "since": pl.Date, "until": pl.Date, "name": pl.String, "cost": pl.Float64}
    return pl.DataFrame(rows, schema=types, orient="row")
