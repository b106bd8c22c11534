"""A goal as a small chart: what came, what was expected, the target, and where it may end with its 80 % interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from smartkpi.assess.standing import Course, Standing
from smartkpi.report.aims import amount_text, rough
from smartkpi.report.numbers import form_of
from smartkpi.report.style import Style, cells, pad
from smartkpi.report.words import word
from smartkpi.result import KpiInfo

HEIGHT, WIDEST = 10, 100
MARKS = {"actual": "●", "path": "·", "target": "─", "estimate": "◦", "top": "┬", "between": "│", "foot": "┴"}
MARKS_ASCII = {"actual": "*", "path": ".", "target": "-", "estimate": "o", "top": "T", "between": "|", "foot": "+"}
Put = Callable[[int, float | None, str], None]
ENDS = 2
"""How many columns the interval has to itself."""


def draw(one: Standing, info: KpiInfo | None, style: Style) -> str:
    """Return the chart of a goal, no wider than the reader's lines; nothing where there is not much to draw."""
    course, target = one.course, one.facts.target
    if course is None or target is None or not any(value is not None for value in course.values[1:]):
        return ""
    marks = MARKS if style.unicode else MARKS_ASCII
    ends = _ends(one)
    amounts = [*course.values, *course.expected, target, one.facts.upper, *ends]
    known = [value for value in amounts if value is not None]
    low, high = min(known), max(known)
    high = high if high > low else low + 1
    form = form_of(info.format if info else None, info.unit if info else None)
    total = one.facts.kind == "total"
    levels = [low + (high - low) * (1 - row / (HEIGHT - 1)) for row in range(HEIGHT)]
    labels = [amount_text(info, rough(level, form, total=total)) for level in levels]
    shown = [label if row % 3 == 0 else "" for row, label in enumerate(labels)]
    gutter = max(cells(label) for label in shown)
    width = max(min(style.width or WIDEST, WIDEST) - gutter - 2 - ENDS, 10)
    paper = [[" "] * (width + ENDS) for _ in range(HEIGHT)]

    def put(column: int, value: float | None, mark: str) -> None:
        if value is not None:
            paper[round((high - value) / (high - low) * (HEIGHT - 1))][column] = marks[mark]

    for bound in (target, one.facts.upper):
        for column in range(width):
            put(column, bound, "target")
    _draw_course(course, width, put)
    _draw_estimate(one, course, width, put)
    if ends:
        rows = [round((high - value) / (high - low) * (HEIGHT - 1)) for value in ends]
        for row in range(rows[2], rows[0] + 1):
            paper[row][-1] = marks["between"]
        if rows[2] < rows[0]:
            paper[rows[2]][-1], paper[rows[0]][-1] = marks["top"], marks["foot"]
        paper[rows[1]][-1] = marks["estimate"]
    axis = "┤" if style.unicode else "|"
    lines = [f"{pad(label, gutter, right=True)} {axis}{''.join(row)}".rstrip()
             for label, row in zip(shown, paper, strict=True)]  # fmt: skip
    return "\n".join([*lines, _dates(one, gutter, width), *_legend(one, marks, style)]) + "\n"


def _ends(one: Standing) -> list[float]:
    """Return the lower end of the interval, the mean and the upper end; nothing without an estimate."""
    outlook = one.facts.outlook
    if outlook is None:
        return []
    low, high = (outlook.mean,) * 2 if one.verdict.measures.chance is None else outlook.interval
    return [low, min(max(outlook.mean, low), high), high]


def _draw_course(course: Course, width: int, put: Put) -> None:
    """Draw what is expected and what came: of several days in a column the last."""
    days = len(course.expected) - 1
    for column in range(width):
        put(column, course.expected[round(column * days / max(width - 1, 1))], "path")
    for day, value in enumerate(course.values):
        put(_column(day, days, width), value, "actual")
    for column in range(_column(len(course.values) - 1, days, width)):
        day = round(column * days / max(width - 1, 1))
        if day < len(course.values):
            put(column, course.values[day], "actual")


def _draw_estimate(one: Standing, course: Course, width: int, put: Put) -> None:
    """Draw the way from what came to what may be at the end."""
    outlook, value = one.facts.outlook, one.facts.value
    if outlook is None or value is None:
        return
    begin = _column(len(course.values) - 1, len(course.expected) - 1, width)
    for column in range(begin + 2, width, 2):
        put(column, value + (outlook.mean - value) * (column - begin) / (width - begin), "estimate")


def _column(day: int, days: int, width: int) -> int:
    return round(day * (width - 1) / days) if days else 0


def _dates(one: Standing, gutter: int, width: int) -> str:
    first, last = one.start.isoformat(), one.deadline.isoformat()
    return f"{' ' * (gutter + 2)}{first}{' ' * max(width - len(first) - len(last), 1)}{last}"


def _legend(one: Standing, marks: dict[str, str], style: Style) -> Sequence[str]:
    """Return what the marks mean, in as many lines as it takes."""
    names = ["actual", "path", "target", *(["estimate"] if one.facts.outlook is not None else [])]
    lines, line = [], ""
    for name in names:
        part = f"{marks[name]} {word(style.lang, f'mark_{name}')}"
        if line and style.width is not None and cells(line) + 3 + cells(part) > style.width:
            lines.append(line)
            line = ""
        line = f"{line}   {part}" if line else part
    return [*lines, line]
