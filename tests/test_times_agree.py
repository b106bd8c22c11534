"""Every pair of functions of time around every kind of aggregate, by grain and segment, as the oracle reads them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import smartkpi
from tests.oracle.answer import Question, answer
from tests.strategies.times import cases, said
from tests.test_oracle_agrees import agree, search


@search
@given(st.data())
def test_functions_of_time_agree_with_the_oracle(data: st.DataObject) -> None:
    case = data.draw(cases())
    note(f"{case.definition}\n{case.frame.to_dicts()}\n{case.question}")
    opened = smartkpi.load(case.definition, data={"shop": case.frame})
    assert opened.check().ok, opened.check()
    asked: dict[str, Any] = {**case.question} | {
        name: said(case.question[name]) for name in ("since", "until", "as_of")
    }
    found = opened.run(**asked).frame
    agree(found, answer(case.definition, {"shop": case.frame.to_dicts()}, Question(**case.question)), asked["by"])
    assert_frame_equal(found, opened.run(**asked, optimize=False).frame, check_exact=True)
    shuffled = smartkpi.load(case.definition, data={"shop": case.frame.reverse()})
    assert_frame_equal(found, shuffled.run(**asked).frame, check_exact=True)
