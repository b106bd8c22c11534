"""The `kpis` section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Duration
from smartkpi.nearest import did_you_mean
from smartkpi.periods.grain import Grain
from smartkpi.source import Span
from smartkpi.spec.bounds import Folder
from smartkpi.spec.lint import silences
from smartkpi.spec.model import Kpi, Labels, Revision
from smartkpi.spec.nodes import Fields, Node, Scalar
from smartkpi.spec.reviews import build_interval
from smartkpi.spec.revisions import dated_items
from smartkpi.spec.thresholds import build_bands, build_rules, changed_rules
from smartkpi.spec.values import Problems, day, formula, labels, parsed, text, texts, unit


def build_kpi(
    name: str, node: Node, span: Span, grains: Sequence[Grain], folder: Folder, problems: Problems
) -> Kpi | None:
    """Return a KPI; None where its formula is missing or wrong. ``grains`` are all there are, none if unknown."""
    if not isinstance(node, Fields):
        short = formula(node, problems)
        return None if short is None else Kpi(name, short, span)
    written = formula(node.get("formula"), problems)
    where = formula(node.get("where"), problems)
    thresholds = build_bands(node.get("thresholds"), problems)
    rules = build_rules(node.get("thresholds"), folder, problems)
    grain = _grain(node.get("grain"), grains, problems)
    reviewed = day(node.get("reviewed"), problems)
    again = build_interval(node.get("review_every"), problems)
    measure = unit(node, problems)
    revisions = tuple(_revisions(node, folder, problems))
    lint = tuple(silences(node.get("lint"), problems))
    if written is None:
        return None
    return Kpi(
        name,
        written,
        span,
        where=where,
        grain=grain,
        window=_window(node.get("window"), problems),
        by=texts(node.get("by")),
        unit=measure,
        format=text(node.get("format")),
        direction=_direction(node.get("direction")),
        thresholds=thresholds,
        label=_text_or_labels(node.get("label")),
        description=_text_or_labels(node.get("description")),
        owner=text(node.get("owner")),
        decision=_text_or_labels(node.get("decision")),
        tags=texts(node.get("tags")),
        synonyms=texts(node.get("synonyms")),
        reviewed=reviewed,
        review_every=again,
        hidden=_is_true(node.get("hidden")),
        deprecated=_deprecated(node.get("deprecated")),
        revisions=revisions,
        rules=rules,
        lint=lint,
    )


def _revisions(node: Fields, folder: Folder, problems: Problems) -> Iterator[Revision]:
    whole = node.get("thresholds")
    for start, place, item in dated_items(node.get("revisions"), problems):
        changed = formula(item.get("formula"), problems)
        written = item.get("thresholds")
        bands, rules = build_bands(written, problems), None
        if (changes := changed_rules(whole, written)) is not None:
            whole = changes
            found: Problems = []
            rules = build_rules(whole, folder, found)
            problems += (one for one in found if one not in problems)
        if "formula" not in item.entries and "thresholds" not in item.entries:
            hint = "give it a `formula` or `thresholds`"
            problems.append(Diagnostic("bad-value", f"the revision of {start} changes nothing", place, hint))
        yield Revision(start, place, changed, bands, labels(item.get("reason")), rules)


_NO_LABELS = Labels()


def _text_or_labels(node: Node | None) -> Labels:
    return _NO_LABELS if node is None else labels(node)


def _is_true(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.data is True


def _deprecated(node: Node | None) -> str | bool:
    return node.data if isinstance(node, Scalar) and isinstance(node.data, str | bool) else False


def _direction(node: Node | None) -> Any:
    written = text(node)
    return written if written in ("higher", "lower", "none") else None


def _grain(node: Node | None, grains: Sequence[Grain], problems: Problems) -> str | None:
    if not isinstance(node, Scalar) or node.data is None:
        return None
    if node.written in grains or not grains:
        return node.written
    hint = did_you_mean(node.written, grains) or f"one of {', '.join(grains)}"
    problems.append(Diagnostic("unknown-grain", f"no grain is named `{node.written}`", node.span, hint))
    return None


def _window(node: Node | None, problems: Problems) -> Duration | None:
    if not isinstance(node, Scalar) or node.data is None:
        return None
    found = parsed(node, parse_formula, problems)
    return found if isinstance(found, Duration) else None
