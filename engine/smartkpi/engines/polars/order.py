"""The order of equal rows: of one event, entity and time they are told apart by the dataset's key, then by all fields.

It is looked up only where it shows, and only for rows that are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from smartkpi.engines.polars.compile import Opened, joined
from smartkpi.engines.polars.expressions import Typed, compile_row, text
from smartkpi.engines.polars.match import AT, CODE, RANK
from smartkpi.engines.polars.operands import EXACT
from smartkpi.language.types import WHOLE, Kind
from smartkpi.plan.nodes import Plan, Relation
from smartkpi.plan.relations import ROW
from smartkpi.semantics.formula import Column

Open = Callable[[str], Opened]
Run = Callable[[Opened, pl.LazyFrame], pl.DataFrame]

PLACES = 40
"""The bits of a row's number that count rows; those above tell its dataset."""

ORDER = "@order"


def numbered(frame: pl.LazyFrame, plan: Plan, dataset: str) -> pl.LazyFrame:
    """Return the rows of a dataset, each with a number that no other row of the plan has."""
    first = list(plan.datasets).index(dataset) << PLACES
    return frame.with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64) + first)


def ranked(frames: Sequence[pl.DataFrame], relation: Relation, plan: Plan, open_: Open, run: Run) -> list[pl.DataFrame]:
    """Return frames with RANK: the place of a row among those of its event with the same entity and time.

    Rows that need not be told apart have none: of a chain that others are the beginning of, those behind them perhaps.
    """
    found = list(frames)
    if not relation.ordered:
        return found
    exact = [EXACT] if relation.dates else []
    roots = relation.roots[: len(frames)]  # of two events that are the same rows there is one frame
    for root in dict.fromkeys(root for root, frame in zip(roots, frames, strict=False) if ROW in frame.columns):
        places = [place for place, one in enumerate(roots) if one == root]
        every = pl.concat([frames[place].select(CODE, AT, ROW, *exact) for place in places])
        every = every if len(places) == 1 else every.unique()
        tied = every.filter(every.select(CODE, AT).is_duplicated())
        if not tied.height:
            for place in places if relation.roots.count(root) > 1 else ():
                found[place] = frames[place].with_columns(pl.lit(0, pl.Int64).alias(RANK))
            continue
        order = tied.join(_ordered(tied[ROW], plan, open_, run), on=ROW).sort(CODE, AT, *exact, ORDER)
        ranks = order.select(ROW, pl.int_range(pl.len()).over(CODE, AT).alias(RANK))
        for place in places:
            joined_ = frames[place].join(ranks, on=ROW, how="left", maintain_order="left")
            found[place] = joined_.with_columns(pl.col(RANK).fill_null(0))
    return found


def _ordered(rows: pl.Series, plan: Plan, open_: Open, run: Run) -> pl.DataFrame:
    """Return numbers of rows with their order: by dataset, its key, and its columns by name."""
    found = []
    datasets = list(plan.datasets)
    for (place,), part in rows.to_frame().group_by((pl.col(ROW) // (1 << PLACES)).alias("place"), maintain_order=True):
        opened, dataset = open_(datasets[place]), plan.datasets[datasets[place]]
        keys = [_comparable(compile_row(expr, opened.rows)) for expr in dataset.key]
        columns = sorted(name for name, dtype in opened.table.polars.items() if not dtype.is_nested())
        values = [_plain(name, opened.table.polars[name]) for name in columns]
        named = [one.alias(f"@{number}") for number, one in enumerate((*keys, *values))]
        wanted = joined(opened, (*dataset.key, Column(ROW, WHOLE))).filter(pl.col(ROW).is_in(part[ROW].implode()))
        content = run(opened, wanted.select(ROW, *named)).sort(*(f"@{n}" for n in range(len(named))), ROW)
        found.append(content.select(ROW, (pl.int_range(pl.len(), dtype=pl.Int64) + (place << PLACES)).alias(ORDER)))
    return pl.concat(found)


def _comparable(typed: Typed) -> pl.Expr:
    return text(typed) if typed.kind is Kind.TEXT else typed.expr


def _plain(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as it is compared: texts letter by letter, what is no number as null."""
    if dtype in (pl.Categorical, pl.Enum):
        return pl.col(name).cast(pl.String)
    return pl.col(name).fill_nan(None) if dtype.is_float() else pl.col(name)
