"""Definitions of a project and of what it includes: who sees which name, what is taken over, what is changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeAlias

from smartkpi.diagnostics import Diagnostic
from smartkpi.nearest import did_you_mean
from smartkpi.source import Source
from smartkpi.spec.extend import extend
from smartkpi.spec.include import Included, Part
from smartkpi.spec.model import Origin
from smartkpi.spec.names import name_of
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.rename import Names
from smartkpi.spec.values import text, texts

Kind: TypeAlias = Literal[
    "event", "dataset", "constant", "group", "funnel", "cohort", "kpi", "dimension", "goal", "diagnosis"
]
KINDS: Mapping[str, Kind] = {
    "events": "event",
    "datasets": "dataset",
    "constants": "constant",
    "groups": "group",
    "funnels": "funnel",
    "cohorts": "cohort",
    "kpis": "kpi",
    "dimensions": "dimension",
    "goals": "goal",
    "diagnoses": "diagnosis",
}
SPOKEN = frozenset(("event", "constant", "group", "funnel", "cohort", "kpi"))  # one namespace
_TOLD = frozenset(
    ("label", "description", "owner", "decision", "tags", "synonyms", "advice", "say", "reason", "values")
)
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Definition:
    """A name with its value in a section. ``subject`` is what diagnostics call it, `kpi:revenue`.

    ``origin`` is where an included one comes from. ``live``: it counts; one that an include leaves out, or that a
    definition of the project changes, does not, but its mistakes are told. ``hidden``: others stand on it.
    """

    kind: Kind
    name: str
    key: Scalar
    value: Node
    base: Path
    origin: Origin | None = None
    live: bool = True
    hidden: bool = False

    @property
    def subject(self) -> str:
        """What diagnostics call it."""
        return f"{self.kind}:{self.name}"

    @property
    def place(self) -> tuple[str, int]:
        """Where it stands: a file that is reached twice has each definition once."""
        return self.key.source.name, self.key.start


@dataclass(slots=True)
class View:
    """All definitions under the names that files see, and by file (the id of its Source) what its names are here."""

    definitions: list[Definition] = field(default_factory=list)
    names: dict[int, Names] = field(default_factory=dict)

    def prefix(self, source: Source) -> str:
        """Return the prefix that a file's names have here."""
        known = self.names.get(id(source))
        return known.prefix if known is not None else ""

    def events(self, definition: Definition) -> dict[str, Scalar]:
        """Return the events that a dataset provides, as they are written, by the name that they have here."""
        events = definition.value.get("events") if isinstance(definition.value, Fields) else None
        if definition.kind != "dataset" or not isinstance(events, Fields):
            return {}
        keys = [entry.key for entry in events.entries.values()]
        return {f"{self.prefix(key.source)}{name_of(key)}": key for key in keys}


def gather(part: Part, problems: list[Diagnostic]) -> View:
    """Return the definitions of files and of all that they include, changed where they say so."""
    view = View()
    own = [found for document, base, _ in part.documents for found in _definitions(document.root, base)]
    for one in part.included:
        _take(view, one, gather(one.part, problems), problems)
    view.definitions = _extended(own, view.definitions, problems)
    seen = _seen(view, (d for d in view.definitions if d.live))
    for document, _, _ in part.documents:
        view.names[id(document.source)] = seen
    return view


def _definitions(root: Node | None, base: Path) -> Iterator[Definition]:
    if not isinstance(root, Fields):
        return
    for section, kind in KINDS.items():
        value = root.get(section)
        if isinstance(value, Fields):
            for entry in value.entries.values():
                yield Definition(kind, name_of(entry.key), entry.key, entry.value, base)


def _seen(view: View, definitions: Iterable[Definition]) -> Names:
    """Return the names that the files of a view see."""
    spoken: set[str] = set()
    datasets, constants, fields, groups = set(), set(), set(), set()
    for definition in definitions:
        if definition.kind in SPOKEN:
            spoken.add(definition.name)
        if definition.kind == "constant":
            constants.add(definition.name)
        if definition.kind == "group":
            groups.add(definition.name)
        if definition.kind == "dataset":
            datasets.add(definition.name)
            spoken |= view.events(definition).keys()
        if definition.kind in ("dataset", "event") and isinstance(definition.value, Fields):
            declared = definition.value.get("fields")
            fields |= set(declared.entries) if isinstance(declared, Fields) else set()
    said = (frozenset(some) for some in (spoken, datasets, constants, fields, groups))
    return Names("", *said)


