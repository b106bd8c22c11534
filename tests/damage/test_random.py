"""Random damage: bytes flipped, lost, doubled and cut. No traceback, and no number that the file does not say.

SMARTKPI_DAMAGE is the number of damaged files of each kind (15 in the gate; thousands for a long look).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.result import Result
from tests.damage.reading import read

MANY = int(os.environ.get("SMARTKPI_DAMAGE", "15"))
KPIS = {"orders": "order", "revenue": "sum(order.amount)", "countries": "distinct(order.country)"}
PROJECT = """
datasets:
  log: {read: e.csv, time: ts, fields: {amount: {is: amount, unit: money}}, events: {order: all rows}}
constants: {vat: 19%}
kpis:
  orders: {formula: order, label: {en: Orders, zh: 订单}, tags: [a]}
  revenue: {formula: 'sum(order.amount where country == "BR") * (1 - vat)', thresholds: {good: at least 5}}
tests:
  - name: one
    given: {order: [{time: 2026-01-05, amount: 10, country: BR}]}
    as_of: 2026-02-01
    expect: [{kpi: orders, period: 2026-01, value: 1}]
"""


def damaged(content: bytes, seed: int) -> Iterator[bytes]:
    """Yield damaged copies: a bit or a byte changed, a piece cut out, doubled, moved, zeroed, or the end lost."""
    rng = random.Random(seed)
    for _ in range(MANY):
        copy, at = bytearray(content), rng.randrange(len(content))
        length = rng.choice((1, 1, 2, 3, 10, 100))
        match rng.randrange(8):
            case 0 | 1:
                copy[at] ^= 1 << rng.randrange(8)
            case 2:
                copy[at] = rng.choice(b'",\n\r\0;\t\xff\xef =-9')
            case 3:
                copy[at : at + length] = b""
            case 4:
                copy[at:at] = copy[at : at + length]
            case 5:
                copy[at : at + length] = bytes(length)
            case 6:
                del copy[at:]
            case _:
                copy[at:at] = bytes(rng.choices(b'",\n\r\0"', k=rng.randrange(1, 3)))
        yield bytes(copy)


def table() -> pl.DataFrame:
    """Return rows with quotes, commas and line ends in texts."""
    rng = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    countries = ["BR", "DE", "São", 'say "hi"', "a,b", "two\nlines", None]
    return pl.DataFrame(
        {
            "ts": [(start + timedelta(days=n // 9)).date() for n in range(240)],
            "country": [countries[rng.randrange(7 if n % 5 == 0 else 2)] for n in range(240)],
            "amount": [round(rng.random() * 500, 2) if n % 11 else None for n in range(240)],
        }
    )


def ask(path: Path, **more: Any) -> tuple[Result | None, list[str]]:
    """Run the KPIs over a file; return the result, if there is one, and the codes of all that was said."""
    dataset = {"read": str(path), "time": "ts", "events": {"order": "all rows"}, **more}
    try:
        result = smartkpi.load({"datasets": {"log": dataset}, "kpis": KPIS}).run(grain="all")
    except smartkpi.KpiError as error:
        return None, [one.code for one in error.diagnostics]
    return result, [one.code for one in result.diagnostics]


def values(result: Result) -> dict[str, float | None]:
    return dict(result.frame.select("kpi", "value").rows())


def rewrite(path: Path, content: bytes, state: int) -> None:
    """Write a file in a state of its own, so that nothing remembered of another is taken for it."""
    path.write_bytes(content)
    os.utime(path, ns=(state, state))


@pytest.mark.parametrize("quoted", ["necessary", "never"])
@pytest.mark.parametrize("skip", [None, "2%"])
def test_a_damaged_csv_file_says_what_it_says_or_is_refused(tmp_path: Path, quoted: Any, skip: str | None) -> None:
    frame = table() if quoted == "necessary" else table().with_columns(country=pl.lit("BR"))
    path = tmp_path / "e.csv"
    content = frame.write_csv(quote_style=quoted).encode()
    ends = Counter[str]()
    for state, copy in enumerate(damaged(content, seed=1 if skip else 2), 1):
        rewrite(path, copy, state)
        result, codes = ask(path, **({"on_bad_rows": {"skip": skip}} if skip else {}))
        assert all(codes)
        said = read(copy)
        if result is None:
            ends["refused"] += 1
            continue
        facts = result.provenance.datasets["log"]
        out = facts["left_out"]
        if out.get("bad_row"):
            assert skip
            assert "bad-rows" in codes
            ends["borne"] += 1
            continue
        assert said is not None, (copy, codes)
        found = values(result)
        assert found["orders"] == (said.dated or None), (copy, out)
        assert facts["rows"] == said.rows
        assert facts["rows"] == said.dated + out.get("null_time", 0)
        assert found.get("countries") in (None, said.countries)
        if found.get("revenue") is not None:
            assert said.amount is not None
            assert found["revenue"] == pytest.approx(said.amount, rel=1e-9)
        ends["answered"] += 1
    assert ends["refused"] + ends["borne"] > MANY // 8


def test_what_is_borne_loses_no_good_row(tmp_path: Path) -> None:
    """Lines broken one by one: the answer is that of the file without them."""
    lines = table().write_csv(quote_style="always").encode().split(b'\n"2026')
    head, rows = lines[0], [b'"2026' + line.removesuffix(b"\n") for line in lines[1:]]
    rng = random.Random(3)
    path = tmp_path / "e.csv"
    breaks: list[Callable[[bytes], bytes]] = [
        lambda row: row + b",more",
        lambda row: row.replace(b'"', b"", 1),
        lambda row: row.replace(b'"', b'"x', 1)[:-1],
        lambda row: b"short",
        lambda row: row + b"\0",
    ]
    for state in range(MANY // 8 + 1):
        places = set(rng.sample(range(len(rows)), rng.randrange(1, 4)))
        broken = [rng.choice(breaks)(row.split(b"\n")[0]) if n in places else row for n, row in enumerate(rows)]
        rewrite(path, b"\n".join([head, *broken]) + b"\n", 2 * state + 1)
        result, codes = ask(path, on_bad_rows={"skip": "5%"})
        if result is None:
            assert "bad-rows" in codes
            continue
        kept = [row for n, row in enumerate(rows) if n not in places]
        rewrite(path, b"\n".join([head, *kept]) + b"\n", 2 * state + 2)
        whole, _ = ask(path)
        assert whole is not None
        assert values(result) == values(whole)
        assert result.provenance.datasets["log"]["left_out"]["bad_row"] == len(places)


@pytest.mark.parametrize("write", ["parquet", "arrow", "ndjson"])
def test_other_damaged_files_end_in_codes(tmp_path: Path, write: str) -> None:
    path = tmp_path / f"e.{write}"
    {"parquet": table().write_parquet, "arrow": table().write_ipc, "ndjson": table().write_ndjson}[write](path)
    content = path.read_bytes()
    refused = 0
    for state, copy in enumerate(damaged(content, seed=4), 1):
        rewrite(path, copy, state)
        result, codes = ask(path)
        assert all(codes)
        refused += result is None
    assert refused > MANY // 8


def test_damaged_projects_end_in_codes(tmp_path: Path) -> None:
    path = tmp_path / "kpis.yml"
    (tmp_path / "e.csv").write_text("ts,country,amount\n2026-01-05,BR,10\n", encoding="utf-8")
    for copy in damaged(PROJECT.encode(), seed=5):
        path.write_bytes(copy)
        one = smartkpi.load(path)
        report = one.check()
        assert all(found.code for found in report.diagnostics)
        try:
            result = one.run(grain="all")
        except smartkpi.KpiError as error:
            assert error.diagnostics
        else:
            assert result.frame.height or result.left_out
