"""What has changed since the last time: alerts of KPIs now, against those that a file remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from smartkpi.api.failures import UsageError
from smartkpi.assess.alerts import alerts
from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text
from smartkpi.report.numbers import form_of, format_number
from smartkpi.result import KpiInfo, Result, Transition
from smartkpi.semantics.literals import SECONDS
from smartkpi.spec.model import Kpi

MISSING = "data_missing"
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """The alert of a KPI in a segment: its status, since which period, and the last period that was judged."""

    kpi: str
    where: str
    level: str
    segment: Mapping[str, str | None]
    status: str | None
    since: str | None = None
    period: str | None = None
    value: float | None = None
    text: str = ""
    missing: bool = False
    day: date = date.max

    @property
    def key(self) -> str:
        """What tells it apart from others."""
        return json.dumps([self.kpi, self.where, self.level, dict(self.segment)], ensure_ascii=False, sort_keys=True)


def standings(result: Result, kpis: Mapping[str, Kpi], where: str) -> Iterator[Standing]:
    """Yield the alerts of a result of one grain, which has all periods of its KPIs."""
    series: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in result.frame.iter_rows(named=True):
        if row["start"] is not None:
            series.setdefault((row["kpi"], row["level"], *(row[name] for name in result.by)), []).append(row)
    for (name, level, *values), rows in series.items():
        rules = kpis[name].rules_on(rows[-1]["start"].date())
        found = alerts([row["status"] for row in rows], rules.hold, rules.keep)
        judged = [row for row in rows if row["status"] in ("good", "warning", "critical")]
        last = judged[-1] if judged else None
        turned = next((i for i in range(len(found) - 1, -1, -1) if found[i] != found[-1]), -1) + 1
        segment = {n: _plain(value) if level == "segment" else None for n, value in zip(result.by, values, strict=True)}
        yield Standing(
            kpi=name,
            where=where,
            level=level,
            segment=segment,
            status=found[-1],
            since=None if found[-1] is None else _period(result.calendar, rows[turned]),
            period=None if last is None else _period(result.calendar, last),
            value=None if last is None else last["value"],
            text="" if last is None else _text(result.kpis[name], last),
            day=(last or rows[-1])["start"].date(),
            missing=_is_missing(result, kpis[name]),
        )


def _plain(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _period(calendar: Calendar, row: Mapping[str, Any]) -> str:
    grain = Grain(row["grain"])
    start = row["start"]
    return "all" if grain is Grain.ALL else period_text(calendar, grain, start if grain is Grain.HOUR else start.date())


def _text(info: KpiInfo, row: Mapping[str, Any]) -> str:
    return format_number(row["value"], form_of(info.format, row["unit"]), row["money"], row["currency"])


def _is_missing(result: Result, kpi: Kpi) -> bool:
    """Say whether some dataset has been silent up to the as-of for longer than a KPI bears."""
    moment = result.provenance.as_of.get(kpi.name)
    stale = None if moment is None else kpi.rules_on(moment.date()).stale_after
    if stale is None or moment is None:
        return False
    allowed = timedelta(seconds=stale.count * SECONDS[stale.unit])
    lasts = [one.get("last") for one in result.provenance.datasets.values()]
    return any(moment + TICK - _end(last, moment) > allowed for last in lasts if last is not None)


def _end(last: Any, like: datetime) -> datetime:
    """Return the end of a day, or a moment, in the zone of another."""
    if isinstance(last, datetime):
        return last if last.tzinfo else last.replace(tzinfo=like.tzinfo)
    day: date = last
    return datetime(day.year, day.month, day.day, tzinfo=like.tzinfo) + timedelta(days=1)


def compare(
    before: Mapping[str, Mapping[str, Any]], now: Sequence[Standing], kpis: Mapping[str, Kpi], lang: str
) -> tuple[tuple[Transition, ...], dict[str, Mapping[str, Any]]]:
    """Return what has changed, and what to remember. What is good at the first sight is no news."""
    found: list[Transition] = []
    kept = {key: one for key, one in before.items() if json.loads(key)[0] in kpis}
    for key, one in before.items():
        name, where, level, segment = json.loads(key)
        if name not in kpis and one.get("status") not in (None, "good"):
            gone = "the KPI is no longer defined"
            found.append(Transition(name, name, one.get("status"), None, level, segment, where, reason=gone))
    for standing in now:
        old = before.get(standing.key, {})
        kpi = kpis[standing.kpi]
        label = kpi.label.get(lang) or standing.kpi
        was, status = old.get("status"), standing.status
        if status is not None and status != was and not (was is None and status == "good"):
            said = kpi.rules_on(standing.day).advice.get(status)
            found.append(_turned(standing, label, was, status, said.get(lang) if said else ""))
        if standing.missing != bool(old.get("missing")):
            sides = (None, MISSING) if standing.missing else (MISSING, None)
            found.append(_turned(standing, label, *sides))
        known = {"status": status if status is not None else was, "since": standing.since, "period": standing.period}
        kept[standing.key] = {**known, "missing": standing.missing}
    return tuple(found), kept


def _turned(one: Standing, label: str, before: str | None, after: str | None, advice: str = "") -> Transition:
    return Transition(
        one.kpi,
        label,
        before,
        after,
        one.level,
        one.segment,
        one.where,
        one.since,
        one.period,
        one.value,
        one.text,
        advice,
    )


def read_state(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return what a file remembers, nothing where there is none yet.

    Raises UsageError (`bad-state`) where it is no such file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        states = found["states"]
        if found["smartkpi"] != 1 or not all(len(json.loads(key)) == 4 for key in states):
            raise ValueError
        return {str(key): dict(one) for key, one in states.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise UsageError(Diagnostic("bad-state", message, hint="--since-last takes a file of its own")) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"`{path}` is no file that --since-last has written"
        hint = "name another file; it is made where it is not there"
        raise UsageError(Diagnostic("bad-state", message, hint=hint)) from error


def state_text(states: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return what a file is to remember."""
    data = {"smartkpi": 1, "states": {key: states[key] for key in sorted(states)}}
    return (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode()
