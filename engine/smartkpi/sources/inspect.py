"""A look at every value of a table, whatever is asked: what is missing, what is no number, what is text for a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.sources.audit import LONGEST
from smartkpi.sources.checksums import hold_checksums
from smartkpi.sources.faults import reading
from smartkpi.sources.files import FORMATS
from smartkpi.sources.infer import CONVERSIONS, Writing, convert
from smartkpi.sources.tables import Table

FEW = 0.1
"""Where at most so many of a column's values are no numbers, they are what makes it text."""

MEANT: Mapping[str, str] = {"whole": "whole numbers", "fraction": "numbers", "date": "dates", "time with T": "times"}
HEAD = 1_000


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column: its type, how many values are missing or NaN or infinite, the least and the largest."""

    name: str
    type: str
    missing: int
    not_numbers: int
    least: Any
    largest: Any


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What a dataset reads: where it comes from, how many rows it has, its columns, notes on what looks wrong."""

    dataset: str
    origin: str
    rows: int
    files: int
    skipped: int
    cut: tuple[str, ...]
    columns: tuple[ColumnFacts, ...]
    notes: tuple[Diagnostic, ...]


def inspect(table: Table) -> DatasetFacts:
    """Read every value of a table once. Raises KpiError where one cannot be read."""
    looks = [look.alias(f"{what} {name}") for name in table.polars for what, look in _looks(name, table).items()]
    with reading(table.origin, table.span, f"dataset:{table.name}"):
        if not table.held and table.mark is not None:
            files = [Path(path) for path, _, _ in table.mark]
            hold_checksums([file for file in files if FORMATS.get(file.suffix.lower()) == "parquet"], table.span)
        found = table.frame.select(pl.len().alias("rows"), *looks).collect().row(0, named=True)
    audit = table.audit
    return DatasetFacts(
        dataset=table.name,
        origin=table.origin.strip("`"),
        rows=found["rows"],
        files=0 if audit is None else audit.files,
        skipped=0 if audit is None else audit.skipped,
        cut=() if audit is None else audit.cut,
        columns=tuple(_facts(name, dtype, found) for name, dtype in table.polars.items()),
        notes=tuple(mixed(table)),
    )


def _looks(name: str, table: Table) -> dict[str, pl.Expr]:
    column, dtype = pl.col(name), table.polars[name]
    looks = {"missing": column.null_count()}
    if dtype.is_float():
        looks["odd"] = (~column.is_finite()).sum()
        column = pl.when(column.is_finite()).then(column)
    if dtype.is_numeric() or dtype.is_temporal():
        ends = column.cast(pl.String) if dtype.is_temporal() else column
        looks |= {"least": ends.min(), "largest": ends.max()}
    return looks


def _facts(name: str, dtype: pl.DataType, found: Mapping[str, Any]) -> ColumnFacts:
    get = found.get
    ends = get(f"least {name}"), get(f"largest {name}")
    return ColumnFacts(name, str(dtype), get(f"missing {name}", 0), get(f"odd {name}") or 0, *ends)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A column that is text for a few values only: what the others are, how many are none, the first by row."""

    column: str
    what: str
    wrong: int
    every: int
    first: tuple[tuple[int, str], ...]

    @property
    def said(self) -> str:
        """What makes it text, in words."""
        are = "is none" if self.wrong == 1 else "are none"
        row, value = self.first[0]
        few = f"{self.wrong:,} of {self.every:,} {are}"
        return f"its values are {self.what}, but {few}, such as `{value[:LONGEST]}` in row {row:,}"

    @property
    def way(self) -> str:
        """The way out, in words."""
        value = self.first[0][1].replace("\\", "\\\\").replace('"', '\\"')
        return f'mend them, or say that they stand for no value: `read: {{path: …, nulls: ["{value}"]}}`'


def spoilt(table: Table) -> Iterator[Spoilt]:
    """Yield the columns that are text for a few values only: those that are no numbers, dates or times."""
    if table.audit is None or table.mark is None:
        return
    texts = [name for name, dtype in table.polars.items() if dtype == pl.String]
    for name in texts:
        column = pl.col(name)
        head = table.frame.select(column.drop_nulls().head(HEAD)).collect()[name].to_frame()
        kind = _nearly(name, head)
        if kind is None:
            continue
        wrong = column.is_not_null() & convert(name, kind, Writing()).is_null()
        counts = table.frame.select(wrong.sum().alias("wrong"), column.count().alias("all")).collect().row(0)
        if not 0 < counts[0] <= FEW * counts[1]:
            continue
        first = table.frame.with_row_index("__row").filter(wrong).select("__row", name).head(3).collect()
        rows = tuple((row + 1, value) for row, value in first.rows())
        yield Spoilt(name, MEANT[kind], counts[0], counts[1], rows)


def mixed(table: Table) -> Iterator[Diagnostic]:
    """Yield notes on columns that are text for a few values only."""
    for one in spoilt(table):
        message = f"column `{one.column}` of dataset `{table.name}` is text: {one.said}"
        notes = tuple(Note(f"and `{value[:LONGEST]}` in row {row:,} below the header") for row, value in one.first[1:])
        notes += (Note(one.way),)
        yield Diagnostic("mixed-values", message, table.span, "", notes, Severity.NOTE, f"dataset:{table.name}")


def _nearly(name: str, head: pl.DataFrame) -> str | None:
    """Return what most values of a text column are, if not all that were looked at are other texts."""
    for kind in MEANT:
        assert kind in CONVERSIONS
        share = head.select(convert(name, kind, Writing()).is_not_null().mean()).item()
        if share is not None and share >= 1 - FEW:
            return kind
    return None
