"""Names of an included file under its prefix: what it says of its own definitions means them here too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.syntax import Expr
from smartkpi.source import Span
from smartkpi.spec.funnels import head
from smartkpi.spec.goal import Goal
from smartkpi.spec.group import Group
from smartkpi.spec.model import (
    BenchmarkRow,
    Cohort,
    Column,
    Contract,
    Dataset,
    Derived,
    Diagnosis,
    Formula,
    Funnel,
    Kpi,
    Rules,
    Threshold,
)
from smartkpi.tree import rewrite

_Written = TypeVar("_Written", Formula, Formula | None, Formula | Column | None)
_Key = TypeVar("_Key", bound=Expr)
_FIRST_ONLY = ("segment", "time", "funnel")  # functions whose other arguments are fields, grains and steps


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a file sees, and the prefix that they have where it is included.

    ``spoken`` are those of formulas, ``constants`` those among them that rows may name too, unless ``fields`` that
    are declared go before them. ``groups`` are fields of events, not of the datasets below.
    """

    prefix: str
    spoken: frozenset[str]
    datasets: frozenset[str]
    constants: frozenset[str]
    fields: frozenset[str]
    groups: frozenset[str] = frozenset()


Files = Mapping[int, Names]
"""The names of each file, by the id of its Source."""


def rename_kpi(kpi: Kpi, files: Files) -> Kpi:
    """Return a KPI that refers to included definitions by the names that they have here."""
    revisions = tuple(
        replace(
            one,
            formula=one.formula and _whole(one.formula, files),
            thresholds=_bands(one.thresholds, files),
            rules=one.rules and _rules(one.rules, files),
        )
        for one in kpi.revisions
    )
    formula, where, bands = _whole(kpi.formula, files), _of_rows(kpi.where, files), _bands(kpi.thresholds, files)
    rules, by = _rules(kpi.rules, files), tuple(_field(name, kpi.span, files) for name in kpi.by)
    return replace(kpi, formula=formula, where=where, thresholds=bands, revisions=revisions, rules=rules, by=by)


def rename_goal(goal: Goal, files: Files, owned: bool) -> Goal:
    """Return a goal whose KPIs, parent and constants have the names that they have here; a KPI's own has its name."""
    prefix = _prefix(goal.span, files)
    if not prefix:
        return goal

    def amount(one: _Written) -> _Written:
        return replace(one, expr=_spoken(one.expr, files)) if isinstance(one, Formula) else one

    target, baseline = goal.target, goal.baseline
    if target is not None:
        names = ("amount", "grow", "add", "low", "high")
        target = replace(target, **{name: amount(getattr(target, name)) for name in names})
    return replace(
        goal,
        kpi=goal.kpi if owned else f"{prefix}{goal.kpi}",
        parent=goal.parent and f"{prefix}{goal.parent}",
        target=target,
        baseline=baseline and replace(baseline, amount=amount(baseline.amount)),
        stretch=amount(goal.stretch),
        achievable=replace(goal.achievable, low=amount(goal.achievable.low), high=amount(goal.achievable.high)),
        where=_of_rows(goal.where, files),
        by=tuple(_field(name, goal.span, files) for name in goal.by),
        parts=tuple(replace(one, amount=amount(one.amount)) for one in goal.parts),
        milestones=tuple(replace(one, value=amount(one.value)) for one in goal.milestones),
        guardrails=tuple(replace(one, kpi=f"{prefix}{one.kpi}", amount=amount(one.amount)) for one in goal.guardrails),
        revisions=tuple(replace(one, target=amount(one.target)) for one in goal.revisions),
    )


def rename_group(group: Group, files: Files) -> Group:
    """Return a group whose condition is over included events by the names that they have here."""
    return replace(group, where=_whole(group.where, files))


def rename_diagnosis(diagnosis: Diagnosis, files: Files) -> Diagnosis:
    """Return a diagnosis of included KPIs by the names that they have here."""
    return replace(diagnosis, when=_whole(diagnosis.when, files))


def _whole(formula: Formula, files: Files) -> Formula:
    return replace(formula, expr=_spoken(formula.expr, files))


