"""What a text file is, found out from its bytes: encoding, separator, title lines, footer. Each with its evidence."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smartkpi.sources.delimited import SEPARATORS
from smartkpi.sources.faults import reading
from smartkpi.spec.model import Read

HEAD_BYTES, TAIL_BYTES, WHOLE_BYTES = 1 << 18, 1 << 16, 1 << 23
RECORDS = 300
MOST_TITLES, MOST_FOOTERS = 30, 10
MOSTLY = 0.8
ZEROS = 0.15
TOTALS = (
    "total", "totals", "grand total", "sum", "subtotal", "overall", "summe", "gesamt", "insgesamt", "gesamtsumme",
    "somme", "suma", "totale", "totaal", "итого", "всего", "合计", "总计", "小计", "总和", "合計", "総計",
)  # fmt: skip
"""What the first cell of a line of totals says."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Guess:
    """Something that was found out rather than said: what about, what it rests on, what it may be instead."""

    about: str
    because: str
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """How to read a text file, and what each part of that rests on."""

    read: Read
    guesses: tuple[Guess, ...] = ()


def sniff_text(read: Read, file: Path, tabs: bool) -> Sniffed:
    """Return how to read a text file: `read` with what its bytes show of encoding, separator, titles and footer.

    Raises KpiError `unreadable-data` where it cannot be opened. What the bytes do not show is left to the reader,
    which refuses what it cannot read.
    """
    with reading(f"`{file.name}`", read.span):
        found = _sniff_encoding(read, file)
        head, tail = _ends(file, found.read.encoding or "utf-8-sig")
    if not head:
        return found
    separator, width = _separator(head, "\t" if tabs else None)
    skip = _titles(head, separator, width)
    read, guesses = found.read, list(found.guesses)
    if width > 1 and not tabs and _likeliest(head[skip]) != separator:
        read = replace(read, separator=separator)
    if skip:
        read = replace(read, skip_rows=skip)
        lines = "the first line is" if skip == 1 else f"the first {skip} lines are"
        guesses.append(Guess("skip_rows", f"{lines} no part of the table: {_quoted(head[:skip])}"))
    footer = _footer(head[skip:], tail, separator, width)
    if footer:
        read = replace(read, skip_footer=len(footer))
        lines = "the last line is" if len(footer) == 1 else f"the last {len(footer)} lines are"
        guesses.append(Guess("skip_footer", f"{lines} no row: {_quoted(footer)}"))
    if _no_header(head[skip:], separator):
        guesses.append(
            Guess("header", "the first line looks like values, not like names: add a line of names above it")
        )
    return Sniffed(read, tuple(guesses))


def _sniff_encoding(read: Read, file: Path) -> Sniffed:
    """Return the encoding: a byte order mark, UTF-8 where all bytes are, else what the letters look most like."""
    with file.open("rb") as stream:
        start = stream.read(_BLOCK)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Sniffed(replace(read, encoding="utf-16"), (Guess("encoding", "a mark at its start says so"),))
    if (order := _two_bytes(start)) is not None:
        found = replace(read, encoding=order)
        return Sniffed(found, (Guess("encoding", "its letters have two bytes each, and no mark at its start says so"),))
    if b"\0" in start or _decodes(file, "utf-8"):
        return Sniffed(read)
    sample = b"".join(line for line in _odd_lines(file))
    for name, likely, others in (("gb18030", _chinese, "big5, shift_jis"), ("shift_jis", _japanese, "gb18030")):
        if likely(sample) and _decodes(file, name):
            return _encoded(read, name, others)
    if _decodes(file, "cp1252"):
        return _encoded(read, "cp1252", "cp1250, cp1251, gb18030")
    return Sniffed(read)


def _encoded(read: Read, name: str, others: str) -> Sniffed:
    because = f"it is not UTF-8, and its letters are most likely {name}: look at them"
    return Sniffed(replace(read, encoding=name), (Guess("encoding", because, others),))


def _two_bytes(start: bytes) -> str | None:
    """Return UTF-16 in the order of its bytes, where a text without a mark is that."""
    if start.count(0) < ZEROS * len(start):
        return None
    signs = [sign.encode("utf-16-le") for sign in "\n,;\t"]
    pairs = Counter(start[i : i + 2] for i in range(0, min(len(start), HEAD_BYTES), 2))
    little, big = (sum(pairs[sign[::step]] for sign in signs) for step in (1, -1))
    return None if little == big else "utf-16-le" if little > big else "utf-16-be"


def _decodes(file: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK), b""):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _odd_lines(file: Path) -> Iterator[bytes]:
    """Yield the first lines that have other letters than ASCII."""
    left = RECORDS
    with file.open("rb") as stream:
        for line in stream:
            if not line.isascii():
                yield line
                left -= 1
                if not left:
                    return


def _chinese(sample: bytes) -> bool:
    """Say whether bytes read as the everyday characters of Chinese (the first level of GB 2312)."""
    text = sample.decode("gb18030", errors="replace")
    letters = [c for c in text if ord(c) >= 128]
    common = 0
    for letter in letters:
        code = letter.encode("gb18030", errors="replace")
        common += len(code) == 2 and (0xB0 <= code[0] <= 0xD7 or 0xA1 <= code[0] <= 0xA3) and code[1] >= 0xA1
    return bool(letters) and common >= MOSTLY * len(letters)


