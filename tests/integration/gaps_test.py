"""Gaps: what a device does not get is announced, with its true reason, and the rest goes on."""

import asyncio
import sqlite3
import time

import pytest

from lab import Client, Cluster
from lab.process import wait_for


@pytest.fixture(scope="module")
def cluster():
    catalogue = {"retention": "3s", "mailbox_max_messages": 20}
    with Cluster(
        regions=1,
        shards=1,
        catalogue=catalogue,
        hub_settings={"ownership.tick": "200ms", "view.save": "300ms"},
    ) as cluster:
        cluster.start()
        yield cluster


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 90))


def told(client):
    """What came in order: (seq) of messages, (from, to, reason) of gaps."""
    rows = []
    for frame in client.frames:
        if frame["t"] == "msg":
            rows.append(int(frame["cursor"].split(":")[1]))
        elif frame["t"] == "gap":
            first, last = (int(frame[key].split(":")[1]) for key in ("from", "to"))
            rows.append((first, last, frame["reason"]))
    return rows


async def until_told(client, rows, timeout_s=10):
    await client.until(lambda c: len(told(c)) >= len(rows), timeout_s, f"{len(rows)} rows")
    assert told(client) == rows


async def send(client, to, numbers, **more):
    for n in numbers:
        await client.send(to, {"n": n}, f"m{n}", **more)


async def resume(cluster, user, cursor, device="d1"):
    client = Client(cluster, user, "sin-1", device=device)
    client.cursor = cursor
    return await client.open()


def test_a_message_whose_time_is_over_is_a_gap_and_the_next_has_the_next_cursor(cluster):
    async def scenario():
        alice = await Client(cluster, "ttl-a", "sin-1").open()
        await send(alice, "ttl-b", [1, 2], ttl=1)
        await send(alice, "ttl-b", [3])
        await send(alice, "ttl-b", [4], ttl=1)
        await asyncio.sleep(1.3)
        bob = await Client(cluster, "ttl-b", "sin-1").open()
        await until_told(bob, [(1, 2, "ttl"), 3, (4, 4, "ttl")])
        await send(alice, "ttl-b", [5], ttl=1)  # in time
        await until_told(bob, [(1, 2, "ttl"), 3, (4, 4, "ttl"), 5])
        await bob.ack("1:5")
        await bob.until(lambda c: c.confirmed == "1:5", 10, "an ack across gaps")
        await bob.close()
        # A gap at the end: nothing comes after it, and it can be acknowledged.
        await send(alice, "ttl-b", [6], ttl=1)
        await asyncio.sleep(1.3)
        bob = await Client(cluster, "ttl-b", "sin-1").open()
        await until_told(bob, [(6, 6, "ttl")])
        await bob.ack("1:6")
        await bob.until(lambda c: c.confirmed == "1:6", 10, "an ack of a gap")
        for client in (alice, bob):
            await client.close()

    run(scenario())


async def until_out(cluster, user, head, timeout_s=30):
    """Waits until a device that was never seen begins at the head: what was there is out."""
    began = time.monotonic()
    for number in range(100):
        probe = await Client(cluster, user, "sin-1", device=f"probe-{number}").open()
        cursor = probe.welcome["cursor"]
        assert told(probe) == [] or not isinstance(told(probe)[0], tuple), told(probe)
        await probe.close()
        if cursor == f"1:{head}":
            return
        assert time.monotonic() - began < timeout_s, f"after {timeout_s} s it begins at {cursor}"
        await asyncio.sleep(0.5)


def test_retention_and_a_full_mailbox_each_say_their_part(cluster):
    async def scenario():
        alice = await Client(cluster, "ret-a", "sin-1").open()
        await send(alice, "ret-b", range(1, 6))
        began = time.monotonic()
        await until_out(cluster, "ret-b", 5)
        print(f"out after {time.monotonic() - began:.1f} s; retention 3 s, by steps of 1 s")
        assert time.monotonic() - began >= 3
        await send(alice, "ret-b", range(6, 31))  # the mailbox holds 20
        rows = [(1, 5, "retention"), (6, 10, "mailbox_full"), *range(11, 31)]
        bob = await resume(cluster, "ret-b", "1:0")
        assert bob.welcome["resumed"] is True
        await until_told(bob, rows)
        await bob.close()
        bob = await resume(cluster, "ret-b", "1:7")
        await until_told(bob, [(8, 10, "mailbox_full"), *range(11, 31)])
        await bob.close()
        new = await Client(cluster, "ret-b", "sin-1", device="new").open()
        assert new.welcome["cursor"] == "1:10"
        await until_told(new, list(range(11, 31)))  # what went before it came it does not miss
        await new.until(lambda c: c.confirmed == "1:30", 10, "confirmed")
        await new.close()
        await until_out(cluster, "ret-b", 30)
        bob = await resume(cluster, "ret-b", "1:29")
        await until_told(bob, [(30, 30, "retention")])
        await send(alice, "ret-b", [31])
        await until_told(bob, [(30, 30, "retention"), 31])
        for client in (alice, bob):
            await client.close()

    run(scenario())


def test_a_cursor_of_nowhere_is_resynced(cluster):
    async def scenario():
        alice = await Client(cluster, "res-a", "sin-1").open()
        await send(alice, "res-b", [1, 2])
        for cursor in ("1:3", "2:1", "1:9223372036854775806"):
            bob = await resume(cluster, "res-b", cursor, device=f"d{cursor}".replace(":", "-"))
            assert bob.welcome["resumed"] is False, cursor
            await bob.until(lambda c: any(f["t"] == "resync" for f in c.frames), 5, "resync")
            await bob.until_messages(2)
            assert told(bob) == [1, 2]
            await bob.close()
        bob = await resume(cluster, "res-b", "1:2", device="equal")  # the head
        assert bob.welcome["resumed"] is True and bob.welcome["cursor"] == "1:2"
        await send(alice, "res-b", [3])
        await until_told(bob, [3])
        assert not any(frame["t"] == "resync" for frame in bob.frames)
        for client in (alice, bob):
            await client.close()

    run(scenario())


def sizes(cluster):
    folder = cluster.folder / "data" / "sin-h1"
    return {path.name: path.stat().st_size for path in folder.glob("sin-0.view*")}


def rows_of(cluster):
    path = cluster.folder / "data" / "sin-h1" / "sin-0.view"
    view = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return view.execute("SELECT count(*) FROM rows").fetchone()[0]
    finally:
        view.close()


def test_the_view_stops_growing(cluster):
    async def scenario():
        alice = await Client(cluster, "grow-a", "sin-1").open()
        body, grown = "x" * 8000, []
        for turn in range(4):
            for n in range(400):  # 3.2 MB
                await alice.send(f"grow-{n % 40}", body, f"g{turn}-{n}")
            await asyncio.to_thread(wait_for, lambda: rows_of(cluster) == 0, 30, "an empty view")
            grown.append(sum(sizes(cluster).values()))
        print(f"the view's files after 3.2 MB each: {grown}")
        assert grown[-1] <= grown[1] * 1.1
        await alice.close()

    run(scenario())
