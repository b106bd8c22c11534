"""What reports are made of: cells, columns, and grids of them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and how it is meant: `` (plain), `good`, `warning`, `critical`, `faint`.

    In a column that is drawn it is a bar instead: ``share`` says how long, from 0 to 1; or how dark in one shaded.
    """

    text: str
    tone: str = ""
    share: float = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column: numbers stand at the right; of columns with a ``drop`` the one with the lowest goes first.

    One that is ``joined`` means nothing without the column to its left; one that is ``drawn`` has bars;
    in one that is ``shaded`` cells are as dark as their share.
    """

    title: str
    right: bool = False
    drop: int = 0
    fold: bool = False
    joined: bool = False
    drawn: bool = False
    shaded: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a title above and notes below. The first ``keys`` columns name the row.

    ``split`` allows a wide grid to be drawn as several, each with the key columns and some of the others.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    keys: int
    split: bool = False
    notes: tuple[str, ...] = ()

    def plain(self) -> Grid:
        """Return the grid without what is drawn."""
        kept = [place for place, column in enumerate(self.columns) if not column.drawn]
        columns, rows = tuple(self.columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in self.rows)
        keys = sum(place < self.keys for place in kept)
        return self if len(kept) == len(self.columns) else replace(self, columns=columns, rows=rows, keys=keys)
