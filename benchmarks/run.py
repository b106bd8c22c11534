"""Measure smartkpi against its peers, all sides in one run, interleaved; medians; answers are compared.

    python benchmarks/run.py [--rows 1m|20m|NUMBER] [--only start|query|shapes|windows|steps|beside] [--quick]
                             [--repeat N]

Each measurement is a process of its own: wall and CPU seconds of the query alone, peak memory of the whole process.
Prints Markdown tables and exits 1 where a limit is missed (goals are shown, and miss nothing). The limit against the
two-level plan is held in CPU seconds, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1.15  # how much longer than the same plan by hand we may take
WINDOWS_LIMIT = 1.5  # the same for distincts over windows
STEPS_LIMITS = {"funnel": {"by-hand": 1.2, "duckdb-as-of": 1}, "repeats": {"by-hand": 2}}  # the same for derived events
PARTS = ("start", "query", "shapes", "windows", "steps", "beside")
sys.path.insert(0, str(ROOT))


@dataclass(frozen=True)
class Measure:
    """Seconds and megabytes: medians of all repetitions of one side."""

    wall: float
    cpu: float
    peak: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked, print the tables, and return the exit code."""
    asked = _parse(arguments)
    if asked.worker:
        print(json.dumps(_work(json.loads(asked.worker))))
        return 0
    missed = _start(asked.repeat) if asked.only in (None, "start") else []
    if asked.only in (None, "query"):
        missed += _queries(asked.rows, asked.repeat, asked.quick, asked.against.split(","), asked.mix)
    if asked.only in (None, "shapes"):
        missed += _shapes(asked.rows, asked.repeat)
    if asked.only in (None, "windows"):
        missed += _windows(asked.rows, asked.repeat)
    if asked.only in (None, "steps"):
        missed += _steps(asked.rows, asked.repeat)
    if asked.only in (None, "beside"):
        missed += _beside(asked.rows, asked.repeat)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=_rows, default=1_000_000, help="1m (default), 20m, or a number")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each side (default 5)")
    parser.add_argument("--quick", action="store_true", help="40 KPIs by day only, three repetitions")
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    parser.add_argument("--against", default="two-level,duckdb-filter,query-a-kpi", help="peers, with commas")
    parser.add_argument("--mix", choices=["40", "160", "mixed"], help="one of the mixes of KPIs")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.repeat = min(asked.repeat, 3)
    return asked


def _rows(text: str) -> int:
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1].lower(), 1)
    return int(text[:-1] if factor > 1 else text) * factor


# Queries ----------------------------------------------------------------------------------------------------------


def _queries(rows: int, repeat: int, quick: bool, peers: list[str], mix: str | None) -> list[str]:
    from benchmarks.data import events

    folder = events(rows)
    cases: list[tuple[str, tuple[str, ...]]] = [("40", ()), ("160", ()), ("40", ("country",)), ("160", ("country",))]
    cases = cases[:1] if quick else [*cases, ("mixed", ()), ("mixed", ("country",))]
    cases = [case for case in cases if mix in (None, case[0])]
    missed = []
    print(f"\n{rows:,} events. Seconds wall / seconds CPU / MB peak (× ours: wall, CPU); medians of {repeat}\n")
    print(f"| KPIs | by | smartkpi | {' | '.join(peers)} |\n| ---: | --- | --- {'| --- ' * len(peers)}|")
    for number, by in cases:
        slow = rows * (160 if number == "mixed" else int(number)) > 1e9  # a side that takes minutes is measured once
        once = ("duckdb-filter", "query-a-kpi") if slow else ()
        found = _interleave(folder, number, by, ["smartkpi", *peers], repeat, once)
        ours = found["smartkpi"]
        cells = [_cell(ours, None), *(_cell(found[side], ours) for side in peers)]
        grid = " × ".join(["day", *by])
        print(f"| {number} | {grid} | {' | '.join(cells)} |", flush=True)
        missed += _missed(found, f"{number} KPIs by {grid}")
    return missed


def _missed(found: dict[str, Measure], what: str) -> list[str]:
    if "two-level" not in found or found["smartkpi"].cpu <= LIMIT * found["two-level"].cpu:
        return []
    ratio = found["smartkpi"].cpu / found["two-level"].cpu
    return [f"{what}: {ratio:.2f} × the two-level plan (limit {LIMIT})"]


