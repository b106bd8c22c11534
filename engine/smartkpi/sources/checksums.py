"""Checksums of Parquet pages, held against the bytes where a writer stored them; the engine itself does not look.

The two structures that are needed, the footer and the headers of pages, are Thrift in its compact form
(https://github.com/apache/parquet-format).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from smartkpi.source import Span
from smartkpi.sources.faults import fault
from smartkpi.sources.files import fingerprint
from smartkpi.sources.memo import Memo

MAGIC = b"PAR1"
HEADER = 1 << 16
"""How many bytes the header of a page takes at most: it may hold the least and the largest value."""

ROW_GROUPS, COLUMNS, META, SIZE, FIRST_PAGE, DICTIONARY = 4, 1, 3, 7, 9, 11
PAGE_SIZE, CHECKSUM = 3, 4
WHOLE = -1


_memo: Memo[int] = Memo()


def hold_checksums(files: Sequence[Path], span: Span | None, most: int | None = None) -> None:
    """Hold all pages of Parquet files against their checksums, as far as they have some; each file once.

    With ``most`` only where the files are not larger together. Raises KpiError (`unreadable-data`) naming the file.
    """
    marks = fingerprint(tuple(files))
    if most is not None and sum(size for _, size, _ in marks) > most:
        return
    for file, mark in zip(files, marks, strict=True):
        if not has_checksums(file):
            continue
        at = _memo.find(mark)
        if at is None:
            found = first_damaged(file)
            at = WHOLE if found is None else found
            _memo.keep(mark, at)
        if at != WHOLE:
            message = f"`{file.name}` is damaged: its page at byte {at:,} is not what its checksum says"
            raise fault("unreadable-data", message, span, "fetch or write it anew")


def has_checksums(path: Path) -> bool:
    """Say whether the first page of a file has a checksum: writers store them in all pages, or in none."""
    try:
        with path.open("rb") as stream:
            stream.seek(len(MAGIC))
            header, _ = _struct(stream.read(HEADER), 0)
    except (IndexError, ValueError):
        return False
    return CHECKSUM in header


def first_damaged(path: Path) -> int | None:
    """Return where the first page begins whose bytes are not those that were checksummed; None where all are."""
    with path.open("rb") as stream:
        try:
            chunks = list(_chunks(stream))
        except (IndexError, ValueError, KeyError, TypeError):
            return None  # no footer that we can read: whether the engine can is seen when it does
        for start, size in chunks:
            if (found := _damaged(stream, start, size)) is not None:
                return found
    return None


def _chunks(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where the pages of each column of each row group begin, and how many bytes they are."""
    end = stream.seek(-8, 2)
    length = int.from_bytes(stream.read(4), "little")
    stream.seek(end - length)
    footer, _ = _struct(stream.read(length), 0)
    for group in footer[ROW_GROUPS]:
        for chunk in group[COLUMNS]:
            column = chunk[META]
            starts = [column[field] for field in (DICTIONARY, FIRST_PAGE) if column.get(field)]
            yield min(starts), column[SIZE]


def _damaged(stream: BinaryIO, start: int, size: int) -> int | None:
    stream.seek(start)
    content = stream.read(size)
    at = 0
    while at < len(content):
        try:
            header, body = _struct(content, at)
            length = header[PAGE_SIZE]
        except (IndexError, ValueError, KeyError):
            return start + at
        page = content[body : body + length]
        if CHECKSUM in header and (len(page) < length or zlib.crc32(page) != header[CHECKSUM] & 0xFFFFFFFF):
            return start + at
        at = body + length
    return None


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Read a Thrift structure; return its fields by number, and where it ends. Raises IndexError or ValueError."""
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _signed(data, at)
        kind = head & 15
        if kind in (1, 2):
            fields[number] = kind == 1
        else:
            fields[number], at = _value(data, at, kind)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    match kind:
        case 1 | 2 | 3:
            return data[at], at + 1
        case 4 | 5 | 6:
            return _signed(data, at)
        case 7:
            return None, at + 8
        case 8:
            length, at = _varint(data, at)
            return data[at : at + length], at + length
        case 9 | 10:
            size, inner = data[at] >> 4, data[at] & 15
            at += 1
            if size == 15:
                size, at = _varint(data, at)
            values = []
            for _ in range(min(size, len(data))):
                value, at = _value(data, at, inner)
                values.append(value)
            return values, at
        case 12:
            return _struct(data, at)
        case _:
            raise ValueError(f"no type of Thrift that Parquet has: {kind}")


def _signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 70:
            raise ValueError("no number of 64 bits")
