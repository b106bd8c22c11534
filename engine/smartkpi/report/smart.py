"""Goals by the rules of SMART: a letter each, then what is wrong, why it matters and what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from smartkpi.assess.smart import NOT_READ, UNREADABLE, WORST, Finding, Mark, Score
from smartkpi.diagnostics import Diagnostic, Severity, place_of, to_github
from smartkpi.report import markdown
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style, fold, plain
from smartkpi.report.table import draw
from smartkpi.rules import LETTERS, MEANINGS, rules

WIDTH, INDENT = 100, 11
TONES: Mapping[str, str] = {
    "pass": "good",
    "warn": "warning",
    "fail": "critical",
    "unknown": "faint",
    "silenced": "faint",
}
SHOWN: Mapping[str, str] = {"unknown": "?"}
SEVERITIES = {"fail": Severity.ERROR, "warn": Severity.WARNING}
UNREAD = "kpi check --smart --data reads the data, for "


def render(scores: Sequence[Score], style: Style) -> str:
    """Return goals as a table of letters, and below what each lacks."""
    if not scores:
        return "no goals\n"
    told: set[str] = set()
    parts = [draw([_grid(scores)], style)]
    parts += ["\n".join(_goal(one, style, told)) + "\n" for one in scores if _said(one) or one.lineage]
    unread = _unread(scores)
    if unread:
        parts.append("\n".join(_folded("", f"{UNREAD}{' '.join(unread)}", style)) + "\n")
    return "\n".join(parts)


def _grid(scores: Sequence[Score]) -> Grid:
    heads = (Column("goal", fold=True), *(Column(letter) for letter in LETTERS), Column("SMART"))
    tones = {"yes": "good", "no": "critical", "unknown": "faint"}
    rows = tuple(
        (
            Cell(plain(one.goal)),
            *(Cell(SHOWN.get(mark, mark), TONES[mark]) for mark in (one.mark(letter) for letter in LETTERS)),
            Cell(SHOWN.get(one.smart, one.smart), tones[one.smart]),
        )
        for one in scores
    )
    return Grid("", heads, rows, 1)


def _said(one: Score) -> list[Finding]:
    """Return what is to be told of a goal: what does not hold; that no data was read is told once for all."""
    return [found for found in one.findings if found.mark != "pass" and found.message != NOT_READ]


def _unread(scores: Iterable[Score]) -> list[str]:
    codes = {found.rule.code for one in scores for found in one.findings if found.message == NOT_READ}
    return [code for code in rules() if code in codes]


def _goal(one: Score, style: Style, told: set[str]) -> Iterator[str]:
    title = "" if one.spec is None else one.spec.label.get(style.lang)
    days = "" if one.days is None else f", {one.days[0]} to {one.days[1]}"
    yield from _folded("", one.goal + days + (f": {title}" if title else ""), style)
    for findings in _grouped(_said(one)):
        first = findings[0]
        others = first.message == UNREADABLE
        codes = "all other rules" if others else " ".join(found.rule.code for found in findings)
        lead = f"  {codes} {SHOWN.get(first.mark, first.mark)}"
        yield from _folded(f"{lead:<{INDENT}}" if len(lead) < INDENT else f"{lead}  ", first.message, style)
        if first.reason:
            yield from _folded(" " * INDENT, f"silenced: {first.reason}", style)
            continue
        if first.rule.code not in told and first.mark in ("warn", "fail"):
            told.add(first.rule.code)
            yield from _folded(" " * INDENT, f"why: {first.rule.why}", style)
        if first.write:
            yield from _folded(" " * INDENT, f"fix: {first.write}", style)
    for line in one.lineage:
        yield from _folded(f"{'  from':<{INDENT}}", line, style)


def _grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return findings, the worst first, those that say the same together."""
    order: tuple[Mark, ...] = (*WORST, "silenced")
    found: dict[tuple[Mark, str], list[Finding]] = {}
    for one in sorted(findings, key=lambda one: order.index(one.mark)):
        found.setdefault((one.mark, one.message), []).append(one)
    return list(found.values())


def _folded(lead: str, text: str, style: Style) -> Iterator[str]:
    lines = fold(plain(text), max((style.width or WIDTH) - len(lead), 20))
    yield lead + lines[0]
    yield from (" " * len(lead) + line for line in lines[1:])


def as_markdown(scores: Sequence[Score], style: Style) -> str:
    """Return goals as Markdown: the letters, then a list a goal."""
    if not scores:
        return "no goals\n"
    parts = [markdown.draw(_grid(scores))]
    for one in scores:
        lines = [_bullet(found) for found in _said(one)]
        if lines:
            title = "" if one.spec is None else one.spec.label.get(style.lang)
            head = f"### {markdown.escape(plain(title or one.goal))}"
            parts.append("\n".join([head, "", *lines]) + "\n")
    if unread := _unread(scores):
        parts.append(f"`kpi check --smart --data` reads the data, for {' '.join(unread)}\n")
    return "\n".join(parts)


def _bullet(one: Finding) -> str:
    text = f"- **{one.rule.code}** {one.mark}: {markdown.escape(plain(one.message))}"
    if one.reason:
        return f"{text}. Silenced: {markdown.escape(plain(one.reason))}"
    end = "" if one.message.endswith(("?", "!", ".")) else "."
    text += f"{end} {markdown.escape(one.rule.why)}" if one.mark in ("warn", "fail") else ""
    tick = "``" if "`" in one.write else "`"
    return text + (f" Fix: {tick}{plain(one.write)}{tick}" if one.write else "")


def as_data(scores: Sequence[Score], lang: str = "en") -> list[dict[str, Any]]:
    """Return goals by the rules as plain data."""
    return [
        {
            "goal": one.goal,
            "kpi": None if one.spec is None else one.spec.kpi,
            "title": "" if one.spec is None else one.spec.label.get(lang),
            "start": None if one.days is None else one.days[0].isoformat(),
            "deadline": None if one.days is None else one.days[1].isoformat(),
            "smart": one.smart,
            "letters": {MEANINGS[letter]: one.mark(letter) for letter in LETTERS},
            "from": list(one.lineage),
            "rules": [_rule(found) for found in one.findings],
        }
        for one in scores
    ]


def _rule(one: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {"code": one.rule.code, "level": one.rule.level, "mark": one.mark, "asks": one.rule.asks}
    if one.mark != "pass":
        found |= {"message": one.message, "why": one.rule.why, "write": one.write, "place": place_of(one.place)}
    return found | ({"reason": one.reason} if one.reason else {})


def as_github(scores: Sequence[Score]) -> str:
    """Return what fails or warns as workflow commands, each beside its line."""
    lines = []
    for one in scores:
        for found in one.findings:
            if found.mark in SEVERITIES:
                severity = SEVERITIES[found.mark]
                hint = f"fix: {found.write}" if found.write else ""
                message = f"{one.goal}: {found.message}"
                lines.append(to_github(Diagnostic(found.rule.code, message, found.place, hint, (), severity)))
    return "".join(f"{line}\n" for line in lines)


FORMATS: Mapping[str, Callable[[Sequence[Score], Style], str]] = {"text": render, "markdown": as_markdown}
