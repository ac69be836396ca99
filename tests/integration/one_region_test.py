"""One region, one hub, one edge, one NATS node: the whole way of a message, and bad input."""

import asyncio
import json
import time

import pytest
import websockets

from lab import Client, Cluster, SendFailed


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, shards=2) as cluster:
        cluster.start()
        yield cluster


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 60))


async def plain_socket(cluster, path, edge="sin-1", **options):
    raw = await asyncio.to_thread(cluster.open_socket, edge)
    raw.setblocking(False)
    return await websockets.connect(
        f"ws://meridian{path}",
        sock=raw,
        open_timeout=5,
        close_timeout=1,
        max_size=2**22,
        ping_interval=None,
        **options,
    )


def test_a_message_arrives_with_its_cursor_and_is_confirmed(cluster):
    async def scenario():
        alice = await Client(cluster, "alice", "sin-1").open()
        bob = await Client(cluster, "bob", "sin-1").open()
        assert bob.welcome["user"] == "bob" and bob.welcome["home"] == "sin"
        assert bob.welcome["resumed"] is False
        await alice.send("bob", {"text": "h\u00e9", "list": [1, 2.50, None]}, "m1")
        await bob.until_messages(1)
        message = bob.messages[0]
        assert message["from"] == "alice" and message["id"] == "m1" and message["cursor"] == "1:1"
        assert message["body"] == {"text": "h\u00e9", "list": [1, 2.5, None]}
        await bob.until(lambda client: client.confirmed == "1:1", 5, "acked")
        await alice.close()
        await bob.close()

    run(scenario())


def test_the_body_arrives_byte_for_byte(cluster):
    async def scenario():
        sender = await plain_socket(cluster, "/ws", subprotocols=["meridian.v1"])
        receiver = await plain_socket(cluster, "/ws", subprotocols=["meridian.v1"])
        await sender.send('{"t":"hello","user":"byte-a","device":"d"}')
        await receiver.send('{"t":"hello","user":"byte-b","device":"d"}')
        await sender.recv(), await receiver.recv()
        body = '{ "x" : 1.0e+2,\t"y":"\\u00e9\\/" , "x": 2 }'
        await sender.send('{"t":"send","id":"1","to":"byte-b","body":' + body + "}")
        text = ""
        while '"t":"msg"' not in text:
            text = await asyncio.wait_for(receiver.recv(), 5)
        assert body in text
        await sender.close()
        await receiver.close()

    run(scenario())


def test_messages_wait_for_a_user_who_is_away(cluster):
    async def scenario():
        sender = await Client(cluster, "sender", "sin-1").open()
        for i in range(300):  # more than one device may have unacknowledged
            await sender.send("away", {"n": i}, f"m{i}")
        away = await Client(cluster, "away", "sin-1").open()
        await away.until_messages(300, 20)
        assert [m["body"]["n"] for m in away.messages] == list(range(300))
        assert [m["cursor"] for m in away.messages] == [f"1:{i + 1}" for i in range(300)]
        await away.close()
        # A second device, not known before, starts at the oldest; a third at the head, as it asks.
        second = await Client(cluster, "away", "sin-1", device="d2").open()
        await second.until_messages(300, 20)
        third = await Client(cluster, "away", "sin-1", device="d3", start="head").open()
        await sender.send("away", {"n": 300}, "m300")
        await third.until_messages(1)
        assert third.messages[0]["cursor"] == "1:301"
        for client in (sender, second, third):
            await client.close()

    run(scenario())


def test_a_device_resumes_where_it_was(cluster):
    async def scenario():
        sender = await Client(cluster, "r-sender", "sin-1").open()
        device = await Client(cluster, "resumer", "sin-1").open()
        for i in range(20):
            await sender.send("resumer", {"n": i}, f"m{i}")
        await device.until_messages(20)
        await device.close()
        for i in range(20, 40):
            await sender.send("resumer", {"n": i}, f"m{i}")
        again = Client(cluster, "resumer", "sin-1")
        again.cursor = "1:10"  # it forgot some: its own word counts
        await again.open()
        assert again.welcome["resumed"] is True
        await again.until_messages(30)
        assert [m["body"]["n"] for m in again.messages] == list(range(10, 40))
        await again.close()
        # Without a cursor the confirmed one counts.
        await asyncio.sleep(0)
        third = await Client(cluster, "resumer", "sin-1").open()
        await sender.send("resumer", {"n": 40}, "m40")
        await third.until(lambda c: c.messages and c.messages[-1]["body"]["n"] == 40)
        assert [m["body"]["n"] for m in third.messages] == sorted(
            m["body"]["n"] for m in third.messages
        )
        await third.close()
        await sender.close()

    run(scenario())


