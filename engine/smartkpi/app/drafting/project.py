"""From files to a project that checks: look at each table, relate them, draft, and mend until nothing is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from smartkpi.api import load
from smartkpi.app.drafting.draft import alike, draft
from smartkpi.app.drafting.gather import Found, gather
from smartkpi.app.drafting.model import Draft, DraftDataset, Part
from smartkpi.app.drafting.packed import draft_pack
from smartkpi.app.drafting.text import write_yaml
from smartkpi.diagnostics import Diagnostic, KpiError, errors
from smartkpi.resources import find
from smartkpi.sources.look import TableFacts, look
from smartkpi.sources.relate import Relation, relate
from smartkpi.spec.bounds import name_from
from smartkpi.spec.model import Read

RUN_MOST = 2_000_000
"""Up to so many rows a draft is also run before it is written; above, only held against columns and types."""

MOST_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in files: the tables with their facts, how they look each other up, what could not be read."""

    tables: Mapping[str, TableFacts]
    found: Mapping[str, Found]
    relations: tuple[Relation, ...]
    problems: tuple[Diagnostic, ...]


def see(data: Sequence[str]) -> Seen:
    """Look at files, folders and patterns; what cannot be read is in the problems instead."""
    found, problems = gather(data)
    tables: dict[str, TableFacts] = {}
    unread: list[Diagnostic] = []
    for one in found:
        try:
            tables[one.name] = look(Read(str(one.path), Path()))
        except KpiError as error:
            unread += error.diagnostics
    relations = relate(tables, alike)
    return Seen(tables, {one.name: one for one in found}, relations, (*problems, *unread))


def draft_project(seen: Seen, folder: Path, pack: str | None = None) -> Draft:
    """Return a draft over what was seen, its paths as they are from a folder; of a pack, what binds its events."""
    reads = {name: name_from(seen.found[name].path, folder) for name in seen.tables}
    notes = {name: _notes(seen.found[name]) for name in seen.tables}
    if pack is None:
        made = draft(seen.tables, seen.relations, reads, notes)
    else:
        catalog = load(packs()[pack]).catalog
        made = draft_pack(pack, catalog.contracts, seen.tables, seen.relations, reads, notes)
        made = replace(made, hours=catalog.calendar.worked is not None)
    return replace(made, allow=_allowed(seen, folder))


def packs() -> dict[str, Path]:
    """Return the shipped packs by name."""
    return {path.stem: path for path in sorted(find("metrics").glob("*.yml"))}


def _allowed(seen: Seen, folder: Path) -> tuple[str, ...]:
    """Return the folders beside a project's own that its tables lie in, links followed."""
    known = [folder.resolve()]
    for name in seen.tables:
        for path in (seen.found[name].path, *seen.found[name].files):
            real = Path(os.path.realpath(path))
            if not any(real.is_relative_to(one) for one in known):
                known.append(real if real.is_dir() else real.parent)
    return tuple(name_from(one, folder) for one in known[1:])


def _notes(found: Found) -> tuple[str, ...]:
    notes = [found.because] if found.because else []
    if found.twin is not None:
        notes.append(f"`{found.twin.name}` beside it has the same name: it is taken for the same table, and not read")
    return tuple(notes)


def mend(draft: Draft, head: Sequence[str], place: Path, rows: int) -> tuple[Draft, str]:
    """Return a draft in which nothing is wrong, and its text: what an error is about is left out, with the reason.

    ``place`` is a file beside which data is found as from the project itself; it is written and removed again.
    """
    for _ in range(MOST_ROUNDS):
        text = write_yaml(draft, head)
        wrong = _problems(text, place, rows)
        if not wrong:
            return draft, text
        draft = _without(draft, wrong)
    draft = replace(draft, kpis=(), datasets=())
    return draft, write_yaml(draft, head)


