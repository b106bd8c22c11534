"""Rows of csv and tsv files: audited in full, typed over all rows, never dropped or nulled in silence."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import polars as pl

from smartkpi.diagnostics import KpiError
from smartkpi.language.types import UNKNOWN
from smartkpi.source import Span
from smartkpi.sources.audit import SAMPLES, Audit, patience, too_many, without
from smartkpi.sources.faults import fault, reading
from smartkpi.sources.files import Fingerprint, fingerprint
from smartkpi.sources.infer import EVIDENCE, Writing, convert, infer, make_exact
from smartkpi.sources.memo import Memo
from smartkpi.sources.numbers import digits_of, money_type
from smartkpi.sources.plain import Plain, make_plain
from smartkpi.sources.records import Look, Records, look, read_records
from smartkpi.sources.rows import Rows
from smartkpi.sources.schema import types_of
from smartkpi.spec.model import Read

SEPARATORS = (",", ";", "\t", "|")
SMALL = 64 * 1024 * 1024
GROUPS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"


@dataclass(frozen=True, slots=True)
class Body:
    """What a first reading of one file found: its columns, its records, whether it has quotes, and what to read.

    ``plain`` is the file, or a copy without the bad rows that are borne.
    """

    plain: Plain
    names: tuple[str, ...]
    records: Records
    look: Look

    @property
    def lines(self) -> int:
        """How many rows the engine should see."""
        return self.records.rows + self.records.blanks


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of files that have not changed: what each holds, and the conversion of each column."""

    separator: str
    bodies: tuple[Body, ...]
    conversions: dict[str, str | None]


_memo: Memo[Known] = Memo()


@dataclass(frozen=True, slots=True)
class Texts:
    """The rows of delimited files as texts, none dropped; ``separator`` cut them, ``blanks``: some lines are blank."""

    frame: pl.LazyFrame
    separator: str
    blanks: bool


def open_texts(read: Read, files: tuple[Path, ...], tabs: bool) -> Texts:
    """Return the rows of delimited files as texts, before anything is taken for a number or a date.

    Raises KpiError as `open_delimited` does.
    """
    separator, bodies = _cut(read, files, tabs)
    raw = _texts(bodies, separator, read)
    blanks = any(body.records.blanks for body in bodies)
    with reading(f"`{read.path}`", read.span):
        _compare_rows(raw, bodies, separator, read)
        if blanks:
            raw = raw.filter(~pl.all_horizontal(pl.all().is_null()))
        if sum(size for _, size, _ in fingerprint(files)) <= SMALL:
            raw = raw.collect().lazy()
    return Texts(raw, separator, blanks)


def _cut(read: Read, files: tuple[Path, ...], tabs: bool) -> tuple[str, tuple[Body, ...]]:
    plain = tuple(make_plain(read, file) for file in files)
    separator = read.separator or ("\t" if tabs else _separator(plain[0], read.span))
    return separator, _audit_all(plain, separator, read)


def open_delimited(read: Read, files: tuple[Path, ...], tabs: bool, money: frozenset[str] = frozenset()) -> Rows:
    """Return the rows of delimited files as one typed frame.

    Large amounts in columns of ``money`` are kept to the last digit, which a float does not.
    Small files are read into memory once; larger ones are scanned anew by each query. Raises KpiError: `bad-rows`,
    `bad-encoding`, `empty-file`, `unequal-columns`.
    """
    mark: Fingerprint = fingerprint(files)
    key = (mark, read, tabs, money)
    known = _memo.find(key)
    separator, bodies = (known.separator, known.bodies) if known else _cut(read, files, tabs)
    raw = _texts(bodies, separator, read)
    writing = Writing(read.dates, digits_of(read))
    small = sum(size for _, size, _ in mark) <= SMALL
    with reading(f"`{read.path}`", read.span):
        try:
            if small:
                raw = raw.collect().lazy()
            if known is None:
                known = Known(separator, bodies, _infer(raw, bodies, separator, read))
                _refuse_ambiguous(raw, known, read)
                make_exact(raw, known.conversions, sorted(money), writing)
                _memo.keep(key, known)
        except pl.exceptions.ComputeError:
            _compare_rows(raw, bodies, separator, read)  # a stray quote is why, if the rows are not those of the audit
            raise
        if any(body.records.blanks for body in bodies):
            raw = raw.filter(~pl.all_horizontal(pl.all().is_null()))
        frame = raw.select(convert(name, kind, writing) for name, kind in known.conversions.items())
        if small:
            frame = frame.collect().lazy()
        types = types_of(frame.collect_schema())
    types |= {name: UNKNOWN for name, kind in known.conversions.items() if kind is None}
    marks = {name: kind[6:] for name, kind in known.conversions.items() if kind is not None and kind[:6] == "money "}
    types |= {name: money_type(mark) for name, mark in marks.items()}
    return Rows(frame, types, _summary(bodies), held=small)


