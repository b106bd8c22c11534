"""Goals: the `goals` section, and what a KPI says of its own under `goal` and `goals`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Duration, Expr
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span, Text
from smartkpi.spec.bounds import Folder
from smartkpi.spec.goal import (
    Achievable,
    Baseline,
    Evidence,
    Goal,
    GoalRevision,
    Guardrail,
    Milestone,
    Over,
    Target,
)
from smartkpi.spec.lint import silences
from smartkpi.spec.model import Formula, Labels
from smartkpi.spec.nodes import CUT, Fields, Items, Node, Scalar
from smartkpi.spec.revisions import dated_items
from smartkpi.spec.targets import by_period, by_segment, read_targets
from smartkpi.spec.values import Problems, day, formula, labels, parsed, text, texts

OPERATORS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
YEARS = range(1900, 2501)
EVIDENCE = range(21, 367)
BASELINES = ("previous_period", "same_period_last_year")
_POINTS = re.compile(r"\s*([+-]?)\s*(\d+(?:\.\d+)?)\s*pp\s*", re.ASCII)
_OVER = re.compile(r"(trailing|each)\s+(\S+)")
_LENGTH = re.compile(r"(\d{1,6})(min|mo|[shdwqy])", re.ASCII)
_FORMS = "`goal`, `trailing 28d`, `each month`"


def goals_of_kpi(kpi: str, node: Node, folder: Folder, found: dict[str, Problems]) -> Iterator[Goal]:
    """Yield the goals that a KPI states: `goal` under its name, `goals` under its name, a dot and theirs.

    ``found`` gets the problems of each.
    """
    if not isinstance(node, Fields):
        return
    if isinstance(one := node.get("goal"), Fields):
        key = node.entries["goal"].key
        found.setdefault(kpi, [])
        yield build_goal(kpi, one, key.span, folder, found[kpi], kpi)
    some = node.get("goals")
    for entry in some.entries.values() if isinstance(some, Fields) else ():
        if isinstance(entry.value, Fields):
            name = f"{kpi}.{entry.key.written}"
            found.setdefault(name, [])
            yield build_goal(name, entry.value, entry.key.span, folder, found[name], kpi)


def build_goal(name: str, node: Fields, span: Span, folder: Folder, problems: Problems, kpi: str = "") -> Goal:
    """Return a goal as written; paths start from its folder."""
    evidence = node.get("evidence")
    targets = read_targets(node.get("targets"), folder, problems)
    parts, by = targets.parts, targets.by
    for found in (by_period(node.get("periods"), problems), by_segment(node.get("by"), problems)):
        if found.parts and parts:
            message = "targets by period or segment are given twice"
            problems.append(Diagnostic("goal-targets", message, found.span, "put them all under `targets: {rows: …}`"))
        parts, by = (*parts, *found.parts), by or found.by
    return Goal(
        name=name,
        kpi=kpi or text(node.get("kpi")) or "",
        span=span,
        target=_target(node.get("target"), problems),
        parts=parts,
        by=by,
        deadline=_day(node.get("deadline"), problems),
        start=_day(node.get("start"), problems),
        baseline=_baseline(node.get("baseline"), problems),
        aim=text(node.get("aim")),
        over=_over(node.get("over"), problems),
        label=_labels(node.get("title") or node.get("label")),
        description=_labels(node.get("description")),
        owner=text(node.get("owner")),
        contributors=texts(node.get("contributors")),
        parent=text(node.get("parent")),
        why=_labels(node.get("why")),
        where=_where(node.get("where"), problems),
        stretch=formula(node.get("stretch"), problems),
        path=_word(node.get("path"), "milestones" if node.get("milestones") is not None else "linear"),
        milestones=tuple(_milestones(node.get("milestones"), problems)),
        allow_misses=_whole(node.get("allow_misses"), 0),
        weight=_decimal(node.get("weight"), Decimal(1), problems),
        guardrails=tuple(_guardrails(node.get("guardrails"), problems)),
        evidence=_evidence(evidence, problems),
        achievable=_achievable(node.get("achievable"), problems),
        corrections=_flag(node.get("corrections")),
        lint=tuple(silences(node.get("lint"), problems)),
        settle=_duration(node.get("settle"), problems),
        revisions=tuple(_revisions(node.get("revisions"), problems)),
        stage=_word(node.get("stage"), "active"),
        commitment=_word(node.get("commitment"), "committed"),
        places={key: entry.key.span for key, entry in node.entries.items()},
    )


def _day(node: Node | None, problems: Problems) -> date | None:
    """Return a date that a goal can have."""
    found = day(node, problems)
    if found is None or node is None or found.year in YEARS:
        return found
    hint = f"the years of goals are {YEARS[0]} to {YEARS[-1]}"
    problems.append(Diagnostic("bad-value", f"`{found}` is too far away", node.span, hint))
    return None


def _labels(node: Node | None) -> Labels:
    return Labels() if node is None else labels(node)


def _word(node: Node | None, default: str) -> Any:
    return text(node) or default


def _flag(node: Node | None) -> bool | None:
    return node.data if isinstance(node, Scalar) and isinstance(node.data, bool) else None


def _whole(node: Node | None, default: int) -> int:
    data = node.data if isinstance(node, Scalar) else None
    return data if isinstance(data, int) and not isinstance(data, bool) else default


def _decimal(node: Node | None, default: Decimal, problems: Problems) -> Decimal:
    """Return a number, or a percentage, that is zero or more."""
    if not isinstance(node, Scalar) or (written := text(node)) is None:
        return default
    try:
        found = Decimal(written.strip().removesuffix("%")) / (100 if written.strip().endswith("%") else 1)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        problems.append(Diagnostic("bad-value", f"`{written}` is no number of zero or more", node.span))
        return default
    return found


def _part(node: Node | None, default: float, problems: Problems) -> float:
    """Return a share of the days, which is at most all of them."""
    found = _decimal(node, Decimal(str(default)), problems)
    if found > 1 and isinstance(node, Scalar):
        message = f"`{node.written}` is more than all"
        problems.append(Diagnostic("bad-value", message, node.span, "a share, such as 80%"))
    return float(found)


def _duration(node: Node | None, problems: Problems) -> Duration | None:
    if not isinstance(node, Scalar) or node.data is None:
        return None
    found = parsed(node, parse_formula, problems)
    return found if isinstance(found, Duration) else None


def _target(node: Node | None, problems: Problems) -> Target | None:
    """Return a target; one with a sign is refused: nobody knows whether it is a level or a change."""
    if isinstance(node, Scalar) and node.data is not None:
        if node.written.lstrip()[:1] in ("+", "-", "−"):
            sign, rest = node.written.lstrip()[0], node.written.lstrip()[1:].strip()
            change = f"{'' if sign == '+' else '-'}{rest}"
            grow = f"{{grow: {change}}}" if rest.endswith("%") else f"{{add: {change}}}"
            hint = f"a change is written `{grow}`; a level below zero is a constant, named here"
            message = f"`{node.written}` has a sign: is it a level, or a change of the baseline?"
            problems.append(Diagnostic("signed-target", message, node.span, hint))
            return None
        amount = formula(node, problems)
        return None if amount is None else Target(node.span, amount)
    if not isinstance(node, Fields):
        return None
    some = {key: _amount(node.get(key), problems) for key in ("grow", "add", "min", "max")}
    known = {key for key, value in some.items() if value is not None}
    if known and known not in ({"grow"}, {"add"}) and not known <= {"min", "max"}:
        hint = "one of: `{grow: 10%}`, `{add: 5pp}`, `{min: 35%, max: 45%}`"
        problems.append(Diagnostic("bad-value", "a target is one thing, this says several", node.span, hint))
        return None
    if len(known) == 1 and known <= {"min", "max"}:
        which, aim = ("min", "stay_above") if known == {"min"} else ("max", "stay_below")
        hint = f"write `target: {node.entries[which].value.span.source.text[slice(*_ends(node, which))]}, aim: {aim}`"
        problems.append(Diagnostic("bad-value", "a range has a `min` and a `max`", node.span, hint))
        return None
    return Target(node.span, None, some["grow"], some["add"], some["min"], some["max"]) if known else None


def _ends(node: Fields, key: str) -> tuple[int, int]:
    value = node.entries[key].value
    return value.start, value.end


def _amount(node: Node | None, problems: Problems) -> Formula | None:
    """Return an amount; `5pp` are percentage points."""
    if isinstance(node, Scalar) and (found := _POINTS.fullmatch(node.written)):
        points: Expr = syntax.Number(Decimal(found[2]) / 100, True, node.span)
        return Formula(syntax.Apply("neg", (points,), node.span, node.span) if found[1] == "-" else points, node.text)
    return formula(node, problems)


def _baseline(node: Node | None, problems: Problems) -> Baseline | None:
    if node is None:
        return None
    start = node.get("from") if isinstance(node, Fields) else node
    written = text(start)
    if written is not None and isinstance(start, Scalar):
        if written in BASELINES:
            return Baseline(node.span, named=written)
        if isinstance(node, Fields):
            first, last = _day(start, problems), _day(node.get("to"), problems)
            if first is not None and last is not None:
                return Baseline(node.span, start=first, end=last)
        elif start.style != CUT:
            amount = formula(start, [])
            if amount is not None and not (isinstance(amount.expr, syntax.Name) and did_you_mean(written, BASELINES)):
                return Baseline(node.span, amount)
    message = "this is no baseline"
    hint = did_you_mean(written or "", BASELINES) or (
        "a number, `previous_period`, `same_period_last_year`, or `{from: 2026-04-01, to: 2026-06-30}`"
    )
    problems.append(Diagnostic("bad-value", message, node.span, hint))
    return None


def _over(node: Node | None, problems: Problems) -> Over | None:
    if not isinstance(node, Scalar) or node.data is None:
        return None
    written = node.written.strip()
    if written == "goal":
        return Over("goal")
    found = _OVER.fullmatch(written)
    if found is not None and found[1] == "each":
        return Over("each", grain=found[2])
    if found is not None and (length := _LENGTH.fullmatch(found[2])):
        return Over("trailing", Duration(int(length[1]), length[2], node.span))
    hint = did_you_mean(written, ("goal", "each month", "each week", "each quarter")) or f"one of {_FORMS}"
    problems.append(Diagnostic("bad-value", f"`{written}` is nothing that a goal is over", node.span, hint))
    return None


def _where(node: Node | None, problems: Problems) -> Formula | None:
    """Return a condition; a mapping is short for equalities."""
    if not isinstance(node, Fields):
        return formula(node, problems)
    parts: list[Expr] = []
    for entry in node.entries.values():
        if not isinstance(entry.value, Scalar):
            continue
        span, data = entry.value.span, entry.value.data
        value: Expr
        match data:
            case bool():
                value = syntax.Boolean(data, span)
            case int() | float():
                value = syntax.Number(Decimal(entry.value.written), False, span)
            case _:
                value = syntax.Text(entry.value.written, span)
        path = tuple(entry.key.written.split("."))
        parts.append(syntax.Apply("==", (syntax.Name(path, entry.key.span), value), entry.key.span, entry.key.span))
    if not parts:
        return None
    whole = parts[0] if len(parts) == 1 else syntax.Apply("and", tuple(parts), node.span, node.span)
    return Formula(whole, Text(node.source.text[node.start : node.end], node.span))


def _milestones(node: Node | None, problems: Problems) -> Iterator[Milestone]:
    for item in node.items if isinstance(node, Items) else ():
        by = _day(item.get("by"), problems) if isinstance(item, Fields) else None
        value = formula(item.get("value"), problems) if isinstance(item, Fields) else None
        if isinstance(item, Fields) and by is not None and value is not None:
            yield Milestone(by, value, item.span, _labels(item.get("note")))


def _guardrails(node: Node | None, problems: Problems) -> Iterator[Guardrail]:
    for item in node.items if isinstance(node, Items) else ():
        if not isinstance(item, Fields):
            continue
        bounds = [(key, found) for key in OPERATORS if (found := item.get(key)) is not None]
        if len(bounds) != 1:
            message = "a guardrail has one bound" + (", this has several" if bounds else ", this has none")
            hint = "`at_least`, `at_most`, `above` or `below`; several are several guardrails"
            problems.append(Diagnostic("bad-value", message, item.span, hint))
            continue
        amount = formula(bounds[0][1], problems)
        named = item.get("kpi")
        if amount is not None and named is not None:
            yield Guardrail(text(named) or "", OPERATORS[bounds[0][0]], amount, named.span)


def _evidence(node: Node | None, problems: Problems) -> Evidence:
    usual = Evidence()
    if not isinstance(node, Fields):
        return usual
    days = _whole(written := node.get("days"), usual.days)
    if written is not None and days not in EVIDENCE:
        message = f"{days} days are too {'few' if days < EVIDENCE[0] else 'many'} to tell how it goes on"
        hint = f"{EVIDENCE[0]} to {EVIDENCE[-1]}: at least three weeks"
        problems.append(Diagnostic("bad-value", message, written.span, hint))
    return Evidence(
        min_sample=_whole(node.get("min_sample"), usual.min_sample),
        min_coverage=_part(node.get("min_coverage"), usual.min_coverage, problems),
        min_periods=_whole(node.get("min_periods"), usual.min_periods),
        warmup=_part(node.get("warmup"), usual.warmup, problems),
        days=days,
        projection=_word(node.get("projection"), usual.projection),
    )


def _achievable(node: Node | None, problems: Problems) -> Achievable:
    if not isinstance(node, Fields):
        return Achievable()
    bounds = node.get("bounds")
    low, high = (formula(bounds.get(key), problems) if isinstance(bounds, Fields) else None for key in ("min", "max"))
    return Achievable(_duration(node.get("history"), problems), low, high, _labels(node.get("because")))


def _revisions(node: Node | None, problems: Problems) -> Iterator[GoalRevision]:
    for start, place, item in dated_items(node, problems):
        _day(item.get("from"), problems)
        target, deadline = formula(item.get("target"), problems), _day(item.get("deadline"), problems)
        stage = _word(item.get("stage"), "")
        if target is None and deadline is None and not stage and not problems:
            hint = "give it a `target`, a `deadline` or a `stage`"
            problems.append(Diagnostic("bad-value", f"the revision of {start} changes nothing", place, hint))
        yield GoalRevision(start, target, deadline, _labels(item.get("reason")), place, stage)
