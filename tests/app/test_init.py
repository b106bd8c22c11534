"""`kpi init`: what is written reads, checks and runs; nothing is overwritten; what was guessed is said."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import smartkpi
from tests.app.conftest import Kpi

FINE, USAGE, DATA, SOME_LEFT_OUT = 0, 2, 4, 5
LOG = """ts,action,user_id,country,amount
2026-01-01 09:00:00,view,a,BR,
2026-01-02 10:00:00,purchase,a,BR,10.5
2026-01-02 11:00:00,view,b,DE,
2026-01-09 11:00:00,view,b,DE,
"""
EXPORT = """Export of the shop
made on 2.3.2026

Datum;Besuche;Unique Visitors;Umsatz
1.2.2026;1.204;800;2.310,50
2.2.2026;980;700;1.199,00
28.2.2026;12;10;-
Summe;2.196;1.510;3.509,50
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def holds(path: Path | str) -> smartkpi.Project:
    """Return a project that checks, its data too."""
    project = smartkpi.load(path)
    report = project.check(data=True)
    assert report.ok, report
    return project


def test_a_log_becomes_events_and_a_rate(here: Path, kpi: Kpi) -> None:
    write("log.csv", LOG)
    done = kpi("init log.csv")
    assert done.exit_code == FINE, done.output
    assert "wrote kpis.yml: 1 dataset, 5 KPIs" in done.stdout
    text = Path("kpis.yml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=.vscode/smartkpi.schema.json\n")
    assert 'purchase: action == "purchase"' in text
    project = holds("kpis.yml")
    values = {row["kpi"]: row["value"] for row in project.run(grain="all").to_dicts()}
    assert values == {"views": 3, "purchases": 1, "users": 2, "total_amount": 10.5, "purchase_rate": 1 / 3} | {
        "purchase_rate": 0.333333333333
    }
    assert kpi("run").exit_code == FINE


def test_what_stands_beside_the_project(here: Path, kpi: Kpi) -> None:
    write("data/log.csv", LOG)
    assert kpi("init data -o shop").exit_code == FINE
    schema = json.loads(Path("shop/.vscode/smartkpi.schema.json").read_text(encoding="utf-8"))
    assert schema["title"] == "a project"
    assert json.loads(Path("shop/.vscode/settings.json").read_text(encoding="utf-8"))["yaml.schemas"]
    assert "read: ../data/log.csv" in Path("shop/kpis.yml").read_text(encoding="utf-8")
    assert kpi("check shop --data").exit_code == FINE


def test_rows_inside_the_project_are_not_committed(here: Path, kpi: Kpi) -> None:
    write("data/log.csv", LOG)
    assert kpi("init").exit_code == FINE
    assert "/data/log.csv\n" in Path(".gitignore").read_text(encoding="utf-8")


def test_nothing_is_overwritten(here: Path, kpi: Kpi) -> None:
    write("log.csv", LOG)
    write("kpis.yml", "kpis: {}\n")
    done = kpi("init log.csv")
    assert done.exit_code == USAGE
    assert "error[already-there]: `kpis.yml` exists" in done.stderr
    assert Path("kpis.yml").read_text(encoding="utf-8") == "kpis: {}\n"
    assert sorted(path.name for path in here.iterdir()) == ["kpis.yml", "log.csv"]
    assert kpi("init log.csv -o new.yml").exit_code == FINE
    holds("new.yml")


def test_a_folder_of_definitions_is_not_hidden(here: Path, kpi: Kpi) -> None:
    write("log.csv", LOG)
    write("kpis/mine.yml", "kpis: {}\n")
    assert kpi("init log.csv").exit_code == USAGE
    assert not Path("kpis.yml").exists()
    assert kpi("init log.csv -o kpis/log.yml").exit_code == FINE
    holds("kpis")


