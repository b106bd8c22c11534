"""`kpi show`: what is defined, what a KPI stands on, which functions there are, which values a field has."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from smartkpi.api import Project, UsageError, load
from smartkpi.app.edge import FINE, SOME_LEFT_OUT, say
from smartkpi.app.goalsheet import goal_facts, goal_lines, list_goals
from smartkpi.app.partsheet import cohort_facts, cohort_lines, funnel_facts, funnel_lines
from smartkpi.app.terminal import style_of, write
from smartkpi.diagnostics import Diagnostic, KpiError, errors
from smartkpi.language.format import format_expr
from smartkpi.language.functions import FUNCTIONS
from smartkpi.nearest import did_you_mean
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.style import Style, fold, plain
from smartkpi.report.table import draw
from smartkpi.report.told import segment_text
from smartkpi.resources import find
from smartkpi.semantics.check import Checked
from smartkpi.semantics.question import is_called
from smartkpi.semantics.revisions import named_in
from smartkpi.source import Span
from smartkpi.spec.model import Kpi, Revision, Rules, Threshold
from smartkpi.spec.parts import one_spelling

WIDTH = 100
"""Of what goes to a file or a pipe, where a line is prose."""


def show(path: Path, sets: Mapping[str, str], what: Sequence[str], lang: str, form: str) -> int:
    """Show all KPIs, one, or the values of a field; return the exit code."""
    project = load(path, sets=sets)
    match list(what):
        case []:
            return _show_all(project, lang, form)
        case ["goals"]:
            data, draw_goals = list_goals(project, lang)
            return _write(data, draw_goals, form)
        case ["values", field]:
            return _show_values(project, field, form)
        case ["values"]:
            raise click.UsageError("`show values` takes a field: kpi show values country")
        case [name]:
            return _show_kpi(project, name, lang, form)
        case _:
            raise click.UsageError("`show` takes one name, or: functions, schemas, goals, values FIELD")


def show_functions(form: str) -> int:
    """Show the function table and return the exit code."""
    data = [
        {"name": f.name, "kind": f.kind, "signature": f.signature, "doc": f.doc, "example": f.example.expression}
        for f in FUNCTIONS.values()
    ]
    columns = (Column("function"), Column("for"), Column("what it gives", fold=True))
    rows = tuple((Cell(f.signature), Cell(f.kind), Cell(f.doc)) for f in FUNCTIONS.values())
    grid = Grid("", columns, rows, 1)
    return _write(data, lambda style: draw([grid], replace(style, width=style.width or WIDTH)), form)


def show_schema(name: str) -> int:
    """Write a JSON Schema to stdout and return the exit code."""
    known = {path.stem: path for path in sorted(find("schemas").glob("*.json"))}
    if name not in known:
        raise click.UsageError(f"no schema is named `{name}`; there are {', '.join(known)}")
    write(known[name].read_bytes())
    return FINE


def _show_all(project: Project, lang: str, form: str) -> int:
    checked = project.typed()
    catalog = project.catalog
    data = [_facts(kpi, checked, lang) for kpi in catalog.kpis.values() if not kpi.part_of]
    columns = tuple(Column(title, drop=drop, fold=bool(drop == 0 and title == "formula")) for title, drop in
                    (("KPI", 0), ("label", 2), ("formula", 0), ("tags", 1)))  # fmt: skip
    rows = tuple(
        (Cell(one["kpi"]), Cell(one["label"]), Cell(one["formula"]), Cell(", ".join(one["tags"])))
        for one in data
        if not one["hidden"]
    )
    events = {name: sorted(checked.scopes[name].reads) for name in checked.events if name.isidentifier()}
    notes = [f"{event}: {', '.join(providers) or 'no dataset'}" for event, providers in events.items()]
    hidden = [one["kpi"] for one in data if one["hidden"]]
    groups = {name: f"{one.of}, {one.where.text.value.strip()}" for name, one in catalog.groups.items()}
    below = (
        f"events: {'; '.join(notes) or 'none'}",
        *((f"groups: {'; '.join(f'{name} of {said}' for name, said in groups.items())}",) if groups else ()),
        *((f"funnels: {', '.join(catalog.funnels)}",) if catalog.funnels else ()),
        *((f"cohorts: {', '.join(catalog.cohorts)}",) if catalog.cohorts else ()),
        *((f"hidden: {', '.join(hidden)}",) if hidden else ()),
    )
    grid = Grid("", columns, rows, 1, notes=below)
    everything = {
        "kpis": data,
        "events": events,
        "groups": groups,
        "datasets": list(catalog.datasets),
        "funnels": list(catalog.funnels),
        "cohorts": list(catalog.cohorts),
    }
    code = _write(everything, lambda style: draw([grid], style), form)
    broken = errors((*project.loaded.diagnostics, *checked.diagnostics))
    say(broken)
    return SOME_LEFT_OUT if broken else code


def _show_kpi(project: Project, name: str, lang: str, form: str) -> int:
    checked = project.typed()
    kpis = project.catalog.kpis
    kpi = kpis.get(one_spelling(name))
    if name in project.catalog.funnels:
        found = funnel_facts(project, name, lang)
        title = f"{name}: {found['label']}" if found["label"] else name
        return _write(found, lambda style: sheet_of(title, funnel_lines(found), style), form)
    if name in project.catalog.cohorts:
        found = cohort_facts(project, name, lang)
        title = f"{name}: {found['label']}" if found["label"] else name
        return _write(found, lambda style: sheet_of(title, cohort_lines(found), style), form)
    if kpi is None:
        for kind in ("funnel", "cohort"):
            if (cause := project.catalog.broken.get(f"{kind}:{name}")) is not None:
                raise KpiError(cause)
        if name in checked.left_out:
            raise KpiError(checked.left_out[name])
        if name in project.catalog.goals:
            facts = goal_facts(project, name, lang)
            return _write(facts, lambda style: sheet_of(facts["goal"], goal_lines(facts), style), form)
        meant = [one for one in kpis.values() if is_called(one, name)]
        if len(meant) != 1:
            known = [one for one, kpi in kpis.items() if not kpi.part_of]
            known += [*project.catalog.funnels, *project.catalog.cohorts]
            hint = f"it may mean {', '.join(f'`{one.name}`' for one in meant)}" if meant else did_you_mean(name, known)
            hint = _other(project, name) or hint or "`kpi show` lists all KPIs"
            raise UsageError(Diagnostic("unknown-kpi", f"no KPI is named `{name}`", hint=hint))
        (kpi,) = meant
    facts = _facts(kpi, checked, lang)
    code = _write(facts, lambda style: _sheet(facts, style), form)
    if kpi.name in checked.left_out:
        say([checked.left_out[kpi.name]])
        return SOME_LEFT_OUT
    return code


def _other(project: Project, name: str) -> str:
    """Say what a name stands for that is no KPI's, and how to ask about it."""
    catalog = project.catalog
    if (constant := catalog.constants.get(name)) is not None:
        return f"it is a constant, stated at {_place(constant.span)}"
    if (dataset := catalog.datasets.get(name)) is not None:
        return f"it is a dataset, stated at {_place(dataset.span)}; `kpi check --data` looks at its rows"
    if name in project.typed().events:
        return "it is an event: `kpi show values FIELD` counts its rows by a field"
    if name in catalog.groups:
        return f"it is a group, stated at {_place(catalog.groups[name].span)}: a field of events"
    return f"it is a dimension: `kpi show values {name}`" if name in catalog.dimensions else ""


