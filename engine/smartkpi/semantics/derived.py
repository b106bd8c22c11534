"""Events and groups that are made of events: each is checked after those that it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.semantics.findings import SHOWN, Findings, circle
from smartkpi.semantics.formula import TypedGroup
from smartkpi.semantics.graph import in_order
from smartkpi.semantics.groups import announce, names_in, spoil, type_group
from smartkpi.semantics.providers import fulfil
from smartkpi.semantics.scope import Namespace
from smartkpi.semantics.steps import derive_event, operands_of
from smartkpi.source import Span
from smartkpi.spec.group import Group
from smartkpi.spec.model import Catalog, Derived


def derive(
    catalog: Catalog, space: Namespace, broken: dict[str, Diagnostic], found: list[Diagnostic]
) -> dict[str, TypedGroup]:
    """Derive the events that are defined, and return the groups; a wrong one goes to ``broken``.

    ``broken`` is that of the namespace.
    """
    written: dict[str, Derived | Group] = {**catalog.derived, **catalog.groups}
    found.extend(announce(catalog.groups, space, broken))
    for key, cause in catalog.broken.items():
        if key.startswith("group:"):  # whose field it is cannot be told
            for event, scope in space.events.items():
                space.events[event] = replace(scope, broken={**scope.broken, key[6:]: cause})
    groups: dict[str, TypedGroup] = {}
    order, cycles = in_order({name: tuple(_stands_on(one, written)) for name, one in written.items()})
    for cycle in cycles:
        cause = _cycle(cycle, written)
        found.append(cause)
        for name in cycle:
            broken.setdefault(name, cause)
    for name in order:
        one = written[name]
        if name not in broken:
            findings = Findings(f"{'group' if isinstance(one, Group) else 'event'}:{name}")
            if isinstance(one, Group):
                typed = type_group(one, catalog, space, findings)
                groups |= {} if typed is None else {name: typed}
            else:
                derive_event(one.formula.expr, space, findings, name)
                fulfil(one, space, findings)
            findings.close(f"`{name}`", one.span)
            found.extend(findings.diagnostics)
            if findings.failed:
                broken[name] = findings.cause
        if isinstance(one, Group) and name in broken:
            groups.pop(name, None)
            spoil(name, broken[name], space)
    return groups


def _stands_on(one: Derived | Group, written: Mapping[str, Derived | Group]) -> Iterator[str]:
    """Yield the definitions that one names: events that it is made of, and groups in conditions."""
    expr = _expr(one)
    if isinstance(one, Group):
        yield from (name for name in names_in(expr) if name in written)
        return
    yield from (name.parts[0] for name in operands_of(expr) if name.parts[0] in written)
    yield from (name for name in names_in(expr) if isinstance(written.get(name), Group))


def _expr(one: Derived | Group) -> syntax.Expr:
    return one.where.expr if isinstance(one, Group) else one.formula.expr


def _cycle(cycle: tuple[str, ...], written: Mapping[str, Derived | Group]) -> Diagnostic:
    def place(name: str) -> Span:
        return _expr(written[name]).span

    steps = islice(zip(cycle, (*cycle[1:], cycle[0]), strict=True), SHOWN)
    notes = tuple(Note(f"`{a}` is made of `{b}`", place(a)) for a, b in steps)
    message = f"`{cycle[0]}` is made of itself: {circle(cycle)}"
    kind = "group" if isinstance(written[cycle[0]], Group) else "event"
    return Diagnostic("event-cycle", message, place(cycle[0]), "", notes, subject=f"{kind}:{cycle[0]}")
