"""Checks: each block of problems/*.txt is a project and exactly what is said of it; typed/*.txt what it becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartkpi.diagnostics import render
from smartkpi.semantics.check import Checked
from tests.semantics.pairs import Pair, read_pairs, shown, told, write_pairs

HERE = Path(__file__).parent
PROBLEMS = sorted((HERE / "problems").glob("*.txt"))
TYPED = sorted((HERE / "typed").glob("*.txt"))


def _name(file: Path) -> str:
    return file.stem


def _compare(file: Path, found: list[str], pairs: list[Pair], update: bool) -> None:
    if update:
        write_pairs(file, [Pair(p.title, p.given, text) for p, text in zip(pairs, found, strict=True)])
    for pair, text in zip(pairs, found, strict=True):
        assert update or text == pair.expected, f"{file.name}: {pair.title}\n{text}"


@pytest.mark.parametrize("file", PROBLEMS, ids=_name)
def test_problems(file: Path, tmp_path: Path, update: bool) -> None:
    pairs = read_pairs(file)
    _compare(file, [told(pair.checked(tmp_path)[1]) for pair in pairs], pairs, update)


@pytest.mark.parametrize("file", TYPED, ids=_name)
def test_typed(file: Path, tmp_path: Path, update: bool) -> None:
    pairs = read_pairs(file)
    found = []
    for pair in pairs:
        checked, diagnostics = pair.checked(tmp_path)
        said = "" if not diagnostics else f"\n{told(diagnostics)}"
        found.append(_described(checked) + said)
    _compare(file, found, pairs, update)


def _described(checked: Checked) -> str:
    lines = []
    for dataset in checked.datasets.values():
        lines += [f"{dataset.name}.{name} = {shown(expr)}: {expr.type}" for name, expr in dataset.fields.items()]
        for binding in dataset.events.values():
            parts = {"when": binding.when, "time": binding.time, "count": binding.count}
            told = "".join(f" {part} {shown(expr)}" for part, expr in parts.items() if expr is not None)
            lines.append(f"{dataset.name}: {binding.event}{told}")
    for name in checked.order:
        kpi = checked.kpis[name]
        ratio = ", ratio" if kpi.ratio else ""
        bands = "".join(f", {s} {op} {' '.join(map(str, bounds))}" for s, op, bounds in kpi.bands)
        lines.append(f"{name} = {shown(kpi.formula)}: {kpi.type}{ratio}, {kpi.direction}{bands}")
        lines += [f"  {event} where {shown(part)}" for event, parts in kpi.where for part in parts]
        lines += [f"  missing {event}" for event in kpi.missing]
    return "\n".join(lines)


def test_an_error_looks_as_the_language_says(tmp_path: Path) -> None:
    project = """
kpis:
  conversion_rate:
    formula: ordr / visit
datasets:
  log:
    read: events.csv
    time: ts
    events: {visit: event == "visit", order: event == "order"}
"""
    found = Pair("", project, "").checked(tmp_path)[1]
    assert [render(d).replace(f"{tmp_path}/", "") for d in found] == [
        """\
error[unknown-event]: no event is named `ordr`
 --> kpis.yml:4:14
  |
4 |     formula: ordr / visit
  |              ^^^^ did you mean `order`?
  = events: order, visit"""
    ]


def test_a_subject_is_what_an_error_leaves_out(tmp_path: Path) -> None:
    project = "datasets:\n  log: {read: e.csv, time: 5, events: {visit: all rows}}\nkpis: {a: visit, b: ordr}\n"
    checked, found = Pair("", project, "").checked(tmp_path)
    assert [(d.code, d.subject) for d in found] == [
        ("not-a-time", "dataset:log"),
        ("depends-on-broken", "kpi:a"),
        ("unknown-event", "kpi:b"),
    ]
    assert {name: cause.code for name, cause in checked.left_out.items()} == {"a": "not-a-time", "b": "unknown-event"}
    assert not checked.kpis
    assert not checked.datasets
