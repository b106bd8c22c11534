"""A draft as the text of a YAML file, with its reasons as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from smartkpi.app.drafting.model import Draft, DraftDataset, Part

WIDTH = 100
_PLAIN = re.compile(r"(?:[^\W\d]|[_/.(])[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*")
_IN_FLOW = re.compile(r"[\w.*/ -]*[\w*/]")
_SPECIAL = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", "none"])


def write_yaml(draft: Draft, head: Sequence[str]) -> str:
    """Return the text of a draft; ``head`` are its first lines, as they are."""
    lines = [*head, *_comment(draft.notes, ""), "smartkpi: 1", ""]
    if draft.allow:
        lines += ["# Files out of this folder are read only where that is allowed:"]
        lines += [f"allow_paths: {_flow(draft.allow)}", ""]
    if draft.include:
        lines += ["include:", *(f"  - {_flow(one)}" for one in draft.include), ""]
    if draft.hours:
        lines += [
            "# The pack asks when you work: put in your hours, your zone (`timezone: Asia/Shanghai`) and your holidays"
        ]
        lines += ["calendar: {hours: {mon-fri: 09:00-18:00}}", ""]
    if draft.datasets:
        lines.append("datasets:")
        for dataset in draft.datasets:
            lines += [*_dataset(dataset), ""]
    if draft.kpis:
        lines.append("kpis:")
        for kpi in draft.kpis:
            lines += _part(kpi, "  ")
        lines.append("")
    lines += [*_comment(draft.missing, "")]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """Return a text as a value of YAML: as it is where that is safe, else in double quotes."""
    risky = ": " in text or " #" in text or text.endswith(":") or text != text.strip() or text.casefold() in _WORDS
    if _PLAIN.fullmatch(text) and not risky and not text.startswith(("...", "---")):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """Return a text in quotes: single ones where it has double ones, so that a formula reads as it is."""
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return _SPECIAL.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))


def _comment(notes: Iterable[str], indent: str) -> Iterator[str]:
    for note in notes:
        for part in note.split("\n"):
            text = "".join(c if c.isprintable() else "\ufffd" for c in part)
            shown = text if text.startswith("  ") else ""
            folded = [shown] if shown else wrap(text, WIDTH - len(indent) - 2, break_on_hyphens=False) or [""]
            yield from (f"{indent}# {line}".rstrip() for line in folded)


def _dataset(dataset: DraftDataset) -> Iterator[str]:
    yield from _comment(dataset.notes, "  ")
    yield f"  {dataset.name}:"
    yield f"    read: {_value(dataset.read)}"
    yield from _comment(dataset.time_notes, "    ")
    if dataset.time is not None:
        yield f"    time: {_value(dataset.time)}"
    if dataset.key is not None:
        yield f"    key: {scalar(dataset.key)}"
    for title, parts in (("fields", dataset.fields), ("lookups", dataset.lookups), ("events", dataset.events)):
        if parts:
            yield f"    {title}:"
            for part in parts:
                yield from _part(part, "      ")
    yield from _comment(dataset.more, "    ")


def _part(part: Part, indent: str) -> Iterator[str]:
    yield from _comment(part.notes, indent)
    if isinstance(part.body, str) or "formula" not in part.body:
        yield f"{indent}{_key(part.name)}: {_value(part.body)}"
        return
    yield f"{indent}{part.name}:"
    for key, value in part.body.items():
        yield f"{indent}  {key}: {_value(value)}"


def _key(name: str) -> str:
    return scalar(name)


def _value(value: Any) -> str:
    return scalar(value) if isinstance(value, str) else _flow(value)


def _flow_key(name: str) -> str:
    return name if name == "on" else _flow(name)


def _flow(value: Any) -> str:
    """Return a value inside braces: texts in quotes unless they are plain words."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{_flow_key(key)}: {_flow(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case bool() | int() | float():
            return json.dumps(value)
        case str() if _IN_FLOW.fullmatch(value) and value.casefold() not in _WORDS and not value[0].isdigit():
            return scalar(value) if value[0] not in "-*. " else json.dumps(value)
        case _:
            return _quoted(str(value))
