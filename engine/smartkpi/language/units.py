"""Which values go together, and what comes out: kinds and units of sums, products, quotients and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from smartkpi.language.types import BARE, BOOLEAN, DURATION, MONEY, PLAIN, SCORE, UNKNOWN, Kind, Type, Unit
from smartkpi.language.types import NUMBER as PLAIN_NUMBER

Types = tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a function does not take what it was given.

    ``message`` is whole by itself. ``argument`` is the part to point at, -1 for the function's name; ``parts`` say of
    each part at odds what it is, as (argument, "money in USD"), for notes that show the analyst's own words.
    """

    message: str
    argument: int = -1
    parts: tuple[tuple[int, str], ...] = ()
    hint: str = ""


Outcome = Type | Mismatch
NAMES = {PLAIN.name: "a plain number", BARE.name: "a number", DURATION.name: "a duration", SCORE.name: "a score"}
KINDS = {Kind.TEXT: "text", Kind.BOOLEAN: "true/false", Kind.TIME: "a time", Kind.DATE: "a date", Kind.NULL: "null"}


def describe(type_: Type) -> str:
    """Say in the analyst's words what a value is: "money in USD", "a plain number", "text"."""
    if type_.kind is not Kind.NUMBER:
        return KINDS.get(type_.kind, "unknown")
    if type_.unit.name == MONEY.name:
        return f"money in {type_.unit.currency}" if type_.unit.currency else "money"
    return NAMES[type_.unit.name]


def of_unit(unit: Unit) -> Type:
    """Return the type of computed numbers of a unit."""
    return Type(Kind.NUMBER, unit)


def join_units(left: Unit, right: Unit) -> Unit | None:
    """Return the common unit of two numbers, None where they have none. A bare number takes the other's unit."""
    if left == right or right == BARE:
        return left
    if left == BARE:
        return right
    if left.name == right.name == MONEY.name and (left.currency is None or right.currency is None):
        return left if right.currency is None else right
    return None


def _open(*types: Type) -> bool:
    return any(t.kind is Kind.UNKNOWN for t in types)


def _differ(verb: str, types: Types, i: int, hint: str = "") -> Mismatch:
    """Say that argument i does not go with those before it."""
    known = [j for j in range(i) if types[j].kind not in (Kind.NULL, Kind.UNKNOWN)]
    other = next((j for j in known if types[j].unit != BARE), known[0])
    left, right = describe(types[other]), describe(types[i])
    return Mismatch(f"{left} and {right} cannot be {verb}", i, ((other, left), (i, right)), hint)


def join(types: Types, verb: str = "mixed") -> Outcome:
    """Return the one type that all values have; whole and decimal only where all are.

    Null goes with anything; so does what is unknown, but it leaves the others to go together, and the type open.
    """
    found: Type | None = None
    for i, type_ in enumerate(types):
        if type_.kind in (Kind.NULL, Kind.UNKNOWN):
            continue
        if found is None:
            found = type_
            continue
        unit = join_units(found.unit, type_.unit)
        if found.kind is not type_.kind or unit is None:
            return _differ(verb, types, i, _join_hint(found, type_))
        found = Type(found.kind, unit, found.whole and type_.whole, found.decimal and type_.decimal)
    if _open(*types):
        return UNKNOWN
    return found if found is not None else Type(Kind.NULL)


def _join_hint(left: Type, right: Type) -> str:
    kinds = {left.kind, right.kind}
    if kinds == {Kind.TIME, Kind.DATE}:
        return "`date(…)` makes a date of a time"
    if Kind.NUMBER in kinds and Kind.TEXT in kinds:
        return "a number stands without quotes" if right.kind is Kind.TEXT else "quotes make a text of a number"
    if kinds == {Kind.BOOLEAN, Kind.TEXT}:
        return "`true` and `false` stand without quotes"
    names = {left.unit.name, right.unit.name}
    if names == {MONEY.name} and kinds == {Kind.NUMBER}:
        return "amounts of different currencies need rates"
    if names == {MONEY.name, PLAIN.name} and kinds == {Kind.NUMBER}:
        return "money goes with money; divide it by a count instead?"
    return ""


def add(types: Types) -> Outcome:
    """`+`: numbers of one unit; a time and durations."""
    return _fold(types, lambda a, b: _moved(a, b) or _moved(b, a), "added")


def subtract(types: Types) -> Outcome:
    """`-`: numbers of one unit; a time less a duration; a time less a time, which is a duration."""

    def times(a: Type, b: Type) -> Type | None:
        same = a.kind is b.kind and a.kind in (Kind.TIME, Kind.DATE)
        return of_unit(DURATION) if same else _moved(a, b)

    return _fold(types, times, "subtracted")


def _moved(moment: Type, by: Type) -> Type | None:
    is_moment = moment.kind in (Kind.TIME, Kind.DATE)
    return moment if is_moment and by.kind is Kind.NUMBER and by.unit == DURATION else None


