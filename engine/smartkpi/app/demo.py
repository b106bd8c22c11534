"""`kpi demo`: a small cross-border store whose data is made here, seeded, so that everyone sees the same numbers."""

from __future__ import annotations

import shlex
import shutil
from io import BytesIO
from pathlib import Path

import polars as pl

from smartkpi.app.story import ADS, EVENTS, REFUNDS, Story, tell
from smartkpi.report.render import fill_whole
from smartkpi.resources import find

NEXT = (
    ("When is the season, and which month went wrong?", "run {} conversion_rate orders --grain month"),
    ("Where did it go wrong?", "run {} conversion_rate --by country --since 2025-08 --until 2025-08"),
    ("What is a week like?", "run {} visits orders --by weekday --grain year"),
    ("Who answers late, and what does it cost?", "run {} reply_time win_rate --by salesperson"),
    ("Which ads no longer pay?", "run {} tag:ads --grain month --since 2025-11"),
    ("What came in, in each currency?", "run {} revenue --grain quarter"),
    ("How far do visitors get, and where are they lost?", "run {} buying --by channel"),
    ("Will the goals of the quarter be reached?", "goals {}"),
    ("How is it defined? Is it right?", "show -p {} win_rate"),
    ("", "test {}"),
)


def make(folder: Path, seed: int = 1) -> bool:
    """Write the demo's project and data into a folder; return whether that was needed: a demo in it stays as it is.

    Raises FileExistsError where the folder holds anything else: nothing is overwritten.
    """
    project = find("examples") / "store" / "kpis.yml"
    if _holds(folder / "kpis.yml", project.read_bytes()):
        return False
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        raise FileExistsError(f"`{folder}` is no folder")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"`{folder}` is not empty")

    def fill(beside: Path) -> None:
        (beside / "data" / "events").mkdir(parents=True)
        _write(beside / "data", tell(seed))
        shutil.copyfile(project, beside / "kpis.yml")

    fill_whole(folder, fill)  # kpis.yml comes last: where it is, the demo is whole
    return True


def suggestions(folder: Path) -> str:
    """Return what to ask the demo next, a question and its command each."""
    lines = ["", "What to ask next:"]
    for question, command in NEXT:
        lines += [f"  {question}"] if question else []
        lines.append(f"    kpi {command.format(shlex.quote(str(folder)))}")
    return "\n".join(lines)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _write(folder: Path, story: Story) -> None:
    schema = dict(EVENTS) | {"ts": pl.Datetime("us", "UTC")}
    events = pl.DataFrame(story.events, schema=schema, orient="row").sort("ts", "event_id")
    months = events.with_columns(month=pl.col("ts").dt.strftime("%Y-%m")).partition_by("month", as_dict=True)
    for (month,), rows in months.items():
        content = BytesIO()  # a full disk is an OSError to the system, not to Polars
        rows.drop("month").write_parquet(content)
        (folder / "events" / f"{month}.parquet").write_bytes(content.getvalue())
    refunds = pl.DataFrame(story.refunds, schema=REFUNDS, orient="row").sort("date", "refund_id")
    (folder / "refunds.csv").write_text(refunds.write_csv(), encoding="utf-8", newline="")
    ads = pl.DataFrame(story.ads, schema=ADS, orient="row")
    (folder / "ads.csv").write_text(ads.write_csv(separator=";"), encoding="utf-8-sig", newline="")
