"""`kpi run --fail-on`: the exit code of a status, in a scorecard and in a series."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from smartkpi.app.cli import main

PROJECT = """
datasets: {log: {read: e.csv, time: ts, events: {visit: all rows}}}
kpis:
  fine: {formula: visit, thresholds: {good: at least 1}}
  mild: {formula: visit, thresholds: {good: at least 100, warning: at least 1}}
  bad: {formula: visit, thresholds: {good: at least 100}}
  unsure: {formula: visit, thresholds: {good: at least 100, min_sample: 100}}
diagnoses: {d: {when: bad.status == "critical" and mild.status == "warning", say: do something}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "kpis.yml").write_text(PROJECT, "utf-8")
    (tmp_path / "e.csv").write_text("ts\n2026-01-01\n2026-01-31\n2026-02-01\n2026-02-28\n2026-03-01\n", "utf-8")
    return tmp_path / "kpis.yml"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["fine", "--fail-on", "warning"], 0),
        (["unsure", "--fail-on", "warning"], 0),
        (["mild", "--fail-on", "warning"], 1),
        (["mild", "--fail-on", "critical"], 0),
        (["bad", "--fail-on", "critical"], 1),
        (["--fail-on", "warning"], 1),
        (["bad"], 0),
        (["bad", "--fail-on", "critical", "--grain", "month"], 1),
        (["bad", "--fail-on", "critical", "--grain", "month", "--since", "2026-03"], 0),
        (["bad", "--fail-on", "bad"], 2),
        (["nothing", "--fail-on", "critical"], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_row_shown(project: Path, asked: list[str], code: int) -> None:
    assert CliRunner().invoke(main, ["run", "-p", str(project), *asked]).exit_code == code


def test_rows_alone_have_what_is_said_beside_them_on_stderr(project: Path) -> None:
    for form in ("csv", "ndjson"):
        found = CliRunner().invoke(main, ["run", "-p", str(project), "--format", form, "--fail-on", "critical"])
        assert found.exit_code == 1
        assert "do something" in found.stderr
        assert "critical: bad" in found.stderr
        assert "do something" not in found.stdout
