"""A project in draft: definitions as texts, each with the notes that stand above it as comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """A definition under its name: a text, or keys with their values in order; ``notes`` become comments above it."""

    name: str
    body: str | Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftDataset:
    """A dataset: how it is read, when its rows were, what they are. ``more`` are comments at its end."""

    name: str
    read: str | Mapping[str, Any]
    time: str | Mapping[str, Any] | None = None
    time_notes: tuple[str, ...] = ()
    key: str | None = None
    fields: tuple[Part, ...] = ()
    lookups: tuple[Part, ...] = ()
    events: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole project: its datasets and KPIs, what is to be included, what is said at its top and at its end.

    ``allow`` are the folders beside its own that it reads; ``hours``: what it includes asks for working hours.
    """

    datasets: tuple[DraftDataset, ...]
    kpis: tuple[Part, ...] = ()
    include: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    hours: bool = False
