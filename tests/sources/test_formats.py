"""Rows of ndjson, Arrow and partitioned Parquet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from smartkpi.language.types import BOOLEAN, DATE, NUMBER, TEXT, TIME, UNKNOWN, WHOLE
from tests.sources.test_files import opened, refused, write

ROWS = """{"at": "2026-01-05T10:00:00Z", "day": "2026-01-05", "n": 1, "x": 1.5, "ok": true, "id": "007", "none": null}
{"at": "2026-01-06T10:00:00+02:00", "n": 2, "x": 2, "ok": false, "id": "5", "tags": [1], "of": {"a": 1}}

{"n": null, "id": "", "x": -0.25, "day": null}
"""


def test_ndjson(tmp_path: Path) -> None:
    write(tmp_path / "a.ndjson", ROWS)
    table = opened(tmp_path, "a.ndjson")
    assert dict(table.schema) == {
        "at": TIME, "day": DATE, "n": WHOLE, "x": NUMBER, "ok": BOOLEAN, "id": TEXT, "none": UNKNOWN
    }  # fmt: skip
    assert table.rows_hint == 3
    assert table.frame.select("at", "day", "n", "x", "ok", "id").collect().rows() == [
        (datetime(2026, 1, 5, 10, tzinfo=UTC), date(2026, 1, 5), 1, 1.5, True, "007"),
        (datetime(2026, 1, 6, 8, tzinfo=UTC), None, 2, 2.0, False, "5"),
        (None, None, None, -0.25, None, ""),
    ]


def test_ndjson_files_may_lack_keys(tmp_path: Path) -> None:
    write(tmp_path / "d" / "a.jsonl", '{"a": 1}\n')
    write(tmp_path / "d" / "b.jsonl", '{"b": "x", "a": 2.5}\n{"b": "-"}')
    table = opened(tmp_path, "d", nulls=("-",))
    assert table.frame.collect().rows() == [(1.0, None), (2.5, "x"), (None, None)]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('{"a": 1}\n{"a": "1"}\n', "mixed-types",
         "`a` is a number in line 1 of `a.ndjson`, a text in line 2 of `a.ndjson`"),
        ('{"a": 1}\n{"a": true}\n', "mixed-types",
         "`a` is a number in line 1 of `a.ndjson`, a boolean in line 2 of `a.ndjson`"),
        ('{"a": 1}\n{"a": 1\n', "bad-rows", "line 2 of `a.ndjson` is no JSON"),
        ('{"a": 1}\n[1]\n', "bad-rows", "line 2 of `a.ndjson` is no object"),
        ('{"a": 1, "a": 2}\n', "bad-rows", "line 1 of `a.ndjson` has a key twice"),
        ('{"a": NaN}\n', "bad-rows", "line 1 of `a.ndjson` has `NaN`, which is no value of JSON"),
        ('{"a": 9223372036854775808}\n', "mixed-types",
         "`a` has whole numbers of more than 63 bits (line 1 of `a.ndjson`)"),
        ("", "empty-file", "`a.ndjson` has no values"),
        ('\ufeff{"a": 1}\n', "bad-encoding", "`a.ndjson` begins with a byte order mark, which JSON does not have"),
    ],
)  # fmt: skip
def test_ndjson_that_cannot_be_read(tmp_path: Path, text: str, code: str, message: str) -> None:
    write(tmp_path / "a.ndjson", text)
    assert refused(tmp_path, "a.ndjson")[:2] == (code, message)


def test_ndjson_of_other_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.ndjson", '{"a": "é"}\n'.encode("latin-1"))
    assert refused(tmp_path, "a.ndjson")[0] == "bad-encoding"


FRAME = pl.DataFrame({"day": [date(2026, 1, 5), date(2026, 1, 6)], "n": [1, 2], "c": ["a", None]})


@pytest.mark.parametrize("ending", ["arrow", "feather", "ipc"])
def test_arrow(tmp_path: Path, ending: str) -> None:
    FRAME.write_ipc(tmp_path / f"a.{ending}", compression="zstd")
    table = opened(tmp_path, f"a.{ending}")
    assert (table.rows_hint, table.frame.collect().rows()) == (2, FRAME.rows())
    FRAME.write_ipc_stream(tmp_path / f"b.{ending}")
    assert opened(tmp_path, f"*.{ending}").frame.collect().rows() == FRAME.rows() * 2


def test_arrow_that_is_none(tmp_path: Path) -> None:
    write(tmp_path / "a.arrow", "day,n\n")
    assert refused(tmp_path, "a.arrow")[0] == "unreadable-data"
    write(tmp_path / "b.feather", b"FEA1....")
    assert refused(tmp_path, "b.feather")[0] == "unreadable-data"


def partitioned(folder: Path) -> None:
    for country, year, n in (
        ("BR", "2025", [1]),
        ("BR", "2026", [2, 3]),
        ("S%C3%A3o", "2026", [4]),
        ("__HIVE_DEFAULT_PARTITION__", "2026", [5]),
    ):
        path = folder / f"country={country}" / f"year={year}"
        path.mkdir(parents=True)
        pl.DataFrame({"n": n}).write_parquet(path / "part.parquet")


def test_folders_are_columns(tmp_path: Path) -> None:
    partitioned(tmp_path / "odd=root" / "rows")
    for path in ("odd=root/rows", "odd=root/rows/**/*.parquet", "odd=root/rows/country=*/*/*.parquet"):
        table = opened(tmp_path, path)
        assert dict(table.schema) == {"n": WHOLE, "country": TEXT, "year": WHOLE}
        rows = sorted(table.frame.collect().rows())
        assert rows == [(1, "BR", 2025), (2, "BR", 2026), (3, "BR", 2026), (4, "São", 2026), (5, None, 2026)]
        assert table.rows_hint == 5


def test_folders_that_do_not_agree(tmp_path: Path) -> None:
    partitioned(tmp_path / "rows")
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "rows" / "part.parquet")
    assert refused(tmp_path, "rows")[0] == "unequal-columns"
    (tmp_path / "other" / "n=1").mkdir(parents=True)
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "other" / "n=1" / "part.parquet")
    assert refused(tmp_path, "other")[1] == "`n` is a column of `part.parquet` and a part of its path"


def test_dates_of_folders(tmp_path: Path) -> None:
    for day in ("2026-01-05", "2026-01-06"):
        (tmp_path / "rows" / f"day={day}").mkdir(parents=True)
        pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "rows" / f"day={day}" / "a.parquet")
    table = opened(tmp_path, "rows")
    assert table.schema["day"] == DATE
    assert table.frame.filter(pl.col("day") == date(2026, 1, 6)).collect().height == 1
