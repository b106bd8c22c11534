"""Questions and answers: which rows a result has, and what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from smartkpi.language import syntax
from smartkpi.language.parse import parse_event, parse_formula
from smartkpi.source import text_of
from smartkpi.spec.group import Group
from smartkpi.spec.load import load
from smartkpi.spec.model import Catalog, Dataset, Kpi
from smartkpi.tree import walk
from tests.oracle.coverage import Coverage, as_of, coverage, is_complete, is_covered, is_stale_in
from tests.oracle.days import (
    DAY,
    TICK,
    Begins,
    Key,
    Period,
    is_listed,
    local_day,
    made_of,
    midnight,
    period_of,
    periods,
)
from tests.oracle.formula import (
    Cell,
    Leaf,
    Run,
    adds_over_time,
    around,
    compared,
    compute,
    is_ratio,
    leaves,
    meant,
    periods_of,
    runs,
    shown,
    withins,
)
from tests.oracle.groups import groups_named, is_member
from tests.oracle.judged import Judged, beside, is_judged, is_low, status
from tests.oracle.revisions import in_force, turns
from tests.oracle.rows import FIRST, EventRow, Row, World, day_of, ends_at, starts_at
from tests.oracle.steps import base_of, bases_of, begins_with, derived_rows, ends_before, has_derived, is_over, meaning
from tests.oracle.time import (
    GRAINS,
    LONG_AGO,
    Option,
    Window,
    as_long,
    before,
    seen_part,
    shift_fits,
    take,
    window_fits,
)

Segment = tuple[Any, ...]
HELD = {
    "previous": ("previous", "change", "growth", "previous_flags"),
    "year": ("year_ago", "year_change", "year_growth", "year_flags"),
}
"""The columns of each comparison."""
LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """What is asked: KPIs by name (none: all), a grain, dimensions, local days (both in), a condition, an as-of.

    By hour, ``since`` and ``until`` may be times: those of the first and last hour. ``compare`` names what values are
    held against: `previous`, `year`, `none`; where nothing is said, the scorecard has `previous`.
    """

    kpis: tuple[str, ...] = ()
    grain: str | None = None
    by: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    where: str | None = None
    as_of: date | datetime | None = None
    compare: tuple[str, ...] | None = None


def answer(
    project: Catalog | Mapping[str, Any] | str | Path,
    rows: Mapping[str, list[Row]],
    question: Question,
    columns: Mapping[str, tuple[str, ...]] | None = None,
) -> list[dict[str, Any]]:
    """The rows of the result, sorted by KPI as asked, start, segment; exact money is a fraction.

    ``columns`` names the columns of each dataset, where its rows do not.
    """
    catalog = project if isinstance(project, Catalog) else load(project).catalog
    known = columns or {name: tuple(found[0]) if found else () for name, found in rows.items()}
    zone = catalog.calendar.timezone
    asked_as_of = question.as_of
    if isinstance(asked_as_of, datetime):
        asked_as_of = asked_as_of.astimezone(UTC)
    cut = None if asked_as_of is None else ends_at(asked_as_of, zone)
    world = World(catalog, rows, known, cut)
    names = question.kpis or tuple(name for name, kpi in catalog.kpis.items() if not kpi.hidden)
    return [row for name in names for row in Asked(world, question, catalog.kpis[name]).answer()]


@dataclass(frozen=True)
class Asked:
    """One KPI under one question; ``as_in``: whatever the day, as definitions are in a world."""

    world: World
    question: Question
    kpi: Kpi
    as_in: World | None = None

    @property
    def zone(self) -> str:
        return self.world.zone

    @property
    def begins(self) -> Begins:
        return self.world.begins

    @property
    def grain(self) -> str:
        return self.question.grain or self.own_grain

    @property
    def own_grain(self) -> str:
        if self.kpi.grain or any(dataset.timeless for dataset in self.datasets):
            return self.kpi.grain or "all"
        usual = ("day",) if self.kpi.window else ()
        return next(grain for grain in (*usual, "month", "week", "quarter", "year", "all") if self.holds_all(grain))

    def holds_all(self, grain: str) -> bool:
        """Whether no period of a grain cuts one that a row stands for, or that a value is of."""
        return self.has_whole(grain) and all(made_of(grain, period, self.begins) for period in self.periods_read)

    @cached_property
    def stood_for(self) -> set[str]:
        """The periods that counted rows which are read stand for."""
        return set().union(*(periods_of(self.world, leaf.event) for leaf in self.leaves))

    def has_whole(self, grain: str) -> bool:
        """Whether the periods of a grain, or the range asked for, cut none that a row stands for in two."""
        edges = (self.question.since, self.question.until and self.question.until + DAY) if grain == "all" else ()
        return all(
            made_of(grain, part, self.begins)
            and all(
                day is None or period_of(part, day, self.zone, self.begins).start == midnight(day, self.zone)
                for day in edges
            )
            for part in self.stood_for
        )

    def cuts_a_series(self) -> bool:
        """Whether the range asked for cuts in two a period that has a value of its own."""
        edges = (self.question.since, self.question.until and self.question.until + DAY) if self.grain == "all" else ()
        return any(
            day is not None and period_of(run.period, day, self.zone, self.begins).start != midnight(day, self.zone)
            for run in self.runs
            if run.series
            for day in edges
        )

    @property
    def is_scorecard(self) -> bool:
        return not (self.question.grain or self.question.since or self.question.until)

    @cached_property
    def outer(self) -> tuple[syntax.Expr, ...]:
        where = self.question.where
        return (parse_formula(text_of(where)),) if where else ()

    @cached_property
    def here(self) -> World:
        """The world, in which rows are in groups as this KPI and question look at them."""
        return replace(self.world, held=lambda names, group: is_member(names, group, self.grain, self.edge), members={})

    @cached_property
    def versions(self) -> dict[date, tuple[World, Kpi]]:
        """The world, and the KPI in it, from each day on which something changes."""
        catalog = self.world.catalog
        worlds = {day: replace(self.here, catalog=in_force(catalog, day)) for day in turns(catalog)}
        return {day: (world, world.catalog.kpis[self.kpi.name]) for day, world in worlds.items()}

    def at(self, day: date) -> tuple[World, Kpi]:
        if self.as_in is not None:
            return self.as_in, self.kpi
        return self.versions[max(start for start in self.versions if start <= day)]

    @cached_property
    def leaves(self) -> list[Leaf]:
        found = [leaves(world, meant(kpi), around(kpi, self.outer)) for world, kpi in self.versions.values()]
        return list(dict.fromkeys(leaf for version in found for leaf in version))

    def is_dated(self) -> bool:
        """Whether the KPI, or one that it reads, is not the same at all times."""

        def told(world: World, kpi: Kpi, above: tuple[str, ...] = ()) -> Any:
            names = {node.text: None for node in walk(kpi.formula.expr) if isinstance(node, syntax.Name)}
            way = (*above, kpi.name)  # a field may have the name of a KPI
            read = [world.catalog.kpis[name] for name in names if name in world.catalog.kpis and name not in way]
            below = [told(world, one, way) for one in read]
            bands = [(one.status, one.band) for one in kpi.thresholds]
            return (kpi.formula.expr, kpi.where and kpi.where.expr, bands, below)

        first, *others = (told(world, kpi) for world, kpi in self.versions.values())
        return any(other != first for other in others)

    @cached_property
    def events(self) -> dict[str, list[EventRow]]:
        return {event: rows for event, (rows, _) in self.derived.items()}

    @cached_property
    def derived(self) -> dict[str, tuple[list[EventRow], list[tuple[date, datetime]]]]:
        """The rows of each event, and the times of those that something may still follow, with the end of that."""
        read = {leaf.event for leaf in self.leaves}
        read |= {begins_with(self.world.catalog, event) for event in read}
        return {event: derived_rows(self.here, event, self.edge) for event in read}

    def providers(self, event: str) -> list[Dataset]:
        """The datasets that an event is made of."""
        catalog = self.world.catalog
        return [dataset for one in bases_of(catalog, event) for dataset in self.world.providers(one)]

    def home(self, event: str) -> list[Dataset]:
        """The datasets whose rows the rows of an event are."""
        return self.world.providers(base_of(self.world.catalog, event))

    @cached_property
    def runs(self) -> list[Run]:
        return [run for world, kpi in self.versions.values() for run in runs(world, meant(kpi))]

    @cached_property
    def periods_read(self) -> set[str]:
        return {run.period for run in self.runs}

    @cached_property
    def datasets(self) -> list[Dataset]:
        read = {dataset.name for leaf in self.leaves for dataset in self.providers(leaf.event)}
        return [self.world.catalog.datasets[name] for name in sorted(read)]

    @cached_property
    def edge(self) -> datetime | None:
        return LAST if self.is_timeless else as_of(self.world, self.datasets)

    @cached_property
    def is_timeless(self) -> bool:
        """Whether nothing that is read has a time."""
        return all(dataset.timeless for dataset in self.datasets)

    @cached_property
    def coverages(self) -> dict[str, Coverage]:
        return {dataset.name: coverage(self.world, dataset, self.edge) for dataset in self.datasets}

    def is_unavailable(self) -> bool:
        """Whether an event has no rows anywhere, or lacks a field that the question names."""
        question = self.question
        ranged = question.since or question.until or question.as_of
        if (self.grain != "all" or ranged) and any(dataset.timeless for dataset in self.datasets):
            return True
        if self.is_dated() and any(dataset.timeless for dataset in self.datasets):
            return True
        if not self.holds_all(self.grain) or self.is_outside() or self.cuts_a_series():
            return True
        if not all(
            all(window_fits(one, self.grain, periods_of(self.world, leaf.event), self.begins) for one in leaf.windows)
            and all(shift_fits(shift, self.grain, self.begins) for shift in leaf.shifts)
            for leaf in self.leaves
        ):
            return True
        if any(adds_over_time(world, self.grain, meant(kpi)) for world, kpi in self.versions.values()):
            return True
        if self.grain == "all" and any(group.at == "period_start" for group in self.groups()):
            return True
        filtered = {name for condition in self.outer for name in fields_of(self.world, condition)}
        apart = {leaf.event for leaf in self.leaves if not leaf.whole} or {leaf.event for leaf in self.leaves}

        def lacks(event: str) -> bool:
            needed = {*filtered, *(question.by if event in apart else ())}
            return not self.providers(event) or not all(has_derived(self.world, event, f) for f in needed)

        within = set().union(*(withins(world, meant(kpi)) for world, kpi in self.versions.values()))
        return any(lacks(leaf.event) for leaf in self.leaves) or not within <= {*question.by}

    def groups(self) -> Iterator[Group]:
        """The groups that the answer stands on."""
        by = [syntax.Name(tuple(name.split(".")), self.kpi.span) for name in self.question.by]
        catalog = self.world.catalog
        events = [meaning(catalog, leaf.event) or parse_event(text_of(leaf.event)) for leaf in self.leaves]
        yield from groups_named(self.world.catalog, [*self.outer, *by, *events])
        for world, kpi in self.versions.values():
            where = [] if kpi.where is None else [kpi.where.expr]
            yield from groups_named(world.catalog, [kpi.formula.expr, *where])

    def is_outside(self) -> bool:
        """Whether the calendar lists no period in the range asked for."""
        days, question = self.begins.listed(self.grain), self.question
        return bool(days) and (
            (question.since is not None and question.since >= days[-1])
            or (question.until is not None and question.until < days[0])
        )

    def tells_apart(self, event: str) -> bool:
        """Whether the rows of an event have all fields of the question's segments."""
        return all(has_derived(self.world, event, name) for name in self.question.by)

    def answer(self) -> list[dict[str, Any]]:
        if self.is_unavailable():
            return [self.row(None, (), {"value": None, "state": "unavailable"})]
        if self.edge is None:
            return [] if self.question.by else [self.row(None, (), {"value": None, "state": "no_data"})]
        segments = self.segments()
        shown_periods = self.shown_periods(min(segments.values(), default=None))
        if not segments and not self.question.by:
            return [self.result(shown_periods[-1] if shown_periods else self.asked_period(), ())]
        return [
            self.result(period, segment)
            for period in shown_periods
            for segment in sorted(segments, key=order_of_segment)
            if segments[segment] <= period.start
        ]

    def period(self, row: EventRow) -> Period | None:
        """The period of a row; `all` has but one, and a row may lie outside."""
        if self.grain == "all":
            only = self.all_periods()[0]
            if row.time is None:
                return only
            start = row.time if isinstance(row.time, datetime) else midnight(row.time, self.zone)
            return only if only.start <= start < only.end else None
        assert row.time is not None
        moment = row.time.astimezone(UTC) if isinstance(row.time, datetime) else row.time
        if not is_listed(self.grain, moment, self.zone, self.begins):
            return None
        return period_of(self.grain, moment, self.zone, self.begins)

    def segment(self, event: str, row: EventRow) -> Segment:
        return tuple(row.field(name) for name in self.question.by) if self.tells_apart(event) else ()

    def segments(self, leaves: list[Leaf] | None = None) -> dict[Segment, datetime]:
        """Each segment and the start of its first period with a row that the KPI, or a part of it, reads."""
        found: dict[Segment, datetime] = {}
        for leaf in self.leaves if leaves is None else leaves:
            event = begins_with(self.world.catalog, leaf.event)
            for row in self.events[event] if self.tells_apart(event) else ():
                period = self.period(row)
                if period is not None and row.passes(leaf.around):
                    segment = self.segment(event, row)
                    found[segment] = min(found.get(segment, period.start), period.start)
        return found

    def all_periods(self) -> list[Period]:
        """The one period of grain `all`: from the start of coverage, or since, to the as-of, or until."""
        assert self.edge is not None
        if self.is_timeless:
            return [Period(None, FIRST, LAST, date.min, date.max)]
        firsts = [min(c.days) for c in self.coverages.values() if c.days]
        first = self.since or min(firsts, default=local_day(self.edge - TICK, self.zone))
        first = local_day(first, self.zone) if isinstance(first, datetime) else first
        end = self.edge if self.after is None else self.after
        return [Period(None, midnight(first, self.zone), end, first, local_day(end - TICK, self.zone))]

    def shown_periods(self, first: datetime | None) -> list[Period]:
        """The periods asked for, up to the one of the as-of; of a scorecard the last complete one, else the last."""
        assert self.edge is not None
        if self.grain == "all":
            found = self.all_periods()
        else:
            last = self.edge - TICK
            days = self.begins.listed(self.grain)
            if days and local_day(last, self.zone) < days[0]:
                return []
            begin = min(self.all_periods()[0].start, last) if first is None else first
            if self.since:
                begin = max(begin, period_of(self.grain, self.since, self.zone, self.begins).start)
            found = periods(self.grain, begin, last, self.zone, self.begins) if begin <= last else []
            if self.after is not None:
                found = [period for period in found if period.start < self.after]
        if not self.is_scorecard:
            return found
        complete = [period for period in found if self.is_complete(period) and self.is_mature(period)]
        return (complete or found)[-1:]

    @property
    def since(self) -> date | datetime | None:
        """The first day or hour asked for."""
        since = self.question.since
        return since.astimezone(UTC) if isinstance(since, datetime) else since

    @property
    def after(self) -> datetime | None:
        """The instant at which the range asked for is over."""
        until = self.question.until
        if isinstance(until, datetime):
            return period_of("hour", until.astimezone(UTC), self.zone, self.begins).end
        return midnight(until + DAY, self.zone) if until else None

    def asked_period(self) -> Period:
        """The last period asked for, where it lies after the as-of."""
        if self.after is not None:
            return period_of(self.grain, self.after - TICK, self.zone, self.begins)
        if self.since is None:
            return period_of(self.grain, date.min, self.zone, self.begins)
        return period_of(self.grain, self.since, self.zone, self.begins)

    def is_complete(self, period: Period, segment: Segment | None = None) -> bool:
        """Whether nothing is missing: the period is over, covered by all datasets, and no count in it is null.

        The same holds for each stretch of time that an aggregate takes instead.
        """
        assert self.edge is not None
        return all(is_complete(period, found, self.edge) for found in self.coverages.values()) and all(
            self.knows(leaf, period, segment) for leaf in self.leaves
        )

    def knows(self, leaf: Leaf, period: Period, segment: Segment | None) -> bool:
        """Whether nothing is missing in the stretch of time that an aggregate takes for a period."""
        assert self.edge is not None
        for shift in leaf.shifts:
            period = self.before(period, shift)
        stretch = self.stretch(period, leaf.window)
        known = [self.coverages[dataset.name] for dataset in self.providers(leaf.event)]
        begins = {name: self.covered_from(name) for name in self.coverages}
        if not ends_before(self.world, leaf.event, stretch.start, begins):
            return False
        covered = all(is_complete(self.begun(stretch, leaf.window, found), found, self.edge) for found in known)
        rows = self.rows(leaf.event, stretch, None if leaf.whole else segment, leaf.window)
        if leaf.whole and segment:
            values = dict(zip(self.question.by, segment, strict=True))
            rows = [row for row in rows if all(row.field(name) == values[name] for name in leaf.within)]
        unknown = any(row.weight is None and row.passes((*leaf.around, *leaf.own)) for row in rows)
        return not unknown and (covered or not (leaf.window or leaf.shifts))

    def covered_from(self, dataset: str) -> datetime | None:
        days = self.coverages[dataset].days
        return midnight(min(days), self.zone) if days else None

    def is_mature(self, period: Period, leaves: list[Leaf] | None = None) -> bool:
        """Whether nothing may still follow what a value of this period, or one that it is held against, is made of."""
        assert self.edge is not None
        for leaf in self.leaves if leaves is None else leaves:
            then = period
            for shift in leaf.shifts:
                then = self.before(then, shift)
            stretch = self.stretch(then, leaf.window)
            if not self.is_over(leaf.event, stretch):
                return False
            for time, end in self.derived[leaf.event][1]:
                if end > self.edge and stretch.start <= starts_at(time, self.zone) < stretch.end:
                    return False
        return True

    def is_over(self, event: str, stretch: Period) -> bool:
        """Whether all datasets have covered so many periods after a stretch of time as a cohort looks ahead."""
        ends = [self.coverages[dataset.name].days for dataset in self.providers(event)]
        known = min((midnight(max(days) + DAY, self.zone) for days in ends if days), default=None)
        known = None if known is None or self.edge is None else min(known, self.edge)
        return is_over(self.world, event, stretch.last, known if all(ends) else None)

    def stretch(self, period: Period, window: Window | None) -> Period:
        """The stretch of time that a window takes for a period, as far as the as-of lets one see."""
        if window is None:
            return period
        assert self.edge is not None
        return take(window, self.seen(period), self.grain, self.zone, self.begins)

    @property
    def stood(self) -> str:
        """The coarsest period that counted rows stand for, and which is never cut in two; else a day."""
        return max(("day", *self.stood_for), key=GRAINS.index)

    def seen(self, period: Period) -> Period:
        """The part of a period that the as-of lets one see."""
        assert self.edge is not None
        return seen_part(period, self.grain, self.edge, self.stood, self.zone, self.begins)

    def begun(self, stretch: Period, window: Window | None, found: Coverage) -> Period:
        """A stretch as one dataset can know it: all of the past begins where its coverage does."""
        if window is None or window[0] != "cumulative" or not found.days:
            return stretch
        first = min(*found.days, stretch.last)
        return replace(stretch, first=first, start=min(midnight(first, self.zone), stretch.end - TICK))

    def before(self, period: Period, shift: Option) -> Period:
        """The period that a shift leads to; of one that the as-of cuts, or that was cut itself, as many days of it."""
        assert self.edge is not None
        if (days := self.begins.listed(self.grain)) and period.first <= days[0]:
            return nowhere(self.zone)
        seen = self.seen(period)
        whole = period_of(self.grain, period.start if self.grain == "hour" else period.first, self.zone, self.begins)
        earlier, _ = before(whole, shift, self.grain, self.zone, self.begins)
        return earlier if seen.last == whole.last else as_long(earlier, seen, self.stood, self.zone, self.begins)

    def is_clamped(self, period: Period) -> bool:
        """Whether a period that this one is held against lacks a day or week of its number."""
        return any(self.clamps(leaf, period) for leaf in self.leaves)

    def clamps(self, leaf: Leaf, period: Period) -> bool:
        """Whether a period on the way to the one that an aggregate is of lacks a day or week of its number."""
        for shift in leaf.shifts:
            period, clamped = before(period, shift, self.grain, self.zone, self.begins)
            if clamped:
                return True
        return False

    @cached_property
    def cells(self) -> dict[tuple[str, Key], dict[Segment, list[EventRow]]]:
        """The rows of each event by period and segment, whatever their conditions."""
        found: dict[tuple[str, Key], dict[Segment, list[EventRow]]] = {}
        for event, rows in self.events.items():
            for row in rows:
                if (period := self.period(row)) is not None:
                    found.setdefault((event, period.key), {}).setdefault(self.segment(event, row), []).append(row)
        return found

    def rows(
        self, event: str, stretch: Period, segment: Segment | None, window: Window | None = None
    ) -> list[EventRow]:
        """The rows of an event in a stretch of time and a segment (none: of all)."""
        if window is not None:
            found = self.events[event]
            rows = [row for row in found if segment is None or self.segment(event, row) == segment]
        else:
            cell = self.cells.get((event, stretch.key), {})
            rows = [row for rows in cell.values() for row in rows] if segment is None else cell.get(segment, [])
        return [row for row in rows if self.is_in(row, stretch)]

    def is_in(self, row: EventRow, stretch: Period) -> bool:
        if row.time is None:
            return True
        if self.grain == "hour":
            return isinstance(row.time, datetime) and stretch.start <= row.time < stretch.end
        return stretch.first <= day_of(row.time, self.zone) <= stretch.last

    def cell(
        self,
        period: Period,
        segment: Segment | None,
        within: Mapping[str, Any] = MappingProxyType({}),
        window: Window | None = None,
    ) -> Cell:
        """The cell of a period and a segment; without one, of all segments that have some values."""
        edge = self.edge
        assert edge is not None
        known = within if segment is None else dict(zip(self.question.by, segment, strict=False))
        stretch = self.stretch(period, window)

        def read(event: str) -> list[Coverage]:
            return [self.coverages[dataset.name] for dataset in self.home(event)]

        def rows(event: str) -> list[EventRow]:
            found = self.rows(event, stretch, segment, window)
            return [row for row in found if all(row.field(name) == value for name, value in within.items())]

        def whole(fields: tuple[str, ...]) -> Cell | None:
            if not {*fields} <= {*known}:
                return None
            return self.cell(period, None, {name: known[name] for name in fields}, window)

        def peers(leaves: list[Leaf]) -> list[Cell] | None:
            if segment is None:
                return None
            begun = [one for one, start in self.segments(leaves).items() if start <= period.start]
            return [self.cell(period, one, window=window) for one in begun] if segment in begun else []

        def covered(event: str) -> bool:
            known = any(is_covered(self.begun(stretch, window, found), found, edge) for found in read(event))
            return known and self.is_over(event, stretch)

        def over(window: Window) -> Cell:
            return self.cell(period, segment, within, window)

        def earlier(shift: Option) -> Cell:
            return self.cell(self.before(period, shift), segment, within)

        def parts(grain: str) -> list[Cell]:
            return [self.part(one, world, rows, read) for one in self.parts(self.since_covered(stretch), grain)]

        def series(grain: str) -> list[tuple[Cell, Cell | None]]:
            asked, found = self.by_itself(grain, world), self.parts(self.since_covered(stretch), grain)
            return [
                (self.part(one, world, rows, read), None if whole is None else asked.cell(whole, segment, within))
                for one, whole in ((one, self.whole_of(one, grain)) for one in found)
            ]

        world = self.at(period.first)[0]
        direction = self.kpi.direction
        return Cell(world, rows, covered, whole, peers, over, earlier, direction, parts=parts, series=series)

    def by_itself(self, grain: str, world: World | None) -> Asked:
        """The KPI asked for by another grain."""
        return Asked(self.world, replace(self.question, grain=grain, since=None, until=None), self.kpi, world)

    def whole_of(self, part: Period, grain: str) -> Period | None:
        """The period of a part of it; none where not the as-of alone cuts it at its end."""
        assert self.edge is not None
        whole = period_of(grain, part.start, self.zone, self.begins)
        today = local_day(self.edge - TICK, self.zone)
        return whole if part.end == whole.end or part.last >= today else None

    def parts(self, period: Period, grain: str) -> list[Period]:
        """The periods of a grain in another, as far as they lie in it."""
        if not period.start < period.end:
            return []
        found = periods(grain, period.start, period.end - TICK, self.zone, self.begins)
        found = [one for one in found if one.start < period.end and period.start < one.end]
        return [
            Period(
                one.key,
                max(one.start, period.start),
                min(one.end, period.end),
                max(one.first, period.first),
                min(one.last, period.last),
            )
            for one in found
        ]

    def part(
        self, part: Period, world: World, rows: Callable[[str], list[EventRow]], read: Callable[[str], list[Coverage]]
    ) -> Cell:
        """The cell of a part of a period."""
        assert self.edge is not None
        edge = self.edge

        def inside(event: str) -> list[EventRow]:
            starts = ((starts_at(row.time, self.zone), row) for row in rows(event))
            return [row for start, row in starts if part.start <= start < part.end]

        def covered(event: str) -> bool:
            return any(is_covered(part, found, edge) for found in read(event))

        def none(what: Any) -> Any:
            return None

        return Cell(world, inside, covered, none, none, none, none, self.kpi.direction)

    def runs_over_all(self, period: Period) -> bool:
        """Whether each covered period that a `per` runs over is whole and known in full."""
        edge = self.edge
        assert edge is not None
        for run in self.runs:
            stretch, asked = self.run_over(run, period), self.by_itself(run.period, None)
            if self.parts_covered(run, stretch) and not is_listed_all(run.period, stretch, self.zone, self.begins):
                return False
            for part, whole in self.parts_covered(run, stretch):
                known = all(asked.knows(leaf, whole, None) for leaf in run.series)
                if (part.start, part.end) != (whole.start, whole.end) or not (
                    known and all(is_complete(whole, found, edge) for found in self.coverages.values())
                ):
                    return False
        return True

    def run_over(self, run: Run, period: Period) -> Period:
        """The stretch of time in which a `per` takes the periods of its own."""
        for shift in run.shifts:
            period = self.before(period, shift)
        return self.since_covered(self.stretch(period, run.window))

    def parts_covered(self, run: Run, stretch: Period) -> list[tuple[Period, Period]]:
        """The parts that a `per` runs over, each with the whole period."""
        edge = self.edge
        assert edge is not None
        read = [[self.coverages[d.name] for d in self.home(event)] for event in run.events]
        return [
            (part, period_of(run.period, part.start, self.zone, self.begins))
            for part in self.parts(stretch, run.period)
            if all(any(is_covered(part, found, edge) for found in some) for some in read)
        ]

    def series_of(self, period: Period) -> Iterator[tuple[Asked, Leaf, Period]]:
        """Each aggregate of a series, as it is asked for by itself in one of the periods taken."""
        for run in self.runs:
            found = self.parts_covered(run, self.run_over(run, period)) if run.series else []
            taken = self.parts(self.run_over(run, period), run.period)
            if any(self.whole_of(part, run.period) is None for part in taken):
                continue
            asked = self.by_itself(run.period, None)
            yield from ((asked, leaf, whole) for _, whole in found for leaf in run.series)

    def since_covered(self, stretch: Period) -> Period:
        """A stretch of time; all of the past begins where coverage does."""
        firsts = [min(found.days) for found in self.coverages.values() if found.days]
        if stretch.first != LONG_AGO or not firsts:
            return stretch
        first = min(firsts)
        return replace(stretch, first=first, start=midnight(first, self.zone))

    def result(self, period: Period, segment: Segment) -> dict[str, Any]:
        """The result row of a period and a segment."""
        edge = self.edge
        assert edge is not None
        cell = self.cell(period, segment)
        kpi = self.at(period.first)[1]
        value = shown(compute(cell, meant(kpi), around(kpi, self.outer)))
        flags = [] if self.is_complete(period, segment) and self.runs_over_all(period) else ["incomplete"]
        series = list(self.series_of(period))
        mature = self.is_mature(period) and all(asked.is_mature(one, [leaf]) for asked, leaf, one in series)
        flags += [] if mature else ["immature"]
        shifted = any(leaf.shifts for leaf in self.leaves)
        held = [(asked, leaf, one) for asked, leaf, one in series if leaf.shifts]
        cut = shifted and self.seen(period).last < period.last
        flags += ["like_for_like"] if cut or any(asked.seen(one).last < one.last for asked, _, one in held) else []
        clamped = (shifted and self.is_clamped(period)) or any(asked.clamps(leaf, one) for asked, leaf, one in held)
        flags += ["clamped"] if clamped else []
        if any(is_stale_in(period, found, edge) for found in self.coverages.values()):
            flags.append("stale")
        found = {"value": value.number, "money": value.exact, "n": value.n, "state": value.state, "flags": flags}
        texts = {name: text_of_value(part) for name, part in zip(self.question.by, segment, strict=False)}
        row = Judged(
            value.number,
            value.n,
            {**texts, **self.fixed()},
            lambda name: self.beside(name, period, segment),
            (period.first, period.last),
            self.is_pure(),
        )
        if is_low(kpi, row):
            flags.insert(len({"incomplete", "immature"} & {*flags}), "low_sample")
        found |= {"status": self.status(kpi, row, flags)}
        for name in self.comparisons:
            found |= dict(zip(HELD[name], self.held(name, period, segment), strict=True))
        return self.row(period, segment, found)

    @property
    def comparisons(self) -> tuple[str, ...]:
        said = self.question.compare
        asked = (("previous",) if self.is_scorecard else ()) if said is None else said
        return tuple(name for name in HELD if name in asked)

    def shift_to(self, name: str) -> Option:
        """How far back a comparison lies: a year, the window that ends where this one begins, or the period before."""
        if name == "year":
            return syntax.Duration(1, "y", self.kpi.formula.expr.span)
        window = self.kpi.window
        return window if window is not None and shift_fits(window, self.grain, self.begins) else None

    def held(self, name: str, period: Period, segment: Segment) -> tuple[Any, Any, Any, list[str]]:
        """The value of an earlier period, the change since, its share, and marks."""
        nothing = (None, None, None, [])
        shift, cut = self.shift_to(name), self.seen(period).last < period.last
        if not shift_fits(shift, self.grain, self.begins):
            return nothing
        if self.is_scorecard and cut:
            return nothing
        now, then = self.cell(period, segment), self.cell(self.before(period, shift), segment)
        x = syntax.Name((self.kpi.name,), self.kpi.formula.expr.span)
        values = [shown(compared(now, what, x, then, self.outer)).number for what in ("previous", "change", "growth")]
        reach = [replace(leaf, shifts=(shift, *leaf.shifts)) for leaf in self.leaves]
        flags = [] if all(self.knows(leaf, period, segment) for leaf in reach) else ["incomplete"]
        if not flags and not self.runs_over_all(self.before(period, shift)):
            flags = ["incomplete"]
        flags += ["like_for_like"] if cut else []
        flags += ["clamped"] if any(self.clamps(leaf, period) for leaf in reach) else []
        return values[0], values[1], values[2], flags

    def fixed(self) -> dict[str, str]:
        """The dimensions that the question's condition holds at one text."""
        parts, found = [*self.outer], {}
        while parts:
            match parts.pop():
                case syntax.Apply("and", args):
                    parts += args
                case syntax.Apply("==", (syntax.Name() as name, syntax.Text(text))):
                    found[name.text] = text
                case syntax.Apply("==", (syntax.Name() as name, syntax.Boolean(flag))):
                    found[name.text] = "true" if flag else "false"
        return found

    def is_pure(self) -> bool:
        """Whether the question's condition says no more than what `fixed` finds."""
        parts = [part for one in self.outer for part in (one.args if conjoined(one) else (one,))]
        return len(parts) == len(self.fixed())

    def beside(self, name: str, period: Period, segment: Segment) -> float | None:
        """What a value is held against, in its period and segment: nothing where that is not whole."""
        window = self.kpi.window
        shifts = window is not None and shift_fits(window, self.own_grain, self.begins)
        kpi = replace(beside(self.kpi, shifts)[name], grain=self.own_grain)
        catalog = self.world.catalog
        world = replace(self.world, catalog=replace(catalog, kpis={**catalog.kpis, kpi.name: kpi}))
        other = Asked(world, self.question, kpi)
        if other.is_unavailable() or other.edge is None:
            return None
        begun = other.segments().get(segment)
        if segment and (begun is None or begun > period.start):
            return None
        row = other.result(period, segment)
        return None if "incomplete" in row["flags"] else row["value"]

    def status(self, kpi: Kpi, row: Judged, flags: list[str]) -> str | None:
        """The first band that holds; none where there is no value, or the bands are for another grain."""
        own_grain = self.grain == self.own_grain
        if not is_judged(kpi, row) or row.value is None:
            return None
        shares = [is_ratio(world, meant(one)) for world, one in self.versions.values() if not is_void(one)]
        if not own_grain and not all(shares):
            return None
        return "pending" if {"incomplete", "immature"} & {*flags} else status(kpi, row, self.world.catalog)

    def row(self, period: Period | None, segment: Segment, found: Mapping[str, Any]) -> dict[str, Any]:
        start, end = (period.start, period.end) if period and period.start > FIRST else (None, None)
        dimensions = dict(zip(self.question.by, segment, strict=False)) if segment else {}
        blank: dict[str, Any] = {"money": None, "n": None, "flags": [], "status": None}
        for name in self.comparisons:
            blank |= dict(zip(HELD[name], (None, None, None, []), strict=True))
        level = "segment" if self.question.by else "total"
        head = {"kpi": self.kpi.name, "grain": self.grain, "start": start, "end": end, **dimensions, "level": level}
        return {**head, **blank, **found}


