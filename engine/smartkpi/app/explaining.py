"""`kpi explain`: a KPI at each stage, or the meaning of an error's code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smartkpi import errors, rules
from smartkpi.api import Stage, load
from smartkpi.app.edge import FINE
from smartkpi.app.terminal import style_of, write
from smartkpi.nearest import did_you_mean


def explain(path: Path, sets: Mapping[str, str], name: str, stage: Stage, form: str, **question: Any) -> int:
    """Write a stage of a KPI, as a question needs it, to stdout and return the exit code."""
    text = load(path, sets=sets).explain(name, stage, **question)
    _write({"kpi": name, "stage": stage, "text": text}, text, form)
    return FINE


def explain_code(name: str, form: str, path: Path | None) -> int | None:
    """Write what a code means and return the exit code; None where the name is no code, or a KPI of the project."""
    text = errors.explain(name) or rules.explain(name)
    if text is None or (path is not None and name in load(path).catalog.kpis):
        return None
    _write({"code": name, "text": text}, text, form)
    return FINE


def no_code(name: str, path: Path | None) -> str:
    """Return what to say of a name that is no code, where it can be no KPI either."""
    known = (*errors.codes(), *rules.rules())
    hint = did_you_mean(name, known) or ("for a KPI, name its project with -p PATH" if path is None else "")
    return f"no error has the code `{name}`{': ' if hint else ''}{hint}"


def _write(data: Mapping[str, str], text: str, form: str) -> None:
    if form == "json":
        write(json.dumps(data, ensure_ascii=not style_of(sys.stdout).unicode, indent=2) + "\n")
    else:
        write(text)
