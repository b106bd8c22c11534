"""The `dimensions` section: what a field is called, how its values are spelt, labelled and ordered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from smartkpi.diagnostics import Diagnostic
from smartkpi.source import Span
from smartkpi.spec.model import Dimension, Labels
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.values import Problems, labels, text

MOST = 50
"""So many different spellings a dimension may bring others to: each is a condition on every row."""


def build_dimension(name: str, node: Node, span: Span, problems: Problems) -> Dimension | None:
    """Return a dimension: a value with a text is spelt so, one with a text a language is shown so."""
    if not isinstance(node, Fields):
        return None
    spellings: dict[str, str] = {}
    shown: dict[str, Labels] = {}
    places: dict[str, Span] = {}
    values = node.get("values")
    for entry in values.entries.values() if isinstance(values, Fields) else ():
        key = entry.key.written
        if isinstance(entry.value, Scalar) and entry.value.data is not None:
            spellings[key] = entry.value.written
            places[key] = entry.value.span
        elif isinstance(entry.value, Fields):
            shown[key] = labels(entry.value)
    for old, new in spellings.items():
        if spellings.get(new, new) != new:
            message = f"`{old}` is spelt `{new}`, which is spelt `{spellings[new]}` itself"
            problems.append(Diagnostic("bad-value", message, places[old], f"write `{spellings[new]}` here too"))
    spellings = {old: new for old, new in spellings.items() if old != new}
    if len(set(spellings.values())) > MOST:
        message = f"`{name}` has more than {MOST} spellings to bring others to"
        hint = "put both spellings into a table, and look the right one up"
        problems.append(Diagnostic("bad-value", message, span, hint))
    order = node.get("order")
    written = (
        tuple(found for item in order.items if (found := text(item)) is not None) if isinstance(order, Items) else ()
    )
    written = tuple(dict.fromkeys(spellings.get(value, value) for value in written))
    said = (labels(node.get("label")), labels(node.get("description")))
    return Dimension(name, *said, spellings, shown, written, span, text(node.get("parent")))


def parent_cycles(dimensions: Mapping[str, Dimension]) -> Iterator[Diagnostic]:
    """Yield the error that a dimension lies below itself, for each that does."""
    for name, dimension in dimensions.items():
        path = [name]
        while (above := dimensions.get(path[-1])) is not None and above.parent and above.parent not in path:
            path.append(above.parent)
        if above is not None and above.parent == name:
            circle = " → ".join(f"`{one}`" for one in (*path, name))
            message = f"`{name}` lies below itself: {circle}"
            yield Diagnostic(
                "bad-value", message, dimension.span, "leave one `parent` out", (), subject=f"dimension:{name}"
            )
