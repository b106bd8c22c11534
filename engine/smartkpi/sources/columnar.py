"""Rows of Parquet and Arrow files: one scan where all files agree, else each brought to one schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.diagnostics import KpiError
from smartkpi.source import Span
from smartkpi.sources.audit import Audit
from smartkpi.sources.checksums import hold_checksums
from smartkpi.sources.delimited import unequal_columns
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.files import partitions
from smartkpi.sources.infer import Writing, convert, infer
from smartkpi.sources.rows import Rows
from smartkpi.sources.schema import types_of
from smartkpi.spec.model import Read

FILE_MARK, OLD_MARK = b"ARROW1", b"FEA1"

LARGE = 256 * 1024 * 1024
"""Files of more bytes are held against their checksums by a check of the data only."""

DIGITS = 38
"""How many digits a fixed-point number has at most."""

WHOLE_DIGITS = 20
"""How many digits a whole number of 64 bits has at most."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file with its columns, and the columns that the folders above it stand for."""

    path: Path
    schema: Mapping[str, pl.DataType]
    above: Mapping[str, str | None]


def open_columnar(read: Read, files: tuple[Path, ...], format_: str) -> Rows:
    """Return the rows of Parquet or Arrow files as one frame; how many there are is known from the footers.

    Whole numbers and fractions in one column become fractions (exact ones stay exact), any other mix text. Folders
    such as `country=BR` below the one that is read are columns. Raises KpiError: `unreadable-data` naming the file,
    `unequal-columns`.
    """
    found = []
    for file, above in zip(files, partitions(read, files), strict=True):
        with reading(f"`{file.name}`", read.span):
            schema = scan([file], format_, read.span).collect_schema()
            found.append(_File(file, schema, above))
    if format_ == "parquet":
        with reading(f"`{read.path}`", read.span):
            hold_checksums(files, read.span, LARGE)
    first = found[0]
    for one in found:
        if set(one.schema) != set(first.schema):
            raise unequal_columns(one.path, first.path, set(one.schema), set(first.schema), read.span)
        if set(one.above) != set(first.above):
            raise _unequal_folders(one, first, read)
    if twice := sorted(set(first.schema) & set(first.above)):
        message = f"`{twice[0]}` is a column of `{first.path.name}` and a part of its path"
        raise fault("unequal-columns", message, read.span, "rename one of the two")
    wanted = {name: _common(name, [one.schema[name] for one in found], read) for name in first.schema}
    parts = [part.with_columns(values) for part, values in _parts(found, wanted, format_, read)]
    whole = parts[0] if len(parts) == 1 else pl.concat(parts)
    with reading(f"`{read.path}`", read.span):
        rows = whole.select(pl.len()).collect().item()
    return Rows(whole, types_of(whole.collect_schema()), Audit(len(files), rows))


def _parts(
    files: list[_File], wanted: Mapping[str, pl.DataType], format_: str, read: Read
) -> list[tuple[pl.LazyFrame, list[pl.Expr]]]:
    """Return frames of the wanted columns, each with the values of its folders; files that agree share a scan."""
    groups: dict[tuple[object, ...], list[_File]] = {}
    for one in files:
        same = one.schema if all(one.schema[name] == dtype for name, dtype in wanted.items()) else one.path
        key = (tuple(same) if isinstance(same, Mapping) else same, tuple(one.above.items()))
        groups.setdefault(key, []).append(one)
    values = _folder_values(files)
    parts = []
    for group in groups.values():
        frame = scan([one.path for one in group], format_, read.span)
        schema = group[0].schema
        columns = frame.select(_cast(name, schema[name], dtype) for name, dtype in wanted.items())
        literals = [pl.lit(values[name][text], dtype).alias(name) for name, (text, dtype) in _typed(group[0], values)]
        parts.append((columns, literals))
    return parts


@dataclass(frozen=True, slots=True)
class _Values:
    """What the texts of one folder name stand for, all of one type."""

    dtype: pl.DataType
    by_text: Mapping[str | None, Any]

    def __getitem__(self, text: str | None) -> Any:
        return self.by_text[text]


