"""What a change is made of, as a table, Markdown or JSON. All parts are shown, and what they add up to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from smartkpi.assess.contribution import settle
from smartkpi.report import html as pages
from smartkpi.report import markdown
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.numbers import form_of, format_number
from smartkpi.report.style import Style, plain
from smartkpi.report.table import draw
from smartkpi.report.told import segment_text
from smartkpi.report.words import word
from smartkpi.result import Change, Contribution

WIDTH = 100


def displayed(change: Change, lang: str) -> Change:
    """Return a change that shows itself as a table in a language, in notebooks as one of the page."""

    def shown(one: Change, form: str) -> str:
        page = Style(width=None, lang=lang)
        return pages.draw(_grid(one, page)) if form == "html" else render(one, Style(width=WIDTH, lang=lang))

    return replace(change, display=shown)


def render(change: Change, style: Style) -> str:
    """Return a change as a table of text."""
    return draw([_grid(change, style)], style)


def _markdown(change: Change, style: Style) -> str:
    return markdown.draw(_grid(change, style))


def _json(change: Change, style: Style) -> str:
    return json.dumps(as_data(change, style.lang), ensure_ascii=not style.unicode, indent=2) + "\n"


FORMATS: Mapping[str, Callable[[Change, Style], str]] = {"table": render, "json": _json, "markdown": _markdown}


def as_data(change: Change, lang: str = "en") -> dict[str, Any]:
    """Return a change as plain data; the amounts, read as decimals, add up to the change."""
    info = change.kpi
    return {
        "smartkpi": 1,
        "kpi": info.name,
        "label": info.label.get(lang) or info.name,
        "unit": info.unit,
        "currency": info.currency,
        "grain": change.grain,
        "period": change.period,
        "against": change.against,
        "before": _number(change.before),
        "after": _number(change.after),
        "change": _number(change.change),
        "method": change.method,
        "by": list(change.by),
        "parts": [_part(one) for one in change.parts],
        "notes": list(change.notes),
    }


def _part(one: Contribution) -> dict[str, Any]:
    names = ("before", "after", "rate", "mix")
    found: dict[str, Any] = {"level": one.level}
    found |= {"part": one.label} if one.label else {}
    found["segment"] = {
        name: value if isinstance(value, bool | int | str | None) else str(value) for name, value in one.segment.items()
    }
    found |= {name: _number(value) for name in names if (value := getattr(one, name)) is not None}
    return {**found, "amount": _number(one.amount)}


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _grid(change: Change, style: Style) -> Grid:
    change, lang = _rounded(change), style.lang
    label = plain(change.kpi.label.get(lang) or change.kpi.name)
    known = (change.dimensions.get(name) for name in change.by)
    heads = [plain((one.label.get(lang) if one else "") or n) for one, n in zip(known, change.by, strict=True)]
    columns = [Column(head) for head in heads or [word(lang, "part")]]
    spread = bool(change.by) and change.method == "product"
    columns += [Column(word(lang, "part"))] if spread else []
    keys = len(columns)
    ratio = change.method == "ratio"
    titles = [change.against, change.period]
    columns += [Column(f"{word(lang, 'rate')} {title}" if ratio else title, right=True) for title in titles]
    columns += [Column(f"{word(lang, 'weight')} {title}", right=True) for title in titles] if ratio else []
    columns += [Column(word(lang, name), right=True) for name in ("by_rate", "by_mix")] if ratio else []
    columns.append(Column(word(lang, "adds"), right=True))
    rows = [tuple(_cells(change, one, style)) for one in change.parts]
    middle = (_value(change, change.before), _value(change, change.after))
    blank = [Cell("")] * (4 if ratio else 0)
    if ratio:
        rate = sum((one.rate or Fraction(0) for one in change.parts), Fraction(0))
        mix = sum((one.mix or Fraction(0) for one in change.parts), Fraction(0))
        blank[2:] = [Cell(_amount(change, rate, style)), Cell(_amount(change, mix, style))]
    head = [Cell(word(lang, "total"), "faint"), *(Cell("") for _ in range(keys - 1))]
    rows.append((*head, *(Cell(text) for text in middle), *blank, Cell(_amount(change, change.change, style))))
    arrow = "→" if style.unicode else "->"
    title = f"{label}{word(lang, 'colon')}{middle[0]} ({change.against}) {arrow} {middle[1]} ({change.period})"
    notes = (word(lang, "adds_up").format(_amount(change, change.change, style)), *change.notes)
    return Grid(title, tuple(columns), tuple(rows), keys, notes=notes)


def _cells(change: Change, one: Contribution, style: Style) -> Iterator[Cell]:
    spread = bool(change.by) and change.method == "product"
    if change.by and one.level != "segment":
        yield Cell(word(style.lang, one.level), "faint")
        yield from (Cell("") for _ in (*change.by[1:], *([""] if spread else [])))
    elif change.by:
        for name, value in one.segment.items():
            text = segment_text(value, style)
            described = change.dimensions.get(name)
            said = described.values.get(text) if described is not None and value is not None else None
            yield Cell(plain(said.get(style.lang)) if said is not None else text)
        yield from (Cell(plain(one.label)) for _ in range(spread))
    else:
        yield Cell(plain(one.label))
    whole = (change.by and not spread) or change.method == "sum" or one.level == "definition"
    shown, ratio = _value if whole else _plain, change.method == "ratio"
    for value in (one.before, one.after):
        yield Cell("–" if style.unicode else "-", "faint") if value is None else Cell(shown(change, value))
    if one.weights is not None:
        yield from (Cell(format_number(float(weight), "percent")) for weight in one.weights)
    if ratio and one.weights is None:  # another formula has neither weights nor effects
        yield from (Cell("") for _ in range(4))
    if one.rate is not None and one.mix is not None:
        yield from (Cell(_amount(change, one.rate, style)), Cell(_amount(change, one.mix, style)))
    yield Cell(_amount(change, one.amount, style))


def _value(change: Change, value: Fraction) -> str:
    info = change.kpi
    money = Decimal(value.numerator) / Decimal(value.denominator) if info.unit == "money" else None
    return format_number(float(value), form_of(info.format, info.unit), money, info.currency)


def _plain(_: Change, value: Fraction) -> str:
    return format_number(float(value), "number")


def _amount(change: Change, value: Fraction, style: Style) -> str:
    """Return an amount of a change with its sign, of percentages in points."""
    if change.kpi.format != "percent":
        text = _value(change, abs(value)) if _digits(change) is None else f"{abs(float(value)):,.{_digits(change)}f}"
    else:
        text = f"{abs(float(value * 100)):,.{(_digits(change) or 4) - 2}f} {word(style.lang, 'points')}"
    return f"-{text}" if value < 0 else f"+{text}" if value else text


def _digits(change: Change) -> int | None:
    """Return so many decimals that amounts shown are of three digits at least; None where the format knows better."""
    if change.kpi.unit != "plain" or all(one.amount.denominator == 1 for one in change.parts):
        return None
    largest = max((abs(one.amount) for one in change.parts), default=Fraction(0)) or Fraction(1)
    wanted = next(k for k in range(20) if largest * 10**k >= 100)
    return max(wanted, 4) if change.kpi.format == "percent" else wanted


def _rounded(change: Change) -> Change:
    """Return a change whose parts are rounded as they are shown, and still add up to it."""
    digits = _digits(change) if change.kpi.unit != "money" else 2
    if digits is None:
        return change
    unit = Fraction(1, 10**digits)
    amounts: dict[str, Fraction] = {}
    for number, one in enumerate(change.parts):
        if one.rate is not None and one.mix is not None:
            amounts |= {f"{number} rate": one.rate, f"{number} mix": one.mix}
        else:
            amounts[f"{number}"] = one.amount
    total = round(change.change / unit) * unit
    known = settle(amounts, total, unit)
    parts = tuple(
        replace(one, amount=known[f"{number}"])
        if f"{number}" in known
        else replace(
            one,
            rate=known[f"{number} rate"],
            mix=known[f"{number} mix"],
            amount=known[f"{number} rate"] + known[f"{number} mix"],
        )
        for number, one in enumerate(change.parts)
    )
    return replace(change, parts=parts, change=total)
