"""The clients of scripts/demo: they talk through every pair of regions while an edge and a hub
are killed, and one table says what became of their messages.

    demo_run.py MERIDIAN DATA"""

import asyncio
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import websockets

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from lab.client import Client  # noqa: E402
from lab.record import percentile  # noqa: E402

COUNT, EVERY_S = 150, 0.1
KILL_EDGE_S, KILL_HUB_S = 4, 8


def now_ms():
    return time.monotonic() * 1000


class Regions:
    """What `meridian dev status` tells, as lab.Client wants it."""

    def __init__(self, meridian, data):
        self.meridian, self.data = meridian, data
        self.pid, self.address, self.edges, self.owner = {}, {}, {}, {}
        self.read()

    def read(self):
        status = subprocess.run(
            [self.meridian, "dev", "status", "--data", self.data],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in status.splitlines():
            words = line.split()
            if len(words) == 6 and words[2] in ("nats", "hub", "edge") and words[3].isdigit():
                region, name, kind, pid, _, address = words
                self.pid[name], self.address[name] = int(pid), address
                if kind == "edge" and name not in self.edges.setdefault(region, []):
                    self.edges[region].append(name)
            elif len(words) >= 8 and words[1].isdigit():
                self.owner[(words[0], int(words[1]))] = words[2]

    def open_socket(self, edge):
        host, port = self.address[edge].rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=3)

    def url(self, edge):
        return f"http://{self.address[edge]}"


class Record:
    """Who sent what to whom, and what came."""

    def __init__(self):
        self.sent, self.accepted, self.got, self.closed, self.resumed = {}, {}, [], {}, {}

    def take(self, user, event):
        kind = event["e"]
        if kind == "sent":
            self.sent[(user, event["to"], event["n"])] = event["t"]
        elif kind == "accepted":
            self.accepted[(user, event["to"], event["n"])] = event["t"]
        elif kind == "got":
            self.got.append((event["from"], user, event["n"], event["t"]))
        elif kind == "closed":
            self.closed[user] = event["t"]
        elif kind == "open" and user in self.closed and user not in self.resumed:
            self.resumed[user] = event["t"] - self.closed[user]

    def missing(self):
        came = {row[:3] for row in self.got}
        return [key for key in self.accepted if key not in came]

    def done(self):
        return len(self.accepted) == len(self.sent) and not self.missing()


class PythonPeer:
    """meridian.v1 on python3-websockets."""

    def __init__(self, regions, record, user, edges):
        self.user, self.record = user, record
        self.client = Client(regions, user, edges, device="python")
        self.client.on_message = lambda frame: record.take(
            user, {"e": "got", "from": frame["from"], "n": frame["body"]["n"], "t": now_ms()}
        )

    async def open(self):
        await self.client.open_forever()
        self.watcher = asyncio.create_task(self.watch())

    async def watch(self):
        while True:
            await self.client.connected.wait()
            self.record.take(self.user, {"e": "open", "t": now_ms()})
            while self.client.connected.is_set():
                await asyncio.sleep(0.005)
            self.record.take(self.user, {"e": "closed", "t": now_ms()})

    async def talk(self, peers):
        async def one(to, n):
            self.record.take(self.user, {"e": "sent", "to": to, "n": n, "t": now_ms()})
            await self.client.send_surely(to, {"n": n}, f"{self.user}-{to}-{n}", timeout_s=40)
            self.record.take(self.user, {"e": "accepted", "to": to, "n": n, "t": now_ms()})

        async def to_one(
            to,
        ):  # the next one only after the outcome of the one before: so order is promised
            for n in range(1, COUNT + 1):
                await one(to, n)
                await asyncio.sleep(EVERY_S)

        await asyncio.gather(*[to_one(peer) for peer in peers])

    async def close(self):
        self.watcher.cancel()
        await self.client.close()


