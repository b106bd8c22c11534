"""Names out of the words of files and columns: identifiers, singular and plural, never taken twice."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from smartkpi.language.parse import reserved_words
from smartkpi.semantics.scope import IMPLICIT

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_HOW_MANY = re.compile("(?:次数|人数|数量|量|数)$")
_LETTER = re.compile(r"[^\W_]+")


@cache
def tokens(text: str) -> tuple[str, ...]:
    """Return the words of a name, in small letters: `PurchaseRevenue [USD]` is purchase, revenue, usd."""
    return tuple(word.casefold() for word in _LETTER.findall(_CAMEL.sub(" ", unicodedata.normalize("NFKC", text))))


def identifier(text: str) -> str:
    """Return a text as a name of the language."""
    name = unicodedata.normalize("NFC", "_".join(tokens(text)))
    name = "".join(c if f"a{c}".isidentifier() else "_" for c in name)
    name = re.sub(r"__+", "_", name).strip("_")
    if not name or not name.isidentifier():
        name = f"n_{name}" if name else "unnamed"
    return f"{name}_" if name in reserved_words() or name in IMPLICIT else name


def stem(word: str) -> str:
    """Return a word of Chinese without the ending that says how many: 点击量 is 点击."""
    return word if word.isascii() else _HOW_MANY.sub("", word) or word


def is_plain(name: str) -> bool:
    """Say whether a column can be named in an expression as it is."""
    spelt = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    return spelt and name not in reserved_words() and name not in IMPLICIT


def column_text(name: str) -> str:
    """Return a column as an expression names it."""
    return name if is_plain(name) else 'col("{}")'.format(name.replace('"', '""'))


def unique(name: str, taken: set[str]) -> str:
    """Return a name that nothing else has, and take it."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found


def singular(name: str) -> str:
    """Return one of what a name in the plural says: `countries` is country, `order_items` order_item."""
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if re.search(r"(?:sses|shes|ches|xes|zes)$", name):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) and len(name) > 3 else name


def plural(name: str) -> str:
    """Return several of what a name says; with `_count` where the name is no English word in the singular."""
    if not name.isascii() or name.endswith(("s", "_", "ed")) or name[-1].isdigit():
        return f"{name.rstrip('_')}_count"
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(?:x|z|ch|sh)$", name) else f"{name}s"
