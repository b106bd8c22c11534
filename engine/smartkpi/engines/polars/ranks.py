"""Values at a place in the order of overlapping runs of rows, however long these are: a wavelet matrix over ranks.

Rows lie in order of time, each with the rank of its value among all. Bit by bit, from the highest, rows whose rank has
the bit not set move before those that have it; of each run it is counted how many do, which tells on which side of it
the wanted rank is. So a place costs as many steps as ranks have bits, whatever the length of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of rows, from ``low`` up to ``high``, of rows with the ``ranks`` of their values among all ``values``."""

    ranks: pl.Series
    values: pl.Series
    low: pl.Series
    high: pl.Series

    @property
    def sizes(self) -> pl.Series:
        """How many rows each run has."""
        return self.high - self.low

    def at(self, place: pl.Series) -> pl.Series:
        """Return the value at a place in the order of each run, the first at 0."""
        ranks = self.ranks
        asked = pl.DataFrame({"low": self.low, "high": self.high, "left": place, "rank": place * 0})
        for bit in reversed(range(max(1, (len(ranks) - 1).bit_length()))):
            unset = (ranks // (1 << bit)) % 2 == 0
            before = pl.concat([pl.Series([0], dtype=pl.Int64), unset.cast(pl.Int64).cum_sum()])
            moved, clear = ranks.filter(unset), before[-1]
            low, high = before.gather(asked["low"]), before.gather(asked["high"])
            asked = asked.select(
                pl.col("low", "high", "left", "rank"), low.alias("l"), high.alias("h"), (high - low).alias("some")
            )
            below = pl.col("left") < pl.col("some")
            asked = asked.select(
                pl.when(below).then("l").otherwise(clear + pl.col("low") - pl.col("l")).alias("low"),
                pl.when(below).then("h").otherwise(clear + pl.col("high") - pl.col("h")).alias("high"),
                pl.when(below).then("left").otherwise(pl.col("left") - pl.col("some")).alias("left"),
                pl.when(below).then("rank").otherwise(pl.col("rank") + (1 << bit)).alias("rank"),
            )
            ranks = pl.concat([moved, ranks.filter(~unset)])
        return self.values.gather(asked["rank"])
