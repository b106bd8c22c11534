"""Grids as Markdown tables."""

from __future__ import annotations

import re

from smartkpi.report.build import build
from smartkpi.report.cells import Grid
from smartkpi.report.style import Style
from smartkpi.result import Result


def render(result: Result, style: Style) -> str:
    """Return a result as Markdown."""
    return "\n".join(draw(grid.plain()) for grid in build(result, style))


def draw(grid: Grid) -> str:
    """Return one grid."""
    parts = [escape(grid.title)] if grid.title else []
    if grid.columns:
        rules = ["---:" if column.right else "---" for column in grid.columns]
        rows = [[column.title for column in grid.columns], *([cell.text for cell in row] for row in grid.rows)]
        lines = [" | ".join(escape(text) for text in row) for row in rows]
        lines.insert(1, " | ".join(rules))
        parts.append("\n".join(f"| {line} |" for line in lines))
    parts += [escape(note) for note in grid.notes]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return a text that Markdown shows letter by letter."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", text)
