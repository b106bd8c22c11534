"""Questions: which KPIs, at which grain, by which fields, under which condition; held against the definitions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import BOOLEAN, DATE, TEXT, WHOLE, Kind
from smartkpi.nearest import did_you_mean
from smartkpi.periods.grain import Grain
from smartkpi.semantics.check import Checked
from smartkpi.semantics.dimensions import check_dimensions, equalities
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import Apply, Expr, Field, Literal, TypedKpi
from smartkpi.semantics.literals import Constants
from smartkpi.semantics.rows import type_condition, type_row
from smartkpi.semantics.scope import (
    EventScope,
    Lack,
    broken_field,
    field_type,
    follow,
    has_field,
    is_path,
    is_united,
    led_to,
    meant,
)
from smartkpi.source import Span
from smartkpi.spec.model import Kpi
from smartkpi.tree import children

NOTHING: Mapping[str, Diagnostic] = MappingProxyType({})
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Within:
    """The one segment that is drilled into: a field, and its value as typed; one in quotes is a text."""

    field: syntax.Expr
    value: syntax.Text
    quoted: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: KPIs by name, the grain (None: each its own), segments, local dates, a condition on rows.

    ``until`` is the exclusive end of the range asked for; by hour, ``first_hour`` and ``last_hour``, both in, are those
    of its first and last day. ``as_of``: a date covers its day. ``compare`` names what values are held against, as in
    semantics/comparisons.py.
    """

    kpis: tuple[str, ...]
    grain: Grain | None = None
    by: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    where: syntax.Expr | None = None
    as_of: date | datetime | None = None
    first_hour: datetime | None = None
    last_hour: datetime | None = None
    within: Within | None = None
    compare: tuple[str, ...] = ()

    @property
    def scorecard(self) -> bool:
        """Whether each KPI is shown for its last complete period: no periods are asked for."""
        return self.grain is None and self.since is None and self.until is None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A question that fits the definitions.

    ``where`` maps each event that is read to the question's conditions on its rows; ``unavailable`` maps the KPIs
    that cannot answer to the reason.
    """

    question: Question
    where: Mapping[str, tuple[Expr, ...]] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)


def resolve(checked: Checked, question: Question) -> Resolved:
    """Return a question with its condition typed for each event.

    Raises KpiError for a field that no event has, a condition of the wrong type, a segment that cannot be one. A KPI
    with an event that lacks a field of the question is unavailable, not wrong.
    """
    findings = Findings("")
    question = replace(question, kpis=tuple(dict.fromkeys(question.kpis)), by=tuple(dict.fromkeys(question.by)))
    lookups = {name for scope in checked.scopes.values() for name in (*scope.lookups, *scope.united)}
    within = question.within
    filtered = [*_names(question.where, lookups), *_names(None if within is None else within.field, lookups)]
    asked = [(name, None) for name in question.by] + filtered
    for name in question.by:
        if name.endswith(")") and name.partition("(")[0].strip() in FUNCTIONS:
            hint = f"give it a name in the dataset, `fields: {{NAME: {name}}}`, and ask by that"
            findings.error("unknown-field", f"segments are fields, `{name}` is an expression", None, hint)
    _stop(findings)
    _check_known(asked, checked, findings)
    _stop(findings)
    unavailable = {}
    events: set[str] = set()
    segmented: set[str] = set()
    for name in question.kpis:
        kpi = checked.kpis[name]
        provided = [event for event in kpi.events if checked.events[event]]
        reasons = (_lacks(checked.scopes[e], asked if e in kpi.segmented else filtered) for e in provided)
        reason = next(filter(None, reasons), "") or _unasked(kpi, question.by)
        if reason:
            unavailable[name] = reason
        else:
            events.update(provided)
            segmented.update(kpi.segmented.intersection(provided))
    where: dict[str, tuple[Expr, ...]] = {}
    for event in sorted(events):
        scope = checked.scopes[event]
        asked_for = [] if question.where is None else [question.where]
        asked_for += [] if within is None else [_equals(within, scope)]
        parts = (type_condition(one, scope, findings, "the question's `where`") for one in asked_for)
        if asked_for:
            where[event] = tuple(condition for part in parts for condition in part)
    check_dimensions(question.by, [checked.scopes[event] for event in sorted(segmented)], None, findings)
    _stop(findings)
    return Resolved(question, where, unavailable)


def _equals(within: Within, scope: EventScope) -> syntax.Expr:
    """Return the condition that a row lies in a segment, whose value is of the type that the field has."""
    value, span = within.value.value, within.value.span
    literal: syntax.Expr = within.value
    kind = type_row(within.field, scope, Findings("")).type.kind
    if value == "null" and not within.quoted:
        return syntax.Apply("is null", (within.field,), span, span)
    if kind is not Kind.TEXT and not within.quoted:  # of an unknown one, as it looks
        if value in ("true", "false"):
            literal = syntax.Boolean(value == "true", span)
        elif _NUMBER.fullmatch(value):
            literal = syntax.Number(Decimal(value), False, span)
    return syntax.Apply("==", (within.field, literal), span, span)


def fixed_values(question: Question) -> dict[str, str]:
    """Return the fields that a question holds at one value, as text.

    What `country == "BR"` gives is BR's row of `--by country`.
    """
    where = () if question.where is None else equalities(question.where)
    found = {name: value for name, value in where if value is not None}
    if question.within is not None and isinstance(question.within.field, syntax.Name):
        found[question.within.field.text] = question.within.value.value
    return found


def is_fixed(question: Question) -> bool:
    """Say whether all that a question asks of rows is that fields have one value."""
    fields = all(value is not None for _, value in equalities(question.where)) if question.where is not None else True
    return fields and (question.within is None or isinstance(question.within.field, syntax.Name))


def rest_of(
    checked: Checked, by: Sequence[str], kpi: str, segments: Sequence[Sequence[Any]]
) -> dict[str, tuple[Expr, ...]]:
    """Return for each event of a KPI that has the segments' fields the condition that a row is in none of them."""
    found: dict[str, tuple[Expr, ...]] = {}
    for event in sorted(checked.kpis[kpi].events):
        scope = checked.scopes[event]
        if all(has_field(scope, name) and broken_field(scope, name) is None for name in by):
            fields = [Field(name, field_type(scope, name)) for name in by]
            found[event] = tuple(Apply("not", (_is_segment(fields, one),), BOOLEAN) for one in segments)
    return found


