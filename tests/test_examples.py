"""The examples make their data, run, and print what is checked in beside them."""

from __future__ import annotations

import contextlib
import io
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.app.cli import main
from smartkpi.app.demo import make
from smartkpi.app.story import tell
from smartkpi.diagnostics import errors

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "examples" / "store"
BY_PACKS = ROOT / "examples" / "packs"
STORY = "d096a6771727a1029faa560e2d06b8d4e0828923473d809180a8b00a52cc05eb"
QUESTIONS = {
    "scorecard": "",
    "scorecard.zh": "--lang zh",
    "months": "--kpi visits --kpi orders --kpi conversion_rate --grain month",
    "week": "visits orders --by weekday --grain year",
    "countries": "visits orders ctr return_on_ads --by country",
    "currencies": "revenue_* --grain quarter",
    "salespeople": "--kpi reply_time --kpi win_rate --by salesperson",
    "bad_month": "--kpi conversion_rate --by country --grain month --since 2025-07 --until 2025-09 --format csv",
    "ads": "--kpi tag:ads --grain quarter --format markdown",
}
ASKED_OF_PACKS = {
    "scorecard": "run",
    "scorecard.zh": "run --lang zh",
    "goals": "goals",
    "goals.zh": "goals --lang zh",
    "salespeople": "run tag:service --by salesperson",
    "funnel.zh": "run store_funnel --lang zh",
    "visitors": "run visitors --by channel",
    "cohorts.zh": "run customer_cohorts --since 2025-07 --until 2025-12 --lang zh",
    "conversions": "run --kpi 转化率 --grain quarter",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples") / "store"
    make(folder)
    return folder


def kpi(*arguments: str) -> str:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(screen), pytest.raises(SystemExit) as end:
        main(arguments)
    printed = screen.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    assert not end.value.code, printed
    return printed


@pytest.mark.parametrize("name", QUESTIONS)
def test_store_prints_what_is_checked_in(store: Path, name: str, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(variable, value)
    got = kpi("run", str(store), *QUESTIONS[name].split())
    expected = STORE / "expected" / f"{name}.txt"
    if update:
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(got, encoding="utf-8")
    assert got == expected.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def by_packs(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("by_packs")
    shutil.copytree(store / "data", folder / "data")
    shutil.copy(BY_PACKS / "kpis.yml", folder)
    return folder


@pytest.mark.parametrize("name", ASKED_OF_PACKS)
def test_packs_print_what_is_checked_in(
    by_packs: Path, name: str, update: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(variable, value)
    command, *asked = ASKED_OF_PACKS[name].split()
    got = kpi(command, *asked, "-p", str(by_packs))
    expected = BY_PACKS / "expected" / f"{name}.txt"
    if update:
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(got, encoding="utf-8")
    assert got == expected.read_text(encoding="utf-8")


def test_packs_answer_as_counted_by_hand(by_packs: Path) -> None:
    project = smartkpi.load(by_packs)
    assert errors(project.check(data=True).diagnostics) == ()
    kpis = [
        "inquiry_response_time",
        "inquiry_response_time_p90",
        "replied_within_24h",
        "inquiries_won",
        "new_customers",
    ]
    values = {row["kpi"]: row["value"] for row in project.run(kpis, grain="all").to_dicts()}
    log = pl.read_parquet(by_packs / "data" / "events").sort("ts")
    asked = log.filter(event="inquiry").select("inquiry_id", "ts")
    replies = log.filter(event="reply").group_by("inquiry_id").agg(replied=pl.col("ts").min())
    orders = log.filter(event="order").drop_nulls("inquiry_id")
    delays = asked.join(replies, on="inquiry_id").select(delay=(pl.col("replied") - pl.col("ts")).dt.total_seconds())
    assert values == pytest.approx({
        "inquiry_response_time": delays["delay"].mean(),
        "inquiry_response_time_p90": delays["delay"].quantile(0.9, "linear"),
        "replied_within_24h": (delays["delay"] <= 86_400).sum() / asked.height,
        "inquiries_won": asked.join(orders, on="inquiry_id", how="semi").height / asked.height,
        "new_customers": log.filter(event="payment")["visitor"].n_unique(),
    })  # fmt: skip


def test_store_is_right(store: Path) -> None:
    project = smartkpi.load(store)
    assert project.check(data=True).diagnostics == ()
    assert [outcome for outcome in project.test() if not outcome.passed] == []


def test_the_store_has_some_hundred_thousand_events(store: Path) -> None:
    events = pl.read_parquet(store / "data" / "events")
    assert 90_000 < events.height < 120_000
    kinds = {"visit", "inquiry", "reply", "chat", "order", "payment", "delivery", "review"}
    assert set(events["event"]) == kinds
    assert events.filter(event="reply")["wait_minutes"].null_count() == 0
    assert set(events.filter(event="payment")["paid_in"]) == {"USD", "EUR", "GBP", "JPY"}
    assert pl.read_csv(store / "data" / "refunds.csv").height > 50


def _values(store: Path, kpi: str, **asked: Any) -> dict[Any, float]:
    frame = smartkpi.load(store).run([kpi], **asked).frame
    key = asked.get("by", ["start"])[0]
    return dict(zip(frame[key].to_list(), frame["value"].to_list(), strict=True))


def test_the_season_is_found(store: Path) -> None:
    visits = _values(store, "visits", grain="month", since="2025-01", until="2025-12")
    ranked = [day.month for day in sorted(visits, key=lambda day: visits[day])]
    assert (ranked[0], ranked[-1]) == (2, 11)


def test_the_bad_month_is_found_and_where_it_was_bad(store: Path) -> None:
    months = _values(store, "conversion_rate", grain="month", until="2026-02")
    worst = min(months, key=lambda day: months[day])
    assert (worst.year, worst.month) == (2025, 8)
    countries = _values(store, "conversion_rate", by=["country"], since="2025-08", until="2025-08")
    assert set(sorted(countries, key=lambda name: countries[name])[:2]) == {"BR", "DE"}
    assert max(countries["BR"], countries["DE"]) < 0.5 * min(countries[name] for name in ("AU", "GB", "JP", "US"))


def test_the_week_is_found(store: Path) -> None:
    visits = _values(store, "visits", by=["weekday"], grain="year", since="2025", until="2025")
    assert max(visits[6], visits[7]) < 0.8 * min(visits[day] for day in range(1, 6))


def test_the_slow_salesperson_is_found_and_what_it_costs(store: Path) -> None:
    waits = _values(store, "reply_time", by=["salesperson"], grain="all")
    assert waits["Chen"] > 2 * max(waits[name] for name in ("Li", "Wang", "Zhao"))
    wins = _values(store, "win_rate", by=["salesperson"], grain="all")
    assert wins["Chen"] < 0.75 * min(wins[name] for name in ("Li", "Wang", "Zhao"))


def test_currencies_stand_side_by_side(store: Path) -> None:
    frame = smartkpi.load(store).run(["revenue_*"], grain="all").frame
    assert set(frame["currency"]) == {"USD", "EUR", "GBP", "JPY"}
    paid = pl.read_parquet(store / "data" / "events").filter(event="payment").group_by("paid_in").agg(pl.sum("amount"))
    assert dict(frame.select("currency", "value").iter_rows()) == pytest.approx(dict(paid.iter_rows()))


def test_the_ads_that_no_longer_pay_are_found(store: Path) -> None:
    for kpi in ("ctr", "return_on_ads"):
        *before, _, after = _values(store, kpi, grain="month", since="2025-10", until="2026-02").values()
        assert after < 0.95 * min(before)


def test_the_same_seed_makes_the_same_data(store: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}

    assert make(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(store)


def test_a_seed_tells_its_story_on_every_machine() -> None:
    one, two = (sha256(repr(tell(seed)).encode()).hexdigest() for seed in (1, 2))
    assert one == STORY
    assert two != one


def test_the_demo_overwrites_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        make(tmp_path)
    with pytest.raises(FileExistsError, match="is no folder"):
        make(kept)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    assert kept.read_text(encoding="utf-8") == "mine"


def test_a_demo_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    assert make(tmp_path)
    (tmp_path / "data" / "refunds.csv").write_text("mine", encoding="utf-8")
    assert not make(tmp_path)
    assert (tmp_path / "data" / "refunds.csv").read_text(encoding="utf-8") == "mine"
    (tmp_path / "kpis.yml").write_text("kpis: {}", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        make(tmp_path)


def test_the_demo_runs_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = kpi("demo", "store")
    assert "Conversion rate" in printed
    assert (tmp_path / "store" / "kpis.yml").is_file()


PACKS = sorted((ROOT / "metrics").glob("*.yml"))


def test_packs_stand_side_by_side() -> None:
    hours = {"hours": {"mon-fri": "09:00-18:00"}}
    project = smartkpi.load({"include": [pack.stem for pack in PACKS], "calendar": hours})
    assert errors(project.check().diagnostics) == ()
    assert len(project.catalog.kpis) == sum(len(smartkpi.load(pack).catalog.kpis) for pack in PACKS)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_a_pack_says_what_its_kpis_are_in_both_languages(pack: Path) -> None:
    for kpi in smartkpi.load(pack).catalog.kpis.values():
        if "(" in kpi.name:
            continue  # a number of a funnel: it is called as its step
        for text in (kpi.label, kpi.description, kpi.decision):
            assert text is not None, kpi.name
            assert text.get("en"), kpi.name
            assert text.get("zh"), kpi.name
            assert text.get("en") != text.get("zh"), kpi.name
        assert kpi.tags[0] == pack.stem, kpi.name
        assert kpi.direction or kpi.thresholds, kpi.name


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_the_head_of_a_pack_binds_it(pack: Path, tmp_path: Path) -> None:
    lines = [line[4:] for line in pack.read_text(encoding="utf-8").splitlines() if line.startswith("#   ")]
    (tmp_path / "kpis.yml").write_text("\n".join(lines), encoding="utf-8")
    project = smartkpi.load(tmp_path / "kpis.yml")
    assert errors(project.check().diagnostics) == ()
    bound = {name for dataset in project.catalog.datasets.values() for name in dataset.events}
    assert bound
    assert bound <= set(project.catalog.contracts)


def test_a_pack_is_a_project_by_itself() -> None:
    for pack in PACKS:
        project = smartkpi.load(pack)
        assert errors(project.check().diagnostics) == (), pack
        result = project.run()
        assert set(result.frame["state"]) == {"unavailable"}
        outcomes = project.test()
        tested = {expect.kpi for case in project.catalog.cases for expect in case.expect if expect.goal is None}
        named = {name for name in project.catalog.kpis if "(" not in name}
        assert named <= tested, f"{pack}: KPIs without a test"
        assert [outcome for outcome in outcomes if not outcome.passed] == []
