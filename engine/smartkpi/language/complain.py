"""Syntax errors that teach: what was found, what could stand there, and how it is written here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.tables import Tables
from smartkpi.source import Text


@dataclass(frozen=True, slots=True)
class Stuck:
    """Where parsing stopped: the token that no rule takes (kind "" for what is no token), and the states before it.

    ``tokens`` are those read before, as (kind, start, end, word).
    """

    tables: Tables
    text: Text
    read: str
    start: str
    states: list[int]
    kind: str
    begin: int
    end: int
    word: str
    tokens: list[tuple[str, int, int, str]]

    @property
    def before(self) -> tuple[str, str]:
        """Kind and word of the last token."""
        return (self.tokens[-1][0], self.tokens[-1][3]) if self.tokens else ("", "")

    def wrong(
        self, message: str, hint: str = "", code: str = "syntax", place: tuple[int, int] | None = None
    ) -> Diagnostic:
        """Return a diagnostic at the token, or at another place."""
        begin, end = place or (self.begin, self.end)
        return Diagnostic(code, message, self.text.at(begin, max(begin, end)), hint)


def syntax_error(stuck: Stuck) -> KpiError:
    """Return the error for a place where parsing stopped: that of the first case that knows it."""
    for case in CASES:
        found = case(stuck)
        if found is not None:
            return KpiError(found)
    return KpiError(_generic(stuck))


def expected(stuck: Stuck) -> set[str]:
    """Return the terminals that could stand at the place: those that lead to a shift."""
    return {
        kind for kind in stuck.tables.states[stuck.states[-1]] if kind.isupper() or kind == "$END" if _fits(stuck, kind)
    }


def _fits(stuck: Stuck, kind: str) -> bool:
    tables, states = stuck.tables, list(stuck.states)
    while (action := tables.states[states[-1]].get(kind)) is not None and action < 0:
        rule = tables.rules[~action]
        del states[-rule.size :]
        states.append(tables.states[states[-1]][rule.origin])
        if kind == "$END" and states[-1] == tables.end[stuck.start]:
            return True
    return action is not None


# Words for what could stand somewhere

VALUES = frozenset({"NAME", "NUMBER", "PERCENT", "DURATION", "STRING", "TRUE", "FALSE", "NULL", "LPAR", "MINUS", "NOT"})
VALUES |= {"IF", "FIRST", "REPEAT"}
OPERATORS = frozenset(
    {"PLUS", "MINUS", "TIMES", "DIVIDE", "POWER", "OP", "IN", "NOT", "BETWEEN", "IS", "AND", "OR", "DOT"}
)
PHRASES = {
    "NAME": "a name", "DURATION": "a duration such as `7d`", "STRING": 'a text in quotes', "LPAR": "`(`", "RPAR": "`)`",
    "COMMA": "`,`", "DOT": "`.`", "WHERE": "`where`", "PER": "`per`", "LINK": "`then`", "AS": "`as`", "BY": "`by`",
    "WITHIN": "`within`", "MATCH": "`match`", "ALL": "`all`", "FIRST": "`first`", "LAST": "`last`", "NULL": "`null`",
    "NOT": "`not`", "AND": "`and`", "IN": "`in`", "BETWEEN": "`between`", "OP": "a comparison", "$END": "the end",
}  # fmt: skip


def say_expected(kinds: set[str]) -> str:
    """Say in the analyst's words what could stand somewhere."""
    words = []
    if {"NAME", "NUMBER"} <= kinds:
        words += ["a name", "a value", "`(`"]
        kinds = kinds - VALUES
    if "AND" in kinds and "OR" not in kinds:
        kinds = {"AND"}  # of `between`: what else could stand here continues its first bound
    elif {"OR", "TIMES"} & kinds:
        words.append("an operator")
        kinds = kinds - OPERATORS - {"PER", "AS"} - ({"LINK"} if len(kinds) > 2 else set())
    words += [phrase for kind, phrase in PHRASES.items() if kind in kinds]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _generic(stuck: Stuck) -> Diagnostic:
    kinds = expected(stuck)
    wanted = say_expected(kinds)
    if stuck.kind == "$END":
        last = f"after `{stuck.before[1]}` comes {wanted}"
        return stuck.wrong("this ends too early", last)
    if kinds == {"$END"}:
        return stuck.wrong(f"`{_shown(stuck)}` cannot follow here", "this ends before it")
    if "NAME" in kinds and stuck.kind in ("RPAR", "COMMA", "WHERE", "AND", "OR", "OP", "TIMES", "DIVIDE", "POWER"):
        return stuck.wrong(f"something is missing before `{stuck.word}`", f"expected {wanted}")
    return stuck.wrong(f"`{_shown(stuck)}` cannot stand here", f"expected {wanted}")


