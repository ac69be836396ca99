"""The opening handshake of RFC 6455, rule by rule, at a real edge; see rfc6455_test.py for frames.

What the edge may decide by itself and how it does: a subprotocol that it does not know is refused,
since who asks for one would not understand plain mode; so is a request with a body."""

import asyncio
import collections

import pytest

from lab import Cluster
from lab.raw_socket import PING, PONG, Broken, RawSocket, close_frame, frame, head

Row = collections.namedtuple("Row", "section name request status headers", defaults=({},))

V1 = "meridian.v1"


def good(section, name, protocol=None, **request):
    headers = {"sec-websocket-protocol": protocol} if protocol else {}
    return Row(section, name, request, 101, headers)


def bad(section, name, status=400, headers=None, **request):
    return Row(section, name, request, status, headers or {})


def other_version(name, **request):
    headers = {"sec-websocket-version": "13", "upgrade": "websocket"}
    return bad("4.4", name, 426, headers, **request)


def other_method(name, status=405, **request):
    return bad("4.1", name, status, {"allow": "GET, OPTIONS"}, **request)


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ROWS = [
    good("4.1", "a handshake as browsers send it", Origin="http://app.example"),
    good("4.2.1", "Origin is not needed, and may be null", Origin="null"),
    good("4.2.1", "headers that nobody knows", Cookie="a=b", X_Any="1", DNT="1"),
    # Method and version of HTTP
    other_method("POST", method="POST", Content_Length="0"),
    other_method("PUT", method="PUT", Content_Length="0"),
    other_method("HEAD", method="HEAD"),
    other_method("OPTIONS", 204, method="OPTIONS"),
    other_method("a method in small letters", method="get"),
    bad("4.1", "HTTP/1.0", version="HTTP/1.0"),
    bad("4.1", "no such HTTP", version="HTTP/9.9"),
    good("4.1", "the whole address as the target", path="http://meridian/ws/whole"),
    # Host
    bad("4.2.1", "no Host", drop=["Host"]),
    good("4.2.1", "Host with a port", host="meridian.example:8080"),
    # Upgrade and Connection: lists, without regard to case
    good("4.2.1", "Upgrade in capitals", Upgrade="WebSocket"),
    good("4.2.1", "Upgrade as one of a list", Upgrade="h2c, websocket"),
    good("4.2.1", "Upgrade in two lines", Upgrade=["h2c", "websocket"]),
    bad("4.2.1", "no Upgrade", drop=["Upgrade"]),
    bad("4.2.1", "Upgrade to something else", Upgrade="h2c"),
    bad("4.2.1", "Upgrade to what only begins so", Upgrade="websockets"),
    good("4.2.1", "Connection in small letters", Connection="upgrade"),
    good("4.2.1", "Connection as one of a list", Connection="keep-alive, Upgrade"),
    good("4.2.1", "Connection as one of a list without spaces", Connection="Upgrade,keep-alive"),
    good("4.2.1", "Connection in two lines", Connection=["keep-alive", "Upgrade"]),
    # Of several lines of these two the HTTP library sees the last: refused, never misread
    bad("4.2.1", "Connection in two lines, the other way", Connection=["Upgrade", "keep-alive"]),
    bad("4.2.1", "Upgrade in two lines, the other way", Upgrade=["websocket", "h2c"]),
    bad("4.2.1", "no Connection", drop=["Connection"]),
    bad("4.2.1", "Connection without upgrade", Connection="keep-alive"),
    # Names of headers, and the space around values (RFC 7230, 3.2)
    good("4.2.1", "names of headers in small letters", upgrade="websocket", connection="upgrade"),
    good("4.2.1", "space around values", Upgrade="   websocket\t ", Connection=" \tUpgrade  "),
    good("4.2.1", "space around the key", Sec_WebSocket_Key=f"  {KEY} \t"),
    good("4.2.1", "space around the version", Sec_WebSocket_Version=" 13 "),
    good("4.2.1", "no space at all", Upgrade="websocket", X_Empty=""),
    # The key: 16 bytes in base64, once
    bad("4.2.1", "no key", drop=["Sec-WebSocket-Key"]),
    bad("4.2.1", "an empty key", Sec_WebSocket_Key=""),
    bad("4.2.1", "a key of 15 bytes", Sec_WebSocket_Key="MTIzNDU2Nzg5MDEyMzQ1"),
    bad("4.2.1", "a key of 17 bytes", Sec_WebSocket_Key="MTIzNDU2Nzg5MDEyMzQ1Njc="),
    bad("4.2.1", "a key of 18 bytes, as long as a good one", Sec_WebSocket_Key="MTIz" * 6),
    bad("4.2.1", "a key that is no base64", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25j!!=="),
    bad("4.2.1", "a key in base64 for addresses", Sec_WebSocket_Key="dGhl_HNhbXBsZSBub25j-Q=="),
    bad("4.2.1", "a key cut short of its end", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ"),
    bad("11.3.1", "two keys", Sec_WebSocket_Key=[KEY, KEY]),
    good("4.2.1", "a key of all letters that base64 has", Sec_WebSocket_Key="+/AZaz09+/AZaz09+/AZag=="),
    # The version
    other_version("no version", drop=["Sec-WebSocket-Version"]),
    other_version("version 8", Sec_WebSocket_Version="8"),
    other_version("version 14", Sec_WebSocket_Version="14"),
    other_version("a leading zero", Sec_WebSocket_Version="013"),
    other_version("a list", Sec_WebSocket_Version="13, 8"),
    other_version("an empty version", Sec_WebSocket_Version=""),
    bad("11.3.5", "two versions", Sec_WebSocket_Version=["13", "13"]),
    # Subprotocols: what was asked for, and one at most
    good("4.2.2", "a subprotocol", V1, path="/ws", Sec_WebSocket_Protocol=V1),
    good("4.2.2", "one of a list", V1, path="/ws", Sec_WebSocket_Protocol=f"chat,  {V1} , x"),
    good("11.3.4", "one of two lines", V1, path="/ws", Sec_WebSocket_Protocol=["chat", V1]),
    good("11.3.4", "the first of two lines", V1, path="/ws", Sec_WebSocket_Protocol=[V1, "chat"]),
    bad("4.2.2", "a subprotocol nobody knows", Sec_WebSocket_Protocol="chat"),
    bad("4.2.2", "one that only begins so", Sec_WebSocket_Protocol="meridian.v10"),
    bad("4.2.2", "one in other letters", Sec_WebSocket_Protocol="MERIDIAN.V1"),
    bad("4.2.2", "none where one is needed", path="/ws"),
    # Extensions: none is spoken, and all are ignored, but for what is none
    good("9.1", "an extension", Sec_WebSocket_Extensions="permessage-deflate"),
    good(
        "9.1",
        "extensions with parameters",
        Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits; a=\"b\", x-foo; y=1",
    ),
    good("9.1", "extensions in two lines", Sec_WebSocket_Extensions=["foo; a", "bar"]),
    bad("9.1", "an extension without a name", Sec_WebSocket_Extensions="; a=1"),
    bad("9.1", "a parameter without a value", Sec_WebSocket_Extensions="foo; a="),
    bad("9.1", "a parameter without a name", Sec_WebSocket_Extensions="foo;"),
    bad("9.1", "a quote that does not end", Sec_WebSocket_Extensions='foo; a="b'),
    bad("9.1", "a quoted value that is no token", Sec_WebSocket_Extensions='foo; a="b c"'),
    bad("9.1", "bad extensions in the second line", Sec_WebSocket_Extensions=["foo", "foo bar"]),
    # The target
    bad("4.2.2", "nothing is there", 404, path="/nowhere"),
    bad("4.2.2", "a bad escape", path="/ws/%zz"),
    bad("4.2.2", "a user id that is no UTF-8", path="/ws/%FF"),
    good("4.2.2", "a query", path="/ws/query?device=phone&x=1"),
    # A body
    good("4.1", "a body of no bytes", Content_Length="0"),
    bad("4.1", "a body", Content_Length="0005"),
    bad("4.1", "a body in chunks", Transfer_Encoding="chunked"),
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, shards=1) as cluster:
        cluster.start()
        yield cluster


async def every(rows, check):
    """Runs check(row) for all of them at once, and returns what is wrong, a line for each."""
    limit = asyncio.Semaphore(32)

    async def one(row):
        async with limit:
            try:
                return await asyncio.wait_for(check(row), 15)
            except Exception as error:  # told with its row
                return f"{type(error).__name__}: {error}"

    found = await asyncio.gather(*(one(row) for row in rows))
    return [f"{row.section} {row.name}: {wrong}" for row, wrong in zip(rows, found) if wrong]


def test_every_rule_of_the_handshake(cluster):
    bodies = {"Content_Length": b"hello", "Transfer_Encoding": b"5\r\nhello\r\n0\r\n\r\n"}

    async def check(row):
        socket = await RawSocket.connect(cluster.url["sin-1"])
        request = {"path": f"/ws/handshake-{ROWS.index(row)}", **row.request}
        body = b"".join(body for name, body in bodies.items() if request.get(name, "0") != "0")
        try:
            answer = await socket.handshake(head(**request) + body)
            if answer.status != row.status:
                return f"answered {answer.status}, not {row.status}"
            for name, value in row.headers.items():
                if answer.all(name) != [value]:
                    return f"{name}: {answer.all(name)}, not {value}"
            if row.status == 101 and "sec-websocket-protocol" not in row.headers:
                if answer.all("sec-websocket-protocol"):
                    return "a subprotocol nobody asked for"
        finally:
            await socket.close()

    wrong = asyncio.run(every(ROWS, check))
    assert not wrong, "\n".join(wrong)


def test_what_comes_behind_the_request_counts(cluster):
    """A client must wait for the 101 (4.1); one that does not loses nothing."""

    async def scenario():
        request = head(path="/ws/hasty")
        for cut in (0, 1, 2, len(request) // 2, len(request) - 1, len(request)):
            socket = await RawSocket.connect(cluster.url["sin-1"])
            early = frame(PING, b"early") + close_frame(1000)
            await socket.write_cut(request + early, [cut] if cut else [])
            assert (await socket.response()).status == 101
            assert await socket.read_frame() == (PONG, b"early")
            assert await socket.read_frame() == (8, b"\x03\xe8")
            await socket.read_end()
            await socket.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_request_in_single_bytes(cluster):
    async def scenario():
        socket = await RawSocket.connect(cluster.url["sin-1"])
        request = head(path="/ws/slow-request", Sec_WebSocket_Extensions="permessage-deflate")
        await socket.write_cut(request, [1] * len(request))
        assert (await socket.response()).status == 101
        await socket.write(close_frame(1001))
        assert await socket.read_frame() == (8, b"\x03\xe9")
        await socket.read_end()
        await socket.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_refused_connection_can_be_asked_again(cluster):
    """4.2.2: another answer than 101 is HTTP, and HTTP goes on where it can."""

    async def scenario():
        socket = await RawSocket.connect(cluster.url["sin-1"])
        wrong = head(path="/ws/a", Connection="keep-alive, Upgrade", Sec_WebSocket_Version="8")
        answer = await socket.handshake(wrong)
        assert answer.status == 426
        assert "upgrade" in ",".join(answer.all("connection")).lower()  # RFC 7230, 6.7
        await socket.reader.readexactly(int(answer.all("content-length")[0]))
        answer = await socket.handshake(head(path="/ws/again"))
        assert answer.status == 101
        await socket.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_the_checks_are_checks():
    """The client sees a 101 that is not what it should be."""
    request = head(path="/ws/a")
    right = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",  # RFC 6455, 1.3
    }

    async def answered(**change):
        lines = [f"{name}: {value}" for name, value in {**right, **change}.items()]
        reader = asyncio.StreamReader()
        reader.feed_data("\r\n".join(["HTTP/1.1 101 x", *lines, "", ""]).encode())
        socket = RawSocket(reader, None)
        socket._check_switch(request, await socket.response())

    asyncio.run(answered())
    for change in (
        {"upgrade": "h2c"},
        {"connection": "close"},
        {"sec-websocket-accept": "x"},
        {"sec-websocket-extensions": "permessage-deflate"},
    ):
        with pytest.raises(Broken):
            asyncio.run(answered(**change))
