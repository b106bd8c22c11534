"""A look at every value: what is missing, NaN, or makes a column text; the same whatever is asked."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
from click.testing import CliRunner

import smartkpi
from smartkpi.app.cli import main

HEAD = "ts,amount,size,country\n"
ROWS = [f"2026-01-{n % 28 + 1:02},{n}.5,{n},{'BR' if n % 2 else ''}\n" for n in range(200)]


def report(path: Path, *kpis: str) -> smartkpi.Report:
    """Check the data of a project over one file."""
    dataset = {"read": str(path), "time": "ts", "events": {"order": "all rows"}}
    formulas = {f"k{place}": formula for place, formula in enumerate(kpis or ("order",))}
    return smartkpi.load({"datasets": {"log": dataset}, "kpis": formulas}).check(data=True)


def test_facts_of_each_column(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(HEAD + "".join(ROWS) + "2026-01-05,NaN,3,DE\n", encoding="utf-8")
    (table,) = report(tmp_path / "e.csv").tables
    facts = {one.name: (one.type, one.missing, one.not_numbers, one.least, one.largest) for one in table.columns}
    assert facts == {
        "ts": ("Date", 0, 0, "2026-01-01", "2026-01-28"),
        "amount": ("Float64", 0, 1, 0.5, 199.5),
        "size": ("Int64", 0, 0, 0, 199),
        "country": ("String", 100, 0, None, None),
    }
    assert (table.rows, table.files, table.skipped, table.cut) == (201, 1, 0, ())


def test_a_few_values_that_make_a_column_text_are_named_whatever_is_asked(tmp_path: Path) -> None:
    rows = list(ROWS)
    rows[30] = "2026-01-05,ERR,3,DE\n"
    rows[40] = "2026-01-05,1.5,three,DE\n"
    (tmp_path / "e.csv").write_text(HEAD + "".join(rows), encoding="utf-8")
    for kpis in (("order",), ("sum(order.amount)",)):
        notes = [one for one in report(tmp_path / "e.csv", *kpis).diagnostics if one.code == "mixed-values"]
        assert [one.message.partition("is text: ")[2] for one in notes] == [
            "its values are numbers, but 1 of 200 is none, such as `ERR` in row 31",
            "its values are whole numbers, but 1 of 200 is none, such as `three` in row 41",
        ]


def test_a_run_says_why_a_column_is_text_where_that_leaves_a_kpi_out(tmp_path: Path) -> None:
    rows = [*ROWS, "2026-01-05,ERR,3,DE\n"]
    (tmp_path / "e.csv").write_text(HEAD + "".join(rows), encoding="utf-8")
    dataset = {"read": str(tmp_path / "e.csv"), "time": "ts", "events": {"order": "all rows"}}
    one = smartkpi.load({"datasets": {"log": dataset}, "kpis": {"n": "order", "s": "sum(order.amount)"}})
    result = one.run(grain="all")
    assert {"type-mismatch", "mixed-values"} == {found.code for found in result.diagnostics}
    assert "mixed-values" not in {found.code for found in one.run("n", grain="all").diagnostics}


def test_texts_are_no_mixed_values(tmp_path: Path) -> None:
    rows = [f"2026-01-05,{n % 2},{'ab'[n % 2]},{n if n % 3 else 'x'}\n" for n in range(100)]
    (tmp_path / "e.csv").write_text(HEAD + "".join(rows), encoding="utf-8")
    assert report(tmp_path / "e.csv").diagnostics == ()


def test_damage_of_a_column_that_nobody_reads_is_found(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    frame = pl.DataFrame({"ts": [date(2026, 1, 5)] * 5000, "amount": [n / 7 for n in range(5000)]})
    frame.write_parquet(path, compression="lz4")
    content = bytearray(path.read_bytes())
    content[2000:4000] = bytes(2000)
    path.write_bytes(content)
    assert [one.code for one in report(path).diagnostics] == ["unreadable-data"]


def test_the_command_shows_tables(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(HEAD + "".join(ROWS) + "2026-01-05,NaN,3,DE", encoding="utf-8")
    (tmp_path / "kpis.yml").write_text(
        "datasets:\n  log: {read: e.csv, time: ts, events: {order: all rows}}\nkpis: {n: order}\n", encoding="utf-8"
    )
    done = CliRunner().invoke(main, ["check", str(tmp_path / "kpis.yml"), "--data"])
    remarks = "missing: country 100; NaN or infinite: amount 1; no line end at the end of e.csv: cut off?"
    assert done.stdout.splitlines() == [
        "dataset  rows  files  columns  remarks",
        f"log       201      1        4  {remarks}",
        "",
        "no problems: 1 KPI, 1 dataset",
    ]
    shown = json.loads(
        CliRunner().invoke(main, ["check", str(tmp_path / "kpis.yml"), "--data", "--format", "json"]).stdout
    )
    assert shown["tables"][0]["columns"][2] == {
        "name": "size", "type": "Int64", "missing": 0, "not_numbers": 0, "least": 0, "largest": 199,
    }  # fmt: skip


def test_an_error_about_a_text_names_the_value_that_makes_it_one(tmp_path: Path) -> None:
    rows = [f"2026-01-{day:02},{day}.50,{day}" for day in range(1, 29)]
    rows[8] = "2026-01-09,9.5o,n/a"
    (tmp_path / "o.csv").write_text("\n".join(["day,amount,pieces", *rows, ""]), encoding="utf-8")
    fields = {"total": {"is": "amount * 2", "unit": "money"}, "count_of": {"column": "pieces"}}
    project = {
        "datasets": {
            "o": {"read": str(tmp_path / "o.csv"), "time": "day", "fields": fields, "events": {"e": "all rows"}}
        },
        "kpis": {"a": "sum(e.amount)", "b": "count(e where pieces > 3)", "c": "sum(e.count_of)", "d": "sum(e.total)"},
    }
    found = smartkpi.load(project, allow=tmp_path).check(data=True).diagnostics
    wrong = {
        one.span.source.text[one.span.start : one.span.end]: one
        for one in found
        if one.code == "type-mismatch" and one.span
    }
    for name, cause in {"amount": "`9.5o` in row 9", "3": "`n/a` in row 9", "count_of": "`n/a` in row 9"}.items():
        assert wrong[name].hint == ""
        assert cause in wrong[name].notes[-2].message
        assert "nulls: [" in wrong[name].notes[-1].message
    assert len(wrong) == 3
