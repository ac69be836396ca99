"""One chaos run: three regions an ocean apart, people who talk, and one fault after the other, all
out of a seed. Then everything heals and what was accepted has to be where it belongs; a last cut
stays; and the checker has the word. docs/chaos.md tells how to read what it writes."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from checker.__main__ import main as check  # noqa: E402  (the folders have to be known first)
from history import History, merge  # noqa: E402
from homes import Homes  # noqa: E402
from lab import Cluster, LabError, Postgres, Wan, clock  # noqa: E402
from lab.cluster import BUILD, REGIONS  # noqa: E402
from lab.disk import DiskRefused, SmallDisk  # noqa: E402
from lab.namespaces import inside  # noqa: E402
from nemeses import NEMESES, able  # noqa: E402
from operating import Operator  # noqa: E402
from page import add_commands, add_processes  # noqa: E402
from workload import Workload  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Profile:
    seconds: int  # of faults
    users: int
    rate: float  # messages a second in all
    quiet_s: tuple
    nodes: int = 1  # NATS servers of a region; with three its logs have three replicas
    log_mib: int = 64  # of a shard: all that is sent, should all users be at home in one region
    long: bool = True  # there is time for every row of the table

    def hub_disk_bytes(self):
        """Two shards, and whatever its views need beside them."""
        return 3 * self.log_mib << 20

    def node_disk_bytes(self):
        """Two logs, two outboxes, and the rest."""
        return max(1024, 4 * self.log_mib) << 20


PROFILES = {
    "smoke": Profile(seconds=30, users=12, rate=25, quiet_s=(1, 2), long=False),
    "hour": Profile(seconds=3600, users=60, rate=25, quiet_s=(3, 20), nodes=3, log_mib=384),
    "night": Profile(seconds=8 * 3600, users=90, rate=10, quiet_s=(5, 40), nodes=3, log_mib=1280),
}
BOUND_S = 30  # within which everything is there after the last heal
UP_S = 60
LAST_S = 8  # a cut that stays lasts, while people talk
SETTINGS = {"archive.pause": "100ms", "archive.backoff_max": "1s", "archive.follow": "1s"}

# The cut that is never healed: how it is made, and what it cuts off.
LAST = {
    "isolate": (lambda wan, a, b: wan.isolate(a), lambda a, b: {"regions": [a]}),
    "cut": (lambda wan, a, b: wan.cut(a, b), lambda a, b: {"links": [[a, b]]}),
    "cut-one-way": (lambda wan, a, b: wan.cut_one_way(a, b), lambda a, b: {"links": [[a, b]]}),
}


class Peaks:
    """Samples the memory and the descriptors of each daemon, twice a second."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.rss, self.files = {}, {}
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run, name="peaks")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _run(self):
        while not self.done.wait(0.5):
            for process in self.cluster.all():
                with contextlib.suppress(OSError, AttributeError, IndexError):
                    self._sample(process)

    def _sample(self, process):
        name = process.name
        self.rss[name] = max(self.rss.get(name, 0), process.rss_bytes())
        files = len(os.listdir(f"/proc/{process.pid}/fd"))
        self.files[name] = max(self.files.get(name, 0), files)


