"""Three NATS servers in one region: the one that leads a log is killed in the middle of sending."""

import asyncio
import itertools
import json
import time

import pytest

from lab import Client, Cluster, Talk
from lab.promise import hold, hold_clean
from lab.record import percentile

UNANSWERED_S = 10  # the promise
LOGS = ["LOG_sin_0", "LOG_sin_1"]


def leaders(cluster, asked):
    """The server that leads each log, as `asked` knows."""
    _, _, body = cluster.http(asked, "/jsz?streams=true")
    return {
        stream["name"]: stream.get("cluster", {}).get("leader")
        for account in json.loads(body).get("account_details", [])
        for stream in account.get("stream_detail", [])
        if stream["name"] in LOGS
    }


async def await_leaders(cluster, asked, dead=None, timeout_s=30):
    """Waits until each log is led, by another server than the dead one."""
    end = time.monotonic() + timeout_s
    while True:
        found = await asyncio.to_thread(leaders, cluster, asked)
        if len(found) == len(LOGS) and not {None, "", dead} & set(found.values()):
            return found
        assert time.monotonic() < end, f"after {timeout_s} s still not led: {found}"
        await asyncio.sleep(0.1)


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
                led = await await_leaders(cluster, survivor)
                victim = led[LOGS[turn % len(LOGS)]]
                survivor = next(name for name in cluster.nodes if name != victim)
                before, start = len(talk.accepted), time.monotonic()
                running = asyncio.create_task(talk.run(pairs, 100, 0.1, timeout_s=60))
                await asyncio.sleep(2)
                await asyncio.to_thread(cluster.nodes[victim].kill)
                killed = time.monotonic()
                await asyncio.sleep(1)
                await await_leaders(cluster, survivor, dead=victim)
                elected_s = time.monotonic() - killed
                await running
                await talk.until_complete(30)
                took = [talk.accepted[key] - talk.sent[key] for key in list(talk.accepted)[before:]]
                print(
                    f"\n{victim} killed, which led {sum(v == victim for v in led.values())} of "
                    f"{len(led)} logs: all are led again after {elected_s:.1f} s; {len(took)} sends "
                    f"at {len(took) / (time.monotonic() - start):.0f} a second, accepted p50 "
                    f"{percentile(took, 0.5):.1f} ms p99 {percentile(took, 0.99):.1f} ms"
                )
                hold("the longest send", max(took) / 1000, UNANSWERED_S, row="node")
                cluster.nodes[victim].start()
                await asyncio.to_thread(cluster.wait_http, victim, "/healthz", 60)
            hold_clean(len(talk.accepted), *talk.judge(), rows=["node"])
            times = talk.delivery_ms()
            print(
                f"delivered p50 {percentile(times, 0.5):.1f} ms p99 "
                f"{percentile(times, 0.99):.1f} ms longest {max(times) / 1000:.1f} s"
            )
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 380))
