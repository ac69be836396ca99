"""An owner that is paused and comes back, and one that is asked to end: the shard is served by another,
and the one before changes nothing any more."""

import asyncio
import itertools
import json
import time

from lab import Client, Cluster, Talk
from lab.process import wait_for
from lab.promise import hold_p99

PAUSE_S = 10


def shard_status(cluster, hub, shard):
    return json.loads(cluster.http(hub, "/status")[2])["shards"][shard]


def generation(cluster, hub, shard):
    return shard_status(cluster, hub, shard)["generation"]


def longest_waits(talk, since_s, until_s):
    """For each user: the longest time that nothing came to it."""
    waits = []
    for rows in talk.received.values():
        times = sorted(when / 1000 for _, _, when, _ in rows if since_s <= when / 1000 <= until_s)
        waits.append(max(b - a for a, b in itertools.pairwise([since_s, *times, until_s])))
    return waits


def in_pairs(clients):
    users = [client.user for client in clients]
    return list(zip(users, users[1:] + users[:1]))


def test_a_paused_owner_is_deposed_and_changes_nothing_when_it_comes_back():
    with Cluster(regions=1, shards=1, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            clients = [await Client(cluster, f"p{i}", "sin-1").open_forever() for i in range(10)]
            talk = Talk(clients)
            await talk.run(in_pairs(clients), 5, 0.05)
            await talk.until_complete(20)
            owner = await asyncio.to_thread(cluster.owner, "sin", 0)
            heir = next(hub for hub in cluster.hubs if hub != owner)
            before = generation(cluster, heir, 0)
            running = asyncio.create_task(talk.run(in_pairs(clients), 200, 0.1, timeout_s=60))
            await asyncio.sleep(1)
            cluster.hubs[owner].pause()
            paused = time.monotonic()
            await asyncio.sleep(PAUSE_S)
            served = await asyncio.to_thread(shard_status, cluster, heir, 0)
            assert served["state"] == "serving", served
            over = time.monotonic()
            cluster.hubs[owner].resume()
            await running
            await talk.until_complete(50)
            hold_p99(
                f"\nowner {owner} paused: a user gets nothing for",
                longest_waits(talk, paused, over),
                5,
            )
            # It follows what the heir has done, and takes nothing back.
            await asyncio.to_thread(cluster.wait_ready, owner)
            after = generation(cluster, heir, 0)
            assert after > before
            wait_for(lambda: generation(cluster, owner, 0) == after, 20, "it knows its heir")
            assert shard_status(cluster, owner, 0)["state"] == "watching"
            assert shard_status(cluster, heir, 0)["state"] == "serving"
            assert served["generation"] == after, "the shard changed hands again"
            await talk.run(in_pairs(clients), 5, 0.05)
            await talk.until_complete(20)
            talk.assert_clean()
            print(f"{len(talk.accepted)} accepted, 0 lost, 0 repeated, order kept")
            await asyncio.gather(*[client.close() for client in clients])

        asyncio.run(asyncio.wait_for(scenario(), 160))


def test_an_owner_that_is_asked_to_end_hands_over_within_1_s():
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            clients = [await Client(cluster, f"t{i}", "sin-1").open_forever() for i in range(10)]
            talk = Talk(clients)
            await talk.run(in_pairs(clients), 5, 0.05)
            await talk.until_complete(20)
            waits = []
            for turn in range(4):
                owner = await asyncio.to_thread(cluster.owner, "sin", turn % 2)
                running = asyncio.create_task(talk.run(in_pairs(clients), 60, 0.05, timeout_s=60))
                await asyncio.sleep(0.5)
                asked = time.monotonic()
                code = await asyncio.to_thread(cluster.hubs[owner].terminate)
                assert code == 0
                await running
                await talk.until_complete(30)
                waits += longest_waits(talk, asked, time.monotonic())
                cluster.hubs[owner].start()
                await asyncio.to_thread(cluster.wait_ready, owner)
            hold_p99("\na hub asked to end: a user gets nothing for", waits, 1)
            talk.assert_clean()
            print(f"{len(talk.accepted)} accepted, 0 lost, 0 repeated, order kept")
            await asyncio.gather(*[client.close() for client in clients])

        asyncio.run(asyncio.wait_for(scenario(), 160))
