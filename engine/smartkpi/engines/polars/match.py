"""Which rows follow which: as-of joins on one key of entity, time and order among equal rows.

Frames of operands have CODE (the entity), AT (microseconds of UTC, or days), RANK (the order of equal rows of one
event). What comes out are places in those frames. The earliest rows that fit are found one step after the other: each
later step only moves forward, so that the earliest chain is found whenever there is any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from smartkpi.engines.polars.compile import SMALL, collect
from smartkpi.engines.polars.times import localise
from smartkpi.periods.windows import Length
from smartkpi.plan.relations import REACHED

CODE, AT, RANK = "@code", "@at", "@rank"
KEY, LAST = "@key", "@last"
TIMES, RANKS = 60, 32
"""How many bits of a key are its time, and its place among equal rows; the rest tell entities apart."""

HALF, MOST = 1 << (TIMES - 1), (1 << RANKS) - 1
ENTITIES = 1 << (126 - TIMES - RANKS)
"""So many entities can be told apart."""

EXACT = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
DAYS = {"d": 24 * EXACT["h"], "w": 7 * 24 * EXACT["h"]}
"""How long days and weeks are where clocks never change."""
CALENDAR = {"d": "d", "w": "w", "mo": "mo", "q": "q", "y": "y"}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far rows may lie apart: ``within`` a time, local to a zone where it is one of the calendar."""

    within: Length | None
    dates: bool
    zone: str

    @property
    def steady(self) -> bool:
        """Whether the window of a later row never ends before that of an earlier one."""
        unit = "" if self.within is None else self.within.unit
        return unit in EXACT or (unit in DAYS and (self.dates or self.zone == "UTC"))

    def end(self, at: pl.Expr) -> pl.Expr:
        """Return the last moment so long after another, both as in AT."""
        assert self.within is not None
        if self.within.unit in EXACT:
            return at + self.within.count * EXACT[self.within.unit]
        if self.zone == "UTC" and not self.dates and self.within.unit in DAYS:
            return at + self.within.count * DAYS[self.within.unit]
        step = f"{self.within.count}{CALENDAR[self.within.unit]}"
        if self.dates:
            return at.cast(pl.Int32).cast(pl.Date).dt.offset_by(step).cast(pl.Int32).cast(pl.Int64)
        local = at.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self.zone).dt.replace_time_zone(None)
        return localise(local.dt.offset_by(step), self.zone).dt.convert_time_zone("UTC").dt.timestamp("us")


def key_of(at: pl.Expr, rank: pl.Expr) -> pl.Expr:
    """Return the key of an entity's row."""
    wide = pl.col(CODE).cast(pl.Int128) * (1 << (TIMES + RANKS))
    return wide + (at + HALF).cast(pl.Int128) * (1 << RANKS) + rank.cast(pl.Int128)


def _last_bits(key: pl.Expr) -> pl.Expr:
    """Return the end of a key that tells rows of one entity and time apart."""
    return key.cast(pl.Int64, wrap_numerical=True) & pl.lit(MOST, pl.Int64)


