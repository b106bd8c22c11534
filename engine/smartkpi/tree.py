"""Walk and rewrite trees of frozen dataclasses: one small file for syntax and plan alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar

Node = TypeVar("Node")

PLAIN = frozenset(("span", "name_span", "type", "window", "shift"))
"""Fields of nodes that hold no nodes, though dataclasses."""


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.name not in PLAIN)


def _is_node(value: Any) -> bool:
    return _is_kind(type(value))  # type: ignore[arg-type]


@cache
def _is_kind(kind: type) -> bool:
    return hasattr(kind, "__dataclass_fields__")


def children(node: Any) -> Iterator[Any]:
    """Yield the dataclass nodes directly below a node, in order; tuples are looked into, mappings are not."""
    yield from _below(node)


def _below(node: Any) -> list[Any]:
    found = []
    for name in _names(type(node)):  # type: ignore[arg-type]
        value = getattr(node, name)
        if type(value) is tuple:
            found += [item for item in value if _is_node(item)]
        elif _is_node(value):
            found.append(value)
    return found


def walk(node: Any) -> Iterator[Any]:
    """Yield a node and all below it, parents first, without recursion."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack += reversed(_below(top))


def rewrite(node: Node, change: Callable[[Any], Any]) -> Node:
    """Return the tree with `change` applied to every node, leaves first; unchanged parts are shared."""
    new: dict[str, Any] = {}
    for name in _names(type(node)):  # type: ignore[arg-type]
        value = getattr(node, name)
        if isinstance(value, tuple):
            items = tuple(rewrite(item, change) if _is_node(item) else item for item in value)
            if any(a is not b for a, b in zip(items, value, strict=True)):
                new[name] = items
        elif _is_node(value):
            item = rewrite(value, change)
            if item is not value:
                new[name] = item
    changed: Node = change(replace(node, **new) if new else node)  # type: ignore[type-var]
    return changed
