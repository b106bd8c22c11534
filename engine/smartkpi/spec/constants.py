"""The `constants` section: literals with names, and `--set` in their place."""

from __future__ import annotations

import re

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Boolean, Expr, Null
from smartkpi.language.syntax import Text as TextLiteral
from smartkpi.source import Span, Text, text_of
from smartkpi.spec.model import Constant, Formula, Revision
from smartkpi.spec.nodes import Fields, Node, Scalar
from smartkpi.spec.revisions import dated_items
from smartkpi.spec.scalars import resolve
from smartkpi.spec.values import Problems, labels

SET = "--set"
"""Where a constant stands that is given with the question."""

_LITERAL = re.compile(r"[-+]?\d[\d_]*(\.\d+)?([eE][-+]?\d+)?\s*%|\d+(min|mo|s|h|d|w|q|y)", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d[\d_]*(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def build_constant(name: str, node: Node, span: Span, given: str | None, problems: Problems) -> Constant | None:
    """Return a constant; ``given`` is a value from outside that replaces all that is written."""
    if given is not None:
        found = _formula(text_of(given, f"--set {name}"), problems, plain=True)
        return None if found is None else Constant(name, found, span)
    if not isinstance(node, Fields):
        found = _written(node, problems)
        return None if found is None else Constant(name, found, span)
    revisions = tuple(
        Revision(start, place, changed, reason=labels(item.get("reason")))
        for start, place, item in dated_items(node.get("revisions"), problems)
        if (changed := _written(item.get("value"), problems)) is not None
    )
    found = _written(node.get("value"), problems)
    if found is None and not revisions:
        if "value" not in node.entries:
            problems.append(Diagnostic("missing-key", f"`{name}` has no value", span, "add `value: …`"))
        return None
    return Constant(name, found, span, revisions)


def _written(value: Node | None, problems: Problems) -> Formula | None:
    if not isinstance(value, Scalar) or (value.data is None and value.style == ""):
        return None
    return _formula(value.text, problems, plain=value.style == "")


def _formula(text: Text, problems: Problems, *, plain: bool) -> Formula | None:
    try:
        return Formula(_literal(text, plain=plain), text)
    except KpiError as error:
        problems.extend(error.diagnostics)
        return None


def _literal(text: Text, *, plain: bool) -> Expr:
    """Read a literal: 19% and 90d are themselves even in YAML quotes, a number in quotes is a text."""
    written = text.value.strip()
    if _LITERAL.fullmatch(written) or (plain and _NUMBER.fullmatch(written)):
        start = text.value.index(written) + written.startswith("+")
        unsigned = Text(text.value[start:], text.at(start, len(text.value)), text.offsets and text.offsets[start:])
        return parse_formula(unsigned)
    span = text.at(0, len(text.value))
    data = resolve(written) if plain else written
    if isinstance(data, bool):
        return Boolean(data, span)
    return Null(span) if data is None and written else TextLiteral(text.value, span)
