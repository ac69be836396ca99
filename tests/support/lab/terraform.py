"""Terraform, as an operator runs it: a copy of terraform/, a catalogue, certificates, machines."""

import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess

from .cluster import BUILD, EDGE_PORT, PLACES, ROOT, nats_server
from .hosts import Hosts
from .namespaces import inside
from .process import run_inside
from .tokens import AUDIENCE, ISSUER, SECRET, token

PACKAGES = ["meridian-edge", "meridian-hub", "meridian-nats", "meridian-cli"]
APPLY_S = 600


def terraform():
    """The program: TERRAFORM, or what is on the path; None where there is none."""
    return os.environ.get("TERRAFORM") or shutil.which("terraform")


def built_packages():
    """The newest package of each name that scripts/package has made, or {}: none, or they are older
    than the programs that are tested beside them."""
    found, built = {}, (BUILD / "bin/meridian-hub").stat().st_mtime
    for file in sorted((ROOT / "build/packages").glob("*.deb"), key=lambda f: f.stat().st_mtime):
        found[file.name.split("_")[0]] = file
    fresh = all(file.stat().st_mtime > built for file in found.values())
    return found if fresh and set(PACKAGES) <= set(found) else {}


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def pack_nats_server(folder):
    """A package of the nats-server that tests use; Debian 12's own is too old."""
    tree = folder / "nats-server"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/sbin").mkdir(parents=True)
    shutil.copy(nats_server(), tree / "usr/sbin/nats-server")
    said = subprocess.check_output([nats_server(), "--version"], text=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: nats-server\nVersion: {said.split('v')[-1].strip()}\nArchitecture: amd64\n"
        "Maintainer: the lab <lab@meridian.example>\nDescription: NATS server for tests\n"
    )
    return build_package(tree, folder / "nats-server.deb")


def build_package(tree, file):
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, file],
        check=True,
        capture_output=True,
    )
    return file


def next_release(package, folder):
    """The same package with a higher version: other bytes, the same programs."""
    tree = folder / f"next-{package.name}"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 1:"))
    return build_package(tree, folder / f"next-{package.name}.deb")


