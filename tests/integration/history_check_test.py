"""A real relay under the checker of tests/chaos: its history is clean, and that of a lying edge is
not."""

import asyncio
import collections
import contextlib
import json
import pathlib
import socket
import sqlite3
import sys

import pytest
import websockets

from lab import Cluster
from lab.process import wait_for

CHAOS = pathlib.Path(__file__).resolve().parents[1] / "chaos"
sys.path.append(str(CHAOS))

from checker.judge import judge_lines  # noqa: E402
from history import History, body_hash, merge  # noqa: E402
from recorded import RecordedClient  # noqa: E402

EDGES = ["sin-1", "sin-2"]
QUICK = {"archive.pause": "50ms", "archive.backoff_max": "1s", "archive.follow": "1s"}


class Recorded:
    """A cluster with an archive, and the history of what is done to it."""

    def __init__(self, folder):
        self.folder, self.archive = folder, folder / "archive.db"
        settings = {"archive.url": f"sqlite:{self.archive}", **QUICK}
        self.cluster = Cluster(regions=1, shards=2, hubs=2, edges=2, hub_settings=settings)
        self.histories = 0

    @contextlib.contextmanager
    def history(self):
        self.histories += 1
        self.parts = self.folder / f"parts-{self.histories}"
        with History(self.parts) as history:
            history.write("run", format=1, settings={"archive": True})
            yield history

    def look_up(self, history, users):
        """What the directory says now."""
        for user in users:
            told = self.cluster.meridian("where", "--catalogue", self.cluster.catalogue, user)
            words = told.stdout.split()
            home, epoch = words[words.index("home") + 1], words[words.index("(epoch") + 1]
            history.write("home", user=user, home=home, epoch=int(epoch.rstrip(")")), at="sin")

    def rows(self, users):
        with contextlib.closing(sqlite3.connect(f"file:{self.archive}?mode=ro", uri=True)) as file:
            rows = file.execute("SELECT recipient, epoch, seq, sender, id, body FROM messages")
            return [row for row in rows.fetchall() if row[0] in users]

    def write_archive(self, history, users, count):
        with contextlib.suppress(TimeoutError):  # then the checker says what is missing
            wait_for(lambda: len(self.rows(users)) >= count, 15, "all is archived", 0.1)
        for recipient, epoch, seq, sender, identity, body in self.rows(users):
            place = {"recipient": recipient, "epoch": epoch, "seq": seq}
            history.write("archive", **place, sender=sender, id=identity, hash=body_hash(body))

    def judged(self):
        """{property: its violations as texts}, and the World"""
        path = self.parts.with_suffix(".jsonl")
        merge(self.parts, path)
        with open(path, encoding="utf-8") as lines:
            world, found = judge_lines(lines)
        return world, {
            name: [one.text for one in first] for name, (_, count, first) in found.items() if count
        }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    recorded = Recorded(tmp_path_factory.mktemp("history"))
    with recorded.cluster:
        recorded.cluster.start()
        yield recorded


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 60))


async def talk(client, users, until):
    """Sends to the others in turn until `until` is set; returns how many were accepted."""
    count = 0
    while not until.is_set():
        for user in users:
            if user != client.user:
                name = f"{client.device}-{count}"
                body = {"n": count, "text": "\u00e9"}
                await client.send_surely(
                    user, body, name, attempt_s=5, want=["stored", "delivered"]
                )
                count += 1
                await asyncio.sleep(0.02)
    return count


async def break_it(recorded, history, clients):
    """The hub that serves, an edge, and one connection from the client's side."""
    cluster = recorded.cluster
    hub = cluster.hubs[await asyncio.to_thread(cluster.owner, "sin", 0)]
    for name, process in (("hub", hub), ("edge", cluster.edges["sin-1"])):
        await asyncio.sleep(0.7)
        history.write("fault", id=f"{name} killed", kind=name)
        process.kill()
        process.start()
        await asyncio.to_thread(cluster.wait_ready, process.name)
        history.write("heal", id=f"{name} killed")
    await clients[0].socket.close()
    await asyncio.sleep(0.7)


def got(client):
    return {(frame["from"], frame["id"]) for frame in client.messages}


async def have_all(clients):
    """Waits until every device has what was sent to its user."""
    sent = collections.Counter(to for client in clients for to in client.asked.values())
    for client in clients:
        with contextlib.suppress(TimeoutError):  # then the checker says what is missing
            await client.until(lambda client: len(got(client)) >= sent[client.user], 15)


