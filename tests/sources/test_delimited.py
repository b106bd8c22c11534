"""Rows of csv files: typed over all rows; none dropped, none nulled in silence (traps 22)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from smartkpi.language.types import BOOLEAN, DATE, NUMBER, TEXT, TIME, UNKNOWN, WHOLE
from smartkpi.sources import delimited, infer
from tests.sources.test_files import opened, refused, write


def column(tmp_path: Path, *values: str, **options: Any) -> tuple[Any, list[Any]]:
    write(tmp_path / "c.csv", "n,v\n" + "".join(f"1,{value}\n" for value in values))
    table = opened(tmp_path, "c.csv", **options)
    return table.schema["v"], table.frame.collect()["v"].to_list()


TYPED: list[tuple[tuple[str, ...], Any, list[Any]]] = [
    (("1", "-2", "", "+3"), WHOLE, [1, -2, None, 3]),
    (("1", "2.5", "1e3"), NUMBER, [1.0, 2.5, 1000.0]),
    ((" 1", "2 "), WHOLE, [1, 2]),
    ((" 1.5", "2 "), NUMBER, [1.5, 2.0]),
    (("007", "12"), TEXT, ["007", "12"]),
    (("12345678901234567890", "1"), TEXT, ["12345678901234567890", "1"]),
    (("1", "x"), TEXT, ["1", "x"]),
    (("true", "FALSE", ""), BOOLEAN, [True, False, None]),
    (("2026-01-05", "2026-02-28"), DATE, [date(2026, 1, 5), date(2026, 2, 28)]),
    (("2026-01-05", "2026-02-30"), TEXT, ["2026-01-05", "2026-02-30"]),
    (
        ("2026-01-05T10:00:00", "2026-01-05T10:00:00.25"),
        TIME,
        [datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 10, 0, 0, 250000)],
    ),
    (("2026-01-05 10:00:00",), TIME, [datetime(2026, 1, 5, 10)]),
    (("2026-01-05 10:00",), TIME, [datetime(2026, 1, 5, 10)]),
    (
        ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00+02:00"),
        TIME,
        [datetime(2026, 1, 5, 10, tzinfo=UTC), datetime(2026, 1, 5, 8, tzinfo=UTC)],
    ),
    (("2026-01-05 10:00:00 UTC",), TIME, [datetime(2026, 1, 5, 10, tzinfo=UTC)]),
    (("", ""), UNKNOWN, [None, None]),
    (('""', "a"), TEXT, [None, "a"]),
    (('""', "5"), WHOLE, [None, 5]),
    (('"a,b"', '"say ""hi"""'), TEXT, ["a,b", 'say "hi"']),
]  # fmt: skip


@pytest.mark.parametrize(("values", "type_", "wanted"), TYPED)
@pytest.mark.parametrize("small", [True, False])
def test_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool, values: Any, type_: Any, wanted: Any
) -> None:
    monkeypatch.setattr(delimited, "SMALL", 10**9 if small else 0)
    assert column(tmp_path, *values) == (type_, wanted)


@pytest.mark.parametrize(("late", "type_"), [("2.5", NUMBER), ("x", TEXT), ("01", TEXT), ("9" * 30, TEXT)])
def test_a_late_row_never_fails(tmp_path: Path, late: str, type_: Any) -> None:
    found, values = column(tmp_path, *["7"] * 3000, late)
    assert found == type_
    assert len(values) == 3001
    assert None not in values


def test_a_late_first_value_is_seen(tmp_path: Path) -> None:
    assert column(tmp_path, *[""] * (infer.EVIDENCE + 5), "2026-01-05")[0] == DATE


def test_stated_dates_and_nulls(tmp_path: Path) -> None:
    found = column(tmp_path, "1.08.2019", "31.12.2019", "-", dates="%d.%m.%Y", nulls=("-", "N/A"))
    assert found == (DATE, [date(2019, 8, 1), date(2019, 12, 31), None])
    timed = column(tmp_path, "1.08.2019 07:30", dates="%d.%m.%Y %H:%M")
    assert timed == (TIME, [datetime(2019, 8, 1, 7, 30)])
    assert column(tmp_path, "1.08.2019", "32.1.2019", dates="%d.%m.%Y")[0] == TEXT


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_line_ends_and_bom(tmp_path: Path, separator: str, end: str) -> None:
    lines = [separator.join(cells) for cells in (("a b", "c"), ("1", "x"), ("2", "ü"))]
    write(tmp_path / "c.csv", b"\xef\xbb\xbf" + (end.join(lines) + end).encode())
    assert opened(tmp_path, "c.csv").frame.collect().rows(named=True) == [{"a b": 1, "c": "x"}, {"a b": 2, "c": "ü"}]


