"""What a first reading of files found, the same whatever is asked: rows, and those left out as bad, with samples."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from smartkpi.diagnostics import Diagnostic, KpiError, Note, Severity
from smartkpi.source import Span
from smartkpi.sources.plain import Plain, temporary

SAMPLES = 5
LONGEST = 120
"""How many characters of a bad line are shown."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is none: where it is, what is wrong with it (`has 3 fields, its header 2`), its text, its lines."""

    file: str
    line: int
    why: str
    text: str
    lines: int = 1

    def __str__(self) -> str:
        return f"line {self.line} of `{self.file}` {self.why}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found in the files of a dataset: how many rows they have, how many bad ones are left out, some of them.

    ``cut`` names files whose last line has no line end: they may be cut off there.
    """

    files: int
    rows: int
    blanks: int = 0
    skipped: int = 0
    samples: tuple[BadRow, ...] = ()
    cut: tuple[str, ...] = ()


@dataclass(slots=True)
class Patience:
    """How many more bad rows the files of a dataset may have: none, or the share that `on_bad_rows` states."""

    share: Decimal
    most: int
    span: Span | None
    seen: int = 0

    def bear(self, row: BadRow, hint: str) -> None:
        """Let a bad row pass. Raises KpiError (`bad-rows`) where it is one too many."""
        self.seen += 1
        if not self.share:
            raise KpiError(Diagnostic("bad-rows", str(row), self.span, hint, _shown([row])))
        if self.seen > self.most:
            raise too_many(self.share, self.span, [row])


def patience(share: Decimal, lines: int, span: Span | None) -> Patience:
    """Return how many bad rows are borne among so many lines."""
    return Patience(share, int(Fraction(share) * lines), span)


def too_many(share: Decimal, span: Span | None, rows: Iterable[BadRow]) -> KpiError:
    """Return the error that more rows are bad than is borne."""
    found = list(rows)
    message = f"more than {percent(share)} of the rows are bad: {found[0]}"
    hint = "mend the file, or bear more: `on_bad_rows: {skip: …}`"
    return KpiError(Diagnostic("bad-rows", message, span, hint, _shown(found)))


def left_out(dataset: str, audit: Audit, span: Span | None) -> Diagnostic:
    """Return the note that says which rows of a dataset are left out as bad."""
    every = audit.rows + audit.skipped
    rows = f"{audit.skipped:,} bad row{'' if audit.skipped == 1 else 's'} of {every:,}"
    first, *others = audit.samples
    share = percent(Decimal(audit.skipped) / every)
    message = f"dataset `{dataset}` leaves out {rows} ({share}), such as {first}: {first.text}"
    notes = tuple(Note(f"{row}: {row.text}") for row in others)
    more = audit.skipped - len(audit.samples)
    notes += (Note(f"and {more:,} more"),) if more else ()
    return Diagnostic("bad-rows", message, span, "", notes, Severity.NOTE, f"dataset:{dataset}")


def percent(share: Decimal) -> str:
    """Return a share as a percentage of three digits at most, never as none where there is some."""
    return f"{float(share * 100):.3g}%"


def shorten(line: bytes) -> str:
    """Return a line as text to be shown."""
    text = line.rstrip(b"\r\n").decode("utf-8", "replace")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def without(file: Plain, bad: Iterable[BadRow]) -> Plain:
    """Return a copy of a file without its bad rows, made for as long as the process runs."""
    lost = {row.line + number for row in bad for number in range(row.lines)}
    target = Path(tempfile.mkdtemp(dir=temporary())) / f"rows{file.path.suffix}"
    with file.path.open("rb") as lines, target.open("wb") as out:
        out.writelines(line for number, line in enumerate(lines, 1 + file.skipped) if number not in lost)
    return Plain(target, file.name, file.skipped)


def _shown(rows: Iterable[BadRow]) -> tuple[Note, ...]:
    return tuple(Note(f"it reads: {row.text}") for row in rows if row.text)
