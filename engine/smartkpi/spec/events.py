"""Events derived from events, in the `events` section: a text, or a mapping with `is`."""

from __future__ import annotations

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.parse import parse_event
from smartkpi.source import Span
from smartkpi.spec.model import Derived, Labels
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
