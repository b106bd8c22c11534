"""Groups: running totals of each entity, the stretches of time for which a condition over them holds, joined to rows.

Rows are added up by entity and by when they begin to count, in one pass a dataset; the rest is done on that small
table. Of the stretches only those are kept whose answer differs from the one before: most entities change theirs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from smartkpi.engines.exact import MICROS, SCALE
from smartkpi.engines.polars.compile import Join, Opened, beyond_sums, collect, joined, looked_up
from smartkpi.engines.polars.distinct import plain_value
from smartkpi.engines.polars.expressions import Rows, Typed, clock_of, compile_row, condition, conditions, text
from smartkpi.engines.polars.operands import WIDE, common_types
from smartkpi.engines.polars.partials import LIMIT, Partials, partials_of, sum_kinds
from smartkpi.engines.polars.times import INSTANT, LOCAL, Clock, before, hour_of, key_of, localise
from smartkpi.language.types import Kind
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Side, Standing
from smartkpi.semantics.formula import InGroup

Open = Callable[[str], Opened]
Run = Callable[[Opened, pl.LazyFrame], pl.DataFrame]

WHO, SINCE, UNTIL, HELD = "@who", "@since", "@until", "@held"
TIMELESS = "@timeless"
BEGINS = pl.col(WHO).ne_missing(pl.col(WHO).shift(1))
"""Whether a row is the first of its entity, where they lie in order."""
TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Group:
    """Makes the stretches of a standing."""

    plan: Plan
    standing: Standing
    open: Open
    run: Run

    def make(self) -> pl.DataFrame:
        """Return for each entity (WHO) whether it is in the group (HELD), SINCE and UNTIL when; both null are open.

        A group as of one moment has no times. Of an entity that is not there nothing is held against the condition;
        with times, each one there has a row for any moment, and one more for rows without a time (TIMELESS).
        """
        totals = self._totals()
        held = condition(self.standing.condition, _rows_of(totals)).alias(HELD)
        nothing = collect(pl.LazyFrame({WHO: [0]}).select(condition(self.standing.nothing, _rows_of(totals)))).item()
        found = totals.select(WHO, SINCE, held)
        if self.standing.at == "as_of":
            return found.filter(pl.col(HELD) != nothing).select(WHO, HELD)
        earlier = pl.when(~BEGINS).then(pl.col(HELD).shift(1)).fill_null(nothing)
        until = pl.when(~BEGINS.shift(-1)).then(pl.col(SINCE).shift(-1))
        found = found.filter(earlier != pl.col(HELD)).with_columns(until.alias(UNTIL))
        first = found.group_by(WHO, maintain_order=True).agg(pl.col(SINCE).first().alias(UNTIL))
        whole = [found.with_columns(pl.lit(value=False).alias(TIMELESS))]
        for part, timeless in ((first, False), (first.select(WHO), True)):
            whole.append(part.with_columns(pl.lit(nothing).alias(HELD), pl.lit(timeless).alias(TIMELESS)))
        return pl.concat(whole, how="diagonal")

    def _totals(self) -> pl.DataFrame:
        """Return the totals of each entity ("0", "1" …) from each moment (SINCE) on at which they change, in order."""
        sides = [side for sides in self.standing.operands for side in sides]
        opened = {side.dataset: self.open(side.dataset) for side in sides}
        (kind,) = common_types([[(expr, opened[side.dataset]) for expr in side.by] for side in sides])
        parts = []
        for place, operand in enumerate(self.standing.operands):
            own = [self._dated(self._part(place, side, opened[side.dataset], kind)) for side in operand]
            parts += [_counted(place, own)] if self.standing.totals[place][0] == "distinct" else own
        every = pl.concat(parts, how="diagonal_relaxed")
        names = [name for name in every.columns if name not in (WHO, SINCE)]
        if len(parts) > 1:
            every = collect(every.lazy().group_by(WHO, SINCE).agg(_added(name) for name in names), "streaming")
        once = every.sort(WHO, SINCE)
        if once.select((~BEGINS & pl.col(SINCE).eq_missing(pl.col(SINCE).shift(1))).any()).item():  # a day of no length
            once = once.group_by(WHO, SINCE, maintain_order=True).agg(_added(name) for name in names)
        running = once.with_columns(_running(name, once.schema[name]) for name in names)
        return running.select(
            WHO, SINCE, *(self._total(place).alias(str(place)) for place in range(len(self.standing.totals)))
        )

    def _part(self, place: int, side: Side, opened: Opened, kind: pl.DataType) -> pl.DataFrame:
        """Return what the rows of one dataset add to a total, by entity and the day, hour or instant of them."""
        function, type = self.standing.totals[place]
        clock = clock_of(side.time, opened.rows)
        who = compile_row(side.by[0], opened.rows)
        frame = joined(opened, side.reads).filter(clock.expr.is_not_null(), who.expr.is_not_null())
        kept = conditions(side.where, opened.rows)
        for bound in (kept, None if opened.edge is None else before(clock, opened.edge)):
            frame = frame if bound is None else frame.filter(bound)
        argument = side.columns[0][1] if side.columns else None
        keys = [who.expr.cast(kind).alias(WHO), self._moment(clock).alias(SINCE)]
        if function == "distinct":
            assert argument is not None
            cell = Cell("", (), function, argument, argument.type)
            value = plain_value(compile_row(argument, opened.rows), cell).alias("value")
            firsts = frame.select(*keys, value).filter(pl.col("value").is_not_null())
            return self.run(opened, firsts.group_by(WHO, "value").agg(pl.col(SINCE).min()))
        aggregates = {"avg": ("sum", "present"), "count": ("rows",)}.get(function, (function,))
        partials = partials_of(
            [Cell("", (), one, argument, type) for one in aggregates], [()] * len(aggregates), opened.rows
        )
        query = partials.add_to(frame, keys).group_by(WHO, SINCE).agg(partials.aggregates)
        found = self.run(opened, query)
        self._refuse_large(partials, found, frame, opened)
        named = {
            name: f"{place}:{what}"
            for (what, of, _), name in partials.names.items()
            if (of is None) == (argument is None)
        }
        return found.select(WHO, SINCE, *(pl.col(name).alias(new) for name, new in named.items()))

    def _moment(self, clock: Clock) -> pl.Expr:
        """Return what tells rows apart by when they begin to count: a period, a day, an instant; or nothing does."""
        grain = self.standing.grain
        match self.standing.at:
            case "as_of":
                return pl.lit(None, INSTANT)
            case "period_start" if grain is Grain.HOUR and clock.form != "date":
                return hour_of(clock)
            case "period_start" if grain is not None and grain is not Grain.HOUR:
                return key_of(clock, grain, self.plan.calendar)
            case _:
                return clock.expr if clock.form == "date" else _instant(clock)

    def _dated(self, part: pl.DataFrame) -> pl.DataFrame:
        """Return the instants from which rows count for the keys that tell them apart: the first one after them."""
        grain, at = self.standing.grain, self.standing.at
        days = part.schema[SINCE] == pl.Date()
        if at == "as_of" or (at == "event" and not days):
            return part if at == "as_of" else part.with_columns(pl.col(SINCE) + TICK)
        by = grain if at == "period_start" and grain is not None and not (days and grain is Grain.HOUR) else Grain.DAY
        keys = part[SINCE].unique().to_list()
        ends = [self.plan.calendar.bounds(by, key)[1] for key in keys]
        known = pl.DataFrame({SINCE: keys, UNTIL: ends}, schema={SINCE: part.schema[SINCE], UNTIL: INSTANT})
        return part.join(known, on=SINCE, how="left").drop(SINCE).rename({UNTIL: SINCE})

    def _total(self, place: int) -> pl.Expr:
        """Return a total as a number, rounded as values are."""
        function, type = self.standing.totals[place]
        if function == "count":
            return pl.col(f"{place}:rows").fill_null(0)
        if function == "distinct":
            return pl.col(f"{place}:count").fill_null(0)
        if function in ("min", "max"):
            return pl.col(f"{place}:{function}")
        kinds = sum_kinds(Cell("", (), "sum", None, type))
        parts = [pl.col(f"{place}:{kind}").fill_null(0).cast(pl.Float64) for kind in kinds]
        match kinds:
            case ("micro",):
                total = parts[0] / MICROS
            case ("whole",):
                total = parts[0]
            case _:
                total = parts[0] / SCALE + parts[1]
        if function == "avg":
            present = pl.col(f"{place}:count").fill_null(0)
            total = pl.when(present > 0).then(total / present)
        return pl.when(total == total.floor()).then(total).otherwise(total.round_sig_figs(DIGITS))

    def _refuse_large(self, partials: Partials, found: pl.DataFrame, frame: pl.LazyFrame, opened: Opened) -> None:
        """Refuse a value that is too large to be added exactly."""
        if any(found[guard].any() for guard in partials.guards.values()):
            raise beyond_sums(opened)
        for column in partials.exact:
            value = pl.col(column)
            large = (value.is_finite() & (value.abs() >= LIMIT)).any()
            if found[partials.suspects[column]].any() and self.run(opened, frame.select(large)).item():
                raise beyond_sums(opened)


def _counted(place: int, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return how many values each entity has first at a time, of those that one or several datasets have."""
    every = pl.concat(parts, how="vertical_relaxed")
    firsts = every.group_by(WHO, "value").agg(pl.col(SINCE).min())
    return firsts.group_by(WHO, SINCE).agg(pl.len().cast(pl.Int64).alias(f"{place}:count"))


