"""The periods that a group of KPIs shows, with those that they are held against, and the stretches that they take."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache

import polars as pl

from smartkpi.derive.coverage import FULL, NONE, Cover, judge
from smartkpi.derive.spine import INSTANT, Answers, Periods, key_type, place
from smartkpi.engines.answer import FROM, PERIOD, UPTO
from smartkpi.periods.calendar import Calendar, Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.reach import Place, Reach, reach_from, stretch_of_all
from smartkpi.periods.windows import Length, Path, Shift, Stretch, Window, grid_of, instant_after, is_cut
from smartkpi.plan.nodes import Component, Plan, Step

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
Open = Mapping[str, pl.DataFrame]
PART = 1 << 40
"""The numbers of parts of periods begin here."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Periods by number: those shown from 0, earlier ones below, parts of them from PART.

    ``frame`` has a row for each: `i`, `at` (the number of its period), start, end, first, last, for each shift a
    column with the number of the place that it leads to, for each window the columns of its stretch (`from`, `upto`).
    ``keys`` are the whole periods, in order of time, the first of them with the number ``low``.
    """

    grain: Grain
    frame: pl.DataFrame
    keys: tuple[Key | None, ...]
    low: int
    shifts: Mapping[Shift, str]
    windows: Mapping[Window | None, str]
    reach: Reach | None = None

    def numbers(self) -> pl.DataFrame:
        """Return the number of each whole period by its key."""
        keys = pl.Series("key", self.keys, dtype=key_type(self.grain))
        return pl.DataFrame({"key": keys, "i": pl.int_range(self.low, self.low + len(self.keys), eager=True)})

    def follow(self, path: Path) -> pl.Series:
        """Return for each row the number of the row that some shifts lead to."""
        at = pl.int_range(self.frame.height, eager=True, dtype=pl.Int64)
        for shift in path:
            at = self.frame.select(pl.col(self.shifts[shift]).gather(at)).to_series()
        return at


def as_reached(periods: Periods) -> Reached:
    """Return periods without any others."""
    frame = periods.frame.with_columns(pl.col("i").alias("at"))
    return Reached(periods.grain, frame, periods.keys, 0, {}, {})


def reach_out(
    plan: Plan,
    grain: Grain,
    periods: Periods,
    edge: datetime | None,
    reads: Iterable[tuple[str, Path]],
    datasets: Iterable[str],
) -> Reached:
    """Return the periods that some components are read of, with the stretches of their windows."""
    wanted = list(dict.fromkeys(reads))
    paths = list(dict.fromkeys(path for _, path in wanted if path))
    windows = list(dict.fromkeys(plan.components[id].window for id, _ in wanted))
    keys = [key for key in periods.keys if key is not None]
    none = as_reached(periods)
    if not paths and windows in ([], [None]):
        return none
    if grain is Grain.ALL or not keys:
        return _without_keys(plan, none, windows, paths, edge)
    parts = (plan.datasets[name].spec.period for name in datasets)
    reach = reach_from(plan.calendar, grain, keys, edge, paths, parts)
    shown = set(keys)
    before = sorted({place.key for place in reach.places if place.key not in shown})
    order = {key: number - len(before) for number, key in enumerate([*before, *keys])}
    beginning = PART + len(before)
    numbers = {place: order[place.key] + (beginning if place.part else 0) for place in reach.places}
    places = sorted(reach.places, key=numbers.__getitem__)
    rows = {place: number for number, place in enumerate(places)}
    columns = {shift: f"to.{number}" for number, shift in enumerate(reach.to)}
    frame = _lay_out(plan.calendar, grain, reach, places, numbers, order)
    frame = frame.with_columns(
        pl.Series(columns[shift], [rows.get(to[place]) if place in to else None for place in places], dtype=pl.Int64)
        for shift, to in reach.to.items()
    )
    if not paths or not is_cut(grain):
        windows = [window for window in windows if window is not None]
    names = {window: f"over.{number}" for number, window in enumerate(windows)}
    taken = {name: [reach.stretch(place, window) for place in places] for window, name in names.items()}
    frame = frame.with_columns(_ends(name, grain, found) for name, found in taken.items()).unnest(*taken)
    return Reached(grain, frame, (*before, *keys), -len(before), columns, names, reach)


def _without_keys(
    plan: Plan, found: Reached, windows: Sequence[Window | None], paths: Sequence[Path], edge: datetime | None
) -> Reached:
    """Return the one period of grain `all`, or one without place, with the stretches of its windows."""
    start, end = found.frame["start"].item(), found.frame["end"].item()
    if edge is not None and start is not None and start < edge < end:
        end = edge
    names: dict[Window | None, str] = {w: f"over.{number}" for number, w in enumerate(windows) if w is not None}
    shifts: dict[Shift, str] = {}
    for path in paths:
        for shift in path:
            shifts.setdefault(shift, f"to.{len(shifts)}")
    taken: dict[str, Sequence[Stretch | None]] = {
        name: [None if end is None or window is None else stretch_of_all(plan.calendar, window, end)]
        for window, name in names.items()
    }
    grain = found.grain
    frame = found.frame.with_columns(
        *(_ends(name, grain, one) for name, one in taken.items()),
        *(pl.lit(None, dtype=pl.Int64).alias(name) for name in shifts.values()),
    )
    return replace(found, frame=frame.unnest(*taken) if taken else frame, shifts=shifts, windows=names)


def _ends(name: str, grain: Grain, found: Sequence[Stretch | None]) -> pl.Series:
    kind = key_type(grid_of(grain))
    ends = pl.DataFrame(
        [
            pl.Series(f"{name}.from", [None if one is None else one[0] for one in found], dtype=kind),
            pl.Series(f"{name}.upto", [None if one is None else one[1] for one in found], dtype=kind),
        ]
    )
    return ends.to_struct(name)


def _lay_out(
    calendar: Calendar,
    grain: Grain,
    reach: Reach,
    places: Sequence[Place],
    numbers: Mapping[Place, int],
    order: Mapping[Key, int],
) -> pl.DataFrame:
    """Return the places with their ends; the period that the as-of cuts ends where it would without."""
    spans = [(p.key, reach.end(p) if p.part else calendar.next(grain, p.key)) for p in places]
    frame = pl.DataFrame(
        {
            "i": pl.Series([numbers[place] for place in places], dtype=pl.Int64),
            "at": pl.Series([order[place.key] for place in places], dtype=pl.Int64),
        }
    )
    return frame.hstack(span_columns(calendar, grain, spans))


def span_columns(calendar: Calendar, grain: Grain, spans: Sequence[Stretch | None]) -> list[pl.Series]:
    """Return the instants (start, end) and local days (first, last, both in) of stretches of time."""
    instant = cache(lambda key: key if isinstance(key, datetime) else calendar.midnight(key))

    @cache
    def last(key: Key) -> date:
        return calendar.local_day(key - TICK) if isinstance(key, datetime) else key - DAY

    def first(key: Key) -> date:
        return calendar.local_day(key) if isinstance(key, datetime) else key

    return [
        pl.Series("start", [None if one is None else instant(one[0]) for one in spans], dtype=INSTANT),
        pl.Series("end", [None if one is None else instant(one[1]) for one in spans], dtype=INSTANT),
        pl.Series("first", [None if one is None else first(one[0]) for one in spans], dtype=pl.Date),
        pl.Series("last", [None if one is None else last(one[1]) for one in spans], dtype=pl.Date),
    ]


@dataclass(slots=True)
class Judged:
    """What datasets know of the stretches of a group; columns are added to ``reached`` as they are asked for."""

    plan: Plan
    reached: Reached
    covers: Mapping[str, Cover | None]
    columns: dict[Hashable, tuple[str, str]] = field(default_factory=dict)
    found: dict[tuple[str, Window | None], pl.Series] = field(default_factory=dict)

    def columns_of(self, event: str, window: Window | None) -> tuple[str, str]:
        """Return the columns that say whether an event is covered nowhere, and wholly, in the stretches of a window."""
        history = self.plan.histories.get(event)
        datasets = tuple(one.name for one in self.plan.datasets.values() if event in one.events)
        home, every = (datasets, datasets) if history is None else (history.home, history.datasets)
        home, every = (tuple(name for name in names if name in self.covers) for names in (home, every))
        back = () if history is None else history.back
        until = None if history is None else history.until
        key = (home, every, back, until, window)
        if key not in self.columns:
            number = len(self.columns)
            self.columns[key] = (f"uncovered.{number}", f"full.{number}")
            none = [pl.lit(self.judge(name, window) == NONE) for name in home]
            full = [pl.lit(self.judge(name, window) == FULL) for name in every]
            full += [pl.lit(self._begun(name, length, window)) for name, length in back]
            nowhere = pl.all_horizontal(pl.lit(value=True), *none)
            if until is not None:
                nowhere = nowhere | pl.lit(~self.is_over(every, *until, window))
            told = [
                nowhere.alias(self.columns[key][0]),
                pl.all_horizontal(pl.lit(value=True), *full).alias(self.columns[key][1]),
            ]
            self.reached = replace(self.reached, frame=self.reached.frame.with_columns(told))
        return self.columns[key]

    def judge(self, dataset: str, window: Window | None) -> pl.Series:
        """Return how much a dataset covers of the stretches of a window."""
        if (dataset, window) not in self.found:
            self.found[dataset, window] = self._judge(self.covers[dataset], window)
        return self.found[dataset, window]

    def taken(self, window: Window | None) -> pl.DataFrame:
        """Return the stretches of time of a window: start, end, first, last."""
        frame = self.reached.frame
        if window is None:
            return frame
        ends = frame.select(f"{self.reached.windows[window]}.from", f"{self.reached.windows[window]}.upto").rows()
        spans = [None if low is None or high is None else (low, high) for low, high in ends]
        return pl.DataFrame(span_columns(self.plan.calendar, self.reached.grain, spans))

    def is_over(self, datasets: Sequence[str], grain: Grain, count: int, window: Window | None) -> pl.Series:
        """Say of which stretches so many periods after their last one have gone by, and are covered by datasets."""
        calendar = self.plan.calendar
        covers = [self.covers[name] for name in datasets]
        edge = min((one.end for one in covers if one is not None), default=None)
        if edge is None or any(one is None for one in covers):
            return pl.Series([False]).new_from_index(0, self.reached.frame.height)
        own = calendar.own(grain)

        def is_over(day: date | None) -> bool:
            if day is None or not (own is None or own.has(day)):
                return False
            after = calendar.days(grain, calendar.next(grain, calendar.key(grain, day), count))[0]
            return (own is None or own.has(after)) and calendar.bounds(grain, after)[1] <= edge

        return pl.Series([is_over(day) for day in self.taken(window)["last"]], dtype=pl.Boolean)

    def _begun(self, name: str, length: Length, window: Window | None) -> pl.Series:
        """Say which stretches begin so long after the coverage of a dataset did that nothing before it is missing."""
        found = self.covers.get(name)
        start = self.taken(window)["start"]
        if found is None:
            return start.is_null() & False
        return (start >= instant_after(self.plan.calendar, found.begin, length)).fill_null(value=False)

    def _judge(self, found: Cover | None, window: Window | None) -> pl.Series:
        if window is None or found is None or found.timeless:
            return judge(self.reached.frame, found)
        taken = self.taken(window)
        if window.kind == "cumulative":  # all of the past is as much as there is
            begin = found.begin if found.days is None or not found.days else self.plan.calendar.midnight(found.days[0])
            day = self.plan.calendar.local_day(begin)
            taken = taken.with_columns(pl.max_horizontal("start", pl.lit(begin, INSTANT)))
            taken = taken.with_columns(pl.max_horizontal("first", pl.lit(day)))
        return judge(taken, found)


def complete_in(step: Step, plan: Plan, judged: Judged, base: pl.Series) -> pl.Series:
    """Return for each row whether nothing is missing in what a step reads for it, beside the period itself."""
    parts = [base]
    wanted = {(plan.components[id].event, plan.components[id].window, path) for id, path in step.reads}
    for event, window, path in sorted(wanted, key=str):
        history = plan.histories.get(event)
        if path or window is not None or (history is not None and history.back):
            _, full = judged.columns_of(event, window)
            rows = judged.reached.follow(path)
            parts.append(judged.reached.frame[full].gather(rows).fill_null(value=False))
    if len(parts) == 1:
        return base
    table = pl.DataFrame([part.alias(str(number)) for number, part in enumerate(parts)])
    return table.select(pl.all_horizontal(pl.all())).to_series()


def immature_in(step: Step, plan: Plan, judged: Judged, edge: datetime | None, open_: Open) -> pl.Series | None:
    """Return for each row whether something that a step reads for it may still come; None where nothing ever may."""
    wanted = {(plan.open_in[id], plan.components[id].window, path) for id, path in step.reads if id in plan.open_in}
    later = {(plan.components[id].event, plan.components[id].window, path) for id, path in step.reads}
    later = {one for one in later if (history := plan.histories.get(one[0])) is not None and history.until is not None}
    if not (wanted or later) or edge is None:
        return None
    found = pl.Series([False]).new_from_index(0, judged.reached.frame.height)
    for event, window, path in sorted(later, key=str):
        history = plan.histories[event]
        assert history.until is not None
        every = [name for name in history.datasets if name in judged.covers]
        over = judged.is_over(every, *history.until, window)
        found |= (~over).gather(judged.reached.follow(path)).fill_null(value=False)
    for names, window, path in sorted(wanted, key=str):
        moments = pl.concat([open_[name].filter(pl.col("until") > edge)["moment"] for name in names]).unique().sort()
        taken = judged.taken(window)
        inside = moments.search_sorted(taken["end"]) > moments.search_sorted(taken["start"])
        inside &= taken["start"].is_not_null() & taken["end"].is_not_null()
        found |= inside.gather(judged.reached.follow(path)).fill_null(value=False)
    return found


def marks_of(step: Step, reached: Reached) -> tuple[pl.Series, pl.Series]:
    """Return for each row whether it is held against as many days of an earlier period, and whether one is clamped."""
    none = pl.Series([False]).new_from_index(0, reached.frame.height)
    paths = sorted({path for _, path in step.reads if path}, key=str)
    reach = reached.reach
    if not paths or reach is None:
        return none, none
    parts = reached.frame["i"].is_in([reached.low + reached.keys.index(reach.cut)] if reach.cut in reached.keys else [])
    places = sorted(reach.places, key=lambda place: (place.part, place.key))
    clamped = [any(_is_clamped(reach, place, path) for path in paths) for place in places]
    return parts, pl.Series(clamped, dtype=pl.Boolean)


def _is_clamped(reach: Reach, place: Place, path: Path) -> bool:
    here: Place | None = place
    for shift in path:
        if here is None:
            return False
        if here in reach.clamped.get(shift, ()):
            return True
        here = reach.to[shift].get(here)
    return False


def place_all(answers: Answers, reached: Reached, components: Mapping[str, Component]) -> list[pl.DataFrame]:
    """Return an answer's frames with the number `i` of the row that each is of, each cell in one of them."""
    placed = place(answers, reached.numbers())
    for frame in answers.stretches:
        ids = [name for name in frame.columns if name in components]
        window = components[ids[0]].window
        name = reached.windows.get(window)
        if name is None:
            continue
        ends = {FROM: pl.col(f"{name}.from"), UPTO: pl.col(f"{name}.upto")}
        rows = reached.frame.filter(pl.col("i") >= PART) if window is None else reached.frame
        found = frame.join(rows.select("i", **ends), on=[FROM, UPTO], how="inner").drop(FROM, UPTO)
        keys = [column for column in found.columns if column not in ids]
        for id in ids:
            whole = [one.select(*keys, id) for one in placed if id in one.columns]
            placed = [one.drop(id, strict=False) for one in placed]
            placed.append(pl.concat([*whole, found.select(*keys, id)], how="vertical_relaxed"))
    return placed


def null_rows(frames: Iterable[pl.DataFrame], id: str, reached: Reached, window: Window | None) -> AbstractSet[int]:
    """Return the numbers of the rows in whose stretch some row's count is null, of a component that is added up."""
    name = reached.windows.get(window)
    days: set[Key] = set()
    for frame in frames:
        if f"{id}_null" in frame.columns:
            days |= set(frame.filter(pl.col(f"{id}_null") > 0)[PERIOD].to_list())
    if not days or name is None:
        return set()
    known = pl.Series(sorted(days), dtype=key_type(grid_of(reached.grain)))
    low, high = reached.frame[f"{name}.from"], reached.frame[f"{name}.upto"]
    inside = known.search_sorted(high) > known.search_sorted(low)
    return set(reached.frame.filter(inside & low.is_not_null())["i"].to_list())
