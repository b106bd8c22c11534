"""Additive cells against plain Python: exact, whatever the plan, the order of rows and the split into files."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars import estimate
from smartkpi.engines.polars.explain import FALLBACKS, physical_nodes
from smartkpi.language.types import NUMBER, TEXT, TIME, UNKNOWN, WHOLE, Type
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell
from smartkpi.semantics.formula import Expr
from smartkpi.sources.tables import open_table
from tests.engines.build import CASH, call, cell, col, dataset, engine, plan, read, scan

TS, EVENT, CHANNEL = col("ts", TIME), col("event", TEXT), col("channel", TEXT)
X, K, W = col("x"), col("k", WHOLE), col("w", WHOLE)


def made(count: int = 600, seed: int = 1) -> pl.DataFrame:
    dice = random.Random(seed)
    start = datetime(2025, 12, 20)
    rows = [
        {
            "ts": None if dice.random() < 0.02 else start + timedelta(seconds=dice.randrange(60 * 86400)),
            "event": dice.choice(["visit", "order", "cart", None]),
            "channel": dice.choice(["ads", "seo", "mail", None]),
            "x": dice.choice([None, float("nan"), dice.uniform(-5, 100), 1e15 + 0.25, -1e15, 0.1]),
            "k": dice.choice([None, dice.randrange(-(2**31), 2**31 - 1)]),
            "w": dice.choice([None, 0, 1, 5]),
        }
        for _ in range(count)
    ]
    return pl.DataFrame(rows, schema_overrides={"k": pl.Int32})


def is_(column: Expr, value: Any) -> Expr:
    return call("==", column, value)


CONDITIONS: dict[str, tuple[Expr, Any]] = {
    "visit": (is_(EVENT, "visit"), lambda r: r["event"] == "visit"),
    "order": (is_(EVENT, "order"), lambda r: r["event"] == "order"),
    "ads": (is_(CHANNEL, "ads"), lambda r: r["channel"] == "ads"),
    "not ads": (call("!=", CHANNEL, "ads"), lambda r: r["channel"] != "ads"),
    "big": (call(">", X, 50), lambda r: known(r["x"]) is not None and r["x"] > 50),
}
CELLS: list[tuple[Cell, list[str]]] = [
    (cell("rows"), []),
    (cell("rows_visit", "rows", None, CONDITIONS["visit"][0]), ["visit"]),
    (cell("sum", "sum", X, type_=NUMBER), []),
    (cell("money", "sum", X, type_=CASH), []),
    (cell("money_ads", "sum", X, CONDITIONS["order"][0], CONDITIONS["ads"][0], type_=CASH), ["order", "ads"]),
    (cell("sum_rest", "sum", X, CONDITIONS["order"][0], CONDITIONS["not ads"][0], type_=NUMBER), ["order", "not ads"]),
    (cell("whole", "sum", K, CONDITIONS["big"][0], type_=WHOLE), ["big"]),
    (cell("present", "present", X, CONDITIONS["visit"][0]), ["visit"]),
    (cell("min", "min", X, CONDITIONS["ads"][0], type_=NUMBER), ["ads"]),
    (cell("max", "max", K, CONDITIONS["big"][0], type_=WHOLE), ["big"]),
    (cell("weight", "weight", W, CONDITIONS["visit"][0], type_=WHOLE), ["visit"]),
]
ALL_CELLS = [c for c, _ in CELLS]


def known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def micros(value: float) -> Decimal:
    return Decimal(int(Decimal(value * 1e6).to_integral_value(ROUND_HALF_EVEN))).scaleb(-6)


def expected(cell_: Cell, rows: list[dict[str, Any]]) -> Any:
    if not rows:
        return None
    column = cell_.argument.name if cell_.argument is not None else ""  # type: ignore[union-attr]
    values = [v for r in rows if (v := known(r[column]) if column else 1) is not None]
    match cell_.aggregate:
        case "rows":
            return len(rows)
        case "present":
            return len(values)
        case "min" | "max":
            return {"min": min, "max": max}[cell_.aggregate](values, default=None)
        case "weight":
            return sum(values) if values else None
    if cell_.type == CASH:
        return sum((micros(v) for v in values), Decimal(0))
    return sum(values) if cell_.type.whole else math.fsum(values)


def period(moment: datetime, grain: Grain) -> Any:
    day = moment.date()
    match grain:
        case Grain.HOUR:
            return moment.replace(minute=0, second=0)
        case Grain.WEEK:
            return day - timedelta(days=day.weekday())
        case Grain.MONTH:
            return day.replace(day=1)
        case Grain.QUARTER:
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case Grain.YEAR:
            return day.replace(month=1, day=1)
        case _:
            return day


def check(frame: pl.DataFrame, data: pl.DataFrame, grain: Grain, by: list[str]) -> None:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in data.rows(named=True):
        if row["ts"] is not None:
            key = [] if grain is Grain.ALL else [period(row["ts"], grain)]
            groups[(*key, *(row[name] for name in by))].append(row)
    names = ([] if grain is Grain.ALL else [PERIOD]) + by
    got = {tuple(naive(row[name]) for name in names): row for row in frame.rows(named=True)}
    assert set(got) == set(groups)
    for key, rows in groups.items():
        for cell_, wanted in CELLS:
            under = [row for row in rows if all(CONDITIONS[name][1](row) for name in wanted)]
            value, want = got[key][cell_.id], expected(cell_, under)
            if cell_.type == NUMBER and want is not None:
                assert value == pytest.approx(want, rel=1e-13, abs=1e-3), (key, cell_.id)
            elif cell_.aggregate in ("rows", "present"):
                assert (value or 0) == (want or 0), (key, cell_.id)
            else:
                assert value == want, (key, cell_.id)


def naive(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


GRAINS = (Grain.HOUR, Grain.DAY, Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.YEAR, Grain.ALL)


@pytest.mark.parametrize("by", [[], ["channel"]])
@pytest.mark.parametrize("discriminators", [(), (EVENT,)])
def test_every_aggregate_at_every_grain(by: list[str], discriminators: tuple[Expr, ...]) -> None:
    data = made()
    dims = {name: col(name, TEXT) for name in by}
    scans = [scan(ALL_CELLS, GRAINS, time=TS, by=dims, discriminators=discriminators)]
    answer = engine(data).collect(plan(scans, dataset(time=TS)))
    assert answer.scans == 1
    for grain in GRAINS:
        (frame,) = answer.frames[grain]
        check(frame, data, grain, by)
        keys = [name for name in frame.columns if name in (PERIOD, *by)]
        assert not keys or frame.equals(frame.sort(keys, nulls_last=True))


def test_types_of_the_answer() -> None:
    (frame,) = engine(made()).collect(plan([scan(ALL_CELLS, time=TS)], dataset(time=TS))).frames[Grain.DAY]
    assert frame.schema == {
        PERIOD: pl.Date, "rows": pl.Int64, "rows_visit": pl.Int64, "sum": pl.Float64, "money": pl.Decimal(38, 6),
        "money_ads": pl.Decimal(38, 6), "sum_rest": pl.Float64, "whole": pl.Int128, "present": pl.Int64,
        "min": pl.Float64, "max": pl.Float64, "weight": pl.Int64, "weight_null": pl.Int64,
    }  # fmt: skip


def answers(data: Any, discriminators: tuple[Expr, ...] = ()) -> list[list[tuple[Any, ...]]]:
    scans = [scan(ALL_CELLS, (Grain.WEEK, Grain.ALL), time=TS, by={"c": CHANNEL}, discriminators=discriminators)]
    answer = engine(data).collect(plan(scans, dataset(time=TS)))
    rounded = pl.selectors.float().round_sig_figs(12)
    return [frame.with_columns(rounded).rows() for frames in answer.frames.values() for frame in frames]


def test_order_and_split_of_the_rows_do_not_matter(tmp_path: Path) -> None:
    data = made(2000)
    wanted = answers(data)
    assert answers(data.sample(fraction=1, shuffle=True, seed=2)) == wanted
    for place in range(3):
        data[place::3].write_parquet(tmp_path / f"{place}.parquet")
    assert answers(open_table(read("*.parquet", tmp_path))) == wanted


def test_the_layout_does_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(2000)
    wanted = answers(data)
    assert answers(data, (EVENT,)) == wanted
    monkeypatch.setattr(estimate, "WORTH", 1)
    monkeypatch.setattr(estimate, "SLICE", 100)
    assert answers(data, (EVENT,)) == wanted
    monkeypatch.setattr(estimate, "MANY", 1)
    assert answers(data, (EVENT,)) == wanted


def test_conditions_leave_the_mask_where_groups_would_explode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "WORTH", 1)
    cells = [cell(f"c{i}", "sum", X, call(">", X, i), type_=CASH) for i in range(70)]
    cells += [cell(f"k{i}", "rows", None, call("<", K, i * 10**7)) for i in range(70)]
    data = made(300)
    query = plan([scan(cells, time=TS)], dataset(time=TS))
    moved = engine(data).collect(query).frames[Grain.DAY][0]
    monkeypatch.setattr(estimate, "WORTH", 10**9)
    whole = engine(data).collect(query).frames[Grain.DAY][0]
    assert moved.equals(whole)


def test_whole_sums_do_not_wrap() -> None:
    data = pl.DataFrame(
        {"ts": [date(2026, 1, 1)] * 3, "k": [2**63 - 1] * 3, "small": pl.Series([127] * 3, dtype=pl.Int8)}
    )
    cells = [cell("a", "sum", K), cell("b", "sum", col("small", WHOLE)), cell("c", "sum", K, type_=CASH)]
    (frame,) = engine(data).collect(plan([scan(cells, time=TS)], dataset(time=TS))).frames[Grain.DAY]
    assert frame.row(0)[1:] == (3 * (2**63 - 1), 381, Decimal(3 * (2**63 - 1)))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1e33, 1.0], CASH),
        ([-9e31, -9e31], CASH),
        ([2**126, 2**126], WHOLE),
        ([2**120, 1], CASH),
        ([Decimal(1234567890123456789012345678)], CASH),
    ],
)
def test_what_is_too_large_to_be_added_is_an_error(values: list[Any], kind: Type) -> None:
    whole = isinstance(values[0], int)
    numbers = pl.Series(values, dtype=pl.Int128) if whole else pl.Series(values)
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * len(values), "v": numbers})
    query = plan([scan([cell("s", "sum", col("v", kind), type_=kind)], time=TS)], dataset(time=TS))
    with pytest.raises(KpiError, match="number-too-large"):
        engine(data).collect(query)
    later = plan(query.scans, dataset(time=TS), as_of=date(2025, 12, 31))
    assert engine(data).collect(later).frames[Grain.DAY][0].is_empty()


@pytest.mark.parametrize("state", ["additive", "distinct"])
def test_a_segment_that_is_too_large_is_an_error(state: str) -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * 2, "id": pl.Series([2**64 - 1, 1], dtype=pl.UInt64)})
    one = cell("n") if state == "additive" else cell("n", "distinct", TS)
    ids = col("id", WHOLE)
    with pytest.raises(KpiError, match="number-too-large"):
        engine(data).collect(plan([scan([one], time=TS, state=state, by={"id": ids})], dataset(time=TS)))


def test_large_fractions_do_not_wrap() -> None:
    count = 9_000_000
    data = pl.DataFrame({"v": pl.Series([1.8e19]).new_from_index(0, count)})
    answer = engine(data).collect(plan([scan([cell("s", "sum", col("v"), type_=NUMBER)], (Grain.ALL,))], dataset()))
    assert answer.frames[Grain.ALL][0].item() == pytest.approx(1.8e19 * count)


def test_a_column_without_values_adds_up_to_nothing() -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * 2, "v": pl.Series([None] * 2, dtype=pl.Null)})
    column = col("v", UNKNOWN)
    cells = [cell(name, name, column, type_=UNKNOWN) for name in ("sum", "min", "max", "present")]
    cells += [cell("text", "max", call("coalesce", column, "a", type_=UNKNOWN), type_=UNKNOWN)]
    (frame,) = engine(data).collect(plan([scan(cells, time=TS)], dataset(time=TS))).frames[Grain.DAY]
    assert frame.row(0)[1:] == (0.0, None, None, 0, None)


def test_decimals_add_exactly() -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * 3, "p": [Decimal("0.10"), Decimal("0.20"), None]})
    cells = [cell("m", "sum", col("p"), type_=CASH), cell("n", "min", col("p"), type_=NUMBER)]
    (frame,) = engine(data).collect(plan([scan(cells, time=TS)], dataset(time=TS))).frames[Grain.DAY]
    assert frame.row(0)[1:] == (Decimal("0.300000"), 0.1)


def test_constants_and_no_columns() -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * 3})
    one = cell("s", "sum", call("*", 2, 3), type_=NUMBER)
    answer = engine(data).collect(plan([scan([cell("n"), one], (Grain.ALL, Grain.DAY), time=TS)], dataset(time=TS)))
    assert answer.frames[Grain.ALL][0].row(0) == (3, 18.0)
    timeless = engine(data).collect(plan([scan([cell("n"), one], (Grain.ALL,))], dataset()))
    assert timeless.frames[Grain.ALL][0].row(0) == (3, 18.0)


def test_no_rows() -> None:
    data = made(50).clear()
    answer = engine(data).collect(plan([scan(ALL_CELLS, (Grain.DAY, Grain.ALL), time=TS)], dataset(time=TS)))
    assert answer.frames[Grain.DAY][0].height == 0
    assert answer.frames[Grain.ALL][0].row(0, named=True)["money"] is None
    assert answer.coverage["log"].edge is None


def test_counts_are_not_negative() -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * 2, "w": [1, -1]})
    with pytest.raises(KpiError, match="negative-count"):
        engine(data).collect(plan([scan([cell("n", "weight", W)], time=TS)], dataset(time=TS)))


def test_whole_counts_in_a_float_column() -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * 3, "w": [1.0, 2.0, None]})
    (frame,) = engine(data).collect(plan([scan([cell("n", "weight", W)], time=TS)], dataset(time=TS))).frames[Grain.DAY]
    assert frame.row(0)[1:] == (3, 1)


def test_one_scan_without_fallback(tmp_path: Path) -> None:
    made().write_parquet(tmp_path / "log.parquet")
    table = open_table(read("log.parquet", tmp_path))
    cells = [cell("d", "distinct", K, is_(EVENT, "visit")), cell("e", "distinct", K, is_(EVENT, "order"))]
    scans = [
        scan(ALL_CELLS, GRAINS, time=TS, discriminators=(EVENT,)),
        scan(cells, (Grain.DAY, Grain.ALL), time=TS, state="distinct", discriminators=(EVENT,)),
    ]
    made_plan = plan(scans, dataset(time=TS))
    text = engine(table).explain(made_plan)
    assert text.startswith("3 scans\n")
    assert engine(table).collect(made_plan).scans == 3
    lines = [line for line in text.splitlines() if line.startswith("physical:")]
    assert len(lines) == 3
    assert not any(name in line for line in lines for name in FALLBACKS)
    assert all("multi-scan[parquet]" in line and "group-by" in line for line in lines[:2])


def test_fallbacks_are_named() -> None:
    query = made().lazy().group_by("event").agg(pl.col("x").median())
    assert set(physical_nodes(query)) & set(FALLBACKS)
