"""Hold a document against its JSON Schema: each deviation becomes a diagnostic in the analyst's words.

schemas/project.json is the only place where the shape of the YAML is written. It uses few keywords, listed in
``KEYWORDS``, which draft-07 and 2020-12 read alike; they are read here because a general validator takes a second for
a thousand KPIs. A test holds both verdicts together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from smartkpi.diagnostics import Diagnostic
from smartkpi.nearest import did_you_mean, nearest
from smartkpi.resources import find
from smartkpi.source import Span
from smartkpi.spec.nodes import CUT, Entry, Fields, Items, Node, Scalar

KEYWORDS = frozenset(
    """
    $schema $defs $ref title description type enum const pattern minLength maxLength minimum properties required
    additionalProperties propertyNames anyOf items minItems maxItems
    """.split()  # noqa: SIM905 (a list of twenty texts is a page)
)
_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
_TIGHT = re.compile(r"(\w+):\S")
_MEANT = {"up": "higher", "down": "lower", "max": "higher", "min": "lower", "int": "integer", "count": "integer"}
_MEANT |= {"float": "number", "decimal": "number", "currency": "money", "percentage": "percent"}
_SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}


@dataclass(slots=True, eq=False)
class Shape:
    """One schema, read. ``types`` empty means any type; ``either`` lists keys of which one must stand."""

    title: str = ""
    types: frozenset[str] = frozenset()
    choices: tuple[Any, ...] | None = None
    pattern: re.Pattern[str] | None = None
    lengths: tuple[int, int] = (0, 1 << 60)
    minimum: float | None = None
    properties: dict[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    others: Shape | None = None
    closed: bool = False
    names: re.Pattern[str] | None = None
    names_title: str = ""
    items: Shape | None = None
    sizes: tuple[int, int] = (0, 1 << 60)


@cache
def project_shape() -> Shape:
    """Return the shape of a project, read from schemas/project.json once."""
    return read_shape(json.loads((find("schemas") / "project.json").read_text(encoding="utf-8")))


def read_shape(schema: Mapping[str, Any]) -> Shape:
    """Read a JSON Schema; raise ValueError where it uses a keyword outside of KEYWORDS."""
    known: dict[str, Shape] = {}

    def read(part: Mapping[str, Any]) -> Shape:
        if unknown := part.keys() - KEYWORDS:
            raise ValueError(f"keywords {sorted(unknown)} are not read")
        if "$ref" in part:
            name = part["$ref"].removeprefix("#/$defs/")
            if name not in known:
                known[name] = Shape()
                fill(known[name], schema["$defs"][name])
            return known[name]
        return fill(Shape(), part)

    def fill(shape: Shape, part: Mapping[str, Any]) -> Shape:
        _fill_simple(shape, part)
        shape.properties = {name: read(value) for name, value in part.get("properties", {}).items()}
        more = part.get("additionalProperties", True)
        shape.closed = more is False
        shape.others = read(more) if isinstance(more, dict) else None
        shape.items = read(part["items"]) if "items" in part else None
        return shape

    return read(schema)


def _fill_simple(shape: Shape, part: Mapping[str, Any]) -> None:
    types = part.get("type", ())
    shape.title = part.get("title", "")
    shape.types = frozenset([types] if isinstance(types, str) else types)
    shape.choices = (part["const"],) if "const" in part else tuple(part["enum"]) if "enum" in part else None
    shape.pattern = re.compile(part["pattern"]) if "pattern" in part else None
    shape.lengths = (part.get("minLength", 0), part.get("maxLength", 1 << 60))
    shape.minimum = part.get("minimum")
    shape.required = tuple(part.get("required", ()))
    shape.either = tuple(name for branch in part.get("anyOf", ()) for name in branch["required"])
    if "propertyNames" in part:
        shape.names = re.compile(part["propertyNames"]["pattern"])
        shape.names_title = part["propertyNames"]["title"]
    shape.sizes = (part.get("minItems", 0), part.get("maxItems", 1 << 60))


@dataclass(frozen=True, slots=True)
class _Place:
    """A value on its way down: the key it stands under, the mappings around it."""

    key: Scalar | None
    above: tuple[tuple[Shape, Scalar | None], ...]


def check_shape(node: Node, shape: Shape) -> Iterator[Diagnostic]:
    """Yield what is wrong with the shape of a document."""
    yield from _check(node, shape, _Place(None, ()))


def _check(node: Node, shape: Shape, place: _Place) -> Iterator[Diagnostic]:
    match node:
        case Scalar():
            problem = _check_scalar(node, shape, place)
            if problem is not None:
                yield problem
        case Fields():
            if shape.choices is not None or (shape.types and "object" not in shape.types):
                yield _wrong_type(node, shape, place)
            else:
                yield from _check_fields(node, shape, place)
        case Items():
            if shape.choices is not None or (shape.types and "array" not in shape.types):
                yield _wrong_type(node, shape, place)
            else:
                yield from _check_items(node, shape, place)


def _check_items(node: Items, shape: Shape, place: _Place) -> Iterator[Diagnostic]:
    least, most = shape.sizes
    if not least <= len(node.items) <= most:
        said, bound = ("at least", least) if len(node.items) < least else ("at most", most)
        message = f"{_named(place, shape)} must have {said} {bound} item{'' if bound == 1 else 's'}"
        yield Diagnostic("bad-value", message, _span(node, place))
    if shape.items is not None:
        within = _Place(None, (*place.above, (shape, place.key)))
        for item in node.items:
            yield from _check(item, shape.items, within)


def _check_fields(node: Fields, shape: Shape, place: _Place) -> Iterator[Diagnostic]:
    properties, others = shape.properties, shape.others
    above = (*place.above, (shape, place.key))
    for name, entry in node.entries.items():
        inner = properties.get(name)
        if inner is None:
            if shape.names is not None and not shape.names.search(name):
                message = f"`{name}` is not {shape.names_title}"
                yield Diagnostic("bad-value", message, entry.key.span)
            if shape.closed:
                yield _unknown_key(entry, shape, place)
                continue
            inner = others
        if inner is None:
            continue
        value = entry.value
        if isinstance(value, Scalar):  # most values are: no generator for them
            problem = _check_scalar(value, inner, _Place(entry.key, above))
            if problem is not None:
                yield problem
        else:
            yield from _check(value, inner, _Place(entry.key, above))
    yield from _check_required(node, shape, place)


def _check_required(node: Fields, shape: Shape, place: _Place) -> Iterator[Diagnostic]:
    missing = [name for name in shape.required if name not in node.entries]
    if shape.either and not any(name in node.entries for name in shape.either):
        missing.append(shape.either[0])
    for name in missing:
        if nearest(name, (key for key in node.entries if key not in shape.properties), alike=0.7):
            continue  # said with the unknown key
        code = "missing-formula" if name == "formula" else "missing-key"
        message = f"{_named(place, shape)} has no `{name}`"
        yield Diagnostic(code, message, _span(node, place), f"add `{name}: …`")


def _check_scalar(node: Scalar, shape: Shape, place: _Place) -> Diagnostic | None:
    types = shape.types
    if node.style == CUT:
        return None
    kind = _kind(node.data)
    if types and kind not in types and not (kind == "integer" and "number" in types) and not _is_whole(node, types):
        return _wrong_type(node, shape, place)
    if shape.choices is not None and not any(_equal(node.data, choice) for choice in shape.choices):
        return _wrong_choice(node, shape, place)
    if kind == "string":
        return _check_text(node, shape, place)
    if shape.minimum is not None and kind in ("integer", "number") and _less(node.data, shape.minimum):
        return Diagnostic("bad-value", f"{_named(place, shape)} must be at least {shape.minimum}", node.span)
    return None


def _check_text(node: Scalar, shape: Shape, place: _Place) -> Diagnostic | None:
    least, most = shape.lengths
    if shape.properties and node.style == "" and (found := _TIGHT.match(node.written)) and found[1] in shape.properties:
        return _missing_space(node, found[1])
    if shape.pattern is not None and not shape.pattern.search(node.written):
        message = f"{_named(place, shape)} must be {shape.title}, not `{_cut(node.written)}`"
        return Diagnostic("bad-value", message, node.span)
    if not least <= len(node.written) <= most:
        if not node.written:
            return _empty(node, shape, place)
        return Diagnostic("bad-value", f"{_named(place, shape)} must be {shape.title}", node.span)
    return None


def _kind(value: object) -> str:
    match value:
        case str():
            return "string"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return "null"


def _is_whole(node: Scalar, types: frozenset[str]) -> bool:
    return "integer" in types and isinstance(node.data, float) and node.data.is_integer()


def _less(value: object, least: float) -> bool:
    return isinstance(value, int | float) and value < least


def _equal(value: object, choice: object) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _cut(text: str) -> str:
    line = text.split("\n")[0]
    return line if len(line) <= 60 else line[:59] + "…"


def _named(place: _Place, shape: Shape) -> str:
    """Name a value by its key, an item of a list by what it is."""
    if place.key is None:
        return "the project" if not place.above else shape.title or "an item"
    return f"`{_cut(place.key.written)}`"


def _span(node: Node, place: _Place) -> Span:
    """Return where to point: a scalar itself, else the key, as a block has no one line."""
    if isinstance(node, Scalar) and node.end > node.start:
        return node.span
    if place.key is not None:
        return place.key.span
    if isinstance(node, Fields) and node.entries:
        return next(iter(node.entries.values())).key.span
    return Span(node.source, node.start, min(node.start + 1, node.end))


def _empty(node: Scalar, shape: Shape, place: _Place) -> Diagnostic:
    hint = "write its value or remove it"
    return Diagnostic("empty-value", f"{_named(place, shape)} is empty", _span(node, place), hint)


def _wrong_type(node: Node, shape: Shape, place: _Place) -> Diagnostic:
    if isinstance(node, Scalar):
        if node.data is None and node.written == "":
            if "formula" in shape.either or (place.key is not None and place.key.written == "formula"):
                return _missing_formula(node, shape, place)
            return _empty(node, shape, place)
        found = _TIGHT.match(node.written) if node.style == "" else None
        if found and "object" in shape.types and (found[1] in shape.properties or shape.others is not None):
            return _missing_space(node, found[1])
    given = {"Fields": "a mapping", "Items": "a list"}.get(type(node).__name__)
    if isinstance(node, Scalar):
        given = "empty" if node.data is None else f"{_WORDS[_kind(node.data)]}: `{_cut(node.written)}`"
    wanted = _wanted(shape)
    hint = _as_mapping(node) if isinstance(node, Items) and "object" in shape.types else ""
    if isinstance(node, Scalar) and "：" in node.written and "object" in shape.types:
        hint = "the colon behind a key is `:` with a space, not `：`"
    elif isinstance(node, Scalar) and shape.types == {"boolean"} and node.written.lower() in _SWITCHES:
        hint = f"write `{_SWITCHES[node.written.lower()]}`"
    return Diagnostic("wrong-type", f"{_named(place, shape)} must be {wanted}, not {given}", _span(node, place), hint)


def _as_mapping(node: Items) -> str:
    """Return how a list becomes the mapping that it should be."""
    if node.source.text.startswith("[", node.start):
        return "a mapping stands in braces: `{name: value}`"
    name = node.items[0].get("name") if node.items and isinstance(node.items[0], Fields) else None
    if isinstance(name, Scalar):
        return f"the name is the key: write `{_cut(name.written)}:` instead of `- name: {_cut(name.written)}`"
    return "remove the `- ` before its keys"


def _missing_formula(node: Scalar, shape: Shape, place: _Place) -> Diagnostic:
    owner = place.key if "formula" in shape.either else place.above[-1][1]
    named = f"`{owner.written}`" if owner is not None else shape.title
    return Diagnostic("missing-formula", f"{named} has no `formula`", _span(node, place), "write its formula")


def _missing_space(node: Scalar, name: str) -> Diagnostic:
    span = Span(node.source, node.start, node.start + len(name) + 1)
    message = f"a space is missing behind the colon of `{name}:`"
    return Diagnostic("yaml-space", message, span, f"write `{name}: …`")


def _wanted(shape: Shape) -> str:
    if shape.choices is not None:
        return f"one of {', '.join(_choices(shape))}"
    if shape.title and "object" not in shape.types:
        return shape.title
    if "object" in shape.types and shape.others is not None and not shape.properties:
        rest = [_WORDS[t] for t in ("string", "number", "array", "boolean") if t in shape.types]
        return " or ".join([*rest, "a mapping from names to values"])
    return " or ".join(_WORDS[t] for t in _WORDS if t in shape.types and t != "null")


def _choices(shape: Shape) -> list[str]:
    """Return the choices as they are written; those that YAML reads as true or false have a word beside them."""
    return [str(choice) for choice in shape.choices or () if choice is not None and not isinstance(choice, bool)]


def _wrong_choice(node: Scalar, shape: Shape, place: _Place) -> Diagnostic:
    choices = _choices(shape)
    if len(choices) == 1:
        said = f"{_named(place, shape)} can only be `{choices[0]}`, not `{_cut(node.written)}`"
    else:
        said = f"{_named(place, shape)} must be one of {', '.join(choices)}, not `{_cut(node.written)}`"
    if place.key is not None and place.key.written == "smartkpi":
        message = f"this is version `{_cut(node.written)}` of the format; only version 1 is known"
        return Diagnostic("bad-version", message, node.span, "write `smartkpi: 1`")
    meant = _MEANT.get(node.written.lower().strip(), "percent" if node.written.endswith("%") else "")
    if "money" in choices and re.fullmatch(r"[A-Z]{3}|[€$£¥]", node.written):
        meant = "money"
    hint = f"write `{meant}`" if meant in choices else did_you_mean(node.written, choices)
    return Diagnostic("bad-value", said, _span(node, place), hint)


def _unknown_key(entry: Entry, shape: Shape, place: _Place) -> Diagnostic:
    name = entry.key.written
    title = shape.title or "this"
    message = f"`{_cut(name)}` is not a key of {title}"
    hint = _where_it_belongs(name, entry.value, shape, place)
    hint = hint or did_you_mean(name, shape.properties, alike=_alike(name)) or f"keys: {', '.join(shape.properties)}"
    return Diagnostic("unknown-key", message, entry.key.span, hint)


def _alike(name: str) -> float:
    """Return how much of a key must agree: of three letters two do where two are swapped."""
    return 0.66 if len(name) <= 3 else 0.7


def _where_it_belongs(name: str, value: Node, shape: Shape, place: _Place) -> str:
    """Say to which level a key belongs that stands at another: it is indented too deep, or not deep enough."""
    inner = [key for key, part in shape.properties.items() if name in part.properties]
    if not place.above and isinstance(value, Fields):
        if "formula" in value.entries:
            return "a KPI stands under `kpis:`, indented"
        if "read" in value.entries:
            return "a dataset stands under `datasets:`, indented"
    for outer, key in reversed(place.above):
        if name in outer.properties and not (outer.properties[name].types == frozenset() and not outer.title):
            owner = f"to `{_cut(key.written)}`" if key is not None else "at the top of the file"
            return f"it belongs {owner}: indent it less"
    if inner and place.above:
        return f"it belongs under `{inner[0]}:`"
    if not place.above and isinstance(value, Scalar) and not nearest(name, shape.properties, alike=0.7):
        return "names stand under a section such as `kpis:` or `constants:`, indented"
    return ""
