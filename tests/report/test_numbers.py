from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.report.numbers import form_of, format_change, format_number, sparkline
from smartkpi.report.rows import readable


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.631501, "percent", "63.15%"),
        (0.05, "percent", "5.00%"),
        (0.00051234, "percent", "0.0512%"),
        (0.0, "percent", "0.00%"),
        (12.3456, "percent", "1,234.56%"),
        (1234567.0, "number", "1,234,567"),
        (1234.5678, "number", "1,234.57"),
        (0.0012345, "number", "0.00123"),
        (1.5e-9, "number", "1.50e-09"),
        (-2.5, "number", "-2.50"),
        (-0.0, "number", "0"),
        (1e21, "number", "1.00000000000e+21"),
        (2.5, "integer", "2"),
        (1234.9, "integer", "1,235"),
        (1234.5, "money", "1,234.50"),
        (0.001, "money", "0.001"),
        (59.94, "duration", "59.9s"),
        (90.0, "duration", "1min 30s"),
        (3599.9, "duration", "60min"),
        (3900.0, "duration", "1h 5min"),
        (187500.0, "duration", "2d 4h"),
        (-90.0, "duration", "-1min 30s"),
        (0.0, "duration", "0s"),
    ],
)
def test_values(value: float, form: str, text: str) -> None:
    assert format_number(value, form) == text


def test_money_is_shown_from_its_exact_amount() -> None:
    exact = Decimal("12345678901234567890.125000")
    assert format_number(float(exact), "money", exact, "EUR") == "12,345,678,901,234,567,890.12 EUR"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("1234", "JPY", "1,234 JPY"), ("1234.5", "JPY", "1,234 JPY"), ("0.4", "KRW", "0.4 KRW"), ("0", "JPY", "0 JPY"),
     ("-7.25", "KWD", "-7.250 KWD"), ("1234.5", "EUR", "1,234.50 EUR"), ("1234.5", None, "1,234.50")],
)  # fmt: skip
def test_money_has_the_digits_of_its_currency(amount: str, currency: str | None, text: str) -> None:
    assert format_number(float(amount), "money", Decimal(amount), currency) == text
    assert format_number(float(amount), "money", None, currency) == text


@pytest.mark.parametrize(
    ("now", "before", "form", "text"),
    [
        (0.06, 0.05, "percent", "+1.00 pp"),
        (0.05, 0.05, "percent", "0.00 pp"),
        (0.217312, 0.217524, "percent", "-0.02 pp"),  # 21.73% and 21.75%
        (0.217524, 0.217525, "percent", "0.00 pp"),
        (0.00883, 0.009355, "percent", "-0.053 pp"),  # 0.883% and 0.936%
        (0.00883, 0.109355, "percent", "-10.05 pp"),
        (4e-10, 3e-10, "percent", "+1.00e-08 pp"),
        (2e13, 1e13, "percent", "+1.00000000000e+15 pp"),
        (110.0, 100.0, "number", "+10.0%"),
        (100.588, 100.0, "duration", "+0.6%"),
        (100.04, 100.0, "number", "0.0%"),
        (2e15, 1.0, "number", "+2.00000000000e+17%"),
        (90.0, 100.0, "money", "-10.0%"),
        (1.0, 0.0, "number", None),
        (1.0, -1.0, "number", None),
    ],
)
def test_changes(now: float, before: float, form: str, text: str | None) -> None:
    assert format_change(now, before, form) == text


def test_a_format_comes_from_the_unit_where_none_is_written() -> None:
    assert [form_of(None, "money"), form_of(None, "duration"), form_of(None, "plain"), form_of("percent", "money")] == [
        "money",
        "duration",
        "number",
        "percent",
    ]


def test_sparklines() -> None:
    assert sparkline([1, 2, None, 8]) == "▁▂ █"
    assert sparkline([1, 2, None, 8], unicode=False) == "_. #"
    assert sparkline([3, 3]) == "▄▄"
    assert sparkline([None]) == ""
    assert sparkline([-1.7e308, 1.7e308]) == "▁█"


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["percent", "number", "integer", "money", "duration"]),
)
def test_every_number_has_a_text(value: float, form: str) -> None:
    if form == "percent":
        value = value / 1e3
    text = format_number(value, form)
    assert text.strip()
    assert "nan" not in text
    assert "inf" not in text


@given(st.integers(-(10**14), 10**14))
def test_no_digit_of_a_whole_number_is_lost(value: int) -> None:
    assert int(format_number(float(value)).replace(",", "")) == value


@pytest.mark.parametrize(
    ("value", "text"), [("0", "0"), ("0.0", "0"), ("-2.50", "-2.5"), ("1e20", "1" + "0" * 20), ("1.50e-9", "1.5e-9")]
)
def test_decimals_are_written_exactly_without_many_zeros(value: str, text: str) -> None:
    assert readable(Decimal(value)) == text
