"""What can be seen of terraform/ without a machine: format, `terraform test`, and scripts/rollout that
says what is missing."""

import os
import subprocess

import pytest

from lab.cluster import ROOT
from lab.terraform import terraform

MODULES = [ROOT / "terraform/modules/region"]  # which needs no provider; see cloud_test.py


def run(*command, **more):
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, "CHECKPOINT_DISABLE": "1", **more.pop("environment", {})},
        **more,
    )


@pytest.fixture
def alone(tmp_path):
    """Settings of Terraform that are nobody's, and a place for what it fetches, which is nothing."""
    (tmp_path / "terraform.rc").touch()
    return {
        "TF_CLI_CONFIG_FILE": str(tmp_path / "terraform.rc"),
        "TF_DATA_DIR": str(tmp_path / "data"),
    }


def test_files_are_formatted(alone):
    done = run(terraform(), "fmt", "-check", "-recursive", ROOT / "terraform", environment=alone)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_pass_their_own_tests(module, alone):
    begun = run(terraform(), "init", "-input=false", cwd=module, environment=alone)
    assert begun.returncode == 0, begun.stderr
    assert "Installing" not in begun.stdout  # no provider is fetched
    done = run(terraform(), "test", "-no-color", cwd=module, environment=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout


def test_a_rollout_says_what_it_lacks(tmp_path):
    def said(*arguments, **environment):
        done = run(ROOT / "scripts/rollout", *arguments, environment=environment)
        assert done.returncode == 1
        return done.stderr

    assert "--vars is missing" in said()
    assert "--soak needs a value" in said("--soak")
    assert "unknown option '--nonsense'" in said("--nonsense")
    assert "TERRAFORM names it" in said("--vars", tmp_path, TERRAFORM="/nowhere/terraform")
    assert "there is no" in said("--vars", tmp_path, "atlantis")
