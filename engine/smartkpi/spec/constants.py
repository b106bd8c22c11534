"""The `constants` section: literals with names, and `--set` in their place."""

from __future__ import annotations

import re

from smartkpi.diagnostics import KpiError
from smartkpi.language.parse import parse_formula
from smartkpi.language.syntax import Boolean, Expr, Null
from smartkpi.language.syntax import Text as TextLiteral
from smartkpi.source import Span, Text, text_of
from smartkpi.spec.model import Constant, Formula
from smartkpi.spec.nodes import Fields, Node, Scalar
from smartkpi.spec.scalars import resolve
from smartkpi.spec.values import Problems

SET = "--set"
"""Where a constant stands that is given with the question."""

_LITERAL = re.compile(r"[-+]?\d[\d_]*(\.\d+)?([eE][-+]?\d+)?\s*%|\d+(min|mo|s|h|d|w|q|y)", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d[\d_]*(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def build_constant(name: str, node: Node, span: Span, given: str | None, problems: Problems) -> Constant | None:
    """Return a constant; ``given`` is a value from outside that replaces the written one."""
    if given is not None:
        text, plain = text_of(given, f"--set {name}"), True
    else:
        value = node.get("value") if isinstance(node, Fields) else node
        if not isinstance(value, Scalar) or (value.data is None and value.style == ""):
            return None
        text, plain = value.text, value.style == ""
    try:
        return Constant(name, Formula(_literal(text, plain=plain), text), span)
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
