"""Two edges behind nginx and HAProxy, by the files that are shipped, with TLS up to them."""

import asyncio
import json
import re
import socket

import pytest

from lab import Client, Cluster, Haproxy, Nginx
from lab.process import wait_for
from lab.transports import Stream, poll, post

NGINX_FROM, HAPROXY_FROM, CLIENT_FROM = "127.0.0.3", "127.0.0.2", "127.0.0.77"
INVENTED = "198.51.100.66"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture(scope="module")
def cluster():
    settings = {
        "log.level": "debug",
        "proxy.networks": HAPROXY_FROM,
        "proxy.forwarded_networks": NGINX_FROM,
        "proxy.header_wait": "500ms",
        "origins": "https://app.example",
    }
    with Cluster(regions=1, shards=1, edges=2, edge_settings=settings) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="module")
def nginx(cluster):
    edges = [cluster.url[name].removeprefix("http://") for name in cluster.edges]
    balancer = Nginx(cluster, edges, NGINX_FROM)
    yield balancer.start()
    balancer.stop()


@pytest.fixture(scope="module")
def haproxy(cluster):
    edges = [cluster.url[name].removeprefix("http://") for name in cluster.edges]
    balancer = Haproxy(cluster, edges, HAPROXY_FROM)
    yield balancer.start()
    balancer.stop()


@pytest.fixture(params=["nginx", "haproxy"])
def balancer(request):
    return request.getfixturevalue(request.param)


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 60))


def client_of(balancer, user, **options):
    return Client(balancer, user, balancer.name, tls=balancer.trust, **options)


