"""Edges for services alone and for clients alone, behind which both scale apart."""

import asyncio
import json

import pytest
import websockets

from lab.client import Client
from lab.cluster import Cluster


@pytest.fixture(scope="module")
def cluster():
    with Cluster(edges=2) as cluster:
        cluster.edges["sin-1"].command += ["--set", "roles=api"]
        cluster.edges["sin-2"].command += ["--set", "roles=socket"]
        cluster.start()
        cluster.wait_ready("sin-1", "sin-2")
        yield cluster


def ask(cluster, edge, path, body=None):
    status, _, answer = cluster.http(edge, path, body)
    return status, json.loads(answer)


def test_each_serves_its_own_and_says_so_of_the_rest(cluster):
    message = {"recipient_id": "roles-bob", "message": 1}
    calls = [
        ("/api/messages", message),
        ("/api/messages/roles-bob", None),
        ("/api/users/roles-bob/location", None),
        ("/api/users/roles-bob/connections", None),
        ("/api/users/roles-bob/disconnect", b""),
    ]
    for path, body in calls:
        assert ask(cluster, "sin-1", path, body)[0] in (200, 202), path
        status, said = ask(cluster, "sin-2", path, body)
        assert (status, said["code"], said["retryable"]) == (404, "not_here", False), path
    for path in ("/ws", "/ws/roles-bob"):
        status, said = ask(cluster, "sin-1", path)
        assert (status, said["code"]) == (404, "not_here")
    for edge in ("sin-1", "sin-2"):
        assert ask(cluster, edge, "/healthz")[0] == 200
        assert ask(cluster, edge, "/readyz")[0] == 200
        assert ask(cluster, edge, "/nowhere")[1]["code"] == "not_found"


def test_what_one_takes_the_other_delivers(cluster):
    async def scenario():
        bob = await Client(cluster, "roles-eve", "sin-2").open()
        message = {"recipient_id": "roles-eve", "message": "hi", "id": "m1"}
        assert (await asyncio.to_thread(ask, cluster, "sin-1", "/api/messages", message))[0] == 202
        await bob.until_messages(1)
        assert bob.messages[0]["id"] == "m1"
        await bob.close()
        with pytest.raises(websockets.exceptions.InvalidStatusCode) as refused:
            await Client(cluster, "roles-eve", "sin-1").open()
        assert refused.value.status_code == 404

    asyncio.run(asyncio.wait_for(scenario(), 60))
