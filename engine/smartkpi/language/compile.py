"""Turn grammar.lark into the tables that parse.py runs: `python -m smartkpi.language.compile`.

Lark reads the grammar and builds the LALR(1) tables, once, when the grammar changes. Running them takes thirty lines
and no import, which matters: a thousand formulas are then parsed in the time that Lark needs to load.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
GRAMMAR, TABLES = FOLDER / "grammar.lark", FOLDER / "grammar.json"
STARTS = ("formula", "event", "binding", "band")


def compile_grammar(grammar: str) -> dict[str, Any]:
    """Return the tables of a grammar as plain data, the same for the same grammar.

    ``states`` maps, a state, each symbol to an action: a state to go to (0 and up), or ~rule to reduce by. A rule is
    [origin, callback, size, parts to splice]: no callback passes a lone part on, and `_` collects parts for splicing.
    """
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    # Two actions for one symbol in one state are an error here: Lark would quietly shift.
    parser = Lark(grammar, parser="lalr", start=list(STARTS), maybe_placeholders=False, keep_all_tokens=True)
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    table = data["parser"]["parser"]
    rules: list[dict[str, Any]] = [memo[r["@"]] for r in data["rules"]]
    index = {r["@"]: i for i, r in enumerate(data["rules"])}
    order = _reachable(table)
    states = []
    for state in order:
        row = {}
        for token, (action, argument) in table["states"][state].items():
            row[table["tokens"][token]] = ~index[argument["@"]] if action else order[argument]
        states.append(dict(sorted(row.items())))
    return {
        "start": {name: order[table["start_states"][name]] for name in STARTS},
        "end": {name: order[table["end_states"][name]] for name in STARTS},
        "rules": [_rule(rule) for rule in rules],
        "states": states,
        **_terminals(parser.terminals),
    }


def _reachable(table: dict[str, Any]) -> dict[int, int]:
    """Number the states in the order in which they are reached, so that equal grammars give equal tables."""
    order: dict[int, int] = {}
    queue = [table["start_states"][name] for name in STARTS]
    while queue:
        state = queue.pop(0)
        if state in order:
            continue
        order[state] = len(order)
        row = sorted(
            (table["tokens"][token], action) for token, action in table["states"][state].items() if not action[0]
        )
        queue.extend(argument for _, (_, argument) in row)
    return order


def _rule(rule: dict[str, Any]) -> list[Any]:
    origin, size = rule["origin"]["name"], len(rule["expansion"])
    spliced = [i for i, symbol in enumerate(rule["expansion"]) if symbol["name"].startswith("__")]
    if origin.startswith("__"):
        callback = "_"
    elif size == 1 and rule["options"]["expand1"] and not rule["alias"]:
        callback = ""
    else:
        callback = rule["alias"] or origin
    return [origin, callback, size, spliced]


def _terminals(terminals: Any) -> dict[str, Any]:
    """Split the terminals into words (looked up), signs (looked up too) and patterns (matched, in Lark's order)."""
    words: dict[str, str] = {}
    signs: dict[str, str] = {}
    patterns: list[list[str]] = []
    ranked = sorted(terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    for terminal in ranked:
        value = terminal.pattern.value
        if terminal.pattern.type == "re" and not re.fullmatch(r"\(\?:[a-z|]+\)", value):
            patterns.append([terminal.name, value])
        elif terminal.pattern.type == "re":
            words.update(dict.fromkeys(value[3:-1].split("|"), terminal.name))
        else:
            (words if value.isalpha() else signs)[value] = terminal.name
    return {"words": words, "signs": signs, "patterns": patterns}


def write_tables() -> None:
    """Write grammar.json anew."""
    tables = compile_grammar(GRAMMAR.read_text("utf-8"))
    TABLES.write_text(render_tables(tables), "utf-8")


def render_tables(tables: dict[str, Any]) -> str:
    """Return tables as JSON, one state a line."""
    states = ",\n".join(json.dumps(row, separators=(",", ":")) for row in tables["states"])
    rest = json.dumps({k: v for k, v in tables.items() if k != "states"}, ensure_ascii=False)
    return f'{rest[:-1]}, "states": [\n{states}\n]}}\n'


if __name__ == "__main__":
    write_tables()
