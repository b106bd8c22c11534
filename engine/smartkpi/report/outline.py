"""Syntax trees and typed formulas as indented text, one node a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from smartkpi.language.types import Type
from smartkpi.source import Span

INDENT = "  "


def outline(tree: Any) -> str:
    """Return a tree of dataclasses as text: kind, plain fields, type; children below, indented."""
    return "\n".join(_lines(tree, 0)) + "\n"


def _lines(node: Any, depth: int) -> Iterator[str]:
    plain: list[str] = []
    below: list[Any] = []
    kind = ""
    for field in fields(node):
        value = getattr(node, field.name)
        match value:
            case Span():
                continue
            case Type():
                kind = f" : {value}"
            case tuple() if any(is_dataclass(item) or isinstance(item, tuple) for item in value):
                below += _flat(value)
            case _ if is_dataclass(value):
                below.append(value)
            case None | () | "":
                continue
            case _:
                plain.append(f"{field.name}={_text(value)}")
    yield f"{INDENT * depth}{type(node).__name__}{''.join(f' {part}' for part in plain)}{kind}"
    for child in below:
        yield from _lines(child, depth + 1)


def _flat(values: tuple[Any, ...]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        elif is_dataclass(value):
            yield value


def _text(value: Any) -> str:
    match value:
        case str():
            return f'"{value}"' if not value.isidentifier() else value
        case tuple():
            return ",".join(str(item) for item in value)
        case bool():
            return str(value).lower()
        case Decimal():
            return str(value)
        case _:
            return str(value)
