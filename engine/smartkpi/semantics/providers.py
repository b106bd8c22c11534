"""Events as their datasets provide them: one dataset or several, whose rows are those of one event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language.syntax import Name
from smartkpi.language.types import TEXT, UNKNOWN, Kind, Type
from smartkpi.language.units import describe, of_unit
from smartkpi.semantics.datasets import CheckedDataset, united
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import TypedBinding
from smartkpi.semantics.scope import Namespace
from smartkpi.source import Span
from smartkpi.spec.model import Contract, Dataset, Derived, FieldDef, Formula
from smartkpi.tree import walk

Types = Mapping[str, Type]


@dataclass(frozen=True, slots=True)
class Provided:
    """The fields of an event's rows: those that every dataset has. ``broken`` are those that no condition can name.

    ``lacking`` maps a field that only some datasets have to one that lacks it; ``additive`` one that may not be added
    over everything to what is said of it, the name "" for the counts.
    """

    types: Types
    broken: Mapping[str, Diagnostic]
    lacking: Mapping[str, str]
    additive: Mapping[str, str]


ADDITIVE = ("yes", "not over time", "no")
"""From what may be added over everything to what may not at all."""


def unite(
    event: str,
    bindings: tuple[TypedBinding, ...],
    datasets: tuple[CheckedDataset, ...],
    contract: Contract | None,
    specs: Mapping[str, Dataset],
) -> tuple[Provided, Findings]:
    """Return the fields of an event over all its datasets, and what is wrong with one of them."""
    findings = Findings(f"event:{event}")
    sides = []
    for binding, dataset in zip(bindings, datasets, strict=True):
        types = dict(field_types(dataset))
        if binding.time is not None:
            types["time"] = binding.time.type
        elif "time" not in types:
            types.pop("time", None)
        types["dataset"] = TEXT
        if contract is not None:
            types.update(_fulfilled(contract, types, dataset, findings))
        sides.append(types)
    broken = {name: cause for dataset in datasets for name, cause in dataset.broken.items()}
    names = dict.fromkeys(name for types in sides for name in types)
    common: dict[str, Type] = {}
    lacking: dict[str, str] = {}
    for name in names:
        found = [types.get(name) for types in sides]
        without = [d for d, type in zip(datasets, found, strict=True) if type is None and not _may_have(d, name)]
        if without:
            lacking[name] = without[0].typed.name
            continue
        type = _common(event, name, [t or UNKNOWN for t in found], bindings, datasets)
        if isinstance(type, Diagnostic):
            broken.setdefault(name, type)
        else:
            common[name] = type
    return Provided(common, broken, lacking, _additive(event, datasets, specs)), findings


def _additive(event: str, datasets: tuple[CheckedDataset, ...], specs: Mapping[str, Dataset]) -> dict[str, str]:
    """Return what may not be added over everything: the strictest of all datasets."""
    found: dict[str, str] = {}
    for dataset in datasets:
        spec = dataset.typed.spec
        said = _said_in(spec, specs, ())
        said[""] = spec.events[event].additive or "yes"
        for name, how in said.items():
            found[name] = max(found.get(name, "yes"), how, key=ADDITIVE.index)
    return {name: how for name, how in found.items() if how != "yes"}


def _said_in(spec: Dataset, specs: Mapping[str, Dataset], within: tuple[str, ...]) -> dict[str, str]:
    """Return how the fields of a dataset may be added, and those that it looks up, where not over everything."""
    found: dict[str, str] = {}
    for lookup in spec.lookups.values():
        if lookup.dataset in specs and lookup.dataset not in within:
            there = _said_in(specs[lookup.dataset], specs, (*within, spec.name))
            found.update({f"{lookup.name}.{name}": how for name, how in there.items()})
    found.update({name: _said(name, spec.fields, found, ()) for name in spec.fields})
    return {name: how for name, how in found.items() if how != "yes"}


def _said(name: str, fields: Mapping[str, FieldDef], looked_up: Mapping[str, str], within: tuple[str, ...]) -> str:
    """Return how a field may be added: as it says, else as the strictest of the fields it is made of."""
    written = fields[name]
    if written.additive is not None:
        return written.additive
    if name in within or not isinstance(written.is_, Formula):
        return "yes"
    names = (node.text for node in walk(written.is_.expr) if isinstance(node, Name))
    parts = [
        _said(part, fields, looked_up, (*within, name)) if part in fields else looked_up.get(part, "yes")
        for part in names
        if part != name
    ]
    return max(parts, key=ADDITIVE.index, default="yes")


def field_types(dataset: CheckedDataset) -> Types:
    """Return the types of a dataset's columns and fields."""
    own = {name: expr.type for name, expr in dataset.typed.fields.items()}
    columns = dataset.typed.columns or {}
    return {name: type for name, type in {**columns, **own}.items() if name not in dataset.broken}


