"""What comes behind the handshake: rows A7, A8, A10, A11 and A32 of docs/attacks.md."""

import asyncio
import json
import time
from socket import SO_RCVBUF, SOL_SOCKET

import pytest

from lab import Client
from lab.bystanders import MIB
from lab.crowd import Crowd
from lab.promise import hold
from lab.raw_socket import (
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    RawSocket,
    frame,
    head,
    read_close,
)

EDGE = "sin-1"
KIB = 1024
MESSAGE_MAX = 96 * KIB  # limits.message_max
CLOSED_S = 10


def run(scenario, timeout_s=120):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


async def plain(cluster, user):
    raw = await RawSocket.connect(cluster.url[EDGE])
    assert (await raw.handshake(head(path=f"/ws/{user}"))).status == 101
    return raw


async def closed_with(raw):
    """Reads to the close frame."""
    while (got := await asyncio.wait_for(raw.read_frame(), 20))[0] != CLOSE:
        pass
    return read_close(got[1])[0]


LENGTHS = [(MESSAGE_MAX + 1, 1009), (1 << 32, 1009), ((1 << 63) - 1, 1009), (1 << 63, 1002)]


def test_lengths_that_lie_keep_nothing(cluster, healthy):
    """A7: judged by the header, before any of the payload."""

    async def scenario():
        for number, (claims, code) in enumerate(LENGTHS * 25):
            raw = await plain(cluster, f"liar-{number}")
            await raw.write(frame(TEXT, b"", form=64, claims=claims))
            assert await closed_with(raw) == code, claims
            await raw.close()

    run(scenario())
    hold("memory for 100 lies", healthy.peak_growth() / MIB, 1, "MiB")


def test_fragments_without_an_end_are_bounded(cluster, healthy, full):
    """A8: by the sum of them; empty ones take no room, whatever their number."""
    count = 100000 if full else 10000

    async def scenario():
        empty = await plain(cluster, "empty")
        await empty.write(frame(TEXT, b"{", fin=False))
        for _ in range(count // 1000):
            await empty.write(frame(CONTINUATION, b"", fin=False, mask=b"mask") * 1000)
        await empty.write(frame(PING, b"here"))
        while (await empty.read_frame())[1] != b"here":
            pass
        growth = healthy.peak_growth()
        endless, sent = await plain(cluster, "endless"), 1
        await endless.write(frame(TEXT, b'"', fin=False))
        closing = asyncio.create_task(closed_with(endless))
        while not closing.done() and sent <= 2 * MESSAGE_MAX:
            await endless.write(frame(CONTINUATION, b"x" * 1000, fin=False))
            await asyncio.sleep(0)
            sent += 1000
        assert await closing == 1009
        await empty.close()
        await endless.close()
        return growth

    growth = run(scenario())
    print(f"{count} empty fragments: {growth / KIB:.0f} KiB")
    hold("memory for fragments", healthy.peak_growth() / KIB, MESSAGE_MAX / KIB + 64, "KiB")


def test_one_who_never_reads_costs_little_and_finds_all(cluster, healthy, full):
    """A10: what it does not take waits in the mailbox, and not in the edge."""
    count, size, at_once = (10000, 4000, 100) if full else (800, 8000, 40)
    too_slow = "a client reads too slowly and is closed"

    async def scenario():
        sender = await Client(cluster, "a10-fast", EDGE).open()
        slow = await Client(cluster, "a10-slow", EDGE, auto_ack=False).open()
        transport = slow.socket.transport
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, 64 * KIB)
        transport.pause_reading()
        begun = time.monotonic()
        for start in range(0, count, at_once):
            await asyncio.gather(
                *(
                    sender.send("a10-slow", {"n": n, "x": "x" * size}, f"m{n}")
                    for n in range(start, start + at_once)
                )
            )
        rate, peak = count / (time.monotonic() - begun), healthy.peak_growth()
        closed = too_slow in healthy.edge.log()
        transport.abort()
        again = await Client(cluster, "a10-slow", EDGE).open()
        await again.until_messages(count, 90)
        assert [one["body"]["n"] for one in again.messages] == list(range(count))
        await sender.close()
        await again.close()
        return rate, peak, closed

    rate, peak, closed = run(scenario(), 160)
    print(
        f"{count} messages of {size} bytes at {rate:.0f}/s to one who reads nothing: "
        f"{'closed' if closed else 'kept within its credit'}; all were in the mailbox"
    )
    hold("memory of the edge for it", peak / MIB, 1, "MiB")


