"""The codes of wrong questions: each example of the register has its command in its first line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from smartkpi import errors
from tests.app.conftest import ROWS, Kpi
from tests.rendering import hold, lay_out

QUESTIONS = [entry for entry in errors.register().values() if entry.stage == "question"]


@pytest.mark.parametrize("entry", QUESTIONS, ids=[entry.code for entry in QUESTIONS])
def test_examples_of_the_register(entry: errors.Entry, project: Path, kpi: Kpi, update: bool) -> None:
    (project / "events.csv").write_text(ROWS, encoding="utf-8")
    for text, good in ((entry.bad, False), (entry.good, True)):
        lay_out(text)
        words = shlex.split(text.splitlines()[0].removeprefix("# kpi"))
        done = kpi(*words)
        noted = f"note[{entry.code}]" in done.stderr
        assert (done.exit_code == 0) is (good or noted), done.output
        assert not (good and noted), done.output
        if not good:
            assert done.exit_code in (0, 2, 3)
            assert noted or f"error[{entry.code}]" in done.stderr or "Invalid value for" in done.stderr
            hold(entry.code, text, done.stderr.rstrip("\n"), update)
