"""Names of the project: what one may be, and one namespace for events, KPIs, constants and the like."""

from __future__ import annotations

import unicodedata

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.parse import reserved_words
from smartkpi.spec.nodes import Scalar


def name_of(key: Scalar) -> str:
    """Return a name in its one spelling (NFC), so that é is é however it was typed."""
    return key.written if key.written.isascii() else unicodedata.normalize("NFC", key.written)


def check_name(key: Scalar, hint: str = "choose another name", *, reserved: bool = True) -> Diagnostic | None:
    """Return what is wrong with a name: not an identifier, or a word of the language (with the hint)."""
    name = name_of(key)
    if not name.isidentifier():
        fixed = _as_name(name)
        fix = f"write `{fixed}`" if fixed.isidentifier() else "begin it with a letter"
        message = f"`{name}` is no name: letters, digits and `_`, not beginning with a digit"
        return Diagnostic("bad-name", message, key.span, fix)
    if reserved and name in reserved_words():
        return Diagnostic("reserved-name", f"`{name}` is a word of the language", key.span, hint)
    return None


def _as_name(text: str) -> str:
    """Return a text with what cannot stand in a name made `_`."""
    kept = "".join(c if f"a{c}".isidentifier() else " " for c in text)
    return "_".join(kept.split())
