"""A second reading of a damaged CSV file, in plain Python: what its bytes say, whatever they said before."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

DAY = re.compile(r"([1-9]\d{3})-\s*(\d{1,2})-\s*(\d{1,2})")


@dataclass(frozen=True, slots=True)
class Reading:
    """How many rows there are, how many of them have a day, and what those of a day sum up to and name."""

    rows: int
    dated: int
    amount: float | None
    countries: int | None


def read(content: bytes) -> Reading | None:
    """Return what a file of `ts,country,amount` says, in any order of columns; None where it is no such file."""
    try:
        text = content.decode("utf-8-sig")
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    head, *rows = [record for record in records if record] or [[]]
    if "\0" in text or any(len(row) != len(head) for row in rows) or len(set(head)) < len(head):
        return None
    places = {name.strip(): place for place, name in enumerate(head)}
    if "ts" not in places:
        return None
    dated = [row for row in rows if _is_day(row[places["ts"]])]
    amount, country = places.get("amount"), places.get("country")
    return Reading(
        rows=len(rows),
        dated=len(dated),
        amount=None if amount is None else _sum([row[amount] for row in dated]),
        countries=None if country is None else len({row[country] for row in dated} - {""}),
    )


def _is_day(text: str) -> bool:
    """Say whether a text is a day, leading zeros or not."""
    found = DAY.fullmatch(text)
    try:
        return found is not None and bool(date(*map(int, found.groups())))
    except ValueError:
        return False


def _sum(texts: Sequence[str]) -> float | None:
    try:
        found = [float(text) for text in texts if text]
    except ValueError:
        return None
    return math.fsum(value for value in found if math.isfinite(value))
