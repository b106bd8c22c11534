"""Why a KPI changed: the same question in two periods, and the change taken apart by segment or by factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from smartkpi.api.failures import DefinitionError, UsageError, failing_as
from smartkpi.api.pipeline import Levels, Opened, evaluate, info_of, open_data, select
from smartkpi.api.question import Ask, understand
from smartkpi.assess.alike import canonical
from smartkpi.assess.contribution import NOTHING, Side, settle, split_product, split_ratio, spread_product, unit_of
from smartkpi.diagnostics import Diagnostic, errors
from smartkpi.engines.polars.meter import Progress
from smartkpi.language.types import MONEY
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import parse_key, period_text
from smartkpi.result import Change, Contribution, Result
from smartkpi.semantics.check import Checked, check
from smartkpi.semantics.formula import Expr, TypedKpi
from smartkpi.semantics.parts_of import Made, Part, is_additive, parts_of
from smartkpi.semantics.question import Question
from smartkpi.semantics.reached import datasets_behind
from smartkpi.spec.load import Loaded

CENTS = Fraction(1, 10**6)
"""The last digit of money: a mean of amounts is rounded to it, what it is made of is not."""
DEFINITION = "#definition"
"""The part of a change that is another formula, not other rows."""
Segment = tuple[Any, ...]
Values = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class WhyAsk:
    """A question about a change as it was put; a period that is not named is the last whole one, or the one before."""

    kpi: str
    period: str | None = None
    against: str | None = None
    by: tuple[str, ...] = ()
    where: str | None = None
    as_of: str | date | datetime | None = None
    top: int | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question in both periods: where the rows come from, and the days of each period."""

    opened: Opened
    question: Question
    spans: tuple[tuple[date, date], tuple[date, date]]
    periods: tuple[str, str]


def answer_why(loaded: Loaded, handed: Mapping[str, object], ask: WhyAsk, progress: Progress | None = None) -> Change:
    """Return what the change of a KPI from one period to another is made of. KpiError where that cannot be told."""
    checked = check(loaded.catalog)
    selection = select(checked, (ask.kpi,))
    if not selection.kpis:
        raise DefinitionError(*errors((*loaded.diagnostics, *checked.diagnostics)))
    if len(selection.kpis) > 1:
        raise UsageError(Diagnostic("unknown-kpi", f"`{ask.kpi}` means several KPIs: {', '.join(selection.kpis)}"))
    name = selection.kpis[0]
    _check_top(ask)
    reads = checked.kpis[name].reads
    opened = open_data(loaded, handed, datasets_behind(checked, reads))
    if name not in opened.checked.kpis:
        raise DefinitionError(*errors(opened.definitions))
    kpi = opened.checked.kpis[name]
    with failing_as(UsageError):
        question = understand(loaded.catalog, (name,), Ask((name,), by=ask.by, where=ask.where, as_of=ask.as_of))
        asked = _periods(opened, kpi, question, ask)
    made = parts_of(kpi, opened.checked, asked.spans[0][0], asked.spans[1][0])
    return _take_apart(asked, kpi, made, ask)


def _check_top(ask: WhyAsk) -> None:
    if ask.top is not None and ask.top < 1:
        raise UsageError(Diagnostic("bad-limit", f"`--top {ask.top}`: a number of parts is 1 at least"))


def _periods(opened: Opened, kpi: TypedKpi, question: Question, ask: WhyAsk) -> _Asked:
    """Return the question with the grain and the days of both periods."""
    calendar = opened.checked.catalog.calendar
    grain, key = _period(calendar, ask.period) if ask.period else (None, None)
    if grain is None or key is None:
        grain, key = _last(opened, kpi, replace(question, by=()))
    before, earlier = _period(calendar, ask.against) if ask.against else (grain, calendar.previous(grain, key))
    if before != grain:
        message = f"`{ask.against}` is a {before}, `{period_text(calendar, grain, key)}` a {grain}"
        raise UsageError(Diagnostic("unlike-periods", message, hint="hold a month against a month"))
    if earlier == key:
        raise UsageError(Diagnostic("unlike-periods", "a period is held against itself", hint="name another one"))
    names = period_text(calendar, grain, earlier), period_text(calendar, grain, key)
    spans = calendar.days(grain, earlier), calendar.days(grain, key)
    return _Asked(opened, replace(question, grain=grain), spans, names)


