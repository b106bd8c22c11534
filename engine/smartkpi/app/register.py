"""The register of error codes, errors.md: what each code means, with a bad and a good example."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

REGISTER = Path(__file__).parents[1] / "errors.md"


def entry(code: str) -> str | None:
    """Return the text of a code in the register, or None where it has none."""
    return _entries().get(code)


@cache
def _entries() -> dict[str, str]:
    if not REGISTER.exists():
        return {}
    parts = re.split(r"^## +(\S+)[ \t]*\n", REGISTER.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {code: f"{code}\n\n{text.strip()}\n" for code, text in zip(parts[1::2], parts[2::2], strict=True)}
