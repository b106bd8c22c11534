"""Which files a dataset reads: a path, a glob or a folder becomes a sorted list of files of one format."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from smartkpi.diagnostics import KpiError
from smartkpi.nearest import did_you_mean
from smartkpi.sources.faults import fault
from smartkpi.spec.bounds import beyond
from smartkpi.spec.model import Read

FORMATS: Mapping[str, str] = {
    ".csv": "csv", ".txt": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".pq": "parquet",
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
Fingerprint = tuple[tuple[str, int, int], ...]


def find_files(read: Read) -> tuple[tuple[Path, ...], str]:
    """Return the files of a dataset, sorted by path, and their format.

    Raises KpiError: `no-file` where there is none, `mixed-formats` where a folder or glob holds several formats,
    `unknown-format` where no suffix says the format, `outside-path` where one leads to where nothing may be read.
    """
    if "://" in read.path:
        raise fault("not-yet", "reading from a URL is not supported yet", read.span, "download the file first")
    path = read.base / Path(read.path).expanduser()
    _keep_inside(path, read.path, read)
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file() and _shown(file.relative_to(path))]
        files = [file for file in found if file.suffix.lower() in FORMATS]
    elif path.is_file():
        files = [path]
    else:
        files = sorted(file for file in _matches(path) if file.is_file())
    if not files:
        raise _missing(read, path)
    for file in files:
        _keep_inside(file, str(file), read)
    return _of_one_format(read, files)


def _keep_inside(path: Path, written: str, read: Read) -> None:
    refused = beyond(path, written, read.bounds, read.span)
    if refused is not None:
        raise KpiError(refused)


def partitions(read: Read, files: tuple[Path, ...]) -> tuple[dict[str, str | None], ...]:
    """Return for each file what the folders above it say, below the one that `read` names: `country=BR/` and such."""
    path = read.base / Path(read.path).expanduser()
    root = path if path.is_dir() else path.parent if path.is_file() else _fixed(path)
    return tuple(dict(_part(part) for part in file.relative_to(root).parts[:-1] if "=" in part) for file in files)


def _part(folder: str) -> tuple[str, str | None]:
    name, _, value = folder.partition("=")
    return unquote(name), None if value in ("", NO_VALUE) else unquote(value)


def _fixed(path: Path) -> Path:
    """Return the last folder above the first wildcard of a pattern."""
    parts = path.parts
    plain = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:plain])


def fingerprint(files: tuple[Path, ...]) -> Fingerprint:
    """Return what tells one state of the files from another: path, size and time of change of each."""
    stats = ((file, file.stat()) for file in files)
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)


def _matches(path: Path) -> Iterator[Path]:
    """Yield what a pattern matches, from the last folder above its first wildcard."""
    folder = _fixed(path)
    return folder.glob(str(path.relative_to(folder))) if folder.is_dir() else iter(())


def _shown(relative: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in relative.parts)


def _of_one_format(read: Read, files: list[Path]) -> tuple[tuple[Path, ...], str]:
    if read.format is not None:
        kept = [file for file in files if FORMATS.get(file.suffix.lower(), read.format) == read.format]
        return tuple(kept or files), read.format
    formats = {FORMATS.get(file.suffix.lower()) for file in files}
    if None in formats:
        name = next(file.name for file in files if file.suffix.lower() not in FORMATS)
        hint = "write `read: {path: …, format: csv}`"
        raise fault("unknown-format", f"the name `{name}` does not say what format it is", read.span, hint)
    if len(formats) > 1:
        names = " and ".join(sorted(str(f) for f in formats))
        raise fault("mixed-formats", f"`{read.path}` has {names} files", read.span, "add `format:` or a glob for one")
    (format_,) = formats
    assert format_ is not None
    return tuple(files), format_


def _missing(read: Read, path: Path) -> KpiError:
    if path.is_dir():
        return fault("no-file", f"the folder `{read.path}` has no csv, tsv, ndjson, parquet or arrow file", read.span)
    if glob.has_magic(read.path):
        return fault("no-file", f"no file matches `{read.path}`", read.span)
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        path, parent = parent, parent.parent
    if path.is_symlink():
        message = f"there is no file `{read.path}`: `{path.name}` is a link that leads nowhere"
        return fault("no-file", message, read.span, f"it leads to `{path.readlink()}`")
    names = sorted(entry.name for entry in parent.iterdir()) if parent.is_dir() else []
    return fault("no-file", f"there is no file `{read.path}`", read.span, did_you_mean(path.name, names, count=3))
