"""The tidy table: values rounded, states and flags in words, units, in the order asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from smartkpi.derive.compared import MARKS, result_columns, tall_columns
from smartkpi.derive.formula import NO_DATA, OK, UNDEFINED, reached
from smartkpi.derive.rounding import round_significant, to_float
from smartkpi.language.types import BARE, NULL, PLAIN, Kind, Type
from smartkpi.plan.nodes import Fold, Formula, Output, Plan, Result, Revised, Step, Value
from smartkpi.semantics.comparisons import COMPARISONS
from smartkpi.semantics.formula import Apply, Literal

INSTANT = pl.Datetime("us", "UTC")
UNAVAILABLE = 3
STATES = ("ok", "undefined", "no_data", "unavailable")
FLAGS = ("incomplete", "immature", "like_for_like", "clamped", "stale")
TOTAL = {"+", "-", "*", "neg", "abs", "round", "floor", "ceil", "least", "greatest", "coalesce", "if", "mean"}
"""Functions that give no null of their own."""

TALL: Mapping[str, pl.DataType] = {
    "k": pl.Int64(),
    "start": INSTANT,
    "end": INSTANT,
    "value": pl.Float64(),
    "why": pl.UInt8(),
    "money": pl.Decimal(38, 6),
    "n": pl.Int64(),
    "incomplete": pl.Boolean(),
    "immature": pl.Boolean(),
    "stale": pl.Boolean(),
    "like_for_like": pl.Boolean(),
    "clamped": pl.Boolean(),
    "unknown": pl.Boolean(),
    "uncovered": pl.Boolean(),
    "shown": pl.Boolean(),
}
"""The tall table, before its dimensions: ``k`` numbers the outputs, ``why`` the states, the rest are its flags."""


def tidy(
    plan: Plan, tall: pl.DataFrame | None, dimensions: Mapping[str, pl.DataType]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the frame and the trend of a result from the tall table (None: no KPI has a value)."""
    schema = {**TALL, **tall_columns(plan.compare), **{name: dimensions[name] for name in plan.by}}
    missing = [k for k, output in enumerate(plan.outputs) if output.step is None]
    blank = pl.DataFrame({"k": pl.Series(missing, dtype=pl.Int64)}).with_columns(
        pl.lit(UNAVAILABLE if name == "why" else name == "shown" or None).cast(kind).alias(name)
        for name, kind in schema.items()
        if name != "k"
    )
    rows = blank.select(*schema) if tall is None else pl.concat([tall.select(*schema), blank.select(*schema)])
    if not rows["k"].is_sorted():
        rows = rows.sort("k", maintain_order=True)  # each KPI's rows are in order
    words = _words(plan, rows)
    frame = words.filter(rows["shown"])
    has_value = rows["why"] != UNAVAILABLE
    trend = words.drop(column for name in plan.compare for column in COMPARISONS[name].all)
    return frame, trend.filter(has_value) if plan.scorecard else trend.clear()


