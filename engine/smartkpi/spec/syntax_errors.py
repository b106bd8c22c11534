"""What is wrong with a text that is no YAML, in the words of one who does not know YAML."""

from __future__ import annotations

import re

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.source import Source, Span

_TIGHT_COLON = re.compile(r"""\s*(?:- )?([\w"'.-]+):(?=[^\s/:])""")
_INDENT = re.compile(r"[ \t]*")
_STARTERS = {"`": "a backtick"}


def explain_syntax(source: Source, problem: str, context: str, place: int, before: int | None) -> Diagnostic:
    """Return the diagnostic for a syntax error that the parser found at a place.

    ``before`` is where the construct began that it was reading: a quote, a bracket, a block.
    """
    tab = _tab_in_indent(source, place)
    if "block scalar" in context and before is not None:
        return _folded(source, before)
    if "cannot start any token" in problem:
        return tab or _bad_start(source, place)
    if "quoted scalar" in context and before is not None:
        return _quoted(source, problem, place, before)
    if "scanning an alias" in context or "scanning an anchor" in context:
        return _starter(source, before if before is not None else place)
    if "tag" in context or "tag" in problem:
        return _tag(source, before if before is not None else place)
    if "directive" in context or "directive" in problem:
        return _starter(source, before if before is not None else place)
    if tab is not None:
        return tab
    if "mapping values are not allowed" in problem:
        return _colon(source, place)
    if "simple key" in context and before is not None:
        return _no_colon(source, before)
    if "unexpected ':'" in problem:
        return _other(source, problem, place)
    if "flow" in context and before is not None:
        return _flow(source, problem, place, before)
    if "block" in context or "entries are not allowed" in problem:
        return _block(source, problem, place)
    return _other(source, problem, place)


def _line_start(source: Source, place: int) -> int:
    return source.text.rfind("\n", 0, place) + 1


def _line_end(source: Source, place: int) -> int:
    end = source.text.find("\n", place)
    end = len(source.text) if end < 0 else end
    return end - 1 if end > place and source.text[end - 1] == "\r" else end


def _one(source: Source, place: int) -> Span:
    return Span(source, place, min(place + 1, len(source.text)))


def _tab_in_indent(source: Source, place: int) -> Diagnostic | None:
    start = _line_start(source, place)
    found = _INDENT.match(source.text, start)
    indent = found[0] if found else ""
    if "\t" not in indent:
        return None
    at = start + indent.index("\t")
    return Diagnostic("yaml-tab", "a tab indents this line", _one(source, at), "indent with spaces")


def _folded(source: Source, before: int) -> Diagnostic:
    end = before
    while end < len(source.text) and source.text[end] not in "\n\r" and source.text[end : end + 2] != " #":
        end += 1
    written = source.text[before:end].rstrip()
    span = Span(source, before, before + len(written))
    if written.startswith(">"):
        message = f"YAML reads `{written}` as the start of a folded text, not as a comparison"
    else:
        message = f"YAML reads `{written}` as the start of a text of several lines"
    return Diagnostic("yaml-folded", message, span, f'put it in quotes: "{written}"')


def _bad_start(source: Source, place: int) -> Diagnostic:
    letter = source.text[place : place + 1]
    if letter in (">", "|"):
        end = place
        while end < len(source.text) and source.text[end] not in ",}]\n\r":
            end += 1
        return _comparison(source, place, end)
    if letter == "\t":
        return Diagnostic("yaml-tab", "a tab stands here", _one(source, place), "use spaces")
    return _starter(source, place)


def _comparison(source: Source, place: int, end: int) -> Diagnostic:
    written = source.text[place:end].rstrip()
    span = Span(source, place, place + len(written))
    message = f"a text cannot begin with `{written[0]}` in YAML"
    return Diagnostic("yaml-folded", message, span, f'put it in quotes: "{written}"')


def _starter(source: Source, place: int) -> Diagnostic:
    letter = source.text[place : place + 1]
    message = f"a text cannot begin with {_STARTERS.get(letter, f'`{letter}`')} in YAML"
    return Diagnostic("yaml-start", message, _one(source, place), "put the text in quotes")


def _tag(source: Source, place: int) -> Diagnostic:
    message = "a text that begins with `!` is a tag in YAML, and this one has no meaning"
    return Diagnostic("yaml-tag", message, _one(source, place), "put the text in quotes")


def _quoted(source: Source, problem: str, place: int, before: int) -> Diagnostic:
    if "escape" in problem or "hex" in problem.lower():
        at = source.text.rfind("\\", before, place + 2)
        at = before if at < 0 else at
        message = 'in a text in `"…"` a backslash begins an escape, and this is none'
        return Diagnostic("yaml-escape", message, Span(source, at, min(at + 2, len(source.text))), "use '…' instead")
    quote = source.text[before : before + 1]
    message = f"this quote is never closed: no `{quote}` follows"
    return Diagnostic("yaml-quote", message, _one(source, before), f"close it with `{quote}`")


def _colon(source: Source, place: int) -> Diagnostic:
    start = _line_start(source, place)
    line_before = source.text[start:place]
    tight = _tight(source, start, place) or _tight_before(source, start)
    if tight is not None:
        return tight
    if re.search(r"(:\s|\S\s+-\s)", line_before) or re.match(r"""\s*(- )?["'].*["']\s""", line_before):
        message = "a colon and a space within a text read as a key and its value"
        return Diagnostic("yaml-colon", message, _one(source, place), "put the whole text in quotes")
    return _indentation(source, start, "this line is indented under a key that already has its value")


