from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from smartkpi import __main__ as entry
from smartkpi.api import STAGES, DataError, UsageError
from smartkpi.app import cli, edge, terminal
from smartkpi.app.cli import main
from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.report.render import FORMATS
from smartkpi.resources import find
from tests.app.conftest import PROJECT, Kpi

BROKEN = PROJECT.replace("  net: revenue", "  bad: ordr / visit\n  net: revenue")


def test_the_command_line_knows_all_names_without_an_engine() -> None:
    assert set(cli.FORMATS) == set(FORMATS)
    assert cli.STAGES == STAGES


@pytest.mark.parametrize("command", list(main.commands))
def test_every_command_has_a_format_and_help(command: str, kpi: Kpi) -> None:
    done = kpi(command, "--help")
    assert done.exit_code == 0
    assert "--format" in done.stdout


def test_check_of_a_good_project(project: Path, kpi: Kpi) -> None:
    done = kpi("check --data")
    table = "dataset  rows  files  columns  remarks\nlog         8      1        4  missing: country 1, amount 6\n"
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{table}\nno problems: 3 KPIs, 1 dataset\n", "")


def test_check_shows_the_place_in_each_format(project: Path, kpi: Kpi) -> None:
    (project / "kpis.yml").write_text(BROKEN, encoding="utf-8")
    text, data, forge = (kpi("check", "--format", form) for form in ("text", "json", "github"))
    assert [done.exit_code for done in (text, data, forge)] == [3, 3, 3]
    assert text.stdout.startswith("error[unknown-event]: no event is named `ordr`\n  --> kpis.yml:17:8\n")
    assert text.stdout.endswith("\n1 error\n")
    found = json.loads(data.stdout)
    assert (found["ok"], found["diagnostics"][0]["place"]["column"]) == (False, 8)
    assert forge.stdout.startswith("::error file=kpis.yml,line=17,col=8,")


def test_what_an_error_of_no_kpi_leaves_out_nobody_knows(project: Path, kpi: Kpi) -> None:
    """An include that leads nowhere, an unknown key: said, and 5, though each KPI that is there has its number."""
    text = (project / "kpis.yml").read_text(encoding="utf-8")
    for more, code in (("include: [nowhere.yml]", "unknown-include"), ("colour: red", "unknown-key")):
        (project / "kpis.yml").write_text(f"{more}\n{text}", encoding="utf-8")
        for done in (kpi("run"), kpi("run revenue")):
            assert (done.exit_code, f"error[{code}]" in done.stderr) == (5, True)
            assert "30.00 BRL" in done.stdout


def test_an_error_that_no_kpi_meets_is_said_where_all_are_asked_for(project: Path, kpi: Kpi) -> None:
    text = (project / "kpis.yml").read_text(encoding="utf-8")
    (project / "kpis.yml").write_text(f"{text}\ndimensions: {{shop: [1]}}\n", encoding="utf-8")
    every, one = kpi("run"), kpi("run revenue")
    assert (every.exit_code, "error[wrong-type]" in every.stderr) == (5, True)
    assert (one.exit_code, one.stderr) == (0, "")


def test_run_prints_a_scorecard(project: Path, kpi: Kpi) -> None:
    done = kpi("run")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == (
        "2026-02 · as of 2026-03-02 10:00:00\n"
        "\n"
        "KPI                  value  trend  status\n"
        "─────────────────────────────────────────\n"
        "Conversion rate     50.00%  ▁█     ● good\n"
        "Revenue          30.00 BRL  ▁█\n"
        "net              27.00 BRL  ▁█\n"
    )


def test_names_globs_and_tags(project: Path, kpi: Kpi) -> None:
    for args in (["run", "net"], ["run", ".", "net"], ["run", "kpis.yml", "--kpi", "net"], ["run", "-p", ".", "n?t"]):
        done = kpi(*args, "--format", "ndjson")
        assert done.exit_code == 0, done.stderr
        assert {json.loads(line)["kpi"] for line in done.stdout.splitlines()} == {"net"}
    done = kpi("run", "--kpi", "tag:funnel,net", "--format", "csv")
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["kpi", "conversion_rate", "net"]


