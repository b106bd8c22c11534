"""A project, loaded: definitions and where its data is. Immutable, so threads may share it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from smartkpi.api import arguments
from smartkpi.api.failures import DataError, UsageError
from smartkpi.api.question import Ask, Period, parse_rates
from smartkpi.diagnostics import Diagnostic, errors, render
from smartkpi.semantics.check import Checked, check
from smartkpi.semantics.question import Question
from smartkpi.spec.load import Loaded
from smartkpi.spec.load import load as load_spec
from smartkpi.spec.model import Catalog

if TYPE_CHECKING:  # a check of definitions waits for no engine
    from smartkpi.api.cases import Outcome
    from smartkpi.assess.audit import Audit
    from smartkpi.assess.projection import Projector
    from smartkpi.assess.smart import Score
    from smartkpi.engines.polars.meter import Progress
    from smartkpi.result import Change, Goals, Result
    from smartkpi.sources.inspect import DatasetFacts

Stage = Literal["syntax", "typed", "plan", "optimized", "polars"]
STAGES: tuple[Stage, ...] = get_args(Stage)
DataSource = str | Path | Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What a check found: problems of the definitions, and of the data where that was looked at.

    ``tables`` has the facts of each table that could be read: rows, columns, what is missing or out of the ordinary.
    ``smart`` has goals by the rules of SMART, ``audit`` what there is to review, if that was asked for.
    """

    definitions: tuple[Diagnostic, ...]
    data: tuple[Diagnostic, ...] = ()
    tables: tuple[DatasetFacts, ...] = ()
    smart: tuple[Score, ...] | None = None
    audit: Audit | None = None
    display: Callable[[Report], str] | None = field(default=None, compare=False, repr=False)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All problems, those of the definitions first."""
        return (*self.definitions, *self.data)

    @property
    def ok(self) -> bool:
        """Whether there is no error, and no goal that fails a rule."""
        return not errors(self.diagnostics) and all(one.smart != "no" for one in self.smart or ())

    def __repr__(self) -> str:
        if self.display is not None:
            return self.display(self)
        return "\n\n".join(map(render, self.diagnostics)) or "no problems"


@dataclass(frozen=True, slots=True, repr=False)
class Project:
    """A project: what its files say, and the tables handed over for its datasets."""

    source: DataSource
    loaded: Loaded = field(compare=False)
    data: Mapping[str, object] = field(default_factory=dict, compare=False)
    sets: Mapping[str, str] = field(default_factory=dict)
    within: str | Path | None = None
    allow: tuple[Path, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """All definitions."""
        return self.loaded.catalog

    def __repr__(self) -> str:
        where = "a mapping" if isinstance(self.source, Mapping) else str(self.source)
        kpis = sum(not one.part_of for one in self.catalog.kpis.values())
        return f"<Project of {where}: {kpis} KPIs, {len(self.catalog.datasets)} datasets>"

    def with_sets(self, sets: Mapping[str, str]) -> Project:
        """Return the project with other values of constants."""
        sets = arguments.constants("sets", sets)
        return load(self.source, self.data, {**self.sets, **sets}, self.within, self.allow) if sets else self

    def usable(self) -> Loaded:
        """Return what was loaded. Raises UsageError where `sets` names no constant: it would change nothing."""
        wrong = [one for one in self.loaded.diagnostics if one.code == "unknown-constant"]
        if wrong:
            raise UsageError(*wrong)
        return self.loaded

    def typed(self) -> Checked:
        """Return the definitions, names resolved and types known, without a look at the data."""
        return check(self.catalog)

    def check(
        self,
        data: bool = False,
        smart: bool | str | Sequence[str] = False,
        audit: bool = False,
        as_of: str | date | datetime | None = None,
        lang: str = "en",
        progress: Progress | None = None,
    ) -> Report:
        """Check all definitions; with ``data`` hold them against columns and types, and read every row once.

        Where that finds no error, no question about the project meets a problem of definitions or data.

        With ``smart`` goals (True: all; or names, globs, KPIs) are held against the rules of SMART; with ``data`` too
        those that look at values and at the past, as they were known at ``as_of``. With ``audit`` the project is
        reviewed, as of that day, or today: what nobody owns, decides by, describes, measures or asks for. Both show
        themselves in ``lang``.
        """
        data, audit = arguments.flag("data", data), arguments.flag("audit", audit)
        as_of = arguments.moment("as_of", as_of)
        if smart is not False or audit:
            from smartkpi.api.lint import lint

            goals = None if smart is False else () if smart is True else arguments.names("smart", smart)
            found = lint(
                self.usable(),
                self.data,
                self.typed(),
                goals,
                as_of,
                progress,
                arguments.language(lang),
                data=data,
                audit=audit,
            )
            definitions = _unique((*self.loaded.diagnostics, *self.typed().diagnostics))
            return Report(definitions, found.data, smart=found.smart, audit=found.audit, display=found.display)
        if not data:
            return Report(_unique((*self.loaded.diagnostics, *self.typed().diagnostics)))
        from smartkpi.api.pipeline import evaluate, inspect_data, open_data

        opened = open_data(self.loaded, self.data)
        ready = {name for name, kpi in opened.checked.kpis.items() if kpi.datasets <= set(opened.tables)}
        found_in: tuple[Diagnostic, ...] = ()
        if ready:
            question = Question(tuple(n for n in opened.checked.order if n in ready), None, (), None, None, None, None)
            try:
                found_in = evaluate(opened.checked, opened.tables, question).diagnostics
            except DataError as error:
                found_in = error.diagnostics
        facts, noted = inspect_data(opened)
        return Report(opened.definitions, _unique((*opened.data, *found_in, *noted)), facts)

    def run(
        self,
        kpis: str | Sequence[str] = (),
        grain: str | None = None,
        by: str | Sequence[str] = (),
        since: Period = None,
        until: Period = None,
        where: str | None = None,
        as_of: str | date | datetime | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        sets: Mapping[str, str] | None = None,
        lang: str = "en",
        optimize: bool = True,
        total: bool = False,
        top: int | None = None,
        drill: str | bool | None = None,
        progress: Progress | None = None,
        complete_only: bool = False,
        compare: str | Sequence[str] | None = None,
        max_cells: int | None = None,
    ) -> Result:
        """Answer a question: values, states and statuses of KPIs by period and segment.

        Without ``grain``, ``since`` and ``until`` each KPI shows its last complete period. ``kpis`` are names, globs
        or `tag:x`; ``since`` and ``until`` periods such as `2026-01`, inclusive. ``total`` adds a row over all segments
        to those of ``by`` (level `total`), ``top`` keeps the best segments of each KPI and makes one row of the others
        (level `other`), both computed anew. ``drill`` shows what lies below segments: True below the last of ``by``,
        `"region"` below that field, `"region=BR"` below one segment. ``complete_only`` leaves out `incomplete` periods.
        ``compare`` names what values are held against, in columns beside them: `previous` (on a scorecard unless said),
        `year`, or `none`. More than ``max_cells`` values (5 million) are refused before they are computed. KPIs with an
        error are left out (``Result.left_out``); KpiError where none is left, or the question cannot be read.
        """
        from smartkpi.api.goals import current_goals
        from smartkpi.api.parts import answer

        ask = Ask(
            arguments.names("kpis", kpis),
            arguments.text("grain", grain),
            arguments.names("by", by),
            arguments.moment("since", since),
            arguments.moment("until", until),
            arguments.text("where", where),
            arguments.moment("as_of", as_of),
            arguments.names("order_by", order_by),
            arguments.whole("limit", limit),
            arguments.flag("optimize", optimize),
            arguments.flag("total", total),
            arguments.whole("top", top),
            drill if drill is None or isinstance(drill, str) else arguments.flag("drill", drill),
            complete_only=arguments.flag("complete_only", complete_only),
            compare=arguments.names("compare", compare) or None,
            max_cells=arguments.whole("max_cells", max_cells),
        )
        project = self.with_sets(arguments.constants("sets", sets))
        return answer(
            project.usable(), project.data, ask, arguments.language(lang), arguments.function(progress), current_goals
        )

    def goals(
        self,
        goals: str | Sequence[str] = (),
        owner: str | None = None,
        period: str | None = None,
        as_of: str | date | datetime | None = None,
        history: bool = False,
        sets: Mapping[str, str] | None = None,
        lang: str = "en",
        optimize: bool = True,
        progress: Progress | None = None,
        projector: Projector | None = None,
        what_if: str | Sequence[str] = (),
        required: bool = False,
        course: bool = False,
    ) -> Goals:
        """Return how goals stand: status with its reason, value, expected, pace, what is required, since when.

        Where history tells, an estimate says where they may end, and how likely they are to hit. A ``projector`` of
        your own takes the place of the methods by which totals are projected (`smartkpi.assess.projection.Projector`).

        ``goals`` are names, globs or KPIs; none: all. ``owner`` is an owner, a contributor, or who a segment names;
        ``period`` one such as `2026-Q3`: of a goal for each period it shows those periods. With ``history`` there is a
        row for each day since the start. ``what_if`` adds how they would stand if the days to come brought more or
        less, `rate=+10%`; with ``required`` it shows what they must bring, with ``course`` each standing has its days.
        """
        from smartkpi.api.goals import GoalAsk, answer_goals

        ask = GoalAsk(
            arguments.names("goals", goals),
            arguments.text("owner", owner),
            arguments.text("period", period),
            arguments.moment("as_of", as_of),
            arguments.flag("history", history),
            arguments.flag("optimize", optimize),
            projector=arguments.projector(projector),
            what_if=parse_rates(arguments.names("what_if", what_if)),
            required=arguments.flag("required", required),
            course=arguments.flag("course", course),
        )
        project = self.with_sets(arguments.constants("sets", sets))
        return answer_goals(project.usable(), project.data, ask, arguments.language(lang), arguments.function(progress))

    def why(
        self,
        kpi: str,
        period: str | None = None,
        against: str | None = None,
        by: str | Sequence[str] = (),
        where: str | None = None,
        as_of: str | date | datetime | None = None,
        top: int | None = None,
        sets: Mapping[str, str] | None = None,
        lang: str = "en",
        progress: Progress | None = None,
    ) -> Change:
        """Return what the change of a KPI from one period to another is made of; the parts add up to it.

        Without ``period`` it is the last whole one, without ``against`` the one before. With ``by`` a sum is told by
        segment, a ratio of sums by the rate and the weight of each; without it a sum by its terms, a product or
        quotient by its factors. KpiError is raised where there is no such answer.
        """
        from smartkpi.api.why import WhyAsk, answer_why
        from smartkpi.report.why import displayed

        ask = WhyAsk(
            kpi if isinstance(kpi, str) else arguments.refuse("kpi", kpi, "the name of a KPI"),
            arguments.text("period", period),
            arguments.text("against", against),
            arguments.names("by", by),
            arguments.text("where", where),
            arguments.moment("as_of", as_of),
            arguments.whole("top", top),
        )
        project = self.with_sets(arguments.constants("sets", sets))
        return displayed(
            answer_why(project.usable(), project.data, ask, arguments.function(progress)), arguments.language(lang)
        )

    def explain(
        self,
        name: str,
        stage: Stage = "optimized",
        grain: str | None = None,
        by: str | Sequence[str] = (),
        since: Period = None,
        until: Period = None,
        where: str | None = None,
        as_of: str | date | datetime | None = None,
        compare: str | Sequence[str] | None = None,
    ) -> str:
        """Return one stage of a KPI's way from text to query. `polars` needs the data; the others do not.

        Plans and queries are those of the question that `run` would be asked with the other arguments.
        """
        if not isinstance(name, str):
            arguments.refuse("name", name, "the name of a KPI")
        if stage not in STAGES:
            message = f"no stage is named `{stage}`"
            raise UsageError(Diagnostic("unknown-stage", message, hint=f"stages: {', '.join(STAGES)}"))
        from smartkpi.api.stages import explain

        ask = Ask(
            (name,),
            arguments.text("grain", grain),
            arguments.names("by", by),
            arguments.moment("since", since),
            arguments.moment("until", until),
            arguments.text("where", where),
            arguments.moment("as_of", as_of),
            compare=arguments.names("compare", compare) or None,
        )
        return explain(self.usable(), self.data, name, stage, ask)

    def test(self, update: bool = False) -> list[Outcome]:
        """Run the tests of the definitions; with ``update`` write what was got where they expect something else."""
        from smartkpi.api.cases import run_cases
        from smartkpi.api.rewrite import fill

        update = arguments.flag("update", update)
        outcomes = run_cases(check(self.usable().catalog))
        if update and fill(outcomes, self.catalog.files):
            return run_cases(load(self.source, self.data, self.sets, self.within, self.allow).typed())
        return outcomes


def load(
    source: DataSource,
    data: Mapping[str, object] | None = None,
    sets: Mapping[str, str] | None = None,
    within: str | Path | None = None,
    allow: str | Path | Sequence[str | Path] = (),
) -> Project:
    """Load a project: a file, a folder, or the same as plain data.

    ``data`` maps datasets to tables (Polars, pandas, Arrow, DuckDB) to be used instead of what they read; ``sets``
    gives constants other values. Wrong definitions do not raise: `check` tells them, `run` leaves them out.

    A file reads what lies in its project's folder, links followed, in the folders of its `allow_paths`, and in those of
    ``allow`` and of the variable SMARTKPI_ALLOW; plain data, which the caller wrote, reads anything. Nothing may lead
    out of the folder ``within`` (else: the variable SMARTKPI_WITHIN), if one is set, whatever is allowed: for services
    that run what others write.
    """
    source, given = arguments.project(source), arguments.constants("sets", sets)
    within = arguments.path("within", within)
    folder = within or os.environ.get("SMARTKPI_WITHIN")
    allowed = arguments.paths("allow", allow)
    everywhere = (Path(one) for one in os.environ.get("SMARTKPI_ALLOW", "").split(os.pathsep) if one)
    loaded = load_spec(source, given, Path(folder) if folder else None, (*allowed, *everywhere))
    return Project(source, loaded, _snapshots(arguments.mapping("data", data)), given, within, allowed)


def _snapshots(data: Mapping[str, object]) -> dict[str, object]:
    if not data:
        return {}
    from smartkpi.sources.tables import snapshot

    return {name: snapshot(handed) for name, handed in data.items()}


def _unique(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(dict.fromkeys(diagnostics))
