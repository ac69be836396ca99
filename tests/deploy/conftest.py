"""Deploy tests: Terraform on machines that boot here. They run by `scripts/test deploy`."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from lab.hosts import why_not  # noqa: E402
from lab.terraform import built_packages, terraform  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "hosts: boots machines")
    config.addinivalue_line("markers", "long: only in `scripts/test deploy` and `full`")


def pytest_collection_modifyitems(items):
    reason = "terraform missing" if terraform() is None else None
    no_hosts = (
        reason
        or why_not()
        or (None if built_packages() else "no packages of these programs: scripts/test deploy")
    )
    for item in items:
        skip = no_hosts if "hosts" in item.keywords else reason
        if "long" in item.keywords and not os.environ.get("MERIDIAN_TEST_DEPLOY"):
            skip = skip or "takes minutes: scripts/test deploy"
        if skip:
            item.add_marker(pytest.mark.skip(reason=skip))
