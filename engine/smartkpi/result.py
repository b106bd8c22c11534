"""The result: one tidy frame, with units, states and where it comes from."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import polars as pl

from smartkpi.assess.diagnoses import Finding
from smartkpi.assess.rollup import Score
from smartkpi.assess.standing import Standing
from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.calendar import PLAIN, Calendar
from smartkpi.periods.windows import Length
from smartkpi.spec.model import DatedNote, Dimension, Labels

LEADING = ("kpi", "grain", "start", "end")
TRAILING = ("level", "value", "money", "unit", "currency", "n", "state", "flags", "status", "reason")


@dataclass(frozen=True, slots=True)
class KpiInfo:
    """What a surface needs to show a KPI: its labels, format, unit, direction; and its window, if it states one.

    ``benchmark`` says where its benchmark comes from and of when that is; ``advice`` what to do, by status.
    """

    name: str
    label: Labels
    description: Labels
    format: str | None
    unit: str
    currency: str | None
    direction: str
    owner: str | None
    tags: tuple[str, ...]
    window: Length | None = None
    benchmark: tuple[Labels, str] | None = None
    advice: Mapping[str, Labels] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepInfo:
    """A step of a funnel, and the KPIs that say of it what they are called for: `step_count`, `step_rate`, …."""

    name: str
    label: Labels
    kpis: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FunnelInfo:
    """What a surface needs to show a funnel. ``by`` has the text of what its rows have alike; empty: plain counts."""

    name: str
    label: Labels
    description: Labels
    steps: tuple[StepInfo, ...]
    by: str
    within: str


@dataclass(frozen=True, slots=True)
class CohortInfo:
    """What a surface needs to show a cohort: the KPIs of its size and, by age, of what returns and its share.

    ``amounts``: what returns is an amount, not a number of entities.
    """

    name: str
    label: Labels
    description: Labels
    of: str
    grain: str
    amounts: bool
    size: str
    returned: Mapping[int, str]
    retention: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class PeriodNote:
    """A dated note of the calendar beside a period that holds its day."""

    grain: str
    start: datetime
    end: datetime
    day: date
    label: Labels


@dataclass(frozen=True, slots=True)
class Contribution:
    """A part of a change, exactly: of a segment, or of a term or factor (``label``). ``level`` is `other` for several.

    ``before`` and ``after`` are its values (of a ratio its rates), None where it has none; of a ratio ``rate`` and
    ``mix`` add up to the amount, and ``weights`` are its shares of the denominator.
    """

    segment: Mapping[str, Any]
    before: Fraction | None
    after: Fraction | None
    amount: Fraction
    rate: Fraction | None = None
    mix: Fraction | None = None
    weights: tuple[Fraction, Fraction] | None = None
    label: str = ""
    level: str = "segment"


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """What a change of a KPI is made of. The amounts of the parts add up to it, to the digit.

    ``method`` is `segments`, `ratio` (rate and mix by segment), `sum` (of terms) or `product` (of factors). ``notes``
    say what is to be known of the periods.
    """

    kpi: KpiInfo
    grain: str
    period: str
    against: str
    before: Fraction
    after: Fraction
    change: Fraction
    method: str
    by: tuple[str, ...]
    parts: tuple[Contribution, ...]
    notes: tuple[str, ...] = ()
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    display: Callable[[Change, str], str] | None = field(default=None, compare=False, repr=False)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the parts as plain dictionaries."""
        names = ("before", "after", "amount", "rate", "mix")
        return [
            {
                **one.segment,
                **({"part": one.label} if one.label else {}),
                "level": one.level,
                **{name: None if (value := getattr(one, name)) is None else float(value) for name in names},
            }
            for one in self.parts
        ]

    def __repr__(self) -> str:
        return f"<Change of {self.kpi.name}>" if self.display is None else self.display(self, "text")

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>" if self.display is None else self.display(self, "html")


