"""One spelling for several: values of a field are brought to it before anything is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from smartkpi.language import syntax
from smartkpi.language.types import BOOLEAN, TEXT, Kind
from smartkpi.semantics.formula import Apply, Expr, Literal
from smartkpi.semantics.scope import DatasetScope, RowScope

COMPARED = frozenset(("==", "!=", "in", "not in"))


def respell(expr: Expr, spellings: Mapping[str, str]) -> Expr:
    """Return a text in the one spelling of its values."""
    if expr.type.kind is not Kind.TEXT:
        return expr
    found = expr
    for new in dict.fromkeys(spellings.values()):
        olds = tuple(Literal(old, TEXT) for old, other in spellings.items() if other == new)
        condition = Apply("==" if len(olds) == 1 else "in", (expr, *olds), BOOLEAN)
        found = Apply("if", (condition, Literal(new, TEXT), found), TEXT)
    return found


def respell_literals(expr: syntax.Apply, args: tuple[Expr, ...], scope: RowScope) -> tuple[Expr, ...]:
    """Return the arguments of a comparison with texts spelt as the field is that they are compared with."""
    if expr.function not in COMPARED or not scope.spellings:
        return args
    known = next((found for arg in expr.args if (found := _spellings(arg, scope))), None)
    if known is None:
        return args
    return tuple(
        replace(arg, value=known.get(arg.value, arg.value))
        if isinstance(arg, Literal) and isinstance(arg.value, str)
        else arg
        for arg in args
    )


def _spellings(expr: syntax.Expr, scope: RowScope) -> Mapping[str, str] | None:
    match expr:
        case syntax.Name(parts=parts):
            own = isinstance(scope, DatasetScope) and parts == (scope.own,)
            return None if own else scope.spellings.get(parts[-1])
        case syntax.Apply(function="col", args=(syntax.Text(value=name),)) if not isinstance(scope, DatasetScope):
            return scope.spellings.get(name)
        case _:
            return None
