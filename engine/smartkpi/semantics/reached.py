"""Which datasets questions over others may read too: those looked up, and those that groups are made of."""

from __future__ import annotations

from collections.abc import Iterable

from smartkpi.semantics.check import Checked
from smartkpi.semantics.lookups import reached_datasets


def datasets_behind(checked: Checked, names: Iterable[str]) -> frozenset[str]:
    """Return datasets with all those that rows of them may be told apart by, whatever is asked."""
    found = set(names)
    waiting = list(checked.groups.values())
    while ready := [group for group in waiting if _is_field_in(checked, group.name, found)]:
        found.update(read for group in ready for total in group.totals for read in checked.scopes[total.event].reads)
        waiting = [group for group in waiting if group not in ready]
    return frozenset(found) | reached_datasets(checked.datasets, found)


def _is_field_in(checked: Checked, group: str, datasets: set[str]) -> bool:
    scopes = checked.scopes.values()
    return any(group in scope.fields and not datasets.isdisjoint(scope.reads) for scope in scopes)
