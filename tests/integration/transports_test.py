"""meridian.v1 by server-sent events, lines, polls and POST: one session model on every transport,
and any edge for any of them."""

import asyncio
import random
import time

import pytest

from lab import Client, Cluster, Talk
from lab.record import percentile
from lab.transports import Http, Refused, Stream, Wanderer, poll, post, request

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
        while len(first) < 4:  # accepted is in the log, and in the mailbox a moment later
            first = await poll(cluster, "sin-1", who("po-bob"))  # nothing was confirmed
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


@pytest.mark.parametrize("kind", STREAMS)
def test_a_later_connection_ends_an_earlier_one_with_a_last_frame(cluster, kind):
    async def scenario():
        user = f"later-{kind}"
        first = await Stream.open(cluster, "sin-1", kind, who(user))
        await first.until("welcome")
        second = await Stream.open(cluster, "sin-2", kind, who(user))
        await second.until("welcome")
        last = await first.until("close")
        assert last["code"] == 4403 and "replaced" in last["reason"]
        assert await first.frame() is None, "the answer ends with its last chunk"
        await poll(cluster, "sin-1", who(user))  # and so does a poll
        assert (await second.until("close"))["code"] == 4403
        await first.close()
        await second.close()

    run(scenario())


@pytest.mark.parametrize("kind", STREAMS)
def test_a_silent_stream_has_heartbeats_and_no_body_breaks_a_line(cluster, kind):
    async def scenario():
        user = f"silent-{kind}"
        stream = await Stream.open(cluster, "sin-1", kind, who(user))
        await stream.until("welcome")
        with pytest.raises(asyncio.TimeoutError):
            await stream.frame(2.5)
        assert stream.beats >= 1
        await stream.close()
        stream = await Stream.open(cluster, "sin-1", kind, who(user))
        await stream.until("welcome")
        body = b'{"t":"send","id":"m1","to":"%s","body":{"a":\r\n[1,\n2]}}' % user.encode()
        assert (await post(cluster, "sin-1", who("liner"), body))[0]["t"] == "accepted"
        message = await stream.until("msg")
        assert message["body"] == {"a": [1, 2]}
        assert '{"a":  [1, 2]}' in stream.raw[-1]
        await stream.close()

    run(scenario())


@pytest.mark.parametrize("kind", STREAMS)
def test_who_says_something_on_a_stream_is_closed(cluster, kind):
    async def scenario():
        for first in (b"", b"GET / HTTP/1.1\r\nHost: meridian\r\n\r\n"):
            http = await Http.open(cluster, "sin-1")
            await http.ask(request("GET", f"/v1/{kind}", who(f"says-{kind}")) + first)
            stream = Stream(http, kind)
            assert http.status == 200 and http.headers["cache-control"] == "no-store"
            if not first:
                await stream.until("welcome")
                http.writer.write(b"x")
            assert (await stream.until("close"))["code"] == 1002
            assert await stream.frame() is None
            await http.close()

    run(scenario())


@pytest.mark.parametrize("kind", STREAMS)
def test_a_slow_reader_is_closed_and_goes_on_where_it_was(cluster, kind):
    async def scenario():
        user = f"slow-{kind}"
        stream = await Stream.open(cluster, "sin-1", kind, who(user))
        await stream.until("welcome")
        stream.http.writer.transport.pause_reading()
        sender = await Client(cluster, f"a-{user}", "sin-1").open()
        started = cluster.edges["sin-1"].log().count("reads too slowly")
        sent = 0
        while cluster.edges["sin-1"].log().count("reads too slowly") == started:
            # Acks that come by POST keep the credit open, whatever the stream takes.
            await sender.send(user, "x" * 60000, f"m{sent}")
            sent += 1
            await post(cluster, "sin-2", who(user), {"t": "ack", "cursor": f"1:{max(0, sent - 3)}"})
            assert sent < 400
        healthy = await Client(cluster, f"b-{user}", "sin-1").open()
        await healthy.send(f"a-{user}", 1, "healthy")
        await sender.until_messages(1)
        stream.http.writer.transport.resume_reading()
        got = []
        while (frame := await stream.frame())["t"] != "close":
            got += [frame["cursor"]] if frame["t"] == "msg" else []
        assert frame["code"] == 4000
        assert await stream.frame() is None
        assert got == [f"1:{i + 1}" for i in range(len(got))] and len(got) < sent
        again = await Stream.open(cluster, "sin-2", kind, who(user, cursor=f"1:{sent - 3}"))
        assert [(await again.until("msg"))["cursor"] for _ in range(3)] == [
            f"1:{i}" for i in range(sent - 2, sent + 1)
        ]
        for closing in (stream, again, healthy, sender):
            await closing.close()

    run(scenario())


