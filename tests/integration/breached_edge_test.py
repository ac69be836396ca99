"""An edge that was broken into: whoever has it speaks to the hubs over its bus as it likes. Hubs that
know the keys let it read the mailboxes of those who logged in at it, and no others."""

import asyncio
import json
import random
import signal
import threading
import time

import pytest
import websockets

from lab import Cluster, frames
from lab.bus import BusLink
from lab.tokens import SECRET, auth_file, token

EDGE = "sin-2"  # it stands in the catalogue, and does not run
CANARY = "nobody but carol reads this"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    config = auth_file(folder, expiring="3s")
    with Cluster(regions=1, edges=2, shards=1) as running:
        for process in [*running.hubs.values(), *running.edges.values()]:
            process.command += ["--config", str(config)]
        running.start()
        running.edges[EDGE].terminate()
        running.secret = folder / "secret"
        yield running


async def connect(cluster, edge, shown):
    raw = await asyncio.to_thread(cluster.open_socket, edge)
    raw.setblocking(False)
    return await websockets.connect(
        "ws://meridian/ws",
        sock=raw,
        subprotocols=["meridian.v1"],
        extra_headers={"Authorization": f"Bearer {shown}"},
        ping_interval=None,
        close_timeout=1,
    )


async def until(socket, kind, timeout_s=20):
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), timeout_s))
        if frame["t"] == kind:
            return frame


async def welcomed(cluster, user, **claims):
    socket = await connect(cluster, "sin-1", token(user, **claims))
    await socket.send(json.dumps({"t": "hello", "device": "phone"}))
    await until(socket, "welcome")
    return socket


async def tell(cluster, user, message_id, body):
    """A message from alice, stored."""
    socket = await welcomed(cluster, "alice")
    frame = {"t": "send", "id": message_id, "to": user, "body": body}
    await socket.send(json.dumps(frame))
    await until(socket, "accepted")
    await socket.close()


class Breached:
    """Speaks as the edge, and hears what the edge would."""

    def __init__(self, cluster):
        self.link = BusLink(cluster, "sin-n1", timeout_s=90)
        self.start = random.getrandbits(63) + 1
        self.link.link.sendall(f"SUB edge.sin.{EDGE} 1000\r\n".encode())
        self.link.flush()
        self.requests, self.heard = 0, []
        self.over, self.known = threading.Event(), threading.Event()
        self.beating = threading.Thread(target=self._beat, args=(BusLink(cluster, "sin-n1"),))

    def __enter__(self):
        self.beating.start()
        assert self.known.wait(20)  # else the first beat ends what was attached before it
        return self

    def __exit__(self, *_):
        self.over.set()
        self.beating.join()
        self.link.close()

    def _beat(self, link):
        """Once a second, or what is attached there is forgotten."""
        number = 0
        while not self.over.wait(1 if number else 0):
            number += 1
            link.publish(f"beat.edge.sin.{EDGE}", frames.edge_beat("sin", EDGE, self.start, number))
            link.flush()
            self.known.set()
        link.close()

    def say(self, verb, *entries):
        self.link.publish(f"hub.sin.0.{verb}", frames.frame("sin", EDGE, *entries))

    def hear(self, *kinds):
        """The next entry of these kinds; all before it must not be deliveries."""
        while True:
            while not self.heard:
                _, data = self.link.next()
                self.heard += frames.entries_of(data)
            kind, payload = self.heard.pop(0)
            if kind in kinds:
                return kind, payload
            assert kind != frames.DELIVER

    def attach(self, user, shown, device="stolen"):
        """(attach number, code)"""
        self.requests += 1
        self.say("attach", frames.attach(self.requests, user, device, shown))
        _, payload = self.hear(frames.ATTACHED)
        request, of, number, code = frames.attached_of(payload)
        assert (request, of) == (self.requests, user)
        return number, code

    def show(self, user, shown, epoch, seq, device="stolen"):
        """The code."""
        self.requests += 1
        tokens = [frames.token(shown)] if shown else []
        self.say("ack", *tokens, frames.show(self.requests, user, device, epoch, seq))
        _, payload = self.hear(frames.SHOWN)
        request, code = frames.shown_of(payload)
        assert request == self.requests
        return code

    def history(self, user, shown=None):
        """(code, all bytes)"""
        self.requests += 1
        ask = frames.history_ask(self.requests, user)
        entries = [ask] if shown is None else [frames.token(shown), ask]
        answer = self.link.ask("hub.sin.0.history", frames.frame("sin", EDGE, *entries))
        kind, payload = frames.entries_of(answer)[0]
        assert kind == frames.HISTORY_PAGE
        return frames.page_of(payload)[1], answer


def bad_tokens(user):
    """What the one who has the edge might show for somebody that never logged in there."""
    yield ""
    yield "x"
    yield token(user, left_s=-3600)
    yield token("mallory")
    yield token(user, secret="a secret that they made up, of 32 bytes")
    yield token(user, alg="none")
    yield token(user)[:-2]
    yield "x" * 4096


