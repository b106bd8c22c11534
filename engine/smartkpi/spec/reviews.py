"""`review_every`: how long after its review a KPI is to be looked over again."""

from __future__ import annotations

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Duration
from smartkpi.periods.windows import MOST, Length
from smartkpi.spec.nodes import Node, Scalar
from smartkpi.spec.values import Problems, parsed

KEY = "review_every"


def build_interval(node: Node | None, problems: Problems) -> Length | None:
    """Return a duration of days and more, up to a hundred years; None where there is none."""
    if not isinstance(node, Scalar) or node.data is None:
        return None
    written = parsed(node, parse_formula, [])
    if not isinstance(written, Duration):  # the schema says so
        return None
    if written.unit != "h" and 0 < written.count <= MOST.get(written.unit, 0):
        return Length(written.count, written.unit)
    message = f"nobody looks a KPI over each `{node.written}`"
    problems.append(Diagnostic("bad-duration", message, node.span, "such as `30d`, `3mo`, `1y`"))
    return None
