"""What is told of rows that count for nothing, or only in part."""

from __future__ import annotations

from collections.abc import Sequence

from smartkpi.diagnostics import Diagnostic, Severity
from smartkpi.engines.answer import Coverage
from smartkpi.semantics.formula import TypedDataset, TypedLookup


def not_a_number(dataset: TypedDataset, column: str, count: int) -> Diagnostic:
    """Say that values of a column are no numbers."""
    rows = f"{count:,} row{'s' if count > 1 else ''}"
    message = f"`{column}` of dataset `{dataset.name}` is NaN or infinite in {rows}: there it counts as missing"
    return Diagnostic("not-a-number", message, dataset.spec.span, severity=Severity.NOTE)


def no_time(dataset: TypedDataset, coverage: Coverage) -> Diagnostic:
    """Say how many rows have no time."""
    count, rows = coverage.left_out["null_time"], coverage.rows
    message = f"dataset `{dataset.name}` has no time in {count:,} of {rows:,} rows: they are left out"
    return Diagnostic("no-time", message, dataset.spec.span, severity=Severity.NOTE)


def duplicates(dataset: TypedDataset, equal: int, older: int) -> Diagnostic:
    """Say how many rows of repeated keys are left out."""
    parts = [f"{equal} equal"] if equal else []
    parts += [f"{older} older"] if older else []
    what = " and ".join(parts)
    message = f"dataset `{dataset.name}` repeats keys: {what} row{'s' if equal + older > 1 else ''} left out"
    return Diagnostic("repeated-key", message, dataset.spec.span, severity=Severity.NOTE)


def preferred(dataset: TypedDataset, event: str, others: Sequence[str], count: int) -> Diagnostic:
    """Say how many rows of an event other datasets have as well, and before this one."""
    rows = "1 row" if count == 1 else f"{count} rows"
    names = " or ".join(f"`{name}`" for name in others)
    message = f"{rows} of `{event}` left out in `{dataset.name}`: known from {names}"
    return Diagnostic("preferred-elsewhere", message, dataset.spec.events[event].span, severity=Severity.NOTE)


def without_match(dataset: TypedDataset, lookup: TypedLookup, count: int, example: str) -> Diagnostic:
    """Say how many rows find nothing by a lookup."""
    rows = "1 row" if count == 1 else f"{count} rows"
    such = f" (such as {example})" if example else ""
    message = f"{rows} of `{dataset.name}` find no row of `{lookup.dataset}`{such}: their `{lookup.name}` is null"
    return Diagnostic("unmatched-rows", message, lookup.span, severity=Severity.NOTE)
