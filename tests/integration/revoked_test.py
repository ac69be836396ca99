"""Tokens that are taken back: in every region, at once, and after a restart too."""

import asyncio
import json
import time

import pytest
import websockets

from lab import Cluster
from lab.promise import hold
from lab.tokens import AUDIENCE, ISSUER, SECRET, token

PROMISE_S = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three regions whose edges require tokens."""
    folder = tmp_path_factory.mktemp("keys")
    secret, config = folder / "secret", folder / "edge.yaml"
    secret.touch(0o600)
    secret.write_text(SECRET)
    config.write_text(
        f"auth: {{required: true, issuer: {ISSUER!r}, audience: {AUDIENCE}, "
        f"keys: [{{file: {str(secret)!r}, format: secret, kid: shared}}]}}\n"
    )
    with Cluster(regions=3, shards=1) as running:
        for edge in running.edges.values():
            edge.command += ["--config", str(config)]
        running.start()
        running.config = config
        yield running


async def connect(cluster, edge, shown):
    raw = await asyncio.to_thread(cluster.open_socket, edge)
    raw.setblocking(False)
    return await websockets.connect(
        "ws://meridian/ws",
        sock=raw,
        subprotocols=["meridian.v1"],
        extra_headers={"Authorization": f"Bearer {shown}"},
        ping_interval=None,
        close_timeout=1,
    )


async def log_in(cluster, edge, shown):
    socket = await connect(cluster, edge, shown)
    await socket.send(json.dumps({"t": "hello"}))
    while json.loads(await asyncio.wait_for(socket.recv(), 20))["t"] != "welcome":
        pass
    return socket


async def ended(socket):
    """How it was closed, and when."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 30)
    except websockets.ConnectionClosed as closed:
        return closed.rcvd.code, time.monotonic()


async def is_refused(cluster, edge, shown):
    try:
        await (await log_in(cluster, edge, shown)).close()
        return False
    except websockets.InvalidStatusCode as refused:
        assert refused.status_code == 401
        return True
    except websockets.ConnectionClosed as closed:  # the edge heard of it in between
        assert closed.rcvd.code == 4401
        return True


async def until(cluster, edge, shown, refused):
    end = time.monotonic() + 30
    while await is_refused(cluster, edge, shown) != refused:
        assert time.monotonic() < end, f"{edge}: still not {refused}"


def revoke(cluster, *what):
    done = cluster.meridian(
        "token", "revoke", *what, "--config", cluster.config, "--catalogue", cluster.catalogue
    )
    assert done.returncode == 0, done.stdout + done.stderr


EDGES = ("sin-1", "iad-1", "dub-1")


def test_a_revoked_user_is_out_in_three_regions_and_stays_out(cluster):
    async def run():
        shown = {edge: token("alice", device=f"at-{edge}") for edge in EDGES}
        sockets = [await log_in(cluster, edge, shown[edge]) for edge in EDGES]
        bystander = await log_in(cluster, "iad-1", token("bob", device="phone"))
        ends = [asyncio.create_task(ended(socket)) for socket in sockets]
        await asyncio.to_thread(revoke, cluster, "--user", "alice")
        written = time.monotonic()
        closed = await asyncio.gather(*ends)
        assert {code for code, _ in closed} == {4401}
        last = max(at for _, at in closed) - written
        hold("a revoked user's sockets are closed in three regions after", last, PROMISE_S)
        for edge in EDGES:
            assert await is_refused(cluster, edge, shown[edge])
        assert bystander.open
        # An edge that starts lets nobody in before it has read what was revoked.
        cluster.edges["sin-1"].kill()
        await asyncio.to_thread(cluster.restart, cluster.edges["sin-1"])
        assert await is_refused(cluster, "sin-1", shown["sin-1"])
        await asyncio.to_thread(revoke, cluster, "--user", "alice", "--undo")
        for edge in EDGES:
            await until(cluster, edge, shown[edge], False)
        await bystander.close()

    asyncio.run(asyncio.wait_for(run(), 150))


@pytest.mark.parametrize(
    "what, claims, others",
    [
        (("--user", "carol", "--device", "lost"), {"device": "lost"}, {"device": "kept"}),
        (("--token-id", "t-1"), {"jti": "t-1"}, {"jti": "t-2"}),
        (("--user", "carol", "--issued-before", "now"), {"iat": -5}, {"iat": 5}),
    ],
)
def test_no_more_is_revoked_than_was_said(cluster, what, claims, others):
    def made(more):
        base = {"device": "any", **more}
        if "iat" in base:
            base["iat"] += int(time.time())
        return token("carol", **base)

    async def run():
        bad, good = made(claims), made(others)
        await until(cluster, "iad-1", bad, False)
        await asyncio.to_thread(revoke, cluster, *what)
        await until(cluster, "iad-1", bad, True)
        assert not await is_refused(cluster, "iad-1", good)

    asyncio.run(asyncio.wait_for(run(), 100))
