"""Derived rows: the operands of a step are read, matched, and become rows as those of any dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from operator import xor

import polars as pl

from smartkpi.engines.polars.compile import Opened
from smartkpi.engines.polars.expressions import Rows, compile_row
from smartkpi.engines.polars.hours import seconds_worked
from smartkpi.engines.polars.match import AT, CODE, ENTITIES, RANK, Reach, Steps, chains, match, ordered
from smartkpi.engines.polars.operands import Operand, common_types, entity, operands_of, pass_of
from smartkpi.engines.polars.order import ranked
from smartkpi.engines.polars.times import INSTANT, LOCAL, Clock, localise
from smartkpi.language.types import UNKNOWN
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan, Relation
from smartkpi.plan.relations import AGE, REACHED, ROW, TIME
from smartkpi.sources.tables import Table

Open = Callable[[str], Opened]
Run = Callable[[Opened, pl.LazyFrame], pl.DataFrame]

MOMENT, UNTIL = "moment", "until"
HIT, NUMBER, END = "@hit", "@number", "@end"
NO_OPEN = pl.DataFrame(schema={MOMENT: INSTANT, UNTIL: INSTANT})
SEVERAL, LARGE = 30_000_000, 20_000_000
"""Where its datasets have so many rows, a step of more than so many rows is made in parts, each of some entities."""

LONGEST = {"s": 1, "min": 60, "h": 3_600, "d": 90_000, "w": 608_400, "mo": 2_682_000, "q": 7_952_400, "y": 31_626_000}
"""No unit is longer than so many seconds, whatever the clocks do."""


@dataclass(frozen=True, slots=True)
class Related:
    """Derived rows, and of base rows without a match when they were (MOMENT) and up to when (UNTIL) one may come.

    That is told for each operand that rows may end at.
    """

    rows: pl.DataFrame
    open: Mapping[int, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes the rows of one relation.

    ``known_to`` is the earliest as-of that may be asked for, ``edge`` the one that its rows are as of, where they
    depend on it; both are None where there are no rows at all.
    """

    plan: Plan
    relation: Relation
    open: Open
    run: Run
    known_to: datetime | None
    edge: datetime | None

    @property
    def reach(self) -> Reach:
        """How far its rows may lie apart."""
        return Reach(self.relation.within, self.relation.dates, self.plan.calendar.timezone)

    def make(self) -> Related:
        """Return all rows."""
        relation = self._read_once()
        parts = self._parts(operands_of(relation, self.open))
        found = []
        for part in range(parts):
            open_ = self.open if parts == 1 else self._in_part(part, parts)
            found.append(self._make(operands_of(relation, open_), part, parts))
        still = {end: pl.concat([one.open[end] for one in found]) for end in found[0].open}
        return Related(pl.concat([one.rows for one in found]), still)

    def _read_once(self) -> Relation:
        """Return the relation with one operand where both are the same rows, as of `repeat`, with all columns."""
        if len(self.relation.operands) != 2:
            return self.relation
        pairs = list(zip(*self.relation.operands, strict=False))
        if len(set(map(len, self.relation.operands))) > 1 or any(
            replace(one, columns=()) != replace(other, columns=()) for one, other in pairs
        ):
            return self.relation
        both = tuple(replace(a, columns=tuple(dict.fromkeys((*a.columns, *b.columns)))) for a, b in pairs)
        return replace(self.relation, operands=(both,))

    def _parts(self, operands: Sequence[Operand]) -> int:
        """Return in how many parts the rows are made: as many as keep them from filling the memory."""
        hints = {opened.table.name: opened.table.rows_hint or 0 for operand in operands for opened, _ in operand.sides}
        if sum(hints.values()) <= SEVERAL:
            return 1
        passes: dict[str | tuple[str, int], tuple[Opened, pl.LazyFrame]] = {}
        for place, operand in enumerate(operands):
            for opened, query in operand.sides:
                name = opened.table.name
                once = name in self.plan.relations
                passes[name if once else (name, place)] = (opened, opened.frame if once else query)
        rows = sum(self.run(opened, query.select(pl.len())).item() for opened, query in passes.values())
        return int(-(-rows // LARGE)) or 1

    def _in_part(self, part: int, parts: int) -> Open:
        """Return what opens datasets for a part of the entities: what several operands read is read once for them."""
        sides = [side for sides in self.relation.operands for side in sides]
        kinds = common_types([[(expr, self.open(side.dataset)) for expr in side.by] for side in sides])
        whose = {name: {side.by for side in sides if side.dataset == name} for name in self.plan.relations}
        held: dict[str, Opened] = {}

        def open_(name: str) -> Opened:
            opened = self.open(name)
            if opened.table.held or len(whose.get(name, ())) != 1:
                return opened
            if name not in held:
                (by,) = whose[name]
                keys = [compile_row(expr, opened.rows).expr.cast(kind) for expr, kind in zip(by, kinds, strict=True)]
                rows = self.run(opened, opened.frame.filter(of_part(keys, part, parts)))
                table = replace(opened.table, frame=rows.lazy(), rows_hint=rows.height, held=True)
                held[name] = replace(opened, table=table, frame=table.frame)
            return held[name]

        return open_

    def _make(self, operands: Sequence[Operand], part: int, parts: int) -> Related:
        keys = [entity(place) for place in range(len(self.relation.operands[0][0].by))]
        if self.relation.kind == "returns":
            (starts,) = self._read(operands[:1], keys, part, parts)
            return Related(self._returns(starts, operands[-1], keys, part, parts))
        frames = self._read(operands, keys, part, parts)
        if self.relation.kind == "first":
            return Related(self._first(frames[0], keys))
        base = frames.pop(0).with_row_index(NUMBER)
        met = base.filter(HIT).drop(HIT) if HIT in base.columns else base
        if self.relation.opens and self.relation.kind == "then":
            base = base.filter(pl.col(AT) >= self._recent())
        frames = self._ranked([met, *frames], keys)
        frames = frames * 2 if len(frames) == 1 else frames
        steps = ordered(frames, self.relation.roots, self.reach)
        if self.relation.kind == "without":
            return self._without(steps, base)
        if self.relation.kind == "then" and self.relation.match == "all":
            found = chains(steps, self.relation.ends[0])
        else:
            found = match(steps, self.relation.kind, self.relation.match)
        return Related(self._rows(steps, found), self._open(base, steps, found))

    def _read(self, operands: Sequence[Operand], keys: list[str], part: int, parts: int) -> list[pl.DataFrame]:
        """Read operands, the last one first: of those before it only rows that reach it are wanted."""
        found: list[pl.DataFrame] = []
        known: pl.DataFrame | None = None
        reach = pl.col(AT).max() if self.relation.kind == "then" else pl.col(AT).min()
        for place, operand in reversed(list(enumerate(operands))):
            frames = []
            for opened, query in operand.sides:
                if parts > 1:
                    query = query.filter(of_part(map(pl.col, keys), part, parts))
                frames.append(self.run(opened, self._wanted(query, keys, known, base=not place)))
            rows = pl.concat(frames, how="vertical_relaxed") if len(frames) > 1 else frames[0]
            known = None
            if self.relation.kind in ("then", "after") and place - 1 not in self.relation.ends:
                known = rows.lazy().group_by(keys).agg(reach.alias(END)).collect(engine="streaming")
            found.insert(0, rows)
        return found

    def _wanted(self, query: pl.LazyFrame, keys: list[str], known: pl.DataFrame | None, *, base: bool) -> pl.LazyFrame:
        """Return the rows that may be part of a chain; of the base also those, marked, whose window may be open."""
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in keys)
        waiting = base and self.relation.opens
        if not waiting and not (base and self.relation.kind == "without"):
            query = query.filter(whole)
        if known is None:
            return query
        reaches = pl.col(AT) <= pl.col(END) if self.relation.kind == "then" else pl.col(AT) >= pl.col(END)
        if not waiting:
            return query.join(known.lazy(), on=keys, how="inner").filter(reaches).drop(END)
        marked = query.join(known.lazy(), on=keys, how="left").with_columns(reaches.fill_null(value=False).alias(HIT))
        return marked.filter(pl.col(HIT) | (pl.col(AT) >= self._recent())).drop(END)

    def _recent(self) -> int:
        """Return from when on a row's window may still be open."""
        within = self.relation.within
        assert within is not None
        if self.known_to is None:
            return 0
        seconds = within.count * LONGEST[within.unit]
        since = self.known_to.timestamp() - seconds
        return int(since // 86_400) - 2 if self.relation.dates else int(since - 1) * 1_000_000

    def _first(self, base: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
        """Return the first row of each entity."""
        firsts = base.lazy().group_by(keys).agg(pl.col(AT).min())
        rows = base.lazy().join(firsts, on=[*keys, AT], how="semi").collect(engine="streaming")
        coded = ranked(self._coded([rows.with_row_index(NUMBER)], keys), self.relation, self.plan, self.open, self.run)[
            0
        ]
        equal = [RANK] if RANK in coded.columns else []
        best = coded.sort(CODE, *equal).unique(CODE, keep="first", maintain_order=True)
        return best.select(TIME, *self._columns(0, best))

    def _returns(self, starts: pl.DataFrame, again: Operand, keys: list[str], part: int, parts: int) -> pl.DataFrame:
        """Return the first rows once for each row that returns, or for each age (in periods) at which some do."""
        starts = starts.with_row_index(NUMBER)
        grain, calendar = self.relation.grain, self.plan.calendar
        assert grain is not None
        place = cohort_place(calendar, grain, dates=self.relation.dates)
        begun = starts.lazy().select(*keys, NUMBER, pl.col(AT).alias(END))
        once, found = self.relation.match == "first", []
        for opened, query in again.sides:
            mine = query.filter(of_part(map(pl.col, keys), part, parts)) if parts > 1 else query
            mine = mine.join(begun, on=keys, how="inner").filter(pl.col(AT) >= pl.col(END))
            mine = mine.with_columns((place(pl.col(AT)) - place(pl.col(END))).alias(AGE))
            columns = [name for name in again.columns if name != ROW]
            found.append(
                self.run(opened, mine.select(NUMBER, AGE).unique() if once else mine.select(NUMBER, AGE, *columns))
            )
        rows = pl.concat(found, how="vertical_relaxed")
        rows = rows.unique() if once and len(found) > 1 else rows
        own = starts.select(TIME, *self._columns(0, starts))[rows[NUMBER]]
        return pl.concat([own, rows.drop(NUMBER)], how="horizontal")

    def _columns(self, place: int, frame: pl.DataFrame) -> list[str]:
        names = [name for name, _ in self.relation.operands[place][0].columns]
        return [name for name in names if name in frame.columns and (name != ROW or not place)]

    def _rows(self, steps: Steps, found: pl.DataFrame) -> pl.DataFrame:
        """Return the matched rows with the columns of all operands, and the times between them."""
        wanted = [self._columns(place, one.frame) for place, one in enumerate(steps.operands)]
        wanted[0] = [TIME, *wanted[0]]
        columns = [
            one.take(found[str(place)], *names)
            for place, (one, names) in enumerate(zip(steps.operands, wanted, strict=True))
            if names
        ]
        if self.relation.partial:
            columns.append(found.select(REACHED))
        for delay in self.relation.delays:
            ends = (delay.first, delay.last)
            times = {str(place): steps.operands[place].at.gather(found[str(place)]) for place in ends}
            columns.append(pl.DataFrame(times).select(self._between(*times, worked=delay.worked).alias(delay.name)))
        return pl.concat(columns, how="horizontal")

    def _between(self, first: str, last: str, *, worked: bool) -> pl.Expr:
        """Return the seconds between two columns of times, or how many of them are worked, whichever is earlier."""
        if worked:
            hours = self.plan.calendar.worked
            assert hours is not None, "check knows of the hours"
            return seconds_worked(self._clock(first), self._clock(last), hours).abs()
        between = (pl.col(last) - pl.col(first)).abs().cast(pl.Float64)
        return between * 86_400 if self.relation.dates else between / 1e6

    def _clock(self, name: str) -> Clock:
        """Return the times of a column as in AT."""
        if self.relation.dates:
            return Clock("date", pl.col(name).cast(pl.Int32).cast(pl.Date), self.reach.zone)
        return Clock("aware", pl.col(name).cast(INSTANT), self.reach.zone)

    def _without(self, steps: Steps, base: pl.DataFrame) -> Related:
        """Return the base rows that none of the others follows, as far as their windows are over."""
        others = range(1, len(steps.operands))
        matched = [steps.gather(match(steps.pair(place), "then", "all"), 0, NUMBER) for place in others]
        left = base.join(pl.concat(matched).to_frame().unique(), on=NUMBER, how="anti")
        late = pl.lit(value=True) if self.edge is None else self._until() <= self.edge
        closed = left.filter(late)
        return Related(closed.select(TIME, *self._columns(0, closed)), {self.relation.ends[0]: self._waiting(left)})

    def _until(self) -> pl.Expr:
        """Return the first instant at which the window of a base row is over."""
        end, zone = self.reach.end(pl.col(AT)), self.reach.zone
        if self.relation.dates:
            local = (end + 1).cast(pl.Int32).cast(pl.Date).cast(LOCAL)
            return localise(local, zone).dt.convert_time_zone("UTC").cast(INSTANT)
        return (end + 1).cast(INSTANT)

    def _open(self, base: pl.DataFrame, steps: Steps, found: pl.DataFrame) -> dict[int, pl.DataFrame]:
        """Return what is still open of the last rows of a base, by the operand that they have not reached."""
        if not self.relation.opens:
            return {}
        ends, reached = self.relation.ends, pl.col(REACHED)
        if not self.relation.partial:
            found = found.with_columns(pl.lit(ends[0]).alias(REACHED))
        late = steps.operands[0].at >= self._recent()
        found = found.filter(late.gather(found["0"]))
        rows = pl.DataFrame([steps.gather(found, 0, NUMBER), found[REACHED]])
        return {end: self._waiting(base.join(rows.filter(reached >= end), on=NUMBER, how="anti")) for end in ends}

    def _waiting(self, left: pl.DataFrame) -> pl.DataFrame:
        """Return when base rows without a match were, and up to when their windows are open."""
        if self.known_to is None:
            return NO_OPEN
        time, zone = pl.col(TIME), self.reach.zone
        dtype = left.schema[TIME]
        aware = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
        moment = time if aware else localise(time.cast(LOCAL), zone).dt.convert_time_zone("UTC")
        found = left.select(moment.cast(INSTANT).alias(MOMENT), self._until().alias(UNTIL))
        return found.filter(pl.col(UNTIL) > self.known_to)

    def _ranked(self, frames: Sequence[pl.DataFrame], keys: Sequence[str]) -> list[pl.DataFrame]:
        """Return frames with what their keys are made of beside the time."""
        return ranked(self._coded(frames, keys), self.relation, self.plan, self.open, self.run)

    def _coded(self, frames: Sequence[pl.DataFrame], keys: Sequence[str]) -> list[pl.DataFrame]:
        """Return frames with CODE, a number for each entity; rows of those that can have no chain may be left out."""
        if len(keys) == 1 and frames[0].schema[keys[0]] == pl.Int64():
            ends = [end for frame in frames for end in (frame[keys[0]].min(), frame[keys[0]].max()) if end is not None]
            if all(0 <= end < ENTITIES for end in ends):  # type: ignore[operator]
                whole = [frame.drop_nulls(keys) if frame[keys[0]].has_nulls() else frame for frame in frames]
                return [frame.rename({keys[0]: CODE}) for frame in whole]
        needed = frames[:1] if self.relation.kind == "without" else frames[: self.relation.ends[0] + 1]
        least = min(needed, key=lambda frame: frame.height)
        known = least.select(keys).drop_nulls().unique()
        codes = known.with_row_index(CODE).with_columns(pl.col(CODE).cast(pl.Int64))
        return [frame.join(codes, on=list(keys), how="inner") for frame in frames]


def of_part(keys: Iterable[pl.Expr], part: int, parts: int) -> pl.Expr:
    """Return whether rows are of the entities of one part of so many."""
    return reduce(xor, (key.hash(place) for place, key in enumerate(keys))) % parts == part


def cohort_place(calendar: Calendar, grain: Grain, *, dates: bool) -> Callable[[pl.Expr], pl.Expr]:
    """Return what gives the number of the period that a time, as in AT, lies in: consecutive ones differ by one."""
    own, begin = calendar.own(grain), calendar.year_start - 1

    def day(at: pl.Expr) -> pl.Expr:
        if dates:
            return at.cast(pl.Int32).cast(pl.Date)
        return at.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(calendar.timezone).dt.date()

    def months(at: pl.Expr) -> pl.Expr:
        return day(at).dt.year().cast(pl.Int64) * 12 + day(at).dt.month() - 1 - begin

    match grain:
        case Grain.DAY:
            return lambda at: day(at).cast(pl.Int32).cast(pl.Int64)
        case Grain.WEEK:  # day 0 was a Thursday
            return lambda at: (day(at).cast(pl.Int32).cast(pl.Int64) + 3 - calendar.week_start) // 7
        case Grain.MONTH if own is None:
            return months
        case Grain.QUARTER if own is None:
            return lambda at: months(at) // 3
        case Grain.YEAR if own is None:
            return lambda at: months(at) // 12
        case _:
            assert own is not None
            starts = pl.Series([*own.starts, own.end], dtype=pl.Date)

            def listed(days: pl.Series) -> pl.Series:
                return starts.search_sorted(days, "right").cast(pl.Int64)

            return lambda at: day(at).map_batches(listed, return_dtype=pl.Int64(), is_elementwise=True)


def as_opened(name: str, rows: pl.DataFrame, calendar: Calendar) -> Opened:
    """Return derived rows as those of a dataset."""
    types = {column: UNKNOWN for column, dtype in rows.schema.items() if dtype == pl.Null()}
    table = Table(name, rows.lazy(), types, dict(rows.schema), name.removeprefix("@"), rows.height)
    zone = calendar.timezone
    return Opened(table, table.frame, Rows(table.polars, types, zone, zone, name, calendar=calendar), None)


def read_once(name: str, relation: Relation, open_: Open, run: Run | None, calendar: Calendar) -> Opened:
    """Return the rows of several operands, read in one pass; many, or without ``run``, when they are asked for."""
    opened, query = pass_of(relation, open_)
    dtypes, zone, table = dict(query.collect_schema()), calendar.timezone, opened.table
    types = {column: UNKNOWN for column, dtype in dtypes.items() if dtype == pl.Null()}
    if run is not None and (table.rows_hint or 0) <= SEVERAL:
        rows = run(opened, query)
        table, query = replace(table, rows_hint=rows.height, held=True), rows.lazy()
    table = replace(table, name=name, frame=query, schema=types, polars=dtypes)
    return Opened(table, query, Rows(dtypes, types, zone, zone, name, calendar=calendar), None)
