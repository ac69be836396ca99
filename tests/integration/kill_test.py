"""kill -9 of a hub, an edge and a NATS server in turn, while messages flow among three regions."""

import asyncio
import bisect
import itertools
import time

import pytest

from lab import Client, Cluster, Talk
from lab.record import percentile

USERS_PER_REGION = 2
RATE = 450  # messages/s asked for, over all pairs; what this machine reached is printed
PROMISED_S = {"hub": 5, "edge": 5}
# The only server of its region keeps everything waiting until it runs again: nothing is promised.
WORST_S = 50


def victims(cluster):
    """(kind, process), for ever: each kind in turn, in another region each time."""
    for turn in itertools.count():
        kind = ("hub", "edge", "node")[turn % 3]
        region = cluster.names[(turn + turn // 3) % len(cluster.names)]
        named = {
            "hub": cluster.hub_names(region),
            "edge": cluster.edge_names(region),
            "node": [f"{region}-n1"],
        }[kind]
        yield kind, (cluster.hubs | cluster.edges | cluster.nodes)[named[turn // 3 % len(named)]]


async def kill_in_turn(cluster, until, kills):
    """Kills, starts again after a second, waits until it is ready, and goes on to the next."""
    for kind, process in victims(cluster):
        if time.monotonic() > until:
            return
        kills.append((kind, process.name, time.monotonic() * 1000))
        await asyncio.to_thread(process.kill)
        await asyncio.sleep(1)
        process.start()  # by the main thread, with whose end it ends
        region = cluster.region_of[process.name]
        await asyncio.to_thread(
            cluster.wait_http, process.name, "/healthz" if kind == "node" else "/readyz", 40
        )
        if kind == "node":
            await asyncio.to_thread(
                cluster.wait_ready,
                *cluster.hub_names(region),
                *cluster.edge_names(region),
                timeout_s=40,
            )


def longest_silence_s(times, start, end):
    """The longest time without one of the sorted `times`, of what begins between start and end."""
    first, after = bisect.bisect_left(times, start), bisect.bisect_right(times, end)
    points = [start, *times[first:after], times[after] if after < len(times) else end]
    return max(b - a for a, b in itertools.pairwise(points)) / 1000


def silences(cluster, talk, kills, end):
    """Per kill: the longest time a sender had nothing accepted, and a user nothing delivered."""
    accepted, delivered = {}, {}
    for (sender, _, _), when in talk.accepted.items():
        accepted.setdefault(sender, []).append(when)
    for user, rows in talk.received.items():
        delivered[user] = [when for _, _, when, _ in rows]
    for times in accepted.values():
        times.sort()
    ends = [when for _, _, when in kills[1:]] + [end]
    for (kind, name, when), until in zip(kills, ends):
        yield (
            kind,
            name,
            max(longest_silence_s(times, when, until) for times in accepted.values()),
            max(longest_silence_s(times, when, until) for times in delivered.values()),
        )


@pytest.mark.timeout(600)
def test_kills_in_turn_lose_repeat_and_disorder_nothing(full):
    duration_s = 180 if full else 30
    with Cluster(regions=3, shards=2, hubs=2, edges=2) as cluster:
        cluster.start()

        async def scenario():
            clients = []
            for region in cluster.names:
                for i in range(USERS_PER_REGION):
                    edges = cluster.edge_names(region)
                    clients.append(
                        await Client(
                            cluster, f"u{i}-{region}", edges[i % 2 :] + edges[: i % 2]
                        ).open_forever()
                    )
            talk, kills = Talk(clients), []
            pairs = [(a.user, b.user) for a, b in itertools.permutations(clients, 2)]
            await talk.run(pairs, 3, 0.1)  # everybody has a home
            await talk.until_complete(20)
            start, before = time.monotonic(), len(talk.accepted)
            every_s = len(pairs) / RATE
            running = asyncio.create_task(
                talk.run(pairs, int(duration_s / every_s), every_s, timeout_s=120)
            )
            await asyncio.sleep(2)
            killing = asyncio.create_task(kill_in_turn(cluster, start + duration_s - 4, kills))
            await asyncio.gather(running, killing)
            end = time.monotonic()
            await talk.until_complete(60)
            lost, repeated, disordered = talk.judge()
            print(
                f"\n{len(kills)} kills in {end - start:.0f} s at "
                f"{(len(talk.accepted) - before) / (end - start):.0f} messages/s: {len(talk.accepted)} "
                f"accepted, {len(lost)} lost, {len(repeated)} repeated, {len(disordered)} out of order "
                f"(promise 0, 0, 0); complete {time.monotonic() - end:.1f} s after the last"
            )
            for what, times in (
                ("accepted", talk.accepted_ms()),
                ("delivered", talk.delivery_ms()),
            ):
                print(
                    f"{what}: p50 {percentile(times, 0.5):.1f} ms p99 {percentile(times, 0.99):.1f} ms "
                    f"longest {max(times):.0f} ms"
                )
            rows = list(silences(cluster, talk, kills, end * 1000))
            for kind, name, accepted, delivered in rows:
                promise = (
                    f"promise {PROMISED_S[kind]} s"
                    if kind in PROMISED_S
                    else "its region's only one"
                )
                print(
                    f"{kind} {name} killed: longest without an accepted {accepted:.1f} s, "
                    f"without a delivery {delivered:.1f} s ({promise})"
                )
            talk.assert_clean()
            assert {kind for kind, *_ in rows} == {"hub", "edge", "node"}
            assert all(max(accepted, delivered) < WORST_S for _, _, accepted, delivered in rows)
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), duration_s + 300))
