"""What values are held against: the value before, the growth since, the benchmark; a column each beside a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from smartkpi.language.types import MONEY
from smartkpi.semantics.formula import TypedBenchmark, TypedKpi

PREVIOUS, GROWTH, BENCHMARK, TARGET = ".previous", ".growth", ".benchmark", ".target"
UNFINISHED = ("incomplete", "immature")


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a question decides which bands and benchmarks count.

    ``by`` are its dimensions; ``fixed`` those that its condition, or a drill, holds at one value, as text; ``exact``:
    it asks nothing else of rows.
    """

    by: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    exact: bool = True

    def is_value(self, frame: pl.DataFrame, dimension: str, value: str) -> pl.Expr:
        """Return whether rows are of the segment where a dimension has a value."""
        if self.fixed.get(dimension) == value:
            return pl.lit(value=True)
        if dimension not in self.by:
            return pl.lit(value=False)
        return (_segment(frame, dimension) == value).fill_null(value=False)

    def text(self, frame: pl.DataFrame, dimension: str) -> pl.Expr | None:
        """Return the value of a dimension as text, null where rows are over several; None where no row has one."""
        if dimension in self.fixed:
            return pl.lit(self.fixed[dimension])
        return _segment(frame, dimension) if dimension in self.by else None


def _segment(frame: pl.DataFrame, dimension: str) -> pl.Expr:
    single = pl.col("level") == "segment" if "level" in frame.columns else pl.lit(value=True)
    return pl.when(single).then(pl.col(dimension).cast(pl.String))


def hold(frame: pl.DataFrame, beside: pl.DataFrame, kpis: Mapping[str, TypedKpi], asked: Asked) -> pl.DataFrame:
    """Return rows with what each value is held against; null where there is nothing, or not of a whole period.

    ``beside`` are rows of the KPIs that the judged ones name for that (`name.previous`, `name.benchmark`).
    """
    found = frame
    for column in (PREVIOUS, BENCHMARK):
        found = _join(found, beside, column, asked.by)
    versions = [(name, kpi, number, one) for name, kpi in kpis.items() for number, one in enumerate(kpi.versions)]
    tables, computed = [], pl.lit(value=False)
    for name, kpi, number, version in versions:
        here = (pl.col("kpi") == name) & (pl.col(".version") == number)
        if (known := version.ruled.benchmark) is not None and (table := _table(found, known, kpi, asked)) is not None:
            tables.append(pl.when(here).then(table))
        if known is not None and known.computed:
            computed |= here
    before = pl.col(PREVIOUS)
    aimed = _aim(found, kpis, asked).with_columns(version_of(kpis).alias(".version"))
    return aimed.with_columns(
        pl.when(before > 0).then(pl.col("value") / before - 1).alias(GROWTH),
        pl.coalesce(*tables, pl.when(computed).then(pl.col(BENCHMARK))).alias(BENCHMARK),
    ).drop(".version")


def version_of(kpis: Mapping[str, TypedKpi]) -> pl.Expr:
    """Return how many revisions of a row's KPI are in force on the first day of its period."""
    day = pl.col("start").dt.date()
    begun = [(pl.col("kpi") == name) & (day >= one.start) for name, kpi in kpis.items() for one in kpi.revisions]
    return pl.sum_horizontal(pl.lit(0), *(one.fill_null(value=False).cast(pl.Int32) for one in begun)).cast(pl.Int32)


