"""A small project in the working folder, and the command line as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smartkpi.app.cli import main

ROWS = """ts,event,country,amount
2026-01-05T09:00:00,visit,BR,
2026-01-05T10:00:00,visit,BR,
2026-01-06T10:00:00,order,BR,10.5
2026-01-20T10:00:00,visit,DE,
2026-02-03T10:00:00,visit,BR,
2026-02-10T10:00:00,order,BR,30
2026-02-28T22:00:00,visit,,
2026-03-02T10:00:00,visit,DE,
"""
PROJECT = """
datasets:
  log:
    read: events.csv
    time: ts
    fields: {amount: {is: amount, unit: money, currency: BRL}}
    events: {visit: event == "visit", order: event == "order"}
constants: {fee: 10%}
kpis:
  conversion_rate:
    label: {en: Conversion rate, zh: 转化率}
    formula: order / visit
    format: percent
    tags: [funnel]
    thresholds: {good: at least 40%, warning: at least 20%}
  revenue: {label: {en: Revenue, zh: 收入}, formula: sum(order.amount), owner: Ana}
  net: revenue * (1 - fee)
tests:
  - name: one of two visits orders
    given:
      visit: [{time: 2026-01-05}, {time: 2026-01-06}]
      order: [{time: 2026-01-06, amount: 10}]
    as_of: 2026-02-01
    expect:
      - {kpi: conversion_rate, period: 2026-01, value: 50%, status: good}
      - {kpi: net, period: 2026-01, value: 9}
"""
Kpi = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project, which is the working folder too."""
    (tmp_path / "events.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "kpis.yml").write_text(PROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kpi(monkeypatch: pytest.MonkeyPatch) -> Kpi:
    """Return a function that runs the command line, arguments given as one text or several."""
    for name in ("COLUMNS", "NO_COLOR", "SMARTKPI_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str) -> Result:
        words = args[0].split() if len(args) == 1 else list(args)
        return CliRunner().invoke(main, words)

    return call
