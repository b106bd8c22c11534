"""Small rules that the function table is made of: how many arguments, of which types, and what comes out.

Each takes the function's name, for its messages, and gives the rule.
"""

from __future__ import annotations

from collections.abc import Callable

from smartkpi.language import units
from smartkpi.language.types import BOOLEAN, DURATION, UNKNOWN, Kind, Type
from smartkpi.language.units import Mismatch, Outcome, Types, describe

Infer = Callable[[Types], Outcome]
Rule = Callable[[str], Infer]


def takes(name: str, low: int, high: int | None, rule: Infer) -> Infer:
    """Count the arguments first: from low to high, or without end."""

    def infer(types: Types) -> Outcome:
        if low <= len(types) and (high is None or len(types) <= high):
            return rule(types)
        wanted = str(low) if high == low else f"at least {low}" if high is None else f"{low} or {high}"
        plural = "" if wanted == "1" else "s"
        got = "none" if not types else str(len(types))
        extra = high if high is not None and len(types) > high else -1
        return Mismatch(f"`{name}` takes {wanted} argument{plural}, here it has {got}", extra)

    return infer


def by(infer: Callable[[Types], Outcome]) -> Rule:
    """Use a rule that needs no name."""
    return lambda name: infer


def gives(result: Type) -> Rule:
    """Take anything, give one type."""
    return lambda name: lambda types: result


def wants(*kinds: Kind, result: Type) -> Rule:
    """Ask each argument for one of some kinds."""

    def named(name: str) -> Infer:
        wanted = " or ".join(describe(Type(kind)) for kind in kinds).replace("a plain number", "a number")

        def infer(types: Types) -> Outcome:
            for i, type_ in enumerate(types):
                if type_.kind not in (*kinds, Kind.UNKNOWN, Kind.NULL):
                    what = describe(type_)
                    return Mismatch(f"`{name}` takes {wanted} here; this is {what}", i, ((i, what),))
            return result

        return infer

    return named


def keeps(name: str) -> Infer:
    """Keep the unit of a number; further arguments are plain numbers."""

    def infer(types: Types) -> Outcome:
        wrong = units.numbers(name, types)
        rest = units.unitless(name, types[1:])
        if wrong or isinstance(rest, Mismatch):
            return wrong or _moved(rest, 1)
        return units.of_unit(types[0].unit) if types[0].kind is Kind.NUMBER else UNKNOWN

    return infer


def as_stored(name: str) -> Infer:
    """Keep a number as it is, whole or decimal too."""
    return lambda types: units.numbers(name, types) or (types[0] if types[0].kind is Kind.NUMBER else UNKNOWN)


def numbers_to(result: Type) -> Rule:
    """Take numbers of any unit, give one type."""
    return lambda name: lambda types: units.numbers(name, types) or result


def value_and(rule: Rule) -> Rule:
    """Look at the first argument only: the others are words, such as a grain."""
    return lambda name: lambda types: rule(name)(types[:1])


def unitless(name: str) -> Infer:
    """Take plain numbers only."""
    return lambda types: units.unitless(name, types)


def joined(name: str) -> Infer:
    """Take numbers of one unit, and give one of it."""

    def infer(types: Types) -> Outcome:
        outcome = units.numbers(name, types) or units.join(types)
        if isinstance(outcome, Mismatch) or outcome.kind is not Kind.NUMBER:
            return outcome
        return units.of_unit(outcome.unit)

    return infer


def chosen(name: str) -> Infer:
    """Take a condition, then values of one type."""
    condition = wants(Kind.BOOLEAN, result=BOOLEAN)(name)

    def infer(types: Types) -> Outcome:
        wrong = condition(types[:1])
        return wrong if isinstance(wrong, Mismatch) else _moved(units.join(types[1:]), 1)

    return infer


def shifted(result: Type | None = None) -> Rule:
    """Take a number and perhaps a duration; give the number's type, or another."""

    def named(name: str) -> Infer:
        def infer(types: Types) -> Outcome:
            wrong = units.numbers(name, types)
            if wrong is None and len(types) > 1 and types[1].kind is Kind.NUMBER and types[1].unit != DURATION:
                what = describe(types[1])
                hint = "such as `28d` or `1y`"
                wrong = Mismatch(f"`{name}` takes a duration here; this is {what}", 1, ((1, what),), hint)
            return wrong or result or keeps(name)(types[:1])

        return infer

    return named


def _moved(outcome: Outcome, by: int) -> Outcome:
    """Number the arguments of a mismatch from the start of all, not from where a rule began."""
    if not isinstance(outcome, Mismatch):
        return outcome
    parts = tuple((i + by, what) for i, what in outcome.parts)
    return Mismatch(outcome.message, outcome.argument + by, parts, outcome.hint)
