"""The exact text of every error: tests/errors/CODE.txt has an example of the register and how it is shown.

`pytest --update` writes the files again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from smartkpi.diagnostics import Diagnostic, render

SHOWN = Path(__file__).parent / "errors"


def hold(code: str, project: str, shown: str, update: bool) -> None:
    """Hold how an example is shown against its file."""
    text = f"{project}\n---- is shown as ----\n\n{shown}\n"
    file = SHOWN / f"{code}.txt"
    if update:
        file.write_text(text, encoding="utf-8", newline="")
    assert file.exists(), f"{file.name} is missing: pytest --update writes it"
    with file.open(encoding="utf-8", newline="") as stream:
        assert stream.read() == text


def rendered(found: Iterable[Diagnostic]) -> str:
    """Return diagnostics as a terminal shows them."""
    return "\n\n".join(map(render, found))


def lay_out(text: str) -> dict[str, object]:
    """Write an example and its files into the working folder, and return the tables that it hands over.

    `# file NAME` and the lines `#| TEXT` below it are a file beside the project; `# data {…}` is handed over in Python.
    """
    Path("kpis.yml").write_text(text, encoding="utf-8")
    data: dict[str, object] = {}
    target = None
    for line in text.splitlines():
        if line.startswith("# file "):
            target = Path(line.removeprefix("# file "))
            target.write_text("", encoding="utf-8")
        elif line.startswith("#| "):
            assert target is not None
            target.write_text(target.read_text("utf-8") + line.removeprefix("#| ") + "\n", encoding="utf-8")
        elif line.startswith("# data "):
            data = ast.literal_eval(line.removeprefix("# data "))
    return data
