"""How far a run is: the rows of a long pass are counted as they go by, on a column that is read anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

import polars as pl

from smartkpi.sources.tables import Table

Progress = Callable[[int, int | None], None]

LONG = 2_000_000
"""A pass over fewer rows is told of when it is done."""


@dataclass(slots=True)
class Meter:
    """Tells rows read so far, and those to read in all (None: not known).

    A pass that filters rows first tells of those that are left; once done, of all.
    """

    tell: Progress
    total: int | None
    _done: int = 0
    _passed: int = 0
    _failure: BaseException | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def watch(self, frame: pl.LazyFrame, table: Table, exprs: Iterable[pl.Expr]) -> pl.LazyFrame:
        """Return a frame whose rows are counted on their way, by a column that these expressions read.

        The look is elementwise and changes nothing, so the pass stays in the streaming engine.
        """
        if table.rows_hint is not None and table.rows_hint <= LONG:
            return frame
        names = (name for expr in exprs for name in expr.meta.root_names() if name in table.polars)
        name = next(names, None)
        if name is None:
            return frame
        look = pl.col(name).map_batches(self._look, return_dtype=table.polars[name], is_elementwise=True)
        return frame.with_columns(look)

    def finish(self, rows: int | None) -> None:
        """Tell that a pass over so many rows is done."""
        self._done += rows or self._passed
        self._passed = 0
        self.tell(self._done, None if self.total is None else max(self.total, self._done))

    def check(self) -> None:
        """Raise what the listener raised: on its way through the engine it became another error."""
        if self._failure is not None:
            raise self._failure

    def _look(self, column: pl.Series) -> pl.Series:
        """Count a batch; the threads of the engine come here one by one."""
        with self._lock:
            self._passed += len(column)
            try:
                self.tell(self._done + self._passed, self.total)
            except BaseException as error:
                self._failure = self._failure or error
                raise
        return column