def _japanese(sample: bytes) -> bool:
    text = sample.decode("shift_jis", errors="replace")
    letters = [c for c in text if ord(c) >= 128]
    kana = sum(1 for c in letters if "\u3040" <= c <= "\u30ff")
    return "\ufffd" not in text and kana >= 0.2 * len(letters)


def _ends(file: Path, encoding: str) -> tuple[list[str], list[str]]:
    """Return the first and the last lines of a file; the same ones where it is small."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        whole = size <= WHOLE_BYTES
        first = stream.read(WHOLE_BYTES if whole else HEAD_BYTES)
        wide = 4 if encoding.startswith("utf-16") else 1
        stream.seek(0 if whole else (size - TAIL_BYTES) // wide * wide)
        last = first if whole else stream.read()
    lines = _lines(first, encoding)
    head = (lines if whole else lines[:-1])[:RECORDS]
    order = "le" if first.startswith(codecs.BOM_UTF16_LE) else "be"
    late = f"utf-16-{order}" if encoding == "utf-16" and not whole else encoding
    return head, (lines if whole else _lines(last, late)[1:])[-RECORDS:]


def _lines(content: bytes, encoding: str) -> list[str]:
    text = content.decode(encoding, errors="replace")
    return text.replace("\r\n", "\n").split("\n") if "\n" in text else [text]


def _records(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return lines cut into cells; what the rules of quotes do not allow is cut as well as can be."""
    try:
        return list(csv.reader((f"{line}\n" for line in lines), delimiter=separator))
    except csv.Error:
        return [line.split(separator) for line in lines]


def _separator(lines: Sequence[str], only: str | None) -> tuple[str, int]:
    """Return the separator that cuts most lines into equally many cells, and how many."""
    best = ((0.0, 0), only or ",", 1)
    for separator in SEPARATORS if only is None else (only,):
        counts = Counter(len(record) for record in _records(lines, separator) if record)
        counts.pop(1, None)
        if not counts:
            continue
        total = sum(1 for line in lines if line.strip())
        width, times = max(counts.items(), key=lambda item: (item[1], item[0]))
        best = max(best, ((times / max(total, 1), width), separator, width))
    return best[1], best[2]


def _likeliest(header: str) -> str:
    """Return the separator that the reader would see in a header."""
    outside = "".join(header.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


def _titles(lines: Sequence[str], separator: str, width: int) -> int:
    """Return how many lines stand above the header: those before the first line of names as wide as the rows.

    The line of names must look like one, so that a header that is too short is not taken for a title.
    """
    for number, line in enumerate(lines[: MOST_TITLES + 1]):
        (cells, *_) = _records([line], separator) or [[]]
        filled = [cell for cell in cells if cell.strip()]
        if len(cells) == width and filled and 2 * len(filled) > width:
            names = len(filled) == width and len(set(filled)) == width and not any(map(_is_value, filled))
            return number if number == 0 or names or not any(lines[i].strip() for i in range(number)) else 0
    return 0


def _is_value(cell: str) -> bool:
    """Say whether a cell is a number or a date rather than a name."""
    bare = "".join(c for c in cell if c not in " .,:-/+%'\u00a0")
    return bare.isdigit()


def _no_header(lines: Sequence[str], separator: str) -> bool:
    (cells, *_) = _records(lines[:1], separator) or [[]]
    return bool(cells) and sum(map(_is_value, cells)) >= max(1, len(cells) / 2)


def _footer(head: Sequence[str], tail: Sequence[str], separator: str, width: int) -> list[str]:
    """Return the lines below the last row: totals, or a remark in one cell that is no value of the first column.

    A row that was cut off is none of these, so the reader refuses it.
    """
    lines = [line for line in tail if line.strip()]
    rows = [record for record in _records(head[1:], separator) if len(record) == width]
    firsts = [record[0].strip().casefold() for record in rows]
    found: list[str] = []
    for line in reversed(lines[1:]):
        (cells, *_) = _records([line], separator) or [[]]
        if len(found) == MOST_FOOTERS or not _is_footer(cells, width, firsts):
            break
        found.append(line)
    return found[::-1]


def _is_footer(cells: Sequence[str], width: int, firsts: Sequence[str]) -> bool:
    filled = [cell.strip().casefold() for cell in cells if cell.strip()]
    if not filled:
        return False
    if filled[0].rstrip(":").strip() in TOTALS:
        return firsts.count(filled[0]) <= 1
    remark = len(filled) == 1 and width > 1 and bool(cells[0].strip()) and any(c.isspace() for c in filled[0])
    return remark and not _is_value(filled[0]) and not any(first.startswith(filled[0]) for first in firsts)


def _quoted(lines: Sequence[str]) -> str:
    shown = [f"`{line.strip()[:60]}`" for line in lines if line.strip()][:3]
    return ", ".join(shown) or "blank"
