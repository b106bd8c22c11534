"""What several KPIs say together, and where it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.report.json import as_data

ROWS = {
    "at": ["2026-01-01", "2026-01-10", "2026-01-31", "2026-02-01", "2026-02-02", "2026-02-28", "2026-03-05"],
    "country": ["BR", "DE", "BR", "BR", "DE", "BR", "BR"],
    "paid": [True, False, True, False, True, False, True],
}
KPIS: Mapping[str, Any] = {
    "orders": {"formula": "order", "thresholds": {"good": "at least 3", "warning": "at least 2"}},
    "rate": {
        "formula": "count(order where paid) / order",
        "thresholds": {"good": "at least 50%", "min_sample": 2},
    },
    "hurdle": {"formula": "order", "hidden": True, "thresholds": {"good": "at least 100"}},
}


def run(when: str, *, kpis: Mapping[str, Any] = KPIS, asked: tuple[str, ...] = (), **question: Any) -> list[Any]:
    definition = {
        "datasets": {"shop": {"time": "at", "events": {"order": "all rows"}}},
        "kpis": kpis,
        "diagnoses": {"d": {"when": when, "say": {"en": "look", "zh": "看"}}},
    }
    project = smartkpi.load(definition, data={"shop": pl.DataFrame(ROWS).with_columns(pl.col("at").str.to_date())})
    result = project.run(asked, **question)
    assert as_data(result, "zh")["diagnoses"] == [
        {
            "diagnosis": "d",
            "label": "d",
            "holds": one.holds,
            "say": "看" if one.holds else None,
            "kpis": list(one.kpis),
            "lacking": dict(one.lacking),
            "grain": one.grain,
            "start": None if one.start is None else one.start.date().isoformat(),
            "level": one.level,
            "segment": dict(one.segment),
        }
        for one in result.findings
    ]
    return [(one.holds, dict(one.lacking)) for one in result.findings]


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ('orders.status == "good" and rate.status == "critical"', [(True, {})]),
        ('orders.status == "warning" and rate.status == "critical"', []),
        ("orders.value == 3 and rate.value < 40%", [(True, {})]),
        ("orders.growth == 0 and rate.growth <= -50%", [(True, {})]),
        ("orders.previous == 3 and rate.n == 3", [(True, {})]),
        ('rate.state == "ok" and hurdle.status == "critical"', [(True, {})]),
    ],
)
def test_a_diagnosis_of_the_last_whole_period(when: str, found: list[Any]) -> None:
    assert run(when) == found


def test_it_is_asked_with_its_kpis_and_hidden_ones_beside() -> None:
    assert run("orders.value > 1 and rate.value > 0", asked=("orders",)) == []
    assert run("orders.value > 1 and hurdle.value > 0", asked=("orders",)) == [(True, {})]


def test_what_is_not_known_is_told_unless_the_rest_decides() -> None:
    few = {**KPIS, "rate": {**KPIS["rate"], "thresholds": {"good": "at least 50%", "min_sample": 4}}}
    assert run('rate.status == "critical"', kpis=few) == [(None, {"rate": "inconclusive"})]
    assert run('rate.status != "good"', kpis=few) == [(None, {"rate": "inconclusive"})]
    assert run('rate.status == "critical" and orders.status == "warning"', kpis=few) == []
    assert run('rate.status == "critical" or orders.status == "good"', kpis=few) == [(True, {})]
    assert run('rate.status == "inconclusive"', kpis=few) == [(True, {})]
    assert run('not rate.status in ("inconclusive", "pending")', kpis=few) == []


def test_periods_and_segments_each_have_their_own() -> None:
    found = run('rate.status == "critical"', grain="month")
    assert found == [(True, {}), (None, {"rate": "pending"})]
    by = run('rate.status == "critical" and orders.value > 0', by="country", total=False)
    assert by == [(True, {}), (None, {"rate": "inconclusive"})]


def test_statuses_that_are_not_there_at_another_grain() -> None:
    assert run('orders.status == "critical"', grain="quarter") == [(None, {"orders": "pending"})]
    assert run('orders.status == "critical"', grain="week", until="2026-01-10")[1] == (None, {"orders": "unjudged"})
