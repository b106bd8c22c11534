"""Bad rows: an error, or borne up to a stated share, counted and shown; damage is named by file and line."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.diagnostics import Diagnostic
from smartkpi.report.json import provenance_data
from smartkpi.result import Result
from smartkpi.sources import tables

HEAD = "ts,country,amount\n"
GOOD = [f"2026-01-{day:02},c{day % 3},{day}.5\n" for day in range(1, 29)] * 40
EVENTS = {"order": "all rows"}
KPIS = {"orders": "order", "revenue": "sum(order.amount)"}


def project(path: Path | str, skip: str | None = None, **read: Any) -> smartkpi.Project:
    """Return a project over one file, that bears a share of bad rows."""
    dataset: dict[str, Any] = {"read": {"path": str(path), **read}, "time": "ts", "events": EVENTS}
    if skip:
        dataset["on_bad_rows"] = {"skip": skip}
    return smartkpi.load({"datasets": {"log": dataset}, "kpis": KPIS})


def refused(one: smartkpi.Project) -> Diagnostic:
    """Return the error with which a project cannot be run."""
    with pytest.raises(smartkpi.KpiError) as caught:
        one.run(grain="all")
    return caught.value.diagnostics[0]


def values(result: Result) -> list[float | None]:
    return result.frame["value"].to_list()


BAD = [
    ("2026-01-05,BR\n", "has 2 fields, its header 3"),
    ("2026-01-05,BR,1,2,3\n", "has 5 fields, its header 3"),
    ('2026-01-05,"BR,1\n', "has a quote that is not closed, or text follows it"),
    ('2026-01-05,"BR" x,1\n', "has a quote that is not closed, or text follows it"),
    ('2026-01-05,5" pipe,1\n', "has a quote that is not closed, or text follows it"),
    ('2026-01-05,a"b,c"d,1\n', "has a quote that is not closed, or text follows it"),
    ("2026-01-05,B\0R,1\n", "has a NUL byte"),
    ("2026-01-05,BR,1\r2026-01-06,DE,2\n", "has a carriage return in the middle"),
    (HEAD, "repeats the header: two files were put behind one another"),
    (f"\ufeff{HEAD}", "repeats the header: two files were put behind one another"),
    ("\ufeff2026-01-05,BR,1\n", "begins with a byte order mark: two files were put behind one another"),
]


@pytest.mark.parametrize(("line", "why"), BAD)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_bad_row_is_an_error_or_counted(tmp_path: Path, line: str, why: str, quoted: bool) -> None:
    path = tmp_path / "e.csv"
    good = [*GOOD[:600], '2026-01-05,"B ""R"",\nx",1\n', *GOOD[600:]] if quoted else GOOD
    path.write_text(HEAD + "".join([*good[:700], line, *good[700:]]), encoding="utf-8", newline="")
    number = 702 + quoted
    error = refused(project(path))
    assert (error.code, error.message) == ("bad-rows", f"line {number} of `e.csv` {why}")
    result = project(path, "0.1%").run(grain="all")
    path.write_text(HEAD + "".join(good), encoding="utf-8", newline="")
    whole = project(path).run(grain="all")
    assert values(result) == values(whole)
    facts = result.provenance.datasets["log"]
    assert facts["left_out"] == {"bad_row": 1}
    assert facts["rows"] == len(good) + 1
    (sample,) = facts["bad_rows"]
    assert (sample["file"], sample["line"], sample["why"]) == ("e.csv", number, why)
    assert json.dumps(provenance_data(result.provenance))
    (note,) = [one for one in result.diagnostics if one.code == "bad-rows"]
    assert f"leaves out 1 bad row of {len(good) + 1:,}" in note.message
    assert f"line {number} of `e.csv` {why}" in note.message
    assert "bad_rows" not in whole.provenance.datasets["log"]


def test_lines_of_other_encodings_are_named_and_can_be_borne(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    rows = [line.encode() for line in GOOD]
    path.write_bytes(HEAD.encode() + b"".join([*rows[:50], "2026-01-05,São,1\n".encode("latin-1"), *rows[50:]]))
    error = refused(project(path))
    assert (error.code, error.message) == ("bad-encoding", "line 52 of `e.csv` is not UTF-8 text")
    result = project(path, "0.1%").run(grain="all")
    assert values(result)[0] == len(GOOD)
    assert result.provenance.datasets["log"]["bad_rows"][0]["text"] == "2026-01-05,S\N{REPLACEMENT CHARACTER}o,1"


def test_more_than_is_borne_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    lines = [*GOOD[:500], "x\n", "y\n", *GOOD[500:]]
    path.write_text(HEAD + "".join(lines), encoding="utf-8")
    error = refused(project(path, "0.1%"))
    assert error.code == "bad-rows"
    assert error.message.startswith("more than 0.1% of the rows are bad: line 503 of `e.csv` has 1 field")
    assert values(project(path, "0.2%").run(grain="all"))[0] == len(GOOD)


def test_one_stray_quote_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    lines = list(GOOD)
    for place in (100, 101, 400, 700):
        lines.insert(place, f'2026-01-05,"stray {place},1\n')
    path.write_text(HEAD + "".join(lines), encoding="utf-8")
    result = project(path, "1%").run(grain="all")
    assert values(result)[0] == len(GOOD)
    assert result.provenance.datasets["log"]["left_out"] == {"bad_row": 4}


def test_a_header_is_never_borne(tmp_path: Path) -> None:
    for head in (b"ts,country\0,amount\n", b"ts,country,amount\rx\n", "ts,país,amount\n".encode("latin-1")):
        (tmp_path / "e.csv").write_bytes(head + "".join(GOOD).encode())
        assert refused(project(tmp_path / "e.csv", "50%")).code in ("bad-rows", "bad-encoding")


def test_several_files_share_what_is_borne(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(HEAD + "".join(GOOD) + f"bad {name}\n", encoding="utf-8")
    result = project(tmp_path / "*.csv", "0.1%").run(grain="all")
    assert [row["file"] for row in result.provenance.datasets["log"]["bad_rows"]] == ["a.csv", "b.csv"]
    assert refused(project(tmp_path / "*.csv", "0.05%")).code == "bad-rows"


def test_samples_of_many(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(HEAD + "".join(GOOD) + "bad\n" * 9, encoding="utf-8")
    result = project(path, "5%").run(grain="all")
    assert len(result.provenance.datasets["log"]["bad_rows"]) == 5
    (note,) = [one for one in result.diagnostics if one.code == "bad-rows"]
    assert note.notes[-1].message == "and 4 more"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"ts": "2026-01-05", "amount": 1\n', "is no JSON"),
        (b"[1, 2]\n", "is no object"),
        (b'{"ts": "2026-01-05", "amount": NaN}\n', "has `NaN`, which is no value of JSON"),
        (b'{"ts": "2026-01-05", "ts": "2026-01-06"}\n', "has a key twice"),
        (b'{"ts": "2026-01-05", "c": "\xe9"}\n', "is not UTF-8 text"),
        (b'{"ts": "2026-01-05", "amount": 1' + b"0" * 5000 + b"}\n", "is no JSON"),
        (b"[" * 100_000 + b"\n", "is no JSON"),
    ],
)
def test_bad_lines_of_ndjson(tmp_path: Path, line: bytes, why: str) -> None:
    path = tmp_path / "e.ndjson"
    good = [b'{"ts": "2026-01-05", "amount": 1.5}\n'] * 1000
    path.write_bytes(b"".join([*good[:300], line, *good[300:]]))
    assert refused(project(path)).message.startswith("line 301 of `e.ndjson`")
    result = project(path, "0.1%").run(grain="all")
    assert values(result) == [1000, 1500]
    assert result.provenance.datasets["log"]["bad_rows"][0]["why"] == why


@pytest.mark.parametrize("skip", ["100%", "-1%", "5", "some", "0.1 %%"])
def test_what_is_no_share(skip: str) -> None:
    report = project("e.csv", skip).check()
    assert [one.code for one in report.diagnostics] == ["bad-value", "depends-on-broken", "depends-on-broken"]


def test_fail_is_the_default_and_nothing_else(tmp_path: Path) -> None:
    dataset = {"read": "e.csv", "time": "ts", "events": EVENTS}
    assert smartkpi.load({"datasets": {"log": {**dataset, "on_bad_rows": "fail"}}, "kpis": KPIS}).check().ok
    report = smartkpi.load({"datasets": {"log": {**dataset, "on_bad_rows": "skip"}}, "kpis": KPIS}).check()
    assert report.diagnostics[0].hint == "write `fail`, or `{skip: 0.1%}`"


def test_utf_16_without_a_mark_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    for order in ("le", "be"):
        path.write_bytes((HEAD + "".join(GOOD)).encode(f"utf-16-{order}"))
        error = refused(project(path))
        assert error.code == "bad-encoding"
        assert f"`encoding: utf-16-{order}`" in error.hint
        assert values(project(path, encoding=f"utf-16-{order}").run(grain="all"))[0] == len(GOOD)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.parquet"
    frame = pl.DataFrame({"ts": [datetime(2026, 1, 5, tzinfo=UTC)], "amount": [1.5]})
    frame.write_parquet(path)
    one = project(path)
    assert values(one.run(grain="all")) == [1, 1.5]
    opening = tables.open_columnar

    def grow(*args: Any, **kwargs: Any) -> Any:
        rows = opening(*args, **kwargs)
        os.utime(path, ns=(1, 1))
        return rows

    monkeypatch.setitem(tables.READERS, "parquet", lambda read, files: grow(read, files, format_="parquet"))
    error = refused(one)
    assert (error.code, error.message) == ("unreadable-data", "`e.parquet` changed while it was read")


def test_one_damaged_file_of_many_is_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"ts": [datetime(2026, 1, 5, tzinfo=UTC)] * 5000, "amount": [n / 7 for n in range(5000)]})
    for name in "abc":
        frame.write_parquet(tmp_path / f"{name}.parquet", compression="lz4")
    path = tmp_path / "b.parquet"
    content = bytearray(path.read_bytes())
    content[100:2000] = bytes(1900)
    path.write_bytes(content)
    error = refused(project(tmp_path / "*.parquet"))
    assert error.code == "unreadable-data"
    assert error.message == "`b.parquet` cannot be read"
