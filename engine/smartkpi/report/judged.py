"""What is said of statuses below a scorecard: why there is none, what to do, where benchmarks come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smartkpi.assess.diagnoses import Finding
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text
from smartkpi.report.style import Style, plain
from smartkpi.report.words import word
from smartkpi.result import KpiInfo, Result

Row = Mapping[str, Any]
LINES_SHOWN = 10


def benchmark_of(result: Result) -> Mapping[tuple[Any, ...], float]:
    """Return the benchmarks of rows, by KPI, start, level and segment."""
    rows = result.benchmarks.iter_rows(named=True)
    return {place_of(result, row): row["benchmark"] for row in rows}


def place_of(result: Result, row: Row) -> tuple[Any, ...]:
    """Return what tells a row apart from others."""
    start = row["start"]
    return row["kpi"], None if start is None else start.timestamp(), row["level"], *(row[name] for name in result.by)


def judged_notes(result: Result, rows: Sequence[Row], style: Style) -> list[str]:
    """Return a line for each thing to say of statuses; of many the first."""
    said: dict[str, None] = {}
    for row in rows:
        info, status = result.kpis.get(row["kpi"]), row["status"]
        if info is None or status is None:
            continue
        if status == "inconclusive" and row["reason"]:
            said[_line(info, word(style.lang, status), row["reason"], style)] = None
        if (advice := info.advice.get(status)) is not None:
            said[_line(info, word(style.lang, status), advice.get(style.lang), style)] = None
    more = len(said) - LINES_SHOWN
    lines = list(said)[:LINES_SHOWN] + ([f"+{more}"] if more > 0 else [])
    return lines + [_source(info, style) for info in _benchmarked(result)]


def finding_lines(result: Result, style: Style) -> list[str]:
    """Return a line for each diagnosis: what it says, or which KPIs are in the way; of many the first."""
    lines = [_finding(result, one, style) for one in sorted(result.findings, key=lambda one: one.holds is None)]
    more = len(lines) - LINES_SHOWN
    return lines[:LINES_SHOWN] + ([f"+{more}"] if more > 0 else [])


def _finding(result: Result, one: Finding, style: Style) -> str:
    colon, comma = word(style.lang, "colon"), word(style.lang, "comma")
    parts = [plain(one.label.get(style.lang) or one.name)]
    if one.start is not None and one.grain is not None:
        grain = Grain(one.grain)
        parts.append(period_text(result.calendar, grain, one.start if grain is Grain.HOUR else one.start.date()))
    parts += [str(value) for value in one.segment.values()]
    if result.by and one.level != "segment":
        parts.append(word(style.lang, one.level))
    if one.holds:
        said = one.say.get(style.lang)
    else:
        lacking = (f"{_label(result, kpi, style)} {word(style.lang, what)}" for kpi, what in one.lacking)
        said = colon.join([word(style.lang, "cannot_tell"), comma.join(lacking)])
    return f"{plain(comma.join(parts))}{colon}{plain(said)}"


def _label(result: Result, kpi: str, style: Style) -> str:
    info = result.kpis.get(kpi)
    return (info.label.get(style.lang) if info else "") or kpi


def _line(info: KpiInfo, status: str, text: str, style: Style) -> str:
    colon = word(style.lang, "colon")
    return f"{plain(info.label.get(style.lang) or info.name)}{colon}{status}{colon}{plain(text)}"


def _benchmarked(result: Result) -> list[KpiInfo]:
    names = dict.fromkeys(result.benchmarks["kpi"]) if result.benchmarks.height else {}
    found = (result.kpis[name] for name in names)
    return [info for info in found if info.benchmark is not None and (info.benchmark[0].texts or info.benchmark[1])]


def _source(info: KpiInfo, style: Style) -> str:
    assert info.benchmark is not None
    source, date = info.benchmark
    parts = [part for part in (source.get(style.lang), date) if part]
    colon, comma = word(style.lang, "colon"), word(style.lang, "comma")
    label = plain(info.label.get(style.lang) or info.name)
    return f"{label}{colon}{word(style.lang, 'benchmark')}{colon}{plain(comma.join(parts))}"