def test_nobody_who_did_not_log_in_there_is_read(cluster):
    asyncio.run(tell(cluster, "carol", "m1", CANARY))
    with Breached(cluster) as edge:
        for shown in [*bad_tokens("carol"), token("carol", device="phone"), "x" * 5000]:
            assert edge.attach("carol", shown) == (0, frames.UNAUTHORIZED), shown
        for shown in [None, *bad_tokens("carol")]:
            if shown != "":  # it is not said so
                code, answer = edge.history("carol", shown)
                assert code == frames.REFUSED and CANARY.encode() not in answer, shown
        for number in (1, (1 << 20) + 1, 1 << 40):  # guessed
            edge.say("fetch", frames.fetch("carol", "stolen", number, 1))
            edge.hear(frames.UNATTACHED)
            edge.say("ack", frames.report("carol", "stolen", number, 1, 1))
            edge.hear(frames.UNATTACHED)
    log = cluster.hubs["sin-h1"].log()
    assert "a mailbox may not be read" in log and CANARY not in log

    async def still_there():
        socket = await welcomed(cluster, "carol")
        assert (await until(socket, "msg"))["body"] == CANARY
        await socket.close()

    asyncio.run(still_there())


def test_who_logged_in_there_is_read_until_the_token_has_ended(cluster):
    """The first half is what an edge that works does, too."""
    asyncio.run(tell(cluster, "dave", "m1", "for dave"))
    with Breached(cluster) as edge:
        number, code = edge.attach("dave", token("dave"))
        assert code == frames.OK and number > 0
        _, delivered = edge.hear(frames.DELIVER)
        assert b"for dave" in delivered
        code, answer = edge.history("dave", token("dave"))
        assert code == frames.OK and b"for dave" in answer
        for shown in bad_tokens("dave"):
            assert edge.show("dave", shown, 1, 1) == frames.REFUSED, shown
        assert edge.show("dave", token("dave"), 1, 1) == frames.OK


def test_what_is_attached_ends_some_time_after_its_token(cluster, full):
    """The grace is a minute: the edge ends the connection long before."""
    if not full:
        pytest.skip("takes more than a minute")
    with Breached(cluster) as edge:
        began = time.monotonic()
        number, code = edge.attach("erin", token("erin", left_s=1))
        assert code == frames.OK
        _, payload = edge.hear(frames.KICK)
        assert frames.kick_of(payload) == ("erin", number, frames.REVOKED)
        assert 60 <= time.monotonic() - began < 75
        edge.say("fetch", frames.fetch("erin", "stolen", number, 1))
        edge.hear(frames.UNATTACHED)


def test_an_edge_shows_new_tokens_to_the_hub_and_its_clients_stay(cluster):
    async def scenario():
        socket = await welcomed(cluster, "fay", left_s=4)
        await until(socket, "expiring")
        await socket.send(json.dumps({"t": "refresh", "token": token("fay")}))
        await until(socket, "refreshed")
        await tell(cluster, "fay", "m1", "after the first token")
        assert (await until(socket, "msg"))["body"] == "after the first token"
        # Another owner knows nothing of it, and is shown the new one.
        hub = cluster.hubs["sin-h1"]
        await asyncio.to_thread(hub.kill)
        hub.start()
        await asyncio.to_thread(cluster.wait_http, "sin-h1", "/readyz", 40)
        await tell(cluster, "fay", "m2", "at the next owner")
        assert (await until(socket, "msg", 40))["body"] == "at the next owner"
        await socket.close()

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_a_token_that_the_hub_does_not_know_is_told_as_any_bad_one(cluster):
    """As when a hub was not told of the newest key."""
    hub, new = cluster.hubs["sin-h1"], "the secret that comes after the first one"

    async def scenario():
        cluster.secret.write_text(new)
        hub.signal(signal.SIGHUP)
        socket = await connect(cluster, "sin-1", token("gus"))
        await socket.send(json.dumps({"t": "hello", "device": "phone"}))
        assert (await until(socket, "error"))["code"] == "unauthorized"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 20)
        assert closed.value.rcvd.code == 4401

    try:
        asyncio.run(asyncio.wait_for(scenario(), 60))
    finally:
        cluster.secret.write_text(SECRET)
        hub.signal(signal.SIGHUP)


def test_what_an_attach_costs_with_a_token(cluster, full):
    """CPU of the hub, NATS left out: with tokens that it has not seen, and with those that it has."""
    count, hub, figures = 4000 if full else 500, cluster.hubs["sin-h1"], []
    with Breached(cluster) as edge:
        shown = [token(f"many-{i}") for i in range(count)]
        for base, what in [(0, "new"), (count, "known"), (2 * count, "known")]:
            entries = [frames.attach(base + i, f"many-{i}", "d", shown[i]) for i in range(count)]
            began, cpu_s = time.monotonic(), hub.cpu_s()
            for first in range(0, count, 50):
                edge.say("attach", *entries[first : first + 50])
            codes = []
            while len(codes) < count:
                _, payload = edge.hear(frames.ATTACHED)
                codes.append(frames.attached_of(payload)[3])
            assert set(codes) == {frames.OK}
            cost_us = (hub.cpu_s() - cpu_s) / count * 1e6
            figures.append(f"{what} {count / (time.monotonic() - began):.0f}/s, {cost_us:.0f} us")
    print("attaches with HS256 tokens: " + "; ".join(figures), flush=True)
