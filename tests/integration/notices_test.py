"""Who sent a message is told what became of it: stored, delivered, read. Each thing once."""

import asyncio
import collections
import json
import time

import pytest

from lab import Client, Cluster, Network

ALL = ["stored", "delivered", "read"]


def run(scenario, timeout_s=150):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


def told(client):
    """{(kind, by): the ids in the order they were told}"""
    found = collections.defaultdict(list)
    for frame in client.receipts:
        found[frame["kind"], frame.get("by")] += frame.get("ids", [])
    return dict(found)


def assert_in_order(client):
    """Messages and receipts have one line of cursors, without a hole or a repeat."""
    seqs = [
        int(frame["cursor"].split(":")[1])
        for frame in client.frames
        if frame["t"] in ("msg", "receipt")
    ]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def stays(client, seconds=2.5):
    """Nothing more is told."""
    count = len(client.receipts)
    await asyncio.sleep(seconds)
    assert len(client.receipts) == count, client.receipts[count:]


async def close(*clients):
    for client in clients:
        await client.close()


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=["sin", "dub"], shards=2, hubs=2, edges=1) as cluster:
        cluster.start()
        yield cluster


@pytest.mark.parametrize("bobs_region", ["sin", "dub"])
def test_all_three_kinds_are_told_once_and_in_order(cluster, bobs_region):
    async def scenario():
        alice = await Client(cluster, f"alice-{bobs_region}", "sin-1").open()
        bob = await Client(cluster, f"bob-{bobs_region}", f"{bobs_region}-1").open()
        begun = time.monotonic()
        for i in range(1, 4):
            await alice.send(bob.user, i, f"m{i}", want=ALL)
        await bob.until_messages(3)
        await alice.until(
            lambda c: len(told(c).get(("delivered", bob.user), [])) >= 3, 20, "delivered"
        )
        took = time.monotonic() - begun
        ids = ["m1", "m2", "m3"]
        assert told(alice) == {("stored", bob.user): ids, ("delivered", bob.user): ids}
        await bob.has_read(alice.user, bob.messages[1]["cursor"])
        await alice.until(lambda c: ("read", bob.user) in told(c), 20, "read")
        assert told(alice)["read", bob.user] == ids[:2]
        receipt = next(f for f in alice.receipts if f["kind"] == "read")
        assert receipt["of_cursor"] == bob.messages[1]["cursor"]
        await bob.has_read(alice.user, bob.messages[1]["cursor"])  # says nothing new
        await stays(alice)
        assert not bob.receipts
        assert_in_order(alice)
        print(f"\n{bobs_region}: delivered was told after {took:.2f} s")
        assert took < 15
        await close(alice, bob)

    run(scenario())


def test_nobody_is_told_who_has_not_asked(cluster):
    async def scenario():
        alice = await Client(cluster, "quiet-alice", "sin-1").open()
        bob = await Client(cluster, "quiet-bob", "dub-1").open()
        await alice.send(bob.user, 1, "m1")
        await alice.send(bob.user, 2, "m2", want=["delivered"])
        await alice.send(bob.user, 3, "m3", want=["read"])
        await bob.until_messages(3)
        await alice.until(lambda c: c.receipts, 20, "delivered")
        await bob.has_read("somebody-else", bob.messages[2]["cursor"])
        await stays(alice)
        assert told(alice) == {("delivered", bob.user): ["m2"]}
        await bob.has_read(alice.user, bob.messages[2]["cursor"])
        await alice.until(lambda c: len(c.receipts) == 2, 20, "read")
        assert told(alice)["read", bob.user] == ["m3"]
        await close(alice, bob)

    run(scenario())