def _bands(thresholds: tuple[Threshold, ...], files: Files) -> tuple[Threshold, ...]:
    return tuple(one.changed(lambda expr: _spoken(expr, files)) for one in thresholds)


def _rules(rules: Rules, files: Files) -> Rules:
    scopes = tuple(
        replace(
            one, dimension=_field(one.dimension, one.dimension_span, files), thresholds=_bands(one.thresholds, files)
        )
        for one in rules.scopes
    )
    confidence = rules.confidence and _whole(rules.confidence, files)
    benchmark = rules.benchmark
    if benchmark is not None:
        rows = tuple(_benchmark_row(one, files) for one in benchmark.rows)
        benchmark = replace(benchmark, formula=benchmark.formula and _whole(benchmark.formula, files), rows=rows)
    return replace(rules, scopes=scopes, confidence=confidence, benchmark=benchmark)


def _benchmark_row(row: BenchmarkRow, files: Files) -> BenchmarkRow:
    segment = tuple((_field(name, row.span, files), value) for name, value in row.segment)
    return replace(row, segment=segment, formula=_whole(row.formula, files))


def rename_dataset(dataset: Dataset, files: Files) -> Dataset:
    """Return a dataset that provides events, looks up datasets and reads constants by the names that they have here."""
    fields = {name: replace(one, is_=_of_rows(one.is_, files, own=True)) for name, one in dataset.fields.items()}
    events = {}
    for one in dataset.events.values():
        name = f"{_prefix(one.span, files)}{one.event}"
        when, time, count = (_of_rows(part, files, own=True) for part in (one.when, one.time, one.count))
        events[name] = replace(one, event=name, when=when, time=time, count=count)  # type: ignore[arg-type]
    lookups = {
        name: replace(one, dataset=_dataset(one.dataset, one.span, files)) for name, one in dataset.lookups.items()
    }
    time, keep = _of_rows(dataset.time, files), _of_rows(dataset.keep, files)
    covers = dataset.covers
    if covers is not None and covers.upto is not None and covers.place is not None:
        covers = replace(covers, upto=_dataset(covers.upto, covers.place, files))
    return replace(dataset, time=time, keep=keep, fields=fields, events=events, lookups=lookups, covers=covers)


def rename_contract(contract: Contract, files: Files) -> Contract:
    """Return an event that prefers datasets by the names that they have here."""
    prefer = contract.prefer
    if prefer is None:
        return contract
    datasets = tuple(_dataset(name, prefer.span, files) for name in prefer.datasets)
    return replace(contract, prefer=replace(prefer, datasets=datasets))


def rename_derived(derived: Derived, files: Files) -> Derived:
    """Return a derived event that is made of included ones by the names that they have here."""
    return replace(derived, formula=_whole(derived.formula, files))


def rename_funnel(funnel: Funnel, files: Files) -> Funnel:
    """Return a funnel of included events by the names that they have here; its steps keep theirs."""
    if not _prefix(funnel.span, files):
        return funnel
    steps = tuple(replace(step, event=_whole(step.event, files)) for step in funnel.steps)
    by = tuple(_key(key, files) for key in funnel.by)
    return replace(funnel, steps=steps, by=by, within=_length(funnel.within, files))


def rename_cohort(cohort: Cohort, files: Files) -> Cohort:
    """Return a cohort of included events by the names that they have here."""
    of = _key(cohort.of, files)
    return replace(cohort, of=of, start=_whole(cohort.start, files), return_=_whole(cohort.return_, files))


def _names(span: Span, files: Files) -> Names | None:
    known = files.get(id(span.source))
    return known if known is not None and known.prefix else None


def _prefix(span: Span, files: Files) -> str:
    known = _names(span, files)
    return known.prefix if known is not None else ""


def _dataset(name: str, span: Span, files: Files) -> str:
    known = _names(span, files)
    return f"{known.prefix}{name}" if known is not None and name in known.datasets else name


def _of_rows(formula: _Written, files: Files, *, own: bool = False) -> _Written:
    """Return an expression over the rows of an event; ``own``: over those of a dataset, which know of no group."""
    if not isinstance(formula, Formula) or not _prefix(formula.expr.span, files):
        return formula
    return replace(formula, expr=_row(formula.expr, files, own=own))


