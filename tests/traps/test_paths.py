"""Paths: a project reads what lies in its folder and what it allows; where a folder is set, nothing leads out of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

import smartkpi

ROWS = "ts,amount\n2026-01-05,1\n"
PROJECT = """
datasets:
  log: {{read: {read}, time: ts, events: {{order: all rows}}}}
kpis: {{orders: order}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project's folder beside a secret, to which a link leads."""
    (tmp_path / "secret.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "shared.yml").write_text("kpis: {shared: order}\n", encoding="utf-8")
    inside = tmp_path / "project"
    (inside / "data").mkdir(parents=True)
    (inside / "data" / "a.csv").write_text(ROWS, encoding="utf-8")
    (inside / "links").mkdir()
    (inside / "links" / "b.csv").symlink_to(tmp_path / "secret.csv")
    (inside / "up").symlink_to(tmp_path)
    return inside


def codes(folder: Path, read: str, within: Path | None, more: str = "", allow: Sequence[str | Path] = ()) -> set[str]:
    """Return the codes with which a project that reads a path ends; none where it answers."""
    (folder / "kpis.yml").write_text(more + PROJECT.format(read=read), encoding="utf-8")
    try:
        result = smartkpi.load(folder / "kpis.yml", within=within, allow=allow).run(grain="all")
    except smartkpi.KpiError as error:
        return {one.code for one in error.diagnostics}
    return {one.code for one in result.diagnostics}


OUT = ["../secret.csv", "../*.csv", "{root}/secret.csv", "links/*.csv", "links", "links/b.csv", "up/secret.csv",
       "data/../../secret.csv", "../nothing.csv", "../../../../../../etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("read", OUT)
def test_nothing_leads_out_of_the_folder_that_is_set(folder: Path, read: str) -> None:
    read = read.format(root=folder.parent)
    assert codes(folder, read, folder) == {"outside-path"}
    assert codes(folder, read, folder, allow=["/"]) == {"outside-path"}
    assert codes(folder, read, folder, "allow_paths: [/]\n") == {"outside-path"}


@pytest.mark.parametrize("read", OUT)
def test_nothing_leads_out_of_the_project_unless_it_is_allowed(folder: Path, read: str) -> None:
    read = read.format(root=folder.parent)
    assert codes(folder, read, None) == {"outside-path"}
    if "nothing" not in read and "passwd" not in read:
        assert codes(folder, read, None, "allow_paths: ..\n") == set()
        assert "*" in read[:4] or codes(folder, read, None, "allow_paths: [data, ../secret.csv]\n") == set()
        assert codes(folder, read, None, allow=[folder.parent]) == set()


@pytest.mark.parametrize("read", ["data/a.csv", "data/*.csv", "data", "./data/../data/a.csv"])
def test_what_stays_inside_is_read(folder: Path, read: str) -> None:
    assert codes(folder, read, folder) == set()
    assert codes(folder, read, folder.parent) == set()


def test_includes_and_projects_stay_inside_too(folder: Path) -> None:
    (folder / "linked.yml").symlink_to(folder.parent / "shared.yml")
    for path in ("../shared.yml", "linked.yml", str(folder.parent / "shared.yml")):
        include = f"include: [{{path: {path}}}]\n"
        (folder / "kpis.yml").write_text(include + PROJECT.format(read="data/a.csv"), encoding="utf-8")
        assert smartkpi.load(folder / "kpis.yml", allow=folder.parent).check().ok
        assert [one.code for one in smartkpi.load(folder / "kpis.yml").check().diagnostics] == ["outside-path"]
        report = smartkpi.load(folder / "kpis.yml", within=folder).check()
        assert [one.code for one in report.diagnostics] == ["outside-path"]
    report = smartkpi.load(folder.parent / "shared.yml", within=folder).check()
    assert [one.code for one in report.diagnostics] == ["outside-path"]


def test_the_environment_sets_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTKPI_WITHIN", str(folder))
    assert codes(folder, "../secret.csv", None) == {"outside-path"}
    assert codes(folder, "data/a.csv", None) == set()


def test_the_periods_of_a_calendar_stay_inside(folder: Path) -> None:
    (folder.parent / "periods.csv").write_text("grain,period,first,last\nretail,R1,2026-01-01,2026-01-31\n")
    assert codes(folder, "data/a.csv", folder, "calendar: {periods: ../periods.csv}") == {"outside-path"}
    assert codes(folder, "data/a.csv", None, "calendar: {periods: ../periods.csv}") == {"outside-path"}
    assert codes(folder, "data/a.csv", None, "allow_paths: [..]\ncalendar: {periods: ../periods.csv}") == set()


def test_the_environment_allows_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTKPI_ALLOW", f"{folder}{os.pathsep}{folder.parent}")
    assert codes(folder, "../secret.csv", None) == set()


def test_what_an_included_file_allows_does_not_count(folder: Path) -> None:
    (folder / "more.yml").write_text("allow_paths: [..]\nkpis: {again: order}\n", encoding="utf-8")
    text = "include: [{path: more.yml}]\n"
    assert codes(folder, "../secret.csv", None, text) == {"outside-path"}
    assert codes(folder, "data/a.csv", None, text) == {"passed-over"}


def test_the_error_says_what_to_write(folder: Path) -> None:
    for read, wanted in (("../secret.csv", "[..]"), ("links/b.csv", "[..]"), ("/etc/*.csv", "[/etc]")):
        (folder / "kpis.yml").write_text(PROJECT.format(read=read), encoding="utf-8")
        (one,) = smartkpi.load(folder / "kpis.yml").check(data=True).diagnostics
        assert f"write `allow_paths: {wanted}` at the top of" in one.hint


def test_data_beside_a_folder_of_definitions_is_the_projects(folder: Path) -> None:
    (folder / "kpis").mkdir()
    (folder / "kpis" / "a.yml").write_text(PROJECT.format(read="../data/a.csv"), encoding="utf-8")
    assert smartkpi.load(folder / "kpis").check(data=True).ok
    (folder / "kpis" / "a.yml").write_text(PROJECT.format(read="../../secret.csv"), encoding="utf-8")
    assert not smartkpi.load(folder / "kpis").check(data=True).ok
