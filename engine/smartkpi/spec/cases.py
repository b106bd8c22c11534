"""The `tests` section: rows given, rows expected."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from smartkpi.diagnostics import Diagnostic
from smartkpi.source import Span, Text
from smartkpi.spec.case import Case, Expect, Given
from smartkpi.spec.names import name_of
from smartkpi.spec.nodes import Entry, Fields, Items, Node, Scalar
from smartkpi.spec.parts import one_spelling
from smartkpi.spec.scalars import Plain, resolve
from smartkpi.spec.values import Problems, moment, text, texts

_WRITTEN = frozenset(("start", "end", "reason", "unit", "currency", "grain", "level", "status", "state"))
# What an expected row says about the result; any other key but kpi and period is a dimension.
RESULT_KEYS = _WRITTEN | {"value", "money", "n", "flags"}
_GOAL_WRITTEN = frozenset(
    (
        "start",
        "deadline",
        "reason",
        "unit",
        "currency",
        "status",
        "since",
        "previous",
        "original",
        "aim",
        "day",
        "method",
    )
) | {"owner", "parent", "final", "children", "children_status"}
GOAL_KEYS = (
    _GOAL_WRITTEN
    | {"value", "expected", "target", "upper", "baseline", "progress", "share", "pace", "gap", "required", "lift"}
    | {"burn", "exhausted", "behind", "days", "done", "days_left", "kept", "counted", "periods", "n", "coverage"}
    | {"projection", "low80", "high80", "p", "history_days", "rate", "needed"}
    | {"paused", "provisional", "weight", "score", "flags", "children_progress"}
)
"""What an expected row of a goal says; any other key but goal and period is a dimension."""

DIAGNOSIS_KEYS = frozenset(("holds", "lacking"))
"""What an expected row of a diagnosis says."""
_ABOUT = {
    "kpi": (RESULT_KEYS, _WRITTEN),
    "goal": (GOAL_KEYS, _GOAL_WRITTEN),
    "diagnosis": (DIAGNOSIS_KEYS, frozenset(("lacking",))),
}
# What a row is about: the first of these that it names; the others may then be names of dimensions.


def build_case(node: Node, span: Span, problems: Problems) -> Case | None:
    """Return a test."""
    if not isinstance(node, Fields):
        return None
    given = node.get("given")
    as_of = moment(node.get("as_of"), problems)
    rows = tuple(_given(given, problems)) if isinstance(given, Fields) else ()
    expect = node.get("expect")
    items = expect.items if isinstance(expect, Items) else ()
    expected = tuple(_expect(item, problems) for item in items if isinstance(item, Fields))
    return Case(text(node.get("name")) or "", rows, as_of, expected, span)


def _given(node: Fields, problems: Problems) -> Iterator[Given]:
    for entry in node.entries.values():
        event, value = name_of(entry.key), entry.value
        if isinstance(value, Items):
            rows = [item for item in value.items if isinstance(item, Fields)]
            cells = tuple({key: _cell(each.value) for key, each in row.entries.items()} for row in rows)
            yield Given(event, cells, tuple(row.span for row in rows))
        elif isinstance(value, Scalar) and value.data is not None:
            yield _table(event, value.text, problems)
        else:
            yield Given(event, (), ())


def _cell(node: Node) -> Plain:
    return node.data if isinstance(node, Scalar) else None


def _table(event: str, table: Text, problems: Problems) -> Given:
    """Read a text with columns split by |: the first line names the fields, a line of dashes is passed over.

    Where the first line stands between two |, each line does; otherwise one at an end leaves an empty cell there.
    """
    names: list[str] | None = None
    framed = table.value.lstrip().startswith("|")
    rows, spans = [], []
    start = 0
    for line in table.value.split("\n"):
        span = table.at(start, start + len(line))
        start += len(line) + 1
        if not line.strip() or not line.strip(" |-:"):
            continue
        inner = line.strip().removeprefix("|").removesuffix("|") if framed else line
        cells = [cell.strip() for cell in inner.split("|")]
        if names is None:
            names = cells
        elif len(cells) != len(names):
            message = f"this row has {_count(len(cells), 'cell')}, but the table has {_count(len(names), 'column')}"
            hint = "one cell a column, split by `|`; an empty cell is null"
            problems.append(Diagnostic("bad-table", message, span, hint))
        else:
            rows.append({name: _table_cell(cell) for name, cell in zip(names, cells, strict=True)})
            spans.append(span)
    return Given(event, tuple(rows), tuple(spans))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _table_cell(written: str) -> Plain:
    if len(written) >= 2 and written[0] == written[-1] and written[0] in "\"'":
        return written[1:-1]
    return resolve(written)


def _expect(node: Fields, problems: Problems) -> Expect:
    fields: dict[str, Any] = {}
    segment: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    about = next((key for key in _ABOUT if node.get(key) is not None), "kpi")
    known, written = _ABOUT[about]
    for key, entry in node.entries.items():
        spans[key] = entry.value.span
        if key in known:
            fields[key] = _expected(key, entry, written, problems)
        elif key not in ("period", about):
            segment[name_of(entry.key)] = _cell(entry.value)
    named = node.get(about)
    names = {key: text(named) if key == about else None for key in _ABOUT}
    place = node.span if named is None else named.span
    return Expect(
        one_spelling(names["kpi"] or ""),
        text(node.get("period")),
        segment,
        fields,
        place,
        spans,
        names["goal"],
        names["diagnosis"],
    )


def _expected(key: str, entry: Entry, written: frozenset[str], problems: Problems) -> Any:
    node = entry.value
    if key == "flags":
        return texts(node)
    if not isinstance(node, Scalar) or node.data is None:
        return None
    if key == "holds":
        if not isinstance(node.data, bool):
            hint = "true: it is told; false: it is not; null: that cannot be told"
            problems.append(Diagnostic("bad-value", f"`holds` is not `{node.written}`", node.span, hint))
        return node.data
    if key in written:
        return node.written
    if key == "n" or not isinstance(node.data, str):
        return _decimal(node.written) if key == "money" else node.data
    number = _decimal(node.written.removesuffix("%").replace("_", ""))
    if number is None:
        message = f"`{key}` must be a number or a percentage, not `{node.written}`"
        problems.append(Diagnostic("bad-value", message, node.span))
        return None
    number = number / 100 if node.written.endswith("%") else number
    return number if key == "money" else float(number)


def _decimal(written: str) -> Decimal | None:
    try:
        number = Decimal(written.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
