"""What a dataset says of columns by name: which of them are amounts of money, which are times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smartkpi.language.syntax import Apply, Name, Text
from smartkpi.language.types import MONEY, Unit
from smartkpi.spec.model import Column, Contract, Dataset, Formula


def money_columns(dataset: Dataset, contracts: Iterable[Contract] = ()) -> frozenset[str]:
    """Return the columns that are money as they are: by a field of the dataset, or of an event that it provides."""
    found = {_column(field.name, field.is_) for field in dataset.fields.values() if _is_money(field.unit)}
    for contract in contracts:
        if contract.name in dataset.events:
            named = (field.name for field in contract.fields.values() if _is_money(field.unit))
            found |= {_named(dataset, name) for name in named}
    return frozenset(name for name in found if name is not None)


def time_columns(dataset: Dataset) -> frozenset[str]:
    """Return the columns that are the time of rows or of events as they are."""
    times = (dataset.time, *(binding.time for binding in dataset.events.values()))
    return frozenset(_times(dataset, times))


def _times(dataset: Dataset, times: Iterable[Formula | Column | None]) -> Iterator[str]:
    for time in times:
        name = None if time is None else _column("", time)
        if name is not None and isinstance(time, Formula) and isinstance(time.expr, Name):
            name = _named(dataset, name)
        if name is not None:
            yield name


def _named(dataset: Dataset, name: str) -> str | None:
    """Return the column that a name stands for, None where it is computed."""
    field = dataset.fields.get(name)
    return name if field is None else _column(name, field.is_)


def _column(name: str, written: Formula | Column | None) -> str | None:
    match written:
        case None:
            return name
        case Column(name=column):
            return column
        case Formula(expr=Name(parts=(column,))) | Formula(expr=Apply(function="col", args=(Text(value=column),))):
            return column
        case _:
            return None


def _is_money(unit: Unit | None) -> bool:
    return unit is not None and unit.name == MONEY.name
