"""Rows of ndjson files: an object a line, each looked at once, so that no value is guessed or dropped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.diagnostics import KpiError
from smartkpi.language.types import UNKNOWN, Type
from smartkpi.source import Span
from smartkpi.sources.delimited import SMALL
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.files import fingerprint
from smartkpi.sources.infer import TIMES, Writing, convert, infer
from smartkpi.sources.memo import Memo
from smartkpi.sources.schema import types_of
from smartkpi.spec.model import Read

KINDS: Mapping[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
LARGE = 2**63


@dataclass(slots=True)
class Seen:
    """What the values of a key are: their kind, the line of the first one, and how large numbers get."""

    kind: str
    line: int
    file: str
    fraction: bool = False
    huge: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of files that have not changed."""

    keys: tuple[str, ...]
    seen: Mapping[str, Seen]
    rows: int
    times: Mapping[str, str | None] = field(default_factory=dict)


_memo: Memo[Known] = Memo()


def open_lines(read: Read, files: tuple[Path, ...]) -> tuple[pl.LazyFrame, dict[str, Type], int]:
    """Return the rows of ndjson files as one typed frame, the types of its columns and the number of rows.

    A key that a line lacks is null there; lists and objects are no fields; texts are times where all of them are.
    Raises KpiError: `bad-rows`, `bad-encoding`, `mixed-types`, `empty-file`.
    """
    key = (fingerprint(files), read)
    known = _memo.find(key) or _audit(read, files)
    schema = {name: _dtype(known.seen.get(name)) for name in known.keys if _dtype(known.seen.get(name)) is not None}
    if not schema:
        hint = 'each line is a row, such as {"day": "2026-01-31", "visits": 3}'
        raise fault("empty-file", f"`{read.path}` has no values", read.span, hint)
    writing = Writing(read.dates)
    with reading(f"`{read.path}`", read.span):
        raw = pl.scan_ndjson(list(files), schema={n: t for n, t in schema.items() if t is not None})
        texts = [name for name, dtype in schema.items() if dtype == pl.String]
        raw = raw.with_columns(_without_nulls(name, read) for name in texts)
        if raw.select(pl.len()).collect().item() != known.rows:
            raise fault("bad-rows", f"`{read.path}` has lines that are no objects", read.span)
        if not known.times:
            times = infer(raw.select(texts), writing, TIMES) if texts else {}
            known = Known(known.keys, known.seen, known.rows, times)
            _memo.keep(key, known)
        frame = raw.with_columns(convert(name, kind, writing) for name, kind in known.times.items())
        if sum(size for _, size, _ in key[0]) <= SMALL:
            frame = frame.collect().lazy()
        types = types_of(frame.collect_schema())
    types |= {name: UNKNOWN for name in schema if name not in known.seen or known.times.get(name, "") is None}
    return frame, types, known.rows


def _without_nulls(name: str, read: Read) -> pl.Expr:
    column = pl.col(name)
    return pl.when(~column.is_in(list(read.nulls))).then(column).alias(name) if read.nulls else column


def _dtype(seen: Seen | None) -> pl.DataType | None:
    """Return the type of a key's values; None for those that are no fields."""
    if seen is None:
        return pl.String()
    match seen.kind:
        case "a boolean":
            return pl.Boolean()
        case "a text":
            return pl.String()
        case "a number":
            return pl.Float64() if seen.fraction else pl.Int64()
        case _:
            return None


def _audit(read: Read, files: tuple[Path, ...]) -> Known:
    seen: dict[str, Seen] = {}
    keys: dict[str, None] = {}
    rows = 0
    for file in files:
        for number, row in _rows(file, read.span):
            rows += 1
            for name, value in row.items():
                keys.setdefault(name)
                if value is not None:
                    _look(seen, name, value, number, file, read.span)
    for name, one in seen.items():
        if one.huge and not one.fraction:
            message = f"`{name}` has whole numbers of more than 63 bits (line {one.line} of `{one.file}`)"
            raise fault("mixed-types", message, read.span, "write identifiers as texts, in quotes")
    return Known(tuple(keys), seen, rows)


def _look(seen: dict[str, Seen], name: str, value: Any, line: int, file: Path, span: Span | None) -> None:
    kind = KINDS[type(value)]
    known = seen.get(name)
    if known is None:
        known = seen[name] = Seen(kind, line, file.name)
    if known.kind != kind:
        where = f"in line {known.line} of `{known.file}`", f"in line {line} of `{file.name}`"
        message = f"`{name}` is {known.kind} {where[0]}, {kind} {where[1]}"
        raise fault("mixed-types", message, span, "write all values of a key alike")
    if kind == "a number":
        known.fraction = known.fraction or isinstance(value, float)
        known.huge = known.huge or (isinstance(value, int) and not -LARGE <= value < LARGE)


def _rows(file: Path, span: Span | None) -> Any:
    """Yield the number and the object of each line; blank lines are none."""
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                if line.startswith("\ufeff"):
                    message = f"`{file.name}` begins with a byte order mark, which JSON does not have"
                    raise fault("bad-encoding", message, span, "save it as UTF-8 without one")
                yield number, _object(line, number, file, span)
    except OSError as error:
        raise fault("unreadable-data", f"`{file.name}` cannot be read", span) from error
    except UnicodeDecodeError as error:
        raise fault("bad-encoding", f"`{file.name}` is not UTF-8 text", span, "JSON is UTF-8: save it so") from error


def _object(line: str, number: int, file: Path, span: Span | None) -> Mapping[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _bad_line(file, number, "has a key twice", span)
        return found

    def refuse(name: str) -> None:
        raise _bad_line(file, number, f"has `{name}`, which is no value of JSON", span)

    try:
        found = json.loads(line, object_pairs_hook=once, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _bad_line(file, number, "is no JSON", span) from error
    if not isinstance(found, dict):
        raise _bad_line(file, number, "is no object", span)
    return found


def _bad_line(file: Path, number: int, what: str, span: Span | None) -> KpiError:
    return fault("bad-rows", f"line {number} of `{file.name}` {what}", span, "ndjson has an object a line: {…}")
