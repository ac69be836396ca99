"""Clients on the TLS port of an edge, which has a plain one beside it."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess

import pytest

from lab import Client, Cluster
from lab.certificates import make_certificate

EDGE = "sin-1"
HANDSHAKES_MAX = 20


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder, "one")
    return folder


@pytest.fixture(scope="module")
def cluster(folder):
    settings = {
        "tls.certificate": folder / "edge.pem",
        "tls.key": folder / "edge.key",
        "tls.handshake_timeout": "2s",
        "tls.handshakes_max": HANDSHAKES_MAX,
    }
    with Cluster(regions=1, shards=2) as cluster:
        host = cluster.url[EDGE].removeprefix("http://").rsplit(":", 1)[0]
        settings["tls.listen"] = f"{host}:8443"
        edge = cluster.edges[EDGE]
        for key, value in settings.items():
            edge.command += ["--set", f"{key}={value}"]
        cluster.start()
        cluster.open_socket = lambda edge: socket.create_connection((host, 8443))
        cluster.tls_at = (host, 8443)
        yield cluster


def test_a_session_over_wss(cluster):
    async def scenario():
        alice = await Client(cluster, "alice", EDGE, tls=trusting()).open()
        bob = await Client(cluster, "bob", EDGE, tls=trusting()).open()
        for i in range(20):
            await alice.send("bob", {"n": i, "text": "x" * 50000}, f"m{i}")
        await bob.until_messages(20, 20)
        assert [m["body"]["n"] for m in bob.messages] == list(range(20))
        await bob.close()
        await alice.send("bob", {"n": 20}, "m20")
        again = Client(cluster, "bob", EDGE, tls=trusting())
        again.cursor = bob.cursor
        await again.open()
        assert again.welcome["resumed"] is True
        await again.until_messages(1)
        assert again.messages[0]["body"] == {"n": 20}
        await alice.close()
        await again.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_plain_http_is_told_that_tls_is_spoken(cluster):
    with socket.create_connection(cluster.tls_at) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"TLS is spoken" in answer


def test_garbage_and_silence_are_ended(cluster):
    for first in (b"\x00\x01garbage", b"\x16\x03\x01\x02", b""):
        with socket.create_connection(cluster.tls_at, timeout=10) as peer:
            peer.sendall(first)
            try:
                assert peer.recv(100) == b""
            except ConnectionResetError:
                pass


def test_other_protocols_are_refused_with_an_alert(cluster):
    context = trusting()
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(cluster.tls_at) as raw:
        with pytest.raises(ssl.SSLError, match="NO_APPLICATION_PROTOCOL|no application protocol"):
            context.wrap_socket(raw)


def test_a_reload_drops_nobody(cluster, folder):
    def shown():
        with socket.create_connection(cluster.tls_at) as raw, trusting().wrap_socket(raw) as tls:
            return tls.getpeercert(True)

    async def scenario():
        stays = await Client(cluster, "stays", EDGE, tls=trusting()).open()
        before = await asyncio.to_thread(shown)
        await asyncio.to_thread(make_certificate, folder, "two")
        cluster.edges[EDGE].signal(signal.SIGHUP)
        while await asyncio.to_thread(shown) == before:
            await asyncio.sleep(0.05)
        await stays.send("stays", {"n": 1}, "m1")
        await stays.until_messages(1)
        await stays.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def shaken(cluster, context, **more):
    raw = socket.create_connection(cluster.tls_at, timeout=10)
    return context.wrap_socket(raw, server_hostname="meridian", **more)


def test_tls_1_1_is_refused_and_newer_ones_are_spoken(cluster):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = trusting()
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        with shaken(cluster, context) as tls:
            assert tls.version() == version.name.replace("_", ".")
            assert tls.selected_alpn_protocol() == "http/1.1"
    context = trusting()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION|protocol version"):
        shaken(cluster, context)


def test_a_ticket_resumes(cluster):
    context = trusting()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version
        with shaken(cluster, context) as tls:
            assert not tls.session_reused
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")
            session = tls.session
        with shaken(cluster, context, session=session) as tls:
            assert tls.session_reused


def test_a_cut_in_the_middle_of_a_record_harms_nobody_else(cluster):
    async def scenario():
        stays = await Client(cluster, "remains", EDGE, tls=trusting()).open()
        cut = await Client(cluster, "cut", EDGE, tls=trusting()).open()
        under = cut.socket.transport.get_extra_info("socket")
        os.write(under.fileno(), b"\x17\x03\x03\x40\x00half of a record")
        await cut.close()
        await stays.send("remains", {"n": 1}, "m1")
        await stays.until_messages(1)
        await stays.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_slow_reader_finds_all_in_its_mailbox(cluster):
    async def scenario():
        alice = await Client(cluster, "fast", EDGE, tls=trusting()).open()
        slow = await Client(cluster, "slow", EDGE, tls=trusting(), auto_ack=False).open()
        slow.socket.transport.pause_reading()
        for i in range(100):
            await alice.send("slow", {"n": i, "text": "x" * 50000}, f"m{i}")
        await slow.close()
        again = await Client(cluster, "slow", EDGE, tls=trusting()).open()
        await again.until_messages(100, 20)
        assert [m["body"]["n"] for m in again.messages][-100:] == list(range(100))
        await alice.close()
        await again.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_unfinished_handshakes_are_bounded_and_the_oldest_gives_way(cluster):
    idle = [socket.create_connection(cluster.tls_at, timeout=10) for _ in range(HANDSHAKES_MAX)]
    try:
        with shaken(cluster, trusting()) as tls:  # one past the bound: it waits, then gets its turn
            assert tls.version() is not None
        cluster.edges[EDGE].wait_log("the limit of TLS handshakes is reached")
        assert idle[0].recv(1) == b""
    finally:
        for one in idle:
            one.close()


def test_a_new_handshake_in_tls_1_2_is_refused(cluster):
    command = ["openssl", "s_client", "-connect", "%s:%d" % cluster.tls_at, "-tls1_2"]
    done = subprocess.run(command, input=b"R\n", capture_output=True, timeout=20)
    assert done.returncode == 1  # libh2o ends the connection
    with shaken(cluster, trusting()) as tls:
        assert tls.version() is not None
