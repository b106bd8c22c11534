"""What a change is made of: parts that add up to it, exactly, in fractions; rounded so that they still do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

DIGITS = 12
NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Side:
    """A segment of a ratio in two periods: numerators and denominators, before and after."""

    above: tuple[Fraction, Fraction]
    below: tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a segment adds to the change of a ratio: by its own rate, and by its weight among all."""

    rate: Fraction
    mix: Fraction


def split_ratio(sides: Sequence[Side]) -> list[Effect]:
    """Return the effects of the segments of a ratio; they add up to its change.

    With weights (shares of the denominator) and rates: rate is the mean weight times the change of the rate, mix the
    change of the weight times how far the mean rate lies from that of all. A segment that is new or gone has one rate
    only: all of it is mix; so is a numerator without a denominator. Source: E. M. Kitagawa, Components of a difference
    between two rates, JASA 50 (1955), 1168-1194; centred on the mean of the two total rates, which changes no sum, as
    changes of weights add up to 0.
    """
    totals = [(sum((s.above[i] for s in sides), NOTHING), sum((s.below[i] for s in sides), NOTHING)) for i in (0, 1)]
    centre = sum((above / below for above, below in totals), NOTHING) / 2
    effects = []
    for side in sides:
        weights = [side.below[i] / totals[i][1] for i in (0, 1)]
        shares = [side.above[i] / totals[i][1] for i in (0, 1)]
        whole = shares[1] - shares[0] - (weights[1] - weights[0]) * centre
        rate = NOTHING
        if side.below[0] and side.below[1]:
            rates = [side.above[i] / side.below[i] for i in (0, 1)]
            rate = (weights[0] + weights[1]) / 2 * (rates[1] - rates[0])
        effects.append(Effect(rate, whole - rate))
    return effects


def split_product(factors: Sequence[tuple[int, Fraction, Fraction]]) -> list[Fraction]:
    """Return what the factors of a product add to its change: of each its power (1, or -1 below a line) and values.

    All values are above 0. Each part is L(V1, V0) times the logarithm of the factor's change, L being the logarithmic
    mean (a - b) / (ln a - ln b): so they add up to V1 - V0 without a rest. Source: B. W. Ang, The LMDI approach to
    decomposition analysis: a practical guide, Energy Policy 33 (2005), 867-871.
    """
    before = after = Fraction(1)
    for power, old, new in factors:
        before, after = before * old**power, after * new**power
    with localcontext() as context:
        context.prec = 50
        mean = _log_mean(before, after)
        return [Fraction(mean * power * (_decimal(new).ln() - _decimal(old).ln())) for power, old, new in factors]


def spread_product(factors: Sequence[tuple[int, Sequence[tuple[Fraction, Fraction]]]]) -> list[list[Fraction]]:
    """Return what each segment of each factor adds to the change of a product of sums.

    A factor is its power and its values by segment, before and after, which add up to above 0. Its part in the change,
    L(V1, V0) times the logarithm of its own, is L(V1, V0) / L(F1, F0) times F1 - F0, and so goes to its segments as
    they change: all of them together add up to V1 - V0.
    """
    totals = [
        (power, sum((old for old, _ in sides), NOTHING), sum((new for _, new in sides), NOTHING))
        for power, sides in factors
    ]
    before = after = Fraction(1)
    for power, old, new in totals:
        before, after = before * old**power, after * new**power
    with localcontext() as context:
        context.prec = 50
        mean = _log_mean(before, after)
        weights = [Fraction(mean * power / _log_mean(old, new)) for power, old, new in totals]
    return [[weight * (new - old) for old, new in sides] for weight, (_, sides) in zip(weights, factors, strict=True)]


def _log_mean(one: Fraction, other: Fraction) -> Decimal:
    """Return the logarithmic mean of two numbers above 0: their difference over that of their logarithms."""
    if one == other:
        return _decimal(one)
    return _decimal(other - one) / (_decimal(other).ln() - _decimal(one).ln())


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def unit_of(values: Sequence[Fraction], parts: Sequence[Fraction]) -> Fraction:
    """Return the digit that parts are rounded to: the last that the values have, but the twelfth at least.

    It is 1 where all are whole, as parts of counts are.
    """
    if all(one.denominator == 1 for one in (*values, *parts)):
        return Fraction(1)
    largest = max(abs(value) for value in values)
    with localcontext() as context:
        context.prec = 50
        wanted = DIGITS - 1 - _decimal(largest).adjusted() if largest else DIGITS
    own = next(k for k in range(60) if all((value * 10**k).denominator == 1 for value in values))
    return Fraction(1, 10 ** max(wanted, own, 0))


def settle(parts: Mapping[str, Fraction], change: Fraction, unit: Fraction) -> dict[str, Fraction]:
    """Return parts in whole units that add up to a change to the digit: what is left goes to the largest remainders.

    Raises ValueError where parts and change are further apart than rounding explains.
    """
    lower = {name: floor(part / unit) for name, part in parts.items()}
    left = round(change / unit) - sum(lower.values())
    if not -2 <= left <= len(parts) + 2:
        raise ValueError("the parts do not add up to the change")
    order = sorted(parts, key=lambda name: (lower[name] - parts[name] / unit, name))
    for place in range(abs(left)):
        lower[order[place % len(order)] if left > 0 else order[-1 - place % len(order)]] += 1 if left > 0 else -1
    return {name: count * unit for name, count in lower.items()}
