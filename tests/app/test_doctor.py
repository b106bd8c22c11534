"""`kpi check --doctor`: what an installation lacks is said with the way to mend it."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from smartkpi.app import doctor
from smartkpi.app.edge import FAILED, FINE, USAGE
from tests.app.conftest import Kpi


def found(kpi: Kpi) -> dict[str, dict[str, str]]:
    """Return what the doctor finds, by name."""
    facts = json.loads(kpi("check --doctor --format json").stdout)
    return {one["what"]: one for one in facts["findings"]}


def test_a_good_installation_is_well(project: Path, kpi: Kpi) -> None:
    done = kpi("check --doctor")
    assert done.exit_code == FINE
    assert done.stdout.endswith("all is well\n")
    facts = found(kpi)
    assert {"smartkpi", "Python", "polars", "encoding", "terminal", "time zones", "temporary files"} <= set(facts)
    assert facts["polars"]["found"] == metadata.version("polars")
    assert facts["project"]["found"].startswith("3 KPIs, 1 datasets in kpis.yml")
    assert all(one["state"] != "problem" for one in facts.values())


def test_it_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kpi: Kpi) -> None:
    monkeypatch.chdir(tmp_path)
    assert found(kpi)["project"]["state"] == "note"
    assert kpi("check --doctor").exit_code == FINE


def test_what_is_missing_or_old_is_mended_by_a_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, kpi: Kpi
) -> None:
    def version(name: str) -> str:
        if name in ("rich", "duckdb"):
            raise metadata.PackageNotFoundError(name)
        return "1.35.2" if name == "polars" else "9.9"

    monkeypatch.setattr(doctor.metadata, "version", version)
    facts = found(kpi)
    assert (facts["rich"]["state"], facts["rich"]["mend"]) == ("problem", "pip install rich")
    assert (facts["polars"]["state"], facts["polars"]["mend"]) == ("problem", "pip install 'polars>=2.1'")
    assert facts["duckdb"]["state"] == "note"
    done = kpi("check --doctor")
    assert done.exit_code == FAILED
    assert "2 problems to mend" in done.stdout


def test_zones_that_differ_are_a_problem(project: Path, monkeypatch: pytest.MonkeyPatch, kpi: Kpi) -> None:
    monkeypatch.setattr(doctor, "_agree", lambda zone: zone != "Asia/Shanghai")
    assert "Asia/Shanghai" in found(kpi)["time zones"]["found"]
    assert kpi("check --doctor").exit_code == FAILED


def test_no_room_for_temporary_files(project: Path, monkeypatch: pytest.MonkeyPatch, kpi: Kpi) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    assert found(kpi)["temporary files"]["mend"] == "set TMPDIR to a folder with room"


@pytest.mark.parametrize("args", ["check --doctor --data", "check --doctor --format github", "check nowhere --doctor"])
def test_wrong_usage(project: Path, kpi: Kpi, args: str) -> None:
    assert kpi(args).exit_code == USAGE
