"""YAML 1.2 from the event stream: values with places, bounds, and every mistake with its fix.

The parser underneath speaks YAML 1.1. Only its events are used: scalars get their types here (`scalars.resolve`), and
nodes are built in a loop, so that no input can exhaust the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from smartkpi.diagnostics import Diagnostic, KpiError, Note
from smartkpi.source import Source, Span
from smartkpi.spec.nodes import CUT, Entry, Fields, Items, Node, Scalar
from smartkpi.spec.recovery import Lost, cut_definition
from smartkpi.spec.scalars import resolve
from smartkpi.spec.syntax_errors import explain_syntax

MAX_BYTES = 8_000_000
MAX_DEPTH = 40
MAX_NODES = 500_000
MAX_ALIASED = 50_000  # nodes that aliases repeat
MAX_RECOVERIES = 20

_PARSER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE_SEPARATORS = "\x85\u2028\u2029"  # line breaks in YAML 1.1, letters in 1.2
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:[ \t\r\n]+|#[^\n]*\n)*)*")
_COMMENT = re.compile(r"[ \t]+#")
_DECIMAL = re.compile(r"([0-9]+),([0-9]+)(?=[\s,}\]]|$)", re.ASCII)
_COMMA = re.compile(r"\s*,")
_CORE_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its value (None where nothing could be read) and what is wrong with it.

    ``lost`` names the definitions that were cut out because they are no YAML.
    """

    source: Source
    root: Node | None
    diagnostics: tuple[Diagnostic, ...] = ()
    lost: tuple[Lost, ...] = ()


def decode(data: bytes, name: str) -> Source:
    """Return the text of a file; raise KpiError where it is too large or not UTF-8.

    A byte order mark is left out, line ends stand as they are; a lone carriage return ends a line.
    """
    if len(data) > MAX_BYTES:
        raise KpiError(Diagnostic("file-too-large", f"`{name}` has more than {MAX_BYTES:,} bytes"))
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:2]:
        text = f"`{name}` is UTF-16, not UTF-8"
        raise KpiError(Diagnostic("bad-encoding", text, hint="save the file as UTF-8"))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        source = Source(name, data.decode("utf-8", "replace"))
        at = len(data[: error.start].decode("utf-8"))
        message = f"`{name}` is not UTF-8: byte {data[error.start]:#04x} is no part of a letter"
        span = Span(source, at, at + 1)
        raise KpiError(Diagnostic("bad-encoding", message, span, "save the file as UTF-8")) from None
    return Source(name, lone_returns(text.removeprefix("\ufeff")))


def lone_returns(text: str) -> str:
    """Return a text in which a carriage return without line feed is a line feed: YAML ends the line there."""
    return re.sub(r"\r(?!\n)", "\n", text) if "\r" in text else text


def read_document(source: Source) -> Document:
    """Read a text as YAML. Wrong input ends in diagnostics; what can be read around it is."""
    text, problems = _without_forbidden(source)
    lost: list[Lost] = []
    fatal: list[Diagnostic] = []
    for _ in range(MAX_RECOVERIES):
        state = _State(source)
        try:
            _read(text, state)
        except _NotYamlError as error:
            fatal.append(error.diagnostic)
            cut = cut_definition(text, error.place, error.diagnostic)
            if cut is None:
                break
            text, definition = cut
            lost.append(definition)
        except KpiError as error:
            fatal.extend(error.diagnostics)
            break
        else:
            return Document(source, state.root, (*problems, *fatal, *state.diagnostics), tuple(lost))
    return Document(source, None, (*problems, *fatal, *state.diagnostics), tuple(lost))


def _without_forbidden(source: Source) -> tuple[str, list[Diagnostic]]:
    """Return the text with spaces for characters that YAML forbids, and one diagnostic about them."""
    found = _FORBIDDEN.search(source.text)
    if not found:
        return source.text, []
    text, count = _FORBIDDEN.subn(" ", source.text)
    name = "a NUL character" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
    message = f"the file holds {name}" + (f", and {count - 1} more of the kind" if count > 1 else "")
    span = Span(source, found.start(), found.end())
    return text, [Diagnostic("bad-character", message, span, 'remove it, or write it as an escape in `"…"`')]


