"""The review of a project: a line a rule, what it finds, why that matters, and what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smartkpi.assess.audit import Audit, Concern, Subject
from smartkpi.diagnostics import Diagnostic, Severity, place_of, to_github
from smartkpi.report import markdown
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style, cells, fold, plain
from smartkpi.report.table import draw

WIDTH = 100
NEVER = "never"
SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "note": Severity.NOTE}


def render(found: Audit, style: Style) -> str:
    """Return a review as text."""
    width = style.width or WIDTH
    lines = [_head(found, style), ""]
    if found.concerns:
        lines += [draw([_grid(found, width)], style)]
        for one in found.concerns:
            lines += _folded(f"{one.rule.code:<13}", f"{one.rule.why} Fix: {one.write}", width)
            if not _is_plain(one) and not _is_all(one):  # the table has no room for what is said of each
                lines += _folded(" " * 13, "; ".join(_told(subject) for subject in one.subjects), width)
        lines += [line for text in _ends(found, width) for line in ("", *_folded("", text, width))]
    else:
        lines.append("nothing to review")
    lines += [line for name, one in found.silenced
              for line in _folded("", f"silenced: {one.rule} of {name}: {one.reason}", width)]  # fmt: skip
    return "\n".join(lines) + "\n"


def _head(found: Audit, style: Style) -> str:
    counts = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in found.counts.items() if count)
    return " · ".join([counts or "nothing defined", f"as of {found.day}"]) if style.unicode else (
        f"{counts or 'nothing defined'}, as of {found.day}"
    )  # fmt: skip


def _grid(found: Audit, width: int) -> Grid:
    lead = [(one.rule.code, one.what, f"{len(one.subjects)} of {one.among}") for one in found.concerns]
    room = width - sum(max(map(len, column)) + 2 for column in zip(*lead, strict=True))
    which = (_which(one, max(room, 30)) for one in found.concerns)
    rows = tuple((*map(Cell, texts), Cell(names)) for texts, names in zip(lead, which, strict=True))
    return Grid("", (Column("rule"), Column("found"), Column("", right=True), Column("which")), rows, 1)


def _which(one: Concern, room: int | None = None) -> str:
    """Return what is found, with what is said of it; where there is not room for all, names, as many as fit."""
    if _is_all(one):
        return "all of them"
    if room is None:
        return (", " if _is_plain(one) else "; ").join(_told(subject) for subject in one.subjects)
    texts = [plain(subject.name) for subject in one.subjects]
    for count in range(len(texts), 1, -1):
        more = f" and {len(texts) - count} more" if count < len(texts) else ""
        text = ", ".join(texts[:count]) + more
        if cells(text) <= room:
            return text
    return texts[0] + (f" and {len(texts) - 1} more" if len(texts) > 1 else "")


def _is_all(one: Concern) -> bool:
    """Say whether the same is found of all that there are."""
    return len(one.subjects) == one.among > 1 and len({subject.detail for subject in one.subjects}) == 1


def _is_plain(one: Concern) -> bool:
    """Say whether names alone tell what is found."""
    return {subject.detail for subject in one.subjects} <= {"", NEVER}


def _ends(found: Audit, width: int) -> Iterator[str]:
    """Yield what is to be said once: how to change what is included, and where the other names are."""
    if found.included:
        yield f"what a pack says is changed in the project: kpis: {{{found.included}: {{extends: pack, owner: NAME}}}}"
    if _is_short(found, width):
        yield "kpi check --audit --format markdown names all of them"


def _is_short(found: Audit, width: int) -> bool:
    """Say whether names are left out for want of room."""
    grid = _grid(found, width)
    cut = [row[-1].text.endswith(" more") for row in grid.rows]
    return any(short and _is_plain(one) for short, one in zip(cut, found.concerns, strict=True))


def _told(one: Subject) -> str:
    return plain(one.name if one.detail in ("", NEVER) else f"{one.name} {one.detail}")


def _folded(lead: str, text: str, width: int) -> Iterator[str]:
    lines = fold(plain(text), max(width - len(lead), 30))
    yield lead + lines[0]
    yield from (" " * len(lead) + line for line in lines[1:])


def as_markdown(found: Audit, style: Style) -> str:
    """Return a review as Markdown, with every name."""
    parts = [_head(found, style) + "\n"]
    if found.concerns:
        columns = (Column("rule"), Column("found"), Column("how many", right=True), Column("which"), Column("fix"))
        rows = tuple(
            tuple(
                Cell(text)
                for text in (
                    one.rule.code,
                    one.what,
                    f"{len(one.subjects)} of {one.among}",
                    _which(one),
                    one.write,
                )
            )
            for one in found.concerns
        )
        parts.append(markdown.draw(Grid("", columns, rows, 1)))
        parts += [f"{markdown.escape(text)}\n" for text in _ends(found, 10**6)]
    else:
        parts.append("nothing to review\n")
    parts += [f"- silenced: {one.rule} of {markdown.escape(name)}: {markdown.escape(one.reason)}\n"
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
