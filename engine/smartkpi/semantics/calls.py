"""Functions and operators: whether they may stand here, and what type they give."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import tzinfo
from decimal import Decimal
from enum import StrEnum

from smartkpi.diagnostics import Note
from smartkpi.language import syntax
from smartkpi.language.functions import COMPARISONS, FUNCTIONS
from smartkpi.language.parse import is_name
from smartkpi.language.types import BOOLEAN, DATE, NULL, NUMBER, UNKNOWN, Kind, Type
from smartkpi.language.units import Mismatch
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Apply, Expr, Literal
from smartkpi.semantics.literals import FAILED, dated, is_text
from smartkpi.semantics.patterns import check_format, check_pattern, has_clock
from smartkpi.source import Span

DATED = COMPARISONS | {"-", "coalesce", "if"}
"""What brings its arguments to one kind: a text beside a time or a date stands for one."""

WHOLE_RESULTS = frozenset({"round", "floor", "ceil"})
"""What gives whole numbers, when it has one argument: such a field can be a segment or a count."""


_DISTINCT = "write `distinct(order.buyer)`"
_DIVIDE = "write `a / b`: a division by zero is undefined, not an error"
_START = "write `start_of(t, month)`; periods of the rows' own time are asked for by `grain`"
_CLOCK = "nothing reads the clock, so that answers stay: write a date in quotes, or ask with `--since`"
ELSEWHERE = {
    **dict.fromkeys(("mean", "average"), "write `avg(…)`"),
    **dict.fromkeys(("unique", "nunique", "uniq", "count_distinct", "countdistinct", "countd", "dcount"), _DISTINCT),
    **dict.fromkeys(("len", "length", "size", "counta", "n"), "write `count(order)`"),
    **dict.fromkeys(("countif", "countifs", "count_if"), "write `count(order where …)`"),
    **dict.fromkeys(("sumif", "sumifs", "sum_if"), "write `sum(order.amount where …)`"),
    **dict.fromkeys(("averageif", "avgif", "avg_if"), "write `avg(order.amount where …)`"),
    **dict.fromkeys(("ifnull", "nvl", "isnull", "zeroifnull"), "write `coalesce(x, 0)`, or `x is null` in a condition"),
    **dict.fromkeys(("nullif", "div0", "divide", "safe_divide", "iferror"), _DIVIDE),
    **dict.fromkeys(("iff", "iif", "ifelse", "case"), "write `if(condition, value, otherwise)`"),
    **dict.fromkeys(("now", "today", "current_date", "getdate", "sysdate"), _CLOCK),
    **dict.fromkeys(("pow", "power"), "write `x ^ y`"),
    **dict.fromkeys(("log",), "write `ln(x)` or `log10(x)`"),
    **dict.fromkeys(("percentile", "percentile_cont", "p90", "p95", "p99"), "write `quantile(order.amount, 95%)`"),
    **dict.fromkeys(("substring", "substr", "left", "right"), "write `starts_with(…)`, `ends_with(…)` or `matches(…)`"),
    **dict.fromkeys(("hour", "hourofday"), "write `hour_of_day(time)`"),
    **dict.fromkeys(("weekday", "dayofweek"), "write `day_of_week(time)`"),
    **dict.fromkeys(("month", "year", "day", "week", "date_trunc", "trunc"), _START),
    **dict.fromkeys(("todate", "to_timestamp", "strptime", "str_to_date"), 'write `parse_time(x, "%d.%m.%Y")`'),
}
"""How functions of other languages are written here, by their names in small letters."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Place(StrEnum):
    """Where a function stands: over one row, or over aggregates."""

    ROW = "row"
    FORMULA = "formula"


def call(expr: syntax.Apply, args: tuple[Expr, ...], zone: tzinfo, findings: Findings) -> Expr:
    """Return a function that fits its place applied to typed arguments; what is wrong goes to ``findings``."""
    if expr.function in DATED:
        args = _date_texts(expr, args, zone, findings)
    if FAILED in args:
        return FAILED
    if expr.function == "-" and _DATE.fullmatch(written(expr.span)):
        hint = f'write `"{written(expr.span)}"`'
        findings.error("bad-date", f"a date stands in quotes; `{written(expr.span)}` is a difference", expr.span, hint)
        return FAILED
    if expr.function in COMPARISONS and {Kind.TIME, Kind.DATE} <= {arg.type.kind for arg in args}:
        return _compare_days(expr, args, findings)
    type = infer(expr, tuple(arg.type for arg in args), findings)
    if type is UNKNOWN and findings.failed:
        return FAILED
    if expr.function in WHOLE_RESULTS and len(args) == 1 and type.kind is Kind.NUMBER:
        type = replace(type, whole=True)
    if expr.function == "neg" and isinstance(args[0], Literal) and isinstance(args[0].value, Decimal):
        return Literal(-args[0].value, args[0].type)
    return _literal_arguments(expr, Apply(expr.function, args, type), findings)


def fits(expr: syntax.Apply, place: Place, findings: Findings) -> bool:
    """Return whether a function exists and may stand here; say so where not."""
    function = FUNCTIONS.get(expr.function)
    if function is None:
        known = (name for name in FUNCTIONS if name[0].isalpha() and " " not in name and is_name(name))
        hint = ELSEWHERE.get(expr.function.lower()) or did_you_mean(expr.function, known)
        message = f"no function is named `{expr.function}`"
        findings.error("unknown-function", message, expr.name_span, hint or "`kpi show functions` lists them")
    elif function.kind in ("aggregate", "segment", "time") and place is Place.ROW:
        message = f"`{expr.function}` is over many rows, a condition sees one row"
        findings.error("aggregate-in-row", message, expr.span, "an aggregate stands in a formula: `sum(order.amount)`")
    elif function.kind == "row" and place is Place.FORMULA:
        message = f"`{expr.function}` works on the values of a row, a formula has none"
        hint = "use it in a condition behind `where`, or under the dataset's `fields`"
        findings.error("row-function", message, expr.span, hint)
    elif function.kind == "funnel":  # in formulas of KPIs it is the name of one
        message = f"`{expr.function}` stands in formulas of KPIs, and in nothing else"
        findings.error("wrong-arguments", message, expr.span, "give it a name of its own under `kpis`, and write that")
    else:
        return True
    return False


