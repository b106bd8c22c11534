"""Rules of SMART that the data decides: whether a goal can be measured, reached, and is watched."""

from __future__ import annotations

from collections.abc import Mapping

from smartkpi.assess.daily import rarity
from smartkpi.assess.goals import is_met
from smartkpi.assess.smart import Case, Judge, Known, Part, Said, over_parts
from smartkpi.assess.titles import about, amount, by_how_much
from smartkpi.semantics.goal import TypedGoal
from smartkpi.semantics.past import by_period

COVERED = 0.8
ERRORS = 2.0
RARE, ENOUGH = 0.05, 19
"""Below which rarity a change is rare; from so few anchors on nothing can be."""
CERTAIN = 0.95
FEW_WEEKS = "before the goal there is too little data to know how it goes on, and how far chance goes"
LONGER = "achievable: {history: 2y}, with data that goes back so far, or a shorter goal"
HORIZONS = 3.0


def _unread(case: Case) -> Said:
    return Said(case.unread, "kpi check --smart --data" if case.unread == "no data was read" else "", "unknown")


def _rows(case: Case) -> Said | None:
    """S5: what `where` and segments ask for exists."""
    goal = case.goal
    assert goal is not None
    if goal.spec.where is None and not goal.by:
        return None
    if case.known is None:
        return _unread(case)
    if goal.spec.where is not None and all(part.prior in (None, 0) and not part.rows for part in case.known.parts):
        message = f"no row fits `{goal.spec.where.text.value.strip()}`"
        return Said(message, "where: … with a value that `kpi show values FIELD` has", place=goal.spec.at("where"))
    return None


def _baseline(case: Case) -> Said | None:
    """M2: where a goal comes from is known."""
    goal = case.goal
    assert goal is not None
    if goal.before is None:
        return None
    known = case.known
    if known is None:
        return _unread(case)
    if known.awaited is not None:
        return Said(f"the baseline will be known when {known.awaited} is over", "", "unknown")
    first, last = goal.before

    def judge(part: Part) -> Said | None:
        if part.baseline is not None:
            return None
        days = f"on {first}" if first == last else f"from {first} to {last}"
        line = "baseline: a number, or {from: …, to: …} with days that have data"
        return Said(f"`{goal.kpi.name}` has no value {days}", line, place=goal.spec.at("baseline"))

    return over_parts(case, judge)


def _beyond(case: Case) -> Said | None:
    """M3: the target is not reached yet, where it is to be reached."""
    goal = case.goal
    assert goal is not None
    if goal.aim not in ("increase", "decrease") or goal.kind == "each":
        return None
    if goal.kind == "total":
        whole = goal.targets.get((None, ()))
        if goal.aim == "increase" and whole is not None and not whole.change and whole.low <= 0:
            return Said(f"a total begins at 0: {amount(goal, whole.low)} is reached already", "target: above 0")
        return None
    if goal.before is None or (case.known is None and goal.baseline is not None):
        return None
    if case.known is None:
        return _unread(case)

    def judge(part: Part) -> Said | None:
        if part.baseline is None or part.target is None:
            return Said("without a baseline it cannot be told", "", "unknown")
        if not is_met(goal.aim, part.baseline, part.target):
            return None
        stay = "stay_above" if goal.aim == "increase" else "stay_below"
        message = f"the baseline is {about(goal, part.baseline)}: {amount(goal, part.target)} is reached already"
        return Said(message, f"aim: {stay}, to keep it", None if goal.spec.baseline else "warn")

    return over_parts(case, judge)


def _coverage(case: Case) -> Said | None:
    """M4: the last four weeks have data."""
    known = case.known
    if known is None:
        return _unread(case)
    if round(known.coverage, 9) >= COVERED:
        return None
    message = f"only {known.coverage:.0%} of the last 28 days have data"
    return Said(message, "kpi check --data, to see which files or rows are missing")


