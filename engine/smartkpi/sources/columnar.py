"""Rows of Parquet files: one scan where all files agree, else each brought to one schema."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from smartkpi.language.types import Type
from smartkpi.sources.delimited import unequal_columns
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.schema import types_of
from smartkpi.spec.model import Read

DIGITS = 38
"""How many digits a fixed-point number has at most."""

WHOLE_DIGITS = 20
"""How many digits a whole number of 64 bits has at most."""


def open_parquet(read: Read, files: tuple[Path, ...]) -> tuple[pl.LazyFrame, dict[str, Type], int]:
    """Return the rows of Parquet files as one frame, their types, and how many there are (from the footers).

    Whole numbers and fractions in one column become fractions (exact ones stay exact), any other mix text. Raises
    KpiError: `unreadable-data` naming the file, `unequal-columns`.
    """
    schemas = []
    rows = 0
    for file in files:
        with reading(f"`{file.name}`", read.span):
            frame = _scan([file])
            schemas.append(frame.collect_schema())
            rows += frame.select(pl.len()).collect().item()
    first = schemas[0]
    for file, schema in zip(files, schemas, strict=True):
        if set(schema) != set(first):
            raise unequal_columns(file, files[0], set(schema), set(first), read.span)
    if all(schema == first for schema in schemas):
        return _scan(list(files)), types_of(first), rows
    wanted = {name: _common(name, [schema[name] for schema in schemas], read) for name in first}
    parts = [
        _scan([file]).select(_cast(n, s[n], t) for n, t in wanted.items())
        for file, s in zip(files, schemas, strict=True)
    ]
    whole = pl.concat(parts)
    return whole, types_of(whole.collect_schema()), rows


def _scan(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(files, glob=False, hive_partitioning=False)


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
