"""Which rows follow which: as-of joins on one key of entity, time and order among equal rows.

Frames of operands have CODE (the entity), AT (microseconds of UTC, or days), RANK (the order of equal rows of one
event). What comes out are places in those frames. The earliest rows that fit are found one step after the other: each
later step only moves forward, so that the earliest chain is found whenever there is any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from smartkpi.engines.polars.times import localise
from smartkpi.periods.windows import Length

CODE, AT, RANK = "@code", "@at", "@rank"
KEY, LAST = "@key", "@last"
TIMES, RANKS = 60, 32
"""How many bits of a key are its time, and its place among equal rows; the rest tell entities apart."""

HALF, MOST = 1 << (TIMES - 1), (1 << RANKS) - 1
ENTITIES = 1 << (126 - TIMES - RANKS)
"""So many entities can be told apart."""

EXACT = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
CALENDAR = {"d": "d", "w": "w", "mo": "mo", "q": "q", "y": "y"}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far rows may lie apart: ``within`` a time, local to a zone where it is one of the calendar."""

    within: Length | None
    dates: bool
    zone: str

    def end(self, at: pl.Expr) -> pl.Expr:
        """Return the last moment so long after another, both as in AT."""
        assert self.within is not None
        if self.within.unit in EXACT:
            return at + self.within.count * EXACT[self.within.unit]
        step = f"{self.within.count}{CALENDAR[self.within.unit]}"
        if self.dates:
            return at.cast(pl.Int32).cast(pl.Date).dt.offset_by(step).cast(pl.Int32).cast(pl.Int64)
        local = at.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self.zone).dt.replace_time_zone(None)
        return localise(local.dt.offset_by(step), self.zone).dt.convert_time_zone("UTC").dt.timestamp("us")


def key_of(at: pl.Expr, rank: pl.Expr) -> pl.Expr:
    """Return the key of an entity's row."""
    wide = pl.col(CODE).cast(pl.Int128) * (1 << (TIMES + RANKS))
    return wide + (at + HALF).cast(pl.Int128) * (1 << RANKS) + rank.cast(pl.Int128)


@dataclass(frozen=True, slots=True)
class Steps:
    """Operands in the order of their keys, the base first. ``roots``: which of them have rows of one event."""

    frames: tuple[pl.DataFrame, ...]
    roots: tuple[str, ...]
    reach: Reach

    def walk(self, start: int, rows: pl.DataFrame, over: Sequence[int], *, forward: bool) -> pl.DataFrame:
        """Return rows, with places in one operand (column ``str(start)``), that reach each of others in order.

        The place in each is a column: the earliest from there on, or going back the latest.
        """
        found, before = rows, start
        seen = [start]
        for place in over:
            same = [one for one in seen if self.roots[one] == self.roots[place]]
            found = self._step(found, before, place, same[-1] if same else None, forward=forward)
            seen.append(place)
            before = place
        return found

    def _step(self, rows: pl.DataFrame, before: int, place: int, same: int | None, *, forward: bool) -> pl.DataFrame:
        left = rows.with_columns(self._gather(rows, before, CODE), self._gather(rows, before, AT))
        rank = pl.lit(0 if forward else MOST, pl.Int64)
        if same is not None:
            left = left.with_columns(self._gather(rows, same, AT).alias("@own"), self._gather(rows, same, RANK))
            beside = pl.col(RANK) + (1 if forward else -1)
            rank = pl.when(pl.col("@own") == pl.col(AT)).then(beside).otherwise(rank)
        left = left.with_columns(key_of(pl.col(AT), rank).alias(KEY)).sort(KEY)
        right = self.frames[place].select(KEY, pl.col(CODE).alias("@theirs")).with_row_index(str(place))
        joined = left.join_asof(right, on=KEY, strategy="forward" if forward else "backward")
        return joined.filter(pl.col(CODE) == pl.col("@theirs")).select(*rows.columns, str(place))

    def _gather(self, rows: pl.DataFrame, place: int, column: str) -> pl.Series:
        return self.frames[place][column].gather(rows[str(place)])

    def within(self, rows: pl.DataFrame, early: int, late: int, *, retreat: bool = False) -> pl.DataFrame:
        """Return those rows whose later row is not too late for the earlier one.

        With ``retreat`` the earlier one may as well be another before it: clocks that change, and months that are
        short, let the window of an earlier row end later.
        """
        if self.reach.within is None:
            return rows
        ends = self.frames[early].select(self.reach.end(pl.col(AT)).alias("@end")).to_series()
        until = self._gather(rows, late, AT)
        fits = ends.gather(rows[str(early)]) >= until
        kept = [rows.filter(fits)]
        if retreat and not fits.all():
            latest = self.frames[early].select(self.reach.end(pl.col(AT)).cum_max().over(CODE)).to_series()
            left = rows.filter(~fits)
            while left.height:
                left = left.with_columns((pl.col(str(early)).cast(pl.Int64) - 1).alias(str(early)))
                left = left.filter(pl.col(str(early)) >= 0)
                codes = self._gather(left, early, CODE) == self._gather(left, late, CODE)
                left = left.filter(codes & (latest.gather(left[str(early)]) >= self._gather(left, late, AT)))
                fits = ends.gather(left[str(early)]) >= self._gather(left, late, AT)
                kept.append(left.filter(fits).with_columns(pl.col(str(early)).cast(rows.schema[str(early)])))
                left = left.filter(~fits)
        return pl.concat(kept)

    def places(self, operand: int) -> pl.DataFrame:
        """Return all places of an operand."""
        height = self.frames[operand].height
        return pl.DataFrame({str(operand): pl.int_range(height, dtype=pl.get_index_type(), eager=True)})


