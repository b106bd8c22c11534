"""Which tables some files are: parts of one table together, the same table in two formats once, each with a name."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import click
import polars as pl

from smartkpi.app.drafting.names import identifier, tokens, unique
from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.sources.delimited import SEPARATORS
from smartkpi.sources.files import FORMATS, find_files
from smartkpi.spec.model import Read

MOST_FILES = 20_000
KNOWN = "csv, tsv, txt, ndjson, parquet and arrow files are read: save it as one of these"
PREFERRED = ("parquet", "arrow", "ndjson", "csv", "tsv")
NOISE = ("dataset", "data", "table", "export", "tbl", "raw", "final", "report")
"""Words of file names that say nothing of what is in them."""


@dataclass(frozen=True, slots=True)
class Found:
    """Files that are one table: its name, the path or pattern that reads them, why several are one, what was left."""

    name: str
    path: Path
    files: tuple[Path, ...]
    because: str = ""
    twin: Path | None = None


def gather(data: Sequence[str]) -> tuple[tuple[Found, ...], tuple[Diagnostic, ...]]:
    """Return the tables that files, folders and patterns hold, and an error for each of these that holds none."""
    files: dict[Path, bool] = {}
    problems: list[Diagnostic] = []
    for text in data:
        try:
            for file in _files(text):
                named = Path(text).expanduser().resolve() == file
                files[file] = files.get(file, False) or named
        except KpiError as error:
            problems.extend(
                replace(one, hint=KNOWN) if one.code == "unknown-format" else one for one in error.diagnostics
            )
    if len(files) > MOST_FILES:
        raise click.UsageError(f"there are {len(files):,} files, too many to look at: name some of them, or a folder")
    partitioned, plain = _partitions(files)
    kept, twins = _without_twins(plain, files)
    groups = [*partitioned, *(group for some in _by_kind(kept).values() for group in _groups(some))]
    groups.sort(key=lambda group: (str(group[1][0].parent), group[0].name))
    names = _names([path for path, _, _ in groups], [some for _, some, _ in groups])
    return tuple(
        Found(name, path, some, because, next((twins[file] for file in some if file in twins), None))
        for name, (path, some, because) in zip(names, groups, strict=True)
    ), tuple(problems)


def _files(text: str) -> list[Path]:
    """Return the files that an argument names; in a folder, only those that hold tables."""
    path = Path(text).expanduser()
    if path.is_dir():
        every = sorted(file for file in path.resolve().rglob("*") if _shown(file.relative_to(path.resolve())))
        found = [file for file in every if file.suffix.lower() in FORMATS and file.is_file() and _is_table(file)]
        if found:
            return found
    read = Read(text, Path())
    files, _ = find_files(read)
    return [file.resolve() for file in files]


def _shown(relative: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in relative.parts)


def _is_table(file: Path) -> bool:
    """Say whether a file of text is a table, where its ending does not say it: two lines cut alike by one sign."""
    if file.suffix.lower() != ".txt":
        return True
    try:
        with file.open("rb") as stream:
            lines = [line for line in (stream.readline(10_000) for _ in range(10)) if line.strip()]
    except OSError:
        return True
    counts = [[line.count(sign.encode()) for sign in SEPARATORS] for line in lines]
    return len(counts) > 1 and any(a and a == b for a, b in zip(counts[-1], counts[-2], strict=True))


Group = tuple[Path, tuple[Path, ...], str]


def _partitions(files: Iterable[Path]) -> tuple[list[Group], list[Path]]:
    """Return the files below folders such as `country=BR` by the folder above these, and all others."""
    roots: dict[Path, list[Path]] = {}
    others: list[Path] = []
    for file in files:
        level = next((i for i, part in enumerate(file.parts[:-1]) if "=" in part), None)
        if level is None or FORMATS.get(file.suffix.lower()) not in ("parquet", "arrow"):
            others.append(file)
        else:
            roots.setdefault(Path(*file.parts[:level]), []).append(file)
    because = "its folders name values, such as country=BR"
    return [(root, tuple(some), because) for root, some in roots.items()], others


def _without_twins(files: Sequence[Path], named: Mapping[Path, bool]) -> tuple[list[Path], dict[Path, Path]]:
    """Return files without those that lie beside one of the same name in a better format, unless asked for by name."""
    by_stem: dict[Path, list[Path]] = {}
    for file in files:
        by_stem.setdefault(file.with_suffix(""), []).append(file)
    kept: list[Path] = []
    twins: dict[Path, Path] = {}
    for some in by_stem.values():
        ranked = sorted(some, key=lambda file: PREFERRED.index(FORMATS.get(file.suffix.lower(), "csv")))
        asked = [file for file in ranked if named[file]]
        kept += asked or ranked[:1]
        if not asked and len(ranked) > 1:
            twins[ranked[0]] = ranked[1]
    return sorted(kept), twins


def _by_kind(files: Iterable[Path]) -> dict[tuple[object, ...], list[Path]]:
    """Return files by folder, format and columns."""
    kinds: dict[tuple[object, ...], list[Path]] = {}
    for file in files:
        kinds.setdefault((file.parent, file.suffix.lower(), _columns(file)), []).append(file)
    return kinds


def _columns(file: Path) -> object:
    """Return what tells the columns of a file from those of another; the file itself where that cannot be seen."""
    try:
        match FORMATS.get(file.suffix.lower()):
            case "parquet":
                return tuple(pl.read_parquet_schema(file))
            case "arrow":
                return tuple(pl.read_ipc_schema(file))
            case "ndjson":
                return "ndjson"
            case _:
                with file.open("rb") as stream:
                    return stream.readline(1 << 16).strip().removeprefix(b"\xef\xbb\xbf")
    except Exception:  # noqa: BLE001 (whatever a damaged file may raise: opening it says what is wrong)
        return file


def _groups(files: list[Path]) -> list[Group]:
    """Return files of the same columns as tables: those whose names differ in digits, or share a word at an end."""
    by_pattern: dict[str, list[Path]] = {}
    for file in files:
        by_pattern.setdefault(re.sub(r"\d+", "0", file.stem), []).append(file)
    groups: list[Group] = []
    single: list[Path] = []
    for some in by_pattern.values():
        pattern = _pattern([file.name for file in some]) if len(some) > 1 else None
        if pattern is not None and _matches_only(some, pattern):
            because = f"{len(some)} files with the same columns, whose names differ in numbers"
            groups.append((some[0].parent / pattern, tuple(some), because))
        else:
            single += some
    pattern = _pattern([file.name for file in single]) if len(single) > 1 and not groups else None
    if pattern is not None and _has_word(pattern, single) and _matches_only(single, pattern):
        names = ", ".join(file.name for file in single[:3])
        because = f"{len(single)} files with the same columns and a word in common ({names}): if they are not parts of"
        return [(single[0].parent / pattern, tuple(single), f"{because} one table, make a dataset of each")]
    return [*groups, *((file, (file,), "") for file in single)]


def _pattern(names: Sequence[str]) -> str | None:
    """Return a pattern for names: what all begin with, a star, what all end with."""
    first = names[0]
    start = next((i for i in range(len(first)) if any(name[: i + 1] != first[: i + 1] for name in names)), 0)
    rest = [name[start:] for name in names]
    end = next((i for i in range(1, len(rest[0]) + 1) if any(one[-i:] != rest[0][-i:] for one in rest)), 1) - 1
    before = re.sub(r"\d+$", "", first[:start])
    after = re.sub(r"^\d+", "", first[len(first) - end :])
    return None if glob.has_magic(before + after) else f"{before}*{after}"


def _has_word(pattern: str, files: Sequence[Path]) -> bool:
    """Say whether what names have in common is whole words, beside their ending."""
    before, _, after = pattern.removesuffix(files[0].suffix).partition("*")
    starts = bool(re.search(r"[A-Za-z]{3,}[_\-. ]$", before))
    return starts or bool(re.search(r"^[_\-. ][A-Za-z]{3,}", after))


def _matches_only(files: Sequence[Path], pattern: str) -> bool:
    there = {file.name for file in files[0].parent.iterdir() if fnmatchcase(file.name, pattern)}
    return there == {file.name for file in files}


def _names(paths: Sequence[Path], files: Sequence[tuple[Path, ...]]) -> list[str]:
    """Return a name for each table: its file's, without words that all have or that say nothing."""
    words = []
    for path in paths:
        stem = path.stem if path.suffix.lower() in FORMATS else path.name
        found = [word for word in tokens(stem.replace("*", " ")) if not word.isdigit() or not glob.has_magic(path.name)]
        named = [word for word in found if not word.isdigit()]
        plain = [word for word in named if word not in NOISE]
        words.append(plain or named or [*tokens(path.parent.name)] or ["rows"])
    firsts = Counter(some[0] for some in words)
    shared = {word for word, count in firsts.items() if 1 < count == len(words) or 2 < count > len(words) / 2}
    taken: set[str] = set()
    names = []
    for path, some in zip(paths, words, strict=True):
        kept = some[1:] if some[0] in shared and some[1:] else some
        name = identifier("_".join(kept))
        if name in taken:
            name = identifier("_".join([*tokens(path.parent.name), *kept]))
        names.append(unique(name, taken))
    return names