def test_a_question(project: Path, kpi: Kpi) -> None:
    done = kpi(
        *("run", "revenue", "--grain", "month", "--by", "country", "--since", "2026-01", "--until", "2026-02"),
        *("--where", 'country == "BR"', "--order-by", "-value", "--limit", "1", "--format", "json"),
    )
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    jsonschema.validate(data, json.loads((find("schemas") / "result.json").read_text(encoding="utf-8")))
    row, total = data["rows"]
    assert (total["level"], total["country"], total["value"]) == ("total", None, 30)
    assert (row["start"], row["end"], row["country"], row["value"], row["money"]) == (
        "2026-02-01",
        "2026-03-01",
        "BR",
        30,
        "30",
    )


def test_a_constant_has_another_value(project: Path, kpi: Kpi) -> None:
    done = kpi("run", "net", "--grain", "month", "--until", "2026-01", "--set", "fee=50%", "--format", "ndjson")
    assert json.loads(done.stdout.splitlines()[0])["value"] == 5.25


def test_labels_in_chinese(project: Path, kpi: Kpi) -> None:
    assert "转化率" in kpi("run --lang zh").stdout


def test_one_broken_kpi_stops_no_other(project: Path, kpi: Kpi) -> None:
    (project / "kpis.yml").write_text(BROKEN, encoding="utf-8")
    done = kpi("run")
    assert done.exit_code == 5
    assert "Revenue" in done.stdout
    assert "no event is named `ordr`" in done.stderr
    assert kpi("run revenue").exit_code == 0
    alone = kpi("run bad")
    assert alone.exit_code == 3
    assert "no event is named `ordr`" in alone.stderr


def test_missing_data_is_exit_4(project: Path, kpi: Kpi) -> None:
    (project / "events.csv").unlink()
    assert kpi("check").exit_code == 0
    for command in ("check --data", "run"):
        done = kpi(command)
        assert done.exit_code == 4, done.output
        assert "events.csv" in done.output


def test_a_kpi_of_missing_data_stops_no_other(project: Path, kpi: Kpi) -> None:
    more = "datasets:\n  shop: {read: shop.csv, time: ts, events: {sale: all rows}}"
    text = PROJECT.replace("datasets:", more).replace("  net:", "  sales: sale\n  net:")
    (project / "kpis.yml").write_text(text, encoding="utf-8")
    done = kpi("run")
    assert done.exit_code == 4, done.output
    assert "Revenue" in done.stdout
    assert "shop.csv" in done.stderr
    assert kpi("run revenue").exit_code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "nope"], "no KPI is named `nope`"),
        (["run", "revenu"], "did you mean `revenue`?"),
        (["run", "nope.yml"], "there is no file or folder `nope.yml`"),
        (["run", "--grain", "mnth"], "did you mean `month`?"),
        (["run", "--since", "2026-13"], "2026-13"),
        (["run", "--since", "2026-02", "--until", "2026-01"], "before it begins"),
        (["run", "--where", "country =="], "country =="),
        (["run", "--where", 'countri == "BR"'], "did you mean `country`?"),
        (["run", "--by", "countri"], "no event has a field `countri`"),
        (["run", "--by", "country,country"], "asked for twice"),
        (["run", "--order-by", "size"], "cannot be ordered by `size`"),
        (["run", "--limit", "-1"], "-1"),
        (["run", "--as-of", "yesterday"], "yesterday"),
        (["run", "--set", "fee"], "NAME=VALUE"),
        (["run", "--set", "fe=5%"], "did you mean `fee`?"),
        (["run", "--set", "revenue=5"], "no constant is named `revenue`"),
        (["test", "--set", "fe=5%"], "no constant is named `fe`"),
        (["explain", "net", "--set", "fe=5%"], "no constant is named `fe`"),
        (["run", "--where", " "], "--where is empty"),
        (["run", "--by", ""], "--by is empty"),
        (["run", "--kpi", ","], "--kpi is empty"),
        (["run", "--as-of", ""], "--as-of is empty"),
        (["check", ""], "there is no file or folder ``"),
        (["run", "-p", ""], "there is no file or folder ``"),
        (["run", "--format", "xml"], "xml"),
        (["run", "-p", ".", "--output", "no/such/folder/x.csv"], "cannot be written"),
        (["check", "a.yml", "-p", "b.yml"], "given twice"),
        (["run", ""], "an argument is empty"),
        (["explain", "nope"], "no KPI is named `nope`"),
        (["explain", "unknown-evnt"], "did you mean `unknown-event`?"),
        (["show", "nope"], "no KPI is named `nope`"),
        (["show", "values"], "takes a field"),
        (["show", "schemas", "nope"], "no schema is named `nope`"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage_is_exit_2(project: Path, kpi: Kpi, args: list[str], said: str) -> None:
    done = kpi(*args)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_check_of_a_constant_that_is_not_there_is_exit_2(project: Path, kpi: Kpi) -> None:
    done = kpi("check", "--set", "fe=5%")
    assert (done.exit_code, "no constant is named `fe`" in done.stdout) == (2, True)


def test_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kpi: Kpi) -> None:
    monkeypatch.chdir(tmp_path)
    done = kpi("run")
    assert done.exit_code == 2
    assert "there is no project here" in done.stderr


