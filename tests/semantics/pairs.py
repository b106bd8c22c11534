"""Text pairs: a project, and exactly what a check says of it.

A file has blocks: `=== title`, lines `@ dataset: column kind, …` for the columns of data at hand, the project, `---`,
and what is expected. `pytest --update` writes the last part anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from smartkpi.diagnostics import Diagnostic
from smartkpi.language.types import BOOLEAN, DATE, NULL, NUMBER, TEXT, TIME, WHOLE, Kind, Type
from smartkpi.semantics.check import Checked, check
from smartkpi.semantics.formula import Aggregate, Apply, Column, Expr, Field, Literal, Reference
from smartkpi.source import Span
from smartkpi.spec.load import load

KINDS: Mapping[str, Type] = {
    "number": NUMBER, "whole": WHOLE, "text": TEXT, "boolean": BOOLEAN, "time": TIME, "date": DATE, "null": NULL,
    "decimal": Type(Kind.NUMBER, decimal=True),
}  # fmt: skip
Schemas = dict[str, dict[str, Type]]


@dataclass(frozen=True)
class Pair:
    """One block of a file."""

    title: str
    given: str
    expected: str

    @property
    def schemas(self) -> Schemas | None:
        """The columns of the lines that begin with `@`, None where there is none."""
        found: Schemas = {}
        for line in self.given.splitlines():
            if line.startswith("@ "):
                name, _, columns = line[2:].partition(": ")
                words = [column.rsplit(" ", 1) for column in columns.split(", ")]
                found[name] = {column: KINDS[kind] for column, kind in words}
        return found or None

    def checked(self, folder: Path) -> tuple[Checked, tuple[Diagnostic, ...]]:
        """Load and check the project; return all that both say."""
        file = folder / "kpis.yml"
        file.write_text("".join(line for line in self.given.splitlines(True) if not line.startswith("@ ")))
        loaded = load(file)
        checked = check(loaded.catalog, self.schemas)
        return checked, (*loaded.diagnostics, *checked.diagnostics)


def read_pairs(file: Path) -> list[Pair]:
    """Return the blocks of a file."""
    blocks = file.read_text().split("\n=== ")[1:]
    pairs = []
    for block in blocks:
        title, _, rest = block.partition("\n")
        given, _, expected = rest.partition("\n---\n")
        pairs.append(Pair(title, given + "\n", expected.strip("\n")))
    return pairs


def write_pairs(file: Path, pairs: Iterable[Pair]) -> None:
    """Write blocks with what is expected of them; what stands before the first block stays."""
    head = file.read_text().partition("\n=== ")[0]
    blocks = [f"\n=== {pair.title}\n{pair.given.rstrip()}\n---\n{pair.expected}\n" for pair in pairs]
    file.write_text(head + "".join(blocks))


def told(diagnostics: Iterable[Diagnostic]) -> str:
    """Return diagnostics in short: severity, code, place, words under the caret, message, hint, notes."""
    lines = []
    for found in diagnostics:
        hint = f" ({found.hint})" if found.hint else ""
        lines.append(f"{found.severity}[{found.code}] {_place(found.span)}{found.message}{hint}")
        lines += [f"  = {_place(note.span)}{note.message}" for note in found.notes]
    return "\n".join(lines) or "nothing"


def _place(span: Span | None) -> str:
    if span is None:
        return ""
    words = span.source.text[span.start : span.end].split("\n")[0]
    return f"{span.line}:{span.column} <{words}> "


def shown(expr: Expr) -> str:
    """Return a typed tree in one line, with the kind of each leaf."""
    match expr:
        case Literal(value=value):
            return f"{value}" if not isinstance(value, str) else f'"{value}"'
        case Column(name=name):
            return f"column {name}:{_kind(expr.type)}"
        case Field(name=name):
            return f"{name}:{_kind(expr.type)}"
        case Apply():
            return f"({expr.function} {' '.join(shown(arg) for arg in expr.args)})"
        case Aggregate():
            over = expr.event if expr.argument is None else f"{expr.event}.{shown(expr.argument)}"
            where = "".join(f" where {shown(part)}" for part in expr.where)
            return f"{expr.function}[{over}{where}]"
        case Reference():
            where = "".join(f" {event} where {shown(part)}" for event, parts in expr.where for part in parts)
            return f"kpi[{expr.kpi}{where}]"


def _kind(type: Type) -> str:
    return "whole" if type.whole and type == WHOLE else str(type)
