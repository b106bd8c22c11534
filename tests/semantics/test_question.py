"""Questions: what they may name, who cannot answer them, which KPIs they mean."""

from __future__ import annotations

import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Expr
from smartkpi.semantics.check import Checked
from smartkpi.semantics.question import Question, Resolved, resolve, select_kpis
from smartkpi.source import text_of
from tests.semantics.pairs import Pair, shown, told

PROJECT = """
@ web: ts time, country text, channel text, amount number, size whole, paid boolean
@ shop: day date, country text, size text
constants: {big: 100}
events:
  mail: {fields: {country: {}}}
datasets:
  web:
    read: web.csv
    time: ts
    fields: {bad: frob(amount)}
    events: {visit: all rows, order: paid}
  shop: {read: shop.csv, time: day, events: {sale: all rows}}
kpis:
  rate: {formula: order / visit, tags: [web, core], synonyms: [CVR, share]}
  sales: {formula: sale, tags: [shop], label: {en: Sold goods, zh: 销量}}
  both: {formula: sale + order, tags: [web], label: Both, synonyms: [sold goods, rate]}
  mailing: {formula: mail / visit, tags: [later]}
  secret: {formula: order, hidden: true, tags: [web]}
  wrong: ordr
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    return Pair("", PROJECT.lstrip("\n"), "").checked(tmp_path_factory.mktemp("question"))[0]


def where(text: str) -> Expr:
    return parse_formula(text_of(text, "--where"))


def answered(resolved: Resolved) -> str:
    lines = [f"{event} where {shown(part)}" for event, parts in resolved.where.items() for part in parts]
    return "\n".join(lines + [f"{name}: {reason}" for name, reason in resolved.unavailable.items()])


BOTH = """order where (== country:text "BR")
order where (> size:whole 100)
visit where (== country:text "BR")
visit where (> size:whole 100)"""


@pytest.mark.parametrize(
    ("kpis", "by", "condition", "expected"),
    [
        (["rate"], [], 'country == "BR" and size > big',
         BOTH),
        (["rate", "sales"], ["country"], None, ""),
        (["rate", "sales"], ["channel"], None, "sales: `sale` has no field `channel`"),
        (["both"], [], 'channel == "ads"', "both: `sale` has no field `channel`"),
        (["sales"], [], 'time >= "2026-01-05"', "sale where (>= time:date 2026-01-05)"),
        (["rate"], ["dataset", "paid"], None, ""),
        (["mailing"], ["channel"], None, ""),
        (["rate"], ["bad"], None, "rate: the field `bad` of `order` has an error"),
        (["rate"], [], 'col("channel") in ("ads", "mail")',
         'order where (in channel:text "ads" "mail")\nvisit where (in channel:text "ads" "mail")'),
    ],
)  # fmt: skip
def test_answers(checked: Checked, kpis: list[str], by: list[str], condition: str | None, expected: str) -> None:
    question = Question(tuple(kpis), by=tuple(by), where=where(condition) if condition else None)
    assert answered(resolve(checked, question)) == expected


@pytest.mark.parametrize(
    ("kpis", "by", "condition", "expected"),
    [
        (["rate"], ["contry"], None, "error[unknown-field] no event has a field `contry` (did you mean `country`?)"),
        (["rate"], [], "contry == 1", "error[unknown-field] 1:1 <contry> no event has a field `contry`"),
        (["rate"], [], "big == 1 and bigg == 2", "error[unknown-field] 1:14 <bigg> no event has a field `bigg`"),
        (["rate"], [], "country > 5", "error[type-mismatch] 1:11 <5> text and a number cannot be compared"),
        (["rate"], [], "amount", "error[not-a-condition] 1:1 <amount> the question's `where` takes a condition"),
        (["rate"], [], "count(order) > 1", "error[aggregate-in-row] 1:1 <count(order)> "),
        (["rate"], [], 'order.country == "x"', "error[unknown-field] 1:1 <order.country> in a condition the rows"),
        (["rate"], ["amount"], None, "error[bad-dimension] `amount` is a number with fractions"),
        (["rate"], ["ts"], None, "error[bad-dimension] `ts` is a time"),
        (["rate"], ["time"], None, "error[bad-dimension] `time` is a time"),
        (["rate"], ["value"], None, "error[unknown-field] no event has a field `value`"),
        (
            ["rate"],
            ["upper(country)"],
            None,
            "error[unknown-field] segments are fields, `upper(country)` is an expression",
        ),
        (["rate", "sales"], ["size"], None, "error[bad-dimension] `size` is a plain number in `order`, text in `sale`"),
        (["rate"], ["big"], None, "error[unknown-field] no event has a field `big`"),
    ],
)
def test_refusals(checked: Checked, kpis: list[str], by: list[str], condition: str | None, expected: str) -> None:
    question = Question(tuple(kpis), by=tuple(by), where=where(condition) if condition else None)
    with pytest.raises(KpiError) as caught:
        resolve(checked, question)
    assert told(caught.value.diagnostics).startswith(expected)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], "rate sales both mailing"),
        (["sales", "rate"], "sales rate"),
        (["*"], "rate sales both mailing"),
        (["s*", "rate", "sales"], "sales rate"),
        (["tag:web"], "rate both"),
        (["tag:*e*"], "rate both mailing"),
        (["secret"], "secret"),
        (["wrong", "rate"], "rate"),
        (["cvr"], "rate"),
        (["销量"], "sales"),
        (["sold goods", "CVR"], "sales both rate"),
        (["rate"], "rate"),
    ],
)
def test_selection(checked: Checked, patterns: list[str], expected: str) -> None:
    assert " ".join(select_kpis(checked.kpis, patterns, checked.left_out)) == expected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["rat"], "error[unknown-kpi] no KPI is named `rat` (did you mean `rate`?)"),
        (["x*"], "error[unknown-kpi] no KPI fits `x*`"),
        (["tag:wob"], "error[unknown-kpi] no KPI has the tag `wob` (did you mean `web`?)"),
        (["rate", "nope"], "error[unknown-kpi] no KPI is named `nope`"),
    ],
)
def test_selection_of_nothing(checked: Checked, patterns: list[str], expected: str) -> None:
    with pytest.raises(KpiError) as caught:
        select_kpis(checked.kpis, patterns, checked.left_out)
    assert told(caught.value.diagnostics).startswith(expected)
