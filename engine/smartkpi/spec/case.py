"""Tests of definitions as written: rows given, rows expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from smartkpi.source import Span

NOWHERE: Mapping[str, Span] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Given:
    """Rows of one event in a test: plain values by field, with the span of each row."""

    event: str
    rows: tuple[Mapping[str, Any], ...]
    spans: tuple[Span, ...] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Expect:
    """One expected row: KPI, period text, segment, and the fields of the result that must agree.

    One of a ``goal`` or ``diagnosis`` has an empty ``kpi``. ``fields`` maps result columns (value, status, state, …) to
    plain values; ``spans`` has the place of each, for --update.
    """

    kpi: str
    period: str | None
    segment: Mapping[str, Any]
    fields: Mapping[str, Any]
    span: Span = field(compare=False, repr=False)
    spans: Mapping[str, Span] = field(default_factory=lambda: NOWHERE, compare=False, repr=False)
    goal: str | None = None
    diagnosis: str | None = None

    @property
    def name(self) -> str:
        """What the row is about."""
        return self.goal or self.diagnosis or self.kpi


@dataclass(frozen=True, slots=True)
class Case:
    """A test of definitions."""

    name: str
    given: tuple[Given, ...]
    as_of: date | datetime | None
    expect: tuple[Expect, ...]
    span: Span = field(compare=False, repr=False)
