"""Pieces: where folds take values: the periods that are read, or calendar periods that lie in them or in a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.derive.reached import PART, Reached, span_columns
from smartkpi.derive.spine import INSTANT, key_type, lay_out
from smartkpi.derive.window import refuse_many, too_many_cells
from smartkpi.engines.answer import FROM, PERIOD, UPTO
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Window

DAY = timedelta(days=1)
Where = tuple[Grain | None, Window | None]
"""Where a fold takes values: the calendar periods of a grain (None: those read) in a window of each."""
OF = "__of"
"""The column of pieces with the key of the period that each is of."""

SEVERAL = 4
"""So many times as many pieces as cells of an answer are let through: they make no cells of their own."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Places at which values are taken: ``frame`` has the number `i` of the period that is read and its first day
    `asked`, the ``key`` of the place (`i`, or the number of a `piece`), whether it is `whole` (no bound cuts it) and
    `complete`, and what judges its coverage.

    ``places`` tells each key's PERIOD, where the answer of a scan by ``grain`` is that of the place, and by ``ends``
    the columns of its stretch under a window. ``uncovered`` names the column that says where a component has no
    coverage, for those that lack some.
    """

    grain: Grain
    key: str
    frame: pl.DataFrame
    places: pl.DataFrame
    ends: Mapping[Window | None, tuple[str, str]]
    uncovered: Mapping[str, str]

    def covered(self, ids: tuple[str, ...]) -> pl.DataFrame:
        """Return the places that are covered by the datasets of all of some components."""
        missing = sorted({self.uncovered[id] for id in ids if id in self.uncovered})
        return self.frame.filter(~pl.any_horizontal(missing)) if missing else self.frame


def as_pieces(reached: Reached, uncovered: Mapping[str, str]) -> Pieces:
    """Return the periods that are read, as their own only pieces."""
    frame = reached.frame.with_columns(pl.lit(value=True).alias("whole"), pl.col("first").alias("asked"))
    ends = {window: (f"{name}.from", f"{name}.upto") for window, name in reached.windows.items()}
    places = reached.frame.select("i", *(column for pair in ends.values() for column in pair))
    if reached.grain is not Grain.ALL:
        places = places.join(reached.numbers().rename({"key": PERIOD}), on="i", how="left")
    if None in ends:  # only parts of periods have no other answer
        part = pl.col("i") >= PART
        places = places.with_columns(pl.when(part).then(pl.col(name)).alias(name) for name in ends[None])
    return Pieces(reached.grain, "i", frame, places, ends, uncovered)


def divide(
    calendar: Calendar, reached: Reached, grain: Grain, window: Window | None, begin: datetime | None, limit: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the periods of a grain that lie in those that are read, or in a window of each, cut at its bounds.

    The first table has a row for each `i` and `piece` in it: `asked`, `whole`. The second has the pieces: their bounds,
    OF, and PERIOD or, of those that are cut in two, FROM and UPTO. All of the past begins where coverage does.
    """
    known = _bounds(calendar, reached, window, begin)
    if not known.height:
        return _none(grain)
    low, high = known["first"].min(), known["last"].max()
    assert isinstance(low, date)
    assert isinstance(high, date)
    refuse_many(grain, low, high, limit)
    own = calendar.own(grain)
    keys = [key for key in calendar.keys(grain, low, high) if own is None or own.has(key)]
    if not keys:
        return _none(grain)
    parts = lay_out(calendar, grain, keys)
    rows = parts.frame.drop("i").with_columns(parts.series().alias(PERIOD))
    first = rows["end"].search_sorted(known["start"], "right").cast(pl.Int64)
    after = rows["start"].search_sorted(known["end"], "left").cast(pl.Int64)
    if (count := int((after - first).sum())) > limit * SEVERAL:
        raise too_many_cells(limit * SEVERAL, count)
    around = known.select("i", "asked", pl.col("start", "end", "first", "last").name.prefix("in."))
    pairs = around.with_columns(pl.int_ranges(first, after).alias("at")).explode("at").drop_nulls("at")
    open_ = window is not None and window.kind == "cumulative"
    aligned = grain.rank <= Grain.DAY.rank or (reached.grain is Grain.ALL and window is None)
    pairs = _cut(pl.concat([pairs, rows[pairs["at"]]], how="horizontal"), open_, aligned)
    if own is not None:  # days before the first period, or after the last, are in none
        listed = (pl.col("in.first") >= own.starts[0]) & (pl.col("in.last") < own.end)
        pairs = pairs.with_columns(pl.col("whole") & listed)
    bounds = pairs.select("start", "end", "first", "last", PERIOD, FROM, UPTO, OF).unique()
    bounds = bounds.sort("start", "end", PERIOD)
    bounds = bounds.with_row_index("piece").with_columns(pl.col("piece").cast(pl.Int64))
    same = ["start", "end", PERIOD]
    pairs = pairs.join(bounds.select("piece", *same), on=same, nulls_equal=True)
    return pairs.select("i", "asked", "whole", "piece"), bounds


def _bounds(calendar: Calendar, reached: Reached, window: Window | None, begin: datetime | None) -> pl.DataFrame:
    """Return the stretch of time in which pieces of each period lie."""
    known = reached.frame.select("i", pl.col("first").alias("asked"), "start", "end", "first", "last")
    if window is not None:
        name = reached.windows[window]
        ends = reached.frame.select(f"{name}.from", f"{name}.upto").rows()
        spans = [None if low is None or high is None else (low, high) for low, high in ends]
        known = known.with_columns(span_columns(calendar, reached.grain, spans))
        if window.kind == "cumulative" and begin is not None:
            known = known.with_columns(
                pl.max_horizontal("start", pl.lit(begin, INSTANT)),
                pl.max_horizontal("first", pl.lit(calendar.local_day(begin))),
            )
    return known.filter(pl.col("first").is_not_null() & (pl.col("start") < pl.col("end")))


def _cut(pairs: pl.DataFrame, open_: bool, aligned: bool) -> pl.DataFrame:
    """Return pieces as far as they lie in their stretch, which has no beginning where it is `open_`.

    Those that are cut in two have FROM and UPTO in place of PERIOD, but where scans answer what is `aligned`.
    """
    low = pl.col("first") if open_ else pl.max_horizontal("first", "in.first")
    after = pl.min_horizontal("last", "in.last") + DAY
    by_period = pl.lit(aligned) | ((low == pl.col("first")) & (after == pl.col("last") + DAY))
    whole = (pl.col("start") >= pl.col("in.start")) & (pl.col("end") <= pl.col("in.end"))
    return pairs.with_columns(
        pl.col(PERIOD).alias(OF),
        pl.when(by_period).then(PERIOD).alias(PERIOD),
        pl.when(~by_period).then(low).alias(FROM),
        pl.when(~by_period).then(after).alias(UPTO),
        whole.alias("whole"),
        *(pl.max_horizontal(name, f"in.{name}").alias(name) for name in ("start", "first")),
        *(pl.min_horizontal(name, f"in.{name}").alias(name) for name in ("end", "last")),
    )


def _none(grain: Grain) -> tuple[pl.DataFrame, pl.DataFrame]:
    pairs = {"i": pl.Int64(), "asked": pl.Date(), "whole": pl.Boolean(), "piece": pl.Int64()}
    bounds = {"piece": pl.Int64(), "start": INSTANT, "end": INSTANT, "first": pl.Date(), "last": pl.Date()}
    ends = {PERIOD: key_type(grain), FROM: pl.Date(), UPTO: pl.Date(), OF: key_type(grain)}
    return pl.DataFrame(schema=pairs), pl.DataFrame(schema=bounds | ends)
