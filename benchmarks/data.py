"""Seeded events to measure on: nine columns, a year, written once into a cache outside git."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl

CACHE = Path(os.environ.get("SMARTKPI_BENCH_CACHE") or Path(__file__).resolve().parent / ".cache")
CHUNK = 1_000_000
EVENTS = {
    "exposure": 0.7,
    "click": 0.15,
    "visit": 0.08,
    "inquiry": 0.03,
    "cart": 0.02,
    "order": 0.012,
    "payment": 0.006,
}
EVENTS["refund"] = 0.002
COUNTRIES = [f"{a}{b}" for a in "ABC" for b in "DEFGHIJ"]
CHANNELS = ["search", "ads", "social", "mail", "shop", "direct"]
CURRENCIES = ["USD", "EUR", "GBP", "BRL", "JPY"]
SEGMENTS = ["new", "small", "middle", "large", "lost"]
START = np.datetime64("2025-01-01T00:00:00", "us")
YEAR = 365 * 86_400 * 1_000_000


def events(rows: int) -> Path:
    """Return the folder of Parquet files with so many events, made where it is not there yet."""
    folder = CACHE / f"events-{rows}"
    done = folder / "done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        chunks = -(-rows // CHUNK)
        for number in range(chunks):
            size = min(CHUNK, rows - number * CHUNK)
            path = folder / f"part-{number:03}.parquet"
            _chunk(number, chunks, size, rows).write_parquet(path, compression="zstd", row_group_size=131_072)
        done.touch()
    return folder


def events_as(rows: int, form: str) -> Path:
    """Return the same events in another form: `text` (Parquet with String columns) or `csv`."""
    source = events(rows)
    folder = source.with_name(f"{source.name}-{form}")
    done = folder / "done"
    if not done.exists():
        folder.mkdir(exist_ok=True)
        for path in sorted(source.glob("*.parquet")):
            frame = pl.read_parquet(path).with_columns(pl.col(pl.Enum).cast(pl.String))
            if form == "csv":
                frame.write_csv(folder / f"{path.stem}.csv")
            else:
                frame.write_parquet(folder / path.name, compression="zstd", row_group_size=131_072)
        done.touch()
    return folder


def visitors(rows: int) -> Path:
    """Return a table with a row for each visitor that so many events may have: 1.4 million of 20 million events."""
    path = CACHE / f"visitors-{rows}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        count = visitors_of(rows)
        segment = _enum(_skewed(np.random.default_rng(7), len(SEGMENTS), count), SEGMENTS)
        pl.DataFrame({"visitor_id": np.arange(count), "segment": segment}).write_parquet(path)
    return path


def visitors_of(rows: int) -> int:
    """Return how many visitors there are among whom so many events are shared out."""
    return rows // 14 + 1


def _chunk(number: int, chunks: int, size: int, rows: int) -> pl.DataFrame:
    """One stretch of the year, in order of time, as a log would be."""
    rng = np.random.default_rng([7, number])
    first, width = YEAR * number // chunks, YEAR // chunks
    times = START + np.sort(rng.integers(first, first + width, size)).astype("timedelta64[us]")
    event = rng.choice(len(EVENTS), size, p=list(EVENTS.values())).astype(np.int32)
    amount = np.round(rng.gamma(1.5, 60, size) + 5, 2)
    return pl.DataFrame(
        {
            "ts": times,
            "event": _enum(event, list(EVENTS)),
            "visitor_id": (rng.pareto(1.2, size) * rows / 60).astype(np.int64) % visitors_of(rows),
            "country": _enum(_skewed(rng, len(COUNTRIES), size), COUNTRIES),
            "channel": _enum(_skewed(rng, len(CHANNELS), size), CHANNELS),
            "currency": _enum(_skewed(rng, len(CURRENCIES), size), CURRENCIES),
            "salesperson": rng.integers(0, 40, size).astype(np.int32),
            "amount": pl.Series(amount).set(pl.Series(event < 2), None),
            "quantity": rng.integers(1, 9, size).astype(np.int32),
        }
    )


def _skewed(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    shares = 1 / np.arange(1, n + 1)
    return rng.choice(n, size, p=shares / shares.sum()).astype(np.uint8)


def _enum(codes: np.ndarray, names: list[str]) -> pl.Series:
    return pl.Series(np.asarray(names)[codes]).cast(pl.Enum(names))
