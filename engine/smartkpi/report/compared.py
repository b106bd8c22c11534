"""Changes beside values: on the period before, on a year ago."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from smartkpi.report.cells import Cell, Column
from smartkpi.report.numbers import form_of, format_change
from smartkpi.report.style import Style
from smartkpi.report.words import word
from smartkpi.result import KpiInfo
from smartkpi.semantics.comparisons import COMPARISONS

Row = Mapping[str, Any]


def change_columns(compare: Sequence[str], style: Style, drop: int) -> list[Column]:
    """Return a column for each comparison; from narrow places the last one goes first, at ``drop``."""
    return [
        Column(word(style.lang, f"{name}_change"), right=True, drop=drop + len(compare) - 1 - place, joined=True)
        for place, name in enumerate(compare)
    ]


def change_cells(
    compare: Sequence[str], row: Row | None, info: KpiInfo | None, marked: Iterable[str], style: Style
) -> Iterator[Cell]:
    """Yield the change of a value on each comparison, with a mark where it has one; ``marked``: those that some have.

    Nothing where one of the two is not whole, unless as much of both is taken.
    """
    for name in compare:
        text = None if row is None else _change(row, name, info, style)
        blank = " " if name in marked else ""
        if row is None or text is None:
            yield Cell("")
            continue
        mark = "*" if row[COMPARISONS[name].flags] else blank
        wanted = {"higher": "+", "lower": "-"}.get(info.direction if info else "", "")
        good = wanted and text[0] in "+-"
        yield Cell(text + mark, ("good" if text.startswith(wanted) else "critical") if good else "")


def marked_in(rows: Iterable[Row], compare: Sequence[str]) -> dict[str, dict[str, None]]:
    """Return the marks of changes that are shown, by comparison."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for name in compare:
            flags = row[COMPARISONS[name].flags] or ()
            if flags and _is_fair(row, name):
                found.setdefault(name, {}).update(dict.fromkeys(flags))
    return found


def _is_fair(row: Row, name: str) -> bool:
    """Return whether a value and the one before are both whole, or both of as many days."""
    columns = COMPARISONS[name]
    if row["value"] is None or row[columns.value] is None:
        return False
    held = row[columns.flags] or ()
    if "immature" in (row["flags"] or ()):
        return False
    return "incomplete" not in held and ("incomplete" not in (row["flags"] or ()) or "like_for_like" in held)


def _change(row: Row, name: str, info: KpiInfo | None, style: Style) -> str | None:
    if not _is_fair(row, name):
        return None
    form = form_of(info.format if info else None, row["unit"])
    return format_change(row["value"], row[COMPARISONS[name].value], form, word(style.lang, "points"))