def _shapes(rows: int, repeat: int) -> list[str]:
    """Forty KPIs over tables of other shapes: columns of text, a lookup of many rows, CSV files."""
    from benchmarks.data import events, events_as, visitors

    for count in (10_000, rows):  # the small one is what each process warms up on
        visitors(count)
        events_as(count, "csv")
    cases = {
        "String columns": (events_as(rows, "text"), ("country",), "two-level"),
        "a lookup": (events(rows), ("segment",), "two-level"),
        "CSV": (events(rows), (), "smartkpi-csv"),
    }
    print(
        f"\n40 KPIs, {rows:,} events. Seconds wall / seconds CPU / MB peak (× ours: wall, CPU); medians of {repeat}\n"
    )
    print("| shape | by | smartkpi | against | |\n| --- | --- | --- | --- | --- |")
    missed = []
    for shape, (folder, by, peer) in cases.items():
        found = _interleave(folder, "40", by, ["smartkpi", peer], repeat, ())
        grid = " × ".join(["day", *by])
        ours, theirs = found["smartkpi"], found[peer]
        print(f"| {shape} | {grid} | {_cell(ours, None)} | {peer} | {_cell(theirs, ours)} |", flush=True)
        missed += _missed(found, f"{shape}, 40 KPIs by {grid}")
    return missed


def _windows(rows: int, repeat: int) -> list[str]:
    """Distinct visitors of the last 1, 7 and 28 days: one question for us, the best plans by hand for the others."""
    from benchmarks.data import events

    print(f"\nDistincts of the last 1, 7 and 28 days by day, {rows:,} events. As above; medians of {repeat}\n")
    print("| by | smartkpi | bitmap | duckdb-gaps |\n| --- | --- | --- | --- |")
    missed = []
    for by in ((), ("country",)):
        found = _interleave(events(rows), "windows", by, ["smartkpi", "bitmap", "duckdb-gaps"], repeat, ())
        ours, grid = found["smartkpi"], " × ".join(["day", *by])
        cells = [_cell(ours, None), *(_cell(found[side], ours) for side in ("bitmap", "duckdb-gaps"))]
        print(f"| {grid} | {' | '.join(cells)} |", flush=True)
        for side, most in (("bitmap", WINDOWS_LIMIT), ("duckdb-gaps", 1)):
            if (ratio := ours.cpu / found[side].cpu) > most:
                missed.append(f"windows by {grid}: {ratio:.2f} × {side} (limit {most})")
    return missed


def _steps(rows: int, repeat: int) -> list[str]:
    """A funnel of five steps in 30 days, and orders repeated within 90 days, against the best plans by hand."""
    from benchmarks.data import events

    print(f"\nDerived events by day, {rows:,} events. As above; medians of {repeat}\n")
    print("| events | smartkpi | by-hand | duckdb-as-of |\n| --- | --- | --- | --- |")
    missed = []
    for mix, limits in STEPS_LIMITS.items():
        found = _interleave(events(rows), mix, (), ["smartkpi", "by-hand", "duckdb-as-of"], repeat, ())
        ours = found["smartkpi"]
        cells = [_cell(ours, None), *(_cell(found[side], ours) for side in ("by-hand", "duckdb-as-of"))]
        print(f"| {mix} | {' | '.join(cells)} |", flush=True)
        for side, limit in limits.items():
            if (ratio := ours.cpu / found[side].cpu) > limit:
                missed.append(f"{mix}: {ratio:.2f} × {side} (limit {limit})")
    return missed


def _beside(rows: int, repeat: int) -> list[str]:
    """Questions of ours beside simpler ones: a funnel and its last step alone, KPIs with a group and without one."""
    from benchmarks.data import events
    from benchmarks.steps import BESIDE

    print(f"\nOne question and a simpler one, {rows:,} events. As above; medians of {repeat}\n")
    print("| question | | beside | |\n| --- | --- | --- | --- |")
    missed, folder = [], str(events(rows))
    for mix, (other, most) in BESIDE.items():
        samples: dict[str, list[dict[str, float]]] = {mix: [], other: []}
        for _ in range(repeat):
            for one, found in samples.items():
                found.append(_spawn(side="smartkpi", folder=folder, number=one, by=(), out=None))
        ours, simple = _median(samples[mix]), _median(samples[other])
        print(f"| {mix} | {_cell(ours, None)} | {other} | {_cell(simple, ours)} |", flush=True)
        if (ratio := ours.cpu / simple.cpu) > most:
            missed.append(f"{mix}: {ratio:.2f} × {other} (limit {most})")
    return missed


def _interleave(
    folder: Path, number: str, by: tuple[str, ...], sides: list[str], repeat: int, once: tuple[str, ...]
) -> dict[str, Measure]:
    samples: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as place:
        for turn in range(repeat):
            for side in sides:
                if turn and side in once:
                    continue
                out = f"{place}/{side}.parquet" if turn == 0 else None
                samples[side].append(_spawn(side=side, folder=str(folder), number=number, by=by, out=out))
        for side in sides[1:]:
            _compare(Path(place) / "smartkpi.parquet", Path(place) / f"{side}.parquet", by, side)
    return {side: _median(found) for side, found in samples.items()}