def _facts(kpi: Kpi, checked: Checked, lang: str) -> dict[str, Any]:
    """Return all that is known of a KPI, as plain data."""
    typed = checked.kpis.get(kpi.name)
    datasets = {event: list(checked.scopes[event].reads) for event in sorted(typed.events if typed else ())}
    direct = sorted(typed.kpis) if typed else []
    return {
        "kpi": kpi.name,
        "label": kpi.label.get(lang),
        "description": kpi.description.get(lang),
        "formula": format_expr(kpi.formula.expr),
        "where": None if kpi.where is None else format_expr(kpi.where.expr),
        "grain": (kpi.grain or "month") if typed is None else typed.grain,
        "by": list(kpi.by),
        "unit": None if typed is None else str(typed.type),
        "format": kpi.format,
        "direction": None if typed is None else typed.direction,
        "thresholds": {one.status: _band(one) for one in kpi.thresholds},
        "judged": _rules(kpi.rules, lang),
        "revisions": [_revision(one, lang) for one in kpi.revisions],
        "reads": datasets,
        "files": {name: _origin(checked, name) for name in sorted(typed.datasets if typed else ())},
        "constants": _constants(kpi, checked),
        "uses": direct,
        "goals": [name for name, goal in checked.catalog.goals.items() if goal.kpi == kpi.name],
        "used_by": sorted(name for name, other in checked.kpis.items() if kpi.name in other.kpis),
        "owner": kpi.owner,
        "decision": kpi.decision.get(lang),
        "tags": list(kpi.tags),
        "synonyms": list(kpi.synonyms),
        "reviewed": None if kpi.reviewed is None else kpi.reviewed.isoformat(),
        "review_every": str(kpi.review_every or checked.catalog.review_every),
        "hidden": kpi.hidden,
        "deprecated": kpi.deprecated,
        "place": _place(kpi.span),
        "formula_place": _place(kpi.formula.expr.span),
        "included": None if kpi.origin is None else kpi.origin.text,
        "included_at": None if kpi.origin is None else _place(kpi.origin.place),
    }


