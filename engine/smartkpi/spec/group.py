"""A group as written."""

from __future__ import annotations

from dataclasses import dataclass, field

from smartkpi.source import Span
from smartkpi.spec.model import Formula, Labels


@dataclass(frozen=True, slots=True)
class Group:
    """The entities of a field for whose rows, as of its period, the row itself or now, an aggregate condition holds."""

    name: str
    of: str
    of_span: Span = field(compare=False, repr=False)
    where: Formula
    at: str
    span: Span = field(compare=False, repr=False)
    label: Labels = field(default_factory=Labels)
    description: Labels = field(default_factory=Labels)
