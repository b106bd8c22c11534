"""Values of one row: what an expression gives, with null in and null out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from smartkpi.language import syntax
from tests.oracle.days import localize

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Names(Protocol):
    """What an expression sees: values by name, columns by exact name, the project's zone and the dataset's."""

    @property
    def zone(self) -> str: ...

    @property
    def naive_zone(self) -> str: ...

    def value(self, name: syntax.Name) -> Any: ...

    def column(self, name: str) -> Any: ...

    def spelt(self, name: str, value: Any) -> Any: ...

    def start_of(self, time: Any, grain: str) -> Any: ...


def clean(value: Any, names: Names) -> Any:
    """A value as data has it, made ours: NaN and infinity are null, times are aware and in the project's zone."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else localize(value, names.naive_zone)
        return aware.astimezone(UTC).astimezone(ZoneInfo(names.zone))
    return value


def evaluate(expr: syntax.Expr, names: Names) -> Any:
    """The value of a row expression."""
    match expr:
        case syntax.Number(value):
            return int(value) if value == value.to_integral_value() else float(value)
        case syntax.Duration(count, unit):
            return count * SECONDS[unit]
        case syntax.Text(value) | syntax.Boolean(value):
            return value
        case syntax.Null():
            return None
        case syntax.Name():
            return clean(names.value(expr), names)
        case syntax.Apply("col", (syntax.Text(column),)):
            return clean(names.column(column), names)
        case syntax.Apply("start_of", (time, syntax.Name((grain,)))):
            return names.start_of(evaluate(time, names), grain)
        case syntax.Apply("if", (condition, then, otherwise)):
            return evaluate(then if holds(condition, names) else otherwise, names)
        case syntax.Apply("and", args):
            return all(holds(arg, names) for arg in args)
        case syntax.Apply("or", args):
            return any(holds(arg, names) for arg in args)
        case syntax.Apply("not", (arg,)):
            return not holds(arg, names)
        case syntax.Apply("==" | "!=" | "in" | "not in" as function, args):
            values = [evaluate(arg, names) for arg in args]
            field = next((arg.text for arg in args if isinstance(arg, syntax.Name)), None)
            if field is not None:
                texts = [isinstance(arg, syntax.Text) for arg in args]
                values = [names.spelt(field, v) if text else v for v, text in zip(values, texts, strict=True)]
            return clean(apply(function, values, names.zone), names)
        case syntax.Apply(function, args):
            return clean(apply(function, [evaluate(arg, names) for arg in args], names.zone), names)
        case _:
            raise AssertionError(f"not an expression over a row: {expr}")


def holds(condition: syntax.Expr, names: Names) -> bool:
    """Whether a condition is true; null is not."""
    return evaluate(condition, names) is True


def apply(function: str, args: list[Any], zone: str) -> Any:
    """A function of the values of its arguments; conditions are true or false, all else is null where one is."""
    if function in TESTS:
        return TESTS[function](args, zone)
    if function == "coalesce":
        return next((arg for arg in args if arg is not None), None)
    if any(arg is None for arg in args):
        return False if function in ("contains", "starts_with", "ends_with", "matches") else None
    if function in ("+", "-") and any(isinstance(arg, date) for arg in args):
        return shift(function, args, zone)
    if function in NUMERIC:
        return numeric(function, [float(arg) for arg in args])
    return OTHER[function](*args)


def same_kind(a: Any, b: Any, zone: str) -> tuple[Any, Any]:
    """Two values ready to compare: a text beside a time is read as one, a date beside a time makes it a date."""
    if isinstance(a, str) and isinstance(b, date):
        a = read_time(a, zone)
    if isinstance(b, str) and isinstance(a, date):
        b = read_time(b, zone)
    if isinstance(a, datetime) != isinstance(b, datetime) and isinstance(a, date):
        return day_of(a), day_of(b)
    if isinstance(a, float | Decimal) or isinstance(b, float | Decimal):
        return float(a), float(b)
    return a, b


def day_of(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def read_time(text: str, zone: str) -> date:
    """A text literal as a date, or as a time (a naive one is local)."""
    if len(text) <= 10:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else localize(moment, zone)).astimezone(ZoneInfo(zone))


