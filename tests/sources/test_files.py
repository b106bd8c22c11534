"""Which files a dataset reads."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language.types import NUMBER, TEXT, WHOLE
from smartkpi.sources.tables import Table, open_table, open_tables
from smartkpi.spec.model import Catalog
from tests.engines.build import SPAN, read


def opened(tmp_path: Path, path: str, **options: Any) -> Table:
    return open_table(read(path, tmp_path, **options))


def refused(tmp_path: Path, path: str, **options: Any) -> tuple[str, str, str]:
    with pytest.raises(KpiError) as caught:
        opened(tmp_path, path, **options)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span == SPAN
    assert diagnostic.subject == "dataset:log"
    return diagnostic.code, diagnostic.message, diagnostic.hint


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_missing_files_have_near_names(tmp_path: Path) -> None:
    write(tmp_path / "data" / "orders.csv", "a\n1\n")
    assert refused(tmp_path, "data/order.csv") == (
        "no-file", "there is no file `data/order.csv`", "did you mean `orders.csv`?",
    )  # fmt: skip
    assert refused(tmp_path, "dat/orders.csv")[2] == "did you mean `data`?"
    assert refused(tmp_path, "data/x*.csv")[1] == "no file matches `data/x*.csv`"
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path, "empty")[1] == "the folder `empty` has no csv, tsv, ndjson, parquet or arrow file"


def test_a_link_that_leads_nowhere_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").symlink_to("gone.csv")
    assert refused(tmp_path, "orders.csv") == (
        "no-file", "there is no file `orders.csv`: `orders.csv` is a link that leads nowhere", "it leads to `gone.csv`",
    )  # fmt: skip


def test_globs_and_folders_read_all_files(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", "k,x\n1,2\n")
    write(tmp_path / "in" / "deep" / "b.csv", "x,k\n5,3\n")
    write(tmp_path / "in" / ".hidden" / "c.csv", "x\n5\n")
    for path in ("in", "in/**/[ab].csv", str(tmp_path / "in" / "**" / "[ab].csv")):
        table = opened(tmp_path, path)
        assert sorted(table.frame.collect().rows()) == [(1, 2), (3, 5)]
        assert table.rows_hint == 2


def test_formats(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", "k\n1\n")
    write(tmp_path / "in" / "a.tsv", "k\tx\n1\ta,b\n")
    write(tmp_path / "b.log", "k|x\n1|2\n")
    assert refused(tmp_path, "in")[0] == "mixed-formats"
    assert opened(tmp_path, "in", format="tsv").frame.collect().rows() == [(1, "a,b")]
    assert refused(tmp_path, "b.log")[0] == "unknown-format"
    assert opened(tmp_path, "b.log", format="csv").frame.collect().rows() == [(1, 2)]
    assert refused(tmp_path, "https://example.com/a.csv")[0] == "not-yet"


def test_parquet_files_get_one_schema(tmp_path: Path) -> None:
    pl.DataFrame({"a": pl.Series([1], dtype=pl.Int8), "b": ["x"], "c": [None]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"b": [5], "a": [0.5], "c": ["y"]}).write_parquet(tmp_path / "2.parquet")
    table = opened(tmp_path, "*.parquet")
    assert dict(table.schema) == {"a": NUMBER, "b": TEXT, "c": TEXT}
    assert table.frame.collect().rows() == [(1.0, "x", None), (0.5, "5", "y")]
    pl.DataFrame({"b": [5], "d": [0.5], "c": ["y"]}).write_parquet(tmp_path / "3.parquet")
    code, message, _ = refused(tmp_path, "*.parquet")
    assert (code, message) == (
        "unequal-columns",
        "the files have different columns: `3.parquet` lacks `a` and has `d` more than `1.parquet`",
    )


def test_exact_numbers_stay_exact_over_files(tmp_path: Path) -> None:
    kinds = {"a": pl.Decimal(20, 2), "b": pl.Int64(), "c": pl.Decimal(12, 7)}
    for name, kind in kinds.items():
        pl.DataFrame({"x": [3], "wide": [3]}, schema={"x": kind, "wide": kind}).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    big = {"x": [Decimal("90071992547409.93")], "wide": [1]}
    pl.DataFrame(big, schema={"x": kinds["a"], "wide": pl.Int128()}).write_parquet(tmp_path / "d.parquet")
    table = opened(tmp_path, "*.parquet")
    assert table.polars == {"x": pl.Decimal(38, 7), "wide": pl.Float64()}
    assert table.frame.collect()["x"].to_list()[-1] == Decimal("90071992547409.93")


def test_unreadable_parquet_names_the_file(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "1.parquet")
    write(tmp_path / "2.parquet", b"PAR1 no such thing PAR1")
    assert refused(tmp_path, "*.parquet")[:2] == ("unreadable-data", "`2.parquet` cannot be read")


def test_all_datasets_and_all_problems(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "k\n1\n")
    datasets = {"a": read("a.csv", tmp_path), "b": read("b.csv", tmp_path)}
    tables, problems = open_tables(Catalog(tmp_path, datasets=datasets), {})
    assert list(tables) == ["a"]
    assert [problem.code for problem in problems] == ["no-file"]
    assert tables["a"].schema == {"k": WHOLE}
