"""Types and units of values: what may be added to what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a value. UNKNOWN goes with anything: an undeclared column before data is seen, or a failed part."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIME = "time"
    DATE = "date"
    NULL = "null"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a number: `bare` (a literal, which takes any unit), `plain`, `money`, `duration` (s) or `score`."""

    name: str
    currency: str | None = None

    def __str__(self) -> str:
        return f"{self.name} in {self.currency}" if self.currency else self.name


BARE, PLAIN, MONEY, DURATION, SCORE = (Unit(n) for n in ("bare", "plain", "money", "duration", "score"))


@dataclass(frozen=True, slots=True)
class Type:
    """A kind, and for numbers a unit. ``whole`` marks numbers stored as integers, ``decimal`` as fixed point.

    ``dates`` marks texts that are dates, every one of them.
    """

    kind: Kind
    unit: Unit = PLAIN
    whole: bool = False
    decimal: bool = False
    dates: bool = False

    def __str__(self) -> str:
        if self.kind is Kind.NUMBER and self.unit not in (PLAIN, BARE):
            return str(self.unit)
        return self.kind.value


NUMBER = Type(Kind.NUMBER)
WHOLE = Type(Kind.NUMBER, PLAIN, whole=True)
TEXT, BOOLEAN, TIME, DATE, NULL, UNKNOWN = (
    Type(k) for k in (Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.DATE, Kind.NULL, Kind.UNKNOWN)
)
