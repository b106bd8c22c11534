"""Rows of csv and tsv files: audited in full, typed over all rows, never dropped or nulled in silence."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from smartkpi.diagnostics import KpiError
from smartkpi.language.types import UNKNOWN, Type
from smartkpi.source import Span
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.files import Fingerprint, fingerprint
from smartkpi.sources.infer import Writing, convert, infer, make_exact
from smartkpi.sources.memo import Memo
from smartkpi.sources.numbers import digits_of, money_type
from smartkpi.sources.plain import Plain, make_plain
from smartkpi.sources.schema import types_of
from smartkpi.spec.model import Read

SEPARATORS = (",", ";", "\t", "|")
SMALL = 64 * 1024 * 1024
GROUPS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"


@dataclass(frozen=True, slots=True)
class Audit:
    """What a first reading of one file found: its columns, its rows, its blank lines, whether it has quotes."""

    names: tuple[str, ...]
    rows: int
    blanks: int
    quotes: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of files that have not changed: an audit each, and the conversion of each column."""

    separator: str
    audits: tuple[Audit, ...]
    conversions: dict[str, str | None]


_memo: Memo[Known] = Memo()


@dataclass(frozen=True, slots=True)
class Texts:
    """The rows of delimited files as texts, none dropped; `separator` and `audits` are what they were cut by."""

    frame: pl.LazyFrame
    separator: str
    audits: tuple[Audit, ...]


def open_texts(read: Read, files: tuple[Path, ...], tabs: bool) -> Texts:
    """Return the rows of delimited files as texts, before anything is taken for a number or a date.

    Raises KpiError as `open_delimited` does.
    """
    plain = tuple(make_plain(read, file) for file in files)
    separator = read.separator or ("\t" if tabs else _separator(plain[0], read.span))
    audits = _audit_all(plain, separator, read.span)
    raw = _texts(plain, audits, separator, read)
    with reading(f"`{read.path}`", read.span):
        _compare_rows(raw, plain, audits, separator, read)
        if any(audit.blanks for audit in audits):
            raw = raw.filter(~pl.all_horizontal(pl.all().is_null()))
        if sum(size for _, size, _ in fingerprint(files)) <= SMALL:
            raw = raw.collect().lazy()
    return Texts(raw, separator, audits)


def open_delimited(
    read: Read, files: tuple[Path, ...], tabs: bool, money: frozenset[str] = frozenset()
) -> tuple[pl.LazyFrame, dict[str, Type], int]:
    """Return the rows of delimited files as one typed frame, the types of its columns and the number of rows.

    Large amounts in columns of ``money`` are kept to the last digit, which a float does not.
    Small files are read into memory once; larger ones are scanned anew by each query. Raises KpiError: `bad-rows`,
    `bad-encoding`, `empty-file`, `unequal-columns`.
    """
    mark: Fingerprint = fingerprint(files)
    key = (mark, read, tabs, money)
    known = _memo.find(key)
    plain = tuple(make_plain(read, file) for file in files)
    separator = known.separator if known else read.separator or ("\t" if tabs else _separator(plain[0], read.span))
    audits = known.audits if known else _audit_all(plain, separator, read.span)
    raw = _texts(plain, audits, separator, read)
    writing = Writing(read.dates, digits_of(read))
    small = sum(size for _, size, _ in mark) <= SMALL
    with reading(f"`{read.path}`", read.span):
        if known is None:
            _compare_rows(raw, plain, audits, separator, read)
        if small:
            raw = raw.collect().lazy()
        if known is None:
            known = Known(separator, audits, infer(raw, writing))
            _refuse_ambiguous(raw, known, read)
            make_exact(raw, known.conversions, sorted(money), writing)
            _memo.keep(key, known)
        if any(audit.blanks for audit in audits):
            raw = raw.filter(~pl.all_horizontal(pl.all().is_null()))
        frame = raw.select(convert(name, kind, writing) for name, kind in known.conversions.items())
        if small:
            frame = frame.collect().lazy()
        types = types_of(frame.collect_schema())
    types |= {name: UNKNOWN for name, kind in known.conversions.items() if kind is None}
    marks = {name: kind[6:] for name, kind in known.conversions.items() if kind is not None and kind[:6] == "money "}
    types |= {name: money_type(mark) for name, mark in marks.items()}
    return frame, types, sum(audit.rows for audit in audits)


