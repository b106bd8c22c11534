"""Say of errors about texts which value made a text of a column: the way out is not in the formula."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.language.syntax import Name
from smartkpi.sources.inspect import Spoilt, spoilt
from smartkpi.sources.tables import Table
from smartkpi.spec.model import Catalog, Column, Formula
from smartkpi.tree import walk

ABOUT_TYPES = ("type-mismatch", "unit-mismatch")
_NAMED = re.compile(r"`(?:[^`]*\.)?([^`.]+)`[^`]* text")


def accused(found: Iterable[Diagnostic], catalog: Catalog, tables: Mapping[str, Table]) -> tuple[Diagnostic, ...]:
    """Return problems in which errors about a text name the value, and its row, for which the column is one."""
    known = tuple(found)
    if not any(_is_about_text(one) for one in known):
        return known
    columns: dict[str, Spoilt] = {}
    for name, table in tables.items():
        for one in spoilt(table):
            columns |= dict.fromkeys((one.column, *_fields_of(one.column, name, catalog)), one)
    return tuple(_accused(one, columns) if _is_about_text(one) else one for one in known)


def _is_about_text(one: Diagnostic) -> bool:
    return one.severity is Severity.ERROR and one.code in ABOUT_TYPES and bool(_texts(one))


def _texts(one: Diagnostic) -> list[str]:
    """Return the names that an error says to be text, or that it points at."""
    said = (one.message, *(note.message for note in one.notes))
    span = one.span if "text" in one.message else None
    pointed = [] if span is None else [span.source.text[span.start : span.end]]
    return [name for text in said for name in _NAMED.findall(text)] + pointed


def _fields_of(column: str, dataset: str, catalog: Catalog) -> list[str]:
    """Return the fields of a dataset that are made of a column."""
    spec = catalog.datasets.get(dataset)
    return [
        name for name, field in (spec.fields.items() if spec is not None else ()) if column in _columns_of(field.is_)
    ]


def _columns_of(made: Formula | Column | None) -> set[str]:
    match made:
        case Formula():
            return {node.text for node in walk(made.expr) if isinstance(node, Name)}
        case Column():
            return {made.name}
        case None:
            return set()


def _accused(one: Diagnostic, columns: Mapping[str, Spoilt]) -> Diagnostic:
    cause = next((columns[name] for name in _texts(one) if name in columns), None)
    if cause is None:
        return one
    return replace(one, hint="", notes=(*one.notes, Note(f"`{cause.column}`: {cause.said}"), Note(cause.way)))
