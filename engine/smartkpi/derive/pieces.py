"""Pieces: the calendar periods that each period asked for consists of, for values `per day`, `per month`, …"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from smartkpi.derive.spine import Periods, key_type, lay_out
from smartkpi.derive.window import refuse_many
from smartkpi.engines.answer import PERIOD
from smartkpi.periods.calendar import Calendar, Key
from smartkpi.periods.grain import Grain


@dataclass(frozen=True, slots=True)
class Pieces:
    """The parts of periods at one grain: ``frame`` has the number `i` of the period asked for and its first day
    `asked`, the part's PERIOD (but for `all`), its bounds where they lie within the period, `whole` (no bound cuts it)
    and what judges its coverage.

    ``uncovered`` names the column that says where a component has no coverage, for those that lack some.
    """

    grain: Grain
    frame: pl.DataFrame
    uncovered: Mapping[str, str]

    def covered(self, ids: tuple[str, ...]) -> pl.DataFrame:
        """Return the parts that are covered by the datasets of all of some components."""
        missing = sorted({self.uncovered[id] for id in ids if id in self.uncovered})
        return self.frame.filter(~pl.any_horizontal(missing)) if missing else self.frame


def as_asked(periods: Periods, uncovered: Mapping[str, str]) -> Pieces:
    """Return the periods asked for, as their own only parts."""
    frame = periods.frame.with_columns(pl.lit(value=True).alias("whole"), pl.col("first").alias("asked"))
    if periods.grain is not Grain.ALL:
        frame = frame.with_columns(periods.series().alias(PERIOD))
    return Pieces(periods.grain, frame, uncovered)


def divide(calendar: Calendar, asked: Periods, grain: Grain, limit: int) -> Periods:
    """Return the periods of a grain that lie in those asked for, cut at the bounds of the latter; `i` numbers these."""
    known = asked.frame.select("i", "start", "end", "first", "last").filter(pl.col("first").is_not_null())
    keys: list[Key] = []
    if known.height:
        first, last = known["first"].min(), known["last"].max()
        refuse_many(grain, first, last, limit)  # type: ignore[arg-type]
        keys = calendar.keys(grain, first, last)  # type: ignore[arg-type]
    if not keys:
        none = known.clear().with_columns(
            pl.lit(None, dtype=pl.Boolean).alias("whole"),
            pl.lit(None, dtype=pl.Date).alias("asked"),
            pl.lit(None, dtype=key_type(grain)).alias(PERIOD),
        )
        return Periods(grain, (), none)
    parts = lay_out(calendar, grain, keys)
    frame = parts.frame.drop("i").with_columns(parts.series().alias(PERIOD))
    around = known.select("i", *(pl.col(name).alias(f"in.{name}") for name in ("start", "end", "first", "last")))
    places = (around["in.start"].search_sorted(frame["start"], "right").cast(pl.Int64) - 1).clip(0)
    frame = pl.concat([frame, around[places]], how="horizontal")
    whole = (pl.col("start") >= pl.col("in.start")) & (pl.col("end") <= pl.col("in.end"))
    cut = [
        *(pl.max_horizontal(name, f"in.{name}").alias(name) for name in ("start", "first")),
        *(pl.min_horizontal(name, f"in.{name}").alias(name) for name in ("end", "last")),
    ]
    frame = (
        frame.with_columns(whole.alias("whole"), pl.col("in.first").alias("asked"))
        .with_columns(cut)
        .filter(pl.col("start") < pl.col("end"))
    )
    return Periods(grain, tuple(frame[PERIOD].to_list()), frame.select(*known.columns, "whole", "asked", PERIOD))
