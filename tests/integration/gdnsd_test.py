"""A real gdnsd with what `meridian-geo render gdnsd` writes, asked by dig as resolvers ask."""

import asyncio
import ipaddress
import json
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.request

import pytest

from lab import Client, Cluster
from lab.cluster import BUILD
from lab.process import Process, wait_for
from lab.promise import hold

ZONE = "edge.example.test"
CAPACITY = 20
CITY = pathlib.Path(__file__).resolve().parents[1] / "support/mmdb/GeoIP2-City-Test.mmdb"
# Of the test database: Great Britain, the United States, China, Japan.
PLACES = ["2.2.3.1", "216.160.83.57", "175.16.199.1", "2001:218::1"]


class Gdnsd:
    def __init__(self, cluster):
        self.cluster = cluster
        self.folder = cluster.folder / "gdnsd"
        for name in ("", "run", "state"):
            (self.folder / name).mkdir()
        self.host, self.port = f"{cluster.block}.253", 15353
        self.process = Process(
            "gdnsd",
            [shutil.which("gdnsd") or "/usr/sbin/gdnsd", "-c", self.folder, "start"],
            cluster.folder / "gdnsd.log",
        )
        self.region_of = {
            cluster.url[edge].removeprefix("http://").rsplit(":", 1)[0]: cluster.region_of[edge]
            for edge in cluster.edges
        }

    def geo(self, *arguments, code=0):
        command = [BUILD / "bin" / "meridian-geo", "--catalogue", self.cluster.catalogue]
        done = subprocess.run(
            [*command, "--database", CITY, *map(str, arguments)], capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def control(self, *arguments):
        command = [shutil.which("gdnsdctl") or "/usr/bin/gdnsdctl", "-c", self.folder, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    def states(self):
        """What it takes the edges for."""
        told = json.loads(self.control("states").stdout)
        return {told[f"{host}/edge"]["state"].split("/")[0] for host in self.region_of}

    def follow(self):
        """meridian-geo follow, which keeps this server's admin_state."""
        return Process(
            "follow",
            [BUILD / "bin" / "meridian-geo", "--catalogue", self.cluster.catalogue]
            + ["follow", "--state-dir", self.folder / "state"],
            self.cluster.folder / "follow.log",
        )

    def render(self):
        self.geo(
            *("render", "gdnsd", "--zone", ZONE, "--out", self.folder),
            *("--listen", f"{self.host}:{self.port}"),
            *("--run-dir", self.folder / "run", "--state-dir", self.folder / "state"),
        )

    def ask(self, client=None, name=ZONE):
        """The regions of the addresses that a client of that address is given."""
        subnet = [f"+subnet={client}"] if client else []
        done = subprocess.run(
            ["dig", "+short", "+tries=1", "+time=2", *subnet, f"@{self.host}", "-p"]
            + [str(self.port), name, "A"],
            capture_output=True,
            text=True,
        )
        return {self.region_of.get(line, line) for line in done.stdout.split()}

    def told(self, client):
        """The regions of the edges that an edge tells a client there, the best one first."""
        request = urllib.request.Request(
            self.cluster.url["iad-1"] + "/v1/edges", headers={"X-Forwarded-For": client}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return [edge["region"] for edge in json.loads(answer.read())["edges"]]

    def ranked(self, client):
        return [c["region"] for c in json.loads(self.geo("rank", client))["candidates"]]


@pytest.fixture(scope="module")
def world():
    pins = "[{network: 198.51.100.0/24, regions: 'iad, sin'}, {country: JP, regions: dub}]"
    settings = {"geo.database": CITY, "proxy.forwarded_networks": "127.0.0.0/8"}
    catalogue = {"pins": pins}
    with Cluster(
        regions=3,
        shards=1,
        catalogue=catalogue,
        edge_settings=settings,
        region_settings={"capacity": CAPACITY},
    ) as cluster:
        cluster.start()
        server = Gdnsd(cluster)
        server.render()
        server.process.start()
        try:
            wait_for(lambda: server.ask() == {"sin"}, 30, "gdnsd answers")
            wait_for(lambda: server.ask(PLACES[0]) == {"dub"}, 30, "the edges are found well")
            yield server
        finally:
            server.control("stop")  # also one that has taken another's place
            server.process.terminate()


def moved(server, client, regions, promise, what):
    begun = time.monotonic()
    wait_for(lambda: server.ask(client) == regions, 60, what, 0.1)
    hold(what, time.monotonic() - begun, promise)


def test_asia_america_and_europe_get_what_is_near(world):
    assert world.ask("175.16.199.1") == {"sin"}
    assert world.ask("216.160.83.57") == {"iad"}
    assert world.ask("2.2.3.1") == {"dub"}
    assert world.ask("2001:218::1") == {"dub"}  # pinned, though sin is near
    assert world.ask("198.51.100.7") == {"iad"}  # pinned, though nothing is known of the place
    assert world.ask("203.0.113.9") == {"sin"}  # nothing is known: the catalogue's order
    for region in ("sin", "iad", "dub"):
        assert world.ask(name=f"{region}.{ZONE}") == {region}


def test_names_edges_and_ranking_never_disagree(world):
    chance = random.Random(8)
    lines = (world.folder / "geoip" / "meridian.nets").read_text().splitlines()
    networks = [ipaddress.ip_network(line.split()[0]) for line in lines]
    clients = []
    for network in chance.sample(networks, 150):
        first = int(network.network_address)
        clients.append(first + chance.randrange(network.num_addresses))
        clients[-1] = str(type(network.network_address)(clients[-1]))
    for client in [*PLACES, *clients]:
        ranked = world.ranked(client)
        assert world.ask(client) == {ranked[0]}, client
        assert world.told(client) == ranked, client
    # Together they are all of IPv4, each address once.
    fours = sorted(network for network in networks if network.version == 4)
    assert sum(network.num_addresses for network in fours) == 1 << 32
    assert all(a.broadcast_address < b.network_address for a, b in zip(fours, fours[1:]))


def test_an_edge_that_dies_and_a_region_that_drains_lose_their_answers(world):
    edge = world.cluster.edges["dub-1"]
    edge.kill()
    second = world.ranked("2.2.3.1")[1]
    moved(world, "2.2.3.1", {second}, 6, "kill -9 of an edge moves the answer after")
    wait_for(lambda: world.told("2.2.3.1")[0] == second, 10, "edges tell the same")
    for client in (*PLACES[1:3], "198.51.100.7", "203.0.113.9"):
        assert world.ask(client) == {world.told(client)[0]}, client
    edge.start()
    wait_for(lambda: world.ask("2.2.3.1") == {"dub"}, 60, "the edge is found well again", 0.1)
    state = world.folder / "state" / "admin_state"
    state.write_text("geoip/edge/dub => DOWN\n")
    moved(world, "2.2.3.1", {second}, 3, "a drain by admin_state moves the answer after")
    state.write_text("")
    wait_for(lambda: world.ask("2.2.3.1") == {"dub"}, 60, "undrained", 0.1)
    # A pin fails closed: there is no third region.
    assert world.ranked("198.51.100.7") == ["iad", "sin"]


def test_a_changed_catalogue_is_taken_up_without_a_restart(world):
    catalogue = world.cluster.catalogue
    text = catalogue.read_text()
    lines = text.splitlines()
    at = lines.index("  - name: dub")
    try:
        catalogue.write_text("\n".join([*lines[: at + 1], "    drain: true", *lines[at + 1 :]]))
        second = world.ranked("2.2.3.1")[0]
        assert second != "dub"
        world.render()
        wait_for(lambda: world.ask("2.2.3.1") == {second}, 90, "the networks are read again", 0.2)
    finally:
        catalogue.write_text(text)
        world.render()
    wait_for(lambda: world.ask("2.2.3.1") == {"dub"}, 90, "and once more", 0.2)


def test_what_cannot_be_rendered_is_said(world, tmp_path):
    render = ("render", "gdnsd", "--zone", ZONE, "--out", tmp_path / "out")
    listen = ("--listen", "127.0.0.1:5353")
    world.geo(*render, code=2)
    world.geo("render", "bind", *render[2:], *listen, code=2)
    catalogue = world.cluster.catalogue
    text = catalogue.read_text()
    edge = world.cluster.url["dub-1"].removeprefix("http://")
    try:
        catalogue.write_text(text.replace(edge, edge.rsplit(":", 1)[0] + ":9999"))
        world.geo(*render, *listen, code=1)
        assert not (tmp_path / "out").exists()
    finally:
        catalogue.write_text(text)


def test_names_follow_drains_and_what_is_full(world):
    cluster, state = world.cluster, world.folder / "state" / "admin_state"
    state.write_text("# by hand\ngeoip/edge/iad => UP\n")
    second = world.ranked("2.2.3.1")[1]
    follow = world.follow()
    follow.start()

    def command(*arguments):
        done = cluster.meridian(*arguments, "--catalogue", cluster.catalogue)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        wait_for(lambda: "geoip/meridian/" in state.read_text(), 20, "it is followed")
        command("drain", "region", "dub")
        moved(world, "2.2.3.1", {second}, 3, "meridian drain region moves the answer after")
        assert "geoip/meridian/dub => DOWN\n# by hand\ngeoip/edge/iad => UP\n" in state.read_text()
        assert "draining" in world.geo("status")
        for client in PLACES[:3]:
            assert world.ask(client) == {world.told(client)[0]}, client
        command("undrain", "region", "dub", "--over", "0")
        moved(world, "2.2.3.1", {"dub"}, 3, "undrain moves it back after")

        async def fill():
            clients = []
            for i in range(CAPACITY * 9 // 10):
                client = Client(cluster, f"crowd-{i}", "dub-1", address="2.2.3.1")
                clients.append(await client.open())
            await asyncio.to_thread(
                moved, world, "2.2.3.1", {second}, 10, "a full region moves the answer after"
            )
            assert world.told("2.2.3.1")[0] == second
            assert "full" in world.geo("status")
            for client in clients:
                await client.close()

        asyncio.run(fill())
        wait_for(lambda: world.ask("2.2.3.1") == {"dub"}, 30, "there is room again", 0.1)
        follow.terminate()
        text = (cluster.folder / "follow.log").read_text()
        assert text.count("answer without a region region=dub") == 2, text
    finally:
        if follow.alive():
            follow.kill()
        state.write_text("")
    world.geo("follow", "--state-dir", "/nowhere", code=1)


class Asker(threading.Thread):
    """Asks by UDP, so many questions a second, until it is told to stop."""

    def __init__(self, world, rate):
        super().__init__()
        self.world, self.rate, self.over = world, rate, threading.Event()
        self.asked, self.answered = 0, set()

    def question(self):
        name = b"".join(bytes([len(part)]) + part.encode() for part in ZONE.split("."))
        return struct.pack(">6H", self.asked, 0, 1, 0, 0, 0) + name + b"\0" + b"\0\1\0\1"

    def hear(self, wire):
        while True:
            try:
                answer = wire.recv(512)
            except BlockingIOError:
                return
            number, flags, _, answers = struct.unpack(">4H", answer[:8])
            if flags & 0xF == 0 and answers > 0:
                self.answered.add(number)

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            wire.connect((self.world.host, self.world.port))
            wire.setblocking(False)
            begun = time.monotonic()
            while not self.over.is_set():
                due = int((time.monotonic() - begun) * self.rate)
                while self.asked < due:
                    wire.send(self.question())
                    self.asked += 1
                self.hear(wire)
                time.sleep(0.005)
            end = time.monotonic() + 3
            while len(self.answered) < self.asked and time.monotonic() < end:
                time.sleep(0.05)
                self.hear(wire)


def test_a_name_server_is_replaced_and_loses_no_question(world):
    asker = Asker(world, 500)
    asker.start()
    try:
        for change in ("replace", "reload-zones", "replace", "replace"):
            seen = asker.asked
            wait_for(lambda: asker.asked > seen + 500, 30, "it is asked for a while")
            world.render()
            world.control(change)
    finally:
        asker.over.set()
        asker.join()
    lost = asker.asked - len(asker.answered)
    print(f"{asker.asked} questions, {lost} not answered, over three replacements")
    assert asker.asked > 2000 and lost == 0


def test_with_every_edge_down_names_are_answered_and_the_status_says_blind(world):
    wait_for(lambda: world.ask("2.2.3.1") == {"dub"}, 60, "all is well before", 0.2)
    for edge in world.cluster.edges.values():
        edge.kill()
    try:
        wait_for(lambda: world.states() == {"DOWN"}, 30, "gdnsd has noticed")
        for client in PLACES:  # what it knows comes to its threads a moment later
            first = {world.ranked(client)[0]}
            wait_for(lambda: world.ask(client) == first, 10, "the first choice is answered", 0.2)
        said = subprocess.run(
            [BUILD / "bin" / "meridian-geo", "--catalogue", world.cluster.catalogue, "status"],
            capture_output=True,
            text=True,
        )
        assert said.returncode == 1 and "blind: no edge is heard" in said.stdout, said
    finally:
        for edge in world.cluster.edges.values():
            edge.start()
    wait_for(lambda: world.ask("2.2.3.1") == {"dub"}, 60, "the edges are found well again", 0.2)
    assert "up, " in world.geo("status")
