"""How to write for a reader: its width, glyphs, colours, language; and how wide a text is on a terminal."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Style:
    """What the reader can show. ``width`` None is as wide as needed; ``today`` tells how old an as-of is, if given."""

    width: int | None = None
    unicode: bool = True
    color: bool = False
    lang: str = "en"
    today: date | None = None


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return a text filled with spaces to a width, on its left where it is to stand at the right."""
    gap = " " * (width - cells(text))
    return gap + text if right else text + gap


def plain(text: str) -> str:
    """Return a text of one line without control characters, so that data cannot steer a terminal."""
    if text.isprintable():
        return text
    kept = (c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(kept)


def fold(text: str, width: int) -> list[str]:
    """Return a text in lines of at most so many columns, broken at spaces where it has them."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while cells(line) > width:
            cut = next(i for i in range(len(line), 0, -1) if i == 1 or cells(line[:i]) <= width)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line or not lines else lines