def admit(opened: Opened, node: InGroup, held: pl.DataFrame) -> Opened:
    """Return a dataset whose expressions may ask whether a row is in a group, by the stretches of its entities."""
    name = f"@group{len(opened.rows.held)}"
    key, value = f"__{name}:0", f"__{name}:value"
    who = compile_row(node.of, opened.rows)
    mine, held = _aligned(who, opened, node, held)
    time = None if node.time is None else _begin(clock_of(node.time, opened.rows))
    parts = {WHO: key, HELD: value}
    if time is not None:
        parts |= {SINCE: f"__{name}:low", UNTIL: f"__{name}:high", TIMELESS: f"__{name}:none"}
    small = held.select(pl.col(old).alias(new) for old, new in parts.items())
    small = small.with_columns(pl.lit(value=True).alias(f"__{name}:live"))
    after = tuple(dict.fromkeys(one.path[0] for one in looked_up((node,))))
    join = Join(name, (mine,), (key,), small, f"__{name}:live", time, after)
    rows = replace(opened.rows, held={**opened.rows.held, node: Typed(pl.col(value), Kind.BOOLEAN)})
    return replace(opened, joins={**opened.joins, name: join}, groups={**opened.groups, node: name}, rows=rows)


def _aligned(who: Typed, opened: Opened, node: InGroup, held: pl.DataFrame) -> tuple[pl.Expr, pl.DataFrame]:
    """Return an entity and the table of them in one type."""
    kind = held.schema[WHO]
    if who.kind is Kind.TEXT:
        return text(who), held
    if who.kind is Kind.NUMBER:
        mine = joined(opened, (node.of,)).select(who.expr).collect_schema().dtypes()[0]
        wide = pl.Int128() if mine in WIDE or kind == pl.Int128() else pl.Int64()
        return who.expr.cast(wide), held.with_columns(pl.col(WHO).cast(wide))
    return who.expr.cast(kind), held