def _distinct(case: Case) -> Said | None:
    """M5: the change is greater than what chance does."""
    goal = case.goal
    assert goal is not None
    if goal.aim not in ("increase", "decrease"):
        return None
    known = case.known
    if known is None:
        return _unread(case)

    def judge(part: Part) -> Said | None:
        if part.met:
            return None
        came = 0.0 if goal.kind == "total" else part.baseline
        if part.error is None or part.target is None or came is None:
            return _too_little(known)
        change = abs(part.target - came)
        if change >= ERRORS * part.error:
            return None
        least = came + (ERRORS * part.error if goal.aim == "increase" else -ERRORS * part.error)
        chance = by_how_much(goal, part.error)
        message = f"a change of {by_how_much(goal, change)} cannot be told from chance, ±{chance}"
        return Said(message, f"target: {amount(goal, _short(least))} or beyond, or a longer time")

    return over_parts(case, judge)


def _short(value: float) -> float:
    return float(f"{value:.2g}")


def _sample(case: Case) -> Said | None:
    """M7: there will be enough rows to judge by."""
    goal = case.goal
    assert goal is not None
    if goal.nature in ("additive", "accumulating", "stock"):
        return None
    if case.known is None:
        return _unread(case)
    least, known = goal.spec.evidence.min_sample, case.known

    def judge(part: Part) -> Said | None:
        if part.rows is None:
            return _too_little(known)
        if part.rows >= least:
            return None
        what = f"each {goal.each} has" if goal.each else "by the deadline there are"
        message = f"{what} about {part.rows:.0f} rows, {least} are asked for"
        return Said(message, f"evidence: {{min_sample: {max(int(part.rows), 1)}}}, or a wider where, or a longer time")

    return over_parts(case, judge)


def _possible(case: Case) -> Said | None:
    """A1: within the bounds that are stated, and within reach."""
    goal = case.goal
    assert goal is not None
    beyond = _beyond_bounds(goal)
    if beyond is not None:
        return beyond
    if case.known is None:
        return _unread(case)

    def judge(part: Part) -> Said | None:
        if not part.unreachable:
            return None
        message = "it cannot be reached any more, even if all that is to come were perfect"
        if goal.kind == "each":
            message += f": `allow_misses` is {goal.spec.allow_misses}"
        return Said(message, "revisions: [{from: …, target: …, reason: …}], or stage: cancelled")

    return over_parts(case, judge)


def _beyond_bounds(goal: TypedGoal) -> Said | None:
    """Return what to say of a target that lies outside the bounds that the goal itself states."""
    low, high = goal.possible
    known = [bounds for bounds in goal.targets.values() if not bounds.change]
    for one in (end for bounds in known for end in (bounds.low, bounds.high) if end is not None):
        edge = high if high is not None and one > high else low if low is not None and one < low else None
        if edge is not None:
            message = f"{amount(goal, one)} lies beyond {amount(goal, edge)}, the bound that the goal states"
            line = f"target: {amount(goal, edge)} at the outside, or other bounds"
            return Said(message, line, place=goal.spec.at("target"))
    return None