def _is_segment(fields: Sequence[Field], values: Sequence[Any]) -> Expr:
    """Return the condition that a row lies in a segment; null is a segment of its own."""
    parts = tuple(
        Apply("is null", (field,), BOOLEAN) if value is None else Apply("==", (field, _literal(value)), BOOLEAN)
        for field, value in zip(fields, values, strict=True)
    )
    return parts[0] if len(parts) == 1 else Apply("and", parts, BOOLEAN)


def _literal(value: Any) -> Literal:
    match value:
        case bool():
            return Literal(value, BOOLEAN)
        case int():
            return Literal(Decimal(value), WHOLE)
        case date():
            return Literal(value, DATE)
        case _:
            return Literal(str(value), TEXT)


def select_kpis(
    kpis: Mapping[str, TypedKpi], patterns: Sequence[str], left_out: Mapping[str, Diagnostic] = NOTHING
) -> tuple[str, ...]:
    """Return the KPIs that names, synonyms, globs and `tag:…` ask for, in that order, each once; all for none.

    A synonym or a label of several KPIs asks for all of them. Hidden KPIs are found by their full name only. Raises
    KpiError for what finds nothing; a name in ``left_out`` is passed over, as its error is known.
    """
    if not patterns:
        return tuple(name for name, kpi in kpis.items() if not kpi.spec.hidden)
    findings = Findings("")
    chosen: dict[str, None] = {}
    for pattern in patterns:
        shown = (name for name, kpi in kpis.items() if not kpi.spec.hidden and fits(name, kpi.spec, pattern))
        found = [pattern] if pattern in kpis else list(shown)
        chosen.update(dict.fromkeys(found))
        if not found and not _left_out(pattern, left_out):
            _unknown(pattern, kpis, findings)
    _stop(findings)
    return tuple(chosen)


def fits(name: str, kpi: Kpi | None, pattern: str) -> bool:
    """Return whether a KPI, as far as it could be read, is among those that a name, glob, synonym or `tag:…` means."""
    if pattern.startswith("tag:"):
        return kpi is not None and any(fnmatchcase(tag, pattern.removeprefix("tag:")) for tag in kpi.tags)
    return fnmatchcase(name, pattern) or (kpi is not None and is_called(kpi, pattern))


