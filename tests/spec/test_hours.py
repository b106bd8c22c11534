"""Working hours as they are written: weekdays, dates that differ, and what cannot be meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from smartkpi.spec.hours import day_text
from smartkpi.spec.load import load


def read(tmp_path: Path, text: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Return the hours of each weekday and date, and what is wrong: its message, place and hint."""
    file = tmp_path / "kpis.yml"
    file.write_text(f"calendar:\n  hours: {text}\n", encoding="utf-8")
    loaded = load(file)
    hours = loaded.catalog.calendar.worked
    found = [one for one in loaded.diagnostics if one.code == "bad-hours"]
    shown = [] if hours is None else [day_text(one) for one in hours.week]
    shown += [] if hours is None else [f"{day} {day_text(some)}" for day, some in hours.days]
    assert all(one.subject == "calendar" for one in found)
    places = [one.span.source.text[one.span.start : one.span.end] if one.span else "" for one in found]
    return shown, [(one.message, place, one.hint) for one, place in zip(found, places, strict=True)]


OFFICE = ["09:00-18:00"] * 5


@pytest.mark.parametrize(
    ("text", "week"),
    [
        ("{mon-fri: 09:00-18:00}", [*OFFICE, "closed", "closed"]),
        ("{Mon - Fri: 9:00 - 18:00}", [*OFFICE, "closed", "closed"]),
        ("{monday-friday: 09:00–18:00, sat: closed}", [*OFFICE, "closed", "closed"]),
        ("{fri-mon: 10:00-14:00}", ["10:00-14:00", "closed", "closed", "closed", *["10:00-14:00"] * 3]),
        ("{mon-sun: 00:00-24:00}", ["00:00-24:00"] * 7),
        ("{mon-fri: 09:00-18:00, fri: 09:00-15:00}", [*OFFICE[:4], "09:00-15:00", "closed", "closed"]),
        ("{wed: [13:00-17:30, 08:30-12:00]}", ["closed"] * 2 + ["08:30-12:00, 13:00-17:30"] + ["closed"] * 4),
    ],
)
def test_weekdays(tmp_path: Path, text: str, week: list[str]) -> None:
    assert read(tmp_path, text) == (week, [])


def test_dates_go_before_weekdays_and_a_date_before_several(tmp_path: Path) -> None:
    text = "{mon-fri: 09:00-18:00, 2026-10-01 to 2026-10-03: closed, 2026-10-02: 10:00-12:00}"
    days = [f"{date(2026, 10, day)} {hours}" for day, hours in ((1, "closed"), (2, "10:00-12:00"), (3, "closed"))]
    assert read(tmp_path, text) == ([*OFFICE, "closed", "closed", *days], [])


@pytest.mark.parametrize(
    ("text", "message", "place", "hint"),
    [
        ("{mo-fri: 09:00-18:00}", "`mo-fri` names no days", "mo-fri", "did you mean `mon-fri`?"),
        ("{weekdays: 09:00-18:00}", "`weekdays` names no days", "weekdays", "days are `mon`"),
        ("{1: 09:00-18:00}", "`1` names no days", "1", "days are `mon`"),
        ("{mon-fri: 9-18}", "`9-18` are no hours of a day", "9-18", "such as {mon-fri"),
        ("{mon-fri: 09:00}", "`09:00` are no hours of a day", "09:00", "such as {mon-fri"),
        ("{mon-fri: 09:00-18:60}", "`09:00-18:60` are no hours of a day", "09:00-18:60", "they run from 00:00"),
        ("{mon-fri: 09:00-24:30}", "`09:00-24:30` are no hours of a day", "09:00-24:30", "they run from 00:00"),
        (
            "{mon: 22:00-06:00}",
            "`22:00-06:00` ends before it begins",
            "22:00-06:00",
            "`22:00-24:00`, and `00:00-06:00`",
        ),
        ("{mon: 09:00-09:00}", "`09:00-09:00` ends before it begins", "09:00-09:00", "of two days"),
        ("{mon: [09:00-12:00, 11:00-13:00]}", "the hours of a day overlap", "[09:00-12:00, 11:00-13:00]", "such as"),
        ("{mon: []}", "no hours are given", "[]", "write `closed`"),
        ("{mon-wed: 9:00-18:00, tue-fri: 9:00-17:00}", "the hours of tuesday are given twice", "tue-fri", "name each"),
        ("{mon: 9:00-18:00, Monday: 9:00-17:00}", "the hours of monday are given twice", "Monday", "name each"),
        ("{mon-sun: closed}", "the calendar has no working hours", "{mon-sun: closed}", "such as"),
        ("{}", "the calendar has no working hours", "{}", "such as"),
        ("{mon: 9:00-18:00, 2026-02-30: closed}", "`2026-02-30` is no day of the calendar", "2026-02-30", "days are"),
        (
            "{mon: 9:00-18:00, 2026-03-02 to 2026-03-01: closed}",
            "`2026-03-02 to 2026-03-01` ends before it begins",
            "2026-03-02 to 2026-03-01",
            "days are",
        ),
        (
            "{mon: 9:00-18:00, 2026-03-02 to 2028-03-01: closed}",
            "`2026-03-02 to 2028-03-01` is over a year long",
            "2026-03-02 to 2028-03-01",
            "days are",
        ),
    ],
)
def test_what_is_wrong_is_named_at_its_place(tmp_path: Path, text: str, message: str, place: str, hint: str) -> None:
    shown, ((said, at, fix),) = read(tmp_path, text)
    assert shown == []
    assert (said[: len(message)], at, hint in fix) == (message, place, True)