def _typed(file: _File, values: Mapping[str, _Values]) -> list[tuple[str, tuple[str | None, pl.DataType]]]:
    return [(name, (text, values[name].dtype)) for name, text in file.above.items()]


def _folder_values(files: list[_File]) -> dict[str, _Values]:
    """Return the values of folder names: whole numbers, dates and so on where all of a name are, else texts."""
    found = {}
    for name in files[0].above:
        texts = list(dict.fromkeys(one.above[name] for one in files))
        column = pl.DataFrame({name: pl.Series(texts, dtype=pl.String)})
        kind = infer(column.lazy(), Writing())[name]
        typed = column.select(convert(name, kind, Writing()))[name]
        found[name] = _Values(typed.dtype, dict(zip(texts, typed.to_list(), strict=True)))
    return found


def _unequal_folders(one: _File, first: _File, read: Read) -> KpiError:
    (name, *_) = sorted(set(one.above) ^ set(first.above))
    has, lacks = (one, first) if name in one.above else (first, one)
    message = f"the files lie in different folders: `{has.path.name}` below `{name}=…`, `{lacks.path.name}` not"
    return fault("unequal-columns", message, read.span, "name only files of one kind, or make two datasets")


def scan(files: list[Path], format_: str, span: Span | None) -> pl.LazyFrame:
    """Return Parquet or Arrow files of one schema as one frame."""
    if format_ == "parquet":
        return pl.scan_parquet(files, glob=False, hive_partitioning=False)
    if all(_mark(file) == FILE_MARK for file in files):
        return pl.scan_ipc(files, hive_partitioning=False)
    for file in files:
        if _mark(file)[: len(OLD_MARK)] == OLD_MARK:
            message = f"`{file.name}` is Feather of the first version"
            raise fault("unreadable-data", message, span, "save it as Arrow IPC (Feather version 2)")
    return pl.concat(
        [pl.read_ipc_stream(file).lazy() if _mark(file) != FILE_MARK else pl.scan_ipc(file) for file in files]
    )


def _mark(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(len(FILE_MARK))


def _cast(name: str, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if dtype == wanted:
        return pl.col(name)
    if isinstance(wanted, pl.Datetime) and isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return pl.col(name).dt.convert_time_zone("UTC").cast(wanted)
    return pl.col(name).cast(wanted)


def _common(name: str, dtypes: list[pl.DataType], read: Read) -> pl.DataType:
    kinds = [dtype for dtype in dict.fromkeys(dtypes) if dtype != pl.Null]
    if len(kinds) <= 1:
        return kinds[0] if kinds else pl.Null()
    if all(dtype.is_integer() for dtype in kinds):
        return pl.Int128() if pl.UInt64 in kinds or pl.Int128 in kinds else pl.Int64()
    if all(dtype.is_integer() or dtype.is_decimal() for dtype in kinds):
        return _fixed(kinds)
    if all(dtype.is_numeric() for dtype in kinds):
        return pl.Float64()
    times = [dtype for dtype in kinds if isinstance(dtype, pl.Datetime)]
    if len(times) == len(kinds) and len({bool(time.time_zone) for time in times}) == 1:
        return pl.Datetime("us", "UTC" if times[0].time_zone else None)
    if any(dtype.is_nested() or dtype == pl.Binary for dtype in kinds):
        message = f"column `{name}` has a different type in different files"
        raise fault("unequal-columns", message, read.span, "name only files of one kind")
    return pl.String()


def _fixed(kinds: list[pl.DataType]) -> pl.DataType:
    """Return the type that holds whole and fixed-point numbers exactly, or floats where none is wide enough."""
    scale = max(kind.scale for kind in kinds if isinstance(kind, pl.Decimal))
    digits = (kind.precision - kind.scale if isinstance(kind, pl.Decimal) else WHOLE_DIGITS for kind in kinds)
    wide = any(kind in (pl.Int128, pl.UInt128) for kind in kinds)
    return pl.Float64() if wide or max(digits) + scale > DIGITS else pl.Decimal(DIGITS, scale)
