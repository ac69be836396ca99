"""What one client may do to an edge: each bound, and one past it."""

import asyncio
import contextlib
import json
import time

import pytest
import websockets

from lab import Client, Cluster
from lab.raw_socket import CLOSE, PING, PONG, TEXT, RawSocket, frame, head
from lab.tokens import auth_file, token
from lab.transports import Http, Refused, Stream, post, request

FLOOD_S, IDLE_S = 2, 2
BURST, LOGINS, DEVICES = 5, 5, 3
SERVICE_BURST = 10
RATE, REQUESTS, USERS, QUIET, KNOWN, BACK = (f"sin-{i}" for i in range(1, 7))
SETTINGS = {
    RATE: {
        "limits.sends_per_s": 20,
        "limits.user_sends_per_s": 50,
        "limits.near_sends_per_s": 60,
        "limits.near_sends_burst": 60,
        "proxy.forwarded_networks": "127.0.0.0/8",
    },
    REQUESTS: {"limits.user_sends_per_s": 1, "limits.user_sends_burst": BURST},
    USERS: {"limits.user_logins_per_min": LOGINS, "limits.user_sessions_max": DEVICES},
    QUIET: {
        "limits.sends_per_s": 20,
        "times.flood": f"{FLOOD_S}s",
        "times.idle": f"{IDLE_S}s",
        "times.heartbeat": "1s",
    },
    KNOWN: {
        "limits.user_sends_per_s": 1,
        "limits.user_sends_burst": BURST,
        "limits.service_sends_per_s": 1,
        "limits.service_sends_burst": SERVICE_BURST,
        "limits.user_logins_per_min": LOGINS,
        "limits.user_sessions_max": DEVICES,
    },
    BACK: {"limits.user_logins_per_min": 10, "limits.user_sessions_max": 8},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    auth = auth_file(tmp_path_factory.mktemp("auth"), service_scope="meridian.service")
    with Cluster(regions=1, shards=2, edges=len(SETTINGS)) as cluster:
        for name, settings in SETTINGS.items():
            cluster.edges[name].command += cluster._sets(settings)
        cluster.edges[KNOWN].command += ["--config", str(auth)]
        yield cluster.start()


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, 60))


def bearer(shown):
    return {"Authorization": f"Bearer {shown}"}


def kinds(client, kind):
    return [one for one in client.frames if one["t"] == kind]


# Sends


async def offer(client, stop, every_s=0.02):
    """Sends as fast as this, whatever is said to it, until it is told to stop or is closed."""
    count = 0
    while not stop.is_set() and client.connected.is_set():
        count += 1
        await client.send_frame({"t": "send", "id": f"m{count}", "to": "sink", "body": count})
        await asyncio.sleep(every_s)


async def accepted_rate(cluster, who, warm_s, measure_s):
    """A second, of all of them together, when the burst is over."""
    clients = [
        await Client(cluster, user, RATE, device=f"d{i}", address=address).open()
        for i, (user, address) in enumerate(who)
    ]
    stop = asyncio.Event()
    offers = [asyncio.create_task(offer(client, stop)) for client in clients]

    def accepted():
        return sum(len(kinds(client, "accepted")) for client in clients)

    await asyncio.sleep(warm_s)
    before, begun = accepted(), time.monotonic()
    await asyncio.sleep(measure_s)
    rate = (accepted() - before) / (time.monotonic() - begun)
    stop.set()
    await asyncio.gather(*offers)
    for client in clients:
        assert client.connected.is_set(), "it is a flood of less than ten seconds"
        assert {one["code"] for one in kinds(client, "rejected")} == {"rate_limited"}
        await client.close()
    return rate


ROWS = [
    ("a connection", 20, [("one", None)]),
    ("three connections of one user", 50, [("three", None)] * 3),
    ("four users of one network", 60, [(f"user{i}", f"203.0.113.{i}") for i in range(4)]),
]