def test_pings_of_one_who_never_reads_are_bounded(cluster, edge_at, healthy, full):
    """A11: 50 MiB of them, which were once kept as pongs."""
    size = (50 if full else 5) * MIB
    one = frame(PING, b"x" * 119, mask=b"mask")
    with Crowd(edge_at, deaf=True) as crowd:
        crowd.open(1, head(path="/ws/pinging") + one * (size // len(one)))
        took_s = crowd.until(lambda: crowd.open_count() == 0, 60, "it is cut off")
        unsaid = len(crowd.members[0].unsaid)
    print(f"{size / MIB:.0f} MiB of pings: cut off after {took_s:.2f} s, {unsaid} bytes unsaid")
    hold("time for them", took_s, CLOSED_S)
    hold("memory for them", healthy.peak_growth() / MIB, 1, "MiB")


def send(body):
    return b'{"t":"send","id":"j","to":"nobody","body":' + body + b"}"


def deep(depth, start=b"[", end=b"]"):
    return start * depth + b"0" * (start != b"[") + end * depth


NOT_JSON = [
    *(b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"None", b"True", b"undefined"),
    *(b"01", b"+1", b".5", b"5.", b"1e", b"1e+", b"0x10", b"1_000", b"--1", b"1.e5", b"\xd9\xa1"),
    *(b"'a'", b'"a', b'"\\x41"', b'"\\u12"', b'"\n"', b'"\x00"', b'"\x1f"', b'"\t"', b'"\\"'),
    *(b"[1,]", b"[,1]", b"[1 2]", b"[1", b"1]", b"[1}", b'{"a"}', b'{"a":}', b'{"a":1,}'),
    *(b"{1:2}", b"{a:1}", b'{"a":1 "b":2}', b'{"a"=1}', b'{,"a":1}', b"{null:1}", b"{[]:1}"),
    *(b"// c\n1", b"/* c */1", b"1 # c", b"<x/>", b"!!js/function 1", b"&a [*a]", b"", b" "),
    *(b"\xef\xbb\xbf1", b"1\x00", b"\x001", b"1;2", b"1,2", b"(1)", b"`1`", b"1\x0c", b"\xc2\xa01"),
    *(deep(n) for n in (32, 33, 100, 1000, 10000, 40000)),
    *(deep(n, b'{"a":', b"}") for n in (32, 100, 1000, 10000)),
    *(b"[" * 10000, b'{"a":' * 10000, b"[{" * 5000, b"]" * 10000, b'"' + b"\\" * 9999),
]
IS_JSON = [
    *(b"1e999", b"-1e999", b"1e-999", b"9007199254740993", b"1" * 400, b"-0", b"0.1e-7"),
    *(b"123456789012345678901234567890", b"0." + b"3" * 400, b'"\\u0000"', b'{"a":1,"a":2}'),
    *(b'{"__proto__":{"x":1}}', b'{"":0}', b'"\\ud83d\\ude00"', b'"\\/"', b'"\x7f"', b" [ ] "),
    *(b'{"t":"send","to":"other"}', b"{}", b"[[[[[[[[]]]]]]]]", b'"' + b"y" * 60000 + b'"'),
]
NO_FRAMES = [b"[]", b"0", b'"send"', b"null", b"{}", b'{"t":1}', b'{"t":null}', b'{"t":["send"]}']
NO_FRAMES += [b'{"t":"sen\\u0064","id":"q","to":7,"body":1}', b'{"t":"send","t":"ack","body":1}']
NO_FRAMES += [b'{"t":"ack","cursor":1e999}', b'{"t":"ack","cursor":"9007199254740993:1"}']
NO_FRAMES += [b'{"t":"history","id":"h","limit":1e999}', b'{"t":"send","id":"\\ud800","to":"a"}']


async def answer(raw):
    while True:
        got = await asyncio.wait_for(raw.read_frame(), 20)
        if got is None or got[0] == CLOSE:
            return got and read_close(got[1])[0]
        if got[0] == TEXT:
            said = json.loads(got[1])
            if said["t"] in ("error", "accepted", "rejected"):
                return said.get("code", "accepted")


async def says(cluster, text):
    """What one who logged in is answered: a code."""
    raw = await RawSocket.connect(cluster.url[EDGE])
    try:
        request = head(Sec_WebSocket_Protocol="meridian.v1")
        assert (await raw.handshake(request)).status == 101
        await raw.write(frame(TEXT, b'{"t":"hello","user":"json","device":"%d"}' % (id(raw) % 9)))
        await raw.read_frame()
        await raw.write(frame(TEXT, text))
        return await answer(raw)
    finally:
        await raw.close()


@pytest.mark.parametrize(
    "kind, texts, allowed",
    [
        ("no JSON", [send(body) for body in NOT_JSON], {"bad_request", 1007, 1003, 4403, 1002}),
        ("JSON", [send(body) for body in IS_JSON], {"accepted"}),
        ("no frame", NO_FRAMES, {"bad_request", "unknown_kind", 1007}),
    ],
)
def test_odd_documents_are_answered_as_they_should(cluster, healthy, kind, texts, allowed):
    """A32: none is more than refused, and what is JSON is taken as it stands."""

    async def scenario():
        wrong, codes = [], {}
        for text in texts:
            code = await says(cluster, text)
            codes[code] = codes.get(code, 0) + 1
            if code not in allowed:
                wrong.append(f"{text[:60]!r}: {code}")
        return wrong, codes

    wrong, codes = run(scenario())
    print(f"{len(texts)} documents that are {kind}: {codes}")
    assert not wrong, "\n".join(wrong)
