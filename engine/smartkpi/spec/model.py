"""The catalog: what the YAML says, as dataclasses with spans. A test holds it and schemas/*.json together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.syntax import Apply, Band, Duration, Expr, Name
from smartkpi.language.types import Unit
from smartkpi.periods.calendar import PLAIN, Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length
from smartkpi.source import Span, Text
from smartkpi.spec.bounds import ANYWHERE, Bounds
from smartkpi.spec.case import Case

if TYPE_CHECKING:
    from smartkpi.spec.goal import Goal
    from smartkpi.spec.group import Group

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Labels:
    """A text in one language or in several; the language "" stands for a text given without one."""

    texts: tuple[tuple[str, str], ...] = ()

    def get(self, language: str = "en") -> str:
        """Return the text in a language, else the one without language, else English, else the first; "" if none."""
        known = dict(self.texts)
        for key in (language, language.split("-")[0], "", "en"):
            if key in known:
                return known[key]
        return self.texts[0][1] if self.texts else ""


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression with the text it was parsed from."""

    expr: Expr
    text: Text


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an included definition comes from: `pack ads` or a path, and the place of the include."""

    text: str
    place: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DatedNote:
    """What is to be remembered of a day, shown beside the periods that hold it."""

    day: date
    label: Labels


@dataclass(frozen=True, slots=True)
class Constant:
    """A named literal: number, text, date text, duration, boolean; ``formula`` None: it has none before a revision."""

    name: str
    formula: Formula | None
    span: Span = field(compare=False, repr=False)
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """`{column: "Page.Loads"}`: a column by its exact name."""

    name: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FieldDef:
    """A field of a dataset or of a contract: what it is (None in a contract) and its unit (None: its expression's)."""

    name: str
    is_: Formula | Column | None
    unit: Unit | None
    span: Span = field(compare=False, repr=False)
    label: Labels = Labels()
    description: Labels = Labels()
    additive: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """How a dataset provides an event: which rows (None: all), their time and weight where they differ.

    ``additive`` says what the weights may be added over, as it does of a field: `yes`, `not over time`, `no`.
    """

    event: str
    when: Formula | None
    time: Formula | Column | None
    count: Formula | Column | None
    span: Span = field(compare=False, repr=False)
    additive: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Where rows are: a path, glob or folder relative to ``base``, and how to read it.

    ``bad`` is the share of bad rows that its dataset bears; ``bounds`` say where files may lie.
    """

    path: str
    base: Path
    format: str | None = None
    separator: str | None = None
    nulls: tuple[str, ...] = ()
    dates: str | None = None
    encoding: str | None = None
    skip_rows: int = 0
    skip_footer: int = 0
    decimal: str | None = None
    thousands: str | None = None
    bad: Decimal = Decimal(0)
    bounds: Bounds = ANYWHERE
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Covers:
    """Stated coverage: local dates, both ends in; or as far as that of the dataset ``upto``."""

    start: date | None
    end: date | None
    upto: str | None = None
    place: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A many-to-one join: fields of the one row of another dataset that has the same values in ``on``.

    ``on`` pairs fields of this dataset with those of the other; ``valid`` names the two fields of the other that say
    when a row holds, half open; ``fields`` what may be read (None: every field).
    """

    name: str
    dataset: str
    on: tuple[tuple[str, str], ...]
    valid: tuple[str, str] | None
    fields: tuple[str, ...] | None
    span: Span = field(compare=False, repr=False)
    place: Span = field(compare=False, repr=False)
    places: Mapping[str, Span] = field(default_factory=lambda: EMPTY, compare=False, repr=False)

    def at(self, name: str) -> Span:
        """Return where a field is named in the lookup."""
        return self.places.get(name, self.span)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows and what they mean. ``read`` is None where a table is handed over in Python.

    ``on_bad_rows`` is the share of rows that may be left out as bad, and told of; else one bad row is an error.
    """

    name: str
    read: Read | None
    time: Formula | Column | None
    timezone: str | None
    key: tuple[str, ...]
    fields: Mapping[str, FieldDef]
    events: Mapping[str, Binding]
    covers: Covers | None
    gaps: Literal["zero"] | None
    span: Span = field(compare=False, repr=False)
    lookups: Mapping[str, Lookup] = field(default_factory=lambda: EMPTY)
    on_bad_rows: Decimal = Decimal(0)
    every: Grain | None = None
    keep: Formula | None = None
    places: Mapping[str, Span] = field(default_factory=lambda: EMPTY, compare=False, repr=False)
    """Where the parts of its key stand."""

    @property
    def upto(self) -> str | None:
        """The dataset that it covers as far as, if it says so."""
        return None if self.covers is None else self.covers.upto

    @property
    def period(self) -> Grain | None:
        """The period that a row stands for; None where rows are events themselves, each at its time.

        Unless said, it is a day where all events are counted. A table in which some are not may as well have a row a
        purchase, with the number of items as a count.
        """
        counts = [binding.count is not None for binding in self.events.values()]
        return self.every or (Grain.DAY if counts and all(counts) else None)

    @property
    def timeless(self) -> bool:
        """Whether no row has a time, so that its events answer over everything only."""
        return self.time is None and all(binding.time is None for binding in self.events.values())


@dataclass(frozen=True, slots=True)
class Preference:
    """What tells rows of an event apart across its datasets, and the order of these: the first one's row stays."""

    key: tuple[str, ...]
    datasets: tuple[str, ...]
    span: Span = field(compare=False, repr=False)
    places: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Contract:
    """An event declared at the top level for datasets to fulfil."""

    name: str
    label: Labels
    description: Labels
    fields: Mapping[str, FieldDef]
    span: Span = field(compare=False, repr=False)
    prefer: Preference | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """An event made of others: ``formula`` is a step, or an event under a condition.

    ``contract`` is what a file declares of an event of this name, which it fulfils as a dataset would.
    """

    name: str
    formula: Formula
    span: Span = field(compare=False, repr=False)
    label: Labels = Labels()
    description: Labels = Labels()
    contract: Contract | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """A field wherever it occurs: ``spellings`` maps values to their one spelling, ``values`` has labels to show."""

    name: str
    label: Labels
    description: Labels
    spellings: Mapping[str, str]
    values: Mapping[str, Labels]
    order: tuple[str, ...]
    span: Span = field(compare=False, repr=False)
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """One band of a KPI: its status, and a band of values or a condition on them."""

    status: Literal["good", "warning", "critical"]
    band: Band | Expr
    text: Text

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """What it is made of: the bounds of a band, or the condition."""
        return self.band.bounds if isinstance(self.band, Band) else (self.band,)

    def changed(self, change: Callable[[Expr], Expr]) -> Threshold:
        """Return the band with each of its expressions changed."""
        if isinstance(self.band, Band):
            return replace(self, band=replace(self.band, bounds=tuple(map(change, self.band.bounds))))
        return replace(self, band=change(self.band))


@dataclass(frozen=True, slots=True)
class Scope:
    """The bands of one segment: where a dimension has a value, as text; ``at`` are its places in the file."""

    dimension: str
    value: str
    thresholds: tuple[Threshold, ...]
    dimension_span: Span = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """The benchmark of a segment: dimensions with their values, as text, and a number."""

    segment: tuple[tuple[str, str], ...]
    formula: Formula
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What values are held against: a number or formula, numbers by segment; and where they come from."""

    formula: Formula | None
    rows: tuple[BenchmarkRow, ...]
    span: Span = field(compare=False, repr=False)
    source: Labels = Labels()
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a KPI is judged beside its bands.

    ``hold`` and ``keep`` are numbers of periods, ``stale_after`` a time without data: they are of alerts only.
    ``advice`` maps a status to what to do then.
    """

    min_sample: int | None = None
    confidence: Formula | None = None
    hold: int = 1
    keep: int = 1
    stale_after: Duration | None = None
    scopes: tuple[Scope, ...] = ()
    benchmark: Benchmark | None = None
    advice: Mapping[str, Labels] = field(default_factory=lambda: EMPTY)

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bands of segments."""
        return tuple(one for scope in self.scopes for one in scope.thresholds)


@dataclass(frozen=True, slots=True)
class Silence:
    """A rule that is not held against a definition, with the reason."""

    rule: str
    reason: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Revision:
    """What holds from ``start`` on, else what held before; ``rules`` are whole, None where they stay as they were."""

    start: date
    span: Span = field(compare=False, repr=False)
    formula: Formula | None = None
    thresholds: tuple[Threshold, ...] = ()
    reason: Labels = Labels()
    rules: Rules | None = None


@dataclass(frozen=True, slots=True)
class Kpi:
    """A KPI as written."""

    name: str
    formula: Formula
    span: Span = field(compare=False, repr=False)
    where: Formula | None = None
    grain: str | None = None
    window: Duration | None = None
    by: tuple[str, ...] = ()
    unit: Unit | None = None
    format: str | None = None
    direction: Literal["higher", "lower", "none"] | None = None
    thresholds: tuple[Threshold, ...] = ()
    label: Labels = Labels()
    description: Labels = Labels()
    owner: str | None = None
    decision: Labels = Labels()
    tags: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    reviewed: date | None = None
    review_every: Length | None = None
    hidden: bool = False
    deprecated: str | bool = False
    revisions: tuple[Revision, ...] = ()
    origin: Origin | None = None
    rules: Rules = Rules()
    lint: tuple[Silence, ...] = ()
    part_of: str = ""
    """What it is a part of, and shown with: a problem of several parts is told once."""

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """Its formula, and those that revisions put in its place."""
        return (self.formula, *(one.formula for one in self.revisions if one.formula is not None))

    @property
    def ruled(self) -> tuple[Rules, ...]:
        """How it is judged beside its bands: at first, and as revisions have it."""
        return (self.rules, *(one.rules for one in self.revisions if one.rules is not None))

    @property
    def bands(self) -> tuple[Threshold, ...]:
        """All its bands: those of segments, and of revisions, too."""
        known = (self.thresholds, *(one.thresholds for one in self.ruled), *(one.thresholds for one in self.revisions))
        return tuple(band for bands in known for band in bands)

    def rules_on(self, day: date) -> Rules:
        """Return how it is judged beside its bands in a period that begins on a day."""
        return [self.rules, *(one.rules for one in self.revisions if one.rules is not None and one.start <= day)][-1]


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """A step of a funnel: its name, its event."""

    name: str
    event: Formula
    span: Span = field(compare=False, repr=False)
    label: Labels = Labels()


@dataclass(frozen=True, slots=True)
class Funnel:
    """Events in a row: with ``by`` those of one entity, each after the one before; else each counted by itself."""

    name: str
    steps: tuple[FunnelStep, ...]
    by: tuple[Name | Apply, ...]
    within: Duration | Name | None
    span: Span = field(compare=False, repr=False)
    label: Labels = Labels()
    description: Labels = Labels()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Cohort:
    """Entities by the period of their first ``start``, and what they do in later ones.

    ``value`` is the field of `return` that is added up; None: it is counted who returns.
    """

    name: str
    of: Name | Apply
    start: Formula
    return_: Formula
    grain: str
    value: Name | None
    span: Span = field(compare=False, repr=False)
    label: Labels = Labels()
    description: Labels = Labels()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What several KPIs say together: a condition over them, and what it means where it holds."""

    name: str
    when: Formula
    say: Labels
    span: Span = field(compare=False, repr=False)
    label: Labels = Labels()
    description: Labels = Labels()


YEARLY = Length(1, "y")
"""How long after its review a KPI is due for the next, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All definitions of a project. ``broken`` maps a definition that an error left out to that error.

    ``spoiled`` has the KPIs among those as far as they can be read, so that check finds what else is wrong with them.
    """

    root: Path
    calendar: Calendar = PLAIN
    constants: Mapping[str, Constant] = field(default_factory=lambda: EMPTY)
    datasets: Mapping[str, Dataset] = field(default_factory=lambda: EMPTY)
    contracts: Mapping[str, Contract] = field(default_factory=lambda: EMPTY)
    kpis: Mapping[str, Kpi] = field(default_factory=lambda: EMPTY)
    cases: tuple[Case, ...] = ()
    broken: Mapping[str, Diagnostic] = field(default_factory=lambda: EMPTY)
    spoiled: Mapping[str, Kpi] = field(default_factory=lambda: EMPTY)
    files: tuple[Path, ...] = ()
    dimensions: Mapping[str, Dimension] = field(default_factory=lambda: EMPTY)
    notes: tuple[DatedNote, ...] = ()
    goals: Mapping[str, Goal] = field(default_factory=lambda: EMPTY)
    derived: Mapping[str, Derived] = field(default_factory=lambda: EMPTY)
    diagnoses: Mapping[str, Diagnosis] = field(default_factory=lambda: EMPTY)
    funnels: Mapping[str, Funnel] = field(default_factory=lambda: EMPTY)
    cohorts: Mapping[str, Cohort] = field(default_factory=lambda: EMPTY)
    groups: Mapping[str, Group] = field(default_factory=lambda: EMPTY)
    review_every: Length = YEARLY
