"""Twelve significant digits, exactly as decimal arithmetic gives them."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from smartkpi.derive.rounding import round_significant, to_float

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e6, 1e6) | st.floats(-1, 1)
near_ties = st.builds(lambda n, e: (n + 0.5) / 10.0**e, st.integers(10**11, 10**12), st.integers(0, 20))


def expected(x: float) -> float:
    return x if x == int(x) else float(f"{x:.12g}")


@given(st.lists(numbers | near_ties, min_size=1, max_size=60))
@example([0.1 + 0.2, 1 / 3, 999.99999999995, 1000.0000000000001, 1e-300, 5e-324, 4503599627370495.5, 0.99999999999995])
def test_rounding_agrees_with_decimal_text(values: list[float]) -> None:
    assert round_significant(pl.Series(values)).to_list() == [expected(x) for x in values]


def test_what_is_not_finite_is_null_and_zero_has_no_sign() -> None:
    found = round_significant(pl.Series("v", [float("nan"), float("inf"), None, -0.0, 2.0**60 + 256]))
    assert found.name == "v"
    assert [str(x) for x in found] == ["None", "None", "None", "0.0", str(2.0**60 + 256)]


@given(st.lists(st.decimals(-(10**20), 10**20, places=6) | st.none(), min_size=1))
def test_exact_money_is_its_nearest_float(amounts: list[Decimal | None]) -> None:
    found = to_float(pl.Series([0.5] * len(amounts)), pl.Series(amounts, dtype=pl.Decimal(38, 6)))
    assert found.to_list() == [0.5 if amount is None else float(amount) for amount in amounts]
