"""Entities: the fields by which the rows of several events belong together."""

from __future__ import annotations

from collections.abc import Sequence

from smartkpi.diagnostics import Note
from smartkpi.language import syntax
from smartkpi.language.types import Kind, Type
from smartkpi.language.units import describe
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Field
from smartkpi.semantics.lookups import KEYS
from smartkpi.semantics.scope import EventScope, broken_field, event_field, field_type, has_field, unknown_field


def entity_of(
    key: syntax.Name | syntax.Apply, steps: Sequence[tuple[str, EventScope]], findings: Findings, word: str = "by"
) -> str | None:
    """Return the field that a key of `by` (or another word) names, which the rows of all steps must have alike."""
    name = _name(key)
    types: list[tuple[str, Type]] = []
    for step, scope in steps:
        if (cause := broken_field(scope, name)) is not None:
            findings.depend(name, cause)
        elif not has_field(scope, name):
            here = f"add it under the dataset's `fields`, as `{name}: …`"
            hint = f"`{word}` needs a field of that name in each event: {here}"
            unknown_field(name, key.span, scope, findings, hint)
        elif isinstance(found := event_field(name, key.span, scope, findings), Field):
            types.append((step, field_type(scope, found.name)))
    for step, type in types:
        if type.kind is Kind.UNKNOWN:
            continue
        if type.kind not in KEYS or (type.kind is Kind.NUMBER and not type.whole):
            told = "a number with fractions" if type.kind is Kind.NUMBER else describe(type)
            hint = "a text, a whole number, a boolean or a date tells whose a row is"
            findings.error("bad-entity", f"`{name}` of `{step}` is {told}: rows do not meet by it", key.span, hint)
    kinds = {type.kind: step for step, type in types if type.kind is not Kind.UNKNOWN}
    if len(kinds) > 1 and not findings.failed:
        notes = tuple(Note(f"`{step}.{name}` is {kind.value}") for kind, step in kinds.items())
        hint = "make both alike, under the `fields` of one dataset"
        findings.error(
            "bad-entity", f"`{name}` is not alike in all events: no row would meet another", key.span, hint, notes
        )
    return None if findings.failed else name


def _name(key: syntax.Name | syntax.Apply) -> str:
    if isinstance(key, syntax.Name):
        return key.text
    column = key.args[0]
    assert isinstance(column, syntax.Text)
    return column.value
