"""What is remembered of files that have not changed, for as long as the process runs."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

Fact = TypeVar("Fact")
MOST = 256


@dataclass(frozen=True, slots=True)
class Memo(Generic[Fact]):
    """Facts by what they were found from; the oldest go first. Any thread may read and add."""

    facts: dict[Hashable, Fact] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def find(self, key: Hashable) -> Fact | None:
        """Return what is remembered, None where nothing is."""
        with self.lock:
            return self.facts.get(key)

    def keep(self, key: Hashable, fact: Fact) -> None:
        """Remember a fact."""
        with self.lock:
            while len(self.facts) >= MOST:
                self.facts.pop(next(iter(self.facts)))
            self.facts[key] = fact