def _alike(key: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return whether keys are of one entity: all times there are lie in half of what a key has room for."""
    return (key - other).abs() < (1 << (TIMES + RANKS - 1))


@dataclass(frozen=True, slots=True)
class Operand:
    """The rows of an operand, and their keys in order; ``places`` says where in the frame the row of each key stands.

    ``at`` are the times in that order. Rows that are told apart have a RANK, which their keys end with; keys of others
    end with the place of the row.
    """

    frame: pl.DataFrame
    keys: pl.Series
    places: pl.Series
    at: pl.Series

    def take(self, found: pl.Series, *names: str) -> pl.DataFrame:
        """Return columns of rows, which are given by the places of their keys; null where none is."""
        return self.frame.select(pl.col(names).gather(self.places.gather(found)))

    def in_order(self, *names: str) -> pl.DataFrame:
        """Return columns of all rows in the order of their keys."""
        return self.frame.select(pl.col(names).gather(self.places))


@dataclass(frozen=True, slots=True)
class Steps:
    """Operands, the base first. ``roots``: which of them have rows of one event.

    A row of an operand is given by the place of its key in their order.
    """

    operands: tuple[Operand, ...]
    roots: tuple[str, ...]
    reach: Reach

    def pair(self, place: int) -> Steps:
        """Return the base with one of the others."""
        return Steps((self.operands[0], self.operands[place]), (self.roots[0], self.roots[place]), self.reach)

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
        key, own = pl.col(KEY), pl.col("@own")
        left = rows.with_columns(self.operands[before].keys.gather(rows[str(before)]).alias(KEY))
        least = pl.lit(0 if forward else MOST, pl.Int64)
        if same is not None:
            left = left.with_columns(self.operands[same].keys.gather(rows[str(same)]).alias("@own"))
            at_once = key - _last_bits(key) == own - _last_bits(own)
            least = pl.when(at_once).then(_last_bits(own) + (1 if forward else -1)).otherwise(least)
        left = left.with_columns((key - _last_bits(key) + least).alias(KEY)).sort(KEY)
        joined = left.join_asof(self._right(place), on=KEY, strategy="forward" if forward else "backward")
        return joined.filter(_alike(pl.col("@theirs"), key)).select(*rows.columns, str(place))

    def onward(self, rows: pl.DataFrame, place: int) -> pl.DataFrame:
        """Return rows, whose places in the operands before are columns, with that in one more: null where none is.

        It is looked up for each row of the operand before, of which many rows of the base may come to the same one.
        """
        before, name = place - 1, str(place)
        same = next((one for one in range(before, -1, -1) if self.roots[one] == self.roots[place]), None)
        if same is None or same == before:
            return rows.with_columns(self._link(place, beside=same is not None).gather(rows[str(before)]).alias(name))
        found = self._step(rows.drop_nulls(str(before)), before, place, same, forward=True)
        return rows.join(found.select("0", name), on="0", how="left", maintain_order="left")

    def _link(self, place: int, *, beside: bool) -> pl.Series:
        """Return for each row of an operand its earliest one in the next, ``beside`` equal rows after it."""
        key = pl.col(KEY)
        left = self.operands[place - 1].keys.to_frame()
        left = left.select(key + 1 if beside else key - _last_bits(key))
        joined = left.lazy().join_asof(self._right(place).lazy(), on=KEY, strategy="forward")
        found = joined.select(pl.when(_alike(pl.col("@theirs"), key)).then(pl.col(str(place))))
        return collect(found, "streaming").to_series()

    def _right(self, place: int) -> pl.DataFrame:
        return (
            self.operands[place].keys.to_frame().with_columns(pl.col(KEY).alias("@theirs")).with_row_index(str(place))
        )

    def gather(self, rows: pl.DataFrame, place: int, column: str) -> pl.Series:
        """Return a column of an operand for rows that have places in it."""
        return self.operands[place].take(rows[str(place)], column)[column]

    def within(self, rows: pl.DataFrame, early: int, late: int, *, retreat: bool = False) -> pl.DataFrame:
        """Return those rows whose later row is not too late for the earlier one.

        With ``retreat`` the earlier one may as well be another before it: clocks that change, and months that are
        short, let the window of an earlier row end later.
        """
        if self.reach.within is None:
            return rows
        ends = self.ends(early)
        until = self.operands[late].at.gather(rows[str(late)])
        fits = ends.gather(rows[str(early)]) >= until
        kept = [rows.filter(fits)]
        if retreat and not self.reach.steady and not fits.all():
            known = self.operands[early].in_order(CODE, AT)
            latest = known.select(self.reach.end(pl.col(AT)).cum_max().over(CODE)).to_series()
            left = rows.filter(~fits)
            while left.height:
                left = left.with_columns((pl.col(str(early)).cast(pl.Int64) - 1).alias(str(early)))
                left = left.filter(pl.col(str(early)) >= 0)
                codes = self.gather(left, early, CODE) == self.gather(left, late, CODE)
                left = left.filter(codes & (latest.gather(left[str(early)]) >= self.gather(left, late, AT)))
                fits = ends.gather(left[str(early)]) >= self.gather(left, late, AT)
                kept.append(left.filter(fits).with_columns(pl.col(str(early)).cast(rows.schema[str(early)])))
                left = left.filter(~fits)
        return pl.concat(kept)

    def ends(self, place: int) -> pl.Series:
        """Return the end of the window of each row of an operand."""
        return self.operands[place].at.to_frame().select(self.reach.end(pl.col(AT))).to_series()

    def places(self, operand: int) -> pl.DataFrame:
        """Return all places of an operand."""
        height = self.operands[operand].keys.len()
        return pl.DataFrame({str(operand): pl.int_range(height, dtype=pl.get_index_type(), eager=True)})


def ordered(frames: Sequence[pl.DataFrame], roots: Sequence[str], reach: Reach) -> Steps:
    """Return operands in the order of their keys."""
    known: dict[int, Operand] = {}
    for frame in frames:  # both of one event may be the same
        if id(frame) not in known:
            known[id(frame)] = _in_order(frame)
    return Steps(tuple(known[id(frame)] for frame in frames), tuple(roots), reach)


def _in_order(frame: pl.DataFrame) -> Operand:
    """Return rows with their keys in order. Keys alone are sorted four times as fast as rows by them."""
    if RANK in frame.columns:
        keys = frame.select(key_of(pl.col(AT), pl.col(RANK)).alias(KEY)).to_series()
        places = keys.arg_sort()
        return Operand(frame, keys.gather(places), places, frame[AT].gather(places))
    numbered = frame.lazy().select(CODE, AT).with_row_index(KEY)
    keyed = numbered.select(key_of(pl.col(AT), pl.col(KEY)).alias(KEY))
    keys = collect(keyed, "streaming" if frame.height > SMALL else "in-memory").to_series().sort()
    places = keys.to_frame().select(_last_bits(pl.col(KEY)).cast(pl.get_index_type())).to_series()
    return Operand(frame, keys, places, frame[AT].gather(places))


def chains(steps: Steps, least: int) -> pl.DataFrame:
    """Return the base rows that so many others follow within the window, with the earliest of each: their places.

    REACHED is how many follow; the places of others are null, or too late.
    """
    found = steps.places(0)
    ends = None if steps.reach.within is None else steps.ends(0)
    reached = pl.Series([0], dtype=pl.UInt16).new_from_index(0, found.height)
    for place in range(1, len(steps.operands)):
        found = steps.onward(found.with_columns(reached.alias(REACHED)), place)
        times = steps.operands[place].at.gather(found[str(place)])
        inside = times.is_not_null() if ends is None else (times <= ends.gather(found["0"])).fill_null(value=False)
        reached = found[REACHED] + inside.cast(pl.UInt16)
        if place <= least:
            found, reached = found.filter(inside), reached.filter(inside)
    return found.with_columns(reached.alias(REACHED))


def match(steps: Steps, kind: str, credit: str) -> pl.DataFrame:
    """Return the rows that have what they need: their place in each operand, by its number, the base's 0."""
    last = len(steps.operands) - 1
    forward = kind == "then"
    over = range(1, last + 1)
    if credit == "all" and forward:
        return chains(steps, last).drop(REACHED)
    if credit == "all":
        return steps.within(steps.walk(0, steps.places(0), over, forward=False), last, 0, retreat=True)
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
    base, followers = steps.operands[0].in_order(CODE, AT), steps.operands[last].in_order(CODE, AT)
    end = pl.lit(HALF - 1, pl.Int64) if steps.reach.within is None else steps.reach.end(pl.col(AT)).cum_max().over(CODE)
    windows = base.select(CODE, end.alias(AT)).with_row_index("0")
    windows = windows.select("0", CODE, key_of(pl.col(AT), pl.lit(0)).alias(KEY)).unique(KEY, keep="first").sort(KEY)
    asked = followers.select(CODE, key_of(pl.col(AT), pl.lit(0)).alias(KEY)).with_row_index(str(last))
    found = asked.join_asof(windows.rename({CODE: "@theirs"}), on=KEY, strategy="forward")
    found = found.filter(pl.col(CODE) == pl.col("@theirs")).select("0", str(last))
    return _reaching(steps, found, last, forward=True)


def _last_open(steps: Steps, last: int) -> pl.DataFrame:
    """Return for each last row, which lies before, the latest base within its window, if a chain leads back to it."""
    earlier = steps.operands[last].in_order(CODE, AT)
    end = pl.lit(HALF - 1, pl.Int64) if steps.reach.within is None else steps.reach.end(pl.col(AT))
    asked = earlier.select(CODE, end.alias(AT)).with_row_index(str(last))
    asked = asked.select(str(last), CODE, key_of(pl.col(AT), pl.lit(MOST)).alias(KEY)).sort(KEY)
    base = steps.operands[0].in_order(CODE).select(steps.operands[0].keys, pl.col(CODE).alias("@theirs"))
    found = asked.join_asof(base.with_row_index("0"), on=KEY, strategy="backward")
    found = found.filter(pl.col(CODE) == pl.col("@theirs")).select("0", str(last))
    return _reaching(steps, found, last, forward=False)


def _reaching(steps: Steps, found: pl.DataFrame, last: int, *, forward: bool) -> pl.DataFrame:
    """Return pairs of a base and a last row between which a chain lies."""
    bases = found.select("0").unique()
    reached = steps.walk(0, bases, range(1, last + 1), forward=forward).select("0", pl.col(str(last)).alias(LAST))
    pairs = found.join(reached, on="0", how="inner")
    fits = pl.col(LAST) <= pl.col(str(last)) if forward else pl.col(LAST) >= pl.col(str(last))
    return pairs.filter(fits).select("0", str(last))
