"""The tables of the grammar, as compile.py writes them and parse.py runs them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from smartkpi.language.build import BUILDERS, Builder


@dataclass(frozen=True, slots=True)
class Rule:
    """How to reduce: by no builder, the lone part passes; with collect, parts are gathered for the rule above."""

    origin: str
    size: int
    build: Builder | None
    collect: bool
    splice: int | None


@dataclass(frozen=True, slots=True)
class Tables:
    """The compiled grammar: per state, what each terminal or rule does (a state to go to, or ~rule to reduce by)."""

    start: dict[str, int]
    end: dict[str, int]
    states: list[dict[str, int]]
    rules: list[Rule]
    scan: Callable[[str, int], re.Match[str] | None]
    words: dict[str, str]
    signs: dict[str, str]


@cache
def load_tables() -> Tables:
    """Return the tables of grammar.json, read once."""
    data = json.loads(Path(__file__).with_name("grammar.json").read_text("utf-8"))
    rules = [
        Rule(origin, size, BUILDERS.get(callback), callback == "_", spliced[0] if spliced else None)
        for origin, callback, size, spliced in data["rules"]
    ]
    patterns = "|".join(f"(?P<{name}>{pattern})" for name, pattern in data["patterns"] if name != "BLANK")
    signs = "|".join(re.escape(sign) for sign in data["signs"])
    scan = re.compile(rf"\s*(?:{patterns}|(?P<SIGN>{signs}))").match
    return Tables(data["start"], data["end"], data["states"], rules, scan, data["words"], data["signs"])