def _period(calendar: Calendar, text: str) -> tuple[Grain, Any]:
    grain, key = parse_key(calendar, text)
    if key is None or grain in (Grain.ALL, Grain.HOUR):
        raise UsageError(Diagnostic("bad-period", f"`{text}` is no period to compare", hint="such as 2026-01"))
    return grain, key


def _last(opened: Opened, kpi: TypedKpi, question: Question) -> tuple[Grain, Any]:
    grain = Grain(kpi.grain)
    if grain in (Grain.ALL, Grain.HOUR):
        message, hint = f"`{kpi.name}` is by {grain}: which periods?", "name them: --period 2026-02 --against 2026-01"
        raise UsageError(Diagnostic("unlike-periods", message, hint=hint))
    row = _rows(evaluate(opened.checked, opened.tables, question), kpi.name)[0]
    if row["start"] is None:
        raise _no_value(kpi.name, "any period", row)
    return grain, row["start"].date()


def _rows(result: Result, name: str) -> list[dict[str, Any]]:
    return [row for row in result.frame.iter_rows(named=True) if row["kpi"] == name]


def _no_value(name: str, period: str, row: Mapping[str, Any] | None) -> UsageError:
    why = "" if row is None else f": {row['reason'] or row['state']}"
    hint = "a change needs a value on both sides; --period and --against name others"
    return UsageError(Diagnostic("no-change", f"`{name}` has no value in {period}{why}", hint=hint))


def _ask(
    asked: _Asked, kpis: Mapping[str, TypedKpi], by: Sequence[str]
) -> tuple[dict[tuple[str, Segment], Values], dict[str, Values], tuple[str, ...]]:
    """Return the values of KPIs by segment and in all, in both periods, and what is to be said of the periods."""
    opened = asked.opened
    checked: Checked = replace(opened.checked, kpis={**opened.checked.kpis, **kpis})
    parts: dict[tuple[str, Segment], list[Fraction]] = {}
    totals: dict[str, list[Fraction]] = {name: [] for name in kpis}
    flags: dict[str, None] = {}
    for side, (first, end) in enumerate(asked.spans):
        question = replace(asked.question, kpis=tuple(kpis), by=tuple(by), since=first, until=end)
        with failing_as(UsageError):
            result = evaluate(checked, opened.tables, question, levels=Levels(total=bool(by)))
        for name in kpis:
            rows = _rows(result, name)
            total = next((row for row in rows if row["level"] == "total"), None)
            if total is None or total["value"] is None:
                known = total if total is not None else next(iter(rows), None)
                raise _no_value(asked.question.kpis[0], asked.periods[side], known)
            totals[name].append(_exact(total))
            for flag in total["flags"]:
                flags[f"{asked.periods[side]} is {flag.replace('_', ' ')}"] = None
            for row in rows:
                if row["level"] != "segment" or row["value"] is None:
                    continue
                values = parts.setdefault((name, tuple(row[one] for one in by)), [NOTHING, NOTHING])
                values[side] = _exact(row)
    return (
        {key: (values[0], values[1]) for key, values in parts.items()},
        {name: (values[0], values[1]) for name, values in totals.items()},
        tuple(flags),
    )


def _exact(row: Mapping[str, Any]) -> Fraction:
    return Fraction(row["money"]) if row["money"] is not None else Fraction(Decimal(repr(row["value"])))


