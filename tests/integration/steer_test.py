"""Clients in the network of each region, an ocean apart: a name leads them to the edge that is near,
they are at home there, go elsewhere when the region drains, and come back. Nothing is lost."""

import asyncio
import itertools
import pathlib
import shutil
import subprocess
import time

import pytest

from lab import Client, Cluster, Wan, mmdb
from lab.cluster import BUILD
from lab.namespaces import inside
from lab.process import Process, wait_for

REGIONS = ["sin", "iad", "dub"]
ZONE, PORT, SERVER = "edge.example.test", 15353, "iad"
PLACES = {
    "sin": mmdb.place("SG", "AS", 1.3, 103.8),
    "iad": mmdb.place("US", "NA", 38.9, -77.0),
    "dub": mmdb.place("IE", "EU", 53.3, -6.2),
}


class Names:
    """gdnsd among the clients of one region, and meridian-geo follow beside it."""

    def __init__(self, cluster, wan, database):
        self.cluster, self.wan = cluster, wan
        self.namespace = wan.namespace(wan.clients(SERVER))
        self.host = wan.address(wan.clients(SERVER))
        self.folder = cluster.folder / "gdnsd"
        for name in ("", "run", "state"):
            (self.folder / name).mkdir()
        # Edges are reached by their region's address, behind which they listen on loopback.
        catalogue = cluster.folder / "outside.yaml"
        text = cluster.catalogue.read_text()
        for region in REGIONS:
            text = text.replace(
                f"listen: {wan.loopback(region)}:", f"listen: {wan.address(region)}:"
            )
        catalogue.write_text(text)
        geo = [BUILD / "bin" / "meridian-geo", "--catalogue", catalogue, "--database", database]
        render = ["render", "gdnsd", "--zone", ZONE, "--out", self.folder]
        render += ["--listen", f"{self.host}:{PORT}", "--run-dir", self.folder / "run"]
        subprocess.run([*geo, *render, "--state-dir", self.folder / "state"], check=True)
        gdnsd = [shutil.which("gdnsd") or "/usr/sbin/gdnsd", "-c", self.folder, "start"]
        follow = [*geo, "follow", "--state-dir", self.folder / "state"]
        self.processes = [
            Process("gdnsd", gdnsd, cluster.folder / "gdnsd.log", namespace=self.namespace),
            Process("follow", follow, cluster.folder / "follow.log", namespace=self.namespace),
        ]

    def __enter__(self):
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()

    def ask(self, site):
        """The region that a client at this site is led to; None: no answer."""
        dig = ["dig", "+short", "+tries=1", "+time=2", f"@{self.host}", "-p", str(PORT), ZONE, "A"]
        done = subprocess.run(
            [*inside(self.wan.namespace(site)), *dig], capture_output=True, text=True
        )
        found = {self.wan.address(region): region for region in REGIONS}
        return found.get(done.stdout.strip())


class Steered(Client):
    """Asks for the name each time it connects, and obeys no hint."""

    async def _connect(self, edge):
        region = await asyncio.to_thread(self.names.ask, self.site)
        if region is None:
            raise OSError("the name is not answered")
        await super()._connect(f"{region}-1")

    def path(self):
        """The regions it was in. That an attempt failed, or led to the same region, is no move."""
        regions = [frame["region"] for frame in self.frames if frame["t"] == "welcome"]
        return [region for region, _ in itertools.groupby(regions)]


async def until(condition, timeout_s, what):
    end = time.monotonic() + timeout_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.2)


@pytest.mark.namespaces
@pytest.mark.timeout(300)
def test_clients_are_led_to_what_is_near_moved_by_a_drain_and_brought_back(tmp_path):
    database = pathlib.Path(tmp_path) / "places.mmdb"
    with Wan(REGIONS) as wan:
        networks = {}
        for region in REGIONS:
            address = wan.address(wan.clients(region))
            networks[address.rsplit(".", 1)[0] + ".0/24"] = PLACES[region]
        mmdb.write(database, networks, int(time.time()))
        settings = {
            "geo.database": database,
            "geo.drain_after": "8s",
            "geo.apart": "5s",
            "geo.grace": "500ms",
            "times.heartbeat": "1s",
        }
        with Cluster(regions=3, shards=1, network=wan, edge_settings=settings) as cluster:
            cluster.start()
            with Names(cluster, wan, database) as names:
                Steered.names = names
                asyncio.run(asyncio.wait_for(steer(cluster, wan, names), 240))


async def steer(cluster, wan, names):
    def led():
        return {region: names.ask(wan.clients(region)) for region in REGIONS}

    def command(*arguments):
        done = cluster.meridian(*arguments, "--catalogue", cluster.catalogue)
        assert done.returncode == 0, done.stdout + done.stderr

    own = {region: region for region in REGIONS}
    await until(lambda: led() == own, 60, f"each is led to its own: {led()}")
    clients = {}
    for region in REGIONS:
        client = Steered(cluster, f"user-{region}", "unused", site=wan.clients(region))
        clients[region] = await client.open_forever()
        assert client.welcome["region"] == client.welcome["home"] == region
    sent, over = {region: [] for region in REGIONS}, asyncio.Event()

    async def talk(source, destination):
        while not over.is_set():
            n = len(sent[destination])
            body = {"n": n}
            await clients[source].send_surely(f"user-{destination}", body, f"{source}-{n}")
            sent[destination].append(n)
            await asyncio.sleep(0.05)

    ring = list(zip(REGIONS, REGIONS[1:] + REGIONS[:1]))
    talking = [asyncio.create_task(talk(*pair)) for pair in ring]
    begun = time.monotonic()
    await asyncio.to_thread(command, "drain", "region", "sin")
    await until(lambda: names.ask(wan.clients("sin")) == "dub", 30, "the name leads to Dublin")
    name_s = time.monotonic() - begun
    await until(lambda: clients["sin"].welcome["region"] == "dub", 60, "the client has moved")
    moved_s = time.monotonic() - begun
    assert moved_s >= 8  # geo.drain_after: names come first
    assert [clients[region].welcome["region"] for region in REGIONS] == ["dub", "iad", "dub"]
    assert clients["sin"].welcome["home"] == "sin"  # nobody's home moves
    await asyncio.sleep(1)
    begun = time.monotonic()
    await asyncio.to_thread(command, "undrain", "region", "sin", "--over", "5s")
    await until(lambda: clients["sin"].welcome["region"] == "sin", 90, "it has come back")
    back_s = time.monotonic() - begun
    over.set()
    await asyncio.gather(*talking)
    for region, client in clients.items():
        numbers = sent[region]
        await client.until(lambda c: len(c.messages) >= len(numbers), 60, f"all of {region}")
        assert [message["body"]["n"] for message in client.messages] == numbers
        assert client.path() == (["sin", "dub", "sin"] if region == "sin" else [region])
    total = sum(map(len, sent.values()))
    print(f"{total} messages, none lost, none twice; the name moved after {name_s:.1f} s, the")
    print(f"client after {moved_s:.1f} s, and was back {back_s:.1f} s after undrain")
    for client in clients.values():
        await client.close()