def _summary(bodies: tuple[Body, ...]) -> Audit:
    bad = [row for body in bodies for row in body.records.bad]
    return Audit(
        files=len(bodies),
        rows=sum(body.records.rows for body in bodies),
        blanks=sum(body.records.blanks for body in bodies),
        skipped=len(bad),
        samples=tuple(bad[:SAMPLES]),
        cut=tuple(body.plain.name for body in bodies if not body.look.ended),
    )


def _texts(bodies: tuple[Body, ...], separator: str, read: Read) -> pl.LazyFrame:
    """Return all files as one frame of texts; an empty text is null, however it was quoted."""
    order = bodies[0].names
    frames = []
    for body in bodies:
        frame = pl.scan_csv(
            body.plain.path, separator=separator, infer_schema=False, new_columns=list(body.names),
            null_values=list(read.nulls) or None, glob=False, raise_if_empty=False,
        )  # fmt: skip
        if body.look.quotes:
            frame = frame.with_columns(pl.when(pl.col(n) != "").then(pl.col(n)).alias(n) for n in body.names)
        frames.append(frame.select(order))
    return frames[0] if len(frames) == 1 else pl.concat(frames)


def _separator(file: Plain, span: Span | None) -> str:
    with _opened(file, span) as lines:
        line = next(iter(lines), "")
    outside = "".join(line.split('"')[::2])
    counts = {separator: outside.count(separator) for separator in SEPARATORS}
    return max(SEPARATORS, key=lambda separator: counts[separator])


def _audit_all(files: tuple[Plain, ...], separator: str, read: Read) -> tuple[Body, ...]:
    """Look at each line of each file. Raises KpiError where one is bad, or more are than `on_bad_rows` bears."""
    with _opening(files[0], read.span):
        looks = [look(file, read.span) for file in files]
    heads = [_header(file, separator, read.span) for file in files]
    for file, names in zip(files, heads, strict=True):
        if set(names) != set(heads[0]):
            raise unequal_columns(file, files[0], set(names), set(heads[0]), read.span)
    borne = patience(read.bad, sum(seen.lines for seen in looks), read.span)
    found = []
    for file, names, seen in zip(files, heads, looks, strict=True):
        with _opening(file, read.span):
            records = read_records(file, seen, separator, len(names), borne)
            found.append(Body(without(file, records.bad) if records.bad else file, names, records, seen))
    rows, bad = sum(body.records.rows for body in found), [row for body in found for row in body.records.bad]
    if len(bad) > Fraction(read.bad) * (rows + len(bad)):
        raise too_many(read.bad, read.span, bad)
    return tuple(found)


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


def _bad_quote(file: Plain, line: int, span: Span | None) -> KpiError:
    message = f"a quote in line {line + file.skipped} of `{file.name}` is not closed, or text follows it"
    return fault("bad-rows", message, span, 'mend the line; a quote inside quotes is written twice: ""')


def _infer(raw: pl.LazyFrame, bodies: tuple[Body, ...], separator: str, read: Read) -> dict[str, str | None]:
    """Return the conversion of each column; the pass that confirms them holds the rows against the audit's."""
    wanted = sum(body.lines for body in bodies)

    def hold(rows: int) -> None:
        if rows != wanted:
            _compare_rows(raw, bodies, separator, read)

    return infer(raw, Writing(read.dates, digits_of(read)), counted=hold)


def _compare_rows(raw: pl.LazyFrame, bodies: tuple[Body, ...], separator: str, read: Read) -> None:
    """Raise where the engine sees other rows than the audit did: a stray quote swallowed some."""
    if _count(raw) == sum(body.lines for body in bodies):
        return
    for body in bodies:
        if _count(_texts((body,), separator, read)) != body.lines:
            raise _bad_quote(body.plain, _odd_line(body.plain), read.span)


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
    head = raw.head(EVIDENCE).select((dotted[n] | plain[n]).all().alias(n) for n in fractions).collect()
    fractions = [name for name in fractions if head[name].item()]
    if not fractions:
        return
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
    """Open a file as lines of text, each decoded when it is asked for; what cannot be is a data error."""
    with _opening(file, span), file.path.open("rb") as stream:
        yield (line.decode("utf-8" if number else "utf-8-sig") for number, line in enumerate(stream))


@contextmanager
def _opening(file: Plain, span: Span | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise fault("unreadable-data", f"`{file.name}` cannot be read", span) from error
    except UnicodeDecodeError as error:
        raise fault(
            "bad-encoding", f"`{file.name}` is not UTF-8 text", span, "state its `encoding`, or save it as UTF-8"
        ) from error
