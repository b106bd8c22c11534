"""The files of a project: one, or those of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from smartkpi.diagnostics import Diagnostic, KpiError, Severity
from smartkpi.nearest import nearest
from smartkpi.source import Span
from smartkpi.spec.bounds import Bounds, beyond
from smartkpi.spec.document import MAX_BYTES, Document, decode, read_document

_SUFFIXES = (".yml", ".yaml")


def find_files(path: Path, problems: list[Diagnostic]) -> tuple[bool, list[Path]]:
    """Return whether a path is one file, and the files to read."""
    try:
        if path.is_dir():
            return False, sorted(_walk(path, problems))
        if path.exists():
            return True, [path]
    except (OSError, ValueError) as error:
        problems.append(_unreadable(path, error))
        return True, []
    problems.append(_missing(path))
    return True, []


def keep_inside(files: list[Path], bounds: Bounds, problems: list[Diagnostic], span: Span | None) -> list[Path]:
    """Return the files that may be read; the others are problems."""
    lost = {file: refused for file in files if (refused := beyond(file, str(file), bounds, span)) is not None}
    problems.extend(lost.values())
    return [file for file in files if file not in lost]


def _missing(path: Path) -> Diagnostic:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir() or entry.suffix in _SUFFIXES]
    except (OSError, ValueError):
        names = []
    near = nearest(path.name, names)
    hint = f"did you mean `{path.parent / near[0]}`?" if near else ""
    return Diagnostic("no-such-project", f"there is no file or folder `{path}`", hint=hint)


def _walk(folder: Path, problems: list[Diagnostic]) -> Iterator[Path]:
    """Yield the YAML files of a folder and its folders; hidden ones are passed over, with a note."""

    def unreadable(error: OSError) -> None:
        problems.append(_unreadable(Path(error.filename or folder), error))

    for base, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(base)
        for name in [name for name in folders if name.startswith(".")]:
            folders.remove(name)
            if _holds_yaml(here / name):
                problems.append(_hidden(here / name))
        for name in names:
            if name.endswith(_SUFFIXES):
                if name.startswith("."):
                    problems.append(_hidden(here / name))
                else:
                    yield here / name


def _holds_yaml(folder: Path) -> bool:
    try:
        return any(entry.suffix in _SUFFIXES for entry in folder.iterdir())
    except OSError:
        return False


def _hidden(path: Path) -> Diagnostic:
    return Diagnostic("passed-over", f"`{path}` is passed over: it is hidden", severity=Severity.NOTE)


def _unreadable(path: Path, error: Exception) -> Diagnostic:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Diagnostic("unreadable-file", f"`{path}` cannot be read: {said}")


def read_file(file: Path, problems: list[Diagnostic], name: str = "") -> Document | None:
    """Return a file that was read, under its path or another name; None where it cannot be read."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        return read_document(decode(data, name or str(file)))
    except (OSError, ValueError) as error:
        problems.append(_unreadable(file, error))
    except KpiError as error:
        problems.extend(error.diagnostics)
    return None
