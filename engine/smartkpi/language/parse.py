"""From text to syntax: the four things that are written in the formula language.

The grammar is grammar.lark; compile.py makes LALR(1) tables of it, and this runs them. Some words are read in their
context, as Lark's contextual lexer does it: `above` is a name but where a threshold may begin.
"""

from __future__ import annotations

from typing import Any

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.complain import Stuck, syntax_error
from smartkpi.language.syntax import AllRows, Band, Expr, Name, Step, Where
from smartkpi.language.tables import Rule, Tables, load_tables
from smartkpi.source import Text
from smartkpi.tree import children

LONGEST = 20_000  # characters; the longest formula of real projects has a few hundred
DEEPEST = 80  # levels; everything behind the parser may then recurse
SOFT = frozenset({"ALL", "LAST", "ABOVE", "BELOW"})  # words that are names wherever no rule asks for them
FULL_WIDTH = str.maketrans("（），％＞＝＜＋－＊／：！＾．　", "(),%>=<+-*/:!^. ")


def parse_formula(text: Text) -> Expr:
    """Return the tree of a KPI's formula or of a row expression. Raises KpiError."""
    tree: Expr = _parse(text, "formula")
    return tree


def parse_event(text: Text) -> Expr:
    """Return the tree of a derived event: an event's name, `order where …`, or a step. Raises KpiError."""
    tree: Expr = _parse(text, "event")
    if not isinstance(tree, Name | Where | Step):
        hint = "write `order where …` or a step such as `first order by buyer`"
        raise KpiError(Diagnostic("syntax", "this is no event", tree.span, hint))
    return tree


def parse_binding(text: Text) -> Expr | AllRows:
    """Return the tree of what makes rows an event: `all rows` or a condition. Raises KpiError."""
    tree: Expr | AllRows = _parse(text, "binding")
    return tree


def parse_band(text: Text) -> Band | Expr:
    """Return a threshold: a Band (`at least 5%`), or the tree of a condition over `value`. Raises KpiError."""
    tree: Band | Expr = _parse(text, "band")
    return tree


def reserved_words() -> frozenset[str]:
    """Return the words that cannot be names."""
    return frozenset(word for word, kind in load_tables().words.items() if kind not in SOFT)


def is_name(word: str) -> bool:
    """Return whether a word can be the name of a definition or field: an identifier in any script, not reserved."""
    return word.isidentifier() and word not in reserved_words()


def _parse(text: Text, start: str) -> Any:
    if len(text.value) > LONGEST:
        message = f"this has {len(text.value):,} characters; at most {LONGEST:,} are read"
        raise KpiError(Diagnostic("formula-too-large", message, text.at(0, 0), "give parts of it names of their own"))
    read = text.value if text.value.isascii() else text.value.translate(FULL_WIDTH)
    tree = _run(load_tables(), text, read, start)
    if len(read) > DEEPEST:
        _check_depth(tree)
    return tree


def _run(tables: Tables, text: Text, read: str, start: str) -> Any:
    """Shift and reduce until the end; parts stand beside the states they led to, with where they begin and end."""
    actions, rules, final = tables.states, tables.rules, tables.end[start]
    states, parts, begins, ends = [tables.start[start]], list[Any](), list[int](), list[int]()
    position = 0
    while True:
        kind, begin, position, word = _next(tables, read, position, actions[states[-1]])
        while (action := actions[states[-1]].get(kind, None)) is not None and action < 0:
            rule = rules[~action]
            size = rule.size
            if size > 1 or rule.build or rule.collect:
                items = parts[-size:]
                del parts[-size:], states[-size:], begins[1 - size or len(begins) :], ends[-size:-1]
                parts.append(_reduce(rule, items, text, begins[-1], ends[-1]))
            else:
                states.pop()
            states.append(actions[states[-1]][rule.origin])
            if kind == "$END" and states[-1] == final:
                return parts[-1]
        if action is None:
            raise _stuck(tables, text, read, start, states, kind, begin)
        states.append(action)
        parts.append((begin, position, word))
        begins.append(begin)
        ends.append(position)


def _stuck(tables: Tables, text: Text, read: str, start: str, states: list[int], kind: str, begin: int) -> KpiError:
    """Read the tokens up to the place again, which only errors need, and find words for what is wrong."""
    tokens: list[tuple[str, int, int, str]] = []
    position = 0
    while not tokens or tokens[-1][1] < begin:
        token = _next(tables, read, position, {})
        tokens.append(token)
        position = token[2]
    _, begin, end, word = tokens.pop()
    return syntax_error(Stuck(tables, text, read, start, states, kind, begin, end, word, tokens))


def _next(tables: Tables, read: str, position: int, row: dict[str, int]) -> tuple[str, int, int, str]:
    """Return the next token as kind, start, end, word; kind is "" for what is no token, "$END" behind the last."""
    match = tables.scan(read, position)
    if match is None:
        rest = read[position:].lstrip()
        begin = len(read) - len(rest)
        return ("", begin, begin + 1, rest[0]) if rest else ("$END", len(read), len(read), "")
    kind = match.lastgroup or ""
    begin, end = match.span(kind)
    word = match[kind]
    if kind == "NAME":
        kind = tables.words.get(word, kind)
        if kind in SOFT and kind not in row:
            kind = "NAME"
    elif kind == "SIGN":
        kind = tables.signs[word]
    return kind, begin, end, word


def _reduce(rule: Rule, items: list[Any], text: Text, begin: int, end: int) -> Any:
    if rule.collect:
        if rule.splice is None:
            return items
        items[0].extend(items[1:])
        return items[0]
    if rule.splice is not None:
        items[rule.splice : rule.splice + 1] = items[rule.splice]
    assert rule.build is not None
    return rule.build(text, text.at(begin, end), items)


def _check_depth(tree: Any) -> None:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            message, hint = f"this nests more than {DEEPEST} levels", "give inner parts names of their own"
            raise KpiError(Diagnostic("formula-too-deep", message, level[0].span, hint))
        level = [child for node in level for child in children(node)]
