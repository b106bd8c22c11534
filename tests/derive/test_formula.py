"""States, values, n and exact money of formulas against plain Python over one cell."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from smartkpi.derive.formula import MONEY, NO_DATA, OK, UNDEFINED, evaluate
from smartkpi.language.types import NUMBER
from smartkpi.plan.nodes import Formula, Step, Value
from smartkpi.semantics.formula import Apply, Literal
from tests.derive.plans import AMOUNT, apply, component, number, plan_of, result, step, value

COMPONENTS = {
    "c0": component("visit"),
    "c1": component("order"),
    "c2": component("order", "sum", AMOUNT),
    "c2_n": component("order"),
    "c3": component("order", "max"),
    "c3_n": component("order"),
}
PRESENT = Apply("mean", (Value("c2", AMOUNT), Value("c1", NUMBER)), NUMBER)  # type: ignore[arg-type]
leaves = st.sampled_from(
    [value("c0"), value("c1"), value("c2", AMOUNT), value("c3"), PRESENT, number(None), number(0), number("2.5")]
)


def grow(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.builds(lambda f, p: apply(f, *p), st.sampled_from(["+", "-", "*", "/", "coalesce", "least"]), pairs),
        st.builds(lambda a: apply("neg", a), inner),
        st.builds(lambda a, b, c, d: apply("if", apply("<", a, b), c, d), inner, inner, inner, inner),
        st.builds(lambda p: apply("+", *p), st.tuples(inner, inner, inner)),
    )


formulas = st.recursive(leaves, grow, max_leaves=8)


@dataclass(frozen=True)
class Cell:
    """One cell in plain Python: what the engine answered, and whether visits are covered."""

    raw: dict[str, Any]
    covered: bool


@dataclass(frozen=True)
class Found:
    number: Any
    why: int = OK
    n: int | None = None
    sized: bool = False
    money: Decimal | None = None


def leaf(cell: Cell, id: str) -> Found:
    if id == "c0" and not cell.covered:
        return Found(None, NO_DATA, None, sized=True)
    raw = cell.raw[id]
    n = cell.raw[f"{id}_n"] or 0 if f"{id}_n" in COMPONENTS else raw or 0
    if id == "c3":
        return Found(raw, NO_DATA if raw is None else OK, n, sized=True)
    money = (raw or Decimal(0)) if id == "c2" else None
    return Found(float(raw or 0), OK, n, sized=True, money=money)


def compute(cell: Cell, node: Formula) -> Found:
    match node:
        case Literal(value=None):
            return Found(None, UNDEFINED)
        case Literal(value=Decimal() as literal):
            return Found(float(literal))
        case Value(id=id):
            return leaf(cell, id)
        case Apply(function="mean"):
            total, present = leaf(cell, "c2"), leaf(cell, "c1")
            mean = total.number / present.number if present.number else None
            return Found(mean, OK if present.number else NO_DATA, present.n, sized=True)
        case Apply(function=function, args=args):
            return combine(function, [compute(cell, arg) for arg in args])  # type: ignore[arg-type]
    raise AssertionError(node)


def combine(function: str, args: list[Found]) -> Found:
    sizes = [arg.n for arg in args if arg.sized and arg.n is not None]
    n, sized = min(sizes, default=None), any(arg.sized for arg in args)
    if function == "+" and sizes:
        n = sum(sizes)
    numbers = [arg.number for arg in args]
    if function == "/":
        counted = args[1] if args[1].sized else args[0]
        n, sized = counted.n, counted.sized
    if function == "if":
        chosen = args[1] if args[0].number else args[2]
        return Found(chosen.number, chosen.why, n, sized, chosen.money)
    if function == "<":
        return Found(None not in numbers and numbers[0] < numbers[1], OK, n, sized)
    worst = max(UNDEFINED, *(arg.why for arg in args if arg.number is None), 0)
    if function == "coalesce":
        chosen_arg = next((arg for arg in args if arg.number is not None), None)
        return Found(chosen_arg.number, OK, n, sized, chosen_arg.money) if chosen_arg else Found(None, worst, n, sized)
    if None in numbers:
        return Found(None, worst, n, sized)
    moneys = [arg.money for arg in args]
    money = None
    if None not in moneys and function in ("+", "-", "neg"):
        money = {"+": lambda: sum(moneys), "-": lambda: moneys[0] - moneys[1], "neg": lambda: -moneys[0]}[function]()  # type: ignore[operator, arg-type]
    if function == "/" and numbers[1] == 0:
        return Found(None, UNDEFINED, n, sized)
    a, *rest = numbers
    for b in rest:
        a = {"+": a + b, "-": a - b, "*": a * b, "/": a / (b or 1), "least": min(a, b)}[function]
    return Found(-a if function == "neg" else a, OK, n, sized, money)


cells = st.builds(
    Cell,
    st.fixed_dictionaries(
        {
            "c0": st.none() | st.integers(0, 3),
            "c1": st.none() | st.integers(0, 3),
            "c2": st.none() | st.integers(-4, 4).map(lambda n: Decimal(n) / 4),
            "c2_n": st.none() | st.integers(0, 3),
            "c3": st.none() | st.integers(-4, 4).map(float),
            "c3_n": st.none() | st.integers(0, 3),
        }
    ),
    st.booleans(),
)


def columns(steps: list[Step], drawn: list[Cell]) -> tuple[pl.DataFrame, Any]:
    kinds = {"c2": MONEY, "c3": pl.Float64}
    schema = {id: kinds.get(id, pl.Int64) for id in COMPONENTS}
    frame = pl.DataFrame([cell.raw for cell in drawn], schema=schema)
    frame = frame.with_columns(pl.Series("uncovered.visit", [not cell.covered for cell in drawn]))
    return evaluate(frame, plan_of(COMPONENTS, steps), steps, {"c0": "uncovered.visit"})


def rows(frame: pl.DataFrame, parts: Any) -> list[tuple[Any, ...]]:
    none = pl.lit(None)
    made = [parts.value, pl.lit(OK) if parts.why is None else parts.why]
    made += [none if parts.n is None else parts.n, none if parts.money is None else parts.money]
    return frame.select(e.alias(str(i)) for i, e in enumerate([*made, pl.col("c0")])).drop("4").rows()


@settings(max_examples=200)
@given(formulas, st.lists(cells, min_size=1, max_size=4))
def test_a_formula_agrees_with_plain_python(formula: Formula, drawn: list[Cell]) -> None:
    one = step("s0", formula, ("c0",))
    frame, parts = columns([one], drawn)
    for cell, (number_found, why, n, money) in zip(drawn, rows(frame, parts["s0"]), strict=True):
        wanted = compute(cell, formula)
        assert (number_found, why, n) == (wanted.number, wanted.why, wanted.n)
        assert (money or 0) == (wanted.money or 0)
        if wanted.number is not None:
            assert (money is None) == (wanted.money is None)


def test_a_sum_counts_the_rows_of_all_its_arguments() -> None:
    won, lost = value("c0"), value("c1")
    formulas = [apply("/", won, apply("+", won, lost)), apply("-", won, lost), apply("+", won, number(2))]
    steps = [step(f"s{place}", formula, ("c0",)) for place, formula in enumerate(formulas)]
    cell = Cell({"c0": 3, "c1": 5, "c2": None, "c2_n": None, "c3": None, "c3_n": None}, covered=True)
    frame, parts = columns(steps, [cell])
    assert [rows(frame, parts[one.id])[0][2] for one in steps] == [8, 3, 3]


@settings(max_examples=60)
@given(formulas, formulas, cells)
def test_a_reference_is_its_kpi(first: Formula, second: Formula, cell: Cell) -> None:
    direct = step("s2", apply("+", first, second), ("c0",))
    steps = [step("s0", first, ("c0",)), step("s1", apply("+", result("s0"), second), ("c0",)), direct]
    frame, parts = columns(steps, [cell])
    assert rows(frame, parts["s1"]) == rows(frame, parts["s2"])


def test_chains_of_references_and_long_sums_are_linear() -> None:
    steps = [step("s0", value("c0"), ())]
    # 2^60 leaves, were the references copied
    steps += [step(f"s{i + 1}", apply("+", result(f"s{i}"), result(f"s{i}")), ()) for i in range(60)]
    long = step("long", apply("+", *[value("c1")] * 100), ())
    drawn = [Cell({"c0": 1, "c1": 2, "c2": None, "c2_n": None, "c3": None, "c3_n": None}, covered=True)]
    frame, parts = columns([*steps, long], drawn)
    assert rows(frame, parts["s60"])[0][0] == 2.0**60
    assert rows(frame, parts["long"])[0][:2] == (200.0, OK)
