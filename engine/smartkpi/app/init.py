"""`kpi init`: look at files, and write a project that reads them; or only say what was seen."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from smartkpi.api.failures import DataError, UsageError
from smartkpi.app.drafting.model import Draft
from smartkpi.app.drafting.project import Seen, draft_project, mend, packs, see
from smartkpi.app.edge import FINE, SOME_LEFT_OUT, say
from smartkpi.app.looking import report
from smartkpi.app.terminal import style_of, write
from smartkpi.diagnostics import Diagnostic, to_json
from smartkpi.nearest import did_you_mean
from smartkpi.resources import find

SCHEMA = ".vscode/smartkpi.schema.json"
SUFFIXES = (".yml", ".yaml")


def init(data: Sequence[str], output: Path, dry_run: bool, form: str, pack: str | None = None) -> int:
    """Look at data and write a project, or with `dry_run` a report; return the exit code."""
    if pack is not None and pack not in packs():
        hint = did_you_mean(pack, packs()) or f"there are {', '.join(packs())}"
        raise click.UsageError(f"no pack is named `{pack}`: {hint}")
    target = output if output.suffix.lower() in SUFFIXES else output / "kpis.yml"
    if not dry_run:
        _refuse_existing(target)
    seen = see(data)
    if not seen.tables:
        if all(one.code == "no-file" for one in seen.problems):
            raise UsageError(*seen.problems)
        raise DataError(*seen.problems)
    say(seen.problems)
    if dry_run:
        write(report(seen, style_of(sys.stdout), form))
        return SOME_LEFT_OUT if seen.problems else FINE
    draft, files = _make(seen, target, pack)
    _tell(draft, files, seen, target, form)
    return SOME_LEFT_OUT if seen.problems else FINE


def _refuse_existing(target: Path) -> None:
    folder = target.parent / "kpis"
    if target.name == "kpis.yml" and folder.is_dir() and any(folder.glob("**/*.y*ml")):
        hint = "write elsewhere with -o DIR, or a file of that project with -o kpis/NEW.yml"
        raise UsageError(Diagnostic("already-there", f"`{folder}` is a project, which this would hide", hint=hint))
    if target.exists() or target.is_symlink():
        hint = "write elsewhere with -o DIR, or only look with --dry-run"
        raise UsageError(Diagnostic("already-there", f"`{target}` exists, and is not overwritten", hint=hint))
    if target.parent.exists() and not target.parent.is_dir():
        raise UsageError(Diagnostic("already-there", f"`{target.parent}` is a file, no folder", hint="name a folder"))


def _make(seen: Seen, target: Path, pack: str | None) -> tuple[Draft, list[Path]]:
    """Write a project and what editors and version control want beside it: all of it, or nothing."""
    folder = target.parent
    made = _make_folders(folder)
    try:
        head = _head(seen)
        rows = sum(facts.rows for facts in seen.tables.values())
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=".yml", dir=folder)
        os.close(handle)
        draft, text = mend(draft_project(seen, folder, pack), head, Path(name), rows)
        contents = {target: text, **_beside(draft, target)}
        return draft, _write_all(contents)
    except BaseException:
        for one in reversed(made):
            one.rmdir()
        raise


def _make_folders(folder: Path) -> list[Path]:
    missing = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
    for one in missing:
        one.mkdir()
    return missing


def _head(seen: Seen) -> tuple[str, ...]:
    names = ", ".join(seen.found[name].path.name for name in list(seen.tables)[:5])
    more = f" and {len(seen.tables) - 5} more" if len(seen.tables) > 5 else ""
    return (
        f"# yaml-language-server: $schema={SCHEMA}",
        "#",
        f"# Drafted by `kpi init` from {names}{more}.".replace("\n", " "),
        "# What a line rests on is said above it. All of it are guesses: read them, then keep, mend or remove.",
        "# Then: kpi check --data, kpi run, kpi show; `kpi explain CODE` tells about an error.",
    )


def _beside(draft: Draft, target: Path) -> dict[Path, str]:
    """Return what stands beside a project: the schema and settings for editors, what is not to be committed."""
    folder = target.parent
    settings = {
        "yaml.schemas": {SCHEMA: [target.name, "kpis/**/*.yml"]},
        "yaml.completion": True,
        "[yaml]": {"editor.tabSize": 2, "editor.insertSpaces": True},
    }
    return {
        folder / SCHEMA: (find("schemas") / "project.json").read_text(encoding="utf-8"),
        folder / ".vscode" / "settings.json": json.dumps(settings, indent=2) + "\n",
        folder / ".vscode" / "extensions.json": json.dumps({"recommendations": ["redhat.vscode-yaml"]}, indent=2)
        + "\n",
        folder / ".gitignore": _ignored(draft),
    }


def _ignored(draft: Draft) -> str:
    reads = [one.read if isinstance(one.read, str) else str(one.read["path"]) for one in draft.datasets]
    inside = sorted({f"/{read}" for read in reads if not read.startswith(("..", "/")) and "\n" not in read})
    rows = [line.replace(" ", "\\ ").replace("[", "\\[") for line in inside]
    return "\n".join(["# rows are no definitions: remove a line to commit them all the same", *rows, "/out/", ""])


def _write_all(contents: Mapping[Path, str]) -> list[Path]:
    """Write files that are not there yet, and return them: those of others stay; after a failure there is none.

    The project itself comes last, so that it never stands alone, and is never overwritten.
    """
    (target, text), *beside = contents.items()
    done: list[Path] = []
    folders: list[Path] = []
    try:
        for path, content in beside:
            folders += _make_folders(path.parent)
            if not path.exists():
                _write_new(path, content)
                done.append(path)
        _write_new(target, text)
    except BaseException:
        for path in done:
            path.unlink(missing_ok=True)
        for folder in reversed(folders):
            folder.rmdir()
        raise
    return [target, *done]


def _write_new(path: Path, content: str) -> None:
    """Write a file that is not there: whole, or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o666 & ~mask)
        if path.exists():
            raise FileExistsError(17, "it exists now", str(path))
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _tell(draft: Draft, files: Sequence[Path], seen: Seen, target: Path, form: str) -> None:
    style = style_of(sys.stdout)
    if form == "json":
        told = {
            "written": [path.as_posix() for path in files],
            "datasets": [one.name for one in draft.datasets],
            "kpis": [one.name for one in draft.kpis],
            "diagnostics": [to_json(one) for one in seen.problems],
        }
        write(json.dumps(told, ensure_ascii=not style.unicode, indent=2) + "\n")
        return
    where = "" if target == Path("kpis.yml") else f" -p {target if target.name != 'kpis.yml' else target.parent}"
    size = f"{_count(len(draft.datasets), 'dataset')}, {_count(len(draft.kpis), 'KPI')}"
    size += "".join(f", the pack {one['pack']}" for one in draft.include)
    others = ", ".join(path.relative_to(target.parent).as_posix() for path in files[1:])
    lines = [f"wrote {target}: {size}"]
    lines += [f"beside it: {others}"] if others else []
    lines.append(f"next: read it, then kpi check --data{where}, kpi run{where}")
    write("\n".join(lines) + "\n")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def refuse_many(data: Sequence[str]) -> None:
    """Refuse an argument without a text, as an unset variable of a shell gives."""
    if any(not text.strip() for text in data):
        raise click.UsageError("an argument is empty: name a file or folder")
