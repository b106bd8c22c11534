"""Each class of damage ends in its code, or gives its number and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import smartkpi
from smartkpi.diagnostics import Severity
from tests.damage.classes import Damage, damages

KPIS = {"orders": "order", "revenue": "sum(order.amount)"}


def project(folder: Path, damage: Damage) -> smartkpi.Project:
    """Write the files of a damage, and return a project that reads them."""
    for name, content in damage.files.items():
        (folder / name).write_bytes(content)
    read = dict(damage.read) if not isinstance(damage.read, str) else {"path": damage.read}
    read["path"] = str(folder / read["path"])
    dataset: dict[str, Any] = {"read": read, "time": "ts", "events": {"order": "all rows"}, **damage.more}
    return smartkpi.load({"datasets": {"log": dataset}, "kpis": KPIS})


@pytest.mark.parametrize("damage", list(damages()), ids=lambda damage: f"trap_{damage.trap}_{damage.name}")
def test_trap(damage: Damage, tmp_path: Path) -> None:
    one = project(tmp_path, damage)
    try:
        result = one.run(grain="all")
    except smartkpi.KpiError as error:
        assert {found.code for found in error.diagnostics} == {damage.code}
        return
    assert not damage.code
    values = dict(result.frame.select("kpi", "value").rows())
    assert (values["orders"], values.get("revenue")) == (damage.orders, damage.revenue)
    assert result.provenance.datasets["log"]["left_out"] == dict(damage.left_out)
    assert {found.code for found in result.diagnostics} == damage.notes
    total = sum(damage.left_out.values()) + (damage.orders or 0)
    assert result.provenance.datasets["log"]["rows"] == total


def test_no_file_is_named_in_vain(tmp_path: Path) -> None:
    """An error of data names the file or the pattern, and where it stands in the project."""
    for place, damage in enumerate(one for one in damages() if one.code and one.code != "unknown-field"):
        folder = tmp_path / str(place)
        folder.mkdir()
        with pytest.raises(smartkpi.KpiError) as caught:
            project(folder, damage).run(grain="all")
        (found, *_) = caught.value.diagnostics
        assert found.severity is Severity.ERROR
        assert found.span is not None
        named = [*damage.files, "*.csv", "*.parquet", "e.csv", "log"]
        assert any(name in found.message for name in named), found.message
