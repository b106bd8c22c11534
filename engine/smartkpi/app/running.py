"""`kpi run` and `kpi demo`: numbers on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from smartkpi.api import load
from smartkpi.app.edge import DATA, FAILED, FINE, SOME_LEFT_OUT, say, worst
from smartkpi.app.terminal import progress_bar, spelled, style_of, write
from smartkpi.assess.standing import Standing
from smartkpi.diagnostics import errors
from smartkpi.report.judged import finding_lines
from smartkpi.report.render import FORMATS, SUFFIXES, render, write_whole
from smartkpi.report.style import Style
from smartkpi.result import Result

SEVERITIES = ("warning", "critical")
BARE = ("csv", "ndjson", "parquet")
"""Formats that have rows alone: what is said beside them goes to stderr."""
CODES = {"definition": SOME_LEFT_OUT, "data": DATA}


WORSE = {"off_track": ("off_track", "missed"), "missed": ("missed",)}
"""What a goal must not be, by the mildest of it."""


def run(
    path: Path,
    names: Sequence[str],
    sets: Mapping[str, str],
    *,
    kpis: Sequence[str],
    lang: str,
    form: str | None,
    output: Path | None,
    fail_on: str | None = None,
    **question: Any,
) -> int:
    """Answer a question about a project, write it, and return the exit code.

    ``fail_on`` is the mildest status that makes it 1, of any row, or goal, that is shown.
    """
    output = None if output == Path("-") else output
    form = form or _form_of(output)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: add --output FILE, or redirect it")
    if question.get("drill") == "*":  # the option alone
        question["drill"] = True
    project = load(path, sets=sets)
    with progress_bar() as progress:
        result = project.run([*names, *kpis], lang=lang, progress=progress, **question)
    say(one for one in result.diagnostics if form in BARE or one.code != "unavailable")  # else the page says it
    _write(result, form, output, lang)
    if form in BARE and result.findings:
        sys.stdout.flush()
        style = style_of(sys.stderr, lang)
        print(spelled("\n".join(finding_lines(result, style)), sys.stderr), file=sys.stderr, flush=True)
    said = SOME_LEFT_OUT if errors(result.diagnostics) else FINE
    return worst((said, _judge(result, fail_on), *(CODES.get(reason, FINE) for reason in result.left_out.values())))


def _judge(result: Result, fail_on: str | None) -> int:
    """Return 1 where some row has a status as bad as that, and name the KPIs on stderr."""
    if fail_on is None:
        return FINE
    if fail_on in WORSE:
        return judge_goals(result.goals.values(), fail_on)
    bad = SEVERITIES[SEVERITIES.index(fail_on) :]
    found = result.frame.filter(result.frame["status"].is_in(bad))["kpi"].unique(maintain_order=True)
    if found.is_empty():
        return FINE
    print(f"{' or '.join(bad)}: {', '.join(found)}", file=sys.stderr, flush=True)
    return FAILED


def judge_goals(standings: Iterable[Standing], fail_on: str | None) -> int:
    """Return 1 where some goal stands as badly as that, and name the goals on stderr."""
    bad = WORSE.get(fail_on or "", ())
    found = dict.fromkeys(one.goal.name for one in standings if one.what_if is None and one.verdict.status in bad)
    if not found:
        return FINE
    print(f"{' or '.join(bad)}: {', '.join(found)}", file=sys.stderr, flush=True)
    return FAILED


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
