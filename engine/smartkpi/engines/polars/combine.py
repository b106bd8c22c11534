"""The second level of additive scans: cells at each grain, from the small table of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.engines.answer import PERIOD
from smartkpi.engines.exact import SCALE, money
from smartkpi.engines.polars.additive import CUT, PERIOD_KEY, Level1
from smartkpi.engines.polars.compile import Opened, beyond_sums, check_dimensions, collect, dimension, grouped
from smartkpi.engines.polars.expressions import condition
from smartkpi.engines.polars.partials import sum_kinds, uses_of
from smartkpi.engines.polars.times import coarsen, to_zone
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Scan
from smartkpi.semantics.formula import Apply, Expr


@dataclass(slots=True)
class _Second:
    """Aggregates of the small table as they are found, each once; ``once``: so is each key, and they are its values."""

    once: bool
    names: dict[tuple[str, str, frozenset[Expr]], str] = field(default_factory=dict)
    aggregates: list[pl.Expr] = field(default_factory=list)

    def total(self, partial: str, how: str, under: frozenset[Expr], mask: pl.Expr | None) -> pl.Expr:
        """Return the total of a partial under conditions, of which ``mask`` is the expression."""
        key = (partial, how, under)
        if key not in self.names:
            self.names[key] = f"__t{len(self.names)}"
            value = pl.col(partial) if mask is None else pl.when(mask).then(pl.col(partial))
            if self.once:
                self.aggregates.append((value.fill_null(0) if how == "sum" else value).alias(self.names[key]))
            else:
                self.aggregates.append(getattr(value, how)().alias(self.names[key]))
        return pl.col(self.names[key])


def second_level(
    plan: Plan, scan: Scan, level: Level1, small: pl.DataFrame, opened: Opened
) -> list[tuple[Grain, pl.DataFrame]]:
    """Return the cells of a scan at each of its grains, sorted by key: a frame for each set of dimensions."""
    counted = small
    if CUT in small.columns:
        counted = counted.filter(~pl.col(CUT))
    if level.covers:
        counted = counted.filter(pl.col(PERIOD_KEY).is_not_null())
    check_dimensions(counted, level.keys, opened)
    if any(counted[name].any() for name in level.guards):
        raise beyond_sums(opened)
    parts = [
        (_Part(counted) if only is None else _cut(counted, only, level, opened), places)
        for only, places in _by_discriminator(scan, level).items()
    ]
    found: list[tuple[Grain, pl.DataFrame]] = []
    kept = [_kept(scan, cell) for cell in scan.cells]
    for keep in dict.fromkeys(kept):
        chosen = [(part, [i for i in places if kept[i] == keep]) for part, places in parts]
        mine = [(part, places) for part, places in chosen if places]
        cells = [cell for cell, own in zip(scan.cells, kept, strict=True) if own == keep]
        for grain in scan.grains:
            keys = _keys(plan, scan, level, grain, keep)
            frames = [_at_grain(plan, scan, level, part, places, grain, keys) for part, places in mine]
            frame = _align(frames, list(keys), sort=not scan.told_apart).with_columns(
                pl.col(_counts(cells)).fill_null(0)
            )
            _check_weights(cells, frame, opened)
            found.append((grain, _labelled(scan, cells, level, frame)))
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of the small table; ``same`` is the discriminator that has one value in all of them."""

    rows: pl.DataFrame
    same: str = ""


def _cut(small: pl.DataFrame, only: Expr, level: Level1, opened: Opened) -> _Part:
    """Return the rows of the small table in which a discriminator has the value that a condition asks for."""
    known = level.keys.known
    assert isinstance(only, Apply)
    told = next(known[arg].expr.meta.output_name() for arg in only.args if arg in known)
    return _Part(small.filter(condition(only, opened.rows, known)), told)


def _kept(scan: Scan, cell: Cell) -> tuple[str, ...]:
    return tuple(name for name, _ in scan.keys) if cell.keep is None else cell.keep


def _by_discriminator(scan: Scan, level: Level1) -> dict[Expr | None, list[int]]:
    """Group cells by the value of a discriminator that they ask for: each group needs only its rows of the table."""
    others = {expr for expr in scan.discriminators if expr in level.keys.known}
    parts: dict[Expr | None, list[int]] = {}
    for place, cell in enumerate(scan.cells):
        mine = (e for e in cell.where if isinstance(e, Apply) and e.function == "==" and not others.isdisjoint(e.args))
        parts.setdefault(next(mine, None), []).append(place)
    return parts


def _at_grain(
    plan: Plan,
    scan: Scan,
    level: Level1,
    part: _Part,
    places: list[int],
    grain: Grain,
    keys: dict[str, pl.Expr],
) -> pl.DataFrame:
    """Return some cells of a scan at a grain, under their keys."""
    second = _Second(once=bool(keys) and _is_finest(level, grain, {*keys, part.same}))
    outputs: list[pl.Expr] = []
    seen: dict[str, pl.Expr] = {}
    for place in places:
        cell = scan.cells[place]
        totals = _totals(second, level, place, cell)
        seen[totals["rows"].meta.output_name()] = totals["rows"] > 0
        outputs += _outputs(cell, totals)
    frame = part.rows.lazy()
    if grain is Grain.ALL and PERIOD_KEY in part.rows.columns:
        frame = frame.filter(_in_range(plan, level))
    keyed = frame.with_columns(expr.alias(name) for name, expr in keys.items())
    frame = keyed.select(*keys, *second.aggregates) if second.once else grouped(keyed, list(keys), second.aggregates)
    if keys:
        frame = frame.filter(pl.any_horizontal(seen.values()))
    return collect(frame.select(*keys, *outputs))


