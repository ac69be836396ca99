"""A full outbox or log: refused with a code, nothing accepted is lost, it recovers alone."""

import asyncio
import json
import time

import pytest

from lab import Client, Cluster, Network, SendFailed, Talk
from lab.bus import BusLink
from lab.promise import hold, hold_clean, tell
from lab.record import judge_numbers


@pytest.mark.namespaces
def test_a_full_outbox_refuses_and_recovers():
    with Network(["sin", "dub"]) as network, Cluster(
        regions=["sin", "dub"],
        shards=1,
        network=network,
        region_settings={"outbox_max_bytes": "1MiB"},
    ) as cluster:
        cluster.start()

        async def scenario():
            ann = await Client(cluster, "ann", "sin-1").open_forever()
            bob = await Client(cluster, "bob", "dub-1").open_forever()
            talk = Talk([ann, bob])
            await talk.run([("ann", "bob")], 3, 0.01)
            await talk.until_complete(10)
            network.cut("sin", "dub")
            accepted = []
            refused = None
            for i in range(200):
                try:
                    await ann.send("bob", {"n": 1000 + i, "pad": "x" * 30000}, f"big-{i}")
                    accepted.append(1000 + i)
                except SendFailed as failed:
                    refused = failed
                    break
            assert refused is not None and refused.code == "storage_full"
            assert refused.frame["retryable"] is True
            assert 10 < len(accepted) < 40
            await ann.send("ann", {"n": 1}, "to-myself")  # other destinations go on
            network.heal()
            await ann.send_surely("bob", {"n": 5000}, "after", timeout_s=60)
            await bob.until(
                lambda c: c.messages and c.messages[-1]["body"]["n"] == 5000, 30, "the last one"
            )
            got = [m["body"]["n"] for m in bob.messages if m["body"]["n"] >= 1000]
            assert got == accepted + [5000]
            await ann.close()
            await bob.close()

        asyncio.run(asyncio.wait_for(scenario(), 120))


def log_use(cluster):
    _, _, body = cluster.http("sin-n1", "/jsz?streams=true")
    streams = json.loads(body)["account_details"][0]["stream_detail"]
    return next(s["state"]["bytes"] for s in streams if s["name"] == "LOG_sin_0")


async def fill_log(sender, size):
    """Sends until it is refused; returns how many were accepted, and the refusal."""
    for number in range(400):
        try:
            await sender.send("reader", {"n": number, "pad": "x" * size}, f"big-{number}")
        except SendFailed as failed:
            return number, failed
        await asyncio.sleep(0.05)
    raise AssertionError("the log was never full")


def set_max_bytes(cluster, stream, max_bytes):
    with BusLink(cluster, "sin-n1") as link:
        config = link.request(f"$JS.API.STREAM.INFO.{stream}", b"")["config"]
        config["max_bytes"] = max_bytes
        answer = link.request(f"$JS.API.STREAM.UPDATE.{stream}", json.dumps(config).encode())
        assert "error" not in answer, answer


def test_a_full_log_refuses_messages_at_85_percent_and_takes_acks_and_recovers():
    most = 4 << 20
    with Cluster(
        regions=1,
        shards=1,
        region_settings={"log_max_bytes": str(most)},
        hub_settings={"lanes.stream_info": "200ms"},
    ) as cluster:
        cluster.start()

        async def scenario():
            sender = await Client(cluster, "sender", "sin-1").open_forever()
            late = await Client(cluster, "reader", "sin-1", device="late").open()
            await late.close()  # known, so it starts where it was
            count, refused = await fill_log(sender, 24000)
            used = log_use(cluster)
            assert refused.code == "storage_full" and refused.frame["retryable"] is True
            tell(f"\nrefused with {refused.code} at", 100 * used / most, "% of the log", row="log")
            assert 0.85 <= used / most < 1, "the room for control was used up"
            # Delivery and acks go on.
            late = await Client(cluster, "reader", "sin-1", device="late").open()
            await late.until_messages(count, 30)
            assert [m["body"]["n"] for m in late.messages] == list(range(count))
            last = late.messages[-1]["cursor"]
            await late.until(lambda c: c.confirmed == last, 30, "an ack confirmed in a full log")
            set_max_bytes(cluster, "LOG_sin_0", 4 * most)
            roomy = time.monotonic()
            await sender.send_surely("reader", {"n": count}, "after", timeout_s=50)
            hold("accepted again after there is room", time.monotonic() - roomy, 5, row="log")
            await late.until_messages(count + 1, 30)
            got = [m["body"]["n"] for m in late.messages]
            hold_clean(count + 1, *judge_numbers(range(count + 1), got), rows=["log"])
            for client in (sender, late):
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 150))
