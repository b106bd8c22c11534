"""What the fields of a pack's events are made of: columns of a table, or of one that it looks up, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smartkpi.app.drafting.names import is_plain, singular, stem, tokens
from smartkpi.app.drafting.roles import Amount, Roles
from smartkpi.app.drafting.words import ALSO, CURRENCIES, FILLERS, FIRMS, GENERIC, SAME
from smartkpi.language.types import Kind
from smartkpi.sources.look import ColumnFacts, TableFacts
from smartkpi.spec.model import Contract, FieldDef

ENOUGH = 0.5
PEOPLE = frozenset({"buyer", "visitor", "person"})
NUMBERED = frozenset({"no", "unique"})
"""Words of a column that names somebody or something, beside what it is."""

PIECES = "no column says how many, so a row is taken for one piece"


@dataclass(frozen=True, slots=True)
class Given:
    """What a field is made of: a column of the table or of one that it looks up, or whether the column has a value.

    ``times`` are columns that it is multiplied by, ``less`` one of a share that is taken off. Without a column it is 1:
    a row is one piece. ``because`` says what that rests on, where the name of the column does not.
    """

    column: str
    lookup: str | None = None
    exists: bool = False
    times: tuple[str, ...] = ()
    less: str | None = None
    because: str = ""

    @property
    def plain(self) -> bool:
        """Whether it is the column as it is."""
        return bool(self.column) and self == Given(self.column, because=self.because)


@dataclass(frozen=True, slots=True)
class Way:
    """A lookup of a table: its name, the table that it leads to, and the column that it goes by."""

    name: str
    other: str
    column: str


Reach = Mapping[str, Sequence[Way]]
"""The lookups of each table, those of what they lead to behind them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a table that may be an event: which (None: all), what counts them, when, and what it rests on."""

    table: str
    body: tuple[tuple[str, str], ...]
    column: str | None
    likeness: float
    because: str


def concepts(text: str) -> frozenset[str]:
    """Return what the words of a name stand for: `purchases`, `orders` and `transaction` are the same."""
    return frozenset(
        SAME.get(word, word)
        for word in map(singular, map(stem, map(_parted, tokens(text))))
        if word not in FILLERS | CURRENCIES
    )


def _parted(word: str) -> str:
    """Return the word in a name such as `visitorid`."""
    said = word.removesuffix("id")
    return said if said != word and (said in SAME or said in PEOPLE) else word


def likeness(one: str, other: str) -> float:
    """Return how much two names have in common, from 0 to 1: a half at least where all of the first is in it."""
    mine, theirs = concepts(one), concepts(other)
    if not mine or not theirs:
        return 0.0
    return max(len(mine & theirs) / len(mine | theirs), ENOUGH if mine <= theirs else 0.0)


def like(contract: Contract, text: str) -> float:
    """Return how much a text is like an event: by its name, its label in any language, or a word known for it.

    An event such as `order_with_profit` is an order of which more is known: it is like what an order is like.
    """
    name, known, _ = contract.name.partition("_with_")
    also = ENOUGH if not ALSO.get(contract.name, frozenset()).isdisjoint(tokens(text)) else 0.0
    labels = () if known else (label for _, label in contract.label.texts)
    return max(likeness(name, text), also, *(likeness(label, text) for label in labels))


def fields_of(
    contract: Contract,
    source: Source,
    tables: Mapping[str, TableFacts],
    roles: Roles,
    reach: Sequence[Way],
) -> tuple[dict[str, Given], tuple[FieldDef, ...]]:
    """Return what each field of an event is made of, and the fields that nothing is like."""
    found: dict[str, Given] = {}
    lacking = []
    for name, field in contract.fields.items():
        given = _field(field, contract, source, tables, roles, reach, set(found.values()))
        if given is None:
            lacking.append(field)
        else:
            found[name] = given
    return found, tuple(lacking)


def _field(
    field: FieldDef,
    contract: Contract,
    source: Source,
    tables: Mapping[str, TableFacts],
    roles: Roles,
    reach: Sequence[Way],
    used: set[Given],
) -> Given | None:
    facts = tables[source.table]
    unit = None if field.unit is None else field.unit.name
    if unit == "money":
        if roles.currency is not None:
            return None  # amounts of several currencies do not add up
        money = _money(field.name, contract, source, roles.amounts, used)
        return (
            _product(contract, source.table, facts, roles.amounts) if money is None and roles.event is None else money
        )
    if field.description.get("en").casefold().startswith("true"):
        said = concepts(field.description.get("en"))
        dated = (one.columns[0] for one in reversed(facts.times) if one.nulls and said & concepts(one.name))
        column = next(dated, None)
        return None if column is None else Given(column, exists=True)
    counts = {one.name for one in roles.counts} if unit is None else set()  # so many of them is none of them
    own = [one for one in facts.columns if one.name not in counts]
    if PEOPLE & concepts(field.name) and (who := _person(field.name, facts, own, tables, reach)) is not None:
        return who
    column = _named(field.name, [one for one in own if _fits(one, unit) and Given(one.name) not in used])
    if column is not None:
        return Given(column)
    for way in reach:
        others = [one for one in tables[way.other].columns if _fits(one, unit) and is_plain(one.name)]
        column = _named(field.name, others)
        if column is not None:
            return Given(column, way.name)
    if concepts(field.name) == concepts("quantity") and _is_of_lines(source.table):
        return Given("", because=PIECES)
    return _number(field.name, contract, source, roles, reach)


def _person(
    name: str, facts: TableFacts, own: Sequence[ColumnFacts], tables: Mapping[str, TableFacts], reach: Sequence[Way]
) -> Given | None:
    """Return who it is: the column that is named so and has somebody twice, here or in a table that is looked up.

    A column in which nobody comes twice may be a number of its row alone: it is taken only where there is no other.
    """
    found: list[tuple[bool, bool, Given | None]] = []
    looked_up = ((way, tables[way.other], tables[way.other].columns) for way in reach)
    for way, table, columns in ((None, facts, own), *looked_up):
        for one in columns:
            said = concepts(one.name) - NUMBERED
            firm = name == "buyer" and len(said) == 1 and said <= FIRMS
            if (said == concepts(name) or firm) and one.distinct and (way is None or is_plain(one.name)):
                repeats = one.distinct < table.rows - one.nulls
                found.append((firm, not repeats, Given(one.name, None if way is None else way.name)))
    return min(found, key=lambda item: item[:2], default=(False, False, None))[2]


def _number(name: str, contract: Contract, source: Source, roles: Roles, reach: Sequence[Way]) -> Given | None:
    """Return what numbers the thing that a field such as `inquiry_id` is of: its table's key, or what leads to that."""
    what = concepts(name) - NUMBERED
    if not what or what == concepts(name):
        return None
    if what <= concepts(contract.name.partition("_with_")[0]) <= what and roles.key is not None and not source.body:
        return Given(roles.key.name, because=f"it tells the rows of `{source.table}` apart")
    way = next((way for way in reach if "." not in way.name and what <= concepts(way.other)), None)
    return None if way is None else Given(way.column, because=f"it leads to `{way.other}`")


