"""Tables handed over in Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language.types import DURATION, NUMBER, TEXT, TIME, UNKNOWN, WHOLE, Kind, Type
from smartkpi.sources.tables import open_table, snapshot
from tests.engines.build import read, table


def test_polars_frames() -> None:
    frame = pl.DataFrame({"a": [1], "b": ["x"]})
    for handed in (frame, frame.lazy()):
        assert table(handed).schema == {"a": WHOLE, "b": TEXT}
        assert table(handed).frame.collect().equals(frame)
    assert table(frame).rows_hint == 1
    assert table(frame.lazy()).rows_hint is None


def test_types_the_language_has_not() -> None:
    frame = pl.DataFrame(
        {
            "list": [[1]],
            "gap": [timedelta(seconds=90)],
            "none": [None],
            "money": [Decimal("1.5")],
            "time": [datetime(2026, 1, 1).time()],
            "enum": pl.Series(["a"], dtype=pl.Enum(["a"])),
        }
    )
    assert table(frame).schema == {
        "gap": Type(Kind.NUMBER, DURATION),
        "none": UNKNOWN,
        "money": Type(Kind.NUMBER, decimal=True),
        "enum": TEXT,
    }


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.5, None], "t": pandas.to_datetime(["2026-01-01", None])})
    found = table(frame)
    assert found.schema == {"a": NUMBER, "t": TIME}
    assert found.rows_hint == 2


def test_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    assert table(pyarrow.table({"a": [1, 2]})).frame.collect().rows() == [(1,), (2,)]


class Stream:
    """Anything that speaks the Arrow C stream interface, as a DuckDB relation does."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.of.__arrow_c_stream__(requested_schema)


def test_a_snapshot_outlives_its_stream() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    reader = pyarrow.table({"a": [1, 2]}).to_reader()
    kept = snapshot(reader)
    assert [table(kept).frame.collect().rows() for _ in range(2)] == [[(1,), (2,)]] * 2
    frame = pl.LazyFrame({"a": [1]})
    assert snapshot(frame) is frame
    assert snapshot(Stream(None)).__class__ is Stream


def test_arrow_streams() -> None:
    assert table(Stream(pl.DataFrame({"a": [1]}))).frame.collect().rows() == [(1,)]


@pytest.mark.parametrize("handed", [[{"a": 1}], {"a": [1]}, "orders.csv", 5])
def test_anything_else_is_refused(handed: Any) -> None:
    with pytest.raises(KpiError, match="not-a-table") as caught:
        table(handed)
    assert caught.value.diagnostics[0].hint == "hand over a Polars, pandas, Arrow or DuckDB table"


def test_a_table_handed_over_wins_over_files(tmp_path: Any) -> None:
    assert open_table(read("gone.csv", tmp_path), pl.DataFrame({"a": [1]})).rows_hint == 1


def test_no_table_at_all() -> None:
    with pytest.raises(KpiError, match="no-table"):
        table(None)
