"""meridian.v1 by server-sent events, lines, polls and POST: one session model on every transport,
and any edge for any of them."""

import asyncio
import json

import pytest

from lab import Client, Cluster
from lab.transports import Http, Refused, Stream, call, poll, post, request

STREAMS = ["sse", "stream"]


@pytest.fixture(scope="module")
def cluster():
    settings = {"times.heartbeat": "1s", "limits.pending_max": "64KiB", "times.progress": "1s"}
    with Cluster(regions=2, shards=2, edges=2, edge_settings=settings) as cluster:
        cluster.start()
        yield cluster


def run(scenario, timeout_s=60):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


def who(user, **more):
    return {"user": user, "device": "d1", **more}


async def talk(cluster, sender, to, count, start=0):
    """Sends `count` messages, one after the other."""
    client = await Client(cluster, sender, "sin-1").open()
    for i in range(start, start + count):
        await client.send(to, {"n": i}, f"m{i}")
    await client.close()


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_receives_and_goes_on_at_another_edge(cluster, kind):
    async def scenario():
        user = f"goes-on-{kind}"
        stream = await Stream.open(cluster, "sin-1", kind, who(user))
        welcome = await stream.frame()
        assert welcome["t"] == "welcome" and welcome["user"] == user
        assert welcome["cursor"] == "1:0" and welcome["edge"] == "sin-1"
        await talk(cluster, f"a-{user}", user, 3)
        got = [await stream.until("msg") for _ in range(3)]
        assert [message["body"]["n"] for message in got] == [0, 1, 2]
        assert kind == "stream" or stream.last_id == got[-1]["cursor"] == "1:3"
        await stream.close()

        await talk(cluster, f"a-{user}", user, 2, start=3)
        headers = {"Last_Event_ID": "1:3"} if kind == "sse" else {}
        cursor = "1:1" if kind == "sse" else "1:3"  # the header counts
        other = await Stream.open(
            cluster,
            cluster.edge_names(cluster.names[1])[1],
            kind,
            who(user, cursor=cursor),
            **headers,
        )
        welcome = await other.frame()
        assert welcome["cursor"] == "1:3" and welcome["resumed"] is True
        assert [(await other.until("msg"))["body"]["n"] for _ in range(2)] == [3, 4]
        await other.close()

    run(scenario())


def test_frames_are_answered_in_their_order(cluster):
    async def scenario():
        away = cluster.edge_names(cluster.names[1])[0]
        bob = await Stream.open(cluster, "sin-1", "sse", who("fr-bob"))
        await bob.until("welcome")
        frames = [{"t": "send", "id": f"m{i}", "to": "fr-bob", "body": i} for i in range(20)]
        frames[7]["to"] = ["fr-bob", "fr-carol"]
        answers = await post(cluster, away, who("fr-alice"), frames)
        ids = [answer["id"] for answer in answers]
        assert ids == [f"m{i}" for i in (*range(8), *range(7, 20))], ids
        assert {answer["t"] for answer in answers} == {"accepted"}
        got = [await bob.until("msg") for _ in range(20)]
        assert [message["id"] for message in got] == [f"m{i}" for i in range(20)]
        assert {message["from"] for message in got} == {"fr-alice"}
        acked = await post(cluster, away, who("fr-bob"), {"t": "ack", "cursor": "1:20"})
        assert acked == [{"t": "acked", "cursor": "1:20"}]
        assert await bob.until("acked") == {"t": "acked", "cursor": "1:20"}
        await bob.close()

    run(scenario())


def test_a_poll_receives_confirms_and_loses_nothing(cluster):
    async def scenario():
        away = cluster.edge_names(cluster.names[1])[0]
        await talk(cluster, "po-alice", "po-bob", 3)
        first = await poll(cluster, "sin-1", who("po-bob"))
        assert [frame["t"] for frame in first] == ["welcome", "msg", "msg", "msg"]
        again = await poll(cluster, away, who("po-bob", cursor="1:1"))  # the answer was lost
        assert again[0]["cursor"] == "1:1" and again[0]["resumed"] is True
        assert [frame["body"]["n"] for frame in again if frame["t"] == "msg"] == [1, 2]
        waiting = asyncio.create_task(poll(cluster, away, who("po-bob", cursor="1:3", wait=20)))
        await asyncio.sleep(0)
        await talk(cluster, "po-alice", "po-bob", 1, start=3)
        got = await waiting
        assert [frame["body"]["n"] for frame in got if frame["t"] == "msg"] == [3]
        bare = await poll(cluster, "sin-2", who("po-bob"))  # what was shown is confirmed
        assert bare[0]["cursor"] == "1:3"

    run(scenario())