def _instant(clock: Clock) -> pl.Expr:
    """Return the instant of each row that has a time of day."""
    if clock.form == "aware":
        return clock.expr.cast(INSTANT)
    return localise(clock.expr.cast(LOCAL), clock.zone).dt.convert_time_zone("UTC").cast(INSTANT)


def _begin(clock: Clock) -> pl.Expr:
    """Return the instant of each row; that of a day is its beginning."""
    return _instant(replace(clock, form="naive", expr=clock.expr.cast(LOCAL)) if clock.form == "date" else clock)


def _rows_of(totals: pl.DataFrame) -> Rows:
    return Rows(totals.schema, {}, "UTC", "UTC", "group")


def _added(name: str) -> pl.Expr:
    """Return what several parts of a total are together."""
    kind = name.partition(":")[2]
    return {"min": pl.col(name).min(), "max": pl.col(name).max()}.get(kind, pl.col(name).sum())


def _running(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a part of a total of all rows of the entity up to each, of rows in order.

    Whole numbers are added up over all entities, less what there was before: that is exact, and four times as fast.
    """
    kind, value = name.partition(":")[2], pl.col(name)
    match kind:
        case "min":
            return value.cum_min().forward_fill().over(WHO)
        case "max":
            return value.cum_max().forward_fill().over(WHO)
        case _ if dtype.is_integer():
            total = value.cum_sum()
            return total - pl.when(BEGINS).then(total - value).forward_fill()
        case _:
            return value.cum_sum().over(WHO)
