"""The examples of data errors in the register, run over the files that their first lines describe.

`# file NAME` and the lines `#| TEXT` below it are a file beside the project; `# data {…}` is handed over in Python.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import smartkpi
from smartkpi import errors
from smartkpi.diagnostics import KpiError

PART = Path(errors.__file__).with_name("errors.d") / "engine.md"
WRITTEN = errors.read_register(PART.read_text(encoding="utf-8")) if PART.exists() else {}
ENTRIES = {
    code: entry
    for code, entry in {**WRITTEN, **errors.register()}.items()
    if entry.stage == "run" and any(mark in f"\n{entry.bad}\n{entry.good}" for mark in ("\n# file ", "\n# data "))
}


def run(folder: Path, text: str) -> list[str]:
    """Write an example and its files, run it, and return the codes that come back."""
    data: dict[str, object] = {}
    target = None
    for line in text.splitlines():
        if line.startswith("# file "):
            target = folder / line.removeprefix("# file ")
            target.write_text("")
        elif line.startswith("#| "):
            assert target is not None
            target.write_text(target.read_text() + line.removeprefix("#| ") + "\n")
        elif line.startswith("# data "):
            data = ast.literal_eval(line.removeprefix("# data "))
    (folder / "kpis.yml").write_text(text)
    try:
        return [d.code for d in smartkpi.load(folder / "kpis.yml", data).run().diagnostics]
    except KpiError as error:
        return [d.code for d in error.diagnostics]


@pytest.mark.parametrize("code", ENTRIES)
def test_the_bad_example_gives_the_code_and_the_good_one_nothing(code: str, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.mkdir()
    good.mkdir()
    assert run(bad, ENTRIES[code].bad) == [code]
    assert run(good, ENTRIES[code].good) == []
