"""What the terminal can show, and how bytes, texts and a progress bar get there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from smartkpi.report.style import Style

PROBE = "●▁█─中"
PATIENCE = 0.5


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
    """Write to stdout: a text with what its encoding has, `?` for the rest; bytes as they are."""
    if isinstance(content, bytes):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(content.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int | None], None] | None]:
    """Offer a callback (rows so far, rows in all) that draws on stderr; None where that is no terminal."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("rows", total=None)
    begun = datetime.now(UTC)

    def move(done: int, total: int | None) -> None:
        if not bar.live.is_started and (datetime.now(UTC) - begun).total_seconds() >= PATIENCE:
            bar.start()
        bar.update(task, completed=done, total=total)

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
