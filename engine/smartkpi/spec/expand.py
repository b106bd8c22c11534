"""Funnels and cohorts become KPIs, and what formulas say of them becomes the names of these.

Such a KPI is called as formulas say it, `step_rate(purchase, order)`, `retention(buyers, 1)`: no other can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.syntax import Expr
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span
from smartkpi.spec import parts
from smartkpi.spec.cohorts import kpis_of_cohort
from smartkpi.spec.funnels import kpis_of_funnel
from smartkpi.spec.model import Cohort, Derived, Formula, Funnel, Kpi
from smartkpi.spec.parts import ages_of, measures_of, part_name

Problems = list[Diagnostic]

OLDEST = 1200
AGED = re.compile(r"(?:returned|retention)\((\w+), (\d{1,4})\)")

FIRST_ONLY = ("segment", "time")
"""Functions whose other arguments are fields and grains."""


@dataclass(slots=True)
class Expansion:
    """Funnels and cohorts of a project by name; those that an error left out; what cohorts may begin with.

    ``ages`` are those that are asked for beside the ones that cohorts are shown at.
    """

    funnels: Mapping[str, Funnel]
    cohorts: Mapping[str, Cohort]
    broken: frozenset[str]
    derived: Mapping[str, Derived]
    ages: dict[str, set[int]] = field(default_factory=dict)

    def kpis(self) -> Iterator[Kpi]:
        """Yield the KPIs that funnels and cohorts become."""
        for funnel in self.funnels.values():
            yield from kpis_of_funnel(funnel)
        for cohort in self.cohorts.values():
            ages = sorted({*ages_of(cohort), *self.ages.get(cohort.name, ())})
            yield from kpis_of_cohort(cohort, ages, self.derived)

    def expect(self, names: Iterable[str]) -> None:
        """Ask for the ages that tests name."""
        for name in names:
            found = AGED.fullmatch(name)
            if found is not None and found[1] in self.cohorts and int(found[2]) <= OLDEST:
                self.ages.setdefault(found[1], set()).add(int(found[2]))

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
            case syntax.Name(parts=(owner,)) if owner in self.funnels or owner in self.cohorts:
                problems.append(self._bare(owner, expr.span))
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
        of_cohort = call.function in (parts.SIZE, parts.RETURNED, parts.RETENTION)
        known: Mapping[str, Funnel | Cohort] = self.cohorts if of_cohort else self.funnels
        match call.args:
            case (syntax.Name(parts=(owner,)), *_) if owner in self.broken and owner not in known:
                return call  # check tells what it depends on
            case (syntax.Name(parts=(owner,)) as first, *_) if owner not in known:
                problems.append(self._unknown(owner, first.span, of_cohort=of_cohort))
            case (syntax.Name(parts=(owner,)), syntax.Name(parts=(part,)) as second) if not of_cohort:
                return self._step(call, self.funnels[owner], part, second.span, problems)
            case (syntax.Name(parts=(owner,)),) if call.function == parts.SIZE:
                return syntax.Name((part_name(call.function, owner),), call.span)
            case (syntax.Name(parts=(owner,)), syntax.Number(value=age)) if of_cohort and call.function != parts.SIZE:
                return self._age(call, owner, age, problems)
            case _:
                what = (
                    "the name of a cohort and a number of periods" if of_cohort else "the names of a funnel and a step"
                )
                message = f"`{call.function}` takes {'the name of a cohort' if call.function == parts.SIZE else what}"
                hint = f"write `{FUNCTIONS[call.function].signature}`"
                problems.append(Diagnostic("wrong-arguments", message, call.span, hint))
        return call

    def _age(self, call: syntax.Apply, owner: str, age: Decimal, problems: Problems) -> Expr:
        if age != int(age) or not 0 <= age <= OLDEST:
            message = f"an age is a whole number of periods, from 0 to {OLDEST}"
            problems.append(Diagnostic("wrong-arguments", message, call.args[1].span))
            return call
        self.ages.setdefault(owner, set()).add(int(age))
        return syntax.Name((part_name(call.function, owner, int(age)),), call.span)

    def _step(self, call: syntax.Apply, funnel: Funnel, part: str, span: Span, problems: Problems) -> Expr:
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

    def _bare(self, owner: str, span: Span) -> Diagnostic:
        """Say that a funnel or cohort is no number, and which are."""
        if owner in self.cohorts:
            message = f"`{owner}` is a cohort: it has numbers for each of its ages"
            return Diagnostic("not-an-event", message, span, f"such as `retention({owner}, 1)`")
        message = f"`{owner}` is a funnel: it has numbers for each of its steps"
        last = self.funnels[owner].steps[-1].name
        return Diagnostic("not-an-event", message, span, f"such as `step_rate({owner}, {last})`")

    def _unknown(self, owner: str, span: Span, *, of_cohort: bool) -> Diagnostic:
        known: Mapping[str, object] = self.cohorts if of_cohort else self.funnels
        kind = "cohort" if of_cohort else "funnel"
        notes = (Note(f"{kind}s: {', '.join(sorted(known))}"),) if known else ()
        hint = did_you_mean(owner, known) or ("" if known else f"define it under `{kind}s`")
        code = "unknown-cohort" if of_cohort else "unknown-funnel"
        return Diagnostic(code, f"no {kind} is named `{owner}`", span, hint, notes)
