"""Dimensions: which fields can tell segments apart, and which of those described nothing has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smartkpi.diagnostics import Diagnostic, Severity
from smartkpi.language import syntax
from smartkpi.language.types import Kind, Type
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.comparisons import COMPARISONS
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import TypedDataset
from smartkpi.semantics.scope import (
    EventScope,
    Lack,
    broken_field,
    field_type,
    follow,
    has_field,
    is_path,
    refuse_united,
    unknown_field,
)
from smartkpi.source import Span
from smartkpi.spec.model import Catalog

RESERVED = frozenset(
    {"kpi", "grain", "start", "end"}
    | {"level", "value", "money", "unit", "currency", "n", "state", "flags", "status", "reason"}
    | {name for columns in COMPARISONS.values() for name in columns.all}
)
"""The columns of a result: a dimension of such a name would collide (see result.py, which this layer cannot import)."""


def equalities(condition: syntax.Expr) -> Iterator[tuple[str, str | None]]:
    """Yield the fields that a condition holds at one value, as text; no field and None for whatever else it says."""
    match condition:
        case syntax.Apply(function="and", args=args):
            for arg in args:
                yield from equalities(arg)
        case (
            syntax.Apply(function="==", args=(syntax.Name() as name, other))
            | syntax.Apply(function="==", args=(other, syntax.Name() as name))
        ) if (value := _text(other)) is not None:
            yield name.text, value
        case _:
            yield "", None


def _text(expr: syntax.Expr) -> str | None:
    match expr:
        case syntax.Text(value=value):
            return value
        case syntax.Number(value=number) if number == number.to_integral_value():
            return str(int(number))
        case syntax.Boolean(value=value):
            return "true" if value else "false"
        case _:
            return None


def without_field(catalog: Catalog, datasets: Iterable[TypedDataset]) -> Iterator[Diagnostic]:
    """Yield a warning for each dimension of the project's own files that is a field of no dataset and no event.

    Nothing is said where the columns of a dataset are not known, or one has an error: they may have it. Packs have
    dimensions for whoever has the field.
    """
    fulfilled = (one.contract for one in catalog.derived.values() if one.contract is not None)
    known = {name for contract in (*catalog.contracts.values(), *fulfilled) for name in contract.fields}
    found = tuple(datasets)
    for dataset in found:
        if dataset.columns is None:
            return
        known.update(dataset.fields, dataset.columns)
    if not found or any(key.partition(":")[0] in ("dataset", "event") for key in catalog.broken):
        return
    own = {"<project>", *(str(file) for file in catalog.files)}
    for name, dimension in catalog.dimensions.items():
        if name not in known and dimension.span.source.name in own:
            message = f"no dataset has a field `{name}`: what its dimension says changes nothing"
            hint, notes = did_you_mean(name, known), listing("fields", known)
            subject = f"dimension:{name}"
            yield Diagnostic("unknown-field", message, dimension.span, hint, notes, Severity.WARNING, subject)


def check_dimensions(by: Iterable[str], scopes: Iterable[EventScope], span: Span | None, findings: Findings) -> None:
    """Hold segments against events: each has the field, all of one kind, and it can tell segments apart."""
    for name in dict.fromkeys(by):
        if name in RESERVED:
            hint = "give the field another name under the dataset's `fields`"
            findings.error("reserved-dimension", f"`{name}` is a column of every result", span, hint)
            continue
        seen: tuple[Type, str] | None = None
        for scope in scopes:
            if (cause := broken_field(scope, name)) is not None:
                findings.depend(name, cause)
            elif not has_field(scope, name):
                _unknown_dimension(name, span, scope, findings)
            else:
                type = field_type(scope, name)
                _check_dimension(name, type, span, findings)
                if seen is not None and Kind.UNKNOWN not in (type.kind, seen[0].kind) and type.kind is not seen[0].kind:
                    message = f"`{name}` is {describe(seen[0])} in `{seen[1]}`, {describe(type)} in `{scope.event}`"
                    findings.error("bad-dimension", message, span, "segments must be of one kind everywhere")
                seen = seen if seen is not None and type.kind is Kind.UNKNOWN else (type, scope.event)


def _unknown_dimension(name: str, span: Span | None, scope: EventScope, findings: Findings) -> None:
    if refuse_united(name, span, scope, findings):
        return
    if is_path(name, scope.lookups) and isinstance(lack := follow(tuple(name.split(".")), scope.lookups), Lack):
        findings.error("unknown-field", lack.message, span, lack.hint, lack.notes)
    else:
        unknown_field(name, span, scope, findings)


def _check_dimension(name: str, type: Type, span: Span | None, findings: Findings) -> None:
    fraction = type.kind is Kind.NUMBER and not type.whole
    if name == "time" or type.kind is Kind.TIME:
        hint = "periods are asked for by `grain`; a date is `date(…)` under the dataset's `fields`"
        findings.error("bad-dimension", f"`{name}` is a time: every row would be a segment", span, hint)
    elif fraction or type.kind is Kind.NULL:
        hint = "a text, a whole number, a boolean or a date can be a segment; `round(…)` makes a whole number"
        what = "a number with fractions" if fraction else "always null"
        findings.error("bad-dimension", f"`{name}` is {what}", span, hint)
