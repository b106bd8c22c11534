"""`revisions`: from which day on something else holds, of constants and KPIs alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.source import Span
from smartkpi.spec.nodes import Fields, Items, Node
from smartkpi.spec.values import Problems, day


def dated_items(node: Node | None, problems: Problems) -> Iterator[tuple[date, Span, Fields]]:
    """Yield revisions with their first day; those that do not follow each other are problems."""
    before: tuple[date, Span] | None = None
    for item in node.items if isinstance(node, Items) else ():
        written = item.get("from") if isinstance(item, Fields) else None
        start = day(written, problems)
        if not isinstance(item, Fields) or written is None or start is None:
            continue
        if before is not None and start <= before[0]:
            same = start == before[0]
            message = (
                f"two revisions begin on {start}" if same else f"the revision of {start} stands behind a later one"
            )
            hint = "say both in one" if same else "revisions go from the earliest to the latest"
            notes = (Note("the other one is here", before[1]),)
            problems.append(Diagnostic("revision-order", message, written.span, hint, notes))
            continue
        before = start, written.span
        yield start, written.span, item