def test_in_the_long_run_the_rate_is_the_limit(cluster):
    """A12."""

    async def scenario():
        rates = await asyncio.gather(*(accepted_rate(cluster, who, 2.5, 3) for _, _, who in ROWS))
        for (name, limit, _), rate in zip(ROWS, rates):
            off = 100 * (rate / limit - 1)
            print(f"{name}: {rate:.1f} accepted a second, limit {limit}: {off:+.1f} %, pass: 5 %")
            assert abs(off) <= 25

    run(scenario())


def test_who_obeys_a_throttle_is_told_once_and_who_does_not_is_closed(cluster):
    async def obeys():
        client = await Client(cluster, "good", QUIET).open()
        for i in range(100):
            await client.send_frame({"t": "send", "id": f"a{i}", "to": "sink", "body": i})
        await client.until(lambda it: kinds(it, "rejected"), what="one too many")
        at = [one["t"] for one in client.frames]
        assert at.index("throttle") < at.index("rejected")
        limits = client.welcome["limits"]
        assert (limits["sends_per_s"], limits["sends_burst"]) == (20, 40)
        throttle = kinds(client, "throttle")[0]
        assert throttle["sends_per_s"] == 20
        assert 500 <= throttle["retry_after_ms"] <= 1000  # until there is half a burst
        rejected = kinds(client, "rejected")
        assert all(1 <= one["retry_after_ms"] <= 50 and one["retryable"] for one in rejected)
        await asyncio.sleep(throttle["retry_after_ms"] / 1000)
        for i in range(int(20 * 2.5)):
            await client.send("sink", i, f"b{i}")
            await asyncio.sleep(1 / 20)
        assert len(kinds(client, "throttle")) == 1
        await client.close()

    async def floods():
        client = await Client(cluster, "bad", QUIET).open()
        begun = time.monotonic()
        stop = asyncio.Event()
        task = asyncio.create_task(offer(client, stop))
        await client.until(lambda it: not it.connected.is_set(), 30, what="the end")
        took_s = time.monotonic() - begun
        stop.set()
        await asyncio.gather(task, return_exceptions=True)
        assert client.closed_code == 1008
        assert len(kinds(client, "throttle")) == 1
        assert took_s >= FLOOD_S
        print(f"closed after {took_s:.1f} s of a flood, pass: {FLOOD_S} s and the burst")
        cluster.edges[QUIET].wait_log("a client goes on sending too fast and is closed")

    async def scenario():
        await asyncio.gather(obeys(), floods())

    run(scenario())


def test_requests_count_too_and_are_answered_429(cluster):
    def send(user, path="/api/messages", count=1):
        body = [{"recipient_id": "sink", "sender_id": user, "message": 1}] * count
        return cluster.http(REQUESTS, path, body[0] if count == 1 else body)

    begun = time.monotonic()
    answers = [send("poster") for _ in range(BURST)]
    assert [status for status, _, _ in answers] == [202] * BURST
    status, headers, said = send("poster")
    assert status == 429 or time.monotonic() - begun > 1
    while status != 429:
        status, headers, said = send("poster")
    said = json.loads(said)
    assert int(headers["retry-after"]) == 1
    assert (said["status"], said["code"], said["retryable"]) == ("rejected", "rate_limited", True)
    status, headers, said = send("arrays", count=2 * BURST)
    said = json.loads(said)
    assert status == 207 and int(headers["retry-after"]) == 1
    assert [one["status"] for one in said] == ["sent"] * BURST + ["rejected"] * BURST

    async def frames():
        def sends(start, count):
            return [
                {"t": "send", "id": f"f{start + i}", "to": "sink", "body": i} for i in range(count)
            ]

        who = {"user": "framer", "device": "d1"}
        said = await post(cluster, REQUESTS, who, sends(0, BURST + 2))
        assert [one["t"] for one in said[:BURST]] == ["accepted"] * BURST
        assert said[-1]["code"] == "rate_limited" and 1 <= said[-1]["retry_after_ms"] <= 1000
        assert (await post(cluster, REQUESTS, who, [*sends(20, 3), {"t": "bye"}]))[-1][
            "t"
        ] == "close"
        http = await Http.open(cluster, REQUESTS)
        for _ in range(20):  # one may be let through meanwhile
            await http.ask(request("POST", "/v1/frames", who, json.dumps(sends(30, 5)).encode()))
            if http.status == 429:
                break
            await http.body()
        assert http.status == 429 and int(http.headers["retry-after"]) == 1
        said = json.loads(await http.body())
        assert {one["code"] for one in said} == {"rate_limited"}
        await http.close()
        # A WebSocket of the same user has the same share; plain mode is told in its own words.
        raw, _ = await shake(cluster, REQUESTS, "/ws/framer")
        await raw.write(frame(TEXT, b'{"recipient_id":"sink"}') * (BURST + 1))
        assert json.loads((await raw.read_frame())[1])["code"] == "rate_limited"
        raw.abort()

    run(frames())


