"""Funnels become KPIs, and what formulas say of funnels becomes the names of these.

A KPI of a funnel is called as formulas say it, `step_rate(purchase, order)`: no other can have its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.syntax import Expr
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span, text_of
from smartkpi.spec import parts
from smartkpi.spec.funnels import head
from smartkpi.spec.model import Formula, Funnel, FunnelStep, Kpi
from smartkpi.spec.parts import measures_of, part_name

Problems = list[Diagnostic]

FIRST_ONLY = ("segment", "time")
"""Functions whose other arguments are fields and grains."""


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


@dataclass(frozen=True, slots=True)
class Expansion:
    """Funnels of a project by name, and those that an error left out."""

    funnels: Mapping[str, Funnel]
    broken: frozenset[str]

    def formula(self, formula: Formula, problems: Problems) -> Formula:
        """Return a formula in which what is said of funnels is the name of a KPI."""
        expr = self._expr(formula.expr, problems)
        return formula if expr is formula.expr else replace(formula, expr=expr)

    def kpi(self, kpi: Kpi, problems: Problems) -> Kpi:
        """Return a KPI with all of its formulas so."""
        held = kpi.rules.benchmark
        if held is not None and held.formula is not None:
            held = replace(held, formula=self.formula(held.formula, problems))
            kpi = replace(kpi, rules=replace(kpi.rules, benchmark=held))
        revisions = tuple(
            replace(one, formula=one.formula and self.formula(one.formula, problems)) for one in kpi.revisions
        )
        return replace(kpi, formula=self.formula(kpi.formula, problems), revisions=revisions)

    def _expr(self, expr: Expr, problems: Problems) -> Expr:
        """Walk down what stands in a formula: conditions on rows, and the rows of steps, are none of it."""
        match expr:
            case syntax.Apply(function=function) if function in FUNCTIONS and FUNCTIONS[function].kind == "funnel":
                return self._call(expr, problems)
            case syntax.Name(parts=(owner,)) if owner in self.funnels:
                last = self.funnels[owner].steps[-1].name
                message = f"`{owner}` is a funnel: it has numbers for each of its steps"
                problems.append(Diagnostic("not-an-event", message, expr.span, f"such as `step_rate({owner}, {last})`"))
                return expr
            case syntax.Apply():
                args = self._args(expr, problems)
                return expr if args is expr.args else replace(expr, args=args)
            case syntax.Where():
                inner = self._expr(expr.operand, problems)
                return expr if inner is expr.operand else replace(expr, operand=inner)
            case syntax.Per():
                value = self._expr(expr.value, problems)
                condition = None if expr.condition is None else self._expr(expr.condition, problems)
                if value is expr.value and condition is expr.condition:
                    return expr
                return replace(expr, value=value, condition=condition)
            case syntax.Member():
                inner = self._expr(expr.of, problems)
                if isinstance(inner, syntax.Name) and inner is not expr.of:
                    return syntax.Name((*inner.parts, expr.name), expr.span)
                return expr if inner is expr.of else replace(expr, of=inner)
            case _:
                return expr

    def _args(self, call: syntax.Apply, problems: Problems) -> tuple[Expr, ...]:
        function = FUNCTIONS.get(call.function)
        most = 1 if function is not None and function.kind in FIRST_ONLY else len(call.args)
        found = (*(self._expr(arg, problems) for arg in call.args[:most]), *call.args[most:])
        return call.args if all(a is b for a, b in zip(call.args, found, strict=True)) else found

    def _call(self, call: syntax.Apply, problems: Problems) -> Expr:
        """Return the name of the KPI that a call stands for; the call itself where it stands for none."""
        signature = FUNCTIONS[call.function].signature
        match call.args:
            case (syntax.Name(parts=(owner,)) as first, syntax.Name(parts=(part,)) as second):
                if owner in self.broken and owner not in self.funnels:
                    return call  # check tells what it depends on
                if owner not in self.funnels:
                    problems.append(self._unknown(owner, first.span))
                    return call
                return self._part(call, self.funnels[owner], part, second.span, problems)
            case _:
                message = f"`{call.function}` takes the name of a funnel and that of one of its steps"
                problems.append(Diagnostic("wrong-arguments", message, call.span, f"write `{signature}`"))
                return call

    def _part(self, call: syntax.Apply, funnel: Funnel, part: str, span: Span, problems: Problems) -> Expr:
        names = [step.name for step in funnel.steps]
        if part not in names:
            notes = (Note(f"its steps: {', '.join(names)}"),)
            message = f"the funnel `{funnel.name}` has no step `{part}`"
            problems.append(Diagnostic("unknown-step", message, span, did_you_mean(part, names), notes))
            return call
        if call.function not in measures_of(funnel, names.index(part)):
            if part == names[0]:
                message = f"`{part}` is the first step of `{funnel.name}`: there is none before it"
                hint = f"of the first step there is `step_count({funnel.name}, {part})`"
            else:
                message = f"`{funnel.name}` has no `by`: its steps are counted by themselves, no time lies between them"
                hint = "say whose rows belong together, such as `by: visitor`"
            problems.append(Diagnostic("wrong-arguments", message, call.span, hint))
            return call
        return syntax.Name((part_name(call.function, funnel.name, part),), call.span)

    def _unknown(self, owner: str, span: Span) -> Diagnostic:
        notes = (Note(f"funnels: {', '.join(sorted(self.funnels))}"),) if self.funnels else ()
        hint = did_you_mean(owner, self.funnels) or ("" if self.funnels else "define it under `funnels`")
        return Diagnostic("unknown-funnel", f"no funnel is named `{owner}`", span, hint, notes)
