from __future__ import annotations

import json
from pathlib import Path

from tests.app.conftest import PROJECT, Kpi


def _write(project: Path, old: str, new: str) -> Path:
    path = project / "kpis.yml"
    assert old in PROJECT
    path.write_text(PROJECT.replace(old, new), encoding="utf-8")
    return path


def test_tests_need_no_data(project: Path, kpi: Kpi) -> None:
    (project / "events.csv").unlink()
    done = kpi("test")
    assert (done.exit_code, done.stdout) == (0, "1 test, 3 cells: all as expected\n")


def test_a_failure_shows_expected_against_got(project: Path, kpi: Kpi) -> None:
    _write(project, "value: 50%, status: good", "value: 40%, status: warning")
    done = kpi("test")
    assert done.exit_code == 1
    assert done.stdout == (
        "FAILED one of two visits orders\n"
        "  --> kpis.yml:19:11\n"
        "   kpi              period   cell    expected  got\n"
        "   conversion_rate  2026-01  value   40%       50%\n"
        "   conversion_rate  2026-01  status  warning   good\n"
        "\n"
        "1 test, 3 cells: 1 failed\n"
    )
    (outcome,) = json.loads(kpi("test --format json").stdout)
    assert (outcome["passed"], [one["column"] for one in outcome["differences"]]) == (False, ["value", "status"])


def test_update_changes_the_cells_and_nothing_else(project: Path, kpi: Kpi) -> None:
    path = project / "kpis.yml"
    changed = PROJECT.replace("value: 50%, status: good", "value:  '40%' , status: \"critical\"").replace(
        "value: 9", "value: "
    )
    path.write_bytes(b"\xef\xbb\xbf" + changed.replace("\n", "\r\n").encode())
    done = kpi("test --update")
    assert done.exit_code == 0, done.output
    wanted = PROJECT.replace("value: 50%, status: good", "value:  '50%' , status: \"good\"")
    assert path.read_bytes() == b"\xef\xbb\xbf" + wanted.replace("\n", "\r\n").encode()


def test_a_missing_row_says_so(project: Path, kpi: Kpi) -> None:
    _write(project, "kpi: net, period: 2026-01", "kpi: net, period: 2027-01")
    done = kpi("test")
    assert done.exit_code == 1
    assert "no such row" in done.stdout


def test_a_kpi_with_an_error_fails_its_tests_with_that_error(project: Path, kpi: Kpi) -> None:
    _write(project, "net: revenue *", "net: revenu *")
    done = kpi("test")
    assert done.exit_code == 3
    assert "left out" in done.stdout


def test_times_that_cannot_be_read_are_shown(project: Path, kpi: Kpi) -> None:
    _write(project, "{time: 2026-01-05}", "{time: 2026-02-30}")
    done = kpi("test")
    assert done.exit_code in (1, 3)
    assert "2026-02-30" in done.output


def test_no_tests(project: Path, kpi: Kpi) -> None:
    path = project / "kpis.yml"
    path.write_text(PROJECT.partition("tests:")[0], encoding="utf-8")
    done = kpi("test")
    assert (done.exit_code, done.stdout) == (0, "no tests\n")