def test_a_cursor_that_cannot_be_honoured_is_answered_by_resync(cluster):
    async def scenario():
        sender = await Client(cluster, "s-sender", "sin-1").open()
        await sender.send("ahead", {"n": 0}, "m0")
        device = Client(cluster, "ahead", "sin-1")
        device.cursor = "1:999"
        await device.open()
        await device.until_messages(1)
        assert [f["t"] for f in device.frames if f["t"] in ("resync", "msg")] == ["resync", "msg"]
        assert device.welcome["resumed"] is False
        await device.close()
        await sender.close()

    run(scenario())


def test_a_repeated_send_is_delivered_once(cluster):
    async def scenario():
        sender = await Client(cluster, "rep-sender", "sin-1").open()
        device = await Client(cluster, "rep", "sin-1").open()
        for _ in range(5):
            await sender.send("rep", {"n": 1}, "same")
        await sender.send("rep", {"n": 2}, "other")
        await device.until_messages(2)
        assert [m["id"] for m in device.messages] == ["same", "other"]
        assert [m["cursor"] for m in device.messages] == ["1:1", "1:2"]
        await sender.close()
        await device.close()

    run(scenario())


def test_a_list_has_an_outcome_per_recipient(cluster):
    async def scenario():
        sender = await Client(cluster, "list-sender", "sin-1").open()
        users = [f"list-{i}" for i in range(256)]
        await sender.send_frame({"t": "send", "id": "l1", "to": users, "body": 1})
        await sender.until(
            lambda c: sum(f["t"] == "accepted" and f["id"] == "l1" for f in c.frames) == 256,
            20,
            "256 outcomes",
        )
        assert {f["to"] for f in sender.frames if f["t"] == "accepted"} == set(users)
        one = await Client(cluster, "list-255", "sin-1").open()
        await one.until_messages(1)
        await sender.send_frame({"t": "send", "id": "l2", "to": users + ["one-more"], "body": 1})
        await sender.until(lambda c: any(f.get("id") == "l2" for f in c.frames), 5)
        assert [f["t"] for f in sender.frames if f.get("id") == "l2"][0] in ("rejected", "error")
        await sender.close()
        await one.close()

    run(scenario())


def test_the_same_device_twice_the_newer_one_wins(cluster):
    async def scenario():
        first = await Client(cluster, "twice", "sin-1").open()
        second = await Client(cluster, "twice", "sin-1").open()
        await first.until(lambda c: c.closed_code is not None, 5, "closed")
        assert first.closed_code == 4403
        sender = await Client(cluster, "twice-sender", "sin-1").open()
        await sender.send("twice", {"n": 1}, "m")
        await second.until_messages(1)
        assert second.closed_code is None
        await second.close()
        await sender.close()

    run(scenario())


def test_plain_clients_get_the_object_byte_for_byte(cluster):
    async def scenario():
        ann = await plain_socket(cluster, "/ws/plain-ann")
        ben = await plain_socket(cluster, "/ws/plain-ben")
        text = '{"recipient_id": "plain-ben",  "message":"hi \\u263a", "n": 1.50}'
        await ann.send(text)
        assert await asyncio.wait_for(ben.recv(), 5) == text
        # The same by HTTP, and what a plain client misses waits for it.
        await ben.close()
        status, _, body = await asyncio.to_thread(
            cluster.http,
            "sin-1",
            "/api/messages",
            {"recipient_id": "plain-ben", "message": "by post", "id": "p1"},
        )
        assert status == 202 and json.loads(body) == {"status": "sent", "id": "p1"}
        ben = await plain_socket(cluster, "/ws/plain-ben")
        got = json.loads(await asyncio.wait_for(ben.recv(), 5))
        assert got["recipient_id"] == "plain-ben" and got["message"] == "by post"
        await ann.close()
        await ben.close()

    run(scenario())


