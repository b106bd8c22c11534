"""Progress within a pass: rows are counted as they go by, and nothing else changes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from smartkpi.engines.polars import compile as compile_
from smartkpi.engines.polars import meter
from smartkpi.engines.polars.engine import PolarsEngine, _Run
from smartkpi.engines.polars.explain import FALLBACKS, physical_nodes
from smartkpi.language.types import NUMBER, TEXT, TIME
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan
from smartkpi.sources.tables import Table, open_table
from tests.engines.build import call, cell, col, dataset, plan, read, scan

TS, EVENT, X, WHO = col("ts", TIME), col("event", TEXT), col("x"), col("who", TEXT)
ROWS = 5_000


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return a file of small row groups, which counts as long."""
    monkeypatch.setattr(meter, "LONG", 0)
    monkeypatch.setattr(compile_, "SMALL", 0)
    frame = pl.DataFrame(
        {
            "ts": [date(2026, 1, 1 + i % 20) for i in range(ROWS)],
            "event": ["visit" if i % 3 else "order" for i in range(ROWS)],
            "x": [i / 7 for i in range(ROWS)],
            "who": [f"v{i % 900}" for i in range(ROWS)],
        }
    )
    frame.write_parquet(tmp_path / "log.parquet", row_group_size=500)
    return open_table(read("log.parquet", tmp_path))


def asked() -> Plan:
    """Return a plan of an additive scan, which covers, and a distinct one at two grains."""
    visit, order = call("==", EVENT, "visit"), call("==", EVENT, "order")
    scans = [
        scan([cell("n", "rows", None, visit), cell("s", "sum", X, order, type_=NUMBER)], time=TS),
        scan([cell("d", "distinct", WHO, visit)], (Grain.DAY, Grain.ALL), time=TS, state="distinct"),
    ]
    return plan(scans, dataset(time=TS))


def test_rows_are_told_while_they_are_read(log: Table) -> None:
    told: list[tuple[int, int | None]] = []
    quiet = PolarsEngine({"log": log}).collect(asked())
    heard = PolarsEngine({"log": log}, lambda done, total: told.append((done, total))).collect(asked())
    assert {total for _, total in told} == {3 * ROWS}
    rows = [done for done, _ in told]
    assert rows == sorted(rows)
    assert rows[-1] == 3 * ROWS
    assert 0 < rows[0] < ROWS
    assert heard.coverage == quiet.coverage
    for grain, frames in quiet.frames.items():
        for one, other in zip(frames, heard.frames[grain], strict=True):
            keys = [name for name in one.columns if name not in {"n", "s", "d"}]
            assert (one.sort(keys) if keys else one).equals(other.sort(keys) if keys else other)


def test_a_watched_pass_stays_in_the_streaming_engine(log: Table) -> None:
    run = _Run(PolarsEngine({"log": log}, lambda _done, _total: None), asked())
    queries = [query for _, query in run.queries()]
    assert len(queries) == 3
    for query in queries:
        assert "python_udf" in query.explain(engine="streaming").lower()
        assert not set(physical_nodes(query)) & set(FALLBACKS)


def test_nobody_listens_to_a_short_pass(log: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "LONG", ROWS)
    told: list[int] = []
    PolarsEngine({"log": log}, lambda done, _: told.append(done)).collect(asked())
    assert told == [ROWS, 2 * ROWS, 3 * ROWS]


def test_what_the_listener_raises_comes_out_as_it_is(log: Table) -> None:
    def stop(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PolarsEngine({"log": log}, stop).collect(asked())
