"""Documents to catalog: short forms, names, thresholds, tests; and what is wrong leaves out only itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from smartkpi.language.syntax import Apply, Band, Boolean, Duration, Name, Number, Text
from smartkpi.language.types import DURATION, PLAIN, Unit
from smartkpi.spec.model import Calendar, Catalog, Column, Formula
from tests.spec.reading import load_text

LOG = """
datasets:
  log:
    read: events.csv
    time: ts
    events:
      visit: event == "visit"
      order: event == "order"
"""


def build(folder: Path, text: str, **sets: str) -> Catalog:
    loaded = load_text(folder, text, sets=sets)
    assert not loaded.diagnostics, loaded.diagnostics
    return loaded.catalog


def found(folder: Path, text: str, **sets: str) -> list[tuple[str, str]]:
    """Return code and subject of everything wrong."""
    return [(d.code, d.subject) for d in load_text(folder, text, sets=sets).diagnostics]


def test_a_text_is_a_formula(tmp_path: Path) -> None:
    kpis = build(tmp_path, "kpis:\n  a: order / visit\n  b: 3\n  c: {formula: 0.5}\n").kpis
    assert kpis["a"].formula.expr == Apply("/", (Name(("order",), _), Name(("visit",), _)), _, _)
    assert kpis["b"].formula.expr == Number(Decimal(3), False, _)
    assert kpis["c"].formula.text.value == "0.5"
    assert kpis["a"].formula.text.span.line == 2


_ = None  # type: ignore[var-annotated]  # spans take no part in equality


def test_a_kpi_with_everything(tmp_path: Path) -> None:
    text = """
kpis:
  a:
    formula: order / visit
    label: {en: Rate, zh: 率}
    description: Orders a visit.
    where: country == "BR"
    grain: week
    by: country
    unit: none
    format: percent
    direction: higher
    thresholds: {warning: at least 3%, good: ">= 5%", critical: below 1}
    owner: growth
    decision: {en: Buy traffic or not.}
    tags: [web, 2026]
    synonyms: rate
    reviewed: 2026-01-31
    hidden: true
    deprecated: use b
"""
    kpi = build(tmp_path, text).kpis["a"]
    assert (kpi.label.get("zh"), kpi.label.get("fr"), kpi.description.get("zh")) == ("率", "Rate", "Orders a visit.")
    assert kpi.where is not None
    assert kpi.where.text.value == 'country == "BR"'
    assert (kpi.grain, kpi.by, kpi.unit, kpi.format, kpi.direction) == (
        "week",
        ("country",),
        PLAIN,
        "percent",
        "higher",
    )
    assert [t.status for t in kpi.thresholds] == ["good", "warning", "critical"]
    assert kpi.thresholds[0].band == Band(">=", (Number(Decimal("0.05"), True, _),), _)
    assert (kpi.owner, kpi.decision.get(), kpi.tags, kpi.synonyms) == (
        "growth", "Buy traffic or not.", ("web", "2026"), ("rate",),
    )  # fmt: skip
    assert (kpi.reviewed, kpi.hidden, kpi.deprecated) == (date(2026, 1, 31), True, "use b")


@pytest.mark.parametrize(
    ("written", "expr"),
    [
        ("19%", Number(Decimal("0.19"), True, _)),
        ("'19%'", Number(Decimal("0.19"), True, _)),
        ("1_000", Number(Decimal(1000), False, _)),
        ("-5", Apply("neg", (Number(Decimal(5), False, _),), _, _)),
        ("+5", Number(Decimal(5), False, _)),
        ("1e3", Number(Decimal(1000), False, _)),
        ("90d", Duration(90, "d", _)),
        ("'7d'", Duration(7, "d", _)),
        ("'007'", Text("007", _)),
        ("2026-01-01", Text("2026-01-01", _)),
        ("BR", Text("BR", _)),
        ("no", Text("no", _)),
        ("true", Boolean(True, _)),
        ("'true'", Text("true", _)),
        ("''", Text("", _)),
        ("{value: 5%, label: VAT}", Number(Decimal("0.05"), True, _)),
    ],
)
def test_constants_are_literals(tmp_path: Path, written: str, expr: object) -> None:
    assert build(tmp_path, f"constants:\n  c: {written}\n").constants["c"].formula.expr == expr


def test_set_gives_constants_other_values(tmp_path: Path) -> None:
    catalog = build(tmp_path, "constants: {vat: 19%, region: BR}\n", vat="20%", region="007x")
    assert catalog.constants["vat"].formula.expr == Number(Decimal("0.2"), True, _)
    assert catalog.constants["region"].formula.expr == Text("007x", _)
    assert catalog.constants["vat"].formula.text.span.source.name == "--set vat"
    loaded = load_text(tmp_path, "constants: {vat: 19%}\n", sets={"vta": "20%"})
    (problem,) = loaded.diagnostics
    assert (problem.code, problem.hint) == ("unknown-constant", "did you mean `vat`?")


def test_datasets(tmp_path: Path) -> None:
    text = """