def _rare(case: Case) -> Said | None:
    """A2: the change that it takes has happened, or it is said what makes it possible now."""
    goal, known = case.goal, case.known
    assert goal is not None
    if goal.aim == "stay_within" or goal.spec.achievable.because.texts or goal.spec.commitment == "aspirational":
        return None
    if known is None:
        return _unread(case)

    def judge(part: Part) -> Said | None:
        if part.needed is None or not part.growths or known.horizons < HORIZONS:
            return _short_past(known)
        hits = _hits(goal, part)[_allowed(goal, part) :]
        found, needed = hits[(len(hits) - 1) // 2]
        rising = goal.aim in ("increase", "stay_above")
        best = max(part.growths) if rising else min(part.growths)
        never = found * (len(part.growths) + 2) < 1.5
        if found >= RARE and not (never and len(part.growths) < ENOUGH):
            return None
        often = "has never happened" if never else f"has happened in {found:.0%} of the past"
        what = f"a typical {goal.each}" if len(part.needs) > 1 else "it"
        message = f"{what} takes {_change(goal, part, needed)} over {part.against}, which {often}"
        message += f"; at best it was {_change(goal, part, best)}"
        return Said(message, "achievable: {because: what is new}, or a nearer target")

    return over_parts(case, judge)


def _hits(goal: TypedGoal, part: Part) -> list[tuple[float, float]]:
    """Return how often the past had the change that is asked for, and that change; of periods each, the hardest first.

    Where some may miss, the hardest do. What is left hits with no more probability than the hardest of it, whatever
    hangs together.
    """
    rising = goal.aim in ("increase", "stay_above")
    needs = part.needs or (() if part.needed is None else (part.needed,))
    return sorted((rarity(part.growths, need, rising=rising), need) for need in needs)


def _allowed(goal: TypedGoal, part: Part) -> int:
    return min(goal.spec.allow_misses, max(len(part.needs) - 1, 0))


def _change(goal: TypedGoal, part: Part, value: float) -> str:
    """Return a change in words: of differences in the KPI's unit, of quotients in percent."""
    if part.differs:
        return f"{'+' if value >= 0 else ''}{by_how_much(goal, value)}"
    return f"{_shorten((value - 1) * 100)}%"


def _anyway(case: Case) -> Said | None:
    """A3: it would not come by itself."""
    goal, known = case.goal, case.known
    assert goal is not None
    if goal.aim == "stay_within":
        return None
    if known is None:
        return _unread(case)

    def judge(part: Part) -> Said | None:
        chance, count = part.chance, len(part.growths)
        if chance is None and not _is_projected(goal) and known.horizons >= HORIZONS and _hits(goal, part):
            chance, _ = _hits(goal, part)[_allowed(goal, part)]
            if chance <= CERTAIN and count < ENOUGH and chance * (count + 2) > count + 0.5:
                message = f"each time of {count} before it came to as much: whether it always does takes {ENOUGH}"
                return Said(message, "achievable: {history: 3y}, with data that goes back so far", "unknown")
        if chance is None:
            return _too_little(known)
        if chance <= CERTAIN:
            return None
        message = "if all goes on as before it is reached anyway, with more than 95 %"
        return Said(message, "target: further away, or stage: cancelled and a threshold instead")

    return over_parts(case, judge)


def _is_projected(goal: TypedGoal) -> bool:
    """Return whether days tell where a goal may end; of others only how often such a change came before."""
    if by_period(goal):
        return False
    return goal.kind == "level" or goal.nature == "additive" or "over" in goal.questions


def _shorten(value: float) -> str:
    """Return a change with its sign in three digits, of large ones all before the point."""
    return f"{value:+,.0f}" if abs(value) >= 999.5 else f"{value:+.3g}"


def _past(case: Case) -> Said | None:
    """A4: there is a past to learn from."""
    goal, known = case.goal, case.known
    assert goal is not None
    if goal.aim == "stay_within":
        return None
    if known is None:
        return _unread(case)
    if known.horizons >= HORIZONS:
        return None
    return _short_past(known)


def _too_little(known: Known) -> Said:
    return Said(known.lacking or FEW_WEEKS, LONGER if known.lacking else "", "unknown")


def _short_past(known: Known) -> Said:
    if known.lacking or known.horizons >= HORIZONS:
        return _too_little(known)
    message = (
        f"before the goal there is {known.horizons:.1f} times its length of data: what is rare takes {HORIZONS:.0f}"
    )
    return Said(message, LONGER, "unknown")


def _watched(case: Case) -> Said | None:
    """R0: each event has rows, and had some lately."""
    goal = case.goal
    assert goal is not None
    if case.bare:
        return Said("a pack has no rows: its events are bound where it is included", "", "unknown")
    for event in sorted(goal.kpi.missing):
        message = f"no dataset provides `{event}`: nothing is counted"
        return Said(message, f"datasets: {{NAME: {{read: …, events: {{{event}: all rows}}}}}}")
    if case.known is None:
        return _unread(case)
    for event, count in case.known.rows:
        if not count:
            message = f"`{event}` had no row in the last {case.known.recent} days ({case.origins.get(event, '')})"
            return Said(message, f"events: {{{event}: …}} with a condition that rows fulfil")
    return None


OBSERVED: Mapping[str, Judge] = {
    "S5": _rows,
    "M2": _baseline,
    "M3": _beyond,
    "M4": _coverage,
    "M5": _distinct,
    "M7": _sample,
    "A1": _possible,
    "A2": _rare,
    "A3": _anyway,
    "A4": _past,
    "R0": _watched,
}
"""The rules that data decides."""