def test_messages_are_fetched_once_by_get(cluster):
    def get(path, **options):
        status, headers, body = cluster.http("sin-1", path, **options)
        assert status == 200, body
        return json.loads(body), headers

    for i in range(3):
        status, _, _ = cluster.http(
            "sin-1", "/api/messages", {"recipient_id": "getter", "message": i, "id": f"g{i}"}
        )
        assert status == 202
    # A stored message is `accepted` before it is applied: wait for what is on its way.
    got, headers = [], {}
    while len(got) < 3:
        more, headers = get("/api/messages/getter?wait=5")
        assert more, "nothing within the wait"
        got += more
    assert [m["message"] for m in got] == [0, 1, 2]
    assert get("/api/messages/getter")[0] == []
    # With `after` the client holds the cursor.
    names = {name.lower(): value for name, value in headers.items()}
    assert names["meridian-cursor"] == "1:3"
    assert [m["message"] for m in get("/api/messages/getter?after=1:1")[0]] == [1, 2]
    assert [m["message"] for m in get("/api/messages/getter?after=1:1")[0]] == [1, 2]


BAD_FRAMES = [
    ("not json", "error"),
    ("[1,2]", "error"),
    ('{"t":"send"', "error"),
    ('{"x":1}', "error"),
    ('{"t":"dance"}', "error"),
    ('{"t":"send","id":"x","to":"bob"}', "rejected"),
    ('{"t":"send","id":"x","body":1}', "rejected"),
    ('{"t":"send","id":"x","to":"","body":1}', "rejected"),
    ('{"t":"send","id":"x","to":"a\\nb","body":1}', "rejected"),
    ('{"t":"send","id":"x","to":"' + "u" * 129 + '","body":1}', "rejected"),
    ('{"t":"send","id":"x","to":[],"body":1}', "rejected"),
    ('{"t":"send","id":"a b","to":"bob","body":1}', "error"),
    ('{"t":"send","id":"' + "i" * 65 + '","to":"bob","body":1}', "error"),
    ('{"t":"ack","cursor":"1:4000000000"}', "error"),
    ('{"t":"ack","cursor":"nonsense"}', "error"),
]


@pytest.mark.parametrize("text,answer", BAD_FRAMES)
def test_a_bad_frame_has_a_clear_answer_and_the_connection_goes_on(cluster, text, answer):
    async def scenario():
        client = await Client(cluster, "bad", "sin-1").open()
        await client.send_frame(text)
        await client.until(lambda c: any(f["t"] == answer for f in c.frames), 5, answer)
        said = next(f for f in client.frames if f["t"] == answer)
        assert said["code"] and said["message"]
        await client.send("bad", 1, "still-there")
        await client.close()

    run(scenario())


def test_limits_of_a_body_hold_at_the_bound_and_one_past(cluster):
    async def scenario():
        client = await Client(cluster, "bodies", "sin-1").open()
        await client.send("bodies", "x" * (65536 - 2), "fits")
        await client.until_messages(1)
        assert len(client.messages[0]["body"]) == 65534
        with pytest.raises(SendFailed) as failed:
            await client.send("bodies", "x" * (65536 - 1), "too-big")
        assert failed.value.code == "too_large" and failed.value.frame["retryable"] is False
        await client.close()

    run(scenario())


def test_an_oversized_frame_closes_with_1009_and_a_binary_one_is_refused(cluster):
    async def scenario():
        client = await Client(cluster, "frames", "sin-1").open()
        await client.send_frame(
            '{"t":"send","id":"x","to":"frames","body":"' + "x" * 1_000_000 + '"}'
        )
        await client.until(lambda c: c.closed_code is not None, 5, "closed")
        assert client.closed_code == 1009
        client = await Client(cluster, "frames", "sin-1").open()
        await client.socket.send(b"\x00\x01")
        await client.until(lambda c: c.closed_code is not None, 5, "closed")
        assert client.closed_code == 1003

    run(scenario())


def client_frame(first, payload):
    mask = b"\x11\x22\x33\x44"
    return (
        bytes([first, 0x80 | len(payload)])
        + mask
        + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    )


