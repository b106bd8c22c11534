"""The function table: every function and operator of the language, with its types, its words, and an example that runs.

To add one: a line here, a line in each engine's table, a conformance case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from smartkpi.language import units
from smartkpi.language.infer import (
    Infer,
    Rule,
    as_stored,
    by,
    chosen,
    gives,
    joined,
    keeps,
    numbers_to,
    shifted,
    takes,
    unitless,
    value_and,
    wants,
)
from smartkpi.language.types import BOOLEAN, DATE, NUMBER, TEXT, TIME, UNKNOWN, WHOLE, Kind

FunctionKind = Literal["scalar", "row", "aggregate", "time", "segment", "funnel"]


COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "not between"))
"""What compares values of one kind."""


class Example(NamedTuple):
    """An expression and its value, both in the language; one without a value is not run.

    Formulas are computed over all of SAMPLE; those of ``row`` functions hold in each of its orders.
    """

    expression: str
    value: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function or operator. ``scalar`` ones stand in rows and in formulas, ``row`` ones in rows only.

    ``infer`` takes the types of the arguments and gives the result's, or says what does not fit. The arguments of an
    aggregate are its values, without `where`: none for `count(event)`.
    """

    name: str
    kind: FunctionKind
    signature: str
    doc: str
    example: Example
    infer: Infer


SAMPLE: Mapping[str, tuple[Mapping[str, Any], ...]] = MappingProxyType(
    {
        "visit": tuple({"time": f"2026-01-0{day}T08:00:00", "visitor": f"v{day}"} for day in range(1, 9)),
        "order": (
            {"time": "2026-01-05T09:30:00", "buyer": "a", "amount": 10, "channel": "ads", "country": "BR"},
            {"time": "2026-01-06T14:00:00", "buyer": "b", "amount": 30, "channel": "mail", "country": "BR"},
            {"time": "2026-01-06T18:45:00", "buyer": "a", "amount": 20, "channel": None, "country": "BR"},
        ),
    }
)

SAMPLE_FUNNELS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "purchase": {"steps": ["visit", "order"]},
        "again": {"steps": ["order", {"is": "order", "as": "next"}], "by": "buyer"},
    }
)

SAMPLE_COHORTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"buyers": {"of": "buyer", "start": "order", "return": "order", "grain": "year"}}
)

Arity = int | tuple[int, int | None]
Row = tuple[str, str, Arity, Rule, str, str, str]

holds = wants(Kind.BOOLEAN, result=BOOLEAN)
text_to_text, text_test = wants(Kind.TEXT, result=TEXT), wants(Kind.TEXT, result=BOOLEAN)
day_part = wants(Kind.TIME, Kind.DATE, result=WHOLE)
order, compare = by(units.order), by(units.compare)
share_of, place_of = numbers_to(NUMBER), numbers_to(WHOLE)

# name, signature, number of arguments, rule of types, example and its value, what it does
# fmt: off
OPERATORS: tuple[Row, ...] = (
    ("+", "a + b", (2, None), by(units.add), "1 + 2", "3", "Adds numbers of one unit, or a duration to a time."),
    ("-", "a - b", 2, by(units.subtract), "3 - 1", "2",
     "Subtracts numbers of one unit. A time less a time is a duration."),
    ("*", "a * b", (2, None), by(units.multiply), "2 * 3 * 4", "24",
     "Multiplies. At most one part has a unit, which the result keeps."),
    ("/", "a / b", 2, by(units.divide), "order / visit", "0.375",
     "Divides. By 0 it is undefined: null, with the reason. Money by a count is money; equal units cancel."),
    ("^", "a ^ b", 2, unitless, "-2 ^ 2", "-4", "Raises to a power; binds tighter than a sign before it."),
    ("neg", "-a", 1, keeps, "-(1 + 2)", "-3", "Changes the sign."),
    ("==", "a == b", 2, compare, "1 == 2", "false", "Equal; `=` is read as `==`. False where a part is null."),
    ("!=", "a != b", 2, compare, "1 != 2", "true", "Not equal; `<>` is read as `!=`. True where a part is null."),
    ("<", "a < b", 2, order, "1 < 2", "true", "Less. False where a part is null."),
    ("<=", "a <= b", 2, order, "2 <= 2", "true", "Less or equal. False where a part is null."),
    (">", "a > b", 2, order, "1 > 2", "false", "Greater. False where a part is null."),
    (">=", "a >= b", 2, order, "2 >= 2", "true", "Greater or equal. False where a part is null."),
    ("and", "c and d", (2, None), holds, "1 < 2 and 2 < 3", "true", "Both hold."),
    ("or", "c or d", (2, None), holds, "1 > 2 or 2 < 3", "true", "At least one holds."),
    ("not", "not c", 1, holds, "not 1 > 2", "true", "The opposite: true wherever c is not."),
    ("in", "x in (a, b, …)", (2, None), compare, "2 in (1, 2)", "true", "Equal to one of a list. False for null."),
    ("not in", "x not in (a, b, …)", (2, None), compare, "3 not in (1, 2)", "true",
     "Equal to none of a list. True for null."),
    ("between", "x between a and b", 3, order, "2 between 1 and 2", "true", "At least a, at most b. False for null."),
    ("not between", "x not between a and b", 3, order, "3 not between 1 and 2", "true",
     "Below a or above b. True for null."),
    ("is null", "x is null", 1, gives(BOOLEAN), "1 / 0 is null", "true", "There is no value."),
    ("is not null", "x is not null", 1, gives(BOOLEAN), "1 / 0 is not null", "false", "There is a value."),
)

