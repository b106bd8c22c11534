"""Periods as text: `2026`, `2026-Q1`, `2026-01`, `2026-W05`, `2026-01-05`, `2026-01-05T10`; and back.

A year that begins in another month than January has the names of both years that it lies in, since some call it by
the one and some by the other: `FY2026-27`, its quarters `FY2026-27-Q1`. Periods that a calendar lists have their own.
"""

from __future__ import annotations

import re
from calendar import month_name
from datetime import UTC, date, datetime, time, timedelta

from smartkpi.diagnostics import Diagnostic, KpiError, Note
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar, Key
from smartkpi.periods.grain import Grain

FORMS = "periods: 2026, 2026-Q1, 2026-01, 2026-W05, 2026-01-05, 2026-01-05T10"
DATE_FORM = "a date is written year-month-day: 2026-01-05"
TIME_FORM = "a time is written 2026-01-05T10:30, with an offset 2026-01-05T10:30+02:00"
LAST_YEAR = 9998  # the end of the period must be a date too

_FISCAL = re.compile(r"[fF][yY]\s?(?P<year>\d{4})(?:[-/](?P<end>\d\d|\d{4}))?(?:[- ]?[qQ](?P<number>\d))?")
_OFFSET = r"(?P<offset>Z|[+-]\d\d:?\d\d)?"
_PATTERNS = (
    (Grain.YEAR, re.compile(r"(?P<year>\d{4})")),
    (Grain.QUARTER, re.compile(r"(?P<year>\d{4})-?[qQ](?P<number>\d)")),
    (Grain.MONTH, re.compile(r"(?P<year>\d{4})-(?P<number>\d\d)")),
    (Grain.WEEK, re.compile(r"(?P<year>\d{4})-?[wW](?P<number>\d\d?)")),
    (Grain.DAY, re.compile(r"(?P<date>\d{4}-\d\d-\d\d)")),
    (Grain.HOUR, re.compile(r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<number>\d\d)(:00(:00)?)?" + _OFFSET)),
)


def period_text(calendar: Calendar, grain: Grain, key: Key | None) -> str:
    """Return the name of a period, such as `2026-W05`; an hour that the clock shows twice has its offset behind it."""
    if key is None or grain is Grain.ALL:
        return "all"
    if isinstance(key, datetime) or grain is Grain.HOUR:
        return _hour_text(calendar, calendar.hour(key if isinstance(key, datetime) else calendar.midnight(key)))
    match grain:
        case Grain.YEAR:
            return _year_text(calendar, key)
        case Grain.QUARTER:
            return f"{_year_text(calendar, key)}-Q{(key.month - calendar.year_start) % 12 // 3 + 1}"
        case Grain.MONTH:
            return f"{key.year:04}-{key.month:02}"
        case Grain.WEEK:
            year, number = week_number(key)
            return f"{year:04}-W{number:02}"
        case Grain.DAY:
            return key.isoformat()
        case _:
            own = calendar.own(grain)
            return (own and own.name(key)) or key.isoformat()


def _year_text(calendar: Calendar, day: date) -> str:
    first = day.year - (day.month < calendar.year_start)
    return f"{first:04}" if calendar.year_start == 1 else _fiscal_text(first)


def _fiscal_text(first: int) -> str:
    return f"FY{first:04}-{(first + 1) % 100:02}"


def week_number(first: date) -> tuple[int, int]:
    """Return the year and the number of the week that begins on a day: week 1 holds the year's 4th day."""
    fourth = date.fromordinal(min(first.toordinal() + 3, date.max.toordinal()))
    return fourth.year, (fourth - date(fourth.year, 1, 1)).days // 7 + 1


def parse_period(calendar: Calendar, text: str) -> tuple[Grain, date, date]:
    """Return the grain of a period text, its first local day and the day after its last (of an hour: its day).

    Raises KpiError (`bad-period`) for anything else; `all` is no period with days.
    """
    grain, key = parse_key(calendar, text)
    if key is None:
        raise _bad(text, "it has no first and last day", "name a year, quarter, month, week, day or hour")
    return grain, *calendar.days(grain, key)


def parse_key(calendar: Calendar, text: str) -> tuple[Grain, Key | None]:
    """Return the grain and the key of a period text; `all` has None. Raises KpiError (`bad-period`)."""
    plain = text.strip()
    if plain == "all":
        return Grain.ALL, None
    for own in calendar.periods:
        if plain in own.names:
            return own.grain, own.starts[own.names.index(plain)]
    if found := _FISCAL.fullmatch(plain):
        return _fiscal(calendar, found, text)
    for grain, pattern in _PATTERNS:
        if found := pattern.fullmatch(plain):
            return grain, _key(calendar, grain, found, text)
    raise _bad(text, "", _suggest(plain, calendar))


def parse_date(text: str) -> date:
    """Return the date of an ISO text such as `2026-01-05`. Raises KpiError (`bad-period`)."""
    plain = text.strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", plain):
        raise _bad(text, "it is no date", _suggest(plain) if _suggest(plain) != FORMS else DATE_FORM)
    return _day(plain, text)


def parse_moment(calendar: Calendar, text: str) -> date | datetime:
    """Return a date, or the aware instant (UTC) of an ISO time; one without offset is local. KpiError: `bad-period`."""
    plain = text.strip()
    if re.fullmatch(r"\d{4}-\d\d-\d\d[T ].+", plain):
        _day(plain[:10], text)
        try:
            moment = datetime.fromisoformat(plain)
        except ValueError:
            raise _bad(text, "it is no time", TIME_FORM) from None
        return calendar.instant(moment) if moment.tzinfo is None else moment.astimezone(UTC)
    return parse_date(text)


def _key(calendar: Calendar, grain: Grain, found: re.Match[str], text: str) -> Key:
    parts = found.groupdict()
    if grain is Grain.DAY:
        return _day(parts["date"], text)
    if grain is Grain.HOUR:
        return _hour(calendar, parts, text)
    year, number = _year(int(parts["year"]), text), int(parts.get("number") or 1)
    match grain:
        case Grain.QUARTER | Grain.YEAR if calendar.year_start != 1:
            raise _bad(text, f"years begin in {month_name[calendar.year_start]}", _fiscal_hint(year, number, grain))
        case Grain.QUARTER:
            _within(number, 4, "quarter", year, text)
            return date(year, number * 3 - 2, 1)
        case Grain.MONTH:
            _within(number, 12, "month", year, text)
            return date(year, number, 1)
        case Grain.WEEK:
            _within(number, weeks_in(calendar, year), "week", year, text)
            return calendar.next(Grain.WEEK, calendar.key(Grain.WEEK, date(year, 1, 4)), number - 1)
        case _:
            return date(year, 1, 1)


def _fiscal(calendar: Calendar, found: re.Match[str], text: str) -> tuple[Grain, Key]:
    """Return a year, or a quarter, that is named by the two years that it lies in."""
    year, end, number = _year(int(found["year"]), text), found["end"], int(found["number"] or 1)
    grain = Grain.QUARTER if found["number"] else Grain.YEAR
    if calendar.year_start == 1:
        raise _bad(text, "years begin in January", f"write `{year:04}{_part(number, grain)}`")
    if end is None:
        raise _bad(text, "some call a year by its end, some by its begin", _fiscal_hint(year, number, grain))
    if int(end) != (year + 1) % (100 if len(end) == 2 else 10_000):
        raise _bad(text, f"the year after {year:04} is {year + 1:04}", f"write `{_fiscal_text(year)}`")
    _within(number, 4, "quarter", year, text)
    return grain, calendar.next(Grain.QUARTER, date(year, calendar.year_start, 1), number - 1)


def _fiscal_hint(year: int, number: int, grain: Grain) -> str:
    begun, ended = (f"`{_fiscal_text(first)}{_part(number, grain)}`" for first in (year, year - 1))
    return f"write {begun} if it begins in {year:04}, {ended} if it ends then"


def _part(number: int, grain: Grain) -> str:
    return f"-Q{number}" if grain is Grain.QUARTER else ""


def weeks_in(calendar: Calendar, year: int) -> int:
    """Return how many weeks a year has, 52 or 53."""
    first, following = (calendar.key(Grain.WEEK, date(y, 1, 4)) for y in (year, year + 1))
    return (following - first).days // 7


def _hour(calendar: Calendar, parts: dict[str, str], text: str) -> datetime:
    day, number, offset = _day(parts["date"], text), int(parts["number"]), parts["offset"]
    if number > 23:
        raise _bad(text, f"there is no hour {number}", "hours run from 00 to 23")
    local = datetime.combine(day, time(number))
    if offset:
        hour = datetime.fromisoformat(f"{local.isoformat()}{offset}").astimezone(UTC)
        if calendar.hour(hour) != hour:
            raise _bad(text, f"no hour of {calendar.timezone} begins then", "leave the offset out")
        return hour
    hour = calendar.hour(calendar.instant(local))
    shown = hour.astimezone(calendar.zone)
    if (shown.date(), shown.hour) != (day, number):
        raise _bad(text, f"the clock of {calendar.timezone} skips that hour", "name another hour")
    return hour


def _hour_text(calendar: Calendar, hour: datetime) -> str:
    local = hour.astimezone(calendar.zone)
    text = f"{local.date().isoformat()}T{local.hour:02}"
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return text + local.isoformat()[-6:] if twice else text


def _year(year: int, text: str) -> int:
    if not 1 <= year <= LAST_YEAR:
        raise _bad(text, f"the year {year:04} is out of range", f"years run from 0001 to {LAST_YEAR}")
    return year


def _day(plain: str, text: str) -> date:
    year, month, number = (int(part) for part in plain.split("-"))
    _year(year, text)
    _within(month, 12, "month", year, text)
    try:
        return date(year, month, number)
    except ValueError:
        last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
        raise _bad(text, f"{year:04}-{month:02} has no day {number}", f"its days run from 01 to {last}") from None


def _within(number: int, last: int, what: str, year: int, text: str) -> None:
    if not 1 <= number <= last:
        raise _bad(text, f"{year:04} has no {what} {number}", f"its {what}s run from 1 to {last}")


def _suggest(plain: str, calendar: Calendar | None = None) -> str:
    """Return the fix for a text that is nearly a period, else the list of forms."""
    names = [name for own in calendar.periods for name in own.names] if calendar is not None else []
    if hint := did_you_mean(plain, names):
        return hint
    if found := re.fullmatch(r"(\d{4})[-/.](\d{1,2})", plain):
        return f"write `{found[1]}-{int(found[2]):02}`"
    if found := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", plain):
        return f"write `{found[1]}-{int(found[2]):02}-{int(found[3]):02}`"
    if found := re.fullmatch(r"[qQ](\d)[-/ ]?(\d{4})", plain):
        return f"write `{found[2]}-Q{found[1]}`"
    if found := re.fullmatch(r"(\d{1,2})[-/.](\d{4})", plain):
        return f"write `{found[2]}-{int(found[1]):02}`"
    if re.fullmatch(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}", plain):
        return DATE_FORM
    return FORMS


def _bad(text: str, why: str, hint: str) -> KpiError:
    notes = () if hint == FORMS else (Note(FORMS),)
    message = f"`{text}` does not name a period" + (f": {why}" if why else "")
    return KpiError(Diagnostic("bad-period", message, hint=hint, notes=notes))
