"""Ephemeral messages: to who is attached now, in any region, and never stored."""

import asyncio

import pytest

from lab import Client, Cluster
from lab.tap import Tap


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=["sin", "dub"], shards=2) as cluster:
        cluster.start()
        yield cluster


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 90))


def split(client):
    """(bodies of ephemeral messages, cursors of durable ones)."""
    return (
        [m["body"] for m in client.messages if "cursor" not in m],
        [m["cursor"] for m in client.messages if "cursor" in m],
    )


def test_it_reaches_who_is_attached_and_nobody_later(cluster):
    async def scenario():
        alice = await Client(cluster, "eph-a", "sin-1").open()
        near = await Client(cluster, "eph-b", "sin-1", device="near").open()
        far = await Client(cluster, "eph-b", "dub-1", device="far").open()
        away = await Client(cluster, "eph-c", "dub-1").open()  # at home in dub
        await away.close()
        with Tap(cluster, "sin-n1", "log.>") as log, Tap(cluster, "sin-n1", "out.>") as out:
            await alice.send("eph-b", "typing", "e1", **{"class": "ephemeral", "ttl": 1})
            for client in (near, far):
                await client.until_messages(1)
                assert split(client) == (["typing"], [])
            await alice.send("eph-c", "lost", "e2", **{"class": "ephemeral"})
            await alice.send("eph-c", "kept", "m1")
            assert {row[2] for row in log.messages() + out.messages()} == {"m1"}
        away = await Client(cluster, "eph-c", "dub-1").open()
        await away.until_messages(1)
        assert split(away) == ([], ["1:1"])
        # And the other way, across regions.
        await away.send("eph-b", "back", "e3", **{"class": "ephemeral"})
        await near.until_messages(2)
        assert near.messages[1]["from"] == "eph-c"
        later = await Client(cluster, "eph-b", "sin-1", device="later").open()
        assert later.welcome["cursor"] == "1:0"
        await alice.send("eph-b", "first", "m2")
        await later.until_messages(1)
        assert split(later) == ([], ["1:1"])
        for client in (alice, near, far, away, later):
            await client.close()

    run(scenario())


def test_it_disturbs_no_cursor_while_durable_ones_flow(cluster):
    async def scenario():
        alice = await Client(cluster, "flow-a", "sin-1").open()
        bob = await Client(cluster, "flow-b", "dub-1").open()  # at home in dub
        sent = {"durable": 0, "ephemeral": 0}

        async def flow(kind, count):
            for n in range(count):
                await alice.send("flow-b", [kind, n], f"{kind}-{n}", **{"class": kind})
                sent[kind] += 1
                await asyncio.sleep(0.005)

        await asyncio.gather(flow("durable", 200), flow("ephemeral", 300))
        await bob.until(lambda c: len(split(c)[1]) == 200, 20, "all durable ones")
        ephemeral, cursors = split(bob)
        print(f"{len(ephemeral)} of 300 ephemeral messages came")
        assert cursors == [f"1:{n}" for n in range(1, 201)]
        durable = [m["body"][1] for m in bob.messages if "cursor" in m]
        assert durable == list(range(200))
        numbers = [body[1] for body in ephemeral]
        assert numbers == sorted(set(numbers)), "an ephemeral message came twice or out of order"
        assert len(ephemeral) >= 270  # they may be lost, on a quiet machine they are not
        await bob.until(lambda c: c.confirmed == "1:200", 10, "confirmed")
        for client in (alice, bob):
            await client.close()

    run(scenario())