def handshake(*headers):
    lines = [
        "GET /ws HTTP/1.1",
        "Host: meridian",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: meridian.v1",
        *headers,
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def sessions_of(cluster, address):
    line = re.compile(rf"a session begins client={re.escape(address)}$", re.M)
    return sum(len(line.findall(edge.log())) for edge in cluster.edges.values())


def says_nothing_of(cluster, address):
    return all(address not in edge.log() for edge in cluster.edges.values())


def test_the_shipped_files_are_accepted(balancer):
    accepted, words = balancer.check()
    assert accepted, words
    assert "warn" not in words.lower(), words


def test_the_shipped_files_wait_longer_than_a_silent_client_is_silent():
    """Two heartbeats of 30 s, and a poll of up to 60 s, are the longest silences there are."""
    for shipped, names in (
        (Nginx.shipped, ["proxy_read_timeout", "proxy_send_timeout"]),
        (Haproxy.shipped, ["timeout client", "timeout server", "timeout tunnel"]),
    ):
        for name in names:
            found = re.search(rf"^\s*{name} (\d+)s", shipped.read_text(), re.M)
            assert found and int(found[1]) > 60, name


def wait_for_both(cluster, balancer):
    """A balancer gives an edge that has failed it some seconds."""
    seen = set()

    def both():
        status, body = balancer.get("/healthz")
        if status == 200:
            seen.add(json.loads(body)["edge"])
        return seen == set(cluster.edges)

    wait_for(both, 20, "both edges answer")


def test_messages_go_through_and_clients_are_spread(cluster, balancer):
    wait_for_both(cluster, balancer)

    async def scenario():
        clients = [await client_of(balancer, f"{balancer.name}-{i}").open() for i in range(6)]
        assert {client.welcome["edge"] for client in clients} == set(cluster.edges)
        for i, client in enumerate(clients):
            await client.send(f"{balancer.name}-{(i + 1) % 6}", {"from": i}, f"m{i}")
        for i, client in enumerate(clients):
            await client.until_messages(1)
            assert client.messages[0]["body"] == {"from": (i - 1) % 6}
            await client.close()

    run(scenario())


def test_calls_go_through_and_the_edge_judges_them(balancer):
    user = f"{balancer.name}-caller"
    post = {"recipient_id": user, "message": "hello", "id": "c1"}
    json_header = {"Content-Type": "application/json"}
    status, body = balancer.ask("POST", "/api/messages", json.dumps(post), json_header)
    assert (status, json.loads(body)) == (202, {"status": "sent", "id": "c1"})
    status, body = balancer.get(f"/api/messages/{user}?wait=5")
    assert status == 200 and [m["message"] for m in json.loads(body)] == ["hello"]
    post["message"] = "x" * 100_000
    status, body = balancer.ask("POST", "/api/messages", json.dumps(post), json_header)
    assert status == 413 and json.loads(body)["code"] == "too_large"


def test_clients_without_a_websocket_go_through_by_any_edge(cluster, balancer):
    wait_for_both(cluster, balancer)
    place, tls = (balancer, balancer.name), balancer.trust
    reader = {"user": f"{balancer.name}-reader", "device": "d1"}
    sender = {"user": f"{balancer.name}-sender", "device": "d1"}

    async def by_stream(kind, first):
        stream = await Stream.open(*place, kind, {**reader, "cursor": f"1:{first}"}, tls)
        await stream.until("welcome")
        for n in range(first, first + 5):
            frame = {"t": "send", "id": f"m{n}", "to": reader["user"], "body": n}
            assert (await post(*place, sender, frame, tls))[0]["t"] == "accepted"
            assert (await stream.until("msg"))["body"] == n, "passed on at once"
        ack = {"t": "ack", "cursor": f"1:{first + 5}"}
        assert await post(*place, reader, ack, tls) == [{"t": "acked", "cursor": ack["cursor"]}]
        await stream.close()

    async def by_poll(first):
        got = []
        while len(got) < 5:
            n = first + len(got)
            frame = {"t": "send", "id": f"m{n}", "to": reader["user"], "body": n}
            await post(*place, sender, frame, tls)
            frames = await poll(*place, {**reader, "cursor": f"1:{n}", "wait": 20}, tls)
            got += [frame["body"] for frame in frames if frame["t"] == "msg"]
        assert got == list(range(first, first + len(got)))

    async def scenario():
        await by_stream("sse", 0)
        await by_stream("stream", 5)
        await by_poll(10)

    run(scenario())


def test_a_browser_may_ask_what_a_path_takes(balancer):
    page = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    for path in ("/v1/sse", "/v1/stream", "/v1/poll", "/v1/frames", "/api/messages/bob"):
        asked = balancer.request("OPTIONS", path, None, page)
        told = {name.lower(): value for name, value in asked.headers.items()}
        method = "POST" if path == "/v1/frames" else "GET"
        assert asked.status == 204 and method in told["allow"], path
        assert method in told["access-control-allow-methods"]
        assert told["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_client_resumes_at_the_other_edge_when_its_edge_ends(cluster, balancer, end):
    user = f"{balancer.name}-{end}"

    async def scenario():
        client = await client_of(balancer, user).open_forever()
        first = client.welcome["edge"]
        other = next(name for name in cluster.edges if name != first)

        async def post(n):
            message = {"recipient_id": user, "message": n, "id": f"r{n}"}
            status, _, _ = await asyncio.to_thread(cluster.http, other, "/api/messages", message)
            assert status == 202

        for n in range(5):
            await post(n)
        await client.until_messages(5)
        await asyncio.to_thread(getattr(cluster.edges[first], end))
        for n in range(5, 10):
            await post(n)
        await client.until_messages(10, 20)
        assert client.welcome["edge"] == other and client.welcome["resumed"] is True
        assert [m["cursor"] for m in client.messages] == [f"1:{n + 1}" for n in range(10)]
        await client.close()
        return first

    ended = run(scenario())
    cluster.edges[ended].start()
    cluster.wait_ready(ended)


def test_the_edge_knows_the_client_and_believes_no_invented_one(cluster, balancer):
    before = sessions_of(cluster, CLIENT_FROM)
    balancer.source = CLIENT_FROM
    try:
        with balancer.open_tls() as client:
            client.sendall(
                handshake(f"X-Forwarded-For: {INVENTED}", f'Forwarded: for="{INVENTED}:80"')
            )
            assert b" 101 " in client.recv(4096)
            wait_for(lambda: sessions_of(cluster, CLIENT_FROM) == before + 1, 10, "the session")
    finally:
        balancer.source = "127.0.0.1"
    assert says_nothing_of(cluster, INVENTED)


def edge_socket(cluster, source):
    host, port = cluster.url["sin-1"].removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 5, source_address=(source, 0))


def what_is_answered(raw):
    """All until the edge ends the connection."""
    heard = b""
    try:
        while chunk := raw.recv(4096):
            heard += chunk
    except ConnectionResetError:
        pass
    return heard


V2 = SIGNATURE + bytes([0x21, 0x11, 0, 12, 198, 51, 100, 66, 127, 0, 0, 1, 18, 103, 0, 80])
V1 = f"PROXY TCP4 {INVENTED} 127.0.0.1 4711 80\r\n".encode()


@pytest.mark.parametrize("source", [CLIENT_FROM, NGINX_FROM])
@pytest.mark.parametrize("header", [V1, V2, SIGNATURE + b"\x20\0\0\0"])
def test_a_proxy_header_of_nobody_in_the_list_is_refused(cluster, source, header):
    with edge_socket(cluster, source) as raw:
        raw.sendall(header + handshake())
        assert b" 101 " not in what_is_answered(raw)
    assert says_nothing_of(cluster, INVENTED)


@pytest.mark.parametrize("bytes_sent", [b"", b"PROXY TC", handshake()])
def test_a_listed_balancer_must_send_a_header_in_time(cluster, bytes_sent):
    with edge_socket(cluster, HAPROXY_FROM) as raw:
        raw.sendall(bytes_sent)
        assert what_is_answered(raw) == b""


def test_a_forwarded_header_of_nobody_in_the_list_is_ignored(cluster):
    for headers in (
        [f"X-Forwarded-For: {INVENTED}"],
        [f"X-Forwarded-For: {INVENTED}, {NGINX_FROM}"],
        [f"Forwarded: for={INVENTED}"],
        [f"X-Real-IP: {INVENTED}"],
    ):
        before = sessions_of(cluster, CLIENT_FROM)
        with edge_socket(cluster, CLIENT_FROM) as raw:
            raw.sendall(handshake(*headers))
            assert b" 101 " in raw.recv(4096)
            wait_for(lambda: sessions_of(cluster, CLIENT_FROM) == before + 1, 10, "the session")
    assert says_nothing_of(cluster, INVENTED)