def infer(expr: syntax.Apply, types: tuple[Type, ...], findings: Findings) -> Type:
    """Return the type that a function gives for these, or say which argument is wrong."""
    found = FUNCTIONS[expr.function].infer(types)
    if not isinstance(found, Mismatch):
        return NULL if found is UNKNOWN and UNKNOWN not in types else found
    span = expr.args[found.argument].span if 0 <= found.argument < len(expr.args) else expr.name_span
    if not found.parts and Kind.NULL not in {type.kind for type in types}:
        findings.error("wrong-arguments", found.message, span, f"write `{FUNCTIONS[expr.function].signature}`")
        return UNKNOWN
    plain = FUNCTIONS[expr.function].infer((NUMBER,) * len(types))
    numbers = {types[index].kind for index, _ in found.parts} == {Kind.NUMBER}
    code = "unit-mismatch" if numbers and not isinstance(plain, Mismatch) else "type-mismatch"
    notes = tuple(Note(f"`{written(expr.args[index].span)}` is {what}") for index, what in found.parts)
    findings.error(code, found.message, span, found.hint or _remedy(expr, types), notes if len(notes) > 1 else ())
    return UNKNOWN


def _remedy(expr: syntax.Apply, types: tuple[Type, ...]) -> str:
    """Return the fix for a text where a number or a condition must be: mostly a condition went on too far."""
    if Kind.TEXT not in {type.kind for type in types}:
        return ""
    match expr.function:
        case "/" | "*":
            return "a condition ends with its parenthesis, as in `(order where …) / visit`"
        case "and" | "or":
            return 'repeat the comparison, or write `in ("…", "…")`'
        case _:
            return ""


def written(span: Span) -> str:
    """Return what stands at a place, on one line and not too long."""
    words = " ".join(span.source.text[span.start : span.end].split())
    return words if len(words) <= 40 else f"{words[:39]}…"


def _date_texts(expr: syntax.Apply, args: tuple[Expr, ...], zone: tzinfo, findings: Findings) -> tuple[Expr, ...]:
    """Return arguments with texts read as dates or times where another argument is one."""
    first = 1 if expr.function == "if" else 0
    kinds = {arg.type.kind for arg in args[first:]}
    wanted = next((kind for kind in (Kind.TIME, Kind.DATE) if kind in kinds), None)
    if wanted is None:
        return args
    read = list(args)
    for index, arg in enumerate(args[first:], first):
        if is_text(arg):
            assert isinstance(arg, Literal)
            assert isinstance(arg.value, str)
            found = dated(arg.value, wanted, zone, midnight=expr.function not in COMPARISONS)
            if isinstance(found, str):
                findings.error("bad-date", f'"{arg.value}" is no {wanted}', expr.args[index].span, found)
                found = FAILED
            read[index] = found
    return tuple(read)


def _compare_days(expr: syntax.Apply, args: tuple[Expr, ...], findings: Findings) -> Expr:
    """Return a comparison of times with dates: each pair that is of both kinds is compared as local dates."""

    def pair(function: str, left: Expr, right: Expr) -> Expr:
        if left.type.kind is not right.type.kind:
            left, right = (Apply("date", (x,), DATE) if x.type.kind is Kind.TIME else x for x in (left, right))
        found = FUNCTIONS[function].infer((left.type, right.type))
        if isinstance(found, Mismatch):
            infer(expr, tuple(arg.type for arg in args), findings)
            return FAILED
        return Apply(function, (left, right), found)

    first, *others = args
    match expr.function:
        case "between" | "not between":
            typed = Apply("and", (pair(">=", first, others[0]), pair("<=", first, others[1])), BOOLEAN)
        case "in" | "not in":
            typed = Apply("or", tuple(pair("==", first, other) for other in others), BOOLEAN)
        case _:
            return pair(expr.function, first, others[0])
    if FAILED in typed.args:
        return FAILED
    return Apply("not", (typed,), BOOLEAN) if expr.function.startswith("not ") else typed


def _literal_arguments(expr: syntax.Apply, typed: Apply, findings: Findings) -> Expr:
    """Check arguments that must be known before any row is read."""
    if len(typed.args) < 2 or typed.function not in ("matches", "parse_time", "round"):
        return typed
    given, span = typed.args[1], expr.args[1].span
    value = given.value if isinstance(given, Literal) else None
    match typed.function:
        case "matches" if isinstance(value, str):
            if wrong := check_pattern(value):
                findings.error("bad-pattern", f"this pattern cannot be read: {wrong}", span)
        case "parse_time" if isinstance(value, str):
            if wrong := check_format(value):
                findings.error("bad-format", f"this format cannot be read: {wrong}", span, 'such as "%d.%m.%Y %H:%M"')
            return typed if has_clock(value) else replace(typed, type=DATE)
        case "round" if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) <= 15:
            pass
        case _:
            what = "digits: a whole number from -15 to 15" if typed.function == "round" else "a text in quotes"
            findings.error("bad-argument", f"`{typed.function}` takes {what} here", span)
    return typed