def _shown(stuck: Stuck) -> str:
    word = stuck.text.value[stuck.begin : stuck.end]
    return word if len(word) <= 30 else f"{word[:29]}…"


# Cases, the first that knows the mistake wins


def _empty(stuck: Stuck) -> Diagnostic | None:
    if stuck.tokens or stuck.kind != "$END":
        return None
    return stuck.wrong("nothing is written here", "", "empty-formula")


QUOTES = dict.fromkeys("“”„‟«»＂「」", '"') | dict.fromkeys("‘’‚‛＇`´", "'")
LOOK_ALIKES = {
    "≥": ">=", "≤": "<=", "≠": "!=", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "∧": "and", "∨": "or",
    "¬": "not", "，": ",", "、": ",", "；": ",", "！": "!=", "％": "%",
}  # fmt: skip
SIGNS = {
    "!": "write `not`, or `!=` for not equal",
    "&": "write `and`",
    "|": "write `or`",
    ";": "leave it out: one formula has no end mark",
    "?": "write `if(condition, value, otherwise)`",
    ":": "write `if(condition, value, otherwise)` for a choice",
    "[": 'a column by its exact name is `col("…")`, a list is `in (…)`',
    "]": "parentheses are round",
    "{": "parentheses are round; there are no templates",
    "}": "parentheses are round; there are no templates",
    "$": "a constant goes by its plain name",
    "@": "a constant goes by its plain name",
    "#": "notes go into `description`",
    "\\": "nothing is escaped outside quotes",
}


def _unreadable(stuck: Stuck) -> Diagnostic | None:
    if stuck.kind:
        return None
    character = stuck.text.value[stuck.begin]
    if stuck.word.isdigit() and stuck.word.isascii():
        return _bad_number(stuck)
    if character in QUOTES and character not in "'\"":
        if character in "`´":
            return stuck.wrong(f"`{character}` is no quote", 'a text stands in `"…"`, a column in `col("…")`')
        return stuck.wrong(
            f"`{character}` is no quote that is read here", f"write the straight one, {QUOTES[character]}"
        )
    if character in "'\"":
        return stuck.wrong("this quote is not closed", f"close it with `{character}`", "unclosed-quote")
    if character in LOOK_ALIKES:
        return stuck.wrong(f"`{character}` is no sign of the language", f"write `{LOOK_ALIKES[character]}`")
    if character == "%":
        return _percent_sign(stuck)
    if character.isdigit():
        return stuck.wrong(f"`{character}` is no digit that is read here", "write 0 to 9")
    doubled = stuck.read[stuck.begin : stuck.begin + 2]
    shown = doubled if doubled in ("&&", "||") else character
    place = (stuck.begin, stuck.begin + len(shown))
    name = shown if shown.isprintable() else f"U+{ord(shown[0]):04X}"
    return stuck.wrong(f"`{name}` is no sign of the language", SIGNS.get(stuck.word, ""), place=place)


def _percent_sign(stuck: Stuck) -> Diagnostic:
    kind, word = stuck.before
    if kind == "NUMBER":
        return stuck.wrong("a percentage has no blank before its sign", f"write `{word}%`")
    return stuck.wrong("`%` belongs to a number", "for what is left of a division write `mod(a, b)`")


UNITS = {unit: unit for unit in ("s", "min", "h", "d", "w", "mo", "q", "y")}
UNITS |= {"sec": "s", "mins": "min", "hr": "h", "hrs": "h"}
for short, long in {"s": "second", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}.items():
    UNITS |= {long: short, f"{long}s": short}
UNITS |= {"quarter": "q", "quarters": "q", "year": "y", "years": "y"}


