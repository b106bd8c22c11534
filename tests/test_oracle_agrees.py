"""Engine and oracle give the same answers to questions that hypothesis draws, and answers keep their own laws.

`HYPOTHESIS_PROFILE=deep` draws many more. A failure prints the project, the tables and the question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import polars as pl
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import smartkpi
from smartkpi.app.cli import main
from smartkpi.engines.polars import compile as compile_
from smartkpi.engines.polars import coverage, engine, relations
from smartkpi.engines.polars.compile import Opened
from smartkpi.engines.polars.estimate import Layout
from smartkpi.plan.nodes import Scan
from tests.oracle.answer import HELD, Question, answer
from tests.strategies.projects import CONSTANTS, LISTED, Asked, Project, conditions, projects, questions

search = settings(phases=(Phase.generate,) if settings().derandomize else tuple(Phase))
"""In the gate a failure is printed as it was drawn; a deep search also makes it small, which takes minutes."""

rarely = settings(search, suppress_health_check=[HealthCheck.filter_too_much])
"""Of what most projects do not have."""

COMPARED = ("kpi", "grain", "start", "end", "level", "money", "n", "state", "flags", "status")
CLOSE = ("value", *(name for columns in HELD.values() for name in columns[:3]))
MARKED = tuple(columns[3] for columns in HELD.values())


def run(
    project: Project, asked: Asked, frames: Mapping[str, pl.DataFrame] | None = None, **options: Any
) -> pl.DataFrame:
    """The engine's answer to a question over tables in memory."""
    opened = smartkpi.load(dict(project.definition), data=project.frames if frames is None else frames)
    return opened.run(**arguments(asked), **options).frame


def arguments(asked: Asked) -> dict[str, Any]:
    """A question as `Project.run` takes it."""
    found = asdict(asked)
    for name in ("since", "until", "as_of"):
        hour = name != "as_of" and isinstance(found[name], datetime)
        found[name] = found[name].isoformat() if found[name] and not hour else found[name]
    return found


def show(project: Project, asked: Asked) -> None:
    """What a failure prints."""
    note(yaml.safe_dump(dict(project.definition), allow_unicode=True, sort_keys=False))
    for name, frame in project.frames.items():
        note(f"{name}: {frame.schema}\n{frame.to_dicts()}")
    note(str(asked))


def expect(project: Project, asked: Asked) -> list[dict[str, Any]]:
    return answer(project.definition, project.rows, Question(**asdict(asked)), project.columns)


