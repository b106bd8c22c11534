"""What is found out of text files: encoding, separator, titles, footers, dates, decimal signs, texts for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from smartkpi.sources.look import TableFacts, look
from smartkpi.sources.look_keys import count_distinct, is_unique
from smartkpi.sources.look_times import How
from smartkpi.spec.model import Read

SETTINGS = ("separator", "encoding", "skip_rows", "skip_footer", "decimal", "thousands", "dates", "nulls")


def seen(tmp_path: Path, text: str | bytes, name: str = "rows.csv") -> TableFacts:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return look(Read(name, tmp_path))


def settings(facts: TableFacts) -> dict[str, Any]:
    return {name: getattr(facts.read, name) for name in SETTINGS if getattr(facts.read, name)}


FOUND: list[tuple[str, dict[str, Any]]] = [
    ("a,b\n1,2\n", {}),
    ("a;b\n1;2\n", {}),
    ("a,x;b,y;c\n1;2;3\n4;5;6\n", {"separator": ";"}),
    ("a,b c,d;e\n1;2\n3;4\n", {"separator": ";"}),
    ("Report\n\na,b\n1,2\n3,4\n", {"skip_rows": 2}),
    ("a,b\n1,2\nTotal,2\n", {"skip_footer": 1}),
    ("a,b\nx,2\ny,3\nmade on Monday\n", {"skip_footer": 1}),
    ("n;v\n1;1,5\n2;2,25\n", {"decimal": ","}),
    ("n;v\n1;1.500,5\n2;2,25\n", {"decimal": ",", "thousands": "."}),
    ("n;v\n1;1.500\n2;980\n", {"decimal": ",", "thousands": "."}),
    ("n;v\n1;1.5\n2;9.25\n", {"decimal": "."}),
    ('n,v\n1,"1,500"\n2,"1,234,567"\n', {"thousands": ","}),
    ("n,v\n1,1 500\n2,12\n", {"thousands": " "}),
    ("n,v\n1,1'500\n2,12\n", {"thousands": "'"}),
    ("n,v\n1,1.5\n2,N/A\n3,-\n", {"nulls": ("-", "N/A")}),
    ("n,v\n1,x\n2,-\n", {}),
    ("d,v\n31.01.2026,1\n1.2.2026,2\n", {"dates": "%d.%m.%Y"}),
    ("d,v\n1/31/2026,1\n2/1/2026,2\n", {"dates": "%m/%d/%Y"}),
    ("d,v\n31/1/2026 10:00,1\n1/2/2026 11:30,2\n", {"dates": "%d/%m/%Y %H:%M"}),
    ("d,v\n2026/01/31,1\n", {"dates": "%Y/%m/%d"}),
    ("d,v\n5 Jan 2026,1\n", {"dates": "%d %b %Y"}),
    ("d,v\n2026年1月5日,1\n", {"dates": "%Y年%m月%d日"}),
    ("d,v\n2026-01-31,1\n", {}),
]


@pytest.mark.parametrize(("text", "found"), FOUND)
def test_how_a_text_is_written(text: str, found: dict[str, Any], tmp_path: Path) -> None:
    assert settings(seen(tmp_path, text)) == found


def test_a_header_that_is_too_short_is_no_title(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="bad-rows"):
        seen(tmp_path, "a,b\n1,2,3\n4,5,6\n")


def test_a_row_that_was_cut_off_is_no_footer(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="bad-rows"):
        seen(tmp_path, "place,v\nNew York,1\nSan Jose,2\nNew Yo")


@pytest.mark.parametrize("letters", ["größe,prix\nété,1\n", "straße,naïve\ncœur,2\n"])
def test_western_letters(letters: str, tmp_path: Path) -> None:
    facts = seen(tmp_path, letters.encode("cp1252"))
    assert facts.read.encoding == "cp1252"
    assert facts.columns[0].name == letters.split(",")[0]
    assert "gb18030" in facts.guesses[0].instead


def test_a_decision_rests_on_every_row(tmp_path: Path) -> None:
    rows = "".join(f"{day}/{month}/2026\n" for month in range(1, 13) for day in range(1, 13)) * 20
    facts = seen(tmp_path, f"d\n{rows}12/31/2026\n")
    assert facts.read.dates == "%m/%d/%Y"
    assert not facts.guesses[0].instead


def test_times(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "created_at": [1767600000, 1767686400, None],
            "event_date": [20260105, 20260106, 20260107],
            "year": [2026] * 3,
            "month": [1] * 3,
            "day": [5, 6, 7],
            "code": [1767600000, 2, 3],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    facts = look(Read("t.parquet", tmp_path))
    assert {time.columns: time.how for time in facts.times} == {
        ("created_at",): How.SECONDS,
        ("event_date",): How.DIGITS,
        ("year", "month", "day"): How.PARTS,
    }
    assert all(str(time.first)[:10] == "2026-01-05" for time in facts.times)


def test_distinct_rows_are_counted_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from smartkpi.sources import look_keys

    frame = pl.LazyFrame({"a": [*range(50), 7], "b": [0] * 51})
    for at_once in (1_000, 10):
        monkeypatch.setattr(look_keys, "AT_ONCE", at_once)
        assert count_distinct(frame, ("a", "b"), 51) == 50
        assert not is_unique(frame, ("a",), 51)
        assert is_unique(frame.head(50), ("a",), 50)
