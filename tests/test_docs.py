"""Every block of the hand-written pages runs, and prints what the page says.

A block with a file name (```yaml kpis.yml) is written to the page's folder, where the packs are too. ```console runs
commands and compares what they print; ```python runs in one namespace a page. ```sh names targets of the Makefile or
files to run.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartkpi.app.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "engine/README.md",
    "examples/README.md",
    *(
        f"docs/{name}.md"
        for name in (
            "index",
            "tutorial",
            "story",
            "init",
            "data",
            "semantics",
            "lookups",
            "steps",
            "funnels",
            "groups",
            "thresholds",
            "goals",
            "smart",
            "packs",
            "cli",
            "python",
            "performance",
        )
    ),
]
BUG = 70
QUIET = " > /dev/null"
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block and where its text stands in the page."""

    language: str
    name: str | None
    text: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(m["language"], m["name"], m["text"], m.start("text"), m.end("text")) for m in BLOCK.finditer(text)]


@pytest.mark.parametrize("page", PAGES)
def test_page_runs(page: str, tmp_path: Path, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    namespace: dict[str, object] = {}
    printed: list[tuple[Block, str]] = []
    for block in blocks(page):
        match block.language:
            case "console":
                printed.append((block, _console(block.text)))
            case "python":
                _python(block.text, namespace)
            case "sh":
                _named(block.text)
            case "yaml" | "csv":
                assert block.name, f"{page}: a {block.language} block without a file name"
                path = tmp_path / block.name
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            case "text":
                pass
            case other:
                pytest.fail(f"{page}: nothing runs `{other}` blocks")
    if update:
        _write(page, printed)
    for block, got in printed:
        assert got == (block.text if not update else got), f"{page}: run pytest with --update to write this page again"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for match in LINK.finditer(path.read_text(encoding="utf-8")):
        assert (path.parent / match["target"]).exists(), f"{page}: {match['target']}"


def _console(text: str) -> str:
    """Run the commands of a block and return the block as it should read."""
    commands = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    out = []
    for command in commands:
        printed = _call(shlex.split(command.removesuffix(QUIET)))
        printed = "" if command.endswith(QUIET) else printed
        lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
        out.append("\n".join([f"$ {command}", *lines]))
    return "\n".join(out) + "\n"


def _call(words: list[str]) -> str:
    if words[0] == "cp":
        shutil.copy(words[1], words[2])
        return ""
    if words[0] == "cat":
        return Path(words[1]).read_text(encoding="utf-8")
    assert words[0] == "kpi", words
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen), pytest.raises(SystemExit) as end:
        main(words[1:])
    assert end.value.code != BUG, screen.buffer.getvalue()  # type: ignore[attr-defined]
    return screen.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def _python(text: str, namespace: dict[str, object]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "<page>", "exec"), namespace)


def _named(text: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), f"the Makefile has no target {words[1]}"
        elif words:
            assert (ROOT / words[0]).exists(), line


def _write(page: str, printed: list[tuple[Block, str]]) -> None:
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    for block, got in reversed(printed):
        text = text[: block.start] + got + text[block.end :]
    path.write_text(text, encoding="utf-8")
