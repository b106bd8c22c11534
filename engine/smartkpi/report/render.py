"""All formats of a result, by name; and how one gets into a file whole or not at all."""

from __future__ import annotations

import os
import shutil
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
        beside.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_mask())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def fill_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder beside its place, make its files durable, then move it there: it is never seen half full.

    An empty folder that exists gets the entries one by one, in the order of their names. Raises FileExistsError where
    it holds anything, OSError where it cannot be written; nothing is left behind.
    """
    folder = folder.resolve()
    there = folder.exists()
    if there and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"`{folder}` is not empty")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder if there else folder.parent))
    try:
        fill(beside)
        for path in beside.rglob("*"):
            _sync(path)
        if there:
            for path in sorted(beside.iterdir()):
                path.rename(folder / path.name)
        else:
            beside.chmod(0o777 & ~_mask())
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _sync(folder)


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
