"""Each function of rows and formulas against plain Python."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from smartkpi.engines.polars.expressions import Rows, compile_row, condition
from smartkpi.engines.polars.functions import ROW, SCALAR
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import DATE, TEXT, TIME, WHOLE
from smartkpi.semantics.formula import Expr
from smartkpi.sources.schema import types_of
from tests.engines.build import call, col, lit

NAN, INF = float("nan"), float("inf")
A = [7.5, -7.5, 0.0, None, NAN, INF, 1e308, 2.5, -2.5, 0.5]
B = [2.0, 2.0, 0.0, 1.0, 1.0, 1.0, 10.0, -2.0, None, 3.0]
FRAME = pl.DataFrame(
    {
        "a": A,
        "b": B,
        "i": pl.Series([1, 2, 127, None, -3, 0, 5, 6, 7, 8], dtype=pl.Int8),
        "t": ["Ads", " x ", None, "", "ads", "ä", "b", "c", "d", "e"],
        "e": pl.Series(["b", "a", None, "b", "a", "b", "a", "b", "a", "b"], dtype=pl.Enum(["b", "a"])),
        "k": pl.Series(["b", "a", None, "b", "a", "b", "a", "b", "a", "b"], dtype=pl.Categorical),
        "c": [True, False, None, True, False, True, None, False, True, False],
        "day": [date(2026, 1, 30), date(2026, 2, 28), None] + [date(2026, 3, 8)] * 7,
        "ts": [datetime(2026, 3, 8, 2, 30), datetime(2026, 11, 1, 1, 30), None] + [datetime(2026, 1, 1, 23, 5)] * 7,
    }
)
NY = "America/New_York"


def real(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def values(expr: Expr, zone: str = "UTC", local: str = "UTC", frame: pl.DataFrame = FRAME) -> list[Any]:
    rows = Rows(dict(frame.schema), types_of(frame.schema), local, zone, "log")
    return frame.select(compile_row(expr, rows).expr.alias("x")).to_series().to_list()


def attempt(function: Any, *args: Any) -> Any:
    if any(arg is None for arg in args):
        return None
    try:
        value = function(*args)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return real(value) if isinstance(value, float) else None if isinstance(value, complex) else value


def away(value: float, digits: float = 0) -> float:
    scale = 10.0**digits
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value) if abs(value) < 1e300 else value


TWO = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    "mod": lambda a, b: a - float(math.floor(a / b)) * b,
    "least": min,
    "greatest": max,
    "round": away,
}
ONE = {
    "neg": lambda a: -a,
    "abs": abs,
    "round": away,
    "floor": lambda a: float(math.floor(a)),
    "ceil": lambda a: float(math.ceil(a)),
    "ln": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "sqrt": math.sqrt,
}
COMPARE = {
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def test_tables_have_every_function() -> None:
    """What the language has is in a table of the engine."""
    elsewhere = {"col", "parse_time", "start_of"}  # gone when typed; compiled with its zone, and calendar
    scalar = {name for name, f in FUNCTIONS.items() if f.kind == "scalar"}
    row = {name for name, f in FUNCTIONS.items() if f.kind == "row"}
    assert scalar == set(SCALAR)
    assert row == set(ROW) | elsewhere


@pytest.mark.parametrize("name", TWO)
def test_numbers_of_two(name: str) -> None:
    expected = [attempt(TWO[name], real(a), real(b)) for a, b in zip(A, B, strict=True)]
    assert values(call(name, col("a"), col("b"))) == pytest.approx(expected, nan_ok=False)


@pytest.mark.parametrize("name", ONE)
def test_numbers_of_one(name: str) -> None:
    expected = [attempt(ONE[name], real(a)) for a in A]
    assert values(call(name, col("a"))) == pytest.approx(expected, nan_ok=False)


@pytest.mark.parametrize("name", COMPARE)
@pytest.mark.parametrize("other", [0, 2.5, -7.5])
def test_comparisons_are_two_valued(name: str, other: float) -> None:
    expected = [real(a) is not None and COMPARE[name](a, other) for a in A]
    assert values(call(name, col("a"), other)) == expected
    assert values(call("not", call(name, col("a"), other))) == [not e for e in expected]


def test_unequal_and_lists_hold_for_null() -> None:
    assert values(call("!=", col("t", TEXT), "ads"))[2:5] == [True, True, False]
    assert values(call("not in", col("t", TEXT), "ads", "b"))[2:7] == [True, True, False, True, False]
    assert values(call("in", col("t", TEXT), "ads", "b"))[2:7] == [False, False, True, False, True]
    assert values(call("in", col("i", WHOLE), 1, 127, None))[:4] == [True, False, True, False]
    assert values(call("between", col("a"), 0, 7.5)) == [
        True,
        False,
        True,
        False,
        False,
        False,
        False,
        True,
        False,
        True,
    ]
    assert values(call("not between", col("a"), 0, 7.5))[3] is True
    assert values(call("==", col("a"), None)) == [False] * 10
    assert values(call("!=", col("a"), None)) == [True] * 10


@pytest.mark.parametrize("name", ["e", "k"])
def test_coded_texts_compare_as_texts(name: str) -> None:
    coded = col(name, TEXT)
    assert values(call("==", coded, "unheard of")) == [False] * 10
    assert values(call("!=", coded, "unheard of")) == [True] * 10
    assert values(call("<", coded, "b"))[:3] == [False, True, False]
    assert values(call("in", coded, "a", "unheard of"))[:3] == [False, True, False]
    assert values(call("==", col("e", TEXT), col("k", TEXT)))[:3] == [True, True, False]
    assert values(call("upper", coded))[:3] == ["B", "A", None]
    assert values(call("coalesce", coded, "none"))[:3] == ["b", "a", "none"]


def test_logic_counts_null_as_false() -> None:
    c = col("c")
    assert values(call("and", c, True))[:3] == [True, False, False]
    assert values(call("or", c, False))[:3] == [True, False, False]
    assert values(call("not", c))[:3] == [False, True, True]
    assert values(call("if", c, 1, 2))[:3] == [1, 2, 2]
    assert values(call("is null", c))[:3] == [False, False, True]
    assert values(call("is not null", col("a")))[3:6] == [False, False, False]
    assert values(call("coalesce", col("a"), col("b"), 0))[3:6] == [1.0, 1.0, 1.0]
    rows = Rows(dict(FRAME.schema), types_of(FRAME.schema), "UTC", "UTC", "log")
    assert FRAME.select(condition(c, rows)).to_series().to_list()[:3] == [True, False, False]


def test_small_integers_do_not_wrap() -> None:
    assert values(call("+", col("i", WHOLE), 100))[2] == 227.0
    assert values(call("*", col("i", WHOLE), col("i", WHOLE)))[2] == 16129.0
    assert values(call(">", col("i", WHOLE), 1000)) == [False] * 10


def test_texts() -> None:
    t = col("t", TEXT)
    assert values(call("lower", t))[:3] == ["ads", " x ", None]
    assert values(call("upper", t))[5] == "Ä"
    assert values(call("trim", t))[1] == "x"
    assert values(call("contains", t, "d"))[:4] == [True, False, False, False]
    assert values(call("contains", t, "."))[:2] == [False, False]
    assert values(call("starts_with", t, "a"))[:5] == [False, False, False, False, True]
    assert values(call("ends_with", t, "s"))[:3] == [True, False, False]
    assert values(call("matches", t, "^A.s$"))[:3] == [True, False, False]


def test_times_are_local() -> None:
    ts = col("ts", TIME)
    gap = values(ts, NY, NY)
    assert gap[0] == datetime(2026, 3, 8, 3, 30, tzinfo=ZoneInfo(NY))
    assert gap[1].astimezone(UTC) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert values(call("hour_of_day", ts), NY, "UTC")[3] == 18
    assert values(call("hour_of_day", ts), "Asia/Shanghai", "UTC")[3] == 7
    assert values(call("date", ts), "Asia/Shanghai", "UTC")[3] == date(2026, 1, 2)
    assert values(call("day_of_week", col("day", DATE)))[:3] == [5, 6, None]
    assert values(call("day_of_month", col("day", DATE)))[:2] == [30, 28]
    assert values(call("month_of_year", ts))[:2] == [3, 11]
    assert values(call("hour_of_day", col("day", DATE)))[0] == 0


def test_dates_against_times_compare_as_local_dates() -> None:
    ts = col("ts", TIME)
    assert values(call("==", ts, lit(date(2026, 1, 2))), "Asia/Shanghai")[3] is True
    assert values(call("==", ts, lit(date(2026, 1, 2))), "UTC")[3] is False
    moment = lit(datetime(2026, 1, 1, 23, 5, tzinfo=UTC))
    assert values(call("==", ts, moment), "Asia/Shanghai")[3] is True
    assert values(call(">=", col("day", DATE), lit(date(2026, 2, 28))))[:3] == [False, True, False]


def test_distances_and_shifts() -> None:
    ts, day = col("ts", TIME), col("day", DATE)
    assert values(call("-", ts, lit(datetime(2026, 1, 1, tzinfo=UTC))))[3] == 23 * 3600 + 300
    assert values(call("-", day, lit(date(2026, 1, 1))))[:3] == [29 * 86400.0, 58 * 86400.0, None]
    assert values(call("+", ts, 90, type_=TIME))[3] == datetime(2026, 1, 1, 23, 6, 30, tzinfo=UTC)
    assert values(call("-", day, 86400, type_=DATE))[0] == date(2026, 1, 29)
    assert values(call("+", day, 3600, type_=TIME))[0] == datetime(2026, 1, 30, 1, tzinfo=UTC)


def test_times_are_made() -> None:
    frame = pl.DataFrame({"s": [0, 1_700_000_000, None], "f": [1.5, NAN, 2e30], "t": ["1.08.2019", "31.2.2019", None]})
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    s = col("s", WHOLE)
    assert values(call("epoch_s", s), frame=frame) == [zero, zero + timedelta(seconds=1_700_000_000), None]
    assert values(call("epoch_ms", s), frame=frame)[1] == zero + timedelta(milliseconds=1_700_000_000)
    assert values(call("epoch_s", col("f")), frame=frame) == [zero + timedelta(seconds=1.5), None, None]
    parsed = call("parse_time", col("t", TEXT), "%d.%m.%Y", type_=DATE)
    assert values(parsed, frame=frame) == [date(2019, 8, 1), None, None]
    timed = call("parse_time", col("t", TEXT), "%d.%m.%Y", type_=TIME)
    assert values(timed, "Asia/Shanghai", "Asia/Shanghai", frame)[0] == datetime(2019, 7, 31, 16, tzinfo=UTC)


def test_dates_that_do_not_exist_are_null() -> None:
    frame = pl.DataFrame({"y": [2026, 2026, 2024, None, 0], "m": [4, 13, 2, 1, 1], "d": [31, 1, 29, 1, 1]})
    made = call("make_date", col("y", WHOLE), col("m", WHOLE), col("d", WHOLE), type_=DATE)
    assert values(made, frame=frame) == [None, None, date(2024, 2, 29), None, None]


def test_round_takes_digits() -> None:
    frame = pl.DataFrame({"x": [1234.565, -0.5, 1e308]})
    assert values(call("round", col("x"), 2), frame=frame)[0] == pytest.approx(1234.57)
    assert values(call("round", col("x"), -2), frame=frame)[0] == 1200.0
    assert values(call("round", col("x")), frame=frame) == [1235.0, -1.0, 1e308]
    assert values(call("round", col("x"), 2), frame=frame)[2] == 1e308
