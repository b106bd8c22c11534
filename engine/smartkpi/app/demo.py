"""The demo: a small cross-border store whose data is made here, seeded, so that everyone sees the same numbers."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from smartkpi.resources import find

FIRST, LAST = date(2025, 1, 1), date(2026, 3, 19)
CHINA = timedelta(hours=8)
COUNTRIES = {"US": 0.34, "DE": 0.18, "GB": 0.16, "BR": 0.14, "JP": 0.1, "AU": 0.08}
CHANNELS = {"search": 0.38, "ads": 0.3, "social": 0.18, "mail": 0.14}
SALESPEOPLE = {"Li": 0.3, "Wang": 0.27, "Chen": 0.23, "Zhao": 0.2}
MINUTES = {"Li": 28, "Wang": 34, "Chen": 95, "Zhao": 31}  # Chen answers late ...
CLOSES = {"Li": 0.46, "Wang": 0.43, "Chen": 0.27, "Zhao": 0.44}  # ... and wins less often
SEASON = (0.92, 0.72, 0.97, 1.0, 1.02, 1.0, 0.96, 0.98, 1.06, 1.12, 1.42, 1.2)
WEEKDAY = (1.1, 1.15, 1.12, 1.08, 1.02, 0.78, 0.75)
BAD_MONTH = (2025, 8)  # a new checkout loses orders in Brazil and Germany
ADS_LOSE = date(2026, 1, 12)  # more ads are bought, and fewer who click them want anything

EVENT_SCHEMA = pl.Schema(
    {
        "event_id": pl.Int64(),
        "ts": pl.Datetime("us", "UTC"),
        "event": pl.String(),
        "visitor": pl.Int64(),
        "country": pl.String(),
        "channel": pl.String(),
        "salesperson": pl.String(),
        "order_id": pl.Int64(),
        "amount": pl.Float64(),
        "wait_minutes": pl.Float64(),
    }
)


def make(folder: Path, seed: int = 1) -> Path:
    """Write the demo's project and data into a folder, and return the folder.

    Raises FileExistsError where the folder has anything in it: nothing is overwritten.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"`{folder}` is not empty")
    (folder / "data" / "events").mkdir(parents=True)
    shutil.copyfile(find("examples") / "store" / "kpis.yml", folder / "kpis.yml")
    story = _Story(random.Random(seed))
    for day in _days():
        story.live(day)
    _write(folder / "data", story)
    return folder


def _days() -> Iterator[date]:
    for number in range((LAST - FIRST).days + 1):
        yield FIRST + timedelta(days=number)


def _write(folder: Path, story: _Story) -> None:
    events = pl.DataFrame(story.events, schema=EVENT_SCHEMA, orient="row").sort("ts", "event_id")
    months = events.with_columns(month=pl.col("ts").dt.strftime("%Y-%m")).partition_by("month", as_dict=True)
    for (month,), rows in months.items():
        rows.drop("month").write_parquet(folder / "events" / f"{month}.parquet")
    refunds = pl.DataFrame(story.refunds, schema=["refund_id", "date", "order_id", "country", "amount"], orient="row")
    refunds.sort("date", "refund_id").write_csv(folder / "refunds.csv")
    columns = ["Campaign Name", "Date", "Spend [USD]", "# of Impressions", "# of Clicks"]
    ads = pl.DataFrame(story.ads, schema=columns, orient="row")
    ads.write_csv(folder / "ads.csv", separator=";", include_bom=True)


