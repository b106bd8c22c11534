"""What happened in the demo's store: people see ads, visit, ask, chat, buy, pay, get it, judge it, give it back.

Parts of it are there to be found by asking: a season, a week, a month that went wrong, a salesperson who answers late,
ads that stopped paying, four currencies.

The same seed is the same story on every machine: of chance only `Random.random` is used, and of arithmetic only what
is exact by the standard of floats (a power is not; it depends on the machine's library).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

FIRST, LAST = date(2025, 1, 1), date(2026, 3, 19)
CHINA = timedelta(hours=8)

SEASON = (0.92, 0.72, 0.97, 1.0, 1.02, 1.0, 0.96, 0.98, 1.06, 1.12, 1.42, 1.2)
WEEKDAY = (1.1, 1.15, 1.12, 1.08, 1.02, 0.78, 0.75)
VISITS = 150  # on a day, before season, weekday and growth
GROWTH = 1.015  # a month
BAD_MONTH = (2025, 8)  # a new checkout fails ...
FAILED = ("DE", "BR")  # ... in two countries
ADS_LOSE = date(2026, 1, 12)  # more ads are bought, and fewer who click them want anything

COUNTRIES = {"US": 0.34, "DE": 0.18, "GB": 0.16, "BR": 0.14, "JP": 0.1, "AU": 0.08}
IN_DOLLARS = {"US": 0.61, "BR": 0.25, "AU": 0.14}  # where ads are run: what they bring is paid in their own currency
CURRENCIES = {"DE": ("EUR", 0.92), "GB": ("GBP", 0.79), "JP": ("JPY", 150.0)}  # the others pay in USD
CHANNELS = {"search": 0.38, "ads": 0.3, "social": 0.18, "mail": 0.14}
SALESPEOPLE = {"Li": 0.3, "Wang": 0.27, "Chen": 0.23, "Zhao": 0.2}
MINUTES = {"Li": 28, "Wang": 34, "Chen": 95, "Zhao": 31}  # Chen answers late ...
CLOSES = {"Li": 0.46, "Wang": 0.43, "Chen": 0.27, "Zhao": 0.44}  # ... and wins less often
DAYS_AWAY = {"US": 8, "DE": 9, "GB": 9, "BR": 15, "JP": 5, "AU": 10}
REASONS = {"not as described": 0.38, "too late": 0.22, "damaged": 0.22, "changed mind": 0.18}

EVENTS: Mapping[str, type] = {
    "event_id": int,
    "ts": datetime,
    "event": str,
    "visitor": int,
    "country": str,
    "channel": str,
    "salesperson": str,
    "inquiry_id": int,
    "order_id": int,
    "paid_in": str,
    "amount": float,
    "wait_minutes": float,
    "promised": date,
    "score": int,
}
REFUNDS = ("refund_id", "date", "order_id", "country", "paid_in", "amount", "why")
ADS = ("Campaign Name", "Date", "Spend [USD]", "# of Impressions", "# of Clicks")
Row = tuple[Any, ...]


@dataclass(slots=True)
class Story:
    """What was written down, as rows of the columns above."""

    events: list[Row] = field(default_factory=list)
    refunds: list[Row] = field(default_factory=list)
    ads: list[Row] = field(default_factory=list)


def tell(seed: int) -> Story:
    """Return the story of a seed, from the first day to the last."""
    author = _Author(random.Random(seed).random)
    level = float(VISITS)
    for day in _days():
        level *= GROWTH if day.day == 1 and day != FIRST else 1
        author.live(day, level * SEASON[day.month - 1] * WEEKDAY[day.weekday()] * (0.9 + 0.2 * author.chance()))
    return author.story


def _days() -> Iterator[date]:
    for number in range((LAST - FIRST).days + 1):
        yield FIRST + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class _Guest:
    visitor: int
    country: str
    channel: str
    salesperson: str
    inquiry: int | None = None


@dataclass(frozen=True, slots=True)
class _Order:
    number: int
    guest: _Guest
    amount: float

    @property
    def paid_in(self) -> str:
        return CURRENCIES.get(self.guest.country, ("USD", 1.0))[0]


class _Author:
    """Who lets things happen, by a chance between 0 and 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.chance = chance
        self.story = Story()
        self.orders = self.inquiries = self.visitors = 0

    def live(self, day: date, level: float) -> None:
        """Let a day happen, with so many visits more or less."""
        self._advertise(day, level)
        for _ in range(int(level + self.chance())):
            self._visit(day)
        if day >= ADS_LOSE:
            for _ in range(int(level * 0.22 + self.chance())):
                self._visit(day, lost=True)

    def _advertise(self, day: date, level: float) -> None:
        loses = day >= ADS_LOSE
        for campaign, share in (("Spring Sale", 0.6), ("New Arrivals", 0.4)):
            clicks = int(level * share * (0.52 if loses else 0.3) * (0.95 + 0.1 * self.chance()))
            shown = int(clicks / (0.0088 if loses else 0.012) * (0.9 + 0.2 * self.chance()))
            spend = round(clicks * (1.15 + 0.25 * self.chance()), 2)
            self.story.ads.append((campaign, f"{day.day}.{day.month:02}.{day.year}", spend, shown, clicks))

    def _visit(self, day: date, lost: bool = False) -> None:
        channel = "ads" if lost else self._pick(CHANNELS)
        country = self._pick(IN_DOLLARS if channel == "ads" else COUNTRIES)
        guest = _Guest(self._visitor(), country, channel, self._pick(SALESPEOPLE))
        at = datetime(day.year, day.month, day.day) - CHINA + timedelta(seconds=int(self.chance() * 86_000))
        self._event(at, "visit", guest)
        if self.chance() < (0.008 if lost else 0.075 if channel == "mail" else 0.06):
            self._ask(at + self._minutes(9), guest)
        elif self.chance() < (0.001 if lost else 0.0045):
            self._buy(at + self._minutes(14), guest)

    def _ask(self, at: datetime, guest: _Guest) -> None:
        self.inquiries += 1
        guest = _Guest(guest.visitor, guest.country, guest.channel, guest.salesperson, self.inquiries)
        self._event(at, "inquiry", guest)
        if self.chance() < 0.03:
            return
        late = self.chance()
        wait = round(MINUTES[guest.salesperson] * (0.25 + 1.1 * late + 0.5 * late * late), 1)
        at += timedelta(minutes=wait)
        self._event(at, "reply", guest, wait=wait)
        for _ in range(int(self.chance() * 6)):
            at += self._minutes(25)
            self._event(at, "chat", guest)
        if self.chance() < CLOSES[guest.salesperson]:
            self._buy(at + self._minutes(60 * 30), guest)

    def _buy(self, at: datetime, guest: _Guest) -> None:
        local = at + CHINA
        if (local.year, local.month) == BAD_MONTH and guest.country in FAILED and self.chance() < 0.75:
            return
        self.orders += 1
        chance = self.chance() * self.chance()
        currency, rate = CURRENCIES.get(guest.country, ("USD", 1.0))
        amount = (35 + 110 * self.chance() + 900 * chance * chance) * rate
        order = _Order(self.orders, guest, round(amount, 0 if currency == "JPY" else 2))
        self._event(at, "order", guest, order)
        if self.chance() < 0.04:
            return
        paid = at + self._minutes(60 * 8)
        self._event(paid, "payment", guest, order)
        self._deliver(paid, order)

    def _deliver(self, paid: datetime, order: _Order) -> None:
        days = DAYS_AWAY[order.guest.country]
        promised = (paid + CHINA).date() + timedelta(days=days + 3)
        arrived = paid + self._minutes(60 * 24 * days * 0.8) + timedelta(hours=int(24 * days * 0.55))
        late = (arrived + CHINA).date() > promised
        self._event(arrived, "delivery", order.guest, order, promised=promised)
        if self.chance() < 0.45:
            score = 5 - int(self.chance() * (5 if late else 2.2))
            self._event(arrived + self._minutes(60 * 72), "review", order.guest, order, score=score)
        if self.chance() < (0.09 if order.guest.country == "DE" else 0.035):
            self._refund(arrived + self._minutes(60 * 24 * 10), order)

    def _refund(self, at: datetime, order: _Order) -> None:
        day = (at + CHINA).date()
        part = 1 if self.chance() < 0.7 else 0.4
        amount = round(order.amount * part, 0 if order.paid_in == "JPY" else 2)
        why = self._pick(REASONS)
        if day <= LAST:
            number = len(self.story.refunds) + 1
            row = (number, day.isoformat(), order.number, order.guest.country, order.paid_in, amount, why)
            self.story.refunds.append(row)

    def _event(
        self,
        at: datetime,
        event: str,
        guest: _Guest,
        order: _Order | None = None,
        wait: float | None = None,
        promised: date | None = None,
        score: int | None = None,
    ) -> None:
        if (at + CHINA).date() > LAST:
            return
        who = (guest.visitor, guest.country, guest.channel, guest.salesperson, guest.inquiry)
        what = (None, None, None) if order is None else (order.number, order.paid_in, order.amount)
        self.story.events.append((len(self.story.events) + 1, at, event, *who, *what, wait, promised, score))

    def _visitor(self) -> int:
        if self.visitors and self.chance() < 0.35:
            return 100_000 + self.visitors - int(self.chance() * min(self.visitors, 8_000))
        self.visitors += 1
        return 100_000 + self.visitors

    def _pick(self, shares: Mapping[str, float]) -> str:
        left = self.chance()
        for name, share in shares.items():
            left -= share
            if left < 0:
                return name
        return name

    def _minutes(self, most: float) -> timedelta:
        return timedelta(seconds=int(self.chance() * most * 60))
