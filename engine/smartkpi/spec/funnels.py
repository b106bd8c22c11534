"""The `funnels` section: events in a row, and the KPIs that they make."""

from __future__ import annotations

from collections.abc import Iterator

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.parse import parse_event, parse_formula
from smartkpi.language.syntax import Expr
from smartkpi.source import Span, text_of
from smartkpi.spec import parts
from smartkpi.spec.model import Formula, Funnel, FunnelStep, Kpi
from smartkpi.spec.names import check_name, name_of
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.parts import measures_of, part_name
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


def kpis_of_funnel(funnel: Funnel) -> Iterator[Kpi]:
    """Yield the KPIs of a funnel, those of the last step first: what one stands on says most of what is wrong."""
    for place in range(len(funnel.steps) - 1, -1, -1):
        for measure in measures_of(funnel, place):
            expr = _formula(funnel, measure, place)
            name = part_name(measure, funnel.name, funnel.steps[place].name)
            form = "percent" if measure in (parts.RATE, parts.OVERALL) else None
            text = text_of(name, str(funnel.span.source.name))
            yield Kpi(
                name,
                Formula(expr, text),
                funnel.span,
                format=form,
                direction="higher" if measure in (parts.COUNT, parts.RATE, parts.OVERALL) else "lower",
                hidden=True,
                origin=funnel.origin,
                part_of=funnel.name,
            )


def _formula(funnel: Funnel, measure: str, place: int) -> Expr:
    step = funnel.steps[place]
    span = step.event.expr.span

    def count(of: int) -> Expr:
        return syntax.Name((part_name(parts.COUNT, funnel.name, funnel.steps[of].name),), span)

    match measure:
        case parts.COUNT:
            return _call("count", _reaching(funnel, place), span)
        case parts.RATE:
            return syntax.Apply("/", (count(place), count(place - 1)), span, span)
        case parts.OVERALL:
            return syntax.Apply("/", (count(place), count(0)), span, span)
        case parts.LOST:
            return syntax.Apply("-", (count(place - 1), count(place)), span, span)
        case parts.TIME:
            delay = syntax.Member(syntax.Member(_reaching(funnel, place), step.name, span), "delay", span)
            return _call("median", delay, span)
        case _:
            raise AssertionError(f"no measure of a funnel: {measure}")


def _call(function: str, argument: Expr, span: Span) -> Expr:
    return syntax.Apply(function, (argument,), span, span)


def _reaching(funnel: Funnel, place: int) -> Expr:
    """Return the event of what reaches a step: rows of the first one that the others follow, or the step's own."""
    if not funnel.by or not place:
        return funnel.steps[place].event.expr
    operands = tuple(_operand(step) for step in funnel.steps[: place + 1])
    span = funnel.steps[place].event.expr.span
    return syntax.Step("then", operands, funnel.within, funnel.by, None, None, span)


def _operand(step: FunnelStep) -> Expr:
    expr = step.event.expr
    return expr if head(expr) == step.name else syntax.Alias(expr, step.name, expr.span)
