"""A rolling restart of all edges under load: nobody loses a message, and clients come back no faster
than the cap."""

import asyncio
import time

from lab import Client, Cluster

CLIENTS = 300
SENDERS = 30
CAP = 50  # of limits.drain_per_s


class Watched(Client):
    """Notes when it was told to go, and when it was back."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.told, self.back = [], []

    def _take(self, frame):
        if frame["t"] == "goaway":
            self.told.append(time.monotonic())
        super()._take(frame)

    async def _connect(self, edge):
        await super()._connect(edge)
        self.back.append(time.monotonic())


def highest_rate(times):
    """The most within any one second."""
    times = sorted(times)
    return max(sum(t <= other < t + 1 for other in times) for t in times)


async def restart(cluster, edge, clients):
    """Ends the edge by SIGTERM and starts it again; checks who was told when."""
    begun = time.monotonic()
    before = {client: len(client.told) for client in clients}
    there = [client for client in clients if client.welcome["edge"] == edge]
    code = await asyncio.to_thread(cluster.edges[edge].terminate, 60)
    took_s = time.monotonic() - begun
    assert code == 0
    for client in there:
        await asyncio.wait_for(client.connected.wait(), 20)
    told = sorted(client.told[-1] for client in there if len(client.told) > before[client])
    assert len(told) == len(there), "all are told before they are closed"
    back = [next(at for at in client.back if at > client.told[-1]) for client in there]
    # What is slow here only comes later, so up to no time there may be more than the cap allows.
    for kind, times in (("told", told), ("back", sorted(back))):
        for n, at in enumerate(times, 1):
            assert n <= CAP * (at - begun) + CAP / 10 + 1, f"{n} {kind} after {at - begun:.2f} s"
    print(
        f"{edge}: {len(there)} clients sent away in {took_s:.1f} s; back, at most "
        f"{highest_rate(back)} in any second, cap {CAP}; longest away "
        f"{max(b - c.told[-1] for b, c in zip(back, there)):.2f} s"
    )
    cluster.edges[edge].start()
    await asyncio.to_thread(cluster.wait_ready, edge)


def test_edges_are_restarted_one_by_one_under_load():
    async def scenario(cluster):
        clients = [
            Watched(cluster, f"u{i}", [f"sin-{i % 2 + 1}", f"sin-{(i + 1) % 2 + 1}"])
            for i in range(CLIENTS)
        ]
        for at in range(0, CLIENTS, 25):
            await asyncio.gather(*(one.open_forever(40) for one in clients[at : at + 25]))
        accepted, over = [], asyncio.Event()

        async def talk(i):
            n = 0
            while not over.is_set():
                to = (i * 7 + n * 11) % CLIENTS
                await clients[i].send_surely(f"u{to}", {"n": n}, f"s{i}-{n}")
                accepted.append((to, f"s{i}-{n}"))
                n += 1
                await asyncio.sleep(0.1)

        talks = [asyncio.create_task(talk(i)) for i in range(SENDERS)]
        for edge in ("sin-1", "sin-2"):
            await restart(cluster, edge, clients)
        over.set()
        await asyncio.gather(*talks)
        expected = {client.user: set() for client in clients}
        for to, message_id in accepted:
            expected[f"u{to}"].add(message_id)
        for client in clients:
            await client.until_messages(len(expected[client.user]), 30)
            got = [message["id"] for message in client.messages]
            assert len(got) == len(set(got)), "none twice"
            assert set(got) == expected[client.user]
        print(f"{len(accepted)} accepted, 0 lost, none twice")
        await asyncio.gather(*(client.close() for client in clients))

    with Cluster(
        regions=1, shards=2, edges=2, edge_settings={"limits.drain_per_s": CAP}
    ) as cluster:
        cluster.start()
        asyncio.run(asyncio.wait_for(scenario(cluster), 150))
