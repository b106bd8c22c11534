"""Results by hand: what the engine would give for a small shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.result import KpiInfo, Provenance, Result
from smartkpi.semantics.comparisons import COMPARISONS
from smartkpi.spec.model import Labels

ZONE = "America/Sao_Paulo"
CALENDAR = Calendar(ZONE)
AS_OF = datetime(2026, 4, 30, 23, 59, 59, 999999, tzinfo=CALENDAR.zone)

KPIS = {
    "conversion_rate": KpiInfo(
        "conversion_rate",
        Labels((("en", "Conversion rate"), ("zh", "转化率"))),
        Labels(),
        "percent",
        "plain",
        None,
        "higher",
        None,
        ("funnel",),
    ),
    "revenue": KpiInfo(
        "revenue", Labels((("en", "Revenue"), ("zh", "收入"))), Labels(), None, "money", "BRL", "higher", "Ana", ()
    ),
    "delivery_time": KpiInfo(
        "delivery_time",
        Labels((("en", "Time from order to delivery"), ("zh", "从下单到送达的时间"))),
        Labels(),
        None,
        "duration",
        None,
        "lower",
        None,
        (),
    ),
    "orders": KpiInfo("orders", Labels(), Labels(), None, "plain", None, "none", None, ()),
    "refund_rate": KpiInfo(
        "refund_rate",
        Labels((("en", "Refund rate"), ("zh", "退款率"))),
        Labels(),
        "percent",
        "plain",
        None,
        "lower",
        None,
        (),
    ),
}


def row(
    kpi: str, period: date | datetime, value: float | None, grain: Grain = Grain.MONTH, **more: Any
) -> dict[str, Any]:
    """Return one row of the tidy table."""
    start, end = CALENDAR.bounds(grain, period)
    info = KPIS[kpi]
    unavailable = more.get("state") == "unavailable"
    base = {
        "kpi": kpi,
        "grain": str(grain),
        "start": None if unavailable else start.astimezone(CALENDAR.zone),
        "end": None if unavailable else end.astimezone(CALENDAR.zone),
        "level": "segment",
        "value": value,
        "money": Decimal(repr(value)) if info.unit == "money" and value is not None else None,
        "unit": info.unit,
        "currency": info.currency,
        "n": None if value is None else 100,
        "state": "ok" if value is not None else "no_data",
        "flags": [],
        "status": None,
        "reason": None,
    }
    return base | more


def frame(rows: Sequence[dict[str, Any]], by: Sequence[str] = (), compare: Sequence[str] = ()) -> pl.DataFrame:
    """Return rows as the tidy frame."""
    held = [COMPARISONS[name] for name in compare]
    time = pl.Datetime("us", ZONE)
    schema = {
        "kpi": pl.String,
        "grain": pl.String,
        "start": time,
        "end": time,
        **dict.fromkeys(by, pl.String),
        "level": pl.String,
        "value": pl.Float64,
        "money": pl.Decimal(38, 6),
        "unit": pl.String,
        "currency": pl.String,
        "n": pl.Int64,
        "state": pl.String,
        "flags": pl.List(pl.String),
        "status": pl.String,
        "reason": pl.String,
        **{n: pl.List(pl.String) if n == one.flags else pl.Float64 for one in held for n in one.all},
    }
    return pl.DataFrame([{name: one.get(name) for name in schema} for one in rows], schema=schema)


def result(
    rows: Sequence[dict[str, Any]],
    trend: Sequence[dict[str, Any]] = (),
    by: Sequence[str] = (),
    *,
    scorecard: bool = True,
    as_of: dict[str, datetime | None] | None = None,
    compare: tuple[str, ...] = (),
    **more: Any,
) -> Result:
    """Return a result over rows."""
    return Result(
        frame=frame(rows, by, compare),
        trend=frame(trend, by),
        kpis=KPIS,
        by=tuple(by),
        scorecard=scorecard,
        provenance=Provenance(
            as_of=as_of if as_of is not None else dict.fromkeys(KPIS, AS_OF),
            datasets={
                "shop": {
                    "first": date(2025, 1, 3),
                    "last": date(2026, 4, 30),
                    "rows": 4_812,
                    "left_out": {"null_time": 2},
                    "unmatched": {},
                    "stale": False,
                }
            },
            scans=1,
            timezone=ZONE,
            version="0.1.0",
        ),
        calendar=CALENDAR,
        compare=compare,
        **more,
    )


def held(one: dict[str, Any], name: str, before: float | None, *flags: str) -> dict[str, Any]:
    """Return a row with what it is held against."""
    columns, value = COMPARISONS[name], one["value"]
    known = value is not None and before is not None
    change = [round(value - before, 9), round(value / before - 1, 9) if before > 0 else None] if known else [None, None]
    return one | dict(zip(columns.all, [before, *change, list(flags)], strict=True))


def scorecard() -> Result:
    """Return one row a KPI, with trends, statuses, states and flags."""
    month = date(2026, 4, 1)
    rows = [
        row("conversion_rate", month, 0.0631501, status="good"),
        row("revenue", month, 1234567.5, status="warning"),
        row("delivery_time", month, 187_500.0, status="critical"),
        row("orders", month, 48_120.0, flags=["incomplete"], status="pending"),
        row("refund_rate", month, None, state="unavailable", reason="no dataset provides `refund`"),
    ]
    trends = _trends(rows)
    before = {one["kpi"]: one["value"] for one in trends if one["start"].date() == date(2026, 3, 1)}
    return result([held(one, "previous", before.get(one["kpi"])) for one in rows], trends, compare=("previous",))


def mixed_periods() -> Result:
    """Return a scorecard whose KPIs have periods and as-ofs of their own."""
    rows = [
        row("conversion_rate", date(2026, 4, 1), 0.000631501),
        row("orders", date(2026, 4, 29), 0.0, Grain.DAY),
        row("refund_rate", date(2026, 4, 1), None, state="undefined"),
    ]
    early = datetime(2026, 4, 30, 14, 30, tzinfo=UTC)
    return result(rows, as_of={"conversion_rate": AS_OF, "orders": early, "refund_rate": AS_OF})


def segments() -> Result:
    """Return a scorecard by country."""
    month = date(2026, 4, 1)
    rows = [
        row(kpi, month, value, country=country, status=status)
        for kpi, value, status in (("conversion_rate", 0.05, "good"), ("revenue", 99.5, None))
        for country in ("BR", "中国", "=EVIL()", None)
    ]
    return result(rows, by=("country",))


def series() -> Result:
    """Return three KPIs over four months, the last one cut."""
    months = [date(2026, number, 1) for number in (1, 2, 3, 4)]
    rows = []
    for kpi, first, status in (
        ("conversion_rate", 0.05, "good"),
        ("revenue", 1_000_000.0, None),
        ("orders", 41_000.0, None),
    ):
        for number, month in enumerate(months):
            flags = ["incomplete"] if number == 3 else []
            shown = "pending" if status and flags else status
            rows.append(row(kpi, month, first * (1 + number / 8), flags=flags, status=shown))
    rows[1] = row("conversion_rate", months[1], None, state="undefined")
    return result(rows, scorecard=False)


def compared() -> Result:
    """Return two KPIs over three months beside the month before and a year ago, the last one cut."""
    rows = []
    for kpi, first in (("conversion_rate", 0.05), ("revenue", 1_000_000.0)):
        for number in (1, 2, 3):
            cut = number == 3
            one = row(kpi, date(2026, number, 1), first * number, flags=["incomplete"] if cut else [])
            one = held(one, "previous", first * (number - 1), *(["like_for_like"] if cut else []))
            rows.append(held(one, "year", None if number == 1 else first * 2.5, *(["incomplete"] if cut else [])))
    return result(rows, scorecard=False, compare=("previous", "year"))


def series_by() -> Result:
    """Return two KPIs over two months by country; one has a country that the other lacks."""
    rows = []
    for kpi, first, countries in (("orders", 900.0, ("BR", "US", None)), ("revenue", 12_345.678, ("BR", "US"))):
        for number in (1, 2):
            for place, country in enumerate(countries):
                rows.append(row(kpi, date(2026, number, 1), first * number - place * 250, country=country))
    return result(rows, by=("country",), scorecard=False)


def hours() -> Result:
    """Return the hours around the end of summer time."""
    zone = Calendar("Europe/Berlin")
    starts = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1, 2)]
    rows = [row("orders", start, float(n), Grain.HOUR) for n, start in enumerate(starts)]
    found = result(rows, scorecard=False)
    frame = found.frame.with_columns(pl.col("start", "end").dt.convert_time_zone(zone.timezone))
    return replace(found, frame=frame, provenance=replace(found.provenance, timezone=zone.timezone), calendar=zone)


def empty() -> Result:
    """Return a result without rows."""
    return result([], as_of={})


def _trends(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return 13 months up to each row, rising to its value; with a gap in the third."""
    found = []
    for one in rows:
        if one["start"] is None:
            continue
        last = one["start"].date()
        for back in range(12, -1, -1):
            month = CALENDAR.previous(Grain.MONTH, last, back)
            value = None if back == 10 else one["value"] * (1 - back * (back % 3 + 1) / 60)
            flags = one["flags"] if not back else []
            found.append(row(one["kpi"], month, value, flags=flags))
    return found
