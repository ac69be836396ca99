"""Three regions on loopback addresses: every pair, and users far from home."""

import asyncio
import itertools

import pytest

from lab import Client, Cluster, Talk
from lab.record import percentile


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=3, shards=2, hubs=2, edges=2) as cluster:
        cluster.start()
        yield cluster


def run(scenario, timeout_s=150):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


async def people(cluster, prefix, forever=True):
    clients = []
    for region in cluster.names:
        client = Client(cluster, f"{prefix}-{region}", cluster.edge_names(region))
        await (client.open_forever() if forever else client.open())
        clients.append(client)
    return clients


def pairs(clients):
    return [(a.user, b.user) for a, b in itertools.permutations(clients, 2)]


def figures(what, talk):
    print(
        f"\n{what}: accepted p50 {percentile(talk.accepted_ms(), 0.5):.1f} ms p99 "
        f"{percentile(talk.accepted_ms(), 0.99):.1f} ms, delivered p50 "
        f"{percentile(talk.delivery_ms(), 0.5):.1f} ms p99 "
        f"{percentile(talk.delivery_ms(), 0.99):.1f} ms"
    )


async def close(clients):
    for client in clients:
        await client.close()


def test_every_pair_of_regions_talks(cluster):
    async def scenario():
        clients = await people(cluster, "pair")
        for client, region in zip(clients, cluster.names):
            assert client.welcome["home"] == region and client.welcome["region"] == region
        talk = Talk(clients)
        await talk.run(pairs(clients), 50, 0.02)
        await talk.until_complete(10)
        talk.assert_clean()
        figures("pairs", talk)
        await close(clients)

    run(scenario())


def test_a_user_is_reached_at_an_edge_far_from_home(cluster):
    async def scenario():
        home = await Client(cluster, "roamer", cluster.edge_names("sin")[0]).open()
        assert home.welcome["home"] == "sin"
        await home.close()
        away = await Client(cluster, "roamer", cluster.edge_names("dub")[0]).open()
        assert away.welcome["home"] == "sin" and away.welcome["region"] == "dub"
        other = await Client(cluster, "roamer-friend", cluster.edge_names("iad")[0]).open()
        talk = Talk([away, other])
        await talk.run([("roamer", "roamer-friend"), ("roamer-friend", "roamer")], 20, 0.01)
        await talk.until_complete(10)
        talk.assert_clean()
        await close([away, other])

    run(scenario())
