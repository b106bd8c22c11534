"""Typed formulas: names resolved, types and units known; what the plan is made of.

Two sorts of expression share Literal and Apply: *row* expressions (over one row: Field, Column) and *formulas* (over
aggregates: Aggregate, Reference). Function names are those of the syntax tree; `between`, `in`, percent, constants and
texts that stand for dates are already resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal as OneOf

from smartkpi.language.types import UNKNOWN, Type
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length, Shift, Window
from smartkpi.source import Span
from smartkpi.spec.model import Benchmark, Dataset, Kpi, Threshold
from smartkpi.tree import rewrite

Value = Decimal | str | bool | date | datetime | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: Decimal for numbers (durations in seconds), str, bool, date, datetime in UTC, None for null."""

    value: Value
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a dataset, by its exact name."""

    name: str
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the event that the expression is about, by name (`time` and `dataset` are implicit)."""

    name: str
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A field of the row that lookups lead to: their names in order, then the field's; null where no row matches.

    Without a field's name it is true where a row matches.
    """

    path: tuple[str, ...]
    name: str
    type: Type = field(hash=False)

    @property
    def text(self) -> str:
        """The name as it is written: `customer.country`."""
        return ".".join((*self.path, self.name)) if self.name else ".".join(self.path)


@dataclass(frozen=True, slots=True)
class InGroup:
    """Whether a group of a relation has a row's entity at its time; null where no row of the entity counts by then.

    ``of`` is the entity, ``time`` the row's time (None: the group is as of one moment), both over Columns.
    """

    relation: str
    of: Expr
    time: Expr | None
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or operator of the function table, applied.

    `parse_time` with one argument reads ISO times; its type is a date where the format has no time of day. What is
    typed whole yields integers.
    """

    function: str
    args: tuple[Expr, ...]
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate over the rows of an event, by its name in the function table.

    ``argument`` is a row expression, None for count; ``where`` a conjunction of row conditions (its own `where`,
    not yet those of KPIs and questions around it). A quantile has its ``share``, and says whether it is ``nearest``.
    """

    function: str
    event: str
    argument: Expr | None
    where: tuple[Expr, ...]
    type: Type = field(hash=False)
    span: Span | None = field(default=None, compare=False, repr=False)
    share: Decimal | None = None
    nearest: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Another KPI. ``where`` maps each event that it reads to conditions that the reference adds (`kpi where c`)."""

    kpi: str
    where: tuple[tuple[str, tuple[Expr, ...]], ...]
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Across:
    """A formula held against all segments of the question: `total`, computed anew over them, or `rank` among them.

    ``within``: only segments with the same value of these fields. ``descending``: rank 1 is the highest.
    """

    function: str
    argument: Expr
    within: tuple[str, ...]
    descending: bool
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Per:
    """An aggregate of a formula's values, one for each entity: `avg(sum(order.amount) per buyer)`.

    ``keys`` are the fields that tell entities apart; with a ``grain`` each calendar period has its own values, and
    without keys it is the entity. ``condition`` is a formula, true for those that take part. A quantile has its
    ``share``, and says whether it is ``nearest``.
    """

    function: str
    argument: Expr
    keys: tuple[str, ...]
    condition: Expr | None
    type: Type = field(hash=False)
    grain: Grain | None = None
    share: Decimal | None = None
    nearest: bool = False


@dataclass(frozen=True, slots=True)
class Windowed:
    """A formula over a window of each period: it holds for those aggregates that have none of their own."""

    argument: Expr
    window: Window
    type: Type = field(hash=False)


@dataclass(frozen=True, slots=True)
class Shifted:
    """A formula in an earlier period: so far back as ``shift`` says, or the one before."""

    argument: Expr
    shift: Shift
    type: Type = field(hash=False)


Expr = Literal | Column | Field | LookedUp | InGroup | Apply | Aggregate | Reference | Across | Per | Windowed | Shifted


