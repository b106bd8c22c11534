"""The façade: load a project, then check, run, explain and test it. What notebooks and the command line call."""

from smartkpi.api.failures import DataError, DefinitionError, UsageError
from smartkpi.api.project import STAGES, Project, Report, Stage, load

__all__ = ["STAGES", "DataError", "DefinitionError", "Project", "Report", "Stage", "UsageError", "load"]
