"""The Debian packages: sandboxed units, nothing that lintian calls an error, the same bytes twice."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

from lab.cluster import ROOT

UNITS = ["meridian-edge", "meridian-hub", "meridian-nats"]
PACKAGES = {"meridian-edge", "meridian-hub", "meridian-nats", "meridian-cli", "meridian-geo"}


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("unit", UNITS)
def test_units_may_do_little(unit):
    said = run(
        *("systemd-analyze", "security", "--offline=true", "--no-pager"),
        ROOT / "deploy" / "systemd" / f"{unit}.service",
    )
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(score[1]) < 2.5, said


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The packages of this tree, and those of a copy of it in another folder."""
    if not os.environ.get("MERIDIAN_TEST_FULL"):
        pytest.skip("builds everything twice: scripts/test full")
    first, copy = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("copy")
    when = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000"}
    run(ROOT / "scripts" / "package", first, env=when)
    for name in run("git", "-C", ROOT, "ls-files", "-z").split("\0")[:-1]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    run(copy / "scripts" / "package", copy / "out", env=when)
    return first, copy / "out"


@pytest.mark.timeout(3600)
def test_the_same_tree_makes_the_same_bytes(twice):
    first, second = (
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
        for folder in twice
    )
    assert len(first) == 2 * len(PACKAGES)
    assert first == second


@pytest.mark.timeout(600)
def test_lintian_finds_no_error(twice):
    run("lintian", "--fail-on", "error", "--allow-root", *twice[0].glob("*.deb"))


def test_what_a_package_is_made_of_is_told(twice):
    named = set()
    for file in twice[0].glob("*.spdx.json"):
        made_of = json.loads(file.read_text())
        assert made_of["spdxVersion"] == "SPDX-2.3"
        name = made_of["packages"][0]["name"]
        named.add(name)
        if name == "meridian-edge":
            assert any(entry["name"].startswith("libnats") for entry in made_of["packages"])
    assert named == PACKAGES


def test_settings_of_the_operator_are_kept(twice):
    for package in twice[0].glob("meridian-edge_*.deb"):
        conffiles = run("dpkg-deb", "-I", package, "conffiles").split()
        assert conffiles == ["/etc/meridian/edge.yaml", "/etc/default/meridian-edge"]
