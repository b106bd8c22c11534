"""The `datasets` section, and the contracts under `events`."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language.parse import parse_binding
from smartkpi.language.syntax import AllRows
from smartkpi.periods.grain import GRAINS, Grain
from smartkpi.source import Span
from smartkpi.spec.model import (
    Binding,
    Column,
    Contract,
    Covers,
    Dataset,
    FieldDef,
    Formula,
    Labels,
    Lookup,
    Preference,
    Read,
)
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.values import (
    Problems,
    column_or_formula,
    day,
    formula,
    is_date,
    labels,
    named,
    parsed,
    parsed_from,
    places,
    text,
    texts,
    unit,
    zone,
)

_LATEST = re.compile(r"\s*latest\s+by\s+(?=\S)")
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso-8859-1", "iso-8859-15", "gb18030", "gbk", "gb2312"),
    *("cp1250", "cp1251", "cp1252", "windows-1252", "big5", "shift_jis", "cp932", "euc-jp", "euc-kr", "koi8-r"),
)
"""Encodings that a misspelt one is likely to be."""
_SHARE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?|\.[0-9]{1,9}")


def build_dataset(name: str, node: Node, span: Span, base: Path, problems: Problems) -> Dataset | None:
    """Return a dataset; ``base`` is the folder that its path starts from."""
    if not isinstance(node, Fields):
        return None
    time = None if text(node.get("time")) == "none" else column_or_formula(node.get("time"), problems)
    events = _bindings(node.get("events"), problems)
    return Dataset(
        name,
        read=_read(node.get("read"), base, problems),
        time=time,
        timezone=zone(node.get("timezone"), problems),
        key=texts(node.get("key")),
        fields=_fields(node.get("fields"), problems),
        events=events,
        covers=_covers(node.get("covers"), problems),
        gaps="zero" if text(node.get("gaps")) == "zero" else None,
        span=span,
        on_bad_rows=_tolerance(node.get("on_bad_rows"), problems),
        lookups=_lookups(node.get("lookups"), problems),
        every=_every(node.get("every"), events, problems),
        keep=_kept(node, problems),
        places=places(node.get("key")),
    )


def _kept(dataset: Fields, problems: Problems) -> Formula | None:
    """Return what decides which row of a key stays: `latest by COLUMN`."""
    node = dataset.get("keep")
    if not isinstance(node, Scalar) or node.data is None:
        return None
    if dataset.get("key") is None:
        message = "`keep` says which row of a key stays, but the dataset has no `key`"
        problems.append(Diagnostic("bad-value", message, node.span, "add `key: <what tells rows apart>`"))
        return None
    found = _LATEST.match(node.written)
    if found is None:
        message = f"`keep` cannot be `{node.written}`"
        problems.append(Diagnostic("bad-value", message, node.span, "write `keep: latest by <a column>`"))
        return None
    expr = parsed_from(node, found.end(), problems)
    return None if expr is None else Formula(expr, node.text)


def _every(node: Node | None, events: Mapping[str, Binding], problems: Problems) -> Grain | None:
    """Return which period a row stands for, which only counted ones do."""
    written = text(node)
    if node is None or written not in GRAINS:
        return None  # its shape is wrong already
    if all(binding.count is None for binding in events.values()):
        message = "`every` says which period a counted row stands for, but no event here has a `count`"
        hint = "say which column counts, such as `visit: {count: visits}`, or leave `every` out"
        problems.append(Diagnostic("bad-value", message, node.span, hint))
        return None
    return Grain(written)


def missing_time(name: str, dataset: Dataset) -> Diagnostic | None:
    """Return the error that a dataset has times, and yet no time for one of its events.

    Where it has none at all it is timeless, and nothing in it may speak of days.
    """
    if dataset.time is not None:
        return None
    if not dataset.timeless:
        for event in dataset.events.values():
            if event.time is None:
                message = f"the event `{event.event}` has no time: neither it nor the dataset `{name}` says `time`"
                return Diagnostic("missing-time", message, event.span, "add `time: <a column>` to the dataset")
    elif said := [name for name in ("covers", "gaps", "every") if getattr(dataset, name) is not None]:
        what = said[0]
        message = f"`{what}` speaks of days, but the dataset `{name}` has no time"
        return Diagnostic("missing-time", message, dataset.span, f"add `time: <a column>`, or leave `{what}` out")
    return None


def build_contract(name: str, node: Node, span: Span, problems: Problems) -> Contract | None:
    """Return an event that datasets are to provide."""
    if not isinstance(node, Fields):
        empty = isinstance(node, Scalar) and node.data is None
        return Contract(name, Labels(), Labels(), {}, span) if empty else None
    prefer = _preference(name, node, problems)
    fields = node.get("fields")
    found = {}
    for key, place, value in named(fields, problems, reserved=False) if isinstance(fields, Fields) else ():
        found[key] = _contract_field(key, value, place.span, problems)
    return Contract(name, labels(node.get("label")), labels(node.get("description")), found, span, prefer)


def _preference(name: str, event: Fields, problems: Problems) -> Preference | None:
    """Return what counts an event once across its datasets: `key` and `prefer`, both or none."""
    key, datasets = event.get("key"), event.get("prefer")
    if key is None and datasets is None:
        return None
    if key is None or datasets is None:
        has, lacks = ("prefer", "key") if key is None else ("key", "prefer")
        message = f"the event `{name}` has `{has}` without `{lacks}`"
        hint = f"such as `{name}: {{key: order_id, prefer: [shop, phone]}}`: an order of both is that of the first"
        problems.append(Diagnostic("bad-value", message, event.entries[has].key.span, hint))
        return None
    names = texts(datasets)
    if not texts(key):
        problems.append(Diagnostic("bad-value", "this `key` names no field", key.span, "such as `key: order_id`"))
        return None
    if len(set(names)) < len(names):
        problems.append(Diagnostic("bad-value", "`prefer` names a dataset twice", datasets.span, "name each once"))
        return None
    items = datasets.items if isinstance(datasets, Items) else (datasets,)
    return Preference(texts(key), names, datasets.span, dict(zip(names, (one.span for one in items), strict=False)))


def agree(first: Contract, second: Contract, problems: Problems) -> Contract:
    """Return an event that two declare: the fields of both, and the words of the later one where it has any."""
    for name, said in second.fields.items():
        before = first.fields.get(name)
        if before is not None and None not in (before.unit, said.unit) and before.unit != said.unit:
            message = f"`{first.name}.{name}` has another unit where it is declared first"
            notes = (Note("declared first here", before.span),)
            problems.append(Diagnostic("duplicate-name", message, said.span, "include one of them with `as: …`", notes))
    added = {name: said for name, said in second.fields.items() if name not in first.fields or said.unit is not None}
    label = second.label if second.label.texts else first.label
    description = second.description if second.description.texts else first.description
    prefer = second.prefer or first.prefer
    return Contract(second.name, label, description, {**first.fields, **added}, second.span, prefer)


def _contract_field(name: str, node: Node, span: Span, problems: Problems) -> FieldDef:
    if isinstance(node, Fields):
        said = labels(node.get("description"))
        return FieldDef(name, None, unit(node, problems), span, labels(node.get("label")), said)
    return FieldDef(name, None, None, span, description=labels(node))


def _read(node: Node | None, base: Path, problems: Problems) -> Read | None:
    if isinstance(node, Scalar):
        return Read(node.written, base, span=node.span)
    path = text(node.get("path")) if isinstance(node, Fields) else None
    if path is None or not isinstance(node, Fields) or (place := node.get("path")) is None:
        return None
    _check_signs(node, problems)
    return Read(
        path,
        base,
        format=text(node.get("format")),
        separator=_sign(node.get("separator")),
        nulls=tuple(item.written for item in _scalars(node.entries["nulls"].value)) if "nulls" in node.entries else (),
        dates=text(node.get("dates")),
        encoding=_encoding(node.get("encoding"), problems),
        skip_rows=_count(node.get("skip_rows")),
        skip_footer=_count(node.get("skip_footer")),
        decimal=_sign(node.get("decimal")),
        thousands=_sign(node.get("thousands")),
        span=place.span,
    )


def _tolerance(node: Node | None, problems: Problems) -> Decimal:
    """Return the share of bad rows that may be left out: none, unless `skip` states one."""
    if isinstance(node, Scalar) and node.written != "fail":
        hint = "write `fail`, or `{skip: 0.1%}`"
        problems.append(Diagnostic("bad-value", f"`on_bad_rows` cannot be `{node.written}`", node.span, hint))
    share = node.get("skip") if isinstance(node, Fields) else None
    if not isinstance(share, Scalar):
        return Decimal(0)
    digits, percent = share.written.strip().removesuffix("%"), share.written.strip().endswith("%")
    found = Decimal(digits) / (100 if percent else 1) if _SHARE.fullmatch(digits) else Decimal(-1)
    if not 0 <= found < 1:
        message = f"`skip` is a share of the rows below 100%, not `{share.written}`"
        problems.append(Diagnostic("bad-value", message, share.span, "such as `0.1%`"))
        return Decimal(0)
    return found


def _sign(node: Node | None) -> str | None:
    return node.written if isinstance(node, Scalar) else None


def _count(node: Node | None) -> int:
    return node.data if isinstance(node, Scalar) and isinstance(node.data, int) else 0


def _check_signs(read: Fields, problems: Problems) -> None:
    """Report signs that cannot be told apart, or that are part of a number."""
    decimal, thousands = read.get("decimal"), read.get("thousands")
    for name, node in (("decimal", decimal), ("thousands", thousands)):
        if isinstance(node, Scalar) and (node.written.isalnum() or node.written in "+-%"):
            message = f"`{name}` cannot be `{node.written}`: numbers are made of that"
            problems.append(Diagnostic("bad-value", message, node.span, 'write "." or ","'))
    if isinstance(thousands, Scalar) and thousands.written == (_sign(decimal) or "."):
        message = f"`{thousands.written}` cannot stand between thousands and before decimals too"
        hint = 'state `decimal: ","` beside it' if decimal is None else "change one of the two"
        problems.append(Diagnostic("bad-value", message, thousands.span, hint))


def _encoding(node: Node | None, problems: Problems) -> str | None:
    written = text(node)
    if node is None or written is None:
        return None
    try:
        found = codecs.lookup(written)
        "".encode(found.name)
    except (LookupError, TypeError):
        near = get_close_matches(written.lower(), ENCODINGS, 1, 0.5)
        hint = f"did you mean `{near[0]}`?" if near else "such as gb18030, latin-1, utf-16"
        problems.append(Diagnostic("unknown-encoding", f"no encoding is named `{written}`", node.span, hint))
        return None
    return written


def _scalars(node: Node) -> tuple[Scalar, ...]:
    items = (node,) if isinstance(node, Scalar) else getattr(node, "items", ())
    return tuple(item for item in items if isinstance(item, Scalar))


def _fields(node: Node | None, problems: Problems) -> dict[str, FieldDef]:
    if not isinstance(node, Fields):
        return {}
    return {name: _field(name, value, key.span, problems) for name, key, value in named(node, problems)}


def _field(name: str, node: Node, span: Span, problems: Problems) -> FieldDef:
    if not isinstance(node, Fields):
        return FieldDef(name, formula(node, problems), None, span)
    column = node.get("column")
    is_: Formula | Column | None = formula(node.get("is"), problems)
    if column is not None and "is" in node.entries:
        message = f"the field `{name}` has both `is` and `column`"
        problems.append(Diagnostic("bad-value", message, node.entries["is"].key.span, "keep one of the two"))
    elif column is not None:
        is_ = Column(text(column) or name, column.span)
    elif "is" not in node.entries:
        is_ = Column(name, span)
    described = (labels(node.get("label")), labels(node.get("description")))
    return FieldDef(name, is_, unit(node, problems), span, *described, additive=_additive(node.get("additive")))


def _lookups(node: Node | None, problems: Problems) -> dict[str, Lookup]:
    if not isinstance(node, Fields):
        return {}
    found = ((name, _lookup(name, value, key.span, problems)) for name, key, value in named(node, problems))
    return {name: lookup for name, lookup in found if lookup is not None}


def _lookup(name: str, node: Node, span: Span, problems: Problems) -> Lookup | None:
    if not isinstance(node, Fields) or (other := node.get("dataset")) is None:
        return None
    on = node.get("on")
    if isinstance(on, Fields):
        written = ((key, text(entry.value)) for key, entry in on.entries.items())
        pairs = tuple((mine, theirs) for mine, theirs in written if theirs is not None)
    else:
        pairs = tuple((both, both) for both in texts(on))
    if on is not None and not pairs:
        message = f"the lookup `{name}` names no column to look rows up by"
        problems.append(Diagnostic("bad-value", message, on.span, "such as `on: customer_id`"))
    ends = texts(node.get("valid"))
    valid = (ends[0], ends[1]) if len(ends) == 2 else None
    only = texts(node.get("fields")) if "fields" in node.entries else None
    return Lookup(
        name, text(other) or "", pairs, valid, only, span, other.span, places(on, node.get("valid"), node.get("fields"))
    )


def _bindings(node: Node | None, problems: Problems) -> dict[str, Binding]:
    if not isinstance(node, Fields):
        return {}
    found = ((name, _binding(name, value, key.span, problems)) for name, key, value in named(node, problems))
    return {name: binding for name, binding in found if binding is not None}


def _binding(name: str, node: Node, span: Span, problems: Problems) -> Binding | None:
    if not isinstance(node, Fields):
        when, right = _when(node, problems)
        return Binding(name, when, None, None, span) if right else None
    when, right = _when(node.get("when"), problems)
    for key in ("key", "prefer"):
        if (entry := node.entries.get(key)) is not None:
            message = f"`{key}` of an event is about all the datasets that provide it"
            hint = f"write it under `events` of the project: `events: {{{name}: {{key: …, prefer: [dataset, …]}}}}`"
            problems.append(Diagnostic("bad-value", message, entry.key.span, hint))
    time = column_or_formula(node.get("time"), problems)
    count = column_or_formula(node.get("count"), problems)
    added = node.get("additive")
    if added is not None and count is None and right:
        message = "`additive` says how counts may be added, but this event has no `count`"
        problems.append(Diagnostic("bad-value", message, added.span, "write it at a field, or leave it out"))
    return Binding(name, when, time, count, span, _additive(added)) if right else None


def _additive(node: Node | None) -> str | None:
    written = text(node)
    return {"true": "yes", "false": "no"}.get(written.lower(), written) if written is not None else None


def _when(node: Node | None, problems: Problems) -> tuple[Formula | None, bool]:
    """Return the condition of a binding (None: all rows), and whether it could be read."""
    if not isinstance(node, Scalar):
        return None, node is None
    expr = parsed(node, parse_binding, problems)
    if expr is None:
        return None, False
    return (None if isinstance(expr, AllRows) else Formula(expr, node.text)), True


def _covers(node: Node | None, problems: Problems) -> Covers | None:
    if not isinstance(node, Fields):
        return None
    start, to = day(node.get("from"), problems), node.get("to")
    if isinstance(to, Scalar) and isinstance(to.data, str) and not is_date(to.written):
        if to.written.isidentifier():
            return Covers(start, None, to.written, to.span)
        hint = "write it as 2026-01-31, or name a dataset"
        problems.append(Diagnostic("bad-value", f"`{to.written}` is no date", to.span, hint))
    end = day(to, problems)
    if start is not None and end is not None and end < start:
        message = f"this coverage ends before it begins ({start})"
        problems.append(Diagnostic("bad-value", message, node.entries["to"].value.span))
    return Covers(start, end)
