"""Scalars of YAML 1.2: what a plain one means, and where each character of a text stands in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

Plain = str | int | float | bool | None
Placed = list[tuple[str, int]]

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o([0-7]+)\Z")
_HEX = re.compile(r"0x([0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_BEGINS = frozenset("0123456789+-.")
_MAX_DIGITS = 300  # longer digits are no number anyone means, and Python refuses to read 4,300 of them
_BREAKS = "\r\n"
_BLANKS = " \t"
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


def resolve(text: str) -> Plain:
    """Read a plain scalar by the core schema of YAML 1.2: `no`, `12:30` and dates are texts, 010 is ten."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _BEGINS or len(text) > _MAX_DIGITS:
        return text
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if found := _OCTAL.match(text):
        return int(found[1], 8)
    if found := _HEX.match(text):
        return int(found[1], 16)
    return text


def offsets(text: str, start: int, end: int, style: str, value: str) -> tuple[int, ...] | None:
    """Return where each character of a scalar's value stands in the file, and one offset for its end.

    ``text[start:end]`` is the scalar as written, quotes and block header included. None means letter by letter from
    ``start``. Where the two cannot be brought together, every character stands at the start.
    """
    if style == "" and end - start == len(value) and text[start:end] == value:
        return None
    match style:
        case "'":
            placed, last = list(_single(text, start + 1, end - 1)), end - 1
        case '"':
            placed, last = list(_double(text, start + 1, end - 1)), end - 1
        case "|" | ">":
            placed, last = _block(text, start, end, value, folded=style == ">"), end
        case _:
            placed, last = list(_plain(text, start, end)), end
    if "".join(letter for letter, _ in placed) != value:
        return (start,) * (len(value) + 1)
    if style in ("|", ">"):
        last = placed[-1][1] + 1 if placed else start
    return (*(offset for _, offset in placed), last)


def _break_end(text: str, at: int) -> int:
    return at + 2 if text[at : at + 2] == "\r\n" else at + 1


def _fold(text: str, at: int, end: int) -> tuple[Placed, int]:
    """Read white space from ``at``: blanks in a line stand, a line break is a space, further ones are line breaks."""
    first = at
    while at < end and text[at] in _BLANKS:
        at += 1
    if at >= end or text[at] not in _BREAKS:
        return [(text[i], i) for i in range(first, at)], at
    breaks = []
    while at < end and (text[at] in _BREAKS or text[at] in _BLANKS):
        if text[at] in _BREAKS:
            breaks.append(at)
            at = _break_end(text, at)
        else:
            at += 1
    if len(breaks) == 1:
        return [(" ", breaks[0])], at
    return [("\n", place) for place in breaks[1:]], at


def _plain(text: str, at: int, end: int) -> Iterator[tuple[str, int]]:
    while at < end:
        if text[at] in _BLANKS or text[at] in _BREAKS:
            folded, at = _fold(text, at, end)
            yield from folded
        else:
            yield text[at], at
            at += 1


def _single(text: str, at: int, end: int) -> Iterator[tuple[str, int]]:
    while at < end:
        if text[at] in _BLANKS or text[at] in _BREAKS:
            folded, at = _fold(text, at, end)
            yield from folded
        else:
            yield text[at], at
            at += 2 if text.startswith("''", at) else 1


def _double(text: str, at: int, end: int) -> Iterator[tuple[str, int]]:
    while at < end:
        letter = text[at]
        if letter in _BLANKS or letter in _BREAKS:
            folded, at = _fold(text, at, end)
            yield from folded
        elif letter == "\\" and text[at + 1] in _BREAKS:
            at = _break_end(text, at + 1)
            while at < end and text[at] in _BLANKS:
                at += 1
            more, at = _fold_empty_lines(text, at, end)
            yield from more
        elif letter == "\\":
            read, width = _escape(text, at)
            yield read, at
            at += width
        else:
            yield letter, at
            at += 1


def _fold_empty_lines(text: str, at: int, end: int) -> tuple[Placed, int]:
    """Read the empty lines behind an escaped line break: each is a line break of the value."""
    placed: Placed = []
    while at < end and text[at] in _BREAKS:
        placed.append(("\n", at))
        at = _break_end(text, at)
        while at < end and text[at] in _BLANKS:
            at += 1
    return placed, at


_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


def _escape(text: str, at: int) -> tuple[str, int]:
    kind = text[at + 1]
    if digits := _HEX_ESCAPES.get(kind):
        return chr(int(text[at + 2 : at + 2 + digits], 16)), 2 + digits
    return _ESCAPES.get(kind, kind), 2


def _block(text: str, start: int, end: int, value: str, *, folded: bool) -> Placed:
    """Place a literal or folded text; its indentation is the one that makes its first line the value's first line."""
    lines: list[tuple[int, int, int]] = []  # start, end of content, end with the line break
    at = start
    while at < end:
        stop = at
        while stop < end and text[stop] not in _BREAKS:
            stop += 1
        after = min(_break_end(text, stop), end)
        lines.append((at, stop, after))
        at = after
    del lines[:1]  # the header
    placed = _join_block(text, lines, _indentation(text, lines, value), folded=folded)
    return placed[: len(value)]


def _indentation(text: str, lines: list[tuple[int, int, int]], value: str) -> int:
    for begin, stop, _ in lines:
        written = text[begin:stop]
        if written.strip(" "):
            first = next((line for line in value.split("\n") if line.strip(" ")), "")
            return (len(written) - len(written.lstrip(" "))) - (len(first) - len(first.lstrip(" ")))
    return 0


def _join_block(text: str, lines: list[tuple[int, int, int]], indent: int, *, folded: bool) -> Placed:
    placed: Placed = []
    pending: Placed = []  # line breaks since the last line with text
    deeper = False
    for begin, stop, after in lines:
        content = begin + indent
        line_break: Placed = [("\n", stop)] if after > stop else []
        if stop <= content:
            pending += line_break
            continue
        blank = text[content] in _BLANKS
        if folded and placed and pending and not deeper and not blank:
            pending = [(" ", pending[0][1])] if len(pending) == 1 else pending[1:]
        placed += pending
        placed += [(text[i], i) for i in range(content, stop)]
        deeper, pending = blank, line_break
    return placed + pending
