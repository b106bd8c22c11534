"""The `include` section: packs and files whose definitions are used too, read with those that they include."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from smartkpi.diagnostics import Diagnostic, Note, Severity, errors
from smartkpi.nearest import did_you_mean
from smartkpi.resources import find
from smartkpi.source import Span
from smartkpi.spec.bounds import ANYWHERE, Bounds, beyond
from smartkpi.spec.document import Document
from smartkpi.spec.extend import without_removals
from smartkpi.spec.files import find_files, keep_inside, read_file
from smartkpi.spec.model import Origin
from smartkpi.spec.names import check_name, name_of
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.schema import check_shape, project_shape

_SUFFIXES = (".yml", ".yaml")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Unit:
    """Files that are read together: a project, a pack, or what a path leads to. ``whole``: one file, all of it ours.

    ``bounds`` say where what it includes may lie.
    """

    title: str
    documents: tuple[tuple[Document, Path], ...]
    files: tuple[Path, ...] = ()
    whole: bool = True
    bounds: Bounds = ANYWHERE


@dataclass(frozen=True, slots=True)
class Part:
    """Files that see each other's definitions, and what they include.

    ``documents`` have their folder, and what the schema says of them.
    """

    documents: tuple[tuple[Document, Path, tuple[Diagnostic, ...]], ...]
    included: tuple[Included, ...] = ()


@dataclass(frozen=True, slots=True)
class Included:
    """A part under a prefix of its names; ``only`` these of its definitions and what they stand on (None: all)."""

    part: Part
    origin: Origin
    prefix: str
    only: tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True)
class _Link:
    """A step on the way to a file: the unit that is read, and the include that leads on from there."""

    unit: Unit
    place: Span


@dataclass(frozen=True, slots=True)
class _Written:
    """An include as it is written: a pack's name or a path, the prefix, and what it is limited to."""

    pack: Scalar | None
    path: Scalar | None
    prefix: Scalar | None
    only: tuple[Scalar, ...] | None
    place: Span


def read_part(unit: Unit, problems: list[Diagnostic], trail: tuple[_Link, ...] = ()) -> Part:
    """Return the files of a unit that are part of a project, with all that they include."""
    shape = project_shape()
    kept, included = [], []
    taken: dict[tuple[str, str], Span] = {}
    for document, base in unit.documents:
        if not unit.whole and not _is_ours(document):
            problems.append(_passed_over(document))
            continue
        if empty := _is_empty(document):
            problems.append(empty)
            continue
        said = tuple(check_shape(without_removals(document.root), shape)) if document.root is not None else ()
        kept.append((document, base, said))
        for written in _written(document.root, problems):
            one = _follow(written, base, unit, taken, problems, trail)
            if one is not None:
                included.append(one)
    return Part(tuple(kept), tuple(included))


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


def _written(root: Node | None, problems: list[Diagnostic]) -> Iterator[_Written]:
    """Yield the includes of a file; what the schema has refused is left out."""
    section = root.get("include") if isinstance(root, Fields) else None
    items = section.items if isinstance(section, Items) else () if section is None else (section,)
    for item in items:
        if isinstance(item, Scalar) and isinstance(item.data, str):
            pack, path = (None, item) if is_path(item.written) else (item, None)
            yield _Written(pack, path, None, None, item.span)
        elif isinstance(item, Fields):
            pack, path = _scalar(item, "pack"), _scalar(item, "path")
            if pack is not None and path is not None:
                message = "an include is a pack or a path, not both"
                problems.append(Diagnostic("bad-value", message, item.entries["path"].key.span, "keep one of the two"))
            elif (place := pack or path) is not None:
                only = _scalars(item.get("only")) if "only" in item.entries else None
                yield _Written(pack, path, _scalar(item, "as"), only, place.span)


def _scalar(fields: Fields, name: str) -> Scalar | None:
    value = fields.get(name)
    return value if isinstance(value, Scalar) else None


def _scalars(node: Node | None) -> tuple[Scalar, ...]:
    items = node.items if isinstance(node, Items) else (node,)
    return tuple(item for item in items if isinstance(item, Scalar))


def is_path(written: str) -> bool:
    """Return whether a lone text is a path: by how it is written, never by what happens to be there."""
    return "/" in written or "\\" in written or written.startswith(".") or written.endswith(_SUFFIXES)


