"""Misspelt names: which known ones were most likely meant."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from heapq import nsmallest

COMPARED = 100
"""So many names, those most alike at a glance, are compared with a misspelt one: errors must stay cheap."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Names by how they are written, without case; each group in the order of their lengths."""

    written: Mapping[str, str]
    groups: Mapping[str, list[str]]


def nearest(name: str, known: Iterable[str], *, count: int = 1, alike: float = 0.6) -> list[str]:
    """Return the known names that a misspelt one most likely stands for, the likeliest first, whatever their case.

    ``alike`` is how much of them must agree, from 0 to 1.
    """
    wanted = name.casefold()
    folded = _grouped(tuple(known))
    marks = dict.fromkeys(_marks(wanted))

    def distance(candidate: str) -> int:
        return abs(len(candidate) - len(wanted)) - 2 * sum(mark in marks for mark in set(_marks(candidate)))

    likely = dict.fromkeys(found for mark in marks for found in _of_length(folded.groups.get(mark, []), len(wanted)))
    compared = [wanted] if wanted in folded.written else nsmallest(COMPARED, likely, distance)
    return [folded.written[found] for found in get_close_matches(wanted, compared, count, alike)]


def did_you_mean(name: str, known: Iterable[str], *, count: int = 1, alike: float = 0.6) -> str:
    """Return the hint with the nearest known names, or nothing."""
    found = nearest(name, known, count=count, alike=alike)
    return f"did you mean {' or '.join(f'`{one}`' for one in found)}?" if found else ""


@lru_cache(maxsize=16)
def _grouped(known: tuple[str, ...]) -> _Known:
    written = {name.casefold(): name for name in known}
    groups: dict[str, list[str]] = {}
    for name in sorted(written, key=len):
        for mark in _marks(name):
            groups.setdefault(mark, []).append(name)
    return _Known(written, groups)


def _marks(name: str) -> Iterator[str]:
    """Yield what is seen of a name at a glance: any, its first letter, its first three, its last three."""
    yield ""
    yield f"{name[:1]}…"
    yield f"{name[:3]}……"
    yield f"…{name[-3:]}"


def _of_length(names: list[str], length: int) -> list[str]:
    """Return the names nearest in length, so that each group gives a bounded number."""
    at = bisect_left(names, length, key=len)
    return names[max(0, at - COMPARED) : at + COMPARED]
