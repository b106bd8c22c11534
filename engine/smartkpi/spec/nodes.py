"""YAML values with their places: what a document is read into."""

from __future__ import annotations

from dataclasses import dataclass, field

from smartkpi.source import Source, Span, Text
from smartkpi.spec.scalars import Plain, offsets


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, boolean or null. ``written`` is the text before YAML gave it a type, ``data`` the value.

    ``style`` is `` for plain, else one of `'`, `"`, `|`, `>`.
    """

    written: str
    data: Plain
    style: str
    source: Source = field(repr=False)
    start: int = field(repr=False)
    end: int = field(repr=False)

    @property
    def span(self) -> Span:
        """The scalar as written, quotes included."""
        return Span(self.source, self.start, self.end)

    @property
    def text(self) -> Text:
        """The text with the place of each of its characters."""
        quoted = self.style in ("'", '"')
        start, end = (self.start + 1, self.end - 1) if quoted else (self.start, self.end)
        if quoted and self.source.text[start:end] == self.written:
            return Text(self.written, Span(self.source, start, end))
        places = offsets(self.source.text, self.start, self.end, self.style, self.written)
        if places is None:
            return Text(self.written, self.span)
        return Text(self.written, self.span, places)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in written order."""

    entries: dict[str, Entry]
    source: Source = field(repr=False)
    start: int = field(repr=False)
    end: int = field(repr=False)

    @property
    def span(self) -> Span:
        """The mapping from its first key or brace to its last value or brace."""
        return Span(self.source, self.start, self.end)

    def get(self, name: str) -> Node | None:
        """Return the value under a key; None where there is none or it is null."""
        entry = self.entries.get(name)
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.data is None):
            return None
        return entry.value


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    source: Source = field(repr=False)
    start: int = field(repr=False)
    end: int = field(repr=False)

    @property
    def span(self) -> Span:
        """The list from its first item or bracket to its last."""
        return Span(self.source, self.start, self.end)


Node = Scalar | Fields | Items
CUT = "…"  # the style of a scalar that was not read whole, which has been said: nothing more is said about it


def plain(node: Node) -> object:
    """Return a node as plain data."""
    match node:
        case Scalar():
            return node.data
        case Items():
            return [plain(item) for item in node.items]
        case Fields():
            return {name: plain(entry.value) for name, entry in node.entries.items()}
