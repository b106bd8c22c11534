"""What the schema offers as a format has a reader, and a suffix that says it."""

from __future__ import annotations

import json

from smartkpi.resources import find
from smartkpi.sources.files import FORMATS
from smartkpi.sources.tables import READERS, SLICEABLE


def test_every_format_has_a_reader_and_a_suffix() -> None:
    schema = json.loads((find("schemas") / "project.json").read_text(encoding="utf-8"))
    offered = schema["$defs"]["read"]["properties"]["format"]["enum"]
    assert set(offered) == set(READERS) == set(FORMATS.values())
    assert set(READERS) >= SLICEABLE
