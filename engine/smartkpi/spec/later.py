"""What the language has and this version does not: refused by name, so that nothing is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smartkpi.diagnostics import Diagnostic
from smartkpi.spec.nodes import Entry, Fields, Node, Scalar

_DATASET = ("additive",)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def not_yet(what: str, node: Node) -> Diagnostic:
    """Return the error that a feature is not supported yet."""
    return Diagnostic("not-yet", f"{what} is not supported yet", node.span)


def later_in_dataset(node: Node) -> Iterator[Diagnostic]:
    """Yield what a dataset asks for too early."""
    if not isinstance(node, Fields):
        return
    yield from _keys(node, _DATASET)
    read = node.get("read")
    path = read.get("path") if isinstance(read, Fields) else read
    if isinstance(path, Scalar) and _URL.match(path.written):
        yield not_yet("reading from a URL", path)
    for entry in _entries(node.get("fields")):
        if isinstance(entry.value, Fields) and isinstance(code := entry.value.get("currency"), Fields):
            yield not_yet("a currency by row", next(iter(code.entries.values())).key if code.entries else code)


def _entries(node: Node | None) -> Iterator[Entry]:
    if isinstance(node, Fields):
        yield from node.entries.values()


def _keys(node: Node | None, keys: tuple[str, ...]) -> Iterator[Diagnostic]:
    if isinstance(node, Fields):
        for name in keys:
            if (entry := node.entries.get(name)) is not None:
                yield not_yet(f"`{name}`", entry.key)