def test_a_relay_that_is_killed_has_a_clean_history(recorded):
    users = ["alice", "bob", "carol"]

    async def scenario(history):
        clients = [
            RecordedClient(history, recorded.cluster, user, EDGES, device=device)
            for user, device in (*((user, "phone") for user in users), ("bob", "desk"))
        ]
        for client in clients:
            await client.open_forever()
        await asyncio.to_thread(recorded.look_up, history, users)
        until = asyncio.Event()
        talks = [asyncio.create_task(talk(client, users, until)) for client in clients]
        await break_it(recorded, history, clients)
        until.set()
        count = sum(await asyncio.gather(*talks))
        await have_all(clients)
        await asyncio.to_thread(recorded.look_up, history, users)
        for client in clients:
            await client.end()
        await asyncio.to_thread(recorded.write_archive, history, users, count)
        return count, sum(client.reconnects for client in clients)

    with recorded.history() as history:
        count, reconnects = run(scenario(history))
    world, found = recorded.judged()
    print(f"\n{world.events} events, {count} accepted, {reconnects} reconnects: {found or 'clean'}")
    assert found == {}
    assert count > 50 and reconnects >= 2 and world.notices
    assert len(world.archive_rows) == len(world.messages) == count


class LyingEdge:
    """Stands before a real edge and says `accepted` by itself; it passes on nothing that is sent
    while `silent`. It takes the place of the cluster for clients."""

    def __init__(self, cluster, edge):
        self.cluster, self.edge, self.silent = cluster, edge, False
        self.region_of = cluster.region_of
        self.server = None

    async def __aenter__(self):
        self.server = await websockets.serve(
            self.serve, "127.0.0.1", 0, subprotocols=["meridian.v1"], ping_interval=None
        )
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    def open_socket(self, _edge):
        return socket.create_connection(self.server.sockets[0].getsockname(), timeout=5)

    async def serve(self, client):
        raw = await asyncio.to_thread(self.cluster.open_socket, self.edge)
        raw.setblocking(False)
        async with websockets.connect(
            "ws://meridian/ws", sock=raw, subprotocols=["meridian.v1"], ping_interval=None
        ) as edge:
            ways = [self.from_client(client, edge), self.from_edge(edge, client)]
            await asyncio.wait(
                [asyncio.create_task(way) for way in ways], return_when=asyncio.FIRST_COMPLETED
            )

    async def from_client(self, client, edge):
        async for text in client:
            frame = json.loads(text)
            if frame["t"] == "send":
                await client.send(json.dumps({"t": "accepted", "id": frame["id"]}))
            if frame["t"] != "send" or not self.silent:
                await edge.send(text)

    @staticmethod
    async def from_edge(edge, client):
        async for text in edge:
            if json.loads(text)["t"] != "accepted":
                await client.send(text)


def test_an_edge_that_accepts_what_it_has_not_stored_is_found_out(recorded):
    users = ["mallory", "victim"]

    async def scenario(history):
        edge = recorded.cluster.edges["sin-1"]
        async with LyingEdge(recorded.cluster, "sin-1") as liar:
            sender = await RecordedClient(history, liar, "mallory", "sin-1").open()
            receiver = RecordedClient(history, recorded.cluster, "victim", "sin-2")
            await receiver.open_forever()
            for number in range(10):
                await sender.send("victim", number, f"kept-{number}")
            await receiver.until_messages(10)
            liar.silent = True
            for number in range(3):
                await sender.send("victim", number, f"lost-{number}")
            history.write("fault", id="edge", kind="edge")
            edge.kill()
            edge.start()
            await asyncio.to_thread(recorded.cluster.wait_ready, "sin-1")
            history.write("heal", id="edge")
            await sender.until(lambda sender: not sender.is_open, 10, "cut off")
            again = await RecordedClient(
                history, recorded.cluster, "mallory", "sin-1", device="d2"
            ).open()
            await again.send("victim", 1, "honest")
            await receiver.until_messages(11)
            for client in (sender, again):
                await client.end(read_to_end=False)
            await receiver.end()
        await asyncio.to_thread(recorded.write_archive, history, users, 11)

    with recorded.history() as history:
        run(scenario(history))
    _, found = recorded.judged()
    print(f"\n{found}")
    assert set(found) == {"no_loss", "archive_is_accepted"}
    for texts in found.values():
        assert len(texts) == 3 and all("'lost-" in text for text in texts)