SCALARS: tuple[Row, ...] = (
    ("if", "if(c, a, b)", 3, chosen, "if(order > 2, 1, 0)", "1", "a where c holds, else b; of one type and unit."),
    ("coalesce", "coalesce(a, b, …)", (2, None), by(units.join), "coalesce(1 / 0, 5)", "5",
     "The first of its arguments that is not null."),
    ("abs", "abs(x)", 1, keeps, "abs(-3)", "3", "The size of a number, without its sign."),
    ("round", "round(x), round(x, digits)", (1, 2), keeps, "round(2.5)", "3",
     "Rounds to whole numbers, or to digits behind the point; halves away from zero."),
    ("floor", "floor(x)", 1, keeps, "floor(-1.5)", "-2", "The next whole number at or below."),
    ("ceil", "ceil(x)", 1, keeps, "ceil(1.2)", "2", "The next whole number at or above."),
    ("ln", "ln(x)", 1, unitless, "ln(1)", "0", "The natural logarithm; null for 0 and below."),
    ("log10", "log10(x)", 1, unitless, "log10(1000)", "3", "The logarithm to base 10; null for 0 and below."),
    ("exp", "exp(x)", 1, unitless, "exp(0)", "1", "e to the power of x."),
    ("sqrt", "sqrt(x)", 1, unitless, "sqrt(9)", "3", "The square root; null below 0."),
    ("least", "least(a, b, …)", (2, None), joined, "least(3, 1, 2)", "1", "The smallest; null if one is null."),
    ("greatest", "greatest(a, b, …)", (2, None), joined, "greatest(3, 1, 2)", "3",
     "The largest; null if one is null."),
    ("mod", "mod(a, b)", 2, joined, "mod(-7, 3)", "2",
     "What is left of a divided by b, with the sign of b; null if b is 0."),
)

