"""A real gdnsd with what `meridian-geo render gdnsd` writes, asked by dig as resolvers ask."""

import ipaddress
import json
import pathlib
import random
import shutil
import subprocess
import time
import urllib.request

import pytest

from lab import Cluster
from lab.cluster import BUILD
from lab.process import Process, wait_for
from lab.promise import hold

ZONE = "edge.example.test"
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
    with Cluster(regions=3, shards=1, catalogue=catalogue, edge_settings=settings) as cluster:
        cluster.start()
        server = Gdnsd(cluster)
        server.render()
        server.process.start()
        try:
            wait_for(lambda: server.ask() == {"sin"}, 30, "gdnsd answers")
            wait_for(lambda: server.ask(PLACES[0]) == {"dub"}, 30, "the edges are found well")
            yield server
        finally:
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
