"""Events derived from events: a step, or an event under a condition, becomes an event with rows of its own.

What stands behind a formula inline has its canonical text for a name. Below here nothing knows the difference: a
derived event has a scope, and bindings to a dataset whose rows a derivation makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.format import format_expr
from smartkpi.language.types import BOOLEAN, DURATION, UNKNOWN, WHOLE, Kind, Type
from smartkpi.periods.grain import Grain
from smartkpi.semantics.entities import entity_of
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import (
    Apply,
    Column,
    Derivation,
    Field,
    Literal,
    Operand,
    TypedBinding,
    TypedDataset,
)
from smartkpi.semantics.lengths import length_of
from smartkpi.semantics.rows import type_condition
from smartkpi.semantics.scope import (
    DELAYS,
    IMPLICIT,
    WORKED,
    DerivedEvents,
    EventScope,
    Lineage,
    Namespace,
    Reach,
    part_span,
    unknown_name,
)
from smartkpi.source import Span
from smartkpi.spec import model as spec

PRIOR = "prior"
DELAY = Type(Kind.NUMBER, DURATION)
NO_HOURS = Diagnostic(
    "no-working-hours",
    "`work_delay` is the part of `delay` within working hours, and the calendar states none",
    None,
    "such as `calendar: {hours: {mon-fri: 09:00-18:00}}`",
)
"""What is wrong with the field in a calendar without hours, wherever it is named."""
CHAINS = ("then", "after", "without")


@dataclass(frozen=True, slots=True)
class _Part:
    """An operand as it is resolved: its event, the name that its fields go by, its place, the event that it names."""

    event: str
    name: str
    span: Span
    scope: EventScope
    called: str


def operands_of(expr: syntax.Expr) -> Iterator[syntax.Name]:
    """Yield the names of the events that a derived one is made of."""
    match expr:
        case syntax.Name():
            yield expr
        case syntax.Where(operand=inner) | syntax.Alias(operand=inner):
            yield from operands_of(inner)
        case syntax.Step(operands=operands):
            for operand in operands:
                yield from operands_of(operand)
        case _:
            pass


def derive_event(expr: syntax.Expr, space: Namespace, findings: Findings, name: str | None = None) -> str | None:
    """Return the name of the event that an expression stands for, deriving it where it is new; None where it is wrong.

    ``name`` is the one that it is defined under; else it goes by its text.
    """
    match expr:
        case syntax.Name(parts=(event,)):
            found = _known(expr, event, space, findings)
            return found if found is None or name is None else _filtered(found, (), expr, name, space, findings)
        case syntax.Name():
            message = f"`{expr.text}` is a field, a step is made of events"
            findings.error("not-an-event", message, expr.span, f"write `{expr.parts[0]}`")
        case syntax.Where():
            inner = derive_event(expr.operand, space, findings)
            return None if inner is None else _filtered(inner, (expr.condition,), expr, name, space, findings)
        case syntax.Step():
            return _derived(expr, name, space, findings)
        case _:
            hint = "name an event, such as `order`, or put a step in parentheses"
            findings.error("not-an-event", "a step is made of events", expr.span, hint)
    return None


def _known(expr: syntax.Name, event: str, space: Namespace, findings: Findings) -> str | None:
    if event in space.broken:
        findings.depend(event, space.broken[event])
    elif event in space.events:
        return event
    elif event in space.written or event in space.constants:
        what = "a KPI, already one number" if event in space.written else "a constant"
        message = f"`{event}` is {what}; here an event is wanted"
        findings.error("not-an-event", message, part_span(expr, 0), "a step is made of events")
    else:
        unknown_name(expr, space, findings)
    return None


def _filtered(
    base: str,
    conditions: tuple[syntax.Expr, ...],
    expr: syntax.Expr,
    name: str | None,
    space: Namespace,
    findings: Findings,
) -> str | None:
    """Return the event of those rows of another that fulfil conditions."""
    scope, derived = space.events[base], space.derived
    where = tuple(part for one in conditions for part in type_condition(one, scope, findings))
    if findings.failed:
        return None
    bindings = tuple(replace(one, where=(*one.where, *where)) for one in derived.events[base])
    own = _own_name(name or format_expr(expr), bindings, derived)
    lineage = scope.lineage or Lineage(base, scope.reads, (base,), absent=() if scope.dataset else (base,))
    _put(own, replace(scope, event=own, lineage=lineage), base, space)
    derived.events[own] = tuple(replace(one, event=own) for one in bindings)
    return own


def _aged(base: str, step: syntax.Step, grain: Grain, age: int, begins: str, space: Namespace) -> str:
    """Return the event of those rows of ``begins`` to which something returns at an age: known when that is over."""
    scope, own = space.events[base], format_expr(step)
    assert scope.lineage is not None
    is_age = Apply("==", (Field(AGE, WHOLE), Literal(Decimal(age), WHOLE)), BOOLEAN)
    _put(own, replace(scope, event=own, lineage=replace(scope.lineage, until=(grain, age), begins=begins)), base, space)
    bindings = (replace(one, event=own, where=(*one.where, is_age)) for one in space.derived.events[base])
    space.derived.events[own] = tuple(bindings)
    return own


def _own_name(text: str, bindings: tuple[TypedBinding, ...], derived: DerivedEvents) -> str:
    """Return a name that no other event has: the same text means something else where a constant has changed."""
    name, number = text, 1
    while name in derived.events and tuple(replace(one, event="") for one in derived.events[name]) != tuple(
        replace(one, event="") for one in bindings
    ):
        number += 1
        name = f"{text} · {number}"
    return name


def _derived(step: syntax.Step, name: str | None, space: Namespace, findings: Findings) -> str | None:
    parts = _parts(step, space, findings)
    if parts is None or not _may_stand(step, parts, findings):
        return None
    word = "of" if step.kind == "returns" else "by"  # as cohorts call it
    by = tuple(entity_of(key, [(part.name, part.scope) for part in parts], findings, word) for key in step.by)
    dates = any(_is_dated(part.scope) for part in parts)
    within = None if step.within is None else length_of(step.within, space.constants, findings)
    if within is not None and dates and within.unit in ("h", "min", "s"):
        dated = next(part for part in parts if _is_dated(part.scope))
        message = f"`{dated.name}` is dated by day: there is no `{within}` in it"
        findings.error("no-hours", message, step.within.span if step.within else step.span, "count in days: `1d`")
    if findings.failed:
        return None
    derivation = Derivation(
        kind="after" if step.kind == "repeat" else step.kind,
        operands=tuple(
            Operand(part.name if place else "", part.event, _root(part)) for place, part in enumerate(parts)
        ),
        within=within,
        by=tuple(key for key in by if key is not None),
        match=step.match or "all",
        dates=dates,
        repeat=step.kind == "repeat",
        grain=None if step.at is None else Grain(step.at[0]),
    )
    if step.at is not None and derivation.grain is not None and step.at[1] is not None:
        every = _keep(replace(step, at=(step.at[0], None)), None, derivation, parts, space)
        return _aged(every, step, derivation.grain, step.at[1], parts[0].event, space)
    own = _keep(step, name, derivation, parts, space)
    if step.condition is None:
        return own
    return _filtered(own, (step.condition,), step, name, space, findings)


def _keep(step: syntax.Step, name: str | None, derivation: Derivation, parts: list[_Part], space: Namespace) -> str:
    """Keep the rows of a step, and the event that they are, before the condition on the result."""
    derived, base = space.derived, parts[0].scope
    text = name if name and step.condition is None else format_expr(replace(step, condition=None))
    own, number = text, 1
    while f"@{own}" in derived.datasets and derived.datasets[f"@{own}"].derivation != derivation:
        number += 1
        own = f"{text} · {number}"
    if own in derived.events and own != name:
        space.events.setdefault(own, replace(derived.scopes[own], constants=space.constants))
        return own
    provided = all(part.scope.dataset is not None for part in parts)
    time = base.fields.get("time", UNKNOWN)
    binding = TypedBinding(own, f"@{own}", None, Column(TIME_OF_ROW, time), None)
    unread = spec.Dataset(f"@{own}", None, None, None, (), {}, {}, None, None, step.span)
    dataset = TypedDataset(unread.name, unread, binding.time, str(space.zone), (), {}, {}, None, derivation=derivation)
    derived.datasets[dataset.name] = dataset
    derived.events[own] = (binding,) if provided else ()
    hours = {} if space.calendar.worked is not None else {WORKED: NO_HOURS}
    scope = _scope(own, step, derivation, parts, dataset.name if provided else None, hours)
    _put(own, scope, parts[0].event, space)
    return own


def _put(own: str, scope: EventScope, base: str, space: Namespace) -> None:
    """Keep the scope of a derived event: here with the constants in force, elsewhere with those that always are."""
    space.events[own] = scope
    space.derived.scopes[own] = replace(scope, constants=space.derived.scopes[base].constants)


AGE = "@age"
"""The column of `returns` with the number of periods between two rows."""

TIME_OF_ROW = "@time"
"""The column of derived rows with the time of the event, which a field `time` may differ from."""


def _scope(
    own: str,
    step: syntax.Step,
    derivation: Derivation,
    parts: list[_Part],
    dataset: str | None,
    unknown: Mapping[str, Diagnostic],
) -> EventScope:
    """Return what the rows of a step have: the fields of its first event, those of the others by their names.

    ``unknown`` are those times between rows that have an error.
    """
    base, others = parts[0].scope, parts[1:] if step.kind in ("then", "after", "repeat") else []
    delays = dict.fromkeys(DELAYS, DELAY) if others else {}
    fields, broken, lookups = {**base.fields, **delays}, dict(base.broken), dict(base.lookups)
    broken |= unknown if others else {}
    for part in others:
        types, wrong = part.scope.fields, part.scope.broken
        if step.kind != "repeat":
            types, wrong = {**types, **delays}, {**wrong, **unknown}
        reach = Reach(part.name, part.name, types, wrong, part.scope.open, None, part.scope.lookups)
        lookups[part.name] = replace(reach, step=True)
    if step.kind == "returns":
        fields[AGE] = WHOLE
        again = parts[1].scope
        reach = Reach(parts[1].name, parts[1].event, again.fields, again.broken, again.open, None, again.lookups)
        lookups[parts[1].name] = replace(reach, step=True)
    reads = tuple(dict.fromkeys(one for part in parts for one in part.scope.reads))
    shared = {} if base.lineage is None else dict(base.lineage.shared)
    if step.kind in ("then", "after") and derivation.match == "all":
        shared |= {part.name: _from_follower(step, part) for part in others}
    lineages = [part.scope.lineage for part in parts if part.scope.lineage is not None]
    earlier = parts[1:] if derivation.kind == "after" and derivation.within is not None else []
    back = {(one, derivation.within): None for part in earlier for one in part.scope.reads if derivation.within}
    back |= {one: None for lineage in lineages for one in lineage.back}
    absent = [name for part in parts for name in _absent(part)]
    lineage = Lineage(
        root=_root(parts[0]),
        home=base.lineage.home if base.lineage else base.reads,
        events=tuple(dict.fromkeys(one for part in parts for one in _made_of(part))),
        back=tuple(back),
        shared=shared,
        late=derivation.kind == "without" or any(one.late for one in lineages),
        absent=tuple(dict.fromkeys(absent)),
    )
    return replace(
        base,
        event=own,
        dataset=dataset,
        fields=fields,
        broken=broken,
        lookups=lookups,
        datasets=() if dataset is None else (dataset,),
        additive={name: how for name, how in base.additive.items() if name},
        stands_on=reads,
        lineage=lineage,
        declared={},
        lacking={},
    )


def _absent(part: _Part) -> tuple[str, ...]:
    if part.scope.lineage is not None:
        return part.scope.lineage.absent
    return () if part.scope.dataset is not None else (part.event,)


def _made_of(part: _Part) -> tuple[str, ...]:
    return part.scope.lineage.events if part.scope.lineage is not None else (part.event,)


def _root(part: _Part) -> str:
    return part.scope.lineage.root if part.scope.lineage is not None else part.event


def _from_follower(step: syntax.Step, part: _Part) -> str:
    """Return how a sum over a step's rows is written: from these rows."""
    if len(step.operands) > 2:
        return f"begin with `{part.name}`, by `{'after' if step.kind == 'then' else 'then'}`: each row counts once then"
    kind = "after" if step.kind == "then" else "then"
    turned = replace(step, kind=kind, operands=step.operands[::-1], condition=None)  # type: ignore[arg-type]
    return f"write `({format_expr(turned)})` for the rows of `{part.name}`, each once"