@pytest.mark.parametrize(
    ("name", "head"),
    [("x.csv", b"kpi,grain"), ("x.json", b"{"), ("x.ndjson", b'{"kpi"'), ("x.md", b"2026"), ("x.parquet", b"PAR1")],
)
def test_the_name_of_the_output_tells_its_format(project: Path, kpi: Kpi, name: str, head: bytes) -> None:
    done = kpi("run", "--output", name)
    assert (done.exit_code, done.stdout) == (0, "")
    assert (project / name).read_bytes().startswith(head)


def test_parquet_goes_to_a_pipe(project: Path, kpi: Kpi) -> None:
    done = kpi("run --format parquet")
    assert pl.read_parquet(io.BytesIO(done.stdout_bytes))["kpi"].to_list() == ["conversion_rate", "revenue", "net"]


def test_a_kpi_is_asked_for_by_its_other_names(project: Path, kpi: Kpi) -> None:
    (project / "kpis.yml").write_text(
        PROJECT.replace("tags: [funnel]", "synonyms: [CVR, ratio]").replace("owner: Ana", "synonyms: [ratio]"),
        encoding="utf-8",
    )
    assert kpi("run 转化率 --format csv").stdout == kpi("run conversion_rate --format csv").stdout
    assert kpi("run ratio --format csv").stdout == kpi("run conversion_rate revenue --format csv").stdout
    assert kpi("show cvr").stdout == kpi("show conversion_rate").stdout
    several = kpi("show ratio")
    assert several.exit_code == 2
    assert "it may mean `conversion_rate`, `revenue`" in several.stderr


def test_what_is_left_out_is_known_by_its_other_names(project: Path, kpi: Kpi) -> None:
    broken = PROJECT.replace("net: revenue * (1 - fee)", "net: {formula: revenu * 2, synonyms: [ratio, margin]}")
    (project / "kpis.yml").write_text(broken.replace("owner: Ana", "synonyms: [ratio]"), encoding="utf-8")
    for name in ("ratio", "margin"):
        done = kpi("run", name)
        assert done.exit_code == (5 if name == "ratio" else 3), done.output
        assert "no event is named `revenu`" in done.stderr


def test_show(project: Path, kpi: Kpi) -> None:
    assert "revenue * (1 - fee)" in kpi("show").stdout
    one = kpi("show net").stdout
    assert "order of log (events.csv)" in one
    assert "uses          revenue" in one
    assert json.loads(kpi("show revenue --format json").stdout)["used_by"] == ["net"]
    assert "distinct(event.field)" in kpi("show functions").stdout
    assert json.loads(kpi("show schemas").stdout)["$schema"]
    assert [line.split() for line in kpi("show values country").stdout.splitlines()[2:]] == [
        ["BR", "3", "2"],
        ["DE", "2", "0"],
        ["(none)", "1", "0"],
    ]


def test_show_says_what_a_name_is_that_is_no_kpi(project: Path, kpi: Kpi) -> None:
    for name, words in (("fee", "a constant"), ("log", "a dataset"), ("order", "an event"), ("nothing", "lists all")):
        done = kpi("show", name)
        assert done.exit_code == 2, done.output
        assert words in done.stderr


def test_explain(project: Path, kpi: Kpi) -> None:
    assert kpi("explain net --stage syntax").stdout.startswith("net = revenue * (1 - fee)\n")
    for stage in ("typed", "plan", "optimized", "polars"):
        done = kpi("explain", "net", "--stage", stage)
        assert done.exit_code == 0, done.output
        assert done.stdout
    assert json.loads(kpi("explain net --format json").stdout)["stage"] == "optimized"


