"""The register of rules, rules.md: what goals are held against, each with lines that break it and lines that mend them.

Here are the words; what finds them broken is in assess/smart.py and assess/audit.py. Tests hold the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

Level = Literal["error", "warning", "note"]
LETTERS = "SMART"
MEANINGS = {"S": "specific", "M": "measurable", "A": "achievable", "R": "relevant", "T": "timely"}

REGISTER = Path(__file__).with_name("rules.md")
_ENTRY = re.compile(r"^## (\S+) (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: how much it matters, what it asks for and why, lines that break it and lines that mend them."""

    code: str
    level: Level
    asks: str
    why: str
    bad: str
    good: str
    text: str

    @property
    def letter(self) -> str:
        """The letter of SMART that it is part of; "" for a rule of the audit."""
        return self.code[0] if re.fullmatch(r"[A-Z]\d", self.code) else ""


@cache
def rules() -> Mapping[str, Rule]:
    """Return the rules by code, in the order of the register."""
    return read_rules(_text())


@cache
def sample() -> str:
    """Return the project that the lines of the examples belong to."""
    found = _FENCE.search(_text())
    assert found is not None
    return found[1]


def explain(code: str) -> str | None:
    """Return the entry of a rule as Markdown; None where there is no such rule."""
    rule = rules().get(code)
    return None if rule is None else rule.text


def _text() -> str:
    return REGISTER.read_text(encoding="utf-8")


def read_rules(text: str) -> dict[str, Rule]:
    """Read a register; raise ValueError where an entry is not whole or stands twice."""
    found: dict[str, Rule] = {}
    for code, level, body in _ENTRY.findall(text):
        examples = _FENCE.findall(body)
        asks, _, why = body[: body.find("\nBad:")].strip().partition("\n\n")
        if level not in get_args(Level) or len(examples) != 2 or not why or "\nGood:" not in body:
            raise ValueError(f"{code} needs a level, a reason, a bad and a good example")
        if code in found:
            raise ValueError(f"{code} stands twice")
        bad, good = examples
        whole = f"## {code} {level}\n{body.rstrip()}\n"
        found[code] = Rule(code, level, _line(asks), _line(why), bad, good, whole)
    return found


def _line(text: str) -> str:
    return " ".join(text.split())
