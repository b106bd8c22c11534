"""Traps of YAML and configuration, by number."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartkpi.spec.load import load
from tests.spec.reading import codes, data, load_text


def test_trap_18_one_broken_kpi_does_not_block_the_others(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "kpis:\n  a: order / visit\n  b: order / \n  c: {formula: [}\n  d: order\n")
    assert set(loaded.catalog.kpis) == {"a", "d"}
    assert {"kpi:b", "kpi:c"} == loaded.catalog.broken.keys()


def test_trap_18_a_yaml_mistake_is_called_by_its_name(tmp_path: Path) -> None:
    (problem,) = load_text(tmp_path, "kpis:\n  a:\n    formula:order / visit\n    owner: me\n").diagnostics
    assert problem.message == "a space is missing behind the colon of `formula:`"


@pytest.mark.parametrize(
    ("written", "value"),
    [("no", "no"), ("on", "on"), ("12:30", "12:30"), ("1e3", 1000.0), ("010", 10), ("2026-01-01", "2026-01-01")],
)
def test_trap_26_values_are_those_of_yaml_1_2(written: str, value: object) -> None:
    assert data(f"a: {written}\n") == {"a": value}


def test_trap_26_bombs_and_depth_end_in_codes() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert codes(bomb) == ["too-many-aliases"]
    assert codes("[" * 60_000) == ["too-deep"]
    assert codes("a: 1\na: 2\n") == ["duplicate-key"]


@pytest.mark.parametrize(
    "text",
    [
        "kpis: {a: !!python/object/apply:os.system [touch owned]}\n",
        "kpis: {a: '{{ 7 * 7 }}'}\n",
        "kpis: {a: '${HOME}'}\n",
        "kpis: {a: '__import__(\"os\").getcwd()'}\n",
        "constants: {a: !!python/name:os.system }\nkpis: {b: a}\n",
    ],
)
def test_trap_27_configuration_runs_no_code(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load_text(tmp_path, text)
    assert loaded.diagnostics or "b" in loaded.catalog.kpis
    assert not (tmp_path / "owned").exists()


def test_trap_27_environment_and_home_are_no_values() -> None:
    catalog = load({"constants": {"a": "${HOME}"}}).catalog
    assert catalog.constants["a"].formula.text.value == "${HOME}"


def test_trap_28_unknown_and_misindented_keys_are_refused(tmp_path: Path) -> None:
    text = "kpis:\n  a:\n    formula: order\n    treshold: {good: at least 1}\n"
    text += "    week_start: monday\n    good: at least 1\n"
    found = load_text(tmp_path, text).diagnostics
    assert [d.code for d in found] == ["unknown-key"] * 3
    assert "did you mean `thresholds`?" in found[0].hint
    assert "under `thresholds:`" in found[2].hint
