"""The smallest chaos run, with a seed of its own: see docs/chaos.md."""

import pathlib
import subprocess
import sys

import pytest

from lab.cluster import ROOT
from lab.postgres import missing

pytestmark = pytest.mark.namespaces

SEED = 20


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.timeout(400)
def test_the_smoke_profile_finds_nothing(tmp_path):
    command = [sys.executable, ROOT / "tests/chaos/run.py", "--profile", "smoke"]
    done = subprocess.run(
        [*command, "--seed", str(SEED), "--report", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=380,
    )
    print(f"\n{done.stdout}")
    assert done.returncode == 0
    page = pathlib.Path(tmp_path / "report.md").read_text()
    assert page.startswith(f"# smoke, seed {SEED}: clean") and "| no_loss | 0 |" in page
