"""Groups of entities, as projects of the agreement tests have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

NAMES = ("g0", "g1")
CONDITIONS: Mapping[str, tuple[str, ...]] = {name: (name, f"not {name}", f"{name} == true") for name in NAMES}
ENTITIES = ("buyer", "country", "tier", "paid", "due", "channel", "person.region")
TIMES = ("period_start", "event", "as_of")

Conditions = Callable[[frozenset[str]], st.SearchStrategy[str]]


@st.composite
def comparisons(draw: st.DrawFn, events: list[Any], conditions: Conditions) -> str:
    """A condition over an aggregate of an event, perhaps of two."""
    event = draw(st.sampled_from(events))
    where = f" where {draw(conditions(event.fields))}" if draw(st.integers(0, 2)) == 0 else ""
    other = draw(st.sampled_from(events)).name
    return draw(
        st.sampled_from(
            [
                f"count({event.name}{where}) >= {draw(st.integers(0, 3))}",
                f"count({event.name}{where}) == 0",
                f"sum({event.name}.amount{where}) > 2",
                f"sum({event.name}.revenue{where}) / count({event.name}) >= limit",
                f"avg({event.name}.amount{where}) <= 5",
                f"max({event.name}.amount{where}) < 3",
                f"min({event.name}.amount{where}) between 0 and 2",
                f"distinct({event.name}.country{where}) == 1",
                f"count({event.name}{where}) > count({other})",
                f"sum({event.name}.revenue{where}) is null",
            ]
        )
    )


@st.composite
def groups(
    draw: st.DrawFn, events: list[Any], named: list[Any], conditions: Conditions, name: str
) -> tuple[dict[str, Any], list[Any]]:
    """Perhaps a group over some of the events, and all events, those with its entity in or out of it."""
    usable = [one for one in named if "at" in one.fields and not one.counted]
    fitting = sorted({key for one in usable for key in one.fields if key in ENTITIES})
    if not fitting or draw(st.integers(0, 2)) == 0:
        return {}, events
    of, at = draw(st.sampled_from(fitting)), draw(st.sampled_from(TIMES))
    mine = [one for one in usable if of in one.fields]
    where = draw(comparisons(mine, conditions))
    if draw(st.integers(0, 3)) == 0:
        more = draw(comparisons(mine, conditions))
        where = draw(st.sampled_from((f"{where} and {more}", f"{where} or {more}", f"not ({where})")))
    written = {"of": of, "where": where} | ({} if at == "period_start" and draw(st.booleans()) else {"at": at})

    def knows(one: Any) -> bool:
        return of in one.fields and ("at" in one.fields or at == "as_of")

    found = [replace(one, fields=one.fields | {name}) if knows(one) else one for one in events]
    return {name: written}, found