def test_who_was_offline_is_told_at_the_next_connect(cluster):
    async def scenario():
        alice = await Client(cluster, "offline-alice", "sin-1").open()
        await alice.send("offline-bob", 1, "m1", want=ALL)
        await alice.send("offline-bob", 2, "m2", want=ALL)
        await alice.until(lambda c: len(told(c).get(("stored", "offline-bob"), [])) == 2, 20)
        await alice.until(lambda c: c.confirmed == c.cursor, 10, "confirmed")
        await close(alice)
        bob = await Client(cluster, "offline-bob", "dub-1").open()
        await bob.until_messages(2)
        await bob.has_read(alice.user, bob.messages[1]["cursor"])
        await bob.until(lambda c: c.confirmed == c.cursor, 10, "confirmed")
        await asyncio.sleep(3)
        again = Client(cluster, "offline-alice", "sin-1")
        await again.open()
        await again.until(lambda c: ("read", "offline-bob") in told(c), 20, "read")
        await stays(again)
        ids = ["m1", "m2"]
        assert told(again) == {("delivered", bob.user): ids, ("read", bob.user): ids}
        await close(again, bob)

    run(scenario())


def test_what_a_device_begins_behind_is_not_delivered(cluster):
    async def scenario():
        alice = await Client(cluster, "head-alice", "sin-1").open()
        delivered, stored = ("delivered", "head-bob"), ("stored", "head-bob")
        for n in (1, 2):
            await alice.send("head-bob", n, f"m{n}", want=["stored", "delivered"])
        # Accepted is not stored yet: one that is stored later is delivered to who begins here.
        await alice.until(lambda c: told(c).get(stored) == ["m1", "m2"], 20, "stored")
        laptop = await Client(cluster, "head-bob", "dub-1", device="laptop", start="head").open()
        await stays(alice)
        await alice.send("head-bob", 3, "m3", want=["delivered"])
        await laptop.until_messages(1)
        await alice.until(lambda c: delivered in told(c), 20, "delivered")
        await stays(alice)
        assert told(alice)[delivered] == ["m3"]
        phone = await Client(cluster, "head-bob", "dub-1", device="phone").open()
        await phone.until_messages(3)
        await alice.until(lambda c: len(told(c)[delivered]) > 1, 20, "delivered")
        await stays(alice)
        assert told(alice) == {stored: ["m1", "m2"], delivered: ["m3", "m1", "m2"]}
        await close(alice, laptop, phone)

    run(scenario())


def test_a_plain_reader_passes_notices_over(cluster):
    async def scenario():
        alice = await Client(cluster, "poll-alice", "sin-1").open()
        await alice.send("poll-bob", 1, "m1", want=["stored"])
        await alice.until(lambda c: c.receipts, 20, "stored")
        bob = await Client(cluster, "poll-bob", "sin-1").open()
        await bob.send(alice.user, {"x": 1}, "b1")
        await alice.until_messages(1)
        await close(alice, bob)
        status, _, body = await asyncio.to_thread(
            cluster.http, "sin-1", "/api/messages/poll-alice?after=1:0"
        )
        assert status == 200 and b"meridian" not in body and body.count(b"recipient_id") == 1

    run(scenario())


def test_bad_receipts_are_answered_and_change_nothing(cluster):
    async def scenario():
        bob = await Client(cluster, "bad-bob", "sin-1").open()
        for frame in (
            {"kind": "read", "from": "x", "cursor": "1:1"},
            {"kind": "read", "from": "x", "cursor": "9:1"},
            {"kind": "read", "from": "$meridian", "cursor": "1:0"},
            {"kind": "delivered", "from": "x", "cursor": "1:0"},
            {"kind": "read", "from": "x", "cursor": "1:18446744073709551615"},
        ):
            before = len(bob.frames)
            await bob.send_frame({"t": "receipt", **frame})
            await bob.until(lambda c: len(c.frames) > before, 5, f"an answer to {frame}")
            assert bob.frames[-1]["t"] == "error"
        await bob.send(bob.user, 1, "m1")
        await bob.until_messages(1)
        await close(bob)

    run(scenario())


