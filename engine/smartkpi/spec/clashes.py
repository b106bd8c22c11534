"""Names that are taken: one name, one thing; a clash is an error that shows both places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.spec.definitions import SPOKEN, Definition, View
from smartkpi.spec.events import is_derived
from smartkpi.spec.names import check_name
from smartkpi.spec.nodes import Scalar

_WORDS = {"kpi": "a KPI", "event": "an event"}

Report = Callable[[Iterable[Diagnostic], str], None]
"""Takes what is wrong with a definition, and what that is called."""


def without_clashes(definitions: Iterable[Definition], view: View, report: Report) -> list[Definition]:
    """Return definitions with a right name of their own; the others are reported."""
    return list(_without_event_clashes(_by_name(definitions, report), view, report))


def _by_name(definitions: Iterable[Definition], report: Report) -> list[Definition]:
    """Return definitions with a right name of their own; a name that is taken is an error that shows both places."""
    taken: dict[tuple[str, str], list[Definition]] = {}
    kept = []
    for definition in definitions:
        problem = check_name(definition.key, reserved=definition.kind in SPOKEN)
        if problem is not None:
            report((problem,), definition.subject)
            continue
        space = "" if definition.kind in SPOKEN else definition.kind
        others = taken.setdefault((space, definition.name), [])
        first = next((one for one in others if not _agree(one, definition)), None)
        if first is None:
            others.append(definition)
            kept.append(definition)
        elif first.place != definition.place:  # else a file is reached by two ways
            report((_taken(definition, first),), definition.subject)
    return kept


def _agree(first: Definition, other: Definition) -> bool:
    """Return whether both say what an event has, one of them included: then both hold.

    One of them may make it of others: it fulfils what is declared, as a dataset would.
    """
    derived = [d for d in (first, other) if is_derived(d.value)]
    return first.kind == other.kind == "event" and len(derived) < 2 and first.origin != other.origin


def _without_event_clashes(kept: list[Definition], view: View, report: Report) -> Iterator[Definition]:
    """Yield definitions, but report one of another kind that has the name of an event that a dataset provides."""
    provided: dict[str, Scalar] = {}
    for definition in kept:
        for name, key in view.events(definition).items():
            provided.setdefault(name, key)
    for definition in kept:
        taken = provided.get(definition.name)
        declared = definition.kind == "event" and not is_derived(definition.value)
        if taken is not None and definition.kind in SPOKEN and not declared:
            event = Definition("event", definition.name, taken, taken, definition.base)
            report((_taken(definition, event),), definition.subject)
        else:
            yield definition


def _taken(definition: Definition, first: Definition) -> Diagnostic:
    name, other = definition.name, _WORDS.get(first.kind, f"a {first.kind}")
    if first.kind == definition.kind:
        message = f"`{name}` is defined twice"
    else:
        message = f"`{name}` is {other} already; events, KPIs and constants share their names"
    notes = (Note(f"`{name}` is {other} here", first.key.span),)
    return Diagnostic("duplicate-name", message, definition.key.span, _way_out(definition, first), notes)


def _way_out(definition: Definition, first: Definition) -> str:
    """Return how two definitions of one name come apart."""
    origin = first.origin or definition.origin
    if origin is None:
        return "choose another name"
    if first.kind == definition.kind == "kpi" and (first.origin is None) is not (definition.origin is None):
        return f"to change the included KPI add `extends: pack`; or include {origin.text} with `as: …`"
    return f"choose another name, or include {origin.text} with `as: …`"
