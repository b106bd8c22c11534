"""Calendars as they are asked for: years from any month, periods of a list, notes on days."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import smartkpi
from smartkpi.api.failures import UsageError
from smartkpi.app.cli import main
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.listed import Listed
from smartkpi.periods.retail import HEADING, Rule, retail_years, year_end
from smartkpi.report.json import render
from smartkpi.report.style import Style
from smartkpi.report.table import render as table
from smartkpi.resources import find

DAYS = [date(2024, 12, 1) + timedelta(days=n) for n in range(900)]
SHOP = {"shop": {"time": "day", "events": {"order": "all rows"}}}
NOTES = {"2026-11-11": {"en": "Singles' Day", "zh": "双十一"}, "2026-02-17": "Lunar New Year"}


def project(tmp_path: Path, **calendar: Any) -> smartkpi.Project:
    """A project over one order a day, with the retail years of 2025 and 2026."""
    with (tmp_path / "retail.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(HEADING)
        lines.writerows(retail_years("445", 2025, 2026, "nearest", 1, 6))
    definition = {
        "calendar": {"periods": str(tmp_path / "retail.csv"), **calendar},
        "datasets": SHOP,
        "kpis": {"orders": "order", "growth": "growth(order, 1y)", "before": "previous(order)"},
    }
    return smartkpi.load(definition, data={"shop": pl.DataFrame({"day": DAYS})})


def test_retail_months_have_their_weeks_and_their_year_ago(tmp_path: Path) -> None:
    found = project(tmp_path).run(["orders", "growth"], grain="retail_month", since="R2026-P01", until="R2026-P12")
    orders = found.frame.filter(kpi="orders")["value"].to_list()
    assert orders == [28, 28, 35] * 4
    assert found.frame.filter(kpi="growth")["value"].to_list() == [0.0] * 12


def test_no_period_lies_before_the_first_that_is_listed(tmp_path: Path) -> None:
    found = project(tmp_path).run(["before", "growth"], grain="retail_month", until="R2025-P02").frame
    assert found.filter(kpi="before")["value"].to_list() == [None, 28]
    assert found.filter(kpi="growth")["state"].to_list() == ["no_data", "no_data"]


def test_data_beyond_the_list_is_said(tmp_path: Path) -> None:
    found = project(tmp_path).run(["orders"], grain="retail_year")
    assert [(d.code, d.severity.name) for d in found.diagnostics] == [
        ("beyond-periods", "WARNING"),
        ("beyond-periods", "NOTE"),
    ]
    (row,) = project(tmp_path).run(["orders"], grain="retail_year", since="2028").to_dicts()
    assert row["state"] == "unavailable"


def test_business_years_are_read_back(tmp_path: Path) -> None:
    april = project(tmp_path, year_start="april")
    found = april.run(["orders"], grain="year", since="FY2025-26", until="FY2026/2027")
    assert found.frame["value"].to_list() == [365, 365]
    assert "FY2025-26" in table(found, Style())
    for wrong in ("FY2026", "2026", "2026-Q1", "FY2026-29"):
        with pytest.raises(UsageError, match="bad-period"):
            april.run(["orders"], since=wrong)
    with pytest.raises(UsageError, match="bad-period"):
        project(tmp_path).run(["orders"], since="FY2026-27")


def test_notes_stand_beside_the_periods_that_hold_them(tmp_path: Path) -> None:
    noted = project(tmp_path, notes=NOTES)
    found = noted.run(["orders"], grain="month", since="2026-01", until="2026-11")
    assert [(str(note.start.date()), note.label.get()) for note in found.notes] == [
        ("2026-02-01", "Lunar New Year"),
        ("2026-11-01", "Singles' Day"),
    ]
    assert "2026-11-11 双十一" in table(found, Style(lang="zh"))
    data = json.loads(render(found, Style()))
    Draft202012Validator(json.loads((find("schemas") / "result.json").read_text(encoding="utf-8"))).validate(data)
    assert data["notes"][1]["date"] == "2026-11-11"
    assert noted.run(["orders"], since="2026-03", until="2026-03").notes == ()
    assert noted.run(["orders"], grain="all").notes[0].day == date(2026, 2, 17)
    wrong = project(tmp_path, notes={"11.11.2026": "Singles' Day"}).check()
    assert {d.code for d in wrong.diagnostics} == {"bad-value"}


@pytest.mark.parametrize("rule", ["nearest", "last"])
@pytest.mark.parametrize(("month", "week_start"), [(1, 6), (12, 0), (6, 5), (8, 3)])
def test_retail_years_have_52_or_53_weeks_without_a_gap(rule: Rule, month: int, week_start: int) -> None:
    lines = list(retail_years("454", 2000, 2040, rule, month, week_start))
    for grain in ("week", "month", "quarter", "year"):
        mine = [line for line in lines if line[0] == f"retail_{grain}"]
        assert all(one[3] + timedelta(days=1) == after[2] for one, after in pairwise(mine))
        assert {line[2].weekday() for line in mine} == {week_start}
    for year in range(2000, 2041):
        end = year_end(year, rule, month, week_start)
        nominal = (
            date(year + (month < 12), month % 12 + 1, 1) + timedelta(days=-1) if month < 12 else date(year, 12, 31)
        )
        assert -3 <= (end - nominal).days <= 3 if rule == "nearest" else -6 <= (end - nominal).days <= 0


def test_the_retail_federations_years() -> None:
    years = {
        line[1]: line[2:4] for line in retail_years("454", 2022, 2024, "nearest", 1, 6) if line[0] == "retail_year"
    }
    assert years["R2023"] == (date(2023, 1, 29), date(2024, 2, 3))  # 53 weeks
    assert years["R2024"] == (date(2024, 2, 4), date(2025, 2, 1))


def test_a_53rd_week_is_held_against_the_last_of_a_shorter_year() -> None:
    lines = [line for line in retail_years("445", 2022, 2023, "nearest", 1, 6) if line[0] == "retail_week"]
    starts = tuple(line[2] for line in lines)
    own = Listed(Grain("week_of_ours"), tuple(line[1] for line in lines), starts,
                 lines[-1][3] + timedelta(days=1), tuple(line[4] for line in lines))  # fmt: skip
    calendar = Calendar(periods=(own,))
    assert own.years_before(starts[-1], 1) == (starts[51], True)
    assert own.years_before(starts[52], 1) == (starts[0], False)
    assert calendar.is_made_of(own.grain, Grain.DAY)
    assert not calendar.is_made_of(own.grain, Grain.WEEK)
    assert Calendar(week_start=6, periods=(own,)).is_made_of(own.grain, Grain.WEEK)


def test_working_hours_are_shown(tmp_path: Path) -> None:
    hours = {"mon-fri": "09:00-18:00", "sat": ["09:00-12:00", "13:00-17:00"], "2026-10-01": "closed"}
    (tmp_path / "kpis.yml").write_text(json.dumps({"calendar": {"hours": hours}, "kpis": {"one": "1"}}))
    shown = CliRunner().invoke(main, ["show", "calendar", "-p", str(tmp_path / "kpis.yml")])
    assert shown.exit_code == 0, shown.output
    lines = [line.split("  ") for line in shown.stdout.splitlines()]
    found = {line[0].strip(): line[-1].strip() for line in lines if len(line) > 1}
    assert found["monday"] == "09:00-18:00"
    assert found["saturday"] == "09:00-12:00, 13:00-17:00"
    assert (found["sunday"], found["2026-10-01"]) == ("closed", "closed")