def test_a_stated_separator_wins(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "a,b,c;d\n1;2\n")
    assert opened(tmp_path, "c.csv", separator=";").frame.collect().rows(named=True) == [{"a,b,c": 1, "d": 2}]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "a,b\n1,x\n\n2,y\n\n\n")
    table = opened(tmp_path, "c.csv")
    assert table.frame.collect().rows() == [(1, "x"), (2, "y")]
    assert table.rows_hint == 2


def test_files_of_one_dataset_have_one_schema(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "a,b\n1,1\n")
    write(tmp_path / "2.csv", "b;a\nx;2.5\n")
    write(tmp_path / "3.csv", "a,c\n1,1\n")
    assert refused(tmp_path, "[13].csv")[0] == "unequal-columns"
    write(tmp_path / "2.csv", "b,a\nx,2.5\n")
    assert opened(tmp_path, "[12].csv").frame.collect().rows() == [(1.0, "1"), (2.5, "x")]


BAD: list[tuple[str | bytes, str, str]] = [
    ("a,b\n1,2\n3\n", "bad-rows", "line 3 of `c.csv` has 1 field, its header 2"),
    ("a,b\n1,2\n3,4,5\n", "bad-rows", "line 3 of `c.csv` has 3 fields, its header 2"),
    ('a,b\n1,"x\ny"\n3\n', "bad-rows", "line 4 of `c.csv` has 1 field, its header 2"),
    ('a,b\n1,2\n1,"2\n3,4\n', "bad-rows", "line 3 of `c.csv` has a quote that is not closed, or text follows it"),
    ('a,b\n1,"2" inch\n', "bad-rows", "line 2 of `c.csv` has a quote that is not closed, or text follows it"),
    ("a,a\n1,2\n", "bad-rows", "`c.csv` has `a` twice in its header"),
    ("", "empty-file", "`c.csv` has no header line"),
    ("a,b\n1,é\n".encode("latin-1"), "bad-encoding", "line 2 of `c.csv` is not UTF-8 text"),
    ('a,b\n1,"é"\n'.encode("latin-1"), "bad-encoding", "line 2 of `c.csv` is not UTF-8 text"),
    ("a,b\n1,2\n".encode("utf-16"), "bad-encoding", "`c.csv` is not UTF-8 text"),
    (b"a,b\r1,2\r", "bad-rows", "the lines of `c.csv` end in CR alone"),
]


@pytest.mark.parametrize(("text", "code", "message"), BAD)
def test_bad_rows_are_errors(tmp_path: Path, text: str | bytes, code: str, message: str) -> None:
    write(tmp_path / "c.csv", text)
    assert refused(tmp_path, "c.csv")[:2] == (code, message)


def test_no_row_gets_lost_to_a_stray_quote(tmp_path: Path) -> None:
    lines = ["a,b"] + [f"{n},x" for n in range(500)]
    lines[250] = '249,5" pipe'
    write(tmp_path / "c.csv", "\n".join(lines) + "\n")
    try:
        assert opened(tmp_path, "c.csv").frame.collect().height == 500
    except Exception as error:  # noqa: BLE001
        assert "bad-rows" in str(error)


def test_unnamed_columns_go_by_their_place(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", ",a,\n0,1,\n")
    assert opened(tmp_path, "c.csv").frame.collect().columns == ["column_1", "a", "column_3"]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    assert column(tmp_path, "1")[0] == WHOLE
    assert column(tmp_path, "one")[0] == TEXT


def test_header_alone(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "a,b\n")
    table = opened(tmp_path, "c.csv")
    assert table.frame.collect().height == 0
    assert table.schema == {"a": UNKNOWN, "b": UNKNOWN}


def test_the_daily_funnel(shared_data: Path) -> None:
    table = opened(shared_data / "ad_campaigns", "*_group.csv", dates="%d.%m.%Y")
    assert table.schema["Date"] == DATE
    assert {str(type_) for name, type_ in table.schema.items() if name.startswith("#")} == {"number"}
    frame = table.frame.collect()
    assert frame.height == 60
    assert frame["Date"].min() == date(2019, 8, 1)
    assert frame["# of Impressions"].null_count() == 1
    assert frame.schema["# of Impressions"] == pl.Int64
