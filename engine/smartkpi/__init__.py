"""KPIs as code: definitions in YAML over event data, and the same right numbers everywhere.

``load`` opens a project; its ``check``, ``run`` and ``explain`` do the rest. Nothing is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartkpi.api import Project as Project
    from smartkpi.api import load as load
    from smartkpi.diagnostics import KpiError as KpiError

__version__ = "0.1.0"
__all__ = ["KpiError", "Project", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("load", "Project"):
        from smartkpi import api

        return getattr(api, name)
    if name == "KpiError":
        from smartkpi.diagnostics import KpiError

        return KpiError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
