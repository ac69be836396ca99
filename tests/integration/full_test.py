"""A full outbox: refused with a code of its own, nothing accepted is lost, it recovers alone."""

import asyncio

import pytest

from lab import Client, Cluster, Network, SendFailed, Talk

pytestmark = pytest.mark.namespaces


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
