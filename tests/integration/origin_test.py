"""Which web pages may open a WebSocket, at a real edge that has a list of them."""

import asyncio

import pytest

from lab import Cluster
from lab.raw_socket import RawSocket, head

GOOD = [
    "https://app.example",
    "http://localhost:8080",
    "https://[2001:db8::1]:8443",
    " \thttps://app.example ",  # space around a value is none of it
]
BAD = [
    "",
    "null",
    "*",
    "http://app.example",
    "https://app.example:443",
    "https://app.example:8443",
    "https://app.example/",
    "https://app.example.",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "https://evil.app.example",
    "https://app.example@evil.example",
    "https://evil.example?https://app.example",
    "https://app.example, http://localhost:8080",
    "https://App.example",
    "HTTPS://app.example",
    "app.example",
    "http://localhost",
    "http://localhost:80800",
    "https://[2001:db8::1]",
    ["https://app.example", "https://app.example"],
    ["https://evil.example", "https://app.example"],
    ["https://app.example", "https://evil.example"],
    "x" * 4000,
]


@pytest.fixture(scope="module")
def cluster():
    """Edges with a list, with "*", and with nothing."""
    lists = ["https://app.example, http://localhost:8080, https://[2001:db8::1]:8443", "*", ""]
    with Cluster(regions=1, edges=3, shards=1) as running:
        for edge, origins in zip(running.edges.values(), lists):
            edge.command += ["--set", f"origins={origins}"]
        running.start()
        yield running


async def status(cluster, edge, **headers):
    """What a request for a WebSocket is answered, in plain mode and as meridian.v1 alike."""
    found = []
    for path, more in [("/ws/alice", {}), ("/ws", {"Sec_WebSocket_Protocol": "meridian.v1"})]:
        socket = await RawSocket.connect(cluster.url[edge])
        answer = await socket.handshake(head(path=path, **more, **headers))
        if answer.status == 403:
            body = await socket.reader.readexactly(int(answer.all("content-length")[0]))
            assert b'"code":"forbidden"' in body
        found.append(answer.status)
        await socket.close()
    assert found[0] == found[1]
    return found[0]


def test_an_origin_of_the_list_and_no_other(cluster):
    async def run():
        for origin in GOOD:
            assert await status(cluster, "sin-1", Origin=origin) == 101, origin
        for origin in BAD:
            assert await status(cluster, "sin-1", Origin=origin) == 403, origin
        assert await status(cluster, "sin-1") == 101  # no browser

    asyncio.run(run())


def test_a_star_lets_every_origin_in_and_no_list_asks_for_none(cluster):
    async def run():
        for origin in (*GOOD, *BAD):
            one = origin and not isinstance(origin, list)
            assert await status(cluster, "sin-2", Origin=origin) == (101 if one else 403), origin
            assert await status(cluster, "sin-3", Origin=origin) == 101, origin

    asyncio.run(run())
