"""The frames of RFC 6455, rule by rule, at a real edge; rfc6455_handshake_test.py has what comes
before. Each row is sent whole, in single bytes, and cut at random; what must be answered is the
same. A message to oneself comes back byte for byte, which tells what the edge understood."""

import asyncio
import collections
import itertools
import json
import random

import pytest

from lab import Cluster
from lab.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    Broken,
    RawSocket,
    close_frame,
    frame,
    head,
    read_close,
)

MESSAGE_MAX = 96 * 1024  # limits.message_max
FRAMES_MANY = 500
Row = collections.namedtuple("Row", "section name data pongs texts close")
numbers = itertools.count()


def user_of(number):
    return f"frames-{number}"


def message(number, size=0, text="a"):
    """A message to oneself, of that many bytes."""
    start = '{"recipient_id":"%s","text":"' % user_of(number)
    fill = max(size - len(start.encode()) - 2, 0) if size else 0
    return (start + (text * fill if size else text) + '"}').encode()


def good(section, name, make):
    """make(number): (bytes, pongs, texts). After it the connection is well."""
    number = next(numbers)
    data, pongs, texts = make(number)
    return Row(section, name, data, pongs, texts, None)


def bad(section, name, data, code=1002, pongs=()):
    next(numbers)
    return Row(section, name, data, list(pongs), [], code)


def whole(size=0, text="a", form=None):
    def make(number):
        body = message(number, size, text)
        return frame(TEXT, body, form=form), [], [body]

    return make


def cut(body, sizes, between=b""):
    """A message in fragments of these sizes, the rest in the last, with frames between them."""
    out, at = b"", 0
    for index, size in enumerate(sizes):
        out += frame(CONTINUATION if index else TEXT, body[at : at + size], fin=False) + between
        at += size
    return out + frame(CONTINUATION if sizes else TEXT, body[at:])


def fragments(sizes, between=b"", pongs=(), text="a"):
    def make(number):
        body = message(number, text=text)
        return cut(body, sizes, between), list(pongs), [body]

    return make


def utf8_cut_everywhere(number):
    body = message(number, text="\u00e9\u20ac\U0001f600 \u07ff\u0800\uffff\U00010000\U0010ffff")
    return cut(body, [1] * (len(body) - 1)), [], [body]


def pings(*payloads, **more):
    return lambda number: (b"".join(frame(PING, p, **more) for p in payloads), list(payloads), [])


