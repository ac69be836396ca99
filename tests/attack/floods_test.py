"""Connections that are many and worth nothing: rows A1 to A6 and A29 of docs/attacks.md."""

import asyncio
import multiprocessing
import random
import time

import pytest

from lab import Client
from lab.bystanders import MIB
from lab.crowd import Crowd
from lab.promise import hold
from lab.raw_socket import head
from lab.record import percentile

EDGE = "sin-1"
KIB = 1024
WEBSOCKET = head(Sec_WebSocket_Protocol="meridian.v1")


def ask(cluster):
    """Seconds until an honest request is answered."""
    begun = time.monotonic()
    assert cluster.http(EDGE, "/healthz", timeout_s=30)[0] == 200
    return time.monotonic() - begun


def test_heads_that_drip_are_cut_off(cluster, edge_at, healthy, full):
    """A1: the time for a request is one for all of it."""
    count, request_s = (2000, 10) if full else (200, 2)
    start = b"GET /ws HTTP/1.1\r\nHost: x\r\nX-A: "
    with Crowd(edge_at) as crowd:
        crowd.open(count, start)
        took_s = crowd.until(
            lambda: crowd.open_count() == 0, 60, "all are cut off", do=lambda: crowd.say(b"a")
        )
        lives = [one.closed_at - one.connected_at for one in crowd.members if one.connected_at]
    print(f"{count} dripped heads: all cut off after {took_s:.1f} s")
    hold("the longest of them", max(lives), request_s + 2)
    assert min(lives) >= 0.9, "who is slow has a second at the least"


def test_connections_that_say_nothing_are_bounded(cluster, edge_at, healthy, full):
    """A2: they wait outside, or the oldest gives way; an honest request gets its turn."""
    count, seconds = (15000, 15) if full else (1500, 4)
    asked = []
    with Crowd(edge_at) as crowd:
        crowd.open(count)
        crowd.during(1)
        context = multiprocessing.get_context("fork")
        with context.Pool(1) as honest:
            waiting = honest.map_async(honest_requests, [(cluster.url[EDGE], seconds)])
            crowd.during(seconds)
            asked = waiting.get(40)[0]
        peak = healthy.peak_growth()
        gone = count - crowd.open_count()
    print(
        f"{count} silent connections: {gone} closed in {seconds + 1} s; beside them "
        f"{len(asked)} honest requests, the slowest {max(asked):.1f} s"
    )
    hold("memory for them", peak / MIB, 64, "MiB")
    hold("an honest request behind them all", max(asked), 10)


def honest_requests(what):
    """Times of requests one after the other, for so long. In a process of its own."""
    import urllib.request

    url, seconds = what
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
            assert answer.status == 200
        times.append(time.monotonic() - begun)
        time.sleep(0.05)
    return times


def test_websockets_without_a_hello_are_closed(cluster, edge_at, healthy, full):
    """A3: so many and no more, each for the time of a hello."""
    count, bound, hello_s = (15000, 8000, 5) if full else (1500, 200, 2)
    with Crowd(edge_at) as crowd:
        crowd.open(count, WEBSOCKET)
        took_s = crowd.until(lambda: crowd.open_count() == 0, 90, "all are closed")
        taken = [one for one in crowd.members if one.status == 101]
        refused = sum(one.status == 503 for one in crowd.members)
        lives = [one.closed_at - one.connected_at for one in taken]
        peak = healthy.peak_growth()
        assert all(b"\x03\xf0no hello" in one.heard for one in taken), "closed with 1008"
    print(
        f"{count} WebSockets without a hello: {len(taken)} taken, {refused} answered 503, "
        f"all closed after {took_s:.1f} s"
    )
    assert len(taken) >= bound // 2
    hold("the longest of them", max(lives), hello_s + 2)
    hold("memory for each", peak / KIB / bound, 24, "KiB")


def test_clients_that_only_stay_cost_little(cluster, edge_at, healthy, full):
    """A4: authenticated and idle. They are pinged and otherwise left alone."""
    count, at_once, watch_s = (15000, 400, 35) if full else (600, 60, 2)
    with Crowd(edge_at) as crowd:
        begun = time.monotonic()
        while len(crowd.members) < count:
            number = len(crowd.members)
            crowd.open(min(at_once, count - number), lambda n: head(path=f"/ws/idle-{n}"))
            crowd.until(lambda: all(one.status for one in crowd.members[number:]), 30, "answers", 9)
            crowd.during(0.3 if full else 0.2)
        opened_s = time.monotonic() - begun
        assert crowd.statuses() == {101: count}
        crowd.during(2)
        peak, cpu_s, begun = healthy.peak_growth(), healthy.edge.cpu_s(), time.monotonic()
        crowd.during(watch_s)
        cpu = 100 * (healthy.edge.cpu_s() - cpu_s) / (time.monotonic() - begun)
        assert crowd.open_count() == count
    print(
        f"{count} idle clients opened in {opened_s:.1f} s, {peak / count:.0f} bytes each at the "
        f"largest; for {watch_s} s, with the bystanders, {cpu:.1f} % of a core"
    )


