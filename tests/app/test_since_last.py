"""`kpi run --since-last FILE`: what changed, once; for people, programs and chat tools; and what cannot be sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from smartkpi.app.cli import main

PROJECT = """
datasets: {log: {read: e.csv, time: ts, covers: {from: 2026-01-01}, events: {visit: all rows}}}
kpis:
  visits:
    label: {en: Visits, zh: 访问}
    formula: visit
    thresholds: {good: at least 2, advice: {critical: Call someone.}}
  slow: {formula: visit, thresholds: {good: at least 2, for: 2, stale_after: 10d}}
  plain: visit
"""


class Chat(BaseHTTPRequestHandler):
    """A webhook that answers as it is told."""

    answer = (200, b"ok")
    taken: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Chat.taken.append(json.loads(body))
        self.send_response(Chat.answer[0])
        self.end_headers()
        self.wfile.write(Chat.answer[1])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def chat() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Chat.taken, Chat.answer = [], (200, b"ok")
    yield f"http://127.0.0.1:{server.server_port}/hook?token=secret"
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "kpis.yml").write_text(PROJECT, "utf-8")
    return tmp_path


def rows(folder: Path, *months: int) -> None:
    """Write so many visits a month, from January on, and the first of the month after."""
    days = [f"2026-{month:02}-{day + 1:02}" for month, count in enumerate(months, 1) for day in range(count)]
    (folder / "e.csv").write_text("\n".join(["ts", *days, f"2026-{len(months) + 1:02}-01", ""]), "utf-8")


def run(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(
        main, ["run", "-p", str(folder / "kpis.yml"), "--since-last", str(folder / "seen.json"), *more]
    )


def test_what_changes_is_told_once(project: Path) -> None:
    rows(project, 3)
    assert (run(project).exit_code, run(project).output) == (0, "")  # good at first sight is no news
    rows(project, 3, 1)
    assert run(project).output == "Visits: good -> critical since 2026-02 (2026-02: 1). Call someone.\n"
    assert run(project).output == ""
    rows(project, 3, 1, 1)
    assert run(project).output == "slow: good -> critical since 2026-03 (2026-03: 1)\n"  # for two periods
    rows(project, 3, 1, 1, 5)
    found = [json.loads(line) for line in run(project, "--format", "ndjson").output.splitlines()]
    assert [(one["kpi"], one["from"], one["to"], one["since"]) for one in found] == [
        ("visits", "critical", "good", "2026-04"),
        ("slow", "critical", "good", "2026-04"),
    ]


def test_other_questions_have_their_own_memory_and_lost_kpis_are_told(project: Path) -> None:
    rows(project, 1)
    assert "critical" in run(project, "visits").output
    assert run(project, "visits", "--where", 'time < "2027-01-01"').output != ""
    (project / "kpis.yml").write_text(PROJECT.replace("  visits:", "  others:"), "utf-8")
    assert "no longer defined" in run(project, "slow").output
    assert run(project, "slow").output == ""


def test_data_that_stays_away(project: Path) -> None:
    rows(project, 3)
    assert run(project, "slow", "--as-of", "2026-02-05").output == ""
    assert run(project, "slow", "--as-of", "2026-02-20").output == "slow: data missing\n"
    assert run(project, "slow", "--as-of", "2026-02-20").output == ""
    rows(project, 3, 20)
    assert run(project, "slow", "--as-of", "2026-03-02").output == "slow: data missing is over\n"


@pytest.mark.parametrize("tool", ["slack", "teams", "feishu", "lark", "dingtalk"])
def test_each_chat_tool_has_its_body(project: Path, chat: str, tool: str) -> None:
    rows(project, 1)
    assert run(project, "visits", "--notify", chat, "--notify-as", tool, "--lang", "zh").exit_code == 0
    (body,) = Chat.taken
    text = {
        "slack": lambda: body["text"],
        "teams": lambda: body["attachments"][0]["content"]["body"][0]["text"],
        "feishu": lambda: body["content"]["text"],
        "lark": lambda: body["content"]["text"],
        "dingtalk": lambda: body["text"]["content"],
    }[tool]()
    assert text.startswith("访问：严重")
    assert run(project, "visits", "--notify", chat, "--notify-as", tool).exit_code == 0
    assert len(Chat.taken) == 1  # nothing changed, nothing is sent
    (project / "seen.json").unlink()
    assert json.loads(run(project, "visits", "--notify-as", tool, "--lang", "zh").stdout) == body


@pytest.mark.parametrize(
    "answer", [(404, b"gone"), (500, b""), (200, b'{"code": 19024, "msg": "Key Words Not Found"}'),
               (200, b'{"errcode": 310000, "errmsg": "no"}')],
)  # fmt: skip
def test_what_is_not_taken_is_told_again_and_the_url_stays_secret(
    project: Path, chat: str, answer: tuple[int, bytes]
) -> None:
    rows(project, 1)
    Chat.answer = answer
    failed = run(project, "visits", "--notify", chat, "--notify-as", "feishu")
    assert failed.exit_code == 2
    assert "error[cannot-send]" in failed.stderr
    assert "secret" not in failed.stderr
    assert not (project / "seen.json").exists()
    Chat.answer = (200, b'{"code": 0}')
    assert run(project, "visits", "--notify", chat, "--notify-as", "feishu").exit_code == 0
    assert (project / "seen.json").exists()


def test_wrong_use(project: Path) -> None:
    rows(project, 1)
    assert run(project, "--grain", "day").exit_code == 2
    assert run(project, "--format", "csv").exit_code == 2
    assert run(project, "--notify", "file:///etc/passwd", "--notify-as", "slack").exit_code == 2
    assert run(project, "--notify", "https://example.com").exit_code == 2
    (project / "seen.json").write_text('{"smartkpi": 1, "states": {"x": 1}}', "utf-8")
    assert "error[bad-state]" in run(project).stderr
    (project / "seen.json").unlink()
    assert run(project, "--fail-on", "critical").exit_code == 1


AIMED = """
datasets:
  log:
    read: e.csv
    time: ts
    covers: {from: 2026-01-01}
    fields:
      of: if(day_of_month(ts) > 1, "a", "b")
    events: {visit: all rows}