def _follow(
    written: _Written,
    base: Path,
    unit: Unit,
    taken: dict[tuple[str, str], Span],
    problems: list[Diagnostic],
    trail: tuple[_Link, ...],
) -> Included | None:
    """Read what an include leads to; None where it leads nowhere, back, or where it is there already."""
    prefix = ""
    if written.prefix is not None:
        if (problem := check_name(written.prefix)) is not None:
            problems.append(problem)
            return None
        prefix = f"{name_of(written.prefix)}_"
    found = _pack(written.pack, problems) if written.pack is not None else _path(written, base, unit.bounds, problems)
    if found is None:
        return None
    first = taken.setdefault((found.title, prefix), written.place)
    if first is not written.place:
        notes = (Note("the first time is here", first),)
        message = f"{found.title} is included twice" + (f" as `{prefix[:-1]}`" if prefix else "")
        hint = "keep one, or give one of them a name of its own: `as: …`"
        problems.append(Diagnostic("duplicate-name", message, written.place, hint, notes))
        return None
    way = (*trail, _Link(unit, written.place))
    if (problem := _circle(found, way)) is not None:
        problems.append(problem)
        return None
    return Included(read_part(found, problems, way), Origin(found.title, written.place), prefix, written.only)


def _circle(found: Unit, way: tuple[_Link, ...]) -> Diagnostic | None:
    """Return the error that an include leads back to where it comes from, or on without end."""
    files = {_real(file) for file in found.files}
    for at, link in enumerate(way):
        if files.isdisjoint(map(_real, link.unit.files)):
            continue
        units = [step.unit.title for step in way[at:]]
        path = " → ".join(f"`{title.removeprefix('pack ')}`" for title in (*units, units[0]))
        notes = tuple(Note(f"`{step.unit.title}` includes it here", step.place) for step in way[at:-1])
        hint = "leave this include out"
        return Diagnostic("include-cycle", f"`{units[0]}` includes itself: {path}", way[-1].place, hint, notes)
    if len(way) > _DEEPEST:
        return Diagnostic("too-deep", f"includes lead on more than {_DEEPEST} files deep", way[-1].place)
    return None


def _real(path: Path) -> str:
    return os.path.realpath(path)


def packs() -> dict[str, Path]:
    """Return the shipped packs by name: a file or a folder each."""
    entries = sorted(find("metrics").iterdir()) if find("metrics").is_dir() else []
    return {
        entry.stem: entry for entry in entries if entry.suffix in _SUFFIXES or (entry.is_dir() and entry.stem[0] != ".")
    }


def _pack(name: Scalar, problems: list[Diagnostic]) -> Unit | None:
    """Return a shipped pack; its files go by its name, wherever they are installed."""
    known = packs()
    if name.written not in known:
        path = is_path(name.written)
        hint = f"write `path: {name.written}`" if path else did_you_mean(name.written, known)
        notes = (Note(f"packs: {', '.join(known)}"), Note(f"a file or folder is written `path: {name.written}`"))
        message = f"no pack is named `{name.written}`"
        problems.append(Diagnostic("unknown-include", message, name.span, hint, notes[: 1 if path else 2]))
        return None
    pack = known[name.written]
    whole, files = find_files(pack, problems)
    shown = {file: f"<pack {name.written}>" + ("" if whole else f"/{file.relative_to(pack)}") for file in files}
    read = ((read_file(file, problems, shown[file]), file.parent) for file in files)
    documents = tuple((document, folder) for document, folder in read if document is not None)
    return Unit(f"pack {name.written}", documents, tuple(files), whole=whole)


def _path(written: _Written, base: Path, bounds: Bounds, problems: list[Diagnostic]) -> Unit | None:
    """Return the file or the folder of files that a path leads to from the file that includes it."""
    assert written.path is not None
    path = Path(os.path.normpath(base / written.path.written))
    refused = beyond(path, written.path.written, bounds, written.place)
    if refused is not None:
        problems.append(refused)
        return None
    found: list[Diagnostic] = []
    whole, files = find_files(path, found)
    files = keep_inside(files, bounds, problems, written.place)
    if not path.exists():
        near = found[0].hint if found else ""
        message = f"there is no file or folder `{path}` to include"
        hint = near or ("" if written.place.source.name.startswith("<") else "paths start from the file that includes")
        problems.append(Diagnostic("unknown-include", message, written.place, hint))
        return None
    problems.extend(replace(one, span=one.span or written.place) for one in found)
    read = ((read_file(file, problems), file.parent) for file in files)
    documents = tuple((document, folder) for document, folder in read if document is not None)
    if not files and not found:
        problems.append(Diagnostic("unknown-include", f"no YAML file is in `{path}`", written.place))
    return Unit(str(path), documents, tuple(files), whole=whole, bounds=bounds)
