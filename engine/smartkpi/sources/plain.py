"""Text files as plain ones: UTF-8, the header on the first line, nothing behind the last row."""

from __future__ import annotations

import atexit
import codecs
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from smartkpi.source import Span
from smartkpi.sources.faults import fault
from smartkpi.sources.files import Fingerprint, fingerprint
from smartkpi.sources.memo import Memo
from smartkpi.spec.model import Read

CONTROL = re.compile("[\x80-\x9f]")
"""Letters of no one: where latin-1 gives them, the file is in another encoding."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A file as it is read: the path of its plain form, the name of what it was made of, lines left out before."""

    path: Path
    name: str
    skipped: int = 0


_memo: Memo[Plain] = Memo()


def make_plain(read: Read, file: Path) -> Plain:
    """Return a text file in plain form: itself, or a copy where an encoding, title lines or a footer are stated.

    A copy is made once, for as long as the process runs. Raises KpiError: `bad-encoding`, `empty-file`.
    """
    if read.encoding is None and not read.skip_rows and not read.skip_footer:
        return Plain(file, file.name)
    key: tuple[Fingerprint, object] = (fingerprint((file,)), (read.encoding, read.skip_rows, read.skip_footer))
    found = _memo.find(key)
    if found is None:
        found = _copy(read, file)
        _memo.keep(key, found)
    return found


@cache
def temporary() -> Path:
    """Return the folder of copies, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="smartkpi-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def keep(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows that are looked at many times from a file that is quick to read, for as long as the process runs."""
    target = Path(tempfile.mkdtemp(dir=temporary())) / "rows.parquet"
    frame.sink_parquet(target, compression="lz4")
    return pl.scan_parquet(target)


def _copy(read: Read, file: Path) -> Plain:
    target = Path(tempfile.mkdtemp(dir=temporary())) / f"rows{file.suffix}"
    encoding = "utf-8-sig" if codec(read) == "utf-8" else codec(read)
    kept = 0
    try:
        _refuse_no_mark(file, encoding, read.span)
        with file.open(encoding=encoding, newline="") as lines, target.open("w", encoding="utf-8", newline="") as out:
            for line in _body(lines, read.skip_rows, read.skip_footer):
                kept += 1
                if encoding == "iso8859-1" and CONTROL.search(line):
                    hint = "write `encoding: cp1252`, or what it is"
                    raise fault(
                        "bad-encoding", f"`{file.name}` is not latin-1: it has no such letters", read.span, hint
                    )
                out.write(line)
    except UnicodeError as error:
        message = f"`{file.name}` is not {read.encoding or 'UTF-8'} text"
        raise fault("bad-encoding", message, read.span, "state the `encoding` that it has") from error
    except OSError as error:
        raise fault("unreadable-data", f"`{file.name}` cannot be read", read.span) from error
    if not kept:
        message = f"`{file.name}` has no line but those that `skip_rows` and `skip_footer` leave out"
        raise fault("empty-file", message, read.span, "state fewer lines: a header and the rows are to be left")
    return Plain(target, file.name, read.skip_rows)


def codec(read: Read) -> str:
    """Return the canonical name of a stated encoding."""
    return codecs.lookup(read.encoding or "utf-8").name


def _refuse_no_mark(file: Path, encoding: str, span: Span | None) -> None:
    """Refuse UTF-16 and UTF-32 that do not say the order of their bytes: a guess would depend on the machine."""
    if encoding not in ("utf-16", "utf-32"):
        return
    with file.open("rb") as stream:
        start = stream.read(2)
    if start not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE[:2]):
        message = f"`{file.name}` does not say the order of its bytes"
        raise fault("bad-encoding", message, span, f"write `encoding: {encoding}-le` or `{encoding}-be`")


def _body(lines: Iterator[str], skip: int, footer: int) -> Iterator[str]:
    """Yield the lines without the first and last ones; blank lines at the very end do not count as last ones."""
    held: deque[str] = deque()
    full = 0
    for number, line in enumerate(lines):
        if number < skip:
            continue
        held.append(line)
        full += bool(line.strip())
        while full > footer:
            full -= bool(held[0].strip())
            yield held.popleft()
