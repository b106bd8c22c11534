"""`kpi run --since-last FILE`: what has changed, on stdout and to a webhook; then the file remembers it."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from smartkpi.api import UsageError, load
from smartkpi.api.goal_turns import compare_goals, is_of_goal
from smartkpi.api.project import Project
from smartkpi.api.transitions import Standing, compare, read_state, standings, state_text
from smartkpi.app.edge import FAILED, FINE, SOME_LEFT_OUT, say, worst
from smartkpi.app.running import CODES, SEVERITIES
from smartkpi.app.terminal import write
from smartkpi.diagnostics import Diagnostic, KpiError, errors
from smartkpi.report.render import write_whole
from smartkpi.report.transitions import PLAIN, render, tool_at
from smartkpi.result import Goals

SECONDS = 10
OWN = ("grain", "since", "until", "order_by", "limit", "top", "drill", "complete_only", "output")
"""Options of a run that an alert does not go by."""


def tell(
    path: Path,
    names: Sequence[str],
    sets: Mapping[str, str],
    file: Path,
    url: str | None,
    tool: str | None,
    options: Mapping[str, Any],
) -> int:
    """Print and send what is not as a file remembers it, let the file remember it, and return the exit code.

    Nothing is remembered that could not be sent: the next run tells it again.
    """
    for name in OWN:
        if options.get(name):
            option = name.replace("_", "-")
            raise click.UsageError(f"--since-last goes by each KPI's own periods: leave --{option} out")
    if options["fail_on"] not in (None, *SEVERITIES):
        raise click.UsageError("--since-last goes by the statuses of KPIs: --fail-on takes critical or warning here")
    form = options["form"] or "table"
    if tool is None and form not in PLAIN:
        raise click.UsageError(f"what changed is written as {', '.join(PLAIN)}, not as {form}")
    if url is not None:
        tool = tool or _tool(url)
    before = read_state(file)
    project = load(path, sets=sets)
    now, asked, codes = _standings(project, [*names, *options["kpis"]], options)
    mine = {key: one for key, one in before.items() if not is_of_goal(key)}
    found, kept = compare(mine, now, project.catalog.kpis, options["lang"])
    aims, code = _goals(project, asked, options)
    turned, more = compare_goals(
        {key: one for key, one in before.items() if is_of_goal(key)}, aims, project.catalog.goals, options["lang"]
    )
    found, kept, codes = (*found, *turned), kept | more, [*codes, code]
    text = render(found, form if url is not None or tool is None else tool, options["lang"])
    write(text.encode())
    sys.stdout.flush()
    if url is not None and tool is not None and found:
        send(url, render(found, tool, options["lang"]).encode(), tool)
    write_whole(file, state_text(kept))
    bad = SEVERITIES[SEVERITIES.index(options["fail_on"]) :] if options["fail_on"] else ()
    return worst((*codes, FAILED if any(one.status in bad for one in now) else FINE))


def _goals(project: Project, kpis: Collection[str], options: Mapping[str, Any]) -> tuple[Goals | None, int]:
    """Return how the goals of KPIs stand; under a condition none, as goals have their own."""
    names = [] if options["where"] else [name for name, goal in project.catalog.goals.items() if goal.kpi in kpis]
    if not names:
        return None, FINE
    try:
        found = project.goals(names, as_of=options["as_of"], lang=options["lang"])
    except KpiError as error:  # what KPIs have to tell is told all the same
        say(error.diagnostics)
        return None, SOME_LEFT_OUT
    say(found.diagnostics)
    return found, SOME_LEFT_OUT if errors(found.diagnostics) else FINE


def _standings(
    project: Project, kpis: Sequence[str], options: Mapping[str, Any]
) -> tuple[list[Standing], list[str], list[int]]:
    """Return the alerts of KPIs, each over all periods of its own grain, and which KPIs were asked for."""
    question = {"by": options["by"], "where": options["where"], "as_of": options["as_of"], "total": options["total"]}
    card = project.run(kpis, lang=options["lang"], **question)
    say(card.diagnostics)
    grains: dict[str, list[str]] = {}
    for row in card.frame.select("kpi", "grain").unique(maintain_order=True).iter_rows():
        if _has_bands(project, row[0]):
            grains.setdefault(row[1], []).append(row[0])
    found: list[Standing] = []
    for grain, some in grains.items():
        result = project.run(some, grain=grain, lang=options["lang"], **question)
        found += standings(result, project.catalog.kpis, options["where"] or "")
    said = SOME_LEFT_OUT if errors(card.diagnostics) else FINE
    asked = card.frame["kpi"].unique(maintain_order=True).to_list()
    return found, asked, [said, *(CODES.get(reason, FINE) for reason in card.left_out.values())]


def _has_bands(project: Project, name: str) -> bool:
    kpi = project.catalog.kpis[name]
    return bool(kpi.bands or any(rules.stale_after for rules in kpi.ruled))


def _tool(url: str) -> str:
    host = urlsplit(url).hostname or ""
    found = next(tool_at(host), None)
    if found is None:
        hint = "say which: --notify-as slack, teams, feishu, lark or dingtalk"
        raise UsageError(Diagnostic("cannot-send", f"`{host}` is the webhook of no chat tool that is known", hint=hint))
    return found


def send(url: str, body: bytes, tool: str) -> None:
    """Post a body to a webhook. Raises UsageError (`cannot-send`) where it does not arrive; the URL is a secret."""
    place = f"the webhook of {tool} at `{urlsplit(url).hostname or '?'}`"
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("a webhook begins with https://")
        headers = {"Content-Type": "application/json; charset=utf-8"}
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 (the scheme is held above)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            refused = _refusal(answer.read(10_000))
    except urllib.error.HTTPError as error:
        refused = f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        refused = " ".join(str(reason).replace(url, "…").split())[:200]
    if refused:
        hint = "nothing is remembered: the next run tells it again"
        raise UsageError(Diagnostic("cannot-send", f"{place} did not take it: {refused}", hint=hint))


def _refusal(answer: bytes) -> str:
    """Return what a tool says that answers 200 and means no: a code that is not 0."""
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    code = next((found[name] for name in ("code", "errcode", "StatusCode") if found.get(name)), 0)
    said = next((found[name] for name in ("msg", "errmsg", "StatusMessage") if found.get(name)), "")
    return f"{code} {said}".strip()[:200] if code else ""
