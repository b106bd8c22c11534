"""Goals by the rules of SMART: a letter each, then what is wrong, why it matters and what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from smartkpi.assess.smart import NOT_READ, UNREADABLE, WORST, Finding, Mark, Score
from smartkpi.diagnostics import Diagnostic, Severity, place_of, to_github
from smartkpi.report import markdown
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.review_words import saying_text, why_text, write_text
from smartkpi.report.style import Style, cells, fold, pad, plain
from smartkpi.report.table import draw
from smartkpi.report.words import word
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


def render(scores: Sequence[Score], style: Style) -> str:
    """Return goals as a table of letters, and below what each lacks."""
    if not scores:
        return f"{word(style.lang, 'no_goal')}\n"
    told: set[str] = set()
    parts = [draw([_grid(scores, style.lang)], style)]
    parts += ["\n".join(_goal(one, style, told)) + "\n" for one in scores if _said(one) or one.lineage]
    unread = _unread(scores)
    if unread:
        parts.append("\n".join(_folded("", word(style.lang, "unread").format(" ".join(unread)), style)) + "\n")
    return "\n".join(parts)


def _grid(scores: Sequence[Score], lang: str) -> Grid:
    heads = (Column(word(lang, "goal"), fold=True), *(Column(letter) for letter in LETTERS), Column("SMART"))
    tones = {"yes": "good", "no": "critical", "unknown": "faint"}
    rows = tuple(
        (
            Cell(plain(one.goal)),
            *(Cell(_mark(mark, lang), TONES[mark]) for mark in (one.mark(letter) for letter in LETTERS)),
            Cell(_mark(one.smart, lang), tones[one.smart]),
        )
        for one in scores
    )
    return Grid("", heads, rows, 1)


def _mark(mark: str, lang: str) -> str:
    return SHOWN.get(mark) or word(lang, mark)


def _said(one: Score) -> list[Finding]:
    """Return what is to be told of a goal: what does not hold; that no data was read is told once for all."""
    return [found for found in one.findings if found.mark != "pass" and found.message != NOT_READ]


def _unread(scores: Iterable[Score]) -> list[str]:
    codes = {found.rule.code for one in scores for found in one.findings if found.message == NOT_READ}
    return [code for code in rules() if code in codes]


def _goal(one: Score, style: Style, told: set[str]) -> Iterator[str]:
    title = "" if one.spec is None else one.spec.label.get(style.lang)
    lang, colon = style.lang, word(style.lang, "colon")
    days = "" if one.days is None else word(lang, "comma") + word(lang, "from_to").format(*one.days)
    yield from _folded("", one.goal + days + (f"{colon}{title}" if title else ""), style)
    for findings in _grouped(_said(one)):
        first = findings[0]
        others = first.message == UNREADABLE
        codes = word(lang, "other_rules") if others else " ".join(found.rule.code for found in findings)
        lead = f"  {codes} {_mark(first.mark, lang)}"
        lead = pad(lead, INDENT) if cells(lead) < INDENT else f"{lead}  "
        yield from _folded(lead, saying_text(lang, first.message), style)
        if first.reason:
            yield from _folded(" " * INDENT, f"{word(lang, 'silenced')}{colon}{first.reason}", style)
            continue
        if first.rule.code not in told and first.mark in ("warn", "fail"):
            told.add(first.rule.code)
            why = why_text(lang, first.rule.code, first.rule.why)
            yield from _folded(" " * INDENT, f"{word(lang, 'why')}{colon}{why}", style)
        if first.write:
            yield from _folded(" " * INDENT, f"{word(lang, 'fix')}{colon}{write_text(lang, first.write)}", style)
    for line in one.lineage:
        yield from _folded(pad(f"  {word(lang, 'from')}", INDENT), line, style)


def _grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return findings, the worst first, those that say the same together."""
    order: tuple[Mark, ...] = (*WORST, "silenced")
    found: dict[tuple[Mark, str], list[Finding]] = {}
    for one in sorted(findings, key=lambda one: order.index(one.mark)):
        found.setdefault((one.mark, one.message), []).append(one)
    return list(found.values())


def _folded(lead: str, text: str, style: Style) -> Iterator[str]:
    lines = fold(plain(text), max((style.width or WIDTH) - cells(lead), 20))
    yield lead + lines[0]
    yield from (" " * cells(lead) + line for line in lines[1:])


def as_markdown(scores: Sequence[Score], style: Style) -> str:
    """Return goals as Markdown: the letters, then a list a goal."""
    lang = style.lang
    if not scores:
        return f"{word(lang, 'no_goal')}\n"
    parts = [markdown.draw(_grid(scores, lang))]
    for one in scores:
        lines = [_bullet(found, lang) for found in _said(one)]
        if lines:
            title = "" if one.spec is None else one.spec.label.get(lang)
            head = f"### {markdown.escape(plain(title or one.goal))}"
            parts.append("\n".join([head, "", *lines]) + "\n")
    if unread := _unread(scores):
        told = word(lang, "unread").format(" ".join(unread))
        parts.append(told.replace("kpi check --smart --data", "`kpi check --smart --data`", 1) + "\n")
    return "\n".join(parts)


def _stop(message: str, lang: str) -> str:
    """Return what ends a sentence, nothing but a blank where that has an end."""
    stop = word(lang, "stop")
    return stop.lstrip(".。") if message.endswith(tuple("?!.？！。")) else stop


def _bullet(one: Finding, lang: str) -> str:
    message, colon = saying_text(lang, one.message), word(lang, "colon")
    text = f"- **{one.rule.code}** {word(lang, one.mark)}{colon}{markdown.escape(plain(message))}"
    if one.reason:
        silenced = word(lang, "silenced")
        silenced = silenced[:1].upper() + silenced[1:]
        return f"{text}{_stop(message, lang)}{silenced}{colon}{markdown.escape(plain(one.reason))}"
    if one.mark in ("warn", "fail"):
        text += f"{_stop(message, lang)}{markdown.escape(why_text(lang, one.rule.code, one.rule.why))}"
    write = plain(write_text(lang, one.write))
    tick = "``" if "`" in write else "`"
    fix = word(lang, "fix")
    return text + (f" {fix[:1].upper()}{fix[1:]}{colon}{tick}{write}{tick}" if write else "")


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