def _take_apart(asked: _Asked, kpi: TypedKpi, made: Made, ask: WhyAsk) -> Change:
    kpis, parts = asked.opened.checked.kpis, made.parts
    product = bool(parts) and parts[0].sign in "*/"
    by = asked.question.by or (kpi.spec.by if not parts or is_additive(kpi, kpis) else ())
    if not by and not parts:
        message = f"`{kpi.name}` has no parts to tell a change of it by"
        raise UsageError(Diagnostic("cannot-decompose", message, hint="name segments: --by country"))
    whole = {kpi.name: kpi} if made.then is None else {kpi.name: kpi, made.then.name: made.then}
    if not by:
        found, totals, flags = _ask(asked, {**whole, **{part.kpi.name: part.kpi for part in parts}}, ())
        shares = _factors(made, totals, asked) if product else _terms(made, totals)
        method, lines = ("product" if product else "sum"), shares
    elif is_additive(kpi, kpis):
        found, totals, flags = _ask(asked, {kpi.name: kpi}, by)
        method = "segments"
        lines = {
            repr(segment): Contribution(_named(by, segment), values[0], values[1], values[1] - values[0])
            for (_, segment), values in found.items()
        }
    elif made.ratio and all(is_additive(part.kpi, kpis) for part in parts):
        found, totals, flags = _ask(asked, {**whole, **{part.kpi.name: part.kpi for part in parts}}, by)
        method = "ratio"
        lines = _mixed(found, totals, made, by)
    elif product and (sums := _sums(made, asked)) is not None:
        found, totals, flags = _ask(asked, {**whole, **{part.kpi.name: part.kpi for part in sums.parts}}, by)
        method = "product"
        lines = _spread(found, totals, sums, by, asked)
    else:
        message = f"the values of segments do not add up to `{kpi.name}`, nor is it made of sums by `*` and `/`"
        hint = "sums and counts, times or by each other, can be told by segment"
        hint += "; leave `--by` out" if parts else ""
        raise UsageError(Diagnostic("cannot-decompose", message, hint=hint))
    if made.then is not None and made.then.name in totals:
        old, new = totals[made.then.name][1], totals[kpi.name][1]
        lines[DEFINITION] = Contribution({}, old, new, new - old, label=f"= {made.formula}", level="definition")
    return _settled(asked, kpi, lines, totals[kpi.name], method, by, flags, ask.top)


def _named(by: Sequence[str], segment: Segment) -> dict[str, Any]:
    return dict(zip(by, segment, strict=True))


def _terms(made: Made, totals: Mapping[str, Values]) -> dict[str, Contribution]:
    found = {}
    for part in made.parts:
        sign = -made.scale if part.sign == "-" else made.scale
        old, new = (sign * value for value in totals[part.kpi.name])
        found[part.kpi.name] = Contribution({}, old, new, new - old, label=f"{part.sign} {part.label}")
    return found


def _sums(made: Made, asked: _Asked) -> Made | None:
    """Return a product with each factor that is a ratio or product of sums as these; None where one is no sum."""
    checked, scale, parts = asked.opened.checked, made.scale, list[Part]()
    for part in made.parts:
        if is_additive(part.kpi, checked.kpis):
            parts.append(part)
            continue
        inner = parts_of(part.kpi, checked, asked.spans[0][0], asked.spans[1][0])
        whole = None if inner.offset or inner.then is not None or not inner.parts else _sums(inner, asked)
        if whole is None or whole.parts[0].sign not in "*/":
            return None
        turned = {"*": "/", "/": "*"}
        parts += [replace(one, sign=one.sign if part.sign == "*" else turned[one.sign]) for one in whole.parts]
        scale = scale * whole.scale if part.sign == "*" else scale / whole.scale
    return replace(made, scale=scale, parts=tuple(parts))