def test_files_of_others_stay(here: Path, kpi: Kpi) -> None:
    write("log.csv", LOG)
    write(".gitignore", "mine\n")
    done = kpi("init log.csv")
    assert done.exit_code == FINE
    assert ".gitignore" not in done.stdout
    assert Path(".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_all_or_nothing(here: Path, kpi: Kpi, monkeypatch: pytest.MonkeyPatch) -> None:
    from smartkpi.app import init as module

    write("log.csv", LOG)

    def full(path: Path, content: str) -> None:
        if path.name == "kpis.yml":
            raise OSError(28, "No space left on device", str(path))
        path.write_text(content, encoding="utf-8")

    monkeypatch.setattr(module, "_write_new", full)
    done = kpi("init log.csv -o shop")
    assert done.exit_code == USAGE
    assert "error[cannot-write]" in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["log.csv"]


def test_an_export_with_title_footer_and_decimal_commas(here: Path, kpi: Kpi) -> None:
    write("export.csv", EXPORT)
    assert kpi("init export.csv").exit_code == FINE
    text = Path("kpis.yml").read_text(encoding="utf-8")
    for part in ("skip_rows: 3", "skip_footer: 1", 'decimal: ","', 'dates: "%d.%m.%Y"', '"-"'):
        assert part in text, text
    assert "`Summe;2.196;1.510;3.509,50`" in text
    assert "additive: not over time" in text
    values = {row["kpi"]: row["value"] for row in holds("kpis.yml").run(grain="day", until="2026-02-01").to_dicts()}
    assert values["besuche_count"] == 1204
    assert values["total_umsatz"] == 2310.5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_encodings(here: Path, kpi: Kpi, encoding: str) -> None:
    write("orders.csv", "日期,国家,金额\n2026-01-05,中国,10.5\n2026-01-06,德国,20\n".encode(encoding))
    done = kpi("init orders.csv")
    assert done.exit_code == FINE, done.output
    assert "国家" in Path("kpis.yml").read_text(encoding="utf-8")
    holds("kpis.yml")


def test_days_and_months_that_cannot_be_told_apart_are_said(here: Path, kpi: Kpi) -> None:
    write("rows.csv", "date,visits\n01/02/2026,10\n02/02/2026,12\n03/02/2026,9\n")
    assert kpi("init rows.csv").exit_code == FINE
    text = Path("kpis.yml").read_text(encoding="utf-8")
    assert 'dates: "%d/%m/%Y"' in text  # three days in a row, rather than three months
    assert "or %m/%d/%Y, decide which" in " ".join(text.replace("#", " ").split())


def test_values_that_do_not_parse_have_their_line(here: Path, kpi: Kpi) -> None:
    rows = "".join(f"2026-01-{day:02},{day}.5\n" for day in range(1, 29))
    write("rows.csv", f"date,amount\n{rows}2026-01-29,about 12\n")
    done = kpi("init rows.csv --dry-run")
    assert done.exit_code == FINE
    assert "amount: 1 values are no number: `about 12` (line 30)" in done.stdout
    assert not Path("kpis.yml").exists()
    assert kpi("init rows.csv").exit_code == FINE
    assert "such as `about 12` (line 30)" in " ".join(Path("kpis.yml").read_text(encoding="utf-8").split("#"))


def test_dry_run_reports_gaps_and_repetitions(here: Path, kpi: Kpi) -> None:
    days = [1, 2, 3, 4, 5, 9, 10, 11, 12, 13]
    write("rows.csv", "when,who\n" + "".join(f"2026-01-{day:02},a\n" for day in days) + "2026-01-13,a\n")
    done = kpi("init rows.csv --dry-run --format json")
    (table,) = json.loads(done.stdout)["tables"]
    assert table["times"][0]["longest_gaps"] == [{"from": "2026-01-06", "to": "2026-01-08"}]
    assert table["equal_rows"] == 1
    assert table["rows"] == 11


def test_tables_look_each_other_up(here: Path, kpi: Kpi) -> None:
    write("orders.csv", "id,created_at,customer_id\n1,2026-01-05T10:00:00,c1\n2,2026-01-06T10:00:00,c2\n")
    write("items.csv", "order_id,sku,price\n1,p,10.5\n1,q,1\n2,p,10.5\n")
    write("customers.csv", "customer_id,country\nc1,BR\nc2,DE\nc3,DE\n")
    assert kpi("init", ".").exit_code == FINE
    project = holds("kpis.yml")
    datasets = project.catalog.datasets
    assert {name: sorted(one.lookups) for name, one in datasets.items()} == {
        "customers": [],
        "items": ["order"],
        "orders": ["customer"],
    }
    assert not datasets["customers"].events
    rows = project.run("items", grain="all", by="order.customer.country").to_dicts()
    assert {row["order.customer.country"]: row["value"] for row in rows} == {"BR": 2, "DE": 1}


def test_parts_of_one_table_are_one_dataset(here: Path, kpi: Kpi) -> None:
    for month in (1, 2):
        write(f"logs/events-2026-{month:02}.csv", LOG.replace("2026-01", f"2026-{month:02}"))
    write("logs/refunds.csv", LOG)  # the same columns, and something else
    assert kpi("init logs").exit_code == FINE
    project = holds("kpis.yml")
    assert {name: one.read.path for name, one in project.catalog.datasets.items() if one.read} == {
        "events": "logs/events-2026-*.csv",
        "refunds": "logs/refunds.csv",
    }


def test_currencies_are_not_added(here: Path, kpi: Kpi) -> None:
    write("sales.csv", "date,amount,currency\n2026-01-05,10.5,EUR\n2026-01-06,20,USD\n2026-01-07,1.5,EUR\n")
    assert kpi("init sales.csv").exit_code == FINE
    rows = holds("kpis.yml").run("total_*", grain="all").to_dicts()
    assert {row["kpi"]: (row["money"], row["currency"]) for row in rows} == {
        "total_amount_eur": (12, "EUR"),
        "total_amount_usd": (20, "USD"),
    }
    write("sales.csv", "date,amount,currency\n2026-01-05,10.5,EUR\n2026-01-06,20,EUR\n")
    assert kpi("init sales.csv -o one").exit_code == FINE
    (row,) = holds("one").run("total_amount", grain="all").to_dicts()
    assert (row["money"], row["currency"]) == (30.5, "EUR")


def test_an_amount_belongs_to_the_event_that_has_it(here: Path, kpi: Kpi) -> None:
    rows = "2026-01-05T10:00:00,chat,\n2026-01-05T10:30:00,reply,30.5\n2026-01-05T11:00:00,chat,\n" * 2
    write("log.csv", f"ts,event,wait_minutes\n{rows}2026-01-05T11:30:00,reply,10.5\n")
    assert kpi("init log.csv").exit_code == FINE
    (row,) = holds("kpis.yml").run("average_wait_minutes", grain="all").to_dicts()
    assert row["value"] == pytest.approx(71.5 / 3)


def test_one_file_that_cannot_be_read_does_not_stop_the_others(here: Path, kpi: Kpi) -> None:
    write("data/log.csv", LOG)
    write("data/broken.csv", "a,b\n1,2\n3\n")
    done = kpi("init data")
    assert done.exit_code == SOME_LEFT_OUT
    assert "error[bad-rows]: line 3 of `broken.csv`" in done.stderr
    holds("kpis.yml")
    done = kpi("init data/broken.csv -o other")
    assert done.exit_code == DATA
    assert not Path("other").exists()


@pytest.mark.parametrize("words", ["init none.csv", "init none/*.csv", "init empty"])
def test_no_data(here: Path, kpi: Kpi, words: str) -> None:
    Path("empty").mkdir()
    done = kpi(words)
    assert done.exit_code == USAGE
    assert "error[no-file]" in done.stderr
    assert [path.name for path in here.iterdir()] == ["empty"]


def test_texts_cannot_leave_their_place(here: Path, kpi: Kpi) -> None:
    odd = 'x" or true # : {a}\n- &b *c !d | > % @ `'
    pl.DataFrame(
        {"time": ["2026-01-01", "2026-01-02"], "event": [odd, "visit"], odd: [1.5, 2.5], "per": ["a\x00b", "\x85"]}
    ).write_parquet("odd.parquet")
    done = kpi("init odd.parquet")
    assert done.exit_code == FINE, done.output
    project = holds("kpis.yml")
    assert len(project.catalog.datasets["odd"].events) == 2


ADS = """Day;Campaign;Spend [USD];Shown;Clicked;In cart;Bought
13.01.2026;Winter;120.50;9000;95;22;9
14.01.2026;New;80.00;7500;40;12;3
"""
ORDERS = """id,ordered_at,customer,promised_on,delivered_at
1,2026-01-05T10:00:00,ann,2026-01-08,2026-01-08T18:00:00
2,2026-01-06T10:00:00,bob,2026-01-10,
"""
LINES = """order_id,sku,pieces,unit_price,discount
1,cup,2,10.50,0
1,tea,1,4.00,0.5
2,cup,1,10.50,0
"""


def test_a_pack_over_an_export(here: Path, kpi: Kpi) -> None:
    write("ads.csv", ADS)
    done = kpi("init ads.csv --pack ads")
    assert done.exit_code == FINE, done.output
    text = Path("kpis.yml").read_text(encoding="utf-8")
    assert "events bound: 5 of 6" in text
    assert "# missing: `ad_revenue`" in text
    assert 'amount: {column: "Spend [USD]", unit: money, currency: USD}' in text
    project = holds("kpis.yml")
    values = {row["kpi"]: row["value"] for row in project.run(["ctr", "cpc", "roas"], grain="all").to_dicts()}
    assert values == {"ctr": pytest.approx(135 / 16_500), "cpc": pytest.approx(200.5 / 135), "roas": None}


def test_a_pack_over_orders_and_their_lines(here: Path, kpi: Kpi) -> None:
    write("orders.csv", ORDERS)
    write("lines.csv", LINES)
    assert kpi("init . --pack marketplace").exit_code == FINE
    project = holds("kpis.yml")
    bound = {event: name for name, one in project.catalog.datasets.items() for event in one.events}
    assert bound == {"order": "orders", "delivery": "orders", "order_line": "lines"}
    asked = ["average_order_value_goods", "fulfilment_rate", "items_per_order"]
    values = {row["kpi"]: row["value"] for row in project.run(asked, grain="all").to_dicts()}
    assert values == {"average_order_value_goods": 16.75, "fulfilment_rate": 0.5, "items_per_order": 2}


def test_a_pack_takes_no_amount_that_means_something_else(here: Path, kpi: Kpi) -> None:
    write("sales.csv", "date,freight_value,tax\n2026-01-05,3.5,1\n2026-01-06,4.5,2\n")
    assert kpi("init sales.csv --pack finance").exit_code == FINE
    text = Path("kpis.yml").read_text(encoding="utf-8")
    assert "missing: `sale`" in text
    assert "comes nearest" in text
    assert not holds("kpis.yml").catalog.datasets


def test_a_pack_that_there_is_not(here: Path, kpi: Kpi) -> None:
    write("ads.csv", ADS)
    done = kpi("init ads.csv --pack adds")
    assert done.exit_code == USAGE
    assert "did you mean `ads`?" in done.stderr
    assert not Path("kpis.yml").exists()


CELL = st.sampled_from(
    ["", "1", "-2.5", "1,5", "1.204", "3%", "€ 4", "2026-01-05", "5.1.2026", "01/02/2026", "2026-01-05 10:00:00", "abc",
     "-", '"', "a\"b", "x y", "1767600000", "1767600000000", "true", "中", "\x00", "é", "=1+1", "#", "'", "1e400"]
)  # fmt: skip
HEADER = st.sampled_from(
    ["", "id", "date", "time", "Datum", "event", "type", "amount", "price", "visits", "user_id", "status", "per", "all",
     "a b", "1", "count", "value", "日期", '"q"', "year", "month", "day", "# of Clicks", "A", "a"]
)  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a small file of text: mostly a table, now and then damaged."""
    width = draw(st.integers(1, 5))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    rows = [draw(st.lists(HEADER, min_size=width, max_size=width))]
    columns = [draw(st.lists(CELL, min_size=1, max_size=3)) for _ in range(width)]
    count = draw(st.integers(0, 12))
    rows += [[column[i % len(column)] for column in columns] for i in range(count)]
    lines = [separator.join(row) for row in rows]
    lines = draw(st.lists(st.sampled_from(["Title", "", "a b c"]), max_size=2)) + lines
    lines += draw(st.lists(st.sampled_from(["Total", "", "made on 1.2.2026", "x"]), max_size=2))
    content = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines)
    data = content.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"])), errors="replace")
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        data = data[:place] + draw(st.binary(max_size=2)) + data[place + 1 :]
    return data


NAMES = st.sampled_from(["rows.csv", "orders.tsv", "visits.txt", "rows.jsonl", "rows.parquet"])
NAMED = ("ads", "b2b", "customers", "finance", "marketplace", "store_business", "store_hours", "store_operations")
PACKS = st.sampled_from([(), *(("--pack", name) for name in NAMED)])


@given(files(), NAMES, PACKS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_file_gives_a_project_that_checks_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, kpi: Kpi, data: bytes, name: str, pack: tuple[str, ...]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / name).write_bytes(data)
    done = kpi("init", str(folder / name), "-o", str(folder / "out"), *pack)
    assert done.exit_code in (FINE, DATA), done.output
    assert (folder / "out").exists() is (done.exit_code == FINE)
    looked = kpi("init", str(folder / name), "--dry-run")
    assert looked.exit_code == done.exit_code, looked.output
    if done.exit_code == FINE:
        holds(folder / "out")
        assert kpi("run", str(folder / "out")).exit_code == FINE


def test_a_column_that_is_called_like_one_of_results_gets_a_name_of_its_own(here: Path, kpi: Kpi) -> None:
    rows = [f"2026-01-{day:02},{('open', 'paid')[day % 2]},{('EUR', 'USD')[day % 2]},{day}.5" for day in range(1, 29)]
    write("orders.csv", "\n".join(["ts,state,currency,amount", *rows, ""]))
    assert kpi("init orders.csv").exit_code == FINE
    assert "# segments: order_state, order_currency" in Path("kpis.yml").read_text(encoding="utf-8")
    frame = holds("kpis.yml").run("orders", by=["order_state", "order_currency"], grain="all").frame
    assert frame.select("order_state", "order_currency", "value").rows() == [("open", "EUR", 14), ("paid", "USD", 14)]


def test_a_pack_that_asks_when_one_works_is_drafted_with_hours(here: Path, kpi: Kpi) -> None:
    rows = [
        f"2026-01-{day:02}T{hour}:00,{event},{day}"
        for day in range(5, 29)
        for hour, event in ((10, "inquiry"), (11, "reply"))
    ]
    write("inbox.csv", "\n".join(["ts,event,inquiry_id", *rows, ""]))
    assert kpi("init inbox.csv --pack store_hours").exit_code == FINE
    assert "\ncalendar: {hours: {mon-fri: 09:00-18:00}}\n" in Path("kpis.yml").read_text(encoding="utf-8")
    project = holds("kpis.yml")
    assert project.check().diagnostics == ()  # its own hours hold: that the pack has others is no news
    values = {row["kpi"]: row["value"] for row in project.run(grain="all").to_dicts()}
    assert values["replied_in_working_hours"] == 1
    assert values["working_response_time"] == 3_600 * 18 / 24  # of 24 days in a row 18 are worked on


def test_a_pack_is_drafted_over_an_export_of_a_store_with_its_funnel(here: Path, kpi: Kpi) -> None:
    head = "day,exposures,clicks,visits,visitors,inquiries,paid orders"
    write("store.csv", f"{head}\n2026-01-05,4000,20,100,80,6,0\n2026-01-06,6000,100,140,90,6,3\n")
    assert kpi("init store.csv --pack store_operations").exit_code == FINE
    project = holds("kpis.yml")
    rows = project.run("store_funnel", grain="month").to_dicts()
    counts = {row["step"]: row["value"] for row in rows if row["measure"] == "step_count"}
    assert list(counts.values()) == [10_000, 120, 240, 12, 3]
    assert "visit_with_visitor" not in str(project.catalog.datasets["store"].events)  # 90 visitors are nobody


def test_a_pack_is_drafted_over_orders_with_its_cohorts(here: Path, kpi: Kpi) -> None:
    rows = [f"{n},2026-0{n % 4 + 1}-10,c{n % 3},{n}.50" for n in range(1, 13)]
    write("orders.csv", "\n".join(["order_id,ordered_at,customer_id,total", *rows, ""]))
    assert kpi("init orders.csv --pack customers").exit_code == FINE
    project = holds("kpis.yml")
    shown = {(row["kpi"], f"{row['start']:%Y-%m}"): row["value"] for row in project.run("customer_cohorts").to_dicts()}
    assert shown["cohort_size(customer_cohorts)", "2026-01"] == 3
    assert shown["retention(customer_cohorts, 1)", "2026-01"] == 1
    done = kpi("run revenue_cohorts --format csv")
    assert done.exit_code == FINE
    assert "no dataset provides" not in done.output
