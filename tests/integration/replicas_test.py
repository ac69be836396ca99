"""Three NATS servers in one region: the one that leads a stream is killed, or stands still for a
while, in the middle of sending."""

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
OUTBOX = "OUT_sin_iad"


def leaders(cluster, asked, streams=LOGS):
    """The server that leads each stream, as `asked` knows."""
    _, _, body = cluster.http(asked, "/jsz?streams=true")
    return {
        stream["name"]: stream.get("cluster", {}).get("leader")
        for account in json.loads(body).get("account_details", [])
        for stream in account.get("stream_detail", [])
        if stream["name"] in streams
    }


async def await_leaders(cluster, asked, dead=None, timeout_s=30, streams=LOGS):
    """Waits until each stream is led, by another server than the dead one."""
    end = time.monotonic() + timeout_s
    while True:
        found = await asyncio.to_thread(leaders, cluster, asked, streams)
        if len(found) == len(streams) and not {None, "", dead} & set(found.values()):
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


def alarms(cluster, hub):
    shards = json.loads(cluster.http(hub, "/status")[2])["shards"]
    return {alarm["name"] for shard in shards for alarm in shard["alarms"]}


@pytest.mark.timeout(400)
def test_a_leader_that_stood_still_and_goes_on_is_not_taken_for_a_backup(full):
    """It wakes with what it knew, and the next one that leads says so too until it has a majority."""
    rounds = 6 if full else 2
    with Cluster(regions=2, shards=1, nodes=3, hubs=1, edges=1) as cluster:
        cluster.start()

        async def scenario():
            here = await Client(cluster, "here", cluster.edge_names("sin")).open_forever()
            there = await Client(cluster, "there", cluster.edge_names("iad")).open_forever()
            assert (here.welcome["home"], there.welcome["home"]) == ("sin", "iad")
            talk = Talk([here, there])
            pairs = [("here", "there"), ("there", "here")]
            await talk.run(pairs, 3, 0.1)
            await talk.until_complete(20)
            survivor = "sin-n1"
            for _ in range(rounds):
                led = await await_leaders(cluster, survivor, streams=[OUTBOX])
                victim = led[OUTBOX]
                survivor, other = [n for n in cluster.nodes if n[:3] == "sin" and n != victim]
                before = len(talk.accepted)
                running = asyncio.create_task(talk.run(pairs, 1000, 0.02, timeout_s=60))
                await asyncio.sleep(1)
                cluster.nodes[victim].pause()
                await asyncio.sleep(7)
                cluster.nodes[victim].resume()
                await asyncio.sleep(1)
                cluster.nodes[other].pause()
                await asyncio.sleep(7)
                cluster.nodes[other].resume()
                told = set()
                while not running.done():
                    told |= await asyncio.to_thread(alarms, cluster, "sin-h1")
                    await asyncio.sleep(0.1)
                await running
                assert not told & {"outbox_regressed", "log_regressed"}, told
                await talk.until_complete(30)
                took = [talk.accepted[key] - talk.sent[key] for key in list(talk.accepted)[before:]]
                hold("the longest send", max(took) / 1000, UNANSWERED_S, row="pause")
            hold_clean(len(talk.accepted), *talk.judge(), rows=["pause"])
            for client in (here, there):
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 380))