def _is_of_lines(table: str) -> bool:
    return "line" in concepts(table)


def _fits(one: ColumnFacts, unit: str | None) -> bool:
    return bool(one.distinct) and (unit is None or one.kind is Kind.NUMBER)


def _money(name: str, contract: Contract, source: Source, amounts: Sequence[Amount], used: set[Given]) -> Given | None:
    """Return the column of an amount: that which is like the event or the field, else one of no other meaning."""
    able = [one.column.name for one in amounts if one.money and one.adds and Given(one.column.name) not in used]
    if source.column in able:
        return Given(source.column)
    ranked = sorted(able, key=lambda one: max(like(contract, one), likeness(name, one)), reverse=True)
    alike = [one for one in ranked if max(like(contract, one), likeness(name, one)) >= ENOUGH]
    about = set(tokens(contract.name)) | GENERIC | CURRENCIES | FILLERS
    plain = [one for one in able if set(tokens(one)) <= about]
    return next((Given(one) for one in (*alike, *(plain if len(plain) == 1 else ()))), None)


def _product(contract: Contract, table: str, facts: TableFacts, amounts: Sequence[Amount]) -> Given | None:
    """Return a price times a quantity, less a discount, where the event asks for both and there is one of each.

    Where no column of lines of orders says how many, each is taken for one piece.
    """
    prices = [one.column.name for one in amounts if one.money and not one.adds and "price" in tokens(one.column.name)]
    pieces = [one.name for one in facts.columns if _fits(one, "plain") and concepts(one.name) == concepts("quantity")]
    off = [one for one in facts.columns if one.kind is Kind.NUMBER and "discount" in tokens(one.name)]
    lines = "quantity" in contract.fields or "line" in concepts(contract.description.get("en") or "")
    if len(prices) != 1 or len(pieces) > 1 or len(off) > 1 or not lines:
        return None
    if not pieces and not _is_of_lines(table):
        return None
    if off and not (off[0].low >= 0 and off[0].high <= 1):
        return None
    return Given(prices[0], times=tuple(pieces), less=off[0].name if off else None, because="" if pieces else PIECES)


def _named(name: str, columns: Sequence[ColumnFacts]) -> str | None:
    """Return the column whose name is most like that of a field; among many words only a date is found by one."""
    found = [
        (likeness(name, one.name), one.name)
        for one in columns
        if one.kind in (Kind.DATE, Kind.TIME) or 2 * len(concepts(name)) >= len(concepts(one.name))
    ]
    return max((pair for pair in found if pair[0] >= ENOUGH), default=(0.0, None), key=lambda pair: pair[0])[1]
