"""Shorthands of these tests: read a text, look at its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from smartkpi.source import Source
from smartkpi.spec.document import Document, decode, read_document
from smartkpi.spec.load import Loaded, load
from smartkpi.spec.nodes import Fields, Items, Node, Scalar, plain

PARSERS = [parser for parser in (getattr(yaml, "CBaseLoader", None), yaml.BaseLoader) if parser is not None]


def read(text: str | bytes) -> Document:
    """Read a text as a file of these bytes would be."""
    return read_document(decode(text if isinstance(text, bytes) else text.encode(), "kpis.yml"))


def data(text: str) -> object:
    """Return a text as plain data; it must have no errors."""
    document = read(text)
    assert not document.diagnostics, document.diagnostics
    assert document.root is not None
    return plain(document.root)


def codes(text: str | bytes) -> list[str]:
    """Return the codes of what is wrong with a text as YAML."""
    return [d.code for d in read(text).diagnostics]


def scalars(node: Node | None) -> Iterator[Scalar]:
    """Yield all scalars of a node, keys too."""
    match node:
        case Scalar():
            yield node
        case Fields():
            for entry in node.entries.values():
                yield entry.key
                yield from scalars(entry.value)
        case Items():
            for item in node.items:
                yield from scalars(item)


def load_text(folder: Path, text: str | bytes, **more: object) -> Loaded:
    """Load a text as the project kpis.yml of a folder."""
    file = folder / "kpis.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, **more)  # type: ignore[arg-type]


def source(text: str) -> Source:
    """Return a source named kpis.yml."""
    return Source("kpis.yml", text)