def _spawn(**task: Any) -> dict[str, float]:
    command = [sys.executable, __file__, "--worker", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task}\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _work(task: dict[str, Any]) -> dict[str, float]:
    from benchmarks.data import events
    from benchmarks.sides import SIDES

    by = tuple(task["by"])
    small = events(10_000)  # warms thread pools and lazy imports, the same for all sides
    SIDES[task["side"]](small, task["number"], by)()
    answer = SIDES[task["side"]](Path(task["folder"]), task["number"], by)
    wall, cpu = time.perf_counter(), time.process_time()
    frame = answer()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1_048_576 if sys.platform == "darwin" else 1_024)
    if task["out"]:
        frame().write_parquet(task["out"])
    return {"wall": wall, "cpu": cpu, "peak": peak}


def _median(found: list[dict[str, float]]) -> Measure:
    return Measure(*(statistics.median(sample[name] for sample in found) for name in ("wall", "cpu", "peak")))


def _compare(ours: Path, theirs: Path, by: tuple[str, ...], side: str) -> None:
    """Hold every value of the other side against ours; a row that only one side has must be nothing or zero."""
    import polars as pl

    keys = ["day", *by, "kpi"]
    left, right = (
        pl.read_parquet(path).with_columns(pl.col(*by).cast(pl.String) if by else pl.col("kpi"))
        for path in (ours, theirs)
    )
    both = left.join(right, on=keys, how="full", coalesce=True, suffix="_theirs")
    a, b = pl.col("value").fill_null(0), pl.col("value_theirs").fill_null(0)
    wrong = both.filter((a - b).abs() > 1e-9 * pl.max_horizontal(a.abs(), b.abs(), 1))
    if wrong.height or not both.height:
        raise SystemExit(f"{side} and smartkpi disagree on {wrong.height} of {both.height} values:\n{wrong.head()}")


def _cell(measure: Measure, ours: Measure | None) -> str:
    text = f"{measure.wall:.2f} / {measure.cpu:.2f} / {measure.peak:.0f}"
    return text if ours is None else f"{text} ({measure.wall / ours.wall:.2f}, {measure.cpu / ours.cpu:.2f})"


# Start ------------------------------------------------------------------------------------------------------------

COMPILE = """
import sys
from smartkpi.spec.load import load
from smartkpi.semantics.check import check
from smartkpi.semantics.question import Question, resolve, select_kpis
from smartkpi.plan.lower import lower
from smartkpi.plan.rules import optimize
from smartkpi.periods.grain import Grain
loaded = load(sys.argv[1])
checked = check(loaded.catalog)
assert not loaded.diagnostics and not checked.diagnostics, (loaded.diagnostics, checked.diagnostics)
names = select_kpis(checked.kpis, [])
assert len(names) == int(sys.argv[2])
question = Question(names, Grain.MONTH, (), None, None, None, None)
optimize(lower(checked, resolve(checked, question)))
"""


def _start(repeat: int) -> list[str]:
    """Whole processes: load, check and plan against a bare import of Polars; `kpi --help` against one of click."""
    import yaml

    from benchmarks.mix import project

    with tempfile.TemporaryDirectory() as place:
        commands = {"import polars": ["-c", "import polars"], "import click": ["-c", "import click"]}
        for number in (10, 100, 1_000):
            path = Path(place) / f"{number}.yml"
            path.write_text(yaml.safe_dump(project("data", str(number)), sort_keys=False), encoding="utf-8")
            commands[f"load, check, plan {number:,} KPIs"] = ["-c", COMPILE, str(path), str(number)]
        commands["kpi --help"] = ["-m", "smartkpi", "--help"]
        walls: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(max(repeat, 3) + 1):
            for name, arguments in commands.items():
                started = time.perf_counter()
                subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
                if turn:  # the first turn warms the disk
                    walls[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(found) for name, found in walls.items()}
    return _print_start(medians)


def _print_start(medians: dict[str, float]) -> list[str]:
    print("\n| process | s wall | against | ratio | wanted |\n| --- | ---: | --- | ---: | --- |")
    missed = []
    for name, wall in medians.items():
        if name.startswith("import"):
            continue
        peer = "import click" if name == "kpi --help" else "import polars"
        most = 2 if name == "kpi --help" else 3
        ratio = wall / medians[peer]
        print(f"| {name} | {wall:.3f} | {peer} ({medians[peer]:.3f}) | {ratio:.2f} × | at most {most} |", flush=True)
        if ratio > most:
            missed.append(f"{name}: {ratio:.2f} × {peer} (at most {most})")
    return missed


if __name__ == "__main__":
    sys.exit(main())