def test_what_a_query_says_wrong_is_told(cluster):
    async def scenario():
        rows = [
            ({}, 400),
            ({"user": "a"}, 400),
            ({"device": "d"}, 400),
            (who("a", cursor="x"), 400),
            (who("a", start="middle"), 400),
            (who("a", colour="red"), 400),
            (who("$meridian"), 400),
        ]
        for query, status in rows:
            for kind in STREAMS:
                with pytest.raises(Refused) as refused:
                    await Stream.open(cluster, "sin-1", kind, query)
                assert refused.value.status == status, (query, refused.value.answer)
                assert refused.value.answer["code"] == "bad_request"
            with pytest.raises(Refused) as refused:
                await poll(cluster, "sin-1", query)
            assert refused.value.status == status
        with pytest.raises(Refused) as refused:
            await poll(cluster, "sin-1", who("a", wait=61))
        assert refused.value.status == 400
        with pytest.raises(Refused) as refused:
            await post(cluster, "sin-1", who("a", cursor="1:1"), {"t": "bye"})
        assert refused.value.status == 400

    run(scenario())


def test_frames_that_are_wrong_are_answered_one_by_one(cluster):
    async def scenario():
        frames = [
            {"t": "send", "id": "m1", "to": "wrong-bob", "body": 1},
            {"t": "send", "id": "m1", "to": "wrong-bob", "body": 1},
            {"t": "send", "id": "m 2", "to": "wrong-bob", "body": 1},
            {"t": "send", "id": "m3", "to": "wrong-bob"},
            {"t": "colour"},
            [],
            {"t": "hello"},
            {"t": "ack", "cursor": "x"},
            {"t": "ack", "cursor": "1:99"},
            {"t": "receipt", "kind": "read", "from": "nobody", "cursor": "1:99"},
            {"t": "history", "id": "h1"},
            {"t": "history", "id": "h2"},
            {"t": "bye"},
            {"t": "send", "id": "m4", "to": "wrong-bob", "body": 1},
        ]
        await poll(cluster, "sin-1", who("wrong-alice"))  # which gives the user a home
        answers = await post(cluster, "sin-1", who("wrong-alice"), frames)
        assert [(a["t"], a.get("code"), a.get("id")) for a in answers] == [
            ("accepted", None, "m1"),
            ("rejected", "bad_request", "m1"),
            ("error", "bad_request", None),
            ("rejected", "bad_request", "m3"),
            ("error", "unknown_kind", None),
            ("error", "bad_request", None),
            ("error", "bad_request", None),
            ("error", "bad_request", None),
            ("error", "bad_cursor", None),
            ("error", "bad_cursor", None),
            ("history", None, "h1"),
            ("error", "busy", "h2"),
            ("close", 1000, None),
        ]
        nobody = await post(cluster, "sin-1", who("wrong-nobody"), {"t": "ack", "cursor": "1:1"})
        assert nobody[0]["code"] == "unknown_user"
        for body, status in ((b"", 400), (b"1", 400), (b"[", 400), (b'"x"', 400)):
            with pytest.raises(Refused) as refused:
                await post(cluster, "sin-1", who("wrong-alice"), body)
            assert refused.value.status == status, body
        assert await post(cluster, "sin-1", who("wrong-alice"), []) == []

    run(scenario())


def test_a_request_takes_so_many_frames_and_no_more(cluster):
    async def scenario():
        frames = [{"t": "send", "id": f"m{i}", "to": "many-bob", "body": i} for i in range(65)]
        answers = await post(cluster, "sin-1", who("many-alice"), frames[:64])
        assert [answer["id"] for answer in answers] == [f"m{i}" for i in range(64)]
        with pytest.raises(Refused) as refused:
            await post(cluster, "sin-1", who("many-alice"), frames)
        assert refused.value.status == 413 and refused.value.answer["code"] == "too_large"

    run(scenario())


def test_a_read_by_post_reaches_its_sender(cluster):
    async def scenario():
        alice = await Client(cluster, "rd-alice", "sin-1").open()
        bob = await Stream.open(cluster, "sin-1", "stream", who("rd-bob"))
        await bob.until("welcome")
        await alice.send("rd-bob", 1, "m1", want=["read", "delivered"])
        message = await bob.until("msg")
        frames = [
            {"t": "receipt", "kind": "read", "from": "rd-alice", "cursor": message["cursor"]},
            {"t": "ack", "cursor": message["cursor"]},
        ]
        answers = await post(
            cluster, cluster.edge_names(cluster.names[1])[0], who("rd-bob"), frames
        )
        assert answers == [{"t": "acked", "cursor": message["cursor"]}]
        await alice.until(lambda client: len(client.receipts) == 2, 10, "two receipts")
        assert {receipt["kind"] for receipt in alice.receipts} == {"read", "delivered"}
        await bob.close()
        await alice.close()

    run(scenario())


