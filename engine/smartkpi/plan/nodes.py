"""The plan: which components to compute, in which scans, and which steps make values of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from smartkpi.language.types import Type
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length, Path, Shift, Window
from smartkpi.semantics.formula import Apply, Expr, Literal, TypedBinding, TypedDataset, TypedGroup


@dataclass(frozen=True, slots=True)
class Range:
    """The local days asked for, half open; None is open. Each grain answers whole periods that hold any of them.

    By hour, only those from ``first_hour`` to ``last_hour`` are shown, where these are given.
    """

    start: date | None = None
    end: date | None = None
    first_hour: datetime | None = None
    last_hour: datetime | None = None


EVER = Range()


@dataclass(frozen=True, slots=True)
class Component:
    """What the engine answers: an aggregate of an event's rows under a conjunction of row conditions.

    ``aggregate`` is one of: `rows` (number of rows), `weight` (sum of the weights of counted rows), `sum`, `present`
    (rows where the argument is not null), `min`, `max`, `distinct`, `approx_distinct`, `quantile` (at
    ``share``, between neighbours linearly or ``nearest``), `stddev` (of a sample; null for one row), `first`, `last`
    (by time, then the dataset's key, then value, of rows that have one). Null where no row contributes, but for
    `rows`; derive fills zeros where the data is covered. ``keep`` are the question's dimensions that tell its values
    apart: all of them, or fewer for what is over several segments. ``days``: only rows of these local days. ``window``:
    it is over a stretch of time of its own for each period. ``seen`` are the datasets whose latest
    row is the as-of, for an event whose rows depend on it. ``grain`` is the one asked for, where groups in it do.
    """

    event: str
    where: tuple[Expr, ...]
    aggregate: str
    argument: Expr | None
    type: Type
    share: Decimal | None = None
    nearest: bool = False
    keep: tuple[str, ...] = ()
    days: Range = EVER
    window: Window | None = None
    seen: tuple[str, ...] = ()
    grain: Grain | None = None

    @property
    def view(self) -> View:
        """How the question looks at rows that depend on it."""
        return View(self.seen, self.grain)


@dataclass(frozen=True, slots=True)
class View:
    """What rows may depend on of a question: the datasets whose latest row is the as-of, and the grain."""

    seen: tuple[str, ...] = ()
    grain: Grain | None = None


ANY_VIEW = View()


@dataclass(frozen=True, slots=True)
class Cell:
    """A component as one dataset answers it: expressions over Columns; ``id`` names the columns of the answer.

    ``keep`` names those keys of the scan that the cell is answered by (None: all of them). ``parts``: it is to be added
    up further, and so delivered in parts that lose nothing.
    """

    id: str
    where: tuple[Expr, ...]
    aggregate: str
    argument: Expr | None
    type: Type
    share: Decimal | None = None
    nearest: bool = False
    keep: tuple[str, ...] | None = None
    parts: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """Stretches of time that a scan is asked for beside whole periods, as they follow from the periods of an output.

    They are those of ``window`` for each period that ``paths`` lead to; without a window, those earlier periods of
    which only as much counts as the as-of lets one see of the last. With ``cut`` it is only what they hold of those
    periods of that grain that they cut in two. ``datasets`` say where the as-of is.
    """

    grain: Grain
    datasets: tuple[str, ...]
    window: Window | None
    paths: tuple[Path, ...]
    cut: Grain | None = None
    inside: Back | None = None

    @property
    def windowed(self) -> bool:
        """Whether it is over windows, of which each period has its own; other stretches are few."""
        return self.window is not None and self.cut is None


@dataclass(frozen=True, slots=True)
class Back:
    """How far back what is read lies: the periods of a grain that a path leads to, with a window of each.

    The path begins at the periods asked for, or at those ``inside`` of what is read of others.
    """

    grain: Grain
    path: Path
    window: Window | None = None
    inside: Back | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass over one dataset for cells of a state class: `additive`, `distinct`, `values`, `holistic` or `sketch`.

    `values` are the values of a distinct of which other datasets have some too: they are counted together.
    The cells of a holistic scan are of the same rows and argument, a sketch is alone.

    ``filter`` is pushed to the source; ``keys`` are the question's dimensions as (name, expression); ``grains`` the
    grids to answer at; ``discriminators`` columns that become grouping keys of the first level, so that conditions on
    them are decided on the small table. With ``demands`` it answers at stretches of time instead of grains. ``back``
    says what is read too beside the periods asked for.
    """

    dataset: str
    time: Expr | None
    state: str
    filter: tuple[Expr, ...]
    keys: tuple[tuple[str, Expr], ...]
    grains: tuple[Grain, ...]
    cells: tuple[Cell, ...]
    discriminators: tuple[Expr, ...] = ()
    demands: tuple[Demand, ...] = ()
    back: tuple[Back, ...] = ()

    @property
    def told_apart(self) -> bool:
        """Whether it has a group for each entity: far more than segments."""
        return any(name.startswith("@") for name, _ in self.keys)

    @property
    def windowed(self) -> bool:
        """Whether it answers over windows, each a stretch of time of its own for each period."""
        return any(demand.windowed for demand in self.demands)


@dataclass(frozen=True, slots=True)
class Side:
    """The rows of an operand in one dataset: which, when, whose (``by``), and what is wanted of them, by name.

    All expressions are over the columns of the dataset.
    """

    dataset: str
    time: Expr
    where: tuple[Expr, ...]
    by: tuple[Expr, ...]
    columns: tuple[tuple[str, Expr], ...]

    @property
    def reads(self) -> tuple[Expr, ...]:
        """All expressions over its rows."""
        return (self.time, *self.where, *self.by, *(expr for _, expr in self.columns))


@dataclass(frozen=True, slots=True)
class Delay:
    """A column that has the time between the rows of two operands, or how much of it is ``worked``."""

    name: str
    first: int
    last: int
    worked: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows that are made of those of events: a dataset of the plan beside those that are read.

    ``kind`` is `first`, `then`, `after`, `without` or `returns`; ``operands`` has the sides of each event, of which the
    first one's rows are those of the relation; ``delays`` are times between their rows. `rows` are those of any operand
    as they are read, all of one dataset and at one time: which of them each is, and the first one's columns.
    Operands with the same of ``roots`` have rows of one event: none matches itself, and equal ones have an order.
    ``ordered``: that order shows in the answer. ``seen`` are the datasets whose latest row is the as-of, where it
    matters. Of `returns` the periods of a ``grain`` between two rows are counted. ``prefixes`` are other chains, by the
    names of their rows, that are the first so many steps of this one: rows stay that reach the end of any of them.
    """

    kind: str
    operands: tuple[tuple[Side, ...], ...]
    roots: tuple[str, ...]
    within: Length | None
    match: str
    dates: bool
    delays: tuple[Delay, ...]
    ordered: bool
    seen: tuple[str, ...]
    grain: Grain | None = None
    prefixes: tuple[tuple[str, int], ...] = ()

    @property
    def ends(self) -> tuple[int, ...]:
        """The operands that its rows may end at: the last one, and those of its prefixes."""
        return tuple(sorted({len(self.operands) - 1, *(steps for _, steps in self.prefixes)}))

    @property
    def partial(self) -> bool:
        """Whether rows may reach fewer operands than there are."""
        return len(self.ends) > 1

    @property
    def opens(self) -> bool:
        """Whether rows may have a window that is still open."""
        return self.kind in ("then", "without") and self.within is not None


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when each entity is in a group, made of the rows of events: what a row is held against (`InGroup`).

    ``operands`` has the sides of each of ``totals``, aggregates by name and type, whose values are the Columns "0",
    "1" … of ``condition``; the argument of one is the column `value`. ``at`` says which rows count, by whole periods of
    ``grain`` where it is `period_start`.
    """

    group: str
    operands: tuple[tuple[Side, ...], ...]
    totals: tuple[tuple[str, Type], ...]
    condition: Expr
    nothing: Expr
    at: str
    grain: Grain | None


@dataclass(frozen=True, slots=True)
class History:
    """What an event of a plan stands on in time.

    ``home`` are the datasets of its own rows, ``datasets`` those of all that it is made of. ``back``: in periods that
    begin less than so long after the coverage of a dataset began, rows may lack. ``until``: they are known when so many
    periods have gone by after their own.
    """

    home: tuple[str, ...]
    datasets: tuple[str, ...]
    back: tuple[tuple[str, Length], ...]
    until: tuple[Grain, int] | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """In a step's formula: the component of this id."""

    id: str
    type: Type


@dataclass(frozen=True, slots=True)
class Result:
    """In a step's formula: the step of this id."""

    id: str
    type: Type


@dataclass(frozen=True, slots=True)
class Rank:
    """In a step's formula: the place of a segment among those that have a row of ``presence`` so far, by a value."""

    argument: Formula
    descending: bool
    presence: tuple[str, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Fold:
    """In a step's formula: an aggregate of the values that a formula has for each entity of a segment.

    ``keys`` are the dimensions, each behind `@`, that tell entities apart beside those of ``keep``; ``entities`` the
    `rows` components of which an entity has a row; ``inner`` all components that its values are made of, wanted at
    ``grain`` (None: the one asked for). Without keys the periods of the grain are the entities, all that are covered;
    with a ``window`` those that lie in it. ``series``: the values are those of steps, asked by themselves in each of
    these periods, with windows and earlier periods of their own.
    """

    function: str
    argument: Formula
    condition: Formula | None
    keep: tuple[str, ...]
    keys: tuple[str, ...]
    entities: tuple[str, ...]
    inner: tuple[str, ...]
    type: Type
    grain: Grain | None = None
    share: Decimal | None = None
    nearest: bool = False
    window: Window | None = None
    series: bool = False


@dataclass(frozen=True, slots=True)
class Revised:
    """In a step's formula: the version in force at a period's first day; each after the first begins with a start."""

    versions: tuple[Formula, ...]
    starts: tuple[date, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Earlier:
    """In a step's formula: the value that a formula has in the period that a shift leads to."""

    argument: Formula
    shift: Shift
    type: Type


Formula = Literal | Apply | Value | Result | Rank | Fold | Revised | Earlier


@dataclass(frozen=True, slots=True)
class Series:
    """A step asked for in each period of a grain that lies in those that a path leads to, or in a window of each."""

    step: str
    grain: Grain
    window: Window | None
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One KPI under one set of outer conditions: a formula over components and earlier steps.

    ``presence`` names `rows` components: a segment exists from its first period with a row in any of them; ``inner``
    components of folds, each with the grain of its fold; ``reads`` says of which periods each is read. ``series`` are
    the steps whose values of other periods its folds take. ``whole``: its earlier periods are read whole, and a period
    that the as-of cuts is held against none.
    """

    id: str
    kpi: str
    formula: Formula
    type: Type
    components: tuple[str, ...]
    presence: tuple[str, ...]
    inner: tuple[tuple[str, Grain | None], ...] = ()
    reads: tuple[tuple[str, Path], ...] = ()
    series: tuple[Series, ...] = ()
    whole: bool = False

    @property
    def inside(self) -> tuple[str, ...]:
        """The components of its folds."""
        return tuple(dict.fromkeys(id for id, _ in self.inner))


@dataclass(frozen=True, slots=True)
class Compared:
    """What the values of an output are held against: the name of the comparison, its step, and the step's shift."""

    name: str
    step: str
    shift: Shift


@dataclass(frozen=True, slots=True)
class Output:
    """One KPI as asked: its step, its grain, the datasets whose coverage counts, or why it is unavailable.

    ``uncompared`` has the comparisons that it does not go with, and why.
    """

    kpi: str
    step: str | None
    grain: Grain
    datasets: tuple[str, ...]
    unavailable: str = ""
    compared: tuple[Compared, ...] = ()
    uncompared: tuple[tuple[str, str], ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """Its step and those of its comparisons; none where it is unavailable."""
        return () if self.step is None else (self.step, *(one.step for one in self.compared))


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a question needs.

    ``samples`` names, for a sum, minimum or maximum, the component that tells of how many rows; ``profiles`` are the
    datasets whose coverage is to be read. ``totals`` are the outputs once more, over all segments;
    ``compare`` names the comparisons asked for.

    ``relations`` are the rows, by the name of their dataset, that are made of others, each after those it is made of,
    and the standings of ``groups``.
    Of derived events there are ``histories``; of components over them, ``provided`` says where their rows are, and
    ``open_in`` in which relations windows may be open that decide on them.
    """

    calendar: Calendar
    components: Mapping[str, Component]
    samples: Mapping[str, str]
    scans: tuple[Scan, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    by: tuple[str, ...]
    range: Range
    as_of: date | datetime | None
    datasets: Mapping[str, TypedDataset]
    profiles: tuple[str, ...]
    scorecard: bool
    totals: tuple[Output, ...] = ()
    relations: Mapping[str, Relation | Standing] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    provided: Mapping[str, tuple[TypedBinding, ...]] = field(default_factory=dict)
    open_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compare: tuple[str, ...] = ()
    groups: Mapping[str, TypedGroup] = field(default_factory=dict)
