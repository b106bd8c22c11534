"""`--drill`: from segments to what lies below them, as `dimensions` say with `parent`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from smartkpi.api.failures import UsageError
from smartkpi.api.question import Ask
from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.language import syntax
from smartkpi.language.parse import parse_formula
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.question import Within
from smartkpi.source import text_of
from smartkpi.spec.model import Dimension

SHOWN = 5

Dimensions = Mapping[str, Dimension]


def drill_down(dimensions: Dimensions, ask: Ask) -> Ask:
    """Return a question with the children of the segment field that is drilled into behind it.

    `--drill` alone drills into the last field of `--by`, `--drill FIELD` into that one; `--drill FIELD=VALUE` shows the
    children of one segment. Raises UsageError where nothing lies below, or several do.
    """
    if ask.drill in (None, False):
        return ask
    written = "" if ask.drill is True else str(ask.drill).strip()
    field, assigned, value = (part.strip() for part in written.partition("="))
    if not field:
        if not ask.by:
            hint = "write `--by region --drill`, or `--drill region=BR`"
            raise UsageError(Diagnostic("no-hierarchy", "`--drill` needs a field to drill into", hint=hint))
        field = ask.by[-1]
    child = _below(dimensions, field, named=bool(written))
    if assigned:
        by = ask.by if child in ask.by else _behind(ask.by, field, child) if field in ask.by else (*ask.by, child)
        shown = dimensions.get(field.rpartition(".")[2])
        return replace(ask, by=by, drill=None, within=_segment(field, value if shown is None else _meant(shown, value)))
    by = ask.by if field in ask.by else (*ask.by, field)
    return replace(ask, by=by if child in by else _behind(by, field, child), drill=None)


def _behind(by: Sequence[str], field: str, child: str) -> tuple[str, ...]:
    at = list(by).index(field) + 1
    return (*by[:at], child, *by[at:])


def _below(dimensions: Dimensions, field: str, *, named: bool) -> str:
    """Return the field below one: of the same lookups, as its dimension says."""
    below = [found for name, one in dimensions.items() if (found := _child(field, name, one.parent))]
    if len(below) == 1:
        return below[0]
    if below:
        several = ", ".join(f"`--by {field},{name}`" for name in below)
        raise UsageError(Diagnostic("no-hierarchy", f"several lie below `{field}`", hint=f"choose: {several}"))
    parents = sorted({one.parent for one in dimensions.values() if one.parent})
    last = field.rpartition(".")[2]
    hint = f"say so of the field below it, under `dimensions`: `{{parent: {last}}}`"
    if named and (near := did_you_mean(last, parents)):
        hint = near
    notes = [Note("one can drill into: " + ", ".join(parents))] if parents else []
    if named and last not in dimensions:
        notes.append(Note("names of KPIs stand before `--drill`"))
    raise UsageError(Diagnostic("no-hierarchy", f"nothing lies below `{field}`", hint=hint, notes=tuple(notes)))


def _child(field: str, name: str, parent: str | None) -> str:
    """Return the field below one that the dimension `name` is, of the lookups that lead to its parent, or nothing."""
    if not parent or (field != parent and not field.endswith(f".{parent}")):
        return ""
    return field.removesuffix(parent) + name


def _meant(dimension: Dimension, value: str) -> str:
    """Return the value that is shown by a label in some language; one that is itself a value stays."""
    if value in dimension.values or value in dimension.spellings:
        return value
    labelled = {one for one, label in dimension.values.items() if value in (text for _, text in label.texts)}
    return labelled.pop() if len(labelled) == 1 else value


def _segment(field: str, value: str) -> Within:
    """Return the segment that is meant by a field and a value as typed, in quotes or without."""
    text = text_of(value, "--drill")
    quoted = value[:1] in ("'", '"')
    literal = syntax.Text(value.strip("\"'") if quoted else value, text.at(0, len(value)))
    return Within(parse_formula(text_of(field, "--drill")), literal, quoted)


def check_parents(dimensions: Dimensions, by: Sequence[str], frame: pl.DataFrame) -> tuple[Diagnostic, ...]:
    """Return a warning for each field of which a value is shown below more than one value of its parent."""
    found = []
    rows = frame.filter(pl.col("level") == "segment")
    for child in by:
        lookups, dot, last = child.rpartition(".")
        parent = f"{lookups}{dot}{one.parent}" if (one := dimensions.get(last)) is not None and one.parent else ""
        if parent not in by:
            continue
        pairs = rows.select(parent, child).unique().filter(pl.col(child).is_not_null())
        torn = pairs.filter(pl.len().over(child) > 1).sort(child, parent)
        if torn.is_empty():
            continue
        names = torn[child].unique(maintain_order=True).to_list()
        above = ", ".join(
            "none" if value is None else f"`{value}`"
            for value in torn.filter(pl.col(child) == names[0])[parent].to_list()
        )
        more = f", and {len(names) - 1} more `{last}` like it" if len(names) > 1 else ""
        message = f"`{names[0]}` of `{child}` lies below several of `{parent}`: {above}{more}"
        hint = "the numbers are right for each pair; if it is one place, its rows disagree"
        span = dimensions[last].span
        found.append(Diagnostic("two-parents", message, span, hint, (), Severity.WARNING, f"dimension:{last}"))
    return tuple(found)