class Chaos:
    """The lab of one run, and what the nemeses need of it."""

    def __init__(self, profile, seed, folder, stack, only=()):
        self.profile, self.folder, self.begun = profile, folder, time.monotonic()
        self.rng = random.Random(seed)
        self.last = self.rng.choice(sorted(LAST))
        # The database is where the last cut does not reach: what is archived can be judged.
        self.one, self.other, third = self.rng.sample(REGIONS, 3)
        self.network = stack.enter_context(Wan(REGIONS, seed=seed))
        self.postgres = stack.enter_context(Postgres(network=self.network, region=third))
        self.postgres.start().create()
        self._migrate(third)
        self.cluster = stack.enter_context(self._cluster())
        self.have = set()
        self.disks, self.node_disks = {}, {}
        self._make_disks(stack)
        self.clocks = self._clocks()
        self.able = able(self.have, profile.long, only)
        if not self.able:
            raise LabError(f"this machine has not what these need: {', '.join(only)}")
        self.cluster.start()
        self.history = stack.enter_context(History(folder / "parts"))
        self.workload = Workload(
            self.cluster, self.history, self.rng.random(), profile.users, profile.rate
        )
        self.homes = Homes(self.cluster, self.history, self.workload.users)
        self.operator = Operator(self.cluster, self.history, self.homes)
        self.faults = 0

    def _migrate(self, region):
        subprocess.run(
            [*inside(self.network.namespace(region)), BUILD / "bin/meridian", "archive", "migrate"],
            env={**os.environ, "MERIDIAN_ARCHIVE_URL": self.postgres.url},
            check=True,
            timeout=60,
        )

    def _cluster(self):
        return Cluster(
            regions=3,
            shards=2,
            nodes=self.profile.nodes,
            hubs=2,
            edges=2,
            network=self.network,
            region_settings={"log_max_bytes": f"{self.profile.log_mib}MiB"},
            hub_settings={"archive.url": self.postgres.url, **SETTINGS},
        )

    def _make_disks(self, stack):
        """A small disk for the views of one hub, and one for a NATS server, of each region, where
        this machine lets one mount."""
        with contextlib.suppress(DiskRefused):
            for region in self.cluster.names:
                hub, node = self.cluster.hub_names(region)[0], f"{region}-n{self.profile.nodes}"
                for name, disks, size in (
                    (hub, self.disks, self.profile.hub_disk_bytes()),
                    (node, self.node_disks, self.profile.node_disk_bytes()),
                ):
                    folder = self.cluster.folder / "data" / name
                    disks[name] = stack.enter_context(SmallDisk(folder, size))
            self.have.add("disk")

    def _clocks(self):
        """A clock of its own for one hub and one edge of each region."""
        if clock.missing():
            return {}
        self.have.add("clock")
        names = [self.cluster.hub_names(region)[-1] for region in self.cluster.names]
        names += [self.cluster.edge_names(region)[-1] for region in self.cluster.names]
        processes = {**self.cluster.hubs, **self.cluster.edges}
        return {name: clock.Clock(processes[name], self.cluster.folder) for name in names}

    # For the nemeses

    def start(self, process):
        """Starts it, and waits until it answers; it is ready when the rest of the world is."""
        process.start()
        self.cluster.wait_http(process.name, "/healthz", UP_S)

    def wait_up(self, region):
        for name in [*self.cluster.nodes, *self.cluster.hubs]:
            if self.cluster.region_of[name] == region:
                self.cluster.wait_http(name, "/healthz", UP_S)

    def shape(self, one, other, knobs):
        """Sets knobs of the lines between two regions; returns what puts them back."""
        self.network.tell(f"set {one} {other} {knobs}")
        delay = self.network.one_way_ms(one, other)
        usual = f"set {one} {other} delay {delay}ms jitter 0 loss 0 reorder 0"
        return lambda: self.network.tell(usual)

    def say(self, what):
        print(f"{time.monotonic() - self.begun:7.1f} s  {what}", flush=True)

    # The run

    def _begin_fault(self, kind, **more):
        self.faults += 1
        name = f"f{self.faults}"
        self.history.write("fault", id=name, kind=kind, **more)
        return name

    def round(self):
        nemesis = self.rng.choices(self.able, [one.weight for one in self.able])[0]
        name = self._begin_fault(nemesis.name)
        fault = nemesis.begin(self, self.rng)
        self.say(f"{nemesis.name}: {fault.what}")
        time.sleep(self.rng.uniform(*nemesis.lasts_s))
        fault.heal()
        self.history.write("heal", id=name)
        time.sleep(self.rng.uniform(*self.profile.quiet_s))

    def settle(self):
        """Waits until all that is accepted by now is there; returns how long, or None."""
        begun, accepted = time.monotonic(), self.workload.accepted_so_far()
        while time.monotonic() - begun < BOUND_S:
            if self.workload.missing(accepted) == 0:
                return time.monotonic() - begun
            time.sleep(0.1)
        return None

    def cut_for_good(self):
        make, cuts = LAST[self.last]
        self._begin_fault(self.last, cuts=cuts(self.one, self.other), forever=True)
        make(self.network, self.one, self.other)
        self.say(f"{self.last}, which stays: {self.one} {self.other}")
        time.sleep(LAST_S)

    def run(self):
        self.workload.start()
        with self.homes:
            self._run()

    def _run(self):
        self.say(f"{len(self.workload.devices)} devices of {self.profile.users} users talk")
        until = time.monotonic() + self.profile.seconds
        while time.monotonic() < until:
            self.round()
        took = self.settle()
        self.say("not all came after the last heal" if took is None else f"all there: {took:.1f} s")
        self.cut_for_good()
        self.workload.stopping = True
        self.settle()
        self.workload.finish()

    def write_ends(self):
        """What the archive and the directory say in the end."""
        rows = self._archived()
        for recipient, epoch, seq, sender, identity, hashed in rows:
            place = {"recipient": recipient, "epoch": int(epoch), "seq": int(seq)}
            self.history.write("archive", **place, sender=sender, id=identity, hash=hashed)

    def _archived(self):
        """Every row, once no more come."""
        count = "SELECT count(*) FROM meridian.messages"
        before, until = None, time.monotonic() + BOUND_S
        while (now := self.postgres.ask(count)) != before and time.monotonic() < until:
            before = now
            time.sleep(2)
        return self.postgres.ask(
            "SELECT recipient, epoch, seq, sender, id, left(encode(sha256(body), 'hex'), 32)"
            " FROM meridian.messages"
        )


