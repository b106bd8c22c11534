"""What each column of a table is for: when, which event, who, how many, how much. Guesses, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from smartkpi.app.drafting import words
from smartkpi.app.drafting.names import stem, tokens
from smartkpi.language.types import MONEY, Kind
from smartkpi.sources.look import ColumnFacts, TableFacts
from smartkpi.sources.look_times import How, TimeFacts

FEW_EVENTS = 60
DAILY_ROWS = 500
"""A table of days has at most so many rows a day."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A column of amounts: whether it is money, in which currency, and whether it may be added up."""

    column: ColumnFacts
    money: bool
    currency: str | None
    adds: bool


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a table are for, the likeliest first in each tuple."""

    time: TimeFacts | None
    daily: bool
    event: ColumnFacts | None
    status: ColumnFacts | None
    counts: tuple[ColumnFacts, ...]
    entities: tuple[ColumnFacts, ...]
    amounts: tuple[Amount, ...]
    flags: tuple[ColumnFacts, ...]
    dimensions: tuple[ColumnFacts, ...]
    key: ColumnFacts | None
    currency: ColumnFacts | None = None


def find_roles(facts: TableFacts) -> Roles:
    """Return what the columns of a table are for."""
    time = facts.times[0] if facts.times and facts.times[0].nulls < facts.rows else None
    key = _key(facts)
    timing = {name for one in facts.times for name in one.columns}
    rest = [one for one in facts.columns if one.name not in timing and one is not key and one.distinct]
    daily = time is not None and not time.clock and facts.rows <= DAILY_ROWS * max(time.days, 1)
    event = None if daily and _counts(rest, facts) else _event(rest, facts)
    counts = _counts(rest, facts) if event is None and _is_counted(rest, facts, daily) else ()
    currency = next((one for one in rest if _says_currency(one)), None)
    used = {one.name for one in (*counts, *((event,) if event else ()))}
    rest = [one for one in rest if one.name not in used]
    return Roles(
        time,
        daily and bool(counts),
        event,
        next((one for one in rest if one.kind is Kind.TEXT and _has(one, words.STATUS) and one.distinct <= 20), None),
        counts,
        _entities(rest, facts),
        _amounts(rest, currency),
        tuple(one for one in rest if one.kind is Kind.BOOLEAN),
        tuple(one for one in rest if _is_dimension(one, facts)),
        key,
        currency if currency is not None and currency.distinct > 1 else None,
    )


def _amounts(rest: Sequence[ColumnFacts], currency: ColumnFacts | None) -> tuple[Amount, ...]:
    """Return the amounts, money first; where all rows are of one currency, in that."""
    found = sorted((amount for one in rest if (amount := _amount(one)) is not None), key=lambda one: not one.money)
    if currency is None or currency.distinct > 1:
        return tuple(found)
    code = str(currency.values[0][0])
    return tuple(replace(one, currency=one.currency or code) if one.money else one for one in found)


def _says_currency(one: ColumnFacts) -> bool:
    """Say whether every value is the code of a currency."""
    codes = one.kind is Kind.TEXT and 0 < one.distinct == len(one.values)
    return codes and all(str(value).isupper() and str(value).casefold() in words.CURRENCIES for value, _ in one.values)


def _has(one: ColumnFacts, known: frozenset[str]) -> bool:
    return any(word in known for word in tokens(one.name))


def _key(facts: TableFacts) -> ColumnFacts | None:
    """Return the column that tells rows apart and is named or placed like a key."""
    single = [facts.column(key[0]) for key in facts.keys if len(key) == 1]
    able = [one for one in single if one.kind in (Kind.TEXT, Kind.NUMBER)]
    named = [one for one in able if {"id", "key", "no", "nr", "number", "uuid", "code"} & set(tokens(one.name))]
    first = [one for one in able if one is facts.columns[0] and one.kind is Kind.TEXT]
    return next(iter((*named, *first)), None)


def _event(rest: Sequence[ColumnFacts], facts: TableFacts) -> ColumnFacts | None:
    """Return the column that names events: by its own name, or since its values are steps of a funnel."""
    able = [one for one in rest if one.kind is Kind.TEXT and 1 < one.distinct <= FEW_EVENTS and one.values]
    named = [one for one in able if _has(one, words.EVENT_COLUMNS)]
    kinds = [one for one in able if "_".join(tokens(one.name)) in words.KIND_COLUMNS and facts.rows > 5 * one.distinct]
    steps = [one for one in able if _steps(one) >= 2]
    return next(iter((*named, *kinds, *steps)), None)


def _steps(one: ColumnFacts) -> int:
    said = {word for value, _ in one.values for word in (*tokens(str(value)), "".join(tokens(str(value))))}
    return sum(bool(said & step) for _, step in words.STEPS)


def _counts(rest: Sequence[ColumnFacts], facts: TableFacts) -> tuple[ColumnFacts, ...]:
    """Return the columns that say how many: whole numbers, none negative, named after what is counted."""
    return tuple(
        one
        for one in rest
        if one.kind is Kind.NUMBER and one.whole and not one.negatives and (one.high or 0) > 1
        and (_has(one, words.COUNTS) or one.name.endswith(words.COUNT_ENDINGS))
        and not _has(one, (words.MONEY - words.HOW) | words.CODES | words.MEAN_ONLY) and one.type is not None
    )  # fmt: skip


def _is_counted(rest: Sequence[ColumnFacts], facts: TableFacts, daily: bool) -> bool:
    """Say whether a row stands for many events: a row a day, or several columns of counts."""
    counts = _counts(rest, facts)
    if daily:
        return bool(counts)
    return len(counts) >= 2 and (not facts.times or max(one.high for one in counts) >= 100)


def _entities(rest: Sequence[ColumnFacts], facts: TableFacts) -> tuple[ColumnFacts, ...]:
    """Return the columns that say who, those that stand for people first; a column of one value says nothing."""
    found = []
    for one in rest:
        if one.kind is not Kind.TEXT and not (one.kind is Kind.NUMBER and one.whole):
            continue
        said = tokens(one.name)
        rank = words.PEOPLE.index(about(one)) if about(one) is not None else None
        ids = "id" in said or any(word.endswith("id") and len(word) > 4 for word in said) or said[-1:] == (about(one),)
        repeats = one.distinct < facts.rows - one.nulls
        plain = one.kind is Kind.TEXT and one.distinct >= min(20, facts.rows / 20)
        other = set(said) & (words.MONEY | words.STATUS)
        if rank is not None and one.distinct > 1 and repeats and not other and (ids or plain):
            found.append((not ids, rank, "unique" not in said, one))
    return tuple(one for *_, one in sorted(found, key=lambda item: item[:3]))


def about(one: ColumnFacts) -> str | None:
    """Return who a column is about, where its name says it."""
    said = tokens(one.name)
    return next((who for who in words.PEOPLE if any(word.startswith(who) for word in said)), None)


def _amount(one: ColumnFacts) -> Amount | None:
    if one.kind is not Kind.NUMBER or one.type is None or one.dtype.startswith("Duration"):
        return None
    said = set(tokens(one.name))
    marked = one.type.unit.name == MONEY.name
    named = bool(said & words.MONEY) or ("total" in said and not one.whole)
    money = marked or (named and not said & words.NO_MONEY)
    if one.whole and not marked and not one.negatives and one.distinct <= 12 and (one.high or 0) <= 12:
        return None if not said & words.SCORES else Amount(one, False, None, False)
    if (
        said & words.CODES
        or _says_id(one)
        or (one.whole and not money and not said & words.SCORES and not _is_quantity(one))
    ):
        return None
    code = next((word.upper() for word in tokens(one.name) if word in words.CURRENCIES), one.type.unit.currency)
    share = bool(said & (words.MEAN_ONLY | words.SCORES)) or any(w.endswith(("rate", "rates", "ratio")) for w in said)
    money = money and not said & {"rate", "rates", "ratio", "share", "percent", "pct"}
    return Amount(one, money, code if money else None, not share and (money or _is_quantity(one)))


def _says_id(one: ColumnFacts) -> bool:
    return any(word.endswith("id") for word in tokens(one.name))


def _is_quantity(one: ColumnFacts) -> bool:
    return bool(set(tokens(one.name)) & {"quantity", "qty", "units", "items", "pieces", "menge", "数量"})


def _is_dimension(one: ColumnFacts, facts: TableFacts) -> bool:
    """Say whether a column has few values to segment by."""
    kinds = (Kind.TEXT, Kind.BOOLEAN)
    codes = one.kind is Kind.NUMBER and one.whole and 1 < one.distinct <= 12
    named = _says_id(one) and one.distinct > 50
    few = 1 < one.distinct <= max(12, min(1000, facts.rows // 5)) and not named
    return (one.kind in kinds or codes) and few


def is_daily_unique(one: ColumnFacts) -> bool:
    """Say whether counts are of people on a day, which must not be added over days."""
    return bool(set(tokens(one.name)) & words.UNIQUES) and not set(tokens(one.name)) & {"new", "first"}


def steps_of(text: str) -> int | None:
    """Return which step of a funnel a name is, the first being 0; None where it is none."""
    said = {*map(stem, tokens(text)), "".join(tokens(text))}
    return next((i for i, (_, step) in reversed(list(enumerate(words.STEPS))) if said & step), None)


def reads_as_column(time: TimeFacts, dates: str | None) -> bool:
    """Say whether a time is a column as the reader gives it."""
    if time.midnight:
        return False
    return time.how is How.TIME or (time.how is How.TEXT and dates is not None and time.format == dates)
