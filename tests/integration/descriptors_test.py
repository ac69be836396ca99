"""An edge at its limit of descriptors: it rests, and takes the next client when there is room."""

import asyncio
import resource
import time

import pytest

from lab import Client, Cluster
from lab.promise import hold

LIMIT, KEPT = 200, 64
WAITING = 20
WATCHED_S = 3
PROMISED_PERCENT = 1  # of a core


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1) as it:
        edge = it.edges["sin-1"]
        edge.command = ["prlimit", f"--nofile={LIMIT}:{LIMIT}", *edge.command]
        yield it.start()


@pytest.fixture
def edge(cluster):
    return cluster.edges["sin-1"]


async def idle_percent(edge, what):
    """Holds what the edge uses of a core while nothing happens."""
    before, begun = edge.cpu_s(), time.monotonic()
    await asyncio.sleep(WATCHED_S)
    used = 100 * (edge.cpu_s() - before) / (time.monotonic() - begun)
    hold(f"{what}, idle", used, PROMISED_PERCENT, unit="% of a core")


async def come(cluster, name, count):
    return await asyncio.gather(
        *[Client(cluster, f"{name}-{i}", "sin-1").open() for i in range(count)]
    )


def wait_in_line(cluster, count):
    """Clients that connect, whom the kernel keeps until somebody takes them."""
    return [
        asyncio.create_task(Client(cluster, f"waiting-{i}", "sin-1").open(timeout_s=60))
        for i in range(count)
    ]


async def take_in(waiting):
    """Waits until one of them is served; the others still wait."""
    done, left = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert done, "nobody was taken in"
    return [task.result() for task in done], list(left)


async def leave(clients, waiting):
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.gather(*[client.close() for client in clients])


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, 100))


def test_it_takes_as_many_as_its_descriptors_allow_rests_and_goes_on_when_one_leaves(cluster, edge):
    edge.wait_log(rf"descriptor limit allows fewer .* allowed={LIMIT - KEPT} descriptors={LIMIT}")

    async def scenario():
        clients = await come(cluster, "held", LIMIT - KEPT)
        waiting = wait_in_line(cluster, WAITING)
        await asyncio.to_thread(
            edge.wait_log, "the limit of connections is reached, the listener rests"
        )
        await idle_percent(edge, f"at its limit of connections, {WAITING} waiting")
        assert not any(task.done() for task in waiting)
        await clients.pop().close()
        more, waiting = await take_in(waiting)
        await asyncio.sleep(0.5)
        assert len(more) == 1 and not any(task.done() for task in waiting)
        assert edge.log().count("the listener rests") == 1
        await leave(clients + more, waiting)

    run(scenario())


def test_it_rests_also_when_the_system_has_none_left(cluster, edge):
    async def scenario():
        clients = await come(cluster, "some", 10)
        resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, (8, LIMIT))  # all below are in use
        waiting = wait_in_line(cluster, WAITING)
        await asyncio.to_thread(
            edge.wait_log, "connections cannot be accepted, the listener rests .*open files"
        )
        await idle_percent(edge, f"without a descriptor, {WAITING} waiting")
        assert not any(task.done() for task in waiting)
        resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        await asyncio.wait(waiting, timeout=10)
        assert all(task.done() for task in waiting)
        assert edge.log().count("connections cannot be accepted") == 1
        await leave(clients + [task.result() for task in waiting], [])

    run(scenario())
