"""What a name means: in a dataset's expressions, in conditions on an event's rows, and in formulas."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import TEXT, UNKNOWN, Kind, Type
from smartkpi.nearest import did_you_mean, nearest
from smartkpi.periods.calendar import PLAIN, Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import Column, Expr, Field, Literal, LookedUp, TypedBinding, TypedDataset, TypedKpi
from smartkpi.semantics.literals import FAILED, Constants
from smartkpi.source import Span
from smartkpi.spec.model import Dimension

IMPLICIT = ("time", "dataset")
"""Fields that every event has."""

WORKED = "work_delay"
DELAYS = ("delay", WORKED)
"""Fields of rows that steps have matched: the time between them, and how much of it is within working hours."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a lookup leads to: the fields of a dataset, and its own lookups.

    ``open``: its data is not at hand, so any field may exist. ``only`` are the fields that the lookup lets through
    (None: all). ``cause`` is the error that broke the lookup or all of its dataset. ``step``: it is no lookup but the
    row of another event, which a step found.
    """

    name: str
    dataset: str
    fields: Mapping[str, Type]
    broken: Mapping[str, Diagnostic]
    open: bool
    only: tuple[str, ...] | None
    lookups: Mapping[str, Reach]
    by_time: bool = False
    cause: Diagnostic | None = None
    step: bool = False


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a derived event comes from.

    ``root`` is the event that its rows are rows of, ``home`` the datasets of that. ``back``: in periods that begin less
    than so long after the coverage of a dataset began, rows may lack. ``shared`` maps a step whose rows several rows
    may have in common to the way to add theirs up. ``late``: which rows there are depends on the as-of. ``absent`` are
    the events that no dataset provides, ``events`` all those that it is made of and that are not derived.
    ``until``: its rows are known when so many periods have gone by after the one that they are in, and it is there
    where ``begins`` is.
    """

    root: str
    home: tuple[str, ...]
    events: tuple[str, ...] = ()
    back: tuple[tuple[str, Length], ...] = ()
    shared: Mapping[str, str] = field(default_factory=dict)
    late: bool = False
    absent: tuple[str, ...] = ()
    until: tuple[Grain, int] | None = None
    begins: str = ""


