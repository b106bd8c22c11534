"""How files are written: encodings, title lines, footers, decimal commas, thousands, percent, money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartkpi.language.types import NUMBER, TEXT, WHOLE, Kind
from tests.sources.test_files import opened, refused, write


def values(tmp_path: Path, *texts: str, **options: Any) -> tuple[Any, list[Any]]:
    write(tmp_path / "c.csv", "n\tv\n" + "".join(f"1\t{text}\n" for text in texts))
    table = opened(tmp_path, "c.csv", separator="\t", **options)
    return table.schema["v"], table.frame.collect()["v"].to_list()


@pytest.mark.parametrize(
    ("options", "texts", "type", "expected"),
    [
        ({"thousands": ","}, ("2,146", "1,582,000", "7", ""), WHOLE, [2146, 1582000, 7, None]),
        ({"thousands": ","}, ("2,146.50", "-3", "+1,000"), NUMBER, [2146.5, -3.0, 1000.0]),
        ({"thousands": ","}, ("21,46", "1"), TEXT, ["21,46", "1"]),
        ({"thousands": ","}, ("2146,000", "1"), TEXT, ["2146,000", "1"]),
        ({"thousands": ","}, ("0,146", "1"), TEXT, ["0,146", "1"]),
        ({"thousands": ","}, ("007", "1,000"), TEXT, ["007", "1,000"]),
        ({"decimal": ","}, ("1,5", "-2", "3,"), NUMBER, [1.5, -2.0, 3.0]),
        ({"decimal": ","}, ("1.234", "2"), TEXT, ["1.234", "2"]),
        ({"decimal": ",", "thousands": "."}, ("1.234", "2"), WHOLE, [1234, 2]),
        ({"decimal": ",", "thousands": "."}, ("1.234,5", "2"), NUMBER, [1234.5, 2.0]),
        ({"decimal": ",", "thousands": " "}, ("1 234,5", "1\u00a0000", "1\u202f000"), NUMBER, [1234.5, 1000.0, 1000.0]),
        ({"thousands": "'"}, ("1'234.5", "2"), NUMBER, [1234.5, 2.0]),
        ({"decimal": ".", "thousands": ","}, ("1.234", "2"), NUMBER, [1.234, 2.0]),
        ({}, ("2,146", "7"), TEXT, ["2,146", "7"]),
        ({}, ("1.234", "2"), NUMBER, [1.234, 2.0]),
        ({}, ("1.23%", "50 %", "-3%", ""), NUMBER, [0.0123, 0.5, -0.03, None]),
        ({}, ("1.23%", "5"), TEXT, ["1.23%", "5"]),
        ({"decimal": ","}, ("1,5%", "20%"), NUMBER, [0.015, 0.2]),
        ({}, ("1,234%", "5%"), TEXT, ["1,234%", "5%"]),
    ],
)
def test_numbers(tmp_path: Path, options: dict[str, Any], texts: tuple[str, ...], type: Any, expected: Any) -> None:
    assert values(tmp_path, *texts, **options) == (type, expected)


@pytest.mark.parametrize(
    ("options", "texts", "currency", "expected"),
    [
        ({"thousands": ","}, ("US$1,234.50", "US$5", "-US$3", "US$ 2"), "USD", [1234.5, 5.0, -3.0, 2.0]),
        ({"thousands": ".", "decimal": ","}, ("1.234,50 €", "5€", "-3 €"), "EUR", [1234.5, 5.0, -3.0]),
        ({}, ("R$12.5", "R$ 3"), "BRL", [12.5, 3.0]),
        ({}, ("CNY 12.5", "CNY3"), "CNY", [12.5, 3.0]),
        ({}, ("12.5 CHF", "3CHF"), "CHF", [12.5, 3.0]),
        ({}, ("$12.5", "$3"), None, [12.5, 3.0]),
        ({}, ("¥1200", "¥3"), None, [1200.0, 3.0]),
    ],
)
def test_money(
    tmp_path: Path, options: dict[str, Any], texts: tuple[str, ...], currency: str | None, expected: list[float]
) -> None:
    type, found = values(tmp_path, *texts, **options)
    assert (type.kind, type.unit.name, type.unit.currency) == (Kind.NUMBER, "money", currency)
    assert found == expected


@pytest.mark.parametrize(
    "texts", [("US$5", "€5"), ("US$5", "5"), ("US$1,234", "US$5"), ("USD", "EUR"), ("ABC1x", "ABC2")]
)
def test_what_is_not_all_one_money_stays_text(tmp_path: Path, texts: tuple[str, ...]) -> None:
    assert values(tmp_path, *texts) == (TEXT, list(texts))


def test_thousands_beside_decimal_commas_are_not_guessed(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a;b\n1.234;5\n2.500;6\n")
    code, message, hint = refused(tmp_path, "a.csv")
    assert (code, "`a`" in message, "thousands" in hint) == ("ambiguous-number", True, True)
    assert opened(tmp_path, "a.csv", decimal=".").frame.collect()["a"].to_list() == [1.234, 2.5]
    write(tmp_path / "b.csv", 'a,b\n1.234,"5,5"\n2.500,"6,25"\n')
    assert refused(tmp_path, "b.csv")[0] == "ambiguous-number"
    write(tmp_path / "c.csv", "a;b\n1.234;5\n2.5;6\n")
    assert opened(tmp_path, "c.csv").frame.collect()["a"].to_list() == [1.234, 2.5]


TEXT_ROWS = "国家,数量\n中国,5\n日本,7\n"


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "utf-8", "UTF-8-SIG", "shift_jis", "big5"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    rows = TEXT_ROWS.replace("国", "國") if encoding == "big5" else TEXT_ROWS
    if encoding in ("shift_jis", "big5"):
        rows = rows.replace("数", "數") if encoding == "big5" else rows
    write(tmp_path / "a.csv", rows.encode(encoding))
    found = opened(tmp_path, "a.csv", encoding=encoding).frame.collect()
    assert found.rows() == [(rows.split("\n")[1].split(",")[0], 5), ("日本", 7)]


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", TEXT_ROWS.encode("gb18030"))
    assert refused(tmp_path, "a.csv")[0] == "bad-encoding"
    assert refused(tmp_path, "a.csv", encoding="shift_jis")[0] == "bad-encoding"
    write(tmp_path / "b.csv", "a,b\n“x”,5\n".encode("cp1252"))
    code, _, hint = refused(tmp_path, "b.csv", encoding="latin-1")
    assert (code, "cp1252" in hint) == ("bad-encoding", True)
    assert opened(tmp_path, "b.csv", encoding="cp1252").frame.collect()["a"].to_list() == ["“x”"]
    write(tmp_path / "c.csv", "a,b\nx,5\n".encode("utf-16-le"))
    assert refused(tmp_path, "c.csv", encoding="utf-16") == (
        "bad-encoding", "`c.csv` does not say the order of its bytes", "write `encoding: utf-16-le` or `utf-16-be`",
    )  # fmt: skip


TITLED = "Report of the shop\nmade 2026-02-01; all, of it\n\nday,n\n2026-01-01,5\n2026-01-02,7\nTotal,12\n\n\n"


def test_title_lines_and_a_footer(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", TITLED)
    table = opened(tmp_path, "a.csv", skip_rows=3, skip_footer=1)
    assert (table.rows_hint, table.frame.collect()["n"].to_list()) == (2, [5, 7])
    assert opened(tmp_path, "a.csv", skip_rows=3).frame.collect()["day"].to_list()[-1] == "Total"


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", TITLED.replace("2026-01-02,7", "2026-01-02,7,8"))
    assert refused(tmp_path, "a.csv", skip_rows=3, skip_footer=1)[1] == "line 6 of `a.csv` has 3 fields, its header 2"


def test_a_file_that_is_skipped_whole(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", TITLED)
    assert refused(tmp_path, "a.csv", skip_rows=99)[0] == "empty-file"
    assert refused(tmp_path, "a.csv", skip_footer=99)[0] == "empty-file"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "title\nn\n1\n")
    assert opened(tmp_path, "a.csv", skip_rows=1).frame.collect()["n"].to_list() == [1]
    write(tmp_path / "a.csv", "title\nn\n1\n22\n")
    assert opened(tmp_path, "a.csv", skip_rows=1).frame.collect()["n"].to_list() == [1, 22]


def test_options_of_text_are_refused_elsewhere(tmp_path: Path) -> None:
    opened_ = pytest.importorskip("polars").DataFrame({"a": [1]})
    opened_.write_parquet(tmp_path / "a.parquet")
    assert refused(tmp_path, "a.parquet", encoding="gb18030")[0] == "misplaced-option"
