"""The command `kpi`. Only click is imported at once: help waits for no engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from smartkpi import __version__
from smartkpi.periods.calendar import MONTHS, WEEKDAYS

Command = TypeVar("Command", bound=Callable[..., Any])
FORMATS = ("table", "json", "ndjson", "csv", "parquet", "markdown")
TOOLS = ("slack", "teams", "feishu", "lark", "dingtalk")
WHY_FORMATS = ("table", "json", "markdown")
GOAL_FORMATS = ("table", "json", "ndjson", "csv", "markdown")
JUDGEMENTS = ("off_track", "missed")
STAGES = ("syntax", "typed", "plan", "optimized", "polars")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def project_options(command: Command) -> Command:
    """Add the options that say which project, and with which constants."""
    path = click.option("-p", "--project", metavar="PATH", help="The project: a file or folder. [kpis.yml, else kpis/]")
    sets = click.option("--set", "sets", metavar="NAME=VALUE", multiple=True, help="Another value of a constant.")
    return path(sets(command))


def question_options(command: Command) -> Command:
    """Add the options that say which periods, segments and rows are asked for, and what they are held against."""
    options = (
        click.option("--grain", metavar="GRAIN", help="hour, day, week, month, quarter, year or all. [each KPI's own]"),
        click.option("--by", metavar="FIELDS", multiple=True, help="Segments; several with commas."),
        click.option("--since", metavar="PERIOD", help="First period, such as 2026-01, 2026-W05, 2026-01-05."),
        click.option("--until", metavar="PERIOD", help="Last period, itself included."),
        click.option("--where", metavar="CONDITION", help="Only rows that fit, such as 'country == \"BR\"'."),
        click.option("--as-of", metavar="TIME", help="Take no later data: a date or time. [the latest in the data]"),
        click.option(
            "--compare",
            metavar="NAMES",
            multiple=True,
            help="previous, year or none: what values are held against. [previous, on a scorecard]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def format_option(*names: str) -> Callable[[Command], Command]:
    """Add `--format` with a choice of names, the first one being the default."""
    return click.option("--format", "form", type=click.Choice(names), default=names[0], show_default=True)


class Guarded(click.Group):
    """A group of commands whose every end is an exit code and a plain word."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run the command line and exit."""
        from smartkpi.app.edge import guarded

        given = None if args is None else list(args)
        sys.exit(guarded(lambda: super(Guarded, self).main(given, prog_name="kpi", standalone_mode=False)))


@click.group(cls=Guarded, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="kpi", message="%(prog)s %(version)s")
def main() -> None:
    """KPIs as code: define metrics in YAML over event data, get the same right numbers everywhere.

    \b
    Exit codes: 0 fine, 1 a failed test or --fail-on, 2 wrong usage, 3 no valid definition,
    4 unusable data, 5 some KPIs left out by an error, 70 a bug of ours, 130 interrupted.
    """


@main.command()
@click.argument("args", metavar="[PATH] [GOAL]...", nargs=-1)
@click.option("--data", is_flag=True, help="Also read the data: columns, types, unreadable rows.")
@click.option("--smart", is_flag=True, help="Hold goals against the rules of SMART; with --data also their values.")
@click.option("--audit", is_flag=True, help="Review the project: what nobody owns, decides by or asks for.")
@click.option("--doctor", is_flag=True, help="Look at the installation instead: versions, encoding, time zones.")
@click.option("--as-of", metavar="TIME", help="With --smart: take no later data; with --audit: its day. [today]")
@click.option(
    "--lang", metavar="LANG", default="en", show_default=True, help="Language of --smart and --audit: en, zh."
)
@format_option("text", "json", "github", "markdown")
@project_options
def check(args: Sequence[str], data: bool, form: str, **options: Any) -> int:
    """Check all definitions and show every problem at once; with --smart how goals are set, letter by letter.

    With --smart an argument that exists as a file or folder is the project, any other a goal, a pattern, or a KPI.
    """
    project, sets, as_of = options["project"], options["sets"], options["as_of"]
    smart, audit, doctor = options["smart"], options["audit"], options["doctor"]
    _refuse_empty({"as_of": as_of})
    if (smart or audit) and not doctor:
        from smartkpi.app.checking import lint

        named, goals = _split(args, project)
        if goals and not smart:
            raise click.UsageError(f"there is no file or folder `{goals[0]}`; goals are named with --smart")
        found = _find(named, project)
        return lint(
            found,
            _pairs(sets),
            goals if smart else None,
            form,
            data=data,
            audit=audit,
            as_of=as_of,
            lang=options["lang"],
        )
    if len(args) > 1:
        raise click.UsageError(f"a check takes one project, not {len(args)}; goals are named with --smart")
    if as_of is not None or (form == "markdown" and not doctor):
        option = "--as-of" if as_of is not None else "--format markdown"
        raise click.UsageError(f"{option} goes with --smart or --audit")
    path = args[0] if args else None
    if doctor:
        return _examine(path, project, data or smart or audit, form)
    from smartkpi.app.checking import check

    return check(_find(path, project), _pairs(sets), data, form)