class _Story:
    """What has happened so far. Only `Random.random` is used: it gives the same numbers in every Python."""

    def __init__(self, chance: random.Random) -> None:
        self.random: Callable[[], float] = chance.random
        self.events: list[tuple[Any, ...]] = []
        self.refunds: list[tuple[Any, ...]] = []
        self.ads: list[tuple[Any, ...]] = []
        self.orders = 0
        self.visitors = 0

    def live(self, day: date) -> None:
        """Let a day happen: ads are shown, people visit, some ask, some buy, some give back."""
        months = (day.year - FIRST.year) * 12 + day.month - 1
        level = 74 * 1.018**months * SEASON[day.month - 1] * WEEKDAY[day.weekday()] * (0.9 + 0.2 * self.random())
        self._advertise(day, level)
        for _ in range(int(level + self.random())):
            self._visit(day)
        if day >= ADS_LOSE:
            for _ in range(int(level * 0.16 + self.random())):
                self._visit(day, "ads")

    def _advertise(self, day: date, level: float) -> None:
        for campaign, share in (("Spring Sale", 0.6), ("New Arrivals", 0.4)):
            clicks = int(level * share * (0.3 if day < ADS_LOSE else 0.46) * (0.95 + 0.1 * self.random()))
            rate = 0.012 if day < ADS_LOSE else 0.0088
            shown = int(clicks / rate * (0.9 + 0.2 * self.random()))
            spend = round(clicks * (1.15 + 0.25 * self.random()), 2)
            self.ads.append((campaign, f"{day.day}.{day:%m.%Y}", spend, shown, clicks))

    def _visit(self, day: date, channel: str = "") -> None:
        lost = bool(channel)
        channel = channel or self._pick(CHANNELS)
        guest = _Guest(self._visitor(), self._pick(COUNTRIES), channel, self._pick(SALESPEOPLE))
        at = datetime(day.year, day.month, day.day) - CHINA + timedelta(seconds=int(self.random() * 86_000))
        self._event(at, "visit", guest)
        if self.random() < (0.02 if lost else 0.075 if channel == "mail" else 0.06):
            self._ask(at + self._minutes(9), guest)
        elif self.random() < (0.001 if lost else 0.0045):
            self._order(at + self._minutes(14), guest)

    def _ask(self, at: datetime, guest: _Guest) -> None:
        self._event(at, "inquiry", guest)
        if self.random() < 0.03:
            return
        wait = round(MINUTES[guest.salesperson] * (0.25 + 1.6 * self.random() ** 1.3), 1)
        answered = at + timedelta(minutes=wait)
        self._event(answered, "reply", guest, wait=wait)
        closes = CLOSES[guest.salesperson]
        if (answered.year, answered.month) == BAD_MONTH and guest.country in ("BR", "DE"):
            closes *= 0.35
        if self.random() < closes:
            self._order(answered + self._minutes(60 * 30), guest)

    def _order(self, at: datetime, guest: _Guest) -> None:
        self.orders += 1
        order, amount = self.orders, round(35 + 110 * self.random() + 520 * self.random() ** 4, 2)
        self._event(at, "order", guest, order, amount)
        if self.random() < 0.04:
            return
        paid = at + self._minutes(60 * 8)
        self._event(paid, "payment", guest, order, amount)
        if self.random() < (0.09 if guest.country == "DE" else 0.035):
            back = (paid + timedelta(days=2 + int(self.random() * 12)) + CHINA).date()
            if back <= LAST:
                part = round(amount * (1 if self.random() < 0.7 else 0.4), 2)
                self.refunds.append((len(self.refunds) + 1, back.isoformat(), order, guest.country, part))

    def _event(
        self,
        at: datetime,
        event: str,
        guest: _Guest,
        order: int | None = None,
        amount: float | None = None,
        wait: float | None = None,
    ) -> None:
        if (at + CHINA).date() > LAST:
            return
        number = len(self.events) + 1
        who = (guest.visitor, guest.country, guest.channel, guest.salesperson)
        self.events.append((number, at, event, *who, order, amount, wait))

    def _visitor(self) -> int:
        if self.visitors and self.random() < 0.35:
            recent = min(self.visitors, 4_000)
            return 100_000 + self.visitors - int(self.random() * recent)
        self.visitors += 1
        return 100_000 + self.visitors

    def _pick(self, shares: dict[str, float]) -> str:
        left = self.random()
        for name, share in shares.items():
            left -= share
            if left < 0:
                return name
        return name

    def _minutes(self, most: float) -> timedelta:
        return timedelta(seconds=int(self.random() * most * 60))


@dataclass(frozen=True, slots=True)
class _Guest:
    visitor: int
    country: str
    channel: str
    salesperson: str