class Deployment:
    """Regions on machines. layout: {region: [machine, ...]}; the first of each has the region's NATS
    server, and every machine a hub and an edge. `hosts` is Hosts, or None: then nothing is applied.
    """

    def __init__(self, folder, layout, hosts=None, packages=None):
        self.folder, self.layout, self.hosts = folder, layout, hosts
        self.names = list(layout)
        self.machines = [name for machines in layout.values() for name in machines]
        self.catalogue, self.pki = folder / "regions.yaml", folder / "pki"
        self.tree = folder / "terraform"
        self.variables = folder / "deployment.tfvars.json"
        self.edges, self.region_of, self.addresses = {}, {}, {}
        self.runs_on = {}
        self.write_catalogue(self.names)
        self.meridian("pki", "make", "--dir", self.pki, "--catalogue", self.catalogue)
        self._write_settings()
        files = packages or {name: built_packages()[name] for name in PACKAGES}
        self.packages = {**files, "nats-server": pack_nats_server(folder)}
        shutil.copytree(
            ROOT / "terraform",
            self.tree,
            ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"),
        )
        self.deployment = self._deployment()
        self.write()

    # Files

    def address(self, machine):
        if self.hosts and machine in self.hosts.names:
            return self.hosts[machine].address
        return f"10.77.{self.machines.index(machine) + 1}.1"

    def loopback(self, machine):
        """No two processes of a catalogue have one address, not even on two machines."""
        return f"127.0.{self.machines.index(machine) + 1}.1"

    def write_catalogue(self, regions, without=()):
        """Of these regions of the layout alone, and without some machines: a deployment may grow."""
        lines = [f"primary: {self.names[-1]}", "unknown_recipients: adopt", "regions:"]
        for region in [name for name in self.layout if name in regions]:
            machines = [name for name in self.layout[region] if name not in without]
            place, latitude, longitude = PLACES[region]
            lines += [
                f"  - name: {region}",
                f"    place: {place}",
                f"    latitude: {latitude}",
                f"    longitude: {longitude}",
                "    shards: 2",
                "    replicas: 1",
                "    log_max_bytes: 64MiB",
                "    outbox_max_bytes: 32MiB",
                "    nodes:",
                f"      - name: {region}-n1",
                f"        client: {self.address(machines[0])}:4222",
                f"        cluster: {self.address(machines[0])}:6222",
                f"        gateway: {self.address(machines[0])}:7222",
                f"        monitor: {self.loopback(machines[0])}:8222",
                "    hubs:",
            ]
            for number, machine in enumerate(machines, 1):
                lines.append(f"      - name: {region}-h{number}")
                lines.append(f"        health: {self.loopback(machine)}:9090")
                self.runs_on[f"{region}-h{number}"] = self.address(machine)
            lines.append("    edges:")
            for number, machine in enumerate(machines, 1):
                name, listen = f"{region}-{number}", f"{self.address(machine)}:{EDGE_PORT}"
                lines += [f"      - name: {name}", f"        listen: {listen}"]
                lines.append(f"        url: http://{listen}")
                self.edges[name], self.region_of[name] = machine, region
                self.addresses[name] = (self.address(machine), EDGE_PORT)
        self.catalogue.write_text("\n".join(lines) + "\n")

    def _write_settings(self):
        settings = self.folder / "settings"
        settings.mkdir()
        (settings / "secret").write_text(SECRET)
        (settings / "edge.yaml").write_text(
            f"auth:\n  required: true\n  issuer: {ISSUER}\n  audience: {AUDIENCE}\n"
            "  keys: [{file: /etc/meridian/secret, format: secret, kid: shared}]\n"
        )

    def _machine(self, machine):
        """Those called b are logged in to by somebody who is not root."""
        user = "operator" if machine.endswith("b") else "root"
        there = self.hosts and machine in self.hosts.names
        key = self.hosts[machine].host_key if there else "ssh-ed25519 AAAA"
        return {"host_key": key, "user": user}

    def _deployment(self):
        return {
            "catalogue": str(self.catalogue),
            "pki": str(self.pki),
            "ssh_key_file": str(self.hosts.login) if self.hosts else str(self.catalogue),
            "packages": {
                name: {"path": str(file), "sha256": sha256(file)}
                for name, file in self.packages.items()
            },
            "hosts": {self.address(machine): self._machine(machine) for machine in self.machines},
            "runs_on": self.runs_on,
            "settings": {"edge": str(self.folder / "settings")},
            "ssh_timeout": "5s",
            "gate_s": 60,
            "keep_data": False,
        }

    def write(self):
        """The variables as they are in `deployment` now."""
        self.variables.write_text(json.dumps({"deployment": self.deployment}, indent=1))

    def use(self, **packages):
        """Another release of some packages: {name with _ for -: file}."""
        for name, file in packages.items():
            entry = {"path": str(file), "sha256": sha256(file)}
            self.deployment["packages"][name.replace("_", "-")] = entry
        self.write()

    # Programs

    def meridian(self, *arguments, check=True, environment=None):
        prefix = inside(self.hosts.network.namespace("ctl")) if self.hosts else []
        done = subprocess.run(
            [*prefix, BUILD / "bin/meridian", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **(environment or {})},
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def environment(self):
        nothing = self.folder / "terraform.rc"  # not whatever the operator of this machine has set
        nothing.touch()
        return {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(nothing),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "TERRAFORM": terraform(),
        }

    def command(self, *command, cwd=None):
        """Runs something where the operator is."""
        prefix = inside(self.hosts.network.namespace("ctl")) if self.hosts else []
        return subprocess.run(
            [*prefix, *map(str, command)],
            cwd=cwd or self.tree,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=APPLY_S,
        )

    def terraform(self, region, *arguments, check=True):
        return self.terraform_in(f"regions/{region}", *arguments, check=check)

    def terraform_in(self, folder, *arguments, check=True):
        """Runs it in a root of terraform/."""
        root = self.tree / folder
        if not (root / ".terraform").exists():
            self.command(terraform(), "init", "-input=false", cwd=root).check_returncode()
        done = self.command(terraform(), *arguments, cwd=root)
        if check and done.returncode != 0:
            raise AssertionError(f"terraform {arguments} in {folder}: {done.stdout}{done.stderr}")
        return done

    def plan(self, region, *more):
        """0: nothing to do; 1: an error; 2: something."""
        return self.terraform(
            *(region, "plan", "-input=false", "-no-color", "-detailed-exitcode"),
            *(f"-var-file={self.variables}", *more),
            check=False,
        )

    def apply(self, region, *more, check=True):
        return self.terraform(
            *(region, "apply", "-auto-approve", "-input=false", "-no-color", "-parallelism=1"),
            *(f"-var-file={self.variables}", *more),
            check=check,
        )

    def destroy(self, region, check=True):
        return self.terraform(
            *(region, "destroy", "-auto-approve", "-input=false", "-no-color"),
            f"-var-file={self.variables}",
            check=check,
        )

    # Clients

    def open_socket(self, edge, _site=None):
        """A socket from where the operator is to an edge: lab.Client connects by it."""
        namespace = self.hosts.network.namespace("ctl")
        return run_inside(
            namespace, lambda: socket.create_connection(self.addresses[edge], timeout=5)
        )

    @staticmethod
    def token(user):
        return token(user, left_s=3600)