@main.command()
@click.argument("args", metavar="[PATH] [NAME]...", nargs=-1)
@click.option("--kpi", "kpis", metavar="NAMES", multiple=True, help="Names, globs, `tag:x`; several with commas.")
@question_options
@click.option(
    "--order-by",
    metavar="COLUMNS",
    multiple=True,
    help="kpi, start, value or a segment; -value: descending; nulls last. Within each KPI, unless it has one row.",
)
@click.option("--limit", metavar="N", type=click.IntRange(0), help="Only N rows of each KPI; without --by, N KPIs.")
@click.option("--top", metavar="N", type=int, help="Only the N best segments of each KPI, and one row for the others.")
@click.option(
    "--drill",
    metavar="[FIELD[=VALUE]]",
    is_flag=False,
    flag_value="*",
    help="What lies below the last field of --by, below FIELD, or below one segment: region=BR.",
)
@click.option("--complete-only", is_flag=True, help="Without periods that are not over, or not covered by data.")
@click.option("--max-cells", metavar="N", type=int, help="Refuse an answer with more values. [5000000]")
@click.option("--total/--no-total", default=True, show_default=True, help="With --by, a row over all segments.")
@click.option("--lang", metavar="LANG", default="en", show_default=True, help="Language of labels: en, zh.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="[table; else by the name of --output]")
@click.option(
    "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file; -: stdout."
)
@click.option(
    "--fail-on",
    type=click.Choice(("critical", "warning", *JUDGEMENTS)),
    help="End with 1 if a row, or goal, is so, or worse.",
)
@click.option(
    "--since-last",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Print only statuses that are not what FILE remembers; then it remembers them.",
)
@click.option("--notify", metavar="URL", help="With --since-last: send what changed to a chat tool's webhook.")
@click.option("--notify-as", type=click.Choice(TOOLS), help="The body of a webhook. [by the host of --notify]")
@project_options
def run(args: Sequence[str], project: str | None, sets: Sequence[str], **options: Any) -> int:
    """Compute KPIs: a scorecard of the last complete period, or with --grain, --since, --until all periods.

    An argument that exists as a file or folder is the project, any other a KPI.
    """
    from smartkpi.app.running import run

    _refuse_empty(options)
    path, names = _split(args, project)
    since_last, notify, tool = (options.pop(name) for name in ("since_last", "notify", "notify_as"))
    if since_last is not None:
        from smartkpi.app.alerting import tell

        return tell(_find(path, project), names, _pairs(sets), since_last, notify, tool, options)
    if notify is not None or tool is not None:
        raise click.UsageError("--notify sends what changed: it goes with --since-last FILE")
    return run(_find(path, project), names, _pairs(sets), **options)


@main.command()
@click.argument("args", metavar="[PATH] [NAME]...", nargs=-1)
@click.option("--owner", metavar="NAME", help="Goals of this owner or contributor, and segments of this name.")
@click.option("--period", metavar="PERIOD", help="Goals of a period such as 2026-Q3; of monthly ones its months.")
@click.option("--as-of", metavar="TIME", help="Take no later data: a date or time. [the latest in the data]")
@click.option("--history", is_flag=True, help="A row for each day since the start.")
@click.option("--what-if", metavar="rate=+10%", multiple=True, help="Also how goals would stand if days brought more.")
@click.option("--required", is_flag=True, help="What each day must bring from now on.")
@click.option("--fail-on", type=click.Choice(JUDGEMENTS), help="End with 1 if a goal stands so, or worse.")
@click.option("--lang", metavar="LANG", default="en", show_default=True, help="Language of labels: en, zh.")
@click.option("--format", "form", type=click.Choice(GOAL_FORMATS), help="[table; else by the name of --output]")
@click.option(
    "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file; -: stdout."
)
@project_options
def goals(args: Sequence[str], project: str | None, sets: Sequence[str], **options: Any) -> int:
    """Show how goals stand: status and reason, value against what is expected, pace, what is required, since when.

    An argument that exists as a file or folder is the project, any other a goal, a pattern, or a KPI.
    """
    from smartkpi.app.aiming import goals

    _refuse_empty(options)
    path, names = _split(args, project)
    return goals(_find(path, project), names, _pairs(sets), **options)


@main.command()
@click.argument("args", metavar="[PATH] NAME", nargs=-1)
@click.option("--period", metavar="PERIOD", help="The period that is asked about. [the last whole one]")
@click.option("--against", metavar="PERIOD", help="The period that it is held against. [the one before]")
@click.option("--by", metavar="FIELDS", multiple=True, help="By segments; several with commas.")
@click.option("--where", metavar="CONDITION", help="Only rows that fit, such as 'country == \"BR\"'.")
@click.option("--as-of", metavar="TIME", help="Take no later data: a date or time. [the latest in the data]")
@click.option("--top", metavar="N", type=int, help="Only the N segments that add most, and the others together.")
@click.option("--lang", metavar="LANG", default="en", show_default=True, help="Language of labels: en, zh.")
@click.option("--format", "form", type=click.Choice(WHY_FORMATS), default="table", show_default=True)
@project_options
def why(args: Sequence[str], project: str | None, sets: Sequence[str], **options: Any) -> int:
    """Tell what a change of a KPI is made of: by segment, or by the terms or factors of its formula.

    A sum is told by segment, a ratio of sums by the rate and the weight of each. The parts add up to the change.
    """
    from smartkpi.app.telling import why

    _refuse_empty(options)
    path, names = _split(args, project)
    if len(names) != 1:
        raise click.UsageError("`why` takes one KPI: kpi why revenue --by country")
    return why(_find(path, project), names[0], _pairs(sets), **options)


@main.command()
@click.argument("what", metavar="[NAME | goals | functions | schemas [NAME] | values FIELD | calendar]", nargs=-1)
@click.option("--lang", metavar="LANG", default="en", show_default=True, help="Language of labels: en, zh.")
@format_option("text", "json")
@click.option("--make", type=click.Choice(("445", "454", "544")), help="calendar: write retail periods as CSV.")
@click.option("--years", metavar="YEARS", default="2020-2035", show_default=True, help="Which years to make.")
@click.option("--ends", type=click.Choice(("nearest", "last")), default="nearest", show_default=True,
              help="A year ends with the week that ends nearest to the end of a month, or last in it.")  # fmt: skip
@click.option("--year-end", metavar="MONTH", type=click.Choice(MONTHS), default="january", show_default=True)
@click.option("--week-start", metavar="DAY", type=click.Choice(WEEKDAYS), default="sunday", show_default=True)
@project_options
def show(what: Sequence[str], lang: str, form: str, project: str | None, sets: Sequence[str], **made: Any) -> int:
    """Show what is defined: all KPIs, one KPI or goal, goals, functions, schemas, values of a field, the calendar."""
    from smartkpi.app.show import show, show_functions, show_schema

    if made["make"] is not None and list(what) != ["calendar"]:
        raise click.UsageError("`--make` writes a calendar: kpi show calendar --make 445")
    match list(what):
        case ["calendar"]:
            from smartkpi.app.calendars import make_periods, show_calendar

            if made["make"] is None:
                return show_calendar(_find(None, project), _pairs(sets), lang, form)
            return make_periods(made["make"], made["years"], made["ends"], made["year_end"], made["week_start"])
        case ["functions"]:
            return show_functions(form)
        case ["schemas"] | ["schemas", _]:
            return show_schema(what[1] if len(what) > 1 else "project")
        case _:
            return show(_find(None, project), _pairs(sets), what, lang, form)


@main.command()
@click.argument("name")
@click.option("--stage", type=click.Choice(STAGES), default="optimized", show_default=True)
@format_option("text", "json")
@question_options
@project_options
def explain(name: str, stage: Any, form: str, project: str | None, sets: Sequence[str], **question: Any) -> int:
    """Show a KPI at a stage of its way from text to query; or what the code of an error means.

    Plan and query are those of the question that `kpi run` would be asked with the same options.
    """
    from smartkpi.app.explaining import explain, explain_code, no_code

    _refuse_empty(question)
    path = None if project is None and default_project() is None else _find(None, project)
    found = explain_code(name, form, path)
    if found is None and (path is None or "-" in name):
        raise click.UsageError(no_code(name, path))
    return explain(_find(None, project), _pairs(sets), name, stage, form, **question) if found is None else found


@main.command()
@click.argument("path", required=False)
@click.option("--update", is_flag=True, help="Write what was got where a test expects something else.")
@format_option("text", "json")
@project_options
def test(path: str | None, update: bool, form: str, project: str | None, sets: Sequence[str]) -> int:
    """Run the tests of the definitions; no data is needed."""
    from smartkpi.app.testing import test

    return test(_find(path, project), _pairs(sets), update, form)


@main.command()
@click.argument("data", metavar="[DATA]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default=".",
    type=click.Path(path_type=Path),
    help="The folder for the project, or its file. [kpis.yml here]",
)
@click.option("--pack", metavar="NAME", help="Bind the events of a pack instead, and say what it lacks.")
@click.option("--dry-run", is_flag=True, help="Write nothing: only report what was seen.")
@format_option("text", "json")
def init(data: Sequence[str], output: Path, pack: str | None, dry_run: bool, form: str) -> int:
    """Look at data and draft a project: what is read, events, a few KPIs, each guess with its reason.

    DATA are files, folders and patterns: CSV, TSV, Parquet, Arrow, ndjson. [the current folder] Nothing that exists is
    overwritten.
    """
    from smartkpi.app.init import init, refuse_many

    refuse_many(data)
    return init(data or (".",), output, dry_run, form, pack)


@main.command()
@click.argument("folder", metavar="[DIR]", default="kpi-demo", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--lang", metavar="LANG", default="en", show_default=True, help="Language of labels: en, zh.")
def demo(folder: Path, form: str, lang: str) -> int:
    """Make an example store in a new folder, unless it is there already, and run its KPIs."""
    from smartkpi.app.running import demo

    return demo(folder, form, lang)


def _examine(path: str | None, project: str | None, data: bool, form: str) -> int:
    from smartkpi.app.doctor import examine

    if data or form not in ("text", "json"):
        raise click.UsageError("--doctor goes without --data, --smart and --audit, as text or json")
    named = path is not None or project is not None
    return examine(_find(path, project) if named else default_project(), form)


def default_project() -> Path | None:
    """Return the project of the current folder: kpis.yml, else kpis/."""
    return next((path for path in (Path("kpis.yml"), Path("kpis")) if path.exists()), None)


def _find(path: str | None, project: str | None) -> Path:
    """Return the project that an argument or option names, else the one of the current folder."""
    if path is not None and project is not None:
        raise click.UsageError(f"the project is given twice: `{path}` and `{project}`")
    named = path if path is not None else project
    if named is not None:
        if not named or not Path(named).exists():
            raise click.UsageError(f"there is no file or folder `{named}`")
        return Path(named)
    found = default_project()
    if found is None:
        raise click.UsageError("there is no project here: no kpis.yml, no kpis/; name one with -p PATH")
    return found


def _split(args: Sequence[str], project: str | None) -> tuple[str | None, list[str]]:
    """Return the first argument that exists as file or folder, and all others: KPIs."""
    path = next((arg for arg in args if arg and Path(arg).exists()), None) if project is None else None
    names = list(args)
    if path is not None:
        names.remove(path)
    for name in names:
        if not name.strip():
            raise click.UsageError("an argument is empty: name a KPI, or leave it out")
        if "/" in name or name.endswith((".yml", ".yaml")):
            raise click.UsageError(f"there is no file or folder `{name}`")
    return path, names


def _refuse_empty(options: Mapping[str, Any]) -> None:
    """Refuse an option without a value, as an unset variable of a shell gives: it would ask for everything."""
    for name, value in options.items():
        texts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(text, str) and not text.strip(" ,") for text in texts):
            option = "--kpi" if name == "kpis" else f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is empty: give it a value, or leave it out")


def _pairs(sets: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in sets:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise click.UsageError(f"--set takes NAME=VALUE, not `{pair}`")
        pairs[name.strip()] = value.strip()
    return pairs
