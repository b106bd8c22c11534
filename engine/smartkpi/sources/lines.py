"""Rows of ndjson files: an object a line, each looked at once, so that no value is guessed or dropped."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.language.types import UNKNOWN
from smartkpi.source import Span
from smartkpi.sources.audit import SAMPLES, Audit, BadRow, Patience, patience, shorten, too_many, without
from smartkpi.sources.delimited import SMALL
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.files import fingerprint
from smartkpi.sources.infer import TIMES, Writing, convert, infer
from smartkpi.sources.memo import Memo
from smartkpi.sources.plain import Plain
from smartkpi.sources.rows import Rows
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
OBJECTS = "ndjson has an object a line: {…}"
NO_UTF8 = "is not UTF-8 text"


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
    audit: Audit
    files: tuple[Path, ...]
    times: Mapping[str, str | None] = field(default_factory=dict)


_memo: Memo[Known] = Memo()


def open_lines(read: Read, files: tuple[Path, ...]) -> Rows:
    """Return the rows of ndjson files as one typed frame.

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
        raw = pl.scan_ndjson(list(known.files), schema={n: t for n, t in schema.items() if t is not None})
        texts = [name for name, dtype in schema.items() if dtype == pl.String]
        raw = raw.with_columns(_without_nulls(name, read) for name in texts)
        if raw.select(pl.len()).collect().item() != known.audit.rows:
            raise fault("bad-rows", f"`{read.path}` has lines that are no objects", read.span)
        if not known.times:
            times = infer(raw.select(texts), writing, TIMES) if texts else {}
            known = replace(known, times=times)
            _memo.keep(key, known)
        frame = raw.with_columns(convert(name, kind, writing) for name, kind in known.times.items())
        small = sum(size for _, size, _ in key[0]) <= SMALL
        if small:
            frame = frame.collect().lazy()
        types = types_of(frame.collect_schema())
    types |= {name: UNKNOWN for name in schema if name not in known.seen or known.times.get(name, "") is None}
    return Rows(frame, types, known.audit, held=small)


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
    kinds: dict[str, type] = {}
    lines = 0
    if read.bad:
        for file in files:
            with _opening(file, read.span), file.open("rb") as stream:
                lines += sum(1 for _ in stream)
    borne = patience(read.bad, lines, read.span)
    rows, kept = 0, []
    cut: list[str] = []
    bad: list[BadRow] = []
    for file in files:
        lost: list[BadRow] = []
        for number, row in _rows(file, borne, lost, cut):
            rows += 1
            for name, value in row.items():
                known = kinds.get(name)
                if value is None or type(value) is known:
                    keys.setdefault(name)
                    continue
                _look(seen, name, value, number, file, read.span)
                keys.setdefault(name)
                if type(value) is not int:  # whole numbers are held against what 64 bits hold, each
                    kinds[name] = type(value)
        kept.append(without(Plain(file, file.name), lost).path if lost else file)
        bad += lost
    if len(bad) > Fraction(read.bad) * (rows + len(bad)):
        raise too_many(read.bad, read.span, bad)
    for name, one in seen.items():
        if one.huge and not one.fraction:
            message = f"`{name}` has whole numbers of more than 63 bits (line {one.line} of `{one.file}`)"
            raise fault("mixed-types", message, read.span, "write identifiers as texts, in quotes")
    audit = Audit(len(files), rows, skipped=len(bad), samples=tuple(bad[:SAMPLES]), cut=tuple(cut))
    return Known(tuple(keys), seen, audit, tuple(kept))


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


def _rows(file: Path, borne: Patience, bad: list[BadRow], cut: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number and the object of each line; blank lines are none, bad ones go to ``bad``."""
    line = b"\n"
    with _opening(file, borne.span), file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if number == 1 and line.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                message = f"`{file.name}` begins with a byte order mark, which JSON does not have"
                raise fault("bad-encoding", message, borne.span, "save it as UTF-8 without one")
            row, why = _object(line)
            if row is not None:
                yield number, row
                continue
            if why == NO_UTF8 and not borne.share:
                message = f"line {number} of `{file.name}` is not UTF-8 text"
                raise fault("bad-encoding", message, borne.span, "JSON is UTF-8: save it so")
            found = BadRow(file.name, number, why, shorten(line))
            borne.bear(found, OBJECTS)
            bad.append(found)
    if not line.endswith(b"\n"):
        cut.append(file.name)


@contextmanager
def _opening(file: Path, span: Span | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise fault("unreadable-data", f"`{file.name}` cannot be read", span) from error


class _RefusedError(Exception):
    """A line that JSON lets pass and we do not, with the reason."""


def _object(line: bytes) -> tuple[Mapping[str, Any] | None, str]:
    """Return the object of a line, or what is wrong with it."""
    try:
        found = _decoder().decode(line.decode("utf-8"))
    except UnicodeDecodeError:
        return None, NO_UTF8
    except _RefusedError as error:
        return None, str(error)
    except (ValueError, RecursionError):  # also digits beyond what Python reads
        return None, "is no JSON"
    return (found, "") if isinstance(found, dict) else (None, "is no object")


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RefusedError("has a key twice")
    return found


def _refuse(name: str) -> None:
    raise _RefusedError(f"has `{name}`, which is no value of JSON")