@dataclass(frozen=True, slots=True)
class TypedBinding:
    """How a dataset provides an event: row expressions over Columns. ``time`` None: timeless.

    ``where`` are the conditions, over fields, of an event that is another's rows under them.
    """

    event: str
    dataset: str
    when: Expr | None
    time: Expr | None
    count: Expr | None
    where: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Operand:
    """An event that a derived one is made of, and the name that its fields go by there; the first one has none.

    Rows are told apart, and ordered, among those of one ``root``: the event that is not derived itself.
    """

    name: str
    event: str
    root: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """How rows are made of those of events: language.md, section 3. What `repeat` makes is `after` of one event.

    ``by`` are the fields that rows which belong together have alike; ``dates``: whole days are compared; ``repeat``: it
    is one event, so that the other row has no delay of its own. `returns` counts the periods of a ``grain`` between two
    rows; matched by `first` it has one row of each number of them.
    """

    kind: OneOf["first", "then", "after", "without", "returns"]
    operands: tuple[Operand, ...]
    within: Length | None
    by: tuple[str, ...]
    match: str
    dates: bool
    repeat: bool = False
    grain: Grain | None = None


@dataclass(frozen=True, slots=True)
class TypedGroup:
    """The entities for whose rows a condition holds, a true/false field of the events that have the field ``of``.

    ``condition`` is a row expression over Columns named "0", "1" …, which are the ``totals``: aggregates of the rows
    that count. ``at`` says which do: of earlier periods (`period_start`), before the row (`event`), up to the as-of
    (`as_of`). ``missing`` are the events of totals that no dataset provides. ``by_period``: it, or a group that it is
    made of, depends on the grain that is asked for; ``late``: it is made of rows that depend on the as-of.
    """

    name: str
    of: str
    at: str
    condition: Expr
    totals: tuple[Aggregate, ...]
    missing: tuple[str, ...] = ()
    by_period: bool = False
    late: bool = False

    @property
    def nothing(self) -> Expr:
        """The condition where no row counts: of nothing there are none, and all else is unknown."""
        empty = {
            str(place): Literal(Decimal(0) if one.function in ZERO_OF_NOTHING else None, one.type)
            for place, one in enumerate(self.totals)
        }
        return rewrite(self.condition, lambda node: empty[node.name] if isinstance(node, Column) else node)


ZERO_OF_NOTHING = ("count", "sum", "distinct")


@dataclass(frozen=True, slots=True)
class TypedLookup:
    """A lookup: pairs of row expressions that must be equal, mine over the rows here, theirs over Columns there.

    ``valid`` are the ends between which a row there holds; then ``time``, the row's time here, chooses among them.
    One with an ``event`` is no lookup that is written: it finds the rows of that event, those that fulfil ``where`` and
    have a time (``dated``), in a dataset whose rows are preferred.
    """

    name: str
    dataset: str
    on: tuple[tuple[Expr, Expr], ...]
    valid: tuple[Expr, Expr] | None
    time: Expr | None
    span: Span = field(compare=False, repr=False)
    event: str = ""
    where: tuple[Expr, ...] = ()
    dated: Expr | None = None

    @property
    def reads(self) -> tuple[Expr, ...]:
        """The row expressions here that decide which row is found; other lookups may stand in them."""
        return (*(mine for mine, _ in self.on), *(() if self.time is None else (self.time,)))


@dataclass(frozen=True, slots=True)
class TypedDataset:
    """A dataset with its expressions typed; ``fields`` maps a field to its row expression over Columns.

    With the data's schema at hand, ``columns`` has every column and its type, and every column is a field; without
    it, ``columns`` is None and a field that is not in ``fields`` is the column of its name. Of rows with one
    key the one with the highest ``keep`` stays, the latest where there is none. With a ``derivation`` its rows are made
    of those of events, and each column is a field of them.
    """

    name: str
    spec: Dataset
    time: Expr | None
    timezone: str
    key: tuple[Expr, ...]
    fields: Mapping[str, Expr]
    events: Mapping[str, TypedBinding]
    columns: Mapping[str, Type] | None
    lookups: Mapping[str, TypedLookup] = field(default_factory=dict)
    keep: Expr | None = None
    derivation: Derivation | None = None

    @property
    def order(self) -> Expr | None:
        """What is latest in the row that stays of those with one key."""
        return self.time if self.keep is None else self.keep

    @property
    def timeless(self) -> bool:
        """Whether no row has a time."""
        return self.time is None and all(binding.time is None for binding in self.events.values())

    def field(self, name: str) -> Expr | None:
        """Return the row expression of a field, or None where the dataset has none of that name."""
        if name in self.fields:
            return self.fields[name]
        path = tuple(name.split("."))
        if len(path) > 1 and path[0] in self.lookups:
            return LookedUp(path[:-1], path[-1], UNKNOWN)
        if self.columns is None:
            return Column(name, UNKNOWN)
        return Column(name, self.columns[name]) if name in self.columns else None