def _bad_number(stuck: Stuck) -> Diagnostic:
    match = re.compile(r"[0-9][\w.]*").match(stuck.read, stuck.begin)
    assert match is not None
    word = match[0]
    digits = re.match(r"[0-9_]*", word)
    count = digits[0] if digits else ""
    unit = word[len(count) :].lower()
    if unit == "m":
        hint = f"write `{count}min` for minutes, `{count}mo` for months"
    elif unit in UNITS:
        hint = f"write `{count}{UNITS[unit]}`"
    elif re.fullmatch(r"[0-9_]+\.[0-9]+(min|mo|[shdwqy])", word):
        hint = "a duration is a whole count: `90min`, not `1.5h`"
    elif re.fullmatch(r"[0-9_.]*", word):
        hint = "digits stand on both sides of one point; `_` stands between digits"
    else:
        hint = "a name begins with a letter; durations are s min h d w mo q y"
    return stuck.wrong(f"`{word}` is neither a number nor a name", hint, place=(stuck.begin, stuck.begin + len(word)))


def _open_parenthesis(stuck: Stuck) -> Diagnostic | None:
    opened: list[tuple[int, int]] = []
    for kind, begin, end, _ in stuck.tokens:
        if kind == "LPAR":
            opened.append((begin, end))
        elif kind == "RPAR" and opened:
            opened.pop()
    if stuck.kind == "$END" and opened and "RPAR" in expected(stuck):
        return stuck.wrong("this parenthesis is not closed", "close it with `)`", "unclosed-parenthesis", opened[-1])
    if stuck.kind == "RPAR" and not opened:
        return stuck.wrong("this `)` closes nothing", "leave it out, or open one before")
    if stuck.kind == "COMMA" and not opened:
        return _stray_comma(stuck)
    return None


def _stray_comma(stuck: Stuck) -> Diagnostic:
    following = re.compile(r"\s*([0-9]+(?:,[0-9]{3})*)(\.[0-9]+)?").match(stuck.read, stuck.end)
    if stuck.before[0] == "NUMBER" and following is not None:
        before, groups, rest = stuck.before[1], following[1].split(","), following[2] or ""
        if len(groups[0]) == 3 and "." not in before:
            number = "_".join((before, *groups)) + rest
        else:  # a comma before the decimals, perhaps points between thousands
            number = f"{before.replace('.', '')}.{groups[0]}"
        return stuck.wrong("a number has no comma", f"write `{number}`")
    return stuck.wrong("`,` stands only between the arguments of a function", "leave it out")


SIGN_PAIRS = {
    "=>": "`>=`", "=<": "`<=`", "===": "`==`", "!==": "`!=`", "><": "`!=`", "**": "`^`", "//": "`floor(a / b)`",
    "<=>": "`==`", ">>": "`>`", "<<": "`<`", "====": "`==`", "++": "`+`", "+=": "one sign", "-=": "one sign",
}  # fmt: skip


def _two_signs(stuck: Stuck) -> Diagnostic | None:
    if not stuck.tokens and stuck.word in ("=", "=="):
        return stuck.wrong("a formula does not begin with `=`", "leave it out")
    if stuck.kind == "TIMES" and [kind for kind, *_ in stuck.tokens[-2:]] == ["NAME", "LPAR"]:
        return stuck.wrong("`*` stands for nothing here", "name what is counted: `count(order)`")
    if stuck.kind == "PLUS" and stuck.before[0] != "PLUS" and "NUMBER" in expected(stuck):
        return stuck.wrong("`+` cannot stand before a value", "leave it out")
    if not stuck.tokens or stuck.kind not in ("OP", "TIMES", "DIVIDE", "PLUS"):
        return None
    _, begin, end, word = stuck.tokens[-1]
    if end == stuck.begin and word + stuck.word in SIGN_PAIRS:
        pair = word + stuck.word
        return stuck.wrong(f"`{pair}` is no operator", f"write {SIGN_PAIRS[pair]}", place=(begin, stuck.end))
    return None


BAND_WORDS = dict.fromkeys(("atleast", "min", "from", "over", "more", "least"), "write `at least …` or `above …`")
BAND_WORDS |= dict.fromkeys(("greater", "higher", "larger", "bigger"), "write `above …`, or `at least …`")
BAND_WORDS |= dict.fromkeys(("lower", "smaller", "fewer"), "write `below …`, or `at most …`")
BAND_WORDS |= dict.fromkeys(("atmost", "max", "to", "under", "less", "most"), "write `at most …` or `below …`")
BAND_WORDS["at"] = "write `at least …` or `at most …`"
ELSEWHERE = {
    "like": "write `contains(…)`, `starts_with(…)`, `ends_with(…)` or `matches(…)`",
    "ilike": 'write `contains(lower(…), "…")`',
    "case": "write `if(condition, value, otherwise)`",
    "when": "write `if(condition, value, otherwise)`",
    "else": "write `if(condition, value, otherwise)`",
    "mod": "write `mod(a, b)`",
    "div": "write `floor(a / b)`",
    "contains": "write `contains(text, part)`",
    "matches": "write `matches(text, pattern)`",
    "over": "write `per` for entities, `trailing(x, 28d)` for time",
    "group": "segments are the KPI's `by`",
    "having": "write `where`",
    "filter": "write `where`",
    "select": "a formula is no query: write `count(order where …)` or `sum(order.amount)`",
    "from": "a formula is no query: write `count(order where …)` or `sum(order.amount)`",
    "distinct": "write `distinct(order.buyer)`",
}


