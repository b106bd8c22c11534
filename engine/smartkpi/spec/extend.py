"""`extends`: a KPI that is another one with changes."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.nearest import did_you_mean
from smartkpi.spec.nodes import Entry, Fields, Node, Scalar

PACK = "pack"
OWN = frozenset(("extends", "label", "synonyms", "hidden", "deprecated", "reviewed"))
"""What another KPI has for itself alone: it is not taken over from a sibling."""


def extend(
    name: str, node: Node, beside: dict[str, Node], below: dict[str, Node], problems: list[Diagnostic]
) -> tuple[Node, bool] | None:
    """Return a KPI with what it takes over, and whether that is of the included KPI of its name; None if it is whole.

    ``beside`` are the KPIs of the same files, ``below`` those that they include. Mappings merge, lists and texts
    replace, null removes.
    """
    steps: list[tuple[Fields, Scalar]] = []
    at, here = name, node
    while isinstance(here, Fields) and isinstance(written := here.get("extends"), Scalar):
        steps.append((here, written))
        known: Mapping[str, Node] = below if written.written == PACK else ChainMap(beside, below)
        at = at if written.written == PACK else written.written
        if at not in known or any(known[at] is step for step, _ in steps):
            problems.append(_refuse(at, steps, known, below))
            return None
        here = known[at]
    if not steps:
        return None
    whole = _as_fields(here)
    for step, written in reversed(steps):
        taken = whole if written.written == PACK else _without(whole, OWN)
        whole = _without(merge(taken, step), frozenset(("extends",)))
    if whole.get("formula") is None:
        message = f"`{name}` has no formula left"
        problems.append(Diagnostic("missing-formula", message, steps[0][1].span, "leave `formula: null` out"))
    return whole, steps[0][1].written == PACK


def _refuse(
    at: str, steps: list[tuple[Fields, Scalar]], known: Mapping[str, Node], below: Mapping[str, Node]
) -> Diagnostic:
    """Say why there is nothing to extend: no such KPI, or the one that extends."""
    place, last = steps[0][1].span, steps[-1][1]
    notes = () if len(steps) == 1 else (Note(f"`{last.written}` is extended here", last.span),)
    if at in known:
        hint = f"to change the included `{at}` write `extends: pack`" if at in below else ""
        return Diagnostic("nothing-to-extend", f"`{at}` extends itself", place, hint, notes)
    if last.written == PACK:
        hint = did_you_mean(at, known) or ("" if known else "include it: `include: [a pack, or the path of a file]`")
        return Diagnostic("nothing-to-extend", f"nothing that is included has a KPI `{at}`", place, hint, notes)
    hint = did_you_mean(at, known) or "a KPI by its name, or `pack` for the included one of the same name"
    return Diagnostic("nothing-to-extend", f"no KPI is named `{at}`", place, hint, notes)


def _as_fields(node: Node) -> Fields:
    """Return a KPI as a mapping: a text is its formula."""
    if isinstance(node, Fields):
        return node
    key = Scalar("formula", "formula", "", node.source, node.start, node.start)
    return Fields({"formula": Entry(key, node)}, node.source, node.start, node.end)


def _without(fields: Fields, keys: frozenset[str]) -> Fields:
    return replace(fields, entries={name: entry for name, entry in fields.entries.items() if name not in keys})


def merge(taken: Fields, own: Fields) -> Fields:
    """Return a mapping with changes: what is null is gone, mappings merge, anything else is the new one."""
    entries = dict(taken.entries)
    for name, entry in own.entries.items():
        before = entries.get(name)
        if isinstance(entry.value, Scalar) and entry.value.data is None:
            entries.pop(name, None)
        elif before is not None and isinstance(before.value, Fields) and isinstance(entry.value, Fields):
            entries[name] = Entry(entry.key, merge(before.value, entry.value))
        else:
            entries[name] = entry
    return Fields(entries, own.source, own.start, own.end)


def without_removals(root: Node) -> Node:
    """Return a document without the nulls that say what a KPI does not take over: they have the shape of nothing."""
    kpis = root.get("kpis") if isinstance(root, Fields) else None
    if not isinstance(root, Fields) or not isinstance(kpis, Fields):
        return root
    if not any(isinstance(entry.value, Fields) and "extends" in entry.value.entries for entry in kpis.entries.values()):
        return root
    entries = {name: Entry(entry.key, _full(entry.value)) for name, entry in kpis.entries.items()}
    shown = Entry(root.entries["kpis"].key, replace(kpis, entries=entries))
    return replace(root, entries={**root.entries, "kpis": shown})


def _full(kpi: Node) -> Node:
    return _pruned(kpi) if isinstance(kpi, Fields) and "extends" in kpi.entries else kpi


def _pruned(fields: Fields) -> Fields:
    entries = {}
    for name, entry in fields.entries.items():
        if isinstance(entry.value, Fields):
            entries[name] = Entry(entry.key, _pruned(entry.value))
        elif name == "extends" or not (isinstance(entry.value, Scalar) and entry.value.data is None):
            entries[name] = entry
    return replace(fields, entries=entries)