@dataclass(frozen=True, slots=True)
class Transition:
    """An alert that is not what it was: from one status to another (None: none yet, or none any more).

    Beside statuses there is `data_missing`. ``since`` is the period in which it turned, ``period`` the last that was
    judged, ``text`` its value as it is shown; ``where`` the condition that was asked with. ``goal`` is the goal whose
    status it is, if it is not that of a KPI: ``since`` and ``period`` are then days.
    """

    kpi: str
    label: str
    before: str | None
    after: str | None
    level: str
    segment: Mapping[str, str | None]
    where: str = ""
    since: str | None = None
    period: str | None = None
    value: float | None = None
    text: str = ""
    advice: str = ""
    reason: str = ""
    goal: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers come from: as-of by KPI, coverage and rows by dataset, what was left out and why.

    ``as_of`` is the instant up to which data counts (aware; the last instant that counts), by KPI. ``datasets`` maps
    a dataset to {first, last, rows, left_out, unmatched, stale}.
    """

    as_of: Mapping[str, datetime | None]
    datasets: Mapping[str, Mapping[str, Any]]
    scans: int
    timezone: str
    version: str


class _Table:
    """Rows that show themselves: through ``display`` as `text` or `html`, without it as the frame does."""

    __slots__ = ()
    frame: pl.DataFrame
    display: Callable[[Any, str], str] | None

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as plain dictionaries."""
        return self.frame.to_dicts()

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.frame.height

    def __repr__(self) -> str:
        return repr(self.frame) if self.display is None else self.display(self, "text")

    def _repr_html_(self) -> str:
        if self.display is None:
            return f"<pre>{html.escape(repr(self.frame))}</pre>"
        return self.display(self, "html")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Result(_Table):
    """The answer to a question.

    ``frame`` is tidy, one row a KPI, period and segment: kpi String, grain String, start and end Datetime("us", zone)
    (end exclusive), a column a dimension, level String, value Float64, money Decimal(38, 6), unit String, currency
    String, n Int64, state String, flags List(String), status String, reason String. ``trend`` has the same columns
    for the periods up to and with the one shown (scorecard only; else empty): 13 months, or 28 days, oldest first.
    ``compare`` names what values are held against, in columns of the frame alone (semantics/comparisons.py): the value
    then, the change since, its share (Float64), and marks (List(String)).
    Rows are sorted by the order of KPIs asked, then start, then dimensions. ``left_out`` maps a KPI that was asked
    for but has no rows to the reason: `definition` or `data`; ``diagnostics`` say more. ``arranged`` says that the rows
    were ordered or cut as the question wished. ``display`` renders the result as `text` or `html`; without it the
    frame shows itself. ``dimensions`` has labels and order of those dimensions of the question that have some;
    ``goals`` has how the current goal of a KPI stands (scorecard without dimensions only); ``calendar`` names the
    periods, ``notes`` has what it says of days in them. ``benchmarks`` has a row for each row of the frame that a
    benchmark is known for: kpi, grain, start, end, dimensions, level, benchmark. ``findings`` are the diagnoses that
    hold, or of which that cannot be told. Of a ``funnel`` the frame has two more columns, behind `kpi`: the `step`, and
    the `measure` of it; of a ``cohort`` the `age` and the `measure`.
    """

    frame: pl.DataFrame
    trend: pl.DataFrame
    kpis: Mapping[str, KpiInfo]
    by: tuple[str, ...]
    scorecard: bool
    provenance: Provenance
    diagnostics: tuple[Diagnostic, ...] = field(default=())
    left_out: Mapping[str, str] = field(default_factory=dict)
    arranged: bool = field(default=False)
    display: Callable[[Result, str], str] | None = field(default=None)
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    calendar: Calendar = PLAIN
    notes: tuple[PeriodNote, ...] = ()
    benchmarks: pl.DataFrame = field(default_factory=pl.DataFrame)
    findings: tuple[Finding, ...] = ()
    goals: Mapping[str, Standing] = field(default_factory=dict)
    compare: tuple[str, ...] = ()
    funnel: FunnelInfo | None = None
    cohort: CohortInfo | None = None

    @property
    def columns(self) -> list[str]:
        """The columns of the frame, dimensions between `end` and `level`."""
        return self.frame.columns

    def wide(self) -> pl.DataFrame:
        """Return one row a period and segment, and one column of values a KPI, in the order of the question.

        A KPI that is called like one of the other columns has ` (KPI)` behind its name. Where there are totals or
        others, `level` tells them apart.
        """
        levels = ["level"] if self.frame["level"].n_unique() > 1 else []
        keys = ["grain", "start", "end", *self.by, *levels]
        names = list(self.frame["kpi"].unique(maintain_order=True))
        if self.frame.is_empty():
            return self.frame.select(keys)
        shown = {name: f"{name} (KPI)" if name in keys else name for name in names}
        table = self.frame.with_columns(pl.col("kpi").replace(shown)).pivot("kpi", index=keys, values="value")
        return table.select(*keys, *shown.values())


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Goals(_Table):
    """How goals stand: ``frame`` is tidy, one row a goal, or a segment or period of one (schemas/goals.json).

    ``standings`` are the same rows as they were judged, ``scores`` the scorecards of persons and periods. ``left_out``
    maps a goal that was asked for but has no row to the reason: `definition` or `data`.
    """

    frame: pl.DataFrame
    standings: tuple[Standing, ...]
    scores: tuple[Score, ...]
    kpis: Mapping[str, KpiInfo]
    provenance: Provenance
    diagnostics: tuple[Diagnostic, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    history: bool = False
    required: bool = False
    calendar: Calendar = PLAIN
    display: Callable[[Goals, str], str] | None = None


def noted(frame: pl.DataFrame, notes: Iterable[DatedNote]) -> tuple[PeriodNote, ...]:
    """Return the notes that fall in the periods of a frame, by period and day."""
    known = list(notes)
    if not known:
        return ()
    last = (pl.col("end") - timedelta(microseconds=1)).dt.date().alias("last")
    first = pl.col("start").dt.date().alias("first")
    periods = frame.select("grain", "start", "end", first, last).unique().drop_nulls()
    days = pl.DataFrame({"day": [one.day for one in known]}, schema={"day": pl.Date}).with_row_index("note")
    held = periods.join_where(days, pl.col("day") >= pl.col("first"), pl.col("day") <= pl.col("last"))
    rows = held.sort("grain", "start", "note").select("grain", "start", "end", "note").iter_rows()
    return tuple(PeriodNote(grain, start, end, known[note].day, known[note].label) for grain, start, end, note in rows)


def in_order(frame: pl.DataFrame, by: Sequence[str], dimensions: Mapping[str, Dimension]) -> pl.DataFrame:
    """Return rows with segments in the order that their dimensions state; other values come after, as they were.

    Others and the total stay behind the segments of their period.
    """
    if not any(name in dimensions and dimensions[name].order for name in by):
        return frame
    keys: list[pl.Expr] = [pl.col("kpi").rle_id(), pl.col("start"), _level()]
    for name in by:
        if (one := dimensions.get(name)) is not None and one.order:
            keys.append(_rank(pl.col(name).cast(pl.String), one.order))
        keys.append(pl.col(name))
    return frame.sort(keys, maintain_order=True)


def _level() -> pl.Expr:
    ranks = {"segment": 0, "other": 1, "total": 2}
    return pl.col("level").replace_strict(ranks, default=0, return_dtype=pl.Int64)


def _rank(value: pl.Expr, order: Sequence[str]) -> pl.Expr:
    ranks = {text: rank for rank, text in enumerate(order)}
    return value.replace_strict(ranks, default=len(order), return_dtype=pl.Int64)


def arrange(result: Result, order_by: Sequence[str], limit: int | None) -> Result:
    """Return a result whose rows are ordered by columns (`-value`: descending) and cut to a number of rows.

    Rows of one KPI stay together, in the order of the question, and the limit is a number of rows of each KPI; unless
    each KPI has one row (a scorecard without dimensions), or `kpi` itself is ordered by: then all rows are ordered
    as one. Nulls come last; equal rows keep their order. Totals and others come last and are not cut.
    """
    frame = result.frame
    single = result.scorecard and not result.by
    frame = frame.with_columns((_level() if result.by else pl.lit(0)).alias("__level"))
    if order_by:
        keys = [name.removeprefix("-") for name in order_by]
        down = [name.startswith("-") for name in order_by]
        if not single and "kpi" not in keys:
            frame = frame.with_columns(pl.col("kpi").rle_id().alias("__order"))
            keys, down = ["__order", "__level", *keys], [False, False, *down]
        frame = frame.sort(keys, descending=down, nulls_last=True, maintain_order=True)
        frame = frame.drop("__order", strict=False)
    if limit is not None and single:
        frame = frame.head(min(limit, frame.height))
    elif limit is not None:
        single_rows = pl.col("__level") == 0
        place = single_rows.cum_sum().over("kpi")
        kept = frame.filter((place <= min(limit, frame.height)) | ~single_rows)
        shown = kept.filter(single_rows).select("kpi", "start").unique()
        frame = kept.join(shown, on=["kpi", "start"], how="semi", nulls_equal=True, maintain_order="left")
    frame = frame.drop("__level")
    arranged = bool(order_by) or limit is not None
    return replace(
        result, frame=frame, arranged=arranged, trend=_matching(result.trend, frame, ("kpi", "level", *result.by))
    )


def _matching(trend: pl.DataFrame, frame: pl.DataFrame, keys: Iterable[str]) -> pl.DataFrame:
    """Return the rows of a trend whose segment is still shown."""
    if trend.is_empty():
        return trend
    columns = list(keys)
    return trend.join(frame.select(columns).unique(), on=columns, how="semi", nulls_equal=True, maintain_order="left")
