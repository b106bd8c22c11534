"""What a column of texts is: decided over all rows, so that a later row never fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from smartkpi.sources import numbers
from smartkpi.sources.numbers import IDENTIFIER, PLAIN_DIGITS, Digits

EVIDENCE = 1000
EXACT = 9e9
"""Below it a float tells millionths apart."""
NUMERIC = ("whole", "fraction", "padded whole", "padded fraction")
LEADING_ZERO = r"^[+-]?0[0-9]"
ZONE = "%Y-%m-%d{}%H:%M:%S%.f{}%#z"


def _whole(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(LEADING_ZERO)).then(text.cast(pl.Int64, strict=False))


def _fraction(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(IDENTIFIER)).then(text.cast(pl.Float64, strict=False))


def _boolean(text: pl.Expr) -> pl.Expr:
    lower = text.str.to_lowercase()
    return pl.when(lower == "true").then(True).when(lower == "false").then(False)


def _time(pattern: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: _of_four_digits(text.str.to_datetime(pattern, time_unit="us", strict=False))


def _date(pattern: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: _of_four_digits(text.str.to_date(pattern, strict=False))


def _of_four_digits(moment: pl.Expr) -> pl.Expr:
    """Return times without those of a year below 1000: `206-01-05` has lost a digit, `05.01.26` is no `%Y`."""
    return pl.when(moment.dt.year() >= 1000).then(moment)


def _padded(inner: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: inner(text.str.strip_chars())


CONVERSIONS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "whole": _whole,
    "fraction": _fraction,
    "boolean": _boolean,
    "date": _date("%Y-%m-%d"),
    "time to the second with T": _time("%Y-%m-%dT%H:%M:%S"),
    "time to the second with space": _time("%Y-%m-%d %H:%M:%S"),
    "time to the microsecond with T": _time("%Y-%m-%dT%H:%M:%S.%6f"),
    "time to the microsecond with space": _time("%Y-%m-%d %H:%M:%S.%6f"),
    "time with T": _time("%Y-%m-%dT%H:%M:%S%.f"),
    "time with space": _time("%Y-%m-%d %H:%M:%S%.f"),
    "minute with T": _time("%Y-%m-%dT%H:%M"),
    "minute with space": _time("%Y-%m-%d %H:%M"),
    "zoned with T": _time(ZONE.format("T", "")),
    "zoned with space": _time(ZONE.format(" ", "")),
    "zoned with spaces": _time(ZONE.format(" ", " ")),
    "zoned UTC": _time("%Y-%m-%d %H:%M:%S%.f UTC"),
    "padded whole": _padded(_whole),
    "padded fraction": _padded(_fraction),
}
"""How texts become values, the first that fits all rows. A time of fixed width is read four times as fast."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How values are written, as far as a dataset says so."""

    dates: str | None = None
    digits: Digits = PLAIN_DIGITS


def convert(name: str, kind: str | None, writing: Writing) -> pl.Expr:
    """Return a column of texts as what it was found to be: a name of CONVERSIONS, `stated`, `money …`, or text."""
    column = pl.col(name)
    if kind is None or kind == "text":
        return column
    if kind == "stated":
        assert writing.dates is not None
        return _stated(writing.dates)(column).alias(name)
    if kind == "percent":
        return numbers.percent(column, writing.digits).alias(name)
    if kind == "exact":
        return numbers.exact(column.str.strip_chars(), writing.digits).alias(name)
    if kind.startswith("money "):
        return numbers.amount(column, kind.removeprefix("money "), writing.digits).alias(name)
    if writing.digits.stated and kind in NUMERIC:
        number = {"whole": numbers.whole, "fraction": numbers.fraction}[kind.removeprefix("padded ")]
        padded = column.str.strip_chars() if kind.startswith("padded") else column
        return number(padded, writing.digits).alias(name)
    converted = CONVERSIONS[kind](column)
    return (converted.dt.replace_time_zone("UTC") if kind == "zoned UTC" else converted).alias(name)


TIMES = tuple(kind for kind in CONVERSIONS if kind.startswith(("date", "time", "minute", "zoned")))
"""Conversions of texts that are meant as texts: only times have no other way to be written."""


