"""Nearest names: the likeliest first, and cheap however many there are."""

from __future__ import annotations

import pytest

from smartkpi import nearest as module
from smartkpi.nearest import COMPARED, did_you_mean, nearest


def test_the_nearest_name() -> None:
    known = ["order", "orders_paid", "visit", "Visitor", "订单"]
    assert nearest("ordr", known) == ["order"]
    assert nearest("VISITOR", known) == ["Visitor"]
    assert nearest("订", known) == ["订单"]
    assert nearest("rder", known) == ["order"]
    assert did_you_mean("xyz", known) == ""
    assert did_you_mean("visitr", known, count=2) == "did you mean `Visitor` or `visit`?"


def test_few_names_are_compared_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    found = module.get_close_matches

    def counted(word: str, names: list[str], *rest: float) -> list[str]:
        compared.append(len(names))
        return found(word, names, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "get_close_matches", counted)
    known = [f"kpi_number_{i}" for i in range(10_000)]
    module._grouped.cache_clear()
    assert nearest("kpi_nmber_77", known)[0].startswith("kpi_number_")
    assert nearest("order", known) == []
    assert max(compared) <= COMPARED
    assert module._grouped.cache_info().misses == 1
