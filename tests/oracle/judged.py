"""Statuses: bands, conditions on what a value is held against, segments of their own, samples too small to judge by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist
from typing import Any

from smartkpi.language import syntax
from smartkpi.language.parse import parse_formula
from smartkpi.source import text_of
from smartkpi.spec.goal import Goal
from smartkpi.spec.model import Catalog, Formula, Kpi, Threshold
from smartkpi.tree import walk
from tests.oracle.values import TESTS, NoNames, compare, evaluate

BESIDE = ("previous", "benchmark")


@dataclass(frozen=True)
class Held(NoNames):
    """What the names of a condition stand for."""

    known: Mapping[str, Any] = None  # type: ignore[assignment]

    def value(self, name: syntax.Name) -> Any:
        return self.known[name.text]


@dataclass(frozen=True)
class Judged:
    """A value to be judged: of how many, in which segment (texts by dimension); ``beside`` computes what it names.

    ``days`` are the first and last of its period; ``pure``: its rows are all of the segment, picked by nothing else.
    """

    value: Any
    n: int | None
    segment: Mapping[str, str]
    beside: Callable[[str], Any]
    days: tuple[date, date]
    pure: bool


def names_in(kpi: Kpi) -> set[str]:
    """What the conditions of a KPI name."""
    written = (*kpi.thresholds, *kpi.rules.thresholds, *(one for r in kpi.revisions for one in r.thresholds))
    exprs = [one.band for one in written if not isinstance(one.band, syntax.Band)]
    return {node.text for expr in exprs for node in walk(expr) if isinstance(node, syntax.Name)}


def beside(kpi: Kpi, shifts: bool) -> dict[str, Kpi]:
    """KPIs that give what a KPI's value is held against; ``shifts``: its window is a shift at its grain."""
    found = {}
    window = f", {kpi.window.count}{kpi.window.unit}" if kpi.window and shifts else ""
    if names_in(kpi) & {"previous", "growth"}:
        found["previous"] = f"previous({kpi.name}{window})"
    held = kpi.rules.benchmark
    if held is not None and held.formula is not None and is_computed(held.formula.expr):
        found["benchmark"] = held.formula.text.value
    return {
        name: Kpi(f"{kpi.name}.{name}", Formula(parse_formula(text_of(text)), text_of(text)), kpi.span, grain=kpi.grain)
        for name, text in found.items()
    }


def is_computed(expr: syntax.Expr) -> bool:
    return any(isinstance(node, syntax.Name) for node in walk(expr))


def is_judged(kpi: Kpi, row: Judged) -> bool:
    return bool(bands_of(kpi, row))


def bands_of(kpi: Kpi, row: Judged) -> tuple[Threshold, ...]:
    """The bands of the first segment that has its own, else the general ones."""
    for scope in kpi.rules.scopes:
        if row.segment.get(scope.dimension) == scope.value:
            return scope.thresholds
    return kpi.thresholds


def benchmark(kpi: Kpi, row: Judged) -> float | None:
    held = kpi.rules.benchmark
    if held is None:
        return None
    for one in held.rows:
        if all(row.segment.get(name) == value for name, value in one.segment):
            return float(evaluate(one.formula.expr, NoNames()))
    if held.formula is None:
        return None
    return row.beside("benchmark") if is_computed(held.formula.expr) else float(evaluate(held.formula.expr, NoNames()))


def targets(goal: Goal, kpi: Kpi, row: Judged) -> Iterator[float]:
    """The target of a goal for a value: a period's for a total over it, or a ratio in it; a ratio's of the whole.

    Read here: goals over whole months, over each one of them, or over all; by one field or none.
    """
    ratio = isinstance(kpi.formula.expr, syntax.Apply) and kpi.formula.expr.function == "/"
    first, last = row.days
    segments = {part.segment for part in goal.parts}
    mine = tuple(row.segment[name] for name in goal.by) if {*goal.by} == {*row.segment} else ()
    if {*row.segment} - {*goal.by} or (row.segment and mine not in segments):
        return
    amounts = [(part.period, part.segment, float(evaluate(part.amount.expr, NoNames()))) for part in goal.parts]
    if goal.target is not None and goal.target.amount is not None:
        amounts.append((None, (), float(evaluate(goal.target.amount.expr, NoNames()))))
    spans = {period: span_of(period, goal) for period, _, _ in amounts}
    fits = [
        (segment, amount)
        for period, segment, amount in amounts
        if spans[period] == row.days or (ratio and spans[period][0] <= first and last <= spans[period][1])
    ]
    yield from (amount for segment, amount in fits if segment == mine)
    if not mine and not ratio and fits and not any(segment == () for segment, _ in fits):
        yield sum(amount for _, amount in fits)


