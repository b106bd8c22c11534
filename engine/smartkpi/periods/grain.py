"""Grains: the lengths of reporting periods, and periods that a calendar names itself."""

from __future__ import annotations

from typing import ClassVar


class Grain(str):
    """The name of a grain: hour to year and all, from fine to coarse, or one that a calendar lists the periods of.

    A name is one object: two grains are the same if they are identical.
    """

    __slots__ = ()
    _known: ClassVar[dict[str, Grain]] = {}

    HOUR: ClassVar[Grain]
    DAY: ClassVar[Grain]
    WEEK: ClassVar[Grain]
    MONTH: ClassVar[Grain]
    QUARTER: ClassVar[Grain]
    YEAR: ClassVar[Grain]
    ALL: ClassVar[Grain]

    def __new__(cls, name: str) -> Grain:  # noqa: PYI034 - there are no subclasses
        """Return the grain of a name."""
        return cls._known.setdefault(name, str.__new__(cls, name))

    @property
    def value(self) -> str:
        """The name as a plain text."""
        return str.__str__(self)

    @property
    def one(self) -> str:
        """The name as a text says it of one period: an hour, a day."""
        return f"{'an' if self is Grain.HOUR else 'a'} {self}"

    @property
    def is_custom(self) -> bool:
        """Whether a calendar lists its periods."""
        return self not in GRAINS

    @property
    def rank(self) -> int:
        """The place from fine to coarse, from 0; those of a calendar lie before `all`."""
        return GRAINS.index(self) * 2 if self in GRAINS else GRAINS.index(Grain.ALL) * 2 - 1

    def is_made_of(self, part: Grain) -> bool:
        """Return whether each period is whole periods of another grain: no month is a number of weeks.

        Of periods that a calendar lists the calendar knows more.
        """
        if self is part or self is Grain.ALL:
            return True
        if self.is_custom or Grain.WEEK in (self, part):
            return part.rank <= Grain.DAY.rank and self.rank > part.rank
        return self.rank >= part.rank


Grain.HOUR = Grain("hour")
Grain.DAY = Grain("day")
Grain.WEEK = Grain("week")
Grain.MONTH = Grain("month")
Grain.QUARTER = Grain("quarter")
Grain.YEAR = Grain("year")
Grain.ALL = Grain("all")
GRAINS = (Grain.HOUR, Grain.DAY, Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.YEAR, Grain.ALL)
