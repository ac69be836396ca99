"""Machines: Debian with its own systemd and sshd, booted by systemd-nspawn in a network namespace.
What is written there lies in memory and is gone with it. Needs root, and scripts/support/debian-root."""

import os
import pathlib
import shutil
import signal
import subprocess

from .cluster import ROOT
from .namespaces import Network, inside, run
from .process import Process, wait_for

IMAGE = ROOT / "build" / "debian-root"
BOOT_S = 60  # half a second on a machine that does nothing else
# Where a kernel has its hierarchies of control groups: the old ones, the mixed ones, or one alone.
CGROUPS = [pathlib.Path("/sys/fs/cgroup", name) for name in ("", "systemd", "unified")]


def why_not():
    """Why no host can be booted here, or None."""
    if os.geteuid() != 0:
        return "hosts need root"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn missing"
    if not (IMAGE / "made-with").exists():
        return "no Debian to boot: scripts/test deploy makes it"
    return None


class Host:
    """One machine, `address` in its namespace. It shows the key `host_key` and lets `login` in."""

    def __init__(self, name, namespace, address, folder):
        self.name, self.namespace, self.address = name, namespace, address
        self.folder = folder / name
        self.folder.mkdir()
        self.root = self.folder / "root"
        self.identity = self.folder / "host_key"
        make_key(self.identity)
        self.host_key = read_public(self.identity)
        self.machine = namespace
        self.groups = [
            base / f"meridian-{self.machine}"
            for base in CGROUPS
            if (base / "cgroup.procs").exists()
        ]
        # A shell that has entered its control groups becomes nspawn: a host's systemd takes those
        # that it is started in for its own.
        enter = "".join(f"echo $$ >{group}/cgroup.procs; " for group in self.groups)
        boot = (
            f"{enter}exec systemd-nspawn --quiet --directory={self.root} --machine={self.machine} "
            f"--boot --register=no --keep-unit --network-namespace-path=/run/netns/{namespace}"
        )
        self.process = Process(name, ["sh", "-ec", boot], self.folder / "console.log")

    def prepare(self, login):
        memory = self.folder / "memory"
        for path in (memory, self.root):
            path.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=2g", f"host-{self.machine}", str(memory))
        for name in ("upper", "work"):
            (memory / name).mkdir()
        layers = f"lowerdir={IMAGE},upperdir={memory}/upper,workdir={memory}/work"
        run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        place(login, self.root / "root/.ssh/authorized_keys")
        self._add_operator(login)
        shutil.copy(self.identity, self.root / "etc/ssh/ssh_host_ed25519_key")
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        for group in self.groups:
            group.mkdir()

    def _add_operator(self, login):
        """`operator`, who is not root and may become it."""
        for file, line in {
            "passwd": "operator:x:1000:1000::/srv/operator:/bin/sh",
            "shadow": "operator:*:20000::::::",
            "group": "operator:x:1000:",
            "sudoers": "operator ALL=(ALL) NOPASSWD: ALL",
        }.items():
            with open(self.root / "etc" / file, "a") as known:
                known.write(f"{line}\n")
        place(login, self.root / "srv/operator/.ssh/authorized_keys")
        run("chown", "-R", "1000:1000", str(self.root / "srv/operator"))

    def start(self, login):
        self.prepare(login)
        self.process.start()

    def wait(self):
        wait_for(lambda: self.ssh("systemctl", "is-system-running").stdout, BOOT_S, "sshd answers")

    def ssh(self, *command, check=False):
        """Runs a command there, as root."""
        done = subprocess.run(
            [*inside(self.namespace), "ssh", "-q", "-i", self.folder.parent / "login"]
            + ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
            + ["-o", "ConnectTimeout=5", f"root@{self.address}", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0 or not check, f"{self.name}: {done.stdout}{done.stderr}"
        return done

    def kill(self):
        """As if its power had failed: its init dies, and the kernel ends all the others."""
        nspawn = self.process.pid
        for child in pathlib.Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        self.process.popen.wait(10)

    def stop(self):
        """Powers it off; kills it when it does not."""
        if self.process.alive():
            self.process.signal(signal.SIGTERM)
            try:
                self.process.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        for path in (self.root, self.folder / "memory"):
            run("umount", "--recursive", "--lazy", str(path), check=False)
        for group in self.groups:
            wait_for(lambda group=group: remove_group(group), 10, f"{group} is empty")


def sweep():
    """Ends hosts of a test run that was killed: it could not, and its hosts outlive it."""
    for group in [group for base in CGROUPS for group in base.glob("meridian-mrd*")]:
        machine = group.name.removeprefix("meridian-")
        if pathlib.Path("/proc", machine.removeprefix("mrd").partition("x")[0]).exists():
            continue
        for processes in group.rglob("cgroup.procs"):
            for pid in processes.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        for mount in pathlib.Path("/proc/mounts").read_text().splitlines():
            source, memory = mount.split()[:2]
            if source == f"host-{machine}":
                for path in (memory.removesuffix("memory") + "root", memory):
                    run("umount", "--recursive", "--lazy", path, check=False)
        wait_for(lambda group=group: remove_group(group), 10, f"{group} is empty")
        network = machine.partition("-")[0]
        for namespace in pathlib.Path("/run/netns").glob(f"{network}-*"):
            run("ip", "netns", "del", namespace.name, check=False)


def remove_group(group):
    """True when the control group and those in it are gone."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass
    return not group.exists()


def make_key(path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True
    )


def read_public(path):
    return path.with_name(f"{path.name}.pub").read_text().strip()


def place(text, path):
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


class Hosts:
    """with Hosts(folder, ["sin-a", "iad-a"]) as hosts: hosts["sin-a"].ssh("uptime")

    They are in one network, and so is the site "ctl", from which an operator works. `login` is the
    file of the key that gets in everywhere."""

    def __init__(self, folder, names):
        self.folder = folder
        self.network = Network([*names, "ctl"])
        self.login = folder / "login"
        self.names = names
        self.hosts = {}

    def __enter__(self):
        sweep()
        make_key(self.login)
        try:
            self.network.__enter__()
            for name in self.names:
                self.hosts[name] = Host(
                    name, self.network.namespace(name), self.network.address(name), self.folder
                )
            for host in self.hosts.values():
                host.start(read_public(self.login))
            for host in self.hosts.values():
                host.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __getitem__(self, name):
        return self.hosts[name]

    def __exit__(self, *_):
        for host in self.hosts.values():
            host.process.signal(signal.SIGTERM)
        for host in self.hosts.values():
            host.stop()
        self.network.close()
