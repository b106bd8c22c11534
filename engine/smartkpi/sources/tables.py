"""Open datasets: files or tables handed over become frames that are read when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.types import Kind, Type
from smartkpi.source import Span
from smartkpi.sources.audit import Audit
from smartkpi.sources.columnar import open_columnar, scan
from smartkpi.sources.columns import money_columns, time_columns
from smartkpi.sources.delimited import open_delimited
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.files import FORMATS, Fingerprint, find_files, fingerprint
from smartkpi.sources.infer import are_dates
from smartkpi.sources.lines import open_lines
from smartkpi.sources.memo import Memo
from smartkpi.sources.rows import Rows
from smartkpi.sources.schema import types_of
from smartkpi.spec.model import Catalog, Contract, Dataset, Read

Reader = Callable[..., Rows]

READERS: Mapping[str, Reader] = {
    "csv": partial(open_delimited, tabs=False),
    "tsv": partial(open_delimited, tabs=True),
    "ndjson": open_lines,
    "parquet": partial(open_columnar, format_="parquet"),
    "arrow": partial(open_columnar, format_="arrow"),
}
"""What opens the files of a format."""

SLICEABLE = frozenset(("parquet", "arrow"))
"""The formats of which a slice can be read without what is before it."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a dataset, not yet read.

    ``schema`` has the columns that the language can use; ``polars`` the data types of all. ``origin`` says where the
    rows come from, for messages; ``rows_hint`` how many there are, where that is known for nothing. ``sliceable``
    says that a slice can be read without what is before it (Parquet, tables in memory). ``mark`` tells one state of
    the files from another; it is None for a table handed over, ``audit`` too. ``held``: the rows are in memory.
    """

    name: str
    frame: pl.LazyFrame = field(repr=False)
    schema: Mapping[str, Type]
    polars: Mapping[str, pl.DataType]
    origin: str
    rows_hint: int | None = None
    span: Span | None = field(default=None, compare=False, repr=False)
    sliceable: bool = False
    mark: Fingerprint | None = None
    audit: Audit | None = None
    held: bool = True


def open_table(dataset: Dataset, handed: object | None = None, contracts: Iterable[Contract] = ()) -> Table:
    """Open one dataset: the table handed over if there is one, else what `read` names.

    ``contracts`` say, as its own fields do, which columns are money.

    Raises KpiError with the place of `read`: a missing file, no match, unreadable data, unequal columns, bad rows.
    """
    try:
        if handed is not None:
            return _dated(_open_handed(dataset, handed), dataset)
        if dataset.read is None:
            hint = f"add `read:`, or hand a table over: data={{'{dataset.name}': …}}"
            raise fault("no-table", f"dataset `{dataset.name}` has no rows to read", dataset.span, hint)
        return _dated(_open_files(dataset, dataset.read, money_columns(dataset, contracts)), dataset)
    except KpiError as error:
        raise KpiError(*(_about(d, dataset.name) for d in error.diagnostics)) from error


def open_tables(catalog: Catalog, handed: Mapping[str, object]) -> tuple[dict[str, Table], tuple[Diagnostic, ...]]:
    """Open all datasets of a catalog; those that cannot be opened are in the diagnostics instead."""
    tables: dict[str, Table] = {}
    problems: list[Diagnostic] = []
    for name, dataset in catalog.datasets.items():
        try:
            tables[name] = open_table(dataset, handed.get(name), catalog.contracts.values())
        except KpiError as error:
            problems.extend(error.diagnostics)
    return tables, tuple(problems)


def snapshot(handed: object) -> object:
    """Return a table handed over as a frame of its own: a stream can be read once, and others may still change.

    What is no table, or a Polars frame already, is returned as it is: opening it says what is wrong.
    """
    if isinstance(handed, pl.DataFrame | pl.LazyFrame) or not hasattr(handed, "__arrow_c_stream__"):
        return handed
    try:
        return _without_index(pl.DataFrame(handed))
    except Exception:  # noqa: BLE001 (whatever a foreign table may raise)
        return handed


def _about(diagnostic: Diagnostic, dataset: str) -> Diagnostic:
    return diagnostic if diagnostic.subject else replace(diagnostic, subject=f"dataset:{dataset}")


def _dated(table: Table, dataset: Dataset) -> Table:
    """Return a table that tells of texts which are its times whether they are all dates, looked up once a file."""
    schema = dict(table.schema)
    for name in time_columns(dataset):
        if table.polars.get(name) != pl.String or schema[name].kind is not Kind.TEXT:
            continue
        key = (table.mark, dataset.read, name)
        dates = _dates.find(key) if table.mark is not None else None
        if dates is None:
            with reading(table.origin, table.span):
                dates = are_dates(table.frame, name)
            _dates.keep(key, dates)
        schema[name] = replace(schema[name], dates=dates)
    return replace(table, schema=schema)


_dates: Memo[bool] = Memo()


def _open_files(dataset: Dataset, read: Read, money: frozenset[str]) -> Table:
    files, form = find_files(read)
    _refuse_options(read, form)
    mark = fingerprint(files)
    more = {"money": money} if form in ("csv", "tsv") else {}
    rows = READERS[form](replace(read, bad=dataset.on_bad_rows), files, **more)
    table = Table(
        name=dataset.name,
        frame=rows.frame,
        schema=rows.types,
        polars=dict(rows.frame.collect_schema()),
        origin=f"`{read.path}`",
        rows_hint=rows.audit.rows,
        span=read.span or dataset.span,
        sliceable=form in SLICEABLE,
        mark=mark,
        audit=rows.audit,
        held=rows.held,
    )
    refuse_changed(table)
    return table


def refuse_changed(table: Table) -> None:
    """Raise KpiError (`unreadable-data`) where a file is no longer what it was when the table was opened."""
    for path, size, time in table.mark or ():
        try:
            now = fingerprint((Path(path),))
        except OSError:
            now = ()
        if now != ((path, size, time),):
            message = f"`{Path(path).name}` changed while it was read"
            hint = "ask again when it is whole; a file that grows all the time is best copied first"
            raise fault("unreadable-data", message, table.span, hint, subject=f"dataset:{table.name}")


def samples_of(table: Table) -> tuple[Mapping[str, str | int], ...]:
    """Return some of the bad rows that are left out of a table, as plain data."""
    found = () if table.audit is None else table.audit.samples
    return tuple({"file": row.file, "line": row.line, "why": row.why, "text": row.text} for row in found)


def accuse(table: Table, error: KpiError) -> KpiError:
    """Return the error with the file named that cannot be read, where a table has several."""
    files = [Path(path) for path, _, _ in table.mark or ()]
    form = FORMATS.get(files[0].suffix.lower()) if files else None
    if len(files) > 1 and form is not None and form in SLICEABLE:
        for file in files:
            try:
                with reading(f"`{file.name}`", table.span, f"dataset:{table.name}"):
                    scan([file], form, table.span).select(pl.all().null_count()).collect()
            except KpiError as found:
                return found
    return error


def _refuse_options(read: Read, format_: str) -> None:
    """Refuse options that say how texts are cut into rows and values, where the format itself does."""
    if format_ in ("csv", "tsv"):
        return
    for name in ("separator", "encoding", "skip_rows", "skip_footer", "decimal", "thousands"):
        if getattr(read, name):
            message = f"`{name}` is for csv and tsv files; `{read.path}` is {format_}"
            raise fault("misplaced-option", message, read.span, f"leave `{name}` out")


def _open_handed(dataset: Dataset, handed: Any) -> Table:
    origin = f"the table handed over as `{dataset.name}`"
    with reading(origin, dataset.span):
        rows: int | None = None
        match handed:
            case pl.LazyFrame():
                frame = handed
            case pl.DataFrame():
                frame, rows = handed.lazy(), handed.height
            case _ if hasattr(handed, "__arrow_c_stream__"):
                taken = _taken(handed, dataset)
                frame, rows = taken.lazy(), taken.height
            case _:
                got = type(handed).__name__
                hint = "hand over a Polars, pandas, Arrow or DuckDB table"
                raise fault("not-a-table", f"{origin} is of type `{got}`, no table", dataset.span, hint)
        schema = frame.collect_schema()
    return Table(dataset.name, frame, types_of(schema), dict(schema), origin, rows, dataset.span, rows is not None)


def _taken(handed: Any, dataset: Dataset) -> pl.DataFrame:
    try:
        taken = pl.DataFrame(handed)
    except (TypeError, ValueError) as error:
        raise fault(
            "not-a-table", f"the table for `{dataset.name}` cannot be taken over: {error}", dataset.span
        ) from error
    return _without_index(taken)


def _without_index(taken: pl.DataFrame) -> pl.DataFrame:
    return taken.select(c for c in taken.columns if not c.startswith("__index_level_"))