ROWS: tuple[Row, ...] = (
    ("col", 'col("any column")', 1, gives(UNKNOWN), 'col("country")', '"BR"',
     "A column by its exact name, where the name is no identifier or is reserved."),
    ("lower", "lower(t)", 1, text_to_text, 'lower("ADS")', '"ads"', "In small letters."),
    ("upper", "upper(t)", 1, text_to_text, 'upper("br")', '"BR"', "In capital letters."),
    ("trim", "trim(t)", 1, text_to_text, 'trim(" a ")', '"a"', "Without blanks at both ends."),
    ("contains", "contains(t, part)", 2, text_test, 'contains("newsletter", "news")', "true",
     "Whether a text has a part, letter by letter. False for null."),
    ("starts_with", "starts_with(t, part)", 2, text_test, 'starts_with("/shop/cart", "/shop")', "true",
     "Whether a text begins with a part. False for null."),
    ("ends_with", "ends_with(t, part)", 2, text_test, 'ends_with("a@example.com", ".org")', "false",
     "Whether a text ends with a part. False for null."),
    ("matches", "matches(t, pattern)", 2, text_test, 'matches("A-17", "^[A-Z]-[0-9]+$")', "true",
     "Whether a regular expression is found in a text, in linear time. False for null."),
    ("hour_of_day", "hour_of_day(t)", 1, wants(Kind.TIME, result=WHOLE),
     'hour_of_day(parse_time("05.01.2026 14:30", "%d.%m.%Y %H:%M"))', "14", "The local hour, 0 to 23."),
    ("day_of_week", "day_of_week(t)", 1, day_part, "day_of_week(make_date(2026, 1, 5))", "1",
     "The local day of the week, 1 (Monday) to 7."),
    ("day_of_month", "day_of_month(t)", 1, day_part, "day_of_month(make_date(2026, 1, 5))", "5",
     "The local day of the month, 1 to 31."),
    ("month_of_year", "month_of_year(t)", 1, day_part, "month_of_year(make_date(2026, 1, 5))", "1",
     "The local month, 1 to 12."),
    ("date", "date(t)", 1, wants(Kind.TIME, Kind.DATE, result=DATE), "date(epoch_s(0))", '"1970-01-01"',
     "The local day of a time."),
    ("start_of", "start_of(t, grain)", 2, value_and(wants(Kind.TIME, Kind.DATE, result=DATE)),
     "start_of(make_date(2026, 2, 17), month)", '"2026-02-01"',
     "The first day of the period that holds a time: a day to a year, or one that the calendar lists; null outside."),
    ("epoch_s", "epoch_s(x)", 1, wants(Kind.NUMBER, result=TIME), "epoch_s(86400) - epoch_s(0)", "1d",
     "The time that is x seconds after 1970 began in UTC."),
    ("epoch_ms", "epoch_ms(x)", 1, wants(Kind.NUMBER, result=TIME), "epoch_ms(1000) - epoch_ms(0)", "1s",
     "The time that is x milliseconds after 1970 began in UTC."),
    ("make_date", "make_date(year, month, day)", 3, wants(Kind.NUMBER, result=DATE), "make_date(2026, 1, 5)",
     '"2026-01-05"', "A date of three numbers; null if there is no such day."),
    ("parse_time", "parse_time(t, pattern)", 2, wants(Kind.TEXT, result=TIME),
     'date(parse_time("05.01.2026", "%d.%m.%Y"))', '"2026-01-05"',
     "A time of a text, by a pattern such as `%d.%m.%Y %H:%M`; null where the text does not fit."),
)

AGGREGATES: tuple[Row, ...] = (
    ("count", "count(event)", (0, 1), gives(WHOLE), "count(order where amount > 15)", "2",
     "How many; of an event that is already counted, the total of its counts. A bare event's name is its count."),
    ("sum", "sum(event.field)", 1, as_stored, "sum(order.amount)", "60",
     "The total of a field; 0 where covered but without rows."),
    ("avg", "avg(event.field)", 1, keeps, 'avg(order.amount where channel == "ads")', "10",
     "The mean of a field over the rows that have it; no data without any."),
    ("min", "min(event.field)", 1, keeps, "min(order.amount)", "10", "The smallest value; no data without rows."),
    ("max", "max(event.field)", 1, keeps, "max(order.amount)", "30", "The largest value; no data without rows."),
    ("distinct", "distinct(event.field)", 1, gives(WHOLE), "distinct(order.buyer)", "2",
     "How many different values; null is none."),
    ("approx_distinct", "approx_distinct(event.field)", 1, gives(WHOLE), "approx_distinct(order.buyer)", "2",
     "About how many different values, in little memory: off by 1.6 % as a rule, rarely by 5 %."),
    ("median", "median(event.field)", 1, keeps, "median(order.amount)", "20",
     "The middle value, or the mean of the two in the middle; no data without any."),
    ("quantile", "quantile(event.field, share), quantile(event.field, share, nearest)", (2, 3), value_and(keeps),
     "quantile(order.amount, 75%)", "25",
     "The value at a share of the way through the sorted values, between neighbours linearly, or the `nearest`."),
    ("stddev", "stddev(event.field)", 1, keeps, "stddev(order.amount)", "10",
     "The standard deviation, as of a sample; undefined for a single value, no data without any."),
    ("first", "first(event.field)", 1, as_stored, "first(order.amount)", "10",
     "The value of the earliest row that has one; of several, that with the smallest key, then the smallest value."),
    ("last", "last(event.field)", 1, as_stored, "last(order.amount)", "20",
     "The value of the latest row that has one; of several, that with the largest key, then the largest value."),
)

