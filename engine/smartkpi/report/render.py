"""All formats of a result, by name; and how one gets into a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from smartkpi.report import csv, json, markdown, ndjson, parquet, table
from smartkpi.report.style import Style
from smartkpi.result import Result

FORMATS: Mapping[str, Callable[[Result, Style], str | bytes]] = {
    "table": table.render,
    "json": json.render,
    "ndjson": ndjson.render,
    "csv": csv.render,
    "parquet": parquet.render,
    "markdown": markdown.render,
}

SUFFIXES: Mapping[str, str] = {
    ".txt": "table",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
    ".md": "markdown",
}


def render(result: Result, name: str, style: Style) -> bytes:
    """Return a result in a format, as the bytes of a file (texts as UTF-8)."""
    written = FORMATS[name](result, style)
    return written if isinstance(written, bytes) else written.encode("utf-8")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, make it durable, then move it there: what stood there stays until then.

    Raises OSError; nothing is left behind.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_bytes(content)  # a device or pipe has no place beside it
        return
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(_mode(path))
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _mode(path: Path) -> int:
    """Return the permissions that a file has, or that a new one gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
