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
