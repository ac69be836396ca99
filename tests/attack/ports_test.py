"""What listens, and what it does with anything: rows A20 and A31 of docs/attacks.md."""

import ipaddress
import os
import pathlib
import random
import time

from lab.cluster import NATS_CLIENT
from lab.crowd import Crowd
from lab.raw_socket import PING, TEXT, frame, head

EDGE, HUB = "sin-1", "sin-h1"
STARTS = [
    b"",
    b"GET /ws HTTP/1.1\r\n",
    b"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\n\r\n",
    head(path="/ws/random"),
    head(Sec_WebSocket_Protocol="meridian.v1") + frame(TEXT, b"{}"),
    head(path="/ws/random") + frame(PING, b"x"),
    b"GET /status HTTP/1.1\r\n",
    b"PROXY TCP4 ",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"CONNECT {}\r\nPUB a 5\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def listening(process):
    """(address, port) of each TCP port of a process."""
    inodes = set()
    for name in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{process.pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    found = []
    for line in pathlib.Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        host, port = words[1].split(":")
        if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
            address = ipaddress.ip_address(int.from_bytes(bytes.fromhex(host), "little"))
            found.append((str(address), int(port, 16)))
    for line in pathlib.Path(f"/proc/{process.pid}/net/tcp6").read_text().splitlines()[1:]:
        words = line.split()
        assert not (words[3] == "0A" and f"socket:[{words[9]}]" in inodes), line
    return found


def test_nothing_listens_but_what_the_catalogue_says(cluster):
    """A20: no port of its own for metrics or for looking inside; all of the lab is loopback."""
    said = cluster.catalogue.read_text()
    for process in [*cluster.edges.values(), *cluster.hubs.values()]:
        ports = listening(process)
        print(f"{process.name} listens at {ports}")
        assert ports
        for host, port in ports:
            assert f"{host}:{port}" in said or (host, port) == cluster.tls_at
            assert ipaddress.ip_address(host).is_loopback


def test_a_get_changes_nothing_and_names_nobody(cluster):
    """A20: what changes is a POST, at the edge; a hub answers questions alone."""
    for path in ("/api/messages", "/api/users/bob/disconnect", "/v1/frames"):
        status, headers, _ = cluster.http(EDGE, path)
        assert status == 405 and "GET" not in headers["allow"], path
    for path in ("/metrics", "/admin", "/debug", "/debug/pprof/", "/stats", "/server-status"):
        assert cluster.http(EDGE, path)[0] == 404, path
    assert cluster.http(EDGE, "/ws/somebody-named")[0] == 400
    for path in ("/healthz", "/readyz", "/status"):
        status, _, body = cluster.http(HUB, path)
        assert status == 200
        assert b"somebody-named" not in body and b"bystander" not in body
        assert cluster.http(HUB, path, b"x")[0] != 200, "a POST is no question"


def assault(address, chance, seconds):
    """Random bytes, behind the beginnings of what somebody means. How many bytes and connections."""
    sent = tries = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Crowd(address, sources=1) as crowd:
            for _ in range(20):
                noise = chance.randbytes(chance.choice((1, 7, 64, 700, 9000)))
                start = bytearray(chance.choice(STARTS))
                for _ in range(chance.choice((0, 0, 1, 5)) if start else 0):
                    start[chance.randrange(len(start))] = chance.randrange(256)
                crowd.open(1, bytes(start) + noise)
                sent += len(start) + len(noise)
            crowd.during(0.02)
            tries += len(crowd.members)
    return sent, tries


def test_random_bytes_harm_nothing(cluster, healthy, full):
    """A31: at every port of every process."""
    chance = random.Random(31)
    ports = [
        (name, address)
        for name, process in [*cluster.edges.items(), *cluster.hubs.items()]
        for address in listening(process)
    ]
    ports += [("sin-n1", address) for address in listening(cluster.nodes["sin-n1"])]
    assert {name for name, _ in ports} == {EDGE, HUB, "sin-n1"}
    assert len(ports) >= 5 and any(port == NATS_CLIENT for _, (_, port) in ports)
    seconds = (600 if full else 3) / len(ports)
    for name, address in ports:
        sent, tries = assault(address, chance, seconds)
        print(
            f"{name} at {address[1]}: {sent} random bytes on {tries} connections, {seconds:.1f} s"
        )
    for process in cluster.all():
        assert process.alive() and process.starts == 1, process.name
        assert not process.reports()
    cluster.wait_ready(EDGE, HUB)
