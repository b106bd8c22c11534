"""Row expressions: values and conditions over one row of a dataset or an event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from smartkpi.language import syntax
from smartkpi.language.types import TEXT, Kind
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.periods.grain import Grain
from smartkpi.semantics.calls import Place, call, fits
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Apply, Expr, Literal
from smartkpi.semantics.literals import FAILED, literal
from smartkpi.semantics.scope import RowScope, row_column, row_name
from smartkpi.semantics.spellings import respell_literals
from smartkpi.tree import walk


def type_row(expr: syntax.Expr, scope: RowScope, findings: Findings) -> Expr:
    """Return a row expression with names resolved and types known; what is wrong goes to ``findings``."""
    match expr:
        case syntax.Number() | syntax.Duration() | syntax.Text() | syntax.Boolean() | syntax.Null():
            return literal(expr, findings)
        case syntax.Name():
            return row_name(expr, scope, findings)
        case syntax.Apply(function="col"):
            return _column(expr, scope, findings)
        case syntax.Apply(function="start_of"):
            return _start_of(expr, scope, findings)
        case syntax.Apply():
            if fits(expr, Place.ROW, findings):
                args = tuple(type_row(arg, scope, findings) for arg in expr.args)
                return call(expr, respell_literals(expr, args, scope), scope.calendar.zone, findings)
        case syntax.Where():
            hint = "join conditions by `and`"
            findings.error("where-in-row", "`where` stands around rows, not inside a condition on one", expr.span, hint)
        case syntax.Per():
            message = "`per` is over many rows, a condition sees one row"
            findings.error("aggregate-in-row", message, expr.span, "it stands in a formula")
        case syntax.Step():
            message = f"`{expr.kind}` is over many rows, a condition sees one row"
            hint = "name the event that it derives, under `events`, and count that"
            findings.error("aggregate-in-row", message, expr.span, hint)
        case syntax.Member():
            message = f"`.{expr.name}` is a field of other rows, a condition sees one row"
            findings.error("aggregate-in-row", message, expr.span, "it stands in an aggregate, in a formula")
        case syntax.Alias():
            raise AssertionError("`as` stands in chains only")
        case _:
            assert_never(expr)
    return FAILED


def names_in_row(expr: syntax.Expr) -> Iterator[syntax.Name]:
    """Yield the names in a row expression that stand for values: all but grains."""
    grains = {id(node.args[1]) for node in walk(expr) if isinstance(node, syntax.Apply) and _takes_grain(node)}
    yield from (node for node in walk(expr) if isinstance(node, syntax.Name) and id(node) not in grains)


def _takes_grain(expr: syntax.Apply) -> bool:
    return expr.function == "start_of" and len(expr.args) == 2


def _start_of(expr: syntax.Apply, scope: RowScope, findings: Findings) -> Expr:
    """Return the first day of the period of a time; the grain is a word, as in `to_date`."""
    if not expr.args or not _takes_grain(expr):
        words = tuple(Literal("", TEXT) for _ in expr.args)
        return call(expr, words, scope.calendar.zone, findings)
    grain, known = expr.args[1], [str(one) for one in scope.calendar.grains if one not in (Grain.HOUR, Grain.ALL)]
    name = grain.text if isinstance(grain, syntax.Name) else ""
    if name not in known:
        hint = "the local hour is `hour_of_day(t)`" if name == "hour" else did_you_mean(name, known)
        message = "`start_of` takes a grain here, of days and more"
        findings.error("unknown-grain", message, grain.span, hint or f"one of {', '.join(known)}")
        return FAILED
    time = type_row(expr.args[0], scope, findings)
    return call(expr, (time, Literal(name, TEXT)), scope.calendar.zone, findings)


def type_condition(expr: syntax.Expr, scope: RowScope, findings: Findings, what: str = "`where`") -> tuple[Expr, ...]:
    """Return a condition on a row as the conditions that must all hold."""
    typed = type_row(expr, scope, findings)
    if typed.type.kind not in (Kind.BOOLEAN, Kind.UNKNOWN):
        hint = "compare it with something: `== …`, `is not null`"
        findings.error("not-a-condition", f"{what} takes a condition, this is {describe(typed.type)}", expr.span, hint)
    return split(typed)


def split(condition: Expr) -> tuple[Expr, ...]:
    """Return the parts of a conjunction."""
    if isinstance(condition, Apply) and condition.function == "and":
        return tuple(part for arg in condition.args for part in split(arg))
    return (condition,)


def _column(expr: syntax.Apply, scope: RowScope, findings: Findings) -> Expr:
    if len(expr.args) == 1 and isinstance(expr.args[0], syntax.Text):
        return row_column(expr.args[0].value, expr.args[0].span, scope, findings)
    findings.error("bad-argument", "`col` takes the exact name of a column", expr.span, 'write `col("Page.Loads")`')
    return FAILED
