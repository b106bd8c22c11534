"""What goes wrong while rows are read, as diagnostics: Polars errors and panics never leave as themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError, Note
from smartkpi.source import Span


def fault(code: str, message: str, span: Span | None, hint: str = "", note: str = "", subject: str = "") -> KpiError:
    """Return a KpiError of one diagnostic."""
    notes = (Note(note),) if note else ()
    return KpiError(Diagnostic(code, message, span, hint, notes, subject=subject))


def is_panic(error: BaseException) -> bool:
    """Say whether an error is a panic of the Polars engine, which derives from BaseException alone."""
    return type(error).__name__ == "PanicException"


@contextmanager
def reading(what: str, span: Span | None, subject: str = "") -> Iterator[None]:
    """Turn whatever Polars or the system raises while `what` is read into the error `unreadable-data`."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(what, error, span, subject) from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise _unreadable(what, error, span, subject) from None


@contextmanager
def panicking(what: str) -> Iterator[None]:
    """Turn a panic of the engine, wherever it comes from, into the error that `what` cannot be read."""
    try:
        yield
    except BaseException as error:
        if not is_panic(error):
            raise
        raise _unreadable(what, error, None, "") from None


def _unreadable(what: str, error: BaseException, span: Span | None, subject: str) -> KpiError:
    text = str(error)
    if "utf-8" in text.lower() or "utf8" in text.lower():
        hint = "save the file as UTF-8"
        return fault("bad-encoding", f"{what} is not UTF-8 text", span, hint, subject=subject)
    return fault("unreadable-data", f"{what} cannot be read", span, note=first_line(text), subject=subject)


def first_line(text: str) -> str:
    """Return the first line of an error's text, without its end stop."""
    lines = text.strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else ""
