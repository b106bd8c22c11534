"""Why a KPI is unavailable: told in the order of its formula, whatever events are called and wherever they stand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml

import smartkpi

ROWS = pl.DataFrame({"ts": ["2026-01-05"], "who": ["a"], "country": ["BR"]}).with_columns(pl.col("ts").str.to_date())
OTHER = ROWS.drop("country")
PROJECT = {
    "datasets": {
        "log": {"time": "ts", "events": {"visit": "all rows"}},
        "shop": {
            "time": "ts", "lookups": {"person": {"dataset": "people", "on": "who"}}, "events": {"order": "all rows"},
        },
        "people": {},
    },
    "events": {name: {"fields": {"who": {}}} for name in ("zeta", "alpha", "mid")},
    "groups": {"often_here": {"of": "country", "where": "count(visit) > 1", "at": "event"}},
    "kpis": {
        "quotient": "zeta / alpha",
        "chain": "count(mid then alpha by who) / zeta",
        "last": "if(1 > 2, alpha, (first zeta by who)) + mid",
        "through": "quotient * mid",
        "both": "(first order by who) / visit",
        "order_first": "order / (first order by who)",
    },
}  # fmt: skip
FRAMES = {"log": ROWS, "shop": OTHER, "people": pl.DataFrame({"who": ["a"], "country": ["BR"]})}


@pytest.fixture(params=["", "a_", "z_"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[smartkpi.Project, str]:
    """The project by itself, and included under prefixes that come before and behind all else."""
    prefix = request.param
    if not prefix:
        return smartkpi.load(PROJECT, data=FRAMES), prefix
    (tmp_path / "part.yml").write_text(yaml.safe_dump(PROJECT, sort_keys=False), encoding="utf-8")
    whole = {"include": [{"path": str(tmp_path / "part.yml"), "as": prefix[:-1]}]}
    return smartkpi.load(whole, data={f"{prefix}{name}": frame for name, frame in FRAMES.items()}), prefix


def reasons(project: smartkpi.Project, prefix: str, *by: str) -> dict[str, str]:
    rows = project.run(grain="month", by=by).to_dicts()
    assert all(row["reason"] for row in rows if row["state"] == "unavailable")
    return {
        row["kpi"].removeprefix(prefix): row["reason"].replace(prefix, "") if prefix else row["reason"]
        for row in rows
        if row["state"] == "unavailable"
    }


def test_events_that_lack_stand_as_in_the_formula(opened: tuple[smartkpi.Project, str]) -> None:
    assert reasons(*opened) == {
        "quotient": "no dataset provides `zeta`, `alpha`",
        "chain": "no dataset provides `mid`, `alpha`, `zeta`",
        "last": "no dataset provides `alpha`, `zeta`, `mid`",
        "through": "no dataset provides `zeta`, `alpha`, `mid`",
    }


def test_the_first_event_that_lacks_a_field_is_told_and_how_it_may_have_it(
    opened: tuple[smartkpi.Project, str],
) -> None:
    told = reasons(*opened, "country")
    lacks = "has no field `country`: did you mean `person.country`?"
    assert told["both"] == f"`first order by who` {lacks}"
    assert told["order_first"] == f"`order` {lacks}"


def test_no_field_is_guessed_at_in_a_reason(opened: tuple[smartkpi.Project, str]) -> None:
    project, prefix = opened
    told = reasons(project, prefix, f"{prefix}often_here")
    assert told["order_first"] == "`order` has no field `often_here`"