def conjoined(expr: syntax.Expr) -> bool:
    return isinstance(expr, syntax.Apply) and expr.function == "and"


def nowhere(zone: str) -> Period:
    """A period without a day: the one before the first that a calendar lists."""
    start = midnight(LONG_AGO, zone)
    return Period(None, start, start, LONG_AGO, LONG_AGO - DAY)


def is_listed_all(grain: str, stretch: Period, zone: str, begins: Begins) -> bool:
    """Whether all days of a stretch of time lie in periods of a grain."""
    return all(is_listed(grain, day, zone, begins) for day in (stretch.first, stretch.last))


def is_void(kpi: Kpi) -> bool:
    return isinstance(kpi.formula.expr, syntax.Null)


def text_of_value(value: Any) -> Any:
    """A value of a dimension as a file writes it."""
    return ("true" if value else "false") if isinstance(value, bool) else None if value is None else str(value)


def fields_of(world: World, expr: syntax.Expr) -> Iterable[str]:
    """The fields that a condition names."""
    match expr:
        case syntax.Name():
            if expr.text not in world.catalog.constants:
                yield expr.text
        case syntax.Apply("col", (syntax.Text(column),)):
            yield column
        case syntax.Apply("start_of", (time, _)):  # the other one is a grain
            yield from fields_of(world, time)
        case syntax.Apply(_, args):
            for arg in args:
                yield from fields_of(world, arg)


def order_of_segment(segment: Segment) -> list[tuple[bool, Any]]:
    """Segments sort by value, null first."""
    return [(value is not None, 0 if value is None else value) for value in segment]
