"""Coverage as far as that of another dataset: what one that is silent is known to be, and what no dataset can be."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi

FIRST = date(2026, 1, 1)
PEOPLE = pl.DataFrame({"t": [FIRST, date(2026, 1, 3), date(2026, 1, 12)]})
DATA = {"people": PEOPLE, "actions": pl.DataFrame({"t": [FIRST + timedelta(days=n) for n in range(33)]})}


def project(covers: dict[str, Any] | None, **others: Any) -> dict[str, Any]:
    people = {"time": "t", "events": {"registration": "all rows"}} | ({"covers": covers} if covers else {})
    actions = {"time": "t", "events": {"action": "all rows"}}
    kpis = {"registrations": "registration", "rate": "registration / action"}
    return {"datasets": {"people": people, "actions": actions, **others}, "kpis": kpis}


def months(definition: dict[str, Any], kpi: str, **asked: Any) -> list[tuple[Any, ...]]:
    result = smartkpi.load(definition, data=DATA).run(kpi, grain="month", **asked)
    return [(row["start"].month, row["value"], row["flags"]) for row in result.frame.to_dicts()]


def test_silence_is_known_as_far_as_the_other_dataset_is() -> None:
    assert months(project(None), "rate")[0] == (1, pytest.approx(3 / 31), ["incomplete", "stale"])
    assert months(project({"to": "actions"}), "rate") == [(1, pytest.approx(3 / 31), []), (2, 0, ["incomplete"])]


def test_the_as_of_is_that_of_the_other_where_it_is_later() -> None:
    assert months(project(None), "registrations") == [(1, 3, ["incomplete"])]
    assert months(project({"to": "actions"}), "registrations") == [(1, 3, []), (2, 0, ["incomplete"])]
    assert months(project({"from": "2025-12-01", "to": "actions"}), "registrations", since="2025-12")[0] == (1, 3, [])


def test_where_the_other_falls_silent_so_does_it() -> None:
    found = months(project({"to": "actions"}), "registrations", as_of="2026-03-20")
    assert found == [(1, 3, []), (2, 0, ["incomplete", "stale"]), (3, None, ["incomplete", "stale"])]


def test_one_of_counts_is_known_to_its_last_row() -> None:
    counts = {"time": "t", "events": {"action": {"count": "n"}}}
    definition = project({"to": "actions"}, actions=counts)
    data = {**DATA, "actions": DATA["actions"].with_columns(n=2)}
    asked = {"grain": "day", "since": "2026-02-01", "as_of": "2026-02-03"}
    found = smartkpi.load(definition, data=data).run("registrations", **asked).to_dicts()
    assert [(row["value"], row["n"], row["state"]) for row in found] == [
        (0, 0, "ok"), (0, 0, "ok"), (None, None, "no_data"),
    ]  # fmt: skip
    counts["gaps"] = "zero"
    found = smartkpi.load(definition, data=data).run("registrations", **asked).to_dicts()
    assert [row["value"] for row in found] == [0, 0, 0]


def test_its_own_rows_are_never_left_out() -> None:
    later = {"people": DATA["actions"], "actions": PEOPLE}
    found = smartkpi.load(project({"to": "actions"}), data=later).run("registrations", grain="month").frame
    assert found["value"].to_list() == [31, 2]


def test_datasets_reach_as_far_as_each_other_in_a_chain() -> None:
    more = {"time": "t", "events": {"call": "all rows"}, "covers": {"to": "people"}}
    definition = project({"to": "actions"}, calls=more)
    definition["kpis"]["calls"] = "call"
    data = {**DATA, "calls": PEOPLE.head(2)}
    found = smartkpi.load(definition, data=data).run("calls", grain="month").frame
    assert [found["value"].to_list(), found["flags"].to_list()] == [[2, 0], [[], ["incomplete"]]]


def test_a_prefix_goes_to_the_dataset_too(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("t\n2026-01-01\n2026-01-03\n")
    (tmp_path / "actions.csv").write_text("t\n2026-01-01\n2026-02-02\n")
    (tmp_path / "part.yml").write_text(
        "datasets:\n"
        "  people: {read: people.csv, time: t, covers: {to: actions}, events: {registration: all rows}}\n"
        "  actions: {read: actions.csv, time: t, events: {action: all rows}}\n"
        "kpis: {registrations: registration}\n"
    )
    (tmp_path / "kpis.yml").write_text("include: [{path: part.yml, as: x}]\n")
    opened = smartkpi.load(tmp_path / "kpis.yml")
    assert opened.check(data=True).ok
    assert opened.run(grain="month").frame["value"].to_list() == [2, 0]
    assert "actions" in opened.explain("x_registrations", "polars")


@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        ("action", "unknown-dataset", "no dataset is named `action`"),
        ("people", "bad-value", "datasets cover as far as each other: `people` -> `people`"),
        ("calls", "bad-value", "datasets cover as far as each other: `people` -> `calls` -> `people`"),
        ("towns", "bad-value", "`towns` has no events, and so no days: it covers none"),
        ("ever", "bad-value", "`ever` has no time: it covers none"),
        ("31.01.2026", "bad-value", "`31.01.2026` is no date"),
    ],
)
def test_what_has_no_coverage_to_reach_is_refused(to: str, code: str, said: str) -> None:
    others = {
        "calls": {"time": "t", "events": {"call": "all rows"}, "covers": {"to": "people"}},
        "towns": {"time": "t"},
        "ever": {"time": "none", "events": {"thing": "all rows"}},
    }
    found = smartkpi.load(project({"to": to}, **others)).check().diagnostics
    assert next((one.code, one.message) for one in found if one.severity == "error") == (code, said)
