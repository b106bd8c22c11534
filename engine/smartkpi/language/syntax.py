"""The syntax tree: a text of the language as written, with spans that take no part in equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from smartkpi.source import Span


def _span() -> Span:
    return field(compare=False, repr=False)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Number:
    """`12`, `1_000`, `0.5`, `1e6`; with percent, `5%` (the value is then 0.05)."""

    value: Decimal
    percent: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Duration:
    """`7d`, `90min`: a count and one of s min h d w mo q y."""

    count: int
    unit: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text."""

    value: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""

    value: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Null:
    """`null`."""

    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Name:
    """A name, or a dotted path of names: `order`, `order.amount`, `converting_visit.order.amount`."""

    parts: tuple[str, ...]
    span: Span = _span()

    @property
    def text(self) -> str:
        """The path as written, with dots."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Member:
    """A field of something that is not a plain name: `(visit then order …).delay`."""

    of: Expr
    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or operator applied to arguments.

    Operators go by their text: `+ - * / ^ neg == != < <= > >= and or not in`, `not in`, `between`, `not between`,
    `is null`, `is not null`, `if`. `and`, `or`, `+` and `*` are flat: `a + b + c` has three arguments. ``name_span``
    is the operator or the function's name.
    """

    function: str
    args: tuple[Expr, ...]
    span: Span = _span()
    name_span: Span = _span()


@dataclass(frozen=True, slots=True)
class Where:
    """`operand where condition`."""

    operand: Expr
    condition: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Per:
    """`value per keys [where condition]`; a key is a name, or `col("…")`."""

    value: Expr
    keys: tuple[Name | Apply, ...]
    condition: Expr | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Alias:
    """`operand as name` in a chain."""

    operand: Expr
    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Step:
    """An event derived from events: `first order by buyer`, `visit then order within 7d by visitor match last`.

    ``within`` may be the name of a constant. Of `returns`, which is not written but made of cohorts, ``at`` is a grain
    and a number of its periods: the first one's rows, and those of the second that come so many periods after.
    """

    kind: Literal["first", "repeat", "then", "after", "without", "returns"]
    operands: tuple[Expr, ...]
    within: Duration | Name | None
    by: tuple[Name | Apply, ...]
    match: str | None
    condition: Expr | None
    span: Span = _span()
    at: tuple[str, int | None] | None = None


@dataclass(frozen=True, slots=True)
class AllRows:
    """`all rows`, as the binding of an event."""

    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Band:
    """A threshold band: `at least 5%` is (`>=`, 5%), `between 2 and 4` is (`between`, 2, 4)."""

    operator: Literal[">=", "<=", ">", "<", "==", "!=", "between"]
    bounds: tuple[Expr, ...]
    span: Span = _span()


Expr = Number | Duration | Text | Boolean | Null | Name | Member | Apply | Where | Per | Alias | Step
