"""An edge, a hub, a whole region killed: who is served again, how soon, and that nothing is lost."""

import asyncio
import itertools
import time

import pytest

from lab import Client, Cluster, Talk
from lab.promise import hold_clean, hold_p99

CROWD = 200


def in_pairs(clients):
    half = len(clients) // 2
    return [
        (a.user, b.user)
        for one, other in zip(clients[:half], clients[half:])
        for a, b in ((one, other), (other, one))
    ]


async def close(clients):
    await asyncio.gather(*[client.close() for client in clients])


def test_clients_of_a_killed_edge_are_back_elsewhere_within_5_s_and_nothing_is_lost():
    with Cluster(regions=1, shards=2, edges=3) as cluster:
        cluster.start()

        async def scenario():
            edges = cluster.edge_names("sin")
            clients = [Client(cluster, f"crowd-{i}", edges) for i in range(CROWD)]
            for some in range(0, CROWD, 20):
                await asyncio.gather(*[c.open_forever() for c in clients[some : some + 20]])
            talk = Talk(clients)
            running = asyncio.create_task(talk.run(in_pairs(clients), 12, 1.0, timeout_s=60))
            await asyncio.sleep(3)
            await asyncio.to_thread(cluster.edges[edges[0]].kill)
            await running
            await talk.until_complete(50)
            hold_clean(len(talk.accepted), *talk.judge(), rows=["edge"])
            outages = [client.outages[0] for client in clients]
            hold_p99("an edge killed: connected and resumed elsewhere", outages, 5, row="edge")
            assert all(client.welcome["edge"] != edges[0] for client in clients)
            await close(clients)

        asyncio.run(asyncio.wait_for(scenario(), 160))


def longest_waits(talk, since_s, until_s):
    """For each user: the longest time that nothing came to it."""
    waits = []
    for rows in talk.received.values():
        times = sorted(when / 1000 for _, _, when, _ in rows if since_s <= when / 1000 <= until_s)
        waits.append(max(b - a for a, b in itertools.pairwise([since_s, *times, until_s])))
    return waits


def test_the_shards_of_a_killed_hub_are_served_by_another_within_5_s_and_nothing_is_lost():
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            clients = [
                await Client(cluster, f"served-{i}", "sin-1").open_forever() for i in range(20)
            ]
            talk = Talk(clients)
            await talk.run(in_pairs(clients), 3, 0.1)
            await talk.until_complete(20)
            for shard in range(2):
                owner = await asyncio.to_thread(cluster.owner, "sin", shard)
                running = asyncio.create_task(talk.run(in_pairs(clients), 80, 0.1, timeout_s=60))
                await asyncio.sleep(1)
                await asyncio.to_thread(cluster.hubs[owner].kill)
                killed = time.monotonic()
                await running
                await talk.until_complete(50)
                waits = longest_waits(talk, killed, time.monotonic())
                hold_p99(f"\nhub {owner} killed: a user gets nothing for", waits, 5, row="hub")
                heir = await asyncio.to_thread(cluster.owner, "sin", shard)
                assert heir != owner
                cluster.hubs[owner].start()
                await asyncio.to_thread(cluster.wait_ready, owner)
            hold_clean(len(talk.accepted), *talk.judge(), rows=["hub"])
            await close(clients)

        asyncio.run(asyncio.wait_for(scenario(), 160))


def region_of(cluster, name):
    return [p for p in cluster.all() if cluster.region_of[p.name] == name]


@pytest.mark.timeout(300)
def test_users_of_a_killed_region_are_connected_elsewhere_within_10_s_and_get_all_after_it():
    """99 % connected within 10 s: they can send, and what is for them waits for their home."""
    with Cluster(regions=3, shards=2) as cluster:
        cluster.start()

        async def scenario():
            everywhere = ["sin-1", "iad-1", "dub-1"]
            moving = [Client(cluster, f"moving-{i}", everywhere) for i in range(60)]
            steady = [Client(cluster, f"steady-{i}", "dub-1") for i in range(60)]
            clients = moving + steady
            for some in range(0, len(clients), 20):
                await asyncio.gather(*[c.open_forever() for c in clients[some : some + 20]])
            assert {client.welcome["home"] for client in moving} == {"sin"}
            talk = Talk(clients)
            await talk.run(in_pairs(clients), 3, 0.5)
            await talk.until_complete(30)
            for process in region_of(cluster, "sin"):
                process.kill()
            killed = time.monotonic()
            running = asyncio.create_task(talk.run(in_pairs(clients), 10, 1.0, timeout_s=90))
            for client in moving:
                await client.until(lambda c: c.outages, 100, "connected elsewhere")
            connected = [client.outages[-1] for client in moving]
            what = "\na region killed: its users connected elsewhere"
            hold_p99(what, connected, 10, row="region")
            assert {client.edges[client.reconnects % 3] for client in moving} <= {"iad-1", "dub-1"}
            for client in moving:
                await client.until(lambda c: c.home_state == "unreachable", 30, "told so")
            await running  # also to users whose home is dead, and by them
            waiting = len(talk.missing())
            assert waiting > 0, "the mailboxes of the dead region did not wait"
            print(f"{time.monotonic() - killed:.0f} s later all is accepted, {waiting} wait")
            for process in reversed(region_of(cluster, "sin")):
                process.start()
            await talk.until_complete(60)
            hold_clean(len(talk.accepted), *talk.judge(), rows=["region"])
            await close(clients)

        asyncio.run(asyncio.wait_for(scenario(), 280))
