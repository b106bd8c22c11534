"""Who is measured: each side answers the same KPIs by day (and country): a frame (day, country?, kpi, value)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import polars as pl

from benchmarks.mix import Condition, Spec, chosen, project
from benchmarks.steps import BESIDE, asked, by_hand, duckdb_as_of, plain_scan
from benchmarks.windows import bitmap, duckdb_gaps

Prepared = Callable[[], Callable[[], pl.DataFrame]]
MICRO = 1_000_000
LARGE = 5_000_000
FIRST, LAST = datetime(2025, 1, 1), datetime(2026, 1, 1)


def smartkpi(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """Ours: what a user calls, from the loaded project to the tidy result with states, flags and provenance."""
    import smartkpi as product

    opened = product.load(project(str(folder), mix, str(table_of(folder)) if "segment" in by else ""))

    def answer() -> Callable[[], pl.DataFrame]:
        grain = "month" if mix in BESIDE else "day"
        frame = opened.run(list(asked(mix)), grain=grain, by=list(by)).frame
        return lambda: frame.select(pl.col("start").dt.date().alias("day"), *by, "kpi", "value")

    return answer


def two_level(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """By hand: one streaming pass to (day, keys, event, code of conditions), then all KPIs on that small table.

    Money and whole numbers are added exactly, as ours are. Distincts have a pass with the event as key, by months
    where there are many rows; quantiles one each over the rows of their event.
    """
    everything = chosen(mix)
    wanted = [spec for spec in everything if spec.aggregate not in ("distinct", "p95")]
    others = [spec for spec in everything if spec not in wanted]
    masks = list(dict.fromkeys(spec.condition for spec in wanted if spec.condition is not None))
    code = pl.sum_horizontal(
        *(_condition(mask).fill_null(False).cast(pl.UInt32) * (1 << bit) for bit, mask in enumerate(masks))
    )
    rows = pl.scan_parquet(folder / "*.parquet")
    if "segment" in by:
        rows = rows.join(pl.scan_parquet(table_of(folder)), on="visitor_id", how="left")
    scan = rows.group_by(pl.col("ts").dt.truncate("1d").alias("day"), *by, "event", code.alias("code")).agg(
        rows=pl.len().cast(pl.Int64),
        amount=(pl.col("amount") * MICRO).round().cast(pl.Int128).sum(),
        present=pl.col("amount").count().cast(pl.Int64),
        quantity=pl.col("quantity").cast(pl.Int128).sum(),
    )

    def kpi(spec: Spec) -> pl.Expr:
        mask = pl.col("event") == spec.event
        if spec.condition is not None:
            mask &= (pl.col("code") & (1 << masks.index(spec.condition))) != 0
        match spec.aggregate, spec.column:
            case "count", _:
                value = pl.col("rows").filter(mask).sum().cast(pl.Float64)
            case "avg", _:
                total, present = pl.col("amount").filter(mask).sum(), pl.col("present").filter(mask).sum()
                value = pl.when(present > 0).then(total.cast(pl.Float64) / MICRO / present)
            case _, "amount":
                value = pl.col("amount").filter(mask).sum().cast(pl.Float64) / MICRO
            case _:
                value = pl.col("quantity").filter(mask).sum().cast(pl.Float64)
        return value.alias(spec.name)

    def answer() -> Callable[[], pl.DataFrame]:
        small = scan.collect(engine="streaming")
        wide = small.lazy().group_by("day", *by).agg(*map(kpi, wanted)).sort("day", *by).collect(engine="in-memory")
        for part in _apart(folder, others, by):
            wide = wide.join(part, on=["day", *by], how="left", maintain_order="left")
        return lambda: _long(wide, by)

    return answer


def smartkpi_of_csv(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """Ours, over the same events in CSV files."""
    return smartkpi(folder.with_name(f"{folder.name}-csv"), mix, by)


def table_of(folder: Path) -> Path:
    """Return the table of visitors that belongs to a folder of events."""
    return folder.with_name(f"visitors-{folder.name.split('-')[1]}.parquet")


def _apart(folder: Path, wanted: list[Spec], by: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """Yield what is not additive: all distincts, then each quantile."""
    frame = pl.scan_parquet(folder / "*.parquet")
    keys: list[pl.Expr | str] = [pl.col("ts").dt.truncate("1d").alias("day"), *by]
    distincts = {spec.event: spec.name for spec in wanted if spec.aggregate == "distinct"}
    if distincts:
        count = frame.select(pl.len()).collect().item()
        months = [datetime(2025 + n // 12, n % 12 + 1, 1) for n in range(13)] if count > LARGE else [FIRST, LAST]
        size = pl.col("visitor_id").drop_nulls().n_unique().cast(pl.Float64)
        parts = [
            frame.filter(pl.col("ts") >= start, pl.col("ts") < end)
            .group_by(*keys, "event")
            .agg(size)
            .collect(engine="streaming")
            for start, end in pairwise(months)
        ]
        found = pl.concat(parts).with_columns(pl.col("event").cast(pl.String))
        yield found.pivot("event", index=["day", *by], values="visitor_id").rename(distincts)
    for spec in wanted:
        if spec.aggregate == "p95":
            value = pl.col("amount").quantile(0.95, "linear").alias(spec.name)
            rows = frame.filter(pl.col("event") == spec.event)
            yield rows.group_by(keys).agg(value).collect(engine="streaming")


def query_a_kpi(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """One Polars query a KPI, its filter pushed to the scan: what most metric layers send."""
    wanted = chosen(mix)

    def query(spec: Spec) -> pl.LazyFrame:
        mask = pl.col("event") == spec.event
        if spec.condition is not None:
            mask &= _condition(spec.condition)
        column = pl.col(spec.column or "event")
        value = {
            "count": pl.len(),
            "sum": column.sum(),
            "avg": column.mean(),
            "distinct": column.drop_nulls().n_unique(),
            "p95": column.quantile(0.95, "linear") if spec.aggregate == "p95" else pl.len(),
        }[spec.aggregate]
        keys = [pl.col("ts").dt.truncate("1d").alias("day"), *by]
        return (
            pl.scan_parquet(folder / "*.parquet").filter(mask).group_by(keys).agg(value.cast(pl.Float64).alias("value"))
        )

    def answer() -> Callable[[], pl.DataFrame]:
        frames = [query(spec).collect(engine="streaming") for spec in wanted]
        named = [frame.with_columns(kpi=pl.lit(spec.name)) for frame, spec in zip(frames, wanted, strict=True)]
        return lambda: pl.concat(named).with_columns(pl.col("day").dt.date()).select("day", *by, "kpi", "value")

    return answer


def duckdb_filter(folder: Path, mix: str, by: tuple[str, ...]) -> Prepared:
    """One DuckDB query with a FILTER clause a KPI: what one writes by hand in SQL."""
    import duckdb

    wanted = chosen(mix)

    def column(spec: Spec) -> str:
        call = {
            "count": "count(*)",
            "distinct": f"count(DISTINCT {spec.column})",
            "p95": f"quantile_cont({spec.column}, 0.95)",
        }.get(spec.aggregate, f"{spec.aggregate}({spec.column})")
        return f"CAST({call} FILTER (WHERE {spec.mask}) AS DOUBLE) AS {spec.name}"

    keys = ", ".join(["date_trunc('day', ts) AS day", *by])
    sql = (
        f"SELECT {keys}, {', '.join(map(column, wanted))} "
        f"FROM read_parquet('{folder.as_posix()}/*.parquet') GROUP BY ALL ORDER BY ALL"
    )

    def answer() -> Callable[[], pl.DataFrame]:
        table = duckdb.sql(sql).to_arrow_table()
        return lambda: _long(pl.DataFrame(table), by)

    return answer


SIDES = {
    "smartkpi": smartkpi,
    "smartkpi-csv": smartkpi_of_csv,
    "two-level": two_level,
    "duckdb-filter": duckdb_filter,
    "query-a-kpi": query_a_kpi,
    "bitmap": bitmap,
    "duckdb-gaps": duckdb_gaps,
    "by-hand": by_hand,
    "duckdb-as-of": duckdb_as_of,
    "plain-scan": plain_scan,
}


def _condition(condition: Condition) -> pl.Expr:
    column, operator, value = condition
    match operator:
        case "==":
            return pl.col(column) == value
        case ">":
            return pl.col(column) > value
        case "<":
            return pl.col(column) < value
        case _:
            return pl.col(column).is_in(list(value))


def _long(wide: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    return wide.with_columns(pl.col("day").dt.date()).unpivot(
        index=["day", *by], variable_name="kpi", value_name="value"
    )
