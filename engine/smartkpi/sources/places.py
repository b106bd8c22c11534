"""Where values stand: the rows of text files as lines that an editor shows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smartkpi.sources.plain import make_plain
from smartkpi.spec.model import Read

FARTHEST = 5_000_000
"""A row that is farther from the start is named by its number alone: to count lines up to it takes too long."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How a text is cut into rows: by which separator, and whether it has blank lines, which are no rows."""

    separator: str
    blanks: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A value, the file it stands in, and its line there; the number of its row where lines say nothing."""

    value: str
    file: str
    line: int | None
    row: int


def find_places(
    read: Read, files: Sequence[Path], cut: Cut | None, values: Sequence[tuple[int, str]]
) -> tuple[Place, ...]:
    """Return where values stand, each given with the number of its row, from 0, over all files together.

    ``cut`` says how rows are cut out of text files; None: the files have no lines.
    """
    wanted = {row for row, _ in values if row < FARTHEST}
    lines = _lines(read, files, cut, wanted) if wanted and cut is not None else {}
    found = []
    for row, value in values:
        file, line = lines.get(row, (files[0].name if len(files) == 1 else "", None))
        found.append(Place(value, file, line, row + 1))
    return tuple(found)


def _lines(read: Read, files: Sequence[Path], cut: Cut, wanted: set[int]) -> dict[int, tuple[str, int]]:
    last = max(wanted)
    found = {}
    row = 0
    for file in files:
        for line in _starts(read, file, cut):
            if row in wanted:
                found[row] = (file.name, line)
            row += 1
            if row > last:
                return found
    return found


def _starts(read: Read, file: Path, cut: Cut) -> Iterator[int]:
    """Yield the line at which each row of a file begins."""
    plain = make_plain(read, file)
    with plain.path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=cut.separator)
        next(reader, None)
        line = reader.line_num + 1
        for record in reader:
            if any(record) or (record and not cut.blanks):
                yield line + plain.skipped
            line = reader.line_num + 1
