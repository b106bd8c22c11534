"""The last line: every way in which a command can end becomes an exit code and a plain word."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:  # what goes well waits for none of these
    from smartkpi.diagnostics import Diagnostic, KpiError

FINE, FAILED, USAGE, DEFINITIONS, DATA, SOME_LEFT_OUT, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130
ORDER = (BUG, INTERRUPTED, USAGE, DEFINITIONS, DATA, SOME_LEFT_OUT, FAILED)
STDERR, PANIC = 2, b"panicked at"
REPORT_TO = "please report it with the command and its project"


def worst(codes: Iterable[int]) -> int:
    """Return the exit code that counts among several: the first that holds of 70 130 2 3 4 5 1."""
    found = set(codes)
    return next((code for code in ORDER if code in found), FINE)


def guarded(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code; no exception passes."""
    _open_closed()
    with _native_quiet() as codes:
        codes.append(_code_of(command))
        return codes[-1]


def _code_of(command: Callable[[], Any]) -> int:
    try:
        code = command()
        sys.stdout.flush()
        return code if isinstance(code, int) else FINE
    except (KeyboardInterrupt, click.exceptions.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        error.show(sys.stderr)
        return USAGE
    except BrokenPipeError:
        _close_quietly()
        return FINE
    except OSError as error:
        return _failed_output(error)
    except BaseException as error:  # noqa: BLE001 (also a panic of the engine, which is no Exception)
        return _ended(error)


@contextmanager
def _native_quiet() -> Iterator[list[int]]:
    """Keep what native code writes to stderr until the exit code is known: a panic that became an error says no more.

    It is shown where the end is a bug of ours, on request, and where it tells of no panic.
    """
    codes: list[int] = []
    stream: TextIO = sys.stderr
    held = _held_file() if sys.stderr is sys.__stderr__ and stream.fileno() == STDERR else None
    if held is None:
        yield codes
        return
    ours = os.dup(STDERR)
    with held, os.fdopen(ours, "w", encoding=stream.encoding, errors=stream.errors, buffering=1) as shown:
        stream.flush()
        os.dup2(held.fileno(), STDERR)
        sys.stderr = shown
        try:
            yield codes
        finally:
            sys.stderr = stream
            with suppress(OSError):
                shown.flush()
            os.dup2(ours, STDERR)
            held.seek(0)
            said = held.read()
            if said and (PANIC not in said or BUG in codes or os.environ.get("SMARTKPI_DEBUG") == "1"):
                os.write(STDERR, said)


def _held_file() -> IO[bytes] | None:
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


def _ended(error: BaseException) -> int:
    from smartkpi.diagnostics import KpiError

    match error:
        case KpiError():
            say(error.diagnostics)
            return exit_code(error)
        case SystemExit():
            return error.code if isinstance(error.code, int) else FINE
        case _ if _interrupted(error):
            return INTERRUPTED
        case _:
            return _bug(error)


def _interrupted(error: BaseException | None) -> bool:
    """Say whether an interrupt stands behind an error: classes and engines wrap what reaches them."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def exit_code(error: KpiError) -> int:
    """Return the exit code of a KpiError: whose turn it is says its kind."""
    from smartkpi.api.failures import DataError, UsageError

    match error:
        case UsageError():
            return USAGE
        case DataError():
            return DATA
        case _:
            return DEFINITIONS


def say(diagnostics: Iterable[Diagnostic]) -> None:
    """Show diagnostics on stderr: errors with their place, others in a line each."""
    from smartkpi.app.terminal import spelled, style_of
    from smartkpi.diagnostics import Severity, render, render_line

    style = style_of(sys.stderr)
    for one in diagnostics:
        text = f"{render(one, style.color)}\n\n" if one.severity is Severity.ERROR else f"{render_line(one)}\n"
        sys.stderr.write(spelled(text, sys.stderr))


def _failed_output(error: OSError) -> int:
    from smartkpi.diagnostics import Diagnostic

    place = f" `{error.filename}`" if error.filename else ""
    reason = error.strerror or type(error).__name__
    say([Diagnostic("cannot-write", f"the output{place} cannot be written: {reason}")])
    if sys.stdout is not None and error.filename is None:
        _close_quietly()
    return USAGE


def _bug(error: BaseException) -> int:
    if os.environ.get("SMARTKPI_DEBUG") == "1":
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    words = " ".join(str(error).split())[:200]
    print(f"kpi: a bug of ours, {type(error).__name__}: {words}; {REPORT_TO}", file=sys.stderr)
    return BUG


def _open_closed() -> None:
    """Let what is written to a stream that the caller has closed go nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


def _close_quietly() -> None:
    """Let the interpreter's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
