"""The optimizer: an ordered tuple of small functions Plan → Plan, each of which keeps every answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from smartkpi.language.types import BOOLEAN, Kind
from smartkpi.periods.windows import grid_of
from smartkpi.plan.nodes import Cell, Plan, Scan
from smartkpi.plan.sharing import share_chains, share_reads
from smartkpi.semantics.formula import Apply, Column, Expr, Literal

WIDEST = {"additive": 1000, "distinct": 100}
"""How many cells one pass answers, by the class of their state: its time and memory grow faster than their number."""


def fuse_scans(plan: Plan) -> Plan:
    """Answer all cells of one dataset, time and state class in one pass; thousands in a few.

    before: scan log [additive] c0;  scan log [additive] c1
    after:  scan log [additive] c0 c1

    Additive cells are answered at every grain that one of them wants, since coarser grains come off the small table, as
    do fewer dimensions; the others are asked for one grain a scan, and join cells of that grain and dimensions;
    holistic ones those of the same rows, argument and order, and distincts over windows those of the same values.
    """
    fused: dict[object, Scan] = {}
    sizes: Counter[object] = Counter()
    for scan in plan.scans:
        grains = () if scan.state == "additive" else scan.grains
        entities = tuple(key for key in scan.keys if key[0].startswith("@"))  # far more values: a table of their own
        keys = entities if scan.state == "additive" else scan.keys
        alike = (scan.dataset, scan.time, scan.state, scan.filter, keys, grains, *_own(plan, scan))
        key = (alike, sizes[alike] // WIDEST.get(scan.state, 1000))
        sizes[alike] += len(scan.cells)
        if key in fused:
            one = fused[key]
            both = sorted({*one.grains, *scan.grains}, key=lambda grain: grain.rank)
            every = tuple(dict.fromkeys((*one.keys, *scan.keys)))
            back = tuple(dict.fromkeys((*one.back, *scan.back)))
            cells = tuple(dict.fromkeys((*one.cells, *scan.cells)))
            demands = tuple(dict.fromkeys((*one.demands, *scan.demands)))
            scan = replace(one, grains=tuple(both), cells=cells, keys=every, back=back, demands=demands)
        fused[key] = scan
    return replace(plan, scans=tuple(fused.values()))


def _own(plan: Plan, scan: Scan) -> tuple[object, ...]:
    """Return what the scans of one pass must have in common besides rows, keys and grains.

    A distinct over several windows is one pass: its values are looked up once, whatever the number of windows.
    """
    if scan.state in ("distinct", "values") and scan.windowed:
        cells = (replace(plan.components[cell.id], window=None) for cell in scan.cells)
        return *cells, *dict.fromkeys(grid_of(demand.grain) for demand in scan.demands)
    own = scan.cells if scan.state == "values" else ()
    return scan.demands, own, *map(_apart, scan.cells)


def _apart(cell: Cell) -> object:
    """Return what the cells of one pass must have in common besides the class of their state."""
    match cell.aggregate:
        case "quantile" | "stddev":
            return cell.where, cell.argument, "by value"
        case "first" | "last":
            return cell.where, cell.argument, "by time"
        case "approx_distinct":
            return cell
        case _:
            return None


def choose_discriminators(plan: Plan) -> Plan:
    """Group by the column that tells events apart, so that conditions on it are decided on the small table.

    before: scan log [additive] c0 where event == "visit", c1 where event == "order"
    after:  the same, first level by event

    The column is the one that the most cells compare with a literal, if at least two cells do.
    """
    apart = ("additive", "distinct")
    return replace(plan, scans=tuple(_discriminate(scan) if scan.state in apart else scan for scan in plan.scans))


def _discriminate(scan: Scan) -> Scan:
    used: Counter[Column] = Counter()
    for cell in scan.cells:
        used.update({column for condition in cell.where if (column := compared_column(condition)) is not None})
    if scan.state == "values" or scan.windowed:
        return scan
    best = max(used, key=lambda column: used[column], default=None)
    if best is None or used[best] < 2:
        return scan
    return replace(scan, discriminators=(best,))


def compared_column(condition: Expr) -> Column | None:
    """Return the column of `column == literal` or `column in (literals)`, if the condition has that form."""
    match condition:
        case Apply("==", (Column() as column, Literal() as choice)) | Apply(
            "==", (Literal() as choice, Column() as column)
        ):
            choices = [choice]
        case Apply("in", (Column() as column, *others)):
            choices = [other for other in others if isinstance(other, Literal)]
            if len(choices) < len(others):
                return None
        case _:
            return None
    return column if all(choice.type.kind in (Kind.TEXT, Kind.BOOLEAN) for choice in choices) else None


def push_filters(plan: Plan) -> Plan:
    """Let a scan of distincts, or of what needs all values at once, read only rows that some cell counts.

    before: scan log [distinct] c0 where event == "order"
    after:  scan log [distinct] filter event == "order" c0 where event == "order"

    Additive scans stay whole: they also tell which days have rows.
    """
    return replace(plan, scans=tuple(scan if scan.state == "additive" else _push(scan) for scan in plan.scans))


def _push(scan: Scan) -> Scan:
    masks = tuple(dict.fromkeys(cell.where for cell in scan.cells))
    if any(not mask for mask in masks):
        return scan
    common = tuple(c for c in masks[0] if all(c in mask for mask in masks))
    rest = [tuple(c for c in mask if c not in common) for mask in masks]
    if all(rest) and len(masks) > 1:
        options = tuple(Apply("and", mask, BOOLEAN) if len(mask) > 1 else mask[0] for mask in rest)
        common = (*common, _any_of(options))
    return replace(scan, filter=(*scan.filter, *common))


def _any_of(options: tuple[Expr, ...]) -> Expr:
    """Return that any of several conditions holds: texts that one column may have are one list, found faster."""
    choices: dict[Column, list[Literal]] = {}
    for option in options:
        match option:
            case Apply("==", (Column() as column, Literal() as choice)) if choice.type.kind is Kind.TEXT:
                choices.setdefault(column, []).append(choice)
            case _:
                return Apply("or", options, BOOLEAN)
    if len(choices) != 1:
        return Apply("or", options, BOOLEAN)
    ((column, texts),) = choices.items()
    return Apply("in", (column, *texts), BOOLEAN)


RULES: tuple[Callable[[Plan], Plan], ...] = (
    share_chains,
    share_reads,
    fuse_scans,
    choose_discriminators,
    push_filters,
)
"""All rules, in the order in which they run."""


def optimize(plan: Plan) -> Plan:
    """Return a plan with the same answers that reads the data as few times as it can."""
    for rule in RULES:
        plan = rule(plan)
    return plan
