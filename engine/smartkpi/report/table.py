"""Grids for a terminal. A narrow one loses columns, never digits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smartkpi.report.build import build
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style, fold
from smartkpi.result import Result

TONES = {"": "", "good": "green", "warning": "yellow", "critical": "red", "faint": "bright_black"}
RULE = box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
RULE_ASCII = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
GAP = 2
LEAST = 12
BAR, LEAST_BAR = 24, 6
"""How long bars are, and how short where there is little room."""
SHADES, SHADES_ASCII = " ░▒▓█", " .:+#"
EIGHTHS = " ▏▎▍▌▋▊▉"


def render(result: Result, style: Style) -> str:
    """Return a result as tables of text."""
    return draw(build(result, style), style)


def draw(grids: Sequence[Grid], style: Style) -> str:
    """Return grids as text, each with its title above and its notes below."""
    return "\n".join(_draw(_with_bars(part, style), style) for grid in grids for part in fit(grid, style.width))


def fit(grid: Grid, width: int | None) -> list[Grid]:
    """Return a grid as one or several that a width can hold: columns go to a grid of their own, or are dropped."""
    while width is not None and _width(grid) > width and not _can_be_split(grid, width):
        dropped = min((column.drop for column in grid.columns if column.drop), default=0)
        if not dropped:
            break
        grid = _select(grid, [i for i, column in enumerate(grid.columns) if column.drop != dropped])
    if width is None or not grid.split or _width(grid) <= width:
        return [grid]
    parts: list[list[int]] = []
    heads = list(range(grid.keys))
    for group in _groups(grid):
        if parts and _width(_select(grid, [*heads, *parts[-1], *group])) <= width:
            parts[-1] += group
        else:
            parts.append(group)
    chosen = [_select(grid, [*heads, *part]) for part in parts]
    return [replace(part, notes=grid.notes if part is chosen[-1] else ()) for part in chosen]


def _with_bars(grid: Grid, style: Style) -> Grid:
    """Return a grid with its shares drawn as bars, as long as there is room for."""
    drawn, shaded = ([getattr(column, how) for column in grid.columns] for how in ("drawn", "shaded"))
    if any(shaded):
        shades = SHADES if style.unicode else SHADES_ASCII
        grid = replace(
            grid,
            rows=tuple(
                tuple(
                    replace(cell, text=f"{cell.text} {_shade(cell, shades)}") if shaded[place] else cell
                    for place, cell in enumerate(row)
                )
                for row in grid.rows
            ),
        )
    if not any(drawn):
        return grid
    length = BAR if style.width is None else max(min(BAR, LEAST_BAR + style.width - _width(grid)), 1)
    rows = tuple(
        tuple(
            replace(cell, text=bar(cell.share, length, unicode=style.unicode)) if drawn[place] else cell
            for place, cell in enumerate(row)
        )
        for row in grid.rows
    )
    return replace(grid, rows=rows, columns=tuple(replace(column, drawn=False) for column in grid.columns))


def _shade(cell: Cell, shades: str) -> str:
    """Return a sign as dark as a cell's share."""
    return shades[min(int(cell.share * (len(shades) - 1)) + 1, len(shades) - 1)] if cell.share > 0 else shades[0]


def bar(share: float, length: int, *, unicode: bool = True) -> str:
    """Return a share of a length as a bar; one that is not zero shows."""
    if share <= 0:
        return ""
    if not unicode:
        return "#" * max(round(share * length), 1)
    whole, part = divmod(max(round(share * length * 8), 1), 8)
    return "█" * whole + EIGHTHS[part].strip()


def _can_be_split(grid: Grid, width: int) -> bool:
    heads = range(grid.keys)
    return grid.split and all(_width(_select(grid, [*heads, *group])) <= width for group in _groups(grid))


def _groups(grid: Grid) -> list[list[int]]:
    """Return the columns behind the keys, each with those that are joined to it."""
    groups: list[list[int]] = []
    for index in range(grid.keys, len(grid.columns)):
        if grid.columns[index].joined and groups:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _select(grid: Grid, kept: Sequence[int]) -> Grid:
    columns = tuple(grid.columns[i] for i in kept)
    return replace(grid, columns=columns, rows=tuple(tuple(row[i] for i in kept) for row in grid.rows))


def _widths(grid: Grid) -> list[int]:
    return [
        LEAST_BAR
        if column.drawn
        else max(cell_len(text) for text in (column.title, *(row[i].text + "  " * column.shaded for row in grid.rows)))
        for i, column in enumerate(grid.columns)
    ]


def _width(grid: Grid) -> int:
    """Return the least width that shows a grid whole, labels folded."""
    widths = _widths(grid)
    least = (min(width, LEAST) if column.fold else width for width, column in zip(widths, grid.columns, strict=True))
    return sum(least) + GAP * (len(widths) - 1)


def _draw(grid: Grid, style: Style) -> str:
    wanted = _widths(grid)
    room = (style.width or sum(wanted) + GAP * len(wanted)) - GAP * max(len(wanted) - 1, 0)
    table = Table(box=RULE if style.unicode else RULE_ASCII, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, width in zip(grid.columns, wanted, strict=True):
        folded = max(min(width, LEAST), width - max(sum(wanted) - room, 0)) if column.fold else width
        _add_column(table, column, folded)
    for row in grid.rows:
        table.add_row(*(Text(cell.text, style=TONES[cell.tone]) for cell in row))
    lines = [grid.title] if grid.title else []
    if grid.columns:
        lines += (
            ["", *_text(table, sum(wanted) + GAP * len(wanted) + 1, style)]
            if lines
            else _text(table, sum(wanted) + GAP * len(wanted) + 1, style)
        )
    if grid.notes:
        lines += ["", *(line for note in grid.notes for line in (fold(note, style.width) if style.width else (note,)))]
    return "\n".join(lines) + "\n"


def _add_column(table: Table, column: Column, width: int) -> None:
    table.add_column(
        Text(column.title),
        justify="right" if column.right else "left",
        width=width,
        no_wrap=not column.fold,
        overflow="fold",
        header_style="bold",
    )


def _text(table: Table, width: int, style: Style) -> list[str]:
    """Return a table's lines, wide enough that nothing is cut."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        color_system="standard" if style.color else None,
        force_terminal=style.color,
        no_color=not style.color,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
        _environ={},
    )
    console.print(table)
    return [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
