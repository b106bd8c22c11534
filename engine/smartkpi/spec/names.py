"""Names of the project: what one may be, and one namespace for events, KPIs, constants and the like."""

from __future__ import annotations

import re
import unicodedata

from smartkpi.diagnostics import Diagnostic
from smartkpi.spec.nodes import Scalar

RESERVED = frozenset(
    """
    and or not in is null between where then after without within by per first repeat match as true false if
    """.split()  # noqa: SIM905 (a list of twenty texts is a page)
)
_NAME = re.compile(r"[^\W\d]\w*")


def name_of(key: Scalar) -> str:
    """Return a name in its one spelling (NFC), so that é is é however it was typed."""
    return key.written if key.written.isascii() else unicodedata.normalize("NFC", key.written)


def check_name(key: Scalar, hint: str = "choose another name", *, reserved: bool = True) -> Diagnostic | None:
    """Return what is wrong with a name: not an identifier, or a word of the language (with the hint)."""
    name = name_of(key)
    if not _NAME.fullmatch(name):
        fixed = re.sub(r"\W+", "_", name).strip("_")
        fix = f"write `{fixed}`" if _NAME.fullmatch(fixed) else "begin it with a letter"
        message = f"`{name}` is no name: letters, digits and `_`, not beginning with a digit"
        return Diagnostic("bad-name", message, key.span, fix)
    if reserved and name in RESERVED:
        return Diagnostic("reserved-name", f"`{name}` is a word of the language", key.span, hint)
    return None