def _is_finest(level: Level1, grain: Grain, told: set[str]) -> bool:
    """Return whether a part of the small table has one row a key already, where some columns tell its rows apart."""
    known = told | {PERIOD_KEY} if level.unit is grain else told
    return {*level.names} <= known


def _align(frames: list[pl.DataFrame], names: list[str], sort: bool) -> pl.DataFrame:
    """Return frames side by side, by key; a cell is null where its frame has no such key."""
    if not names:
        return pl.concat(frames, how="horizontal")
    if len(frames) == 1:
        return frames[0].sort(names, nulls_last=True) if sort else frames[0]
    spine = pl.concat([frame.select(names) for frame in frames]).unique().sort(names, nulls_last=True)
    for frame in frames:
        spine = spine.join(frame, on=names, how="left", nulls_equal=True, maintain_order="left")
    return spine


def _counts(cells: list[Cell]) -> list[str]:
    """Return the columns that are 0 and not null where another part of the table has the key alone."""
    plain = [cell.id for cell in cells if cell.aggregate in ("rows", "present")]
    return plain + [f"{cell.id}_null" for cell in cells if cell.aggregate == "weight"]


def _labelled(scan: Scan, cells: list[Cell], level: Level1, found: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of an answer: the period, dimensions by their own names, cells in the order of the scan."""
    known = set(found.columns)  # asked once: a frame writes all of its names anew each time
    period = [PERIOD] if PERIOD in known else []
    kinds = {f"__d{i}": (scan.keys[i][0], t) for i, t in enumerate(level.keys.kinds)}
    dims = [dimension(t, alias).alias(name) for alias, (name, t) in kinds.items() if alias in known]
    suffixes = ("", "_null", "_high", "_low")
    names = (f"{cell.id}{suffix}" for cell in cells for suffix in suffixes)
    columns = [name for name in names if name in known]
    return found.select(*period, *dims, *columns)


def _keys(plan: Plan, scan: Scan, level: Level1, grain: Grain, keep: tuple[str, ...]) -> dict[str, pl.Expr]:
    keys: dict[str, pl.Expr] = {}
    if grain is Grain.HOUR:
        keys[PERIOD] = pl.col(PERIOD_KEY)
    elif grain is not Grain.ALL:
        keys[PERIOD] = coarsen(_day(level, plan.calendar.timezone), grain, plan.calendar)
    places = {name: place for place, (name, _) in enumerate(scan.keys)}
    return keys | {alias: pl.col(alias) for alias in (level.keys.dimensions[places[name]] for name in keep)}


def _day(level: Level1, zone: str) -> pl.Expr:
    return to_zone(pl.col(PERIOD_KEY), zone).dt.date() if level.hours else pl.col(PERIOD_KEY)


def _in_range(plan: Plan, level: Level1) -> pl.Expr:
    day = _day(level, plan.calendar.timezone)
    start, end = plan.range.start or date.min, plan.range.end or date.max
    return (day >= start) & (day < end)


def _totals(second: _Second, level: Level1, place: int, cell: Cell) -> dict[str, pl.Expr]:
    """Return the totals of the partials that a cell is made of, by kind."""
    how = {"min": "min", "max": "max"}
    moved, mask = level.moved[place], level.masks[place]
    under = frozenset(cell.where) - frozenset(moved)
    uses = uses_of(cell, moved)
    return {use[0]: second.total(level.partials[use], how.get(use[0], "sum"), under, mask) for use in uses}


def _outputs(cell: Cell, totals: dict[str, pl.Expr]) -> list[pl.Expr]:
    """Return the columns of a cell; null where no row contributes."""
    seen = totals["rows"] > 0
    match cell.aggregate:
        case "rows":
            return [totals["rows"].alias(cell.id)]
        case "present":
            return [totals["count"].alias(cell.id)]
        case "min" | "max":
            return [totals[cell.aggregate].cast(pl.Float64).alias(cell.id)]
        case "weight":
            value = pl.when(totals["count"] > 0).then(totals["whole"].cast(pl.Int64)).alias(cell.id)
            nulls = (totals["rows"] - totals["count"]).alias(f"{cell.id}_null")
            return [value, nulls, (totals["min"] < 0).alias(f"__bad_{cell.id}")]
        case "sum":
            return [pl.when(seen).then(_sum(cell, totals)).alias(cell.id), *_parts(cell, totals)]
        case _:
            raise AssertionError(f"no additive aggregate: {cell.aggregate}")


def _parts(cell: Cell, totals: dict[str, pl.Expr]) -> list[pl.Expr]:
    """Return the parts of a sum of floats that is to be added up further."""
    if not cell.parts or sum_kinds(cell) != ("high", "low"):
        return []
    return [totals["high"].cast(pl.Int128).alias(f"{cell.id}_high"), totals["low"].alias(f"{cell.id}_low")]


def _sum(cell: Cell, totals: dict[str, pl.Expr]) -> pl.Expr:
    match sum_kinds(cell):
        case ("micro",):
            return money(totals["micro"])
        case ("whole",):
            return totals["whole"].cast(pl.Int128)
        case _:
            return totals["high"].cast(pl.Float64) / SCALE + totals["low"]


def _check_weights(cells: list[Cell], found: pl.DataFrame, opened: Opened) -> None:
    known = set(found.columns)
    for cell in cells:
        column = f"__bad_{cell.id}"
        if column in known and found[column].any():
            name = opened.table.name
            message = f"a row of dataset `{name}` has a negative count"
            hint = "a count says how many events a row stands for: 0 or more"
            raise KpiError(Diagnostic("negative-count", message, opened.table.span, hint, subject=f"dataset:{name}"))
