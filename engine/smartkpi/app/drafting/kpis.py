"""A few KPIs over what was bound: counts, who, how much, one step over another. None that adds what does not add."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smartkpi.app.drafting import words
from smartkpi.app.drafting.model import Part
from smartkpi.app.drafting.names import identifier, plural, singular, tokens, unique
from smartkpi.app.drafting.roles import Amount, Roles, about, steps_of
from smartkpi.sources.look import ColumnFacts

MOST_COUNTS, MOST_SUMS, MOST_MEANS, MOST_SHARES = 6, 2, 1, 2


@dataclass(frozen=True, slots=True)
class Counted:
    """An event that rows count, by a column: ``people`` where it must not be added over days."""

    event: str
    column: str
    people: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """What a dataset provides: events of rows with how many they are, counted events; `field` names its columns.

    ``money`` has the fields of its amounts by column, ``filled`` the events whose rows have them.
    """

    dataset: str
    roles: Roles
    field: Callable[[ColumnFacts | str], str]
    events: tuple[tuple[str, int], ...]
    counted: tuple[Counted, ...]
    money: Mapping[str, tuple[Part, ...]]
    filled: Mapping[str, tuple[str, ...]]


def draft_kpis(bound: Sequence[Bound], taken: set[str]) -> tuple[Part, ...]:
    """Return KPIs over what datasets provide; their names are taken."""
    found: list[Part] = []
    for one in bound:
        if one.counted:
            found += _of_counts(one, taken)
        else:
            found += _of_rows(one, taken)
        found += _steps(one, taken)
    return tuple(found)


def _of_counts(one: Bound, taken: set[str]) -> list[Part]:
    found = []
    for event in one.counted[: MOST_COUNTS + 2]:
        name = unique(_count_name(event), taken)
        if event.people:
            body: dict[str, Any] = {"formula": event.event, "grain": "day"}
            found.append(Part(name, body, ("by day only: people of several days are not to be added",)))
        else:
            found.append(Part(name, event.event))
    return found + (_amounts(one, taken) if one.events else [])


def _count_name(event: Counted) -> str:
    """Return the name of a count: its column's words, in the plural where that is known."""
    said = [word for word in tokens(event.column) if word not in words.NOISE]
    name = identifier("_".join(said) or event.event)
    if event.people:
        return f"daily_{name}"
    if not name.isascii() and name != event.event:
        return name
    if not event.event.endswith(singular(name)):
        return plural(event.event)
    name = f"{event.event.removesuffix(singular(name))}{name}"
    if singular(name) != name:
        return name
    return plural(name) if said and plural(said[-1]) in words.COUNTS else f"{name}_count"


def _of_rows(one: Bound, taken: set[str]) -> list[Part]:
    found = [Part(unique(plural(event), taken), f"count({event})") for event in _shown(one)]
    main = _main(one)
    for who in one.roles.entities[:1]:
        name = unique(plural(identifier(about(who) or who.name)), taken)
        found.append(Part(name, f"distinct({main}.{one.field(who)})", (f"by `{who.name}`, those of `{main}`",)))
    return found + _amounts(one, taken) + _shares(one, taken)


def _shown(one: Bound) -> list[str]:
    """Return the events to count: steps of a funnel and the most frequent ones, the most frequent first."""
    steps: dict[int, str] = {}
    for event, _ in one.events:
        if (step := steps_of(event)) is not None:
            steps.setdefault(step, event)
    chosen = {*list(steps.values())[-MOST_COUNTS:], *(event for event, _ in one.events[: MOST_COUNTS - len(steps)])}
    return [event for event, _ in one.events if event in chosen]


def _main(one: Bound) -> str:
    """Return the event that most rows are."""
    return max(one.events, key=lambda pair: pair[1])[0]


def _home(one: Bound, amount: Amount) -> str:
    """Return the event that an amount belongs to: of those that have it the last step of a funnel, else the main."""
    able = one.filled.get(amount.column.name) or tuple(event for event, _ in one.events)
    orders = [event for event in able if steps_of(event) == len(words.STEPS) - 1]
    often = dict(one.events)
    return orders[0] if orders else max(able, key=lambda event: often[event])


def _amounts(one: Bound, taken: set[str]) -> list[Part]:
    sums = [a for a in one.roles.amounts if a.adds][:MOST_SUMS]
    means = [a for a in one.roles.amounts if not a.adds and a.column.distinct > 1][:MOST_MEANS]
    found = []
    for amount in sums:
        event = _home(one, amount)
        for name in _names(one, amount):
            title = _titled(_amount_name(amount, "total", name), event, taken)
            found.append(Part(title, f"sum({event}.{name})"))
    for amount in means:
        event, name = _home(one, amount), _names(one, amount)[0]
        title = _titled(_amount_name(amount, "average", name), event, taken)
        note = f"a mean: adding up `{amount.column.name}` would say nothing"
        found.append(Part(title, f"avg({event}.{name})", (note,)))
    return found


def _names(one: Bound, amount: Amount) -> list[str]:
    """Return the fields of an amount: one a currency where there are several."""
    return [part.name for part in one.money.get(amount.column.name, ())] or [one.field(amount.column)]


def _titled(name: str, event: str, taken: set[str]) -> str:
    """Return a name for a KPI of an amount; one that there is already is told apart by the event."""
    prefix, _, rest = name.partition("_")
    return unique(name if name not in taken else f"{prefix}_{event}_{rest}", taken)


def _amount_name(amount: Amount, prefix: str, field: str) -> str:
    written = amount.column.name.rpartition(".")[2]
    said = [word for word in tokens(written) if word not in words.CURRENCIES and word != "in"]
    if amount.currency is None and tokens(field)[-1:] != tokens(written)[-1:]:
        said += tokens(field)[-1:]
    name = identifier("_".join(said) or amount.column.name)
    return name if name.startswith((prefix, "avg", "mean")) else f"{prefix}_{name}"


def _shares(one: Bound, taken: set[str]) -> list[Part]:
    found = []
    event = _main(one)
    for flag in one.roles.flags[:MOST_SHARES]:
        name = unique(f"share_{identifier(flag.name)}", taken)
        formula = f"count({event} where {one.field(flag)}) / {event}"
        found.append(Part(name, {"formula": formula, "format": "percent"}, (f"rows where `{flag.name}` is true",)))
    return found


def _steps(one: Bound, taken: set[str]) -> list[Part]:
    """Return ratios of later steps over earlier ones, where names tell the steps."""
    counted = [(event.event, event.column) for event in one.counted if not event.people]
    by_step: dict[int, str] = {}
    for event, said in counted or [(event, event) for event, _ in one.events]:
        step = steps_of(said)
        if step is not None:
            by_step.setdefault(step, event)
    steps = [by_step[step] for step in sorted(by_step)]
    if len(steps) < 2:
        return []
    first = (steps[1], steps[0])
    pairs = [first] if len(steps) == 2 else [first, (steps[-1], steps[1])]
    if not one.counted:
        often = dict(one.events)
        pairs = [(steps[-1], max(steps[:-1], key=lambda event: often[event]))]
    note = "events over events, not people over people"
    return [
        Part(unique(f"{after}_rate", taken), {"formula": f"{after} / {before}", "format": "percent"}, (note,))
        for after, before in pairs
    ]