def test_our_client_waits_and_sends_again_what_came_too_fast(cluster):
    begun = time.monotonic()
    for i in range(BURST + 2):
        who = ("--from", "ours", "--to", "sink", "--edge", cluster.url[REQUESTS])
        done = cluster.meridian("send", *who, f'"{i}"')
        assert done.returncode == 0 and done.stdout.startswith("accepted"), done.stdout
    took_s = time.monotonic() - begun
    assert took_s >= 1, "one a second"
    print(f"{BURST + 2} sends accepted in {took_s:.1f} s, {BURST} at once, then 1/s")


def test_a_service_has_a_limit_of_its_own(cluster):
    def send(shown):
        message = {"recipient_id": "sink", "message": 1}
        return cluster.http(KNOWN, "/api/messages", message, headers=bearer(shown))[0]

    def burst(shown, most):
        begun, sent = time.monotonic(), 0
        while send(shown) == 202:
            sent += 1
        assert most <= sent <= most + 1 + time.monotonic() - begun
        return sent

    person = burst(token("shop"), BURST)
    service = burst(token("shop", scope="read meridian.service"), SERVICE_BURST)
    print(f"{person} by a person of {BURST} at once, {service} by a service of {SERVICE_BURST}")


# Logins and sessions


async def shake(cluster, edge, path="/ws", **headers):
    """(socket, answer) of one opening handshake."""
    raw = await RawSocket.connect(cluster.url[edge])
    protocol = {"Sec_WebSocket_Protocol": "meridian.v1"} if path == "/ws" else {}
    return raw, await raw.handshake(head(path=path, **protocol, **headers))


async def refused(client, code):
    """It is told when to come again, and closed with 4001."""
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await client.open()
    assert closed.value.rcvd.code == 4001
    assert client.frames[-1]["code"] == code
    return client.frames[-1]["retry_after_ms"]


def test_logins_of_a_user_are_bounded_and_who_resumes_has_room(cluster):
    """A13, flapping."""

    async def scenario():
        begun, new = time.monotonic(), 0
        while True:
            client = Client(cluster, "flapper", USERS)
            try:
                await client.open()
            except websockets.ConnectionClosed as closed:
                assert closed.rcvd.code == 4001
                break
            new, cursor = new + 1, client.welcome["cursor"]
            await client.close()
        assert client.frames[-1]["code"] == "rate_limited"
        assert 1 <= client.frames[-1]["retry_after_ms"] <= 60000 / LOGINS
        assert LOGINS <= new <= LOGINS + (time.monotonic() - begun) * LOGINS / 60 + 1
        raw, answer = await shake(cluster, USERS, "/ws/flapper")
        assert answer.status == 429 and 1 <= int(answer.all("retry-after")[0]) <= 60 / LOGINS
        raw.abort()
        with pytest.raises(Refused) as why:
            await Stream.open(cluster, USERS, "sse", {"user": "flapper", "device": "d1"})
        assert (why.value.status, why.value.answer["code"]) == (429, "rate_limited")
        resumed = 0
        again = Client(cluster, "flapper", USERS)
        again.cursor = cursor
        try:
            while resumed < 3 * LOGINS:
                await again.open()
                await again.close()
                resumed += 1
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd.code == 4001
        assert LOGINS <= resumed <= LOGINS + (time.monotonic() - begun) * LOGINS / 60 + 1
        await (await Client(cluster, "another", USERS).open()).close()
        print(f"{new} new logins, then {resumed} with a cursor, limit {LOGINS} and as many")

    run(scenario())


