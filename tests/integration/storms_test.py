"""Everybody at once: what an edge takes in, at each of its bounds and one past it."""

import asyncio
import json
import socket
import time

import pytest
import websockets

from lab import Client, Cluster, SendFailed
from lab.raw_socket import CLOSE, PING, PONG, TEXT, RawSocket, frame, head
from lab.transports import Http, request

BURST = 10
STRANGERS = 5
LOGINS = 6
UNFINISHED = 20
REQUEST_S = 2
PINGS_PER_S = 20
SENDS = 5
HANDSHAKES, UNKNOWN, LOGIN, WAITING, RATED = (f"sin-{i}" for i in range(1, 6))
SETTINGS = {
    HANDSHAKES: {"limits.handshakes_per_s": 1, "limits.handshakes_burst": BURST},
    UNKNOWN: {"limits.strangers_max": STRANGERS},
    LOGIN: {"limits.logins_per_s": 1, "limits.logins_burst": LOGINS},
    RATED: {
        "limits.sends_per_s": 2,
        "limits.sends_burst": SENDS,
        "limits.pings_per_s": PINGS_PER_S,
    },
    WAITING: {"limits.unfinished_max": UNFINISHED, "times.request": f"{REQUEST_S}s"},
}


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, shards=2, edges=len(SETTINGS)) as cluster:
        for name, settings in SETTINGS.items():
            cluster.edges[name].command += cluster._sets(settings)
        yield cluster.start()


def run(scenario, timeout_s=60):
    asyncio.run(asyncio.wait_for(scenario, timeout_s))


async def shake(cluster, edge, path="/ws"):
    """(socket, answer) of one opening handshake."""
    raw = await RawSocket.connect(cluster.url[edge])
    protocol = {"Sec_WebSocket_Protocol": "meridian.v1"} if path == "/ws" else {}
    return raw, await raw.handshake(head(path=path, **protocol))


async def check_refused(raw, answer):
    """503, when to come again, and the end of the connection."""
    assert answer.status == 503
    assert 1 <= int(answer.all("retry-after")[0]) <= 10
    rest = await asyncio.wait_for(raw.reader.read(), 5)
    assert json.loads(rest)["code"] == "busy" and json.loads(rest)["retryable"] is True


def test_handshakes_above_the_rate_are_told_when_to_come_again(cluster):
    async def scenario():
        begun = time.monotonic()
        taken, again = [], set()
        for _ in range(60):
            raw, answer = await shake(cluster, HANDSHAKES)
            if answer.status == 101:
                taken.append(raw)
                continue
            await check_refused(raw, answer)
            again.add(answer.all("retry-after")[0])
        took_s = time.monotonic() - begun
        assert BURST <= len(taken) <= BURST + took_s + 1
        assert len(again) >= 3, "they would all come back at one time"
        stream = await Http.open(cluster, HANDSHAKES)
        await stream.ask(request("GET", "/v1/sse", {"user": "s", "device": "d"}))
        plain, answer = await shake(cluster, HANDSHAKES, "/ws/somebody")
        assert 503 in (stream.status, answer.status), "streams and plain mode count, too"
        while answer.status != 101:  # the rate goes on
            plain, answer = await shake(cluster, HANDSHAKES, "/ws/somebody")
        assert cluster.http(HANDSHAKES, "/healthz")[0] == 200
        print(f"{len(taken)} of 60 handshakes taken in {took_s:.1f} s, burst {BURST}, 1/s")

    run(scenario())


def test_websockets_without_a_hello_are_bounded(cluster):
    async def scenario():
        strangers = [await shake(cluster, UNKNOWN) for _ in range(STRANGERS)]
        assert [answer.status for _, answer in strangers] == [101] * STRANGERS
        await check_refused(*await shake(cluster, UNKNOWN))
        hello = {"t": "hello", "user": "known", "device": "d"}
        await strangers[0][0].write(frame(TEXT, json.dumps(hello).encode()))
        await strangers[0][0].reader.readexactly(1)  # its welcome: it is no stranger any more
        raw, answer = await shake(cluster, UNKNOWN)
        assert answer.status == 101
        await check_refused(*await shake(cluster, UNKNOWN))
        raw.abort()  # one who goes is none either
        while (await shake(cluster, UNKNOWN))[1].status != 101:
            pass

    run(scenario())