def test_demo(tmp_path: Path, kpi: Kpi) -> None:
    folder = tmp_path / "my store"
    done = kpi("demo", str(folder))
    assert done.exit_code == 0, done.output
    assert "Revenue" in done.stdout
    assert f"kpi test '{folder}'" in done.stderr
    again = kpi("demo", str(folder))
    assert again.exit_code == 0
    assert again.stdout == done.stdout
    assert "already" in again.stderr
    (folder / "kpis.yml").write_text("kpis: {}", encoding="utf-8")
    refused = kpi("demo", str(folder))
    assert refused.exit_code == 2
    assert "takes a new folder" in refused.stderr


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), 130),
        (UsageError(Diagnostic("x", "y")), 2),
        (DataError(Diagnostic("x", "y")), 4),
        (KpiError(Diagnostic("x", "y")), 3),
        (RuntimeError("a\nb"), 70),
        (RecursionError(), 70),
        (MemoryError(), 70),
        (BaseException("panic"), 70),
        (BrokenPipeError(), 0),
        (OSError(28, "No space left on device", "out.csv"), 2),
    ],
)
def test_every_end_is_an_exit_code(
    raised: BaseException, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "_close_quietly", lambda: None)
    monkeypatch.delenv("SMARTKPI_DEBUG", raising=False)

    def fail() -> None:
        raise raised

    assert edge.guarded(fail) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if code == 70:
        assert said.count("\n") == 1
        assert type(raised).__name__ in said


def test_a_bug_shows_its_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTKPI_DEBUG", "1")
    assert edge.guarded(lambda: 1 / 0) == 70
    assert "Traceback" in capsys.readouterr().err


def test_the_worst_exit_code_counts() -> None:
    assert [edge.worst(codes) for codes in ([], [0, 1], [1, 5], [5, 4], [4, 3], [3, 2], [2, 130], [130, 70])] == [
        0, 1, 5, 4, 3, 2, 130, 70,
    ]  # fmt: skip


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_what_a_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    tty = _Terminal(io.BytesIO(), encoding="utf-8")
    assert (terminal.style_of(plain).unicode, terminal.style_of(plain).color, terminal.style_of(plain).width) == (
        False,
        False,
        None,
    )
    assert (terminal.style_of(tty).unicode, terminal.style_of(tty).color) == (True, True)
    assert terminal.style_of(tty).today is not None
    assert terminal.style_of(plain).today is None
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.style_of(tty).color
    monkeypatch.setenv("COLUMNS", "60")
    assert terminal.style_of(plain).width == 60


def test_progress_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE", 0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    with terminal.progress_bar() as tell:
        assert tell is None
    monkeypatch.setattr(sys, "stderr", _Terminal(io.BytesIO(), encoding="utf-8"))
    with terminal.progress_bar() as tell:
        assert tell is not None
        tell(1_000_000, None)
        tell(2_500_000, 3_000_000)
    sys.stderr.flush()
    drawn = sys.stderr.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "2,500,000 of 3,000,000 rows" in drawn


def test_what_an_encoding_lacks_keeps_its_width() -> None:
    ascii_ = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert terminal.spelled("转化率  3%, é, …", ascii_) == "??????  3%, ?, ..."
    assert terminal.spelled("é 转", io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == "é 转"


def test_closed_streams_take_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert edge.guarded(lambda: sys.stdout.write("x") - 1) == 0
    for opened in (sys.stdout, sys.stderr):
        opened.close()


def test_an_interrupt_in_disguise_is_one() -> None:
    def wrapped() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("error calling __set_name__") from error

    assert edge.guarded(wrapped) == edge.INTERRUPTED


def test_a_dash_as_output_is_stdout(project: Path, kpi: Kpi) -> None:
    assert kpi("run revenue --output - --format csv").stdout == kpi("run revenue --format csv").stdout
    assert not Path("-").exists()


def test_an_early_interrupt_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("smartkpi.app.cli.main", interrupted)
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "")


def _subprocess(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "smartkpi", *args], capture_output=True, env=os.environ | environment)


def test_a_stream_without_our_glyphs_gets_ascii(project: Path) -> None:
    done = _subprocess("run", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert b"+ good" in done.stdout
    assert b"?" in _subprocess("run", "--lang", "zh", PYTHONIOENCODING="ascii").stdout


def test_a_closed_pipe_is_quiet(project: Path) -> None:
    line = f'"{sys.executable}" -m smartkpi run --grain hour --format csv | head -c 1'
    done = subprocess.run(["bash", "-c", line], capture_output=True)
    assert (done.stdout, done.stderr) == (b"k", b"")


def test_help_is_as_fast_as_click() -> None:
    heavy = ("polars", "lark", "jsonschema", "rich", "yaml", "smartkpi.api", "smartkpi.report")
    code = (
        "import sys; from smartkpi.app.cli import main\n"
        f"try: main(['--help'])\nexcept SystemExit: print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
