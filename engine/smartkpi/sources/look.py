"""Look at a table as a whole: what its columns hold, its times, its keys. Facts alone, each over every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.language.types import Kind, Type
from smartkpi.sources.delimited import SMALL, open_texts
from smartkpi.sources.faults import reading
from smartkpi.sources.files import find_files
from smartkpi.sources.look_keys import find_keys
from smartkpi.sources.look_times import TimeFacts, find_times
from smartkpi.sources.places import Cut, Place, find_places
from smartkpi.sources.plain import keep
from smartkpi.sources.sniff import Guess, sniff_text
from smartkpi.sources.tables import READERS, SLICEABLE
from smartkpi.sources.writing import ISO, Odd, Written, sniff_dates, sniff_writing
from smartkpi.spec.model import Read

EXACT = 1_000_000
"""Up to so many rows distinct values are counted exactly; above, to about one percent."""

FEW = 60
"""Up to so many distinct values are listed."""


@dataclass(frozen=True, slots=True)
class OddFacts:
    """Values of a column that are not of the kind that nearly all others are of; ``places`` has the first of them."""

    kind: str
    count: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a column holds. ``type`` is None for what the language has no type for (lists, objects, bytes).

    ``distinct`` does not count null, and is about right only where ``exact`` is false; ``low`` and ``high`` are the
    ends of its range; ``values`` lists the most frequent ones with their counts, where there are few.
    """

    name: str
    type: Type | None
    dtype: str
    nulls: int
    distinct: int = 0
    exact: bool = True
    low: Any = None
    high: Any = None
    negatives: int = 0
    zeros: int = 0
    not_finite: int = 0
    whole: bool = False
    values: tuple[tuple[Any, int], ...] = ()
    odd: OddFacts | None = None
    date_format: str | None = None

    @property
    def kind(self) -> Kind | None:
        """The kind of its values."""
        return None if self.type is None else self.type.kind


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a table holds: how to read it, its columns, its times (the likeliest first), its keys (the shortest first).

    ``equal_rows`` counts the rows that are equal to an earlier one; None where a key rules them out.
    """

    read: Read
    files: tuple[Path, ...]
    format: str
    rows: int
    columns: tuple[ColumnFacts, ...]
    times: tuple[TimeFacts, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    equal_rows: int | None = None
    guesses: tuple[Guess, ...] = ()
    frame: pl.LazyFrame = field(default_factory=pl.LazyFrame, compare=False, repr=False)

    def column(self, name: str) -> ColumnFacts:
        """Return the facts of one column."""
        return next(one for one in self.columns if one.name == name)


def look(read: Read) -> TableFacts:
    """Return what a file, or several of one kind, hold; how they are to be read is found out.

    Raises KpiError as readers do: `no-file`, `unreadable-data`, `bad-rows`, `bad-encoding`, `empty-file`…
    """
    files, form = find_files(read)
    guesses: tuple[Guess, ...] = ()
    written = Written(read)
    cut = None
    if form in ("csv", "tsv"):
        tabs = form == "tsv"
        sniffed = sniff_text(read, files[0], tabs)
        texts = open_texts(sniffed.read, files, tabs)
        with reading(f"`{read.path}`", read.span):
            written = sniff_writing(sniffed.read, texts.frame, texts.separator)
        cut = Cut(texts.separator, texts.blanks)
        guesses = (*sniffed.guesses, *written.guesses)
    opened = READERS[form](written.read, files)
    frame, types, rows = opened.frame, opened.types, opened.audit.rows
    with reading(f"`{read.path}`", read.span):
        if form not in SLICEABLE and sum(file.stat().st_size for file in files) > SMALL:
            frame = keep(frame)
        if form not in ("csv", "tsv"):
            texts_of = [name for name, type_ in types.items() if type_.kind is Kind.TEXT]
            written = sniff_dates(written.read, frame.select(pl.col(texts_of).cast(pl.String))) if texts_of else written
            guesses = written.guesses
        columns = _columns(frame, types, rows, _stays_text(written, types))
        columns = tuple(_with_odd(one, written.odd, written.read, files, cut) for one in columns)
        times = find_times(frame, columns, written.dates)
        keys, equal = find_keys(frame, columns, rows, times[0].columns if times else ())
    unique = {name for key in keys for name in key if len(key) == 1}
    columns = tuple(replace(one, distinct=rows, exact=True) if one.name in unique else one for one in columns)
    return TableFacts(written.read, files, form, rows, columns, times, keys, equal, guesses, frame)


def _stays_text(written: Written, types: Mapping[str, Type]) -> dict[str, str]:
    """Return the formats of the dates in columns that the reader leaves texts."""
    return {n: f for n, f in written.dates.items() if n in types and types[n].kind is Kind.TEXT}


def _columns(
    frame: pl.LazyFrame, types: Mapping[str, Type], rows: int, formats: Mapping[str, str]
) -> tuple[ColumnFacts, ...]:
    """Return the facts of all columns, found in one pass over the rows and one for each column of few values."""
    schema = frame.collect_schema()
    exact = rows <= EXACT
    asked = [expr for name, dtype in schema.items() for expr in _asked(name, dtype, types.get(name), exact)]
    row = frame.select(asked).collect().row(0, named=True)
    found = []
    for name, dtype in schema.items():
        said = {key[: -len(name) - 1]: value for key, value in row.items() if key.endswith(f"\0{name}")}
        one = _column(name, dtype, types.get(name), said, exact)
        one = replace(one, date_format=formats.get(name))
        found.append(_with_values(one, frame) if _lists_values(one, rows) else one)
    return tuple(found)


def _asked(name: str, dtype: pl.DataType, type_: Type | None, exact: bool) -> list[pl.Expr]:
    column = pl.col(name)
    asked = [column.null_count().alias(f"nulls\0{name}")]
    if type_ is None or dtype == pl.Null:
        return asked
    plain = column.cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else column
    there = plain.drop_nulls()
    asked.append((there.n_unique() if exact else there.approx_n_unique()).alias(f"distinct\0{name}"))
    numeric = plain.fill_nan(None) if dtype.is_float() else plain
    asked += [numeric.min().alias(f"low\0{name}"), numeric.max().alias(f"high\0{name}")]
    if dtype.is_numeric():
        asked += [(column < 0).sum().alias(f"negatives\0{name}"), (column == 0).sum().alias(f"zeros\0{name}")]
    if dtype.is_float():
        asked.append((~column.is_finite()).sum().alias(f"not_finite\0{name}"))
        asked.append((column == column.round(0)).all().alias(f"whole\0{name}"))
    return asked


def _column(name: str, dtype: pl.DataType, type_: Type | None, said: Mapping[str, Any], exact: bool) -> ColumnFacts:
    return ColumnFacts(
        name,
        type_,
        str(dtype),
        nulls=said["nulls"],
        distinct=said.get("distinct") or 0,
        exact=exact,
        low=said.get("low"),
        high=said.get("high"),
        negatives=said.get("negatives") or 0,
        zeros=said.get("zeros") or 0,
        not_finite=said.get("not_finite") or 0,
        whole=dtype.is_integer() or bool(said.get("whole")),
    )


def _lists_values(one: ColumnFacts, rows: int) -> bool:
    return one.kind in (Kind.TEXT, Kind.BOOLEAN, Kind.NUMBER) and 0 < one.distinct <= FEW and one.whole is not None


def _with_values(one: ColumnFacts, frame: pl.LazyFrame) -> ColumnFacts:
    column = pl.col(one.name).cast(pl.String) if one.dtype.startswith(("Categorical", "Enum")) else pl.col(one.name)
    counts = frame.select(column).drop_nulls().group_by(one.name).len("__count")
    rows = counts.sort("__count", one.name, descending=[True, False]).collect()
    return replace(one, distinct=rows.height, exact=True, values=tuple(rows.head(FEW).iter_rows()))


def _with_odd(
    one: ColumnFacts, odd: Mapping[str, Odd], read: Read, files: Sequence[Path], cut: Cut | None
) -> ColumnFacts:
    found = odd.get(one.name)
    if found is None or one.kind is not Kind.TEXT:
        return one
    places = find_places(read, files, cut, found.first)
    return replace(one, odd=OddFacts(found.kind.replace(f" ({ISO})", ""), found.count, places))
