"""The register of error codes, errors.md: for each, why it is an error, a bad example and a good one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ENTRY = re.compile(r"^## ([a-z][a-z0-9-]*)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^(`{3,})\w*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_STAGE = re.compile(r"^Stage: (\w+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One code: why it is an error and what to do, a project that has it and the mended one.

    ``stage`` is where it shows: `check` (with `load`), `data` (a check of them), or `run`.
    """

    code: str
    why: str
    bad: str
    good: str
    stage: str
    text: str


def codes() -> tuple[str, ...]:
    """Return all codes, in the order of the register."""
    return tuple(register())


def explain(code: str) -> str | None:
    """Return the entry of a code as Markdown; None where there is no such code."""
    entry = register().get(code)
    return entry.text if entry else None


@cache
def register() -> Mapping[str, Entry]:
    """Return the register by code, read once."""
    return read_register(Path(__file__).with_name("errors.md").read_text(encoding="utf-8"))


def read_register(text: str) -> dict[str, Entry]:
    """Read a register; raise ValueError where an entry lacks an example or stands twice."""
    entries: dict[str, Entry] = {}
    for found in _ENTRY.finditer(text):
        code, body = found[1], found[2]
        if code in entries:
            raise ValueError(f"{code} stands twice")
        entries[code] = _entry(code, body)
    return entries


def _entry(code: str, body: str) -> Entry:
    bad, good = body.find("\nBad:"), body.find("\nGood:")
    examples = [_FENCE.search(body, start) for start in (bad, good)]
    if bad < 0 or good < bad or examples[0] is None or examples[1] is None:
        raise ValueError(f"{code} needs a bad and a good example")
    stage = _STAGE.search(body, 0, bad + 1)
    why = _STAGE.sub("", body[:bad]).strip()
    text = f"## {code}\n{body.rstrip()}\n"
    return Entry(code, why, examples[0][2], examples[1][2], stage[1] if stage else "check", text)