def test_a_stream_goes_on_as_long_as_acks_come_by_post(cluster):
    async def scenario():
        stream = await Stream.open(cluster, "sin-1", "sse", who("acks-bob"))
        await stream.until("welcome")
        frames = [{"t": "send", "id": f"m{i}", "to": "acks-bob", "body": i} for i in range(600)]
        for at in range(0, 600, 50):
            await post(cluster, "sin-2", who("acks-alice"), frames[at : at + 50])
        got = [(await stream.until("msg"))["body"] for _ in range(256)]
        with pytest.raises(asyncio.TimeoutError):
            await stream.until("msg", 1)  # more than the credit is not on its way
        await stream.close()
        assert got == list(range(256))
        stream = await Stream.open(cluster, "sin-1", "sse", who("acks-bob", cursor="1:256"))
        got = []
        while len(got) < 600 - 256:
            got.append((await stream.until("msg"))["body"])
            if len(got) % 100 == 0:
                cursor = f"1:{256 + len(got)}"
                answer = await post(
                    cluster, "sin-2", who("acks-bob"), {"t": "ack", "cursor": cursor}
                )
                assert answer == [{"t": "acked", "cursor": cursor}]
        assert got == list(range(256, 600))
        await stream.close()

    run(scenario())


def test_clients_change_transports_under_load_and_lose_repeat_and_reorder_nothing(cluster):
    """24 users of two regions read by one transport after the other, at any edge, while they send to
    each other and two senders send to all of them, about 100 messages a second."""

    async def scenario():
        draw = random.Random(6)
        edges = list(cluster.edges)
        readers = []
        for i in range(24):
            home = cluster.edge_names(cluster.names[i % 2])
            readers.append(Wanderer(cluster, f"wander-{i}", edges, home, random.Random(i)))
        senders = [
            await Client(cluster, f"steady-{region}", cluster.edge_names(region)[0]).open_forever()
            for region in cluster.names
        ]
        talk = Talk(readers + senders)
        pairs = [(a.user, b.user) for a in senders for b in readers]
        pairs += [(a.user, draw.choice([b for b in readers if b is not a]).user) for a in readers]
        done = asyncio.Event()
        reading = [asyncio.create_task(reader.run(done)) for reader in readers]
        begun = time.monotonic()
        await talk.run(pairs, 20, 0.7)
        rate = len(talk.accepted) / (time.monotonic() - begun)
        await talk.until_complete(30)
        done.set()
        await asyncio.gather(*reading)
        lost, repeated, disordered = talk.judge()
        used = [kind for reader in readers for kind, _ in reader.used]
        counts = ", ".join(f"{kind} {used.count(kind)}" for kind in Wanderer.KINDS)
        print(
            f"\nchanging transports: {len(talk.accepted)} messages, {rate:.0f}/s, {len(used)} transports "
            f"({counts}); lost {len(lost)}, repeated {len(repeated)}, out of order "
            f"{len(disordered)}; delivered p50 {percentile(talk.delivery_ms(), 0.5):.0f} ms "
            f"p99 {percentile(talk.delivery_ms(), 0.99):.0f} ms"
        )
        talk.assert_clean()
        assert len(talk.accepted) == len(pairs) * 20
        assert all(used.count(kind) >= 24 for kind in Wanderer.KINDS), counts
        for reader in readers:
            assert reader.odd == []
            assert reader.cursors == [f"1:{i + 1}" for i in range(len(reader.cursors))]
        for sender in senders:
            await sender.close()

    run(scenario(), 150)


def test_an_edge_that_stops_tells_all_and_they_go_on_elsewhere(cluster):
    async def scenario():
        streams = {}
        for kind in STREAMS:
            streams[kind] = await Stream.open(cluster, "sin-2", kind, who(f"stop-{kind}"))
            await streams[kind].until("welcome")
        waiting = asyncio.create_task(poll(cluster, "sin-2", who("stop-poll", wait=50)))
        await talk(cluster, "stop-sender", "stop-sse", 1)
        await streams["sse"].until("msg")
        await asyncio.to_thread(cluster.edges["sin-2"].terminate)
        for kind in STREAMS:
            assert (await streams[kind].until("goaway"))["reason"] == "drain"
            assert (await streams[kind].until("close"))["code"] == 1001
            assert await streams[kind].frame() is None
            await streams[kind].close()
        last = await waiting
        assert "goaway" in [frame["t"] for frame in last], last
        again = await Stream.open(cluster, "sin-1", "sse", who("stop-sse", cursor="1:1"))
        assert (await again.until("welcome"))["resumed"] is True
        await again.close()

    run(scenario())
    cluster.edges["sin-2"].start()
    cluster.wait_ready("sin-2")
