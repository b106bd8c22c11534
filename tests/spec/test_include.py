"""Packs and files that are included: names under a prefix, what is taken, what is changed, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartkpi.language.format import format_expr
from smartkpi.spec.include import is_path, packs
from smartkpi.spec.load import Loaded, load

SHOP = """\
constants: {large: 100}
datasets:
  log:
    read: log.csv
    time: ts
    fields: {net: amount - large}
    lookups: {person: {dataset: people, on: buyer}}
    events: {order: all rows, visit: kind == "visit", call: all rows}
    key: id
    keep: latest by large
  people: {read: people.csv, time: ts, events: {call: all rows}}
events: {call: {key: number, prefer: [people, log]}}
kpis:
  orders: {formula: order, tags: [volume]}
  rate: {formula: orders / visit, thresholds: {good: at least large}, label: {en: Rate, zh: 率}, tags: [rate]}
  big: count(order where amount > large)
  here: count(order where dataset == "log")
  best: share(orders, country)
  typical: median(sum(order.amount) per buyer where value > large)
dimensions: {country: {label: Country}}
"""


def project(folder: Path, text: str, **files: str) -> Loaded:
    for name, content in {"shop": SHOP, **files}.items():
        (folder / f"{name}.yml").write_text(content, encoding="utf-8")
    (folder / "kpis.yml").write_text(text, encoding="utf-8")
    return load(folder / "kpis.yml")


def codes(loaded: Loaded) -> list[str]:
    return [d.code for d in loaded.diagnostics]


def test_a_prefix_reaches_every_name_but_fields(tmp_path: Path) -> None:
    catalog = project(tmp_path, "include: [{path: shop.yml, as: web}]\n").catalog
    assert {name: format_expr(kpi.formula.expr) for name, kpi in catalog.kpis.items()} == {
        "web_orders": "web_order",
        "web_rate": "web_orders / web_visit",
        "web_big": "count(web_order where amount > web_large)",
        "web_here": 'count(web_order where dataset == "web_log")',
        "web_best": "share(web_orders, country)",
        "web_typical": "median(sum(web_order.amount) per buyer where value > web_large)",
    }
    assert format_expr(catalog.kpis["web_rate"].thresholds[0].band.bounds[0]) == "web_large"
    assert set(catalog.datasets) == {"web_log", "web_people"}
    log = catalog.datasets["web_log"]
    assert set(log.events) == {"web_order", "web_visit", "web_call"}
    prefer = catalog.contracts["web_call"].prefer
    assert prefer is not None
    assert prefer.datasets == ("web_people", "web_log")
    assert log.lookups["person"].dataset == "web_people"
    assert log.read is not None
    assert log.read.base == tmp_path
    assert set(catalog.constants) == {"web_large"}
    assert set(catalog.dimensions) == {"country"}


def test_a_declared_field_goes_before_a_constant(tmp_path: Path) -> None:
    text = (
        "constants: {size: 3}\nevents: {box: {fields: {size: }}}\nkpis: {a: count(box where size > 2), b: box * size}\n"
    )
    catalog = project(tmp_path, "include: [{path: part.yml, as: x}]\n", part=text).catalog
    assert format_expr(catalog.kpis["x_a"].formula.expr) == "count(x_box where size > 2)"
    assert format_expr(catalog.kpis["x_b"].formula.expr) == "x_box * x_size"


def test_prefixes_add_up(tmp_path: Path) -> None:
    inner = "include: [{path: shop.yml, as: web}]\nkpis: {all: web_orders + web_rate}\n"
    catalog = project(tmp_path, "include: [{path: inner.yml, as: eu}]\nkpis: {z: eu_all}\n", inner=inner).catalog
    assert format_expr(catalog.kpis["eu_all"].formula.expr) == "eu_web_orders + eu_web_rate"
    assert format_expr(catalog.kpis["eu_web_rate"].formula.expr) == "eu_web_orders / eu_web_visit"


def test_a_file_reached_by_two_ways_is_one(tmp_path: Path) -> None:
    files = {"a": "include: [./shop.yml]\n", "b": "include: [./shop.yml]\nkpis: {more: orders * 2}\n"}
    loaded = project(tmp_path, "include: [./a.yml, ./b.yml]\n", **files)
    assert not loaded.diagnostics
    assert "more" in loaded.catalog.kpis


@pytest.mark.parametrize(
    ("only", "shown", "hidden"),
    [
        ("rate", {"rate"}, {"orders"}),
        ("[r*, b*]", {"rate", "big", "best"}, {"orders"}),
        ("tag:volume", {"orders"}, set()),
        ("[order, big]", {"big"}, set()),
    ],
)
def test_only_takes_what_it_names_and_what_that_stands_on(
    tmp_path: Path, only: str, shown: set[str], hidden: set[str]
) -> None:
    loaded = project(tmp_path, f"include: [{{path: shop.yml, only: {only}}}]\nkpis: {{typical: 2 * order}}\n")
    assert not loaded.diagnostics
    kpis = loaded.catalog.kpis
    assert {name for name, kpi in kpis.items() if not kpi.hidden} == shown | {"typical"}
    assert {name for name, kpi in kpis.items() if kpi.hidden} == hidden
    assert set(loaded.catalog.datasets) == {"log", "people"}
    assert set(loaded.catalog.contracts) == {"call"}


def test_a_changed_kpi_keeps_the_rest(tmp_path: Path) -> None:
    text = """\
include: [./shop.yml]
kpis:
  rate: {extends: pack, owner: Lena, label: {zh: 比率}, thresholds: {good: null, warning: at least 2}, tags: null}
  other: {extends: rate, where: net > 3}
  short: {extends: big, owner: Lena}
