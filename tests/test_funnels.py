"""Funnels: KPIs of their steps, how they are asked for and shown, and a plain count of drawn rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import smartkpi
from smartkpi.app.cli import main
from smartkpi.report.render import render
from smartkpi.report.style import Style
from smartkpi.resources import find

STEPS = ("view", "cart", "order")
START = datetime(2026, 1, 1)
ROWS = """ts,event,visitor,channel
2026-01-01T09:00,view,a,ads
2026-01-01T10:00,view,b,mail
2026-01-02T09:00,cart,a,ads
2026-01-03T09:00,order,a,ads
2026-01-05T09:00,cart,b,mail
2026-02-01T09:00,view,c,ads
2026-02-27T09:00,order,d,ads
"""
LOG = {"time": "ts", "events": {name: f'event == "{name}"' for name in STEPS}}
FUNNELS = {
    "purchase": {"label": "Purchase", "steps": [*STEPS], "by": "visitor", "within": "7d"},
    "triangle": {"steps": [*STEPS]},
}


def project(rows: pl.DataFrame | None = None, **more: Any) -> smartkpi.Project:
    frame = pl.read_csv(ROWS.encode(), try_parse_dates=True) if rows is None else rows
    definition = {"datasets": {"log": LOG}, "funnels": FUNNELS, **more}
    return smartkpi.load(definition, data={"log": frame})


def values(result: smartkpi.Result) -> dict[tuple[str, str], Any]:
    return {(row["step"], row["measure"]): row["value"] for row in result.to_dicts()}


def test_a_funnel_shows_the_last_period_that_is_known_for_all_steps() -> None:
    result = project().run("purchase")
    assert result.frame["start"].unique().dt.strftime("%Y-%m").to_list() == ["2026-01"]
    assert values(result) == {
        ("view", "step_count"): 2,
        ("cart", "step_count"): 2,
        ("cart", "step_rate"): 1,
        ("cart", "overall_rate"): 1,
        ("cart", "drop_off"): 0,
        ("cart", "step_time"): 2.5 * 86_400 - 1_800,
        ("order", "step_count"): 1,
        ("order", "step_rate"): 0.5,
        ("order", "overall_rate"): 0.5,
        ("order", "drop_off"): 1,
        ("order", "step_time"): 86_400,
    }


def test_periods_and_segments_have_a_funnel_each() -> None:
    result = project().run("purchase", grain="month", by="channel", total=True)
    counts = result.frame.filter(pl.col("measure") == "step_count")
    assert counts["step"].to_list()[:3] == ["view", "view", "view"]
    assert set(counts["level"]) == {"segment", "total"}
    text = render(result, "table", Style(width=100)).decode()
    assert text.count("view ") == 7  # ads, mail and total of two months, and the note
    assert "██" in text


def test_counts_by_themselves_may_be_more_than_those_before() -> None:
    result = project().run("triangle", grain="month", since="2026-02", until="2026-02")
    assert values(result)["order", "step_count"] == 1
    assert values(result)["order", "overall_rate"] == 1
    assert values(result)["order", "step_rate"] is None
    assert ("order", "step_time") not in values(result)
    assert "above 100 %" in render(result, "table", Style()).decode()


@pytest.mark.parametrize(("width", "drawn"), [(None, True), (100, True), (60, True), (59, False), (40, False)])
def test_bars_are_drawn_where_there_is_room(width: int | None, drawn: bool) -> None:
    text = render(project().run("purchase"), "table", Style(width=width)).decode()
    assert ("█" in text) is drawn
    assert all(width is None or len(line) <= width for line in text.splitlines()[1:])
    assert "#" in render(project().run("purchase"), "table", Style(width=100, unicode=False)).decode()


def test_other_formats_are_tidy() -> None:
    result = project().run("purchase")
    assert result.columns[:3] == ["kpi", "step", "measure"]
    lines = render(result, "csv", Style()).decode().splitlines()
    assert lines[0].startswith("kpi,step,measure,grain,start,end,level,value")
    assert lines[2].startswith('"step_count(purchase, cart)",cart,step_count,month,2026-01-01,2026-02-01,total,2')
    markdown = render(result, "markdown", Style()).decode()
    assert "| step | count | step rate | overall rate | lost | median time |" in markdown
    assert "█" not in markdown
    assert "█" not in result._repr_html_()
    data = json.loads(render(result, "json", Style()))
    jsonschema.validate(data, json.loads((find("schemas") / "result.json").read_text("utf-8")))
    assert [step["step"] for step in data["funnel"]["steps"]] == [*STEPS]
    assert data["funnel"]["steps"][1]["kpis"]["step_rate"] == "step_rate(purchase, cart)"


def test_labels_are_in_the_language_asked_for() -> None:
    events = {"shop_view": {"label": {"en": "View", "zh": "浏览"}}, "shop_order": {}}
    dataset = {"time": "ts", "events": {"shop_view": 'event == "view"', "shop_order": 'event == "order"'}}
    order = {"is": "shop_order", "as": "paid", "label": {"en": "Payment", "zh": "支付"}}
    funnels = {"f": {"label": {"zh": "转化"}, "steps": ["shop_view", order], "by": "visitor"}}
    opened = project(datasets={"log": dataset}, events=events, funnels=funnels)
    text = render(opened.run("f"), "table", Style(lang="zh")).decode()
    assert "转化" in text
    assert "浏览" in text
    assert "支付" in text


def test_kpis_name_the_steps_of_funnels() -> None:
    kpis = {
        "rate": "step_rate(purchase, cart)",
        "ads": 'step_count(purchase, cart) where channel == "ads"',
        "grown": "growth(step_count(purchase,  view))",
        "goal": {"formula": "overall_rate(purchase, order)", "thresholds": {"good": "at least 20%"}},
    }
    frame = project(kpis=kpis).run(grain="month", until="2026-02", since="2026-02").frame
    found = dict(zip(frame["kpi"], frame["value"], strict=True))
    assert found == {"rate": 0, "ads": 0, "grown": -0.5, "goal": 0}  # parts are shown with their funnel alone
    alone = project(kpis=kpis).run("step_rate(purchase,cart), rate", grain="month", until="2026-01").frame
    assert alone["kpi"].to_list() == ["step_rate(purchase, cart)", "rate"]
    assert alone["value"].to_list() == [1, 1]


def test_an_included_funnel_has_its_prefix_and_its_steps_their_names(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(ROWS)
    (tmp_path / "part.yml").write_text(
        "datasets:\n  log:\n    read: log.csv\n    time: ts\n"
        '    events: {view: event == "view", order: event == "order"}\n'
        "constants: {soon: 7d}\n"
        'funnels: {purchase: {steps: [view, order where channel == "ads"], by: visitor, within: soon}}\n'
        "kpis: {rate: 'step_rate(purchase, order)'}\n"
    )
    (tmp_path / "kpis.yml").write_text(
        "include: [{path: part.yml, as: shop}]\nkpis: {again: 'step_rate(shop_purchase, order)'}\n"
    )
    opened = smartkpi.load(tmp_path / "kpis.yml")
    assert opened.check().ok, opened.check()
    assert values(opened.run("shop_purchase"))["order", "step_rate"] == 0.5
    assert opened.run(grain="all").frame["value"].to_list() == [pytest.approx(1 / 3)] * 2
    (tmp_path / "kpis.yml").write_text("include: [{path: part.yml, only: [rate]}]\n")
    assert smartkpi.load(tmp_path / "kpis.yml").run(grain="all").frame["kpi"].to_list() == ["rate"]


def test_a_funnel_of_which_no_dataset_provides_a_step_is_told_once() -> None:
    opened = project(
        events={"pay": {"fields": {"visitor": {}}}}, funnels={"f": {"steps": ["view", "pay"], "by": "visitor"}}
    )
    told = opened.check().diagnostics
    assert [one.code for one in told] == ["unavailable"]
    result = opened.run("f")
    assert values(result)["view", "step_count"] == 2
    assert values(result)["pay", "step_rate"] is None
    assert "no dataset provides `pay`" in render(result, "table", Style()).decode()


def test_a_wrong_step_is_told_once() -> None:
    opened = project(funnels={"f": {"steps": ["view", "crat", "order"], "by": "visitor"}})
    assert [one.code for one in opened.check().diagnostics] == ["unknown-event"]
    opened = project(funnels={"f": {"steps": ["view", "cart", "order"], "by": "visitr"}})
    assert {one.code for one in opened.check().diagnostics} <= {"unknown-field"}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"kpis": ["purchase", "triangle"]}, "shown-alone"),
        ({"kpis": "purchase", "top": 1, "by": "channel"}, "shown-alone"),
        ({"kpis": "purchase", "order_by": "value"}, "shown-alone"),
        ({"kpis": "purchase", "limit": 3}, "shown-alone"),
        ({"kpis": "purchase", "compare": "year"}, "shown-alone"),
        ({"kpis": "purchase", "by": "step"}, "reserved-dimension"),
        ({"kpis": "purchas"}, "unknown-kpi"),
        ({"kpis": "step_rate(purchase, visit)"}, "unknown-kpi"),
        ({"kpis": "purchase", "by": "contry"}, "unknown-field"),
    ],
)
def test_wrong_questions_are_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(smartkpi.KpiError) as error:
        project().run(**asked)
    assert error.value.diagnostics[0].code == code


def kpi(*words: str) -> Any:
    return CliRunner().invoke(main, words)


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "log.csv").write_text(ROWS)
    events = '{view: event == "view", cart: event == "cart", order: event == "order"}'
    (tmp_path / "kpis.yml").write_text(
        f"datasets:\n  log: {{read: log.csv, time: ts, events: {events}}}\n"
        "funnels:\n  purchase: {label: Purchase, steps: [view, cart, order], by: visitor, within: 7d}\n"
        "kpis: {rate: 'step_rate(purchase, cart)'}\n"
    )
    assert "1 KPI, 1 dataset, 1 funnel" in kpi("check").stdout
    assert "Purchase · 2026-01" in kpi("run", "purchase").stdout
    assert kpi("run", "purchase", "--fail-on", "critical").exit_code == 0
    assert "funnels: purchase" in kpi("show").stdout
    assert "used by       rate" in kpi("show", "purchase").stdout
    assert json.loads(kpi("show", "purchase", "--format", "json").stdout)["within"] == "7d"
    assert "step_count(purchase, order) / step_count(purchase, cart)" in kpi("show", "step_rate(purchase,order)").stdout
    for stage in ("syntax", "typed", "plan", "optimized", "polars"):
        assert "view" in kpi("explain", "purchase", "--stage", stage).stdout
    assert kpi("run", "--kpi", "step_rate(purchase, cart),rate", "--format", "csv").exit_code == 0


# Drawn rows, counted by trying every chain.


def greedy(rows: Mapping[str, Sequence[datetime]], within: timedelta) -> list[list[datetime]]:
    """For each first row the times of the earliest rows that follow one after the other, as far as they are in time."""
    found = []
    for first in rows["view"]:
        chain = [first]
        for step in STEPS[1:]:
            later = [at for at in rows[step] if chain[-1] <= at <= first + within]
            if not later:
                break
            chain.append(min(later))
        found.append(chain)
    return found


moments = st.integers(0, 40 * 24).map(lambda hours: START + timedelta(hours=hours))
rows_drawn = st.lists(
    st.tuples(moments, st.sampled_from(STEPS), st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=30
)


@settings(phases=(Phase.generate,) if settings().derandomize else tuple(Phase))
@given(rows_drawn, st.sampled_from([1, 5, 30]))
def test_counts_rates_and_times_are_those_of_a_plain_count(
    drawn: list[tuple[datetime, str, str | None]], days: int
) -> None:
    funnels = {"purchase": {**FUNNELS["purchase"], "within": f"{days}d"}, "triangle": FUNNELS["triangle"]}
    frame = pl.DataFrame(drawn, schema={"ts": pl.Datetime, "event": pl.String, "visitor": pl.String}, orient="row")
    opened = project(frame, funnels=funnels)
    chains: list[list[datetime]] = [[at] for at, event, visitor in drawn if event == "view" and visitor is None]
    for visitor in ("a", "b", "c"):
        mine = {step: [at for at, event, who in drawn if (event, who) == (step, visitor)] for step in STEPS}
        chains += greedy(mine, timedelta(days=days))
    found = values(opened.run("purchase", grain="all"))
    counts = [sum(len(chain) > place for chain in chains) for place in range(3)]
    check_rates(found, counts)
    for place, step in enumerate(STEPS[1:], start=1):
        delays = [(chain[place] - chain[place - 1]).total_seconds() for chain in chains if len(chain) > place]
        assert found[step, "step_time"] == pytest.approx(median(delays) if delays else None)
        assert (found[step, "overall_rate"] or 0) <= 1
    assert found == values(opened.run("purchase", grain="all", optimize=False))
    plain = [sum(event == step for _, event, _ in drawn) for step in STEPS]
    check_rates(values(opened.run("triangle", grain="all")), plain)


def check_rates(found: Mapping[tuple[str, str], Any], counts: Sequence[int]) -> None:
    for place, (step, count) in enumerate(zip(STEPS, counts, strict=True)):
        assert found[step, "step_count"] == count
        if place:
            assert found[step, "step_rate"] == pytest.approx(count / counts[place - 1] if counts[place - 1] else None)
            assert found[step, "overall_rate"] == pytest.approx(count / counts[0] if counts[0] else None)
            assert found[step, "drop_off"] == counts[place - 1] - count