NOT_UTF8 = {
    "a byte that begins nothing": b"\xff",
    "a continuation alone": b"\x80",
    "overlong, two bytes": b"\xc0\xaf",
    "overlong, three bytes": b"\xe0\x80\xaf",
    "overlong, four bytes": b"\xf0\x80\x80\xaf",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a letter in a code point": b"\xe2\x82a",
}
ROWS = [
    # 5.2: the base frame
    good("5.2", "a text", whole()),
    good("5.2", "a length of 125", whole(125)),
    good("5.2", "a length of 126", whole(126)),
    good("5.2", "a length of 65535", whole(65535)),
    good("5.2", "a length of 65536", whole(65536, form=64)),
    bad("5.2", "the first reserved bit", frame(TEXT, b"{}", rsv=4)),
    bad("5.2", "the second reserved bit", frame(TEXT, b"{}", rsv=2)),
    bad("5.2", "the third reserved bit", frame(PING, b"", rsv=1)),
    *[bad("5.2", f"opcode {o}", frame(o, b"x")) for o in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    bad("5.2", "7 bits would do for 16", frame(TEXT, b"{}", form=16)),
    bad("5.2", "7 bits would do for 64", frame(TEXT, b"{}", form=64)),
    bad("5.2", "16 bits would do for 64", frame(TEXT, b"x" * 126, form=64)),
    bad("5.2", "the highest bit of a length", frame(TEXT, b"", form=64, claims=1 << 63)),
    bad("5.2", "a text over the limit", frame(TEXT, b"", form=64, claims=MESSAGE_MAX + 1), 1009),
    bad("5.2", "a huge text", frame(TEXT, b"", form=64, claims=(1 << 63) - 1), 1009),
    # 5.1, 5.3: masks
    bad("5.1", "a text that is not masked", frame(TEXT, b"{}", bare=True)),
    bad("5.1", "a ping that is not masked", frame(PING, b"", bare=True)),
    bad("5.1", "a close that is not masked", frame(CLOSE, b"\x03\xe8", bare=True)),
    good("5.3", "a mask of zeros", pings(b"zeros", mask=b"\0\0\0\0")),
    good("5.3", "a mask of ones", pings(b"ones", mask=b"\xff\xff\xff\xff")),
    # 5.4: fragments
    good("5.4", "two fragments", fragments([10])),
    good("5.4", "fragments of one byte", lambda n: fragments([1] * 20)(n)),
    good("5.4", "empty fragments", fragments([0, 10, 0, 0, 5, 0])),
    good("5.4", "an empty last fragment", lambda n: (
        cut(message(n), [len(message(n))]), [], [message(n)])),
    good("5.4", "pings between fragments", fragments([4, 4], frame(PING, b"mid"), [b"mid"] * 2)),
    good("5.4", "pongs between fragments", fragments([4, 4], frame(PONG, b"mid"))),
    good("5.4", "many fragments", lambda n: (
        cut(message(n, FRAMES_MANY + 60), [1] * FRAMES_MANY), [], [message(n, FRAMES_MANY + 60)])),
    bad("5.4", "a continuation of nothing", frame(CONTINUATION, b"x")),
    bad("5.4", "a continuation of nothing, more to come", frame(CONTINUATION, b"x", fin=False)),
    bad("5.4", "a continuation behind a control frame",
        frame(PING, b"x") + frame(CONTINUATION, b"x"), 1002, [b"x"]),
    bad("5.4", "a text within a text", frame(TEXT, b"[", fin=False) + frame(TEXT, b"]")),
    bad("5.4", "bytes within a text", frame(TEXT, b"[", fin=False) + frame(BINARY, b"]")),
    bad("5.4", "reserved bits in a continuation",
        frame(TEXT, b"[", fin=False) + frame(CONTINUATION, b"]", rsv=4)),
    bad("5.4", "fragments over the limit together",
        frame(TEXT, b'"' + b"x" * 60000, fin=False)
        + frame(CONTINUATION, b"", form=16, claims=MESSAGE_MAX - 60000), 1009),
    # 5.5: control frames
    good("5.5.2", "a ping without a payload", pings(b"")),
    good("5.5.2", "a ping of 125 bytes", pings(bytes(range(125)))),
    good("5.5.2", "a ping that is no UTF-8", pings(b"\xff\xfe\x00")),
    good("5.5.2", "ten pings", pings(*[b"%d" % i for i in range(10)])),
    good("5.5.3", "a pong that nobody asked for", lambda n: (frame(PONG, b"why"), [], [])),
    bad("5.5", "a ping of 126 bytes", frame(PING, b"x" * 126)),
    bad("5.5", "a pong of 126 bytes", frame(PONG, b"x" * 126)),
    bad("5.5", "a close of 126 bytes", frame(CLOSE, b"\x03\xe8" + b"x" * 124)),
    bad("5.5", "a ping in fragments", frame(PING, b"x", fin=False)),
    bad("5.5", "a pong in fragments", frame(PONG, b"x", fin=False)),
    bad("5.5", "a close in fragments", frame(CLOSE, b"\x03\xe8", fin=False)),
    # 5.6: data frames; this server takes JSON, which is text
    bad("5.6", "bytes", frame(BINARY, b"{}"), 1003),
    # 8.1: UTF-8
    good("8.1", "all lengths of code points", whole(text="\u00e9\u20ac\U0001f600\U0010ffff")),
    good("8.1", "code points cut everywhere", utf8_cut_everywhere),
    *[bad("8.1", name, frame(TEXT, b'"' + data + b'"'), 1007) for name, data in NOT_UTF8.items()],
    bad("8.1", "a code point that does not end", frame(TEXT, b'"\xe2\x82'), 1007),
    bad("8.1", "a bad byte in the first fragment, which must not wait for the last",
        frame(TEXT, b'"\xff', fin=False), 1007),
    bad("8.1", "a code point cut by fragments that goes on wrong",
        frame(TEXT, b'"\xe2\x82', fin=False) + frame(CONTINUATION, b'"'), 1007),
    # 5.5.1, 7: closing
    bad("5.5.1", "a close without a code", frame(CLOSE), NO_CODE),
    bad("5.5.1", "a close of one byte", frame(CLOSE, b"\x03")),
    bad("5.5.1", "a close with a reason", close_frame(1000, "adi\u00f3s".encode()), 1000),
    bad("5.5.1", "a close with the longest reason", close_frame(1000, b"x" * 123), 1000),
    bad("8.1", "a reason that is no UTF-8", close_frame(1000, b"\xff"), 1007),
    bad("5.5.1", "nothing counts behind a close", close_frame(1000) + frame(PING, b"x"), 1000),
    bad("5.5.1", "a close between fragments",
        frame(TEXT, b"[", fin=False) + close_frame(1001), 1001),
    bad("5.5.1", "a ping before a close", frame(PING, b"x") + close_frame(1000), 1000, [b"x"]),
    *[bad("7.4.1", f"code {c}", close_frame(c), c)
      for c in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)],
    *[bad("7.4.2", f"code {c}", close_frame(c))
      for c in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)],
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, shards=1) as cluster:
        cluster.start()
        yield cluster