def agree(frame: pl.DataFrame, expected: list[dict[str, Any]], by: tuple[str, ...]) -> None:
    """Hold a result against the oracle's, cell by cell; the order of rows counts."""
    found = [plain(row) for row in frame.to_dicts()]
    key = ("kpi", "start", *by)
    assert [tuple(row.get(name) for name in key) for row in found] == [
        tuple(row.get(name) for name in key) for row in expected
    ]
    for got, want in zip(found, expected, strict=True):
        where = {name: got.get(name) for name in key}
        for name in COMPARED:
            assert got[name] == want[name], f"{name} of {where}: expected {want[name]}, got {got[name]}"
        for name in (name for name in CLOSE if name in got or name in want):
            assert close(got[name], want[name]), f"{name} of {where}: expected {want[name]}, got {got[name]}"
        for name in (name for name in MARKED if name in got or name in want):
            assert got[name] == want[name], f"{name} of {where}: expected {want[name]}, got {got[name]}"


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A result row with instants in UTC and money as a fraction, as the oracle has them."""
    found = {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}
    return {**found, "money": None if found["money"] is None else Fraction(found["money"])}


def close(got: float | None, want: float | None) -> bool:
    if got is None or want is None:
        return got is want
    return math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-9)


@search
@given(st.data())
def test_engine_and_oracle_agree(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    show(project, asked)
    frame = run(project, asked)
    agree(frame, expect(project, asked), asked.by)
    assert_frame_equal(frame, run(project, asked, optimize=False), check_exact=True)


@settings(search, max_examples=15)
@given(st.data())
def test_an_included_project_gives_the_same_rows_under_its_prefix(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    show(project, asked)
    rest = {name: value for name, value in project.definition.items() if name not in ("calendar", "tests")}
    with TemporaryDirectory() as folder:
        part = Path(folder) / "part.yml"
        part.write_text(yaml.safe_dump(rest, allow_unicode=True, sort_keys=False), encoding="utf-8")
        whole = {"include": [{"path": str(part), "as": "x"}], "calendar": project.definition["calendar"]}
        frames = {f"x_{name}": frame for name, frame in project.frames.items()}
        opened = smartkpi.load(whole, data=frames)
    kpis = tuple(map(prefixed, asked.kpis))
    groups = {name: f"x_{name}" for name in project.definition.get("groups", ())}
    assume(not asked.where or not any(name in asked.where for name in (*CONSTANTS, *groups)))
    by = tuple(groups.get(name, name) for name in asked.by)
    included = opened.run(**{**arguments(asked), "kpis": kpis, "by": by}).frame
    expected = run(project, asked).with_columns(pl.col("kpi").map_elements(prefixed, pl.String))
    expected = expected.rename({name: groups[name] for name in asked.by if name in groups})
    reasons = pl.col("reason").map_elements(unprefixed, pl.String)
    assert_frame_equal(included.with_columns(reasons), expected, check_exact=True)


def prefixed(kpi: str) -> str:
    """A KPI as it is called where its file is included, those of funnels and cohorts among them."""
    return re.sub(r"^(\w+\()?", r"\1x_", kpi)


def unprefixed(reason: str) -> str:
    """A reason with the names of the file itself: an included step says under which its fields go."""
    return re.sub(r" as (visit|click|order|refund|letter|reply|d\d)\b", "", re.sub(r"\bx_", "", reason))


@search
@given(st.data())
def test_a_kpi_asked_alone_gives_the_same_rows(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    show(project, asked)
    together = run(project, asked)
    for kpi in asked.kpis or tuple(name for name in project.kpis if "(" not in name):
        alone = run(project, asked.alone(kpi))
        assert alone.columns == together.columns
        assert alone.rows() == together.filter(pl.col("kpi") == kpi).rows()


@search
@given(st.data())
def test_every_way_to_run_a_query_gives_the_same_digits(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    show(project, asked)
    usual = run(project, asked)
    seed = data.draw(st.integers(0, 3))

    def lay_out(opened: Opened, scan: Scan) -> Layout:
        """Which conditions are keys, bits or filters of partials, as for many more rows than here."""
        conditions = {condition for cell in scan.cells for condition in cell.where}
        moved = frozenset(c for number, c in enumerate(sorted(conditions, key=repr)) if (number + seed) % 2)
        return Layout(() if seed > 1 else scan.discriminators, moved, ordered=bool(seed % 2))

    offsets = patch.object(coverage, "WORTH", -1)
    parts = patch.multiple(relations, SEVERAL=-1, LARGE=3)  # steps of a few entities at a time
    with patch.object(compile_, "SMALL", -1), patch.object(engine, "lay_out", lay_out), offsets, parts:
        assert_frame_equal(run(project, asked), usual, check_exact=True)


def pieces(data: st.DataObject, frame: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows of a table in another order, in several parts."""
    order = data.draw(st.permutations(range(frame.height)))
    count = data.draw(st.integers(1, min(3, frame.height)))
    return [frame[order[i::count]] for i in range(count)]


