"""The view is made from the log: deleted or damaged, it comes back the same."""

import asyncio
import shutil

from lab import Client, Cluster


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 90))


async def fill(cluster, users, count):
    sender = await Client(cluster, "filler", "sin-1").open()
    for i in range(count):
        for user in users:
            await sender.send(user, {"n": i}, f"{user}-{i}")
    await sender.close()


async def read_all(cluster, user, device, count):
    client = await Client(cluster, user, "sin-1", device=device).open()
    await client.until_messages(count, 20)
    rows = [(m["cursor"], m["from"], m["id"], m["body"], m["at"]) for m in client.messages]
    await client.until(lambda c: c.confirmed == rows[-1][0], 10, "confirmed")
    await client.close()
    return rows


def test_deleted_views_come_back_with_the_same_cursors_and_messages():
    users = [f"reader-{i}" for i in range(4)]
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start()

        async def before():
            await fill(cluster, users, 50)
            return {user: await read_all(cluster, user, "before", 50) for user in users}

        old = run(before())
        for name in cluster.hubs:
            cluster.hubs[name].terminate()
            shutil.rmtree(cluster.folder / "data" / name)
        for name in cluster.hubs:
            cluster.restart(cluster.hubs[name])

        async def after():
            rows = {user: await read_all(cluster, user, "after", 50) for user in users}
            # The confirmed cursors came back too: the old device gets only what is new.
            sender = await Client(cluster, "filler-2", "sin-1").open()
            await sender.send(users[0], {"n": 50}, "new")
            # And so did dedupe: a repeat of the first message is dropped.
            again = await Client(cluster, "filler", "sin-1").open()
            await again.send(users[0], {"n": 0}, f"{users[0]}-0")
            await sender.send(users[0], {"n": 51}, "newer")
            device = await Client(cluster, users[0], "sin-1", device="before").open()
            await device.until_messages(2)
            assert [m["cursor"] for m in device.messages] == ["1:51", "1:52"]
            assert [m["body"]["n"] for m in device.messages] == [50, 51]
            for client in (sender, again, device):
                await client.close()
            return rows

        assert run(after()) == old


def test_a_damaged_view_is_noticed_said_and_made_again():
    with Cluster(regions=1, shards=1) as cluster:
        cluster.start()
        run(fill(cluster, ["reader"], 30))
        hub = cluster.hubs["sin-h1"]
        hub.terminate()
        views = [
            path
            for path in (cluster.folder / "data" / "sin-h1").rglob("*")
            if path.is_file()
            and path.suffix not in (".damaged",)
            and path.stat().st_size > 4096
            and not path.name.endswith(("-wal", "-shm"))
        ]
        assert views
        for path in views:
            with open(path, "r+b") as view:
                view.seek(4096 - 512)
                view.write(b"\xa5" * 1024)
                view.seek(0)
                view.write(b"damage")
        cluster.restart(hub)
        hub.wait_log("damaged")
        rows = run(read_all(cluster, "reader", "d", 30))
        assert [row[0] for row in rows] == [f"1:{i + 1}" for i in range(30)]


def test_two_hubs_of_one_region_make_the_same_view_and_take_over_from_each_other():
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start()
        users = ["reader-a", "reader-b", "reader-c"]

        async def scenario():
            await fill(cluster, users, 30)
            first = {user: await read_all(cluster, user, "x", 30) for user in users}
            cluster.hubs["sin-h1"].kill()
            second = {user: await read_all(cluster, user, "y", 30) for user in users}
            cluster.restart(cluster.hubs["sin-h1"])
            cluster.hubs["sin-h2"].kill()
            third = {user: await read_all(cluster, user, "z", 30) for user in users}
            assert first == second == third
            cluster.restart(cluster.hubs["sin-h2"])

        run(scenario())
