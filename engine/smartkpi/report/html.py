"""Grids as HTML, for notebooks: tables that take on the page's own look."""

from __future__ import annotations

from html import escape

from smartkpi.report.build import build
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style
from smartkpi.result import Result

TONES = {"good": "color:#2a9147", "warning": "color:#b07400", "critical": "color:#e0434b", "faint": "opacity:.6"}
"""Colours that are legible on light pages and on dark ones."""

DARKEST = 0.7
"""How dark the darkest cell is: letters stay legible on it, in light and dark."""


BLUE = "47,129,247"
LONGEST = 14
"""How long the longest bar is, in em."""


def render(result: Result, style: Style) -> str:
    """Return a result as a fragment of HTML; every text is escaped."""
    return "".join(draw(grid) for grid in build(result, style))


def draw(grid: Grid) -> str:
    """Return one grid."""
    parts = ['<div class="smartkpi" style="overflow-x:auto">']
    if grid.title:
        parts.append(f"<p>{escape(grid.title)}</p>")
    if grid.columns:
        head = "".join(map(_head, grid.columns))
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>")
        for row in grid.rows:
            cells = "".join(_cell(cell, column) for cell, column in zip(row, grid.columns, strict=True))
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</tbody></table>")
    parts += [f"<p><small>{escape(note)}</small></p>" for note in grid.notes]
    return "".join([*parts, "</div>"])


def _head(column: Column) -> str:
    return f'<th style="{_place(column)}">{escape(column.title)}</th>'


def _cell(cell: Cell, column: Column) -> str:
    if column.drawn:
        return f'<td style="{_place(column)}">{_bar(cell.share)}</td>'
    rules = [_place(column)]
    if column.shaded and cell.share > 0:
        rules.append(f"background:rgba({BLUE},{min(cell.share, 1) * DARKEST:.2f})")
    if cell.tone:
        rules.append(TONES[cell.tone])
    return f'<td style="{";".join(rules)}">{escape(cell.text)}</td>'


def _place(column: Column) -> str:
    wrap = "white-space:normal;min-width:14em;max-width:24em" if column.fold else "white-space:nowrap"
    return f"text-align:{'right' if column.right else 'left'};{wrap};padding:.2em .6em"


def _bar(share: float) -> str:
    """Return a bar; what is above nothing shows."""
    if share <= 0:
        return ""
    length = f"{min(share, 1) * LONGEST:.2f}em"
    return f'<div style="width:{length};min-width:1px;height:.9em;background:rgba({BLUE},{DARKEST})"></div>'
