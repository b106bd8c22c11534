"""Whether goals are specific, measurable, achievable, relevant and timely: each rule held against each goal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.calendar import Calendar
from smartkpi.rules import LETTERS, Rule, rules
from smartkpi.semantics.formula import TypedKpi
from smartkpi.semantics.goal import Segment, TypedGoal
from smartkpi.source import Span
from smartkpi.spec.goal import Goal

Mark = Literal["pass", "warn", "fail", "unknown", "silenced"]
WORST: tuple[Mark, ...] = ("fail", "warn", "unknown", "pass")
OF_LEVEL: Mapping[str, Mark] = {"error": "fail", "warning": "warn", "note": "unknown"}
NOT_READ = "no data was read"
UNREADABLE = "cannot be told before the error is mended"
MEND = "`kpi check` shows the place"


@dataclass(frozen=True, slots=True)
class Part:
    """What the data says of a goal, or of one segment of it.

    ``prior`` is the value of as long a time before the goal, ``growths`` how such values changed from one such time to
    the next, ``needed`` the change that the target asks for: quotients, or differences where ``differs``. ``rows`` are
    those expected at the deadline, ``error`` the standard error of the value over the goal's length, ``chance`` the
    probability that the target is met if all goes on as before. Where each period has a target, ``needs`` are the
    changes that each asks for, ``needed`` is one in the middle; ``against`` says what is compared with.
    """

    segment: Segment | None
    target: float | None
    upper: float | None = None
    baseline: float | None = None
    met: bool = False
    prior: float | None = None
    growths: tuple[float, ...] = ()
    needed: float | None = None
    differs: bool = False
    rows: float | None = None
    error: float | None = None
    chance: float | None = None
    unreachable: bool = False
    needs: tuple[float, ...] = ()
    against: str = "as long before"


@dataclass(frozen=True, slots=True)
class Known:
    """What the data says of a goal: up to which day, on which share of the last days, which rows its events had.

    ``rows`` are by event those of the last ``recent`` days, None where they cannot be counted; ``horizons`` is how many
    times as long as the goal its past is, of a goal by periods how many changes it has; ``lacking`` says what there is
    too little of; ``awaited`` is the day on which the baseline will be known, if it is not yet.
    """

    last: date | None
    coverage: float
    recent: int
    rows: tuple[tuple[str, int | None], ...]
    parts: tuple[Part, ...]
    horizons: float
    awaited: date | None = None
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A goal as it is judged: as written, as far as it could be read, with what was wrong, and what the data says.

    ``goals`` and ``kpis`` are all of the project, ``unread`` why there is no data; ``bare``: it has no dataset at all.
    """

    name: str
    spec: Goal | None
    goal: TypedGoal | None
    calendar: Calendar
    goals: Mapping[str, TypedGoal]
    kpis: Mapping[str, TypedKpi]
    refused: tuple[Diagnostic, ...] = ()
    known: Known | None = None
    unread: str = NOT_READ
    origins: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says where it does not simply hold; without a mark it is broken, as much as its level says."""

    message: str
    write: str = ""
    mark: Mark | None = None
    place: Span | None = None


Judge = Callable[[Case], Said | None]
"""What holds one rule against a goal; None: it holds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How a goal stands by one rule: what is wrong, what to write, and why it is silenced, if it is."""

    rule: Rule
    mark: Mark
    message: str = ""
    write: str = ""
    place: Span | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """A goal, rule by rule; ``lineage`` says which rows its KPI is counted from, ``days`` are its first and last."""

    goal: str
    spec: Goal | None
    findings: tuple[Finding, ...]
    lineage: tuple[str, ...] = ()
    days: tuple[date, date] | None = None

    def mark(self, letter: str) -> Mark:
        """Return how it stands by the rules of a letter: the worst of them, those that are silenced apart."""
        marks = {one.mark for one in self.findings if one.rule.letter == letter}
        return next((mark for mark in WORST if mark in marks), "pass")

    @property
    def smart(self) -> Literal["yes", "no", "unknown"]:
        """Whether no rule fails, and by each letter at least one holds."""
        if any(one.mark == "fail" for one in self.findings):
            return "no"
        held = {one.rule.letter for one in self.findings if one.mark in ("pass", "silenced")}
        return "yes" if held == set(LETTERS) else "unknown"


CAUSES: Mapping[str, str] = {
    "unknown-kpi": "S1",
    "depends-on-broken": "M1",
    "signed-target": "S2",
    "goal-target": "S2",
    "goal-targets": "S2",
    "goal-aim": "S2",
    "unmatched-target": "S5",
    "unit-mismatch": "S6",
    "goal-window": "M1",
    "goal-direction": "M3",
    "unknown-goal": "R1",
    "goal-cycle": "R1",
    "goal-dates": "T1",
    "goal-path": "T4",
    "goal-revision": "T7",
    "unknown-field": "S5",
    "bad-dimension": "S5",
}
"""The rule that an error of a definition breaks."""
KEYS: Mapping[str, str] = {
    "kpi": "S1",
    "target": "S2",
    "targets": "S2",
    "by": "S5",
    "where": "S5",
    "owner": "S4",
    "baseline": "M2",
    "deadline": "T2",
    "start": "T2",
    "milestones": "T4",
    "revisions": "T7",
    "parent": "R1",
    "achievable": "A1",
}
"""The rule that an error at a key breaks, where its code does not tell."""


def score(case: Case, judges: Mapping[str, Judge]) -> Score:
    """Return how a goal stands by each rule of SMART."""
    broken = _broken_by(case)
    findings = [_finding(case, rule, broken.get(rule.code), judges) for rule in rules().values() if rule.letter]
    lineage = () if case.goal is None else tuple(case.origins.get(e, e) for e in sorted(case.goal.kpi.events))
    days = None if case.goal is None else (case.goal.start, case.goal.last())
    return Score(case.name, case.spec, tuple(findings), lineage, days)


def _finding(case: Case, rule: Rule, cause: Diagnostic | None, judges: Mapping[str, Judge]) -> Finding:
    if cause is not None:
        return Finding(rule, "fail", _message(cause), cause.hint or MEND, cause.span)
    if case.refused and not _is_spoken(case, rule):
        return Finding(rule, "unknown", UNREADABLE)
    said = judges[rule.code](case)
    if said is None:
        return Finding(rule, "pass")
    mark = said.mark or OF_LEVEL[rule.level]
    place = said.place or (None if case.spec is None else case.spec.span)
    found = Finding(rule, mark, said.message, said.write, place)
    silence = next((one for one in (case.spec.lint if case.spec is not None else ()) if one.rule == rule.code), None)
    return found if silence is None else replace(found, mark="silenced", reason=silence.reason)


AS_WRITTEN = ("S3", "S4", "R2")
"""Rules that need nothing but what is written."""


def _is_spoken(case: Case, rule: Rule) -> bool:
    return case.goal is not None or (case.spec is not None and rule.code in AS_WRITTEN)


def _broken_by(case: Case) -> dict[str, Diagnostic]:
    """Return the errors of a goal by the rule that each breaks, the first of each."""
    found: dict[str, Diagnostic] = {}
    for one in case.refused:
        found.setdefault(_rule_of(case, one), one)
    return found


def _rule_of(case: Case, one: Diagnostic) -> str:
    key = _key(case.spec, one.span)
    if one.code in ("unit-mismatch", "goal-target") and key in ("baseline", "stretch"):
        return "M2" if key == "baseline" else "S6"
    return CAUSES.get(one.code) or KEYS.get(key, "S2")


def _key(spec: Goal | None, span: Span | None) -> str:
    """Return the key of a goal that a place is behind."""
    if span is None:
        return ""
    if spec is None:
        line = span.source.text[: span.start].rpartition("\n")[2]
        keys: list[str] = re.findall(r"([a-z_]+):(?= |$)", line)
        return keys[-1] if keys else ""
    before = [
        (one.start, key) for key, one in spec.places.items() if one.source is span.source and one.start <= span.start
    ]
    return max(before, default=(0, ""))[1]


def _message(cause: Diagnostic) -> str:
    """Return what an error says; of one that follows from another, what that one says."""
    if cause.code == "depends-on-broken" and cause.notes:
        return cause.notes[0].message.removeprefix("the cause: ")
    return cause.message


def over_parts(case: Case, judge: Callable[[Part], Said | None]) -> Said | None:
    """Return what is said of a goal and its segments together: the worst, and of how many."""
    assert case.known is not None
    said = [(part, one) for part in case.known.parts if (one := judge(part)) is not None]
    if not said:
        return None
    level = {"fail": 0, None: 0, "warn": 1, "unknown": 2}
    said.sort(key=lambda pair: level.get(pair[1].mark, 3))
    part, first = said[0]
    same = [other for other, one in said if one.mark == first.mark]
    if part.segment is None:
        return first
    names = ", ".join(_name(other) for other in same[:3]) + (f" and {len(same) - 3} more" if len(same) > 3 else "")
    told = f"{_name(part)}: {first.message}" if len(same) == 1 else f"{names}; such as {_name(part)}: {first.message}"
    return replace(first, message=told)


def _name(part: Part) -> str:
    return "all together" if part.segment is None else ", ".join(part.segment)


def worst(marks: Iterable[Mark]) -> Mark:
    """Return the worst of some marks."""
    found = set(marks)
    return next((mark for mark in WORST if mark in found), "pass")
