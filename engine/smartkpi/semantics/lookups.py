"""Lookups: what they lead to, and by which values of both rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.types import Kind
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.covering import covering
from smartkpi.semantics.findings import SHOWN, Findings, circle, listing
from smartkpi.semantics.formula import Expr, LookedUp, TypedDataset, TypedLookup
from smartkpi.semantics.graph import in_order
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.scope import DatasetScope, Reach, row_name
from smartkpi.source import Span
from smartkpi.spec import model
from smartkpi.tree import walk

KEYS = (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Target:
    """A dataset that others look up: typed, what its expressions see, and the error that takes all of it."""

    typed: TypedDataset
    scope: DatasetScope
    broken: Mapping[str, Diagnostic]
    cause: Diagnostic | None


@dataclass(frozen=True, slots=True)
class Others:
    """What a dataset sees of others: them as written, those it may look up, what an error left out, errors of cycles.

    ``spellings`` are those of dimensions, ``dimensions`` the errors of broken ones.
    """

    specs: Mapping[str, model.Dataset] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    broken: Mapping[str, Diagnostic] = field(default_factory=dict)
    cycles: Mapping[tuple[str, str], Diagnostic] = field(default_factory=dict)
    spellings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dimensions: Mapping[str, Diagnostic] = field(default_factory=dict)


Timed = Callable[[str, Span, DatasetScope, Findings], Expr]
"""Types a field by name as a time."""


def order_datasets(catalog: model.Catalog) -> tuple[tuple[str, ...], dict[tuple[str, str], Diagnostic]]:
    """Return datasets, each after those it looks up, and for each lookup of a cycle the error."""
    graph = {
        name: tuple(dict.fromkeys(one.dataset for one in dataset.lookups.values()))
        for name, dataset in catalog.datasets.items()
    }
    order, cycles = in_order(graph)
    wrong = {}
    for cycle in cycles:
        pairs = list(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
        used = [(a, one) for a, b in pairs for one in catalog.datasets[a].lookups.values() if one.dataset == b]
        notes = tuple(Note(f"`{a}` looks up `{one.dataset}`", one.place) for a, one in used[:SHOWN])
        findings = Findings(f"dataset:{cycle[0]}")
        message = f"datasets look each other up: {circle(cycle)}"
        hint = "read the file as a second dataset, under another name, to look it up"
        findings.error("lookup-cycle", message, used[0][1].place, hint, notes)
        wrong.update({(a, one.name): findings.cause for a, one in used})
    return order, wrong


def reach(spec: model.Lookup, others: Others, findings: Findings) -> Reach:
    """Return what a lookup leads to; what is wrong with it goes to ``findings`` and breaks what is read through it."""
    target = others.targets.get(spec.dataset)
    if target is None:
        if spec.dataset in others.broken:
            return _nothing(spec, others.broken[spec.dataset])
        hint, notes = did_you_mean(spec.dataset, others.specs), listing("datasets", others.specs)
        findings.error("unknown-dataset", f"no dataset is named `{spec.dataset}`", spec.place, hint, notes)
        return _nothing(spec, findings.cause)
    if target.cause is not None:
        return _nothing(spec, target.cause)
    typed = target.typed
    own = {name: expr.type for name, expr in typed.fields.items()}
    fields = {**(typed.columns or {}), **own}
    if typed.time is not None:
        fields.setdefault("time", typed.time.type)
    fields = {name: type for name, type in fields.items() if name not in target.broken}
    for name in spec.fields or ():
        if typed.columns is not None and name not in fields and name not in target.broken:
            hint, notes = did_you_mean(name, fields), listing("columns and fields", fields)
            message = f"`{spec.dataset}` has no column or field `{name}`"
            findings.error("unknown-field", message, spec.at(name), hint, notes)
    cause = findings.cause if findings.failed else None
    return Reach(
        spec.name,
        spec.dataset,
        fields,
        target.broken,
        typed.columns is None,
        spec.fields,
        target.scope.lookups,
        spec.valid is not None,
        cause,
    )


def _nothing(spec: model.Lookup, cause: Diagnostic) -> Reach:
    return Reach(spec.name, spec.dataset, {}, {}, open=False, only=None, lookups={}, cause=cause)


def type_lookup(
    spec: model.Lookup, scope: DatasetScope, target: Target, timed: Timed, findings: Findings
) -> TypedLookup | None:
    """Return a lookup with both sides of its condition typed, None where that is not possible."""
    pairs = []
    for mine, theirs in spec.on:
        left = row_name(_path(mine, spec.at(mine), scope), scope, findings, column=True)
        other = replace(target.scope, own=None)
        right = row_name(syntax.Name((theirs,), spec.at(theirs)), other, findings, column=True)
        _check_pair(spec, (mine, left), (theirs, right), findings)
        pairs.append((left, right))
    valid, time = None, None
    if spec.valid is not None:
        first, end = (timed(name, spec.at(name), target.scope, findings) for name in spec.valid)
        valid, time = (first, end), scope.time
        for name, expr in zip(spec.valid, valid, strict=True):
            _refuse_chain(spec, name, expr, findings)
        if time is None:
            message = f"`{spec.name}` is looked up as of the row's time, but `{scope.dataset}` says no `time`"
            findings.error("bad-lookup", message, spec.span, "add `time:` to the dataset, or leave `valid` out")
    prefix = f"{spec.name}."
    hidden = next((name for name in scope.columns or () if name.startswith(prefix)), None)
    if hidden is not None:
        message = f"`{hidden}` is a column of `{scope.dataset}`: a lookup `{spec.name}` would hide it"
        findings.error("bad-lookup", message, spec.span, "give the lookup another name")
    if findings.failed:
        return None
    return TypedLookup(spec.name, spec.dataset, tuple(pairs), valid, time, spec.span)


def _path(name: str, span: Span, scope: DatasetScope) -> syntax.Name:
    """Return what a key of mine names: a column or field, or what another lookup finds (`listing.owner`)."""
    first, *rest = name.split(".")
    own = name in scope.fields or name in (scope.columns or ())
    return syntax.Name((first, *rest) if rest and first in scope.lookups and not own else (name,), span)


def order_lookups(dataset: str, lookups: Mapping[str, TypedLookup], findings: Findings) -> dict[str, TypedLookup]:
    """Return the lookups of a dataset, each after those by whose values it looks up; refuse those in a circle."""
    graph = {
        name: tuple(
            dict.fromkeys(node.path[0] for expr in one.reads for node in walk(expr) if isinstance(node, LookedUp))
        )
        for name, one in lookups.items()
    }
    order, cycles = in_order(graph)
    for cycle in cycles:
        message = f"lookups of `{dataset}` look up by each other's values: {circle(cycle)}"
        hint = "look one of them up by a column of the row itself"
        findings.error("lookup-cycle", message, lookups[cycle[0]].span, hint)
    return {name: lookups[name] for name in order}


def _check_pair(spec: model.Lookup, mine: tuple[str, Expr], theirs: tuple[str, Expr], findings: Findings) -> None:
    _refuse_chain(spec, *theirs, findings)
    for name, expr in (mine, theirs):
        type = expr.type
        if type.kind not in KEYS or (type.kind is Kind.NUMBER and not type.whole):
            what = "a number with fractions" if type.kind is Kind.NUMBER else describe(type)
            message = f"rows cannot be looked up by `{name}`: it is {what}"
            hint = "a text, a whole number, a boolean or a date can be; `round(…)` makes a whole number"
            findings.error("bad-lookup", message, spec.at(name), hint)
    left, right = mine[1].type, theirs[1].type
    if Kind.UNKNOWN not in (left.kind, right.kind) and left.kind is not right.kind and not findings.failed:
        message = f"`{mine[0]}` is {describe(left)}, `{theirs[0]}` of `{spec.dataset}` is {describe(right)}"
        findings.error("bad-lookup", f"no row would match: {message}", spec.at(mine[0]), "both must be of one kind")


def _refuse_chain(spec: model.Lookup, name: str, expr: Expr, findings: Findings) -> None:
    if any(isinstance(node, LookedUp) for node in walk(expr)):
        message = f"rows of `{spec.dataset}` cannot be found by `{name}`: there it is itself looked up"
        findings.error("bad-lookup", message, spec.span, f"name a column of `{spec.dataset}`")


def refuse_circular_time(
    time: Expr | None, lookups: Mapping[str, Reach], span: Span | None, findings: Findings
) -> Expr | None:
    """Refuse a row's time that is looked up as of the row's time."""
    for node in walk(time) if time is not None else ():
        if isinstance(node, LookedUp) and lookups[node.path[0]].by_time:
            message = f"the time of a row cannot come from `{node.text}`: that is looked up as of the row's time"
            findings.error("bad-lookup", message, span, "take the time from the row itself")
            return FAILED
    return time


def reached_datasets(datasets: Mapping[str, TypedDataset], names: Iterable[str]) -> frozenset[str]:
    """Return the datasets that some datasets look up, or cover as far as, directly and through others."""
    found = set(covering(datasets, names))
    stack = list(found)
    while stack:
        dataset = datasets.get(stack.pop())
        for lookup in dataset.lookups.values() if dataset is not None else ():
            if lookup.dataset not in found and not lookup.event:
                found.add(lookup.dataset)
                stack.append(lookup.dataset)
    return frozenset(found)
