"""Files, folders and plain data as projects."""

from __future__ import annotations

import gc
import os
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.spec.document import read_document
from smartkpi.spec.load import Loaded, load
from smartkpi.spec.nodes import plain
from smartkpi.spec.plain import dump
from tests.spec.reading import load_text, source


def codes(loaded: Loaded) -> list[str]:
    return [d.code for d in loaded.diagnostics]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_folder_is_one_namespace(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "b/kpis.yml": "kpis: {a: order}\n",
            "data.yaml": "datasets: {d: {read: x.csv, time: t, events: {order: all rows}}}\n",
            "b/c/more.yml": "kpis: {b: a}\n",
        },
    )
    loaded = load(tmp_path)
    assert not loaded.diagnostics
    assert list(loaded.catalog.kpis) == ["b", "a"]
    assert loaded.catalog.root == tmp_path
    read = loaded.catalog.datasets["d"].read
    assert read is not None
    assert read.base == tmp_path
    assert len(loaded.catalog.files) == 3


def test_one_name_in_two_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.yml": "kpis: {a: order}\n", "b.yml": "kpis: {a: visit}\n"})
    (problem,) = load(tmp_path).diagnostics
    assert problem.span is not None
    assert problem.notes[0].span is not None
    assert (problem.code, Path(problem.span.source.name).name) == ("duplicate-name", "b.yml")
    assert Path(problem.notes[0].span.source.name).name == "a.yml"


def test_two_calendars(tmp_path: Path) -> None:
    write(tmp_path, {"a.yml": "calendar: {week_start: monday}\n", "b.yml": "calendar: {week_start: sunday}\n"})
    assert codes(load(tmp_path)) == ["duplicate-name"]


def test_other_files_are_passed_over_with_a_note(tmp_path: Path) -> None:
    files = {
        "a.yml": "kpis: {a: order}\n",
        "ci.yml": "jobs: {a: 1}\n",
        "broken.yml": "a: b: c\n",
        "list.yml": "- a\n",
        "empty.yml": "",
        ".hidden.yml": "kpis: {b: order}\n",
        ".github/w.yml": "on: x\n",
        ".venv/readme.txt": "",
        "notes.txt": "kpis:",
    }
    write(tmp_path, files)
    loaded = load(tmp_path)
    assert {(d.code, str(d.severity)) for d in loaded.diagnostics} == {("passed-over", "note")}
    assert len(loaded.diagnostics) == 6
    assert list(loaded.catalog.kpis) == ["a"]


def test_a_file_of_ours_that_is_no_yaml_is_an_error_in_a_folder_too(tmp_path: Path) -> None:
    write(tmp_path, {"a.yml": "kpis: {a: order\n", "b.yml": "kpis: {b: order}\n"})
    loaded = load(tmp_path)
    assert codes(loaded) == ["yaml-bracket"]
    assert list(loaded.catalog.kpis) == ["b"]


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    assert codes(load(tmp_path)) == ["no-definitions"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-project"),
        ("# later\n", "empty-project"),
        ("{}\n", "empty-project"),
        ("- a\n", "wrong-type"),
        ("x\n", "wrong-type"),
        ("a: 1\n", "unknown-key"),
    ],
)
def test_a_file_that_is_no_project(tmp_path: Path, text: str, code: str) -> None:
    assert codes(load_text(tmp_path, text)) == [code]


def test_a_missing_path_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, {"kpis.yml": "kpis: {}\n"})
    (problem,) = load(tmp_path / "kpi.yml").diagnostics
    assert problem.code == "no-such-project"
    assert problem.hint == f"did you mean `{tmp_path / 'kpis.yml'}`?"


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000, "/no/such/folder/kpis.yml"])
def test_strange_paths(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert codes(load(path))[0] in ("no-such-project", "unreadable-file", "no-definitions")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "kpis.yml"
    file.write_text("kpis: {}\n")
    file.chmod(0)
    assert codes(load(file)) == ["unreadable-file"]


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "kpis.yml"
    file.write_text("kpis: {}\n")
    monkeypatch.setattr(Path, "open", refuse)
    (problem,) = load(file).diagnostics
    assert (problem.code, problem.message) == ("unreadable-file", f"`{file}` cannot be read: Permission denied")


def test_a_file_of_another_encoding(tmp_path: Path) -> None:
    assert codes(load_text(tmp_path, "kpis: {}\n".encode("utf-16"))) == ["bad-encoding"]


def test_plain_data() -> None:
    loaded = load({"kpis": {"a": "order / visit", "b": {"formula": "order /", "label": "it's: é"}}})
    assert codes(loaded) == ["syntax"]
    span = loaded.diagnostics[0].span
    assert span is not None
    assert span.source.name == "<project>"
    assert span.source.line(span.line) == "    formula: order /"
    assert list(loaded.catalog.kpis) == ["a"]


def test_plain_data_that_no_yaml_has() -> None:
    (problem,) = load({"datasets": {"d": {"read": object()}}}).diagnostics
    assert (problem.code, problem.message) == ("bad-value", "a value of type object cannot stand at `datasets.d.read`")
    circle: dict[str, object] = {}
    circle["kpis"] = circle
    assert codes(load(circle)) == ["too-deep"]
    assert codes(load({})) == ["empty-project"]


def test_dates_paths_and_amounts_are_texts_and_numbers() -> None:
    data = {"a": date(2026, 1, 1), "b": Path("x/y.csv"), "c": Decimal("1.10"), "d": (1, 2), "e": None, 7: True}
    document = read_document(source(dump(data)))
    assert document.root is not None
    assert plain(document.root) == {"a": "2026-01-01", "b": "x/y.csv", "c": 1.1, "d": [1, 2], "e": None, "7": True}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.sampled_from(
        ["no", "1e3", "010", "0o7", "~", "", " x", "a: b", "a #b", "- a", "!x", "*a", "é", "\x85", "\x00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts.filter(bool), values, min_size=1, max_size=4))
def test_plain_data_is_read_back_as_it_was(data: dict[str, object]) -> None:
    document = read_document(source(dump(data)))
    assert not document.diagnostics
    assert document.root is not None
    assert plain(document.root) == data


def test_trap_19_a_thousand_kpis_load_in_linear_time(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        one = "    label: {{en: A {0}, zh: 率}}\n    formula: count(order where x > {0}) / visit\n    tags: [a, b]\n"
        text = "kpis:\n" + "".join(f"  kpi_{i}:\n" + one.format(i) for i in range(count))
        gc.collect()
        gc.disable()  # a collection in one of them would be most of what is compared
        try:
            start = time.process_time()
            loaded = load_text(tmp_path, text)
            spent = time.process_time() - start
        finally:
            gc.enable()
        assert len(loaded.catalog.kpis) == count
        return spent

    seconds(10)
    spent = [(seconds(300), seconds(1500)) for _ in range(3)]
    few, many = (min(times) for times in zip(*spent, strict=True))
    assert many < 12 * few  # five times as many KPIs; in quadratic time it would be 25
