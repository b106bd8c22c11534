"""Literals and constants: values that are known before any row is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, DecimalException
from typing import assert_never

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.types import BARE, BOOLEAN, DATE, DURATION, NULL, PLAIN, TEXT, TIME, UNKNOWN, Kind, Type, Unit
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Expr, Literal
from smartkpi.source import Span

FAILED = Literal(None, UNKNOWN)
"""What stands where an error was: it goes with anything, so that one mistake is reported once."""


@dataclass(frozen=True, slots=True)
class Constants:
    """The project's constants: values by name; ``broken`` those with an error; ``loose`` durations such as `3mo`.

    ``dated`` are those with revisions: their values with the first day of each, None where one has no value before.
    ``durations`` are those written as one, which tell `24h` from `1d`.
    """

    values: Mapping[str, Literal] = field(default_factory=dict)
    broken: Mapping[str, Diagnostic] = field(default_factory=dict)
    loose: Mapping[str, syntax.Duration] = field(default_factory=dict)
    dated: Mapping[str, tuple[tuple[date, Literal | None], ...]] = field(default_factory=dict)
    durations: Mapping[str, syntax.Duration] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        """Return whether a name is a constant, right or not."""
        return name in self.values or name in self.broken or name in self.loose or name in self.dated

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names."""
        return iter((*self.values, *self.broken, *self.loose, *self.dated))

    def at(self, day: date) -> Constants:
        """Return the constants as they are in force on a day; those without a value then stay dated."""
        found = {name: [value for start, value in dated if start <= day][-1] for name, dated in self.dated.items()}
        values = {name: value for name, value in found.items() if value is not None}
        none = {name: dated for name, dated in self.dated.items() if name not in values}
        return replace(self, values={**self.values, **values}, dated=none)

    def value(self, name: str, span: Span, findings: Findings) -> Literal:
        """Return the value of a constant that is known by name; a loose duration has none."""
        if name in self.values:
            return self.values[name]
        if name in self.broken:
            findings.depend(name, self.broken[name])
        elif name in self.dated:
            message = f"`{name}` changes from day to day, here one value for all rows is wanted"
            hint = 'use it in the formula or `where` of a KPI; of a row: `if(time < "2026-04-01", 19%, 20%)`'
            findings.error("dated-constant", message, span, hint)
        else:
            _loose(self.loose[name], span, findings)
        return FAILED


SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?")

_Written = syntax.Number | syntax.Duration | syntax.Text | syntax.Boolean | syntax.Null


def literal(expr: _Written, findings: Findings) -> Literal:
    """Return the value of a literal; durations are seconds, percents already shares."""
    match expr:
        case syntax.Number():
            return _number(expr.value, BARE)
        case syntax.Duration():
            if expr.unit not in SECONDS:
                return _loose(expr, expr.span, findings)
            return _number(Decimal(expr.count) * SECONDS[expr.unit], DURATION)
        case syntax.Text():
            return Literal(expr.value, TEXT)
        case syntax.Boolean():
            return Literal(expr.value, BOOLEAN)
        case syntax.Null():
            return Literal(None, NULL)
        case _:
            assert_never(expr)


def _loose(duration: syntax.Duration, span: Span, findings: Findings) -> Literal:
    hint = "in days it has: `30d`, `90d`, `365d`"
    findings.error("calendar-duration", f"`{duration.count}{duration.unit}` has no fixed length", span, hint)
    return FAILED


def _number(value: Decimal, unit: Unit) -> Literal:
    whole = value == value.to_integral_value() and abs(value) < 2**63
    return Literal(value, Type(Kind.NUMBER, unit, whole=whole))


def constant(expr: syntax.Expr, known: Constants, findings: Findings) -> Literal:
    """Return the value of an expression of literals, constants and `+ - * /`."""
    match expr:
        case syntax.Number() | syntax.Duration() | syntax.Text() | syntax.Boolean() | syntax.Null():
            return literal(expr, findings)
        case syntax.Name() if expr.text in known:
            return known.value(expr.text, expr.span, findings)
        case syntax.Apply(function="neg" | "+" | "-" | "*" | "/"):
            return _fold(expr, tuple(constant(arg, known, findings) for arg in expr.args), findings)
        case _:
            hint = "a number, or a constant by its name"
            findings.error("not-constant", "this is not known before the data is read", expr.span, hint)
            return FAILED


def _fold(expr: syntax.Apply, args: tuple[Literal, ...], findings: Findings) -> Literal:
    if FAILED in args:
        return FAILED
    values = [arg.value for arg in args if isinstance(arg.value, Decimal)]
    units = {arg.type.unit for arg in args} - {BARE, PLAIN}
    if len(values) < len(args) or len(units) > 1:
        findings.error("not-constant", f"`{expr.function}` needs numbers of one unit here", expr.span)
        return FAILED
    try:
        total = -values[0] if expr.function == "neg" else values[0]
        for value in values[1:]:
            match expr.function:
                case "+":
                    total += value
                case "-":
                    total -= value
                case "*":
                    total *= value
                case _:
                    total /= value
    except DecimalException:
        findings.error("not-constant", "this has no value", expr.span)
        return FAILED
    return Literal(total, Type(Kind.NUMBER, units.pop() if units else BARE))


def dated(text: str, wanted: Kind, zone: tzinfo, midnight: bool = False) -> Literal | str:
    """Return the date or time that a text stands for beside a value of that kind, or what is wrong with it.

    A date stays one beside a time (the two are compared by day); with ``midnight`` it becomes its beginning. A time
    without offset is local to ``zone``: of two the earlier, and one that the clocks skip is moved forward. Times
    are kept in UTC: in a zone, Python holds the two hours of a change back for equal.
    """
    try:
        if _DATE.fullmatch(text) and midnight and wanted is Kind.TIME:
            text = f"{text}T00:00"
        elif _DATE.fullmatch(text):
            return Literal(date.fromisoformat(text), DATE)
        if wanted is Kind.TIME and _TIME.fullmatch(text):
            found = datetime.fromisoformat(text)
            aware = found if found.tzinfo else found.replace(tzinfo=zone)
            return Literal(aware.astimezone(UTC), TIME)
    except (ValueError, OverflowError):
        pass
    if wanted is Kind.DATE and _TIME.fullmatch(text):
        return "a date has no time of day: write `2026-01-31`"
    return "write `2026-01-31`" if wanted is Kind.DATE else "write `2026-01-31` or `2026-01-31T18:30`"


def is_text(expr: Expr) -> bool:
    """Return whether an expression is a text that is known before any row is read."""
    return isinstance(expr, Literal) and isinstance(expr.value, str)
