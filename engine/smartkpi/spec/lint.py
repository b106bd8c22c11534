"""`lint`: rules that are not held against a definition, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.nearest import did_you_mean
from smartkpi.rules import rules
from smartkpi.spec.model import Silence
from smartkpi.spec.nodes import Fields, Node
from smartkpi.spec.values import Problems, text


def silences(node: Node | None, problems: Problems) -> Iterator[Silence]:
    """Yield the rules that are silenced; one that does not exist, or has no reason, is a problem."""
    for entry in node.entries.values() if isinstance(node, Fields) else ():
        code, reason = entry.key.written, (text(entry.value) or "").strip()
        if code not in rules():
            hint = did_you_mean(code, rules()) or "`kpi explain CODE` tells what a rule asks"
            note = Note("rules: " + ", ".join(rules()))
            problems.append(Diagnostic("unknown-rule", f"no rule is named `{code}`", entry.key.span, hint, (note,)))
        elif not reason:
            message, hint = f"`{code}` is silenced without a reason", "write why it does not matter here"
            problems.append(Diagnostic("unknown-rule", message, entry.key.span, hint))
        else:
            yield Silence(code, reason, entry.key.span)
