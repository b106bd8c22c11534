"""Where shipped files are: inside the package in a wheel, beside the source root in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def find(folder: str) -> Path:
    """Return the folder `schemas` or `metrics`."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parents[1] / folder
