"""Bad batches in a log: each is put aside, the rest goes on, and all hubs make the same of it."""

import asyncio
import os
import sqlite3
import time

from lab import Client, Cluster
from lab.batch import ack, batch, message, record, restamped
from lab.bus import BusLink
from lab.process import wait_for

LOG = "log.sin.0"
OUTBOX = bytes(range(16))  # an incarnation


def damaged(good, at):
    return good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]


def poison():
    """(what, subject, bytes): each is quarantined."""
    fine = batch([message("mallory", "reader", "poison", b'{"n":666}')])
    torn = message("mallory", "reader", "poison", b'{"n":666}')[:-3]
    two = batch([message("mallory", "reader", "half", b'{"n":666}'), record(1, b"\x07")])
    lane = restamped(fine, 9, 9, OUTBOX)
    return [
        ("not a batch", f"{LOG}.e", b"hello"),
        ("nothing at all", f"{LOG}.e", b""),
        ("a damaged header", f"{LOG}.e", damaged(fine, 20)),
        ("a damaged count", f"{LOG}.e", damaged(fine, 6)),
        ("a damaged body", f"{LOG}.e", damaged(fine, len(fine) - 2)),
        ("a cut body", f"{LOG}.e", fine[:-1]),
        ("a malformed record", f"{LOG}.e", batch([torn])),
        ("a malformed record behind a good one", f"{LOG}.e", two),
        ("a hub's record from an edge", f"{LOG}.e", batch([ack("reader", "d1", 1, 1, 1)])),
        ("damage from a hub", f"{LOG}.h", damaged(fine, len(fine) - 1)),
        ("a user of no bytes", f"{LOG}.e", batch([message("mallory", "", "p", b"1")])),
        ("noise", f"{LOG}.e", os.urandom(5000)),
        ("a lane of no region's name", f"{LOG}.l.NOBODY", lane),
        ("a stamp that cannot be", f"{LOG}.l.sin2", lane),
    ]


def quarantined(cluster, hub):
    """{position: reason} of what the hub has put aside."""
    path = cluster.folder / "data" / hub / "sin-0.view"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as view:
        return dict(view.execute("SELECT position, reason FROM quarantine"))


def test_bad_batches_are_put_aside_and_the_rest_goes_on_the_same_on_all_hubs():
    # Ticks carry the owner's hash: a hub that makes something else of the log stops at the next.
    with Cluster(regions=1, shards=1, hubs=2, hub_settings={"ownership.tick": "1s"}) as cluster:
        cluster.start()

        async def scenario():
            reader = await Client(cluster, "reader", "sin-1").open()
            sender = await Client(cluster, "sender", "sin-1").open()
            await sender.send("reader", {"n": 0}, "m0")
            put_aside, number = {}, 0
            with BusLink(cluster, "sin-n1") as link:
                for what, subject, data in poison():
                    answer = await asyncio.to_thread(link.request, subject, data)
                    put_aside[answer["seq"]] = what
                    number += 1  # the rest goes on
                    await sender.send("reader", {"n": number}, f"m{number}")
            await reader.until_messages(number + 1, 30)
            assert [m["body"]["n"] for m in reader.messages] == list(range(number + 1))
            assert [m["cursor"] for m in reader.messages] == [
                f"1:{i + 1}" for i in range(number + 1)
            ]
            await asyncio.sleep(2.5)  # two ticks
            seen = {}
            for hub in cluster.hubs:
                wait_for(
                    lambda hub=hub: len(quarantined(cluster, hub)) >= len(put_aside),
                    20,
                    f"{hub} has put all aside",
                )
                seen[hub] = quarantined(cluster, hub)
                assert cluster.status(hub)[0]["ready"] == "true", cluster.status(hub)
                assert "hash_mismatch" not in cluster.hubs[hub].log()
                assert "a batch is quarantined" in cluster.hubs[hub].log()
            assert seen["sin-h1"] == seen["sin-h2"]
            assert set(seen["sin-h1"]) == set(put_aside)
            print(
                f"\n{len(put_aside)} bad batches put aside on both hubs, {number + 1} good ones applied:"
            )
            for position, what in put_aside.items():
                print(f"  {what}: {seen['sin-h1'][position]}")
            owner = cluster.owner("sin", 0)
            cluster.hubs[owner].kill()  # and the other one goes on from there
            await sender.send_surely("reader", {"n": number + 1}, "last")
            await reader.until_messages(number + 2, 30)
            assert reader.messages[-1]["cursor"] == f"1:{number + 2}"
            for client in (reader, sender):
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 120))


def test_bad_batches_in_an_outbox_do_not_hold_up_the_lane():
    with Cluster(regions=["sin", "dub"], shards=1, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            reader = await Client(cluster, "reader", "sin-1").open_forever()
            sender = await Client(cluster, "sender", "dub-1").open_forever()
            await sender.send("reader", {"n": 0}, "m0")
            bad = [row for row in poison() if row[1] == f"{LOG}.e"]
            with BusLink(cluster, "dub-n1") as link:
                for number, (_, _, data) in enumerate(bad, 1):
                    await asyncio.to_thread(link.request, "out.dub.sin.0", data)
                    await sender.send("reader", {"n": number}, f"m{number}")
            start = time.monotonic()
            await reader.until_messages(len(bad) + 1, 40)
            took = time.monotonic() - start
            assert [m["body"]["n"] for m in reader.messages] == list(range(len(bad) + 1))
            kept = [len(quarantined(cluster, hub)) for hub in cluster.hub_names("sin")]
            print(f"\n{len(bad)} bad batches in an outbox: the good ones {took:.1f} s later, "
                  f"put aside at the home: {kept}")  # fmt: skip
            assert kept == [6, 6], "all that a forwarder can stamp"
            for hub in cluster.hub_names("sin") + cluster.hub_names("dub"):
                assert cluster.status(hub)[0]["ready"] == "true", cluster.status(hub)
            for client in (reader, sender):
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 120))
