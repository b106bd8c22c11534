"""What the rules say in Chinese: each example of the register has words, and what has none stays as it is."""

from __future__ import annotations

from datetime import date
from functools import cache

import polars as pl
import pytest

import smartkpi
from smartkpi.assess.audit import CHECKS, audit
from smartkpi.assess.smart import CAUSES, KEYS
from smartkpi.report import audit as audits
from smartkpi.report import smart as scores
from smartkpi.report.review_words import FOUND, SAYINGS, WHYS, detail_text, saying_text, why_text, write_text
from smartkpi.report.style import Style
from smartkpi.rules import rules
from smartkpi.semantics.check import check
from smartkpi.spec.load import load
from tests.rules import project, visits

AS_WRITTEN = ("deadline: ", "parent: ", "title: ", "target: 1", "over: trailing", "owner: Ana", "start: ")
"""Lines to write that have no words in them."""


@cache
def shop() -> pl.DataFrame:
    return visits()


def test_every_rule_has_its_reason() -> None:
    assert WHYS["zh"].keys() == rules().keys()
    assert FOUND["zh"].keys() == CHECKS.keys()
    assert why_text("zh-CN", "S4", "") == WHYS["zh"]["S4"]
    assert why_text("fr", "S4", "It is so.") == "It is so."


@pytest.mark.parametrize("code", [rule.code for rule in rules().values() if rule.letter])
def test_what_is_said_of_goals_has_words(code: str) -> None:
    report = smartkpi.load(project(rules()[code].bad), data={"shop": shop()}).check(smart=True, data=True, lang="zh")
    assert report.smart is not None
    for found in (one for score in report.smart for one in score.findings):
        of_error = found.mark == "fail" and found.rule.code in {*CAUSES.values(), *KEYS.values()}
        if found.mark != "pass" and not of_error:
            assert saying_text("zh", found.message) != found.message, found
            plain = not found.write or found.write.startswith(AS_WRITTEN)
            assert plain or write_text("zh", found.write) != found.write, found
    assert "原因：" in repr(report) or "?" in repr(report)


@pytest.mark.parametrize("code", CHECKS)
def test_what_the_review_finds_has_words(code: str) -> None:
    found = audit(check(load(project(rules()[code].bad)).catalog), date(2026, 6, 30))
    for concern in found.concerns:
        assert write_text("zh", concern.write) != concern.write or concern.rule.code == "threshold"
        for subject in concern.subjects:
            assert not subject.detail or detail_text("zh", subject.detail) != subject.detail, subject
    shown = audits.render(found, Style(lang="zh"))
    assert "改法：" in shown
    assert "个 KPI" in audits.as_markdown(found, Style(lang="zh")).splitlines()[0]


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "it takes +59% over as long before, which has never happened; at best it was +41.5%",
            "它需要比之前同样长的时间 +59%，这从未发生过；最好的一次是 +41.5%",
        ),
        (
            "BR: a typical day takes +2 points over the day before, which has never happened; at best it was +1%",
            "BR：中等的一天需要比上一天 +2 个百分点，这从未发生过；最好的一次是 +1%",
        ),
        (
            "BR, DE; such as BR: it has 2 months: over before anybody can react",
            "BR, DE；例如 BR：只含 2 个周期（月）：来不及反应就结束了",
        ),
        ("the title (zh) has 200 characters, not 10 to 90", "标题（zh）有 200 个字符，应为 10 到 90 个"),
        ("each week has about 3 rows, 30 are asked for", "每周约有 3 行，要求 30 行"),
        ("something else: quite", "something else: quite"),
    ],
)
def test_sentences_with_their_parts(english: str, chinese: str) -> None:
    assert saying_text("zh", english) == chinese
    assert saying_text("en", english) == english


def test_patterns_have_as_many_parts_as_their_words_take() -> None:
    import re
    import string

    for pattern, words in SAYINGS["zh"]:
        wanted = {int(name) for _, name, _, _ in string.Formatter().parse(words) if name}
        assert wanted <= set(range(re.compile(pattern).groups)), pattern


def test_no_goals() -> None:
    assert scores.render([], Style(lang="zh")) == "没有目标\n"
    assert scores.as_markdown([], Style()) == "no goals\n"