@dataclass(frozen=True, slots=True)
class DatasetScope:
    """What a dataset's own expressions see: its fields, then its columns, then constants.

    ``own`` is the field that is being defined: its name means the column. ``columns`` is None while no data is at
    hand: then any other name is a column. ``time`` is None in the dataset's time and in the fields that it is made of:
    there `time` is a column as any other.
    """

    dataset: str
    fields: Mapping[str, Expr]
    broken: Mapping[str, Diagnostic]
    columns: Mapping[str, Type] | None
    constants: Constants
    calendar: Calendar
    own: str | None = None
    time: Expr | None = None
    lookups: Mapping[str, Reach] = field(default_factory=dict)
    spellings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventScope:
    """What conditions on an event's rows see: its fields, then constants.

    ``open``: no data is at hand, so that a name not in ``fields`` is a column not yet seen. ``dataset`` is None where
    no dataset provides the event. ``declared`` are the fields of its contract, ``bound`` is where a dataset binds it,
    ``events`` are the names of all events. ``given``: the rows are those of a test, which writes looked-up fields under
    their own dotted names.
    ``timeless``: some rows have no time; ``dated``: some have a date alone. ``datasets`` are all that provide it;
    ``lacking`` maps a field that not all have to one without; ``additive`` has what may not be added over everything
    ("": the counts). ``united`` are the lookups of datasets that provide it together: what they lead to is not a field
    of the event. ``periods`` are those that its rows stand for. A derived event has a ``lineage``; ``stands_on`` are
    then the datasets of all its steps.
    """

    event: str
    dataset: str | None
    fields: Mapping[str, Type]
    open: bool
    counted: bool
    constants: Constants
    calendar: Calendar
    broken: Mapping[str, Diagnostic] = field(default_factory=dict)
    declared: Mapping[str, Span] = field(default_factory=dict)
    events: Collection[str] = ()
    lookups: Mapping[str, Reach] = field(default_factory=dict)
    given: bool = False
    spellings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timeless: bool = False
    dated: bool = False
    datasets: tuple[str, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
    additive: Mapping[str, str] = field(default_factory=dict)
    united: Collection[str] = ()
    periods: tuple[Grain, ...] = ()
    stands_on: tuple[str, ...] = ()
    lineage: Lineage | None = None
    bound: Span | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The datasets with the rows that it is, or is made of."""
        return self.stands_on or self.datasets


RowScope = DatasetScope | EventScope


@dataclass(frozen=True, slots=True)
class DerivedEvents:
    """Where derived events are kept as they are found: scopes, bindings, and the datasets that their rows make up."""

    scopes: dict[str, EventScope] = field(default_factory=dict)
    events: dict[str, tuple[TypedBinding, ...]] = field(default_factory=dict)
    datasets: dict[str, TypedDataset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Namespace:
    """What formulas see: events (derived ones are added as they are found), KPIs, constants; never fields.

    ``kpis`` are those checked so far; ``written`` the names of all; ``broken`` what an error left out, by name.
    ``direction`` is the one that the KPI states in whose formula a name stands; ``dimensions`` are those described,
    ``providers`` how datasets provide events; ``aimed`` the KPIs that have goals, None where that is not known.
    """

    events: dict[str, EventScope]
    kpis: Mapping[str, TypedKpi]
    written: frozenset[str]
    datasets: frozenset[str]
    broken: Mapping[str, Diagnostic]
    constants: Constants
    zone: tzinfo
    direction: str = ""
    calendar: Calendar = PLAIN
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    providers: Mapping[str, tuple[TypedBinding, ...]] = field(default_factory=dict)
    aimed: frozenset[str] | None = None
    derived: DerivedEvents = field(default_factory=DerivedEvents)


def row_name(expr: syntax.Name, scope: RowScope, findings: Findings, *, column: bool = False) -> Expr:
    """Return what a name in a row expression stands for; ``column`` where only a column or field can be named."""
    if len(expr.parts) > 1:
        return _dotted(expr, scope, findings)
    name = expr.parts[0]
    if isinstance(scope, DatasetScope):
        found = _in_dataset(name, scope, findings)
    else:
        found = _in_event(name, expr.span, scope, findings)
    if found is None and name in scope.constants:
        return scope.constants.value(name, expr.span, findings)
    if found is not None and found is not FAILED and name in scope.constants:
        message = f"`{name}` is a field here: it hides the constant of that name"
        findings.warn("hidden-constant", message, expr.span, "give the constant another name")
    if found is not None:
        return found
    otherwise = "" if column else f'if it is a text, put it in quotes: `"{name}"`'
    return unknown_field(name, expr.span, scope, findings, otherwise)


def row_column(name: str, span: Span, scope: RowScope, findings: Findings) -> Expr:
    """Return what `col("name")` stands for: in a dataset the column itself, in a condition the field of that name."""
    if isinstance(scope, EventScope):
        found = _in_event(name, span, scope, findings)
        return found if found is not None else unknown_field(name, span, scope, findings)
    if scope.columns is None:
        return Column(name, UNKNOWN)
    if name in scope.columns:
        return Column(name, scope.columns[name])
    return unknown_field(name, span, scope, findings)


def is_united(scope: EventScope, name: str) -> bool:
    """Return whether a dotted name begins with a lookup of one of several datasets that provide an event."""
    first, dot, _ = name.partition(".")
    return bool(dot) and first in scope.united and name not in scope.fields


def has_field(scope: EventScope, name: str) -> bool:
    """Return whether the rows of an event have a field of this name, broken or not."""
    if is_united(scope, name):
        return False
    if name in scope.fields or name in scope.broken:
        return True
    if is_path(name, scope.lookups):
        return not isinstance(follow(tuple(name.split(".")), scope.lookups), Lack)
    return scope.open and name not in scope.constants and "." not in name  # which fields a row looks up is known


def field_type(scope: EventScope, name: str) -> Type:
    """Return the type of a field that an event has."""
    if name not in scope.fields and is_path(name, scope.lookups):
        found = follow(tuple(name.split(".")), scope.lookups)
        return found if isinstance(found, Type) else UNKNOWN
    return scope.fields.get(name, UNKNOWN)


def broken_field(scope: EventScope, name: str) -> Diagnostic | None:
    """Return the error that a field of an event has, if it has one."""
    if name not in scope.fields and is_path(name, scope.lookups):
        found = follow(tuple(name.split(".")), scope.lookups)
        return found if isinstance(found, Diagnostic) else None
    return scope.broken.get(name)


def is_path(name: str, lookups: Mapping[str, Reach]) -> bool:
    """Return whether a dotted name begins with a lookup."""
    first, dot, _ = name.partition(".")
    return bool(dot) and first in lookups


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a path leads nowhere: the part that is unknown, what was looked for in what, and the names there are."""

    part: int
    message: str
    hint: str
    notes: tuple[Note, ...]


def follow(parts: tuple[str, ...], lookups: Mapping[str, Reach]) -> Type | Diagnostic | Lack:
    """Return the type of the field that a path of lookups leads to, the error on its way, or why there is none."""
    reach = lookups[parts[0]]
    for place, name in enumerate(parts[1:-1], start=1):
        if reach.cause is not None:
            return reach.cause
        if name not in reach.lookups:
            message = f"`{reach.dataset}` has no lookup `{name}`"
            return Lack(place, message, did_you_mean(name, reach.lookups), listing("lookups", reach.lookups))
        reach = reach.lookups[name]
    name = parts[-1]
    if reach.cause is not None:
        return reach.cause
    if name in reach.broken:
        return reach.broken[name]
    if reach.only is not None and name not in reach.only:
        message = f"the lookup `{reach.name}` has no field `{name}`"
        hint = did_you_mean(name, reach.only) or "add it to the lookup's `fields`"
        return Lack(len(parts) - 1, message, hint, listing("its fields", reach.only))
    if name in reach.fields or reach.open:
        return reach.fields.get(name, UNKNOWN)
    message = f"`{reach.dataset}` has no column or field `{name}`"
    notes = listing("columns and fields", reach.fields)
    return Lack(len(parts) - 1, message, did_you_mean(name, reach.fields), notes)


def meant(name: str, scope: RowScope, known: Iterable[str] = ()) -> str:
    """Return the hint what a name that is no field most likely means: one that is looked up, or the nearest."""
    if name in scope.lookups:
        return led_to(name, scope)
    paths = _looked_up(scope.lookups)
    near = nearest(name, [*scope.fields, *known, *paths])
    found = [path for one in near for path in ([one] if one in scope.fields else paths.get(one, [one]))]
    return f"did you mean {' or '.join(f'`{path}`' for path in found[:SUGGESTED])}?" if found else ""


def led_to(name: str, scope: RowScope) -> str:
    """Return the hint how rows without a field of this name may have it: by a lookup, or behind one of that name."""
    if name in scope.lookups:
        reach = scope.lookups[name]
        shown = f", such as `{name}.{field}`" if (field := next(iter(reach.only or reach.fields), "")) else ""
        what = "another step's row" if reach.step else "a lookup"
        return f"`{name}` is {what}: name a field of it{shown}"
    found = _looked_up(scope.lookups).get(name, [])
    return f"did you mean {' or '.join(f'`{path}`' for path in found[:SUGGESTED])}?" if found else ""


SUGGESTED = 3
"""So many paths to a field of one name are told."""


def _looked_up(lookups: Mapping[str, Reach]) -> dict[str, list[str]]:
    """Return the fields that can be looked up by their names: the paths that lead to each, the shortest first."""
    found: dict[str, list[str]] = {}
    level = [(f"{first}.", reach) for first, reach in lookups.items()]
    while level:
        for path, reach in level:
            for name in reach.fields if reach.only is None else reach.only:
                found.setdefault(name, []).append(path + name)
        level = [(f"{path}{more}.", below) for path, reach in level for more, below in reach.lookups.items()]
    return found


def event_field(name: str, span: Span, scope: EventScope, findings: Findings) -> Expr:
    """Return a field of an event by its name, or by the path of lookups that leads to it."""
    parts = tuple(name.split("."))
    if len(parts) == 1 or name in scope.fields:
        return row_column(name, span, scope, findings)
    if refuse_united(name, span, scope, findings):
        return FAILED
    if parts[0] not in scope.lookups:
        message = f"`{scope.event}` has no lookup `{parts[0]}`"
        hint, notes = did_you_mean(parts[0], scope.lookups), listing("lookups", scope.lookups)
        findings.error("unknown-field", message, span, hint, notes)
        return FAILED
    found = _followed(parts, span, scope, findings)
    return FAILED if found is None else Field(name, found)


def refuse_united(name: str, span: Span | None, scope: EventScope, findings: Findings) -> bool:
    """Refuse a looked-up field of an event that several datasets provide: each has lookups of its own."""
    if not is_united(scope, name):
        return False
    datasets = " and ".join(f"`{dataset}`" for dataset in scope.datasets)
    message = f"`{name}`, looked up for rows of several datasets (`{scope.event}`: {datasets}),"
    field = name.replace(".", "_")
    hint = f"write `{field}: {name}` under the `fields` of each, and `{field}` here"
    findings.not_yet(message, span, hint)
    return True


def _followed(parts: tuple[str, ...], span: Span, scope: RowScope, findings: Findings) -> Type | None:
    found = follow(parts, scope.lookups)
    if isinstance(found, Diagnostic):
        _lean(".".join(parts), found, span, findings)
        return None
    if isinstance(found, Lack):
        findings.error("unknown-field", found.message, span, found.hint, found.notes)
        return None
    return found


def _in_dataset(name: str, scope: DatasetScope, findings: Findings) -> Expr | None:
    if name != scope.own:
        if name in scope.broken:
            findings.depend(name, scope.broken[name])
            return FAILED
        if name in scope.fields:
            return scope.fields[name]
        if name == "time" and scope.time is not None:
            return scope.time
        if name == "dataset":
            return Literal(scope.dataset, TEXT)
    if scope.columns is None:
        return None if name in scope.constants else Column(name, UNKNOWN)
    if name in scope.columns:
        return Column(name, scope.columns[name])
    return None


def _in_event(name: str, span: Span, scope: EventScope, findings: Findings) -> Expr | None:
    if name in scope.broken:
        _lean(name, scope.broken[name], span, findings)
        return FAILED
    if name in scope.fields:
        return Field(name, scope.fields[name])
    return Field(name, UNKNOWN) if scope.open and name not in scope.constants else None


def _lean(name: str, cause: Diagnostic, span: Span, findings: Findings) -> None:
    """Remember the error that a field has; one without a place is that the field is named at all."""
    if cause.span is None:
        findings.error(cause.code, cause.message, span, cause.hint)
    else:
        findings.depend(name, cause)


def _dotted(expr: syntax.Name, scope: RowScope, findings: Findings) -> Expr:
    """Return a looked-up field; refuse any other path: its first part is the event itself, or a column with a dot."""
    first, last = expr.parts[0], expr.parts[-1]
    if isinstance(scope, EventScope) and refuse_united(expr.text, expr.span, scope, findings):
        return FAILED
    if first in scope.lookups:
        found = _followed(expr.parts, part_span(expr, len(expr.parts) - 1), scope, findings)
        if found is None:
            return FAILED
        event = isinstance(scope, EventScope)
        return Field(expr.text, found) if event else LookedUp(expr.parts[:-1], last, found)
    columns = scope.columns if isinstance(scope, DatasetScope) else scope.fields
    if isinstance(scope, EventScope) and scope.given and expr.text in scope.fields:
        return Field(expr.text, scope.fields[expr.text])
    if columns is not None and expr.text in columns:
        hint = f'write `col("{expr.text}")`'
        findings.error("unknown-field", f"a column with a dot cannot be written as `{expr.text}`", expr.span, hint)
    elif isinstance(scope, EventScope) and first in (scope.event, _root(scope)) and len(expr.parts) == 2:
        message = f"in a condition the rows are those of `{first}`: its fields stand alone"
        findings.error("unknown-field", message, expr.span, f"write `{last}`")
    else:
        rows = f"the dataset `{scope.dataset}` has" if isinstance(scope, DatasetScope) else f"`{scope.event}` has"
        hint = did_you_mean(first, scope.lookups) or f'for a column of this name write `col("{expr.text}")`'
        notes = listing("lookups", scope.lookups)
        findings.error("unknown-field", f"{rows} no lookup `{first}`", part_span(expr, 0), hint, notes)
    return FAILED


def _root(scope: EventScope) -> str:
    return scope.event if scope.lineage is None else scope.lineage.root


def unknown_field(name: str, span: Span | None, scope: RowScope, findings: Findings, otherwise: str = "") -> Expr:
    """Report a name that is no field: with the nearest (``otherwise`` a hint), and the list of what there is."""
    hint: str
    notes: tuple[Note, ...]
    if isinstance(scope, DatasetScope):
        known = dict.fromkeys((*(scope.columns or ()), *scope.fields, *scope.constants))
        message = f"`{scope.dataset}` has no column or field `{name}`"
        no_time = "the dataset says no `time` that this could be: name the column"
        hint = no_time if name == "time" else meant(name, scope, known)
        notes = listing("columns and fields", {*(scope.columns or ()), *scope.fields})
    else:
        message = f"`{scope.event}` has no field `{name}`"
        hint = meant(name, scope, scope.constants)
        if name in scope.events:
            hint = f"`{name}` is an event: a condition ends with its parenthesis, as in `(order where …) / {name}`"
        notes = listing("fields", scope.fields)
        if name in scope.lacking:
            notes = (Note(f"the dataset `{scope.lacking[name]}`, which provides `{scope.event}` too, lacks it"), *notes)
        elif name in scope.declared and scope.dataset is not None:
            findings.blame(_missing_field(name, scope, hint, notes))
            return FAILED
    findings.error("unknown-field", message, span, hint or otherwise, notes)
    return FAILED


def _missing_field(name: str, scope: EventScope, hint: str, notes: tuple[Note, ...]) -> Diagnostic:
    """Return the error of what provides an event without a field that it declares: a dataset, or other events."""
    message = f"`{scope.dataset}` provides `{scope.event}`, but not its field `{name}`"
    homes = f"`{scope.dataset}`"
    if scope.lineage is not None:
        message = f"`{scope.event}` is made of `{scope.lineage.root}`, which has no field `{name}`"
        homes = " and ".join(f"`{one}`" for one in scope.lineage.home)
    way = hint or f"say under the `fields` of {homes} what it is: `{name}: …`"
    notes = (Note("the event declares it", scope.declared[name]), *notes)
    return Diagnostic("missing-field", message, scope.bound, way, notes, subject=f"event:{scope.event}")


def part_span(expr: syntax.Name, index: int) -> Span:
    """Return the place of one part of a dotted name (the whole where it is not written letter by letter)."""
    start = expr.span.start + sum(len(part) + 1 for part in expr.parts[:index])
    part = expr.parts[index]
    if expr.span.source.text.startswith(part, start):
        return Span(expr.span.source, start, start + len(part))
    return expr.span


def unknown_name(expr: syntax.Name, space: Namespace, findings: Findings) -> None:
    """Report the first part of a name that a formula cannot see: say what it is, or what it may stand for."""
    name, span = expr.parts[0], part_span(expr, 0)
    if name in space.datasets:
        provided = [event for event, scope in space.events.items() if name in scope.datasets]
        hint = f"its events: {', '.join(f'`{event}`' for event in provided)}" if provided else ""
        findings.error("not-an-event", f"`{name}` is a dataset; formulas are made of events", span, hint)
        return
    owners = [
        event
        for event, scope in space.events.items()
        if event.isidentifier() and name in scope.fields and name not in IMPLICIT
    ]
    written = ", ".join(f"`{event}.{name}`" for event in owners[:3])
    named = [event for event in space.events if event.isidentifier()]  # others stand in formulas
    hint = did_you_mean(name, [*named, *space.written, *space.constants])
    if not hint and not owners and any(space.events[event].open for event in named):
        event = next(event for event in named if space.events[event].open)
        hint = f"a field is written with its event, as in `{event}.{name}`"
    if owners and space.events[owners[0]].fields[name].kind is Kind.BOOLEAN:
        hint = f"it is true or false of each row: `count({owners[0]} where {name})`"
    elif owners:
        hint = f"a field is written with its event: {written}"
    elif name in FUNCTIONS:
        hint = f"`{name}` is a function: write `{FUNCTIONS[name].signature}`"
    findings.error("unknown-event", f"no event is named `{name}`", span, hint, listing("events", named))
