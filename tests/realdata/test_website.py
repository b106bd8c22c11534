"""Daily counts of a website, from a file with thousands in quotes and American dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def website(open_project: Open) -> smartkpi.Project:
    return open_project("website")


def test_sums(website: smartkpi.Project, cells: Cells) -> None:
    values = cells(website.run(["loads", "typed_loads", "newcomers", "returners"], grain="all"))
    expected = {"loads": 8_921_516, "typed_loads": 8_921_516, "newcomers": 5_269_763, "returners": 1_109_119}
    assert {key[0]: value for key, value in values.items()} == expected
    year = cells(website.run(["loads", "newcomers", "returners"], grain="year"))
    assert [year[name, "2019-01-01"] for name in ("loads", "newcomers", "returners")] == [1_586_064, 930_623, 184_756]


def test_the_raw_file_says_the_same_each_day(website: smartkpi.Project, cells: Cells) -> None:
    values = cells(website.run(["loads", "typed_loads"], grain="day"))
    assert len(values) == 2 * 2_167
    assert all(values["loads", day] == value for (name, day), value in values.items() if name == "typed_loads")


def test_daily_uniques_refuse_to_be_summed(website: smartkpi.Project, cells: Cells) -> None:
    for grain in ("week", "month", "year", "all"):
        frame = website.run(["daily_visitors", "returning_share"], grain=grain).frame
        assert frame["state"].to_list() == ["unavailable"] * 2
        assert frame["reason"].str.contains("must not be added over time").all()
    values = cells(website.run(["daily_visitors", "returning_share"], grain="day"))
    assert sum(value for (name, _), value in values.items() if name == "daily_visitors") == 6_378_882
    assert values["returning_share", "2014-09-14"] == pytest.approx(152 / 1582)
