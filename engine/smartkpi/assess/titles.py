"""What the title of a goal says: numbers and dates as people write them; and a title where there is none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from math import isclose

from smartkpi.language.types import BARE, PLAIN
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text
from smartkpi.semantics.goal import Bounds, TypedGoal

DAY = timedelta(days=1)
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
BELOW_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
UNITS = {word: value for value, word in enumerate(BELOW_TWENTY)}
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
SCALES = {
    "k": 1e3,
    "thousand": 1e3,
    "千": 1e3,
    "万": 1e4,
    "m": 1e6,
    "million": 1e6,
    "亿": 1e8,
    "bn": 1e9,
    "billion": 1e9,
    "%": 0.01,
    "percent": 0.01,
    "pp": 0.01,
    "points": 0.01,
    "point": 0.01,
    "percentage": 0.01,
    "个百分点": 0.01,
    "百分点": 0.01,
}
_NUMBER = re.compile(r"\d(?:[\d.,' _]*\d)?")
_FINER = r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\bQ[1-4]\b|\d[-/.]\d|[月季]"
_WORDS = re.compile(r"[A-Za-z]+")
_SCALE = re.compile(r"\s*(%|个?百分点|[千万亿]|[A-Za-z]+)?")


def says_number(text: str, target: float, day: date, calendar: Calendar) -> bool:
    """Say whether a text has a number, in figures or in English words; the figures of its date do not count."""
    rest = unicodedata.normalize("NFKC", text)
    for pattern in _dates(day, calendar):
        rest = re.sub(pattern, " ; ", rest, flags=re.IGNORECASE)
    return any(isclose(abs(number), abs(target), rel_tol=1e-9, abs_tol=1e-12) for number in _numbers(rest))


def says_date(text: str, day: date, calendar: Calendar) -> bool:
    """Say whether a text has a date, or the month, quarter or year that ends with it."""
    known = unicodedata.normalize("NFKC", text)
    if any(re.search(pattern, known, re.IGNORECASE) for pattern in _days(day, calendar)):
        return True
    finer = re.search(_FINER, known, re.IGNORECASE)
    return finer is None and any(re.search(pattern, known) for pattern in _years(day, calendar))


def _numbers(text: str) -> Iterator[float]:
    for found in _NUMBER.finditer(text):
        yield from _scaled(_readings(found[0]), text[found.end() :])
    words = _WORDS.findall(text.replace("-", " "))
    for i, word in enumerate(words):
        value = TENS.get(word.lower(), UNITS.get(word.lower()))
        if value is None:
            continue
        after = UNITS.get(words[i + 1].lower(), 0) if word.lower() in TENS and i + 1 < len(words) else 0
        rest = words[i + 2 if after else i + 1 :]
        yield from _scaled([float(value + after)], " ".join(rest[:1]))


def _readings(written: str) -> list[float]:
    """Return what figures may stand for: `1.200` is a thousand to some and a bit more than one to others."""
    bare = re.sub(r"[' _]", "", written)
    texts = {bare.replace(",", ""), bare.replace(".", "").replace(",", ".")}
    return [float(one) for one in texts if re.fullmatch(r"\d+(\.\d+)?", one)]


def _scaled(values: list[float], rest: str) -> Iterator[float]:
    found = _SCALE.match(rest)
    scale = SCALES.get((found[1] or "").lower(), 1.0) if found is not None else 1.0
    yield from (value * scale for value in values)


def _dates(day: date, calendar: Calendar) -> Iterator[str]:
    """Yield patterns of what stands for a date, and for its year."""
    yield from _days(day, calendar)
    yield rf"\b{day.year}\b"


def _years(day: date, calendar: Calendar) -> Iterator[str]:
    """Yield patterns of the year that ends with a day."""
    key = calendar.key(Grain.YEAR, day)
    if calendar.days(Grain.YEAR, key)[1] == day + DAY:
        yield rf"\b{re.escape(period_text(calendar, Grain.YEAR, key))}\b"
        yield rf"{day.year} ?年"


def _days(day: date, calendar: Calendar) -> Iterator[str]:
    """Yield patterns of a day, or of the month or quarter that ends with it, the longest first."""
    month, year, d, m = MONTHS[day.month - 1], day.year, f"0?{day.day}", f"0?{day.month}"
    named = rf"{month[:3]}(?:{month[3:]})?\.?" if month != "May" else "May"
    ordinal = rf"{day.day}(?:st|nd|rd|th|\.)?"
    yield rf"\b{year}[-/.]{m}[-/.]{d}\b"
    yield rf"\b(?:{d}[-/.] ?{m}|{m}/{d})[-/.] ?{year}\b"
    yield rf"\b{ordinal} (?:of )?{named},? ?{year}\b"
    yield rf"\b{named} {ordinal},? ?{year}\b"
    yield rf"{year} ?年 ?{m} ?月 ?{d} ?日"
    yield rf"\b{ordinal} (?:of )?{named}(?![a-z])"
    yield rf"\b{named} {day.day}(?:st|nd|rd|th)?\b"
    yield rf"{m} ?月 ?{d} ?日"
    ends = [grain for grain in (Grain.MONTH, Grain.QUARTER)
            if calendar.days(grain, calendar.key(grain, day))[1] == day + DAY]  # fmt: skip
    if Grain.MONTH in ends:
        yield rf"(?<!\d )(?<!\d\. )(?<!\d(?:st|nd|rd|th) )(?<! of )\b{named} {year}\b"
        yield rf"\b{year}-{m}\b(?!-)"
        yield rf"{year} ?年 ?{m} ?月(?! ?\d)"
    if Grain.QUARTER in ends:
        name = period_text(calendar, Grain.QUARTER, calendar.key(Grain.QUARTER, day))
        in_year, _, quarter = name.rpartition("-")
        yield rf"\b{in_year}[- ]?{quarter}\b|\b{quarter}[- ]?(?:of )?{in_year}\b"
        yield rf"\b{quarter}\b"
        yield rf"{year} ?年 ?第? ?[{quarter[-1]}{'一二三四'[int(quarter[-1]) - 1]}] ?季度"


def amount(goal: TypedGoal, value: float) -> str:
    """Return an amount of a goal's KPI as it is written in a file."""
    if is_percent(goal):
        return f"{round(value * 100, 6):g}%"
    return f"{value:_.0f}" if float(value).is_integer() else f"{value:.6g}"