def written(project: Project, tables: Mapping[str, list[pl.DataFrame]], folder: Path, ending: str) -> Path:
    """Write a project with a folder of files a dataset; returns the path of its YAML."""
    definition = dict(project.definition)
    datasets = {name: {"read": f"{name}/*.{ending}", **written} for name, written in definition["datasets"].items()}
    for name, parts in tables.items():
        (folder / name).mkdir(parents=True)
        for number, part in enumerate(parts):
            path = folder / name / f"{number}.{ending}"
            {"csv": part.write_csv, "arrow": part.write_ipc, "parquet": part.write_parquet}[ending](path)
    path = folder / "kpis.yml"
    definition |= {"datasets": datasets, "allow_paths": [str(LISTED.parent)]}
    path.write_text(yaml.safe_dump(definition, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def opened_as_files(
    project: Project, tables: Mapping[str, list[pl.DataFrame]], ending: str, asked: Asked
) -> pl.DataFrame:
    with TemporaryDirectory() as folder:
        path = written(project, tables, Path(folder), ending)
        return smartkpi.load(path).run(**arguments(asked)).frame


@search
@given(st.data())
def test_files_in_any_order_and_any_number_give_the_same_digits(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    show(project, asked)
    whole = run(project, asked)
    split = {name: pieces(data, frame) for name, frame in project.frames.items()}
    ending = data.draw(st.sampled_from(["parquet", "arrow"]))
    assert_frame_equal(opened_as_files(project, split, ending, asked), whole, check_exact=True)
    shuffled = {name: pl.concat(parts) for name, parts in split.items()}
    assert_frame_equal(run(project, asked, shuffled), whole, check_exact=True)


@search
@given(st.data())
def test_csv_files_say_the_same_as_tables(data: st.DataObject) -> None:
    project = data.draw(projects(plain=True))
    asked = data.draw(questions(project))
    assume(all(not any(frame.select(pl.all().is_null().all()).row(0)) for frame in project.frames.values()))
    show(project, asked)
    whole = {name: [frame] for name, frame in project.frames.items()}
    agree(opened_as_files(project, whole, "csv", asked), expect(project, asked), asked.by)


@search
@given(st.data())
def test_csv_files_of_another_writing_say_the_same(data: st.DataObject) -> None:
    project = data.draw(projects(plain=True))
    asked = data.draw(questions(project))
    assume(all(not any(frame.select(pl.all().is_null().all()).row(0)) for frame in project.frames.values()))
    encoding = data.draw(st.sampled_from(["gb18030", "utf-16", "utf-8", "shift_jis"]))
    above, below = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    show(project, asked)
    with TemporaryDirectory() as folder:
        path = written(project, {name: [frame] for name, frame in project.frames.items()}, Path(folder), "csv")
        definition = yaml.safe_load(path.read_text("utf-8"))
        for name, frame in project.frames.items():
            file = path.parent / name / "0.csv"
            text = "a; title\n" * above + frame.write_csv(separator=";", decimal_comma=True) + "in all; 5\n" * below
            file.write_bytes(text.encode(encoding))
            said = {"path": f"{name}/*.csv", "encoding": encoding, "skip_rows": above, "skip_footer": below}
            definition["datasets"][name]["read"] = {**said, "separator": ";", "decimal": ","}
        path.write_text(yaml.safe_dump(definition, allow_unicode=True, sort_keys=False), "utf-8")
        agree(smartkpi.load(path).run(**arguments(asked)).frame, expect(project, asked), asked.by)


@search
@given(st.data())
def test_a_condition_and_its_opposite_add_up_to_the_whole(data: st.DataObject) -> None:
    project = data.draw(projects())
    event = data.draw(st.sampled_from(sorted(project.events.values(), key=lambda event: event.name)))
    condition = data.draw(conditions(event.fields, event.clock, depth=2))
    kpis = {
        "all_of_it": event.name,
        "holds": f"count({event.name} where {condition})",
        "fails": f"count({event.name} where not ({condition}))",
        "money": f"sum({event.name}.revenue)",
        "money_holds": f"sum({event.name}.revenue where {condition})",
        "money_fails": f"sum({event.name}.revenue where not ({condition}))",
    }
    definition = {**project.definition, "kpis": kpis}
    frame = smartkpi.load(definition, data=project.frames).run(grain="day").frame
    note(str(definition))
    amounts = amounts_by_kpi(frame)
    for whole, holds, fails in zip(*(amounts[name] for name in list(kpis)[:3]), strict=True):
        assert (whole or 0) == (holds or 0) + (fails or 0)  # counts that are all null are no data, not zero
    for whole, holds, fails in zip(*(amounts[name] for name in list(kpis)[3:]), strict=True):
        assert whole is None or whole == holds + fails


def amounts_by_kpi(frame: pl.DataFrame) -> dict[str, list[Any]]:
    """Values of each KPI in order, exact ones where there are."""
    found: dict[str, list[Any]] = {}
    for row in frame.to_dicts():
        found.setdefault(row["kpi"], []).append(row["value"] if row["money"] is None else row["money"])
    return found


@search
@given(st.data())
def test_segments_of_additive_kpis_add_up_to_the_total(data: st.DataObject) -> None:
    project = data.draw(projects())
    event = data.draw(st.sampled_from(sorted(project.events.values(), key=lambda event: event.name)))
    dimension = data.draw(st.sampled_from(sorted(event.fields & {"country", "channel", "tier", "paid", "due", "big"})))
    kpis = {"count": f"count({event.name})", "money": f"sum({event.name}.revenue)", "sum": f"sum({event.name}.amount)"}
    opened = smartkpi.load({**project.definition, "kpis": kpis}, data=project.frames)
    total = opened.run(grain="week").frame
    by = opened.run(grain="week", by=(dimension,)).frame
    for row in total.filter(pl.col("state") == "ok").to_dicts():
        parts = by.filter((pl.col("kpi") == row["kpi"]) & (pl.col("start") == row["start"]))
        if row["money"] is not None:
            assert parts["money"].sum() == row["money"]
        assert math.isclose(parts["value"].sum(), row["value"], rel_tol=1e-9, abs_tol=1e-9)


@rarely
@given(st.data())
def test_no_more_rows_reach_a_step_of_a_funnel_than_the_one_before(data: st.DataObject) -> None:
    project = data.draw(projects())
    funnel = project.definition.get("funnels", {}).get("f0", {})
    assume("by" in funnel)
    asked = replace(data.draw(questions(project)), kpis=("f0",), compare=())
    show(project, asked)
    rows = run(project, asked).filter(pl.col("state") == "ok").to_dicts()
    reached: dict[Any, list[float]] = {}
    for row in rows:
        if row["measure"] == "step_count":
            reached.setdefault((row["start"], row["level"], *(row[name] for name in asked.by)), []).append(row["value"])
    assert all(counts == sorted(counts, reverse=True) for counts in reached.values())
    assert all(0 <= row["value"] <= 1 for row in rows if row["measure"] in ("step_rate", "overall_rate"))
    assert all(row["value"] >= 0 for row in rows if row["measure"] in ("drop_off", "step_time"))


@rarely
@given(st.data())
def test_no_more_return_than_began(data: st.DataObject) -> None:
    project = data.draw(projects())
    cohort = project.definition.get("cohorts", {}).get("c0", {"value": "none"})
    assume("value" not in cohort)
    asked = replace(data.draw(questions(project)), kpis=tuple(k for k in project.kpis if "c0" in k and "(" in k))
    show(project, asked)
    rows = run(project, asked).filter(pl.col("state") == "ok").to_dicts()
    assert all(0 <= row["value"] <= 1 for row in rows if row["kpi"].startswith("retention("))


@search
@given(st.data())
def test_after_a_clean_check_a_run_has_an_answer(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    show(project, asked)
    with TemporaryDirectory() as folder:
        path = written(project, {name: [frame] for name, frame in project.frames.items()}, Path(folder), "parquet")
        runner = CliRunner()
        checked = runner.invoke(main, ["check", "--data", str(path)])
        note(checked.output)
        assert checked.exit_code == 0, checked.output
        done = runner.invoke(main, ["run", str(path), *options(asked)])
        note(done.output)
        assert done.exit_code in (0, 1, 5), done.output


def options(asked: Asked) -> Iterator[str]:
    """A question as the command line takes it."""
    for kpi in asked.kpis:
        yield from ("--kpi", kpi)
    for name in ("by", "compare"):
        if given := getattr(asked, name):
            yield from (f"--{name}", ",".join(given))
    for name, value in arguments(asked).items():
        if value and name not in ("kpis", "by", "compare"):
            yield from (f"--{name.replace('_', '-')}", str(value))
    yield from ("--format", "json")
