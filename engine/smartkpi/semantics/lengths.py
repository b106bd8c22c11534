"""How far apart the rows of a step may lie: a duration, or a constant that is one."""

from __future__ import annotations

from decimal import Decimal

from smartkpi.language import syntax
from smartkpi.language.types import DURATION
from smartkpi.nearest import did_you_mean
from smartkpi.periods.windows import MOST, Length, refuse_length
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.literals import FAILED, Constants

DAY = 86_400
SMALL = {"min": 60, "s": 3_600}
"""How many of a unit are an hour."""


def length_of(given: syntax.Duration | syntax.Name, constants: Constants, findings: Findings) -> Length | None:
    """Return the duration behind `within`, or say what is wrong with it."""
    found = (
        Length(given.count, given.unit) if isinstance(given, syntax.Duration) else _constant(given, constants, findings)
    )
    if found is None:
        return None
    counted = Length(-(-found.count // SMALL[found.unit]), "h") if found.unit in SMALL else found
    if wrong := refuse_length(counted):
        message = wrong if counted == found or counted.unit not in MOST else wrong.replace(f"`{counted}`", f"`{found}`")
        findings.error("bad-duration", message, given.span, "such as `30min`, `24h`, `7d`, `3mo`")
        return None
    return found


def _constant(given: syntax.Name, constants: Constants, findings: Findings) -> Length | None:
    name = given.text
    if (written := constants.durations.get(name) or constants.loose.get(name)) is not None:
        return Length(written.count, written.unit)
    if name not in constants:
        hint = did_you_mean(name, constants) or "write a duration such as `7d`, or define a constant that is one"
        findings.error("unknown-constant", f"no constant is named `{name}`", given.span, hint)
        return None
    value = constants.value(name, given.span, findings)
    if value is FAILED:
        return None
    if value.type.unit != DURATION or not isinstance(value.value, Decimal) or value.value % 1:
        message = f"`within` takes a duration, `{name}` is none"
        findings.error("bad-argument", message, given.span, "such as `7d`, or a constant that is one")
        return None
    days, rest = divmod(int(value.value), DAY)
    return Length(int(value.value), "s") if rest or not days else Length(days, "d")
