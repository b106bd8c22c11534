"""Coverage as far as that of another dataset: `covers: {to: orders}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from smartkpi.diagnostics import Diagnostic
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.findings import Findings, circle, listing
from smartkpi.semantics.formula import TypedDataset
from smartkpi.spec.model import Dataset


def covering(datasets: Mapping[str, TypedDataset], names: Iterable[str]) -> tuple[str, ...]:
    """Return some datasets, and those that they cover as far as."""
    found: dict[str, None] = {}
    stack = list(names)
    while stack:
        name = stack.pop(0)
        if name in datasets and name not in found:
            stack += [other for other in (datasets[name].spec.upto,) if other is not None]
        found[name] = None
    return tuple(found)


def check_covering(
    spec: Dataset, known: Mapping[str, Dataset], broken: Mapping[str, Diagnostic], findings: Findings
) -> None:
    """Refuse a dataset to cover as far as one that there is not, that has no time, or that covers as far as itself."""
    if spec.covers is None or spec.upto is None:
        return
    name, place = spec.upto, spec.covers.place
    if name in broken:
        findings.depend(name, broken[name])
    elif name not in known:
        hint = did_you_mean(name, known) or "write a date as 2026-01-31, or the name of a dataset"
        findings.error("unknown-dataset", f"no dataset is named `{name}`", place, hint, listing("datasets", known))
    elif known[name].timeless or not known[name].events:
        lack = "has no time" if known[name].timeless else "has no events, and so no days"
        findings.error("bad-value", f"`{name}` {lack}: it covers none", place, "name a dataset of events")
    else:
        path = [spec.name]
        while path[-1] in known and (following := known[path[-1]].upto) is not None:
            if following == spec.name:
                message = f"datasets cover as far as each other: {circle(path)}"
                findings.error("bad-value", message, place, "one of them states its end by itself: leave its `to` out")
                return
            if following in path:
                return
            path.append(following)
