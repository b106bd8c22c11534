"""What the terminal can show, and how bytes, texts and a progress bar get there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from smartkpi.report.style import Style, cells

PROBE = "●▁█─中"
PLAIN = {"…": "...", "≤": "<=", "≥": ">="}
PATIENCE = 0.5
ROOMY = 60


def style_of(stream: TextIO, lang: str = "en") -> Style:
    """Return how to write for a stream: colours and width of a terminal, glyphs that its encoding has.

    Only a terminal is told how old data is: files and pipes get the same bytes every day.
    """
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal or os.environ.get("COLUMNS") else None
    return Style(
        width=width,
        unicode=_encodes(stream),
        color=terminal and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR"),
        lang=lang,
        today=datetime.now(UTC).astimezone().date() if terminal else None,
    )


def write(content: str | bytes) -> None:
    """Write to stdout: a text with what its encoding has; bytes as they are."""
    if isinstance(content, bytes):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    sys.stdout.write(spelled(content, sys.stdout))
    sys.stdout.flush()


def spelled(content: str, stream: TextIO) -> str:
    """Return a text with what the encoding of a stream has; the rest as `?`, as wide as what it stands for."""
    encoding = stream.encoding or "utf-8"
    try:
        content.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_spelled(character, encoding) for character in content)
    return content


def _spelled(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return PLAIN.get(character, "?" * cells(character))
    return character


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int | None], None] | None]:
    """Offer a callback (rows so far, rows in all) that draws on stderr; None where that is no terminal."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bar = Progress(*(columns if console.width >= ROOMY else columns[:2]), console=console, transient=True)
    task = bar.add_task("0 rows", total=None)
    begun = datetime.now(UTC)

    def move(done: int, total: int | None) -> None:
        if not bar.live.is_started and (datetime.now(UTC) - begun).total_seconds() >= PATIENCE:
            bar.start()
        known = "" if total is None else f" of {total:,}"
        bar.update(task, completed=done, total=total, description=f"{done:,}{known} rows")

    try:
        yield move
    finally:
        bar.stop()


def _encodes(stream: TextIO) -> bool:
    try:
        PROBE.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
