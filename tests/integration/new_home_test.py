"""Where users that nobody has seen get their home: where the token says, where they may, or here."""

import asyncio
import json
import urllib.error
import urllib.request

import pytest
import websockets

from lab import Cluster
from lab.tokens import auth_file, token


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three regions whose edges require tokens; new users have no home in dub."""
    with Cluster(regions=3, shards=1, secure=True) as running:
        text = running.catalogue.read_text()
        dub = "  - name: dub\n"
        assert dub in text
        running.catalogue.write_text(text.replace(dub, f"{dub}    new_homes: false\n"))
        config = auth_file(tmp_path_factory.mktemp("keys"))
        for edge in running.edges.values():
            edge.command += ["--config", str(config)]
        running.start()
        yield running


async def connect(cluster, edge, shown, path="/ws", protocols=("meridian.v1",)):
    raw = await asyncio.to_thread(cluster.open_socket, edge)
    raw.setblocking(False)
    return await websockets.connect(
        f"ws://meridian{path}",
        sock=raw,
        subprotocols=list(protocols) or None,
        extra_headers={"Authorization": f"Bearer {shown}"},
        ping_interval=None,
        close_timeout=1,
    )


async def arrive(cluster, edge, shown):
    """All frames up to a welcome or the end, and the close code, if any."""
    socket, frames = await connect(cluster, edge, shown), []
    await socket.send(json.dumps({"t": "hello", "device": "d"}))
    try:
        while not frames or frames[-1]["t"] != "welcome":
            frames.append(json.loads(await asyncio.wait_for(socket.recv(), 20)))
    except websockets.ConnectionClosed as closed:
        return frames, closed.rcvd.code
    await socket.close()
    return frames, None


async def home_of(cluster, edge, user, **claims):
    frames, code = await arrive(cluster, edge, token(user, **claims))
    assert code is None, (frames, code)
    told = await asyncio.to_thread(
        cluster.meridian, "directory", "get", user, "--catalogue", cluster.catalogue
    )
    assert told.returncode == 0 and frames[-1]["home"] in told.stdout.split(), told
    return frames[-1]["home"]


def test_the_first_rule_that_says_a_home_counts(cluster):
    async def run():
        rows = [
            ("sin-1", {}, "sin"),  # here
            ("sin-1", {"home": "sin"}, "sin"),
            ("sin-1", {"home": "iad"}, "iad"),  # the token's
            ("iad-1", {"home": "sin"}, "sin"),
            ("dub-1", {"home": "iad"}, "iad"),
            ("sin-1", {"home": "dub"}, "sin"),  # it may not be there
            ("iad-1", {"home": "dub"}, "iad"),
            ("dub-1", {}, "sin"),  # nor here: the first that may
        ]
        for i, (edge, claims, home) in enumerate(rows):
            assert await home_of(cluster, edge, f"new-{i}", **claims) == home, rows[i]

    asyncio.run(run())


def test_who_has_a_home_keeps_it_whatever_the_token_says(cluster):
    async def run():
        assert await home_of(cluster, "sin-1", "alice", home="iad") == "iad"
        for edge in ("sin-1", "dub-1"):
            for claims in ({}, {"home": "sin"}, {"home": "dub"}, {"home": "mars"}):
                assert await home_of(cluster, edge, "alice", **claims) == "iad"

    asyncio.run(run())


def call(cluster, edge, method, path, shown, body=None):
    request = urllib.request.Request(
        cluster.url[edge] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {shown}"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_home_that_is_no_region_is_refused_and_told(cluster):
    async def run():
        shown = token("erin", home="mars")
        frames, code = await arrive(cluster, "sin-1", shown)
        assert [frame.get("code") for frame in frames] == ["unknown_home"] and code == 4401
        socket = await connect(cluster, "sin-1", shown, path="/ws/erin", protocols=())
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 20)
        assert closed.value.rcvd.code == 4401
        assert closed.value.rcvd.reason == "the token names a home that is no region here"
        status, answer = await asyncio.to_thread(
            call, cluster, "sin-1", "GET", "/api/messages/erin", shown
        )
        assert (status, answer["code"]) == (403, "unknown_home")
        assert await home_of(cluster, "iad-1", "erin") == "iad"  # nothing was claimed

    asyncio.run(run())


def test_a_mailbox_that_is_only_read_gets_its_home_by_the_same_rules(cluster):
    shown = token("fred", home="iad")
    assert call(cluster, "sin-1", "GET", "/api/messages/fred", shown) == (200, [])
    told = cluster.meridian("directory", "get", "fred", "--catalogue", cluster.catalogue)
    assert "iad" in told.stdout.split()
    body = {"recipient_id": "fred", "message": "hi"}
    status, _ = call(cluster, "sin-1", "POST", "/api/messages", token("gina"), body)
    assert status == 202
    status, heard = call(cluster, "dub-1", "GET", "/api/messages/fred?wait=20", shown)
    assert (status, [one["message"] for one in heard]) == (200, ["hi"])
