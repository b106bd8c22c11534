"""Distinct visitors of the last 1, 7 and 28 days, by day: the best plans by hand, in Polars and in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

WINDOWS = (1, 7, 28)
FIRST, END = date(2025, 1, 1), date(2026, 1, 1)
DAY = timedelta(days=1)
BITS = 64
Words = np.ndarray


def kpis() -> dict[str, str]:
    """Return our KPIs, of the event `any`."""
    return {f"last_{days}": f"trailing(distinct(any.visitor_id), {days}d)" for days in WINDOWS}


def bitmap(folder: Path, mix: str, by: tuple[str, ...]) -> Callable[[], Callable[[], pl.DataFrame]]:
    """By hand: a word of 64 days for each visitor, in slices of time that overlap by the longest window.

    A window is an OR of shifted words; carry-save adders count each bit of all words at once.
    """

    def answer() -> Callable[[], pl.DataFrame]:
        parts = [part for start in _starts() for part in _slice(folder, by, start)]
        return lambda: pl.concat(parts)

    return answer


def _starts() -> Iterator[date]:
    """Yield the first day of each slice; the days before the last of its windows belong to the slice before."""
    start = FIRST - (max(WINDOWS) - 1) * DAY
    while start + (max(WINDOWS) - 1) * DAY < END:
        yield start
        start += (BITS - max(WINDOWS) + 1) * DAY


def _slice(folder: Path, by: tuple[str, ...], start: date) -> Iterator[pl.DataFrame]:
    end, ts = start + BITS * DAY, pl.col("ts")
    bits = pl.lit(pl.Series([1 << bit for bit in range(BITS)], dtype=pl.UInt64))
    place = ts.dt.date().to_physical() - (start - date(1970, 1, 1)).days
    rows = pl.scan_parquet(folder / "*.parquet").filter(ts >= start, ts < end)
    words = (
        rows.select(*by, "visitor_id", w=bits.gather(place)).group_by(*by, "visitor_id").agg(pl.col("w").bitwise_or())
    )
    found = words.collect(engine="streaming")
    first = max(WINDOWS) - 1
    days = [day for bit in range(first, BITS) if FIRST <= (day := start + bit * DAY) < END]
    for part in found.partition_by(by) if by else [found]:
        keys = part.select(pl.col(name).first().cast(pl.String) for name in by)
        for window in WINDOWS:
            counts = _counts(_over(part["w"].to_numpy(), window))[first:][: len(days)]
            own = pl.DataFrame({"day": days, "kpi": f"last_{window}", "value": counts.astype(float)})
            yield own.join(keys, how="cross").select("day", *by, "kpi", "value") if by else own


def _over(words: Words, window: int) -> Words:
    """Return words whose bits say whether any of so many days up to each has one."""
    done = 1
    while done < window:
        step = min(done, window - done)
        words = words | words << np.uint64(step)
        done += step
    return words


def _counts(words: Words) -> Words:
    """Return how many words have each bit: three of a weight make one of it and one of twice as much."""
    counts, weight = np.zeros(BITS, dtype=np.int64), 1
    while len(words):
        carries = []
        while len(words) > 2:
            third = len(words) // 3
            a, b, c = words[:third], words[third : 2 * third], words[2 * third : 3 * third]
            carries.append(a & b | (a ^ b) & c)
            words = np.concatenate([a ^ b ^ c, words[3 * third :]])
        for word in words:
            counts += weight * (word >> np.arange(BITS, dtype=np.uint64) & np.uint64(1)).astype(np.int64)
        words, weight = np.concatenate([np.empty(0, dtype=np.uint64), *carries]), 2 * weight
    return counts


def duckdb_gaps(folder: Path, mix: str, by: tuple[str, ...]) -> Callable[[], Callable[[], pl.DataFrame]]:
    """In DuckDB: a visitor counts from a day on until the window ends or the next visit counts; one query for all."""
    import duckdb

    keys = "".join(f"{name}, " for name in by)
    windows = ", ".join(f"({days})" for days in WINDOWS)
    longest = max(WINDOWS)
    sql = f"""
        WITH rows AS (SELECT {keys}visitor_id, ts::DATE AS d FROM read_parquet('{folder.as_posix()}/*.parquet')),
        days AS (SELECT DISTINCT * FROM rows),
        gaps AS (SELECT {keys}d, lead(d) OVER (PARTITION BY {keys}visitor_id ORDER BY d) - d AS gap FROM days),
        sizes AS (SELECT {keys}d, least(coalesce(gap, {longest}), {longest}) AS gap, count(*) n FROM gaps GROUP BY ALL),
        steps AS (
            SELECT {keys}w, d AS day, n FROM sizes, (VALUES {windows}) AS t(w)
            UNION ALL SELECT {keys}w, d + least(gap, w)::INTEGER AS day, -n FROM sizes, (VALUES {windows}) AS t(w))
        SELECT {keys}w, day, sum(n) AS step FROM steps GROUP BY ALL ORDER BY ALL
    """

    def answer() -> Callable[[], pl.DataFrame]:
        steps = pl.DataFrame(duckdb.sql(sql).to_arrow_table())
        return lambda: _filled(steps, by)

    return answer


def _filled(steps: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return the values of all days from steps on some of them."""
    grid = pl.DataFrame({"day": pl.date_range(FIRST, END - DAY, eager=True)})
    whole = steps.select(*by, "w").unique().join(grid, how="cross")
    found = whole.join(steps, on=[*by, "w", "day"], how="left").sort(*by, "w", "day")
    value = pl.col("step").cast(pl.Float64).fill_null(0).cum_sum().over(*by, "w")
    return found.select("day", *by, kpi="last_" + pl.col("w").cast(pl.String), value=value)
