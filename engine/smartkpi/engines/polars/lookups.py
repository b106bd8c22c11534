"""Lookups as joins: the small side is read once, with the columns that are wanted, and joined to the rows of a scan.

The other side must have one row a key (at one time), which is checked before any number comes of it. So a join never
adds a row, nor takes one away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.engines.polars.compile import Join, Opened, as_column, joined, looked_up
from smartkpi.engines.polars.expressions import Rows, Typed, clock_of, compile_row, conditions, text
from smartkpi.engines.polars.times import INSTANT, before
from smartkpi.language.types import BOOLEAN, UNKNOWN, Kind
from smartkpi.semantics.formula import Apply, Expr, Literal, LookedUp, TypedDataset, TypedLookup
from smartkpi.semantics.prefer import conjuncts, is_preference, stated
from smartkpi.source import Span
from smartkpi.sources.memo import Memo
from smartkpi.sources.tables import Table
from smartkpi.spec import model
from smartkpi.spec.model import Read

Open = Callable[[str], tuple[Opened, TypedDataset]]
WIDE = (pl.UInt64, pl.Int128, pl.UInt128)


def attach(opened: Opened, dataset: TypedDataset, needed: Iterable[LookedUp], open_: Open) -> Opened:
    """Return a dataset whose expressions may read the looked-up fields that are ``needed``.

    ``open_`` opens another dataset. Raises KpiError where the other side has two rows for one key.
    """
    by_lookup = _by_lookup(dataset, needed)
    opened = replace(opened, joins={}, rows=replace(opened.rows, looked={}))
    for name, lookup in dataset.lookups.items():
        if name in by_lookup:
            join, types = _join(opened, lookup, by_lookup[name], open_)
            rows = replace(opened.rows, looked={**opened.rows.looked, **types})
            opened = replace(opened, joins={**opened.joins, name: join}, rows=rows)
    return opened


def _by_lookup(dataset: TypedDataset, needed: Iterable[LookedUp]) -> dict[str, tuple[LookedUp, ...]]:
    """Return looked-up fields by the lookup they begin with, and those by whose values these look up."""
    found: dict[str, dict[str, LookedUp]] = {}
    more = tuple(needed)
    while more:
        reads: list[Expr] = []
        for node in more:
            if node.path[0] not in found:
                reads += dataset.lookups[node.path[0]].reads
            found.setdefault(node.path[0], {})[node.text] = node
        more = looked_up(reads)
    return {name: tuple(nodes.values()) for name, nodes in found.items()}


def _join(
    opened: Opened, lookup: TypedLookup, nodes: tuple[LookedUp, ...], open_: Open
) -> tuple[Join, dict[str, Typed]]:
    """Read the other side of a lookup: its keys and the wanted fields, held against what a lookup may be."""
    right, other = open_(lookup.dataset)
    wanted = {node.text: _wanted(node, other) for node in nodes}
    read = (*wanted.values(), *lookup.where, *(() if lookup.dated is None else (lookup.dated,)))
    right = attach(right, other, looked_up(read), open_)
    mine, theirs = [], []
    for left_expr, right_expr in lookup.on:
        frames = (joined(opened, (left_expr,)), right.frame)
        left, key = _aligned(frames, compile_row(left_expr, opened.rows), compile_row(right_expr, right.rows))
        mine.append(left)
        theirs.append(key)
    keys = [f"__{lookup.name}:{place}" for place in range(len(mine))]
    values = {name: compile_row(expr, right.rows) for name, expr in wanted.items()}
    columns = [key.alias(name) for key, name in zip(theirs, keys, strict=True)]
    columns += [value.expr.alias(f"__{name}") for name, value in values.items()]
    time, ends = _ends(lookup, opened.rows, right.rows)
    columns += [end.alias(name) for end, name in zip(ends, (_LOW, _HIGH), strict=False)]
    rows = joined(right, read)
    if lookup.valid is not None:
        _refuse_unreadable(opened.lookups[lookup.name], lookup.valid, right, rows)
    kept = _of_event(lookup, right) if lookup.event else None
    frame = (rows if kept is None else rows.filter(kept)).select(columns)
    small = right.collect(frame.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in keys)))
    small = small.with_columns(pl.lit(value=True).alias(_LIVE))
    if lookup.event:
        _refuse_second(small, keys, lookup.event, lookup.dataset, lookup.span)
    elif ends:
        small = _whole(small, keys, lookup, opened)
    else:
        _refuse_repeated(small, keys, lookup, opened)
    live = f"__{lookup.name}:"
    types = {name: as_column(value, f"__{name}") for name, value in values.items()}
    renamed = {column: f"{live}{column}" for column in (_LIVE, _LOW, _HIGH, _NONE) if column in small.columns}
    after = tuple(dict.fromkeys(node.path[0] for node in looked_up(lookup.reads)))
    return Join(lookup.name, tuple(mine), tuple(keys), small.rename(renamed), f"{live}{_LIVE}", time, after), types


_LOW, _HIGH, _LIVE, _NONE = "low", "high", "live", "none"


def _of_event(lookup: TypedLookup, right: Opened) -> pl.Expr | None:
    """Return whether a row is one of the event that a lookup finds, as far as the as-of lets one see."""
    kept = conditions(lookup.where, right.rows)
    parts = [] if kept is None else [kept]
    if lookup.dated is not None:
        clock = clock_of(lookup.dated, right.rows)
        parts.append(clock.expr.is_not_null())
        if right.edge is not None:
            parts.append(before(clock, right.edge))
    return pl.all_horizontal(parts) if parts else None


def _refuse_second(keyed: pl.DataFrame, keys: list[str], event: str, dataset: str, span: Span) -> None:
    """Refuse two rows of an event with one key in one dataset: an order could not be counted once."""
    repeated = keyed.group_by(keys).len().filter(pl.col("len") > 1).sort(keys)
    if not repeated.height:
        return
    count = "1 key" if repeated.height == 1 else f"{repeated.height} keys"
    shown = ", ".join(str(value) for value in repeated.select(keys).row(0))
    message = f"`{dataset}` has several rows of `{event}` with one key ({count}, such as {shown})"
    hint = f"state the `key` of `{dataset}` too, so that one of them stays, or add a field to the key of `{event}`"
    raise KpiError(Diagnostic("repeated-event", message, span, hint, subject=f"dataset:{dataset}"))


def _wanted(node: LookedUp, other: TypedDataset) -> Expr:
    """Return a looked-up field as a row expression of the dataset that the first lookup leads to."""
    if not node.name:
        return Literal(value=True, type=BOOLEAN)
    if len(node.path) > 1:
        return LookedUp(node.path[1:], node.name, node.type)
    if node.name == "time" and other.time is not None and "time" not in (other.columns or ()):
        return other.time
    found = other.field(node.name)
    assert found is not None, f"check let a lookup through that {other.name} lacks: {node.name}"
    return found


def _aligned(frames: tuple[pl.LazyFrame, pl.LazyFrame], left: Typed, right: Typed) -> tuple[pl.Expr, pl.Expr]:
    """Return two keys in one type: whole numbers in 64 bits wherever they fit, as a wider join takes twice the time."""
    if Kind.NULL in (left.kind, right.kind):
        return (pl.lit(None, pl.String), pl.lit(None, pl.String))
    if left.kind is Kind.TEXT:
        return text(left), text(right)
    if left.kind is Kind.NUMBER:
        exprs = (left.expr, right.expr)
        types = [frame.select(expr).collect_schema().dtypes()[0] for frame, expr in zip(frames, exprs, strict=True)]
        wide = pl.Int64 if all(dtype.is_integer() and dtype not in WIDE for dtype in types) else pl.Int128
        return left.expr.cast(wide), right.expr.cast(wide)
    return left.expr, right.expr


def _refuse_repeated(small: pl.DataFrame, keys: list[str], lookup: TypedLookup, opened: Opened) -> None:
    key = pl.col(keys[0]) if len(keys) == 1 else pl.struct(keys)
    if small.select(key.n_unique()).item() == small.height:
        return
    repeated = small.group_by(keys).len().filter(pl.col("len") > 1).sort(keys)
    count = "1 key" if repeated.height == 1 else f"{repeated.height} keys"
    message = (
        f"`{lookup.dataset}` has several rows of one key ({count}, such as {_example(repeated, keys, opened, lookup)}):"
        f" the lookup `{lookup.name}` would not know which"
    )
    hint = f"look up by more columns, or say which row counts by `key:` in `{lookup.dataset}`"
    raise KpiError(Diagnostic("ambiguous-lookup", message, lookup.span, hint, subject=f"dataset:{lookup.dataset}"))


def _example(rows: pl.DataFrame, keys: list[str], opened: Opened, lookup: TypedLookup) -> str:
    names = [theirs for _, theirs in opened.lookups[lookup.name].on]
    return ", ".join(f"{name} {value}" for name, value in zip(names, rows.select(keys).row(0), strict=True))


def _ends(lookup: TypedLookup, left: Rows, right: Rows) -> tuple[pl.Expr | None, list[pl.Expr]]:
    """Return the row's time and the ends of validity, as dates where any of them is one, else as instants."""
    if lookup.valid is None or lookup.time is None:
        return None, []
    typed = [compile_row(lookup.time, left), *(compile_row(end, right) for end in lookup.valid)]
    dates = any(one.kind is Kind.DATE for one in typed)
    found = [_moment(one, dates=dates) for one in typed]
    return found[0], found[1:]