def span_of(period: str | None, goal: Goal) -> tuple[date, date]:
    """The first and last day of a month, or of a goal."""
    if period is None:
        assert goal.start is not None
        assert goal.deadline is not None
        return goal.start, goal.deadline
    year, month = map(int, period.split("-"))
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def is_low(kpi: Kpi, row: Judged) -> bool:
    least = kpi.rules.min_sample
    return least is not None and row.value is not None and (row.n is None or row.n < least)


def status(kpi: Kpi, row: Judged, catalog: Catalog) -> str:
    """The status of a value that has one, in a period that is complete."""
    if is_low(kpi, row):
        return "inconclusive"
    bands = bands_of(kpi, row)
    found = next((one for band in bands if (one := judge(kpi, band, row, catalog))), "critical")
    if kpi.rules.confidence is None or found == "good":
        return found
    low, high = wilson(row.value, row.n, float(evaluate(kpi.rules.confidence.expr, NoNames())))
    order = [*(band.status for band in bands), "critical"]
    for band in bands[: order.index(found)]:
        assert isinstance(band.band, syntax.Band)
        bounds = [float(evaluate(bound, NoNames())) for bound in band.band.bounds]
        nearest = min(max(bounds[0], low), high)  # of all possible values the one that is nearest to the band
        inside = bool({">", "<", "!="} & {band.band.operator}) and low < high
        tried = (low, high, *((nearest,) if not inside else ()))
        if any(in_band(one, band.band) for one in tried):
            return "inconclusive" if band.status == "good" else band.status
    return found


def wilson(p: float, n: int | None, confidence: float) -> tuple[float, float]:
    """The interval of the shares whose normal score test would not refuse what was seen: by its two roots."""
    assert n is not None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return (float(f"{max((-b - root) / (2 * a), 0):.12g}"), float(f"{min((-b + root) / (2 * a), 1):.12g}"))


def judge(kpi: Kpi, band: Threshold, row: Judged, catalog: Catalog) -> str | None:
    """The status of a band that holds, none of one that does not; inconclusive where it cannot be told."""
    if isinstance(band.band, syntax.Band):
        return band.status if in_band(row.value, band.band) else None
    names = {node.text for node in walk(band.band) if isinstance(node, syntax.Name)}
    known: dict[str, Any] = {"value": row.value}
    for name, constant in catalog.constants.items():
        if name in names and constant.formula is not None:
            known[name] = evaluate(constant.formula.expr, NoNames())
    if names & {"previous", "growth"}:
        before = known["previous"] = row.beside("previous")
        known["growth"] = row.value / before - 1 if before is not None and before > 0 else None
    if "benchmark" in names:
        known["benchmark"] = benchmark(kpi, row)
    if "target" in names:
        aims = (one for goal in catalog.goals.values() if goal.kpi == kpi.name for one in targets(goal, kpi, row))
        known["target"] = next(aims, None) if row.pure else None
    found = truth(band.band, known)
    return "inconclusive" if found is None else band.status if found else None


def in_band(value: float, band: syntax.Band) -> bool:
    bounds = [evaluate(bound, NoNames()) for bound in band.bounds]
    operators = [">=", "<="] if band.operator == "between" else [band.operator]
    return all(holds(value, operator, bound) for operator, bound in zip(operators, bounds, strict=True))


def holds(value: float, operator: str, bound: Any) -> bool:
    return not compare("==", value, bound, "UTC") if operator == "!=" else compare(operator, value, bound, "UTC")


def truth(expr: syntax.Expr, known: Mapping[str, Any]) -> bool | None:
    """Whether a condition holds; None where that depends on a comparison with null."""
    assert isinstance(expr, syntax.Apply)
    parts = [truth(arg, known) for arg in expr.args] if expr.function in ("and", "or", "not") else []
    match expr.function:
        case "and":
            return False if False in parts else None if None in parts else True
        case "or":
            return True if True in parts else None if None in parts else False
        case "not":
            return None if parts[0] is None else not parts[0]
        case _:
            args = [digits(evaluate(arg, Held(known=known))) for arg in expr.args]
            if None in args and not expr.function.startswith("is "):
                return None
            return TESTS[expr.function](args, "UTC")


def digits(number: Any) -> Any:
    """A number as values are delivered: whole, or of twelve significant digits."""
    if number is None or float(number) == int(number):
        return number
    return float(f"{float(number):.12g}")