Band = tuple[str, str, tuple[Decimal, ...]]
"""A status, an operator of values and its bounds; the operator `if` has the number of a condition."""


@dataclass(frozen=True, slots=True)
class TypedBenchmark:
    """What values are held against: numbers by segment, (dimension, value) pairs, else one number for all.

    ``computed``: it is a formula, whose values another KPI has (see `Judging.beside`).
    """

    value: Decimal | None
    rows: tuple[tuple[tuple[tuple[str, str], ...], Decimal], ...]
    computed: bool
    spec: Benchmark = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aimed:
    """A target of a goal, in force for values that begin from ``first`` to before ``end`` and end by ``until``.

    ``exact``: only for one over just these days. ``segment`` has the values of its fields as text, by name; of all rows
    it is empty.
    """

    first: date
    end: date
    until: date
    exact: bool
    segment: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True, slots=True)
class Judging:
    """What a KPI is held against.

    ``conditions`` are row expressions over what values are held against, by the numbers that bands have; ``scopes`` the
    segments with bands of their own: a dimension, its value as text. ``beside`` are KPIs of which a value is wanted for
    each of this one's: `name.previous`, `name.benchmark`; ``targets`` those of its goals, of which the first counts.
    """

    conditions: tuple[Expr, ...] = ()
    scopes: tuple[tuple[str, str], ...] = ()
    beside: tuple[TypedKpi, ...] = ()
    targets: tuple[Aimed, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruled:
    """How a version of a KPI is judged beside its bands; ``scopes`` has bands by the number of their segment."""

    least: int | None = None
    confidence: Decimal | None = None
    benchmark: TypedBenchmark | None = None
    scopes: tuple[tuple[int, tuple[Band, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """What a KPI is in periods that begin on ``start`` or later, up to its next version."""

    start: date
    formula: Expr
    where: tuple[tuple[str, tuple[Expr, ...]], ...]
    bands: tuple[Band, ...]
    ruled: Ruled = Ruled()


@dataclass(frozen=True, slots=True)
class TypedKpi:
    """A KPI whose formula and conditions are typed.

    ``where`` maps each event that the formula reads to the KPI's own conditions on it; ``events`` are what it reads,
    directly and through other KPIs, ``kpis`` those it names itself; ``providers`` the datasets; ``missing`` the events
    that are declared but that no dataset provides (the KPI is then `unavailable`). ``segmented`` are the events that
    segments tell apart (those in a `total` alone need not have a segment's field), ``within`` the fields that a `share`
    asks the segments for; ``ranked``: a `rank` stands somewhere in it; ``folded``: a total, rank or `per` does.
    ``grain`` is its own: the one written, else `month`, or `all` where rows without time are among what it reads;
    ``daily`` names what it adds, but must not add over time, which no grain coarser than ``once`` does. ``periods`` are
    those that a `per` in it runs over. ``revisions`` are its versions after the first, which ``formula``, ``where`` and
    ``bands`` are; ``dated``: it, or a KPI that it reads, has any; ``depth`` is how many KPIs it stands on in a row.
    ``windows``, each with an event that it is over, and ``shifts`` are those in it, directly and through other KPIs.
    """

    name: str
    spec: Kpi
    formula: Expr
    where: tuple[tuple[str, tuple[Expr, ...]], ...]
    type: Type = field(hash=False)
    ratio: bool
    direction: str
    thresholds: tuple[Threshold, ...]
    bands: tuple[Band, ...]
    events: tuple[str, ...]
    kpis: frozenset[str]
    datasets: frozenset[str]
    missing: tuple[str, ...]
    grain: str = "month"
    daily: tuple[str, ...] = ()
    once: Grain = Grain.DAY
    segmented: frozenset[str] = frozenset()
    within: frozenset[str] = frozenset()
    ranked: bool = False
    folded: bool = False
    periods: frozenset[Grain] = frozenset()
    revisions: tuple[Version, ...] = ()
    dated: bool = False
    depth: int = 0
    windows: frozenset[tuple[Window, str]] = frozenset()
    shifts: frozenset[Shift] = frozenset()
    judging: Judging = field(default=Judging(), hash=False)
    ruled: Ruled = field(default=Ruled(), hash=False)

    @property
    def reads(self) -> frozenset[str]:
        """The datasets that it and what it is held against are made of."""
        return self.datasets.union(*(one.datasets for one in self.judging.beside))

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions from the beginning on."""
        return (Version(date.min, self.formula, self.where, self.bands, self.ruled), *self.revisions)
