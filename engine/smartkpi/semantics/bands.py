"""Bands of a KPI: of values, held against each other; and conditions, which are row expressions over the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import BARE, NUMBER, PLAIN, UNKNOWN, Kind, Type
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.calls import written as text_at
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Apply, Band, Expr, Field
from smartkpi.semantics.literals import FAILED, Constants, constant
from smartkpi.semantics.rows import type_row
from smartkpi.semantics.scope import EventScope, Namespace
from smartkpi.source import Span
from smartkpi.spec.model import Kpi, Threshold
from smartkpi.tree import walk

HELD = ("value", "previous", "growth", "benchmark", "target")
"""What a condition may name."""


@dataclass(slots=True)
class Judged:
    """A KPI whose bands are being checked: its type; the conditions and segments found so far, each once, by number."""

    spec: Kpi
    type: Type
    conditions: list[Expr] = field(default_factory=list)
    scopes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def names(self) -> frozenset[str]:
        """What of HELD the conditions name."""
        return frozenset(node.name for one in self.conditions for node in walk(one) if isinstance(node, Field))


def check_bands(spec: Kpi, judged: Judged, space: Namespace, findings: Findings) -> tuple[Band, ...]:
    """Return the bands of a KPI, or of a segment of it, as they are written in ``spec``."""
    found = (_check(one, judged, space, findings) for one in spec.thresholds)
    bands = tuple(band for band in found if band is not None)
    _compare_bands(spec, bands, findings)
    return bands


def _check(written: Threshold, judged: Judged, space: Namespace, findings: Findings) -> Band | None:
    if isinstance(written.band, syntax.Band):
        return _check_band(written.status, written.band, judged.type, space.constants, findings)
    condition = _condition(written.band, judged, space, findings)
    if condition is None:
        return None
    if condition not in judged.conditions:
        judged.conditions.append(condition)
    return written.status, "if", (Decimal(judged.conditions.index(condition)),)


def _check_band(status: str, written: syntax.Band, type: Type, constants: Constants, findings: Findings) -> Band | None:
    """Return a band with its bounds as numbers."""
    bounds = []
    for bound in written.bounds:
        found = number(bound, type, constants, "band", findings)
        if found is None:
            return None
        bounds.append(found)
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        low, high = (text_at(bound.span) for bound in reversed(written.bounds))
        hint = f"write `between {low} and {high}`"
        findings.error("bad-band", "no number lies in this band: its ends are swapped", written.span, hint)
        return None
    return status, written.operator, tuple(bounds)


def number(written: syntax.Expr, type: Type, constants: Constants, what: str, findings: Findings) -> Decimal | None:
    """Return a number that values of a type are held against, or say what is wrong with it."""
    found = constant(written, constants, findings)
    if found is FAILED:
        return None
    if not isinstance(found.value, Decimal):
        message = f"a {what} is held against a number, this is {describe(found.type)}"
        findings.error("bad-band", message, written.span)
        return None
    known = type.kind is not Kind.UNKNOWN
    if known and found.type.unit not in (BARE, PLAIN) and found.type.unit.name != type.unit.name:
        findings.error(
            "unit-mismatch", f"the {what} is {describe(found.type)}, the KPI is {describe(type)}", written.span
        )
        return None
    return found.value


def _condition(written: syntax.Expr, judged: Judged, space: Namespace, findings: Findings) -> Expr | None:
    """Return a condition over the values of a KPI, typed as one over the fields of a row."""
    names = [node for node in walk(written) if isinstance(node, syntax.Name)]
    before = findings.failed
    findings.failed = False
    for name in names:
        _check_name(name, judged, space, findings)
    wrong, findings.failed = findings.failed, findings.failed or before
    if wrong:
        return None
    if not {"value", "growth"} & {name.text for name in names}:
        hint = "such as `value >= 0.9 * previous`"
        findings.error("bad-band", "the condition does not look at the KPI's `value`", written.span, hint)
        return None
    fields = dict.fromkeys(HELD, judged.type) | {"growth": NUMBER}
    if judged.type.kind is Kind.UNKNOWN:
        fields = dict.fromkeys(HELD, UNKNOWN)
    scope = EventScope(judged.spec.name, None, fields, False, False, space.constants, space.calendar)
    typed = type_row(written, scope, findings)
    if typed.type.kind not in (Kind.BOOLEAN, Kind.UNKNOWN):
        hint = f"write `value >= {text_at(written.span)}`"
        message = f"a threshold is a band of values or a condition, this is {describe(typed.type)}"
        findings.error("not-a-condition", message, written.span, hint)
    for node in walk(written):
        if isinstance(node, syntax.Apply) and node.function in FUNCTIONS and FUNCTIONS[node.function].kind == "row":
            message = f"`{node.function}` works on the values of a row of data, a threshold is about a KPI's"
            findings.error("row-function", message, node.span, "a threshold compares numbers")
    return None if typed is FAILED else typed


def _check_name(name: syntax.Name, judged: Judged, space: Namespace, findings: Findings) -> None:
    if name.text == "target" and space.aimed is not None and judged.spec.name not in space.aimed:
        hint = "give it a `goal`, or write the number here"
        findings.error("bad-band", f"`{judged.spec.name}` has no goal, so that it has no target", name.span, hint)
    elif name.text == "benchmark" and all(one.benchmark is None for one in judged.spec.ruled):
        hint = "write `benchmark: {value: …, source: …}` beside the bands"
        findings.error("bad-band", f"`{judged.spec.name}` has no benchmark", name.span, hint)
    elif name.text not in HELD and name.text not in space.constants:
        message = (
            f"a threshold is a condition over {', '.join(f'`{one}`' for one in HELD)}; `{name.text}` is none of these"
        )
        hint = did_you_mean(name.text, (*HELD, *space.constants))
        if len(name.parts) > 1:
            hint = "an aggregate stands in a formula: make it the `benchmark`"
        elif name.text in space.events or name.text in space.written:
            hint = f"make it the benchmark: `benchmark: {name.text}`, and write `value >= benchmark`"
        findings.error("bad-band", message, name.span, hint)


def place_of(spec: Kpi, *wanted: str) -> Span | None:
    """Return where a band of a KPI first names something."""
    written = spec.bands
    names = (node for one in written for expr in one.exprs for node in walk(expr) if isinstance(node, syntax.Name))
    return next((name.span for name in names if name.text in wanted), None)


def _compare_bands(spec: Kpi, bands: tuple[Band, ...], findings: Findings) -> None:
    """Warn of a band that a better one already takes all of."""
    for index, (status, operator, bounds) in enumerate(bands):
        for better, above, limits in bands[:index]:
            up = operator in (">=", ">") and above in (">=", ">") and bounds[0] >= limits[0]
            down = operator in ("<=", "<") and above in ("<=", "<") and bounds[0] <= limits[0]
            if (up or down) and (bounds != limits or operator == above or len(above) > len(operator)):
                span = next((t.band.span for t in spec.thresholds if t.status == status), spec.span)
                message = f"no value is `{status}`: `{better}` takes all of that band"
                hint = f"bands go from best to worst, each wider than the one before: swap `{status}` and `{better}`?"
                findings.warn("unreachable-band", message, span, hint)
                break
    _compare_ends(spec, bands, findings)


UP, DOWN = (">=", ">"), ("<=", "<")
OTHER_WAY = {">=": "at most", ">": "below", "<=": "at least", "<": "above"}


def _compare_ends(spec: Kpi, bands: tuple[Band, ...], findings: Findings) -> None:
    """Warn of a band on the other side of what is better: what lies beyond the good ones would be half good."""
    ends = {status: operator for status, operator, _ in bands if operator in (*UP, *DOWN)}
    better = {"higher": UP, "lower": DOWN}.get(spec.direction or direction(bands))
    for status in ("good", "warning"):
        if better is None or ends.get(status, better[0]) in better:
            continue
        band = next(t.band for t in spec.thresholds if t.status == status)
        assert isinstance(band, syntax.Band)
        bound = text_at(band.bounds[0].span)
        said = "`direction`" if spec.direction else "`good`"
        message = f"{said} says that {'higher' if better is UP else 'lower'} is better, `{status}` the opposite"
        hint = f"write `{status}: {OTHER_WAY[band.operator]} {bound}`"
        findings.warn("contradicting-band", message, band.span, hint)


def direction(bands: Sequence[Band], conditions: Sequence[Expr] = ()) -> str:
    """Return which values are better, as far as the good band tells."""
    for status, operator, bounds in bands:
        if status == "good":
            sign = _sign(conditions[int(bounds[0])]) if operator == "if" and conditions else operator
            return {">=": "higher", ">": "higher", "<=": "lower", "<": "lower"}.get(sign, "none")
    return ""


_MIRRORED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}


def _sign(condition: Expr) -> str:
    """Return the sign behind a value that a condition compares, nothing of any other condition."""
    if not isinstance(condition, Apply) or condition.function not in _MIRRORED:
        return ""
    left, right = (isinstance(one, Field) and one.name in ("value", "growth") for one in condition.args)
    return condition.function if left else _MIRRORED[condition.function] if right else ""