kpis: {visits: {label: {en: Visits, zh: 访问}, formula: visit, direction: higher, thresholds: {good: at least 1}}}
goals:
  spring:
    kpi: visits
    title: {en: Thirty by June, zh: 六月前三十}
    target: 30
    start: 2026-01-01
    deadline: 2026-06-30
    evidence: {projection: none}
  each: {kpi: visits, over: each month, start: 2026-01-01, deadline: 2026-06-30, by: {of: {a: 2, b: 1}}}
"""


def test_what_changes_in_goals_is_told_once(project: Path) -> None:
    (project / "kpis.yml").write_text(AIMED, "utf-8")
    rows(project, 5)
    assert (run(project).exit_code, run(project).output) == (0, "")  # on track at first sight is no news
    rows(project, 5, 1)
    first = run(project).output.splitlines()
    assert first[0].startswith("Thirty by June: on track -> off track since 2026-0")
    assert first[0].endswith("since 2026-02-15 (2026-03-01: 7 / 30)")
    assert "each, a: missed since 2026-02-28 (2026-03-01: 0 / 2)" in [
        line.replace("on track -> ", "") for line in first
    ]
    assert run(project).output == ""
    rows(project, 5, 1, 24)
    found = [json.loads(line) for line in run(project, "--format", "ndjson").output.splitlines()]
    (told,) = (one for one in found if one["goal"] == "spring")
    assert (told["goal"], told["kpi"], told["label"]) == ("spring", "visits", "Thirty by June")
    assert (told["from"], told["to"], told["text"]) == ("off_track", "achieved", "31 / 30")
    assert run(project, "--where", 'of == "a"').output == ""  # goals have their own conditions
    (project / "kpis.yml").write_text(AIMED.replace("  spring:", "  summer:"), "utf-8")
    assert run(project).output == ""  # what was reached is not missed


def test_a_goal_at_risk_is_news_at_first_sight_and_may_be_lost(project: Path, chat: str) -> None:
    (project / "kpis.yml").write_text(AIMED, "utf-8")
    rows(project, 5, 1)
    assert run(project, "--notify", chat, "--notify-as", "feishu", "--lang", "zh").exit_code == 0
    (body,) = Chat.taken
    assert body["content"]["text"] == "六月前三十：偏离 自 2026-02-15 起 (2026-03-01：7 / 30)"
    (project / "kpis.yml").write_text(AIMED.replace("  spring:", "  summer:"), "utf-8")
    lines = run(project).output.splitlines()
    assert "spring: off track the goal is no longer defined" in lines
    assert any(line.startswith("Thirty by June: off track") for line in lines)


def test_goals_that_cannot_be_judged_leave_thresholds_be(project: Path) -> None:
    text = AIMED.replace("a: 2, b: 1", "a: 2, c: 1").replace("at least 1", "at least 3")
    (project / "kpis.yml").write_text(text, "utf-8")
    rows(project, 0, 1)
    found = run(project)
    assert found.output.startswith("Visits: critical since 2026-02 (2026-02: 1)\nThirty by June: off track")
    assert "unmatched-target" in found.stderr
    assert found.exit_code == 5