def _foreign_word(stuck: Stuck) -> Diagnostic | None:
    """Words of other languages, and ours in capitals: at the token or just before it."""
    places = [(stuck.begin, stuck.end, stuck.word)] if stuck.kind == "NAME" else []
    if stuck.tokens and stuck.tokens[-1][0] == "NAME":
        places.append(stuck.tokens[-1][1:])
    for begin, end, word in places:
        small = word.lower()
        if word != small and stuck.tables.words.get(small, "NAME") not in ("NAME", "ALL", "LAST", "ABOVE", "BELOW"):
            return stuck.wrong(f"`{word}` is written in small letters", f"write `{small}`", place=(begin, end))
        if stuck.start == "band" and small in BAND_WORDS and begin == stuck.tokens[0][1]:
            return stuck.wrong(f"no threshold begins with `{word}`", BAND_WORDS[small], place=(begin, end))
        if word == "distinct":
            continue  # the function, without its parentheses
        if small in ELSEWHERE and stuck.kind in ("NAME", "NUMBER", "STRING", "BY", "LPAR"):
            return stuck.wrong(f"`{word}` is no word of the language", ELSEWHERE[small], place=(begin, end))
    return None


def _method(stuck: Stuck) -> Diagnostic | None:
    """`order.amount.sum()` for `sum(order.amount)`."""
    kinds = [kind for kind, *_ in stuck.tokens]
    if stuck.kind != "LPAR" or kinds[-2:] != ["DOT", "NAME"] or kinds[-3:-2] != ["NAME"]:
        return None
    first = len(kinds) - 3
    while kinds[first - 2 : first] == ["NAME", "DOT"]:
        first -= 2
    of, (_, begin, _, word) = "".join(token[3] for token in stuck.tokens[first:-2]), stuck.tokens[-1]
    message = "a function stands before what it is of, not behind it"
    return stuck.wrong(message, f"write `{word}({of})`", place=(begin, stuck.end - 1))


COMPLETE = ("NAME", "NUMBER", "STRING", "PERCENT", "DURATION", "RPAR", "TRUE", "FALSE", "NULL")


def _two_values(stuck: Stuck) -> Diagnostic | None:
    if stuck.kind not in ("NAME", "NUMBER", "STRING", "PERCENT", "DURATION", "LPAR", "TRUE", "FALSE", "IF"):
        return None
    kind, begin, _, word = stuck.tokens[-1] if stuck.tokens else ("", 0, 0, "")
    if kind == "NAME" and stuck.kind == "NAME" and "OP" in expected(stuck):
        if word in FUNCTIONS:
            path = re.compile(r"[\w.]*").match(stuck.read, stuck.begin)
            end = path.end() if path else stuck.end
            hint = f"write `{word}({stuck.read[stuck.begin : end]})`"
            return stuck.wrong(f"`{word}` is a function", hint, place=(begin, end))
        hint = f"a name has no blanks: `{word}_{stuck.word}`? else put an operator between"
        return stuck.wrong(f"two names stand side by side: `{word} {stuck.word}`", hint, place=(begin, stuck.end))
    if kind == "NUMBER" and UNITS.get(stuck.word.lower()):
        hint = f"write `{word}{UNITS[stuck.word.lower()]}`"
        return stuck.wrong("a duration has no blank before its unit", hint, place=(begin, stuck.end))
    if kind in COMPLETE and stuck.kind != "LPAR" and "TIMES" in expected(stuck):
        message = f"an operator is missing between `{word}` and `{_shown(stuck)}`"
        return stuck.wrong(message, "such as `+`, `*` or `==`")
    return None


