"""Events derived from events, in the `events` section: a text, or a mapping with `is`."""

from __future__ import annotations

from dataclasses import replace

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language.parse import parse_event
from smartkpi.source import Span
from smartkpi.spec.model import Contract, Derived, Labels
from smartkpi.spec.nodes import Fields, Node, Scalar
from smartkpi.spec.values import Problems, formula, labels

_DECLARED = ("fields", "key", "prefer")


def is_derived(node: Node) -> bool:
    """Return whether an event is written as made of others."""
    return (isinstance(node, Scalar) and node.data is not None) or (isinstance(node, Fields) and "is" in node.entries)


def build_derived(name: str, node: Node, span: Span, problems: Problems) -> Derived | None:
    """Return a derived event; None where it is wrong."""
    step = node.get("is") if isinstance(node, Fields) else node
    if isinstance(node, Fields):
        for key in (key for key in _DECLARED if key in node.entries):
            message = f"`{name}` is derived: its rows have the fields of its first event, `{key}` says nothing here"
            hint = "leave it out; or leave `is` out, for an event that datasets provide"
            problems.append(Diagnostic("bad-value", message, node.entries[key].key.span, hint))
    written = formula(step, problems, parse_event)
    if written is None:
        return None
    said = (labels(node.get("label")), labels(node.get("description"))) if isinstance(node, Fields) else ()
    return Derived(name, written, span, *(said or (Labels(), Labels())))


def fulfil(derived: Derived, contract: Contract) -> tuple[Derived, Problems]:
    """Return a derived event that fulfils what is declared of its name, and what is wrong with that.

    What it does not say itself, its label and description, is as declared.
    """
    problems: Problems = []
    if contract.prefer is not None:
        message = f"`{derived.name}` is derived: no datasets provide it, so none is preferred"
        notes = (Note("`prefer` stands here", contract.prefer.span),)
        problems.append(Diagnostic("bad-value", message, derived.span, "say it of the event that it is made of", notes))
    label = derived.label if derived.label.texts else contract.label
    description = derived.description if derived.description.texts else contract.description
    return replace(derived, contract=contract, label=label, description=description), problems
