"""Numbers as people read them. Formats: percent, number, integer, money, duration; never a digit cut off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

BARS = "▁▂▃▄▅▆▇█"
BARS_ASCII = "_.:-=+*#"
DEFAULTS = {"money": "money", "duration": "duration"}
WITHOUT_CENTS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
OF_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""Currencies that have no minor unit, and those whose minor unit is a thousandth (ISO 4217)."""
LEAST, MOST = 1e-6, 1e15
"""Below and from which sizes on numbers are written with a power of ten."""
SECONDS = (("d", 86_400), ("h", 3_600), ("min", 60))


def form_of(written: str | None, unit: str | None) -> str:
    """Return the format of a KPI: the one that it names, else the one of its unit."""
    return written or DEFAULTS.get(unit or "", "number")


def format_number(value: float, form: str = "number", money: Decimal | None = None, currency: str | None = None) -> str:
    """Return a value as text: `63.15%`, `1,234.50 EUR`, `2d 3h`, `1,234`."""
    match form:
        case "percent":
            return f"{_decimals(value * 100)}%"
        case "integer":
            return f"{round(value):,}" if abs(value) < 1e15 else _big(value)
        case "money":
            text = _money(money, currency) if money is not None else _money_of_float(value, currency)
            return f"{text} {currency}" if currency else text
        case "duration":
            return _duration(value)
        case _:
            return _number(value)


def format_change(value: float, before: float, form: str, points: str = "pp") -> str | None:
    """Return the change from one value to another: in percentage points for percentages, else relative.

    Points have as many decimals as the greater of the values is shown with, other changes one. None where a relative
    change has no meaning: from zero or less.
    """
    if form == "percent":
        return f"{_sign(_points(value, before))} {points}"
    if before <= 0:
        return None
    change = (value / before - 1) * 100
    if not math.isfinite(change):
        return None
    return f"{_sign(_big(change) if abs(change) >= MOST else f'{change:,.1f}')}%"


def _points(value: float, before: float) -> str:
    size, change = max(abs(value), abs(before)) * 100, (value - before) * 100
    small, large = 0 < size < LEAST, size >= MOST
    return _decimals(change) if small or large else f"{change:,.{_places(size, 2)}f}"


def sparkline(values: Sequence[float | None], *, unicode: bool = True) -> str:
    """Return values as a line of bars from their least to their greatest; a gap where there is none."""
    bars = BARS if unicode else BARS_ASCII
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = high / 2 - low / 2  # halves: the span of the largest floats is finite
    if not span:
        return "".join(" " if value is None else bars[3] for value in values)
    steps = [None if value is None else (value / 2 - low / 2) / span for value in values]
    return "".join(" " if step is None else bars[min(7, int(step * 8))] for step in steps)


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return _decimals(value)


def _decimals(value: float, digits: int = 2) -> str:
    """Return at least so many decimals, and three significant digits where the number is small."""
    size = abs(value)
    if size >= MOST:
        return _big(value)
    if 0 < size < LEAST:
        return f"{value:.2e}"
    return f"{value + 0:,.{_places(size, digits)}f}"


def _places(size: float, digits: int) -> int:
    """Return how many decimals a number of some size has: as many as given, more where they would show little."""
    if size == 0 or size >= 1:
        return digits
    size = float(f"{size:.2e}")  # 0.00999… counts as 0.01
    return max(digits, 2 - math.floor(math.log10(size)))


def _big(value: float) -> str:
    return f"{value:.11e}"


def _sign(text: str) -> str:
    if text.strip("-0.") == "":
        return text.removeprefix("-")
    return text if text.startswith("-") else f"+{text}"


def _money(money: Decimal, currency: str | None) -> str:
    digits = 0 if currency in WITHOUT_CENTS else 3 if currency in OF_THOUSANDTHS else 2
    cents = money.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN) if abs(money) < Decimal(10) ** 24 else money
    if money and not cents:
        return f"{money.normalize():f}"
    return f"{cents + 0:,f}"


def _money_of_float(value: float, currency: str | None) -> str:
    return _big(value) if abs(value) >= 1e15 else _money(Decimal(repr(value)), currency)


def _duration(seconds: float) -> str:
    """Return seconds in their two greatest units: `2d 3h`, `1h 5min`, `4min 10s`, `12.3s`."""
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds)
    if rest < 60:
        return f"{sign}{rest:.3g}s"
    if rest >= 1e15:
        return f"{_big(seconds)}s"
    for (unit, size), (below, small) in zip(SECONDS, (*SECONDS[1:], ("s", 1)), strict=True):
        if rest >= size or unit == "min":
            count = round(rest / small)
            great, less = divmod(count, size // small)
            return f"{sign}{great:,}{unit} {less}{below}" if less else f"{sign}{great:,}{unit}"
    return f"{sign}{rest:g}s"
