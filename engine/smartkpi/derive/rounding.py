"""Final values: exact money to its nearest float, all else to 12 significant digits, nothing infinite."""

from __future__ import annotations

import polars as pl

DIGITS = 12
EXACT_POWER = 22
"""Powers of ten up to this one are exact floats, so scaling by them rounds once."""

EXACT_MICROS = 2**53 / 10**6
"""Amounts below it have a float as exact as it gets by plain conversion."""

_POWERS = pl.Series([10.0**n for n in range(EXACT_POWER + 1)], dtype=pl.Float64)


def to_float(value: pl.Series, money: pl.Series) -> pl.Series:
    """Return values with those of exact money replaced by its nearest float."""
    if money.null_count() == len(money):
        return value
    plain = money.cast(pl.Float64)
    large = plain.abs() >= EXACT_MICROS
    if large.any():
        read = money.cast(pl.String).cast(pl.Float64)
        plain = plain.zip_with(~large.fill_null(value=False), read)
    return plain.zip_with(money.is_not_null(), value)


def round_significant(values: pl.Series) -> pl.Series:
    """Return values rounded to 12 significant digits, half to even; whole ones stay, what is not finite is null."""
    frame = pl.DataFrame({"x": values.cast(pl.Float64)})
    x = pl.col("x")
    frame = frame.select(pl.when(x == 0).then(0.0).when(x.is_finite()).then(x).alias("x"))  # zero has no sign
    broken = frame.select((x != x.floor()).fill_null(value=False).alias("b"))["b"]
    if not broken.any():
        return frame["x"].alias(values.name)
    parts = frame["x"].filter(broken)
    rounded = _round(parts)
    places = broken.arg_true()
    return frame["x"].scatter(places, rounded).alias(values.name)


def _round(x: pl.Series) -> pl.Series:
    """Return fractional values rounded by scaling, and the few that this cannot settle by their decimal text."""
    exponent = x.abs().log(10.0).floor().cast(pl.Int64)
    exponent = exponent + (x.abs() >= _power(exponent + 1)).cast(pl.Int64)  # the logarithm may be off by one
    exponent = exponent - (x.abs() < _power(exponent)).cast(pl.Int64)
    scale = DIGITS - 1 - exponent
    usable = (scale >= 0) & (scale <= EXACT_POWER)
    factor = _POWERS.gather(scale.clip(0, EXACT_POWER).cast(pl.UInt32))
    scaled = x * factor
    result = scaled.round() / factor
    tied = ((scaled - scaled.floor()) - 0.5).abs() < 1e-3
    unsure = (tied | ~usable).arg_true()
    if len(unsure):
        result = result.scatter(unsure, [float(f"{v:.{DIGITS}g}") for v in x.gather(unsure)])
    return result


def _power(exponent: pl.Series) -> pl.Series:
    inside = exponent.clip(-EXACT_POWER, EXACT_POWER)
    above = _POWERS.gather(inside.clip(0, EXACT_POWER).cast(pl.UInt32))
    below = _POWERS.gather((-inside).clip(0, EXACT_POWER).cast(pl.UInt32))
    return above / below
