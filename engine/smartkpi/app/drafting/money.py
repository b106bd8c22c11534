"""Amounts under draft: their fields, one a currency where a column says which, and the events that have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from smartkpi.app.drafting.model import Part
from smartkpi.app.drafting.names import column_text, is_plain, unique
from smartkpi.app.drafting.roles import Amount

if TYPE_CHECKING:  # tables under draft are made where these are used
    from smartkpi.app.drafting.draft import Work

MOST_CURRENCIES = 4
FILLED = 0.5
UNKNOWN = "money by its name: add its currency, such as `currency: EUR`"


def money_fields(work: Work) -> dict[str, tuple[Part, ...]]:
    """Return the fields of each column of amounts that is money, the first one standing for it.

    Where a column says the currency of each row, there is a field for each of the most frequent ones: two currencies
    are never added.
    """
    found: dict[str, tuple[Part, ...]] = {}
    by = work.roles.currency
    for one in work.roles.amounts:
        marked = one.column.type is not None and one.column.type.unit.name == "money"
        if not one.money or (marked and by is None):
            continue
        if by is not None and one.currency is None:
            found[one.column.name] = tuple(
                _of_currency(one, str(code), work) for code, _ in by.values[:MOST_CURRENCIES]
            )
        else:
            body: dict[str, Any] = {} if is_plain(one.column.name) else {"column": one.column.name}
            unit = {"unit": "money"} | ({"currency": one.currency} if one.currency else {})
            found[one.column.name] = (Part(work.field(one.column), {**body, **unit}),)
    unknown = [name for name, parts in found.items() if "currency" not in parts[0].body]
    if unknown:
        found[unknown[0]] = (replace(found[unknown[0]][0], notes=(UNKNOWN,)),)
    if by is not None:
        split = [name for name, parts in found.items() if len(parts) > 1]
        for name in split[:1]:
            more = f" (of {by.distinct})" if by.distinct > MOST_CURRENCIES else ""
            note = f"`{by.name}` says the currency of each row{more}: a field for each, as currencies do not add up"
            found[name] = (replace(found[name][0], notes=(note,)), *found[name][1:])
    return found


def _of_currency(one: Amount, code: str, work: Work) -> Part:
    by = work.roles.currency
    assert by is not None
    name = unique(f"{work.field(one.column)}_{code.casefold()}", work.taken)
    text = f'if({column_text(by.name)} == "{code}", {column_text(one.column.name)}, null)'
    return Part(name, {"is": text, "unit": "money", "currency": code})


def filled_events(work: Work, events: Mapping[Any, str]) -> dict[str, tuple[str, ...]]:
    """Return for each column of amounts the events, by the values that name them, whose rows mostly have it."""
    column = work.roles.event
    names = [one.column.name for one in work.roles.amounts]
    if column is None or not names:
        return {}
    there = (pl.col(name).is_not_null().mean().alias(f"{i}") for i, name in enumerate(names))
    by = pl.col(column.name).cast(pl.String).alias("event")
    shares = work.facts.frame.group_by(by).agg(*there).collect().rows_by_key("event", named=True, unique=True)
    return {
        name: tuple(event for value, event in events.items() if shares.get(value, {}).get(f"{i}", 0) >= FILLED)
        for i, name in enumerate(names)
    }
