"""Rendered results, letter by letter: golden/*.txt; `--update` writes them again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from smartkpi.report.render import FORMATS
from smartkpi.report.style import Style
from smartkpi.result import Result, arrange
from tests.report import sample

GOLDEN = Path(__file__).parent / "golden"
TODAY = date(2026, 5, 2)

RESULTS: dict[str, Callable[[], Result]] = {
    "scorecard": sample.scorecard,
    "mixed_periods": sample.mixed_periods,
    "segments": sample.segments,
    "series": sample.series,
    "compared": sample.compared,
    "series_by": sample.series_by,
    "hours": sample.hours,
    "ordered": lambda: arrange(sample.series_by(), ("-value",), 2),
    "empty": sample.empty,
}
STYLES = {
    "wide": Style(120, today=TODAY),
    "80": Style(80, today=TODAY),
    "60": Style(60, today=TODAY),
    "40": Style(40, today=TODAY),
    "ascii": Style(80, unicode=False, today=date(2026, 8, 2)),
    "zh": Style(80, lang="zh", today=date(2027, 1, 2)),
    "color": Style(80, color=True, today=TODAY),
}
CASES = [
    (name, style)
    for name in RESULTS
    for style in STYLES
    if style in ("80", "60")
    or name in ("scorecard", "series")
    or (name, style) in (("compared", "40"), ("compared", "zh"))
]


@pytest.mark.parametrize(("name", "style"), CASES)
def test_table(name: str, style: str, update: bool) -> None:
    _hold(f"{name}_{style}.txt", FORMATS["table"](RESULTS[name](), STYLES[style]), update)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "markdown"])
@pytest.mark.parametrize("name", ["scorecard", "segments", "hours", "compared", "empty"])
def test_other_formats(name: str, form: str, update: bool) -> None:
    _hold(f"{name}.{form}.txt", FORMATS[form](RESULTS[name](), Style()), update)


def test_notebook(update: bool) -> None:
    from smartkpi.report import html

    _hold("segments.html", html.render(sample.segments(), Style()), update)
    _hold("compared.html", html.render(sample.compared(), Style()), update)


def _hold(name: str, got: str | bytes, update: bool) -> None:
    assert isinstance(got, str)
    path = GOLDEN / name
    if update:
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")
