"""The generated pages are what the code says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartkpi.app.docs import PAGES, write_pages

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_fresh(page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == PAGES[page](), "run `make docs`"


def test_pages_are_written(tmp_path: Path) -> None:
    write_pages(tmp_path / "docs")
    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(PAGES)
