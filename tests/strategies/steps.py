"""Events derived from events, as projects of the agreement tests have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hypothesis import strategies as st

NAMES = ("visit", "click", "order", "refund", "letter", "reply", "d0", "d1", "s0", "s1", "prior")
"""The names that matched rows may go by."""

KEYS = ("buyer", "country", "tier", "paid", "due", "channel", "person.region")
MATCHED = ("country", "amount", "buyer", "delay", "work_delay")
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "delay": ("delay > 3600", "delay <= 2d", "delay == 0", "not delay > 1d"),
    "work_delay": ("work_delay > 3600", "work_delay <= 8h", "work_delay == 0", "work_delay < delay"),
    **{f"{name}.country": (f'{name}.country == "BR"', f"{name}.country is null") for name in NAMES},
    **{f"{name}.amount": (f"{name}.amount > 1.5", f"not {name}.amount > 2") for name in NAMES},
    **{f"{name}.buyer": (f'{name}.buyer == "a"',) for name in NAMES},
    **{f"{name}.delay": (f"{name}.delay > 0", f"{name}.delay <= 1d") for name in NAMES},
    **{f"{name}.work_delay": (f"{name}.work_delay > 0", f"{name}.work_delay <= 9h") for name in NAMES},
}
DIMENSIONS = tuple(f"{name}.{field}" for name in NAMES for field in ("country", "buyer"))
EXACT = ("0", "90min", "2h", "36h", "1000s")
DAYS = ("1d", "3d", "1w", "1mo", "1q", "40d", "cycle")


class Known(Protocol):
    """An event as projects draw it."""

    name: str
    fields: frozenset[str]
    counted: bool
    clock: bool
    united: bool
    periods: frozenset[str]
    daily: bool


@dataclass(frozen=True)
class Operand:
    """An operand as written, the name that its fields go by, its fields."""

    text: str
    name: str
    event: Any


Conditions = Callable[[frozenset[str]], st.SearchStrategy[str]]


@st.composite
def operands(draw: st.DrawFn, events: list[Any], keys: tuple[str, ...], conditions: Conditions) -> Operand:
    """An event that has some keys, perhaps under a condition, perhaps the first one of each entity."""
    event = draw(st.sampled_from([one for one in events if {*keys} <= one.fields]))
    text = event.name
    if draw(st.integers(0, 3)) == 0:
        text = f"{text} where {draw(conditions(event.fields - {'at'}))}"
        if draw(st.booleans()):
            text = f"({text})"
    elif draw(st.integers(0, 4)) == 0:
        text = f"(first {event.name} by {keys[0]})"
    return Operand(text, event.name, event)


@st.composite
def steps(draw: st.DrawFn, events: list[Any], conditions: Conditions) -> tuple[str, Any] | None:
    """A step over events with times, each row one of them; and what is known of it."""
    usable = [one for one in events if "at" in one.fields and not one.counted]
    fitting = sorted({key for one in usable for key in one.fields if key in KEYS})
    if not fitting:
        return None
    kind = draw(st.sampled_from(("then", "then", "then", "after", "after", "without", "first", "repeat")))
    keys = tuple(draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2, unique=True)))
    keys = keys if any({*keys} <= one.fields for one in usable) else keys[:1]
    count = 1 if kind in ("first", "repeat") else draw(st.sampled_from((2, 2, 2, 3)))
    found = [draw(operands(usable, keys, conditions)) for _ in range(count)]
    base, texts, named = found[0], [found[0].text], []
    fields = base.event.fields
    taken = {base.name, *(name.partition(".")[0] for name in fields if "." in name)}
    for place, one in enumerate(found[1:]):
        name, text = one.name, one.text
        if name in taken or draw(st.integers(0, 3)) == 0:
            name = f"s{place}" if f"s{place}" not in taken else f"t{place}"
            text = f"{text} as {name}"
        taken.add(name)
        texts.append(text)
        named.append((name, one.event))
    if kind == "repeat":
        named = [("prior", base.event)]
    text = f" {kind} ".join(texts) if count > 1 else f"{kind} {base.text}"
    ends = [f"by {keys[0]}" if len(keys) == 1 and draw(st.booleans()) else f"by ({', '.join(keys)})"]
    clock = all(one.event.clock for one in found)
    if kind == "without" or (kind != "first" and draw(st.integers(0, 3))):
        ends.append(f"within {draw(st.sampled_from((*DAYS, *(EXACT[1:] if clock else ()))))}")
    if kind in ("then", "after"):
        match = draw(st.sampled_from(("", "", "match all", "match first", "match last")))
        ends += [match] if match else []
    if kind in ("then", "after", "repeat"):
        fields |= {"delay", "work_delay"}
        fields |= {f"{name}.{field}" for name, event in named for field in MATCHED if field in event.fields}
        if kind != "repeat":
            fields |= {f"{name}.{delay}" for name, _ in named for delay in ("delay", "work_delay")}
    if draw(st.integers(0, 3)) == 0:
        ends.append(f"where {draw(conditions(fields - {'at'}))}")
    text = f"{text} {' '.join(draw(st.permutations(ends[:-1])) + ends[-1:])}"
    return text, replace(base.event, fields=fields, united=False, daily=False)


@st.composite
def derived(draw: st.DrawFn, events: list[Any], conditions: Conditions) -> tuple[dict[str, Any], list[Any]]:
    """Some derived events: those that are defined, by name, and those that formulas write themselves."""
    written: dict[str, Any] = {}
    known = list(events)
    for place in range(draw(st.sampled_from((0, 1, 1, 2)))):
        name = f"d{place}"
        if draw(st.integers(0, 4)) == 0:
            base = draw(st.sampled_from(known))
            text, event = f"{base.name} where {draw(conditions(base.fields - {'at'}))}", base
        elif (found := draw(steps(known, conditions))) is None:
            continue
        else:
            text, event = found
        if draw(st.booleans()):
            written[name] = text if draw(st.booleans()) else {"is": text, "label": f"Event {place}"}
            known.append(replace(event, name=name))
        elif " where " not in text or text.count(" by ") == 1:
            events = [*events, replace(event, name=f"({text})")]
    return written, [*events, *(one for one in known if one.name in written)]
