"""The house stays in order: imports point one way, and modules and functions stay small enough to read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "engine" / "smartkpi"
MODULE_LINES = 500
FUNCTION_LINES = 60
LINE_COLUMNS = 120
LATE = ("polars", "lark", "jsonschema", "yaml", "rich")  # what `kpi --help` must not wait for

BY_RULE = PACKAGE / "language" / "build.py"  # a function a rule of the grammar, named after it

MODULES = sorted(PACKAGE.rglob("*.py"))
every_module = pytest.mark.parametrize(
    "module", MODULES, ids=[path.relative_to(PACKAGE).as_posix() for path in MODULES]
)


def test_imports_point_one_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@every_module
def test_module_fits_in_a_head(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MODULE_LINES, f"{module} has {len(lines)} lines: give a part of it a room of its own"
    long = [number for number, line in enumerate(lines, 1) if len(line) > LINE_COLUMNS]
    assert not long, f"{module}: lines {long} are longer than {LINE_COLUMNS} columns"


@every_module
def test_functions_fit_on_a_screen(module: Path) -> None:
    found = [
        f"{module}:{node.lineno} {node.name} has {length} lines"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not found, "\n".join(found)


@every_module
def test_public_names_are_documented(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    if not tree.body:
        return
    assert ast.get_docstring(tree), f"{module} has no docstring"
    if module == BY_RULE:
        return
    found = [f"{module}:{node.lineno} {node.name}" for node in _public(tree) if not ast.get_docstring(node)]
    assert not found, "no docstring: " + ", ".join(found)


@every_module
def test_nothing_is_left_for_later(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    found = re.findall(r"\b(?:TODO|FIXME|XXX|HACK|NotImplementedError)\b", text)
    assert not found, f"{module}: {found}"


def test_help_waits_for_no_engine() -> None:
    code = f"import sys, smartkpi.app.cli; print([m for m in {LATE!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", f"imported at once: {done.stdout}"


def test_meaning_needs_no_engine() -> None:
    code = (
        "import sys, smartkpi.semantics.check, smartkpi.semantics.question, smartkpi.spec.load, smartkpi.plan.lower;"
        "print([m for m in ('polars', 'pandas', 'duckdb', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", f"imported: {done.stdout}"


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes of a module, and the public methods of its public classes."""
    found: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
    level: list[ast.stmt] = list(tree.body)
    while level:
        node = level.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                level += node.body
    return found
