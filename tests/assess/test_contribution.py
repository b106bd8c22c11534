"""What a change is made of: parts that add up to it to the digit, whatever the order of segments and factors."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.contribution import Side, settle, split_product, split_ratio, unit_of

numbers = st.integers(0, 1000).map(Fraction)
pairs = st.tuples(numbers, numbers)
sides = st.builds(Side, pairs, pairs)
above_zero = st.fractions(Fraction(1, 1000), 1000)


def total(found: list[Side], i: int) -> Fraction:
    return sum((one.above[i] for one in found), Fraction(0)) / sum((one.below[i] for one in found), Fraction(0))


def test_rate_and_mix_worked_by_hand() -> None:
    # weights 60/40 to 80/20, rates 10% and 50% to 20% and 50%: 26% in both
    found = [
        Side((Fraction(6), Fraction(16)), (Fraction(60), Fraction(80))),
        Side((Fraction(20), Fraction(10)), (Fraction(40), Fraction(20))),
    ]
    first, second = split_ratio(found)
    assert (first.rate, first.mix) == (Fraction(7, 100), Fraction(1, 5) * (Fraction(15, 100) - Fraction(26, 100)))
    assert (second.rate, second.mix) == (0, Fraction(-1, 5) * (Fraction(50, 100) - Fraction(26, 100)))
    assert first.rate + first.mix + second.rate + second.mix == 0


@given(st.lists(sides, min_size=1, max_size=8).filter(lambda s: all(sum(x.below[i] for x in s) > 0 for i in (0, 1))))
def test_parts_of_a_ratio_add_up_exactly_in_any_order(found: list[Side]) -> None:
    effects = split_ratio(found)
    change = total(found, 1) - total(found, 0)
    assert sum((one.rate + one.mix for one in effects), Fraction(0)) == change
    assert split_ratio(found[::-1]) == effects[::-1]
    for side, effect in zip(found, effects, strict=True):
        if not (side.below[0] and side.below[1]):
            assert effect.rate == 0  # new, gone, or a numerator without a denominator
    if len(found) == 1:
        assert effects[0].mix == 0


@given(st.lists(st.tuples(st.sampled_from((1, -1)), above_zero, above_zero), min_size=1, max_size=5))
def test_factors_add_up_and_their_order_means_nothing(factors: list[tuple[int, Fraction, Fraction]]) -> None:
    before = after = Fraction(1)
    for power, old, new in factors:
        before, after = before * old**power, after * new**power
    shares = split_product(factors)
    assert float(sum(shares) - (after - before)) == pytest.approx(0, abs=1e-20 * float(before + after))
    assert [float(one) for one in split_product(factors[::-1])] == pytest.approx([float(one) for one in shares[::-1]])
    for (power, old, new), share in zip(factors, shares, strict=True):
        assert (share > 0) == (power * (new - old) > 0)


def test_two_equal_factors_share_a_change_alike() -> None:
    shares = split_product([(1, Fraction(2), Fraction(3)), (1, Fraction(2), Fraction(3))])
    assert shares[0] == shares[1]
    assert float(sum(shares)) == pytest.approx(5, abs=1e-30)


@given(
    st.dictionaries(st.text("abc", max_size=4), st.fractions(-100, 100), min_size=1, max_size=20), st.integers(0, 12)
)
def test_rounded_parts_add_up_to_the_digit(parts: dict[str, Fraction], digits: int) -> None:
    unit = Fraction(1, 10**digits)
    change = round(sum(parts.values(), Fraction(0)) / unit) * unit
    found = settle(parts, change, unit)
    assert sum(found.values(), Fraction(0)) == change
    assert all(abs(found[name] - parts[name]) < 2 * unit for name in parts)
    assert settle(dict(reversed(parts.items())), change, unit) == found


def test_parts_that_do_not_add_up_are_no_answer() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        settle({"a": Fraction(1), "b": Fraction(2)}, Fraction(10), Fraction(1))


def test_the_digit_is_the_last_that_values_have_and_one_for_counts() -> None:
    assert unit_of([Fraction(5), Fraction(7)], [Fraction(2)]) == 1
    assert unit_of([Fraction(1), Fraction(2)], [Fraction(1, 3)]) == Fraction(1, 10**11)
    assert unit_of([Fraction("0.5"), Fraction("0.0123456789012")], []) == Fraction(1, 10**13)