CUT_FRAMES = [
    client_frame(0x88, b"\x03\xe8bye"),
    client_frame(0x81, b'{"t":"nothing"}'),
    client_frame(0x81, b'{"t":"hello","user":"","device":"d"}'),
    client_frame(0x01, b'{"t":"send"') + client_frame(0x80, b',"id":"x"}'),
    client_frame(0x82, b"binary"),
    client_frame(0x81, b"\xff"),
    b"\x81\x01a",
]


@pytest.mark.parametrize("data", CUT_FRAMES)
@pytest.mark.parametrize("welcomed", [False, True])
def test_an_end_in_the_middle_of_a_cut_frame_harms_nobody(cluster, data, welcomed):
    """The connection ends while its frame, joined from two reads, is still being taken."""
    for cut in range(1, len(data)):
        raw = cluster.open_socket("sin-1")
        with raw:
            raw.settimeout(5)
            raw.sendall(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Sec-WebSocket-Protocol: meridian.v1\r\n\r\n"
            )
            assert b" 101 " in raw.recv(4096)
            if welcomed:
                raw.sendall(client_frame(0x81, b'{"t":"hello","user":"cut","device":"d"}'))
                assert b"welcome" in raw.recv(4096)
            raw.sendall(data[:cut])
            time.sleep(0.005)
            raw.sendall(data[cut:])
            if data[0] == 0x88:
                assert raw.recv(4096)[:1] == b"\x88"
    assert cluster.edges["sin-1"].alive()
    assert cluster.http("sin-1", "/healthz")[0] == 200


def test_hello_comes_once_and_in_time(cluster):
    async def scenario():
        client = await Client(cluster, "hello", "sin-1").open()
        await client.send_frame({"t": "hello", "user": "hello", "device": "d1"})
        await client.until(lambda c: c.closed_code is not None, 5, "closed")
        assert any(f["t"] == "error" for f in client.frames) and client.closed_code == 1008
        silent = await plain_socket(cluster, "/ws", subprotocols=["meridian.v1"])
        await asyncio.wait_for(silent.wait_closed(), 8)  # an error may come first
        for hello in (
            '{"t":"hello","user":"","device":"d"}',
            '{"t":"hello","user":"a\\u0000b","device":"d"}',
            '{"t":"hello","user":"ok","device":"d d"}',
            '{"t":"send","id":"1","to":"a","body":1}',
            '{"t":"hello","user":"ok","device":"d","cursor":"x"}',
        ):
            socket = await plain_socket(cluster, "/ws", subprotocols=["meridian.v1"])
            await socket.send(hello)
            said = json.loads(await asyncio.wait_for(socket.recv(), 5))
            assert said["t"] == "error" and said["code"] and said["message"], hello
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 5)

    run(scenario())


def test_an_unknown_subprotocol_or_path_is_refused_at_the_handshake(cluster):
    async def scenario():
        for path, options, code in (
            ("/ws", {"subprotocols": ["meridian.v9"]}, 400),
            ("/ws/", {}, 404),
            ("/ws/%00", {}, 400),
            ("/nowhere", {}, 404),
        ):
            with pytest.raises(websockets.exceptions.InvalidStatusCode) as refused:
                await plain_socket(cluster, path, **options)
            assert refused.value.status_code == code, path

    run(scenario())


@pytest.mark.parametrize(
    "body,status",
    [
        (b"nonsense", 400),
        (b"[]", 400),
        (b"{}", 400),
        ({"recipient_id": "x"}, 400),
        ({"message": 1}, 400),
        ({"recipient_id": "", "message": 1}, 400),
        ({"recipient_id": "x\u0001", "message": 1}, 400),
        ({"recipient_id": "x", "message": 1, "id": "a b"}, 400),
        ({"recipient_id": "x", "message": "y" * 70000}, 413),
    ],
)
def test_a_bad_post_has_a_json_answer(cluster, body, status):
    got, headers, answer = cluster.http("sin-1", "/api/messages", body)
    assert got == status, answer
    said = json.loads(answer)
    assert said["code"] and said["message"] and said["retryable"] is False


def test_health_is_told(cluster):
    assert cluster.http("sin-1", "/healthz")[0] == 200
    assert cluster.http("sin-1", "/readyz")[0] == 200
    assert cluster.http("sin-h1", "/healthz")[0] == 200
