"""Segment functions: `total`, `share` and `rank` hold a formula against all segments of the question."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import NUMBER, WHOLE, Kind
from smartkpi.language.units import Mismatch
from smartkpi.semantics.calls import infer
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Across, Apply, Expr, Reference
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.scope import Namespace, broken_field, has_field, is_path, unknown_field
from smartkpi.tree import walk

Typing = Callable[[syntax.Expr, Namespace, Findings], Expr]


def across(expr: syntax.Apply, space: Namespace, type_formula: Typing, findings: Findings) -> Expr:
    """Return `total(x)`, `share(x)`, `share(x, field)` or `rank(x)`, typed; a share is x / total(x)."""
    function = FUNCTIONS[expr.function]
    counted = function.infer((NUMBER,) * len(expr.args))
    if isinstance(counted, Mismatch):
        findings.error("wrong-arguments", counted.message, expr.span, f"write `{function.signature}`")
        return FAILED
    x = type_formula(expr.args[0], space, findings)
    if x is FAILED:
        return FAILED
    if infer(expr, (x.type, *(NUMBER for _ in expr.args[1:])), findings).kind is Kind.UNKNOWN and findings.failed:
        return FAILED
    if not any(_events(x, space)):
        message = f"`{expr.function}` is over the rows of segments, this reads no event"
        findings.error("no-events", message, expr.args[0].span, "give it a count, an aggregate or a KPI")
        return FAILED
    if _is_ranked(x, space):
        message = f"a `rank` is the place of one segment: `{expr.function}` of it says nothing"
        findings.error("rank-inside", message, expr.args[0].span, "take the value that is ranked")
        return FAILED
    if expr.function == "rank":
        return Across("rank", x, (), _direction(x, space) != "lower", WHOLE)
    within = _within(expr, x, space, findings)
    if within is None:
        return FAILED
    total = Across("total", x, within, descending=True, type=x.type)
    return total if expr.function == "total" else Apply("/", (x, total), NUMBER)


def _within(expr: syntax.Apply, x: Expr, space: Namespace, findings: Findings) -> tuple[str, ...] | None:
    """Return the field of `share(x, field)`, which each event of x must have."""
    if len(expr.args) == 1:
        return ()
    match expr.args[1]:
        case syntax.Name(parts=(name,)) | syntax.Apply(function="col", args=(syntax.Text(value=name),)):
            pass
        case syntax.Name(text=name) as path if any(
            is_path(path.text, space.events[e].lookups) for e in _events(x, space)
        ):
            pass
        case other:
            message = "`share` takes the name of a field here"
            findings.error("bad-argument", message, other.span, "such as `share(order, country)`")
            return None
    for event in sorted(set(_events(x, space))):
        scope = space.events[event]
        if (cause := broken_field(scope, name)) is not None:
            findings.depend(name, cause)
            return None
        if not has_field(scope, name):
            unknown_field(name, expr.args[1].span, scope, findings)
            return None
    return (name,)


def _events(x: Expr, space: Namespace) -> Iterator[str]:
    for node in walk(x):
        if isinstance(node, Reference):
            yield from space.kpis[node.kpi].events
        elif event := getattr(node, "event", None):
            yield event


def _is_ranked(x: Expr, space: Namespace) -> bool:
    return any(
        (isinstance(node, Across) and node.function == "rank")
        or (isinstance(node, Reference) and space.kpis[node.kpi].ranked)
        for node in walk(x)
    )


def _direction(x: Expr, space: Namespace) -> str:
    """Return which end of x is the best: that of the KPI that x is, else that of the KPI in whose formula it stands."""
    return space.kpis[x.kpi].direction if isinstance(x, Reference) else space.direction
