"""What is computed beside the KPIs that are asked for, so that they can be judged; no surface shows it as a KPI."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import polars as pl

from smartkpi.assess.held import BENCHMARK
from smartkpi.derive.derive import Derived
from smartkpi.derive.levels import Best
from smartkpi.semantics.check import Checked
from smartkpi.semantics.diagnoses import TypedDiagnosis
from smartkpi.semantics.question import Question


def kpi_of(name: str) -> str:
    """Return the KPI that something is computed for: `rate` of `rate.previous`, and of `rate` itself."""
    return name.partition(".")[0]


def with_beside(checked: Checked, question: Question, tables: Collection[str]) -> tuple[Checked, Question]:
    """Return definitions and question with what the KPIs are held against, as far as its data is at hand."""
    hidden = [name for one in diagnosed(checked, question.kpis).values() for name in one.kpis]
    mine = dict.fromkeys((*question.kpis, *(n for n in hidden if checked.kpis[n].datasets <= set(tables))))
    found = {
        one.name: one
        for name in mine
        for one in checked.kpis[name].judging.beside
        if all(dataset in tables for dataset in one.datasets)
    }
    found = {**{name: checked.kpis[name] for name in mine if name not in question.kpis}, **found}
    if not found:
        return checked, question
    known = replace(checked, kpis={**checked.kpis, **found})
    return known, replace(question, kpis=(*question.kpis, *found))


def diagnosed(checked: Checked, kpis: Collection[str]) -> dict[str, TypedDiagnosis]:
    """Return the diagnoses that asking these KPIs answers: those about them, and hidden ones with them."""
    found = {}
    for name, one in checked.diagnoses.items():
        known = [kpi for kpi in one.kpis if kpi in checked.kpis]
        shown = [kpi for kpi in known if not checked.kpis[kpi].spec.hidden]
        if len(known) == len(one.kpis) and set(shown) <= set(kpis) and set(known) & set(kpis):
            found[name] = one
    return found


def follow(best: Best, frame: pl.DataFrame) -> Best:
    """Return the best segments with those of a KPI for all that is computed for it."""
    known = frame.filter(pl.col("state") != "unavailable")["kpi"].unique(maintain_order=True)
    beside = [name for name in known if kpi_of(name) != name]
    shown = {name: rows for name, rows in best.shown.items() if kpi_of(name) == name}
    cut = [name for name in best.cut if kpi_of(name) == name]
    cut += [name for name in beside if kpi_of(name) in cut]
    return Best({**shown, **{name: shown[kpi_of(name)] for name in beside if kpi_of(name) in shown}}, tuple(cut))


def part(derived: Derived, kpis: Mapping[str, object]) -> tuple[Derived, pl.DataFrame]:
    """Return the values of KPIs themselves, and the rows of what is computed for them.

    The latter may have another last complete period: the earlier ones are among them too.
    """
    mine = pl.col("kpi").is_in(list(kpis))
    if derived.frame.filter(~mine).is_empty():
        return derived, derived.frame.clear()
    beside = pl.concat([derived.frame.select(derived.trend.columns).filter(~mine), derived.trend.filter(~mine)])
    return replace(derived, frame=derived.frame.filter(mine), trend=derived.trend.filter(mine)), beside


def benchmarks_of(held: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return the benchmark of each value that has one."""
    columns = ["kpi", "grain", "start", "end", *by, "level"]
    return held.filter(pl.col(BENCHMARK).is_not_null()).select(*columns, pl.col(BENCHMARK).alias("benchmark"))