def _take(view: View, one: Included, inner: View, problems: list[Diagnostic]) -> None:
    """Add what an include brings, under its prefix; of it no more than it asks for."""
    kept = inner.definitions if one.only is None else _select(inner, one, problems)
    for definition in kept:
        prefix = "" if definition.kind == "dimension" else one.prefix
        origin = definition.origin or one.origin
        view.definitions.append(replace(definition, name=f"{prefix}{definition.name}", origin=origin))
    for source, names in inner.names.items():
        view.names[source] = replace(names, prefix=f"{one.prefix}{names.prefix}")


def _extended(own: list[Definition], included: list[Definition], problems: list[Diagnostic]) -> list[Definition]:
    """Return included and own definitions, those that extend others with what they take over."""
    below = {d.name: d for d in included if d.kind == "kpi" and d.live}
    beside = {d.name: d for d in reversed(own) if d.kind == "kpi"}
    siblings, inherited = _values(beside), _values(below)
    kept: list[Definition] = []
    changed: set[int] = set()
    for definition in own:
        found = extend(definition.name, definition.value, siblings, inherited, problems)
        if found is None:
            kept.append(definition)
            continue
        value, of_pack = found
        origin = None
        if of_pack:
            origin = below[definition.name].origin
            changed.add(id(below[definition.name]))
        kept.append(replace(definition, value=value, origin=origin))
    return [*(replace(d, live=False) if id(d) in changed else d for d in included), *kept]


def _values(definitions: Mapping[str, Definition]) -> dict[str, Node]:
    return {name: definition.value for name, definition in definitions.items()}


def _select(view: View, one: Included, problems: list[Diagnostic]) -> list[Definition]:
    """Return all definitions of a view, those live that an include asks for or that these stand on."""
    named: dict[str, list[Definition]] = {}
    for definition in (d for d in view.definitions if d.live):
        for name in (definition.name, *view.events(definition)) if definition.kind == "dataset" else (definition.name,):
            named.setdefault(name, []).append(definition)
    asked: dict[int, Definition] = {}
    for pattern in one.only or ():
        found = [d for d in view.definitions if d.live and _matches(d, pattern.written, view)]
        if not found:
            problems.append(_nothing_like(pattern, one, view))
        asked.update((id(d), d) for d in found)
    if not one.only:
        problems.append(
            Diagnostic("bad-value", "`only` names nothing", one.origin.place, "leave `only` out to take all")
        )
    needed, stack = dict(asked), list(asked.values())
    while stack:
        for word in _words(view, stack.pop()):
            for other in named.get(word, ()):
                if id(other) not in needed:
                    needed[id(other)] = other
                    stack.append(other)
    return [
        replace(d, live=d.live and (id(d) in needed or d.kind == "dimension"), hidden=d.hidden or id(d) not in asked)
        for d in view.definitions
    ]


def _matches(definition: Definition, pattern: str, view: View) -> bool:
    """Return whether a definition is asked for: any by its name, KPIs by a glob or a tag too."""
    if definition.kind == "dataset":
        return pattern in view.events(definition)
    if definition.kind == "kpi" and pattern.startswith("tag:"):
        value = definition.value
        return isinstance(value, Fields) and pattern.removeprefix("tag:") in texts(value.get("tags"))
    if definition.kind == "kpi" and any(sign in pattern for sign in "*?["):
        return fnmatchcase(definition.name, pattern)
    return definition.kind in SPOKEN and definition.name == pattern


def _nothing_like(pattern: Scalar, one: Included, view: View) -> Diagnostic:
    known = [d.name for d in view.definitions if d.live and d.kind == "kpi"]
    hint = did_you_mean(pattern.written, known) or "a name, a glob such as `cost_*`, or a tag such as `tag:rate`"
    message = f"{one.origin.text} has nothing that `{pattern.written}` stands for"
    return Diagnostic("unknown-kpi", message, pattern.span, hint)


def _words(view: View, definition: Definition) -> Iterator[str]:
    """Yield the names that stand in a definition, as they are seen here; those of fields among them do no harm."""
    yield from view.events(definition)  # what is said of an event holds wherever its rows come from
    stack = [definition.value]
    while stack:
        match stack.pop():
            case Scalar() as scalar if (written := text(scalar)) is not None:
                prefix = view.prefix(scalar.source)
                yield from (f"{prefix}{word}" for word in _WORD.findall(_QUOTED.sub(" ", written)))
            case Items(items=items):
                stack.extend(items)
            case Fields(entries=entries):
                stack.extend(entry.value for key, entry in entries.items() if key not in _TOLD)
            case _:
                pass
