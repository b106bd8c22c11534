"""An alert turns after so many judged periods and stays for so many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.assess.alerts import SEVERITIES, alerts

statuses = st.lists(st.sampled_from((*SEVERITIES, "pending", "inconclusive", None)), max_size=20)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ((0, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0), (0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0)),
        ((0, 2, 2, 1, 2, 0, 0, 0), (0, 0, 2, 2, 1, 1, 0, 0)),
    ],
)
def test_worked_by_hand(given_: tuple[int, ...], expected: tuple[int, ...]) -> None:
    found = alerts([SEVERITIES[one] for one in given_], 2, 2)
    assert found == [SEVERITIES[one] for one in expected]


def test_what_judges_nothing_leaves_it_as_it_was() -> None:
    assert alerts(["pending", "critical", "inconclusive", None, "critical"], 2, 1) == [
        None, "good", "good", "good", "critical",
    ]  # fmt: skip


@given(statuses)
def test_at_once_and_for_one_period_it_is_the_last_status_that_judges(found: list[str | None]) -> None:
    last: list[str | None] = []
    for one in found:
        last.append(one if one in SEVERITIES else last[-1] if last else None)
    assert alerts(found, 1, 1) == last
