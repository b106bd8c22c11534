"""The plan of small projects as text, before and after the optimizer (tests/rules/*.txt; `--update` rewrites them)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smartkpi.language.parse import parse_formula
from smartkpi.periods.grain import Grain
from smartkpi.plan import explain, lower, rules, verify
from smartkpi.semantics.check import check
from smartkpi.semantics.question import Question, resolve
from smartkpi.source import text_of
from smartkpi.spec.load import load

CASES = sorted((Path(__file__).parent.parent / "rules").glob("*.txt"))
SECTION = re.compile(r"^== (\w+)\n", re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """Return the named sections of a case."""
    head, *parts = SECTION.split(text)
    return {"head": head, **dict(zip(parts[::2], parts[1::2], strict=True))}


def question_of(text: str, kpis: tuple[str, ...]) -> Question:
    """Read `grain month by country where …` lines: one `key value` a line."""
    options = dict(line.split(" ", 1) for line in text.strip().splitlines() if line)
    names = tuple(options["kpi"].split(", ")) if "kpi" in options else kpis
    return Question(
        kpis=names,
        grain=Grain(options["grain"]) if "grain" in options else None,
        by=tuple(options["by"].split(", ")) if "by" in options else (),
        since=None,
        until=None,
        where=parse_formula(text_of(options["where"])) if "where" in options else None,
        as_of=None,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_plan(case: Path, tmp_path: Path, update: bool) -> None:
    parts = sections(case.read_text(encoding="utf-8"))
    file = tmp_path / "kpis.yml"
    file.write_text(parts["project"], encoding="utf-8")
    loaded = load(file)
    checked = check(loaded.catalog)
    assert not [d for d in (*loaded.diagnostics, *checked.diagnostics) if d.severity == "error"]
    plan = lower.lower(checked, resolve(checked, question_of(parts["question"], tuple(checked.kpis))))
    verify.verify(plan)
    better = rules.optimize(plan)
    verify.verify(better)
    names = [output.kpi for output in plan.outputs]
    got = {
        "before": "".join(explain.explain(plan, name) for name in names),
        "after": "".join(explain.explain(better, name) for name in names),
    }
    if update:
        body = f"{parts['head']}== project\n{parts['project']}== question\n{parts['question']}"
        case.write_text(f"{body}== before\n{got['before']}== after\n{got['after']}", encoding="utf-8")
        return
    assert (got["before"], got["after"]) == (parts["before"], parts["after"])
