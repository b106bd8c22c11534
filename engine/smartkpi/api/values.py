"""What values a field has: a question like any other, with a count of each event that has the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from smartkpi.api.failures import DataError, UsageError
from smartkpi.api.pipeline import evaluate, open_data
from smartkpi.diagnostics import Diagnostic, Note, errors
from smartkpi.language.parse import parse_formula
from smartkpi.periods.grain import Grain
from smartkpi.semantics.question import Question
from smartkpi.semantics.reached import datasets_behind
from smartkpi.semantics.scope import has_field, meant
from smartkpi.source import text_of
from smartkpi.spec.load import Loaded
from smartkpi.spec.model import Formula, Kpi


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a field, most frequent first: each with the number of rows of each event that has the field."""

    field: str
    events: tuple[str, ...]
    counts: tuple[tuple[Any, tuple[int, ...]], ...]


def values_of(loaded: Loaded, handed: Mapping[str, object], field: str) -> Values:
    """Return the values of a field over all data. Raises KpiError where no event has it, or it is no dimension."""
    opened = open_data(loaded, handed)
    checked = opened.checked
    provided = [event for event, providers in checked.events.items() if providers and event.isidentifier()]
    events = tuple(event for event in provided if has_field(checked.scopes[event], field))
    if not events and errors(opened.data):
        raise DataError(*errors(opened.data))
    if not events:
        known = sorted({name for event in provided for name in checked.scopes[event].fields})
        note = Note("fields: " + (", ".join(known) or "none"))
        hint = next(filter(None, (meant(field, checked.scopes[event]) for event in provided)), "")
        raise UsageError(Diagnostic("unknown-field", f"no event has a field `{field}`", hint=hint, notes=(note,)))
    kpis = {f"rows of {event}": _count(event) for event in events}
    catalog = replace(loaded.catalog, kpis=kpis, cases=())
    providers = {dataset for event in events for dataset in checked.scopes[event].reads}
    ready = open_data(Loaded(catalog, ()), handed, datasets_behind(checked, providers))
    if errors(ready.data):
        raise DataError(*errors(ready.data))
    names = tuple(name for name in kpis if name in ready.checked.kpis)
    result = evaluate(ready.checked, ready.tables, Question(names, grain=Grain.ALL, by=(field,)))
    refused = result.frame.filter(result.frame["state"] == "unavailable")["reason"].to_list()
    if names and len(refused) == len(names):
        raise UsageError(Diagnostic("unavailable", f"`{field}` has no values over everything: {refused[0]}"))
    counts: dict[Any, dict[str, int]] = {}
    for row in result.frame.iter_rows(named=True):
        if row["value"] is not None:
            counts.setdefault(row[field], {})[row["kpi"]] = int(row["value"])
    found = [(value, tuple(by.get(name, 0) for name in names)) for value, by in counts.items()]
    found.sort(key=lambda pair: (-sum(pair[1]), pair[0] is None, str(pair[0])))
    return Values(field, events, tuple(found))


def _count(event: str) -> Kpi:
    text = text_of(f"count({event})", "<values>")
    return Kpi(name=f"rows of {event}", formula=Formula(parse_formula(text), text), span=text.span)
