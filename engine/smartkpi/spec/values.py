"""Small values: texts, labels, dates, units, expressions. What the schema has refused reads as nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Expr
from smartkpi.language.types import DURATION, MONEY, PLAIN, SCORE, Unit
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span, Text
from smartkpi.spec.model import Column, Formula, Labels
from smartkpi.spec.names import check_name, name_of
from smartkpi.spec.nodes import CUT, Fields, Items, Node, Scalar

Problems = list[Diagnostic]
_Parsed = TypeVar("_Parsed")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}[T ]", re.ASCII)
_UNITS = {"money": MONEY, "duration": DURATION, "score": SCORE, "none": PLAIN}


def text(node: Node | None) -> str | None:
    """Return a text as written; numbers too, digit by digit."""
    return node.written if isinstance(node, Scalar) and node.data is not None else None


def texts(node: Node | None) -> tuple[str, ...]:
    """Return a text or a list of texts as a tuple."""
    items = node.items if isinstance(node, Items) else (node,)
    return tuple(found for found in map(text, items) if found is not None)


def places(*nodes: Node | None) -> dict[str, Span]:
    """Return where each text stands of texts, lists of texts and mappings, keys of these too."""
    found: dict[str, Span] = {}
    for node in nodes:
        if isinstance(node, Fields):
            found |= {name: entry.key.span for name, entry in node.entries.items()}
        inner = [entry.value for entry in node.entries.values()] if isinstance(node, Fields) else None
        for item in inner or (node.items if isinstance(node, Items) else (node,)):
            if item is not None and (written := text(item)) is not None:
                found[written] = item.span
    return found


def labels(node: Node | None) -> Labels:
    """Return a text, or a text a language."""
    if isinstance(node, Fields):
        written = ((key, text(entry.value)) for key, entry in node.entries.items())
        return Labels(tuple((key, value) for key, value in written if value is not None))
    value = text(node)
    return Labels() if value is None else Labels((("", value),))


def parsed(node: Scalar, read: Callable[[Text], _Parsed], problems: Problems) -> _Parsed | None:
    """Parse a text of the language; its errors go to the problems."""
    if node.style == CUT:
        return None
    try:
        return read(node.text)
    except KpiError as error:
        problems.extend(error.diagnostics)
        return None


def formula(node: Node | None, problems: Problems, read: Callable[[Text], Expr] = parse_formula) -> Formula | None:
    """Return an expression with its text."""
    if not isinstance(node, Scalar) or node.data is None:
        return None
    expr = parsed(node, read, problems)
    return None if expr is None else Formula(expr, node.text)


def parsed_from(node: Scalar, start: int, problems: Problems) -> Expr | None:
    """Return the expression that begins at a place of a text."""
    text = node.text
    rest = Text(text.value[start:], text.at(start, len(text.value)), text.offsets and text.offsets[start:])
    try:
        return parse_formula(rest)
    except KpiError as error:
        problems.extend(error.diagnostics)
        return None


def column_or_formula(node: Node | None, problems: Problems) -> Formula | Column | None:
    """Return `{column: …}` as a column, anything else as an expression."""
    if isinstance(node, Fields):
        name = node.get("column")
        written = text(name)
        return None if name is None or written is None else Column(written, name.span)
    return formula(node, problems)


def day(node: Node | None, problems: Problems) -> date | None:
    """Return a date such as 2026-01-31."""
    if not isinstance(node, Scalar) or not _DATE.match(node.written):
        return None
    try:
        return date.fromisoformat(node.written)
    except ValueError:
        problems.append(Diagnostic("bad-value", f"`{node.written}` is no day of the calendar", node.span))
        return None


def is_date(text: str) -> bool:
    """Say whether a text has the shape of a date such as 2026-01-31."""
    return _DATE.match(text) is not None


def moment(node: Node | None, problems: Problems) -> date | datetime | None:
    """Return a date, or a time such as 2026-01-31T18:00."""
    if not isinstance(node, Scalar) or not isinstance(node.data, str) or _DATE.match(node.written):
        return day(node, problems)
    try:
        return datetime.fromisoformat(node.written)
    except ValueError:
        if not _DATED.match(node.written):
            return None  # its shape is wrong already
        problems.append(Diagnostic("bad-value", f"`{node.written}` is no time of the calendar", node.span))
        return None


def unit(fields: Fields, problems: Problems) -> Unit | None:
    """Return the unit of a field or KPI; a currency alone means money."""
    node, money = fields.get("unit"), fields.get("currency")
    found = _UNITS.get(text(node) or "")
    code = text(money) if isinstance(money, Scalar) else None
    if code is None:
        return found
    if found not in (None, MONEY) and money is not None:
        problems.append(Diagnostic("bad-value", "only money has a currency", money.span, "write `unit: money`"))
    return Unit(MONEY.name, code)


@cache
def is_zone(name: str) -> bool:
    """Return whether a time zone of this name is known, the same on every machine."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return name not in ("localtime", "posixrules", "Factory") and not name.startswith(("posix/", "right/"))


def zone(node: Node | None, problems: Problems) -> str | None:
    """Return the name of a time zone, an IANA name."""
    if not isinstance(node, Scalar) or not isinstance(node.data, str):
        return None
    if is_zone(node.written):
        return node.written
    hint = _near_zone(node.written)
    problems.append(Diagnostic("unknown-timezone", f"no time zone is named `{node.written}`", node.span, hint))
    return None


def _near_zone(written: str) -> str:
    """Return the fix for a time zone: a city needs its continent, an offset its own kind of name."""
    known = available_timezones()
    if offset := re.fullmatch(r"(?:UTC|GMT|CET)? ?([+-])0?(\d{1,2})(?::?00)?", written.upper()):
        name = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{offset[2]}"
        if name in known:
            return f"write a place such as Europe/Berlin; {offset[1]}{offset[2]} hours all year are `{name}`"
    city = written.strip().replace(" ", "_").casefold()
    places = sorted(name for name in known if name.casefold().rpartition("/")[2] == city)
    hint = f"did you mean `{places[0]}`?" if places else did_you_mean(written, known, alike=0.5)
    return hint or "write a name such as Europe/Berlin"


def named(fields: Fields, problems: Problems, *, reserved: bool = True) -> list[tuple[str, Scalar, Node]]:
    """Return the entries of a mapping by name, each name checked; a name that is none is left out.

    Unless ``reserved``, a name may be a word of the language too.
    """
    kept: dict[str, tuple[str, Scalar, Node]] = {}
    for entry in fields.entries.values():
        hint = f'a column of this name is reached by col("{entry.key.written}")'
        problem = check_name(entry.key, hint, reserved=reserved)
        if problem is not None:
            problems.append(problem)
        else:
            name = name_of(entry.key)
            kept.setdefault(name, (name, entry.key, entry.value))
    return list(kept.values())
