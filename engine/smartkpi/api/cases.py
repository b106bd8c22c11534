"""Run the tests of definitions: expected against got, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from smartkpi.api.given import given_catalog
from smartkpi.api.goals import GoalAsk, judge
from smartkpi.api.pipeline import evaluate, open_data
from smartkpi.api.question import parse_grain, parse_moment_of
from smartkpi.assess.diagnoses import Finding
from smartkpi.assess.series import segment_name
from smartkpi.diagnostics import Diagnostic, KpiError, errors
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import parse_key, parse_period
from smartkpi.report.aims import to_frame
from smartkpi.result import Result
from smartkpi.semantics.check import Checked
from smartkpi.semantics.question import Question
from smartkpi.source import Span
from smartkpi.spec.case import Case, Expect
from smartkpi.spec.load import Loaded

RELATIVE, ABSOLUTE = 1e-9, 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell that is not as expected; without a column the whole row is missing, and ``got`` says why.

    ``kpi`` is the KPI, the goal or the diagnosis.
    """

    kpi: str
    period: str | None
    segment: Mapping[str, Any]
    column: str
    expected: Any
    got: Any
    span: Span

    @property
    def written(self) -> str:
        """The expected cell as it stands in the file."""
        return self.span.source.text[self.span.start : self.span.end] if self.column else ""

    @property
    def percent(self) -> bool:
        """Whether the expected cell is written as a percentage."""
        return self.written.strip("'\" ").endswith("%")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test of definitions went. ``diagnostics`` say why it could not run."""

    name: str
    span: Span
    differences: tuple[Difference, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    cells: int = 0

    @property
    def passed(self) -> bool:
        """Whether every cell is as expected."""
        return not self.differences and not errors(self.diagnostics)


@dataclass(frozen=True, slots=True)
class _Group:
    """Expectations that one question answers."""

    grain: Grain | None
    by: tuple[str, ...]
    expects: tuple[Expect, ...]


def run_case(checked: Checked, case: Case, *, optimized: bool = True) -> Outcome:
    """Run one test over the rows that it gives, and over nothing else. The optimizer changes no outcome."""
    of_goals = [expect for expect in case.expect if expect.goal is not None]
    of_diagnoses = [expect for expect in case.expect if expect.diagnosis is not None]
    of_kpis = [expect for expect in case.expect if expect.kpi]
    lost = [expect for expect in of_kpis if expect.kpi not in checked.kpis]
    differences = [_missing(expect, _why_lost(checked, expect.kpi)) for expect in lost]
    kept = [expect for expect in of_kpis if expect.kpi in checked.kpis]
    try:
        differences += _goals_of(checked, case, of_goals, optimized=optimized) if of_goals else []
        differences += _diagnoses_of(checked, case, of_diagnoses, optimized=optimized) if of_diagnoses else []
        catalog, frames = given_catalog(checked, case, _needed(checked, [expect.kpi for expect in kept]))
        opened = open_data(Loaded(catalog, ()), frames)
        problems = errors((*opened.definitions, *opened.data))
        for group in _groups(kept, catalog.calendar):
            runnable = [expect for expect in group.expects if expect.kpi in opened.checked.kpis]
            broken = (expect for expect in group.expects if expect not in runnable)
            differences += [_missing(expect, _message(problems, expect.kpi)) for expect in broken]
            if runnable:
                question = _question(group, runnable, case, catalog.calendar)
                result = evaluate(opened.checked, opened.tables, question, optimized=optimized)
                differences += _compare_all(runnable, result, catalog.calendar)
    except KpiError as error:
        return Outcome(case.name, case.span, tuple(differences), error.diagnostics)
    cells = sum(len(expect.fields) or (expect.diagnosis is not None) for expect in case.expect)
    order = {id(expect): i for i, expect in enumerate(case.expect)}
    spans = {expect.span: order[id(expect)] for expect in case.expect}
    differences.sort(key=lambda one: spans.get(one.span, 0))
    return Outcome(case.name, case.span, tuple(differences), (), cells)


def _goals_of(checked: Checked, case: Case, expects: Sequence[Expect], *, optimized: bool) -> list[Difference]:
    """Return how goals stand otherwise than expected, over the rows that a test gives."""
    goals = {name: goal.spec for name, goal in checked.goals.items()}
    asked = [expect.goal for expect in expects if expect.goal in goals]
    reads = {other for goal in checked.goals.values() for other in (goal.kpi.name, *(rail.kpi for rail in goal.rails))}
    catalog, frames = given_catalog(checked, case, sorted(reads))
    opened = open_data(Loaded(replace(catalog, goals=goals), ()), frames)
    found: list[Difference] = []
    for period in dict.fromkeys(expect.period for expect in expects):
        days = None if period is None else parse_period(catalog.calendar, period)[1:]
        as_of = parse_moment_of(catalog.calendar, case.as_of)
        judged = judge(opened, [name for name in goals if name in opened.checked.goals], as_of, GoalAsk(), days,
                       optimized=optimized)  # fmt: skip
        rows = to_frame(judged.standings).to_dicts()
        for expect in (one for one in expects if one.period == period):
            wrong = errors((*opened.definitions, *opened.data, *judged.problems))
            if expect.goal not in asked or expect.goal not in opened.checked.goals:
                found.append(_missing(expect, _why_no_goal(checked, expect, wrong)))
                continue
            segment = ", ".join(segment_name(value) for value in expect.segment.values()) or None
            row = next((r for r in rows if r["goal"] == expect.goal and r["segment"] == segment), None)
            if row is None:
                found.append(_missing(expect, "; ".join(one.message for one in wrong) or "no such row"))
                continue
            found += _compare(expect, row)
    return found


def _diagnoses_of(checked: Checked, case: Case, expects: Sequence[Expect], *, optimized: bool) -> list[Difference]:
    """Return what is told otherwise than expected: a row says that a diagnosis is told, unless `holds` says else."""
    known = [expect for expect in expects if expect.diagnosis in checked.diagnoses]
    found = [_missing(expect, _why_no_diagnosis(checked, expect)) for expect in expects if expect not in known]
    kpis = dict.fromkeys(name for one in known for name in checked.diagnoses[one.name].kpis)
    catalog, frames = given_catalog(checked, case, _needed(checked, list(kpis)))
    opened = open_data(Loaded(catalog, ()), frames)
    problems = errors((*opened.definitions, *opened.data))
    for group in _groups(known, catalog.calendar):
        lost = [one for one in group.expects if one.diagnosis not in opened.checked.diagnoses]
        found += [_missing(one, _message(problems, "")) for one in lost]
        some = [one for one in group.expects if one not in lost]
        asked = dict.fromkeys(name for one in some for name in checked.diagnoses[one.name].kpis)
        if some:
            question = replace(_question(group, some, case, catalog.calendar), kpis=tuple(asked))
            result = evaluate(opened.checked, opened.tables, question, optimized=optimized)
            for one in some:
                found += _compare_told(one, checked.diagnoses[one.name].kpis, result, catalog.calendar)
    return found


def _compare_told(expect: Expect, kpis: Sequence[str], result: Result, calendar: Calendar) -> list[Difference]:
    if not any(_row(result, replace(expect, kpi=name), calendar) for name in kpis):
        return [_missing(expect, "no such row")]
    told = next((one for one in result.findings if _is_told(one, expect, calendar)), None)
    lacking = ", ".join(f"{kpi} {what}" for kpi, what in told.lacking) if told is not None else ""
    if not expect.fields and (told is None or not told.holds):
        return [_missing(expect, "it is not told" if told is None else f"it cannot be told: {lacking}")]
    return _compare(expect, {"holds": False if told is None else told.holds, "lacking": lacking or None})


def _is_told(one: Finding, expect: Expect, calendar: Calendar) -> bool:
    """Return whether a finding is of the diagnosis, period and segment that are expected."""
    days = _days(calendar, expect.period)
    within = one.start is None if days is None else one.start is not None and days[0] <= one.start.date() < days[1]
    segment = one.segment.keys() == expect.segment.keys()
    same = segment and all(_same(value, expect.segment[name]) for name, value in one.segment.items())
    return one.name == expect.diagnosis and within and same


def _why_no_diagnosis(checked: Checked, expect: Expect) -> str:
    subject = f"diagnosis:{expect.diagnosis}"
    causes = [one.message for one in errors(checked.diagnostics) if one.subject == subject]
    cause = checked.catalog.broken.get(subject)
    causes += [] if cause is None else [cause.message]
    return "; ".join(dict.fromkeys(causes)) or f"no diagnosis is named `{expect.diagnosis}`"


def _needed(checked: Checked, kpis: Iterable[str]) -> Iterable[str]:
    """Return KPIs, and those without which they are not judged as they are: guardrails of goals that they aim at."""
    asked = list(kpis)
    aimed = {name for name in asked if checked.kpis[name].judging.targets}
    rails = [rail.kpi for goal in checked.goals.values() if goal.kpi.name in aimed for rail in goal.rails]
    return dict.fromkeys((*asked, *rails))


def _why_no_goal(checked: Checked, expect: Expect, wrong: Sequence[Diagnostic]) -> str:
    name = f"goal:{expect.goal}"
    causes = [one.message for one in (*errors(checked.diagnostics), *wrong) if one.subject == name]
    cause = checked.catalog.broken.get(name)
    causes += [] if cause is None else [cause.message]
    return "; ".join(dict.fromkeys(causes)) or f"no goal is named `{expect.goal}`, or an error leaves it out"


def _why_lost(checked: Checked, name: str) -> str:
    cause = checked.left_out.get(name)
    return f"no KPI is named `{name}`" if cause is None else f"left out: {cause.message}"


def _message(problems: Sequence[Diagnostic], kpi: str) -> str:
    own = [one for one in problems if one.subject == f"kpi:{kpi}"]
    return "; ".join(dict.fromkeys(one.message for one in own or problems)) or "left out by an error"


def _missing(expect: Expect, why: str) -> Difference:
    return Difference(expect.name, expect.period, expect.segment, "", None, why, expect.span)


def _groups(expects: Iterable[Expect], calendar: Calendar) -> Iterable[_Group]:
    found: dict[tuple[Grain | None, tuple[str, ...]], list[Expect]] = {}
    for expect in expects:
        found.setdefault((_grain(expect, calendar), tuple(sorted(expect.segment))), []).append(expect)
    return (_Group(grain, by, tuple(some)) for (grain, by), some in found.items())


def _grain(expect: Expect, calendar: Calendar) -> Grain | None:
    if isinstance(expect.fields.get("grain"), str):
        return parse_grain(calendar, expect.fields["grain"])
    return None if expect.period is None else parse_key(calendar, expect.period)[0]


def _question(group: _Group, expects: Sequence[Expect], case: Case, calendar: Calendar) -> Question:
    days = [_days(calendar, expect.period) for expect in expects]
    bounded = [pair for pair in days if pair is not None]
    whole = len(bounded) < len(days)
    as_of = case.as_of
    if isinstance(as_of, datetime) and as_of.tzinfo is None:
        as_of = calendar.instant(as_of)
    return Question(
        kpis=tuple(dict.fromkeys(expect.kpi for expect in expects)),
        grain=group.grain,
        by=group.by,
        since=None if whole else min(first for first, _ in bounded),
        until=None if whole else max(end for _, end in bounded),
        where=None,
        as_of=as_of,
    )


def _days(calendar: Calendar, period: str | None) -> tuple[date, date] | None:
    if period is None:
        return None
    grain, key = parse_key(calendar, period)
    return None if key is None else calendar.days(grain, key)


def _compare_all(expects: Sequence[Expect], result: Result, calendar: Calendar) -> list[Difference]:
    found: list[Difference] = []
    for expect in expects:
        row = _row(result, expect, calendar)
        if row is None:
            found.append(_missing(expect, "no such row"))
            continue
        found += _compare(expect, row)
    return found


def _compare(expect: Expect, row: Mapping[str, Any]) -> list[Difference]:
    """Return the cells of a row that are not as expected."""
    found = []
    for column, expected in expect.fields.items():
        if column not in row:
            found.append(_difference(expect, column, expected, f"no column `{column}`"))
        elif not _agrees(column, expected, row[column]):
            found.append(_difference(expect, column, expected, row[column]))
    return found


def _difference(expect: Expect, column: str, expected: Any, got: Any) -> Difference:
    span = expect.spans.get(column, expect.span)
    return Difference(expect.name, expect.period, expect.segment, column, expected, got, span)


def _row(result: Result, expect: Expect, calendar: Calendar) -> dict[str, Any] | None:
    """Return the row that an expectation speaks of: the KPI's, in its period (else its last) and segment."""
    rows = [row for row in result.frame.iter_rows(named=True) if row["kpi"] == expect.kpi]
    grain, key = (Grain.ALL, None) if expect.period is None else parse_key(calendar, expect.period)
    if key is not None:
        first, end = calendar.bounds(grain, key)
        rows = [row for row in rows if row["start"] is None or first <= row["start"].astimezone(UTC) < end]
    rows = [row for row in rows if all(_same(row[name], value) for name, value in expect.segment.items())]
    return rows[-1] if rows else None