def ordered(frames: Sequence[pl.DataFrame], roots: Sequence[str], reach: Reach) -> Steps:
    """Return operands in the order of their keys."""
    keyed: dict[int, pl.DataFrame] = {}
    for frame in frames:  # both of one event may be the same
        if id(frame) not in keyed:
            keyed[id(frame)] = frame.with_columns(key_of(pl.col(AT), pl.col(RANK)).alias(KEY)).sort(KEY)
    return Steps(tuple(keyed[id(frame)] for frame in frames), tuple(roots), reach)


def match(steps: Steps, kind: str, credit: str) -> pl.DataFrame:
    """Return the rows that have what they need: their place in each operand, by its number, the base's 0."""
    last = len(steps.frames) - 1
    forward = kind == "then"
    over = range(1, last + 1)
    if credit == "all":
        found = steps.walk(0, steps.places(0), over, forward=forward)
        return steps.within(found, 0, last) if forward else steps.within(found, last, 0, retreat=True)
    credited = _credited(steps, last, forward=forward, latest=credit == "last")
    best = pl.col(str(last)).min() if forward else pl.col(str(last)).max()
    credited = credited.group_by("0").agg(best.alias(str(last)))
    if last == 1:
        return credited
    return steps.walk(0, credited, range(1, last), forward=forward).select(*map(str, range(last + 1)))


def _credited(steps: Steps, last: int, *, forward: bool, latest: bool) -> pl.DataFrame:
    """Return for each row of the last operand that has a chain the base that it credits."""
    back = [*range(last - 1, -1, -1)]
    if forward and latest:
        found = steps.walk(last, steps.places(last), back, forward=False)
        return steps.within(found, 0, last, retreat=True).select("0", str(last))
    if not forward and not latest:
        found = steps.walk(last, steps.places(last), back, forward=True)
        return steps.within(found, last, 0).select("0", str(last))
    return _first_open(steps, last) if forward else _last_open(steps, last)


def _first_open(steps: Steps, last: int) -> pl.DataFrame:
    """Return for each last row the earliest base whose window holds it, if a chain leads from there to it."""
    base, followers = steps.frames[0], steps.frames[last]
    end = pl.lit(HALF - 1, pl.Int64) if steps.reach.within is None else steps.reach.end(pl.col(AT)).cum_max().over(CODE)
    windows = base.select(CODE, end.alias(AT)).with_row_index("0")
    windows = windows.select("0", CODE, key_of(pl.col(AT), pl.lit(0)).alias(KEY)).unique(KEY, keep="first").sort(KEY)
    asked = followers.select(CODE, key_of(pl.col(AT), pl.lit(0)).alias(KEY)).with_row_index(str(last))
    found = asked.join_asof(windows.rename({CODE: "@theirs"}), on=KEY, strategy="forward")
    found = found.filter(pl.col(CODE) == pl.col("@theirs")).select("0", str(last))
    return _reaching(steps, found, last, forward=True)


def _last_open(steps: Steps, last: int) -> pl.DataFrame:
    """Return for each last row, which lies before, the latest base within its window, if a chain leads back to it."""
    earlier = steps.frames[last]
    end = pl.lit(HALF - 1, pl.Int64) if steps.reach.within is None else steps.reach.end(pl.col(AT))
    asked = earlier.select(CODE, end.alias(AT)).with_row_index(str(last))
    asked = asked.select(str(last), CODE, key_of(pl.col(AT), pl.lit(MOST)).alias(KEY)).sort(KEY)
    base = steps.frames[0].select(KEY, pl.col(CODE).alias("@theirs")).with_row_index("0")
    found = asked.join_asof(base, on=KEY, strategy="backward")
    found = found.filter(pl.col(CODE) == pl.col("@theirs")).select("0", str(last))
    return _reaching(steps, found, last, forward=False)


def _reaching(steps: Steps, found: pl.DataFrame, last: int, *, forward: bool) -> pl.DataFrame:
    """Return pairs of a base and a last row between which a chain lies."""
    bases = found.select("0").unique()
    reached = steps.walk(0, bases, range(1, last + 1), forward=forward).select("0", pl.col(str(last)).alias(LAST))
    pairs = found.join(reached, on="0", how="inner")
    fits = pl.col(LAST) <= pl.col(str(last)) if forward else pl.col(LAST) >= pl.col(str(last))
    return pairs.filter(fits).select("0", str(last))
