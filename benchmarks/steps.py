"""A funnel of five steps in 30 days, and orders repeated within 90: the best plans by hand, in Polars and in DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

FUNNEL = ("exposure", "click", "visit", "inquiry", "order")
WITHIN, AGAIN = 30, 90
FIRST, END = date(2025, 1, 1), date(2026, 1, 1)
Prepared = Callable[[], Callable[[], pl.DataFrame]]


CHAIN = f"count({' then '.join(FUNNEL)} within {WITHIN}d by visitor_id)"
PROJECTS: dict[str, dict[str, Any]] = {
    "funnel": {"kpis": {"funnel": CHAIN}},
    "repeats": {"kpis": {"repeats": f"count(repeat order by visitor_id within {AGAIN}d)"}},
    "whole funnel": {"funnels": {"steps": {"steps": [*FUNNEL], "by": "visitor_id", "within": f"{WITHIN}d"}}},
    "first orders": {"kpis": {"buyers": "count(first order by visitor_id)"}},
    "cohorts": {"cohorts": {"buyers": {"of": "visitor_id", "start": "first order by visitor_id", "return": "order"}}},
    "orders": {"kpis": {"orders": "count(order)"}},
    "orders of buyers": {"kpis": {"orders": "count(order where rich)"}},
    "exposures": {"kpis": {"exposures": "count(exposure)"}},
    "exposures of buyers": {"kpis": {"exposures": "count(exposure where rich)"}},
    "exposures of visitors": {"kpis": {"exposures": "count(exposure where busy)"}},
}
GROUPS = {
    "rich": {"of": "visitor_id", "where": "sum(order.amount) >= 500"},
    "busy": {"of": "visitor_id", "where": "count(exposure) >= 20"},
}
BESIDE = {
    "whole funnel": ("funnel", 5.0),
    "cohorts": ("first orders", 1.5),
    "orders of buyers": ("orders", 5.0),
    "exposures of buyers": ("exposures", 6.0),
    "exposures of visitors": ("exposures", 20.0),
}
"""What is held against a simpler question of ours, and how often as long it may take at most."""


def definitions(mix: str) -> dict[str, Any]:
    """Return what a mix of derived events defines."""
    return {**PROJECTS[mix], "groups": GROUPS} if mix.rpartition(" of ")[2] in ("buyers", "visitors") else PROJECTS[mix]


def asked(mix: str) -> tuple[str, ...]:
    """Return what is asked for by name: a funnel, or cohorts; else all KPIs are."""
    found = PROJECTS.get(mix, {})
    return (*found.get("funnels", ()), *found.get("cohorts", ()))


def by_hand(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """By hand, in Polars: as-of joins from the last step back, on one key of visitor and time; sort and shift."""
    return lambda: _as_of(folder) if mix == "funnel" else _shifted(folder)


def _as_of(folder: Path) -> Callable[[], pl.DataFrame]:
    """Each row carries the earliest time at which the last step can be reached from it."""
    key = (pl.col("visitor_id").cast(pl.Int128) * (1 << 64) + pl.col("ts").dt.timestamp("us")).alias("key")
    later: pl.DataFrame | None = None
    for event in reversed(FUNNEL):
        rows = pl.scan_parquet(folder / "*.parquet").filter(pl.col("event") == event)
        frame = rows.select("visitor_id", "ts", key)
        if later is None:
            later = frame.with_columns(pl.col("ts").alias("end")).sort("key").collect(engine="streaming")
            continue
        known = later.select("visitor_id").unique()
        frame = frame.join(known.lazy(), on="visitor_id", how="semi").sort("key")
        after = later.lazy().select("key", "end", pl.col("visitor_id").alias("whose"))
        joined = frame.join_asof(after, on="key", strategy="forward").filter(pl.col("visitor_id") == pl.col("whose"))
        later = joined.select("visitor_id", "ts", "key", "end").collect(engine="streaming")
    assert later is not None
    found = later.filter(pl.col("end") <= pl.col("ts") + timedelta(days=WITHIN))
    return lambda: _by_day(found.select(day=pl.col("ts").dt.date()), "funnel")


def _shifted(folder: Path) -> Callable[[], pl.DataFrame]:
    rows = pl.scan_parquet(folder / "*.parquet").filter(pl.col("event") == "order").select("visitor_id", "ts")
    ordered = rows.sort("visitor_id", "ts")
    same = pl.col("visitor_id") == pl.col("visitor_id").shift(1)
    soon = pl.col("ts") <= pl.col("ts").shift(1) + timedelta(days=AGAIN)
    found = ordered.filter(same & soon).select(day=pl.col("ts").dt.date()).collect(engine="streaming")
    return lambda: _by_day(found, "repeats")


def duckdb_as_of(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """In DuckDB: ASOF joins from the last step to the first; `lead` for what is repeated."""
    import duckdb

    rows = f"read_parquet('{folder.as_posix()}/*.parquet')"
    if mix == "repeats":
        sql = f"""
            SELECT ts::DATE AS day, count(*) AS n FROM (
                SELECT ts, lag(ts) OVER (PARTITION BY visitor_id ORDER BY ts) AS prior FROM {rows}
                WHERE event = 'order')
            WHERE ts <= prior + INTERVAL {AGAIN} DAY GROUP BY 1
        """
    else:
        steps = [f"s{len(FUNNEL) - 1} AS (SELECT visitor_id, ts, ts AS fin FROM {rows} WHERE event = '{FUNNEL[-1]}')"]
        steps += [
            f"s{place} AS (SELECT a.visitor_id, a.ts, b.fin FROM (SELECT visitor_id, ts FROM {rows} "
            f"WHERE event = '{FUNNEL[place]}') a ASOF JOIN s{place + 1} b "
            "ON a.visitor_id = b.visitor_id AND a.ts <= b.ts)"
            for place in range(len(FUNNEL) - 2, -1, -1)
        ]
        sql = f"""
            WITH {", ".join(steps)} SELECT ts::DATE AS day, count(*) AS n FROM s0
            WHERE fin <= ts + INTERVAL {WITHIN} DAY GROUP BY 1
        """

    def answer() -> Callable[[], pl.DataFrame]:
        found = pl.DataFrame(duckdb.sql(sql).to_arrow_table())
        return lambda: _filled(found.select("day", n=pl.col("n").cast(pl.Float64)), mix)

    return answer


def plain_scan(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """For measure: the orders of each day and the time and visitor of each, read and no more."""

    def answer() -> Callable[[], pl.DataFrame]:
        rows = pl.scan_parquet(folder / "*.parquet").filter(pl.col("event") == "order")
        rows.select(pl.col("visitor_id").max(), pl.col("ts").max(), pl.len()).collect(engine="streaming")
        return lambda: pl.DataFrame(schema={"day": pl.Date, "kpi": pl.String, "value": pl.Float64})

    return answer


def _by_day(days: pl.DataFrame, kpi: str) -> pl.DataFrame:
    return _filled(days.group_by("day").agg(n=pl.len().cast(pl.Float64)), kpi)


def _filled(found: pl.DataFrame, kpi: str) -> pl.DataFrame:
    grid = pl.DataFrame({"day": pl.date_range(FIRST, END - timedelta(days=1), eager=True)})
    return grid.join(found, on="day", how="left").select("day", kpi=pl.lit(kpi), value=pl.col("n").fill_null(0.0))
