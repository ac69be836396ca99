"""Devices of one user: how many, which stays, whose acks count; through several edges and regions."""

import asyncio

import pytest

from lab import Client, Cluster


@pytest.fixture(scope="module")
def cluster():
    with Cluster(
        regions=["sin", "dub"], shards=1, edges=2, catalogue={"devices_max": 3}
    ) as cluster:
        cluster.start()
        yield cluster


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 90))


async def known(cluster, user, device, edge="sin-1"):
    """A device that the log knows: it has confirmed a message."""
    client = await Client(cluster, user, edge, device=device).open()
    await client.until(lambda c: c.confirmed, 10, "confirmed")
    return client


def test_the_stalest_device_is_dropped_and_comes_back_as_a_new_one(cluster):
    async def scenario():
        alice = await Client(cluster, "drop-a", "sin-1").open()
        bob = [await Client(cluster, "drop-b", "sin-1", device="d0").open()]
        await alice.send("drop-b", 1, "m1")
        await bob[0].until(lambda c: c.confirmed == "1:1", 10, "confirmed")
        for number, edge in ((1, "sin-2"), (2, "dub-1")):
            bob.append(await known(cluster, "drop-b", f"d{number}", edge))
        await alice.send("drop-b", 2, "m2")
        for number in (0, 2):  # d1 gets it too, and says nothing
            await bob[number].until(lambda c: c.confirmed == "1:2", 10, "confirmed")

        silent = Client(cluster, "drop-b", "sin-2", device="d1", auto_ack=False)
        await bob[1].close()
        await silent.open()  # the same device again; still three
        assert silent.welcome["resumed"] is True
        fourth = await Client(cluster, "drop-b", "dub-2", device="d3").open()
        await fourth.until_messages(2)
        dropped = [bob[0], silent, bob[2]]
        await asyncio.wait(
            [asyncio.create_task(c.until(lambda c: c.closed_code, 10, "closed")) for c in dropped],
            return_when=asyncio.FIRST_COMPLETED,
        )
        gone = [c for c in dropped if c.closed_code]
        assert len(gone) == 1, "one device too many, one is dropped"
        assert (gone[0].closed_code, gone[0].socket.close_reason) == (4403, "device dropped")
        assert [f["code"] for f in gone[0].frames if f["t"] == "error"] == ["device_dropped"]
        # The others go on.
        await alice.send("drop-b", 3, "m3")
        for client in dropped + [fourth]:
            if client is not gone[0]:
                await client.until(
                    lambda c: c.messages and c.messages[-1]["body"] == 3, 10, "the third"
                )
        # Without a cursor it is new: all from the oldest. With one it goes on.
        again = await Client(cluster, "drop-b", "sin-1", device=gone[0].device).open()
        assert again.welcome["resumed"] is False and again.welcome["cursor"] == "1:0"
        await again.until_messages(3)
        await again.close()
        again = Client(cluster, "drop-b", "sin-1", device="d9")
        again.cursor = "1:2"
        await again.open()
        assert again.welcome["resumed"] is True
        await again.until_messages(1)
        # Its cursor depends on when the notices of drops came.
        assert again.messages[0]["body"] == 3
        for client in [alice, again, fourth, *dropped]:
            await client.close()

    run(scenario())


def test_the_newer_of_one_device_stays_on_whatever_edge(cluster):
    async def scenario():
        alice = await Client(cluster, "same-a", "dub-2").open()
        first = await Client(cluster, "same-b", "sin-1", device="phone").open()
        clients = [first]
        for edge in ("sin-1", "sin-2", "dub-1", "sin-1", "dub-2"):
            newer = await Client(cluster, "same-b", edge, device="phone").open()
            older = clients[-1]
            await older.until(lambda c: c.closed_code, 10, "closed")
            assert older.closed_code == 4403, older.closed_code
            assert "replaced" in older.socket.close_reason
            await alice.send("same-b", len(clients), f"m{len(clients)}")
            await newer.until(
                lambda c: c.messages and c.messages[-1]["body"] == len(clients), 10, "the newest"
            )
            clients.append(newer)
        assert clients[-1].closed_code is None
        for client in (alice, clients[-1]):
            await client.close()

    run(scenario())


def test_acks_that_cannot_be_change_nothing(cluster):
    async def scenario():
        alice = await Client(cluster, "ack-a", "sin-1").open()
        for n in range(1, 6):
            await alice.send("ack-b", n, f"m{n}")
        bob = await Client(cluster, "ack-b", "dub-1", auto_ack=False).open()
        await bob.until_messages(5)
        await bob.ack("1:4")
        await bob.until(lambda c: c.confirmed == "1:4", 10, "confirmed")
        await bob.close()
        bob = Client(cluster, "ack-b", "sin-2", auto_ack=False)
        bob.cursor = "1:4"
        await bob.open()
        await bob.until_messages(1)
        for cursor, kind in (("1:2", "acked"), ("1:0", "acked"), ("2:5", "error"), ("1:6", "error"),
                             ("0:1", "error")):  # fmt: skip
            before = len(bob.frames)
            await bob.ack(cursor)
            await bob.until(lambda c: len(c.frames) > before, 10, f"an answer to {cursor}")
            frame = bob.frames[before]
            assert frame["t"] == kind, (cursor, frame)
            assert frame.get("cursor") in (None, "1:4")
            assert frame.get("code") in (None, "bad_cursor")
        await bob.close()
        bob = await Client(cluster, "ack-b", "sin-1", auto_ack=False).open()
        assert bob.welcome["cursor"] == "1:4"
        for client in (alice, bob):
            await client.close()

    run(scenario())
