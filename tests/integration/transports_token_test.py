"""meridian.v1 by HTTP where tokens are required: shown in the header or in the query, and said
nowhere."""

import asyncio
import contextlib
import time

import pytest

from lab import Cluster
from lab.tokens import AUDIENCE, ISSUER, SECRET, token
from lab.transports import Refused, Stream, poll, post

STREAMS = ["sse", "stream"]
SETTINGS = {"log.level": "debug", "limits.polls_max": "2", "outbound.answer": "2s"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    secret, config = folder / "secret", folder / "edge.yaml"
    secret.touch(0o600)
    secret.write_text(SECRET)
    config.write_text(
        f"""
origins: https://app.example
tokens_in_query: true
auth:
  required: true
  issuer: {ISSUER}
  audience: {AUDIENCE}
  leeway: 0s
  expiring: 3s
  keys:
    - file: {secret}
      format: secret
      kid: shared
"""
    )
    with Cluster(regions=1, edges=1, edge_settings=SETTINGS) as running:
        running.edges["sin-1"].command += ["--config", str(config)]
        running.start()
        yield running


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 60))


def bearer(shown):
    return {"Authorization": f"Bearer {shown}"}


def test_a_token_says_who_it_is_and_no_log_has_it(cluster):
    async def scenario():
        alice, phone = token("alice"), token("alice", device="phone")
        for kind in STREAMS:
            for query, headers, device in [
                ({"device": "d1", "token": alice}, {}, "d1"),
                ({"device": "d1"}, bearer(alice), "d1"),
                ({"token": phone}, {}, "phone"),
                ({"user": "alice", "device": "phone"}, bearer(phone), "phone"),
            ]:
                stream = await Stream.open(cluster, "sin-1", kind, query, **headers)
                welcome = await stream.until("welcome")
                assert (welcome["user"], welcome["device"]) == ("alice", device)
                assert welcome["expires_at"] > time.time() * 1000
                await stream.close()
        assert (await poll(cluster, "sin-1", {"token": phone}))[0]["device"] == "phone"
        frame = {"t": "send", "id": "m1", "to": "alice", "body": 1}
        assert (await post(cluster, "sin-1", {}, frame, **bearer(phone)))[0]["t"] == "accepted"
        for process in (*cluster.edges.values(), *cluster.hubs.values()):
            for shown in (alice, phone):
                assert shown not in process.log() and shown.rsplit(".", 1)[1] not in process.log()

    run(scenario())


def test_who_shows_no_good_token_is_told_by_http(cluster):
    async def scenario():
        alice, phone = token("alice"), token("alice", device="phone")
        rows = [
            ({"device": "d1", "user": "alice"}, {}),
            ({"device": "d1", "token": "x"}, {}),
            ({"device": "d1", "token": token("alice", left_s=-60)}, {}),
            ({"device": "d1", "token": alice}, bearer("x")),  # the header counts
            ({"device": "d1", "user": "bob", "token": alice}, {}),
            ({"device": "d1", "token": phone}, {}),
        ]
        for query, headers in rows:
            asks = [Stream.open(cluster, "sin-1", kind, query, **headers) for kind in STREAMS]
            asks.append(poll(cluster, "sin-1", query, **headers))
            asks.append(post(cluster, "sin-1", query, {"t": "bye"}, **headers))
            for ask in asks:
                with pytest.raises(Refused) as refused:
                    await ask
                assert refused.value.status == 401, query
                assert refused.value.answer["code"] == "unauthorized"
        with pytest.raises(Refused) as refused:
            await poll(cluster, "sin-1", {"token": alice})
        assert refused.value.status == 400  # it is of any device, and none is named

    run(scenario())


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_ends_with_its_token(cluster, kind):
    async def scenario():
        query = {"device": kind, "token": token("alice", left_s=4)}
        stream = await Stream.open(cluster, "sin-1", kind, query)
        await stream.until("welcome")
        assert (await stream.until("expiring"))["left_ms"] <= 3000
        assert (await stream.until("close"))["code"] == 4401
        assert await stream.frame() is None
        await stream.close()

    run(scenario())


def test_a_poll_that_waits_ends_with_its_token(cluster):
    async def scenario():
        query = {"device": "poll", "token": token("alice", left_s=3)}
        frames = await poll(cluster, "sin-1", {**query, "wait": 50})
        while frames[-1]["t"] == "msg":  # of the tests before
            cursor = frames[-1]["cursor"]
            frames = await poll(cluster, "sin-1", {**query, "wait": 50, "cursor": cursor})
        assert frames[-1]["t"] == "close" and frames[-1]["code"] == 4401

    run(scenario())


def test_a_page_of_a_listed_origin_may_read_a_stream(cluster):
    async def scenario():
        for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
            query = {"device": "page", "token": token("alice")}
            stream = await Stream.open(cluster, "sin-1", "sse", query, Origin=origin)
            told = stream.http.headers.get("access-control-allow-origin")
            assert told == (origin if allowed else None)
            await stream.close()

    run(scenario())


def test_so_many_polls_wait_and_no_more(cluster):
    async def once_there_is_room(query):
        while True:  # the third one may have its place for a moment
            with contextlib.suppress(Refused):
                return await poll(cluster, "sin-1", query)

    async def scenario():
        queries = [{"device": f"p{i}", "token": token(f"poller-{i}"), "wait": 50} for i in range(3)]
        for at in range(2):
            queries[at]["start"] = "head"
        waiting = [asyncio.create_task(once_there_is_room(query)) for query in queries[:2]]
        with pytest.raises(Refused) as refused:
            while True:  # until both are there
                await poll(cluster, "sin-1", {**queries[2], "wait": 0})
        assert refused.value.status == 503 and refused.value.answer["code"] == "busy"
        frames = [{"t": "send", "id": f"m{i}", "to": f"poller-{i}", "body": 1} for i in range(2)]
        await post(cluster, "sin-1", {"device": "d", "token": token("sender")}, frames)
        for task in waiting:
            assert (await task)[-1]["t"] == "msg"
        await poll(cluster, "sin-1", {**queries[2], "wait": 0})

    run(scenario())


def test_what_no_hub_answers_is_told_in_time(cluster):
    async def scenario():
        query = {"device": "d", "token": token("late")}
        await poll(cluster, "sin-1", query)
        for hub in cluster.hubs.values():
            await asyncio.to_thread(hub.kill)
        frames = [
            {"t": "ack", "cursor": "1:0"},
            {"t": "history", "id": "h1"},
            {"t": "send", "id": "m1", "to": "late", "body": 1},
        ]
        answers = await post(cluster, "sin-1", query, frames)
        told = [(answer["t"], answer.get("id")) for answer in answers]
        assert told == [("error", None), ("error", "h1"), ("accepted", "m1")], answers
        assert answers[0]["code"] == "unknown" and answers[0]["retryable"]
        assert answers[1]["code"] == "home_unreachable"
        frames = await poll(cluster, "sin-1", query)
        assert frames[-1]["t"] == "close" and frames[-1]["code"] == 4001, frames

    run(scenario())
