"""Arguments as callers hand them over: brought to plain values, or refused by name."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from smartkpi.api.failures import UsageError
from smartkpi.diagnostics import Diagnostic
from smartkpi.spec.parts import one_spelling

SHOWN = 40
APART = re.compile(r",(?![^()]*\))")
"""A comma between names: none of those in `step_rate(purchase, order)`."""


def names(argument: str, given: Any) -> tuple[str, ...]:
    """Return a list of names, given as such or as a text with commas; None is none."""
    if given is None:
        return ()
    wanted = "a name, or a list of names"
    if isinstance(given, bytes | Mapping | set | frozenset) or not isinstance(given, Iterable):
        refuse(argument, given, wanted)
    parts = [given] if isinstance(given, str) else list(given)
    for part in parts:
        if not isinstance(part, str):
            refuse(argument, part, wanted)
    return tuple(one_spelling(name) for part in parts for piece in APART.split(part) if (name := piece.strip()))


def text(argument: str, given: Any, wanted: str = "a text") -> str | None:
    """Return a text or None."""
    return str(given) if isinstance(given, str) else None if given is None else refuse(argument, given, wanted)


def whole(argument: str, given: Any) -> int | None:
    """Return a whole number of any library, or None."""
    if given is None:
        return None
    try:
        if isinstance(_plain(given), bool):
            raise TypeError
        return operator.index(given)
    except (TypeError, ValueError):
        refuse(argument, given, "a whole number")


def flag(argument: str, given: Any) -> bool:
    """Return True or False of any library."""
    plain = _plain(given)
    return plain if isinstance(plain, bool) else refuse(argument, given, "True or False")


def moment(argument: str, given: Any) -> str | date | None:
    """Return a period as text, a date or a time; a library's own times are brought to those of Python."""
    stamp = getattr(getattr(given, "dtype", None), "kind", "") == "M"
    plain: str | date | None = _plain(given.astype("datetime64[us]") if stamp else given)
    if given is not None and (not isinstance(plain, str | date) or plain != plain):  # a missing time is not itself
        refuse(argument, given, "a text such as `2026-01`, a date or a datetime")
    return plain


def language(given: Any) -> str:
    """Return the name of a language."""
    return given if isinstance(given, str) else refuse("lang", given, "a language such as `en`")


def function(given: Any) -> Any:
    """Return what can be called, or None."""
    return given if given is None or callable(given) else refuse("progress", given, "a function")


def mapping(argument: str, given: Any) -> Mapping[str, Any]:
    """Return a mapping from names; None is an empty one."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        refuse(argument, given, "a mapping from names")
    for name in given:
        if not isinstance(name, str):
            refuse(argument, name, "a mapping from names")
    return given


def constants(argument: str, given: Any) -> dict[str, str]:
    """Return values of constants as they are written in a file; numbers are written out."""
    return {name: _constant(f"{argument}[{name!r}]", value) for name, value in mapping(argument, given).items()}


def project(given: Any) -> str | Path | Mapping[str, Any]:
    """Return what a project is loaded from."""
    if isinstance(given, str | Path | Mapping):
        return given
    return Path(path("source", given) or refuse("source", given, "a path or a mapping"))


def path(argument: str, given: Any) -> str | None:
    """Return a path as text, or None."""
    return text(argument, os.fspath(given) if isinstance(given, os.PathLike) else given, "a path")


def projector(given: Any) -> Any:
    """Return an object that projects, or None."""
    if given is not None and not callable(getattr(given, "project", None)):
        refuse("projector", given, "an object with a method `project(history, calendar, days)`")
    return given


def paths(argument: str, given: Any) -> tuple[Path, ...]:
    """Return a path, or several, as a tuple."""
    several = [given] if isinstance(given, str | os.PathLike) else given
    if not isinstance(several, Sequence) or any(not isinstance(one, str | os.PathLike) for one in several):
        refuse(argument, given, "paths")
    return tuple(Path(one) for one in several)


def refuse(argument: str, given: Any, wanted: str) -> NoReturn:
    """Raise UsageError (`bad-argument`): the argument is not what is wanted."""
    try:
        shown = repr(given)
    except Exception:  # noqa: BLE001 (whatever a foreign object may raise)
        shown = "…"
    shown = shown if len(shown) <= SHOWN and "\n" not in shown else "a value"
    told = "None" if given is None else f"{shown} ({type(given).__name__})"
    raise UsageError(Diagnostic("bad-argument", f"`{argument}` takes {wanted}, this is {told}"))


def _constant(argument: str, given: Any) -> str:
    plain = _plain(given)
    if isinstance(plain, str | int | float | Decimal | date):
        return str(plain).lower() if isinstance(plain, bool) else str(plain)
    refuse(argument, given, "a value as it is written in a file")


def _plain(given: Any) -> Any:
    """Return a single value of NumPy and the like as one of Python."""
    if isinstance(given, str | date | int | float) or getattr(given, "shape", None) != ():
        return given
    return given.item() if hasattr(given, "item") else given
