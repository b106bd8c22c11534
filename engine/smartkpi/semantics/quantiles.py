"""The share of a quantile: how far through the sorted values it stands."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from smartkpi.language import syntax
from smartkpi.language.types import BARE, PLAIN
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Expr, Literal
from smartkpi.semantics.literals import FAILED

DIGITS = 15
"""Digits of a share behind the point: places in as many rows as there can be are then computed exactly."""


def share_of(expr: syntax.Apply, typed: Callable[[syntax.Expr], Expr], findings: Findings) -> Decimal | None:
    """Return the share of a quantile, None of any other aggregate; the word behind it can only be `nearest`."""
    if expr.function != "quantile":
        return None
    if len(expr.args) > 2 and not (isinstance(expr.args[2], syntax.Name) and expr.args[2].text == "nearest"):
        hint = "write `nearest` for a value that occurs, or nothing for one between its neighbours"
        findings.error("bad-argument", "`quantile` takes the word `nearest` here", expr.args[2].span, hint)
    if len(expr.args) < 2:
        return None
    given = typed(expr.args[1])
    share = given.value if isinstance(given, Literal) and given.type.unit in (BARE, PLAIN) else None
    if isinstance(share, Decimal) and 0 <= share <= 1 and share == round(share, DIGITS):
        return share
    if given is not FAILED:
        digits = f"of at most {DIGITS} digits behind the point"
        message = f"`quantile` takes a share here: a number from 0 to 1, {digits}, known before any row is read"
        findings.error("bad-argument", message, expr.args[1].span, "such as `95%`, or a constant")
    return None
