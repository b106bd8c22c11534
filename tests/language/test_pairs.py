"""Every form of the language, and every syntax error, against pairs.txt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language.format import format_expr, show_tree
from smartkpi.language.parse import parse_band, parse_binding, parse_event, parse_formula
from smartkpi.source import Text, text_of

PAIRS = Path(__file__).with_name("pairs.txt")
PARSE: dict[str, Callable[[Text], Any]] = {
    "formula": parse_formula,
    "event": parse_event,
    "binding": parse_binding,
    "band": parse_band,
}
INDENT = "    "


def read_pairs() -> list[tuple[str, str, str]]:
    """Return (section, what is written, what is expected)."""
    pairs: list[tuple[str, str, str]] = []
    section = ""
    for line in PAIRS.read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1] in PARSE:
            section = line[1:-1]
        elif line.startswith(INDENT):
            pairs[-1] = (*pairs[-1][:2], line.strip())
        elif line and not line.startswith("# "):
            pairs.append((section, line, ""))
    return pairs


def outcome(section: str, written: str) -> str:
    try:
        return f"= {show_tree(PARSE[section](text_of(written)))}"
    except KpiError as error:
        (one,) = error.diagnostics
        assert one.span is not None
        hint = f" | {one.hint}" if one.hint else ""
        return f"! {one.code} {one.span.start}-{one.span.end}: {one.message}{hint}"


@pytest.mark.parametrize(("section", "written", "expected"), read_pairs())
def test_pair(section: str, written: str, expected: str, update: bool) -> None:
    if not update:
        assert outcome(section, written) == expected


def test_update(update: bool) -> None:
    if not update:
        return
    lines, section = [], ""
    for line in PAIRS.read_text("utf-8").splitlines():
        if line.startswith(INDENT):
            continue
        lines.append(line)
        if line.startswith("[") and line[1:-1] in PARSE:
            section = line[1:-1]
        elif line and not line.startswith("# "):
            lines.append(INDENT + outcome(section, line))
    PAIRS.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize(("section", "written", "expected"), [pair for pair in read_pairs() if pair[2].startswith("=")])
def test_formatted_text_is_read_back(section: str, written: str, expected: str) -> None:
    tree = PARSE[section](text_of(written))
    assert PARSE[section](text_of(format_expr(tree))) == tree
