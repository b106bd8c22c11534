"""Damaged files by class, each with the code that it ends in, or the number and the report that it gives."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

HEAD = b"ts,country,amount\n"
ROWS = [f"2026-01-{n % 28 + 1:02},{'BR' if n % 2 else 'DE'},{n}.5\n".encode() for n in range(1000)]
WHOLE = HEAD + b"".join(ROWS)
COUNT, SUM = 1000.0, 500_000.0
ON = {"skip": "0.5%"}


@dataclass(frozen=True, slots=True)
class Damage:
    """Damaged files and what is to come of them.

    ``code``: the error that ends the run. Else ``orders`` and ``revenue`` (None: left out), the rows ``left_out`` by
    reason, and the codes of notes.
    """

    trap: int
    name: str
    files: Mapping[str, bytes]
    code: str = ""
    orders: float | None = COUNT
    revenue: float | None = SUM
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()
    read: str | Mapping[str, Any] = ""
    more: Mapping[str, Any] = field(default_factory=dict)


def damages() -> Iterator[Damage]:
    """Yield every class of damage."""
    yield from _rows()
    yield from _texts()
    yield from _values()
    yield from _missing()
    yield from _columnar()


def _csv(trap: int, name: str, content: bytes, code: str = "", **more: Any) -> Damage:
    return Damage(trap, name, {"e.csv": content}, code, read="e.csv", **more)


def _with(*lines: bytes, at: int = 500) -> bytes:
    """Return the whole file with lines put into its middle."""
    return HEAD + b"".join([*ROWS[:at], *lines, *ROWS[at:]])


def _rows() -> Iterator[Damage]:
    """Yield lines that are no rows: an error each, or left out up to the stated share."""
    bad = {
        "a short row": b"2026-01-05,BR\n",
        "a long row": b"2026-01-05,BR,1,2\n",
        "a stray quote": b'2026-01-05,"BR,1\n',
        "text behind a quote": b'2026-01-05,"B"R,1\n',
        "an inch sign": b'2026-01-05,5",1\n',
        "quotes around a separator": b'2026-01-05,a"b,c"d,1\n',
        "a NUL": b"2026-01-05,B\0R,1\n",
        "a carriage return": b"2026-01-05,BR,1\r2026-01-06,BR,2\n",
        "a second header": HEAD,
        "a byte order mark inside": b"\xef\xbb\xbf2026-01-05,BR,1\n",
    }
    for name, line in bad.items():
        yield _csv(22, name, _with(line), "bad-rows")
        borne = {"left_out": {"bad_row": 1}, "notes": frozenset({"bad-rows"}), "more": {"on_bad_rows": ON}}
        yield _csv(22, f"{name}, borne", _with(line), **borne)
        yield _csv(22, f"{name}, too often", _with(*[line] * 6), "bad-rows", more={"on_bad_rows": ON})
    yield _csv(22, "letters of another encoding", _with("2026-01-05,São,1\n".encode("latin-1")), "bad-encoding")
    yield _csv(22, "cut inside a row", WHOLE[:-14], "bad-rows")
    yield _csv(22, "a quote at the end", WHOLE + b'2026-01-05,"', "bad-rows")
    yield _csv(22, "blank lines", _with(b"\n", b"\r\n") + b"\n\n")
    yield _csv(22, "quoted line ends", _with(b'2026-01-05,"two\nlines",1\n'), orders=COUNT + 1, revenue=SUM + 1)


def _texts() -> Iterator[Damage]:
    """Yield encodings and line ends."""
    for name in ("utf-16", "utf-16-le", "utf-16-be"):
        content = WHOLE.decode().encode(name)
        yield _csv(22, name, content, "bad-encoding")
        yield Damage(22, f"{name}, stated", {"e.csv": content}, read={"path": "e.csv", "encoding": name})
    yield _csv(22, "a byte order mark", b"\xef\xbb\xbf" + WHOLE)
    yield _csv(22, "CR and LF", WHOLE.replace(b"\n", b"\r\n"))
    yield _csv(22, "mixed line ends", _with().replace(b"\n", b"\r\n", 300))
    yield _csv(22, "CR alone", WHOLE.replace(b"\n", b"\r"), "bad-rows")
    yield _csv(22, "no last line end", WHOLE.removesuffix(b"\n"))
    yield _csv(22, "a duplicated header", b"ts,country,country\n" + b"".join(ROWS), "bad-rows")
    yield _csv(22, "a NUL in the header", b"ts,country,am\0ount\n" + b"".join(ROWS), "bad-rows")
    yield _csv(28, "a header in other letters", b"TS,Country,Amount\n" + b"".join(ROWS), "unknown-field")


def _values() -> Iterator[Damage]:
    """Yield values that are none: each is counted, and no number is made of it."""
    one = {"orders": COUNT + 1, "notes": frozenset({"not-a-number"})}
    yield _csv(21, "NaN", _with(b"2026-01-05,BR,NaN\n"), **one)
    yield _csv(21, "infinity", _with(b"2026-01-05,BR,-inf\n"), **one)
    text = {"orders": COUNT + 1, "revenue": None, "notes": frozenset({"type-mismatch", "mixed-values"})}
    yield _csv(22, "a number that does not parse", _with(b"2026-01-05,BR,ERR\n"), **text)
    yield _csv(22, "digits of another script", _with("2026-01-05,BR,１２\n".encode()), **text)
    late = {"left_out": {"null_time": 1}, "notes": frozenset({"no-time"})}
    for written in ("", "2026-13-45", "2026-02-30", "206-01-05", "soon", "2026-01-05T25:00:00"):
        yield _csv(24, f"the time `{written}`", _with(f"{written},BR,1\n".encode()), **late)
    yield _csv(24, "milliseconds as seconds", b"ts,amount\n1767225600000,1\n", "time-out-of-range",
               more={"time": "epoch_s(ts)"})  # fmt: skip
    big = b"".join(b"2026-01-05,BR,%d\n" % (2**62) for _ in range(4))
    yield _csv(20, "sums beyond 64 bits", b"ts,country,amount\n" + big, orders=4.0, revenue=4.0 * 2**62)
    keyed = b"id,ts,amount\n" + b"".join(b"%d,2026-01-05,1\n" % (n % 90) for n in range(100))
    yield _csv(22, "duplicated keys", keyed, orders=90.0, revenue=90.0, left_out={"duplicate": 10},
               notes=frozenset({"repeated-key"}), more={"key": "id"})  # fmt: skip


def _missing() -> Iterator[Damage]:
    """Yield files that are empty, or not there."""
    yield _csv(22, "an empty file", b"", "empty-file")
    yield _csv(22, "blank lines alone", b"\n\n", "empty-file")
    yield _csv(22, "a header alone", HEAD, orders=None, revenue=None)
    yield Damage(22, "no such file", {}, "no-file", read="e.csv")
    yield Damage(22, "a glob that matches nothing", {"e.csv": WHOLE}, "no-file", read="data/*.csv")
    yield Damage(22, "files that differ", {"a.csv": WHOLE, "b.csv": b"ts,total\n"}, "unequal-columns", read="*.csv")


def frame() -> pl.DataFrame:
    """Return the rows of the whole file as a table."""
    start = datetime(2026, 1, 1)
    return pl.DataFrame(
        {
            "ts": [start + timedelta(days=n % 28) for n in range(1000)],
            "country": ["BR" if n % 2 else "DE" for n in range(1000)],
            "amount": [n + 0.5 for n in range(1000)],
        }
    )


def _columnar() -> Iterator[Damage]:
    """Yield damaged Parquet and Arrow files, and their numbers that would wrap."""
    writers: Mapping[str, Callable[[io.BytesIO], Any]] = {
        "e.parquet": lambda out: frame().write_parquet(out, compression="lz4"),
        "e.arrow": lambda out: frame().write_ipc(out),
    }
    for name, write in writers.items():
        out = io.BytesIO()
        write(out)
        content = out.getvalue()
        yield Damage(23, f"{name} as it is", {name: content}, read=name)
        for part, cut in (("empty", b""), ("its half", content[: len(content) // 2]), ("its start", content[:8])):
            yield Damage(23, f"{name}, {part}", {name: cut}, "unreadable-data", read=name)
        yield Damage(23, f"{name} of other bytes", {name: WHOLE}, "unreadable-data", read=name)
    out = io.BytesIO()
    frame().write_parquet(out, compression="lz4")
    torn = bytearray(out.getvalue())
    torn[200:1200] = bytes(1000)
    yield Damage(23, "a torn page", {"a.parquet": out.getvalue(), "b.parquet": bytes(torn)}, "unreadable-data",
                 read="*.parquet")  # fmt: skip
    out = io.BytesIO()
    small = pl.DataFrame({"ts": [date(2026, 1, 5)] * 300, "amount": pl.Series([100] * 300, dtype=pl.Int8)})
    small.write_parquet(out)
    yield Damage(20, "small integers", {"e.parquet": out.getvalue()}, orders=300.0, revenue=30_000.0, read="e.parquet")
