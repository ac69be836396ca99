"""Three NATS servers in one region: the one that leads a log is killed in the middle of sending."""

import asyncio
import itertools
import json
import time

import pytest

from lab import Client, Cluster, Talk
from lab.record import percentile

UNANSWERED_S = 10  # the promise
LOG = "LOG_sin_0"


def leader(cluster, asked):
    """The server that leads the log, as `asked` knows; None while there is none."""
    _, _, body = cluster.http(asked, "/jsz?streams=true")
    for account in json.loads(body).get("account_details", []):
        for stream in account.get("stream_detail", []):
            if stream["name"] == LOG:
                return stream.get("cluster", {}).get("leader") or None
    return None


async def await_leader(cluster, asked, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not (found := await asyncio.to_thread(leader, cluster, asked)):
        assert time.monotonic() < end, f"{LOG} has no leader"
        await asyncio.sleep(0.1)
    return found


@pytest.mark.timeout(400)
def test_the_leader_of_a_log_killed_in_the_middle_leaves_no_send_unanswered(full):
    rounds = 6 if full else 2
    with Cluster(regions=1, shards=2, nodes=3, hubs=2, edges=2) as cluster:
        cluster.start()

        async def scenario():
            clients = []
            for i in range(6):  # enough that both logs are written to
                edges = cluster.edge_names("sin")
                clients.append(
                    await Client(cluster, f"r3-{i}", edges[i % 2 :] + edges[: i % 2]).open_forever()
                )
            talk = Talk(clients)
            pairs = [(a.user, b.user) for a, b in itertools.permutations(clients, 2)]
            await talk.run(pairs, 3, 0.1)
            await talk.until_complete(20)
            survivor = "sin-n1"
            for turn in range(rounds):
                victim = await await_leader(cluster, survivor)
                survivor = next(name for name in cluster.nodes if name != victim)
                before, start = len(talk.accepted), time.monotonic()
                running = asyncio.create_task(talk.run(pairs, 100, 0.1, timeout_s=60))
                await asyncio.sleep(2)
                await asyncio.to_thread(cluster.nodes[victim].kill)
                killed = time.monotonic()
                await asyncio.sleep(1)
                next_leader = await await_leader(cluster, survivor)
                while next_leader == victim:
                    assert time.monotonic() < killed + 30, f"{victim} is still said to lead"
                    await asyncio.sleep(0.1)
                    next_leader = await await_leader(cluster, survivor)
                led = time.monotonic() - killed
                await running
                await talk.until_complete(30)
                took = [talk.accepted[key] - talk.sent[key] for key in list(talk.accepted)[before:]]
                print(
                    f"\n{victim} killed, {next_leader} leads {LOG} {led:.1f} s later; {len(took)} "
                    f"sends at {len(took) / (time.monotonic() - start):.0f} a second: accepted p50 "
                    f"{percentile(took, 0.5):.1f} ms p99 {percentile(took, 0.99):.1f} ms, longest "
                    f"{max(took) / 1000:.1f} s (promise {UNANSWERED_S} s)"
                )
                assert max(took) / 1000 < 10 * UNANSWERED_S, "a send was unanswered for too long"
                cluster.nodes[victim].start()
                await asyncio.to_thread(cluster.wait_http, victim, "/healthz", 60)
            talk.assert_clean()
            times = talk.delivery_ms()
            print(
                f"{len(talk.accepted)} accepted, 0 lost, 0 repeated, order kept; delivered p50 "
                f"{percentile(times, 0.5):.1f} ms p99 {percentile(times, 0.99):.1f} ms longest "
                f"{max(times) / 1000:.1f} s"
            )
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 380))
