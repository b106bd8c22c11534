"""Traps of outputs: what is written is whole, harmless in a spreadsheet, and failure shows in the exit code."""

from __future__ import annotations

import csv
import io
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

import smartkpi
from smartkpi.app.cli import main
from smartkpi.report.csv import FORMULA_STARTS, safe
from smartkpi.report.render import fill_whole, render
from smartkpi.report.style import Style

PROJECT = """
datasets:
  log: {read: events.csv, time: ts, events: {order: all rows}}
kpis: {orders: order}
tests:
  - name: two
    given: {order: [{time: 2026-01-05}]}
    as_of: 2026-02-01
    expect: [{kpi: orders, period: 2026-01, value: 2}]
"""
OLD = b"what stood here before\n"

KILLED = """
import os, signal, sys
from smartkpi.__main__ import main
from smartkpi.report import render
render.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["kpi", *sys.argv[1:]]
main()
"""


PANIC = """
import sys
import polars as pl
from smartkpi.app.edge import guarded
from smartkpi.sources.faults import panicking
def command():
    with panicking("`x.parquet`"):
        print(pl.Series([2**30]).cast(pl.Int32).cast(pl.Date).to_list())
sys.exit(guarded(command))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a project, its data, and an output of an earlier run."""
    rows = "".join(f"2026-01-{day:02}T10:00:00,c{day}\n" for day in range(1, 29))
    (tmp_path / "events.csv").write_text(f"ts,country\n{rows}", encoding="utf-8")
    (tmp_path / "kpis.yml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "out.csv").write_bytes(OLD)
    return tmp_path


def run(
    place: Path, *args: str, code: str = "", prepare: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, in a folder."""
    command = [sys.executable, *(["-c", code] if code else ["-m", "smartkpi"]), *args]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, preexec_fn=prepare)


def few_bytes() -> None:
    """Let no file of this process grow beyond 100 bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_trap_29_no_text_runs_in_a_spreadsheet_and_numbers_stay_numbers() -> None:
    evil = [f"{start}cmd|' /C calc'!A0" for start in FORMULA_STARTS]
    log = pl.DataFrame({"ts": [datetime(2026, 1, 5)] * len(evil), "country": evil, "amount": [-2.5] * len(evil)})
    one = smartkpi.load(
        {
            "datasets": {"log": {"time": "ts", "events": {"order": "all rows"}}},
            "kpis": {"revenue": "sum(order.amount)"},
        },
        data={"log": log},
    )
    text = render(one.run(grain="all", by="country"), "csv", Style()).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["country"] for row in rows if row["level"] == "segment"} == {f"'{value}" for value in evil}
    assert {float(row["value"]) for row in rows if row["level"] == "segment"} == {-2.5}
    assert safe("BR") == "BR"
    assert safe("-") == "'-"


def test_trap_30_a_full_disk_leaves_the_old_file(place: Path) -> None:
    done = run(place, "run", "--grain", "day", "--output", "out.csv", prepare=few_bytes)
    assert done.returncode == 2
    assert "cannot-write" in done.stderr
    assert (place / "out.csv").read_bytes() == OLD
    assert sorted(path.name for path in place.iterdir()) == ["events.csv", "kpis.yml", "out.csv"]


@pytest.mark.parametrize("args", [("run", "--grain", "day", "--output", "out.csv"), ("test", "--update")])
def test_trap_30_a_kill_leaves_the_old_file(place: Path, args: tuple[str, ...]) -> None:
    done = run(place, *args, code=KILLED)
    assert done.returncode == -signal.SIGKILL
    assert (place / "out.csv").read_bytes() == OLD
    assert (place / "kpis.yml").read_text(encoding="utf-8") == PROJECT


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_trap_30_a_read_only_folder_leaves_the_old_file(place: Path) -> None:
    place.chmod(0o555)
    try:
        done = run(place, "run", "--output", "out.csv")
    finally:
        place.chmod(0o755)
    assert (done.returncode, (place / "out.csv").read_bytes()) == (2, OLD)


def test_trap_30_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.csv").write_text("a\n", encoding="utf-8")
        raise OSError(28, "No space left on device")

    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (tmp_path / "new", empty):
        with pytest.raises(OSError, match="No space"):
            fill_whole(folder, fail)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
    for folder in (tmp_path / "new", empty):
        fill_whole(folder, lambda beside: (beside / "whole.csv").touch())
        assert [path.name for path in folder.iterdir()] == ["whole.csv"]
        with pytest.raises(FileExistsError):
            fill_whole(folder, lambda _: None)


def test_trap_30_a_demo_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "shop", prepare=few_bytes)
    assert done.returncode == 2, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("kpis: {orders: ordr}", 3),
        ("datasets: {log: {read: none.csv, time: ts, events: {order: all rows}}}\nkpis: {orders: order}", 4),
        (PROJECT + "\nnothing: 1", 5),
    ],
)
def test_trap_31_failure_shows_in_the_exit_code(
    place: Path, monkeypatch: pytest.MonkeyPatch, damage: str, code: int
) -> None:
    (place / "kpis.yml").write_text(damage, encoding="utf-8")
    monkeypatch.chdir(place)
    runner = CliRunner()
    assert runner.invoke(main, ["run"]).exit_code == code
    assert runner.invoke(main, ["check", "--data"]).exit_code == (3 if code == 5 else code)


def test_trap_23_a_panic_is_an_error_that_names_the_file_and_says_no_more(tmp_path: Path) -> None:
    done = run(tmp_path, code=PANIC)
    assert "error[unreadable-data]: `x.parquet` cannot be read" in done.stderr
    assert "panicked" not in done.stderr
    bug = run(tmp_path, code=PANIC.replace('panicking("`x.parquet`")', "open('/dev/null')"))
    assert bug.returncode == 70
    assert "panicked" in bug.stderr
