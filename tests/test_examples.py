"""The examples make their data, run, and print what is checked in beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

import smartkpi
from smartkpi.app.demo import make
from smartkpi.diagnostics import errors

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "examples" / "store"
QUESTIONS = {
    "scorecard": "",
    "scorecard.zh": "--lang zh",
    "months": "--kpi revenue --kpi conversion_rate --grain month",
    "countries": "visits orders ctr return_on_ads --by country",
    "salespeople": "--kpi reply_time --kpi reply_in_time --by salesperson",
    "bad_month": "--kpi conversion_rate --by country --grain month --since 2025-07 --until 2025-09 --format csv",
    "ads": "--kpi tag:ads --grain quarter --format markdown",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("examples") / "store")


def kpi(*arguments: str, cwd: Path | None = None) -> str:
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "smartkpi", *arguments],
        env=environment | {"PYTHONPATH": str(ROOT / "engine")},
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", QUESTIONS)
def test_store_prints_what_is_checked_in(store: Path, name: str, update: bool) -> None:
    got = kpi("run", str(store), *QUESTIONS[name].split())
    expected = STORE / "expected" / f"{name}.txt"
    if update:
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(got, encoding="utf-8")
    assert got == expected.read_text(encoding="utf-8")


def test_store_is_right(store: Path) -> None:
    project = smartkpi.load(store)
    assert project.check(data=True).diagnostics == ()
    assert [outcome for outcome in project.test() if not outcome.passed] == []


def test_the_same_seed_makes_the_same_data(store: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}

    again = digests(make(tmp_path / "again"))
    assert again == digests(store)
    assert digests(make(tmp_path / "other", seed=2)) != again


def test_the_demo_overwrites_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_the_demo_runs_anywhere(tmp_path: Path) -> None:
    printed = kpi("demo", "store", cwd=tmp_path)
    assert "Conversion rate" in printed
    assert (tmp_path / "store" / "kpis.yml").is_file()


PACKS = sorted((ROOT / "metrics").glob("*.yml"))


def test_packs_stand_side_by_side() -> None:
    project = smartkpi.load(ROOT / "metrics")
    assert errors(project.check().diagnostics) == ()
    assert len(project.catalog.kpis) == sum(len(smartkpi.load(pack).catalog.kpis) for pack in PACKS)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_a_pack_says_what_its_kpis_are_in_both_languages(pack: Path) -> None:
    for kpi in smartkpi.load(pack).catalog.kpis.values():
        for text in (kpi.label, kpi.description, kpi.decision):
            assert text is not None, kpi.name
            assert text.get("en"), kpi.name
            assert text.get("zh"), kpi.name
            assert text.get("en") != text.get("zh"), kpi.name
        assert kpi.tags[0] == pack.stem, kpi.name
        assert kpi.direction or kpi.thresholds, kpi.name


def test_a_pack_is_a_project_by_itself() -> None:
    for pack in PACKS:
        project = smartkpi.load(pack)
        assert errors(project.check().diagnostics) == (), pack
        result = project.run()
        assert set(result.frame["state"]) == {"unavailable"}
        outcomes = project.test()
        tested = {expect.kpi for case in project.catalog.cases for expect in case.expect}
        assert tested == set(project.catalog.kpis), f"{pack}: KPIs without a test"
        assert [outcome for outcome in outcomes if not outcome.passed] == []
