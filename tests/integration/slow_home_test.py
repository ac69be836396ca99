"""A home that applies more slowly than edges accept: they say busy until it has caught up."""

import asyncio
import time

from lab import Client, Cluster, SendFailed
from lab.batch import batch, message
from lab.bus import BusLink
from lab.promise import hold

BATCHES, RECORDS = 350, 1000


def flood(cluster):
    """More than a hub applies in the lag allowed, all at once, each with its ring for the owner."""
    floods = [
        batch([message("flood", "sink", f"{i}-{j}", b"1") for j in range(RECORDS)])
        for i in range(BATCHES)
    ]
    with BusLink(cluster, "sin-n1", timeout_s=60) as link:
        for number, data in enumerate(floods):
            link.publish("log.sin.0.e", data, f"pa.sin.0.flood.{number}")
        link.flush()


def test_a_home_that_lags_is_answered_busy_and_what_was_accepted_comes():
    with Cluster(
        regions=1,
        shards=1,
        edge_settings={"outbound.lag_max": "50ms"},
        hub_settings={"ownership.beat": "50ms"},
    ) as cluster:
        cluster.start()

        async def scenario():
            reader = await Client(cluster, "reader", "sin-1").open()
            sender = await Client(cluster, "sender", "sin-1").open()
            accepted, busy, number = [], [], 0
            flooding = asyncio.create_task(asyncio.to_thread(flood, cluster))
            end = time.monotonic() + 60
            calm_since = None
            # Until it was busy and has taken everything again for two seconds.
            while calm_since is None or time.monotonic() < calm_since + 2:
                assert time.monotonic() < end, f"{len(accepted)} accepted, {len(busy)} busy"
                number += 1
                try:
                    await sender.send("reader", {"n": number}, f"m{number}", timeout_s=30)
                    accepted.append(number)
                    if busy and flooding.done():
                        calm_since = calm_since or time.monotonic()
                except SendFailed as failed:
                    assert failed.code == "busy" and failed.frame["retryable"] is True
                    busy.append(time.monotonic())
                    calm_since = None
                await asyncio.sleep(0.01)
            await flooding
            last = time.monotonic()
            await reader.until_messages(len(accepted), 50)
            assert [m["body"]["n"] for m in reader.messages] == accepted
            print(
                f"\na lagging home: {len(busy)} sends answered busy in "
                f"{busy[-1] - busy[0]:.1f} s, {len(accepted)} accepted, 0 lost, order kept"
            )
            hold("all delivered after the last", time.monotonic() - last, 5)
            for client in (reader, sender):
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 150))
