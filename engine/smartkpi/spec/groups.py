"""The `groups` section: entities for whose rows a condition holds."""

from __future__ import annotations

from smartkpi.source import Span
from smartkpi.spec.group import Group
from smartkpi.spec.nodes import Fields, Node
from smartkpi.spec.values import Problems, formula, labels, text


def build_group(name: str, node: Node, span: Span, problems: Problems) -> Group | None:
    """Return a group; None where it is wrong."""
    if not isinstance(node, Fields):
        return None
    of, where = node.get("of"), formula(node.get("where"), problems)
    written = text(of)
    if of is None or not written or where is None:
        return None
    said = (labels(node.get("label")), labels(node.get("description")))
    return Group(name, written.strip(), of.span, where, text(node.get("at")) or "period_start", span, *said)