def flood(address, seconds, per_s):
    """Handshakes at a rate, each ended when it is answered: (tried, {status: count})."""
    tried, statuses = 0, {}
    end, begun = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < end:
        with Crowd(address) as crowd:
            due = int((time.monotonic() - begun) * per_s) - tried
            crowd.open(max(1, min(due, per_s // 10)), WEBSOCKET)
            crowd.until(lambda: all(m.status or not m.is_open for m in crowd.members), 30, "all")
            tried += len(crowd.members)
            for status, count in crowd.statuses().items():
                statuses[status] = statuses.get(status, 0) + count
    return tried, statuses


def test_a_flood_of_handshakes_lets_others_log_in(cluster, edge_at, healthy, full):
    """A5: what is above the rate is answered 503, and a client that tries again gets in."""
    seconds, per_s = (30, 5000) if full else (4, 500)

    async def log_in(number):
        begun = time.monotonic()
        while True:
            client = Client(cluster, f"honest-{number}", EDGE)
            try:
                await client.open()
                await client.close()
                return time.monotonic() - begun
            except Exception as refused:  # 503, however the library calls it
                assert "503" in str(refused), refused
                await asyncio.sleep(random.uniform(0.05, 0.15))

    async def honest(flooding):
        times = []
        while not flooding.ready():
            times.append(await log_in(len(times)))
            await asyncio.sleep(0.1)
        return times

    with multiprocessing.get_context("fork").Pool(1) as pool:
        flooding = pool.apply_async(flood, (edge_at, seconds, per_s))
        times = asyncio.run(asyncio.wait_for(honest(flooding), 120))
        tried, statuses = flooding.get(1)
    print(
        f"{tried} handshakes in {seconds} s, answers {statuses}; "
        f"{len(times)} honest logins, the slowest {max(times):.2f} s"
    )
    rate = 4000 if full else 200  # limits.handshakes_per_s
    assert statuses.get(503) or tried < 1.1 * rate * seconds, "what is above it is refused"
    hold("an honest login, p99", percentile(times, 0.99), 1)


HEADS = {
    "64 KiB in one header": b"GET /ws HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * (64 * KIB),
    "1 MiB in one header": b"GET /ws HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * MIB,
    "5,000 headers": b"GET /ws HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
    "1 MiB of a path": b"GET /" + b"a" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_is_too_large_is_refused(cluster, edge_at, what):
    """A6, one by one: refused or ended, and never become a WebSocket."""
    with Crowd(edge_at) as crowd:
        crowd.open(1, HEADS[what])
        took_s = crowd.until(lambda: crowd.open_count() == 0, 30, "it is refused")
        print(f"{what}: answer {crowd.members[0].status}, ended after {took_s:.2f} s")
        assert crowd.members[0].status in (None, 400, 413, 431)


def test_large_heads_at_once_are_bounded(cluster, edge_at, healthy, full):
    """A6, together, and none of them ends."""
    count, request_s = (2000, 10) if full else (200, 2)
    start = b"GET /ws HTTP/1.1\r\nHost: x\r\nX-A: "
    with Crowd(edge_at) as crowd:
        crowd.open(count, start + b"a" * (300 * KIB))
        took_s = crowd.until(lambda: crowd.open_count() == 0, 60, "all are cut off")
        peak = healthy.peak_growth()
        answers = crowd.statuses()
    print(f"{count} heads of 300 KiB without an end: cut off after {took_s:.1f} s, {answers}")
    assert 101 not in answers
    hold("time for them", took_s, request_s + 2)
    hold("memory for them", peak / MIB, 600, "MiB")


HELLO = bytes.fromhex("16030100c4010000c00303")  # of TLS, whose rest never comes


def test_half_tls_handshakes_are_bounded(cluster, healthy, full):
    """A29: 2,000 of them, each with the beginning of a hello."""
    count, handshake_s = (2000, 15) if full else (200, 2)
    with Crowd(cluster.tls_at) as crowd:
        crowd.open(count, HELLO)
        took_s = crowd.until(lambda: crowd.open_count() == 0, 60, "all are cut off")
        peak = healthy.peak_growth()
    print(f"{count} half TLS handshakes: all cut off after {took_s:.1f} s")
    hold("time for them", took_s, handshake_s + 2)
    hold("memory for each", peak / KIB / count, 64, "KiB")
