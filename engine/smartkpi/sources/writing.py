"""How the values of a text file are written: dates, decimal signs, texts for nothing. Decided over every row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from smartkpi.sources.infer import CONVERSIONS
from smartkpi.sources.numbers import Digits, fraction
from smartkpi.sources.sniff import Guess
from smartkpi.spec.model import Read

SAMPLE = 1000
MOSTLY = 0.8
ODD_MOST = 0.1
"""A column is of a kind with some odd values only where they are no more than this."""

DATES = (
    "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
    "%Y年%m月%d日",
)  # fmt: skip
CLOCKS = (" %H:%M", " %H:%M:%S", " %H:%M:%S%.f", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ISO, DAY = "ISO", "%Y-%m-%d"
NOTHING = (
    "-", "--", "—", "–", "N/A", "n/a", "NA", "#N/A", "#NV", "null", "NULL", "Null", "None", "none", "nan", "NaN",
    "NAN", "\\N", "(null)", "?", ".", "无", "空", "k.A.", "#DIV/0!", "#VALUE!",
)  # fmt: skip
"""What people write where there is no value."""

_NUMBERED = r"^\D{0,5}\d[\d.,:/ T'\-年月日%€$£]*"
_MARKS = r"^[^0-9.,+\-]*|[^0-9]*$"
_SHAPES = {
    "plain": r"^[+-]?\d+$",
    "comma group": r"^[+-]?[1-9]\d{0,2},\d{3}$",
    "comma groups": r"^[+-]?[1-9]\d{0,2}(?:,\d{3}){2,}$|^[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d+$",
    "comma decimal": r"^[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d{4,},\d+)$|^[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d+$",
    "point group": r"^[+-]?[1-9]\d{0,2}\.\d{3}$",
    "point groups": r"^[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}$|^[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d+$",
    "point decimal": r"^[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|0\.\d+|\d{4,}\.\d+)$|^[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d+$",
    "space group": r"^[+-]?[1-9]\d{0,2}(?:[ \x{a0}\x{202f}]\d{3})+(?:[.,]\d+)?$",
    "apostrophe group": r"^[+-]?[1-9]\d{0,2}(?:['’]\d{3})+(?:[.,]\d+)?$",
}
_CLOSED = {name: f"(?:{shape})" for name, shape in _SHAPES.items()}
_AT_START = r"^[+-]?\s*(?:[A-Z]{3}|[^\d\s.,+\-]{1,3})?\s*[+-]?[\d.,]"


@dataclass(frozen=True, slots=True)
class Odd:
    """A column that is nearly of one kind: its values that are not, how many, and the first of them by row."""

    kind: str
    count: int
    first: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """How values are written: the completed `read`, dates of columns in other ways, what does not fit, the evidence.

    ``dates`` has the format of each column of dates, ``odd`` the columns with some values that do not parse.
    """

    read: Read
    dates: Mapping[str, str] = field(default_factory=dict)
    odd: Mapping[str, Odd] = field(default_factory=dict)
    guesses: tuple[Guess, ...] = ()


def sniff_writing(read: Read, raw: pl.LazyFrame, separator: str) -> Written:
    """Return how the values of columns of texts are written: each decision holds for every row.

    What two ways of writing would both explain is decided for the likelier, and the guess names the other.
    """
    names = raw.collect_schema().names()
    head = raw.head(SAMPLE).collect()
    sample = {name: head[name].drop_nulls().str.strip_chars() for name in names}
    for name in [name for name in names if not sample[name].len()]:
        sample[name] = raw.select(pl.col(name).drop_nulls().head(SAMPLE).str.strip_chars()).collect()[name]
    sample = {name: values for name, values in sample.items() if values.len()}
    nulls = _find_nulls(raw, sample)
    meant = {name: values.filter(~values.is_in(list(nulls))) for name, values in sample.items()} if nulls else sample
    digits = _find_digits(raw, {name: values for name, values in meant.items() if values.len()}, separator)
    read = replace(read, nulls=nulls, decimal=digits.decimal, thousands=digits.thousands)
    dates, odd, guesses = _find_dates(raw, sample, nulls)
    stated = _stated(dates)
    if stated is not None:
        read = replace(read, dates=stated)
    odd |= _odd_numbers(raw, sample, nulls, read, {*dates, *odd})
    known = (Guess("nulls", f"{_listed(nulls)} stands where other rows have numbers or dates"),) if nulls else ()
    return Written(read, dates, odd, (*known, *digits.guesses, *guesses))


def sniff_dates(read: Read, texts: pl.LazyFrame) -> Written:
    """Return which columns of texts of a typed file are dates, and how they are written."""
    names = texts.collect_schema().names()
    found = texts.select(pl.col(name).drop_nulls().head(SAMPLE).str.strip_chars().implode() for name in names).collect()
    sample = {name: found[name].explode() for name in names}
    dates, odd, guesses = _find_dates(texts, {n: v for n, v in sample.items() if v.drop_nulls().len()}, ())
    return Written(read, dates, odd, guesses)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _find_nulls(raw: pl.LazyFrame, sample: Mapping[str, pl.Series]) -> tuple[str, ...]:
    """Return texts for nothing in columns of numbers or dates; where they are values of a text column, none."""
    there = {name: values.filter(~values.is_in(list(NOTHING))) for name, values in sample.items()}
    likely = [name for name, values in there.items() if values.len() and _share(values, _NUMBERED) >= MOSTLY]
    if not likely:
        return ()
    asked = {name: pl.col(name).str.strip_chars().is_in(list(NOTHING)) for name in likely}
    found = raw.select(
        pl.col(name).filter(is_).drop_nulls().unique().implode() for name, is_ in asked.items()
    ).collect()
    texts = {text for name in likely for text in found[name].item()}
    return tuple(text for text in NOTHING if text in {one.strip() for one in texts}) if texts else ()


def _share(values: pl.Series, pattern: str) -> float:
    return float(values.str.contains(pattern).mean() or 0)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Digits:
    """The settings of `read` for numbers, and what they rest on."""

    decimal: str | None = None
    thousands: str | None = None
    guesses: tuple[Guess, ...] = ()


def _find_digits(raw: pl.LazyFrame, sample: Mapping[str, pl.Series], separator: str) -> _Digits:
    """Return the decimal sign and the sign between thousands, from the shapes of all numbers of the file."""
    any_shape = "|".join(_CLOSED.values())
    likely = [n for n, values in sample.items() if _share(_bare(values), any_shape) >= MOSTLY and _signed(values)]
    pointed = any(values.str.contains(r"^[+-]?\d+\.(?:\d{1,2}|\d{4,})$").any() for values in sample.values())
    if separator != ";" and likely:
        likely = _unread(raw, likely)
    if not likely:
        return _Digits()
    bare = {name: pl.col(name).str.strip_chars().str.replace_all(_MARKS, "") for name in likely}
    counted = raw.select(
        bare[name].str.contains(shape).sum().alias(f"{shape_name}\0{name}")
        for name in likely
        for shape_name, shape in _SHAPES.items()
    ).collect().row(0, named=True)  # fmt: skip
    counts = {name: {shape: counted[f"{shape}\0{name}"] or 0 for shape in _SHAPES} for name in likely}
    totals = {shape: sum(one[shape] for one in counts.values()) for shape in _SHAPES}
    totals["point decimal"] += pointed
    return _decide(totals, separator, lambda shape: _example(raw, likely, shape))


def _unread(raw: pl.LazyFrame, names: Sequence[str]) -> list[str]:
    """Return the columns that are no numbers as they stand: only they say that signs mean something else."""
    asked = (
        (pl.col(n).is_not_null() & pl.col(n).cast(pl.Float64, strict=False).is_null()).any().alias(n) for n in names
    )
    found = raw.select(asked).collect().row(0, named=True)
    return [name for name in names if found[name]]


def _signed(values: pl.Series) -> bool:
    return bool(values.str.contains(r"\d[.,'’ \x{a0}\x{202f}]\d").any())


def _bare(values: pl.Series) -> pl.Series:
    return values.str.replace_all(_MARKS, "")


def _decide(totals: Mapping[str, int], separator: str, example: Callable[[str], str]) -> _Digits:
    """Return the signs that explain all numbers; where they would allow two, the guess names the other."""
    comma_decimal, point_decimal = totals["comma decimal"] > 0, totals["point decimal"] > 0
    for shape, sign in (("space group", " "), ("apostrophe group", "'")):
        if totals[shape]:
            decimal = "," if comma_decimal and not point_decimal else None
            return _Digits(decimal, sign, (Guess("thousands", f"numbers such as `{example(shape)}`"),))
    if comma_decimal and not totals["comma groups"] and not point_decimal:
        grouped = totals["point groups"] or totals["point group"]
        return _Digits(
            ",", "." if grouped else None, (Guess("decimal", f"numbers such as `{example('comma decimal')}`"),)
        )
    if totals["comma groups"] and not comma_decimal:
        return _Digits(None, ",", (Guess("thousands", f"numbers such as `{example('comma groups')}`"),))
    if totals["comma group"] and not comma_decimal:
        because = f"numbers such as `{example('comma group')}`"
        if point_decimal:
            return _Digits(None, ",", (Guess("thousands", because),))
        because += ": always three digits behind the comma"
        return _Digits(None, ",", (Guess("thousands", because, 'decimal: "," (then they are fractions)'),))
    if totals["point groups"] and not point_decimal:
        return _Digits(",", ".", (Guess("thousands", f"numbers such as `{example('point groups')}`"),))
    if totals["point group"] and not point_decimal and separator == ";":
        because = (
            f"numbers such as `{example('point group')}`: always three digits behind the point, between semicolons"
        )
        return _Digits(",", ".", (Guess("thousands", because, 'decimal: "." alone (then they are fractions)'),))
    if point_decimal and separator == ";":
        return _Digits(".", None, (Guess("decimal", f"numbers such as `{example('point decimal')}`"),))
    return _Digits()


def _example(raw: pl.LazyFrame, names: Sequence[str], shape: str) -> str:
    for name in names:
        found = raw.filter(pl.col(name).str.strip_chars().str.replace_all(_MARKS, "").str.contains(_SHAPES[shape]))
        first = found.select(pl.col(name).str.strip_chars()).head(1).collect()[name]
        if first.len():
            return str(first.item())
    return ""


def _find_dates(
    raw: pl.LazyFrame, sample: Mapping[str, pl.Series], nulls: Sequence[str]
) -> tuple[dict[str, str], dict[str, Odd], tuple[Guess, ...]]:
    """Return the format of each column of dates that are not written as ISO says, and what remains to be said."""
    likely = {name: [f for f in _formats(values) if _parses(values, f) >= MOSTLY] for name, values in sample.items()}
    likely = {name: formats for name, formats in likely.items() if formats}
    dates: dict[str, str] = {}
    odd: dict[str, Odd] = {}
    guesses: list[Guess] = []
    for name, formats in likely.items():
        wrong = _wrong(raw, name, {f: read_date(pl.col(name).str.strip_chars(), f) for f in formats}, nulls)
        fits = [f for f in formats if not wrong[f]]
        if fits:
            format_, others = _best_date(raw, name, fits)
            dates[name] = format_
            if format_ not in (ISO, DAY):
                guesses.append(_date_guess(raw, name, format_, others))
            continue
        best = min(formats, key=lambda f: wrong[f])
        parsed = read_date(pl.col(name).str.strip_chars(), best)
        found = _odd(raw, name, "date" if best == ISO else f"date ({best})", parsed, wrong[best], nulls)
        if found is not None:
            odd[name], dates[name] = found, best
    return dates, odd, tuple(guesses)


def _formats(values: pl.Series) -> list[str]:
    """Return the formats that the first values may be in, by their shape alone."""
    text = str(values[0])
    if not re.search(r"\d", text) or len(text) > 40:
        return []
    clocks = ("", *CLOCKS) if re.search(r"\d:\d\d", text) else ("",)
    return [ISO, *(f"{date}{clock}" for date in DATES for clock in (clocks if clocks != ("",) else ("",)))]


def read_date(text: pl.Expr, format_: str) -> pl.Expr:
    """Return texts as days or times, as a format or ISO says; null for others."""
    if format_ == ISO:
        kinds = [kind for kind in CONVERSIONS if kind.startswith(("date", "time with", "minute"))]
        return pl.coalesce(CONVERSIONS[kind](text).cast(pl.Datetime("us")) for kind in kinds)
    if "%H" in format_ or "%I" in format_:
        return text.str.to_datetime(format_, time_unit="us", strict=False)
    guarded = text if format_ != "%Y%m%d" else pl.when(text.str.contains(r"^(?:19|20)\d{6}$")).then(text)
    read = guarded.str.to_date(format_, strict=False)
    return pl.when(read.dt.year().is_between(1900, 2100)).then(read)


def _parses(values: pl.Series, format_: str) -> float:
    frame = values.alias("v").to_frame()
    return float(frame.select(read_date(pl.col("v"), format_).is_not_null().mean()).item() or 0)


def _wrong(raw: pl.LazyFrame, name: str, conversions: Mapping[str, pl.Expr], nulls: Sequence[str]) -> dict[str, int]:
    there = _there(name, nulls)
    asked = ((there & converted.is_null()).sum().alias(key) for key, converted in conversions.items())
    return {key: int(count or 0) for key, count in raw.select(asked).collect().row(0, named=True).items()}


def _there(name: str, nulls: Sequence[str]) -> pl.Expr:
    column = pl.col(name)
    return column.is_not_null() & ~column.str.strip_chars().is_in([*nulls, ""])


def _best_date(raw: pl.LazyFrame, name: str, fits: Sequence[str]) -> tuple[str, list[str]]:
    """Return the likeliest of several formats that all fit every value, and the others.

    Rows of a log or of a daily table are of days that lie close together: the reading with the shorter span wins.
    Where two are equally long, the day stands first.
    """
    for plain in (DAY, ISO):
        if plain in fits:
            return plain, []
    if len(fits) == 1:
        return fits[0], []
    text = pl.col(name).str.strip_chars()
    days = {f: read_date(text, f).cast(pl.Date) for f in fits}
    spans = raw.select((day.max() - day.min()).dt.total_days().alias(f) for f, day in days.items()).collect()
    length = spans.row(0, named=True)
    best = min(fits, key=lambda f: (length[f] if length[f] is not None else 0, fits.index(f)))
    return best, [f for f in fits if f != best]


def _date_guess(raw: pl.LazyFrame, name: str, format_: str, others: Sequence[str]) -> Guess:
    text = pl.col(name).str.strip_chars()
    day = read_date(text, format_)
    telling = pl.lit(True) if "%d" not in format_ or "%b" in format_ or "%B" in format_ else day.dt.day() > 12
    shown = raw.filter(day.is_not_null()).select(text, telling.alias("telling")).filter("telling").head(1).collect()
    value = shown[name].item() if shown.height else None
    if value is None:
        value = raw.select(text.drop_nulls().first()).collect().item()
    because = f"`{name}` has values such as `{value}`"
    if others:
        return Guess("dates", f"{because}, which every row would allow in several ways", " or ".join(others))
    return Guess("dates", because)


def _stated(dates: Mapping[str, str]) -> str | None:
    """Return the format to state for the whole file: that of most columns."""
    counts: dict[str, int] = {}
    for format_ in (one for one in dates.values() if one not in (ISO, DAY)):
        counts[format_] = counts.get(format_, 0) + 1
    return max(counts, key=lambda format_: counts[format_]) if counts else None


def _odd_numbers(
    raw: pl.LazyFrame, sample: Mapping[str, pl.Series], nulls: Sequence[str], read: Read, known: set[str]
) -> dict[str, Odd]:
    """Return columns that are nearly numbers; those of dates are `known`."""
    digits = Digits(read.decimal or ".", read.thousands, read.decimal is not None or read.thousands is not None)
    found = {}
    for name, values in sample.items():
        if name in known or _share(values, _AT_START) < MOSTLY or bool(values.str.contains(r"^0\d").any()):
            continue
        if not digits.stated and not _unread(raw, [name]):
            continue
        parsed = fraction(pl.col(name).str.strip_chars(), digits)
        wrong = _wrong(raw, name, {"number": parsed}, nulls)["number"]
        one = _odd(raw, name, "number", parsed, wrong, nulls) if wrong else None
        if one is not None:
            found[name] = one
    return found


def _odd(raw: pl.LazyFrame, name: str, kind: str, parsed: pl.Expr, wrong: int, nulls: Sequence[str]) -> Odd | None:
    """Return the values that do not parse, where they are few."""
    rows = raw.select(pl.col(name).count()).collect().item()
    if not wrong or wrong > ODD_MOST * rows:
        return None
    bad = raw.with_row_index("__row").filter(_there(name, nulls) & parsed.is_null())
    first = bad.select("__row", name).head(5).collect()
    return Odd(kind, wrong, tuple((row, text) for row, text in first.iter_rows()))