def test_who_resumes_comes_before_who_is_new(cluster):
    async def refused(client):
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.open()
        assert closed.value.rcvd.code == 4001
        assert client.frames[-1]["code"] == "busy"
        assert 1000 <= client.frames[-1]["retry_after_ms"] <= 10000

    async def scenario():
        begun, new, resumed = time.monotonic(), 0, 0
        clients = []
        for i in range(20):
            client = Client(cluster, f"new{i}", LOGIN)
            try:
                clients.append(await client.open())
            except websockets.ConnectionClosed:
                break
        new = len(clients)
        assert LOGINS // 2 <= new <= LOGINS // 2 + time.monotonic() - begun + 1
        await refused(Client(cluster, "newer", LOGIN))
        for client in clients:
            await client.close()
        for client in clients[: LOGINS // 2]:
            again = Client(cluster, client.user, LOGIN)
            again.cursor = client.welcome["cursor"]
            await again.open()
            assert again.welcome["resumed"] is True
            resumed += 1
            await again.close()
        print(f"{new} new ones in, then none; {resumed} of {LOGINS // 2} who resume")

    run(scenario())


def test_connections_without_a_request_are_bounded_and_the_oldest_gives_way(cluster):
    host, port = cluster.url[WAITING].removeprefix("http://").rsplit(":", 1)
    begun = time.monotonic()
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(UNFINISHED)]
    try:
        assert cluster.http(WAITING, "/healthz")[0] == 200  # it waits, then gets its turn
        took_s = time.monotonic() - begun
        assert idle[0].recv(1) == b""
        assert took_s >= 0.9, "an honest client's request has its second"
        cluster.edges[WAITING].wait_log("the limit of connections without a request is reached")
        print(f"answered after {took_s:.1f} s behind {UNFINISHED} silent connections")
    finally:
        for one in idle:
            one.close()


HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET /ws HTTP/1.1\r\nX-A: "
POST = b"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize("before, start", [(b"", GET), (HEALTHZ, GET), (b"", POST)])
def test_a_request_that_drips_is_cut_off_whatever_comes(cluster, before, start):
    """A1. The time counts from the connection, or the answer before, not from the last byte."""

    async def scenario():
        raw = await RawSocket.connect(cluster.url[WAITING])
        if before:
            await raw.write(before)
            size = int((await raw.response()).all("content-length")[0])
            await raw.reader.readexactly(size)
        begun = time.monotonic()
        ended = asyncio.create_task(raw.reader.read())
        await raw.write(start)
        for byte in b"a" * 100:
            try:
                await raw.write(bytes([byte]))
            except ConnectionError:
                break
            if (await asyncio.wait({ended}, timeout=0.1))[0]:
                break
        took_s = time.monotonic() - begun
        assert ended.done(), "it is held as long as it drips"
        assert REQUEST_S - 0.1 <= took_s <= REQUEST_S + 2
        print(f"cut after {took_s:.1f} s, pass: {REQUEST_S} to {REQUEST_S + 2} s")
        await asyncio.gather(ended, return_exceptions=True)

    run(scenario())


def test_sends_above_the_rate_are_rejected_and_told_when(cluster):
    async def scenario():
        alice = await Client(cluster, "alice", RATED).open()
        bob = await Client(cluster, "bob", RATED).open()
        begun = time.monotonic()
        outcomes = await asyncio.gather(
            *(alice.send("bob", {"n": n}, f"m{n}") for n in range(30)), return_exceptions=True
        )
        took_s = time.monotonic() - begun
        accepted = [one["id"] for one in outcomes if isinstance(one, dict)]
        rejected = [one for one in outcomes if isinstance(one, SendFailed)]
        assert SENDS <= len(accepted) <= SENDS + 2 * took_s + 1
        assert len(accepted) + len(rejected) == 30
        assert {one.code for one in rejected} == {"rate_limited"}
        assert all(one.frame["retryable"] for one in rejected)
        assert all(1 <= one.frame["retry_after_ms"] <= 500 for one in rejected)
        await bob.send("alice", {}, "mine")  # another connection has its own
        await alice.send_surely("bob", {"n": 30}, "m30")
        await bob.until_messages(len(accepted) + 1)
        assert [message["id"] for message in bob.messages] == [*accepted, "m30"]
        print(f"{len(accepted)} of 30 sends accepted in {took_s:.2f} s, burst {SENDS}, 2/s")
        await alice.close()
        await bob.close()

    run(scenario())


def test_pings_above_the_rate_close_with_1008(cluster):
    """A11, its rate: 20 pings a second, and twice as many at once."""

    async def scenario():
        raw, answer = await shake(cluster, RATED, "/ws/pinger")
        assert answer.status == 101
        for i in range(2 * PINGS_PER_S):  # each when the one before is answered
            await raw.write(frame(PING, b"%d" % i))
            assert await raw.read_frame() == (PONG, b"%d" % i)
        begun = time.monotonic()
        await raw.write(frame(PING, b"y") * 1000)
        pongs = 0
        while (got := await raw.read_frame())[0] == PONG:
            pongs += 1
        assert got[0] == CLOSE and got[1][:2] == (1008).to_bytes(2, "big")
        assert pongs <= 1 + PINGS_PER_S * (time.monotonic() - begun)
        print(f"closed with 1008 after {pongs} of 1000 more pings")

    run(scenario())