def test_sessions_of_a_user_are_bounded(cluster):
    async def scenario():
        def device(i):
            return Client(cluster, "many", USERS, device=f"d{i}")

        clients = [await device(i).open() for i in range(DEVICES)]
        assert await refused(device(DEVICES), "too_many_connections") >= 1000
        with pytest.raises(Refused) as why:
            await Stream.open(cluster, USERS, "stream", {"user": "many", "device": "other"})
        assert (why.value.status, why.value.answer["code"]) == (429, "too_many_connections")
        again = device(0)  # one that comes again takes its own place
        again.cursor = clients[0].welcome["cursor"]
        await again.open()
        await clients[0].until(lambda it: it.closed_code == 4403, what="the older one gives way")
        await again.close()
        late = device(DEVICES)
        late.cursor = "1:0"
        await late.open()
        for client in (*clients, late):
            await client.close()

    run(scenario())


def test_who_shows_a_token_is_told_before_the_upgrade(cluster):
    async def scenario():
        def hello(**more):
            return frame(TEXT, json.dumps({"t": "hello", **more}).encode())

        sockets = []
        for i in range(DEVICES):
            raw, answer = await shake(
                cluster, KNOWN, "/ws", **bearer(token("owner", device=f"d{i}"))
            )
            await raw.write(hello(device=f"d{i}"))
            assert json.loads((await raw.read_frame())[1])["t"] == "welcome"
            sockets.append(raw)
        for scope, status in (("", 429), ("meridian.service", 101)):
            shown = token("owner", device="late", scope=scope)
            raw, answer = await shake(cluster, KNOWN, "/ws", **bearer(shown))
            assert answer.status == status
            sockets.append(raw)
        for raw in sockets:
            raw.abort()
        # One who has no turn left, whatever cursor it would show, need not come so far.
        shown, begun = bearer(token("often", device="d1")), time.monotonic()
        for logins in range(10 * LOGINS):
            raw, answer = await shake(cluster, KNOWN, "/ws", **shown)
            if answer.status != 101:
                break
            await raw.write(hello(cursor="1:0" if logins else None))
            await raw.read_frame()
            raw.abort()
        assert answer.status == 429
        assert 1 <= int(answer.all("retry-after")[0]) <= 60 / LOGINS
        assert 2 * LOGINS <= logins <= 2 * LOGINS + (time.monotonic() - begun) * LOGINS / 60 + 1
        raw.abort()

    run(scenario())


def test_all_devices_of_a_user_come_back_from_an_edge_that_stops(cluster):
    async def scenario():
        clients = [Client(cluster, "busy", [BACK, REQUESTS], device=f"d{i}") for i in range(8)]
        for client in clients:
            await client.open_forever()
            client.cursor = client.welcome["cursor"]
        await refused(Client(cluster, "busy", BACK, device="ninth"), "too_many_connections")
        for _ in range(2):  # the second time an edge has just begun
            await asyncio.to_thread(cluster.edges[BACK].terminate)
            cluster.edges[BACK].start()
            await asyncio.to_thread(cluster.wait_ready, BACK)
            for client in clients:
                client.edges = [BACK]
                await client.until(lambda it: it.reconnects and it.connected.is_set(), 20)
        codes = {one.get("code") for client in clients for one in kinds(client, "error")}
        assert not codes & {"rate_limited", "too_many_connections"}
        for client in clients:
            await client.close()

    run(scenario())


# Pings, answers that are not taken, and silence


