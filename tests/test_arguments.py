"""Arguments of the Python interface: of any library, and refused by name where they are of another type."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.api import UsageError

LOG = pl.DataFrame(
    {"ts": [date(2026, 1, 5), date(2026, 1, 6), date(2026, 2, 7)], "zip": ["01", "02", "01"], "n": [1, 2, 3]}
)
DEFINITION: dict[str, Any] = {
    "datasets": {"log": {"time": "ts", "events": {"visit": "all rows"}}},
    "constants": {"factor": 2},
    "kpis": {"visits": "visit", "scaled": "visit * factor"},
}


@pytest.fixture
def project() -> smartkpi.Project:
    return smartkpi.load(DEFINITION, data={"log": LOG})


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("kpis", 5), ("kpis", [None]), ("kpis", {"visits"}), ("kpis", b"visits"), ("kpis", {"visits": 1}),
        ("grain", 5), ("grain", ["month"]), ("by", [5]), ("by", 5), ("by", [["zip"]]), ("order_by", [1]),
        ("since", 2026), ("since", ["2026-01"]), ("until", 1.5), ("as_of", 20260101), ("as_of", float("nan")),
        ("where", 5), ("where", ["n > 1"]), ("limit", "x"), ("limit", 1.5), ("limit", True), ("top", "x"),
        ("top", [1]), ("top", 2.0), ("total", "yes"), ("total", None),
        ("complete_only", 1), ("optimize", 1), ("drill", 5), ("lang", None),
        ("lang", 5), ("progress", 5), ("sets", ["factor=3"]), ("sets", {5: "3"}), ("sets", {"factor": None}),
        ("sets", {"factor": [3]}),
    ],
)  # fmt: skip
def test_a_wrong_argument_of_a_question_is_named(project: smartkpi.Project, argument: str, wrong: Any) -> None:
    with pytest.raises(UsageError) as raised:
        project.run(**{"by": "zip", argument: wrong})
    (told,) = raised.value.diagnostics
    assert told.code == "bad-argument"
    assert argument in told.message


def test_wrong_arguments_of_the_others_are_named(project: smartkpi.Project) -> None:
    calls: list[tuple[str, Any]] = [
        ("source", lambda: smartkpi.load(5)),  # type: ignore[arg-type]
        ("source", lambda: smartkpi.load(None)),  # type: ignore[arg-type]
        ("data", lambda: smartkpi.load(DEFINITION, data=[LOG])),  # type: ignore[arg-type]
        ("data", lambda: smartkpi.load(DEFINITION, data=LOG)),  # type: ignore[arg-type]
        ("data", lambda: smartkpi.load(DEFINITION, data={5: LOG})),  # type: ignore[dict-item]
        ("sets", lambda: smartkpi.load(DEFINITION, sets="factor=3")),  # type: ignore[arg-type]
        ("within", lambda: smartkpi.load(DEFINITION, within=5)),  # type: ignore[arg-type]
        ("sets", lambda: project.with_sets(5)),  # type: ignore[arg-type]
        ("data", lambda: project.check(data="yes")),  # type: ignore[arg-type]
        ("name", lambda: project.explain(None)),  # type: ignore[arg-type]
        ("name", lambda: project.explain(["visits"])),  # type: ignore[arg-type]
        ("update", lambda: project.test(update="yes")),  # type: ignore[arg-type]
    ]
    for argument, call in calls:
        with pytest.raises(UsageError, match=f"`{argument}`"):
            call()
    with pytest.raises(UsageError, match="no stage"):
        project.explain("visits", stage=["plan"])  # type: ignore[arg-type]


def test_values_of_other_libraries_are_those_of_python(project: smartkpi.Project) -> None:
    np = pytest.importorskip("numpy")
    pd = pytest.importorskip("pandas")
    found = project.run(
        np.array(["visits"]),
        grain=np.str_("month"),
        by=pd.Index(["zip"]),
        since=np.datetime64("2026-01-01", "ns"),
        until=pd.Timestamp("2026-01-31"),
        as_of=np.datetime64("2026-02-07"),
        limit=np.int64(5),
        top=np.int32(2),
        total=np.bool_(True),
        sets={"factor": np.int64(3)},
    )
    wanted = project.run(
        "visits", "month", "zip", "2026-01", datetime(2026, 1, 31), None, "2026-02-07", limit=5, top=2, total=True
    )
    assert found.frame.equals(wanted.frame)
    for missing in (pd.NaT, np.datetime64("NaT")):
        with pytest.raises(UsageError, match="`since`"):
            project.run(since=missing)
    with pytest.raises(UsageError, match="`top`"):
        project.run(by="zip", top=np.float64(2))


def test_none_and_nothing_ask_for_all(project: smartkpi.Project) -> None:
    wanted = project.run().frame
    for nothing in ([], (), None):
        assert project.run(nothing, by=nothing, order_by=nothing, sets=None).frame.equals(wanted)  # type: ignore[arg-type]
    assert project.run("scaled", grain="all", sets={"factor": 5}).frame["value"].to_list() == [15]  # type: ignore[dict-item]


def test_a_project_may_be_any_path() -> None:
    assert smartkpi.load(PurePosixPath("nowhere.yml")).check().diagnostics[0].code == "no-such-project"  # type: ignore[arg-type]
