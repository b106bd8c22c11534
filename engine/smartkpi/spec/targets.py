"""Targets by period and segment: rows in the file, short forms, or a spreadsheet beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language import syntax
from smartkpi.language.parse import parse_formula
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span, Text
from smartkpi.spec.bounds import Folder
from smartkpi.spec.goal import PartTarget
from smartkpi.spec.model import Formula
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.sheet import Cell, read_lines, read_sheet
from smartkpi.spec.values import Problems, formula, text, texts

_PLAIN = re.compile(r"(\d+(?:\.\d+)?)(%?)", re.ASCII)
FORM = "a line each, such as 2026-07,A1,12 under the columns month,salesperson,target"


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of parts, the fields of their segments, and where they stand."""

    parts: tuple[PartTarget, ...] = ()
    by: tuple[str, ...] = ()
    span: Span | None = None


def by_period(node: Node | None, problems: Problems) -> Targets:
    """Return `periods: {2026-07: 34%}` as targets."""
    if not isinstance(node, Fields):
        return Targets()
    found = [
        PartTarget(entry.key.written, (), amount, entry.key.span)
        for entry in node.entries.values()
        if (amount := formula(entry.value, problems)) is not None
    ]
    return Targets(tuple(found), (), node.span)


def by_segment(node: Node | None, problems: Problems) -> Targets:
    """Return `by: {country: {DE: 42%}}` as targets."""
    if not isinstance(node, Fields) or not node.entries:
        return Targets()
    entries = list(node.entries.values())
    if len(entries) > 1:
        hint = "targets of combinations are rows: `targets: {by: [country, channel], rows: […]}`"
        problems.append(Diagnostic("goal-targets", "a goal is by one field here", entries[1].key.span, hint))
    value = entries[0].value
    found = [
        PartTarget(None, (entry.key.written,), amount, entry.key.span)
        for entry in (value.entries.values() if isinstance(value, Fields) else ())
        if (amount := formula(entry.value, problems)) is not None
    ]
    return Targets(tuple(found), (entries[0].key.written,), node.span)


def read_targets(node: Node | None, folder: Folder, problems: Problems) -> Targets:
    """Return `targets`: rows that stand there, or those of a CSV file; a path starts from its folder."""
    if not isinstance(node, Fields):
        return Targets()
    path, rows = node.get("read"), node.get("rows")
    if (path is None) == (rows is None):
        message = "targets are read from a file, or stand here as `rows`"
        problems.append(Diagnostic("goal-targets", message, node.span, "write `read: targets.csv`, or `rows: […]`"))
        return Targets()
    by = texts(node.get("by"))
    names = _Names(text(node.get("period")), by, text(node.get("value")) or "target", node.get("by") is not None)
    if isinstance(path, Scalar):
        return _read(path, folder, names, node.span, problems)
    return _rows(rows, names, node.span, problems) if isinstance(rows, Items) else Targets()


@dataclass(frozen=True, slots=True)
class _Names:
    """What the columns are called: of periods (None: `period`, if there is one), of segments, of the target."""

    period: str | None
    by: tuple[str, ...]
    value: str
    stated: bool


def _rows(rows: Items, names: _Names, span: Span, problems: Problems) -> Targets:
    parts: list[PartTarget] = []
    period, by = names.period or "period", names.by
    for item in rows.items:
        if not isinstance(item, Fields):
            continue
        by = by if names.stated or by else tuple(key for key in item.entries if key not in (period, names.value))
        wrong = [key for key in item.entries if key not in (period, names.value, *by)]
        lacking = [key for key in (names.value, *by) if item.get(key) is None]
        if wrong or lacking:
            said = f"has no `{lacking[0]}`" if lacking else f"has `{wrong[0]}`, which is no field of the others"
            problems.append(Diagnostic("goal-targets", f"this row {said}", item.span, f"keys: {_listed(names, by)}"))
            continue
        amount = formula(item.get(names.value), problems)
        if amount is not None:
            segment = tuple(text(item.get(name)) or "" for name in by)
            parts.append(PartTarget(text(item.get(period)), segment, amount, item.span))
    return Targets(tuple(parts), by, span)


def _listed(names: _Names, by: tuple[str, ...]) -> str:
    return ", ".join((names.period or "period", *by, names.value))


def _read(path: Scalar, folder: Folder, names: _Names, span: Span, problems: Problems) -> Targets:
    source = read_sheet(path, folder, "the targets", problems)
    rows = [] if source is None else list(read_lines(source))
    if source is None:
        return Targets()
    if len(rows) < 2:
        problems.append(Diagnostic("goal-targets", f"`{path.written}` lists no target", path.span, FORM))
        return Targets()
    titles = [cell.text for cell in rows[0]]
    period = names.period or ("period" if "period" in titles else None)
    by = names.by if names.stated else tuple(one for one in titles if one not in (period, names.value))
    for name in (names.value, *by, *((period,) if period else ())):
        if titles.count(name) != 1:
            twice = name in titles
            hint = f"columns: {', '.join(titles)}" if twice else (did_you_mean(name, titles) or FORM)
            message = f"`{path.written}` has {'two columns' if twice else 'no column'} `{name}`"
            problems.append(Diagnostic("goal-targets", message, rows[0][0].span.to(rows[0][-1].span), hint))
            return Targets()
    parts = []
    for cells in rows[1:]:
        line = cells[0].span.to(cells[-1].span)
        if len(cells) != len(titles):
            message = f"a line of {len(cells)} values under {len(titles)}"
            problems.append(Diagnostic("goal-targets", message, line, FORM))
            continue
        row = dict(zip(titles, cells, strict=True))
        if not row[names.value].text:
            continue  # an empty cell: no target for this one
        amount = _amount(row[names.value], problems)
        if amount is not None:
            segment = tuple(row[name].text for name in by)
            parts.append(PartTarget(row[period].text if period else None, segment, amount, line))
    return Targets(tuple(parts), by, span)


def _amount(cell: Cell, problems: Problems) -> Formula | None:
    """Return the amount of a cell, which is mostly a plain number."""
    place = Text(cell.text, cell.span)
    if found := _PLAIN.fullmatch(cell.text):
        value = Decimal(found[1]) / (100 if found[2] else 1)
        return Formula(syntax.Number(value, bool(found[2]), cell.span), place)
    try:
        return Formula(parse_formula(place), place)
    except KpiError:
        hint = "write 12, 1200.50 or 6%; without signs for thousands"
        problems.append(Diagnostic("goal-targets", f"`{cell.text}` is no amount", cell.span, hint))
        return None
