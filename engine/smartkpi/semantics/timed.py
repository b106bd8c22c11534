"""Functions of time: windows (`trailing`, `to_date`, `cumulative`), earlier periods (`previous`, `change`, `growth`).

A window goes down to the aggregates; an earlier period is a value of the same formula. `change` and `growth` are the
two values held against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import DURATION, NUMBER, Kind, Type
from smartkpi.language.units import Mismatch
from smartkpi.nearest import did_you_mean
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length, Shift, Window, refuse_length, refuse_run, refuse_shift, refuse_window
from smartkpi.semantics.calls import infer
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Across, Aggregate, Apply, Expr, Literal, Per, Reference, Shifted, Windowed
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.scope import Namespace
from smartkpi.source import Span
from smartkpi.spec.model import Kpi
from smartkpi.tree import children, walk

Typing = Callable[[syntax.Expr, Namespace, Findings], Expr]
LENGTH = Type(Kind.NUMBER, DURATION)


def timed(expr: syntax.Apply, space: Namespace, type_formula: Typing, findings: Findings) -> Expr:
    """Return a function of time, typed."""
    function = FUNCTIONS[expr.function]
    counted = function.infer((NUMBER, *(LENGTH for _ in expr.args[1:])))
    if isinstance(counted, Mismatch):
        findings.error("wrong-arguments", counted.message, expr.span, f"write `{function.signature}`")
        return FAILED
    x = type_formula(expr.args[0], space, findings)
    window, shift = _window(expr, space, findings), _shift(expr, space, findings)
    if FAILED in (x, window, shift):
        return FAILED
    type = infer(expr, (x.type, *(LENGTH for _ in expr.args[1:])), findings)
    if type.kind is Kind.UNKNOWN and findings.failed:
        return FAILED
    if not has_history(expr.function, x, expr.args[0].span, space, findings):
        return FAILED
    if isinstance(window, Window):
        return windowed(window, x, expr.args[0].span, space, findings)
    assert shift is None or isinstance(shift, Length)
    before = Shifted(x, shift, x.type)
    match expr.function:
        case "previous":
            return before
        case "change":
            less = FUNCTIONS["-"].infer((x.type, x.type))
            return Apply("-", (x, before), x.type if isinstance(less, Mismatch) else less)
        case _:
            return Apply("growth", (x, before), type)


def windowed(window: Window, x: Expr, span: Span, space: Namespace, findings: Findings) -> Expr:
    """Return a formula over a window, or say what in it has none."""
    for node in _nodes(x, space):
        match node:
            case Shifted():
                what = "a comparison with another period"
            case Across(function="rank"):
                what = "a rank"
            case _:
                continue
        hint = "take the window first, as in `growth(trailing(order, 28d), 1y)`"
        findings.error("window-of-change", f"{what} is made of whole values: no window is taken of it", span, hint)
        return FAILED
    return Windowed(x, window, x.type)


def has_history(function: str, x: Expr, span: Span, space: Namespace, findings: Findings) -> bool:
    """Say whether a formula has rows at other times at all."""
    events = sorted(_events(x, space))
    if not events:
        message = f"`{function}` is over rows and their times, this reads no event"
        findings.error("no-events", message, span, "give it a count, an aggregate or a KPI")
        return False
    timeless = next((event for event in events if space.events[event].timeless), None)
    if timeless is not None:
        message = f"the rows of `{timeless}` have no time: there is no window and no earlier period"
        findings.error("no-history", message, span, "say when each row was, by `time:` in the dataset")
        return False
    return True


def _events(x: Expr, space: Namespace) -> set[str]:
    own = {node.event for node in walk(x) if isinstance(node, Aggregate)}
    return own.union(*(space.kpis[node.kpi].events for node in walk(x) if isinstance(node, Reference)))


def windows_in(x: Expr, space: Namespace) -> frozenset[tuple[Window, str]]:
    """Return the windows of the periods asked for in a formula, and in the KPIs that it refers to, each with the events
    that it is over."""
    nodes = list(_of_asked(x))
    over = [(node.window, node.argument) for node in nodes if isinstance(node, Windowed)]
    found = {(window, event) for window, inside in over for event in _events(inside, space)}
    return frozenset(found).union(*(space.kpis[node.kpi].windows for node in nodes if isinstance(node, Reference)))


def _of_asked(x: Expr) -> Iterator[Any]:
    """Yield the nodes of a formula that are about the periods asked for; each `per day` is about periods of its own."""
    stack: list[Any] = [x]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Per) or node.grain is None:
            stack.extend(children(node))


def runs_in(x: Expr, space: Namespace) -> frozenset[tuple[Window, Grain]]:
    """Return the windows in a formula with the calendar periods that a `per` in each, or in a KPI in it, has."""
    over = [(node.window, node.argument) for node in _of_asked(x) if isinstance(node, Windowed)]
    return frozenset((window, period) for window, inside in over for period in _periods(inside, space))


def _periods(x: Expr, space: Namespace) -> set[Grain]:
    nodes = list(_of_asked(x))
    own = {node.grain for node in nodes if isinstance(node, Per) and node.grain is not None}
    return own.union(*(space.kpis[node.kpi].periods for node in nodes if isinstance(node, Reference)))


def shifts_in(x: Expr, space: Namespace) -> frozenset[Shift]:
    """Return the shifts in a formula, and in the KPIs that it refers to."""
    nodes = list(_of_asked(x))
    found = {node.shift for node in nodes if isinstance(node, Shifted)}
    return frozenset(found).union(*(space.kpis[node.kpi].shifts for node in nodes if isinstance(node, Reference)))


def window_of(spec: Kpi, window: syntax.Duration, formula: Expr, space: Namespace, findings: Findings) -> Expr:
    """Return a KPI's formula over the window that the KPI states."""
    length, span = Length(window.count, window.unit), spec.formula.expr.span
    if wrong := refuse_length(length):
        findings.error("bad-duration", wrong, window.span, "such as `28d`, `3mo`, `1y`")
        return formula
    if not has_history("window", formula, span, space, findings):
        return formula
    found = windowed(Window("trailing", length), formula, span, space, findings)
    return formula if found is FAILED else found


