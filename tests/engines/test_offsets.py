"""Local time by adding offsets is what converting zones gives, around every change of the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_series_equal

from smartkpi.engines.polars.times import add_offsets, localise, take_offsets, to_zone

ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Pacific/Apia",
]
FIRST, LAST = datetime(2011, 6, 1), datetime(2013, 12, 31, 23, 59, 59)


def times() -> pl.Series:
    return pl.datetime_range(FIRST, LAST, "13m", time_unit="us", eager=True).extend(
        pl.datetime_range(FIRST, LAST, "30m", time_unit="us", eager=True)
    )


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_are_conversions(zone: str) -> None:
    frame = pl.DataFrame({"t": times()})
    span = (FIRST, LAST)
    local, utc = add_offsets(pl.col("t"), zone, span), take_offsets(pl.col("t"), zone, span)
    assert local is not None
    assert utc is not None
    aware = pl.col("t").dt.replace_time_zone("UTC")
    wanted = frame.select(local=to_zone(aware, zone).dt.replace_time_zone(None))
    assert_series_equal(frame.select(local=local)["local"], wanted["local"])
    wanted = frame.select(utc=localise(pl.col("t"), zone).dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    assert_series_equal(frame.select(utc=utc)["utc"], wanted["utc"])


@pytest.mark.parametrize(
    "span",
    [
        (datetime(1, 1, 1), datetime(2, 1, 1)),
        (datetime(9999, 1, 1), datetime(9999, 12, 31)),
        (datetime(1980, 1, 1), datetime(2026, 1, 1)),
        (datetime(2000, 1, 1), datetime(2015, 1, 1)),
    ],
)
def test_long_spans_are_converted(span: tuple[datetime, datetime]) -> None:
    assert add_offsets(pl.col("t"), "America/New_York", span) is None
    assert take_offsets(pl.col("t"), "America/New_York", span) is None


def test_a_single_moment_is_a_span() -> None:
    at = datetime(2026, 3, 8, 7) - timedelta(microseconds=1)
    local = add_offsets(pl.lit(at), "America/New_York", (at, at))
    assert local is not None
    assert pl.select(local).item() == datetime(2026, 3, 8, 1, 59, 59, 999_999)
