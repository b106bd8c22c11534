"""Grains: the lengths of reporting periods."""

from __future__ import annotations

from enum import StrEnum


class Grain(StrEnum):
    """Hour to year, and all: in order from fine to coarse."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"

    @property
    def rank(self) -> int:
        """The place from fine to coarse, from 0."""
        return list(Grain).index(self)

    def is_made_of(self, part: Grain) -> bool:
        """Return whether each period is whole periods of another grain: no month is a number of weeks."""
        if Grain.WEEK in (self, part) and self.rank > Grain.WEEK.rank:
            return self is Grain.ALL
        return self.rank >= part.rank
