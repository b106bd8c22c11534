"""What a reader gives back: the rows of a dataset's files as one frame, and what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from smartkpi.language.types import Type
from smartkpi.sources.audit import Audit


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows, the types of their columns, what the audit found; ``held``: they are in memory, not to be read again."""

    frame: pl.LazyFrame = field(repr=False)
    types: Mapping[str, Type]
    audit: Audit
    held: bool = False
