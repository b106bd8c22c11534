"""The `funnels` section: events in a row."""

from __future__ import annotations

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.parse import parse_event, parse_formula
from smartkpi.source import Span
from smartkpi.spec.model import Formula, Funnel, FunnelStep
from smartkpi.spec.names import check_name, name_of
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.values import Problems, formula, labels, parsed, text


def build_funnel(name: str, node: Node, span: Span, problems: Problems) -> Funnel | None:
    """Return a funnel; None where a step is wrong, or it has too few."""
    if not isinstance(node, Fields):
        return None
    written = node.get("steps")
    steps = [_step(item, problems) for item in written.items] if isinstance(written, Items) else []
    by = build_keys(node.get("by"), problems)
    within = build_within(node.get("within"), problems)
    kept = tuple(step for step in steps if step is not None)
    _check_names(kept, problems)
    if within is not None and not by:
        message = "`within` is between rows that belong together: a funnel without `by` counts each step by itself"
        hint = "say whose rows they are, such as `by: visitor`; or leave `within` out"
        problems.append(Diagnostic("missing-by", message, within.span, hint))
    if len(kept) < max(len(steps), 2):
        return None
    return Funnel(name, kept, by, within, span, labels(node.get("label")), labels(node.get("description")))


def build_keys(node: Node | None, problems: Problems) -> tuple[syntax.Name | syntax.Apply, ...]:
    """Return what rows that belong together have alike: fields, or columns as `col("…")`."""
    items = node.items if isinstance(node, Items) else () if node is None else (node,)
    found = []
    for item in items:
        expr = parsed(item, parse_formula, problems) if isinstance(item, Scalar) and item.data is not None else None
        match expr:
            case syntax.Name() | syntax.Apply(function="col"):
                found.append(expr)
            case None:
                pass
            case _:
                message = f"`by` takes fields, this is `{text(item)}`"
                problems.append(Diagnostic("bad-value", message, expr.span, "such as `by: visitor`"))
    return tuple(found)


def build_within(node: Node | None, problems: Problems) -> syntax.Duration | syntax.Name | None:
    """Return a length of time, or the name of a constant that is one."""
    if not isinstance(node, Scalar) or node.data is None:
        return None
    expr = parsed(node, parse_formula, problems)
    if isinstance(expr, syntax.Duration | syntax.Name):
        return expr
    if expr is not None:
        message = f"`within` takes a length of time, this is `{node.written}`"
        problems.append(Diagnostic("bad-value", message, expr.span, "such as `within: 30d`"))
    return None


def head(expr: syntax.Expr) -> str:
    """Return the name of the event whose rows an event has."""
    match expr:
        case syntax.Where(operand=inner) | syntax.Alias(operand=inner):
            return head(inner)
        case syntax.Step(operands=(first, *_)):
            return head(first)
        case syntax.Name():
            return expr.text
        case _:
            return ""


def _step(item: Node, problems: Problems) -> FunnelStep | None:
    fields = item if isinstance(item, Fields) else None
    event = formula(item if fields is None else fields.get("is"), problems, parse_event)
    if event is None:
        return None
    if not isinstance(event.expr, syntax.Name | syntax.Where | syntax.Step) or not head(event.expr):
        message = "a step of a funnel is an event"
        problems.append(Diagnostic("not-an-event", message, event.expr.span, "such as `order`, `order where paid`"))
        return None
    name, span = _name(fields, event, problems)
    return FunnelStep(name, event, span, labels(fields.get("label")) if fields is not None else labels(None))


def _name(fields: Fields | None, event: Formula, problems: Problems) -> tuple[str, Span]:
    written = fields.get("as") if fields is not None else None
    if not isinstance(written, Scalar):
        return head(event.expr), event.expr.span
    if (problem := check_name(written)) is not None:
        problems.append(problem)
    return name_of(written), written.span


def _check_names(steps: tuple[FunnelStep, ...], problems: Problems) -> None:
    taken: dict[str, FunnelStep] = {}
    for step in steps:
        first = taken.setdefault(step.name, step)
        if first is not step:
            hint = f"name it: `{{is: {step.event.text.value.strip()}, as: second}}`"
            notes = (Note("the first one is here", first.span),)
            message = f"two steps are called `{step.name}`"
            problems.append(Diagnostic("same-name", message, step.span, hint, notes))
