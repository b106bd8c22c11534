"""A peer's own test cases, asked of a project of ours over the same tables: their answers are ours too.

`cases.yml` says how each is asked and where we differ on purpose; a difference that is declared and does not show, or
shows and is not declared, fails. Case by case the data stays where it is: nothing of it is copied.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest
import yaml

import smartkpi
from smartkpi.api.failures import DataError
from tests.peer.answers import Table, differences, in_their_order, read_ours, read_theirs

HERE = Path(__file__).resolve().parent
DECLARED: dict[str, Any] = yaml.safe_load((HERE / "cases.yml").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = {name: one for kind in DECLARED["kinds"].values() for name, one in kind.items()}
NOT_ASKED = {"later", "missing", "out"}
ASKED = [name for name, one in CASES.items() if not set(one) & {*NOT_ASKED, "refused"}]
REFUSED = [name for name, one in CASES.items() if "refused" in one]
MICROSECONDS = {"ms": 1_000, "min": 60_000_000}
OPTIONS = ("grain", "since", "until", "where", "order_by", "as_of")


@pytest.fixture(scope="module")
def cases(shared_peer: Path) -> dict[str, dict[str, Any]]:
    """What the peer asks, by name."""
    return {one["id"]: one for one in json.loads((shared_peer / "cases.json").read_text(encoding="utf-8"))["cases"]}


@pytest.fixture(scope="module")
def project(shared_peer: Path, tmp_path_factory: pytest.TempPathFactory) -> smartkpi.Project:
    """Our project over their tables."""
    text = (HERE / "project.yml").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("peer") / "kpis.yml"
    text = text.replace("PERIODS", (HERE / "periods.csv").as_posix())
    path.write_text(text.replace("TABLES", (shared_peer / "tables").as_posix()), encoding="utf-8")
    return smartkpi.load(path, allow=[HERE, shared_peer])


def test_the_project_fits_the_tables(project: smartkpi.Project) -> None:
    report = project.check(data=True)
    assert report.ok, report
    assert {one.code for one in report.diagnostics} == {"unmatched-rows"}


def test_each_case_has_its_line(cases: dict[str, dict[str, Any]]) -> None:
    kinds = {name: kind for kind, ones in DECLARED["kinds"].items() for name in ones}
    assert kinds == {name: one["kind"] for name, one in cases.items()}


def test_how_many_cases_are_asked() -> None:
    states = Counter(
        next((state for state in (*NOT_ASKED, "refused") if state in one), "asked") for one in CASES.values()
    )
    assert states == DECLARED["counts"]
    known = {*OPTIONS, "by", "kpis", "differs", "called", "tied", "since_1970", "refused", "because", *NOT_ASKED}
    assert {key for one in CASES.values() for key in one} <= known
    assert {way for one in CASES.values() for way in one.get("differs", [])} == set(DECLARED["differences"])


@pytest.mark.parametrize("name", ASKED)
def test_answers_agree(name: str, project: smartkpi.Project, cases: dict[str, Any], shared_peer: Path) -> None:
    case, ours = cases[name], CASES[name]
    metrics = case["metrics"]
    names = {ours.get("kpis", {}).get(metric, metric): metric for metric in metrics}
    dimensions = ours.get("by", {})
    result = ask(project, list(names), ours)
    expected = pl.read_parquet(shared_peer / case["expected"]["file"])
    expected = expected.with_columns(pl.date(cs.ends_with("extract_year"), 1, 1).name.keep())
    if "since_1970" in ours:
        expected = expected.with_columns(pl.col(*dimensions).dt.epoch("us") // MICROSECONDS[ours["since_1970"]])
    theirs = read_theirs(expected, metrics, list(dimensions))
    answer = read_ours(result, names, "grain" in ours)
    if "called" in ours:
        days = {datetime.fromisoformat(str(a)): datetime.fromisoformat(str(b)) for a, b in ours["called"].items()}
        assert "grain" not in ours or {key[0] for key in answer.cells} <= set(days)
        answer = Table({tuple(days.get(x, x) for x in key): cell for key, cell in answer.cells.items()}, [])
    for segment, value in ours.get("tied", {}).items():
        assert answer.cells.pop((segment,)) == {metrics[0]: value}
        del theirs.cells[(segment,)]
    assert differences(answer, theirs) == set(ours.get("differs", []))
    assert not case["check_order"] or in_their_order(answer, theirs)
    assert result.left_out == {}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, project: smartkpi.Project, cases: dict[str, Any]) -> None:
    ours = CASES[name]
    kpis = [ours.get("kpis", {}).get(metric, metric) for metric in cases[name]["metrics"]]
    if ours["refused"] == "unavailable":
        assert set(ask(project, kpis, ours).frame["state"]) == {"unavailable"}
        return
    with pytest.raises(DataError) as caught:
        ask(project, kpis, ours)
    assert [one.code for one in caught.value.diagnostics] == [ours["refused"]]


def ask(project: smartkpi.Project, kpis: list[str], ours: dict[str, Any]) -> smartkpi.Result:
    """Ask our project what a case asks."""
    options = {"grain": "all"} | {name: ours[name] for name in OPTIONS if name in ours}
    return project.run(kpis, by=list(ours.get("by", {}).values()), **options)