class _NotYamlError(Exception):
    """The text is no YAML from ``place`` on."""

    def __init__(self, diagnostic: Diagnostic, place: int) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.place = place


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come."""

    start: int
    flow: bool
    anchor: str | None
    items: list[Node] | None
    entries: dict[str, Entry]
    nodes: int
    key: Scalar | None = None
    skip: bool = False


@dataclass(slots=True)
class _State:
    source: Source
    root: Node | None = None
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)
    nodes: int = 0
    aliased: int = 0
    documents: int = 0
    diagnostics: list[Diagnostic] = field(default_factory=list)


def _read(text: str, state: _State) -> None:
    hidden = _hide_separators(text)
    parser = _PARSER(hidden[0])
    restore = hidden[1]
    handlers = _HANDLERS
    try:
        while (event := parser.get_event()) is not None:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(state, event, restore)
    except yaml.MarkedYAMLError as error:
        raise _syntax_problem(state, error) from None
    except yaml.reader.ReaderError as error:
        diagnostic = Diagnostic("yaml-syntax", f"this is no YAML: {error.reason}", Span(state.source, 0, 0))
        raise _NotYamlError(diagnostic, 0) from None
    finally:
        parser.dispose()


def _syntax_problem(state: _State, error: yaml.MarkedYAMLError) -> _NotYamlError:
    end = len(state.source.text)
    mark, context = error.problem_mark, error.context_mark
    place = min(mark.index, end) if mark else end
    before = min(context.index, end) if context and error.context else None
    diagnostic = explain_syntax(state.source, error.problem or "", error.context or "", place, before)
    return _NotYamlError(diagnostic, diagnostic.span.start if diagnostic.span else place)


def _hide_separators(text: str) -> tuple[str, dict[int, str] | None]:
    """Put private letters for line breaks of YAML 1.1 that are none in 1.2, and say how to bring them back."""
    if text.isascii() or not any(separator in text for separator in _LINE_SEPARATORS):
        return text, None
    used = set(text)
    spare = iter(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in used)
    there = dict(zip(_LINE_SEPARATORS, spare, strict=False))
    back = {ord(private): separator for separator, private in there.items()}
    return text.translate({ord(separator): private for separator, private in there.items()}), back


def _on_document(state: _State, event: Any, _: object) -> None:
    state.documents += 1
    if state.documents > 1:
        span = Span(state.source, event.start_mark.index, max(event.end_mark.index, event.start_mark.index))
        hint = "a project of several parts is a folder of files"
        raise KpiError(Diagnostic("several-documents", "a second document begins here", span, hint))


def _on_scalar(state: _State, event: Any, restore: dict[int, str] | None) -> None:
    start, end = event.start_mark.index, event.end_mark.index
    if event.anchor is not None or event.tag is not None:
        start = _after_properties(state.source.text, start, end)
    style = event.style or ""
    written = event.value if restore is None else event.value.translate(restore)
    style = "" if style == "\x00" else style
    data = resolve(written) if style == "" and event.tag is None else written
    node = Scalar(written, data, style, state.source, start, end)
    if event.tag is not None:
        node = _tagged(state, node, event.tag, Span(state.source, event.start_mark.index, end))
    if state.stack:
        top = state.stack[-1]
        if style == "" and end > start and _is_cut(state, node, top):
            node = Scalar(written, written, CUT, state.source, start, end)
        elif style == ">" and not written and start + 1 < end:
            _folded_by_mistake(state, node)
    _add(state, node, event.anchor, 1)


def _after_properties(text: str, start: int, end: int) -> int:
    found = _PROPERTIES.match(text, start, end)
    return found.end() if found else start


def _tagged(state: _State, node: Scalar, tag: str, span: Span) -> Scalar:
    kind = "str" if tag == "!" else _CORE_TAGS.get(tag)
    if kind is None or kind in ("map", "seq"):
        _bad_tag(state, tag, span)
        return node
    if kind == "str":
        return Scalar(node.written, node.written, node.style or "!", node.source, node.start, node.end)
    data = resolve(node.written)
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
    if not isinstance(data, kinds[kind]) or (kind != "bool" and isinstance(data, bool)):
        _bad_tag(state, tag, span)
    return Scalar(node.written, data, node.style, node.source, node.start, node.end)


def _bad_tag(state: _State, tag: str, span: Span) -> None:
    shown = "!!" + tag.removeprefix("tag:yaml.org,2002:") if tag.startswith("tag:yaml.org,2002:") else tag
    hint = "remove it; a text that begins with `!` goes in quotes"
    state.diagnostics.append(Diagnostic("yaml-tag", f"the tag `{shown}` has no meaning here", span, hint))


def _is_cut(state: _State, node: Scalar, top: _Open) -> bool:
    """Report a plain text that a ` #` or, within `{…}` and `[…]`, a comma has cut in two; return whether one has."""
    text = state.source.text
    follows = text[node.end : node.end + 1]
    if follows in (" ", "\t") and _COMMENT.match(text, node.end) and _is_open(node.written):
        hint = "put the whole text in quotes"
        message = "` #` begins a comment here and cuts the text off inside an open quote or parenthesis"
        at = text.index("#", node.end)
        state.diagnostics.append(Diagnostic("yaml-hash", message, Span(node.source, at, at + 1), hint))
        return True
    if top.flow and "(" in node.written and _is_open(node.written):
        comma = _COMMA.match(text, node.end)
        if comma:
            _cut_by_comma(state, top, Span(node.source, comma.end() - 1, comma.end()))
            return True
    return False


def _cut_by_comma(state: _State, top: _Open, span: Span) -> None:
    shown = "{…}" if top.items is None else "[…]"
    text = state.source.text
    message = f"inside `{shown}` this comma ends the text before it"
    hint = 'put the text in quotes: {formula: "least(a, b)"}'
    start = text.rfind(" ", 0, span.start) + 1
    if number := _DECIMAL.match(text, start):
        hint = f"decimals stand behind a point: `{number[1]}.{number[2]}`"
    state.diagnostics.append(Diagnostic("yaml-comma", message, span, hint))
    top.skip = True


def _is_open(text: str) -> bool:
    """Return whether a text ends within a quote or a parenthesis; an apostrophe within a word opens nothing."""
    depth, quote, before = 0, "", " "
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter == '"' or (letter == "'" and not before.isalnum()):
            quote = letter
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        before = letter
    return bool(quote) or depth > 0


def _folded_by_mistake(state: _State, node: Scalar) -> None:
    source = node.source
    line_end = source.text.find("\n", node.start)
    line = source.text[node.start : line_end if line_end >= 0 else None].rstrip()
    if len(line) > 1:
        span = Span(source, node.start, node.start + len(line))
        message = f"YAML reads `{line}` as the start of a folded text, not as a comparison"
        state.diagnostics.append(Diagnostic("yaml-folded", message, span, f'put it in quotes: "{line}"'))


def _on_mapping(state: _State, event: Any, _: object) -> None:
    _open(state, event, None, "map")


def _on_sequence(state: _State, event: Any, _: object) -> None:
    _open(state, event, [], "seq")


def _open(state: _State, event: Any, items: list[Node] | None, kind: str) -> None:
    start = event.start_mark.index
    if event.anchor is not None or event.tag is not None:
        start = _after_properties(state.source.text, start, len(state.source.text))
    if event.tag is not None and _CORE_TAGS.get(event.tag) != kind:
        _bad_tag(state, event.tag, Span(state.source, event.start_mark.index, max(start, event.start_mark.index)))
    if len(state.stack) >= MAX_DEPTH:
        span = Span(state.source, start, start + 1)
        raise KpiError(Diagnostic("too-deep", f"values are nested more than {MAX_DEPTH} deep", span))
    if state.stack and state.stack[-1].items is None and state.stack[-1].key is None:
        raise KpiError(_complex_key(state, start))
    state.stack.append(_Open(start, bool(event.flow_style), event.anchor, items, {}, state.nodes))


def _complex_key(state: _State, start: int) -> Diagnostic:
    span = Span(state.source, start, start + 1)
    if "{{" in state.source.text[max(start - 1, 0) : start + 2]:
        hint = "templates such as {{ name }} are not part of the language; constants are"
        return Diagnostic("yaml-key", "a key must be a text, not a mapping", span, hint)
    return Diagnostic("yaml-key", "a key must be a text, not a list or a mapping", span)


def _on_end(state: _State, event: Any, _: object) -> None:
    top = state.stack.pop()
    if top.flow:
        end = event.end_mark.index
    elif top.items is None:
        last = next(reversed(top.entries.values()), None)
        end = max(last.value.end, last.key.end) if last else top.start
    else:
        end = top.items[-1].end if top.items else top.start
    node: Node
    if top.items is None:
        node = Fields(top.entries, state.source, top.start, max(end, top.start))
    else:
        node = Items(tuple(top.items), state.source, top.start, max(end, top.start))
    _add(state, node, top.anchor, state.nodes - top.nodes + 1)


def _on_alias(state: _State, event: Any, _: object) -> None:
    start, end = event.start_mark.index, event.end_mark.index
    span = Span(state.source, start, end)
    found = state.anchors.get(event.anchor)
    if found is None:
        itself = any(event.anchor == level.anchor for level in state.stack)
        message = f"`*{event.anchor}` repeats itself" if itself else f"no `&{event.anchor}` stands before this alias"
        hint = "" if itself else "a text that begins with `*` goes in quotes"
        state.diagnostics.append(Diagnostic("yaml-alias", message, span, hint))
        _add(state, Scalar("", None, CUT, state.source, start, end), None, 1)
        return
    node, size = found
    state.aliased += size
    if state.aliased > MAX_ALIASED:
        message = f"aliases repeat more than {MAX_ALIASED:,} values"
        raise KpiError(Diagnostic("too-many-aliases", message, span))
    state.nodes += size - 1
    _add(state, node, None, size)


def _add(state: _State, node: Node, anchor: str | None, size: int) -> None:
    """Put a finished value where it belongs: the root, a list, a key, or the value of the key before."""
    state.nodes += 1
    if state.nodes > MAX_NODES:
        span = Span(node.source, node.start, node.start + 1)
        raise KpiError(Diagnostic("too-many-values", f"a file holds more than {MAX_NODES:,} values", span))
    if anchor is not None:
        state.anchors[anchor] = (node, size)
    if not state.stack:
        state.root = node
        return
    top = state.stack[-1]
    if top.items is not None:
        top.items.append(node)
    elif top.key is None:
        top.key = _checked_key(state, node)
    else:
        key, top.key = top.key, None
        _add_entry(state, top, key, node)


def _checked_key(state: _State, node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise KpiError(_complex_key(state, node.start))
    if node.style == "" and node.data is None:
        hint = "" if node.written else "write the name before the colon"
        state.diagnostics.append(Diagnostic("yaml-key", "a key is empty", node.span, hint))
    elif node.written == "<<" and node.style == "":
        hint = "write the keys out, or repeat the whole value with `*name`"
        message = "`<<` merges mappings in YAML 1.1; YAML 1.2 has no such key"
        state.diagnostics.append(Diagnostic("yaml-merge", message, node.span, hint))
    return node


def _add_entry(state: _State, top: _Open, key: Scalar, node: Node) -> None:
    if (key.style == "" and key.data is None) or (key.written == "<<" and key.style == ""):
        return
    if top.flow and top.entries and _is_bare(state, key, node):
        if not top.skip:
            at = state.source.text.rfind(",", 0, key.start)
            _cut_by_comma(state, top, Span(state.source, at, at + 1))
        return
    if (first := top.entries.get(key.written)) is not None:
        message = f"the key `{key.written}` stands here twice"
        notes = (Note("it stands first here", first.key.span),)
        hint = "keep one of the two"
        state.diagnostics.append(Diagnostic("duplicate-key", message, key.span, hint, notes))
        if len(state.stack) == 1 and isinstance(first.value, Fields) and isinstance(node, Fields):
            first.value.entries.update({k: e for k, e in node.entries.items() if k not in first.value.entries})
        return
    top.entries[key.written] = Entry(key, node)


def _is_bare(state: _State, key: Scalar, node: Node) -> bool:
    """Return whether a key of `{…}` has neither a value nor a colon: it was part of a text that a comma cut."""
    if not isinstance(node, Scalar) or node.style or node.end > node.start:
        return False
    return ":" not in state.source.text[key.end : node.end + 1]


_HANDLERS: dict[type, Any] = {
    yaml.DocumentStartEvent: _on_document,
    yaml.ScalarEvent: _on_scalar,
    yaml.AliasEvent: _on_alias,
    yaml.MappingStartEvent: _on_mapping,
    yaml.SequenceStartEvent: _on_sequence,
    yaml.MappingEndEvent: _on_end,
    yaml.SequenceEndEvent: _on_end,
}
