"""The disk that a hub keeps its views on is full: it says so, and who has room serves."""

import asyncio
import contextlib
import os
import time

import pytest

from lab import Client, Cluster
from lab.disk import DiskRefused, SmallDisk
from lab.process import wait_for
from lab.promise import hold

SIZE = 16 << 20
LEFT = 300 << 10  # what the ballast leaves
PAD = "x" * 8000


@pytest.fixture
def cluster():
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            Cluster(regions=1, shards=1, hubs=2, hub_settings={"view.save": "1s"})
        )
        cluster.disks = {}
        try:
            for name in cluster.hubs:
                disk = SmallDisk(cluster.folder / "data" / name, SIZE)
                cluster.disks[name] = stack.enter_context(disk)
        except DiskRefused as refused:
            pytest.skip(f"this machine mounts no disk: {refused}")
        cluster.start()
        yield cluster


def reason(cluster, hub):
    return cluster.status(hub)[0].get("reason", "")


async def send_until(sender, numbers, condition, what, timeout_s=30):
    """Sends on until condition(), each message surely; returns what was accepted."""
    accepted, end = [], time.monotonic() + timeout_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, f"after {timeout_s} s still not: {what}"
        number = next(numbers)
        await sender.send_surely("reader", {"n": number, "pad": PAD}, f"m{number}", timeout_s=60)
        accepted.append(number)
    return accepted


def test_a_hub_whose_disk_is_full_says_so_and_the_other_one_serves(cluster):
    async def scenario():
        reader = await Client(cluster, "reader", "sin-1").open_forever()
        sender = await Client(cluster, "sender", "sin-1").open_forever()
        numbers, accepted = iter(range(1 << 30)), []
        full = await asyncio.to_thread(cluster.owner, "sin", 0)
        other = next(name for name in cluster.hubs if name != full)
        cluster.disks[full].fill(LEFT)
        accepted += await send_until(
            sender, numbers, lambda: reason(cluster, full), f"{full} says that its disk is full"
        )
        said = time.monotonic()
        assert reason(cluster, full) == "view_disk_full"
        assert await asyncio.to_thread(cluster.owner, "sin", 0, 40) == other
        await reader.until(lambda c: len(c.messages) >= len(accepted), 40, "all delivered")
        hold("\na view's disk full: the other hub serves after", time.monotonic() - said, 5)
        # Both full: what is accepted waits in the log.
        cluster.disks[other].fill(LEFT)
        accepted += await send_until(
            sender, numbers, lambda: reason(cluster, other), f"{other} says that its disk is full"
        )
        for _ in range(20):
            number = next(numbers)
            await sender.send_surely("reader", {"n": number}, f"m{number}", timeout_s=60)
            accepted.append(number)
        for disk in cluster.disks.values():
            disk.make_room()
        roomy = time.monotonic()
        await reader.until(lambda c: len(c.messages) >= len(accepted), 100, "all delivered")
        hold("both full: all delivered after there is room", time.monotonic() - roomy, 10)
        assert [m["body"]["n"] for m in reader.messages] == accepted
        for hub in cluster.hubs:
            await asyncio.to_thread(
                wait_for, lambda hub=hub: not reason(cluster, hub), 60, f"{hub} is ready again"
            )
        print(f"{len(accepted)} accepted, 0 lost, 0 repeated, order kept; no restart")
        for client in (reader, sender):
            await client.close()

    asyncio.run(asyncio.wait_for(scenario(), 170))