def infer(
    frame: pl.LazyFrame,
    writing: Writing,
    among: Sequence[str] = (),
    counted: Callable[[int], None] | None = None,
) -> dict[str, str | None]:
    """Return the conversion that fits every value of each column; None where there is no value at all.

    A first look chooses a candidate; a pass over all rows confirms it, and what contradicts it joins the evidence
    for the next choice. With ``among`` only these conversions are thought of. ``counted`` is told how many rows the
    first pass over all of them saw, each value parsed.
    """
    names = frame.collect_schema().names()
    head = frame.head(EVIDENCE).collect()
    evidence = {name: head[name].drop_nulls() for name in names}
    for name in [name for name in names if not evidence[name].len()]:
        evidence[name] = frame.select(pl.col(name).drop_nulls().head(EVIDENCE)).collect()[name]
    settled: dict[str, str | None] = {name: None for name in names if not evidence[name].len()}
    while open_ := [name for name in names if name not in settled]:
        chosen = {name: _choose(evidence[name], writing, among) for name in open_}
        wrong = {name: _wrong(name, kind, writing) for name, kind in chosen.items() if kind != "text"}
        failed, rows = _failing(frame, wrong, [] if counted is None else names)
        if counted is not None:
            counted(rows)
            counted = None
        settled |= {name: kind for name, kind in chosen.items() if name not in failed}
        for name in failed:
            more = frame.filter(wrong[name]).select(name).head(EVIDENCE).collect()[name]
            evidence[name] = pl.concat([evidence[name], more])
    if counted is not None:
        counted(_failing(frame, {}, names)[1])
    return {name: settled[name] for name in names}


def _failing(frame: pl.LazyFrame, wrong: Mapping[str, pl.Expr], read: Sequence[str]) -> tuple[set[str], int]:
    """Return which columns have values that are wrong, and how many rows there are; ``read`` are parsed in any case.

    What is wrong is computed before it is added up: within an aggregate the engine would parse a time twice.
    """
    if not wrong and not read:
        return set(), 0
    each = frame.select(*(is_wrong.alias(f"wrong {name}") for name, is_wrong in wrong.items()), *read)
    found = each.select(
        pl.len().alias("rows"),
        *(pl.col(f"wrong {name}").any() for name in wrong),
        *(pl.col(name).count().alias(f"read {name}") for name in read),
    )
    row = found.collect().row(0, named=True)
    return {name for name in wrong if row[f"wrong {name}"]}, row["rows"]


def make_exact(frame: pl.LazyFrame, kinds: dict[str, str | None], names: Iterable[str], writing: Writing) -> None:
    """Make columns fixed point that are fractions with amounts too large for a float to tell millionths apart."""
    known = [name for name in names if (kinds.get(name) or "").removeprefix("padded ") == "fraction"]
    if not known:
        return
    large = frame.select((convert(name, kinds[name], writing).abs() >= EXACT).any() for name in known).collect()
    candidates = [name for name in known if large[name].item()]
    wrong = frame.select(_wrong(name, "exact", writing).any() for name in candidates).collect() if candidates else large
    kinds.update({name: "exact" for name in candidates if not wrong[name].item()})


def are_dates(frame: pl.LazyFrame, name: str) -> bool:
    """Return whether all texts of a column are dates such as 2026-01-31, and there are some."""
    return infer(frame.select(name), Writing(), ("date",))[name] == "date"


def _wrong(name: str, kind: str, writing: Writing) -> pl.Expr:
    return convert(name, kind, writing).is_null() & pl.col(name).is_not_null()


def _choose(values: pl.Series, writing: Writing, among: Sequence[str]) -> str:
    kinds = [*(["stated"] if writing.dates else []), *(among or (*CONVERSIONS, "percent"))]
    mark = None if among else numbers.mark_of(values.head(1))
    kinds += [f"money {mark}"] if mark else []
    frame = values.alias("value").to_frame()
    for kind in kinds:
        if not frame.select(_wrong("value", kind, writing).any()).item():
            return kind
    return "text"


def _stated(dates: str) -> Callable[[pl.Expr], pl.Expr]:
    if re.search(r"%[-_0]?[HIklMSTRXcsD+]", dates.replace("%D", "")):
        return _time(dates)
    return _date(dates)
