"""`kpi run` and `kpi demo`: numbers on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from smartkpi.api import load
from smartkpi.app.edge import DATA, FINE, SOME_LEFT_OUT, say, worst
from smartkpi.app.terminal import progress_bar, style_of, write
from smartkpi.diagnostics import errors
from smartkpi.report.render import FORMATS, SUFFIXES, render, write_whole
from smartkpi.report.style import Style
from smartkpi.result import Result

CODES = {"definition": SOME_LEFT_OUT, "data": DATA}


def run(
    path: Path,
    names: Sequence[str],
    sets: Mapping[str, str],
    *,
    kpis: Sequence[str],
    lang: str,
    form: str | None,
    output: Path | None,
    **question: Any,
) -> int:
    """Answer a question about a project, write it, and return the exit code."""
    output = None if output == Path("-") else output
    form = form or _form_of(output)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: add --output FILE, or redirect it")
    if question.get("drill") == "*":  # the option alone
        question["drill"] = True
    project = load(path, sets=sets)
    with progress_bar() as progress:
        result = project.run([*names, *kpis], lang=lang, progress=progress, **question)
    say(result.diagnostics)
    _write(result, form, output, lang)
    said = SOME_LEFT_OUT if errors(result.diagnostics) else FINE
    return worst((said, *(CODES.get(reason, FINE) for reason in result.left_out.values())))


def demo(folder: Path, form: str, lang: str) -> int:
    """Make the example in a folder, run its KPIs, say what to ask next, and return the exit code."""
    from smartkpi.app.demo import make, suggestions

    try:
        made = make(folder)
    except FileExistsError as error:
        raise click.UsageError(f"{error}: the demo takes a new folder, `kpi demo DIR`") from error
    what = "made a store in" if made else "the store is already in"
    print(f"{what} {folder}: look at {folder / 'kpis.yml'}\n", file=sys.stderr, flush=True)
    code = run(folder, (), {}, kpis=(), lang=lang, form=form, output=None)
    sys.stdout.flush()
    print(suggestions(folder), file=sys.stderr)
    return code


def _form_of(output: Path | None) -> str:
    return "table" if output is None else SUFFIXES.get(output.suffix.lower(), "table")


def _write(result: Result, form: str, output: Path | None, lang: str) -> None:
    if output is not None:
        content = render(result, form, Style(lang=lang))
        try:
            write_whole(output, content)
        except OSError as error:  # name the file that was asked for, not the one beside it
            raise OSError(error.errno, error.strerror, str(output)) from error
    elif form == "table":
        write(FORMATS[form](result, style_of(sys.stdout, lang)))
    else:
        write(render(result, form, Style(lang=lang)))