datasets:
  log:
    read: {path: "x/*.csv", separator: ";", nulls: ["-", "", 0], dates: "%d.%m.%Y", format: csv}
    time: {column: Time Stamp}
    timezone: America/Sao_Paulo
    key: [id, line]
    fields:
      buyer: customer_unique_id
      amount: {is: price + freight, unit: money, currency: BRL}
      wait: {unit: duration}
      loads: {column: Page.Loads, label: Loads}
      net: {is: price, currency: EUR}
    events:
      visit: all rows
      order: {when: event == "order", time: t2, count: {column: N}}
      click: {}
    covers: {from: 2026-01-01, to: 2026-02-01}
    gaps: zero
"""
    log = build(tmp_path, text).datasets["log"]
    assert log.read is not None
    assert (log.read.path, log.read.base, log.read.separator) == ("x/*.csv", tmp_path, ";")
    assert (log.read.nulls, log.read.dates, log.read.format) == (("-", "", "0"), "%d.%m.%Y", "csv")
    assert (log.time, log.timezone, log.key) == (Column("Time Stamp", _), "America/Sao_Paulo", ("id", "line"))
    assert isinstance(log.fields["buyer"].is_, Formula)
    assert log.fields["amount"].unit == Unit("money", "BRL")
    assert (log.fields["wait"].is_, log.fields["wait"].unit) == (Column("wait", _), DURATION)
    assert log.fields["loads"].is_ == Column("Page.Loads", _)
    assert log.fields["net"].unit == Unit("money", "EUR")
    assert log.events["visit"].when is None
    assert log.events["click"].when is None
    assert log.events["order"].count == Column("N", _)
    assert isinstance(log.events["order"].time, Formula)
    assert log.covers is not None
    assert (log.covers.start, log.covers.end, log.gaps) == (date(2026, 1, 1), date(2026, 2, 1), "zero")


def test_contracts(tmp_path: Path) -> None:
    text = "events:\n  order: {description: Paid, fields: {buyer: who pays, amount: {unit: money}}}\n  visit:\n"
    contracts = build(tmp_path, text).contracts
    assert contracts["order"].description.get() == "Paid"
    assert contracts["order"].fields["buyer"].description.get() == "who pays"
    assert contracts["order"].fields["amount"].unit == Unit("money")
    assert contracts["visit"].fields == {}


def test_the_calendar(tmp_path: Path) -> None:
    catalog = build(tmp_path, "calendar: {timezone: Asia/Shanghai, week_start: sunday}\n")
    assert catalog.calendar == Calendar("Asia/Shanghai", 6)


def test_cases(tmp_path: Path) -> None:
    text = """
