"""Whatever is written, reading it ends in codes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from smartkpi.diagnostics import render, render_line, to_github, to_json
from smartkpi.spec import document
from tests.spec.reading import PARSERS, load_text

PROJECT = r"""smartkpi: 1
calendar: {timezone: Europe/Berlin, week_start: sunday}
constants: {vat: 19%, cycle: 90d, region: BR}
datasets:
  log:
    read: {path: "x/*.csv", separator: ";", nulls: ["-", ""]}
    time: ts
    key: [id, line]
    fields:
      amount: {is: price + freight, unit: money, currency: BRL}
      loads: {column: "Page.Loads"}
    events:
      visit: all rows
      order: {when: 'event == "order"', time: t2}
events:
  order: {description: A paid order, fields: {buyer: who pays}}
kpis:
  aov: &f sum(order.amount) / order   # a comment
  rate:
    label: {en: Rate, zh: 率}
    formula: >-
      order
      / visit
    where: |
      country == "BR"
        and not (x > 1)
    thresholds: {warning: at least 3%, good: ">= 5%"}
    tags: [a, "b\u00e9"]
tests:
  - name: t
    given:
      order: |
        time | buyer | amount
        2026-01-05 | a | 10
      visit: [{time: 2026-01-06}]
    as_of: 2026-02-01
    expect:
      - {kpi: rate, period: 2026-01, value: 50%, status: good, country: BR}
"""
PIECES = [
    "{", "}", "[", "]", ":", " ", "\n", "\t", "#", "'", "\"", "&a ", "*a", "!x ", "- ", "|",
    ">", "%", "@", "`", ",", "?", "<<: ", "é", "😀", "\u2028", "\x85", "\r\n", "\r", "\x00", "\x07", "null",
    "1e999", "...", "---\n", "\\", "(", ")", "kpis:", "formula: ", "0x1", ">5", "|2\n", "  ", "{{",
    "window: 1d", "\ufeff", "*f",
]  # fmt: skip


def change(chance: random.Random, text: str) -> str:
    """Return a text with one to six random changes."""
    for _ in range(chance.choice([1, 1, 1, 2, 3, 6])):
        text = _change_once(chance, text) or "x"
    return text


def _change_once(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    lines = text.split("\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(6):
        case 0 | 1:
            return text[:at] + chance.choice(PIECES) + text[at:]
        case 2:
            return text[:at] + text[at + chance.choice([1, 1, 2, 5, 30]) :]
        case 3:
            lines[one], lines[other] = lines[other], lines[one]
        case 4:
            lines[one] = " " * chance.randrange(7) + lines[one].lstrip()
        case _:
            lines[one:one] = lines[other : other + 3]
    return "\n".join(lines)


@pytest.mark.parametrize("parser", PARSERS)
def test_changed_projects_end_in_codes(parser: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_PARSER", parser)
    assert not load_text(tmp_path, PROJECT).diagnostics
    for seed in range(1000 if parser is PARSERS[0] else 100):
        text = change(random.Random(seed), PROJECT)
        for problem in load_text(tmp_path, text).diagnostics:
            span = problem.span
            assert span is None or 0 <= span.start <= span.end <= len(span.source.text)
            assert all(len(line) < 400 for line in render(problem, color=True).split("\n"))
            assert "\n" not in render_line(problem) + to_github(problem)
            assert to_json(problem)["code"] == problem.code


def test_random_bytes_end_in_codes(tmp_path: Path) -> None:
    for seed in range(300):
        chance = random.Random(seed)
        assert load_text(tmp_path, chance.randbytes(chance.randrange(60))).diagnostics