def _spread(
    found: Mapping[tuple[str, Segment], Values],
    totals: Mapping[str, Values],
    made: Made,
    by: Sequence[str],
    asked: _Asked,
) -> dict[str, Contribution]:
    """Return what each segment adds through each factor; those that nothing changed in are left out."""
    _check_factors(made, totals, asked)
    powers = _powers(made.parts, asked.opened.checked.kpis)
    segments = list(dict.fromkeys(segment for _, segment in found))
    sides = [[found.get((part.kpi.name, one), (NOTHING, NOTHING)) for one in segments] for _, part in powers]
    for (_, part), values in zip(powers, sides, strict=True):
        for i in (0, 1):
            _check_sum(sum((value[i] for value in values), NOTHING), totals[part.kpi.name][i])
    amounts = spread_product([(power, one) for (power, _), one in zip(powers, sides, strict=True)])
    lines: dict[str, Contribution] = {}
    for (power, part), values, added in zip(powers, sides, amounts, strict=True):
        label = f"{'*' if power > 0 else '/'} {part.label}{f' ^ {abs(power)}' if abs(power) > 1 else ''}"
        for segment, (old, new), amount in zip(segments, values, added, strict=True):
            if old != new:
                line = Contribution(_named(by, segment), old, new, amount * made.scale, label=label)
                lines[f"{segment!r} {part.kpi.name}"] = line
    return lines


def _powers(parts: Sequence[Part], kpis: Mapping[str, TypedKpi]) -> list[tuple[int, Part]]:
    """Return factors with their powers, the same factor once; one that cancels out is none."""
    found: dict[Expr, tuple[int, Part]] = {}
    for part in parts:
        key = canonical(part.kpi, kpis)
        power, first = found.get(key, (0, part))
        found[key] = power + (1 if part.sign == "*" else -1), first
    return [(power, part) for power, part in found.values() if power]


def _factors(made: Made, totals: Mapping[str, Values], asked: _Asked) -> dict[str, Contribution]:
    parts = made.parts
    _check_factors(made, totals, asked)
    powers = [(1 if part.sign == "*" else -1, *totals[part.kpi.name]) for part in parts]
    shares = split_product(powers)
    return {
        part.kpi.name: Contribution({}, *totals[part.kpi.name], share * made.scale, label=f"{part.sign} {part.label}")
        for part, share in zip(parts, shares, strict=True)
    }


def _check_factors(made: Made, totals: Mapping[str, Values], asked: _Asked) -> None:
    for part in made.parts:
        for value, period in zip(totals[part.kpi.name], asked.periods, strict=True):
            if value <= 0:
                message = f"`{part.label}` is {float(value):g} in {period}: a factor has a share in a change if above 0"
                hint = "name segments: --by country" if len(made.parts) == 2 else "ask for the factors one by one"
                raise UsageError(Diagnostic("cannot-decompose", message, hint=hint))


def _mixed(
    found: Mapping[tuple[str, Segment], Values], totals: Mapping[str, Values], made: Made, by: Sequence[str]
) -> dict[str, Contribution]:
    above, below = (part.kpi.name for part in made.parts)
    segments = list(dict.fromkeys(segment for _, segment in found))
    none = (NOTHING, NOTHING)
    sides = [Side(found.get((above, one), none), found.get((below, one), none)) for one in segments]
    for name, values in ((above, [side.above for side in sides]), (below, [side.below for side in sides])):
        for i in (0, 1):
            _check_sum(sum((value[i] for value in values), NOTHING), totals[name][i])
    effects = split_ratio(sides)
    lines = {}
    for segment, side, effect in zip(segments, sides, effects, strict=True):
        rates = [made.offset + made.scale * side.above[i] / side.below[i] if side.below[i] else None for i in (0, 1)]
        total = [sum((one.below[i] for one in sides), NOTHING) for i in (0, 1)]
        lines[repr(segment)] = Contribution(
            _named(by, segment), rates[0], rates[1], made.scale * (effect.rate + effect.mix),
            rate=made.scale * effect.rate, mix=made.scale * effect.mix,
            weights=(side.below[0] / total[0], side.below[1] / total[1]),
        )  # fmt: skip
    return lines