def _aim(frame: pl.DataFrame, kpis: Mapping[str, TypedKpi], asked: Asked) -> pl.DataFrame:
    """Return rows with the target in force: that of just their segment, for their days; of several the first."""
    rows = [
        (name, _key(dict(one.segment)), one.first, one.end, one.until, one.exact, bound(Decimal(repr(one.value)), kpi))
        for name, kpi in kpis.items()
        for one in kpi.judging.targets
        if asked.exact
    ]
    if not rows or not frame.height:
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(TARGET))
    table = pl.DataFrame(rows, schema=AIMED, orient="row")
    first, until = pl.col("start").dt.date(), pl.col("end").dt.date()
    inside = (pl.col(".first") <= first) & (first < pl.col(".end")) & (until <= pl.col(".until"))
    just = (pl.col(".first") == first) & (pl.col(".until") == until)
    numbered = frame.with_row_index(".row").with_columns(_segments(frame, asked).alias(".key"))
    found = numbered.select("kpi", "start", "end", ".key", ".row").join(
        table, on=["kpi", ".key"], maintain_order="left_right"
    )
    held = found.filter(pl.when(".exact").then(just).otherwise(inside)).group_by(".row").agg(pl.col(TARGET).first())
    return numbered.join(held, on=".row", how="left", maintain_order="left").drop(".row", ".key")


AIMED = {
    **dict.fromkeys(("kpi", ".key"), pl.String),
    **dict.fromkeys((".first", ".end", ".until"), pl.Date),
    ".exact": pl.Boolean,
    TARGET: pl.Float64,
}


def _key(segment: Mapping[str, str]) -> str:
    return "\0".join(f"{name}={segment[name]}" for name in sorted(segment))


def _segments(frame: pl.DataFrame, asked: Asked) -> pl.Expr:
    """Return the segment of each row as a key; null of the rows of the others, which are no segment."""
    names = sorted({*asked.by, *asked.fixed})
    parts = [
        pl.lit(f"{name}={asked.fixed[name]}")
        if name in asked.fixed
        else pl.format(f"{name}={{}}", pl.col(name).cast(pl.String).fill_null("null"))
        for name in names
    ]
    own = pl.concat_str(parts, separator="\0") if parts else pl.lit("")
    whole = pl.when(pl.col("level") == "total").then(pl.lit(_key(asked.fixed)))
    return pl.when(pl.col("level") == "segment").then(own).otherwise(whole)


def _join(frame: pl.DataFrame, beside: pl.DataFrame, column: str, by: Iterable[str]) -> pl.DataFrame:
    rows = beside.filter(pl.col("kpi").str.ends_with(column)) if beside.height else beside
    if not rows.height:
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(column))
    keys = ["kpi", "grain", "start", "level", *by]
    unfinished = pl.col("flags").list.set_intersection(list(UNFINISHED)).list.len() > 0
    values = rows.select(
        pl.col("kpi").str.strip_suffix(column),
        *keys[1:],
        pl.when(~unfinished).then(pl.col("value")).alias(column),
    )
    once = values.unique(keys, keep="first", maintain_order=True)
    return frame.join(once, on=keys, how="left", nulls_equal=True, maintain_order="left")


def _table(frame: pl.DataFrame, known: TypedBenchmark, kpi: TypedKpi, asked: Asked) -> pl.Expr | None:
    """Return a KPI's benchmark of each row's segment, else its benchmark of all."""
    tables: dict[tuple[str, ...], dict[str, float]] = {}
    for segment, value in known.rows:
        names, values = tuple(name for name, _ in segment), "\0".join(value for _, value in segment)
        tables.setdefault(names, {})[values] = bound(value, kpi)
    found = []
    for names, numbers in tables.items():
        texts = [text for name in names if (text := asked.text(frame, name)) is not None]
        if len(texts) == len(names):
            key = pl.concat_str(texts, separator="\0")
            found.append(key.replace_strict(numbers, default=None, return_dtype=pl.Float64))
    if known.value is not None:
        found.append(pl.lit(bound(known.value, kpi)))
    return pl.coalesce(*found) if found else None


def bound(number: Decimal, kpi: TypedKpi) -> float:
    """Return a number with the digits that values have: as many as there are in whole numbers and money, else 12."""
    exact = number == number.to_integral_value() or kpi.type.unit.name == MONEY.name
    return float(number if exact else f"{number:.12g}")
