"""What the language means, as cases in the format of `kpi test`: each holds with the optimizer on and off.

`conformance/` has the language, `traps/` the defects that others shipped. Every supported function has a case.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import smartkpi
from smartkpi.api.cases import run_case
from smartkpi.app.testing import text
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.syntax import Apply
from smartkpi.report.style import Style
from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import Aggregate
from smartkpi.spec.case import Case
from smartkpi.tree import walk

TESTS = Path(__file__).resolve().parent
FILES = sorted(path for folder in ("conformance", "traps") for path in (TESTS / folder).glob("*.yml"))
ADDITIVE_OVER_NOTHING = ("count", "sum", "distinct", "approx_distinct")
AGGREGATES = [name for name, function in FUNCTIONS.items() if function.kind == "aggregate"]


@cache
def opened(path: Path) -> Checked:
    """Return the definitions of a file, which are without a problem."""
    project = smartkpi.load(path)
    assert project.check().ok, f"{path.name}: {project.check()}"
    return project.typed()


def named_cases() -> list[object]:
    """Return all cases of all files, each under its file and name."""
    return [
        pytest.param(path, case, id=f"{path.parent.name}/{path.stem}: {case.name}")
        for path in FILES
        for case in smartkpi.load(path).catalog.cases
    ]


@pytest.mark.parametrize("optimized", [True, False], ids=["optimized", "plain"])
@pytest.mark.parametrize(("path", "case"), named_cases())
def test_case_holds(path: Path, case: Case, optimized: bool) -> None:
    outcome = run_case(opened(path), case, optimized=optimized)
    assert outcome.passed, "\n" + text([outcome], Style())
    assert outcome.cells, "a case that expects nothing"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_kpi_is_expected_somewhere(path: Path) -> None:
    checked = opened(path)
    rows = [expect for case in checked.catalog.cases for expect in case.expect]
    expected = {expect.kpi for expect in rows if expect.kpi}
    told = [checked.diagnoses[expect.diagnosis] for expect in rows if expect.diagnosis is not None]
    expected |= {kpi for one in told for kpi in one.kpis}
    assert {one.name for one in told} == set(checked.diagnoses)
    aimed = [checked.goals[expect.goal] for expect in rows if expect.goal is not None]
    expected |= {goal.kpi.name for goal in aimed} | {rail.kpi for goal in aimed for rail in goal.rails}
    read = {other for name in expected for other in checked.kpis[name].kpis}
    assert {name for name, kpi in checked.kpis.items() if not kpi.spec.part_of} <= expected | read
    above = {goal.name for goal in aimed}
    assert {name for name, goal in checked.goals.items() if goal.spec.parent not in above} <= above


def test_every_supported_function_has_a_case() -> None:
    used: set[str] = set()
    for path in FILES:
        for kpi in opened(path).catalog.kpis.values():
            written = [kpi.formula.expr, *((kpi.where.expr,) if kpi.where else ())]
            used |= {node.function for expr in written for node in walk(expr) if isinstance(node, Apply)}
            used |= {kpi.name.partition("(")[0]} if kpi.part_of else set()
    assert set(FUNCTIONS) <= used


@pytest.mark.parametrize("filtered", [False, True], ids=["all rows", "filtered"])
@pytest.mark.parametrize("function", AGGREGATES)
def test_every_aggregate_has_cases_by_segment_and_over_nothing(function: str, filtered: bool) -> None:
    segmented = empty = False
    for path in FILES:
        checked = opened(path)
        for case in checked.catalog.cases:
            for expect in (one for one in case.expect if one.kpi):
                formula = checked.kpis[expect.kpi].formula
                if not isinstance(formula, Aggregate) or formula.function != function:
                    continue
                if bool(formula.where) is not filtered:
                    continue
                segmented = segmented or bool(expect.segment)
                state = "ok" if function in ADDITIVE_OVER_NOTHING else "no_data"
                over_nothing = not expect.fields.get("value") and expect.fields.get("state") == state
                empty = empty or over_nothing
    assert segmented, f"no case of `{function}` by segment"
    assert empty, f"no case of `{function}` over no rows"
