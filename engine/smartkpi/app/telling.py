"""`kpi why`: what a change is made of, on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smartkpi.api import load
from smartkpi.app.edge import FINE
from smartkpi.app.terminal import progress_bar, style_of, write
from smartkpi.report.style import Style
from smartkpi.report.why import FORMATS


def why(path: Path, name: str, sets: Mapping[str, str], *, lang: str, form: str, **question: Any) -> int:
    """Tell what a change of a KPI of a project is made of and return the exit code."""
    project = load(path, sets=sets)
    with progress_bar() as progress:
        found = project.why(name, lang=lang, progress=progress, **question)
    write(FORMATS[form](found, style_of(sys.stdout, lang) if form == "table" else Style(lang=lang)))
    return FINE
