"""How well projections did: coverage of the 80 % interval, and how often goals hit that were said to.

Seeded synthetic series of several regimes, and real daily series where they are at hand (`--data`). Prints tables in
Markdown; `--write docs/projection.md` puts them where they stand there.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from math import exp, log, sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import polars as pl

from smartkpi.assess.compliance import project_periods
from smartkpi.assess.daily import Daily
from smartkpi.assess.earlier import project_like_before
from smartkpi.assess.levels import project_level
from smartkpi.assess.outlook import Distribution, Outlook, Student
from smartkpi.assess.projection import Historic, Weekly
from smartkpi.assess.ratios import project_rate, project_share
from smartkpi.periods.calendar import Calendar
from smartkpi.semantics.goal import EARLIER, LONG, Bounds

FIRST, DAY, CALENDAR = date(2024, 1, 1), timedelta(days=1), Calendar("UTC")
WEEKDAYS = (1.2, 1.15, 1.1, 1.05, 1.0, 0.8, 0.7)
TARGETS = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15)
BINS = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.01)
BEGIN, END = "<!-- backtest -->\n", "<!-- end of backtest -->\n"
Maker = Callable[[random.Random, int], list[float]]
Method = Callable[[Daily, int], Distribution | None]
Measure = Callable[[int, int], float | None]
Ratio = tuple[Daily, Daily]
SHARED = {"share": False, "share, historic": True}
RATED = {"rate": False, "rate, historic": True}


# series


def poisson(some: random.Random, expected: float) -> float:
    """Return a count: of many the normal that it resembles."""
    if expected > 30:
        return float(max(round(some.gauss(expected, sqrt(expected))), 0))
    count, product, bound = 0, some.random(), exp(-expected)
    while product > bound:
        count, product = count + 1, product * some.random()
    return float(count)


def counted(levels: Callable[[random.Random, int], Iterator[float]]) -> Maker:
    """Return what draws counts around levels that have weekdays, 40 a day on average."""

    def make(some: random.Random, days: int) -> list[float]:
        return [poisson(some, 40 * WEEKDAYS[i % 7] * level) for i, level in enumerate(levels(some, days))]

    return make


def steady(_: random.Random, days: int) -> Iterator[float]:
    yield from [1.0] * days


def resembling(some: random.Random, days: int) -> Iterator[float]:
    """Yield levels of which each resembles that of the day before: AR(1), 0.8."""
    level = some.gauss(0, 0.25)
    for _ in range(days):
        level = 0.8 * level + some.gauss(0, 0.15)
        yield exp(level)


def growing(some: random.Random, days: int) -> Iterator[float]:
    """Yield levels that grow, or fall, at a rate of their own: of two thirds by less than half in a year."""
    rate = some.gauss(0, 0.001)
    yield from (exp(rate * day) for day in range(days))


def wandering(some: random.Random, days: int) -> Iterator[float]:
    level = 0.0
    for _ in range(days):
        level += some.gauss(0, 0.03)
        yield exp(level)


def lumpy(some: random.Random, days: int) -> list[float]:
    """Return few deals of very different size, on workdays."""
    return [exp(some.gauss(8, 1)) if i % 7 < 5 and some.random() < 0.3 else 0.0 for i in range(days)]


REGIMES: Mapping[str, Maker] = {
    "stationary": counted(steady),
    "AR(1), 0.8": counted(resembling),
    "trend": counted(growing),
    "random walk": counted(wandering),
    "lumpy": lumpy,
}


# methods


def evenly(history: Daily, days: int) -> Distribution | None:
    """Go on at the mean of the last 56 days, each day independent of the others: what a linear pace believes."""
    known = list(history.known(56).values())
    return Student(mean(known) * days, max(stdev(known), 1e-9) * sqrt(days), 1000) if len(known) > 20 else None


METHODS: Mapping[str, Method] = {
    "even pace": evenly,
    "weekly": lambda history, days: Weekly().project(history, CALENDAR, days),
    "historic": lambda history, days: Historic().project(history, CALENDAR, days),
}


@dataclass
class Score:
    """How often the interval held what came, and, by what was said, how often a goal hit."""

    cases: int = 0
    held: int = 0
    said: dict[int, list[int]] = field(default_factory=dict)

    def add(self, found: Distribution | Outlook, actual: float, goals: Sequence[float]) -> None:
        """Take one case: what came, and targets that somebody might have set."""
        self.cases += 1
        self.held += found.quantile(0.1) <= actual <= found.quantile(0.9)
        for target in goals:
            said = round(found.above(target), 9)
            place = next(i for i in range(len(BINS) - 1) if said < BINS[i + 1])
            self.said.setdefault(place, []).append(int(actual >= target))

    def coverage(self) -> str:
        return f"{self.held / self.cases:.2f}" if self.cases else ""


Scores = dict[tuple[str, str, int], Score]
"""By series, method and horizon."""


def judge(scores: Scores, name: str, history: Daily, horizon: int, methods: Mapping[str, Method]) -> None:
    """Let methods project what the days after a history brought, half of a goal being done."""
    values = history.values
    days = [history.last + DAY * (i + 1) for i in range(horizon)]
    actual, plain = sum(values[day] for day in days), evenly(history, horizon)
    so_far = history.total(history.last - DAY * (horizon - 1), history.last)
    if plain is None or so_far is None or plain.mean <= 0:
        return
    goals = [factor * (so_far + plain.mean) - so_far for factor in TARGETS]
    for method, make in methods.items():
        found = make(history, horizon)
        if found is not None:
            scores.setdefault((name, method, horizon), Score()).add(found, actual, goals)


def synthetic(runs: int, days: int = 420, horizons: Sequence[int] = (34, 90)) -> Scores:
    """Return how methods did on drawn series, each drawn anew."""
    scores: Scores = {}
    for name, make in REGIMES.items():
        for horizon in horizons:
            some = random.Random(f"{name} {horizon}")
            for _ in range(runs):
                drawn = make(some, days + horizon)
                whole = Daily.of({FIRST + DAY * i: value for i, value in enumerate(drawn)})
                judge(scores, name, whole.upto(FIRST + DAY * (days - 1)), horizon, METHODS)
    return scores


def regimes(runs: int, days: int = 420) -> dict[str, Daily]:
    """Return series of each regime."""
    drawn = {name: (make, random.Random(name)) for name, make in REGIMES.items()}
    return {
        f"{name} {run}": Daily.of({FIRST + DAY * i: value for i, value in enumerate(make(some, days))})
        for name, (make, some) in drawn.items()
        for run in range(runs)
    }


def rolling(series: Mapping[str, Daily], horizons: Sequence[int] = (28, 91), step: int = 14) -> Scores:
    """Return how methods did on real series, every other week from the ninth on."""
    scores: Scores = {}
    for name, whole in series.items():
        for horizon in horizons:
            assert whole.first is not None
            day = whole.first + DAY * 63
            while day + DAY * horizon <= whole.last:
                judge(scores, name, whole.upto(day), horizon, METHODS)
                day += DAY * step
    return scores


# shares and levels


def shares(runs: int) -> Scores:
    """Return how shares and ratios did, one of 5 % among about 100 a day: drawn by chance, with days and weeks that
    differ, and with a share that wanders."""
    kinds: Mapping[str, tuple[float, float, float]] = {
        "share by chance": (0, 0, 0),
        "share whose days differ": (0.4, 0, 0),
        "share whose weeks differ": (0, 0.3, 0),
        "share that wanders": (0, 0, 0.03),
    }
    scores: Scores = {}
    for name, (by_day, by_week, wander) in kinds.items():
        for horizon in (34, 90):
            some = random.Random(f"{name} {horizon}")
            for _ in range(runs):
                trials, hits = _hits(some, 420 + horizon, by_day, by_week, wander)
                _judge_share(scores, name, hits, trials, FIRST + DAY * 419, horizon)
    return scores


def _hits(some: random.Random, days: int, by_day: float, by_week: float, wander: float) -> tuple[Daily, Daily]:
    logit, week = log(0.05 / 0.95), 0.0
    trials, hits = {}, {}
    for i in range(days):
        logit += some.gauss(0, wander) if wander else 0
        week = some.gauss(0, by_week) if by_week and i % 7 == 0 else week
        odds = logit + week + (some.gauss(0, by_day) if by_day else 0)
        share, day = 1 / (1 + exp(-odds)), FIRST + DAY * i
        trials[day] = poisson(some, 100 * WEEKDAYS[i % 7])
        hits[day] = float(sum(some.random() < share for _ in range(int(trials[day]))))
    return Daily.of(trials), Daily.of(hits)


def _judge_share(scores: Scores, name: str, over: Daily, under: Daily, day: date, horizon: int) -> None:
    begin = day - DAY * (horizon - 1)
    done = over.sum(begin, day), under.sum(begin, day)
    whole = under.sum(begin, day + DAY * horizon)
    actual = over.sum(begin, day + DAY * horizon) / whole if whole else 0.0
    if not done[1] or not whole or done[0] / done[1] in (0, 1) or done[0] < 0:
        return
    goals = [factor * done[0] / done[1] for factor in TARGETS]
    share = all(0 <= value <= under.values[one] for one, value in over.values.items() if one in under.values)
    for methods, make in ((SHARED if share else {}, project_share), (RATED, project_rate)):
        for method, past in methods.items():
            found = make(over.upto(day), under.upto(day), CALENDAR, horizon, done, past=past)
            if found is not None:
                scores.setdefault((name, method, horizon), Score()).add(found, actual, goals)


def levels(series: Mapping[str, Daily], horizons: Sequence[int] = (28, 91)) -> Scores:
    """Return how the changes of levels did, every fourth week from the third year on."""
    scores: Scores = {}
    for name, whole in series.items():
        for horizon in horizons:
            assert whole.first is not None
            day = whole.first + DAY * 730
            while day + DAY * horizon <= whole.last:
                value, after = whole.values.get(day), whole.values.get(day + DAY * horizon)
                if value is not None and after is not None:
                    known = {d: v for d, v in whole.values.items() if day - DAY * 730 <= d <= day}
                    found = project_level(Daily.of(known), horizon, value, "log")
                    if found is not None and found.method == "changes":
                        goals = [factor * value for factor in TARGETS]
                        scores.setdefault((name, "changes", horizon), Score()).add(found, after, goals)
                day += DAY * 28
    return scores


# goals for each period


def kept(series: Mapping[str, Daily], done: int = 6, weeks: int = 12, step: int = 2) -> Scores:
    """Return how many goals for each week hit, half of whose weeks are over: up to two, or four, of twelve may miss."""
    scores: Scores = {}
    for name, whole in series.items():
        assert whole.first is not None
        monday = whole.first + DAY * (-whole.first.weekday() % 7)
        count = ((whole.last - monday).days + 1) // 7
        values = [whole.sum(monday + DAY * 7 * i, monday + DAY * (7 * i + 6)) for i in range(count)]
        for now in range(12, count - (weeks - done), step):
            base = mean(values[now - 8 : now])
            for factor in TARGETS if base > 0 else ():
                _judge_weeks(scores, name, values, now, done, weeks, Bounds(factor * base))
    return scores


def _judge_weeks(
    scores: Scores, name: str, values: Sequence[float], now: int, done: int, weeks: int, due: Bounds
) -> None:
    so_far = sum(one >= due.low for one in values[now - done : now])
    came = so_far + sum(one >= due.low for one in values[now : now + weeks - done])
    past = [(one, due) for one in values[:now]]
    found = project_periods("increase", past, so_far, weeks - done, None, 7)
    goals = [weeks - allowed for allowed in (2, 4) if 0 <= allowed - (done - so_far) < weeks - done]
    if found is not None and goals:
        scores.setdefault((name, "periods", weeks), Score()).add(found, came, goals)


# what does not add up over days


def windows(folder: Path, lengths: Sequence[int] = (28, 91), step: int = 7) -> Scores:
    """Return how distinct counts and medians of real data did, after a quarter, half and three quarters of the days."""
    scores: Scores = {}
    for name, (rows, grows) in _tables(folder).items():
        measure = _measure_of(rows, grows=grows)
        for days in lengths:
            for begin in range(3 * days, max(rows) - days + 1, step):
                for done in (days // 4, days // 2, days * 3 // 4):
                    _judge_window(scores, name, measure, (begin, done, days), grows=grows)
    return scores


def _judge_window(scores: Scores, name: str, measure: Measure, window: tuple[int, int, int], *, grows: bool) -> None:
    begin, done, days = window
    value, actual, apart = measure(begin, done), measure(begin, days), -(-days // 7) * 7
    begins = [begin - apart * (i + 1) for i in range(min(EARLIER, LONG // apart, begin // apart))]
    pairs = [(before, after) for one in begins if (before := measure(one, done)) and (after := measure(one, days))]
    found = project_like_before(pairs, value, done, days, one_way=grows) if value and actual else None
    if found is not None and actual is not None:
        goals = [factor * found.quantile(0.5) for factor in TARGETS]
        scores.setdefault((name, "earlier", days), Score()).add(found, actual, goals)


def _measure_of(rows: Mapping[int, list[Any]], *, grows: bool) -> Measure:
    """Return what counts distinct values, or takes their median, from a day on over so many days."""

    @cache
    def measure(begin: int, days: int) -> float | None:
        some = [one for day in range(begin, begin + days) for one in rows.get(day, ())]
        return None if not some else float(len(set(some))) if grows else median(some)

    return measure


def _tables(folder: Path) -> dict[str, tuple[dict[int, list[Any]], bool]]:
    """Return values by the number of the day, and whether they are to be counted."""
    orders = pl.read_parquet(folder / "olist" / "olist_orders_dataset.parquet")
    items = pl.read_parquet(folder / "olist" / "olist_order_items_dataset.parquet").join(orders, on="order_id")
    bought, brought = pl.col("order_purchase_timestamp"), pl.col("order_delivered_customer_date")
    north = pl.read_parquet(folder / "northwind" / "orders.parquet").with_columns(day=pl.col("orderDate").dt.date())
    deals = pl.read_parquet(folder / "crm_sales_opportunities" / "sales_pipeline.parquet").rename({"close_date": "day"})
    won = deals.filter(pl.col("deal_stage") == "Won")
    steady = pl.col("day").is_between(date(2017, 2, 1), date(2018, 8, 20))
    counted = {
        "Olist, sellers": items.select(day=bought.dt.date(), x="seller_id").filter(steady),
        "Olist, products": items.select(day=bought.dt.date(), x="product_id").filter(steady),
        "Northwind, customers": north.select("day", x="customerID"),
        "CRM, accounts won": won.select("day", x="account"),
    }
    halved = {
        "Olist, median freight": items.select(day=bought.dt.date(), x="freight_value").filter(steady),
        "Olist, median delivery": orders.select(day=brought.dt.date(), x=(brought - bought).dt.total_seconds()).filter(
            steady
        ),
        "Northwind, median freight": north.select("day", x="freight"),
        "CRM, median deal won": won.select("day", x="close_value"),
    }
    return {
        name: (_by_day(rows), grows)
        for grows, some in ((True, counted), (False, halved))
        for name, rows in some.items()
    }


def _by_day(rows: pl.DataFrame) -> dict[int, list[Any]]:
    """Return the values of rows by the number of their day, the first being 0."""
    known = rows.drop_nulls()
    days = known.select(day=(pl.col("day") - pl.col("day").min()).dt.total_days(), x="x").group_by("day").agg("x")
    return dict(days.iter_rows())


# real series


def real(folder: Path) -> dict[str, Daily]:
    """Return daily totals of real data."""
    website = pl.read_parquet(folder / "website_daily" / "daily-website-visitors.parquet")
    found = {
        f"website, {name.lower().replace('.', ' ')}": _daily(website["Date"].to_list(), website[name].to_list())
        for name in ("Page.Loads", "Unique.Visits", "Returning.Visits")
    }
    olist = pl.read_parquet(folder / "olist" / "olist_orders_dataset.parquet")
    orders = olist.select(day=pl.col("order_purchase_timestamp").dt.date()).filter(
        pl.col("day").is_between(date(2017, 1, 5), date(2018, 8, 20))
    )
    found["Olist, orders"] = _counts(orders)
    rocket = pl.read_parquet(folder / "retailrocket_sample" / "events.parquet")
    found["Retailrocket, events"] = _counts(
        rocket.select(day=pl.from_epoch(pl.col("timestamp"), time_unit="ms").dt.date())
    )
    shop = pl.read_parquet(folder / "eshop_clothing_2008" / "e-shop_clothing_2008.parquet")
    found["e-shop, clicks"] = _counts(shop.select(day=pl.date("year", "month", "day")))
    north = pl.read_parquet(folder / "northwind" / "orders.parquet")
    found["Northwind, orders"] = _counts(north.select(day=pl.col("orderDate").dt.date()))
    deals = pl.read_parquet(folder / "crm_sales_opportunities" / "sales_pipeline.parquet")
    won = deals.filter(pl.col("deal_stage") == "Won").select(day="close_date", x="close_value")
    found["CRM, won deals"] = _counts(won.select("day"))
    found["CRM, won amount"] = _counts(won)
    return found


def rates(folder: Path) -> dict[str, Daily]:
    """Return currencies by day, as levels."""
    fx = pl.read_parquet(folder / "fx_ecb" / "eurofxref-hist.parquet").sort("Date")
    some = {name: fx.select("Date", name).drop_nulls() for name in ("USD", "JPY", "GBP")}
    return {
        f"EUR in {name}": Daily.of(dict(zip(one["Date"].to_list(), one[name].cast(float).to_list(), strict=True)))
        for name, one in some.items()
    }


def real_shares(folder: Path) -> Scores:
    """Return how shares and ratios of real data did, every other week."""
    scores: Scores = {}
    for name, (over, under) in {**_of_olist(folder), **_of_website(folder), **_of_others(folder)}.items():
        for horizon in (28, 91):
            assert under.first is not None
            day = under.first + DAY * 84
            while day + DAY * horizon <= under.last:
                _judge_share(scores, name, over, under, day, horizon)
                day += DAY * 14
    return scores


def _of_olist(folder: Path) -> dict[str, Ratio]:
    orders = pl.read_parquet(folder / "olist" / "olist_orders_dataset.parquet")
    items = pl.read_parquet(folder / "olist" / "olist_order_items_dataset.parquet")
    delivered, promised = (
        pl.col(f"order_{name}_date").dt.date() for name in ("delivered_customer", "estimated_delivery")
    )
    days, bought = pl.col("day").is_between(date(2017, 2, 1), date(2018, 8, 20)), pl.col("order_purchase_timestamp")
    late = orders.select(day=delivered, x=(delivered > promised).cast(float)).drop_nulls().filter(days)
    freight = items.join(orders, on="order_id").select(day=bought.dt.date(), x="freight_value").filter(days)
    return {"Olist, late deliveries": _ratio(late), "Olist, freight of an item": _ratio(freight)}


def _of_website(folder: Path) -> dict[str, Ratio]:
    table = pl.read_parquet(folder / "website_daily" / "daily-website-visitors.parquet")
    loads, unique, again = (
        _daily(table["Date"].to_list(), table[name].to_list())
        for name in ("Page.Loads", "Unique.Visits", "Returning.Visits")
    )
    return {"website, returning visits": (again, unique), "website, loads of a visit": (loads, unique)}


def _of_others(folder: Path) -> dict[str, Ratio]:
    orders = pl.read_parquet(folder / "northwind" / "orders.parquet")
    shipped, required = pl.col("shippedDate").dt.date(), pl.col("requiredDate").dt.date()
    late = orders.select(day=shipped, x=(shipped > required).cast(float)).drop_nulls()
    deals = pl.read_parquet(folder / "crm_sales_opportunities" / "sales_pipeline.parquet")
    won = pl.col("deal_stage") == "Won"
    closed = deals.select(day="close_date", x=won.cast(float)).drop_nulls()
    events = pl.read_parquet(folder / "retailrocket_sample" / "events.parquet")
    there = events.with_columns(day=pl.from_epoch(pl.col("timestamp"), time_unit="ms").dt.date())
    carts = there.select("day", x=(pl.col("event") == "addtocart").cast(float))
    return {
        "Northwind, late shipments": _ratio(late),
        "Northwind, freight of an order": _ratio(orders.select(day=pl.col("orderDate").dt.date(), x="freight")),
        "CRM, won of closed deals": _ratio(closed),
        "CRM, amount of a won deal": _ratio(deals.filter(won).select(day="close_date", x="close_value")),
        "Retailrocket, carts of events": _ratio(carts),
    }


def _ratio(rows: pl.DataFrame) -> Ratio:
    """Return the sum of x by day, and how many rows."""
    return _counts(rows), _counts(rows.select("day"))


def _daily(days: Sequence[date], values: Sequence[float]) -> Daily:
    return Daily.of({day: float(value) for day, value in zip(days, values, strict=True)})


def _counts(rows: pl.DataFrame) -> Daily:
    """Return rows a day, or the sum of their x; days without one are zero."""
    one = pl.col("x").sum() if "x" in rows.columns else pl.len()
    some = rows.drop_nulls("day").group_by("day").agg(x=one.cast(float))
    found = dict(zip(some["day"].to_list(), some["x"].to_list(), strict=True))
    first, last = min(found), max(found)
    return Daily.of({first + DAY * i: found.get(first + DAY * i, 0.0) for i in range((last - first).days + 1)})


# tables


def coverage_table(scores: Scores, methods: Sequence[str], what: str) -> str:
    """Return how often the 80 % interval held what came, by series and horizon."""
    lines = [f"| {what} | days | cases | {' | '.join(methods)} |", "| --- | ---: | ---: |" + " ---: |" * len(methods)]
    for name, horizon in dict.fromkeys((name, horizon) for name, _, horizon in scores):
        row = [scores.get((name, method, horizon), Score()) for method in methods]
        cells = " | ".join(one.coverage() for one in row)
        lines.append(f"| {name} | {horizon} | {max(one.cases for one in row)} | {cells} |")
    return "\n".join(lines) + "\n"


def said_table(groups: Mapping[str, Scores], methods: Sequence[str]) -> str:
    """Return how many goals hit, by what was said of them."""
    names = [f"{low:.0%}–{min(high, 1):.0%}" for low, high in zip(BINS, BINS[1:], strict=False)]
    lines = [f"| goals | method | {' | '.join(names)} |", "| --- | --- |" + " ---: |" * len(names)]
    for group, scores in groups.items():
        for method in methods:
            said: dict[int, list[int]] = {}
            for (_, name, _), score in scores.items():
                for place, hits in score.said.items() if name == method else ():
                    said.setdefault(place, []).extend(hits)
            cells = [f"{mean(said[i]):.0%} of {len(said[i]):,}" if said.get(i) else "" for i in range(len(names))]
            if any(cells):
                lines.append(f"| {group} | {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def report(runs: int, folder: Path) -> str:
    """Return all tables, with what they are made of."""
    drawn, past = synthetic(runs), rolling(real(folder))
    drawn_shares, past_shares = shares(runs // 2), real_shares(folder)
    apart = windows(folder)
    level = levels(rates(folder))
    both, kinds = list(METHODS), [*SHARED, *RATED]
    parts = [
        INTERVALS, coverage_table(drawn, both, "drawn series"), coverage_table(past, both, "real series"),
        GOALS, said_table({"drawn": drawn, "real": past}, both),
        SHARES, coverage_table(drawn_shares, kinds, "drawn shares"),
        coverage_table(past_shares, kinds, "real shares and ratios"),
        said_table({"drawn": drawn_shares, "real": past_shares}, kinds),
        WINDOWS, coverage_table(apart, ("earlier",), "windows"), said_table({"real": apart}, ("earlier",)),
        WEEKS, said_table({"drawn": kept(regimes(runs // 10)), "real": kept(real(folder))}, ("periods",)),
        LEVELS, coverage_table(level, ("changes",), "levels"),
    ]  # fmt: skip
    return "\n".join(parts)


INTERVALS = """\
Totals: how often the 80 % interval held what came. Drawn series have weekdays, a mean of 40 a day and 420 days of
history; real ones are judged every other week, on all days before.
"""
GOALS = """\
Half-way goals whose targets are 85 % to 115 % of what an even pace leads to: how many hit, by the probability that was
said.
"""
SHARES = """\
Shares and ratios over a goal, judged half-way: how often the interval held what came, and how many hit. Drawn ones have
420 days of history; real ones are judged every other week.
"""
WINDOWS = """\
Distinct counts and medians over a goal, judged each week after a quarter, half and three quarters of the days. Targets
are 85 % to 115 % of the estimate.
"""
WEEKS = """\
Goals for each of twelve weeks, two or four of which may miss, six being over: how many hit.
"""
LEVELS = """\
Levels, by how they changed before: currencies, every fourth week.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="drawn series for each cell")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SMARTKPI_SHARED", "../shared")) / "data")
    parser.add_argument("--write", type=Path, help="a page that has the tables between its marks")
    given = parser.parse_args()
    text = report(given.runs, given.data)
    if given.write is None:
        print(text)
        return
    page = given.write.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    given.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
