"""The parts of a check that stand alone: order of definitions, patterns, time formats, dates, cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.language.types import Kind
from smartkpi.result import LEADING, TRAILING
from smartkpi.semantics.check import check
from smartkpi.semantics.comparisons import COMPARISONS
from smartkpi.semantics.dimensions import RESERVED
from smartkpi.semantics.formula import Literal
from smartkpi.semantics.graph import in_order
from smartkpi.semantics.literals import dated
from smartkpi.semantics.patterns import check_format, check_pattern
from smartkpi.spec.load import load


def test_order_puts_references_first() -> None:
    assert in_order({"a": ("b", "c"), "b": ("c",), "c": (), "d": ("x",)}) == (("c", "b", "a", "d"), ())


def test_cycles_are_paths() -> None:
    order, cycles = in_order({"a": ("b",), "b": ("c", "b"), "c": ("a",), "d": ("a",)})
    assert sorted(order) == ["a", "b", "c", "d"]
    assert cycles == (("a", "b", "c"), ("b",))


def test_order_of_a_long_chain_needs_no_stack() -> None:
    graph = {str(i): (str(i + 1),) for i in range(20_000)}
    order, cycles = in_order(graph)
    assert (order[0], order[-1], cycles) == ("19999", "0", ())


def test_reserved_dimensions_are_the_columns_of_a_result() -> None:
    compared = {name for columns in COMPARISONS.values() for name in columns.all}
    assert {*LEADING, *TRAILING, *compared} == RESERVED


GOOD = [
    "^A-[0-9]+$",
    r"\d{2,}",
    "(?i)abc",
    "a|b",
    "(?:x|y)?z*",
    r"\p{L}+",
    "[^/]+/",
    r"[a-z\-_.]",
    "",
    r"\bx\B",
    "a{3}",
]
BAD = ["(", ")", "[", "a{1000}", r"(\w{30}){30}", "(?=a)", r"(a)\1", "*a", "a**", r"\q", r"\Z", "[z-a]", "x{3,2}", "{",
       "(?P=n)", "(?#c)", "[a&&b]", "a{,3}", "x" * 501, r"[\d-z]", "(?<!a)b", "^*"]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_good_patterns(pattern: str) -> None:
    assert check_pattern(pattern) == ""


@pytest.mark.parametrize("pattern", BAD)
def test_bad_patterns(pattern: str) -> None:
    assert check_pattern(pattern)


@given(st.text(st.sampled_from(list("ab1()[]{},*+?|^$.\\-dwpL:<>P=!&~ié")), max_size=14))
def test_what_passes_is_understood_by_the_engine(pattern: str) -> None:
    if not check_pattern(pattern):
        pl.Series(["x"]).str.contains(pattern)


@pytest.mark.parametrize(
    ("format", "wrong"),
    [
        ("%d.%m.%Y", ""),
        ("%Y-%m-%dT%H:%M:%S%.f%z", ""),
        ("%F %T", ""),
        ("%m/%d/%y %I:%M %p", ""),
        ("%Y-%j", ""),
        ("%H:%M", "it has no day: it needs year, month and day"),
        ("%Y-%m", "it has no day: it needs year, month and day"),
        ("%F %H", "it has an hour but no minute"),
        ("%F %M", "it has no hour"),
        ("%F %I:%M", "`%I` and `%p` go together"),
        ("%F %q", "`%q` is not known"),
        ("%F %", "`%` is not known"),
    ],
)
def test_formats(format: str, wrong: str) -> None:
    assert check_format(format) == wrong
    if not wrong:
        pl.Series(["x"]).str.to_datetime(format, strict=False)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-29T02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-01-05 10:00:30.5", datetime(2026, 1, 5, 9, 0, 30, 500_000, tzinfo=UTC)),
        ("2026-01-05T10:00Z", datetime(2026, 1, 5, 10, 0, tzinfo=UTC)),
        ("2026-01-05T10:00+05:30", datetime(2026, 1, 5, 4, 30, tzinfo=UTC)),
    ],
)
def test_times_of_texts(text: str, instant: datetime) -> None:
    found = dated(text, Kind.TIME, ZoneInfo("Europe/Berlin"))
    assert isinstance(found, Literal)
    assert found.value == instant


@pytest.mark.parametrize("text", ["2026-02-30", "20260105", "2026-W01", "2026-01", "05.01.2026", "0001-01-01T00:00"])
def test_texts_that_are_no_time(text: str) -> None:
    assert isinstance(dated(text, Kind.TIME, ZoneInfo("Asia/Shanghai")), str)


def test_a_thousand_kpis_are_checked_in_no_time(tmp_path: Path) -> None:
    lines = ["datasets:", "  log: {read: e.csv, time: ts, events: {visit: all rows, order: paid}}", "kpis:"]
    for i in range(0, 1_000, 4):
        lines += [
            f'  a{i}: {{formula: sum(order.amount where country == "BR" and size > {i}) / order, by: country}}',
            f'  b{i}: {{formula: order / visit, where: channel == "ads", thresholds: {{good: at least 5%}}}}',
            f"  c{i}: a{i} / b{i} + {'c' + str(i - 4) if i % 200 else '1'}",
            f"  d{i}: avg(order.f{i}) * 1000",
        ]
    file = tmp_path / "kpis.yml"
    file.write_text("\n".join(lines))
    catalog = load(file).catalog
    check(catalog)
    started = time.process_time()
    checked = check(catalog)
    spent = time.process_time() - started
    assert (len(checked.kpis), checked.diagnostics) == (1_000, ())
    assert spent < 0.6, f"{spent:.3f} s"  # a quarter of it on an idle machine
