"""`kpi check --doctor`: what this machine gives us, what is amiss, and how to mend it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from smartkpi import __version__
from smartkpi.app.edge import FAILED, FINE
from smartkpi.app.terminal import style_of, write
from smartkpi.resources import find

PYTHON = (3, 11)
NEEDED = ("polars", "click", "jsonschema", "lark", "PyYAML", "rich", "tzdata")
LEAST = {"polars": (2, 1)}
MODULES = {"PyYAML": "yaml"}
OPTIONAL = {"pandas": "pandas tables", "pyarrow": "Arrow tables", "duckdb": "DuckDB tables"}
ZONES = ("America/Sao_Paulo", "Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe")
MOMENTS = (datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 7, 15, 12, tzinfo=UTC))
ROOM = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, how it stands, and what to do where it is not well."""

    what: str
    found: str
    state: Literal["ok", "note", "problem"] = "ok"
    mend: str = ""


def examine(project: Path | None, form: str) -> int:
    """Look at the installation and the terminal, write what was found, and return the exit code."""
    findings = [*_versions(), *_optional(), *_shipped(), *_texts(), *_terminal(), *_zones(), *_room(), *_here(project)]
    style = style_of(sys.stdout)
    well = not any(one.state == "problem" for one in findings)
    if form == "json":
        facts = {"ok": well, "findings": [asdict(one) for one in findings]}
        write(json.dumps(facts, ensure_ascii=not style.unicode, indent=2) + "\n")
    else:
        write(_text(findings))
    return FINE if well else FAILED


def _text(findings: Iterable[Finding]) -> str:
    shown = list(findings)
    width = max(len(one.what) for one in shown)
    marks = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
    lines = []
    for one in shown:
        lines.append(f"{marks[one.state]}  {one.what:<{width}}  {one.found}".rstrip())
        if one.mend:
            lines.append(f"{'':<{width + 11}}to mend: {one.mend}")
    wrong = sum(one.state == "problem" for one in shown)
    last = "all is well" if not wrong else f"{wrong} problem{'' if wrong == 1 else 's'} to mend"
    return "\n".join([*lines, "", last, ""])


def _versions() -> Iterator[Finding]:
    yield Finding("smartkpi", f"{__version__} in {Path(__file__).resolve().parent.parent}")
    python = f"{platform.python_version()} ({platform.python_implementation()}) in {sys.executable}"
    old = sys.version_info[:2] < PYTHON
    wanted = ".".join(map(str, PYTHON))
    yield Finding("Python", python, "problem" if old else "ok", f"use Python {wanted} or later" if old else "")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores")
    for name in NEEDED:
        yield _package(name)


def _package(name: str) -> Finding:
    """Return how a package that we need stands: there, new enough, and importable."""
    module, least = MODULES.get(name, name), LEAST.get(name, ())
    try:
        version = metadata.version(name)
        importlib.import_module(module)
    except metadata.PackageNotFoundError:
        return Finding(name, "is not installed", "problem", f"pip install {name}")
    except Exception as error:  # noqa: BLE001 (a broken installation may raise whatever it likes)
        return Finding(name, f"cannot be imported: {error}", "problem", f"pip install --force-reinstall {name}")
    if least and _numbers(version) < least:
        wanted = ".".join(map(str, least))
        return Finding(name, version, "problem", f"pip install '{name}>={wanted}'")
    return Finding(name, version)


def _numbers(version: str) -> tuple[int, ...]:
    parts = (part for part in version.split(".")[:2])
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)


def _optional() -> Iterator[Finding]:
    for name, what in OPTIONAL.items():
        try:
            yield Finding(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "is not installed", "note", f"pip install {name}, to hand over {what}")


def _shipped() -> Iterator[Finding]:
    for name in ("schemas", "metrics"):
        try:
            folder = find(name)
            count = sum(1 for _ in folder.iterdir())
        except OSError as error:
            yield Finding(name, f"are missing: {error}", "problem", "pip install --force-reinstall smartkpi")
        else:
            yield Finding(name, f"{count} in {folder}")


def _texts() -> Iterator[Finding]:
    out = sys.stdout.encoding or "none"
    plain = out.lower().replace("-", "") in ("utf8", "cp65001")
    mend = "" if plain else "set PYTHONUTF8=1, and a UTF-8 locale such as LANG=C.UTF-8: else letters show as ?"
    yield Finding("encoding", f"output {out}, files UTF-8", "ok" if plain else "note", mend)
    names = sys.getfilesystemencoding()
    safe = names.lower().replace("-", "") in ("utf8", "mbcs")
    hint = "" if safe else "set PYTHONUTF8=1: file names with other letters cannot be opened"
    yield Finding("file names", names, "ok" if safe else "problem", hint)


def _terminal() -> Iterator[Finding]:
    style = style_of(sys.stdout)
    if not sys.stdout.isatty():
        yield Finding("terminal", "output is no terminal: plain text, full width")
        return
    colors = "colours" if style.color else "no colours (NO_COLOR or TERM=dumb)"
    narrow = style.width is not None and style.width < 60
    mend = "widen the window: columns are left out below 60" if narrow else ""
    yield Finding("terminal", f"{style.width} columns, {colors}", "note" if narrow else "ok", mend)


def _zones() -> Iterator[Finding]:
    """Hold the time zones of Python against those of Polars: both take part in one answer."""
    mend = "pip install --upgrade tzdata polars"
    try:
        wrong = [zone for zone in ZONES if not _agree(zone)]
    except ZoneInfoNotFoundError as error:
        yield Finding("time zones", f"there is no {error}", "problem", "pip install tzdata")
        return
    except Exception as error:  # noqa: BLE001 (a broken engine is said once, here and above)
        yield Finding("time zones", f"cannot be compared: {error}", "problem", mend)
        return
    origin = next((path for path in TZPATH if Path(path).is_dir()), "the package tzdata")
    if wrong:
        yield Finding("time zones", f"Python and Polars differ on {', '.join(wrong)}", "problem", mend)
    else:
        yield Finding("time zones", f"from {origin}; Python and Polars agree")


def _agree(zone: str) -> bool:
    import polars as pl

    ours = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in MOMENTS]
    theirs = pl.Series(MOMENTS).dt.convert_time_zone(zone).dt.replace_time_zone(None).to_list()
    return ours == theirs


def _room() -> Iterator[Finding]:
    """Look at the folder of temporary files: texts of other encodings are copied there."""
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"\0")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding("temporary files", f"cannot be written: {error}", "problem", "set TMPDIR to a folder with room")
        return
    small = free < ROOM
    mend = "set TMPDIR to a folder with more room" if small else ""
    yield Finding("temporary files", f"{free / (1 << 30):.1f} GiB free in {folder}", "note" if small else "ok", mend)


def _here(project: Path | None) -> Iterator[Finding]:
    if project is None:
        yield Finding("project", "none here: no kpis.yml, no kpis/", "note", "name one with -p PATH, or see `kpi demo`")
        return
    try:
        from smartkpi.api import load

        found = load(project)
        report = found.check()
    except Exception as error:  # noqa: BLE001 (an installation that cannot load says so above)
        yield Finding("project", f"{project} cannot be loaded: {error}", "problem", "mend what is said above")
        return
    catalog = found.catalog
    count = f"{len(catalog.kpis)} KPIs, {len(catalog.datasets)} datasets in {project}"
    mend = "" if report.ok else "`kpi check` shows what is wrong"
    yield Finding("project", count, "ok" if report.ok else "note", mend)
