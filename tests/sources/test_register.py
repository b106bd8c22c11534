"""The examples of data errors in the register, run over the files that their first lines describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import smartkpi
from smartkpi import errors
from smartkpi.diagnostics import Diagnostic, KpiError
from tests.rendering import hold, lay_out, rendered

ENTRIES = {code: entry for code, entry in errors.register().items() if entry.stage in ("run", "data")}


def run(text: str, stage: str) -> list[Diagnostic]:
    """Write an example and its files into the working folder, run or check it, and return what comes back."""
    data = lay_out(text)
    if stage == "data":
        return [*smartkpi.load("kpis.yml", data).check(data=True).diagnostics]
    try:
        by = next((line.removeprefix("# by ") for line in text.splitlines() if line.startswith("# by ")), ())
        return [*smartkpi.load("kpis.yml", data).run(by=by).diagnostics]
    except KpiError as error:
        return [*error.diagnostics]


@pytest.mark.parametrize("code", ENTRIES)
def test_the_bad_example_gives_the_code_and_the_good_one_nothing(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool
) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.mkdir()
    good.mkdir()
    monkeypatch.chdir(bad)
    for name, value in re.findall(r"^# (SMARTKPI_\w+)=(.*)$", ENTRIES[code].bad, re.MULTILINE):
        monkeypatch.setenv(name, value)
    found = run(ENTRIES[code].bad, ENTRIES[code].stage)
    assert [d.code for d in found] == [code]
    hold(code, ENTRIES[code].bad, rendered(found), update)
    monkeypatch.chdir(good)
    assert run(ENTRIES[code].good, ENTRIES[code].stage) == []