def _texts(files: tuple[Plain, ...], audits: tuple[Audit, ...], separator: str, read: Read) -> pl.LazyFrame:
    """Return all files as one frame of texts; an empty text is null, however it was quoted."""
    order = audits[0].names
    frames = []
    for file, audit in zip(files, audits, strict=True):
        frame = pl.scan_csv(
            file.path, separator=separator, infer_schema=False, new_columns=list(audit.names),
            null_values=list(read.nulls) or None, glob=False, raise_if_empty=False,
        )  # fmt: skip
        if audit.quotes:
            frame = frame.with_columns(pl.when(pl.col(n) != "").then(pl.col(n)).alias(n) for n in audit.names)
        frames.append(frame.select(order))
    return frames[0] if len(frames) == 1 else pl.concat(frames)


def _separator(file: Plain, span: Span | None) -> str:
    with _opened(file, span) as lines:
        line = next(iter(lines), "")
    outside = "".join(line.split('"')[::2])
    counts = {separator: outside.count(separator) for separator in SEPARATORS}
    return max(SEPARATORS, key=lambda separator: counts[separator])


def _audit_all(files: tuple[Plain, ...], separator: str, span: Span | None) -> tuple[Audit, ...]:
    audits = tuple(_audit(file, separator, span) for file in files)
    first = set(audits[0].names)
    for file, audit in zip(files, audits, strict=True):
        if set(audit.names) != first:
            raise unequal_columns(file, files[0], set(audit.names), first, span)
    return audits


def unequal_columns(
    file: Path | Plain, first: Path | Plain, names: set[str], wanted: set[str], span: Span | None
) -> KpiError:
    """Return the error for a file whose columns are not those of the dataset's first file."""
    more, less = sorted(names - wanted), sorted(wanted - names)
    lacks = f"lacks {_listed(less)}" if less else ""
    has = f"has {_listed(more)} more" if more else ""
    what = " and ".join(part for part in (lacks, has) if part)
    message = f"the files have different columns: `{file.name}` {what} than `{first.name}`"
    if not more:
        message = f"the files have different columns: `{file.name}` {what}, which `{first.name}` has"
    return fault("unequal-columns", message, span, "name only files of one kind, or make two datasets")


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} others"


def _audit(file: Plain, separator: str, span: Span | None) -> Audit:
    with file.path.open("rb") as stream:
        start = stream.read(4096)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
            raise fault(
                "bad-encoding", f"`{file.name}` is not UTF-8 text", span, "state its `encoding`, or save it as UTF-8"
            )
        if b"\n" not in start and b"\r" in start:
            raise fault("bad-rows", f"the lines of `{file.name}` end in CR alone", span, "save it with LF line ends")
        stream.seek(0)
        quotes = any(b'"' in block for block in iter(lambda: stream.read(1 << 20), b""))
    names = _header(file, separator, span)
    if quotes:
        rows, blanks = _count_quoted(file, separator, len(names), span)
    else:
        rows, blanks = _count_plain(file, separator, len(names), span)
    return Audit(names, rows, blanks, quotes)


def _header(file: Plain, separator: str, span: Span | None) -> tuple[str, ...]:
    with _opened(file, span) as lines:
        try:
            cells = next(csv.reader(lines, delimiter=separator, strict=True), None)
        except csv.Error as error:
            raise _bad_quote(file, 1, span) from error
    if not cells:
        raise fault("empty-file", f"`{file.name}` has no header line", span, "its first line names the columns")
    names = tuple(cell.strip() or f"column_{place}" for place, cell in enumerate(cells, 1))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise fault("bad-rows", f"`{file.name}` has {_listed(repeated)} twice in its header", span, "rename one")
    return names


def _count_plain(file: Plain, separator: str, width: int, span: Span | None) -> tuple[int, int]:
    rows = blanks = 0
    mark, wanted = separator.encode(), width - 1
    with file.path.open("rb") as lines:
        next(lines)
        for number, line in enumerate(lines, 2):
            if line.count(mark) != wanted or not line.rstrip(b"\r\n"):
                if line.rstrip(b"\r\n"):
                    raise _bad_row(file, number, line.count(mark) + 1, width, span)
                blanks += 1
            else:
                rows += 1
    return rows, blanks