def _parts(step: syntax.Step, space: Namespace, findings: Findings) -> list[_Part] | None:
    found = []
    for operand in step.operands:
        inner = operand.operand if isinstance(operand, syntax.Alias) else operand
        event = derive_event(inner, space, findings)
        if event is not None:
            called = _name_of(inner)
            name = operand.name if isinstance(operand, syntax.Alias) else called
            found.append(_Part(event, name, operand.span, space.events[event], called))
    if len(found) < len(step.operands):
        return None
    if step.kind == "repeat":
        found.append(replace(found[0], name=PRIOR))
    return found


def _name_of(expr: syntax.Expr) -> str:
    """Return the name that the fields of an operand go by: that of its event, or of its first one."""
    return next(operands_of(expr)).text


def _may_stand(step: syntax.Step, parts: list[_Part], findings: Findings) -> bool:
    """Say what a step lacks, or has too much of."""
    _check_ends(step, parts, findings)
    for part in parts:
        if part.scope.counted:
            message = f"each row of `{part.name}` stands for many events (`count:`): none of them can be told apart"
            findings.error("counted-event", message, part.span, "a step needs a row for each event")
        elif part.scope.timeless:
            message = f"the rows of `{part.name}` have no time: nothing is before or after them"
            findings.error("no-history", message, part.span, "say when each row was, by `time:` in the dataset")
        elif (cause := part.scope.broken.get("time")) is not None:
            findings.depend(f"{part.name}.time", cause)
    if step.kind != "without":
        _check_names(step, parts, findings)
    return not findings.failed