def _field(name: str, span: Span, files: Files) -> str:
    """Return a field of an event, perhaps of one of its steps: a group has another name here."""
    known, (*path, last) = _names(span, files), name.split(".")
    return name if known is None or last not in known.groups else ".".join((*path, f"{known.prefix}{last}"))


def _key(key: _Key, files: Files) -> _Key:
    """Return a field as it stands by itself, or as `col("…")`; anything else as it is."""
    match key:
        case syntax.Name():
            return replace(key, parts=tuple(_field(key.text, key.span, files).split(".")))
        case syntax.Apply(function="col", args=(syntax.Text() as name,)):
            return replace(key, args=(replace(name, value=_field(name.value, key.span, files)),))
        case _:
            return key


def _row(expr: Expr, files: Files, *, own: bool = False) -> Expr:
    """Return an expression over rows: of its names those of constants and groups, and the dataset that it asks for."""

    def change(node: Expr) -> Expr:
        match node:
            case syntax.Name(parts=(name,)):
                known = _names(node.span, files)
                if known is not None and name in known.constants and name not in known.fields:
                    return replace(node, parts=(f"{known.prefix}{name}",))
                return node if own else _key(node, files)
            case syntax.Name() | syntax.Apply(function="col") if not own:
                return _key(node, files)
            case syntax.Apply(args=args) if any(isinstance(a, syntax.Name) and a.parts == ("dataset",) for a in args):
                return replace(node, args=tuple(_named_dataset(arg, files) for arg in args))
            case _:
                pass
        return node

    return rewrite(expr, change)


def _named_dataset(expr: Expr, files: Files) -> Expr:
    if not isinstance(expr, syntax.Text):
        return expr
    return replace(expr, value=_dataset(expr.value, expr.span, files))


def _spoken(expr: Expr, files: Files) -> Expr:
    """Return a formula: its names but those of fields."""
    if not _prefix(expr.span, files):
        return expr
    match expr:
        case syntax.Name(parts=(name, *path)):
            known = _names(expr.span, files)
            if known is None or name not in known.spoken:
                return expr
            if path:
                path = _field(".".join(path), expr.span, files).split(".")
            return replace(expr, parts=(f"{known.prefix}{name}", *path))
        case syntax.Apply(args=args):
            function = FUNCTIONS.get(expr.function)
            most = 1 if function is not None and function.kind in _FIRST_ONLY else len(args)
            fields = (_key(arg, files) for arg in args[most:])
            return replace(expr, args=(*(_spoken(arg, files) for arg in args[:most]), *fields))
        case syntax.Where():
            return replace(expr, operand=_spoken(expr.operand, files), condition=_row(expr.condition, files))
        case syntax.Per():
            condition = None if expr.condition is None else _spoken(expr.condition, files)
            keys = tuple(_key(key, files) for key in expr.keys)
            return replace(expr, value=_spoken(expr.value, files), keys=keys, condition=condition)
        case syntax.Member():
            return replace(expr, of=_spoken(expr.of, files), name=_field(expr.name, expr.span, files))
        case syntax.Alias():
            return replace(expr, operand=_spoken(expr.operand, files))
        case syntax.Step():
            return _step(expr, files)
        case _:
            return expr


def _step(step: syntax.Step, files: Files) -> syntax.Step:
    several = len(step.operands) > 1
    operands = tuple(_operand(one, files) if several else _spoken(one, files) for one in step.operands)
    condition = None if step.condition is None else _row(step.condition, files)
    by = tuple(_key(key, files) for key in step.by)
    return replace(step, operands=operands, within=_length(step.within, files), by=by, condition=condition)


def _length(within: syntax.Duration | syntax.Name | None, files: Files) -> syntax.Duration | syntax.Name | None:
    renamed = _row(within, files) if isinstance(within, syntax.Name) else within
    assert renamed is None or isinstance(renamed, syntax.Duration | syntax.Name)
    return renamed


def _operand(operand: Expr, files: Files) -> Expr:
    """Return an operand of a step under the name that the fields of its rows go by in its own file."""
    renamed = _spoken(operand, files)
    if isinstance(operand, syntax.Alias):
        return renamed
    before, after = head(operand), head(renamed)
    return renamed if before == after else syntax.Alias(renamed, before, operand.span)