def compare(operator: str, a: Any, b: Any, zone: str) -> bool:
    """A comparison; with null it is false."""
    if a is None or b is None:
        return False
    return ORDER[operator](*same_kind(a, b, zone))


def between(args: list[Any], zone: str) -> bool:
    value, low, high = args
    return compare(">=", value, low, zone) and compare("<=", value, high, zone)


def within(args: list[Any], zone: str) -> bool:
    value, *options = args
    return any(compare("==", value, option, zone) for option in options)


TESTS: dict[str, Callable[[list[Any], str], bool]] = {
    **{op: lambda args, zone, op=op: compare(op, args[0], args[1], zone) for op in ORDER},
    "!=": lambda args, zone: not compare("==", args[0], args[1], zone),
    "between": between,
    "not between": lambda args, zone: not between(args, zone),
    "in": within,
    "not in": lambda args, zone: not within(args, zone),
    "is null": lambda args, zone: args[0] is None,
    "is not null": lambda args, zone: args[0] is not None,
}


def shift(function: str, args: list[Any], zone: str) -> Any:
    """Times: their difference in seconds, or one that is moved by a duration."""
    first, second = args
    if isinstance(first, datetime) and isinstance(second, datetime):  # within one zone Python compares clocks
        return (first.astimezone(UTC) - second.astimezone(UTC)).total_seconds()
    if isinstance(first, date) and isinstance(second, date):
        return (first - second).total_seconds()
    if not isinstance(first, date):
        first, second = second, first
    moved = timedelta(seconds=second if function == "+" else -second)
    if isinstance(first, datetime):
        return (first.astimezone(UTC) + moved).astimezone(ZoneInfo(zone))
    return first + moved


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def numeric(function: str, args: list[float]) -> float | None:
    """Arithmetic in floating point; what has no finite result is null."""
    try:
        result = NUMERIC[function](*args)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(result, complex) else finite(result)


def round_away(x: float, digits: float = 0) -> float:
    """Half away from zero, as one does by hand: scale, round, scale back."""
    scale = 10.0**digits
    scaled = abs(x) * scale
    if not math.isfinite(scaled) or scaled >= 2**52:
        return x
    whole = math.floor(scaled)
    return math.copysign((whole + (scaled - whole >= 0.5)) / scale, x)


def make_date(year: float, month: float, day: float) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def parse_time(text: str, pattern: str) -> date | None:
    """A time by its pattern; a pattern without a clock gives a date."""
    try:
        moment = datetime.strptime(text, pattern)
    except ValueError:
        return None
    return moment if any(mark in pattern for mark in ("%H", "%I", "%T")) else moment.date()


NUMERIC: dict[str, Callable[..., Any]] = {
    "+": lambda *args: sum(args[1:], start=args[0]),
    "-": lambda a, b: a - b,
    "*": lambda *args: math.prod(args[1:], start=args[0]),
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    "neg": lambda a: -a,
    "abs": abs,
    "round": round_away,
    "floor": lambda a: float(math.floor(a)),
    "ceil": lambda a: float(math.ceil(a)),
    "ln": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "mod": lambda a, b: a % b,
    "least": min,
    "greatest": max,
}
OTHER: dict[str, Callable[..., Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "contains": lambda text, part: part in text,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "hour_of_day": lambda time: time.hour,
    "day_of_week": lambda time: time.isoweekday(),
    "day_of_month": lambda time: time.day,
    "month_of_year": lambda time: time.month,
    "date": day_of,
    "make_date": make_date,
    "parse_time": parse_time,
    "epoch_s": lambda x: datetime.fromtimestamp(0, UTC) + timedelta(seconds=x),
    "epoch_ms": lambda x: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=x),
}


@dataclass(frozen=True)
class NoNames:
    """Names of an expression that has none, such as a constant."""

    zone: str = "UTC"
    naive_zone: str = "UTC"

    def value(self, name: syntax.Name) -> Any:
        raise KeyError(name.text)

    def column(self, name: str) -> Any:
        raise KeyError(name)

    def start_of(self, time: Any, grain: str) -> Any:
        raise KeyError(grain)

    def spelt(self, name: str, value: Any) -> Any:
        return value
