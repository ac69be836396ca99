"""Requests that two readers would cut in two ways: row A30 of docs/attacks.md."""

import asyncio

from lab.raw_socket import RawSocket, head

EDGE = "sin-1"
SECOND = b"GET /v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
HOST = b"Host: x\r\n"
POST = b"POST /api/messages HTTP/1.1\r\n" + HOST
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
UPGRADE = head(path="/ws/smuggler")[:-2]

REQUESTS = {
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n",
    "two lengths, the other way": POST + b"Content-Length: 36\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 0, 36\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n",
    "a length of 2^64": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding behind a tab": POST + b"Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a chunk that is too long": POST + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"f" * 17 + b"\r\n",
    "a space before the colon": POST + b"Content-Length : 36\r\n\r\n",
    "a folded header": POST + b"X-A: b\r\n Content-Length: 36\r\n\r\n",
    "a line of a zero byte": POST + b"X-A: b\0\r\nContent-Length: 36\r\n\r\n",
    "a bare line feed": b"POST /api/messages HTTP/1.1\n" + b"Host: x\nContent-Length: 36\n\n",
    "a bare carriage return": POST + b"X-A: b\rContent-Length: 36\r\n\r\n",
    "an upgrade with a body": UPGRADE + b"Content-Length: 36\r\n\r\n",
    "an upgrade in chunks": UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an upgrade with a request behind": UPGRADE + b"\r\n",
    "an upgrade of HTTP/1.0": UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
    "an upgrade to h2c": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "a whole address": b"GET http://other.example/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
}  # fmt: skip


# libh2o reads these in one way, the one of RFC 9112 where it has one, and then the next request:
# the answer to that one is not an answer to what was hidden.
GOES_ON = {
    "a length and chunks",
    "chunks and a length",
    "two lengths",
    "a coding behind a tab",
    "a folded header",
    "a whole address",
}


async def answers(cluster, data):
    """Statuses of all that comes back, until nothing more does."""
    raw = await RawSocket.connect(cluster.url[EDGE])
    heard = b""
    try:
        await raw.write(data + SECOND)
        while more := await asyncio.wait_for(raw.reader.read(65536), 0.5):
            heard += more
    except (asyncio.TimeoutError, OSError):
        pass
    finally:
        raw.abort()
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


def test_no_request_hides_in_another(cluster):
    """A30: nothing behind an upgrade is answered, and no request gives more answers than it has
    readings."""

    async def scenario():
        return await asyncio.gather(*(answers(cluster, data) for data in REQUESTS.values()))

    wrong, refused = [], 0
    for what, got in zip(REQUESTS, asyncio.run(asyncio.wait_for(scenario(), 60))):
        print(f"{what}: {got}")
        refused += got in ([], [400])
        if len(got) > (2 if what in GOES_ON else 1) or (101 in got and len(got) > 1):
            wrong.append(f"{what}: {got}")
    print(f"{refused} of {len(REQUESTS)} refused or waiting for more, none became a second request")
    assert not wrong, "\n".join(wrong)
    assert asyncio.run(answers(cluster, GET + b"\r\n")) == [200, 204], "two that are two"
