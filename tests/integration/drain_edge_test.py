"""An edge, or one process of it, that is taken out of use by one command, and comes back."""

import asyncio
import json
import time

import pytest

from lab import Client, Cluster, Talk
from lab.process import wait_for
from lab.promise import hold_clean

CLIENTS, RATE = 40, 20


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, edges=2, processes=2, edge_settings={"limits.drain_per_s": RATE}) as it:
        yield it.start()


def command(cluster, *arguments, code=0):
    done = cluster.meridian(*arguments, "--catalogue", cluster.catalogue)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def ask(cluster, name, path):
    status, _, body = cluster.http(name, path)
    return status, json.loads(body)


def edge_of(process):
    return process.rsplit("-p", 1)[0]


async def until(condition, timeout_s, what):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 150))


def test_clients_of_an_edge_leave_at_the_rate_lose_nothing_and_may_come_back(cluster):
    async def scenario():
        clients = [Client(cluster, f"user-{i}", ["sin-1", "sin-2"]) for i in range(CLIENTS)]
        await asyncio.gather(*[client.open_forever() for client in clients])
        assert {client.welcome["edge"] for client in clients} == {"sin-1-p1", "sin-1-p2"}
        talk = Talk(clients)
        pairs = [(a.user, b.user) for a, b in zip(clients, clients[1:] + clients[:1])]
        talking = asyncio.create_task(talk.run(pairs, 100, 0.05, timeout_s=60))
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        assert "sin-1 drains" in await asyncio.to_thread(command, cluster, "drain", "edge", "sin-1")
        await until(
            lambda: all(
                client.connected.is_set() and edge_of(client.welcome["edge"]) == "sin-2"
                for client in clients
            ),
            60,
            "all are at the other edge",
        )
        took = time.monotonic() - begun
        told = [[f for f in c.frames if f["t"] == "goaway"] for c in clients]
        assert all(len(frames) == 1 and frames[0]["reason"] == "drain" for frames in told)
        # Each process keeps to the rate; all but a tick's worth of its clients wait for their turn.
        assert took >= CLIENTS / 2 / RATE - 0.5, took
        await talking
        await talk.until_complete(30)
        print(f"{CLIENTS} clients sent away in {took:.1f} s, at {RATE} a second and process")
        hold_clean(len(talk.accepted), *talk.judge(), rows=[])
        await asyncio.gather(*[client.close() for client in clients])

    run(scenario())
    assert ask(cluster, "sin-1", "/readyz") == (
        503,
        {"ready": False, "reason": "this edge is taken out of use"},
    )
    assert ask(cluster, "sin-1", "/healthz")[0] == 200
    assert cluster.http("sin-1", "/api/messages", {"recipient_id": "a", "message": 1})[0] == 503
    with pytest.raises(Exception, match="503"):
        run(Client(cluster, "late", "sin-1").open())
    assert "sin-1 is in use again" in command(cluster, "undrain", "edge", "sin-1")
    cluster.wait_processes("sin-1")
    run(one_client(cluster, "sin-1"))


async def one_client(cluster, edge):
    client = await Client(cluster, "one", edge).open()
    await client.send("one", {"n": 1}, f"m-{time.monotonic()}")
    await client.close()
    return client.welcome["edge"]


def test_one_process_leaves_the_port_to_the_others_also_when_it_starts_anew(cluster):
    assert "sin-2-p1 drains" in command(cluster, "drain", "edge", "sin-2-p1")
    cluster.edges["sin-2"].wait_log("sin-2-p1: not ready, and another process of this edge is")
    for _ in range(20):
        assert ask(cluster, "sin-2", "/healthz")[1]["edge"] == "sin-2-p2"
        assert ask(cluster, "sin-2", "/readyz")[0] == 200
    cluster.edges["sin-2"].terminate()
    cluster.edges["sin-2"].log_path.unlink()
    cluster.restart(cluster.edges["sin-2"])
    cluster.edges["sin-2"].wait_log("sin-2-p1: not ready, and another process of this edge is")
    assert ask(cluster, "sin-2", "/healthz")[1]["edge"] == "sin-2-p2"
    assert "sin-2-p1 is in use again" in command(cluster, "undrain", "edge", "sin-2-p1")
    wait_for(lambda: ask(cluster, "sin-2", "/healthz")[1]["edge"] == "sin-2-p1", 20, "it is back")


def test_the_command_says_what_it_does_and_what_it_will_not(cluster):
    assert "sin-1 is in use" in command(cluster, "undrain", "edge", "sin-1")
    assert "no edge 'sin-3'" in command(cluster, "drain", "edge", "sin-3", code=2)
    said = command(cluster, "drain", "edge", "sin-1", "--wait", "30s")
    assert "sin-1 drains" in said and said.strip().endswith("0 connections")
    assert "sin-1 is out of use for " in command(cluster, "status")
    assert "sin-1 drains already" in command(cluster, "drain", "edge", "sin-1")
    assert "last edge in use" in command(cluster, "drain", "edge", "sin-2", code=1)
    assert "sin-1 is in use again" in command(cluster, "undrain", "edge", "sin-1")
    assert "out of use" not in command(cluster, "status")
