"""The KPIs that are measured, each as one value that all sides write in their own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks import steps, windows
from benchmarks.data import EVENTS

Condition = tuple[str, str, Any]
CONDITIONS: tuple[Condition | None, ...] = (
    None,
    ("channel", "==", "ads"),
    ("country", "in", ("AD", "BE", "CF")),
    ("amount", ">", 100),
    ("salesperson", "<", 10),
    ("currency", "==", "EUR"),
    ("channel", "==", "mail"),
    ("channel", "==", "social"),
    ("amount", ">", 50),
    ("amount", ">", 200),
    ("currency", "==", "GBP"),
    ("salesperson", "<", 20),
    ("country", "in", ("AE", "BD")),
)
AGGREGATES = (("count", ""), ("sum", "amount"), ("avg", "amount"), ("sum", "quantity"))


@dataclass(frozen=True)
class Spec:
    """An aggregate (count sum avg distinct p95) of a column over an event's rows, with at most one more condition."""

    name: str
    event: str
    aggregate: str
    column: str
    condition: Condition | None

    @property
    def formula(self) -> str:
        """The KPI in our language."""
        where = "" if self.condition is None else f" where {words(self.condition, '==', chr(34))}"
        if self.aggregate == "count":
            return f"count({self.event}{where})"
        if self.aggregate == "p95":
            return f"quantile({self.event}.{self.column}{where}, 95%)"
        return f"{self.aggregate}({self.event}.{self.column}{where})"

    @property
    def mask(self) -> str:
        """The rows of the KPI, as a condition of SQL."""
        more = "" if self.condition is None else f" AND {words(self.condition, '=', chr(39))}"
        return f"event = '{self.event}'{more}"


def specs(number: int) -> list[Spec]:
    """Return so many different KPIs: forty have five conditions in play, 160 thirteen, more their own each."""
    events, found = list(EVENTS), []
    for i in range(number):
        turn, event = divmod(i, len(events))
        aggregate, column = AGGREGATES[(turn // len(CONDITIONS) + turn + event) % len(AGGREGATES)]
        condition = CONDITIONS[turn % len(CONDITIONS)] if turn < 20 else ("amount", ">", turn)
        found.append(Spec(f"k{i:04}", events[event], aggregate, column, condition))
    return found


def mixed() -> list[Spec]:
    """Return 32 additive KPIs, the distinct visitors of each of eight events, and two quantiles."""
    distincts = [Spec(f"d{i}", event, "distinct", "visitor_id", None) for i, event in enumerate(EVENTS)]
    quantiles = [Spec(f"q{i}", event, "p95", "amount", None) for i, event in enumerate(("order", "payment"))]
    return [*specs(32), *distincts, *quantiles]


def chosen(mix: str) -> list[Spec]:
    """Return the KPIs of a mix: so many additive ones by number, or `mixed`."""
    return mixed() if mix == "mixed" else specs(int(mix))


def project(folder: str, mix: str, visitors: str = "") -> dict[str, Any]:
    """Return the project of a mix of KPIs as plain data, with the table of visitors that events look up, if any."""
    log: dict[str, Any] = {
        "read": f"{folder}/*.{'csv' if folder.endswith('-csv') else 'parquet'}",
        "time": "ts",
        "fields": {"amount": {"is": "amount", "unit": "money", "currency": "USD"}},
        "events": {event: f'event == "{event}"' for event in EVENTS},
    }
    datasets: dict[str, Any] = {"log": log}
    if visitors:
        datasets["visitors"] = {"read": visitors, "time": "none", "key": "visitor_id"}
        log["lookups"] = {"visitor": {"dataset": "visitors", "on": "visitor_id", "fields": ["segment"]}}
        log["fields"]["segment"] = "visitor.segment"
    if mix == "windows":
        log["events"]["any"] = "all rows"
        return {"datasets": datasets, "kpis": windows.kpis()}
    if mix in steps.PROJECTS:
        return {"datasets": datasets, **steps.definitions(mix)}
    return {"datasets": datasets, "kpis": {spec.name: spec.formula for spec in chosen(mix)}}


def words(condition: Condition, equal: str, quote: str) -> str:
    """Return a condition as text, with a dialect's equality and quotes."""
    column, operator, value = condition
    if operator == "in":
        return f"{column} in ({', '.join(f'{quote}{item}{quote}' for item in value)})"
    return f"{column} {equal if operator == '==' else operator} " + (
        f"{quote}{value}{quote}" if isinstance(value, str) else str(value)
    )
