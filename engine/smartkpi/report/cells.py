"""What reports are made of: cells, columns, and grids of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and how it is meant: `` (plain), `good`, `warning`, `critical`, `faint`."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: numbers stand at the right; of columns with a ``drop`` the one with the lowest goes first.

    One that is ``joined`` means nothing without the column to its left.
    """

    title: str
    right: bool = False
    drop: int = 0
    fold: bool = False
    joined: bool = False


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