def _after_word(stuck: Stuck) -> Diagnostic | None:
    """What must follow `if`, `in`, `is`, and what a step inside another needs."""
    kind = stuck.before[0]
    if kind == "IF" and stuck.kind != "LPAR":
        return stuck.wrong("`if` is a function", "write `if(condition, value, otherwise)`")
    if kind == "IN" and stuck.kind in VALUES:
        return stuck.wrong("`in` takes a list in parentheses", f"write `in ({_shown(stuck)})`")
    if kind == "IS" and stuck.kind in VALUES:
        return stuck.wrong("`is` stands only before `null` and `not null`", f"write `== {_shown(stuck)}`")
    if kind == "WITHIN" and stuck.kind in ("NUMBER", "PERCENT"):
        return stuck.wrong("`within` takes a duration", f"write `within {stuck.word}d`, or with s min h w mo q y")
    if stuck.kind == "DOT" and "NUMBER" in expected(stuck):
        digits = re.compile(r"[0-9]*").match(stuck.read, stuck.end)
        return stuck.wrong("a number begins with a digit", f"write `0.{digits[0] if digits and digits[0] else '5'}`")
    inner = stuck.kind == "REPEAT" or (kind == "FIRST" and stuck.kind == "NAME")
    if inner and any(k == "LINK" for k, *_ in stuck.tokens):
        return stuck.wrong("a step inside another needs its parentheses", "write `visit then (first order by buyer)`")
    return None


def _step_word(stuck: Stuck) -> Diagnostic | None:
    """`where`, `by`, `then`, … where a step, an alias or a filter does not take them."""
    kinds = [kind for kind, *_ in stuck.tokens]
    if "NAME" in expected(stuck):
        return None
    if stuck.kind == "LINK" and ("BY" in kinds or "WITHIN" in kinds or "MATCH" in kinds):
        return stuck.wrong("a step inside another needs its parentheses", f"write `(…) {stuck.word} …`")
    if stuck.kind == "WHERE" and len(kinds) > 1 and kinds[-2] == "AS":
        return stuck.wrong("`where` stands before `as`", "write `order where … as second`")
    if stuck.kind == "WHERE" and "WHERE" in kinds:
        return stuck.wrong("`where` stands twice", "join the conditions with `and`")
    if stuck.kind == "WHERE" and stuck.start in ("binding", "band"):
        return stuck.wrong("`where` cannot stand in a condition", "join conditions with `and`")
    if stuck.start == "band" and stuck.kind in ("AND", "OR"):
        hint = "write `between 2 and 4`, or a condition such as `value > 2 and value != 3`"
        return stuck.wrong(f"a threshold has one bound, `{stuck.word}` adds another", hint)
    if stuck.kind == "PER" and "WHERE" in kinds:
        return stuck.wrong("`per` stands before `where`", "write `(… where …) per …` to filter what is summed")
    if stuck.kind in ("BY", "WITHIN", "MATCH"):
        hint = "entities are `per buyer`, segments the KPI's `by`" if stuck.kind == "BY" else ""
        return stuck.wrong(f"`{stuck.word}` belongs to a step: `first`, `repeat`, `then`, `after`, `without`", hint)
    return None


def _reserved(stuck: Stuck) -> Diagnostic | None:
    """A word of the language where a name is wanted, or as one with nothing that it asks for."""
    kind, begin, end, word = stuck.tokens[-1] if stuck.tokens else ("", 0, 0, "")
    hint = 'name it otherwise; a column of this name is `col("{}")`'
    if stuck.kind != "" and kind in ("FIRST", "REPEAT") and stuck.kind not in VALUES:
        message = f"`{word}` is a word of the language and no name"
        return stuck.wrong(message, hint.format(word), "reserved-word", (begin, end))
    if stuck.word not in stuck.tables.words or stuck.kind == "NAME" or "NAME" not in expected(stuck):
        return None
    following = re.compile(r"\s*([\w\"'(])").match(stuck.read, stuck.end)
    if kind in ("DOT", "AS") or following is None:
        message = f"`{stuck.word}` is a word of the language and no name"
        return stuck.wrong(message, hint.format(stuck.word), "reserved-word")
    return None


CASES: tuple[Callable[[Stuck], Diagnostic | None], ...] = (
    _empty,
    _unreadable,
    _open_parenthesis,
    _two_signs,
    _foreign_word,
    _method,
    _after_word,
    _reserved,
    _step_word,
    _two_values,
)