def _refuse_unreadable(lookup: model.Lookup, ends: tuple[Expr, Expr], right: Opened, rows: pl.LazyFrame) -> None:
    """Refuse a text that is no date as an end of validity: as null, the row would hold without that end."""
    for name, end in zip(lookup.valid or (), ends, strict=True):
        if not (isinstance(end, Apply) and end.function == "parse_time"):
            continue
        raw = text(compile_row(end.args[0], right.rows))
        lost = compile_row(end, right.rows).expr.is_null() & (raw.str.strip_chars() != "")
        found = right.collect(rows.filter(lost).select(raw.alias("text")).head(1))
        if found.height:
            message = f"`{found.item()}` in `{name}` of `{lookup.dataset}` is no date: the row would hold without end"
            hint = "leave it empty where there is no end; `dates` and `nulls` under `read` say how a file writes them"
            subject = f"dataset:{lookup.dataset}"
            raise KpiError(Diagnostic("bad-lookup", message, lookup.at(name), hint, subject=subject))


def _moment(typed: Typed, *, dates: bool) -> pl.Expr:
    if typed.kind is Kind.NULL:
        return pl.lit(None, pl.Date() if dates else INSTANT)
    if typed.kind is Kind.DATE:
        return typed.expr
    return typed.expr.dt.date() if dates else typed.expr.dt.convert_time_zone("UTC").cast(INSTANT)