class PlainPeer:
    """Plain mode: receives on a WebSocket without a subprotocol, sends by POST."""

    def __init__(self, regions, record, user, edge):
        self.regions, self.record, self.user, self.edge = regions, record, user, edge

    async def open(self):
        raw = await asyncio.to_thread(self.regions.open_socket, self.edge)
        raw.setblocking(False)
        self.socket = await websockets.connect(
            f"ws://meridian/ws/{self.user}", sock=raw, ping_interval=None
        )
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for text in self.socket:
            got = json.loads(text)
            self.record.take(
                self.user,
                {"e": "got", "from": got["sender_id"], "n": got["message"], "t": now_ms()},
            )

    def post(self, to, n):
        body = {
            "recipient_id": to,
            "sender_id": self.user,
            "message": n,
            "id": f"{self.user}-{to}-{n}",
        }
        request = urllib.request.Request(
            self.regions.url(self.edge) + "/api/messages",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        end = time.monotonic() + 40
        while True:
            try:
                with urllib.request.urlopen(request, timeout=11) as answer:
                    if answer.status == 202:
                        return
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)

    async def talk(self, peers):
        for n in range(1, COUNT // 3 + 1):
            for to in peers:
                self.record.take(self.user, {"e": "sent", "to": to, "n": n, "t": now_ms()})
                await asyncio.to_thread(self.post, to, n)
                self.record.take(self.user, {"e": "accepted", "to": to, "n": n, "t": now_ms()})
            await asyncio.sleep(EVERY_S * 3)

    async def close(self):
        self.reader.cancel()
        await self.socket.close()


class NodePeer:
    """meridian.v1 on Node's `ws`, in a process of its own."""

    def __init__(self, regions, record, user, edges):
        self.regions, self.record, self.user, self.edges = regions, record, user, edges

    async def open(self, peers):
        task = {
            "user": self.user,
            "edges": [self.regions.url(edge) for edge in self.edges],
            "to": peers,
            "count": COUNT,
            "every_ms": int(EVERY_S * 1000),
        }
        self.process = await asyncio.create_subprocess_exec(
            "node",
            str(ROOT / "scripts" / "support" / "demo_client.js"),
            json.dumps(task),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        opened = asyncio.Event()
        self.reader = asyncio.create_task(self.read(opened))
        await asyncio.wait_for(opened.wait(), 20)

    async def read(self, opened):
        async for line in self.process.stdout:
            event = json.loads(line)
            self.record.take(self.user, event)
            if event["e"] == "open":
                opened.set()

    async def talk(self, _):
        self.process.stdin.write(b"go\n")

    async def close(self):
        self.process.stdin.close()
        await self.process.wait()


def region_of(user):
    return user.split("-")[0]


def row(name, record, keys, users):
    """One line of the table, over the messages `keys`."""
    keys = set(keys)
    seen, last = set(), {}
    repeated = disordered = 0
    delivered_ms = []
    for sender, user, n, when in record.got:
        key = (sender, user, n)
        if key not in keys:
            continue
        if key in seen:
            repeated += 1
            continue
        if n < last.get((sender, user), 0):
            disordered += 1
        seen.add(key)
        last[(sender, user)] = max(n, last.get((sender, user), 0))
        delivered_ms.append(when - record.sent[key])
    accepted = [key for key in keys if key in record.accepted]
    accepted_ms = [record.accepted[key] - record.sent[key] for key in accepted]
    lost = sum(key not in seen for key in accepted)
    resumes = [record.resumed[user] for user in users if user in record.resumed]
    resume = f"{max(resumes):.0f}" if resumes else "-"
    print(
        f"{name:<12} {len(keys):>6} {len(accepted):>8} {len(seen):>9} {lost:>5} "
        f"{repeated:>8} {disordered:>9} "
        f"{percentile(accepted_ms, 0.5):>7.1f} / {percentile(accepted_ms, 0.99):<7.1f} "
        f"{percentile(delivered_ms, 0.5):>7.1f} / {percentile(delivered_ms, 0.99):<7.1f} "
        f"{resume:>9}"
    )
    return lost + repeated + disordered + len(keys) - len(accepted)


def table(record):
    print(
        f"{'from -> to':<12} {'sent':>6} {'accepted':>8} {'delivered':>9} "
        f"{'lost':>5} {'repeated':>8} "
        f"{'disorder':>9} {'accepted p50/p99':>17} {'delivered p50/p99':>17} {'resume ms':>9}"
    )
    pairs = sorted({(region_of(a), region_of(b)) for a, b, _ in record.sent})
    for here, there in pairs:
        row(
            f"{here} -> {there}",
            record,
            [k for k in record.sent if (region_of(k[0]), region_of(k[1])) == (here, there)],
            {k[1] for k in record.sent if region_of(k[1]) == there},
        )
    wrong = row("all", record, record.sent, {key[1] for key in record.sent})
    print(
        "\nClients: python3-websockets and Node ws speaking meridian.v1, and plain mode "
        "(POST, plain WebSocket)."
    )
    print("Times in ms. resume: from the cut connection to the next welcome, the slowest client.")
    return wrong


async def kill(regions, name, what):
    os.kill(regions.pid[name], signal.SIGKILL)
    print(f"  kill -9 of {what} {name}", flush=True)


async def run(regions):
    record = Record()
    peers = []
    for region, edges in regions.edges.items():
        peers.append((PythonPeer(regions, record, f"{region}-python", edges), "python"))
        peers.append((NodePeer(regions, record, f"{region}-node", edges), "node"))
        peers.append((PlainPeer(regions, record, f"{region}-plain", edges[-1]), "plain"))
    others = {"python": ("python", "node"), "node": ("node", "python"), "plain": ("plain",)}
    tasks = []
    for peer, kind in peers:
        to = [
            f"{region}-{other}"
            for region in regions.edges
            if region != region_of(peer.user)
            for other in others[kind]
        ]
        await (peer.open(to) if kind == "node" else peer.open())
        tasks.append((peer, to))
    regions.read()
    print(
        f"{len(peers)} clients talk for {COUNT * EVERY_S:.0f} s and more; in the middle:",
        flush=True,
    )
    talks = [asyncio.create_task(peer.talk(to)) for peer, to in tasks]
    await asyncio.sleep(KILL_EDGE_S)
    await kill(regions, regions.edges["dub"][0], "the edge of two of them,")
    await asyncio.sleep(KILL_HUB_S - KILL_EDGE_S)
    await kill(regions, regions.owner[("sin", 0)], "the hub that owns shard 0 of sin,")
    await asyncio.gather(*talks)
    end = time.monotonic() + 45
    while not record.done() and time.monotonic() < end:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)  # a repeat may still come
    for peer, _ in peers:
        await peer.close()
    print()
    return table(record)


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(run(Regions(sys.argv[1], sys.argv[2]))) else 0)
