"""The register of errors: each code's bad example gives it and nothing else, its good example nothing at all.

tests/errors/CODE.txt has the bad example and how it is shown, to the letter; `pytest --update` writes it again. Codes
of data are run in sources/test_register.py, those of questions and tests in app/test_questions.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from smartkpi import errors
from smartkpi.diagnostics import Diagnostic, Severity
from smartkpi.semantics.check import check
from smartkpi.spec import document
from smartkpi.spec.load import load
from tests.rendering import SHOWN, hold, lay_out, rendered

PACKAGE = Path(errors.__file__).parent
REGISTER = errors.register()
CHECKED = [code for code, entry in REGISTER.items() if entry.stage == "check"]
RAISING = {"Diagnostic", "error", "warn", "note", "fail"}  # what takes a code as its first argument


def problems(path: Path | str, sets: Mapping[str, str] | None = None) -> list[Diagnostic]:
    """Return what is wrong with a project, without running it."""
    loaded = load(path, sets)
    return [*loaded.diagnostics, *check(loaded.catalog).diagnostics]


def codes(found: list[Diagnostic], *, notes: bool = False) -> set[str]:
    return {d.code for d in found if (d.severity is Severity.NOTE) is notes}


def holds(code: str, found: list[Diagnostic]) -> bool:
    """Return whether a code is the only one; a note may follow from an error, and notes may follow from the code."""
    return codes(found) == {code} or code in codes(found, notes=True)


def _missing(folder: Path, _: str, __: pytest.MonkeyPatch) -> Path:
    return folder / "other.yml"


def _unreadable(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    return folder / "kpis.yml"


def _folder(folder: Path, text: str, _: pytest.MonkeyPatch) -> Path:
    return folder


def _beside_a_project(folder: Path, text: str, _: pytest.MonkeyPatch) -> Path:
    (folder / "project.yml").write_text("smartkpi: 1\n")
    return folder


def _utf_16(folder: Path, text: str, _: pytest.MonkeyPatch) -> Path:
    (folder / "kpis.yml").write_bytes(text.encode("utf-16"))
    return folder / "kpis.yml"


def _too_long(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(document, "MAX_BYTES", 100)
    return folder / "kpis.yml"


def _too_many(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(document, "MAX_NODES", 5)
    return folder / "kpis.yml"


def _as_it_is(folder: Path, text: str, _: pytest.MonkeyPatch) -> Path:
    return folder / "kpis.yml"


# What the files around an example must be like, where its text alone does not show it.
Arrange = Callable[[Path, str, pytest.MonkeyPatch], Path]
FILES: dict[str, tuple[Arrange, dict[str, str]]] = {
    "no-such-project": (_missing, {}),
    "unreadable-file": (_unreadable, {}),
    "no-definitions": (_folder, {}),
    "passed-over": (_beside_a_project, {}),
    "bad-encoding": (_utf_16, {}),
    "file-too-large": (_too_long, {}),
    "too-many-values": (_too_many, {}),
    "unknown-constant": (_as_it_is, {"vta": "20%"}),
}


def write(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    lay_out(text)
    return Path("kpis.yml")


@pytest.mark.parametrize("code", CHECKED)
def test_the_bad_example_gives_the_code(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool
) -> None:
    entry = REGISTER[code]
    found = problems(write(tmp_path, entry.bad, monkeypatch))
    assert holds(code, found), found
    hold(code, entry.bad, rendered(found), update)


@pytest.mark.parametrize("code", FILES)
def test_the_bad_file_gives_the_code(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool) -> None:
    entry = REGISTER[code]
    assert entry.stage == "file"
    write(tmp_path, entry.bad, monkeypatch)
    arrange, sets = FILES[code]
    with monkeypatch.context() as patched:
        found = problems(arrange(Path(), entry.bad, patched), sets)
    assert holds(code, found), found
    hold(code, entry.bad, rendered(found), update)


def test_each_code_of_a_file_is_arranged() -> None:
    assert {code for code, entry in REGISTER.items() if entry.stage == "file"} == FILES.keys()


@pytest.mark.parametrize("code", REGISTER)
def test_the_good_example_gives_nothing(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(problems(write(tmp_path, REGISTER[code].good, monkeypatch))) == set()


def test_each_code_has_its_rendering_and_none_is_left_over() -> None:
    assert {file.stem for file in SHOWN.glob("*.txt")} == REGISTER.keys()


def test_the_codes_of_the_register_are_those_of_the_program() -> None:
    written = {code for module in PACKAGE.rglob("*.py") for code in _codes_in(module)}
    assert not written - REGISTER.keys(), "not in errors.md"
    texts = "\n".join(module.read_text(encoding="utf-8") for module in PACKAGE.rglob("*.py"))
    assert not [code for code in REGISTER if f'"{code}"' not in texts], "never raised"


def _codes_in(module: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            code = node.args[0].value
            if name in RAISING and isinstance(code, str) and re.fullmatch(r"[a-z]+(-[a-z]+)*", code):
                found.add(code)
    return found


def test_explain_shows_the_entry() -> None:
    text = errors.explain("duplicate-key")
    assert text is not None
    assert text.startswith("## duplicate-key\n")
    assert "Good:" in text
    assert errors.explain("no-such-code") is None
    assert set(errors.codes()) == REGISTER.keys()


def test_a_register_without_examples_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a bad and a good example"):
        errors.read_register("## some-code\nWhy.\n")
    entry = "## a-code\nWhy.\nBad:\n```yaml\nx\n```\nGood:\n```yaml\ny\n```\n"
    assert errors.read_register(entry)["a-code"].bad == "x\n"
    with pytest.raises(ValueError, match="twice"):
        errors.read_register(entry + entry)
