"""Small tables in CSV files beside the definitions: cells with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.source import Source, Span
from smartkpi.spec.bounds import Folder, beyond
from smartkpi.spec.document import MAX_BYTES, decode
from smartkpi.spec.nodes import Scalar


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a line, and where it stands."""

    text: str
    span: Span


def read_sheet(path: Scalar, folder: Folder, what: str, problems: list[Diagnostic]) -> Source | None:
    """Return the text of a file that a definition names, ``what`` it holds; None where it cannot be read."""
    file = folder.base / path.written
    refused = beyond(file, path.written, folder.bounds, path.span)
    if refused is not None:
        problems.append(refused)
        return None
    try:
        with file.open("rb") as stream:
            return decode(stream.read(MAX_BYTES + 1), str(file))
    except (OSError, ValueError) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        message = f"{what} in `{path.written}` cannot be read: {said}"
        problems.append(Diagnostic("unreadable-file", message, path.span, "a path starts from the folder of this file"))
    except KpiError as error:
        problems.extend(error.diagnostics)
    return None


def read_lines(source: Source) -> Iterator[list[Cell]]:
    """Yield the lines that hold something, as cells with their places."""
    heading = source.line(1)
    separator = next((sign for sign in (";", "\t") if sign in heading), ",")
    pattern = re.compile(rf'\s*(?:"((?:[^"]|"")*)"\s*|([^{separator}]*))(?:{separator}|$)')
    for number, start in enumerate(source.starts, 1):
        line, at = source.line(number), 0
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = []
        while at <= len(line) and (match := pattern.match(line, at)):
            text = match[1].replace('""', '"') if match[1] is not None else match[2]
            low = max(match.start(1), match.start(2))
            cells.append(Cell(text.strip(), Span(source, start + low, start + low + max(len(text.rstrip()), 1))))
            at = match.end() + (match.end() == len(line) and not match[0].endswith(separator))
        yield cells