def _whole(small: pl.DataFrame, keys: list[str], lookup: TypedLookup, opened: Opened) -> pl.DataFrame:
    """Return rows with validity such that each time meets exactly one row a key: the gaps between them are rows too.

    A row that ends before it begins never holds. One more row a key stands for rows without a time.
    """
    low, high = pl.col(_LOW), pl.col(_HIGH)
    rows = small.filter(low.is_null() | high.is_null() | (low < high)).sort([*keys, _LOW], nulls_last=False)
    before = high.shift(1).over(keys)
    first = pl.int_range(pl.len()).over(keys) == 0
    rows = rows.with_columns(before.alias("__before"), first.alias("__first"))
    begins = pl.col("__before")
    overlapping = rows.filter(~pl.col("__first") & (begins.is_null() | low.is_null() | (begins > low)))
    if overlapping.height:
        message = (
            f"`{lookup.dataset}` has rows of one key that hold at the same time "
            f"(such as {_example(overlapping, keys, opened, lookup)}): the lookup `{lookup.name}` would not know which"
        )
        hint = "let one row end where the next begins: the end is not included"
        subject = f"dataset:{lookup.dataset}"
        raise KpiError(Diagnostic("overlapping-validity", message, lookup.span, hint, subject=subject))
    gaps = rows.filter(low.is_not_null() & (pl.col("__first") | (begins < low)))
    gaps = gaps.select(*keys, begins.alias(_LOW), low.alias(_HIGH))
    ends = rows.filter((~pl.col("__first")).shift(-1, fill_value=False).not_() & high.is_not_null())
    ends = ends.select(*keys, high.alias(_LOW), pl.lit(None, small.schema[_HIGH]).alias(_HIGH))
    timeless = rows.select(keys).unique()
    parts: list[Any] = [rows.drop("__before", "__first").with_columns(pl.lit(value=False).alias(_NONE))]
    for part, none in ((gaps, False), (ends, False), (timeless, True)):
        parts.append(part.with_columns(pl.lit(value=False).alias(_LIVE), pl.lit(none).alias(_NONE)))
    whole: pl.DataFrame = pl.concat(parts, how="diagonal")
    return whole


