"""Plain data → YAML text, so that a project given in Python has lines and columns too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.spec.scalars import resolve

_DEEPEST = 60  # the reader's own bound is lower, and says so with a place
_SIMPLE = re.compile(r"[^\W\d_][\w .()/+=-]*", re.ASCII)
_UNPRINTABLE = re.compile("[\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def dump(data: Mapping[str, Any]) -> str:
    """Return data as YAML in blocks; raise KpiError where a value is none that YAML has."""
    return "\n".join(_mapping(data, 0, "")) + "\n"


def _mapping(data: Mapping[Any, Any], depth: int, path: str) -> Iterator[str]:
    if not data and depth == 0:
        return
    if depth > _DEEPEST:
        raise KpiError(Diagnostic("too-deep", f"values are nested more than {_DEEPEST} deep: {path[:60]}…"))
    for key, value in data.items():
        name = _scalar(key if isinstance(key, str) else str(key), path)
        yield from _entry(f"{'  ' * depth}{name}:", value, depth, f"{path}.{key}" if path else str(key))


def _entry(head: str, value: Any, depth: int, path: str) -> Iterator[str]:
    match value:
        case Mapping() if value:
            yield head
            yield from _mapping(value, depth + 1, path)
        case Mapping():
            yield f"{head} {{}}"
        case list() | tuple() | set() | frozenset():
            items = sorted(value) if isinstance(value, set | frozenset) else value
            if not items:
                yield f"{head} []"
                return
            yield head
            yield from _items(items, depth + 1, path)
        case _:
            yield f"{head} {_scalar(value, path)}"


def _items(items: Any, depth: int, path: str) -> Iterator[str]:
    if depth > _DEEPEST:
        raise KpiError(Diagnostic("too-deep", f"values are nested more than {_DEEPEST} deep: {path[:60]}…"))
    for number, item in enumerate(items):
        if isinstance(item, Mapping | list | tuple | set | frozenset) and item:
            lines = list(_entry(f"{'  ' * depth}-", item, depth, f"{path}[{number}]"))
            yield from lines
        else:
            yield from _entry(f"{'  ' * depth}-", item, depth, f"{path}[{number}]")


def _scalar(value: Any, path: str) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case float():
            return _number(value)
        case str():
            return _text(value)
        case datetime() | date():
            return _text(value.isoformat())
        case PurePath():
            return _text(str(value))
    name = type(value).__name__
    message = f"a value of type {name} cannot stand at `{path}`"
    raise KpiError(Diagnostic("bad-value", message, hint="tables are handed over beside the project, by dataset"))


def _number(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)


def _text(value: str) -> str:
    if _SIMPLE.fullmatch(value) and not value.endswith(" ") and isinstance(resolve(value), str):
        return value
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
