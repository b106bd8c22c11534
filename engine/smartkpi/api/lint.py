"""What is not wrong, but could be better: goals by the rules of SMART, and the review of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from smartkpi.api.failures import UsageError, failing_as
from smartkpi.api.question import parse_moment_of
from smartkpi.assess.audit import Audit
from smartkpi.assess.audit import audit as review
from smartkpi.assess.smart import Score
from smartkpi.diagnostics import Diagnostic
from smartkpi.report import audit as audits
from smartkpi.report import smart as scores
from smartkpi.report.style import Style
from smartkpi.semantics.check import Checked
from smartkpi.spec.load import Loaded
from smartkpi.spec.model import Catalog

if TYPE_CHECKING:  # what is not asked of data waits for no engine
    from smartkpi.engines.polars.meter import Progress

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Lint:
    """What was asked for, and what is wrong with the data; ``display`` shows it as text."""

    smart: tuple[Score, ...] | None
    audit: Audit | None
    data: tuple[Diagnostic, ...]
    display: Callable[[Any], str]


def lint(
    loaded: Loaded,
    handed: Mapping[str, object],
    checked: Checked,
    goals: tuple[str, ...] | None,
    as_of: str | date | datetime | None,
    progress: Progress | None,
    lang: str,
    *,
    data: bool,
    audit: bool,
) -> Lint:
    """Return goals by the rules (None: they are not asked for), and what there is to review."""
    found: tuple[Score, ...] | None = None
    problems: tuple[Diagnostic, ...] = ()
    if goals is not None:
        from smartkpi.api.smart import score_goals

        found, problems = score_goals(loaded, handed, checked, goals, as_of, progress, data=data)
    reviewed = review(checked, _day(loaded.catalog, as_of)) if audit else None
    return Lint(found, reviewed, problems, lambda _: _shown(found, reviewed, lang))


def _shown(found: tuple[Score, ...] | None, reviewed: Audit | None, lang: str) -> str:
    style = Style(width=WIDTH, lang=lang)
    parts = [scores.render(found, style)] if found is not None else []
    return "\n".join([*parts, *([audits.render(reviewed, style)] if reviewed is not None else [])])


def _day(catalog: Catalog, as_of: str | date | datetime | None) -> date:
    """Return the day of a review: as of which it is, else today, for reviews are due by the calendar on the wall."""
    with failing_as(UsageError):
        moment = parse_moment_of(catalog.calendar, as_of)
    if moment is None:
        moment = datetime.now(UTC)
    if isinstance(moment, datetime):
        return moment.astimezone(ZoneInfo(catalog.calendar.timezone)).date()
    return moment