def _tight(source: Source, start: int, place: int) -> Diagnostic | None:
    found = _TIGHT_COLON.match(source.text, start)
    if not found or found.end() > _line_end(source, start) or found.end() > max(place, start + 1) + 1:
        return None
    return _tight_colon(source, found)


def _tight_before(source: Source, start: int) -> Diagnostic | None:
    """Look at the line before: `a:b` has no value of its own, so the next line ran into it."""
    while start > 0:
        end = start - 1
        start = source.text.rfind("\n", 0, end) + 1
        line = source.text[start:end].strip()
        if line and not line.startswith("#"):
            found = _TIGHT_COLON.match(source.text, start)
            return _tight_colon(source, found) if found and found.end() <= end else None
    return None


def _tight_colon(source: Source, found: re.Match[str]) -> Diagnostic:
    name = found[1]
    span = Span(source, found.start(1), found.end())
    message = f"a space is missing behind the colon of `{name}:`"
    return Diagnostic("yaml-space", message, span, f"write `{name}: …`")


def _no_colon(source: Source, before: int) -> Diagnostic:
    start = _line_start(source, before)
    tight = _tight(source, start, _line_end(source, before))
    if tight is not None:
        return tight
    end = _line_end(source, before)
    written = source.text[before:end].rstrip()
    shown = written if len(written) <= 40 else written[:39] + "…"
    message = f"`{shown}` is neither a key with a value nor part of the text above"
    hint = "a key ends in `:`; a text of several lines is indented deeper than its key"
    return Diagnostic("yaml-no-key", message, Span(source, before, before + len(written)), hint)


def _flow(source: Source, problem: str, place: int, before: int) -> Diagnostic:
    bracket = source.text[before : before + 1]
    close = {"{": "}", "[": "]"}.get(bracket, "}")
    if bracket not in ("{", "["):
        return _other(source, problem, place)
    same_line = "\n" not in source.text[before:place]
    if same_line and place < _line_end(source, before):
        message = f"inside `{bracket}…{close}` a comma or `{close}` is missing before this"
        hint = "a text that holds `[ ] { } , :` goes in quotes"
        return Diagnostic("yaml-bracket", message, _one(source, place), hint)
    message = f"this `{bracket}` is never closed: no `{close}` follows where it should"
    return Diagnostic("yaml-bracket", message, _one(source, before), f"close it with `{close}`")


def _block(source: Source, problem: str, place: int) -> Diagnostic:
    start = _line_start(source, place)
    before = source.text[start:place].rstrip()
    if before.endswith(('"', "'")):
        message = "text follows a closing quote: YAML ends the value at the quote"
        hint = """put the whole in quotes of the other kind: '"BR" == country'"""
        return Diagnostic("yaml-quote", message, _one(source, place), hint)
    if before.endswith(("}", "]")):
        message = f"text follows a closing `{before[-1]}`: YAML ends the value there"
        return Diagnostic("yaml-bracket", message, _one(source, place), "put the whole text in quotes")
    if "entries are not allowed" in problem and before.strip():
        return Diagnostic("yaml-start", "a text cannot begin with `- `", _one(source, place), "put the text in quotes")
    if place < len(source.text) and source.text[place] in "]}":
        message = f"`{source.text[place]}` closes nothing"
        return Diagnostic("yaml-bracket", message, _one(source, place), "put the text in quotes")
    if place < len(source.text) and source.text[place] == ":" and not before.strip(" -"):
        return Diagnostic("yaml-key", "a key is empty", _one(source, place), "write the name before the colon")
    return _indentation(source, start, "the indentation of this line fits no line above it")


def _indentation(source: Source, start: int, message: str) -> Diagnostic:
    found = _INDENT.match(source.text, start)
    width = len(found[0]) if found else 0
    levels = sorted({level for level in _levels_above(source, start) if level != width})
    ways = " or ".join(str(level) for level in levels[-3:])
    hint = f"indent it by {ways} spaces, not {width}" if levels else "begin all keys of one level in the same column"
    end = _line_end(source, start)
    at = min(start + width, end)
    note = (Note("keys of one level begin in the same column"),)
    return Diagnostic("yaml-indent", message, Span(source, at, max(end, at)), hint, note)


def _levels_above(source: Source, start: int) -> list[int]:
    """Return the indentations that are open above a line: those of its ancestors and its elder sisters."""
    levels: list[int] = []
    least = 1 << 30
    lines = source.text[max(0, start - 20_000) : start].split("\n")[:-1]
    for line in reversed(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            indent = len(line) - len(line.lstrip(" "))
            if indent < least:
                levels.append(indent)
                least = indent
        if least == 0:
            break
    return levels


def _other(source: Source, problem: str, place: int) -> Diagnostic:
    letter = source.text[place : place + 1]
    span = _one(source, place)
    if "unexpected ':'" in problem:
        return Diagnostic("yaml-space", "a space is missing behind this colon", span, "write `: `")
    if letter and letter in "]}":
        return Diagnostic("yaml-bracket", f"`{letter}` closes nothing", span, "put the text in quotes")
    if letter and letter in ",-?:":
        return Diagnostic("yaml-start", f"a text cannot begin with `{letter}` here", span, "put the text in quotes")
    if not source.text[place:].strip():
        message = "the file ends inside `{…}` or `[…]`"
        return Diagnostic("yaml-bracket", message, span, "close what is open")
    if "document start" in problem:
        message = "the text above has ended before this line: a file is one mapping of keys to values"
        return Diagnostic("yaml-syntax", message, span, "begin each top-level key in the first column")
    said = f": {problem}" if problem else ""
    return Diagnostic("yaml-syntax", f"this is no YAML{said}", span, "put texts with signs in quotes")
