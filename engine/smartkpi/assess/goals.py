"""How a goal stands on a day: from a few numbers to a status with its reason. Pure arithmetic; knows no Polars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isclose

from smartkpi.assess.distributions import halve
from smartkpi.assess.outlook import Outlook
from smartkpi.semantics.goal import Aim, Kind
from smartkpi.spec.goal import Evidence

ON_TRACK, AT_RISK = 0.95, 0.80
"""The least pace of these statuses."""
LIKELY = {"committed": (0.70, 0.30), "aspirational": (0.50, 0.15)}
"""From which probability on a goal is on track, and below which it is off."""
TREND = "trend"
"""The method that knows no probability."""

STATUSES = (
    *("draft", "cancelled", "scheduled", "too_early", "no_data", "paused", "settling"),
    *("on_track", "at_risk", "off_track", "achieved", "missed"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a goal on a day.

    ``target`` is the one in force, of a range the lower end and ``upper`` the other. ``share`` is f, how much of the
    way is expected, ``base`` the same without regard to revisions; ``left`` the weight of the days to come. ``days``
    are those of the goal, ``done`` of them complete, ``gone`` ended. ``begun``: it has started; ``passed``: its
    deadline is over; ``closed``: and all data is there. ``kept`` of ``counted`` days or periods were as wanted, of
    ``periods`` there are in all, ``allowed`` of which may miss. ``later`` is the sample that is still expected.
    ``guardrail`` names what is broken. ``guarded``: too few rows are no evidence; ``monotone``: no part of the value
    is below zero, so that a total cannot fall. ``outlook`` is where it may end, None where history does not tell; so it
    is where nothing but zeros came (``silent``).
    """

    aim: Aim
    kind: Kind
    value: float | None
    target: float | None
    baseline: float | None = None
    expected: float | None = None
    share: float | None = None
    base: float | None = None
    left: float = 0.0
    days: int = 1
    done: int = 0
    gone: int = 0
    begun: bool = True
    passed: bool = False
    closed: bool = False
    stage: str = "active"
    upper: float | None = None
    sample: int | None = None
    later: float | None = None
    proportion: bool = False
    guarded: bool = True
    coverage: float = 1.0
    interval: tuple[float, float] | None = None
    kept: int = 0
    counted: int = 0
    periods: int = 0
    allowed: int = 0
    monotone: bool = False
    guardrail: str = ""
    stretch: float | None = None
    revised: bool = False
    derived_baseline: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    outlook: Outlook | None = None
    commitment: str = "committed"
    silent: bool = False

    @property
    def rising(self) -> bool:
        """Whether more is better."""
        return self.aim in ("increase", "stay_above")

    @property
    def budget(self) -> bool:
        """Whether it is a total that is to stay small."""
        return self.kind == "total" and not self.rising

    @property
    def reaching(self) -> bool:
        """Whether there is a way from a baseline to a target."""
        return self.kind == "total" or (self.kind != "each" and self.aim in ("increase", "decrease"))

    @property
    def met(self) -> bool:
        """Whether the value is where it is wanted: at the target, or beyond; within a tolerance of 1e-9."""
        return (
            self.value is not None and self.target is not None and is_met(self.aim, self.value, self.target, self.upper)
        )

    @property
    def misses(self) -> int:
        """How many periods were not as wanted."""
        return self.counted - self.kept


