"""Regions an ocean apart: each in a network namespace of its own, and so are its clients, joined by
the emulator of tests/chaos/wan. Needs root. docs/chaos.md tells what the emulator can do."""

import json
import pathlib
import shutil
import socket
import tempfile
import threading
import time

from .cluster import BUILD, EDGE_PORT
from .namespaces import Network, inside, run
from .process import Process, run_inside, wait_for

# One way, in ms.
DELAYS = {("sin", "iad"): 110, ("sin", "dub"): 88, ("iad", "dub"): 38}
CLIENT_DELAY = 5
SO_RCVBUFFORCE = 33  # which the socket module does not know
EDGES_MAX = 10  # of a region
# A namespace inherits the machine's. BBR lets next to nothing through for a round trip every 10 s
# (docs/operations.md); this one is in every kernel.
CONGESTION_CONTROL = "reno"
# What becomes of a packet besides being delivered or cut: none of it happens unless it is set.
LOSSES = ("lost", "queue_full", "held_full", "refused")


class Wan(Network):
    """with Wan(["sin", "iad"]) as wan: wan.tell("set sin iad loss 1%"); wan.cut("sin", "iad")

    The clients of region "sin" are at the site "sin-c". delays: {(region, region): ms}, one way and
    both ways alike. Region and site are the same word but for the clients' sites.
    """

    def __init__(self, regions, delays=None, client_delay=CLIENT_DELAY, seed=1):
        super().__init__(regions)
        self.sites = [*self.regions, *map(self.clients, self.regions)]
        self.delays, self.client_delay, self.seed = delays or DELAYS, client_delay, seed
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="meridian-wan-", dir="/var/tmp"))
        self.process = None
        self.control, self.answers = None, None
        self.lock = threading.Lock()

    @staticmethod
    def clients(region):
        """The site of a region's clients."""
        return f"{region}-c"

    def _subnet(self, site):
        region = site.removesuffix("-c")
        return f"10.77.{self.regions.index(region) + (1 if region == site else 101)}"

    def address(self, site):
        return f"{self._subnet(site)}.1"

    def one_way_ms(self, source, destination):
        """The delay between two sites, as it is set at the start."""
        a, b = source.removesuffix("-c"), destination.removesuffix("-c")
        between = 0 if a == b else self.delays.get((a, b), self.delays.get((b, a)))
        return between + self.client_delay * sum(
            site.endswith("-c") for site in (source, destination)
        )

    def _build(self):
        for site in self.sites:
            self._build_site(site)
        for region in self.regions:
            self._let_clients_in(region)
        path = self.folder / "control"
        command = [BUILD / "tests" / "meridian-wan", "--control", path, "--seed", self.seed]
        for site in self.sites:
            spec = f"{site}={self._subnet(site)}.0/24@/run/netns/{self.namespace(site)}"
            command += ["--site", spec]
        self.process = Process("wan", command, self.folder / "wan.log").start()
        self._connect(path)
        for i, one in enumerate(self.sites):
            for other in self.sites[i + 1 :]:
                self.tell(f"set {one} {other} delay {self.one_way_ms(one, other)}ms")

    def _build_site(self, site):
        name = self.namespace(site)
        run("ip", "netns", "add", name)
        for command in (
            "link set lo up",
            "tuntap add dev wan0 mode tun",
            f"address add {self.address(site)}/16 dev wan0",
            # Long enough for what comes while the emulator waits for a core.
            "link set wan0 up multicast off txqueuelen 10000",
        ):
            run(*inside(name), "ip", *command.split())
        self._write(site, "ipv6/conf/wan0/disable_ipv6", 1)
        self._write(site, "ipv4/tcp_congestion_control", CONGESTION_CONTROL)

    def _write(self, site, setting, value):
        path = pathlib.Path("/proc/sys/net") / setting
        run_inside(self.namespace(site), lambda: path.write_text(f"{value}\n"))

    def _let_clients_in(self, region):
        """Edges that trust their clients listen on loopback addresses only, so what comes for them
        from the other side of the device is sent on to there."""
        self._write(region, "ipv4/conf/wan0/route_localnet", 1)
        self._nft(
            region,
            "add table ip near\n"
            "add chain ip near in { type nat hook prerouting priority -100; }\n"
            f"add rule ip near in ip daddr {self.address(region)} "
            f"tcp dport {EDGE_PORT}-{EDGE_PORT + EDGES_MAX - 1} dnat to {self.loopback(region)}\n",
        )

    def _connect(self, path):
        control = socket.socket(socket.AF_UNIX)
        control.settimeout(10)

        def try_to():
            if not self.process.alive():
                raise RuntimeError(f"meridian-wan ended: {self.process.log()[-2000:]}")
            try:
                control.connect(str(path))
                return True
            except OSError:
                return False

        wait_for(try_to, 20, "meridian-wan listens")
        self.control, self.answers = control, control.makefile("r")

    def tell(self, command):
        """Says a line to the emulator and returns its answer."""
        with self.lock:
            self.control.sendall(f"{command}\n".encode())
            answer = json.loads(self.answers.readline())
        if not answer["ok"]:
            raise ValueError(f"{command}: {answer['error']}")
        return answer

    def lines(self):
        """{(from, to): what `show` says of the line}"""
        return {(line["from"], line["to"]): line for line in self.tell("show")["lines"]}

    # Harm; the other words of `Network` are built on these

    def cut_one_way(self, source, destination):
        self.tell(f"cut {source} {destination} one-way")

    def isolate(self, region):
        """The region and its clients from all others."""
        self.tell(f"isolate {region} {self.clients(region)}")

    def heal(self):
        self.tell("heal")

    # Checks

    def assert_lost_only(self, *allowed):
        """No packet was lost in a way that is not allowed, neither in the emulator nor before it;
        and each is accounted for."""
        said = self.tell("show")
        for line in said["lines"]:
            lost = {how: line[how] for how in LOSSES if line[how] and how not in allowed}
            assert not lost, f"{line['from']} to {line['to']}: {lost}"
            ended = sum(line[how] for how in ("delivered", "cut", *LOSSES))
            in_flight = line["packets"] + line["duplicated"] - ended
            assert in_flight >= 0 and (in_flight > 0) == (line["held_bytes"] > 0), line
        for site in said["sites"]:
            assert site["not_ipv4"] == site["unroutable"] == 0, site
        for site in self.sites:
            dropped = self.dropped_by_device(site)
            assert dropped == 0, f"the device of {site} dropped {dropped} packets"

    def dropped_by_device(self, site):
        """Packets for which there was no room between the site and the emulator."""
        show = ["ip", "-json", "-stats", "link", "show", "wan0"]
        said = json.loads(run(*inside(self.namespace(site)), *show).stdout)
        return sum(said[0]["stats64"][way]["dropped"] for way in ("rx", "tx"))

    def measure_ms(self, source, destination, count=20, every_s=0.01):
        """How long datagrams take from one site to another, one way: all of this machine has one
        clock. Those that do not come within a second of the last are left out."""
        with self.datagrams(destination) as receiver, self.datagrams(source) as sender:
            target, took = receiver.getsockname(), []

            def send():
                for _ in range(count):
                    sender.sendto(str(time.monotonic_ns()).encode(), target)
                    time.sleep(every_s)

            thread = threading.Thread(target=send)
            thread.start()
            try:
                while len(took) < count:
                    sent = int(receiver.recv(64))
                    took.append((time.monotonic_ns() - sent) / 1e6)
            except TimeoutError:
                pass
            thread.join()
            return took

    def datagrams(self, site):
        """A UDP socket at a site, which waits a second for what comes."""

        def bind():
            bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            bound.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)  # for thousands of packets
            bound.bind((self.address(site), 0))
            return bound

        bound = run_inside(self.namespace(site), bind)
        bound.settimeout(1)
        return bound

    def close(self):
        try:
            self._end_process()
        finally:
            for site in self.sites:
                run("ip", "netns", "del", self.namespace(site), check=False)

    def _end_process(self):
        if self.control:
            self.answers.close()
            self.control.close()
        code = self.process.terminate() if self.process else 0
        reports = self.process.reports() if self.process else []
        if code != 0 or reports:
            raise RuntimeError(f"meridian-wan ended with {code}: {self.process.log_path} {reports}")
        shutil.rmtree(self.folder, ignore_errors=True)
