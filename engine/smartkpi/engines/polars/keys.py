"""Dataset keys: equal rows count once; of differing ones the latest by time stays; a tie is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.engines.polars.compile import Opened, joined, looked_up
from smartkpi.engines.polars.expressions import clock_of, compile_row, text
from smartkpi.engines.polars.times import before
from smartkpi.language.types import Kind
from smartkpi.semantics.formula import Column, Expr, TypedDataset
from smartkpi.sources.memo import Memo

ORDER, LATE = "__order", "__late"


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """A dataset whose rows have unique keys: what is read of it, and how many rows were left out.

    ``late`` ones lie past the as-of, and an earlier row of their key does not.
    """

    opened: Opened
    equal: int = 0
    older: int = 0
    late: int = 0


_memo: Memo[bool] = Memo()


def is_unique(opened: Opened, dataset: TypedDataset) -> bool:
    """Say whether no two rows share a key; rows with a null in their key do not count. Looked up once a file."""
    mark = (opened.table.mark, dataset.spec.read, dataset.key, opened.rows.local, opened.rows.zone)
    lasting = opened.table.mark is not None and not looked_up(dataset.key)
    known = _memo.find(mark) if lasting else None
    if known is None:
        known = _look_up(opened, dataset)
        if lasting:
            _memo.keep(mark, known)
    return known


def _look_up(opened: Opened, dataset: TypedDataset) -> bool:
    names, keyed = _keyed(opened, dataset)
    pairs = keyed.select(names).filter(pl.all_horizontal(pl.col(name).is_not_null() for name in names))
    value = pl.col(names[0]) if len(names) == 1 else pl.struct(names)
    found = opened.collect(pairs.select(value.n_unique().alias("keys"), pl.len().alias("rows")))
    return bool(found["rows"].item() == 0 or found["keys"].item() == found["rows"].item())


def deduplicate(opened: Opened, dataset: TypedDataset) -> Deduplicated:
    """Return a dataset with one row a key: the latest that the as-of lets one see. KpiError `tied-key` on a tie."""
    columns = list(opened.table.polars)
    names, keyed = _keyed(opened, dataset)
    has_key = pl.all_horizontal(pl.col(name).is_not_null() for name in names)
    clock = None if dataset.time is None else clock_of(dataset.time, opened.rows)
    late = pl.lit(value=False)
    if clock is not None and opened.edge is not None:
        late = (~before(clock, opened.edge)).fill_null(value=False)
    order = None if dataset.order is None else _order(dataset.order, opened)
    keyed = keyed.with_columns(late.alias(LATE), *(() if order is None else (order.alias(ORDER),)))
    repeated = opened.collect(keyed.filter(has_key).group_by(names).agg(pl.len()).filter(pl.col("len") > 1))
    if not repeated.height:
        return Deduplicated(opened)
    once = repeated.select(names)
    rows = opened.collect(keyed.filter(has_key).join(once.lazy(), on=names, how="semi"))
    seen = rows.filter(~pl.col(LATE) | pl.col(LATE).all().over(names))
    distinct = seen.unique(subset=columns)
    latest = distinct
    if order is not None:
        newest = pl.col(ORDER).max().over(names)
        latest = distinct.filter((pl.col(ORDER) == newest) | (pl.col(ORDER).is_null() & newest.is_null()))
    _refuse_ties(latest, names, dataset)
    rest = keyed.filter(~has_key)
    alone = keyed.filter(has_key).join(once.lazy(), on=names, how="anti")
    frame = pl.concat([alone.select(columns), rest.select(columns), latest.lazy().select(columns)])
    left = seen.height - distinct.height, distinct.height - latest.height, rows.height - seen.height
    return Deduplicated(replace(opened, frame=frame), *left)


def _keyed(opened: Opened, dataset: TypedDataset) -> tuple[list[str], pl.LazyFrame]:
    names: list[str] = []
    added: list[pl.Expr] = []
    for place, expr in enumerate(dataset.key):
        typed = compile_row(expr, opened.rows)
        if isinstance(expr, Column) and typed.kind in (Kind.TEXT, Kind.BOOLEAN, Kind.DATE) and not typed.coded:
            names.append(expr.name)
            continue
        names.append(f"__key{place}")
        added.append((text(typed) if typed.coded else typed.expr).alias(names[-1]))
    orders = tuple(one for one in (dataset.time, dataset.keep) if one is not None)
    return names, joined(opened, (*dataset.key, *orders)).with_columns(added)


def _order(expr: Expr, opened: Opened) -> pl.Expr:
    typed = compile_row(expr, opened.rows)
    return text(typed) if typed.kind is Kind.TEXT else typed.expr


def _refuse_ties(latest: pl.DataFrame, names: list[str], dataset: TypedDataset) -> None:
    tied = latest.group_by(names).len().filter(pl.col("len") > 1).sort(names)
    if not tied.height:
        return
    written = dataset.spec.key
    example: Mapping[str, object] = dict(zip(written, tied.select(names).row(0), strict=True))
    shown = ", ".join(f"{name} {value}" for name, value in example.items())
    many = "1 key" if tied.height == 1 else f"{tied.height} keys"
    what = "" if dataset.order is None else f" and {'time' if dataset.keep is None else 'order'}"
    message = f"dataset `{dataset.name}` has different rows of one key{what} ({many}, such as {shown})"
    fix = "say `keep: latest by <a column>`" if dataset.keep is None else "let `keep` name what tells them apart"
    hint = f"add a column to `key:`, or {fix}"
    raise KpiError(Diagnostic("tied-key", message, dataset.spec.span, hint, subject=f"dataset:{dataset.name}"))