@dataclass(frozen=True, slots=True)
class Measures:
    """The numbers of a goal on a day: p, pace, gap, required rate and lift; burn of a budget or of allowed misses.

    ``exhausted`` is after how many days a budget is used up. ``at_start``: the target was met at the start. ``chance``
    is the probability to hit, ``attainment`` how much of the target the projection reaches.
    """

    progress: float | None = None
    pace: float | None = None
    gap: float | None = None
    required: float | None = None
    lift: float | None = None
    burn: float | None = None
    exhausted: float | None = None
    secured: bool = False
    unreachable: bool = False
    exceeded: bool = False
    at_start: bool = False
    chance: float | None = None
    attainment: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status with its reason; ``final``: nothing can change it."""

    status: str
    reason: str
    final: bool
    measures: Measures


def is_met(aim: Aim, value: float, target: float, upper: float | None = None) -> bool:
    """Return whether a value is at a target or on its right side, within a relative tolerance of 1e-9."""
    if aim == "stay_within":
        return distance(value, target, target if upper is None else upper) == 0
    if isclose(value, target, rel_tol=1e-9, abs_tol=1e-12):
        return True
    return value > target if aim in ("increase", "stay_above") else value < target


def distance(value: float, low: float, high: float) -> float:
    """Return how far a value is from a range, in halves of its width: 0 inside, negative below."""
    edge = low if value < low else min(value, high)
    if isclose(value, edge, rel_tol=1e-9, abs_tol=1e-12):
        return 0.0
    half = (high - low) / 2
    return (value - edge) / half if half else (value - edge)


def required_rate(target: float, hits: float, trials: float, later: float) -> float | None:
    """Return the rate that the rest must have for the whole to reach a target: r = (T·(N0 + N1) − K0) / N1."""
    return (target * (trials + later) - hits) / later if later > 0 else None


def assess(facts: Facts) -> Verdict:
    """Return how a goal stands: the first rule that holds, from the most certain to the pace."""
    measures = foresee(facts, measure(facts))
    for rule in RULES:
        if rule.holds(facts, measures):
            final = rule.final if isinstance(rule.final, bool) else rule.final(facts)
            if rule.capped and facts.guardrail and rule.status in ("achieved", "on_track"):
                return Verdict("at_risk", "guardrail", False, measures)
            return Verdict(rule.status, rule.reason, final, measures)
    raise AssertionError("the last rule holds always")


def foresee(facts: Facts, measures: Measures) -> Measures:
    """Return the numbers with the probability to hit, and how much of the target the projection reaches."""
    outlook, target = facts.outlook, facts.target
    if outlook is None or target is None or outlook.method == TREND:
        return measures
    if facts.kind == "each":
        needed = facts.periods - facts.allowed
        return replace(measures, chance=outlook.above(needed), attainment=outlook.mean / needed)
    chance = chance_of(outlook, facts.aim, target, facts.upper)
    return replace(measures, chance=chance, attainment=attain(facts, measures, outlook.mean, target))


def chance_of(outlook: Outlook, aim: Aim, target: float, upper: float | None) -> float:
    """Return the probability to end where it is wanted."""
    match aim:
        case "stay_within":
            return outlook.within(target, target if upper is None else upper)
        case "increase" | "stay_above":
            return outlook.above(target)
        case _:
            return outlook.below(target)


def suppose(facts: Facts, factor: float) -> Facts:
    """Return the facts if the days to come bring so many times as much. There must be an outlook."""
    assert facts.outlook is not None
    return replace(facts, outlook=facts.outlook.faster(factor))


def needed(facts: Facts) -> float | None:
    """Return how many times as much the days to come must bring, at most for what is to stay small, to be on track.

    None where no estimate says so, and where not even a thousand times as much, or as little, would do.
    """
    if facts.outlook is None or facts.outlook.informs or facts.aim == "stay_within" or facts.target is None:
        return None
    sure = LIKELY[facts.commitment][0]

    def enough(factor: float) -> bool:
        return (foresee(suppose(facts, factor), Measures()).chance or 0.0) >= sure

    low, high = 1e-3, 1e3
    if enough(low) == enough(high):
        return None
    return halve(lambda factor: enough(factor) is facts.rising, low, high)


def attain(facts: Facts, measures: Measures, mean: float, target: float) -> float | None:
    """Return (mean − B)/(T − B); of what is to stay, and of a budget, the smaller of mean and target over the other."""
    if facts.aim == "stay_within":
        target = min(max(mean, target), target if facts.upper is None else facts.upper)
        return min(mean / target, target / mean) if mean > 0 and target > 0 else None
    way = facts.reaching and not facts.budget and not measures.at_start and facts.baseline is not None
    if way and facts.baseline is not None and facts.baseline != target:
        return (mean - facts.baseline) / (target - facts.baseline)
    over, under = (mean, target) if facts.rising else (target, mean)
    return over / under if under > 0 else None


def measure(facts: Facts) -> Measures:
    """Return the numbers of a goal on a day, as far as there are any."""
    value, target = facts.value, facts.target
    if facts.kind == "each":
        return _compliance(facts)
    if value is None or target is None:
        return Measures()
    exceeded = facts.stretch is not None and is_met(facts.aim, value, facts.stretch)
    gap = None if facts.expected is None else value - facts.expected
    if not facts.reaching:
        kept = facts.kept / facts.counted if facts.counted else None
        return Measures(progress=kept, gap=gap, exceeded=exceeded, required=_rate(facts), **_certain(facts))
    if facts.budget:
        return _budget(facts, value, target, gap)
    return _reach(facts, value, target, gap, exceeded)


def _compliance(facts: Facts) -> Measures:
    """Return the numbers of a goal for each period: the share that was as wanted, and how misses are used up."""
    if not facts.counted:
        return Measures()
    gap = None if facts.value is None or facts.target is None else facts.value - facts.target
    burn = 0.0 if not facts.misses else None
    if facts.allowed and facts.misses:
        burn = facts.misses / facts.allowed / (facts.counted / facts.periods)
    return Measures(progress=facts.kept / facts.counted, pace=1 / burn if burn else None, gap=gap, burn=burn)


def _budget(facts: Facts, value: float, target: float, gap: float | None) -> Measures:
    """Return the numbers of a budget: burn = (V/T)/f, and the day on which it is used up."""
    progress = value / target if target else None
    exhausted = pace = None
    burn = 0.0 if not target and facts.met else None  # nothing of nothing is used
    if progress is not None and facts.share:
        burn = progress / facts.share
        pace = 1 / burn if burn > 0 else None
        exhausted = facts.days / burn if burn > 0 else None
    exceeded = facts.stretch is not None and is_met(facts.aim, value, facts.stretch)
    required = (target - value) / facts.left if facts.left > 0 else None
    return Measures(progress, pace, gap, required, None, burn, exhausted, exceeded=exceeded and facts.closed)


def _reach(facts: Facts, value: float, target: float, gap: float | None, exceeded: bool) -> Measures:
    """Return the numbers of a way from a baseline to a target: p = (V − B)/(T − B), pace = p/f."""
    baseline = facts.baseline
    if baseline is None:
        return Measures(gap=gap, exceeded=exceeded, required=_rate(facts), **_certain(facts))
    if is_met(facts.aim, baseline, target):
        return Measures(1.0 if facts.met else None, None, gap, exceeded=exceeded, at_start=True, **_certain(facts))
    progress = (value - baseline) / (target - baseline)
    pace = progress / facts.share if facts.share else None
    required = _rate(facts)
    lift = None
    if facts.kind == "total":
        required = _remaining(facts, (target - value) / facts.left) if facts.left > 0 else None
        if facts.base and facts.base < 1 and value > 0 and not facts.met:
            lift = ((target - value) / (1 - facts.base)) / (value / facts.base)
    elif required is not None and value > 0 and facts.kind == "whole":
        lift = required / value
    return Measures(progress, pace, gap, required, lift, exceeded=exceeded, **_certain(facts))


def _rate(facts: Facts) -> float | None:
    """Return what is required of the rest: of a whole the rate of what is to come, of a level the change a day."""
    value, target = facts.value, facts.target
    if value is None or target is None or facts.aim == "stay_within":
        return None
    if facts.kind == "level":
        left = facts.days - facts.done
        return _remaining(facts, (target - value) / left) if facts.reaching and left > 0 else None
    if facts.kind != "whole" or not facts.sample or facts.later is None:
        return None
    return required_rate(target, value * facts.sample, facts.sample, facts.later)


def _remaining(facts: Facts, rate: float) -> float:
    """Return what is required of each day to come: nothing where the target is reached."""
    return 0.0 if facts.met else rate


def _certain(facts: Facts) -> dict[str, bool]:
    """Say whether a ratio's target is reached, or missed, whatever comes: the rest cannot be below 0, or above all."""
    rate = _rate(facts) if facts.kind == "whole" else None
    if rate is None or not (facts.proportion or facts.monotone):
        return {}
    if facts.rising:
        return {"secured": rate <= 0, "unreachable": facts.proportion and rate > 1}
    return {"secured": facts.proportion and rate >= 1, "unreachable": rate < 0}


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the table: when it holds, what it says, whether finally; ``capped``: a guardrail holds it down."""

    holds: Callable[[Facts, Measures], bool]
    status: str
    reason: str
    final: bool | Callable[[Facts], bool] = False
    capped: bool = False


def _lacks_data(facts: Facts, _: Measures) -> bool:
    if facts.kind == "each":
        return facts.closed and facts.counted < facts.periods and facts.misses <= facts.allowed
    return facts.value is None or facts.target is None


def _is_sparse(facts: Facts, _: Measures) -> bool:
    return facts.kind != "each" and round(facts.coverage, 9) < facts.evidence.min_coverage


def _is_small(facts: Facts) -> bool:
    """Return whether a ratio or a mean has too few rows; totals have what they have."""
    judged = facts.guarded and facts.kind in ("whole", "level")
    return judged and facts.sample is not None and facts.sample < facts.evidence.min_sample


def _is_secured(facts: Facts, _: Measures) -> bool:
    remaining = facts.periods - facts.counted
    return facts.kind == "each" and facts.counted > 0 and facts.misses + remaining <= facts.allowed


def _is_over(facts: Facts) -> bool:
    return facts.budget and not facts.met


def _is_reached(facts: Facts, _: Measures) -> bool:
    return facts.kind == "total" and facts.rising and facts.met


def _is_early(facts: Facts, _: Measures) -> bool:
    if facts.kind == "each":
        return not facts.counted
    warm = facts.share is not None and round(facts.share, 9) < facts.evidence.warmup
    return facts.done < facts.evidence.min_periods or warm or _is_small(facts)


def _judged(facts: Facts, measures: Measures) -> bool:
    """Return whether a value is judged by itself: no way leads to the target, or it was met at the start."""
    return facts.kind != "each" and (not facts.reaching or measures.at_start)


def _maybe(facts: Facts, bound: float | None) -> bool:
    return bound is not None and facts.interval is not None and facts.interval[0] <= bound <= facts.interval[1]


def _maybe_inside(facts: Facts, measures: Measures) -> bool:
    return _judged(facts, measures) and (_maybe(facts, facts.target) or _maybe(facts, facts.upper))


def _paced(least: float) -> Callable[[Facts, Measures], bool]:
    def holds(facts: Facts, measures: Measures) -> bool:
        if measures.burn is not None and measures.burn <= 0:
            return True
        return measures.pace is not None and round(measures.pace, 9) >= least

    return holds


def _chance(facts: Facts, measures: Measures) -> float | None:
    """Return the probability to hit, where a status follows from it."""
    told = measures.chance is None or facts.outlook is None or facts.outlook.informs
    return None if told or measures.chance is None else round(measures.chance, 9)


def _likely(facts: Facts, measures: Measures) -> bool:
    chance = _chance(facts, measures)
    return chance is not None and chance >= LIKELY[facts.commitment][0]


def _unlikely(facts: Facts, measures: Measures) -> bool:
    """Return whether it is unlikely to hit, and by more than a little: nobody stops for the last percents."""
    chance = _chance(facts, measures)
    short = measures.attainment is None or round(measures.attainment, 9) < ON_TRACK
    return chance is not None and chance < LIKELY[facts.commitment][1] and short


RULES = (
    Rule(lambda f, _: f.stage == "draft", "draft", "draft"),
    Rule(lambda f, _: f.stage == "cancelled", "cancelled", "cancelled", final=True),
    Rule(lambda f, _: not f.begun, "scheduled", "before_start"),
    Rule(lambda f, _: not f.gone, "too_early", "no_complete_day"),
    Rule(lambda f, _: f.kind == "each" and f.misses > f.allowed, "missed", "misses", final=True),
    Rule(_is_secured, "achieved", "secured", final=True),
    Rule(_lacks_data, "no_data", "no_value", final=lambda f: f.closed),
    Rule(_is_sparse, "no_data", "low_coverage", final=lambda f: f.closed),
    Rule(lambda f, _: f.closed and _is_small(f), "no_data", "insufficient_sample", final=True),
    Rule(lambda f, _: f.closed and f.met and f.kind != "each", "achieved", "met", final=True),
    Rule(lambda f, _: f.closed and f.kind != "each", "missed", "not_met", final=True),
    Rule(lambda f, _: f.stage == "paused", "paused", "paused"),
    Rule(lambda f, _: f.passed, "settling", "data_incomplete"),
    Rule(_is_reached, "achieved", "early", final=lambda f: f.monotone, capped=True),
    Rule(lambda f, _: _is_over(f) and f.monotone, "missed", "over_budget", final=True),
    Rule(lambda f, _: _is_over(f), "off_track", "over_budget"),
    Rule(lambda _, m: m.secured, "on_track", "secured", capped=True),
    Rule(lambda _, m: m.unreachable, "off_track", "unreachable"),
    Rule(_is_early, "too_early", "warm_up"),
    Rule(_likely, "on_track", "probability", capped=True),
    Rule(_unlikely, "off_track", "probability"),
    Rule(lambda f, m: _chance(f, m) is not None, "at_risk", "probability", capped=True),
    Rule(lambda f, m: _judged(f, m) and f.met, "on_track", "in_band", capped=True),
    Rule(_maybe_inside, "at_risk", "within_interval", capped=True),
    Rule(_judged, "off_track", "out_of_band"),
    Rule(lambda f, m: m.pace is None and m.burn is None, "no_data", "no_path"),
    Rule(_paced(ON_TRACK), "on_track", "pace", capped=True),
    Rule(_paced(AT_RISK), "at_risk", "pace", capped=True),
    Rule(lambda f, _: f.kind == "level" and _maybe(f, f.expected), "at_risk", "within_interval", capped=True),
    Rule(lambda _, __: True, "off_track", "pace"),
)
"""From what is stated, through what is certain and what is likely, to the pace; the first that holds counts."""
