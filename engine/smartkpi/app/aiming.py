"""`kpi goals`: how goals stand, on stdout or in a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from smartkpi.api import load
from smartkpi.app.edge import FINE, SOME_LEFT_OUT, say, worst
from smartkpi.app.running import CODES, judge_goals
from smartkpi.app.terminal import progress_bar, style_of, write
from smartkpi.diagnostics import errors
from smartkpi.report.goals import FORMATS
from smartkpi.report.render import SUFFIXES, write_whole
from smartkpi.report.style import Style


def goals(
    path: Path,
    names: Sequence[str],
    sets: Mapping[str, str],
    *,
    fail_on: str | None,
    lang: str,
    form: str | None,
    output: Path | None,
    **question: Any,
) -> int:
    """Show how goals of a project stand and return the exit code."""
    output = None if output == Path("-") else output
    form = form or ("table" if output is None else SUFFIXES.get(output.suffix.lower(), "table"))
    if form not in FORMATS:
        raise click.UsageError(f"goals are written as {', '.join(FORMATS)}, not as {form}")
    project = load(path, sets=sets)
    chart = form == "table" and len(names) == 1 and not (question.get("history") or question.get("required"))
    with progress_bar() as progress:
        found = project.goals(names, lang=lang, progress=progress, course=chart, **question)
    say(found.diagnostics)
    if output is not None:
        content = FORMATS[form](found, Style(lang=lang)).encode()
        try:
            write_whole(output, content)
        except OSError as error:  # name the file that was asked for, not the one beside it
            raise OSError(error.errno, error.strerror, str(output)) from error
    else:
        write(FORMATS[form](found, style_of(sys.stdout, lang) if form == "table" else Style(lang=lang)))
    said = SOME_LEFT_OUT if errors(found.diagnostics) else FINE
    failed = judge_goals(found.standings, fail_on)
    return worst((said, failed, *(CODES.get(reason, FINE) for reason in found.left_out.values())))
