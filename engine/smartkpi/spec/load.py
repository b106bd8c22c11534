"""A path or plain data → a catalog, with everything that is wrong said at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smartkpi.diagnostics import Diagnostic, KpiError, Severity, errors
from smartkpi.nearest import nearest
from smartkpi.source import Source
from smartkpi.spec.build import build
from smartkpi.spec.document import MAX_BYTES, Document, decode, read_document
from smartkpi.spec.model import Catalog
from smartkpi.spec.nodes import Fields, Scalar
from smartkpi.spec.plain import dump
from smartkpi.spec.schema import check_shape, project_shape

_SUFFIXES = (".yml", ".yaml")
_KEYS = "such as `datasets:` or `kpis:`"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be read of a project, and what is wrong with the rest."""

    catalog: Catalog
    diagnostics: tuple[Diagnostic, ...]


def load(source: Path | str | Mapping[str, Any], sets: Mapping[str, str] | None = None) -> Loaded:
    """Read a project: a file, a folder, or plain data. Wrong input ends in diagnostics, never in an exception.

    ``sets`` gives constants other values, written as in the file. Paths of datasets start from the file that holds
    them, of plain data from the working directory.
    """
    if isinstance(source, Mapping):
        return _load_plain(source, sets or {})
    path = Path(source)
    problems: list[Diagnostic] = []
    whole, files = _files(path, problems)
    documents = []
    for file in files:
        document = _read(file, problems)
        if document is not None:
            documents.append((document, file.parent))
    root = path.parent if whole else path
    loaded = _assemble(documents, root, sets or {}, problems, whole=whole)
    return replace(loaded, catalog=replace(loaded.catalog, files=tuple(files)))


def _load_plain(data: Mapping[str, Any], sets: Mapping[str, str]) -> Loaded:
    problems: list[Diagnostic] = []
    try:
        document = read_document(Source("<project>", dump(data)))
    except KpiError as error:
        return Loaded(Catalog(Path.cwd()), error.diagnostics)
    return _assemble([(document, Path.cwd())], Path.cwd(), sets, problems, whole=True)


def _assemble(
    documents: list[tuple[Document, Path]],
    root: Path,
    sets: Mapping[str, str],
    problems: list[Diagnostic],
    *,
    whole: bool,
) -> Loaded:
    shape = project_shape()
    kept = []
    for document, base in documents:
        if not whole and not _is_ours(document):
            problems.append(_passed_over(document))
            continue
        if empty := _is_empty(document):
            problems.append(empty)
            continue
        said = tuple(check_shape(document.root, shape)) if document.root is not None else ()
        kept.append((document, base, said))
    if not whole and not kept and not errors(problems):
        problems.append(Diagnostic("no-definitions", f"no YAML file in `{root}` has a key of a project", hint=_KEYS))
    catalog, found = build(kept, root, sets)
    return Loaded(catalog, _in_order((*problems, *found)))


def _in_order(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Return diagnostics by file and place, those without a place first, each once."""
    unique: dict[object, Diagnostic] = {}
    for diagnostic in diagnostics:
        span = diagnostic.span
        place = ("", 0) if span is None else (span.source.name, span.start)
        unique.setdefault((place, diagnostic.code, diagnostic.message), diagnostic)
    return tuple(sorted(unique.values(), key=lambda d: (d.span.source.name, d.span.start) if d.span else ("", 0)))


def _is_ours(document: Document) -> bool:
    """Return whether a file of a folder is part of the project: it has a key of ours, read or not."""
    keys = project_shape().properties
    if isinstance(document.root, Fields):
        return any(name in keys for name in document.root.entries)
    if document.root is None and errors(document.diagnostics):
        pattern = rf"^({'|'.join(keys)})\s*:"
        return re.search(pattern, document.source.text, re.MULTILINE) is not None
    return False


def _is_empty(document: Document) -> Diagnostic | None:
    root = document.root
    nothing = root is None or (isinstance(root, Scalar) and root.data is None)
    if not (nothing or (isinstance(root, Fields) and not root.entries)) or errors(document.diagnostics):
        return None
    return Diagnostic("empty-project", f"`{document.source.name}` is empty", hint="write its `datasets:` and `kpis:`")


def _passed_over(document: Document) -> Diagnostic:
    name = document.source.name
    return Diagnostic("passed-over", f"`{name}` is passed over: it has no key of a project", severity=Severity.NOTE)


def _files(path: Path, problems: list[Diagnostic]) -> tuple[bool, list[Path]]:
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


def _read(file: Path, problems: list[Diagnostic]) -> Document | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        return read_document(decode(data, str(file)))
    except (OSError, ValueError) as error:
        problems.append(_unreadable(file, error))
    except KpiError as error:
        problems.extend(error.diagnostics)
    return None
