"""Numbers as texts write them: digits in groups, a decimal comma, percent, money with its sign."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from smartkpi.language.types import MONEY, NUMBER, Kind, Type, Unit
from smartkpi.spec.model import Read

IDENTIFIER = r"^[+-]?(?:0[0-9]|[0-9]{19,}$)"
SPACES = " \u00a0\u202f"
SIGNS = {
    "US$": "USD", "R$": "BRL", "A$": "AUD", "C$": "CAD", "HK$": "HKD", "NZ$": "NZD", "S$": "SGD", "NT$": "TWD",
    "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₺": "TRY", "₽": "RUB", "₫": "VND", "zł": "PLN",
    "$": None, "¥": None, "￥": None, "kr": None,
}  # fmt: skip
"""What stands before or behind an amount, and its currency where it is one and no other."""
_SIGN = "|".join(sorted(map(re.escape, SIGNS), key=len, reverse=True))
_MARKED = re.compile(
    rf"^\s*[+-]?\s*(?:(?P<before>{_SIGN}|[A-Z]{{3}})\s*[+-]?[\d.,']|.*\d\s*(?P<behind>{_SIGN}|[A-Z]{{3}})\s*$)"
)


@dataclass(frozen=True, slots=True)
class Digits:
    """How numbers are written: the decimal sign, the sign between thousands (None: none is), and if either is said."""

    decimal: str = "."
    thousands: str | None = None
    stated: bool = False

    def whole(self) -> str:
        """Return the pattern of the digits before the decimal sign."""
        if self.thousands is None:
            return r"\d+"
        sign = f"[{SPACES}]" if self.thousands in SPACES else re.escape(self.thousands)
        return rf"(?:[1-9]\d{{0,2}}(?:{sign}\d{{3}})+|\d+)"


PLAIN_DIGITS = Digits()


def digits_of(read: Read) -> Digits:
    """Return how a dataset says that its numbers are written."""
    return Digits(read.decimal or ".", read.thousands, read.decimal is not None or read.thousands is not None)


def whole(text: pl.Expr, digits: Digits) -> pl.Expr:
    """Return texts that are whole numbers as such, null for others; a leading zero makes an identifier."""
    fits = text.str.contains(rf"^[+-]?{digits.whole()}$") & ~text.str.contains(r"^[+-]?0[0-9]")
    return pl.when(fits).then(_bare(text, digits).cast(pl.Int64, strict=False))


def fraction(text: pl.Expr, digits: Digits) -> pl.Expr:
    """Return texts that are numbers as such, null for others."""
    sign = re.escape(digits.decimal)
    pattern = rf"^[+-]?(?:{digits.whole()}(?:{sign}\d*)?|{sign}\d+)(?:[eE][+-]?\d+)?$"
    bare = _bare(text, digits)
    return pl.when(text.str.contains(pattern) & ~bare.str.contains(IDENTIFIER)).then(
        bare.cast(pl.Float64, strict=False)
    )


def exact(text: pl.Expr, digits: Digits) -> pl.Expr:
    """Return texts that are numbers of up to 20 digits and six decimals as fixed point, null for others."""
    bare = _bare(text, digits)
    fits = fraction(text, digits).is_not_null() & bare.str.contains(r"^[+-]?\d{1,20}(?:\.\d{0,6})?$")
    return pl.when(fits).then(bare.str.strip_suffix(".").cast(pl.Decimal(38, 6), strict=False))


def percent(text: pl.Expr, digits: Digits) -> pl.Expr:
    """Return texts such as `1.23%` as shares, 0.0123; null for others."""
    inner = text.str.strip_chars().str.strip_suffix("%").str.strip_chars_end()
    return pl.when(text.str.contains(r"%\s*$")).then(fraction(inner, digits) / 100)


def amount(text: pl.Expr, mark: str, digits: Digits) -> pl.Expr:
    """Return amounts with a mark before or behind them as numbers; null for those without, or with another."""
    quoted = re.escape(mark)
    inner = text.str.strip_chars().str.replace(rf"^([+-]?)\s*{quoted}\s*([+-]?)", "${1}${2}")
    ended = text.str.strip_chars().str.replace(rf"\s*{quoted}$", "")
    return pl.coalesce(
        pl.when(text.str.contains(rf"^\s*[+-]?\s*{quoted}")).then(fraction(inner, digits)),
        pl.when(text.str.contains(rf"{quoted}\s*$")).then(fraction(ended, digits)),
    )


def mark_of(values: Iterable[str]) -> str | None:
    """Return the mark of money that the first of some texts has."""
    for value in values:
        found = _MARKED.match(value)
        return None if found is None else found["before"] or found["behind"]
    return None


def money_type(mark: str) -> Type:
    """Return the type of amounts with a mark."""
    code = SIGNS.get(mark, mark if len(mark) == 3 and mark.isalpha() else None)
    return Type(Kind.NUMBER, Unit(MONEY.name, code)) if mark else NUMBER


def _bare(text: pl.Expr, digits: Digits) -> pl.Expr:
    """Return digits without the signs between thousands, with a point before decimals."""
    if digits.thousands is not None:
        sign = f"[{SPACES}]" if digits.thousands in SPACES else re.escape(digits.thousands)
        text = text.str.replace_all(sign, "")
    return text if digits.decimal == "." else text.str.replace(digits.decimal, ".", literal=True)
