"""One event of several datasets, counted once across them: the row of the dataset that comes first stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.types import BOOLEAN, DATE, Kind
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import Apply, Expr, Literal, LookedUp, TypedBinding, TypedDataset, TypedLookup
from smartkpi.semantics.lookups import KEYS
from smartkpi.spec.model import Catalog, Contract, Dataset, Preference
from smartkpi.tree import walk


def stated(spec: Dataset, time: Expr | None) -> tuple[Expr, ...]:
    """Return that a row lies in the coverage that its dataset states: rows outside are not known to be all."""
    return () if spec.covers is None else between(time, spec.covers.start, spec.covers.end, "<=")


def between(time: Expr | None, start: date | None, end: date | None, upto: str) -> tuple[Expr, ...]:
    """Return that a time lies on local days from one on, and by ``upto`` (`<` or `<=`) another; None is open."""
    ends = ((">=", start), (upto, end))
    return tuple(
        Apply(op, (time, Literal(day, DATE)), BOOLEAN) for op, day in ends if time is not None and day is not None
    )


def prefer(
    catalog: Catalog,
    datasets: Mapping[str, TypedDataset],
    events: dict[str, tuple[TypedBinding, ...]],
    broken: dict[str, Diagnostic],
    found: list[Diagnostic],
) -> dict[str, TypedDataset]:
    """Return the datasets such that a row is one of an event only where no dataset before has its key.

    ``events`` change with them; one whose preference is wrong goes to ``broken``.
    """
    changed = dict(datasets)
    for name, contract in catalog.contracts.items():
        if contract.prefer is None or not events.get(name):
            continue
        findings = Findings(f"event:{name}")
        sides = _sides(contract, contract.prefer, catalog, changed, events[name], findings)
        findings.close(f"`{name}`", contract.prefer.span)
        found.extend(findings.diagnostics)
        if findings.failed:
            broken[name] = findings.cause
            del events[name]
            continue
        for place, (dataset, key) in enumerate(sides[1:], 1):
            changed[dataset] = _after(name, changed[dataset], key, sides[:place], changed, contract.prefer)
        events[name] = tuple(changed[binding.dataset].events[name] for binding in events[name])
    return changed


Side = tuple[str, tuple[Expr, ...]]


def _sides(
    contract: Contract,
    written: Preference,
    catalog: Catalog,
    datasets: Mapping[str, TypedDataset],
    providers: Iterable[TypedBinding],
    findings: Findings,
) -> list[Side]:
    """Return the datasets in their order with the key of the event in each."""
    names = [binding.dataset for binding in providers]
    for name in written.datasets:
        place = written.places.get(name, written.span)
        if (cause := catalog.broken.get(f"dataset:{name}")) is not None:
            findings.depend(name, cause)
        elif name not in catalog.datasets:
            hint = did_you_mean(name, names) or did_you_mean(name, catalog.datasets)
            notes = listing("datasets that provide it", names)
            findings.error("unknown-dataset", f"no dataset is named `{name}`", place, hint, notes)
        elif name not in names:
            message = f"`prefer` names `{name}`, which does not provide `{contract.name}`"
            findings.error("bad-prefer", message, place, f"it is provided by {_listed(names)}")
    if left := [name for name in names if name not in written.datasets]:
        message = f"`prefer` leaves out {_listed(left)}, which provides `{contract.name}` too"
        findings.error("bad-prefer", message, written.span, "add it in its place: the rows of which are to stay?")
    sides = [
        (name, tuple(_part(contract, part, datasets[name], findings) for part in written.key))
        for name in written.datasets
        if name in datasets and name in names
    ]
    _compare(contract, written, sides, findings)
    return sides


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _part(contract: Contract, name: str, dataset: TypedDataset, findings: Findings) -> Expr:
    """Return a part of the key of an event in one of its datasets."""
    assert contract.prefer is not None
    span, expr = contract.prefer.span, dataset.field(name)
    what = f"`{name}`, the key of `{contract.name}`"
    if expr is None:
        hint = f"give it that name under the `fields` of `{dataset.name}`: `{name}: <a column>`"
        findings.error("bad-prefer", f"`{dataset.name}` has no field {what}", span, hint)
        return Literal(None, BOOLEAN)
    kind = expr.type.kind
    if any(isinstance(node, LookedUp) for node in walk(expr)):
        findings.error("bad-prefer", f"{what}, is looked up in `{dataset.name}`", span, "take a column of the dataset")
    elif kind not in KEYS or (kind is Kind.NUMBER and not expr.type.whole):
        told = "a number with fractions" if kind is Kind.NUMBER else describe(expr.type)
        hint = "a text, a whole number, a boolean or a date can be a key"
        findings.error("bad-prefer", f"{what}, is {told} in `{dataset.name}`", span, hint)
    return expr


def _compare(contract: Contract, written: Preference, sides: list[Side], findings: Findings) -> None:
    """Refuse a key that is of one kind here, of another there: no row would be found again."""
    for place, name in enumerate(written.key):
        kinds = {key[place].type.kind: dataset for dataset, key in sides if key[place].type.kind is not Kind.UNKNOWN}
        if len(kinds) > 1 and not findings.failed:
            told = ", ".join(f"{kind.value} in `{dataset}`" for kind, dataset in kinds.items())
            message = f"`{name}`, the key of `{contract.name}`, is {told}"
            findings.error("bad-prefer", message, written.span, "make both alike, under the `fields` of one")


def _after(
    event: str,
    dataset: TypedDataset,
    key: tuple[Expr, ...],
    before: Iterable[Side],
    datasets: Mapping[str, TypedDataset],
    written: Preference,
) -> TypedDataset:
    """Return a dataset whose rows are the event only where none of the datasets before it has them."""
    lookups = dict(dataset.lookups)
    conditions: list[Expr] = []
    for name, theirs in before:
        other = datasets[name].events[event]
        label = f"{event} in {name}"
        own = (part for part in conjuncts(other.when) if not is_preference(part))
        where = (*own, *stated(datasets[name].spec, other.time))
        pairs = tuple(zip(key, theirs, strict=True))
        lookups[label] = TypedLookup(label, name, pairs, None, None, written.span, event, where, other.time)
        conditions.append(Apply("is null", (LookedUp((label,), "", BOOLEAN),), BOOLEAN))
    binding = dataset.events[event]
    parts = (*conjuncts(binding.when), *conditions)
    when = parts[0] if len(parts) == 1 else Apply("and", parts, BOOLEAN)
    return replace(dataset, lookups=lookups, events={**dataset.events, event: replace(binding, when=when)})


def conjuncts(condition: Expr | None) -> tuple[Expr, ...]:
    """Return the conditions that one is the conjunction of."""
    if condition is None:
        return ()
    return condition.args if isinstance(condition, Apply) and condition.function == "and" else (condition,)


def is_preference(part: Expr) -> bool:
    """Return whether a condition says that no dataset before has the row."""
    return isinstance(part, Apply) and any(isinstance(arg, LookedUp) and not arg.name for arg in part.args)