def is_called(kpi: Kpi, words: str) -> bool:
    """Return whether words are a synonym of a KPI, or its label in a language, in small or capital letters."""
    names = (*kpi.synonyms, *(text for _, text in kpi.label.texts))
    return bool(words) and words.casefold() in (name.casefold() for name in names)


def _left_out(pattern: str, left_out: Mapping[str, Diagnostic]) -> bool:
    return not pattern.startswith("tag:") and any(fnmatchcase(name, pattern) for name in left_out)


def _unknown(pattern: str, kpis: Mapping[str, TypedKpi], findings: Findings) -> None:
    known = [name for name, kpi in kpis.items() if not kpi.spec.part_of]
    if pattern.startswith("tag:"):
        tags = sorted({tag for kpi in kpis.values() for tag in kpi.spec.tags})
        tag = pattern.removeprefix("tag:")
        findings.error(
            "unknown-kpi", f"no KPI has the tag `{tag}`", None, did_you_mean(tag, tags), listing("tags", tags)
        )
    elif any(sign in pattern for sign in "*?["):
        findings.error("unknown-kpi", f"no KPI fits `{pattern}`", None, "", listing("KPIs", known))
    else:
        hint = did_you_mean(pattern, kpis if "(" in pattern else known)
        findings.error("unknown-kpi", f"no KPI is named `{pattern}`", None, hint, listing("KPIs", known))


def _stop(findings: Findings) -> None:
    if findings.failed:
        raise KpiError(*(findings.diagnostics or findings.causes.values()))


def _names(where: syntax.Expr | None, lookups: Collection[str]) -> Iterator[tuple[str, Span | None]]:
    """Yield the fields that a condition names (other dotted names and aggregates are refused later, with the fix)."""
    stack: list[Any] = [] if where is None else [where]
    while stack:
        match node := stack.pop():
            case syntax.Name(parts=(name,)) | syntax.Apply(function="col", args=(syntax.Text(value=name),)):
                yield name, node.span
            case syntax.Name() as path if path.parts[0] in lookups:
                yield path.text, path.span
            case syntax.Apply(function="start_of", args=(time, _)):
                stack.append(time)
            case syntax.Apply(function=function) if function in FUNCTIONS and FUNCTIONS[function].kind == "aggregate":
                pass
            case _:
                stack.extend(reversed(list(children(node))))


def _check_known(asked: list[tuple[str, Span | None]], checked: Checked, findings: Findings) -> None:
    """Refuse a field that no event has: most likely it is misspelt."""
    scopes = list(checked.scopes.values())
    constants = scopes[0].constants if scopes else Constants()
    for name, span in asked:
        known = any(has_field(scope, name) or is_united(scope, name) for scope in scopes)
        if not known and not (span is not None and name in constants):
            fields = {field for scope in scopes for field in scope.fields}
            lacks = [follow(tuple(name.split(".")), s.lookups) for s in scopes if is_path(name, s.lookups)]
            if (lack := next((lack for lack in lacks if isinstance(lack, Lack)), None)) is not None:
                findings.error("unknown-field", lack.message, span, lack.hint, lack.notes)
                continue
            hint = next(filter(None, (meant(name, scope) for scope in scopes)), "")
            findings.error("unknown-field", f"no event has a field `{name}`", span, hint, listing("fields", fields))


def _unasked(kpi: TypedKpi, by: tuple[str, ...]) -> str:
    """Say which field a `share` needs among the segments, or nothing."""
    lacking = sorted(kpi.within.difference(by))
    return f"`share(…, {lacking[0]})` needs `{lacking[0]}` among the segments (`--by`)" if lacking else ""


def _lacks(scope: EventScope, asked: list[tuple[str, Span | None]]) -> str:
    """Say which field of a question an event lacks, or nothing."""
    for name, span in asked:
        if (cause := broken_field(scope, name)) is not None:
            return cause.message if cause.span is None else f"the field `{name}` of `{scope.event}` has an error"
        if is_united(scope, name):
            return f"several datasets provide `{scope.event}`: looked-up fields (`{name}`) are not supported for it yet"
        if not has_field(scope, name) and not (span is not None and name in scope.constants):
            hint = led_to(name, scope)
            return f"`{scope.event}` has no field `{name}`" + (f": {hint}" if hint else "")
    return ""
