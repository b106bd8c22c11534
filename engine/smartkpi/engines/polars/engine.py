"""The Polars engine: it answers plans over opened tables, in as few passes over the rows as the plan has scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.engines.answer import Answer, Coverage, edge_of
from smartkpi.engines.polars.additive import Level1, first_level
from smartkpi.engines.polars.apart import looks_at, over_query, queries_of
from smartkpi.engines.polars.combine import second_level
from smartkpi.engines.polars.compile import (
    Opened,
    beyond_sums,
    collect,
    counted,
    edge,
    held_in,
    looked_up,
    read_by,
    rows_of,
)
from smartkpi.engines.polars.coverage import coverage_query, from_level, profile, sees_all, spans_of, times_of
from smartkpi.engines.polars.distinct import count_values, finish, value_queries
from smartkpi.engines.polars.estimate import lay_out
from smartkpi.engines.polars.explain import describe
from smartkpi.engines.polars.groups import Group, admit
from smartkpi.engines.polars.holistic import finish_holistic
from smartkpi.engines.polars.keys import deduplicate, is_unique
from smartkpi.engines.polars.lookups import attach, taken, unmatched
from smartkpi.engines.polars.meter import Meter, Progress
from smartkpi.engines.polars.notes import duplicates, no_time, not_a_number, preferred, without_match
from smartkpi.engines.polars.operands import passes_of
from smartkpi.engines.polars.order import numbered
from smartkpi.engines.polars.relations import Maker, as_opened, read_once
from smartkpi.engines.polars.sketch import finish_sketch
from smartkpi.engines.polars.slices import is_large, span_read
from smartkpi.engines.polars.spread import SPREAD, cells_over, rows_over, slices_over
from smartkpi.engines.polars.stretches import asked_of, dated, stack, stretches_of, within
from smartkpi.engines.polars.windows import (
    Part,
    Share,
    added,
    count_held,
    cut,
    labelled,
    merged,
    over,
    shares_of,
    sizes_query,
    slices_shown,
    values_query,
    windowed,
)
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Stretch, grid_of
from smartkpi.plan.nodes import Demand, Plan, Relation, Scan, Side, Standing
from smartkpi.plan.reads import made_from
from smartkpi.plan.relations import ROW
from smartkpi.semantics.formula import Expr, TypedDataset
from smartkpi.sources.audit import left_out
from smartkpi.sources.faults import panicking
from smartkpi.sources.tables import Table, refuse_changed, samples_of


@dataclass(slots=True)
class PolarsEngine:
    """Answers plans over tables. ``progress`` is told the rows read so far and those to read in all, if known."""

    tables: Mapping[str, Table]
    progress: Progress | None = None

    def collect(self, plan: Plan) -> Answer:
        """Run a plan's scans. Raises KpiError for data that cannot be used."""
        origins = " and ".join(self.tables[name].origin for name in plan.profiles if name in self.tables)
        with panicking(origins):
            return _Run(self, plan).answer()

    def explain(self, plan: Plan) -> str:
        """Return for each scan the optimised logical plan and the nodes of the physical one, as text."""
        run = _Run(replace(self, progress=None), plan, shown=True)
        return describe(run.queries())