async def open_many(clients, at_once=24):
    """Connects them, some at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(client):
        async with gate:
            await client.open(timeout_s=60)

    await asyncio.gather(*[one(client) for client in clients])


def test_a_list_of_256_with_two_devices_each_names_each_recipient_once(cluster):
    async def scenario():
        alice = await Client(cluster, "list-alice", "sin-1").open()
        names = [f"list-{i}" for i in range(256)]
        devices = [
            Client(cluster, name, f"{'sin' if i % 2 else 'dub'}-1", device=device)
            for i, name in enumerate(names)
            for device in ("phone", "desk")
        ]
        await open_many(devices)
        begun = time.monotonic()
        await alice.send_frame(
            {"t": "send", "id": "m1", "to": names, "body": 1, "want": ["stored", "delivered"]}
        )
        for device in devices:
            await device.until_messages(1, 60)
        await alice.until(
            lambda c: sum(f["kind"] == "delivered" for f in c.receipts) >= 256, 60, "delivered"
        )
        took = time.monotonic() - begun
        await stays(alice, 4)
        found = told(alice)
        assert found == {(kind, name): ["m1"] for kind in ("stored", "delivered") for name in names}
        assert len(alice.receipts) <= 512
        assert_in_order(alice)
        print(
            f"\n256 recipients with 2 devices: {len(alice.receipts)} receipts (at most 512), all "
            f"after {took:.1f} s"
        )
        await asyncio.gather(*[device.close() for device in devices])
        await close(alice)

    run(scenario())


def test_an_owner_killed_in_between_loses_and_repeats_no_notice():
    # Hubs say late up to where notices are stored: the next owner begins far back.
    with Cluster(
        regions=["sin", "dub"], shards=2, hubs=2, edges=1, hub_settings={"notices.noticed": "30s"}
    ) as cluster:
        cluster.start()

        async def scenario():
            alice = await Client(cluster, "kill-alice", ["sin-1"]).open_forever()
            bobs = [
                await Client(cluster, f"kill-bob-{i}", ["dub-1"]).open_forever() for i in range(4)
            ]
            ids = []

            async def talk(seconds):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    ids.append(f"m{len(ids)}")
                    for bob in bobs:
                        await alice.send_surely(
                            bob.user, 1, ids[-1], want=["stored", "delivered"], timeout_s=60
                        )
                    await asyncio.sleep(0.02)

            kills = 0
            for name in [*cluster.hub_names("dub"), *cluster.hub_names("sin")]:
                talking = asyncio.create_task(talk(3))
                await asyncio.sleep(1.5)
                await asyncio.to_thread(cluster.hubs[name].kill)
                kills += 1
                await talking
                cluster.hubs[name].start()
                await asyncio.to_thread(cluster.wait_ready, name, timeout_s=40)
            for bob in bobs:
                await bob.until_messages(len(ids), 60)

            def complete(client):
                return len(client.receipts) > 0 and all(
                    len(told(client).get((kind, bob.user), [])) >= len(ids)
                    for kind in ("stored", "delivered")
                    for bob in bobs
                )

            await alice.until(complete, 60, "all notices")
            await stays(alice, 4)
            for (kind, by), named in told(alice).items():
                assert sorted(named) == sorted(ids), (kind, by)
                assert named == ids, f"{kind} of {by} out of order"
            assert len(told(alice)) == 2 * len(bobs)
            assert_in_order(alice)
            print(
                f"\n{kills} owners killed: {len(ids) * len(bobs)} messages, each told once as "
                "stored and once as delivered: 0 lost, 0 repeated (promise 0, 0)"
            )
            await close(alice, *bobs)

        run(scenario(), 165)


@pytest.mark.namespaces
def test_notices_to_a_region_that_is_cut_off_wait_and_arrive_after_the_heal():
    with Network(["sin", "dub"]) as network, Cluster(
        regions=["sin", "dub"], shards=1, network=network
    ) as cluster:
        cluster.start()

        async def scenario():
            alice = await Client(cluster, "cut-alice", "sin-1").open_forever()
            bob = await Client(cluster, "cut-bob", "dub-1", auto_ack=False).open_forever()
            for i in range(1, 4):
                await alice.send(bob.user, i, f"m{i}", want=ALL)
            await bob.until_messages(3)
            await alice.until(lambda c: len(c.receipts) == 3, 20, "stored")
            network.cut("sin", "dub")
            await asyncio.sleep(1)
            await bob.ack(bob.cursor)
            await bob.has_read(alice.user, bob.cursor)
            await bob.until(lambda c: c.confirmed == c.cursor, 20, "confirmed")
            await asyncio.sleep(5)
            assert len(alice.receipts) == 3, "the cut cut nothing"
            network.heal()
            healed = time.monotonic()
            ids = ["m1", "m2", "m3"]
            await alice.until(lambda c: len(c.receipts) >= 5, 50, "delivered and read")
            took = time.monotonic() - healed
            await stays(alice)
            assert told(alice) == {(kind, bob.user): ids for kind in ALL}
            assert_in_order(alice)
            print(f"\nnotices came {took:.1f} s after the heal (promise 5 s)")
            await close(alice, bob)

        run(scenario(), 120)


def test_the_command_line_asks_for_receipts_prints_and_sends_them(cluster):
    def meridian(*words):
        done = cluster.meridian(*words, "--edge", cluster.url["sin-1"])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def scenario():
        alice = await Client(cluster, "cli-alice", "sin-1").open()
        bob = await Client(cluster, "cli-bob", "sin-1", device="other").open()
        send = ["send", "--from", alice.user, "--to", bob.user, "--id", "m1"]
        await asyncio.to_thread(meridian, *send, "--want", "read,stored,delivered", "hello")
        printed = await asyncio.to_thread(
            meridian, "listen", "--user", bob.user, "--count", 1, "--read"
        )
        assert json.loads(printed)["body"] == "hello"
        await alice.until(lambda c: ("read", bob.user) in told(c), 20, "read")
        await bob.send(alice.user, "end", "b1")
        printed = await asyncio.to_thread(meridian, "listen", "--user", alice.user, "--count", 1)
        lines = [json.loads(line) for line in printed.splitlines()]
        # Acks go to the log once a second, reading at once: so it may be told before.
        assert sorted(line["receipt"] for line in lines[:-1]) == sorted(ALL)
        assert all(line["by"] == bob.user and line["ids"] == ["m1"] for line in lines[:-1])
        await close(alice, bob)

    run(scenario())


def test_long_ranges_are_told_in_parts_and_reading_within_its_bounds(cluster):
    async def scenario():
        alice = await Client(cluster, "long-alice", "sin-1").open()
        carol = await Client(cluster, "long-carol", "sin-1").open()
        count = 1300
        await carol.send("long-bob", 0, "c1", want=["read"])
        for i in range(0, count, 100):
            await asyncio.gather(
                *[
                    alice.send("long-bob", i, f"m{n}", want=["delivered", "read"])
                    for n in range(i, min(i + 100, count))
                ]
            )
        bob = await Client(cluster, "long-bob", "dub-1").open()
        await bob.until_messages(count + 1, 60)
        await alice.until(
            lambda c: len(told(c).get(("delivered", bob.user), [])) >= count, 60, "delivered"
        )
        received = [frame["id"] for frame in bob.messages if frame["from"] == alice.user]
        assert told(alice)["delivered", bob.user] == received
        assert all(len(frame["ids"]) <= 256 for frame in alice.receipts)
        before = len(alice.receipts)
        # The oldest: carol's message is more than 1,024 back; then the newest 64 of alice's.
        await bob.has_read(carol.user, bob.messages[-1]["cursor"])
        await bob.has_read(alice.user, bob.messages[-1]["cursor"])
        await alice.until(lambda c: len(c.receipts) > before, 20, "read")
        await stays(alice)
        assert told(alice)["read", bob.user] == received[-64:]
        assert alice.receipts[-1]["of_cursor"] == bob.messages[-1]["cursor"]
        assert not carol.receipts
        assert_in_order(alice)
        print(f"\n{count} messages: {before} receipts of delivery, 1 of reading with 64 ids")
        await close(alice, bob, carol)

    run(scenario())


def test_a_user_is_told_of_a_device_that_was_dropped(cluster):
    async def scenario():
        async def visit(device):
            client = await Client(cluster, "many", "sin-1", device=device).open()
            await client.close()

        await visit("stalest")
        await asyncio.sleep(1)
        home = await Client(cluster, "many", "sin-1", device="home").open()
        for i in range(31):
            await visit(f"d{i}")
        await home.until(lambda c: c.receipts, 20, "a dropped device")
        assert home.receipts[0]["kind"] == "device_dropped"
        assert home.receipts[0]["device"] == "stalest"
        assert "ids" not in home.receipts[0] and "by" not in home.receipts[0]
        await stays(home)
        await close(home)

    run(scenario())
