"""A result as Parquet: the tidy frame, with its provenance in the file's metadata."""

from __future__ import annotations

import io
import json

from smartkpi.report.json import provenance_data
from smartkpi.report.style import Style
from smartkpi.result import Result


def render(result: Result, _style: Style) -> bytes:
    """Return the tidy frame as a Parquet file."""
    stream = io.BytesIO()
    metadata = {"smartkpi": json.dumps(provenance_data(result.provenance), default=str)}
    result.frame.write_parquet(stream, metadata=metadata)
    return stream.getvalue()