def _words(plan: Plan, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the result."""
    zone, k = plan.calendar.timezone, rows["k"]
    value = to_float(round_significant(rows["value"]), rows["money"])
    why = rows["why"].set(value.is_null() & (rows["why"] == OK), UNDEFINED)
    steps = {step.id: step for step in plan.steps}
    types = [_type(output, steps) for output in plan.outputs]
    levels = "segment" if plan.by else "total"
    columns = [
        _gather([output.kpi for output in plan.outputs], k, "kpi"),
        _gather([output.grain.value for output in plan.outputs], k, "grain"),
        rows["start"].dt.convert_time_zone(zone),
        rows["end"].dt.convert_time_zone(zone),
        *(rows[name] for name in plan.by),
        pl.Series("level", [levels], dtype=pl.String).new_from_index(0, rows.height),
        value.alias("value"),
        rows["money"],
        _gather([_unit(kind) for kind in types], k, "unit"),
        _gather([kind.unit.currency if kind is not None else None for kind in types], k, "currency"),
        rows["n"],
        _gather(STATES, why, "state"),
        _flags(rows),
        pl.Series("status", [None], dtype=pl.String).new_from_index(0, rows.height),
        _reasons(plan, rows, why, steps),
        *result_columns(rows, plan.compare, _lists(MARKS)),
    ]
    return pl.DataFrame(columns)


def _gather(values: Iterable[str | None], numbers: pl.Series, name: str) -> pl.Series:
    return pl.Series(name, list(values), dtype=pl.String).gather(numbers.cast(pl.UInt32))


def _flags(rows: pl.DataFrame) -> pl.Series:
    number = pl.Series([0], dtype=pl.UInt32).new_from_index(0, rows.height)
    for bit, name in enumerate(FLAGS):
        number = number + rows[name].fill_null(value=False).cast(pl.UInt32) * (1 << bit)
    return _lists(FLAGS).gather(number).alias("flags")


def _lists(names: Sequence[str]) -> pl.Series:
    """Return the lists of all combinations of names, by the number that they make as bits."""
    sets = [[name for bit, name in enumerate(names) if number >> bit & 1] for number in range(1 << len(names))]
    return pl.Series(sets, dtype=pl.List(pl.String))


def _type(output: Output, steps: Mapping[str, Step]) -> Type | None:
    return None if output.step is None else steps[output.step].type


def _unit(kind: Type | None) -> str | None:
    if kind is None:
        return None
    return PLAIN.name if kind.unit == BARE or kind.kind is not Kind.NUMBER else kind.unit.name


def _reasons(plan: Plan, rows: pl.DataFrame, why: pl.Series, steps: Mapping[str, Step]) -> pl.Series:
    """Return why a value is null, in plain words; null where it is not."""
    places = (why != OK).arg_true()
    reasons = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, rows.height)
    if not len(places):
        return reasons
    rows, why = rows.select("k", "uncovered", "unknown", "immature")[places], why.gather(places)
    undefined = [_undefined(plan, steps, steps[o.step]) if o.step is not None else "" for o in plan.outputs]
    unavailable = [output.unavailable for output in plan.outputs]
    known = pl.DataFrame(
        [
            why.alias("why"),
            rows["uncovered"],
            rows["unknown"],
            rows["immature"],
            _gather(undefined, rows["k"], "undefined"),
            _gather(unavailable, rows["k"], "unavailable"),
        ]
    )
    uncovered, missing, none = (pl.lit(text) for text in ("not covered by data", "counts are missing", "no rows"))
    later = pl.col("uncovered") & pl.col("immature")
    no_data = (
        pl.when(later)
        .then(pl.lit("not over yet"))
        .when("uncovered")
        .then(uncovered)
        .when("unknown")
        .then(missing)
        .otherwise(none)
    )
    reason = pl.when(pl.col("why") == UNDEFINED).then("undefined").when(pl.col("why") == NO_DATA).then(no_data)
    words = known.select(reason.when(pl.col("why") == UNAVAILABLE).then("unavailable"))
    return reasons.scatter(places, words.to_series())


def _undefined(plan: Plan, steps: Mapping[str, Step], step: Step) -> str:
    """Say what makes a KPI undefined, as closely as its formula tells."""
    nodes = list(reached(steps, [step]))
    partial = [
        node
        for node in nodes
        if isinstance(node, Apply) and node.function not in TOTAL and node.type.kind is not Kind.BOOLEAN
    ]
    if any(isinstance(node, Revised) and any(_is_null(one) for one in node.versions) for node in nodes):
        return "nothing is in force yet, or its formula is undefined"
    if any(isinstance(node, Literal) and node.value is None and node.type != NULL for node in nodes):
        return "a rank or share is of one segment, this is of several together"
    lone = any(
        (isinstance(node, Value) and plan.components[node.id].aggregate == "stddev")
        or (isinstance(node, Fold) and node.function == "stddev")
        for node in nodes
    )
    if not partial:
        return "a single value has no deviation" if lone else "null by its formula"
    if any(node.function not in ("/", "mod") for node in partial):
        return "division by zero or undefined function"
    cause = _zero(plan, steps, partial[0].args[1]) if len(partial) == 1 else ""  # type: ignore[arg-type]
    return f"{cause}: division by zero" if cause else "division by zero"


def _is_null(node: Formula) -> bool:
    return isinstance(node, Literal) and node.value is None


def _zero(plan: Plan, steps: Mapping[str, Step], denominator: Formula) -> str:
    match denominator:
        case Value(id=id) if plan.components[id].aggregate == "rows":
            component = plan.components[id]
            return f"`{component.event}` has no {'matching ' if component.where else ''}rows"
        case Value(id=id) if plan.components[id].aggregate == "weight":
            return f"`{plan.components[id].event}` counts 0"
        case Result(id=id):
            return f"`{steps[id].kpi}` is 0"
        case _:
            return ""
