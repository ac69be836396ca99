"""The modules that need a cloud's provider, which is not here: their names of attributes against a list
taken from the providers, and their output against what modules/region takes. With providers at hand
(MERIDIAN_TERRAFORM_PLUGINS names a folder as `terraform providers mirror` makes it) more is done."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lab.cluster import ROOT
from lab.terraform import terraform

MODULES = ROOT / "terraform/modules"
# Of AWS 5.100 and Google 16 (cdktf) by their schemas; of Hetzner's by its documentation.
KNOWN = json.loads(pathlib.Path(__file__).with_name("provider_attributes.json").read_text())
META = {"for_each", "count", "depends_on", "provider", "lifecycle", "source"}
CLOUDS = ["cloud-aws", "cloud-hcloud", "cloud-gcp"]
FOREIGN = [*CLOUDS, "dns-route53"]


def bodies(lines, depth=0):
    """(first line, lines within) of each block at that depth of a file that `fmt` has laid out."""
    margin, name, inner = "  " * depth, None, []
    for line in lines:
        if name is None and re.match(rf"{margin}\w.* \{{$", line) and "=" not in line:
            name, inner = line.strip(), []
        elif name is not None and line == f"{margin}}}":
            yield name, inner
            name = None
        elif name is not None:
            inner.append(line)


def faults(where, lines, known, depth=1):
    """What a block of that kind cannot have, and what it lacks."""
    margin = "  " * depth
    blocks = dict((name.split()[0], inner) for name, inner in bodies(lines, depth))
    set_here = {match[1] for line in lines if (match := re.match(rf"{margin}(\w+) +=", line))}
    allowed = {*known["required"], *known["optional"], *META}
    inner_known = known.get("blocks", {})
    for name in set_here - allowed:
        yield f"{where}: there is no {name}"
    for name in set(known["required"]) - set_here:
        yield f"{where}: {name} is missing"
    for name in [name for name, block in inner_known.items() if block.get("needed")]:
        if name not in blocks:
            yield f"{where}: block {name} is missing"
    for name, inner in blocks.items():
        if name in inner_known:
            yield from faults(f"{where}.{name}", inner, inner_known[name], depth + 1)
        elif name not in META:
            yield f"{where}: there is no block {name}"


def lint(text):
    for name, lines in bodies(text.splitlines()):
        kind, label = (name.split() + ["", ""])[:2]
        if kind == "resource":
            label = label.strip('"')
            if label in KNOWN:
                yield from faults(label, lines, KNOWN[label])
            else:
                yield f"{label}: not in the list"


@pytest.mark.parametrize("module", FOREIGN)
def test_attributes_are_ones_that_there_are(module):
    text = (MODULES / module / "main.tf").read_text()
    assert text.count('resource "') >= 4
    assert list(lint(text)) == []


@pytest.mark.parametrize(
    "was, now, said",
    [
        ("ip_protocol       =", "ip_protokoll      =", "there is no ip_protokoll"),
        ("  zone_id  = var.dns_zone\n", "", "zone_id is missing"),
        ("    http_tokens =", "    http_token  =", "metadata_options: there is no http_token"),
        ("  root_block_device {", "  root_disk {", "there is no block root_disk"),
        ('resource "aws_eip"', 'resource "aws_ip"', "aws_ip: not in the list"),
    ],
)
def test_the_check_finds_what_is_wrong(was, now, said):
    text = (MODULES / "cloud-aws/main.tf").read_text()
    assert was in text
    assert any(said in fault for fault in lint(text.replace(was, now, 1)))


@pytest.mark.parametrize("module", CLOUDS)
def test_clouds_share_their_variables_and_output(module):
    assert (MODULES / module / "machines.tf").resolve() == MODULES / "cloud-machines.tf"
    text = (MODULES / module / "main.tf").read_text()
    assert "  public_addresses = {" in text and re.search(r"^  user +=", text, re.M)


def alone(folder, plugins=None):
    """The environment for a Terraform with nobody's settings, but maybe with providers."""
    mirror = f'filesystem_mirror {{\n path = "{plugins}"\n }}' if plugins else ""
    (folder / "terraform.rc").write_text(f"provider_installation {{\n {mirror}\n}}\n")
    return {
        **os.environ,
        "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"),
        "TF_DATA_DIR": str(folder / "data"),
        "CHECKPOINT_DISABLE": "1",
    }


def run(folder, environment, *arguments):
    done = subprocess.run(
        [terraform(), *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_a_cloud_makes_is_what_a_region_takes(tmp_path):
    """With a stand-in for the cloud: addresses that are known, as its machines' would be."""
    shutil.copytree(MODULES, tmp_path / "modules")
    cloud = tmp_path / "modules/stand-in"
    cloud.mkdir()
    shutil.copy(MODULES / "cloud-machines.tf", cloud)
    (cloud / "main.tf").write_text(
        'locals {\n  user = "admin"\n'
        '  public_addresses = { for name, machine in var.machines : name => "203.0.113.7" }\n}\n'
    )
    fixture = tmp_path / "modules/region/tests"
    (tmp_path / "main.tf").write_text(
        f"""
module "cloud" {{
  source            = "./modules/stand-in"
  region            = "sin"
  machines          = {{ a = {{ address = "192.0.2.1", type = "t", zone = "z", disk_gb = 9 }} }}
  subnet            = "s"
  ssh_public_key    = "k"
  operator_networks = []
  inside_networks   = []
  host_keys         = {{ a = "ssh-ed25519 AAAA" }}
}}
module "region" {{
  source = "./modules/region"
  region = "sin"
  deployment = {{
    catalogue    = "{fixture}/catalogue.yaml"
    pki          = "{fixture}/pki"
    ssh_key_file = "{fixture}/package"
    hosts        = module.cloud.hosts
    runs_on      = {{ "sin-h1" = "192.0.2.1", "sin-1" = "192.0.2.1" }}
    packages = {{
      for name in ["meridian-edge", "meridian-hub", "meridian-nats", "meridian-cli"] :
      name => {{ path = "{fixture}/package", sha256 = filesha256("{fixture}/package") }}
    }}
  }}
}}
output "machines" {{
  value = module.region.machines
}}
"""
    )
    environment = alone(tmp_path)
    run(tmp_path, environment, "init", "-input=false")
    planned = run(tmp_path, environment, "plan", "-input=false", "-no-color")
    assert re.search(r"machines\s+= \{\s+\+ sin-1\s+= \"192.0.2.1\"", planned), planned


@pytest.mark.parametrize("module", ["cloud-aws", "dns-route53"])
def test_with_its_provider_a_module_is_valid(module, tmp_path):
    plugins = os.environ.get("MERIDIAN_TERRAFORM_PLUGINS")
    if not plugins:
        pytest.skip("MERIDIAN_TERRAFORM_PLUGINS names no folder with providers")
    shutil.copytree(MODULES, tmp_path / "modules")
    folder = tmp_path / "modules" / module
    environment = alone(tmp_path, plugins)
    run(folder, environment, "init", "-input=false", "-backend=false")
    assert "Success" in run(folder, environment, "validate", "-no-color")
    if (folder / "tests").exists():
        assert "Success" in run(folder, environment, "test", "-no-color")