def run(name, profile, seed, folder, only):
    """Returns the checker's exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "parts", ignore_errors=True)  # of another run
    settings = {"archive": True, "bound_s": BOUND_S, "name": f"{name}, seed {seed}"}
    with contextlib.ExitStack() as stack:
        chaos = Chaos(profile, seed, folder, stack, only)
        if profile.nodes > 1:
            # A server that has led a mirror may go on answering for it, for seconds.
            mirrors = [region for region in chaos.cluster.names if region != chaos.cluster.primary]
            settings["copies"] = [f"KV_DIRECTORY_{region}" for region in mirrors]
        chaos.history.write("run", format=1, settings=settings)
        with Peaks(chaos.cluster) as peaks:
            chaos.run()
        chaos.write_ends()
        merge(folder / "parts", folder / "history.jsonl")
        code = check([str(folder / "history.jsonl"), "--report", str(folder)])
        add_processes(folder / "report.md", seed, peaks, chaos.cluster.all())
        add_commands(folder / "report.md", chaos.operator.failed)
        chaos.network.heal()  # so that everybody can leave in order
    return code or bool(chaos.operator.failed)


def main():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="smoke")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, metavar="N", help="of faults, instead")
    parser.add_argument("--only", nargs="+", choices=NEMESES, default=[], metavar="FAULT")
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--report", type=pathlib.Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.list:
        print(*NEMESES, sep="\n")
        return 0
    folder = options.report or pathlib.Path(tempfile.mkdtemp(prefix="meridian-chaos-"))
    if os.geteuid() != 0:
        parser.error("network namespaces need root")
    profile = PROFILES[options.profile]
    if options.seconds is not None:
        profile = dataclasses.replace(profile, seconds=options.seconds)
    try:
        code = run(options.profile, profile, options.seed, folder, options.only)
    except LabError as error:
        print(error, file=sys.stderr)
        code = 1
    print(f"The report is {folder}/report.md, the seed was {options.seed}.")
    return code


if __name__ == "__main__":
    sys.exit(main())
