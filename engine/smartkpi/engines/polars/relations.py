"""Derived rows: the operands of a step are read, matched, and become rows as those of any dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from smartkpi.engines.polars.compile import Opened
from smartkpi.engines.polars.expressions import Rows
from smartkpi.engines.polars.hours import seconds_worked
from smartkpi.engines.polars.match import AT, CODE, ENTITIES, RANK, Reach, Steps, match, ordered
from smartkpi.engines.polars.operands import Operand, entity, operands_of
from smartkpi.engines.polars.order import ranked
from smartkpi.engines.polars.times import INSTANT, LOCAL, Clock, localise
from smartkpi.language.types import UNKNOWN
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan, Relation
from smartkpi.plan.relations import AGE, ROW, TIME
from smartkpi.sources.tables import Table

Open = Callable[[str], Opened]
Run = Callable[[Opened, pl.LazyFrame], pl.DataFrame]

MOMENT, UNTIL = "moment", "until"
HIT, NUMBER, END = "@hit", "@number", "@end"
NO_OPEN = pl.DataFrame(schema={MOMENT: INSTANT, UNTIL: INSTANT})
SEVERAL, LARGE = 50_000_000, 20_000_000
"""Where its datasets have so many rows, a step of more than so many rows is made in parts, each of some entities."""

LONGEST = {"s": 1, "min": 60, "h": 3_600, "d": 90_000, "w": 608_400, "mo": 2_682_000, "q": 7_952_400, "y": 31_626_000}
"""No unit is longer than so many seconds, whatever the clocks do."""


@dataclass(frozen=True, slots=True)
class Related:
    """Derived rows, and of base rows without a match when they were (MOMENT) and up to when (UNTIL) one may come."""

    rows: pl.DataFrame
    open: pl.DataFrame


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
        operands = operands_of(self._read_once(), self.open)
        parts = self._parts(operands)
        found = [self._make(operands, part, parts) for part in range(parts)]
        return Related(pl.concat([one.rows for one in found]), pl.concat([one.open for one in found]))

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
        counts = (self.run(o, f.select(pl.len())).item() for operand in operands for o, f in operand.sides)
        return int(-(-sum(counts) // LARGE)) or 1

    def _make(self, operands: Sequence[Operand], part: int, parts: int) -> Related:
        keys = [entity(place) for place in range(len(self.relation.operands[0][0].by))]
        if self.relation.kind == "returns":
            (starts,) = self._read(operands[:1], keys, part, parts)
            return Related(self._returns(starts, operands[-1], keys, part, parts), NO_OPEN)
        frames = self._read(operands, keys, part, parts)
        if self.relation.kind == "first":
            return Related(self._first(frames[0], keys), NO_OPEN)
        base = frames[0].with_row_index(NUMBER)
        met = base.filter(HIT) if HIT in base.columns else base
        frames = ranked(
            _coded([met, *frames[1:]], keys, pairs=self.relation.kind == "without"),
            self.relation,
            self.plan,
            self.open,
            self.run,
        )
        frames = frames * 2 if len(frames) == 1 else frames
        steps = ordered(frames, self.relation.roots, self.reach)
        if self.relation.kind == "without":
            return self._without(steps, base)
        found = match(steps, self.relation.kind, self.relation.match)
        rows = self._rows(steps.frames, found)
        left = base.join(rows.select(NUMBER), on=NUMBER, how="anti") if self.relation.opens else base.head(0)
        return Related(rows.drop(NUMBER), self._open(left))

    def _read(self, operands: Sequence[Operand], keys: list[str], part: int, parts: int) -> list[pl.DataFrame]:
        """Read operands, the last one first: of those before it only rows that reach it are wanted."""
        found: list[pl.DataFrame] = []
        known: pl.DataFrame | None = None
        reach = pl.col(AT).max() if self.relation.kind == "then" else pl.col(AT).min()
        for place, operand in reversed(list(enumerate(operands))):
            frames = []
            for opened, query in operand.sides:
                if parts > 1:
                    query = query.filter(pl.struct(keys).hash() % parts == part)
                frames.append(self.run(opened, self._wanted(query, keys, known, base=not place)))
            rows = pl.concat(frames, how="vertical_relaxed") if len(frames) > 1 else frames[0]
            if self.relation.kind in ("then", "after"):
                known = rows.group_by(keys).agg(reach.alias(END))
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
        coded = ranked(_coded([rows.with_row_index(NUMBER)], keys), self.relation, self.plan, self.open, self.run)[0]
        best = coded.sort(CODE, RANK).unique(CODE, keep="first", maintain_order=True)
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
            mine = query.filter(pl.struct(keys).hash() % parts == part) if parts > 1 else query
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

    def _rows(self, frames: Sequence[pl.DataFrame], found: pl.DataFrame) -> pl.DataFrame:
        """Return the matched rows with the columns of all operands, and the times between them."""
        columns = [frames[0].select(NUMBER, TIME, *self._columns(0, frames[0]))[found["0"]]]
        for place in range(1, len(frames)):
            names = self._columns(place, frames[place])
            if names:
                columns.append(frames[place].select(names)[found[str(place)]])
        for delay in self.relation.delays:
            times = {str(place): frames[place][AT].gather(found[str(place)]) for place in (delay.first, delay.last)}
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
        matched = []
        for place in range(1, len(steps.frames)):
            pair = Steps((steps.frames[0], steps.frames[place]), (steps.roots[0], steps.roots[place]), steps.reach)
            matched.append(steps.frames[0][NUMBER].gather(match(pair, "then", "all")["0"]))
        left = base.join(pl.concat(matched).to_frame().unique(), on=NUMBER, how="anti")
        late = pl.lit(value=True) if self.edge is None else self._until() <= self.edge
        closed = left.filter(late)
        return Related(closed.select(TIME, *self._columns(0, closed)), self._open(left))

    def _until(self) -> pl.Expr:
        """Return the first instant at which the window of a base row is over."""
        end, zone = self.reach.end(pl.col(AT)), self.reach.zone
        if self.relation.dates:
            local = (end + 1).cast(pl.Int32).cast(pl.Date).cast(LOCAL)
            return localise(local, zone).dt.convert_time_zone("UTC").cast(INSTANT)
        return (end + 1).cast(INSTANT)

    def _open(self, left: pl.DataFrame) -> pl.DataFrame:
        """Return when base rows without a match were, and up to when their windows are open."""
        if not self.relation.opens or self.known_to is None:
            return NO_OPEN
        time, zone = pl.col(TIME), self.reach.zone
        dtype = left.schema[TIME]
        aware = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
        moment = time if aware else localise(time.cast(LOCAL), zone).dt.convert_time_zone("UTC")
        found = left.select(moment.cast(INSTANT).alias(MOMENT), self._until().alias(UNTIL))
        return found.filter(pl.col(UNTIL) > self.known_to).group_by(MOMENT).agg(pl.col(UNTIL).max())


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


def _coded(frames: Sequence[pl.DataFrame], keys: Sequence[str], *, pairs: bool = False) -> list[pl.DataFrame]:
    """Return frames with CODE, a number for each entity; rows of entities that some frame lacks may be left out.

    With ``pairs`` only those that the first frame lacks: each of the others is matched with that one alone.
    """
    if len(keys) == 1 and frames[0].schema[keys[0]] == pl.Int64():
        ends = [end for frame in frames for end in (frame[keys[0]].min(), frame[keys[0]].max()) if end is not None]
        if all(0 <= end < ENTITIES for end in ends):  # type: ignore[operator]
            return [frame.filter(pl.col(keys[0]).is_not_null()).rename({keys[0]: CODE}) for frame in frames]
    least = frames[0] if pairs else min(frames, key=lambda frame: frame.height)
    known = least.select(keys).drop_nulls().unique()
    codes = known.with_row_index(CODE).with_columns(pl.col(CODE).cast(pl.Int64))
    return [frame.join(codes, on=list(keys), how="inner") for frame in frames]


def as_opened(name: str, rows: pl.DataFrame, zone: str) -> Opened:
    """Return derived rows as those of a dataset."""
    types = {column: UNKNOWN for column, dtype in rows.schema.items() if dtype == pl.Null()}
    table = Table(name, rows.lazy(), types, dict(rows.schema), name.removeprefix("@"), rows.height)
    return Opened(table, table.frame, Rows(table.polars, types, zone, zone, name), None)