SEGMENTS: tuple[Row, ...] = (
    ("total", "total(x)", 1, as_stored, "order / total(visit)", "0.375",
     "x over all segments of the question, computed anew from its rows, never summed."),
    ("share", "share(x), share(x, field)", (1, 2), value_and(share_of), "share(order)", "1",
     "x as a share of its total, or of the total within a field's value."),
    ("rank", "rank(x)", 1, value_and(place_of), "rank(order)", "1",
     "The place of a segment, 1 the best by the KPI's direction; ties share a place: 1 2 2 4. Null has none."),
)

TIMES: tuple[Row, ...] = (
    ("trailing", "trailing(x, window)", 2, shifted(), "trailing(order / visit, 28d)", "0.375",
     "x over a window that ends with the period."),
    ("to_date", "to_date(x, grain)", 2, value_and(keeps), "to_date(order, year)", "3",
     "x from the start of the month, quarter, … that holds the period's end."),
    ("cumulative", "cumulative(x)", 1, keeps, "cumulative(order)", "3", "x over all rows up to the period's end."),
    ("previous", "previous(x), previous(x, shift)", (1, 2), shifted(), "previous(order, 1y)", "null",
     "x in the period before, or so much earlier."),
    ("change", "change(x), change(x, shift)", (1, 2), shifted(), "change(order)", "null",
     "x less its previous value."),
    ("growth", "growth(x), growth(x, shift)", (1, 2), shifted(NUMBER), "growth(order, 1y)", "null",
     "x divided by its previous value, less 1; undefined where that is 0 or below."),
)

FUNNELS: tuple[Row, ...] = (
    ("step_count", "step_count(funnel, step)", 2, gives(WHOLE), "step_count(purchase, order)", "3",
     "How many reach a step of a funnel."),
    ("step_rate", "step_rate(funnel, step)", 2, gives(NUMBER), "step_rate(purchase, order)", "0.375",
     "How many of those that reach the step before reach a step of a funnel."),
    ("overall_rate", "overall_rate(funnel, step)", 2, gives(NUMBER), "overall_rate(purchase, order)", "0.375",
     "How many of a funnel's first step reach a step."),
    ("drop_off", "drop_off(funnel, step)", 2, gives(WHOLE), "drop_off(purchase, order)", "5",
     "How many reach the step before and no further."),
    ("step_time", "step_time(funnel, step)", 2, gives(NUMBER), "step_time(again, next)", "33h + 15min",
     "The median time from the step before; of a funnel with `by`."),
)

COHORTS: tuple[Row, ...] = (
    ("cohort_size", "cohort_size(cohort)", 1, gives(WHOLE), "cohort_size(buyers)", "2", "How many are in a cohort."),
    ("returned", "returned(cohort, n)", 2, as_stored, "returned(buyers, 1)", "null",
     "How many of a cohort return in the n-th period after their first, or what they bring; null until it is over."),
    ("retention", "retention(cohort, n)", 2, gives(NUMBER), "retention(buyers, 1)", "null",
     "The share of a cohort that returns in the n-th period, or the amount as a share of that of the first; so too."),
)

# fmt: on


def _function(kind: FunctionKind, row: Row) -> Function:
    name, signature, arity, rule, expression, value, doc = row
    low, high = (arity, arity) if isinstance(arity, int) else arity
    shown = "-" if name == "neg" else name
    infer = takes(shown, low, high, rule(shown))
    return Function(name, kind, signature, doc, Example(expression, value), infer)


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        function.name: function
        for function in (
            *(_function("scalar", row) for row in (*OPERATORS, *SCALARS)),
            *(_function("row", row) for row in ROWS),
            *(_function("aggregate", row) for row in AGGREGATES),
            *(_function("segment", row) for row in SEGMENTS),
            *(_function("time", row) for row in TIMES),
            *(_function("funnel", row) for row in (*FUNNELS, *COHORTS)),
        )
    }
)
