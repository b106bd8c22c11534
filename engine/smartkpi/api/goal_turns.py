"""What has changed in how goals stand since the last time."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from smartkpi.assess.standing import Standing
from smartkpi.report.aims import amount_text, target_text
from smartkpi.result import Goals, Transition

PREFIX = "goal:"
"""What a goal's name begins with in a file that remembers; no KPI has such a name."""
TOLD = ("on_track", "at_risk", "off_track", "achieved", "missed", "paused", "cancelled")
"""Statuses that are news; with any other, such as too early or no data, a goal stays as it was."""
NEWS = ("at_risk", "off_track")
"""Those that are news at the first sight too: what is decided already, or goes well, is none."""


def is_of_goal(key: str) -> bool:
    """Return whether what is remembered is of a goal."""
    return str(json.loads(key)[0]).startswith(PREFIX)


def compare_goals(
    before: Mapping[str, Mapping[str, Any]], now: Goals | None, known: Collection[str], lang: str
) -> tuple[tuple[Transition, ...], dict[str, Mapping[str, Any]]]:
    """Return which goals stand otherwise than remembered, and what to remember. ``known`` are all that are defined."""
    found: list[Transition] = []
    kept: dict[str, Mapping[str, Any]] = {}
    for key, one in before.items():
        name, _, level, segment = json.loads(key)
        goal = name.removeprefix(PREFIX)
        if goal in known:
            kept[key] = one
        elif one.get("status") in NEWS:
            gone = "the goal is no longer defined"
            found.append(Transition("", goal, one["status"], None, level, segment, reason=gone, goal=goal))
    for standing in () if now is None else now.standings:
        level = "total" if standing.segment is None else "segment"
        segment = dict(zip(standing.goal.by, standing.segment or [None] * len(standing.goal.by), strict=True))
        key = json.dumps([f"{PREFIX}{standing.goal.name}", "", level, segment], ensure_ascii=False, sort_keys=True)
        was = before.get(key, {}).get("status")
        status = standing.verdict.status if standing.verdict.status in TOLD else was
        if status != was and (was is not None or status in NEWS):
            found.append(_turned(standing, was, level, segment, now, lang))
        kept[key] = {"status": status, "since": None if standing.since is None else standing.since.isoformat()}
    return tuple(found), kept


def _turned(
    one: Standing, was: str | None, level: str, segment: Mapping[str, str | None], goals: Goals | None, lang: str
) -> Transition:
    info = None if goals is None else goals.kpis.get(one.goal.kpi.name)
    return Transition(
        one.goal.kpi.name,
        one.goal.spec.label.get(lang) or one.goal.name,
        was,
        one.verdict.status,
        level,
        segment,
        since=None if one.since is None else one.since.isoformat(),
        period=one.day.isoformat(),
        value=one.facts.value,
        text=f"{amount_text(info, one.facts.value)} / {target_text(info, one)}",
        goal=one.goal.name,
    )
