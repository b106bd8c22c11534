"""Whose turn it is when nothing could be answered: the question's, the definitions' or the data's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from smartkpi.diagnostics import KpiError


class UsageError(KpiError):
    """The question is wrong: an unknown name, an option that cannot be read."""


class DefinitionError(KpiError):
    """There is no valid definition to answer with."""


class DataError(KpiError):
    """The data cannot be used: a missing or unreadable file, rows that break a rule."""


@contextmanager
def failing_as(kind: type[KpiError]) -> Iterator[None]:
    """Raise a KpiError from the block as one of a kind; one that already has a kind keeps it."""
    try:
        yield
    except (UsageError, DefinitionError, DataError):
        raise
    except KpiError as error:
        raise kind(*error.diagnostics) from error