def _rules(rules: Rules, lang: str) -> dict[str, Any]:
    """Return what the thresholds say beside the bands."""
    held = rules.benchmark
    found: dict[str, Any] = {}
    for scope in rules.scopes:
        bands = {one.status: _band(one) for one in scope.thresholds}
        found.setdefault("by", {}).setdefault(scope.dimension, {})[scope.value] = bands
    if rules.min_sample is not None:
        found["min_sample"] = rules.min_sample
    if rules.confidence is not None:
        found["confidence"] = rules.confidence.text.value.strip()
    if held is not None:
        value = None if held.formula is None else held.formula.text.value.strip()
        rows = [{**dict(one.segment), "value": one.formula.text.value.strip()} for one in held.rows]
        found["benchmark"] = {"value": value, "rows": rows, "source": held.source.get(lang), "date": held.date}
    found |= {name: count for name, count in (("for", rules.hold), ("keep", rules.keep)) if count > 1}
    if rules.stale_after is not None:
        found["stale_after"] = f"{rules.stale_after.count}{rules.stale_after.unit}"
    if rules.advice:
        found["advice"] = {status: said.get(lang) for status, said in rules.advice.items()}
    return found


def _judged(rules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the lines of what thresholds say beside the bands."""
    for dimension, values in rules.get("by", {}).items():
        for value, bands in values.items():
            text = ", ".join(f"{status} {band}" for status, band in bands.items())
            yield "thresholds", f"where {dimension} is {value}: {text}"
    for name in ("min_sample", "confidence", "for", "keep", "stale_after"):
        if name in rules:
            yield name.replace("_", " "), str(rules[name])
    if (held := rules.get("benchmark")) is not None:
        numbers = [held["value"]] if held["value"] else []
        numbers += [f"of {len(held['rows'])} segments"] if held["rows"] else []
        origin = ", ".join(part for part in (held["source"], held["date"]) if part)
        yield "benchmark", ", ".join(numbers) + (f" ({origin})" if origin else "")
    for status, said in rules.get("advice", {}).items():
        yield "advice", f"{status}: {said}"


def _constants(kpi: Kpi, checked: Checked) -> dict[str, Any]:
    """Return the constants that a KPI names with their values; those that change with each by its first day."""
    written = checked.catalog.constants
    found: dict[str, Any] = {}
    for name in sorted(set(named_in(kpi)) & set(written)):
        one = written[name]
        value = None if one.formula is None else format_expr(one.formula.expr)
        dated = {str(later.start): format_expr(later.formula.expr) for later in one.revisions if later.formula}
        found[name] = {"": value, **dated} if dated else value
    return found


def _revision(one: Revision, lang: str) -> dict[str, Any]:
    """Return what a revision changes, as plain data."""
    return {
        "from": one.start.isoformat(),
        "formula": None if one.formula is None else format_expr(one.formula.expr),
        "thresholds": {band.status: _band(band) for band in one.thresholds},
        "judged": None if one.rules is None else _rules(one.rules, lang),
        "reason": one.reason.get(),
    }


def _place(span: Span) -> str:
    return f"{span.source.name}:{span.line}"


def _band(threshold: Threshold) -> str:
    return threshold.text.value.strip()


def _origin(checked: Checked, dataset: str) -> str:
    read = checked.catalog.datasets[dataset].read
    return "a table handed over" if read is None else read.path


def _sheet(facts: Mapping[str, Any], style: Style) -> str:
    """Return what is known of a KPI as lines of a name and a value."""
    return sheet_of(f"{facts['kpi']}: {facts['label']}" if facts["label"] else facts["kpi"], _lines(facts), style)


def sheet_of(title: str, found: Iterable[tuple[str, str]], style: Style) -> str:
    """Return lines of a name and a value below a title."""
    lines = [plain(title)]
    width = 14
    room = max((style.width or WIDTH) - width, 20)
    for name, text in found:
        for i, part in enumerate(fold(plain(text), room)):
            lines.append(f"{name if i == 0 else '':{width}}{part}")
    return "\n".join(lines) + "\n"


def _lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("description", "formula", "where", "grain"):
        if facts[name]:
            yield name, facts[name]
    for name in ("unit", "format", "direction"):
        if facts[name] and facts[name] != "none":
            yield name, facts[name]
    if facts["by"]:
        yield "by", ", ".join(facts["by"])
    if facts["thresholds"]:
        yield "thresholds", ", ".join(f"{status} {band}" for status, band in facts["thresholds"].items())
    yield from _judged(facts["judged"])
    before = set(_judged(facts["judged"]))
    for one in facts["revisions"]:
        changed = [one["formula"]] if one["formula"] else []
        changed += [f"{status} {band}" for status, band in one["thresholds"].items()]
        if one["judged"] is not None:
            rules = dict.fromkeys(_judged(one["judged"]))
            changed += [f"{name} {text}" for name, text in rules if (name, text) not in before]
            before = set(rules)
        reason = f" ({one['reason']})" if one["reason"] else ""
        yield "revision", f"from {one['from']}: {', '.join(changed)}{reason}"
    for name, value in facts["constants"].items():
        if isinstance(value, Mapping):
            dated = [value[""]] if value[""] is not None else []
            value = ", ".join([*dated, *(f"from {start}: {one}" for start, one in value.items() if start)])
        yield "constant", f"{name} = {value}"
    for event, datasets in facts["reads"].items():
        origins = ", ".join(f"{name} ({facts['files'].get(name, '')})" for name in datasets)
        yield "reads", f"{event} of {origins or 'no dataset'}"
    for name, title in (
        ("uses", "uses"),
        ("used_by", "used by"),
        ("goals", "goals"),
        ("tags", "tags"),
        ("synonyms", "synonyms"),
    ):
        if facts[name]:
            yield title, ", ".join(facts[name])
    for name in ("owner", "decision", "reviewed"):
        if facts[name]:
            yield name, facts[name] + (f", again each {facts['review_every']}" if name == "reviewed" else "")
    if facts["deprecated"]:
        yield "deprecated", facts["deprecated"] if isinstance(facts["deprecated"], str) else "yes"
    yield "defined at", facts["place"]
    if facts["included"]:
        files = (facts[place].rpartition(":")[0] for place in ("formula_place", "place"))
        elsewhere = f", its formula at {facts['formula_place']}" if len(set(files)) > 1 else ""
        yield "comes from", f"{facts['included']}, included at {facts['included_at']}{elsewhere}"


def _show_values(project: Project, field: str, form: str) -> int:
    from smartkpi.api.values import values_of

    found = values_of(project.loaded, project.data, field)
    data = {
        "field": field,
        "values": [
            {"value": value, "counts": dict(zip(found.events, counts, strict=True))} for value, counts in found.counts
        ],
    }

    def text(style: Style) -> str:
        columns = (Column(field), *(Column(event, right=True) for event in found.events))
        rows = tuple(
            (Cell(segment_text(value, style)), *(Cell(f"{count:,}") for count in counts))
            for value, counts in found.counts
        )
        return draw([Grid("", columns, rows, 1, split=True)], style)

    return _write(data, text, form)


def _write(data: Any, text: Any, form: str) -> int:
    style = style_of(sys.stdout)
    if form == "json":
        write(json.dumps(data, ensure_ascii=not style.unicode, indent=2, default=str) + "\n")
    else:
        write(text(style))
    return FINE
