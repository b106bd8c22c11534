"""Fill expectations in: put what was got where a test expects something else, and leave every other byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from smartkpi.api.cases import Difference, Outcome
from smartkpi.report.render import write_whole
from smartkpi.report.rows import exact, readable
from smartkpi.source import Source

PLAIN = re.compile(r"[A-Za-z_][\w ]*")
WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"))


def fill(outcomes: Iterable[Outcome], files: Sequence[Path]) -> list[Path]:
    """Write the values that were got into the files of the tests; return the files that changed.

    A file that changed since it was read is left alone.
    """
    by_source: dict[str, list[Difference]] = {}
    for outcome in outcomes:
        for one in outcome.differences:
            if one.column and one.span.end >= one.span.start:
                by_source.setdefault(one.span.source.name, []).append(one)
    changed = []
    for name, differences in by_source.items():
        path = next((file for file in files if str(file) == name), None) or _same_file(files, name)
        if path is not None and _fill_file(path, differences[0].span.source, differences):
            changed.append(path)
    return changed


def _same_file(files: Sequence[Path], name: str) -> Path | None:
    """Return the file that a source's name stands for: its path, or the end of it."""
    path = Path(name)
    if path.is_file():
        return path
    return next((file for file in files if file.parts[-len(path.parts) :] == path.parts), None)


def _fill_file(path: Path, source: Source, differences: Sequence[Difference]) -> bool:
    whole = path.read_bytes().decode("utf-8")
    at = whole.find(source.text) if source.text else -1
    if at not in (0, 1):  # a byte order mark may stand before the text
        return False
    text = source.text
    for one in sorted(differences, key=lambda one: one.span.start, reverse=True):
        old = text[one.span.start : one.span.end]
        gap = " " if text[one.span.start - 1] == ":" else ""  # an empty value right behind its key
        text = text[: one.span.start] + gap + written(one.got, old, percent=one.percent) + text[one.span.end :]
    if text == source.text:
        return False
    write_whole(path, (whole[:at] + text).encode("utf-8"))
    return True


def written(value: Any, old: str, *, percent: bool = False) -> str:
    """Return a value as YAML, in the way in which the old one was written: quotes and percent stay."""
    quote = old[0] if old[:1] in ("'", '"') else ""
    text = _text(value, percent=percent)
    if quote and isinstance(value, str | int | float | Decimal):
        return f"{quote}{text}{quote}"
    if isinstance(value, str) and (not PLAIN.fullmatch(text) or text.lower() in WORDS):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{escaped}"'
    return text


def _text(value: Any, *, percent: bool) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float() | int():
            return readable(Decimal(repr(value)) * 100) + "%" if percent else readable(Decimal(repr(value)))
        case Decimal():
            return exact(value)
        case list():
            return f"[{', '.join(value)}]"
        case _:
            return str(value)