def about(goal: TypedGoal, value: float) -> str:
    """Return a measured value of a goal's KPI, to four digits."""
    if is_percent(goal):
        return f"{value * 100:.4g}%"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def by_how_much(goal: TypedGoal, value: float) -> str:
    """Return a difference of values of a goal's KPI: of percentages in points."""
    return f"{value * 100:.2g} points" if is_percent(goal) else about(goal, float(f"{value:.2g}"))


def is_percent(goal: TypedGoal) -> bool:
    """Say whether a goal's amounts are written as percentages."""
    return goal.kpi.spec.format == "percent" or goal.nature == "proportion"


def title_of(goal: TypedGoal, target: Bounds | None) -> str:
    """Return a title that says what a goal is: what changes, to which number, by which day."""
    name = (goal.kpi.spec.label.get() or goal.kpi.name.replace("_", " ")).strip()
    name = name if name[1:2].isupper() else name[:1].lower() + name[1:]
    day = f"{goal.deadline.day} {MONTHS[goal.deadline.month - 1]} {goal.deadline.year}"
    if target is None:
        return f"{name[:1].upper()}{name[1:]} up to {day}"
    number = amount(goal, target.low).replace("_", ",")
    if target.change:
        verb = "Raise" if target.low > 0 else "Lower"
        return f"{verb} {name} by {_changed(goal, target, number).lstrip('-')} by {day}"
    match goal.aim:
        case "stay_within":
            high = amount(goal, target.high or target.low).replace("_", ",")
            return f"Keep {name} between {number} and {high} until {day}"
        case "stay_above":
            return f"Keep {name} at {number} or more until {day}"
        case "stay_below":
            return f"Keep {name} at {number} or less until {day}"
        case "decrease":
            verb, how = ("Keep", "within") if goal.kind == "total" else ("Lower", "to")
            return f"{verb} {name} {how} {number} by {day}"
        case _ if goal.kind == "total":
            plain = goal.kpi.type.unit in (PLAIN, BARE)
            return f"{number} {name} by {day}" if plain else f"{name[:1].upper()}{name[1:]} of {number} by {day}"
        case _:
            return f"Raise {name} to {number} by {day}"


def _changed(goal: TypedGoal, target: Bounds, number: str) -> str:
    points = f"{round(target.low * 100, 6):g}"
    if target.change == "grow":
        return f"{points}%"
    return f"{points} percentage points" if is_percent(goal) else number
