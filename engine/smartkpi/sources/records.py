"""Records of delimited text, each held against the header: rows, blank lines, and lines that are neither."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import BinaryIO

from smartkpi.diagnostics import KpiError
from smartkpi.source import Span
from smartkpi.sources.audit import BadRow, Patience, shorten
from smartkpi.sources.faults import fault
from smartkpi.sources.plain import Plain

BLOCK = 1 << 20
LARGEST = 1 << 20
"""A quoted text of more bytes is taken for a quote that was never closed."""

MARK = codecs.BOM_UTF8
QUOTED = re.compile(rb'"[^"]*"')
NO_UTF8 = "is not UTF-8 text"
QUOTE = "has a quote that is not closed, or text follows it"


@dataclass(frozen=True, slots=True)
class Look:
    """What the bytes of a file show before any is taken for a row.

    ``odd``: some line has a NUL, a carriage return of its own, or is no UTF-8; ``ended``: the last line has an end.
    """

    lines: int
    quotes: bool
    odd: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class Records:
    """The rows and blank lines of a file, and the rows that were borne though they are bad."""

    rows: int
    blanks: int
    bad: tuple[BadRow, ...]


def look(file: Plain, span: Span | None) -> Look:
    """Return what the bytes of a file show. Raises KpiError: `bad-encoding` for UTF-16, `bad-rows` for CR alone."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, quotes, odd, utf8, last, start = 0, False, False, True, b"", b""
    ends = returns = 0
    with file.path.open("rb") as stream:
        while block := stream.read(BLOCK):
            start = start or block[:4096]
            lines += block.count(b"\n")
            quotes = quotes or b'"' in block
            odd = odd or b"\0" in block
            if b"\r" in block or last == b"\r":
                returns += block.count(b"\r")
                ends += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
            utf8 = utf8 and ((block.isascii() and not decoder.getstate()[0]) or _decodes(decoder, block))
            last = block[-1:]
    utf8 = utf8 and not decoder.getstate()[0]
    _refuse_other_texts(file, start, lines, returns, span)
    return Look(lines + (last not in (b"", b"\n")), quotes, odd or not utf8 or returns != ends, last in (b"", b"\n"))


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_other_texts(file: Plain, start: bytes, lines: int, returns: int, span: Span | None) -> None:
    """Refuse texts of two bytes a letter, and lines that end in a carriage return alone."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _no_utf8(file, span, "it begins as UTF-16 does: write `encoding: utf-16`")
    for order, place in (("le", 1), ("be", 0)):
        half = start[place::2]
        if len(half) > 1 and half.count(0) * 10 > len(half) * 7:
            raise _no_utf8(file, span, f"every second byte is NUL: write `encoding: utf-16-{order}`")
    if returns and not lines:
        raise fault("bad-rows", f"the lines of `{file.name}` end in CR alone", span, "save it with LF line ends")


def _no_utf8(file: Plain, span: Span | None, hint: str) -> KpiError:
    return fault("bad-encoding", f"`{file.name}` is not UTF-8 text", span, hint)


def read_records(file: Plain, seen: Look, separator: str, width: int, borne: Patience) -> Records:
    """Return how many rows of so many fields a file has, each line below the header looked at once.

    Raises KpiError: `bad-rows` where more are bad than is borne, `bad-encoding` for a line that is no UTF-8.
    """
    mark = separator.encode()
    with file.path.open("rb") as stream:
        number, head, lines, why = next(_records(stream, mark))
        head = head.removeprefix(MARK)
        if why := why or _amiss(head, b"", mark, width):
            raise fault("bad-rows", f"line {1 + file.skipped} of `{file.name}`, its header, {why}", borne.span)
        rows, rest = 0, b""
        number += lines
        if not seen.odd and width > 1:
            rows, taken, rest = _clean_blocks(stream, head, mark, width)
            number += taken
        return _look_closely(_records(chain(BytesIO(rest), stream), mark, number), head, mark, file, width, borne, rows)


def _clean_blocks(stream: BinaryIO, head: bytes, mark: bytes, width: int) -> tuple[int, int, bytes]:
    """Return how many rows and lines go by without fault, block by block, and the first block that has one.

    What is left of a block without its texts, and of those in quotes, is separators and line ends: the same for each
    row. That is ten times as fast as a look at each line.
    """
    pattern = re.compile(rb"(?:%s\r?\n)++" % _record(mark))
    others = bytes(set(range(256)) - {*mark, 10})
    row = mark * (width - 1) + b"\n"
    rows = lines = 0
    while block := stream.read(BLOCK):
        block += stream.readline()
        quotes = block.count(b'"')
        while quotes % 2 and len(block) < 2 * BLOCK and (more := stream.readline()):
            block += more
            quotes += more.count(b'"')
        bare = QUOTED.sub(b"", block) if quotes else block
        bones = bare.translate(None, others)
        clean = bones == row * (len(bones) // width) and head not in block and MARK not in block
        if not clean or (quotes and not pattern.fullmatch(block)):
            return rows, lines, block
        rows += len(bones) // width
        lines += block.count(b"\n")
    return rows, lines, b""


def _look_closely(
    records: Iterator[tuple[int, bytes, int, str]],
    head: bytes,
    mark: bytes,
    file: Plain,
    width: int,
    borne: Patience,
    rows: int,
) -> Records:
    """Return the rows, blank lines and bad ones among records, with those rows that went before."""
    blanks = 0
    bad: list[BadRow] = []
    for number, record, lines, said in records:
        if not record.rstrip(b"\r\n"):
            blanks += 1
        elif why := said or _amiss(record, head, mark, width):
            row = BadRow(file.name, number + file.skipped, why, shorten(record.splitlines()[0]), lines)
            if why == NO_UTF8 and not borne.share:
                message = f"line {row.line} of `{file.name}` is not UTF-8 text"
                raise fault("bad-encoding", message, borne.span, "state its `encoding`, or save it as UTF-8")
            borne.bear(row, _mend(why))
            bad.append(row)
        else:
            rows += 1
    return Records(rows, blanks, tuple(bad))


def _mend(why: str) -> str:
    if why == QUOTE:
        return 'mend the line; a quote inside quotes is written twice: ""'
    if "field" in why:
        return "mend the line; a text that holds the separator needs quotes"
    return "take the second header out" if "header" in why else "mend the line"


def _amiss(record: bytes, head: bytes, mark: bytes, width: int) -> str:
    """Say what is wrong with a record, or nothing."""
    if b"\0" in record:
        return "has a NUL byte"
    outside = QUOTED.sub(b"", record)
    if b"\r" in outside.removesuffix(b"\n").removesuffix(b"\r"):
        return "has a carriage return in the middle"
    try:
        record.decode("utf-8")
    except UnicodeDecodeError:
        return NO_UTF8
    if record.removeprefix(MARK).rstrip(b"\r\n") == head.rstrip(b"\r\n"):
        return "repeats the header: two files were put behind one another"
    if record.startswith(MARK):
        return "begins with a byte order mark: two files were put behind one another"
    got = outside.count(mark) + 1
    return "" if got == width else f"has {got} field{'' if got == 1 else 's'}, its header {width}"


def _records(stream: Iterator[bytes], mark: bytes, number: int = 1) -> Iterator[tuple[int, bytes, int, str]]:
    """Yield records: the number of the first line, the bytes, how many lines, what is wrong with its quotes.

    Behind a quote that does not close, the next line is a record of its own again: one stray quote costs one line.
    """
    pattern = re.compile(rb"(?:\xef\xbb\xbf)?%s\r?\n?" % _record(mark))
    held: deque[bytes] = deque()
    while line := held.popleft() if held else next(stream, b""):
        if b'"' not in line:
            yield number, line, 1, ""
            number += 1
            continue
        taken, open_, size = [line], line.count(b'"') % 2, len(line)
        while open_ and size < LARGEST and (following := held.popleft() if held else next(stream, b"")):
            taken.append(following)
            open_ = (open_ + following.count(b'"')) % 2
            size += len(following)
        record = b"".join(taken)
        if not open_ and pattern.fullmatch(record):
            yield number, record, len(taken), ""
            number += len(taken)
        else:
            held.extendleft(reversed(taken[1:]))
            yield number, line, 1, QUOTE
            number += 1


def _record(mark: bytes) -> bytes:
    """Return the pattern of a record: texts in quotes, or bare ones; in a bare one quotes are letters, in pairs."""
    sign = re.escape(mark)
    bare = rb'[^"%s\n]++(?:"[^"%s\n]*+"[^"%s\n]*+)*+' % (sign, sign, sign)
    cell = rb'(?:"[^"]*+(?:""[^"]*+)*+"|(?:%s)?+)' % bare
    return rb"%s(?:%s%s)*+" % (cell, sign, cell)
