"""Years of 52 or 53 weeks, and the 4-4-5, 4-5-4 and 5-4-4 weeks that make up their months, as a list of periods."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate
from typing import Literal

PATTERNS = {"445": (4, 4, 5), "454": (4, 5, 4), "544": (5, 4, 4)}
HEADING = ("grain", "period", "first", "last", "year")
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)

Rule = Literal["nearest", "last"]
Line = tuple[str, str, date, date, int]


def retail_years(pattern: str, first: int, last: int, rule: Rule, month: int, week_start: int) -> Iterator[Line]:
    """Yield the weeks, months, quarters and years of some years, as lines of a file of periods.

    A year is called by the one in which the month after ``month`` begins; it ends on the last day of a week that is
    the last in ``month``, or the nearest to its end. A 53rd week belongs to the last month.
    """
    years = [(year, year_end(year - 1, rule, month, week_start) + DAY) for year in range(first, last + 2)]
    spans = [(year, start, end) for (year, start), (_, end) in zip(years, years[1:], strict=False)]
    for grain in ("week", "month", "quarter", "year"):
        for year, start, end in spans:
            sizes = _sizes(grain, pattern, (end - start).days // 7)
            ends = list(accumulate(sizes))
            for number, (size, upto) in enumerate(zip(sizes, ends, strict=True), 1):
                begin, after = start + WEEK * (upto - size), start + WEEK * upto
                yield f"retail_{grain}", _name(grain, year, number), begin, after - DAY, year


def year_end(year: int, rule: Rule, month: int, week_start: int) -> date:
    """Return the last day of the retail year of a number."""
    nominal = date(year + (month < 12), month % 12 + 1, 1) - DAY if month < 12 else date(year, 12, 31)
    back = (nominal.weekday() - (week_start - 1)) % 7
    end = nominal - DAY * back
    return end + WEEK if rule == "nearest" and back > 3 else end


def _sizes(grain: str, pattern: str, weeks: int) -> list[int]:
    """Return how many weeks each period of a year has."""
    if grain == "week":
        return [1] * weeks
    months = [*PATTERNS[pattern]] * 4
    months[-1] += weeks - 52
    if grain == "month":
        return months
    quarters = [sum(months[place : place + 3]) for place in range(0, 12, 3)]
    return quarters if grain == "quarter" else [weeks]


def _name(grain: str, year: int, number: int) -> str:
    match grain:
        case "week":
            return f"R{year}-W{number:02}"
        case "month":
            return f"R{year}-P{number:02}"
        case "quarter":
            return f"R{year}-Q{number}"
        case _:
            return f"R{year}"
