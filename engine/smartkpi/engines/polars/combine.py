"""The second level of additive scans: cells at each grain, from the small table of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars.additive import CUT, PERIOD_KEY, Level1
from smartkpi.engines.polars.compile import Opened, beyond_sums, check_dimensions, collect, dimension, grouped
from smartkpi.engines.polars.expressions import condition
from smartkpi.engines.polars.partials import MICROS, SCALE, sum_kinds, uses_of
from smartkpi.engines.polars.times import coarsen, to_zone
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Scan
from smartkpi.semantics.formula import Apply, Expr

MONEY = pl.Decimal(38, 6)


@dataclass(slots=True)
class _Second:
    """Aggregates of the small table as they are found, each once."""

    names: dict[tuple[str, str, frozenset[Expr]], str] = field(default_factory=dict)
    aggregates: list[pl.Expr] = field(default_factory=list)

    def total(self, partial: str, how: str, under: frozenset[Expr], mask: pl.Expr | None) -> pl.Expr:
        """Return the total of a partial under conditions, of which ``mask`` is the expression."""
        key = (partial, how, under)
        if key not in self.names:
            self.names[key] = f"__t{len(self.names)}"
            value = pl.col(partial) if mask is None else pl.when(mask).then(pl.col(partial))
            self.aggregates.append(getattr(value, how)().alias(self.names[key]))
        return pl.col(self.names[key])


def second_level(
    plan: Plan, scan: Scan, level: Level1, small: pl.DataFrame, opened: Opened
) -> dict[Grain, pl.DataFrame]:
    """Return the cells of a scan at each of its grains, sorted by key."""
    counted = small
    if CUT in small.columns:
        counted = counted.filter(~pl.col(CUT))
    if level.covers:
        counted = counted.filter(pl.col(PERIOD_KEY).is_not_null())
    check_dimensions(counted, level.keys, opened)
    if any(counted[name].any() for name in level.guards):
        raise beyond_sums(opened)
    parts = [
        (counted if only is None else counted.filter(condition(only, opened.rows, level.keys.known)), places)
        for only, places in _by_discriminator(scan, level).items()
    ]
    found: dict[Grain, pl.DataFrame] = {}
    for grain in scan.grains:
        names = list(_keys(plan, level, grain))
        frames = [_at_grain(plan, scan, level, part, places, grain) for part, places in parts]
        cells = _align(frames, names).with_columns(pl.col(_counts(scan)).fill_null(0))
        _check_weights(scan, cells, opened)
        found[grain] = _labelled(scan, level, cells)
    return found


def _by_discriminator(scan: Scan, level: Level1) -> dict[Expr | None, list[int]]:
    """Group cells by the value of a discriminator that they ask for: each group needs only its rows of the table."""
    others = {expr for expr in scan.discriminators if expr in level.keys.known}
    parts: dict[Expr | None, list[int]] = {}
    for place, cell in enumerate(scan.cells):
        mine = (e for e in cell.where if isinstance(e, Apply) and e.function == "==" and not others.isdisjoint(e.args))
        parts.setdefault(next(mine, None), []).append(place)
    return parts


def _at_grain(
    plan: Plan, scan: Scan, level: Level1, small: pl.DataFrame, places: list[int], grain: Grain
) -> pl.DataFrame:
    """Return some cells of a scan at a grain, under their keys."""
    second = _Second()
    outputs: list[pl.Expr] = []
    seen: dict[str, pl.Expr] = {}
    for place in places:
        cell = scan.cells[place]
        totals = _totals(second, level, place, cell)
        seen[totals["rows"].meta.output_name()] = totals["rows"] > 0
        outputs += _outputs(cell, totals)
    keys = _keys(plan, level, grain)
    frame = small.lazy()
    if grain is Grain.ALL and PERIOD_KEY in small.columns:
        frame = frame.filter(_in_range(plan, level))
    keyed = frame.with_columns(expr.alias(name) for name, expr in keys.items())
    frame = grouped(keyed, list(keys), second.aggregates)
    if keys:
        frame = frame.filter(pl.any_horizontal(seen.values()))
    return collect(frame.select(*keys, *outputs))


def _align(frames: list[pl.DataFrame], names: list[str]) -> pl.DataFrame:
    """Return frames side by side, by key; a cell is null where its frame has no such key."""
    if not names:
        return pl.concat(frames, how="horizontal")
    if len(frames) == 1:
        return frames[0].sort(names, nulls_last=True)
    spine = pl.concat([frame.select(names) for frame in frames]).unique().sort(names, nulls_last=True)
    for frame in frames:
        spine = spine.join(frame, on=names, how="left", nulls_equal=True, maintain_order="left")
    return spine


def _counts(scan: Scan) -> list[str]:
    """Return the columns that are 0 and not null where another part of the table has the key alone."""
    plain = [cell.id for cell in scan.cells if cell.aggregate in ("rows", "present")]
    return plain + [f"{cell.id}_null" for cell in scan.cells if cell.aggregate == "weight"]


def _labelled(scan: Scan, level: Level1, cells: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of an answer: the period, dimensions by their own names, cells in the order of the scan."""
    period = [PERIOD] if PERIOD in cells.columns else []
    dims = [dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(level.keys.kinds)]
    columns = [name for cell in scan.cells for name in (cell.id, f"{cell.id}_null") if name in cells.columns]
    return cells.select(*period, *dims, *columns)


def _keys(plan: Plan, level: Level1, grain: Grain) -> dict[str, pl.Expr]:
    keys: dict[str, pl.Expr] = {}
    if grain is Grain.HOUR:
        keys[PERIOD] = pl.col(PERIOD_KEY)
    elif grain is not Grain.ALL:
        keys[PERIOD] = coarsen(_day(level, plan.calendar.timezone), grain, plan.calendar.week_start)
    return keys | {name: pl.col(name) for name in level.keys.dimensions}


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
            return [pl.when(seen).then(_sum(cell, totals)).alias(cell.id)]
        case _:
            raise AssertionError(f"no additive aggregate: {cell.aggregate}")


def _sum(cell: Cell, totals: dict[str, pl.Expr]) -> pl.Expr:
    match sum_kinds(cell):
        case ("micro",):
            return money(totals["micro"])
        case ("whole",):
            return totals["whole"].cast(pl.Int128)
        case _:
            return totals["high"].cast(pl.Float64) / SCALE + totals["low"]


def money(micros: pl.Expr) -> pl.Expr:
    """Return whole micro units as fixed point with 6 decimals."""
    units, rest = micros // MICROS, micros % MICROS
    return units.cast(MONEY) + rest.cast(MONEY) / pl.lit(Decimal(MICROS), MONEY)


def _check_weights(scan: Scan, found: pl.DataFrame, opened: Opened) -> None:
    for cell in scan.cells:
        column = f"__bad_{cell.id}"
        if column in found.columns and found[column].any():
            name = opened.table.name
            message = f"a row of dataset `{name}` has a negative count"
            hint = "a count says how many events a row stands for: 0 or more"
            raise KpiError(Diagnostic("negative-count", message, opened.table.span, hint, subject=f"dataset:{name}"))