def _check_ends(step: syntax.Step, parts: list[_Part], findings: Findings) -> None:
    words = format_expr(step)
    if not step.by:
        hint = f"say whose rows belong together, such as `{words} by {_likely(parts)}`"
        findings.error("missing-by", f"`{step.kind}` needs `by`", step.span, hint)
    if step.kind == "without" and step.within is None:
        message = "`without` needs `within`: without an end, something may always still follow"
        findings.error("missing-within", message, step.span, "such as `within 7d`")
    if step.kind == "first" and step.within is not None:
        message = "`first` looks at all rows: `within` says nothing here"
        findings.error(
            "bad-step", message, step.within.span, "leave it out; or filter: `first (order where …) by buyer`"
        )
    if step.match and step.kind not in ("then", "after", "returns"):
        message = f"`match` says which of several rows is credited; by `{step.kind}` none is"
        findings.error("bad-step", message, step.span, "it goes with `then` and `after`: leave it out")


def _likely(parts: list[_Part]) -> str:
    """Return a field that rows of several events may have alike."""
    fields = [part.scope.fields for part in parts]
    keys = (name for name, type in fields[0].items() if type.kind is Kind.TEXT or type.whole)
    common = (name for name in keys if name not in IMPLICIT and all(name in one for one in fields))
    return next(common, "visitor") if len({part.called for part in parts}) > 1 else "visitor"


def _check_names(step: syntax.Step, parts: list[_Part], findings: Findings) -> None:
    """Refuse two steps of one name: whose are its fields?

    `repeat` of rows that are of one hides what was before those, as its delay hides theirs: it takes no other name.
    """
    taken = {parts[0].name: parts[0].span}
    known = {name for name, one in parts[0].scope.lookups.items() if step.kind != "repeat" or not one.step}
    for part in parts[1:]:
        inside = part.name in known or part.name in DELAYS
        if part.name in taken or inside:
            other = "another step" if part.name in taken else f"a field of `{parts[0].name}`"
            message = f"`{part.name}` is {other} already: whose would `{part.name}.…` be?"
            hint = "give the lookup another name" if step.kind == "repeat" else f"name it: `{part.called} as second`"
            findings.error("same-name", message, part.span, hint)
        taken[part.name] = part.span


def _is_dated(scope: EventScope) -> bool:
    time = scope.fields.get("time")
    return time is not None and time.kind is Kind.DATE