class _Run:
    """One plan on its way: its datasets opened once, its scans counted. ``shown``: nothing of it is read ahead."""

    def __init__(self, engine: PolarsEngine, plan: Plan, *, shown: bool = False) -> None:
        self.engine, self.plan, self.shown = engine, plan, shown
        self.opened: dict[str, Opened] = {}
        self.bases: dict[str, Opened] = {}
        self.admitted: dict[str, Opened] = {}
        self.standings: dict[str, pl.DataFrame] = {}
        self.left_out: dict[str, dict[str, int]] = {}
        self.unmatched: dict[str, dict[str, int]] = {}
        self.elsewhere: dict[str, int] = {}
        self.notes: list[Diagnostic] = []
        self.coverage: dict[str, Coverage] = {}
        self.unfinished: dict[str, pl.DataFrame] = {}
        self.scans = 0
        self.meter = None if engine.progress is None else Meter(engine.progress, self.total())

    def answer(self) -> Answer:
        plan = self.plan
        frames: dict[Grain, list[pl.DataFrame]] = {}
        origins: dict[Grain, list[str]] = {}
        coverage = self.coverage
        values: dict[tuple[Grain, str], list[pl.DataFrame]] = {}
        for scan in sorted(plan.scans, key=lambda scan: scan.dataset in plan.relations):  # they ask for coverage
            opened = self.open(scan.dataset)
            if scan.demands:
                continue
            if scan.state == "additive":
                covers = scan.dataset not in coverage and self.covering(scan)
                level = self.level(scan, opened, covers)
                small = self.run(opened, level.query)
                self.examine(scan, opened, level, small)
                if covers:
                    coverage[scan.dataset] = from_level(opened, level, small, self.left_out[scan.dataset])
                for grain, frame in second_level(plan, scan, level, small, opened):
                    frames.setdefault(grain, []).append(frame)
                    origins.setdefault(grain, []).append(scan.dataset)
            elif scan.state == "values":
                for grain, query in value_queries(plan, scan, opened):
                    values.setdefault((grain, scan.cells[0].id), []).append(self.run(opened, query))
            else:
                if is_large(opened) and scan.dataset in plan.profiles:
                    self.cover(scan.dataset)
                days = coverage[scan.dataset].days if scan.dataset in coverage else ()
                for grain, frame in self.apart(scan, opened, days):
                    frames.setdefault(grain, []).append(frame)
                    origins.setdefault(grain, []).append(scan.dataset)
        for (grain, id), parts in values.items():
            frames.setdefault(grain, []).append(count_values(id, parts))
            origins.setdefault(grain, []).append("")
        for name in plan.profiles:
            self.cover(name)
        stretches = self.stretches(coverage)
        for opened in self.opened.values():
            if not opened.table.held:
                refuse_changed(opened.table)
        ordered = {name: self.complete(coverage[name]) for name in plan.profiles}
        self.notes += [
            no_time(plan.datasets[name], one) for name, one in ordered.items() if "null_time" in one.left_out
        ]
        return Answer(
            frames={grain: tuple(found) for grain, found in frames.items()},
            coverage=ordered,
            scans=self.scans,
            notes=tuple(self.notes),
            origins={grain: tuple(found) for grain, found in origins.items()},
            stretches=stretches,
            open=self.unfinished,
        )

    def complete(self, found: Coverage) -> Coverage:
        """Return what is known of a dataset's rows, with what lookups, preferences and the audit found."""
        elsewhere = self.elsewhere.get(found.dataset)
        left_out = found.left_out if elsewhere is None else {**found.left_out, "preferred_elsewhere": elsewhere}
        bad, unmatched = samples_of(self.engine.tables[found.dataset]), self.unmatched.get(found.dataset, {})
        return replace(found, left_out=left_out, unmatched=unmatched, bad_rows=bad)

    def stretches(self, coverage: Mapping[str, Coverage]) -> dict[Grain, tuple[pl.DataFrame, ...]]:
        """Return the answers of the scans that are asked for stretches of time, which the coverage tells."""
        frames: dict[tuple[Grain, str], list[pl.DataFrame]] = {}
        values: dict[tuple[Grain, Stretch, str], list[pl.DataFrame]] = {}
        for scan in self.plan.scans:
            for demand in (demand for demand in scan.demands if not demand.windowed):
                for stretch in stretches_of(self.plan, demand, coverage, scan.dataset):
                    plan, one = within(self.plan, scan, stretch)
                    if scan.state == "values":
                        opened = self.open(scan.dataset)
                        found = [self.run(opened, query) for _, query in value_queries(plan, one, opened)]
                        values.setdefault((demand.grain, stretch, scan.cells[0].id), []).extend(found)
                    else:
                        mine = frames.setdefault((demand.grain, scan.dataset), [])
                        mine.extend(dated(self.whole(plan, one), stretch))
        for (grain, stretch, id), parts in values.items():
            frames.setdefault((grain, ""), []).extend(dated(iter([count_values(id, parts)]), stretch))
        for key, frame in (*self.windows(coverage), *self.spread(coverage)):
            frames.setdefault(key, []).append(frame)
        stacked: dict[Grain, list[pl.DataFrame]] = {}
        for (grain, _), some in frames.items():
            stacked.setdefault(grain, []).extend(stack(some, self.plan.components))
        return {grain: tuple(some) for grain, some in stacked.items()}

    def windows(self, coverage: Mapping[str, Coverage]) -> Iterator[tuple[tuple[Grain, str], pl.DataFrame]]:
        """Yield the answers of distincts over windows, a slice of time after the other, all windows of one together."""
        for scans in windowed(self.plan):
            asked, names = asked_of(self.plan, scans, coverage), [name for name, _ in scans[0].keys]
            opened = [self.open(scan.dataset) for scan in scans]
            for part, length in cut(self.plan, scans, opened, coverage):
                many = max(shares_of(*one, part, length) for one in zip(scans, opened, strict=True))
                shares = (self.sizes(scans, part, (share, many)) for share in range(many))
                wide = added([count_held(sizes, part, names) for sizes in shares], names)
                for (grain, id), own in asked.items():
                    origin = scans[0].dataset if len(scans) == 1 else ""
                    yield (grain, origin), over(wide, names, part, own, id)

    def sizes(self, scans: Sequence[Scan], part: Part, share: Share) -> pl.DataFrame:
        """Return how many values, of a share, are alike in a part of time, by the dimensions' own names."""
        grid, opened = grid_of(scans[0].demands[0].grain), [self.open(scan.dataset) for scan in scans]
        made = [values_query(self.plan, scan, one, grid, part, share) for scan, one in zip(scans, opened, strict=True)]
        if len(scans) == 1:
            query, keys = made[0]
            found = self.run(opened[0], sizes_query(query, keys.dimensions, part))
            return labelled(found, scans[0], keys, opened[0])
        tables = [
            labelled(self.run(one, query), scan, keys, one)
            for (query, keys), scan, one in zip(made, scans, opened, strict=True)
        ]
        return collect(sizes_query(merged(tables, part), [name for name, _ in scans[0].keys], part), opened[0].engine)

    def spread(self, coverage: Mapping[str, Coverage]) -> Iterator[tuple[tuple[Grain, str], pl.DataFrame]]:
        """Yield the answers of what needs all values of a window: windows of the same rows share a pass."""
        groups: dict[object, list[tuple[Scan, Demand]]] = {}
        for scan in (scan for scan in self.plan.scans if scan.state in SPREAD):
            for demand in (demand for demand in scan.demands if demand.windowed):
                rows = scan.cells if scan.state == "sketch" else [(cell.where, cell.argument) for cell in scan.cells]
                order = any(cell.aggregate in ("first", "last") for cell in scan.cells)
                key = (scan.dataset, scan.time, scan.filter, scan.keys, *rows[:1], order, grid_of(demand.grain))
                groups.setdefault(key, []).append((scan, demand))
        for some in groups.values():
            first, opened = some[0][0], self.open(some[0][0].dataset)
            asked = [stretches_of(self.plan, demand, coverage, first.dataset) for _, demand in some]
            for part in slices_over((one for found in asked for one in found), opened):
                query, keys = rows_over(self.plan, first, opened, grid_of(some[0][1].grain), part)
                found, here = self.run(opened, query), set(part)
                for (scan, demand), own in zip(some, asked, strict=True):
                    mine = [one for one in own if one in here]
                    for frame in cells_over(scan, found, mine, keys, opened) if mine else ():
                        yield (demand.grain, scan.dataset), frame

    def whole(self, plan: Plan, scan: Scan) -> Iterator[pl.DataFrame]:
        """Yield the answer of a scan over all of a plan's range."""
        opened = self.open(scan.dataset)
        if scan.state != "additive":
            yield from (frame for _, frame in self.apart(scan, opened, (), plan))
            return
        level = first_level(opened, scan, False, False, lay_out(opened, scan), plan.calendar)
        small = self.run(opened, level.query)
        self.examine(scan, opened, level, small)
        yield from (frame for _, frame in second_level(plan, scan, level, small, opened))

    def apart(
        self, scan: Scan, opened: Opened, days: Sequence[date], plan: Plan | None = None
    ) -> Iterator[tuple[Grain, pl.DataFrame]]:
        """Yield the answer of a scan that has a query of its own at each grain, perhaps in slices of time."""
        for grain, queries, keys in queries_of(plan or self.plan, scan, opened, days):
            found = (self.run(opened, query, len(queries)) for query in queries)
            if scan.state == "holistic":
                yield grain, finish_holistic(scan, found, keys, opened)
            elif scan.state == "sketch":
                yield grain, finish_sketch(scan, found, keys, opened)
            else:
                yield grain, finish(scan, pl.concat(list(found)), keys, opened)

    def queries(self) -> Iterator[tuple[str, pl.LazyFrame]]:
        """Yield the title and query of each pass over rows, without running it."""
        covered = set()
        for name in self.plan.relations:
            yield from self.operands(name)
        for scan in self.plan.scans:
            if scan.dataset in self.plan.relations:
                continue
            opened = self.open(scan.dataset)
            cells = " ".join(cell.id for cell in scan.cells)
            for demand in (one for one in scan.demands if scan.state in SPREAD or one.window is None):
                over = demand.window or "parts of earlier periods"
                query = over_query(self.plan, scan, opened, demand)
                yield f"{scan.dataset} [{scan.state} over {over} by {demand.grain}] {cells}", query
            if scan.demands:
                continue
            if scan.state == "additive":
                covers = scan.dataset not in covered and self.covering(scan)
                covered |= {scan.dataset} if covers else set()
                title = f"{scan.dataset} [additive{', coverage' if covers else ''}] {cells}"
                yield title, self.level(scan, opened, covers).query
            elif scan.state == "values":
                for grain, query in value_queries(self.plan, scan, opened):
                    yield f"{scan.dataset} [values by {grain}] {cells}", query
            else:
                for grain, found, _ in queries_of(self.plan, scan, opened, ()):
                    yield f"{scan.dataset} [{scan.state} by {grain}] {cells}", found[0]
        for name in self.plan.profiles:
            times = times_of(self.plan.datasets[name])
            if name not in covered and times:
                yield f"{name} [coverage]", coverage_query(self.open(name), times)
        if groups := windowed(self.plan):
            coverage = {name: self.profile(name) for name in self.plan.profiles}
            for scans in groups:
                yield from slices_shown(self.plan, scans, [self.open(scan.dataset) for scan in scans], coverage)

    def covering(self, scan: Scan) -> bool:
        return scan.dataset in self.plan.profiles and sees_all(scan, self.plan)

    def level(self, scan: Scan, opened: Opened, covers: bool) -> Level1:
        bounded = self.plan.range.start is not None or self.plan.range.end is not None
        ranged = bounded and Grain.ALL in scan.grains
        span = span_read(self.plan, scan) if scan.told_apart else (None, None)
        return first_level(opened, scan, covers, ranged, lay_out(opened, scan), self.plan.calendar, span)

    def profile(self, name: str) -> Coverage:
        """Read the coverage of a dataset by a scan of its times alone."""
        opened = self.plain(name)
        return profile(opened, self.plan.datasets[name], self.run, self.plan.calendar.timezone, self.left_out[name])

    def examine(self, scan: Scan, opened: Opened, level: Level1, small: pl.DataFrame) -> None:
        """Look at the columns in which some value is no number, which is noted, or too large, which is an error."""
        suspects = [column for column, flag in level.suspects.items() if small[flag].any()]
        if not suspects:
            return
        frame = counted(opened, scan, level.clock, cut=True)
        looks = [look.alias(f"{what}{i}") for i, c in enumerate(suspects) for what, look in looks_at(c).items()]
        found = opened.collect(frame.select(looks)).row(0, named=True)
        for i, column in enumerate(suspects):
            if column in level.exact and found[f"large{i}"]:
                raise beyond_sums(opened)
            if count := found[f"broken{i}"]:
                self.notes.append(not_a_number(self.plan.datasets[scan.dataset], column, count))

    def open(self, name: str) -> Opened:
        """Return a dataset with one row a key, and what scans of it read, opened once."""
        if name not in self.admitted:
            reads = [expr for scan in self.plan.scans if scan.dataset == name for expr in read_by(scan)]
            self.admitted[name] = self.admit(self.plain(name), reads)
        return self.admitted[name]

    def admit(self, opened: Opened, reads: Iterable[Expr]) -> Opened:
        """Return a dataset that knows which rows are in the groups that expressions read."""
        for node in held_in(reads):
            if node not in opened.groups:
                opened = admit(opened, node, self.standing(node.relation))
        return opened

    def standing(self, name: str) -> pl.DataFrame:
        """Return the entities of a group, found once."""
        if name not in self.standings:
            plan, standing = self.plan, self.plan.relations[name]
            assert isinstance(standing, Standing)
            self.standings[name] = Group(plan, standing, self.opener(standing), self.run).make()
        return self.standings[name]

    def opener(self, relation: Relation | Standing) -> Callable[[str], Opened]:
        """Return what opens a dataset with the groups that a relation reads: others may be made of it."""
        reads: dict[str, list[Expr]] = {}
        for side in (side for sides in relation.operands for side in sides):
            reads.setdefault(side.dataset, []).extend(side.reads)
        return lambda name: self.admit(self.plain(name), reads.get(name, ()))

    def plain(self, name: str) -> Opened:
        """Return a dataset with one row a key and all its lookups, opened once."""
        if name in self.opened:
            return self.opened[name]
        if name in self.plan.relations:
            self.opened[name] = self.derive(name)
            return self.opened[name]
        base, dataset = self.base(name), self.plan.datasets[name]
        opened = self.look_up(replace(base, frame=base.table.frame), dataset)
        opened = replace(opened, frame=base.frame)
        self.leave_to_others(opened, dataset)
        self.opened[name] = opened
        return opened

    def derive(self, name: str) -> Opened:
        """Return the rows that are made of others as those of a dataset."""
        plan, relation = self.plan, self.plan.relations[name]
        assert isinstance(relation, Relation), "nothing scans a group"
        if relation.kind == "rows":
            return read_once(name, relation, self.opener(relation), None if self.shown else self.run, plan.calendar)
        needed = relation.operands[: relation.ends[0] + 1]
        known = self.edge_of(made_from(plan, needed)) if relation.opens else None
        made = Maker(plan, relation, self.opener(relation), self.run, known, self.edge_of(relation.seen)).make()
        for one, end in ((name, len(relation.operands) - 1), *relation.prefixes) if relation.opens else ():
            self.unfinished[one] = made.open[end]
        return as_opened(name, made.rows, plan.calendar)

    def edge_of(self, datasets: Iterable[str]) -> datetime | None:
        """Return the as-of of a question over some datasets."""
        return edge_of(self.plan, {one: self.cover(one) for one in datasets}, self.plan.profiles)

    def operands(self, name: str) -> Iterator[tuple[str, pl.LazyFrame]]:
        """Yield the title and query of each operand of a relation that is of a dataset that is read."""
        relation = self.plan.relations[name]
        if isinstance(relation, Relation):
            yield from passes_of(name.removeprefix("@"), relation, self.plan.relations, self.opener(relation))

    def base(self, name: str) -> Opened:
        """Return a dataset with one row a key, with no lookups at hand but those that its key needs."""
        if name in self.bases:
            return self.bases[name]
        if name not in self.engine.tables:
            raise KpiError(Diagnostic("no-table", f"dataset `{name}` has no rows to read", subject=f"dataset:{name}"))
        table, dataset = self.engine.tables[name], self.plan.datasets[name]
        opened = Opened(table, table.frame, rows_of(self.plan, table, name), edge(self.plan, name), self.meter)
        opened = replace(opened, rows=replace(opened.rows, spans=spans_of(opened, dataset)))
        opened = replace(opened, lookups=dataset.spec.lookups)
        self.left_out[name] = {}
        if table.audit is not None and table.audit.skipped:
            self.left_out[name]["bad_row"] = table.audit.skipped
            self.notes.append(left_out(name, table.audit, table.span))
        orders = tuple(one for one in (dataset.time, dataset.keep) if one is not None)
        if dataset.key and (needed := looked_up((*dataset.key, *orders))):
            opened = attach(opened, dataset, needed, self.other)
        if dataset.key and not is_unique(opened, dataset):
            found = deduplicate(opened, dataset)
            opened = found.opened
            if found.late:
                self.left_out[name]["after_as_of"] = found.late
            if found.equal or found.older:
                self.left_out[name]["duplicate"] = found.equal + found.older
                self.notes.append(duplicates(dataset, found.equal, found.older))
        if name in self.numbered:
            frame = opened.frame if opened.frame is table.frame else opened.collect(opened.frame).lazy()
            rows = replace(opened.rows, dtypes={**opened.rows.dtypes, ROW: pl.Int64()})
            opened = replace(opened, frame=frame, numbered=numbered(frame, self.plan, name), rows=rows)
        self.bases[name] = opened
        return opened

    @property
    def sides(self) -> list[Side]:
        """The operands of all relations, by dataset."""
        return [side for one in self.plan.relations.values() for sides in one.operands for side in sides]

    @property
    def numbered(self) -> set[str]:
        """The datasets whose rows are told apart."""
        return {side.dataset for side in self.sides if any(name == ROW for name, _ in side.columns)}

    def cover(self, name: str) -> Coverage:
        """Return the coverage of a dataset, read once."""
        if name not in self.coverage:
            self.coverage[name] = self.profile(name)
        return self.coverage[name]

    def leave_to_others(self, opened: Opened, dataset: TypedDataset) -> None:
        """Count the rows of events that other datasets have as well, and before this one."""
        for event in dataset.events:
            before = [one for one in dataset.lookups.values() if one.event == event and one.name in opened.joins]
            if not before:
                continue
            tables = [self.engine.tables[one.dataset] for one in before]
            reads = tuple(self.plan.datasets[name].spec.read for name in (dataset.name, *(one.name for one in tables)))
            if count := taken(opened, dataset, before, tables, reads):
                self.elsewhere[dataset.name] = self.elsewhere.get(dataset.name, 0) + count
                self.notes.append(preferred(dataset, event, [other.dataset for other in before], count))

    def look_up(self, opened: Opened, dataset: TypedDataset) -> Opened:
        """Return a dataset with the lookups at hand that the plan reads; rows without a match are counted."""
        own = [expr for scan in self.plan.scans if scan.dataset == dataset.name for expr in read_by(scan)]
        own += [expr for side in self.sides if side.dataset == dataset.name for expr in side.reads]
        times = times_of(dataset) if dataset.name in self.plan.profiles or dataset.key else ()
        kept = () if dataset.keep is None or not dataset.key else (dataset.keep,)
        needed = looked_up((*own, *dataset.key, *times, *kept))
        if not needed:
            return opened
        opened = attach(opened, dataset, needed, self.other)
        for name in (name for name in opened.joins if not dataset.lookups[name].event):
            other = dataset.lookups[name].dataset
            read = (dataset.spec.read, self.plan.datasets[other].spec.read)
            count, example = unmatched(opened, dataset.lookups[name], self.engine.tables[other], read)
            if count:
                self.unmatched.setdefault(dataset.name, {})[name] = count
                self.notes.append(without_match(dataset, dataset.lookups[name], count, example))
        return opened

    def other(self, name: str) -> tuple[Opened, TypedDataset]:
        """Open a dataset that another looks up."""
        return self.base(name), self.plan.datasets[name]

    def run(self, opened: Opened, query: pl.LazyFrame, parts: int = 1) -> pl.DataFrame:
        """Run one pass over rows, or one of so many parts of a pass."""
        try:
            found = opened.collect(query)
        finally:
            if self.meter is not None:
                self.meter.check()
        self.scans += not (opened.table.held and opened.table.name in self.plan.relations)
        if self.meter is not None and opened.meter is not None:
            hint = opened.table.rows_hint
            self.meter.finish(None if hint is None else hint // parts)
        return found

    def total(self) -> int | None:
        """Return how many rows all passes of the plan read, if every dataset says how many it has."""
        passes = [side.dataset for side in self.sides]
        passes += [s.dataset for s in self.plan.scans for _ in ((0,) if s.state == "additive" else s.grains)]
        covered = {scan.dataset for scan in self.plan.scans if self.covering(scan)}
        passes += [n for n in self.plan.profiles if n not in covered and times_of(self.plan.datasets[n])]
        hints = [self.engine.tables[name].rows_hint for name in passes if name in self.engine.tables]
        return None if None in hints else sum(hint or 0 for hint in hints)
