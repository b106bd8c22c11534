"""Measure what a cold audit costs: opening files never seen before, against Polars reading the same columns.

    python benchmarks/audit.py [--rows NUMBER] [--repeat N]

Both sides in one run, interleaved; medians of CPU seconds. The audit looks at each line, decides the type of each
column over all rows, and holds its count of rows against the engine's; the plain scan guesses types from the first
hundred rows and reads every value once. `warm` is the same files again. Exits 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "engine")]
LIMITS: Mapping[str, float] = {"csv": 6, "csv, quoted": 9, "ndjson": 14, "parquet": 1}


def main() -> int:
    """Write the files, measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    missed = []
    print(f"\n{asked.rows:,} rows of nine columns, s CPU; medians of {asked.repeat}\n")
    print("| file | MB | plain scan | cold audit | ratio | warm | limit |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as place:
        for name, path in _files(Path(place), asked.rows).items():
            plain, cold, warm = _measure(path, asked.repeat)
            ratio = cold / plain
            size = path.stat().st_size / 1e6
            print(f"| {name} | {size:.0f} | {plain:.2f} | {cold:.2f} | {ratio:.1f} × | {warm:.2f} | {LIMITS[name]} × |")
            if ratio > LIMITS[name]:
                missed.append(f"{name}: the audit takes {ratio:.1f} × the plain scan (at most {LIMITS[name]})")
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _files(folder: Path, rows: int) -> dict[str, Path]:
    import polars as pl

    from benchmarks.data import events

    frame = pl.read_parquet(events(rows) / "*.parquet").with_columns(pl.col(pl.Enum).cast(pl.String))
    found = {"csv": folder / "a.csv", "csv, quoted": folder / "b.csv", "ndjson": folder / "c.ndjson"}
    found["parquet"] = folder / "d.parquet"
    frame.write_csv(found["csv"])
    frame.with_columns(note=pl.lit('says "hi", twice')).drop("quantity").write_csv(found["csv, quoted"])
    frame.write_ndjson(found["ndjson"])
    frame.write_parquet(found["parquet"])
    return found


def _measure(path: Path, repeat: int) -> tuple[float, float, float]:
    import polars as pl

    import smartkpi
    from smartkpi.sources.tables import open_table

    project = smartkpi.load({"datasets": {"log": {"read": str(path), "time": "ts", "events": {"e": "all rows"}}}})
    dataset = project.catalog.datasets["log"]
    scan = {".csv": pl.scan_csv, ".ndjson": pl.scan_ndjson, ".parquet": pl.scan_parquet}[path.suffix]

    def plain() -> None:
        scan(path).select(pl.all().count()).collect(engine="streaming")

    def opened() -> None:
        open_table(dataset)

    sides: dict[str, list[float]] = {"plain": [], "cold": [], "warm": []}
    for _ in range(repeat):
        sides["plain"].append(_seconds(plain))
        os.utime(path)  # another file, as far as anybody remembers
        sides["cold"].append(_seconds(opened))
        sides["warm"].append(_seconds(opened))
    plain_, cold, warm = (statistics.median(found) for found in sides.values())
    return plain_, cold, warm


def _seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
