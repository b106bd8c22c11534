"""Projects over the real data: checked in without its place, opened where the data is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import smartkpi

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = Path(__file__).resolve().parent / "projects"
Open = Callable[..., smartkpi.Project]


@pytest.fixture
def open_project(shared_data: Path, tmp_path: Path) -> Open:
    """Open one of the projects beside this file, with packs of `metrics/` next to it where asked."""

    def opened(name: str, *packs: str) -> smartkpi.Project:
        text = (PROJECTS / f"{name}.yml").read_text(encoding="utf-8")
        (tmp_path / f"{name}-data.yml").write_text(text.replace("DATA", shared_data.as_posix()), encoding="utf-8")
        for pack in packs:
            (tmp_path / f"{pack}.yml").write_bytes((ROOT / "metrics" / f"{pack}.yml").read_bytes())
        project = smartkpi.load(tmp_path, allow=shared_data)
        report = project.check(data=True)
        assert report.ok, report.diagnostics
        return project

    return opened


@pytest.fixture
def cells() -> Callable[..., dict[Any, Any]]:
    """Turn a result into {key: value}: the key is (kpi, first day as text, dimensions…), less what is constant."""

    def made(result: Any, column: str = "value") -> dict[Any, Any]:
        frame = result.frame
        found = {}
        for row in frame.iter_rows(named=True):
            start = row["start"].strftime("%Y-%m-%d") if row["grain"] != "all" else "all"
            key = (row["kpi"], start, *(row[name] for name in result.by))
            found[key] = row[column]
        assert len(found) == frame.height
        return found

    return made