def _fold(types: Types, times: Callable[[Type, Type], Type | None], verb: str) -> Outcome:
    total, opened = types[0], False
    for i, type_ in enumerate(types):
        if type_.kind in (Kind.TEXT, Kind.BOOLEAN):
            hint = "count rows with `count(… where …)`" if type_.kind is Kind.BOOLEAN else ""
            parts = tuple((j, describe(t)) for j, t in enumerate(types) if j == i or t.kind is not type_.kind)
            return Mismatch(f"{describe(type_)} cannot be {verb}", i, parts, hint)
        if i == 0:
            continue
        if _open(total, type_):
            opened, total = True, _whatever(total, type_)
            continue
        moved = times(total, type_)
        if moved is None and {total.kind, type_.kind} & {Kind.TIME, Kind.DATE}:
            return _differ(verb, types, i, _moment_hint(total, type_))
        outcome = moved or join((total, type_), verb)
        if isinstance(outcome, Mismatch):
            return _differ(verb, types, i, outcome.hint)
        total = outcome
    return UNKNOWN if opened else _computed(total)


def _whatever(left: Type, right: Type) -> Type:
    """Return what a sum is whatever the unknown one of two parts may be: beside a duration it may be a time."""
    known = right if _open(left) else left
    return known if known.kind is Kind.NUMBER and known.unit != DURATION else UNKNOWN


def _moment_hint(left: Type, right: Type) -> str:
    if right.kind is Kind.NUMBER:
        return "write a duration such as `7d`"
    if left.kind is Kind.NUMBER:
        return "the time comes first"
    return _join_hint(left, right) or "the duration between two times is `later - earlier`"


def _computed(type_: Type) -> Type:
    """Forget how a number is stored: arithmetic gives a new one."""
    return replace(type_, whole=False, decimal=False) if type_.kind is Kind.NUMBER else type_


def numbers(name: str, types: Types) -> Mismatch | None:
    """Say which argument is no number, if any."""
    for i, type_ in enumerate(types):
        if type_.kind not in (Kind.NUMBER, Kind.NULL, Kind.UNKNOWN):
            what = describe(type_)
            return Mismatch(f"`{name}` takes numbers; this is {what}", i, ((i, what),))
    return None


def _product(left: Unit, right: Unit) -> Unit | None:
    if left == BARE:
        return right
    if right in (BARE, PLAIN):
        return left
    if left == PLAIN:
        return right
    return PLAIN if left == right == SCORE else None


def multiply(types: Types) -> Outcome:
    """`*`: at most one part has a unit of its own."""
    wrong = numbers("*", types)
    if wrong or _open(*types):
        return wrong or UNKNOWN
    total = BARE
    for i, type_ in enumerate(types):
        unit = _product(total, type_.unit)
        if unit is None:
            hint = "a duration divided by `1h` is a plain number" if DURATION in (total, type_.unit) else ""
            return _differ("multiplied", types, i, hint)
        total = unit
    return of_unit(total)


def divide(types: Types) -> Outcome:
    """`/`: equal units cancel; a unit divided by a plain number stays."""
    wrong = numbers("/", types)
    if wrong or _open(*types):
        return wrong or UNKNOWN
    above, below = types[0].unit, types[1].unit
    if MONEY.name == above.name == below.name and join_units(above, below) is None:
        return _differ("divided", types, 1, "amounts of different currencies need rates")
    if below == BARE:
        return of_unit(above)
    stays = (below == PLAIN and above != BARE) or (above.name == MONEY.name and below == DURATION)
    return of_unit(above if stays else PLAIN)


def unitless(name: str, types: Types) -> Outcome:
    """Functions of plain numbers only: powers, logarithms, roots."""
    wrong = numbers(name, types)
    if wrong or _open(*types):
        return wrong or PLAIN_NUMBER
    for i, type_ in enumerate(types):
        if type_.unit not in (PLAIN, BARE, SCORE):
            hint = "divide by an amount of the same unit first"
            return Mismatch(
                f"`{name}` takes plain numbers; this is {describe(type_)}", i, ((i, describe(type_)),), hint
            )
    return of_unit(BARE if all(t.unit == BARE for t in types) else PLAIN)


def compare(types: Types) -> Outcome:
    """`==`, `in`, `between`, …: values of one kind and unit; null has its own test."""
    for i, type_ in enumerate(types):
        if type_.kind is Kind.NULL:
            return Mismatch("nothing compares with null", i, (), "write `is null` or `is not null`")
    kinds = {t.kind for t in types}
    if kinds <= {Kind.TIME, Kind.DATE, Kind.UNKNOWN}:
        return BOOLEAN  # a time is compared with a date by its local day
    outcome = join(types, "compared")
    return outcome if isinstance(outcome, Mismatch) else BOOLEAN


def order(types: Types) -> Outcome:
    """`<`, `between`, …: as compare, but true/false has no order."""
    for i, type_ in enumerate(types):
        if type_.kind is Kind.BOOLEAN:
            return Mismatch(
                "true/false has no order", i, ((i, describe(type_)),), "write `==`, `not` or the condition alone"
            )
    return compare(types)
