"""Whatever formula stands in a project, a check of it ends in codes, with the data at hand and without."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from smartkpi.diagnostics import render
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import BOOLEAN, DATE, NUMBER, TEXT, TIME
from smartkpi.semantics.check import check
from smartkpi.spec.load import load

CASES = 2_000
PER_PROJECT = 50
HEAD = """constants: {vat: 19%, cycle: 90d, region: BR}
datasets:
  log:
    read: events.csv
    time: ts
    fields: {revenue: {is: amount, unit: money, currency: EUR}, day: date(time), late: done > time}
    events: {visit: event == "visit", order: {when: event == "order", time: done}, click: {count: n}}
kpis:
  base: order / visit
"""
COLUMNS = {"ts": TIME, "done": TIME, "event": TEXT, "amount": NUMBER, "due": DATE, "ok": BOOLEAN, "n": NUMBER}
LEAVES = ["order", "visit", "click", "base", "vat", "cycle", "region", "order.revenue", "order.day", "amount", "late"]
LEAVES += ["time", "due", "ok", "1", "5%", "7d", '"BR"', '"2026-01-05"', "true", "null", "ordr", "time.x", "visit.time"]
INFIX = ["+", "-", "*", "/", "^", "==", "!=", "<", ">=", "and", "or", "where", "per", "then"]
NAMES = sorted(name for name in FUNCTIONS if name.isidentifier())


def draw(chance: random.Random, depth: int) -> str:
    """Return a formula that the grammar mostly takes and the types mostly do not."""

    def part() -> str:
        return draw(chance, depth - 1)

    if depth == 0 or chance.random() < 0.15:
        return chance.choice(LEAVES)
    shapes: list[Callable[[], str]] = [
        lambda: f"({part()} {chance.choice(INFIX)} {part()})",
        lambda: f"{chance.choice(NAMES)}({', '.join(part() for _ in range(chance.choice([1, 1, 2, 3])))})",
        lambda: f"{chance.choice(['count', 'sum', 'avg', 'distinct'])}({chance.choice(LEAVES)} where {part()})",
        lambda: f"if({part()}, {part()}, {part()})",
        lambda: f"{part()} in ({part()}, {part()})",
        lambda: f"not {part()}",
        lambda: f"{part()} between {part()} and {part()}",
    ]
    return chance.choice(shapes)()


def test_random_formulas_end_in_codes(tmp_path: Path) -> None:
    chance, file = random.Random(7), tmp_path / "kpis.yml"
    seen, kept = set(), 0
    for _ in range(CASES // PER_PROJECT):
        formulas = [draw(chance, 3) for _ in range(PER_PROJECT)]
        file.write_text(HEAD + "".join(f"  k{i}: '{text}'\n" for i, text in enumerate(formulas)), encoding="utf-8")
        loaded = load(file)
        for schemas in (None, {"log": COLUMNS}):
            checked = check(loaded.catalog, schemas)
            kept += len(checked.kpis)
            for problem in (*loaded.diagnostics, *checked.diagnostics):
                seen.add(problem.code)
                assert problem.span is None or problem.span.start <= problem.span.end
                assert render(problem)
    assert {"type-mismatch", "unit-mismatch", "unknown-event", "wrong-arguments"} <= seen
    assert kept > 100
