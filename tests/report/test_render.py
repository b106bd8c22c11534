from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import polars as pl
import pytest

import smartkpi
from smartkpi.report import html, render
from smartkpi.report.render import FORMATS, write_whole
from smartkpi.report.style import Style, cells, fold, plain
from smartkpi.resources import find
from smartkpi.result import Result, arrange
from tests.report import sample

SAMPLES = [
    sample.scorecard,
    sample.mixed_periods,
    sample.segments,
    sample.series,
    sample.series_by,
    sample.hours,
    sample.empty,
]


@pytest.mark.parametrize("make", SAMPLES)
def test_json_keeps_its_schema(make: Callable[[], Result]) -> None:
    schema = json.loads((find("schemas") / "result.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(FORMATS["json"](make(), Style())), schema)


@pytest.mark.parametrize("make", SAMPLES)
@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, None])
def test_no_width_cuts_a_digit(make: Callable[[], Result], width: int | None) -> None:
    whole = FORMATS["table"](make(), Style())
    narrow = FORMATS["table"](make(), Style(width))
    assert isinstance(whole, str)
    assert isinstance(narrow, str)
    numbers = [word for word in narrow.replace("*", " ").split() if any(c.isdigit() for c in word)]
    known = whole.replace("*", " ").split()
    assert all(number in known for number in numbers)
    values = make().frame["value"].drop_nulls()
    assert len(numbers) >= len(values)


@pytest.mark.parametrize("make", SAMPLES)
def test_ascii_is_ascii_but_for_the_data(make: Callable[[], Result]) -> None:
    text = FORMATS["table"](make(), Style(unicode=False))
    assert isinstance(text, str)
    assert text.replace("中国", "").isascii()


@pytest.mark.parametrize("make", [sample.scorecard, sample.segments, sample.series])
def test_chinese_labels_align(make: Callable[[], Result]) -> None:
    text = FORMATS["table"](make(), Style(lang="zh"))
    assert isinstance(text, str)
    lines = text.split("\n")
    rule = next(line for line in lines if line.startswith("─"))
    body = lines[lines.index(rule) + 1 : lines.index("", lines.index(rule))]
    title = "转化率" if make is sample.series else "数值"
    header = lines[lines.index(rule) - 1]
    right = cells(header[: header.index(title) + len(title)])
    for line in body:
        taken = 0
        for i, character in enumerate(line):
            if taken == right:
                assert character in " *", line
                break
            taken += cells(character)
            assert taken <= right or i == 0, line


def test_csv_is_safe_in_a_spreadsheet() -> None:
    text = FORMATS["csv"](sample.segments(), Style())
    assert isinstance(text, str)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["country"] for row in rows} == {"BR", "中国", "'=EVIL()", ""}


def test_csv_keeps_numbers_whole() -> None:
    found = sample.result(
        [
            sample.row("revenue", sample.AS_OF.date().replace(day=1), -0.1),
            sample.row("orders", sample.AS_OF.date().replace(day=1), 1 / 3),
        ]
    )
    rows = list(csv.DictReader(io.StringIO(str(FORMATS["csv"](found, Style())))))
    assert [(row["value"], row["money"]) for row in rows] == [("-0.1", "-0.1"), ("0.3333333333333333", "")]


def test_parquet_is_the_tidy_frame() -> None:
    found = sample.series()
    content = FORMATS["parquet"](found, Style())
    assert isinstance(content, bytes)
    assert pl.read_parquet(io.BytesIO(content)).equals(found.frame)
    assert json.loads(pl.read_parquet_metadata(io.BytesIO(content))["smartkpi"])["scans"] == 1


def test_html_escapes_everything() -> None:
    evil = sample.result(
        [sample.row("orders", sample.AS_OF.date().replace(day=1), 1.0, country="<script>alert(1)</script>")],
        by=("country",),
    )
    assert "<script>" not in html.render(evil, Style())
    assert "<script>" not in str(FORMATS["markdown"](evil, Style()))


def test_data_cannot_steer_the_terminal() -> None:
    evil = sample.result(
        [sample.row("orders", sample.AS_OF.date().replace(day=1), 1.0, country="a\x1b[2J\nb")], by=("country",)
    )
    text = str(FORMATS["table"](evil, Style()))
    assert "\x1b" not in text
    assert "a\N{REPLACEMENT CHARACTER}[2J b" in text


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"
    write_whole(path, b"old")
    path.chmod(0o640)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(render.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_order_and_limit() -> None:
    found = sample.series_by()
    top = arrange(found, ("-value",), 1)
    assert top.frame.select("kpi", "value").rows() == [("orders", 1800.0), ("revenue", 24691.356)]
    last = arrange(found, ("country",), None).frame.filter(pl.col("kpi") == "orders")
    assert last["country"].to_list() == ["BR", "BR", "US", "US", None, None]
    both = arrange(found, ("-kpi", "value"), None).frame
    assert both["kpi"].to_list() == sorted(both["kpi"].to_list(), reverse=True)


def test_order_of_a_scorecard_is_that_of_its_kpis() -> None:
    found = arrange(sample.scorecard(), ("-value",), 2)
    assert found.frame["kpi"].to_list() == ["revenue", "delivery_time"]
    assert set(found.trend["kpi"]) == {"revenue", "delivery_time"}
    for made in (sample.scorecard, sample.series_by):
        assert len(arrange(made(), (), 10**30)) == len(made())


def test_wide() -> None:
    assert sample.series().wide().columns == ["grain", "start", "end", "conversion_rate", "revenue", "orders"]
    assert sample.series_by().wide().shape == (6, 6)
    assert sample.empty().wide().is_empty()


def test_wide_where_a_kpi_is_called_like_a_dimension() -> None:
    found = sample.series_by()
    (dimension,) = found.by
    frame = found.frame.with_columns(pl.col("kpi").replace({"revenue": dimension}))
    wide = replace(found, frame=frame).wide()
    assert wide.columns[3:] == [dimension, "orders", f"{dimension} (KPI)"]
    assert wide[f"{dimension} (KPI)"].equals(found.wide()["revenue"], check_names=False)


def test_a_result_shows_itself() -> None:
    found = sample.series()
    assert "shape: (12" in repr(found)
    assert found._repr_html_().startswith("<pre>")
    assert len(found) == 12
    assert found.to_dicts()[0]["kpi"] == "conversion_rate"
    assert "value" in found.columns


def test_texts() -> None:
    assert fold("Time from order to delivery", 12) == ["Time from", "order to", "delivery"]
    assert fold("从下单到送达", 6) == ["从下单", "到送达"]
    assert fold("", 5) == [""]
    assert plain("a\tb\x07") == "a b\N{REPLACEMENT CHARACTER}"
    assert cells("e\u0301转") == 3


def test_a_value_over_rows_without_time_is_not_of_the_month_beside_it() -> None:
    events = {"sale": "all rows"}
    written = {
        "datasets": {"dated": {"time": "day", "events": events}, "ads": {"time": "none", "events": {"ad": "all rows"}}},
        "kpis": {"sales": "sale", "ads": "ad"},
    }
    days = pl.DataFrame({"day": [date(2026, 1, 1), date(2026, 1, 31)]})
    project = smartkpi.load(written, data={"dated": days, "ads": pl.DataFrame({"ad": [1, 2, 3]})})
    assert ["ads", "all", "3"] in [line.split()[:3] for line in str(project.run()).splitlines()]
    assert "all" not in str(project.run("ads"))