def answers_pings(pongs, expected):
    """5.5.3: of pings that wait at one time, the newest may be answered alone."""
    rest = iter(expected)
    return pongs[-1:] == expected[-1:] and all(payload in rest for payload in pongs)


async def answers(socket, row):
    """Reads until all that the row waits for is there, or the end."""
    pongs, texts = [], []
    probe = b"" if row.close else frame(PING, b"probe")
    if not row.pongs:
        await socket.write(probe)
    while True:
        got = await socket.read_frame()
        if got is None:
            raise Broken("the connection ends without a close frame")
        opcode, payload = got
        if opcode == PONG and payload == b"probe":
            break
        if opcode == CLOSE:
            await socket.read_end()
            return pongs, texts, read_close(payload)[0]
        {PONG: pongs, TEXT: texts, PING: []}[opcode].append(payload)
        if probe and opcode == PONG and payload == row.pongs[-1]:  # not sooner: it would be newer
            await socket.write(probe)
            probe = b""
    while len(texts) < len(row.texts):
        opcode, payload = await socket.read_frame()
        if opcode == TEXT:
            texts.append(payload)
    return pongs, texts, None


async def check(cluster, row, sizes):
    socket = await RawSocket.connect(cluster.url["sin-1"])
    try:
        answer = await socket.handshake(head(path=f"/ws/{user_of(ROWS.index(row))}"))
        assert answer.status == 101, answer.status
        await socket.write_cut(row.data, sizes)
        pongs, texts, code = await asyncio.wait_for(answers(socket, row), 15)
        if not answers_pings(pongs, row.pongs) or texts != row.texts or code != row.close:
            return f"pongs {pongs!a:.80}, texts {texts!a:.120}, close {code}"
        if row.close is None:
            await socket.write(close_frame(1000))
            while (got := await socket.read_frame())[0] != CLOSE:
                pass
            if read_close(got[1])[0] != 1000:
                return f"closes with {read_close(got[1])}"
        return None
    except (Broken, AssertionError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        await socket.close()


async def all_rows(cluster, sizes_of):
    limit = asyncio.Semaphore(16)

    async def one(row):
        async with limit:
            return await check(cluster, row, sizes_of(row))

    found = await asyncio.gather(*(one(row) for row in ROWS))
    return [f"{row.section} {row.name}: {wrong}" for row, wrong in zip(ROWS, found) if wrong]


def random_cuts(row):
    chance = random.Random(ROWS.index(row))
    return [chance.choice((1, 2, 3, 7, 130, 5000)) for _ in range(400)]


CUTS = {
    "in one write": lambda row: [],
    "in single bytes": lambda row: [1] * min(len(row.data) + 11, 400),
    "cut at random": random_cuts,
}


@pytest.mark.parametrize("how", CUTS)
def test_every_rule_of_frames(cluster, how):
    wrong = asyncio.run(asyncio.wait_for(all_rows(cluster, CUTS[how]), 120))
    print(f"{len(ROWS)} rules, {how}: {len(ROWS) - len(wrong)} kept", flush=True)
    assert not wrong, "\n".join(wrong)


def test_a_client_that_goes_without_a_word_is_let_go(cluster):
    """7.1.5: the connection ends without a close frame; and half of it may end first."""

    async def scenario():
        for leave in (RawSocket.abort, RawSocket.end_output):
            socket = await RawSocket.connect(cluster.url["sin-1"])
            await socket.handshake(head(path="/ws/leaver"))
            await socket.write(frame(TEXT, b"[", fin=False))
            leave(socket)
            if leave is RawSocket.end_output:
                assert await asyncio.wait_for(socket.reader.read(), 15) is not None
            await socket.close()
        health = lambda: json.loads(cluster.http("sin-1", "/healthz")[2])
        end = asyncio.get_running_loop().time() + 20
        while (await asyncio.to_thread(health))["sessions"] > 0:
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.1)

    asyncio.run(asyncio.wait_for(scenario(), 60))
