"""A path or plain data → a catalog, with everything that is wrong said at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smartkpi.diagnostics import Diagnostic, KpiError, errors
from smartkpi.source import Source
from smartkpi.spec.bounds import KEY, Bounds, home_of
from smartkpi.spec.build import build
from smartkpi.spec.document import Document, read_document
from smartkpi.spec.files import find_files, keep_inside, read_file
from smartkpi.spec.include import Unit, read_part
from smartkpi.spec.model import Catalog
from smartkpi.spec.nodes import Fields
from smartkpi.spec.plain import dump
from smartkpi.spec.values import texts

_KEYS = "such as `datasets:` or `kpis:`"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be read of a project, and what is wrong with the rest."""

    catalog: Catalog
    diagnostics: tuple[Diagnostic, ...]


def load(
    source: Path | str | Mapping[str, Any],
    sets: Mapping[str, str] | None = None,
    within: Path | None = None,
    allow: Sequence[Path] = (),
) -> Loaded:
    """Read a project: a file, a folder, or plain data. Wrong input ends in diagnostics, never in an exception.

    ``sets`` gives constants other values, written as in the file. Paths of datasets and includes start from the file
    that holds them, of plain data from the working directory. They lead to the project's folder, to those that it or
    ``allow`` names, links followed; those of plain data, which the caller wrote, anywhere. Where there is a folder
    ``within``, none of them, nor a file of the project, may lead out of it.
    """
    if isinstance(source, Mapping):
        return _load_plain(source, sets or {}, within)
    path = Path(source)
    problems: list[Diagnostic] = []
    whole, files = find_files(path, problems)
    files = keep_inside(files, Bounds(within), problems, None)
    read = ((read_file(file, problems), file) for file in files)
    found = [(document, file) for document, file in read if document is not None]
    folders = (home_of(path, is_file=whole), *allow, *(folder for one in found for folder in _allowed(*one)))
    bounds = Bounds(within, folders, found[0][1] if found else None)
    documents = tuple((document, file.parent) for document, file in found)
    unit = Unit(str(path), documents, tuple(files), whole=whole, bounds=bounds)
    loaded = _assemble(unit, path.parent if whole else path, sets or {}, problems)
    return replace(loaded, catalog=replace(loaded.catalog, files=tuple(files)))


def _load_plain(data: Mapping[str, Any], sets: Mapping[str, str], within: Path | None) -> Loaded:
    try:
        document = read_document(Source("<project>", dump(data)))
    except KpiError as error:
        return Loaded(Catalog(Path.cwd()), error.diagnostics)
    return _assemble(Unit("<project>", ((document, Path.cwd()),), bounds=Bounds(within)), Path.cwd(), sets, [])


def _assemble(unit: Unit, root: Path, sets: Mapping[str, str], problems: list[Diagnostic]) -> Loaded:
    part = read_part(unit, problems)
    if not unit.whole and not part.documents and not errors(problems):
        problems.append(Diagnostic("no-definitions", f"no YAML file in `{root}` has a key of a project", hint=_KEYS))
    catalog, found = build(part, root, sets, unit.bounds)
    datasets = {name: replace(one, read=one.read and replace(one.read, bounds=unit.bounds))
                for name, one in catalog.datasets.items()}  # fmt: skip
    return Loaded(replace(catalog, datasets=datasets), _in_order((*problems, *found)))


def _allowed(document: Document, file: Path) -> Iterator[Path]:
    """Yield the folders that a file of a project allows to be read besides its own."""
    written = document.root.get(KEY) if isinstance(document.root, Fields) else None
    for folder in texts(written):
        yield file.parent / Path(folder).expanduser()


def _in_order(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Return diagnostics by file and place, those without a place first, each once."""
    unique: dict[object, Diagnostic] = {}
    for diagnostic in diagnostics:
        span = diagnostic.span
        place = ("", 0) if span is None else (span.source.name, span.start)
        unique.setdefault((place, diagnostic.code, diagnostic.message), diagnostic)
    return tuple(sorted(unique.values(), key=lambda d: (d.span.source.name, d.span.start) if d.span else ("", 0)))