_memo: Memo[tuple[int, str]] = Memo()


def unmatched(opened: Opened, lookup: TypedLookup, other: Table, read: tuple[Read | None, ...]) -> tuple[int, str]:
    """Return how many rows find no row of the other side, and one key that is not there; looked up once a file.

    Where the key is itself looked up, other files decide too: it is counted anew.
    """
    marks = (opened.table.mark, other.mark)
    if None in marks or opened.joins[lookup.name].after:
        return _count_unmatched(opened, lookup)
    state = (marks, read, lookup, opened.rows.local, opened.rows.zone, opened.edge)
    known = _memo.find(state)
    if known is None:
        known = _count_unmatched(opened, lookup)
        _memo.keep(state, known)
    return known


def taken(
    opened: Opened,
    dataset: TypedDataset,
    lookups: Sequence[TypedLookup],
    others: Sequence[Table],
    reads: tuple[Read | None, ...],
) -> int:
    """Return how many rows of an event are left out, as datasets before this one have them; counted once a file.

    Raises KpiError where two rows of this dataset are one by the key of the event.
    """
    marks = (opened.table.mark, *(other.mark for other in others))
    if None in marks:
        return _count_taken(opened, dataset, lookups)
    state = (marks, reads, tuple(lookups), dataset.key, dataset.keep, opened.rows.local, opened.rows.zone, opened.edge)
    known = _taken.find(state)
    if known is None:
        known = _count_taken(opened, dataset, lookups)
        _taken.keep(state, known)
    return known


_taken: Memo[int] = Memo()


def _count_taken(opened: Opened, dataset: TypedDataset, lookups: Sequence[TypedLookup]) -> int:
    event, names = lookups[0].event, [lookup.name for lookup in lookups]
    binding = dataset.events[event]
    own = [part for part in conjuncts(binding.when) if not is_preference(part)]
    mine = replace(lookups[0], where=(*own, *stated(dataset.spec, binding.time)), dated=binding.time)
    kept = _of_event(mine, opened)
    nodes = tuple(LookedUp((name,), "", BOOLEAN) for name in names)
    found = joined(opened, (*nodes, *own))
    found = found if kept is None else found.filter(kept)
    join = opened.joins[names[0]]
    keyed = found.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in join.keys))
    live = pl.any_horizontal(pl.col(opened.joins[name].live).fill_null(value=False) for name in names)
    rows = opened.collect(keyed.select(*join.keys, live.alias(_LIVE)))
    _refuse_second(rows, list(join.keys), event, dataset.name, lookups[0].span)
    return int(rows[_LIVE].sum())


def _without_match(opened: Opened, join: Join) -> pl.LazyFrame:
    """Return the rows that find no row of the other side; by one key alone without a join, which takes a third."""
    if len(join.keys) == 1 and join.time is None and not join.after:
        (mine,), (name,) = join.mine, join.keys
        key, known = pl.col(name), pl.lit(join.small[name].unique().implode())
        return opened.frame.select(mine.alias(name)).filter(key.is_null() | ~key.is_in(known))
    rows = joined(opened, (LookedUp((join.name,), "", UNKNOWN),))
    return rows.filter(~pl.col(join.live).fill_null(value=False))


def _count_unmatched(opened: Opened, lookup: TypedLookup) -> tuple[int, str]:
    join = opened.joins[lookup.name]
    frame = _without_match(opened, join)
    present = pl.all_horizontal(pl.col(name).is_not_null() for name in join.keys)
    firsts = [pl.col(name).filter(present).min().alias(name) for name in join.keys]
    found = opened.collect(frame.select(pl.len().cast(pl.Int64).alias("__rows"), *firsts))
    names = [mine for mine, _ in opened.lookups[lookup.name].on]
    values = found.select(join.keys).row(0)
    shown = "" if None in values or len(values) > 1 else f"{names[0]} {values[0]}"
    return int(found["__rows"].item()), shown
