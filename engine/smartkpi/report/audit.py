"""The review of a project: a line a rule, what it finds, why that matters, and what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smartkpi.assess.audit import Audit, Concern, Subject
from smartkpi.diagnostics import Diagnostic, Severity, place_of, to_github
from smartkpi.report import markdown
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.review_words import detail_text, found_text, why_text, write_text
from smartkpi.report.style import Style, cells, fold, plain
from smartkpi.report.table import draw
from smartkpi.report.words import word

WIDTH, LEAD = 100, 13
NEVER = "never"
SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "note": Severity.NOTE}


def render(found: Audit, style: Style) -> str:
    """Return a review as text."""
    width, lang = style.width or WIDTH, style.lang
    lines = [_head(found, style), ""]
    if found.concerns:
        lines += [draw([_grid(found, width, lang)], style)]
        fix = word(lang, "fix")
        for one in found.concerns:
            why, write = why_text(lang, one.rule.code, one.rule.why), write_text(lang, one.write)
            gap = "" if why.endswith("。") else " "
            text = f"{why}{gap}{fix[:1].upper()}{fix[1:]}{word(lang, 'colon')}{write}"
            lines += _folded(f"{one.rule.code:<{LEAD}}", text, width)
            if not _is_plain(one) and not _is_all(one):  # the table has no room for what is said of each
                lines += _folded(" " * LEAD, "; ".join(_told(subject, lang) for subject in one.subjects), width)
        lines += [line for text in _ends(found, width, lang) for line in ("", *_folded("", text, width))]
    else:
        lines.append(word(lang, "nothing_to_review"))
    lines += [line for name, one in found.silenced
              for line in _folded("", word(lang, "silenced_of").format(one.rule, name, one.reason), width)]  # fmt: skip
    return "\n".join(lines) + "\n"


def _head(found: Audit, style: Style) -> str:
    lang = style.lang
    counts = word(lang, "comma").join(_count(count, what, lang) for what, count in found.counts.items() if count)
    parts = [counts or word(lang, "nothing_defined"), word(lang, "as_of").format(found.day)]
    return (" · " if style.unicode else ", ").join(parts)


def _count(count: int, what: str, lang: str) -> str:
    many = "" if count == 1 else word(lang, "plural")
    return word(lang, "counted").format(count, word(lang, f"count_{what}") + many)


def _grid(found: Audit, width: int, lang: str) -> Grid:
    lead = [
        (
            one.rule.code,
            found_text(lang, one.rule.code, one.what),
            word(lang, "of_all").format(len(one.subjects), one.among),
        )
        for one in found.concerns
    ]
    room = width - sum(max(map(cells, column)) + 2 for column in zip(*lead, strict=True))
    which = (_which(one, lang, max(room, 30)) for one in found.concerns)
    rows = tuple((*map(Cell, texts), Cell(names)) for texts, names in zip(lead, which, strict=True))
    heads = (
        Column(word(lang, "rule")),
        Column(word(lang, "found")),
        Column("", right=True),
        Column(word(lang, "which")),
    )
    return Grid("", heads, rows, 1)


def _which(one: Concern, lang: str, room: int | None = None) -> str:
    """Return what is found, with what is said of it; where there is not room for all, names, as many as fit."""
    if _is_all(one):
        return word(lang, "all_of_them")
    if room is None:
        return (", " if _is_plain(one) else "; ").join(_told(subject, lang) for subject in one.subjects)
    texts = [plain(subject.name) for subject in one.subjects]
    for count in range(len(texts), 1, -1):
        more = word(lang, "and_more").format(len(texts) - count) if count < len(texts) else ""
        text = ", ".join(texts[:count]) + more
        if cells(text) <= room:
            return text
    return texts[0] + (word(lang, "and_more").format(len(texts) - 1) if len(texts) > 1 else "")


def _is_all(one: Concern) -> bool:
    """Say whether the same is found of all that there are."""
    return len(one.subjects) == one.among > 1 and len({subject.detail for subject in one.subjects}) == 1


def _is_plain(one: Concern) -> bool:
    """Say whether names alone tell what is found."""
    return {subject.detail for subject in one.subjects} <= {"", NEVER}


def _ends(found: Audit, width: int, lang: str) -> Iterator[str]:
    """Yield what is to be said once: how to change what is included, and where the other names are."""
    if found.included:
        yield word(lang, "of_a_pack").format(f"kpis: {{{found.included}: {{extends: pack, owner: NAME}}}}")
    if _is_short(found, width, lang):
        yield word(lang, "names_all").format("kpi check --audit --format markdown")


def _is_short(found: Audit, width: int, lang: str) -> bool:
    """Say whether names are left out for want of room."""
    plainly = (one for one in found.concerns if _is_plain(one) and not _is_all(one))
    rows = {row[0].text: row[-1].text for row in _grid(found, width, lang).rows}
    return any(rows[one.rule.code] != ", ".join(plain(subject.name) for subject in one.subjects) for one in plainly)


def _told(one: Subject, lang: str = "en") -> str:
    return plain(one.name if one.detail in ("", NEVER) else f"{one.name} {detail_text(lang, one.detail)}")


def _folded(lead: str, text: str, width: int) -> Iterator[str]:
    lines = fold(plain(text), max(width - len(lead), 30))
    yield lead + lines[0]
    yield from (" " * len(lead) + line for line in lines[1:])


def as_markdown(found: Audit, style: Style) -> str:
    """Return a review as Markdown, with every name."""
    lang = style.lang
    parts = [_head(found, style) + "\n"]
    if found.concerns:
        columns = (*(Column(word(lang, key)) for key in ("rule", "found")), Column(word(lang, "how_many"), right=True),
                   *(Column(word(lang, key)) for key in ("which", "fix")))  # fmt: skip
        rows = tuple(
            tuple(
                Cell(text)
                for text in (
                    one.rule.code,
                    found_text(lang, one.rule.code, one.what),
                    word(lang, "of_all").format(len(one.subjects), one.among),
                    _which(one, lang),
                    write_text(lang, one.write),
                )
            )
            for one in found.concerns
        )
        parts.append(markdown.draw(Grid("", columns, rows, 1)))
        if found.included:
            parts.append(markdown.escape(next(_ends(found, 10**6, lang))) + "\n")
    else:
        parts.append(f"{word(lang, 'nothing_to_review')}\n")
    parts += [f"- {markdown.escape(word(lang, 'silenced_of').format(one.rule, name, one.reason))}\n"
              for name, one in found.silenced]  # fmt: skip
    return "\n".join(parts)


def as_data(found: Audit) -> dict[str, Any]:
    """Return a review as plain data."""
    return {
        "as_of": found.day.isoformat(),
        "counts": dict(found.counts),
        "concerns": [
            {
                "code": one.rule.code,
                "level": one.rule.level,
                "found": one.what,
                "among": one.among,
                "why": one.rule.why,
                "write": one.write,
                "subjects": [
                    {"name": subject.name, "detail": subject.detail, "place": place_of(subject.place)}
                    for subject in one.subjects
                ],
            }
            for one in found.concerns
        ],
        "silenced": [{"kpi": name, "code": one.rule, "reason": one.reason} for name, one in found.silenced],
    }


def as_github(found: Audit) -> str:
    """Return a review as workflow commands, each beside its line."""
    return "".join(
        to_github(
            Diagnostic(one.rule.code, f"{_told(subject)}: {one.what}", subject.place, f"fix: {one.write}", (),
                       SEVERITIES[one.rule.level])
        ) + "\n"
        for one in found.concerns
        for subject in one.subjects
    )  # fmt: skip


FORMATS: Mapping[str, Callable[[Audit, Style], str]] = {"text": render, "markdown": as_markdown}
