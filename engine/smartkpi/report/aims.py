"""How a goal stands in plain values and words, for all surfaces that say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import polars as pl

from smartkpi.assess.standing import Standing
from smartkpi.report.numbers import form_of, format_number
from smartkpi.report.style import Style
from smartkpi.report.words import word
from smartkpi.result import KpiInfo

TONES = {
    **dict.fromkeys(("on_track", "achieved"), "good"),
    "at_risk": "warning",
    **dict.fromkeys(("off_track", "missed"), "critical"),
}
GLYPHS = {"good": "●", "warning": "▲", "critical": "■", "": "◌"}
GLYPHS_ASCII = {"good": "+", "warning": "!", "critical": "x", "": "."}
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("goal", "kpi", "title", "owner", "parent", "by", "segment", "period"), pl.String),
    **dict.fromkeys(("day", "start", "deadline"), pl.Date),
    **dict.fromkeys(("aim", "status", "reason"), pl.String),
    "final": pl.Boolean,
    **dict.fromkeys(("value", "expected", "target", "upper", "baseline", "progress", "share", "pace"), pl.Float64),
    **dict.fromkeys(("gap", "required", "lift", "burn", "exhausted", "behind"), pl.Float64),
    **dict.fromkeys(("projection", "low80", "high80", "p"), pl.Float64),
    "method": pl.String,
    "history_days": pl.Int64,
    **dict.fromkeys(("what_if", "rate", "needed"), pl.Float64),
    **dict.fromkeys(("days", "done", "days_left", "paused"), pl.Int64),
    **dict.fromkeys(("kept", "counted", "periods"), pl.Int64),
    "n": pl.Int64,
    **dict.fromkeys(("coverage", "provisional", "weight", "score"), pl.Float64),
    "since": pl.Date,
    **dict.fromkeys(("previous", "original"), pl.String),
    "flags": pl.List(pl.String),
    "children": pl.String,
    "children_status": pl.String,
    "children_progress": pl.Float64,
    **dict.fromkeys(("unit", "currency"), pl.String),
}
"""The columns of the tidy table."""


def to_frame(standings: Sequence[Standing]) -> pl.DataFrame:
    """Return standings as a tidy table."""
    return pl.DataFrame([_row(one) for one in standings], schema=SCHEMA)


def _row(one: Standing) -> dict[str, Any]:
    goal, facts, measures, spec = one.goal, one.facts, one.verdict.measures, one.goal.spec
    each = goal.kind == "each" and one.period is None
    unit = goal.kpi.type.unit
    return {
        "goal": goal.name,
        "kpi": goal.kpi.name,
        "title": spec.label.get() or None,
        "owner": spec.owner,
        "parent": spec.parent,
        "by": ", ".join(goal.by) or None,
        "segment": None if one.segment is None else ", ".join(one.segment),
        "period": one.period,
        "day": one.day,
        "start": one.start,
        "deadline": one.deadline,
        "aim": goal.aim,
        "status": one.verdict.status,
        "reason": one.verdict.reason if one.verdict.reason != "guardrail" else f"guardrail {facts.guardrail}",
        "final": one.verdict.final,
        **{name: digits(value) for name, value in (
            ("value", facts.value), ("expected", facts.expected), ("target", facts.target), ("upper", facts.upper),
            ("baseline", facts.baseline), ("progress", measures.progress), ("share", facts.share),
            ("pace", measures.pace), ("gap", measures.gap), ("required", measures.required), ("lift", measures.lift),
            ("burn", measures.burn), ("exhausted", measures.exhausted), ("behind", one.behind),
            ("coverage", facts.coverage), ("provisional", one.provisional), ("score", one.score),
            ("children_progress", one.children_progress),
        )},
        **_estimate(one),
        "what_if": digits(one.what_if),
        "rate": digits(rate_of(one)),
        "needed": digits(one.needed),
        "days": facts.days,
        "done": facts.done,
        "days_left": one.days_left,
        "paused": one.paused,
        "kept": facts.kept if each or facts.counted else None,
        "counted": facts.counted if each or facts.counted else None,
        "periods": facts.periods if each else None,
        "n": facts.sample,
        "weight": float(spec.weight),
        "since": one.since,
        "previous": one.previous,
        "original": one.original,
        "flags": flags(one),
        "children": ", ".join(f"{count} {status}" for status, count in one.children.items()) or None,
        "children_status": one.children_status,
        "unit": unit.name,
        "currency": unit.currency,
    }  # fmt: skip


def rate_of(one: Standing) -> float | None:
    """Return what each day so far has brought, of a ratio what it is."""
    facts = one.facts
    if facts.value is None or not facts.done or facts.kind not in ("total", "whole"):
        return None
    return facts.value / facts.done if facts.kind == "total" else facts.value


def _estimate(one: Standing) -> dict[str, Any]:
    """Return where a goal may end: no probability has more than two digits, as none is known better."""
    outlook, chance = one.facts.outlook, one.verdict.measures.chance
    if outlook is None:
        return dict.fromkeys(("projection", "low80", "high80", "p", "method", "history_days"))
    low, high = (None, None) if chance is None else outlook.interval
    return {
        "projection": digits(outlook.mean),
        "low80": digits(low),
        "high80": digits(high),
        "p": None if chance is None else round(chance, 2),
        "method": outlook.method,
        "history_days": outlook.days,
    }


def digits(value: float | None) -> float | None:
    """Return a number with 12 significant digits, as all values have."""
    return None if value is None else float(f"{value:.12g}")


def flags(one: Standing) -> list[str]:
    """Return what is to be known of a standing."""
    measures, facts = one.verdict.measures, one.facts
    said = {
        "secured": measures.secured or one.verdict.reason == "secured",
        "unreachable": measures.unreachable,
        "exceeded": measures.exceeded,
        "met_at_start": measures.at_start,
        "revised": facts.revised,
        "derived_baseline": facts.derived_baseline and one.goal.kind != "total",
        "provisional": one.provisional is not None,
        "zero_history": facts.silent,
    }
    return [name for name, holds in said.items() if holds]


def amount_text(info: KpiInfo | None, value: float | None) -> str:
    """Return an amount in the format of its KPI; nothing where there is none."""
    if value is None:
        return ""
    form = form_of(info.format if info else None, info.unit if info else None)
    return format_number(float(f"{value:.12g}"), form, None, info.currency if info else None)


def target_text(info: KpiInfo | None, one: Standing) -> str:
    """Return a target, of a range both ends."""
    text = amount_text(info, one.facts.target)
    return f"{text}..{amount_text(info, one.facts.upper)}" if one.facts.upper is not None else text


def status_text(one: Standing, style: Style) -> tuple[str, str]:
    """Return a status with its glyph, and its tone."""
    status = one.verdict.status
    tone = TONES.get(status, "")
    glyphs = GLYPHS if style.unicode else GLYPHS_ASCII
    return f"{glyphs[tone]} {word(style.lang, status)}", tone or "faint"


def chance_text(one: Standing) -> str:
    """Return the probability to hit in whole percents: nothing in between is known."""
    chance = one.verdict.measures.chance
    if chance is None:
        return ""
    return "<1%" if 0 < chance < 0.005 else ">99%" if 0.995 <= chance < 1 else f"{chance:.0%}"


def more_text(more: float | None) -> str:
    """Return by how much more, or less: `+10%`."""
    return "" if more is None else f"{more:+.0%}" if abs(more) >= 0.1 or more == round(more, 2) else f"{more:+.1%}"


def projection_text(info: KpiInfo | None, one: Standing) -> str:
    """Return where a goal may end, with the 80 % interval where one is known."""
    outlook = one.facts.outlook
    if outlook is None:
        return ""
    if one.facts.kind == "each":
        low, high = outlook.interval
        return f"{outlook.mean:.3g}/{one.facts.periods} ({low:.0f}..{high:.0f})"
    form, money = form_of(info.format if info else None, info.unit if info else None), info.currency if info else None
    ends = () if one.verdict.measures.chance is None else outlook.interval
    total = one.facts.kind == "total"
    mean, *some = (format_number(rough(value, form, total=total), form, None, money) for value in (outlook.mean, *ends))
    return f"{mean} ({some[0]}..{some[1]})" if some else mean


def rough(value: float, form: str, *, total: bool = True) -> float:
    """Return an estimate without the digits that nobody knows: three; from a hundred on, of a total from ten, whole."""
    few = abs(value) < (10 if total else 100) or form == "percent"
    return float(f"{value:.3g}") if few else float(round(value))


def reason_text(one: Standing, style: Style) -> str:
    """Return why a goal stands as it does, in words."""
    reason = one.verdict.reason
    if reason in ("pace", "probability", one.verdict.status):
        return ""
    text = word(style.lang, f"reason_{reason}")
    return text.format(one.facts.guardrail) if reason == "guardrail" else text


def rows_of(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows as plain values: days as ISO text, whole numbers as such."""
    for row in frame.iter_rows(named=True):
        yield {name: plain_value(value) for name, value in row.items()}


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it."""
    match value:
        case date():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 1e15:
            return int(value)
        case _:
            return value