def _check_sum(parts: Fraction, whole: Fraction) -> None:
    if abs(parts - whole) > abs(whole) / 10**9:
        message = "the values of the segments do not add up to that of all"
        raise UsageError(Diagnostic("cannot-decompose", message, hint="some segment has no value in a period"))


def _settled(
    asked: _Asked,
    kpi: TypedKpi,
    lines: Mapping[str, Contribution],
    total: Values,
    method: str,
    by: Sequence[str],
    flags: tuple[str, ...],
    top: int | None,
) -> Change:
    """Return the change with its parts rounded so that they add up to it to the digit."""
    change = total[1] - total[0]
    exact = sum((line.amount for line in lines.values()), NOTHING)
    money = kpi.type.unit.name == MONEY.name
    if abs(exact - change) > max(abs(total[0]), abs(total[1])) / 10**9 + money * 2 * CENTS:
        _check_sum(exact, change + 1)
    unit = unit_of(total, [line.amount for line in lines.values()])
    unit = CENTS if money and abs(exact - change) > unit else unit
    known = _rounded(lines, change, unit, method)
    last = [known.pop(DEFINITION)] if DEFINITION in known else []
    ordered = sorted(known.items(), key=lambda item: (-abs(item[1].amount), item[0])) if by else list(known.items())
    shown = [line for _, line in ordered]
    if top is not None and by and len(shown) > top:
        rest = shown[top:]
        shown = [*shown[:top], _other(rest, method)]
    shown += last
    assert sum((line.amount for line in shown), NOTHING) == change
    return Change(
        kpi=info_of(kpi),
        grain=str(asked.question.grain),
        period=asked.periods[1],
        against=asked.periods[0],
        before=total[0],
        after=total[1],
        change=change,
        method=method,
        by=tuple(by),
        parts=tuple(shown),
        notes=flags,
        dimensions={n: d for n in by if (d := asked.opened.checked.catalog.dimensions.get(n.rpartition(".")[2]))},
    )


def _rounded(
    lines: Mapping[str, Contribution], change: Fraction, unit: Fraction, method: str
) -> dict[str, Contribution]:
    """Return parts in whole units that add up to the change; of a ratio, rate and mix each for themselves."""
    if method != "ratio":
        whole = settle({name: line.amount for name, line in lines.items()}, change, unit)
        return {name: replace(line, amount=whole[name]) for name, line in lines.items()}
    effects: dict[str, Fraction] = {}
    for name, line in lines.items():
        if name == DEFINITION:
            effects[name] = line.amount
        else:
            effects[f"{name} rate"], effects[f"{name} mix"] = line.rate or NOTHING, line.mix or NOTHING
    whole = settle(effects, change, unit)
    found = {}
    for name, line in lines.items():
        if name == DEFINITION:
            found[name] = replace(line, amount=whole[name])
        else:
            rate, mix = whole[f"{name} rate"], whole[f"{name} mix"]
            found[name] = replace(line, rate=rate, mix=mix, amount=rate + mix)
    return found


def _other(rest: Sequence[Contribution], method: str) -> Contribution:
    """Return parts together; rates of several segments are none."""
    amount = sum((line.amount for line in rest), NOTHING)
    if method == "product":
        return Contribution({}, None, None, amount, level="other")
    if method != "ratio":
        before = sum((line.before or NOTHING for line in rest), NOTHING)
        after = sum((line.after or NOTHING for line in rest), NOTHING)
        return Contribution({}, before, after, amount, level="other")
    weights = [sum(((line.weights or (NOTHING, NOTHING))[i] for line in rest), NOTHING) for i in (0, 1)]
    return Contribution(
        {}, None, None, amount,
        rate=sum((line.rate or NOTHING for line in rest), NOTHING),
        mix=sum((line.mix or NOTHING for line in rest), NOTHING),
        weights=(weights[0], weights[1]), level="other",
    )  # fmt: skip
