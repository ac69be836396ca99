"""Integration and attack tests run real daemons and a real nats-server through tests/support/lab."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

FULL = bool(os.environ.get("MERIDIAN_TEST_FULL"))


@pytest.fixture(scope="session")
def full():
    """True under `scripts/test full`: scenarios then run for the durations they are stated for."""
    return FULL


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            if "namespaces" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


def pytest_configure(config):
    config.addinivalue_line("markers", "namespaces: needs root, for network namespaces")
