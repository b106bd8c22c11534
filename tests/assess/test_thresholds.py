"""Bands to statuses, boundary values in, and where there is none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from smartkpi.assess.thresholds import assess
from smartkpi.language.syntax import Null
from smartkpi.language.types import NUMBER
from smartkpi.semantics.formula import Literal, TypedKpi
from smartkpi.source import text_of
from smartkpi.spec.model import Formula, Kpi

Band = tuple[str, str, tuple[Decimal, ...]]


def at_least(status: str, bound: str) -> Band:
    return status, ">=", (Decimal(bound),)


def kpi(*bands: Band, grain: str | None = None, ratio: bool = True, name: str = "k") -> dict[str, TypedKpi]:
    text = text_of("null")
    spec = Kpi(name, Formula(Null(text.span), text), text.span, grain=grain)
    nothing: Any = frozenset()
    typed = TypedKpi(
        name,
        spec,
        Literal(None, NUMBER),
        (),
        NUMBER,
        ratio,
        "none",
        (),
        bands,
        nothing,
        nothing,
        nothing,
        (),
        grain or "month",
    )
    return {name: typed}


def frame(*values: float | None, grain: str = "month", flags: tuple[str, ...] = (), name: str = "k") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "kpi": [name] * len(values),
            "grain": [grain] * len(values),
            "level": ["total"] * len(values),
            "value": pl.Series(values, dtype=pl.Float64),
            "n": pl.Series([None] * len(values), dtype=pl.Int64),
            "flags": pl.Series([list(flags)] * len(values), dtype=pl.List(pl.String)),
            "status": pl.Series([None] * len(values), dtype=pl.String),
            "reason": pl.Series([None] * len(values), dtype=pl.String),
        }
    )


def statuses(found: pl.DataFrame, kpis: dict[str, TypedKpi]) -> list[str | None]:
    return assess(found, kpis)["status"].to_list()


def test_bands_from_best_to_worst_with_the_boundary_in() -> None:
    kpis = kpi(at_least("good", "0.05"), at_least("warning", "0.03"))
    values = (0.06, 0.05, 0.0499999999999, 0.03, 0.029, None)
    assert statuses(frame(*values), kpis) == ["good", "good", "warning", "warning", "critical", None]


def test_a_bound_has_the_digits_of_values() -> None:
    third = str(Decimal(1) / 3)
    assert statuses(frame(0.333333333333, 0.333333333332), kpi(at_least("good", third))) == ["good", "critical"]


@pytest.mark.parametrize(
    ("operator", "bounds", "good"),
    [
        ("<=", ("2",), (1.0, 2.0)),
        (">", ("2",), (3.0,)),
        ("<", ("2",), (1.0,)),
        ("==", ("2",), (2.0,)),
        ("!=", ("2",), (1.0, 3.0)),
        ("between", ("1", "2"), (1.0, 2.0)),
    ],
)
def test_operators(operator: str, bounds: tuple[str, ...], good: tuple[float, ...]) -> None:
    kpis = kpi(("good", operator, tuple(Decimal(b) for b in bounds)))
    found = assess(frame(1.0, 2.0, 3.0), kpis)
    assert tuple(found.filter(status="good")["value"]) == good


def test_a_written_critical_band_comes_before_what_is_left() -> None:
    kpis = kpi(("critical", "<", (Decimal(1),)), ("good", "<", (Decimal(5),)))
    assert statuses(frame(0.5, 3.0, 9.0), kpis) == ["critical", "good", "critical"]


def test_incomplete_and_immature_are_pending_and_say_so() -> None:
    kpis = kpi(at_least("good", "1"))
    for flag in ("incomplete", "immature"):
        found = assess(frame(0.5, None, flags=("stale", flag)), kpis)
        assert found["status"].to_list() == ["pending", None]
        assert found["reason"].to_list() == ["the period is incomplete", None]
    assert statuses(frame(0.5, flags=("stale",)), kpis) == ["critical"]


def test_at_other_grains_only_ratios_have_a_status() -> None:
    band = at_least("good", "1")
    assert statuses(frame(2.0, grain="day"), kpi(band)) == ["good"]
    assert statuses(frame(2.0, grain="day"), kpi(band, ratio=False)) == [None]
    assert statuses(frame(2.0, grain="day"), kpi(band, ratio=False, grain="day")) == ["good"]
    assert statuses(frame(2.0), kpi(band, ratio=False, grain="day")) == [None]


def test_kpis_without_bands_have_no_status_and_rows_keep_their_order() -> None:
    kpis = (
        kpi(at_least("good", "1"), at_least("warning", "0")) | kpi(name="plain") | kpi(at_least("good", "9"), name="b")
    )
    found = pl.concat([frame(5.0, name="b"), frame(5.0, name="plain"), frame(0.5)])
    assert statuses(found, kpis) == ["critical", None, "warning"]
    assert assess(found, kpis).columns == found.columns
    assert assess(found, kpi()).equals(found)
    assert assess(found.clear(), kpis).is_empty()


def proportion(*bands: Band, confidence: str = "0.95") -> dict[str, TypedKpi]:
    found = kpi(*bands)["k"]
    return {"k": replace(found, ruled=replace(found.ruled, confidence=Decimal(confidence)))}


@pytest.mark.parametrize(
    ("hits", "n", "band", "status"),
    [
        (1, 3, at_least("good", "0.5"), "inconclusive"),
        (100, 300, at_least("good", "0.5"), "critical"),
        (2, 3, at_least("good", "0.5"), "good"),
        (0, 0, at_least("good", "0.5"), None),
        (1, 20, ("good", "<=", (Decimal("0.01"),)), "inconclusive"),
        (10, 200, ("good", "<=", (Decimal("0.01"),)), "critical"),
        (3, 3, ("good", "<", (Decimal("0.4385"),)), "critical"),
        (3, 3, ("good", "<", (Decimal("0.4386"),)), "inconclusive"),
        (0, 20, ("good", ">", (Decimal("0.1611"),)), "inconclusive"),
        (0, 20, ("good", ">", (Decimal("0.1612"),)), "critical"),
        (100, 300, ("good", "between", (Decimal("0.388"), Decimal("0.9"))), "inconclusive"),
        (100, 300, ("good", "between", (Decimal("0.389"), Decimal("0.9"))), "critical"),
        (100, 300, ("good", "==", (Decimal("0.3"),)), "inconclusive"),
    ],
)
def test_a_miss_counts_if_even_the_favourable_bound_of_the_interval_misses(
    hits: int, n: int, band: Band, status: str | None
) -> None:
    found = frame(hits / n if n else None).with_columns(n=pl.lit(n, dtype=pl.Int64))
    assert statuses(found, proportion(band)) == [status]


def test_a_milder_band_that_chance_leaves_possible_is_the_status() -> None:
    bands = at_least("good", "0.9"), at_least("warning", "0.6")
    found = frame(1 / 3).with_columns(n=pl.lit(3, dtype=pl.Int64))
    assert statuses(found, proportion(*bands)) == ["warning"]
    assert statuses(found, proportion(*bands, confidence="0.5")) == ["critical"]