def _may_have(dataset: CheckedDataset, name: str) -> bool:
    """Say whether a name may be a column that is not seen yet, or is a field with an error of its own."""
    if name in dataset.broken:
        return True
    return dataset.typed.columns is None and not (name == "time" and dataset.typed.timeless)


def _common(
    event: str,
    name: str,
    types: list[Type],
    bindings: tuple[TypedBinding, ...],
    datasets: tuple[CheckedDataset, ...],
) -> Type | Diagnostic:
    """Return the one type of a field in several datasets, or the error that it has two."""
    first, place = UNKNOWN, 0
    for index, type in enumerate(types):
        if first.kind in (Kind.UNKNOWN, Kind.NULL):
            first, place = type, index
        elif type.kind in (Kind.UNKNOWN, Kind.NULL):
            continue
        elif type.kind is not first.kind or type.unit != first.unit:
            a, b = datasets[place].typed.name, datasets[index].typed.name
            message = f"`{event}.{name}` is {describe(first)} in `{a}`, {describe(type)} in `{b}`"
            hint = f"make both alike, or rename one, under the `fields` of `{b}`"
            note = Note(f"`{a}` provides it here", datasets[place].typed.spec.events[event].span)
            span = datasets[index].typed.spec.events[event].span
            return Diagnostic("unequal-fields", message, span, hint, (note,), subject=f"event:{event}")
        else:
            first = replace(first, whole=first.whole and type.whole, decimal=first.decimal and type.decimal)
    return first


def fulfil(derived: Derived, space: Namespace, findings: Findings) -> None:
    """Let the rows of a derived event have what is declared of its name, as far as that is of a unit."""
    contract = derived.contract
    if contract is None or findings.failed:
        return
    scope, place = space.events[derived.name], derived.formula.expr.span
    assert scope.lineage is not None
    lacking = () if scope.open else {*contract.fields} - {*scope.fields}
    if scope.dataset is None:  # nothing is known of its rows but what is declared
        lacking = ()
    where = f"of `{scope.lineage.root}`"
    types = _united(contract, scope.fields, {*scope.broken, *lacking}, where, place, findings)
    if scope.dataset is None:
        types = dict.fromkeys(contract.fields, UNKNOWN) | dict(scope.fields) | types
    declared = {**scope.declared, **{name: written.span for name, written in contract.fields.items()}}
    for scopes in (space.events, space.derived.scopes):
        own = scopes[derived.name]
        scopes[derived.name] = replace(own, fields={**own.fields, **types}, declared=declared, bound=place)


def _fulfilled(contract: Contract, types: Types, dataset: CheckedDataset, findings: Findings) -> dict[str, Type]:
    """Return the types of a contract's fields that have a unit there, as the dataset fulfils them."""
    lacking = () if dataset.typed.columns is None else {*contract.fields} - {*types}
    place = dataset.typed.spec.events[contract.name].span
    where = f"in `{dataset.typed.name}`"
    return _united(contract, types, {*dataset.broken, *lacking}, where, place, findings)


def _united(
    contract: Contract, types: Types, without: Collection[str], where: str, place: Span, findings: Findings
) -> dict[str, Type]:
    """Return the types of those fields of a contract that have a unit there; refuse what is of another one."""
    united_types: dict[str, Type] = {}
    for name, written in contract.fields.items():
        if written.unit is None or name in without:
            continue
        type = united(types.get(name, UNKNOWN), written.unit)
        if isinstance(type, str):
            wanted = describe(of_unit(written.unit))
            message = f"`{contract.name}.{name}` is declared as {wanted}, {where} {type}"
            findings.error("unit-mismatch", message, place, notes=(Note("declared here", written.span),))
        else:
            united_types[name] = type
    return united_types