def _problems(text: str, place: Path, rows: int) -> tuple[Diagnostic, ...]:
    from smartkpi.api.pipeline import open_data

    try:
        place.write_text(text, encoding="utf-8")
        project = load(place)
        if rows > RUN_MOST:
            opened = open_data(project.loaded, {})
            return errors((*opened.definitions, *opened.data))
        return errors(project.check(data=True).diagnostics)
    finally:
        place.unlink(missing_ok=True)


def _without(draft: Draft, wrong: Sequence[Diagnostic]) -> Draft:
    """Return a draft without what is wrong: first with simpler datasets, then without KPIs."""
    by_subject = {one.subject: one for one in reversed(wrong)}
    broken = {name.partition(":")[2]: one for name, one in by_subject.items() if name.startswith("dataset:")}
    if not broken:
        named = {name.partition(":")[2]: one for name, one in by_subject.items() if name.startswith("kpi:")}
        lost = {kpi.name for kpi in draft.kpis} & named.keys()
        if lost:
            return replace(draft, kpis=tuple(kpi for kpi in draft.kpis if kpi.name not in lost))
        broken = {one.name: wrong[0] for one in draft.datasets}
    if added := _adding(draft, {name for name, one in broken.items() if one.code == "number-too-large"}):
        return replace(draft, kpis=tuple(kpi for kpi in draft.kpis if kpi.name not in added))
    datasets = []
    for one in draft.datasets:
        simpler = _simpler(one, broken[one.name]) if one.name in broken else one
        if simpler is not None:
            datasets.append(simpler)
    return _without_dangling(replace(draft, datasets=tuple(datasets)))


def _adding(draft: Draft, names: set[str]) -> set[str]:
    """Return the KPIs that add up or average what some datasets have."""
    events = {part.name for one in draft.datasets if one.name in names for part in one.events}
    formulas = {kpi.name: kpi.body if isinstance(kpi.body, str) else str(kpi.body["formula"]) for kpi in draft.kpis}
    return {
        name for name, formula in formulas.items()
        if formula.startswith(("sum(", "avg(")) and formula[4:].partition(".")[0] in events
    }  # fmt: skip


def _simpler(dataset: DraftDataset, why: Diagnostic) -> DraftDataset | None:
    """Return a dataset that claims less; None where there is nothing left to leave out."""
    if dataset.lookups:
        return replace(dataset, lookups=(), notes=(*dataset.notes, f"lookups were left out: {why.message}"))
    if dataset.key is not None:
        return replace(dataset, key=None, notes=(*dataset.notes, f"its key was left out: {why.message}"))
    counted = [part for part in dataset.events if not isinstance(part.body, str)]
    if counted:
        kept = tuple(part for part in dataset.events if isinstance(part.body, str))
        return replace(dataset, events=kept, notes=(*dataset.notes, f"counts were left out: {why.message}"))
    if dataset.time is not None:
        return replace(dataset, time=None, notes=(*dataset.notes, f"its time was left out: {why.message}"))
    if len(dataset.fields) + len(dataset.events) > 1:
        event = Part(dataset.events[0].name if dataset.events else dataset.name, "all rows")
        return replace(dataset, fields=(), events=(event,), notes=(*dataset.notes, f"simplified: {why.message}"))
    return None


def _without_dangling(draft: Draft) -> Draft:
    """Return a draft without lookups of datasets that are gone, times that go by lookups that are gone."""
    names = {one.name for one in draft.datasets}
    datasets = []
    for one in draft.datasets:
        lookups = tuple(p for p in one.lookups if not isinstance(p.body, str) and p.body.get("dataset") in names)
        kept = {part.name for part in lookups}
        gone = {part.name for part in one.lookups} - kept
        by = one.time.partition(".")[0] if isinstance(one.time, str) and "." in one.time else None
        dangling = by is not None and "(" not in by and by not in kept
        datasets.append(replace(one, lookups=lookups, time=None if dangling or by in gone else one.time))
    return replace(draft, datasets=tuple(datasets))
