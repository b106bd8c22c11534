"""What a check finds in one definition: its problems, and the broken definitions that it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.source import Span

SHOWN = 8
"""So many names a list shows before it says how many more there are."""


@dataclass(slots=True)
class Findings:
    """The problems of one definition as they are found; ``causes`` are errors elsewhere that already explain it."""

    subject: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    causes: dict[str, Diagnostic] = field(default_factory=dict)
    failed: bool = False

    @property
    def cause(self) -> Diagnostic:
        """The first error, else the first cause: what left this definition out."""
        own = (d for d in self.diagnostics if d.severity is Severity.ERROR)
        return next(own, None) or next(iter(self.causes.values()))

    def error(self, code: str, message: str, span: Span | None, hint: str = "", notes: tuple[Note, ...] = ()) -> None:
        """Add an error, unless the same stands at the same place already."""
        self._add(Diagnostic(code, message, span, hint, notes, Severity.ERROR, self.subject))
        self.failed = True

    def warn(self, code: str, message: str, span: Span | None, hint: str = "") -> None:
        """Add a warning: the definition stays."""
        self._add(Diagnostic(code, message, span, hint, (), Severity.WARNING, self.subject))

    def note(self, code: str, message: str, span: Span | None, notes: tuple[Note, ...] = ()) -> None:
        """Add a note: nothing is wrong with this definition itself."""
        self._add(Diagnostic(code, message, span, "", notes, Severity.NOTE, self.subject))

    def not_yet(self, feature: str, span: Span | None, hint: str = "") -> None:
        """Add the error for something that the language has and this version has not."""
        self.error("not-yet", f"{feature} is not supported yet", span, hint)

    def depend(self, name: str, cause: Diagnostic) -> None:
        """Remember that this definition stands on a broken one."""
        self.causes.setdefault(name, cause)
        self.failed = True

    def blame(self, cause: Diagnostic) -> None:
        """Add an error of another definition: told once, whatever it leaves out."""
        self._add(cause)
        self.failed = True

    def take(self, other: Findings) -> None:
        """Add all that another check of the same definition found."""
        for diagnostic in other.diagnostics:
            self._add(diagnostic)
        for name, cause in other.causes.items():
            self.causes.setdefault(name, cause)
        self.failed = self.failed or other.failed

    def close(self, what: str, span: Span | None) -> None:
        """Say quietly what this definition stands on, where it has no error of its own."""
        if not self.causes or any(d.severity is Severity.ERROR for d in self.diagnostics):
            return
        name, cause = next(iter(self.causes.items()))
        note = Note(f"the cause: {cause.message}", cause.span)
        self.note("depends-on-broken", f"{what} is left out with `{name}`", span, (note,))

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)


def circle(names: Sequence[str]) -> str:
    """Return a cycle as a path, a long one cut."""
    shown = [f"`{name}`" for name in names[:SHOWN]]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return " -> ".join([*shown, *more, f"`{names[0]}`"])


def listing(what: str, names: Iterable[str]) -> tuple[Note, ...]:
    """Return a note that lists names, a long list cut; no note where there is none."""
    every = sorted(names)
    if not every:
        return ()
    more = f", and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return (Note(f"{what}: {', '.join(every[:SHOWN])}{more}"),)