tests:
  - name: a table
    given:
      order: |
        time       | buyer | amount
        -----------|-------|-------
        2026-01-05 | a     | 10
        2026-01-06 | "7"   |
      visit: [{time: 2026-01-06, ok: true, note: no}]
      framed: |
        | a | b |
        |   | 2 |
    as_of: 2026-02-01
    expect:
      - {kpi: rate, period: 2026, value: 50%, status: good, country: BR, n: 3, money: 12.30}
      - {kpi: rate, value: null, flags: [incomplete, stale], state: no_data, start: 2026-01-01, vip: true}
"""
    (case,) = build(tmp_path, text).cases
    order, visit, framed = case.given
    assert order.rows == (
        {"time": "2026-01-05", "buyer": "a", "amount": 10},
        {"time": "2026-01-06", "buyer": "7", "amount": None},
    )
    assert [span.line for span in order.spans] == [8, 9]
    assert visit.rows == ({"time": "2026-01-06", "ok": True, "note": "no"},)
    assert framed.rows == ({"a": None, "b": 2},)
    assert case.as_of == date(2026, 2, 1)
    first, second = case.expect
    assert (first.kpi, first.period, first.segment) == ("rate", "2026", {"country": "BR"})
    assert first.fields == {"value": 0.5, "status": "good", "n": 3, "money": Decimal("12.30")}
    span = first.spans["value"]
    assert span.source.text[span.start : span.end] == "50%"
    assert (second.period, second.segment) == (None, {"vip": True})
    assert second.fields == {
        "value": None, "flags": ("incomplete", "stale"), "state": "no_data", "start": "2026-01-01",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-02-01", date(2026, 2, 1)),
        ("2026-02-01T10:00", datetime(2026, 2, 1, 10)),
        ("2026-02-01 10:00:30Z", datetime(2026, 2, 1, 10, 0, 30, tzinfo=UTC)),
    ],
)
def test_as_of_is_a_date_or_a_time(tmp_path: Path, written: str, moment: object) -> None:
    text = f"tests:\n  - {{name: x, as_of: {written!r}, expect: [{{kpi: a}}]}}\n"
    assert build(tmp_path, text).cases[0].as_of == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kpis: {visit: order}\n", [("duplicate-name", "kpi:visit")]),
        ("constants: {a: 1}\nkpis: {a: order}\n", [("duplicate-name", "kpi:a")]),
        ("events: {a: }\nconstants: {a: 1}\n", [("duplicate-name", "constant:a")]),
        ("kpis: {1x: order}\n", [("bad-name", "kpi:1x")]),
        ("kpis: {a-b: order}\n", [("bad-name", "kpi:a-b")]),
        ("kpis: {where: order}\n", [("reserved-name", "kpi:where")]),
        ("kpis: {a: order / }\n", [("syntax", "kpi:a")]),
        ("kpis: {a: {formula: order, where: country == }}\n", [("syntax", "kpi:a")]),
        ("kpis: {a: {formula: order, grain: mounth}}\n", [("unknown-grain", "kpi:a")]),
        ("kpis: {a: {formula: order, thresholds: {good: high}}}\n", [("no-band", "kpi:a")]),
        ("kpis: {a: {formula: order, thresholds: {good: above 3, for: 0}}}\n", [("bad-value", "kpi:a")]),
        ("kpis: {a: {formula: order, thresholds: {good: above 3, min_sample: 0}}}\n", [("bad-value", "kpi:a")]),
        ("kpis: {a: {formula: order, thresholds: {by: {c: {BR: {}}}}}}\n", [("bad-value", "kpi:a")]),
        ("kpis: {a: {formula: order, thresholds: {benchmark: {source: me}}}}\n", [("bad-value", "kpi:a")]),
        (
            "kpis: {a: {formula: order, thresholds: {benchmark: {value: 1, formula: order}}}}\n",
            [("bad-value", "kpi:a")],
        ),
        ("kpis: {a: {formula: order, thresholds: {benchmark: {value: 1, by: [c]}}}}\n", [("bad-value", "kpi:a")]),
        ("kpis: {a: {formula: order, thresholds: {benchmark: {read: b.csv}}}}\n", [("bad-benchmark", "kpi:a")]),
        (
            "kpis: {a: {formula: order, thresholds: {benchmark: {read: no.csv, by: c}}}}\n",
            [("unreadable-file", "kpi:a")],
        ),
        ("kpis: {a: {formula: order, reviewed: 2026-02-30}}\n", [("bad-value", "kpi:a")]),
        ("kpis: {a: {formula: order, lint: {long: fine}}}\n", [("unknown-rule", "kpi:a")]),
        ("kpis: {a: {extends: pack}}\n", [("nothing-to-extend", "kpi:a")]),
        ("kpis: {a: {formula: order, goal: {target: +6%, deadline: 2026-12-31}}}\n", [("signed-target", "goal:a")]),
        (
            "constants: {a: {revisions: [{from: 2026-01-01, value: 1}, {from: 2026-01-01, value: 2}]}}\n",
            [("revision-order", "constant:a")],
        ),
        ("constants: {a: {revisions: []}}\n", [("missing-key", "constant:a")]),
        ("constants: {a: {value: 1, revisions: [{from: 2026-02-30, value: 2}]}}\n", [("bad-value", "constant:a")]),
        ("kpis: {a: {formula: order, revisions: [{from: 2026-01-01}]}}\n", [("bad-value", "kpi:a")]),
        (
            "kpis: {a: {formula: order, revisions: [{from: 2026-01-01, thresholds: {for: 0}}]}}\n",
            [("bad-value", "kpi:a")],
        ),
        ("kpis: {a: {formula: order, goal: {deadlin: 2026-03-31}}}\n", [("unknown-key", "goal:a")]),
        ("kpis: {a: {formula: order, goal: [1]}}\n", [("wrong-type", "goal:a")]),
        (
            "kpis: {a: {formula: order, goals: {b: 5}, x: 3}}\n",
            [("wrong-type", "goal:a.b"), ("unknown-key", "kpi:a")],
        ),
        ("events: {big: order / visit}\n", [("syntax", "event:big")]),
        ("events: {big: {is: order where amount > 5, key: id}}\n", [("bad-value", "event:big")]),
        ("groups: {vip: {of: buyer, where: count(}}\n", [("unclosed-parenthesis", "group:vip")]),
        ("funnels: {f: {steps: [visit]}}\n", [("bad-value", "funnel:f")]),
        ("funnels: {f: {steps: [visit, visit], by: buyer}}\n", [("same-name", "funnel:f")]),
        ("funnels: {f: {steps: [visit, order], within: 7d}}\n", [("missing-by", "funnel:f")]),
        ("funnels: {f: {steps: [visit, order], by: a + b}}\n", [("bad-value", "funnel:f")]),
        ("funnels: {f: {steps: [visit, order], by: b, within: '3'}}\n", [("bad-value", "funnel:f")]),
        ("funnels: {f: {steps: [visit, {is: order, as: a-b}]}}\n", [("bad-name", "funnel:f")]),
        ("funnels: {f: {steps: [visit, order / visit]}}\n", [("syntax", "funnel:f")]),
        ("funnels: {visit: {steps: [visit, order]}}\n", [("duplicate-name", "funnel:visit")]),
        ("kpis: {a: 'step_rate(f, order)'}\n", [("unknown-funnel", "kpi:a")]),
        ("cohorts: {c: {of: buyer, start: order}}\n", [("missing-key", "cohort:c")]),
        ("cohorts: {c: {of: buyer, start: order / 2, return: order}}\n", [("syntax", "cohort:c")]),
        ("cohorts: {c: {of: a + b, start: order, return: order}}\n", [("bad-value", "cohort:c")]),
        ("cohorts: {c: {of: buyer, start: order, return: order, grain: hour}}\n", [("unknown-grain", "cohort:c")]),
        ("cohorts: {c: {of: buyer, start: order, return: order, value: avg(order.x)}}\n", [("bad-value", "cohort:c")]),
        ("cohorts: {c: {of: buyer, start: visit, return: order, value: sum(visit.x)}}\n", [("bad-value", "cohort:c")]),
        ("kpis: {a: 'retention(c, 1)'}\n", [("unknown-cohort", "kpi:a")]),
        ("goals: {g: {kpi: a, lint: {A9: luck}}}\n", [("unknown-rule", "goal:g")]),
        ("diagnoses: {d: {when: x and, say: y}}\n", [("syntax", "diagnosis:d")]),
        ("dimensions: {a: {parent: a}}\n", [("bad-value", "dimension:a")]),
        ("dimensions: {country: {values: {a: b, b: c}}}\n", [("bad-value", "dimension:country")]),
        ("currency: {report_in: USD}\n", [("not-yet", "currency")]),
        ("calendar: {timezone: Mars/Base}\n", [("unknown-timezone", "calendar")]),
        ("calendar: {timezone: localtime}\n", [("unknown-timezone", "calendar")]),
        ("datasets: {d: {read: 'https://x.y/z.csv'}}\n", [("not-yet", "dataset:d")]),
        ("datasets: {d: {read: {path: x, encoding: gb18O30}}}\n", [("unknown-encoding", "dataset:d")]),
        ("datasets: {d: {read: {path: x, encoding: rot13}}}\n", [("unknown-encoding", "dataset:d")]),
        ("datasets: {d: {read: {path: x, thousands: .}}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: {path: x, decimal: '5'}}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, time: t, events: {e: {count: n}}, every: 14d}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, time: t, events: {e: {count: n}}, every: [day]}}\n", [("wrong-type", "dataset:d")]),
        ("datasets: {d: {read: x, every: month}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, fields: {a: {unit: money, currency: {column: c}}}}}\n", [("not-yet", "dataset:d")]),
        ("datasets: {d: {read: x, time: t, events: {e: {additive: no}}}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, time: t, events: {e: {prefer: [a]}}}}\n", [("bad-value", "dataset:d")]),
        ("events: {e: {prefer: [a]}}\n", [("bad-value", "event:e")]),
        ("events: {e: {key: [], prefer: [a, b]}}\n", [("bad-value", "event:e")]),
        ("events: {e: {key: k, prefer: [a, a]}}\n", [("bad-value", "event:e")]),
        ("datasets: {d: {read: x, keep: latest by v}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, key: k, keep: newest}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, key: k, keep: latest by v +}}\n", [("syntax", "dataset:d")]),
        ("datasets: {d: {read: x, events: {e: all rows, f: {time: t}}}}\n", [("missing-time", "dataset:d")]),
        ("datasets: {d: {read: x, events: {e: {count: n}}, every: week}}\n", [("missing-time", "dataset:d")]),
        ("datasets: {d: {read: x, events: {e: all rows}, gaps: zero}}\n", [("missing-time", "dataset:d")]),
        (
            "datasets: {d: {read: x, time: none, events: {e: {time: t}, f: all rows}}}\n",
            [("missing-time", "dataset:d")],
        ),
        ("datasets: {d: {read: x, time: none, covers: {from: 2026-01-01}}}\n", [("missing-time", "dataset:d")]),
        ("datasets: {d: {read: x, time: t, timezone: X}}\n", [("unknown-timezone", "dataset:d")]),
        ("datasets: {d: {read: x, fields: {by: y}}}\n", [("reserved-name", "dataset:d")]),
        ("datasets: {d: {read: x, fields: {a: {is: y, column: z}}}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, fields: {a: {unit: score, currency: EUR}}}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, covers: {from: 2026-02-01, to: 2026-01-01}}}\n", [("bad-value", "dataset:d")]),
        ("datasets: {d: {read: x, time: t, covers: {to: 2026/01/31}}}\n", [("bad-value", "dataset:d")]),
        ("tests: [{name: t, expect: [{kpi: a, value: many}]}]\n", [("bad-value", "test:t")]),
        ('tests: [{name: t, given: {a: "x | y\\n1"}, expect: [{kpi: a}]}]\n', [("bad-table", "test:t")]),
        (
            "kpis: {a: {formula: x y, lint: {long: fine}, grain: z}}\n",
            [("syntax", "kpi:a"), ("unknown-rule", "kpi:a"), ("unknown-grain", "kpi:a")],
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_it_leaves_out(
    tmp_path: Path, text: str, expected: list[tuple[str, str]]
) -> None:
    text = (LOG if "datasets:" not in text else "") + text
    assert found(tmp_path, text) == expected
    catalog = load_text(tmp_path, text).catalog
    subject = expected[0][1]
    assert subject in catalog.broken
    kind, _, name = subject.partition(":")
    assert name not in {"kpi": catalog.kpis, "dataset": catalog.datasets, "constant": catalog.constants}.get(kind, {})


def test_one_broken_definition_does_not_stop_the_others(tmp_path: Path) -> None:
    text = LOG + "kpis:\n  a: order / \n  b: >= 5\n  c: order\n  d: {formula: order, x: 1}\n  c: visit\n  e: visit\n"
    loaded = load_text(tmp_path, text)
    assert [d.code for d in loaded.diagnostics] == ["syntax", "yaml-folded", "unknown-key", "duplicate-key"]
    assert set(loaded.catalog.kpis) == {"e"}
    assert {"kpi:a", "kpi:b", "kpi:c", "kpi:d"} == loaded.catalog.broken.keys()


def test_a_broken_dataset_breaks_its_events(tmp_path: Path) -> None:
    catalog = load_text(tmp_path, LOG.replace("time: ts", "time: ts +") + "kpis: {a: order}\n").catalog
    assert {"dataset:log", "event:visit", "event:order"} == catalog.broken.keys()


def test_a_wrong_calendar_leaves_no_kpi(tmp_path: Path) -> None:
    catalog = load_text(tmp_path, LOG + "calendar: {timezone: Mars}\nkpis: {a: order}\n").catalog
    assert not catalog.kpis
    assert catalog.broken["kpi:a"].code == "unknown-timezone"


def test_a_clash_shows_both_places(tmp_path: Path) -> None:
    (problem,) = load_text(tmp_path, LOG + "kpis:\n  order: visit\n").diagnostics
    assert problem.span is not None
    assert problem.notes[0].span is not None
    assert (problem.span.line, problem.notes[0].span.line) == (10, 8)


def test_names_are_equal_however_they_are_composed(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "kpis:\n  caf\u00e9: 1\n  cafe\u0301: 2\n")
    assert [d.code for d in loaded.diagnostics] == ["duplicate-name"]
    assert list(load_text(tmp_path, "kpis:\n  cafe\u0301: 1\n").catalog.kpis) == ["caf\u00e9"]


def test_an_error_in_a_formula_stands_in_the_formula(tmp_path: Path) -> None:
    text = "kpis:\n  a:\n    formula: >-\n      order\n      / )\n  b: 'x == ''a'' )'\n"
    places = [(d.span.line, d.span.column) for d in load_text(tmp_path, text).diagnostics if d.span]
    assert places == [(5, 9), (6, 18)]


def test_a_cut_text_is_said_once(tmp_path: Path) -> None:
    text = 'kpis:\n  a: {formula: least(x, y)}\n  b: count(e where x == "a #1")\n  c: {formula: x, tags: *t}\n'
    assert [d.code for d in load_text(tmp_path, text).diagnostics] == ["yaml-comma", "yaml-hash", "yaml-alias"]
