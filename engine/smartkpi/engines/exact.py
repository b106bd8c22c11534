"""How answers hold what is added exactly: money in whole micro units, fractions in a high and a low part.

Every engine gives sums in this form; what comes after adds and subtracts them without a loss.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

MICROS = 1_000_000
MONEY = pl.Decimal(38, 6)
SCALE = 2.0**40
HUGE = 2.0**56


def money(micros: pl.Expr) -> pl.Expr:
    """Return whole micro units as fixed point with 6 decimals."""
    units, rest = micros // MICROS, micros % MICROS
    return units.cast(MONEY) + rest.cast(MONEY) / pl.lit(Decimal(MICROS), MONEY)
