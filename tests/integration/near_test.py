"""Edges that know where their clients are: near homes, near edges, probes, and their database."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest

from lab import Client, Cluster
from lab.cluster import BUILD
from lab.process import wait_for
from lab.tokens import auth_file, token

MMDB = pathlib.Path(__file__).resolve().parents[1] / "support/mmdb"
LONDON, CHINA, JAPAN, NOWHERE = "2.2.3.1", "175.16.199.1", "2001:218::1", "203.0.113.9"
BELIEVED = {"proxy.forwarded_networks": "127.0.0.0/8"}


class World:
    def __init__(self, folder):
        self.database = folder / "places.mmdb"
        self.key = folder / "key"
        self.key.touch(0o600)
        self.key.write_text("a secret of more than thirty-two bytes")
        self.put("GeoIP2-City-Test")
        settings = {"geo.database": self.database, "geo.sign_key": self.key, **BELIEVED}
        self.cluster = Cluster(
            regions=3,
            shards=1,
            catalogue={
                "pins": "[{country: JP, regions: dub}, {tenant: acme, regions: 'iad, sin'}]"
            },
            edge_settings=settings,
        )
        for edge in self.cluster.edges.values():
            edge.command += ["--config", str(auth_file(folder, required="false"))]

    def put(self, name):
        shutil.copy(MMDB / f"{name}.mmdb", f"{self.database}.new")
        os.rename(f"{self.database}.new", self.database)

    def get(self, edge, path, client, shown=None):
        headers = {"X-Forwarded-For": client}
        if shown:
            headers["Authorization"] = f"Bearer {shown}"
        request = urllib.request.Request(self.cluster.url[edge] + path, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()

    def edges(self, edge, client):
        return json.loads(self.get(edge, "/v1/edges", client)[1])

    def urls(self, client):
        return [edge["url"] for edge in self.edges("iad-1", client)["edges"]]

    def log(self, edge):
        return (self.cluster.folder / f"{edge}.log").read_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    it = World(tmp_path_factory.mktemp("near"))
    with it.cluster as cluster:
        cluster.start()
        wait_for(
            lambda: all(e["state"] == "up" for e in it.edges("iad-1", LONDON)["edges"]),
            30,
            "every edge is heard",
        )
        yield it


def test_a_new_user_is_at_home_near_by_wherever_it_connects(world):
    async def run():
        homes = {"ann": (LONDON, "dub"), "chen": (CHINA, "sin"), "jun": (JAPAN, "dub")}
        homes["nobody"] = (NOWHERE, "iad")
        clients = {}
        for user, (address, home) in homes.items():
            client = Client(world.cluster, user, "iad-1", address=address)
            clients[user] = await client.open()
            assert client.welcome["home"] == home, (user, client.welcome)
            hint = client.welcome["endpoints"]
            assert [e["url"] for e in hint] == world.urls(address), hint
            assert client.welcome["endpoints_ttl_s"] == 60
        await clients["ann"].send("chen", {"n": 1}, "m1")
        await clients["chen"].until_messages(1)
        # It stays there, whatever the place says the next time.
        await clients["ann"].close()
        again = await Client(world.cluster, "ann", "sin-1", address=CHINA).open()
        assert again.welcome["home"] == "dub"
        for client in [*clients.values(), again]:
            await client.close()

    asyncio.run(run())
    world.get("iad-1", "/api/messages/polling", CHINA)
    where = world.cluster.meridian("where", "polling", "--catalogue", world.cluster.catalogue)
    assert "sin" in where.stdout, where.stdout + where.stderr


def test_edges_are_told_in_the_order_of_the_ranking(world):
    assert world.get("sin-1", "/v1/ping", LONDON) == (204, b"")
    for client in (LONDON, CHINA, JAPAN, NOWHERE, "216.160.83.57", "10.0.0.1"):
        geo = [BUILD / "bin/meridian-geo", "--catalogue", world.cluster.catalogue]
        geo += ["--database", world.database, "rank", client]
        ranked = json.loads(subprocess.run(geo, capture_output=True, check=True).stdout)
        told = world.edges("sin-1", client)
        assert [e["region"] for e in told["edges"]] == [c["region"] for c in ranked["candidates"]]
        assert told["rule"] == ranked["rule"]
        assert told["blind"] is False and told["ttl_s"] == 60
        assert told["edges"][0]["url"] == world.cluster.url[told["edges"][0]["region"] + "-1"]


def test_a_tenant_is_kept_to_its_regions(world):
    shown = token("tess", tenant="acme")
    told = json.loads(world.get("dub-1", "/v1/edges", LONDON, shown)[1])
    assert told["rule"] == "pin of the tenant"
    assert [edge["region"] for edge in told["edges"]] == ["iad", "sin"]
    other = json.loads(world.get("dub-1", "/v1/edges", LONDON, token("tess", tenant="acm"))[1])
    assert other["rule"] == "distance"
    with pytest.raises(urllib.error.HTTPError) as refused:
        world.get("dub-1", "/v1/edges", LONDON, shown + "x")
    assert refused.value.code == 401

    async def run():
        client = Client(world.cluster, "tess", "dub-1", address=LONDON)
        client.headers["Authorization"] = f"Bearer {shown}"
        await client.open()
        assert client.welcome["home"] == "iad"
        assert [e["region"] for e in client.welcome["endpoints"]] == ["iad", "sin"]
        await client.close()

    asyncio.run(run())


def test_what_is_told_is_signed(world):
    told = world.edges("dub-1", LONDON)
    head, claims, signature = told["signed"].split(".")
    good = hmac.digest(world.key.read_bytes(), f"{head}.{claims}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == good
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert said["edges"] == told["edges"] and said["address"] == LONDON
    assert said["exp"] - said["iat"] == told["ttl_s"] and said["iss"] == "dub-1"


def test_another_database_is_taken_up_and_a_bad_one_is_not(world):
    def rule():
        return world.edges("dub-1", LONDON)["rule"]

    assert rule() == "distance"
    os.truncate(world.database, 1000)  # as somebody does who writes it over
    wait_for(lambda: "is no good" in world.log("dub-1"), 20, "the edge refuses it")
    assert rule() == "distance"
    world.put("GeoIP2-Country-Test")
    wait_for(lambda: rule() == "order of the catalogue", 20, "one without coordinates")
    world.put("GeoIP2-City-Test-Invalid-Node-Count")
    wait_for(lambda: world.log("dub-1").count("is no good") > 1, 20, "the edge refuses that")
    world.put("GeoIP2-City-Test")
    wait_for(lambda: rule() == "distance", 20, "the good one again")
    assert world.cluster.edges["dub-1"].alive()


def test_without_a_database_all_is_as_it_was(world):
    with Cluster(regions=1, shards=1, edge_settings=BELIEVED) as cluster:
        cluster.start()
        edge = cluster.url["sin-1"]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(edge + "/v1/edges")
        assert refused.value.code == 404
        assert urllib.request.urlopen(edge + "/v1/ping").status == 204
