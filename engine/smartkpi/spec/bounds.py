"""Where the files that a project names may lie: in its own folder and in those that are allowed, links followed."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from smartkpi.diagnostics import Diagnostic
from smartkpi.source import Span

KEY = "allow_paths"
DEFAULT = "kpis"
"""The folder that a project is looked for in: its data lies beside it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be read: nothing out of ``within``, if it is set; then what lies in one of ``folders`` (None: all).

    ``project`` is the file in which a permission is written.
    """

    within: Path | None = None
    folders: tuple[Path, ...] | None = None
    project: Path | None = None


ANYWHERE = Bounds()


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the paths of a file start from, and where they may lead."""

    base: Path
    bounds: Bounds = ANYWHERE


def home_of(path: Path, *, is_file: bool) -> Path:
    """Return the folder of a project: that of its file, the folder itself, or that around a folder called `kpis`."""
    if is_file:
        return path.parent
    return path.parent if path.resolve().name == DEFAULT and path.name else path


def beyond(path: Path, written: str, bounds: Bounds, span: Span | None) -> Diagnostic | None:
    """Return the error that a path leads to where nothing may be read; None where it may."""
    real = Path(os.path.realpath(path))
    if bounds.within is not None and not _in(real, [bounds.within]):
        hint = "the folder is the one that SMARTKPI_WITHIN, or `load(…, within=…)`, names"
        return Diagnostic("outside-path", f"`{written}` leads out of `{bounds.within}`, links followed", span, hint)
    if bounds.folders is None or _in(real, bounds.folders):
        return None
    linked = any(_plain(path).is_relative_to(_plain(folder)) for folder in bounds.folders)
    message = f"`{written}` leads out of the project's folder" + (f", by a link to `{real}`" if linked else "")
    return Diagnostic("outside-path", message, span, _permission(real, bounds.project))


def _in(real: Path, folders: Iterable[Path]) -> bool:
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def _plain(path: Path) -> Path:
    """Return where a path leads by its words alone, no link followed."""
    return Path(os.path.normpath(path.absolute()))


def _permission(real: Path, project: Path | None) -> str:
    """Say what to write where, so that a file may be read."""
    folder = real if real.is_dir() else real.parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    if project is None:
        return f"to allow it, set SMARTKPI_ALLOW={folder}"
    return f"to allow it, write `{KEY}: [{name_from(folder, project.parent)}]` at the top of `{project}`"


def name_from(path: Path, folder: Path) -> str:
    """Return a path as a project in a folder names it; absolute where the two have little in common."""
    try:
        near = Path(os.path.relpath(path, folder.resolve()))
    except ValueError:  # another drive
        return path.as_posix()
    return path.as_posix() if near.parts[:3] == ("..",) * 3 else near.as_posix()
