"""Engine and oracle give the same statuses: bands, conditions, benchmarks, segments, samples, confidence."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, note
from hypothesis import strategies as st

import smartkpi
from tests.oracle.answer import Question, answer
from tests.test_oracle_agrees import agree, search

FORMULAS = ("count(order where paid) / order", "sum(order.amount)", "avg(order.amount)", "order", "share_paid * 2")
BANDS: tuple[dict[str, str], ...] = (
    {"good": "at least 50%", "warning": "at least 25%"},
    {"good": "at most 40%", "warning": "below 0.7", "critical": "above 90%"},
    {"good": "between 0.4 and 0.6", "warning": "between 0.3 and 0.8"},
    {"good": "above 3", "warning": "at least 1"},
)
CONDITIONS: tuple[dict[str, str], ...] = (
    {"good": "value >= 0.9 * previous", "warning": "growth > -50%"},
    {"good": "value > previous or not value < 1", "warning": "value between previous and 3 * previous"},
    {"good": "at least 4", "critical": "growth is null"},
    {"good": "growth >= 10% and value != 3", "warning": "value == 1.1 * previous"},
    {"good": "value >= benchmark", "warning": "benchmark is null or value * 2 >= benchmark"},
    {"good": "value < 1.1 * benchmark and value > previous"},
)
AIMS: tuple[dict[str, str], ...] = (
    {"good": "value >= target", "warning": "value >= 0.5 * target"},
    {"good": "value <= target or value == 2"},
)
MONTHS = {"2026-01": 3, "2026-03": 2.5, "2026-04": 1}
GOALS: tuple[dict[str, Any], ...] = (
    {"periods": MONTHS},
    {"periods": MONTHS, "target": 4, "start": "2026-01-01", "deadline": "2026-04-30"},
    {"target": 0.5, "start": "2026-01-01", "deadline": "2026-03-31"},
    {"by": {"country": {"BR": 0.5, "US": 1}}, "start": "2026-02-01", "deadline": "2026-04-30"},
    {"targets": {"by": "country", "rows": [
        {"period": "2026-02", "country": "BR", "target": 2},
        {"period": "2026-02", "country": "US", "target": 1},
        {"period": "2026-03", "country": "US", "target": 4},
    ]}},
)  # fmt: skip
BENCHMARKS: tuple[Any, ...] = (
    "50%",
    {"value": 2, "source": "a book", "date": 2018},
    {"by": {"country": {"BR": "40%", "US": 2.5}}},
    {"value": 1, "by": {"paid": {"true": 1}}},
    "total(k)",
    "avg(order.amount) / 4",
)


@st.composite
def thresholds(draw: st.DrawFn, proportion: bool) -> dict[str, Any]:
    found: dict[str, Any] = dict(draw(st.sampled_from((*BANDS, *CONDITIONS, *AIMS))))
    if any("benchmark" in text for text in found.values()):
        found["benchmark"] = draw(st.sampled_from(BENCHMARKS))
    if draw(st.booleans()):
        found["min_sample"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        found["by"] = {
            "country": {"BR": draw(st.sampled_from(BANDS))},
            "paid": {"false": draw(st.sampled_from(BANDS if proportion else (*BANDS, *CONDITIONS[:2])))},
        }
    bands = {name for name, text in found.items() if isinstance(text, str) and name in ("good", "warning", "critical")}
    if any("target" in found[name] for name in bands):
        return found
    if proportion and not any("value" in found[name] or "growth" in found[name] for name in bands):
        found["confidence"] = draw(st.sampled_from(("80%", "95%")))
    return found


@st.composite
def revisions(draw: st.DrawFn, thresholds: dict[str, Any]) -> list[dict[str, Any]]:
    """Changes of what is said beside the bands; of bands, where no condition stands among them."""
    plain = all(" previous" not in str(text) and "growth" not in str(text) for text in thresholds.values())
    changes: list[dict[str, Any]] = [
        {"min_sample": 2},
        {"by": {"country": {"BR": {"warning": "at least 10%"}, "US": {"good": "at most 60%"}}}},
        {"advice": {"good": "Go on."}},
    ]
    changes += [{"benchmark": "40%"}, {"benchmark": "avg(order.amount) / 4"}] if "benchmark" in thresholds else []
    changes += [{"good": "at least 30%"}, {"confidence": "90%"}] if plain and "confidence" in thresholds else []
    some = draw(st.lists(st.sampled_from(changes), min_size=1, max_size=2))
    days = ("2026-02-01", "2026-03-10")
    return [{"from": day, "thresholds": change} for day, change in zip(days, some, strict=False)]


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    days = st.integers(0, 130).map(lambda n: date(2026, 1, 1) + timedelta(days=n))
    one = st.fixed_dictionaries(
        {
            "at": days,
            "country": st.sampled_from(("BR", "US", None)),
            "paid": st.booleans(),
            "amount": st.sampled_from((0.5, 1.0, 2.2, 10.0, None)),
        }
    )
    found = draw(st.lists(one, min_size=1, max_size=25))
    return [
        {"at": day, "country": "US", "paid": True, "amount": 1.0} for day in (date(2026, 1, 1), date(2026, 5, 12))
    ] + found


@search
@given(st.data())
def test_engine_and_oracle_give_the_same_statuses(data: st.DataObject) -> None:
    formula = data.draw(st.sampled_from(FORMULAS))
    written: dict[str, Any] = {"formula": formula, "thresholds": data.draw(thresholds("count(order where" in formula))}
    if data.draw(st.integers(0, 3)) == 0:
        written |= {"window": "28d"}
        if data.draw(st.booleans()):
            written |= {"grain": "month"}
    definition = {
        "datasets": {"shop": {"time": "at", "events": {"order": "all rows"}}},
        "kpis": {"share_paid": "count(order where paid) / order", "k": written},
    }
    if any("target" in str(text) for text in written["thresholds"].values()):
        goals = GOALS[:2] + GOALS[4:] if "/" not in formula else GOALS
        written |= {"direction": "higher", "goal": data.draw(st.sampled_from(goals))}
        written.pop("window", None)
    if data.draw(st.booleans()):
        written |= {"revisions": data.draw(revisions(written["thresholds"]))}
    found = data.draw(rows())
    note(str(written))
    note(str(found))
    by = data.draw(st.sampled_from(((), ("country",), ("paid", "country"))))
    grain = data.draw(st.sampled_from((None, "month", "quarter", "week")))
    where = data.draw(st.sampled_from((None, 'country == "BR"', "paid == false and amount > 0")))
    schema = {"at": pl.Date, "country": pl.String, "paid": pl.Boolean, "amount": pl.Float64}
    opened = smartkpi.load(definition, data={"shop": pl.DataFrame(found, schema=schema)})
    frame = opened.run("k", by=by, grain=grain, where=where, total=False).frame
    agree(frame, answer(definition, {"shop": found}, Question(("k",), grain, by, where=where)), by)
