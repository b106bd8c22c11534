"""Alerts: the status of a series that is told to people, slower than the one that is shown."""

from __future__ import annotations

from collections.abc import Sequence

SEVERITIES = ("good", "warning", "critical")


def alerts(statuses: Sequence[str | None], hold: int, keep: int) -> list[str | None]:
    """Return the alert of each period: so bad as all of the last ``hold`` judged periods were, kept for ``keep``.

    Periods without good, warning or critical judge nothing: they leave the alert as it was (None before the first).
    """
    found: list[str | None] = []
    judged: list[int] = []
    pending: list[int] = []
    for status in statuses:
        if status in SEVERITIES:
            judged.append(SEVERITIES.index(status))
            pending.append(min(judged[-hold:]) if len(judged) >= hold else 0)
        found.append(SEVERITIES[max(pending[-keep:])] if pending else None)
    return found
