"""What values are held against: the value of an earlier period, the change since, and its share, beside each value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import polars as pl

from smartkpi.derive.formula import MONEY, Parts, growth
from smartkpi.derive.rounding import round_significant, to_float
from smartkpi.plan.nodes import Step
from smartkpi.semantics.comparisons import COMPARISONS

MARKS = ("incomplete", "like_for_like", "clamped")


@dataclass(frozen=True, slots=True)
class Held:
    """A comparison of one KPI: its name, its step and the parts of that."""

    name: str
    step: Step
    parts: Parts


def tall_columns(names: Iterable[str]) -> dict[str, pl.DataType]:
    """Return the columns that comparisons add to the tall table, with their types."""
    found: dict[str, pl.DataType] = {}
    for name in names:
        found |= {name: pl.Float64(), f"{name}.money": MONEY}
        found |= dict.fromkeys((f"{name}.{mark}" for mark in MARKS), pl.Boolean())
    return found


def hold(held: Held, known: AbstractSet[str]) -> dict[str, pl.Expr]:
    """Return the columns of the tall table with what a value is held against; null where there is nothing."""
    name, before, id = held.name, held.parts, held.step.id
    marks = {mark: pl.col(f"{mark}.{id}") for mark in ("complete", "like_for_like", "clamped")}
    gaps = [pl.col(column) for column in (f"of.partial.{id}", f"unknown.{id}") if column in known]
    made = {
        name: before.value.cast(pl.Float64),
        f"{name}.incomplete": pl.any_horizontal(~marks["complete"], *gaps) if gaps else ~marks["complete"],
        f"{name}.like_for_like": marks["like_for_like"],
        f"{name}.clamped": marks["clamped"],
    }
    if before.money is not None:
        made[f"{name}.money"] = before.money
    if not held.step.whole:
        return made
    return {column: pl.when(~marks["like_for_like"]).then(e) for column, e in made.items()}


def result_columns(rows: pl.DataFrame, names: Iterable[str], flags: pl.Series) -> Iterator[pl.Series]:
    """Yield the columns of a result that comparisons fill, from the tall table.

    ``flags`` has the lists of all combinations of MARKS, by the number that they make as bits.
    """
    now, money = pl.col("value"), pl.col("money")
    for name in names:
        columns, before, earlier = COMPARISONS[name], pl.col(name), pl.col(f"{name}.money")
        made = rows.select(change=now - before, exact=money - earlier, growth=growth(now, before))
        yield to_float(round_significant(rows[name]), rows[f"{name}.money"]).alias(columns.value)
        yield to_float(round_significant(made["change"]), made["exact"]).alias(columns.change)
        yield round_significant(made["growth"]).alias(columns.growth)
        number = pl.Series([0], dtype=pl.UInt32).new_from_index(0, rows.height)
        for bit, mark in enumerate(MARKS):
            number = number + rows[f"{name}.{mark}"].fill_null(value=False).cast(pl.UInt32) * (1 << bit)
        yield flags.gather(number).alias(columns.flags)