"""
    catalog = project(tmp_path, text).catalog
    rate, other, short = (catalog.kpis[name] for name in ("rate", "other", "short"))
    assert (rate.owner, rate.label.get("en"), rate.label.get("zh"), rate.tags) == ("Lena", "Rate", "比率", ())
    assert [band.status for band in rate.thresholds] == ["warning"]
    assert rate.origin is not None
    assert rate.origin.text.endswith("shop.yml")
    assert (other.owner, other.label.get(), other.thresholds) == ("Lena", "", rate.thresholds)
    assert other.origin is None
    assert format_expr(short.formula.expr) == "count(order where amount > large)"
    assert rate.formula.expr.span.source.name.endswith("shop.yml")


def test_two_say_what_an_event_has(tmp_path: Path) -> None:
    files = {
        "a": "events: {sale: {label: A, fields: {amount: {unit: money}, buyer: }}}\n",
        "b": "events: {sale: {fields: {amount: , item: }}}\n",
        "c": "events: {sale: {fields: {amount: {unit: duration}}}}\n",
    }
    loaded = project(tmp_path, "include: [./a.yml, ./b.yml]\n", **files)
    assert not loaded.diagnostics
    sale = loaded.catalog.contracts["sale"]
    assert (list(sale.fields), sale.label.get()) == (["amount", "buyer", "item"], "A")
    assert sale.fields["amount"].unit is not None
    (problem,) = project(tmp_path, "include: [./a.yml, ./c.yml]\n", **files).diagnostics
    assert problem.code == "duplicate-name"
    assert problem.notes[0].span is not None


@pytest.mark.parametrize(
    ("text", "code", "places"),
    [
        ("include: [./shop.yml]\nkpis: {orders: visit}\n", "duplicate-name", ("kpis.yml:2", "shop.yml:14")),
        ("include: [./shop.yml, {path: shop.yml}]\n", "duplicate-name", ("kpis.yml:1", "kpis.yml:1")),
        ("include: [./loop.yml]\n", "include-cycle", ("loop.yml:1", "kpis.yml:1")),
        ("include: [{pack: shop.yml}]\n", "unknown-include", ("kpis.yml:1",)),
        ("include: shop\n", "unknown-include", ("kpis.yml:1",)),
        ("include: [empty/]\n", "unknown-include", ("kpis.yml:1",)),
        ("include: [{path: shop.yml, as: 2x}]\n", "bad-name", ("kpis.yml:1",)),
        ("include: [{path: shop.yml, pack: ads}]\n", "bad-value", ("kpis.yml:1",)),
        ("include: [{path: shop.yml, only: [ratio, rate]}]\n", "unknown-kpi", ("kpis.yml:1",)),
        ("include: [{path: shop.yml, only: []}]\n", "bad-value", ("kpis.yml:1",)),
        ("include: [{path: wrong.yml}]\n", "syntax", ("wrong.yml:1",)),
        ("kpis:\n  a: {extends: b}\n  b: {extends: a}\n", "nothing-to-extend", ("kpis.yml:2", "kpis.yml:3")),
        ("include: [./shop.yml]\nkpis: {a: {extends: big, formula: null}}\n", "missing-formula", ("kpis.yml:2",)),
        ("include: [./calendar.yml]\n", "passed-over", ("calendar.yml:1",)),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, text: str, code: str, places: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir(exist_ok=True)
    files = {
        "loop": "include: [./kpis.yml]\n",
        "wrong": "kpis: {a: order / }\n",
        "calendar": "calendar: {timezone: Asia/Shanghai}\n",
    }
    loaded = project(tmp_path, text, **files)
    problem = loaded.diagnostics[0]
    assert problem.code == code
    spans = (problem.span, *(note.span for note in problem.notes if note.span is not None))
    assert tuple(f"{Path(s.source.name).name}:{s.line}" for s in spans if s is not None) == places
    assert loaded.catalog.calendar.timezone == "UTC"


def test_a_circle_is_shown_as_a_path(tmp_path: Path) -> None:
    files = {"a": "include: [./b.yml]\n", "b": "include: [{path: ., as: x}]\n"}
    (problem,) = project(tmp_path, "include: [./a.yml]\n", **files).diagnostics
    names = problem.message.replace(str(tmp_path), "").replace("/", "")
    assert names == "`kpis.yml` includes itself: `kpis.yml` → `a.yml` → `b.yml` → `kpis.yml`"


def test_a_chain_of_files_has_an_end(tmp_path: Path) -> None:
    files = {f"f{i}": f"include: [{{path: f{i + 1}.yml, as: x}}]\nkpis: {{k: 1}}\n" for i in range(12)}
    assert "too-deep" in codes(project(tmp_path, "include: [./f0.yml]\n", **files))


def test_a_lone_text_is_a_path_by_its_form() -> None:
    assert [is_path(text) for text in ("ads", "./ads", "ads.yml", "a/b", "..", "a\\b")] == [False, *[True] * 5]


def test_every_pack_is_found_by_its_name(tmp_path: Path) -> None:
    assert "ads" in packs()
    for name in packs():
        loaded = project(tmp_path, f"include: [{name}]\ncalendar: {{hours: {{mon-fri: 09:00-18:00}}}}\n")
        assert not loaded.diagnostics
        kpi = next(iter(loaded.catalog.kpis.values()))
        assert kpi.span.source.name.startswith(f"<pack {name}>")
        assert not loaded.catalog.cases
