"""The `thresholds` of a KPI: bands and conditions, and how else it is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartkpi.diagnostics import Diagnostic, KpiError, Note
from smartkpi.language.parse import parse_band, parse_formula
from smartkpi.language.syntax import Apply, Band, Duration
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span, Text
from smartkpi.spec.bounds import Folder
from smartkpi.spec.extend import merge
from smartkpi.spec.model import Benchmark, BenchmarkRow, Diagnosis, Formula, Labels, Rules, Scope, Threshold
from smartkpi.spec.nodes import Entry, Fields, Node, Scalar
from smartkpi.spec.sheet import Cell, read_lines, read_sheet
from smartkpi.spec.values import Problems, formula, labels, parsed, text, texts

_STATUSES = ("good", "warning", "critical")


def build_bands(node: Node | None, problems: Problems) -> tuple[Threshold, ...]:
    """Return the bands of thresholds, from best to worst."""
    if not isinstance(node, Fields):
        return ()
    values = ((status, node.get(status)) for status in _STATUSES)
    found = (_band(status, value, problems) for status, value in values if isinstance(value, Scalar))
    return tuple(band for band in found if band is not None)


def _band(status: Any, node: Scalar, problems: Problems) -> Threshold | None:
    band = parsed(node, parse_band, problems)
    if band is None:
        return None
    if not isinstance(band, Band | Apply):
        hint = f"write `at least {node.written}` or `at most {node.written}`"
        message = f"`{node.written}` does not say on which side of it a value is good"
        problems.append(Diagnostic("no-band", message, node.span, hint))
        return None
    return Threshold(status, band, node.text)


def changed_rules(before: Node | None, written: Node | None) -> Fields | None:
    """Return thresholds with what a revision says beside its bands; None where it says nothing of that kind.

    Segments and advice are added to those there were, all else takes the place of what was.
    """
    if not isinstance(written, Fields) or written.entries.keys() <= set(_STATUSES):
        return None
    if not isinstance(before, Fields):
        return written
    entries = {**before.entries, **written.entries}
    for name in ("by", "advice"):
        old, new = before.get(name), written.get(name)
        if isinstance(old, Fields) and isinstance(new, Fields):
            entries[name] = Entry(written.entries[name].key, merge(old, new))
    return Fields(entries, written.source, written.start, written.end)


def build_rules(node: Node | None, folder: Folder, problems: Problems) -> Rules:
    """Return what thresholds say beside their bands."""
    if not isinstance(node, Fields):
        return Rules()
    return Rules(
        min_sample=_count(node, "min_sample", problems, least=1),
        confidence=formula(node.get("confidence"), problems),
        hold=_count(node, "for", problems, least=1) or 1,
        keep=_count(node, "keep", problems, least=1) or 1,
        stale_after=_duration(node.get("stale_after"), problems),
        scopes=tuple(_scopes(node.get("by"), problems)),
        benchmark=_benchmark(node.get("benchmark"), folder, problems),
        advice={status: labels(entry.value) for status, entry in _entries(node.get("advice"))},
    )


def _entries(node: Node | None) -> Iterator[tuple[str, Entry]]:
    if isinstance(node, Fields):
        yield from node.entries.items()


def _count(node: Fields, name: str, problems: Problems, least: int) -> int | None:
    found = node.get(name)
    if not isinstance(found, Scalar) or not isinstance(found.data, int) or isinstance(found.data, bool):
        return None
    if found.data < least:
        message = f"`{name}` is {found.data}: it is {least} at least"
        problems.append(Diagnostic("bad-value", message, found.span, f"leave `{name}` out, or give it a number"))
        return None
    return found.data


def _duration(node: Node | None, problems: Problems) -> Duration | None:
    if not isinstance(node, Scalar):
        return None
    found = parsed(node, parse_formula, problems)
    if isinstance(found, Duration) and found.unit not in ("min", "h", "d", "w"):
        message = f"`{node.written}` has no fixed length"
        problems.append(Diagnostic("calendar-duration", message, node.span, "in days it has: `30d`"))
        return None
    return found if isinstance(found, Duration) else None


def _scopes(node: Node | None, problems: Problems) -> Iterator[Scope]:
    for dimension, values in _entries(node):
        for value, bands in _entries(values.value):
            thresholds = build_bands(bands.value, problems)
            if not thresholds and isinstance(bands.value, Fields) and not bands.value.entries:
                message = f"`{value}` has no bands of its own"
                problems.append(Diagnostic("bad-value", message, bands.key.span, "give it some, or leave it out"))
            yield Scope(dimension, bands.key.written, thresholds, values.key.span, bands.key.span)


def _benchmark(node: Node | None, folder: Folder, problems: Problems) -> Benchmark | None:
    if isinstance(node, Scalar):
        found = formula(node, problems)
        return None if found is None else Benchmark(found, (), node.span)
    if not isinstance(node, Fields):
        return None
    read = node.get("read")
    by = node.get("by")
    date = text(node.get("date"))
    source = labels(node.get("source")) if node.get("source") is not None else Labels()
    if isinstance(read, Scalar):
        rows = tuple(_read(read, texts(by), text(node.get("value")) or "value", folder, problems))
        return Benchmark(formula(node.get("formula"), problems), rows, node.span, source, date)
    if node.get("value") is not None and (also := node.entries.get("formula")) is not None:
        problems.append(Diagnostic("bad-value", "a benchmark has one value", also.key.span, "leave `formula` out"))
    rows = tuple(_rows(by, problems))
    value = formula(node.get("formula"), problems) or formula(node.get("value"), problems)
    if value is None and not rows and not problems:
        hint = "such as `{value: 1%}`, `{by: {country: {BR: 3%}}}`, `{read: benchmarks.csv, by: country}`"
        problems.append(Diagnostic("bad-value", "the benchmark has no value", node.span, hint))
    return Benchmark(value, rows, node.span, source, date)


def _rows(by: Node | None, problems: Problems) -> Iterator[BenchmarkRow]:
    if by is not None and not isinstance(by, Fields):
        hint = "write `by: {country: {BR: 3%, DE: 4%}}`; a list of fields goes with `read:`"
        problems.append(Diagnostic("bad-value", "the numbers of the segments are missing", by.span, hint))
    for dimension, values in _entries(by):
        for _, entry in _entries(values.value):
            found = formula(entry.value, problems)
            if found is not None:
                yield BenchmarkRow(((dimension, entry.key.written),), found, entry.key.span)


def _read(path: Scalar, by: tuple[str, ...], value: str, folder: Folder, problems: Problems) -> Iterator[BenchmarkRow]:
    """Yield the lines of a CSV file: columns called like the dimensions, and one of numbers."""
    if not by:
        hint = "write `by: country`: the columns that say which segment a line is of"
        problems.append(Diagnostic("bad-benchmark", "a table of benchmarks says by which fields", path.span, hint))
        return
    source = read_sheet(path, folder, "the benchmarks", problems)
    lines = [] if source is None else list(read_lines(source))
    if source is None or not lines:
        if source is not None:
            problems.append(Diagnostic("bad-benchmark", f"`{path.written}` lists no benchmark", path.span))
        return
    titles = [cell.text for cell in lines[0]]
    for name in (*by, value):
        if titles.count(name) != 1:
            message = f"`{path.written}` has {'no' if name not in titles else 'more than one'} column `{name}`"
            hint = did_you_mean(name, titles) or f"columns: {', '.join(titles)}"
            where = lines[0][0].span.to(lines[0][-1].span)
            problems.append(Diagnostic("bad-benchmark", message, where, hint))
            return
    taken: dict[tuple[str, ...], Span] = {}
    for cells in lines[1:]:
        line = cells[0].span.to(cells[-1].span)
        if len(cells) != len(titles):
            message = f"a line of {len(cells)} values under {len(titles)}"
            problems.append(Diagnostic("bad-benchmark", message, line))
            continue
        named = dict(zip(titles, cells, strict=True))
        key = tuple(named[name].text for name in by)
        if (before := taken.setdefault(key, line)) is not line:
            notes = (Note("the other one is here", before),)
            message = f"two benchmarks of {', '.join(key)}"
            problems.append(Diagnostic("bad-benchmark", message, line, "keep one", notes))
            continue
        found = _number(named[value], problems)
        if found is not None:
            yield BenchmarkRow(tuple(zip(by, key, strict=True)), found, line)


def _number(cell: Cell, problems: Problems) -> Formula | None:
    written = Text(cell.text, cell.span)
    try:
        return Formula(parse_formula(written), written)
    except KpiError:
        message = f"`{cell.text}` is no number"
        problems.append(Diagnostic("bad-benchmark", message, cell.span, "a number such as 0.03 or 3%"))
        return None


def build_diagnosis(name: str, node: Node, span: Span, problems: Problems) -> Diagnosis | None:
    """Return what several KPIs say together; None where its condition is missing or wrong."""
    if not isinstance(node, Fields):
        return None
    when = formula(node.get("when"), problems)
    said = {key: labels(found) for key in ("label", "description") if (found := node.get(key)) is not None}
    say = node.get("say")
    return None if when is None or say is None else Diagnosis(name, when, labels(say), span, **said)
