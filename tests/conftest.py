"""What all tests share: the real data beside the checkout, `--update`, and how hard hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

for profile, examples in {"quick": 10, "gate": 50}.items():
    settings.register_profile(
        profile,
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=2_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write expected texts again instead of comparing")


@pytest.fixture(scope="session")
def update(request: pytest.FixtureRequest) -> bool:
    """Whether expected texts are to be written again."""
    return bool(request.config.getoption("--update"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; a test that needs it is skipped where it is absent."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_peer() -> Path:
    """The folder of a peer's own test cases; a test that needs it is skipped where it is absent."""
    return _shared("oracle/metricflow")


def _shared(name: str) -> Path:
    folder = Path(os.environ.get("SMARTKPI_SHARED") or ROOT.parent / "shared") / name
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (SMARTKPI_SHARED names what holds {name})")
    return folder