def _same(got: Any, expected: Any) -> bool:
    if got is None or expected is None or isinstance(got, bool) or isinstance(expected, bool):
        return got is expected or (isinstance(got, bool) and str(got).lower() == str(expected).lower())
    return bool(got == expected) or str(got) == str(expected)


def _agrees(column: str, expected: Any, got: Any) -> bool:
    """Return whether a cell is as expected; numbers to 12 significant digits."""
    if column == "flags":
        texts = (expected,) if isinstance(expected, str) else expected or ()
        return {flag for text in texts for flag in text.replace(",", " ").split()} == set(got or ())
    number = _number(expected)
    if number is not None and isinstance(got, int | float | Decimal) and not isinstance(got, bool):
        return math.isclose(number, got, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if expected is None or got is None:
        return expected is got
    if isinstance(got, bool):
        return str(expected).lower() == str(got).lower()
    if isinstance(got, datetime):
        return str(expected) in (got.isoformat(), got.date().isoformat())
    return str(expected) == str(got)


def _number(value: Any) -> float | None:
    """Return a number as written in YAML: 20, 0.5, or a text such as 50% or 1_000."""
    match value:
        case bool() | None:
            return None
        case int() | float() | Decimal():
            return float(value)
        case str():
            text = value.strip().replace("_", "")
            try:
                return float(Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1))
            except InvalidOperation:
                return None
        case _:
            return None


def run_cases(checked: Checked) -> list[Outcome]:
    """Run all tests of a project, in order."""
    return [run_case(checked, case) for case in checked.catalog.cases]
