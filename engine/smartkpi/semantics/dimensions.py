"""Dimensions that nothing has: what is said of them would be passed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smartkpi.diagnostics import Diagnostic, Severity
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.findings import listing
from smartkpi.semantics.formula import TypedDataset
from smartkpi.spec.model import Catalog


def without_field(catalog: Catalog, datasets: Iterable[TypedDataset]) -> Iterator[Diagnostic]:
    """Yield a warning for each dimension of the project's own files that is a field of no dataset and no event.

    Nothing is said where the columns of a dataset are not known, or one has an error: they may have it. Packs have
    dimensions for whoever has the field.
    """
    known = {name for contract in catalog.contracts.values() for name in contract.fields}
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