def _count_quoted(file: Plain, separator: str, width: int, span: Span | None) -> tuple[int, int]:
    rows = blanks = 0
    with _opened(file, span) as lines:
        reader = csv.reader(lines, delimiter=separator, strict=True)
        line = 1
        try:
            next(reader)
            line = reader.line_num + 1
            for record in reader:
                if len(record) == width:
                    rows += 1
                elif record:
                    raise _bad_row(file, line, len(record), width, span)
                else:
                    blanks += 1
                line = reader.line_num + 1
        except csv.Error as error:
            raise _bad_quote(file, line, span) from error
    return rows, blanks


def _bad_row(file: Plain, line: int, got: int, width: int, span: Span | None) -> KpiError:
    fields = "1 field" if got == 1 else f"{got} fields"
    message = f"line {line + file.skipped} of `{file.name}` has {fields}, its header {width}"
    return fault("bad-rows", message, span, "mend the line; a text that holds the separator needs quotes")


def _bad_quote(file: Plain, line: int, span: Span | None) -> KpiError:
    message = f"a quote in line {line + file.skipped} of `{file.name}` is not closed, or text follows it"
    return fault("bad-rows", message, span, 'mend the line; a quote inside quotes is written twice: ""')


def _compare_rows(
    raw: pl.LazyFrame, files: tuple[Plain, ...], audits: tuple[Audit, ...], separator: str, read: Read
) -> None:
    """Raise where the engine sees other rows than the audit did: a stray quote swallowed some."""
    if _count(raw) == sum(audit.rows + audit.blanks for audit in audits):
        return
    for file, audit in zip(files, audits, strict=True):
        if _count(_texts((file,), (audit,), separator, read)) != audit.rows + audit.blanks:
            raise _bad_quote(file, _odd_line(file), read.span)


def _refuse_ambiguous(raw: pl.LazyFrame, known: Known, read: Read) -> None:
    """Refuse numbers that may be thousands or decimals: `1.234` in a file that elsewhere has decimal commas."""
    kinds = ("fraction", "padded fraction", "percent")
    fractions = [n for n, kind in known.conversions.items() if kind in kinds or (kind or "").startswith("money ")]
    if digits_of(read).stated or not fractions:
        return
    texts = [name for name, kind in known.conversions.items() if kind == "text"]
    bare = {name: pl.col(name).str.replace_all(r"[^0-9.,eE+-]", "") for name in fractions}
    dotted = {name: text.str.contains(GROUPS) for name, text in bare.items()}
    plain = {name: text.str.contains(r"^[+-]?\d+$") for name, text in bare.items()}
    commas = [pl.col(name).str.contains(r"^\s*[+-]?\d+,\d+\s*$").any() for name in texts]
    found = raw.select(
        *((dotted[n].any() & (dotted[n] | plain[n]).all()).alias(n) for n in fractions),
        pl.any_horizontal(pl.lit(known.separator == ";"), *commas).alias("__commas"),
    ).collect()
    if not found["__commas"].item():
        return
    for name in fractions:
        if found[name].item():
            message = f"numbers of the column `{name}` such as 1.234 may be thousands or decimals"
            hint = 'state `decimal: "."`, or `decimal: ","` and `thousands: "."`'
            raise fault("ambiguous-number", message, read.span, hint)


def _count(raw: pl.LazyFrame) -> int:
    """Return how many rows the engine sees; -1 where quotes confuse it so that it gives up."""
    try:
        return int(raw.select(pl.len(), pl.all().count().name.prefix("count ")).collect()["len"].item())
    except pl.exceptions.ComputeError as error:
        if "utf" in str(error).lower():
            raise
        return -1


def _odd_line(file: Plain) -> int:
    with file.path.open("rb") as lines:
        return next((number for number, line in enumerate(lines, 1) if line.count(b'"') % 2), 1)


@contextmanager
def _opened(file: Plain, span: Span | None) -> Iterator[Iterator[str]]:
    """Open a file as text; what cannot be opened or decoded is a data error."""
    try:
        with file.path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except OSError as error:
        raise fault("unreadable-data", f"`{file.name}` cannot be read", span) from error
    except UnicodeDecodeError as error:
        raise fault(
            "bad-encoding", f"`{file.name}` is not UTF-8 text", span, "state its `encoding`, or save it as UTF-8"
        ) from error
