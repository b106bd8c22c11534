"""Texts that are programs: the patterns of `matches` and the formats of `parse_time`.

Both are checked before any row is read, against what every engine understands: engines differ in what else they take,
and say so only when they run.
"""

from __future__ import annotations

import re

LONGEST = 500
HEAVIEST = 150
"""How many character classes a pattern may stand for once its repetitions are written out: engines bound its size."""

_TOKEN = re.compile(
    r"""
      (?P<group>\((?:\?:|\?P<[A-Za-z_]\w*>|(?!\?)))
    | (?P<flags>\(\?[ims]+\))
    | (?P<close>\))
    | (?P<either>\|)
    | (?P<anchor>\^|\$|\\[bB])
    | (?P<repeat>(?:[*+?]|\{(?P<low>\d{1,3})(?:,(?P<high>\d{0,3}))?\})\??)
    | (?P<set>\[\^?(?P<inside>(?:\\[dDwWsSnrt\\\]\[^.$|?*+(){}/&~-]|[^\\\[\]])+)\])
    | (?P<wide>\\[dDwWsS]|\\p\{(?:L|Lu|Ll|N|Nd|P|S|Han|Hiragana|Katakana|Latin|Cyrillic|Greek|Arabic|Hangul)\}|\.)
    | (?P<letter>\\[nrt\\.^$|?*+(){}\[\]/&~-]|[^\\^$.|?*+(){}\[\]])
    """,
    re.VERBOSE,
)
_RANGE = re.compile(r"([^\\])-([^\\])")
_DIRECTIVE = re.compile(r"%(?:\.f|.?)")
_DIRECTIVES = {f"%{letter}" for letter in "YymdebBjHIMSpzFTRD%"} | {"%.f"}
_DAYS = ({"%Y", "%y"}, {"%m", "%b", "%B", "%j"}, {"%d", "%e", "%j"})


def check_pattern(pattern: str) -> str:
    """Say what is wrong with a pattern of `matches`, or nothing."""
    if len(pattern) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    weights: list[float] = [0.0]
    last: float | None = None
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return f"`{_piece(pattern, at)}` means nothing here, or not the same everywhere"
        at = token.end()
        match token.lastgroup:
            case "group":
                weights.append(0.0)
                last = None
            case "close":
                if len(weights) == 1:
                    return "a `)` has no `(`"
                last = weights.pop()
                weights[-1] += last
            case "either" | "anchor" | "flags":
                last = None
            case "repeat":
                if last is None:
                    return f"`{token[0]}` repeats nothing"
                times = _times(token)
                if times < 0:
                    return f"`{token[0]}` has its ends swapped"
                weights[-1] += last * (times - 1)
                last = None
            case _:
                if token["set"] and (wrong := _wrong_set(token["inside"])):
                    return wrong
                last = 0.05 if token["letter"] else 1.0
                weights[-1] += last
        if sum(weights) > HEAVIEST:
            return "its repetitions make it too large"
    return "a `(` is not closed" if len(weights) > 1 else ""


def _piece(pattern: str, at: int) -> str:
    """Return what stands at a place, as long as it needs to be recognised."""
    return pattern[at : at + (4 if pattern.startswith("(?", at) else 2 if pattern[at] == "\\" else 1)]


def _times(token: re.Match[str]) -> int:
    if token["low"] is None:
        return 1
    low, high = int(token["low"]), token["high"]
    return max(low, 1) if not high else int(high) if int(high) >= low else -1


def _wrong_set(inside: str) -> str:
    for sign in ("&&", "--", "~~"):
        if sign in inside:
            return f"`{sign}` inside `[…]` does not mean the same everywhere"
    for first, last in _RANGE.findall(inside):
        if first > last:
            return f"`{first}-{last}` has its ends swapped"
    return "" if not re.search(r"\\[dDwWsS]-.|.-\\[dDwWsS]", inside) else "a class cannot be the end of a range"


def check_format(format: str) -> str:
    """Say what is wrong with a format of `parse_time`, or nothing."""
    found = set(_DIRECTIVE.findall(format))
    for directive in sorted(found - _DIRECTIVES):
        return f"`{directive}` is not known"
    if not ("%F" in found or "%D" in found or all(found & part for part in _DAYS)):
        return "it has no day: it needs year, month and day"
    clock = {"%T", "%R"} & found or {"%H", "%I"} & found
    if clock and not {"%T", "%R", "%M"} & found:
        return "it has an hour but no minute"
    if {"%M", "%S", "%.f", "%p"} & found and not clock:
        return "it has no hour"
    if ("%I" in found) is not ("%p" in found):
        return "`%I` and `%p` go together"
    return ""


def has_clock(format: str) -> bool:
    """Return whether a format reads a time of day, not only a date."""
    return bool(set(_DIRECTIVE.findall(format)) & {"%H", "%I", "%T", "%R"})
