"""Funnels and cohorts, as projects of the agreement tests have them, and the KPIs that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.strategies.steps import DAYS, EXACT, KEYS

GRAINS = ("day", "week", "month", "quarter", "stretch", "fourth")
"""What ages of cohorts are: among them periods that a calendar lists."""

Conditions = Callable[[frozenset[str]], st.SearchStrategy[str]]


@dataclass(frozen=True)
class Part:
    """A number of a funnel or cohort as formulas say it, the events whose rows it is of, whether it is money."""

    text: str
    events: frozenset[str]
    money: bool = False
    named: bool = True


@st.composite
def filtered(draw: st.DrawFn, event: Any, conditions: Conditions) -> str:
    """An event, perhaps under a condition."""
    where = f" where {draw(conditions(event.fields - {'at'}))}" if draw(st.integers(0, 3)) == 0 else ""
    return f"{event.name}{where}"


@st.composite
def funnels(draw: st.DrawFn, events: list[Any], conditions: Conditions) -> tuple[dict[str, Any], list[Part]]:
    """Perhaps a funnel, of one entity or of steps by themselves."""
    usable = [one for one in events if "at" in one.fields and not one.counted and one.name.isidentifier()]
    fitting = sorted({key for one in usable for key in one.fields if key in KEYS})
    if not fitting or draw(st.integers(0, 2)):
        return {}, []
    keys = tuple(draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2, unique=True)))
    keys = keys if any({*keys} <= one.fields for one in usable) else keys[:1]
    mine = [one for one in usable if {*keys} <= one.fields]
    found = [draw(st.sampled_from(mine)) for _ in range(draw(st.sampled_from((2, 2, 3))))]
    steps: list[Any] = []
    taken: set[str] = {name.partition(".")[0] for name in found[0].fields if "." in name}
    for place, one in enumerate(found):
        text, name = draw(filtered(one, conditions)), one.name
        if name in taken or draw(st.integers(0, 3)) == 0:
            name = f"p{place}"
            steps.append({"is": text, "as": name})
        else:
            steps.append(text)
        taken.add(name)
    names = [step["as"] if isinstance(step, dict) else one.name for step, one in zip(steps, found, strict=True)]
    written: dict[str, Any] = {"steps": steps}
    by = draw(st.integers(0, 3)) > 0
    if by:
        written["by"] = keys[0] if len(keys) == 1 and draw(st.booleans()) else list(keys)
        if draw(st.integers(0, 3)):
            exact = EXACT[1:] if all(one.clock for one in found) else ()
            written["within"] = draw(st.sampled_from((*DAYS, *exact)))
    parts = []
    for place, name in enumerate(names):
        read = frozenset({found[0].name}) if by else frozenset({found[place].name})
        both = read if by else read | {found[place - 1].name}
        parts.append(Part(f"step_count(f0, {name})", read))
        if place:
            parts += [Part(f"{one}(f0, {name})", both) for one in ("step_rate", "drop_off")]
            parts.append(Part(f"overall_rate(f0, {name})", read | {found[0].name}))
        if place and by:
            parts.append(Part(f"(step_time(f0, {name}) / 1h)", read, named=False))
    return {"f0": written}, parts


@st.composite
def cohorts(draw: st.DrawFn, events: list[Any], conditions: Conditions) -> tuple[dict[str, Any], list[Part]]:
    """Perhaps a cohort, of counts or of amounts."""
    usable = [one for one in events if "at" in one.fields and not one.counted and one.name.isidentifier()]
    fitting = sorted({key for one in usable for key in one.fields if key in KEYS})
    if not fitting or draw(st.integers(0, 2)):
        return {}, []
    of = draw(st.sampled_from(fitting))
    mine = [one for one in usable if of in one.fields]
    start, again = draw(st.sampled_from(mine)), draw(st.sampled_from(mine))
    begins = draw(filtered(start, conditions))
    written = {"of": of, "start": f"first ({begins}) by {of}" if draw(st.integers(0, 3)) == 0 else begins}
    written["return"] = draw(filtered(again, conditions))
    if draw(st.integers(0, 3)):
        written["grain"] = draw(st.sampled_from(GRAINS))
    amounts = draw(st.integers(0, 2)) == 0
    if amounts:
        written["value"] = f"sum({again.name}.revenue)"
    read = frozenset({start.name})
    parts = [Part("cohort_size(c0)", read)]
    for age in draw(st.lists(st.integers(0, 3), min_size=1, max_size=2, unique=True)):
        parts.append(Part(f"returned(c0, {age})", read, money=amounts))
        parts.append(Part(f"retention(c0, {age})", read))
    return {"c0": written}, parts