def check_times(
    spec: Kpi,
    grain: Grain,
    windows: Iterable[tuple[Window, str]],
    runs: Iterable[tuple[Window, Grain]],
    shifts: Iterable[Shift],
    space: Namespace,
    findings: Findings,
) -> None:
    """Refuse windows and shifts that do not go with the KPI's own grain."""
    calendar, parts = space.calendar, {event: space.events[event].periods for _, event in windows}
    for message in dict.fromkeys(filter(None, (refuse_run(calendar, *run) for run in sorted(runs, key=str)))):
        hint = "take whole ones, such as `trailing(x, 4w)` of weeks, `trailing(x, 3mo)` of months"
        findings.error("grain-mismatch", message, spec.formula.expr.span, hint)
    wrong = [refuse_window(calendar, one, grain, parts[event]) for one, event in sorted(windows, key=str)]
    wrong += [refuse_shift(calendar, one, grain) for one in sorted(shifts, key=str)]
    for message in dict.fromkeys(filter(None, wrong)):
        said = f"`{spec.name}` is by {grain}" + ("" if spec.grain else ", as no other `grain` is written")
        findings.error(
            "grain-mismatch", f"{message}; {said}", spec.formula.expr.span, "write the `grain` that it is for"
        )


def _nodes(x: Expr, space: Namespace) -> Iterator[Any]:
    """Yield the nodes about the periods asked for of a formula, and of the KPIs that it refers to."""
    stack, seen = [x], {""}
    while stack:
        for node in _of_asked(stack.pop()):
            yield node
            if isinstance(node, Reference) and node.kpi not in seen:
                seen.add(node.kpi)
                stack.extend(version.formula for version in space.kpis[node.kpi].versions)


def _window(expr: syntax.Apply, space: Namespace, findings: Findings) -> Window | Literal | None:
    match expr.function:
        case "cumulative":
            return Window("cumulative")
        case "trailing":
            length = _length(expr, space, findings)
            return Window("trailing", length) if isinstance(length, Length) else FAILED
        case "to_date":
            return _to_date(expr, space, findings)
        case _:
            return None


def _to_date(expr: syntax.Apply, space: Namespace, findings: Findings) -> Window | Literal:
    given, names = expr.args[1], [str(grain) for grain in space.calendar.grains if grain is not Grain.ALL]
    if isinstance(given, syntax.Name) and given.text in names:
        return Window("to_date", grain=Grain(given.text))
    name = given.text if isinstance(given, syntax.Name) else ""
    hint = "since the first row: `cumulative(x)`" if name == "all" else did_you_mean(name, names)
    message = "`to_date` takes a grain here, the period in whose course it adds up"
    findings.error("unknown-grain", message, given.span, hint or f"one of {', '.join(names)}")
    return FAILED


def _shift(expr: syntax.Apply, space: Namespace, findings: Findings) -> Shift | Literal:
    if expr.function in ("previous", "change", "growth") and len(expr.args) > 1:
        return _length(expr, space, findings)
    return None


def _length(expr: syntax.Apply, space: Namespace, findings: Findings) -> Length | Literal:
    """Return the duration that a function of time takes: a literal, or a constant by its name."""
    given = expr.args[1]
    match given:
        case syntax.Duration(count=count, unit=unit):
            length = Length(count, unit)
        case syntax.Name(text=name) if name in space.constants.loose:
            loose = space.constants.loose[name]
            length = Length(loose.count, loose.unit)
        case syntax.Name(text=name) if name in space.constants:
            found = space.constants.value(name, given.span, findings)
            if found is FAILED:
                return FAILED
            read = _of_seconds(found.value) if found.type.unit == DURATION else None
            if read is None:
                return _no_length(expr, findings)
            length = read
        case _:
            return _no_length(expr, findings)
    wrong = refuse_length(length)
    if wrong:
        findings.error("bad-duration", wrong, given.span, "such as `28d`, `3mo`, `1y`")
        return FAILED
    return length


def _of_seconds(value: Any) -> Length | None:
    days, hours = divmod(value, 86_400)
    if not hours:
        return Length(int(days), "d")
    hours, rest = divmod(value, 3_600)
    return None if rest else Length(int(hours), "h")


def _no_length(expr: syntax.Apply, findings: Findings) -> Literal:
    message = f"`{expr.function}` takes a duration here, as a whole number of hours, days or more"
    findings.error("bad-argument", message, expr.args[1].span, "such as `28d` or `1y`, or a constant")
    return FAILED
