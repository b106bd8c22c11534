"""Where goals may end, read slowly: loops over days, densities summed up, nothing shared with what it judges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from math import comb, cos, exp, floor, gamma, lgamma, log, pi, sin, sqrt

DAY = timedelta(days=1)
Days = Mapping[date, float]


@lru_cache(maxsize=4096)
def t_above(t: float, freedom: int) -> float:
    """Return P(T >= t): a half less the density from 0 to t, by Simpson's rule."""
    scale = gamma((freedom + 1) / 2) / gamma(freedom / 2) / sqrt(freedom * pi)
    size, steps = min(abs(t), 4000.0), 4000
    width = size / steps
    total = 0.0
    for i in range(steps + 1):
        weight = 1 if i in (0, steps) else 4 if i % 2 else 2
        total += weight * (1 + (i * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
    half = min(scale * total * width / 3, 0.5)
    return 0.5 - half if t > 0 else 0.5 + half


def weekday_weights(known: Days) -> list[float]:
    """Return s_d = (sum of x_d + 3m) / (n_d + 3) / m, scaled to a mean of 1."""
    m = sum(known.values()) / len(known)
    s = []
    for weekday in range(7):
        mine = [x for day, x in known.items() if day.weekday() == weekday]
        s.append((sum(mine) + 3 * m) / (len(mine) + 3) / m if m > 0 else 1.0)
    return [one * 7 / sum(s) for one in s]


def weeks_back(values: Days, last: date) -> list[float | None]:
    """Return sums of seven days back from the last one of 56; None where a day is missing."""
    found: list[float | None] = []
    for week in range(8):
        days = [last - DAY * (7 * week + i) for i in range(7)]
        found.append(sum(values[day] for day in days) if all(day in values for day in days) else None)
    return found


def spread_of(weeks: list[float | None], n: int, h: int, size: float) -> tuple[float, int] | None:
    """Return √(v(h + h²/n)) and the degrees of freedom, by the weeks that are known."""
    b = [one for one in weeks if one is not None]
    m = len(b)
    if m < 3:
        return None
    mean = sum(b) / m
    if max(abs(one - mean) for one in b) <= size * 7e-9:
        return 0.0, m - 1
    v = sum((one - mean) ** 2 for one in b) / (m - 1) / 7
    if m >= 6:
        lagged = sum(
            (weeks[i] - mean) * (weeks[i + 1] - mean)  # type: ignore[operator]
            for i in range(len(weeks) - 1)
            if weeks[i] is not None and weeks[i + 1] is not None
        )
        rho = min(max(lagged / sum((one - mean) ** 2 for one in b) + 1 / m, 0), 0.8)
        v = v * (1 + rho) / (1 - rho)
    return sqrt(v * (h + h * h / n)), m - 1


def last_days(values: Days, last: date) -> dict[date, float]:
    """Return the last 56 days, of whole weeks back from the last one."""
    found = {}
    for week in range(8):
        days = [last - DAY * (7 * week + i) for i in range(7)]
        if all(day in values for day in days):
            found.update({day: values[day] for day in days})
    return found


def rest_of(values: Days, last: date, h: int) -> tuple[float, float, int] | None:
    """Return mean, standard deviation and degrees of freedom of what the next days bring, as the last weeks went."""
    known = last_days(values, last)
    if not known or not any(known.values()):
        return None
    s = weekday_weights(known)
    level = sum(known.values()) / sum(s[day.weekday()] for day in known)
    mean = level * sum(s[(last + DAY * (i + 1)).weekday()] for i in range(h))
    residuals = {day: x - level * s[day.weekday()] for day, x in known.items()}
    found = spread_of(weeks_back(residuals, last), len(known), h, abs(level))
    return None if found is None else (mean, *found)


def chance_of(target: float, mean: float, spread: float, freedom: int) -> float:
    """Return the probability to reach a target."""
    if spread == 0:
        return 1.0 if mean >= target - abs(target) * 1e-9 else 0.0
    return t_above((target - mean) / spread, freedom)


def total(values: Days, last: date, h: int, value: float, target: float) -> tuple[float, float] | None:
    """Return the projection of a total and its probability to reach a target."""
    found = rest_of(values, last, h)
    if found is None:
        return None
    mean, spread, freedom = found
    return value + mean, chance_of(target - value, mean, spread, freedom)


def historic(values: Days, last: date, h: int, value: float, target: float) -> tuple[float, float, int]:
    """Return projection and probability of a total, half as such projections turned out before, and how often."""
    mean, spread, freedom = rest_of(values, last, h) or (0.0, 0.0, 0)
    weekly = chance_of(target - value, mean, spread, freedom)
    first, ratios = min(values), []
    day = last - DAY * h
    while (day - first).days + 1 >= 56:
        before = rest_of(values, day, h)
        if before is not None and before[0] > 0:
            ratios.append(sum(values[day + DAY * (i + 1)] for i in range(h)) / before[0])
        day -= DAY * 7
    m = (sum(first <= one <= last for one in values) - 56) // h
    if len(ratios) < 8 or m < 3 or mean <= 0:
        return value + mean, weekly, 0
    ordered = sorted(ratios)
    size = len(ordered)
    med = (ordered[(size - 1) // 2] + ordered[size // 2]) / 2
    ends = [value + mean * sqrt(med) * (one / med) ** sqrt(1 + 1 / m) for one in ordered]
    often = (1 + sum(end >= target - abs(target) * 1e-9 for end in ends)) / (size + 2)
    return (value + mean + sum(ends) / size) / 2, (weekly + often) / 2, size


def rate(
    over: Days, under: Days, last: date, h: int, done: tuple[float, float], target: float
) -> tuple[float, float, float] | None:
    """Return the projection of a ratio of totals, its probability, and the denominator that is still to come."""
    rest = rest_of(under, last, h)
    tops, bottoms = last_days(over, last), last_days(under, last)
    if rest is None or rest[0] <= 0:
        return None
    r = sum(tops.values()) / sum(bottoms.values())
    residuals = {day: tops[day] - r * bottoms[day] for day in bottoms}
    found = spread_of(weeks_back(residuals, last), len(bottoms), h, max(abs(x) for x in tops.values()))
    if found is None:
        return None
    n1 = rest[0]
    chance = chance_of(target * (done[1] + n1) - done[0], r * n1, *found)
    return (done[0] + r * n1) / (done[1] + n1), chance, n1


def dispersion(pairs: list[tuple[float, float]]) -> float:
    """Return Pearson's χ² / (D − 1)."""
    pairs = [(k, n) for k, n in pairs if n > 0]
    p = sum(k for k, _ in pairs) / sum(n for _, n in pairs)
    if len(pairs) < 2 or p in (0, 1):
        return 1.0
    return sum((k - n * p) ** 2 / (n * p * (1 - p)) for k, n in pairs) / (len(pairs) - 1)


def share(
    hits: Days, trials: Days, last: date, h: int, done: tuple[float, float], target: float
) -> tuple[float, float, float] | None:
    """Return the projection of a share, its probability, and the trials that are still to come: every term added."""
    rest = rest_of(trials, last, h)
    if rest is None or rest[0] <= 0:
        return None
    some, all_of = last_days(hits, last), last_days(trials, last)
    phis = [1.0, dispersion([(some[day], all_of[day]) for day in all_of])]
    both = zip(weeks_back(some, last), weeks_back(all_of, last), strict=True)
    weeks = [(k, n) for k, n in both if k is not None and n is not None]
    if len(weeks) >= 4:
        phis.append(dispersion(weeks))
    phi, n1 = max(phis), rest[0]
    k0, n0 = done if done[1] else (sum(some.values()), sum(all_of.values()))
    a, b = 0.5 + k0 / phi, 0.5 + (n0 - k0) / phi
    size = max(round(n1 / phi), 1)
    need = target * (done[1] + n1) - done[0]
    least = -floor(-(need / n1 * size - 1e-9))
    if need <= 0 or need > n1:
        chance = 1.0 if need <= 0 else 0.0
    else:
        terms = (
            exp(
                lgamma(size + 1) - lgamma(x + 1) - lgamma(size - x + 1) + lgamma(x + a) + lgamma(size - x + b)
                - lgamma(size + a + b) + lgamma(a + b) - lgamma(a) - lgamma(b)
            )
            for x in range(max(least, 0), size + 1)
        )  # fmt: skip
        chance = sum(terms)
    return (done[0] + n1 * a / (a + b)) / (done[1] + n1), chance, n1


def ratio_before(
    over: Days, under: Days, last: date, h: int, done: tuple[float, float], target: float,
    plain: tuple[float, float, float], *, share: bool,
) -> tuple[float, float, int]:  # fmt: skip
    """Return the projection of a ratio and its probability, half as it turned out at earlier weeks, and how many."""
    end, chance, later = plain

    def ratio(day: date, first: int, after: int) -> float | None:
        days = [day + DAY * i for i in range(first, after)]
        k, n = sum(over.get(one, 0.0) for one in days), sum(under.get(one, 0.0) for one in days)
        return None if n <= 0 else (k + 0.5) / (n + 1) if share else k / n

    pairs, day, first = [], last - DAY * h, min(under)
    while (day - first).days + 1 >= 56:
        before, after = ratio(day, -55, 1), ratio(day, 1, h + 1)
        if before is not None and after is not None and all(day + DAY * (i + 1) in under for i in range(h)):
            pairs.append((before, after))
        day -= DAY * 7
    m, now = (len(under) - 56) // h, ratio(last, -55, 1)
    if m < 3 or len(pairs) < 8 or now is None:
        return end, chance, 0
    known = [now, *(one for pair in pairs for one in pair)]
    if share:
        odds = [now / (1 - now) * x for x in _spread([b / (1 - b) / (a / (1 - a)) for a, b in pairs], m)]
        found = [one / (1 + one) for one in odds]
    elif min(known) > 0:
        found = [now * x for x in _spread([b / a for a, b in pairs], m)]
    else:
        apart = sorted(b - a for a, b in pairs)
        med = (apart[(len(apart) - 1) // 2] + apart[len(apart) // 2]) / 2
        found = [now + med / 2 + (x - med) * sqrt(1 + 1 / m) for x in apart]
    need = target * (done[1] + later) - done[0]
    often = (1 + sum(later * one >= need - abs(need) * 1e-9 for one in found)) / (len(found) + 2)
    mean = (done[0] + later * sum(found) / len(found)) / (done[1] + later)
    return (end + mean) / 2, (chance + often) / 2, len(pairs)


def _spread(factors: list[float], m: int) -> list[float]:
    """Return √med · (x/med)^√(1 + 1/m) of factors; the median is that of their logarithms."""
    ordered = sorted(factors)
    med = sqrt(ordered[(len(ordered) - 1) // 2] * ordered[len(ordered) // 2])
    return [sqrt(med) * (one / med) ** sqrt(1 + 1 / m) for one in ordered]


def periods_kept(kept: int, known: int, running: float | None, later: int, needed: int) -> tuple[float, float]:
    """Return how many periods to come are expected to be as wanted, and the probability of at least so many.

    Of ``known`` ones before ``kept`` were. The rate's density times what follows from it, by Simpson's rule: with
    q = sin²(x) nothing is infinite at the ends.
    """
    a, b = 0.5 + kept / 2, 0.5 + (known - kept) / 2
    steps, found = 2000, 0.0
    scale = exp(lgamma(a + b) - lgamma(a) - lgamma(b))
    for i in range(steps + 1):
        x = pi / 2 * i / steps
        q = sin(x) ** 2
        density = 2 * scale * sin(x) ** (2 * a - 1) * cos(x) ** (2 * b - 1)
        chances = [q**k * (1 - q) ** (later - k) * comb(later, k) for k in range(later + 1)]
        p = running or 0.0
        hit = sum(c * (p * (k + 1 >= needed) + (1 - p) * (k >= needed)) for k, c in enumerate(chances))
        found += (1 if i in (0, steps) else 4 if i % 2 else 2) * density * hit
    return (running or 0.0) + later * a / (a + b), found * pi / 2 / steps / 3


def as_earlier(
    pairs: list[tuple[float, float]], value: float, target: float, *, grows: bool
) -> tuple[float, float] | None:
    """Return where a value above zero ends by how those of earlier windows did, and the probability of a target."""
    if len(pairs) < 3 or value <= 0 or min(min(pair) for pair in pairs) <= 0:
        return None
    m = len(pairs)
    factors = [after / before for before, after in pairs]
    middle = 1.0
    for factor in factors:
        middle *= factor ** (1 / m)
    end = value * (middle if grows else sqrt(middle))
    spread = sqrt(sum(log(factor / middle) ** 2 for factor in factors) / (m - 1) * (1 + 1 / m))
    if spread <= 1e-9 * max(abs(log(value)), abs(log(middle)), 1e-9):
        return end, (1 + m * (end >= target * (1 - 1e-9))) / (m + 2)
    return end, t_above(log(target / end) / spread, m - 1)
