"""Reading on after a YAML error: the definition that holds it is cut out, the others are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from smartkpi.diagnostics import Diagnostic

_KEY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([^\s"'#:-][^:#]*?))\s*:""")

_WITHIN = re.compile(r"(?:^|[\s{,])([^\W\d]\w*)\s*:(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lost:
    """A definition that is no YAML: its section, its name where it has one, its lines and what is wrong with it.

    ``keys`` are the words before a colon within it: among them are the names of what it would have defined.
    """

    section: str
    name: str | None
    start: int
    end: int
    cause: Diagnostic
    keys: tuple[str, ...] = ()


def cut_definition(text: str, place: int, cause: Diagnostic) -> tuple[str, Lost] | None:
    """Return the text with spaces for the definition around a place, and what it was; None where there is none.

    A definition is a block one level below a top-level key. Offsets stay as they are.
    """
    lines = text.split("\n")
    at = min(text.count("\n", 0, place), len(lines) - 1)
    top = next((i for i in range(at, -1, -1) if _is_top(lines[i])), None)
    if top is None or top == at:
        return None
    first = next((i for i in range(top + 1, at + 1) if _counts(lines[i])), None)
    if first is None:
        return None
    level = _indent(lines[first])
    begin = next((i for i in range(at, top, -1) if _counts(lines[i]) and _indent(lines[i]) == level), None)
    if begin is None:
        return None
    end = begin + 1
    while end < len(lines) and (not _counts(lines[end]) or _indent(lines[end]) > level):
        end += 1
    blanked = [re.sub(r"[^\r]", " ", line) if begin <= i < end else line for i, line in enumerate(lines)]
    start = sum(len(line) + 1 for line in lines[:begin])
    stop = start + sum(len(line) + 1 for line in lines[begin:end])
    found = _KEY.match(lines[begin])
    name = next((group for group in found.groups() if group), None) if found else None
    section = _KEY.match(lines[top])
    keys = tuple(dict.fromkeys(_WITHIN.findall("\n".join(lines[begin:end]))))
    lost = Lost((section[3] or "") if section else "", name, start, stop, cause, keys)
    return "\n".join(blanked), lost


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_top(line: str) -> bool:
    return _counts(line) and line[0] not in " \t-" and _KEY.match(line) is not None
