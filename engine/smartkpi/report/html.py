"""Grids as HTML, for notebooks: tables that take on the page's own look."""

from __future__ import annotations

from html import escape

from smartkpi.report.build import build
from smartkpi.report.cells import Cell, Grid
from smartkpi.report.style import Style
from smartkpi.result import Result

TONES = {"good": "color:#1a7f37", "warning": "color:#9a6700", "critical": "color:#cf222e", "faint": "opacity:.6"}

DARKEST = 0.7
"""How dark the darkest cell is: letters stay legible on it, in light and dark."""


def render(result: Result, style: Style) -> str:
    """Return a result as a fragment of HTML; every text is escaped."""
    return "".join(draw(grid.plain()) for grid in build(result, style))


def draw(grid: Grid) -> str:
    """Return one grid."""
    parts = ['<div class="smartkpi">']
    if grid.title:
        parts.append(f"<p>{escape(grid.title)}</p>")
    if grid.columns:
        right = [column.right for column in grid.columns]
        head = "".join(_cell("th", Cell(column.title), column.right) for column in grid.columns)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>")
        for row in grid.rows:
            shaded = [column.shaded for column in grid.columns]
            cells = "".join(_cell("td", *one) for one in zip(row, right, shaded, strict=True))
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</tbody></table>")
    parts += [f"<p><small>{escape(note)}</small></p>" for note in grid.notes]
    return "".join([*parts, "</div>"])


def _cell(tag: str, cell: Cell, right: bool, shaded: bool = False) -> str:
    rules = [f"text-align:{'right' if right else 'left'}", "white-space:nowrap"]
    if shaded and cell.share > 0:
        rules.append(f"background:rgba(47,129,247,{min(cell.share, 1) * DARKEST:.2f})")
    if cell.tone:
        rules.append(TONES[cell.tone])
    return f'<{tag} style="{";".join(rules)}">{escape(cell.text)}</{tag}>'
