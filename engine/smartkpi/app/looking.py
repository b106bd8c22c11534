"""`kpi init --dry-run`: what was seen of data, as a report or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from smartkpi.app.drafting.project import Seen
from smartkpi.app.drafting.roles import Roles, find_roles
from smartkpi.diagnostics import to_json
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style, plain
from smartkpi.report.table import draw
from smartkpi.sources.look import ColumnFacts, TableFacts
from smartkpi.sources.look_times import TimeFacts

SHOWN_VALUES = 4
LONGEST = 24
STEPS = {
    1: "a day",
    7: "a week",
    28: "a month",
    30: "a month",
    31: "a month",
    91: "a quarter",
    92: "a quarter",
    365: "a year",
}


def report(seen: Seen, style: Style, form: str) -> str:
    """Return what was seen of all tables."""
    if form == "json":
        tables = [_as_dict(name, facts, seen) for name, facts in seen.tables.items()]
        told = {"tables": tables, "diagnostics": [to_json(one) for one in seen.problems]}
        return json.dumps(told, ensure_ascii=not style.unicode, indent=2, default=_plain_value) + "\n"
    return "\n".join(_text(name, facts, seen, style) for name, facts in seen.tables.items())


def _text(name: str, facts: TableFacts, seen: Seen, style: Style) -> str:
    lines = [
        f"{name}: {plain(str(seen.found[name].path.name))}",
        *(f"  {plain(line)}" for line in _lines(name, facts, seen)),
    ]
    roles = find_roles(facts)
    columns = (
        Column("column"), Column("type"), Column("for", drop=2), Column("null", right=True),
        Column("distinct", right=True), Column("range", drop=3), Column("values", drop=1),
    )  # fmt: skip
    rows = tuple(tuple(Cell(plain(text)) for text in _row(one, roles)) for one in facts.columns)
    return "\n".join(lines) + "\n\n" + draw([Grid("", columns, rows, 1)], style)


def _lines(name: str, facts: TableFacts, seen: Seen) -> Iterator[str]:
    files = f" in {len(facts.files):,} files" if len(facts.files) > 1 else ""
    yield f"{facts.format}, {facts.rows:,} rows{files}, {len(facts.columns)} columns"
    for guess in facts.guesses:
        yield f"{guess.about} {_setting(facts, guess.about)}{guess.because}" + (
            f"; or {guess.instead}" if guess.instead else ""
        )
    for i, time in enumerate(facts.times):
        yield f"{'time' if i == 0 else 'or time'}: {_time(time)}"
    if not facts.times:
        yield "time: none"
    yield f"key: {', '.join(' + '.join(key) for key in facts.keys[:3]) or 'none'}"
    if facts.equal_rows:
        yield f"{facts.equal_rows:,} rows are equal to an earlier one"
    for one in facts.columns:
        if one.odd is not None:
            places = ", ".join(
                f"`{p.value}` ({f'line {p.line}' if p.line else f'row {p.row}'})" for p in one.odd.places
            )
            yield f"{one.name}: {one.odd.count:,} values are no {one.odd.kind}: {places}"
        if one.not_finite:
            yield f"{one.name}: {one.not_finite:,} values are NaN or infinite"
    for relation in seen.relations:
        if relation.table == name:
            there = f"{relation.matched:.1%} of its values are there"
            yield f"{relation.column} -> {relation.other}.{relation.key}: {there}"


def _setting(facts: TableFacts, about: str) -> str:
    value = getattr(facts.read, about, None)
    return f"`{value if not isinstance(value, tuple) else ' '.join(value)}`: " if value else ": "


def _time(time: TimeFacts) -> str:
    how = "" if time.how == "time" else f" ({time.format or time.how})"
    parts = [f"{time.name}{how}, {_short(time.first)} to {_short(time.last)}, {time.days:,} days with rows"]
    if time.step is not None:
        parts.append(f"usually {STEPS.get(time.step, f'every {time.step} days')}")
    if time.no_weekends:
        parts.append("none at weekends")
    if time.nulls:
        parts.append(f"{time.nulls:,} null")
    if time.gaps:
        shown = ", ".join(f"{a}" if a == b else f"{a}..{b}" for a, b in time.gaps)
        parts.append(f"{time.gap_count:,} gap{'s' if time.gap_count > 1 else ''}, the longest {shown}")
    return "; ".join(parts)


def _row(one: ColumnFacts, roles: Roles) -> tuple[str, ...]:
    kind = "none" if one.type is None else str(one.kind)
    low_high = "" if one.low is None else f"{_short(one.low)} .. {_short(one.high)}"
    shown = ", ".join(_cut(_short(value)) for value, _ in one.values[:SHOWN_VALUES])
    more = ", …" if shown and one.distinct > SHOWN_VALUES else ""
    about = "" if one.exact else "~"
    distinct = f"{about}{one.distinct:,}"
    return one.name, kind, _role(one, roles), f"{one.nulls:,}", distinct, low_high, shown + more


def _role(one: ColumnFacts, roles: Roles) -> str:
    known = [("event", (roles.event,)), ("key", (roles.key,)), ("count", roles.counts), ("who", roles.entities)]
    known.append(("amount", tuple(amount.column for amount in roles.amounts)))
    if roles.time is not None and one.name in roles.time.columns:
        return "time"
    found = next((role for role, columns in known if any(column is one for column in columns)), "")
    return found or ("segment" if one in roles.dimensions else "")


def _short(value: Any) -> str:
    match value:
        case float():
            return f"{value:.6g}"
        case datetime():
            return str(value)[:19]
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _as_dict(name: str, facts: TableFacts, seen: Seen) -> dict[str, Any]:
    roles = find_roles(facts)
    read = facts.read
    settings = ("separator", "encoding", "skip_rows", "skip_footer", "decimal", "thousands", "dates", "nulls")
    return {
        "name": name,
        "path": str(seen.found[name].path),
        "files": len(facts.files),
        "format": facts.format,
        "rows": facts.rows,
        "read": {key: getattr(read, key) for key in settings if getattr(read, key)},
        "guesses": [{"about": one.about, "because": one.because, "instead": one.instead} for one in facts.guesses],
        "times": [_time_dict(one) for one in facts.times],
        "keys": [list(key) for key in facts.keys],
        "equal_rows": facts.equal_rows or 0,
        "columns": [_column_dict(one, roles) for one in facts.columns],
        "lookups": [
            {"column": one.column, "table": one.other, "key": one.key, "matched": one.matched}
            for one in seen.relations
            if one.table == name
        ],
    }


def _time_dict(one: TimeFacts) -> dict[str, Any]:
    return {
        "columns": list(one.columns),
        "how": str(one.how),
        "format": one.format,
        "first": one.first,
        "last": one.last,
        "nulls": one.nulls,
        "days": one.days,
        "step": one.step,
        "no_weekends": one.no_weekends,
        "gaps": one.gap_count,
        "longest_gaps": [{"from": a, "to": b} for a, b in one.gaps],
    }


def _column_dict(one: ColumnFacts, roles: Roles) -> dict[str, Any]:
    return {
        "name": one.name,
        "type": None if one.kind is None else str(one.kind),
        "stored_as": one.dtype,
        "for": _role(one, roles) or None,
        "nulls": one.nulls,
        "distinct": one.distinct,
        "exact": one.exact,
        "low": one.low,
        "high": one.high,
        "negatives": one.negatives,
        "zeros": one.zeros,
        "not_finite": one.not_finite,
        "values": [{"value": value, "count": count} for value, count in one.values],
        "odd": None
        if one.odd is None
        else {
            "kind": one.odd.kind,
            "count": one.odd.count,
            "first": [{"value": p.value, "file": p.file, "line": p.line, "row": p.row} for p in one.odd.places],
        },
    }


def _plain_value(value: Any) -> Any:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case _:
            return str(value)
