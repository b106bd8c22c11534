"""Texts become values by conversions that fit all rows of a column."""

from __future__ import annotations

import polars as pl
import pytest

from smartkpi.sources.infer import CONVERSIONS

ODD_TIMES = (
    "2026-01-05T09:12:00", "2026-01-05T09:12:00.5", "2026-01-05T09:12:00.123456", "2026-01-05T09:12:00.1234567",
    "2026-01-05T09:12:00.12345", "2026-01-05T09:12:00.12345x", "2026-01-05T09:12:00.-12345", "2026-01-05T09:12:00.",
    "2026-01-05T09:12:00. 12345", "2026-01-05T09:12:00,123456", "2026-01-05T09:12:00Z", " 2026-01-05T09:12:00",
    "2026-1-5T9:12:00", "2026-02-30T09:12:00", "2026-01-05T24:00:00", "2026-01-05T23:59:60", "206-01-05T09:12:00",
    "0206-01-05T09:12:00.123456", "2026-01-05T09:12:", "2026-01-05T0x:12:00", "2026/01/05T09:12:00",
    "+2026-01-05T09:12:00", "2026-01-05T-9:12:00", "2026-01-05T09:12:00é", "202é-01-05T09:12:0", "2026-01-05T09:1 :00",
    "2026-01-05T09:12:00.12é45", "2026-01-05T23:59:60.123456", "2026-01-05T09:12:00.123456Z", "2026-01-05T09:12",
)  # fmt: skip


@pytest.mark.parametrize("mark", ["T", " "])
def test_a_time_of_fixed_width_is_read_as_any_other(mark: str) -> None:
    """What the faster conversions read is what the general one reads; the rest is null, and left to that one."""
    texts = pl.Series("t", [text.replace("T", mark) for text in ODD_TIMES]).to_frame()
    name = {"T": "T", " ": "space"}[mark]
    kinds = (f"time with {name}", f"time to the second with {name}", f"time to the microsecond with {name}")
    general, *fixed = (texts.select(CONVERSIONS[kind](pl.col("t")))["t"].to_list() for kind in kinds)
    for read in fixed:
        assert [one for one in read if one is not None]
        assert all(one is None or one == other for one, other in zip(read, general, strict=True))