def test_pings_at_the_bound_are_answered_and_a_flood_takes_no_memory(cluster):
    """A11."""

    async def scenario():
        raw, _ = await shake(cluster, QUIET, "/ws/pinger")
        for i in range(40):  # as many as there may be at once
            await raw.write(frame(PING, b"%d" % i))
            while (got := await raw.read_frame())[0] != PONG:
                assert got[0] == PING
            assert got[1] == b"%d" % i
        edge = cluster.edges[QUIET]
        before, begun = edge.rss_bytes(), time.monotonic()
        own, flood = blocking(raw), frame(PING, b"x" * 125) * 8000
        written, most = 0, before
        with contextlib.suppress(ConnectionError):  # not all that is behind the close is taken
            while written < 50 * 2**20:  # and nothing is read
                await asyncio.to_thread(own.sendall, flood)
                written += len(flood)
                most = max(most, edge.rss_bytes())
        own.close()
        grown, took_s = (most - before) / 2**20, time.monotonic() - begun
        raw.writer.transport.resume_reading()
        while (got := await raw.read_frame())[0] in (PING, PONG):
            pass
        assert got[0] == CLOSE and got[1][:2] == (1008).to_bytes(2, "big")
        assert grown <= 10 and written < 50 * 2**20
        print(f"{written >> 20} MiB of pings in {took_s:.1f} s, RSS {grown:+.1f} MiB, pass: 1")
        raw.abort()

    run(scenario())


def blocking(raw):
    """The socket of one who writes, and does not read."""
    raw.writer.transport.pause_reading()
    own = raw.writer.get_extra_info("socket").dup()
    own.settimeout(20)
    return own


def fill(sock, data):
    """Writes until for a second nothing more is taken; returns how much was."""
    sock.settimeout(1)
    written, rest = 0, b""
    while written < 64 * 2**20:
        rest = rest or data
        try:
            size = sock.send(rest)
        except TimeoutError:
            break
        written, rest = written + size, rest[size:]
    return written, rest


def test_who_does_not_take_its_answers_is_not_read(cluster):
    async def scenario():
        raw, _ = await shake(cluster, REQUESTS, "/ws/deaf")
        edge = cluster.edges[REQUESTS]
        before = edge.rss_bytes()
        own, question = blocking(raw), frame(TEXT, b'{"what":"%s"}' % (b"?" * 100))
        written, rest = await asyncio.to_thread(fill, own, question * 1000)
        grown = (edge.rss_bytes() - before) / 2**20
        assert rest, "it reads whatever comes"
        raw.writer.transport.resume_reading()
        own.settimeout(20)
        writing = asyncio.create_task(asyncio.to_thread(own.sendall, rest + frame(PING, b"end")))
        answers = 0
        while (got := await raw.read_frame())[0] != PONG:
            answers += got[0] == TEXT
        await writing
        assert answers == (written + len(rest)) // len(question)
        print(
            f"{written >> 10} KiB taken of who reads nothing, RSS {grown:+.1f} MiB; then all answered"
        )
        own.close()
        raw.abort()

    run(scenario())


def test_the_idle_are_closed_and_a_ping_is_no_activity(cluster):
    async def scenario():
        quiet = await Client(cluster, "quiet", QUIET).open()
        talks = await Client(cluster, "talks", QUIET).open()
        hears = await Client(cluster, "hears", QUIET).open()
        assert quiet.welcome["idle_s"] == IDLE_S
        begun = time.monotonic()
        while quiet.connected.is_set():
            await quiet.socket.ping()
            await talks.send("hears", 1, f"m{time.monotonic()}")
            await asyncio.sleep(0.3)
            assert time.monotonic() - begun < 20
        took_s = time.monotonic() - begun
        assert quiet.closed_code == 4001
        assert took_s >= IDLE_S - 0.1
        assert talks.connected.is_set() and hears.connected.is_set()
        cluster.edges[QUIET].wait_log("an idle client is closed")
        print(
            f"closed with 4001 after {took_s:.1f} s, idle after {IDLE_S} s; who talks or hears stays"
        )
        await talks.close()
        await hears.close()

    run(scenario())
