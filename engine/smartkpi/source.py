"""Texts and places in them: what every error points at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A text with a name: a YAML file, or a formula given on the command line.

    Offsets count characters from 0; lines and columns count from 1.
    """

    name: str
    text: str = field(repr=False)
    starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        object.__setattr__(self, "starts", tuple(starts))

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset, both from 1."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a line, without its end."""
        start = self.starts[number - 1]
        end = self.starts[number] - 1 if number < len(self.starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch [start, end) of a source."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column of the first character, from 1."""
        return self.source.position(self.start)[1]

    def to(self, other: Span) -> Span:
        """Return the span from the start of this one to the end of another in the same source."""
        return Span(self.source, self.start, other.end)


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it was written: its value, and where each character of the value stands.

    ``offsets`` has one entry a character of ``value`` and one for its end; None means that the value stands in the
    source letter by letter from ``span.start``.
    """

    value: str
    span: Span
    offsets: tuple[int, ...] | None = field(default=None, repr=False)

    def at(self, start: int, end: int) -> Span:
        """Return the span in the source of value[start:end] (at least one character wide where there is one)."""
        if self.offsets is None:
            base = self.span.start
            return Span(self.span.source, base + start, base + max(end, start))
        last = self.offsets[end - 1] + 1 if end > start else self.offsets[start]
        return Span(self.span.source, self.offsets[start], max(last, self.offsets[start]))


def text_of(value: str, name: str = "<formula>") -> Text:
    """Return a text that is a source of its own, such as an option of the command line."""
    return Text(value, Span(Source(name, value), 0, len(value)))
