"""Checkpoints: what a log does not hold any more is not lost to the mailboxes' state."""

import asyncio
import shutil
import time

from lab import Client, Cluster
from lab.process import wait_for

LOG, CKPT = "LOG_sin_0", "CKPT_sin"
USERS = ["reader-a", "reader-b", "reader-c"]
SETTINGS = {
    "checkpoint.interval": "1s",
    "checkpoint.retry_min": "100ms",
    "ownership.tick": "200ms",
    "view.log_check": "1s",
}
AGE_S = 4  # between what is cut and what is kept, on a slow machine too


def cluster_of(regions):
    return Cluster(regions=regions, shards=1, hubs=2, primary="sin", hub_settings=SETTINGS)


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 120))


def done_positions(cluster):
    """The checkpoints that are stored whole."""
    with cluster.jetstream("sin") as js:
        dones = [name.split(".") for name in js.subjects(CKPT, "ckpt.sin.0.*.done")]
    return sorted(int(parts[3]) for parts in dones if parts[3].isdigit())


def last_position(cluster):
    with cluster.jetstream("sin") as js:
        return js.info(LOG)["state"]["last_seq"]


def await_checkpoint(cluster, beyond):
    """Waits for one that holds all up to `beyond`."""
    return wait_for(
        lambda: next((p for p in done_positions(cluster) if p > beyond), None),
        30,
        f"a checkpoint beyond {beyond} is stored",
        every_s=0.1,
    )


def age():
    """A while passes, so that what was stored can be cut off. Returns when, between the two."""
    time.sleep(AGE_S / 10)
    moment = time.time()
    time.sleep(AGE_S)
    return moment


def cut_log(cluster, moment, beyond):
    """What was stored before `moment` goes, as if the log's time were over: at least all up to
    position `beyond`. Returns the first that is left. A log refuses purges and deletions, so its
    age is lowered, and set back."""
    with cluster.jetstream("sin") as js:
        config = js.info(LOG)["config"]
        kept = {key: config.get(key, 0) for key in ("max_age", "duplicate_window")}
        lowered = int((time.time() - moment) * 1e9)
        js.update(LOG, max_age=lowered, duplicate_window=min(kept["duplicate_window"], lowered))
        wait_for(
            lambda: js.info(LOG)["state"]["first_seq"] > beyond, 20, "the log is cut", every_s=0.02
        )
        js.update(LOG, **kept)
        return js.info(LOG)["state"]["first_seq"]


async def send_all(cluster, sender, edge, first, count, users=USERS):
    client = await Client(cluster, sender, edge).open()
    for i in range(first, first + count):
        for user in users:
            await client.send(user, {"n": i}, f"{user}-{i}")
    await client.close()


async def read(cluster, user, device, until, confirm=True):
    """Reads up to cursor 1:`until`. What came, gaps as (from, to, reason)."""
    client = await Client(cluster, user, "sin-1", device=device, auto_ack=confirm).open()
    last = f"1:{until}"

    def is_there(c):
        return c.cursor == last or any(f["t"] == "gap" and f["to"] == last for f in c.frames)

    await client.until(is_there, 20, f"{last} is there")
    if confirm:
        await client.until(lambda c: c.confirmed == last, 10, f"{last} is confirmed")
    got = [(m["cursor"], m["body"]["n"], m["from"]) for m in client.messages]
    gaps = [(f["from"], f["to"], f["reason"]) for f in client.frames if f["t"] == "gap"]
    assert not [f for f in client.frames if f["t"] == "resync"]
    await client.close()
    return got, gaps


def expected(first, last, sender):
    """Message n has cursor 1:n."""
    return [(f"1:{n}", n, sender) for n in range(first, last + 1)]


def stop_hubs(cluster, forget):
    for hub in cluster.hubs.values():
        hub.terminate()
    for name in forget:
        shutil.rmtree(cluster.folder / "data" / name)


def start_hubs(cluster):
    for hub in cluster.hubs.values():
        hub.start()
    cluster.wait_ready(*cluster.hubs)


def opened_at(hub):
    """The position of the view that the hub opened last."""
    lines = [line for line in hub.log().splitlines() if "view opened" in line]
    return int(lines[-1].split(" position=")[1].split()[0])


def test_views_deleted_and_the_log_cut_leave_every_cursor_where_it_was():
    with cluster_of(2) as cluster:
        cluster.start()

        async def before():
            for user in USERS:  # their home is where they were first
                await (await Client(cluster, user, "sin-1", device="all").open()).close()
            await send_all(cluster, "far", "iad-1", 1, 20)
            for user in USERS:
                assert await read(cluster, user, "all", 20) == (expected(1, 20, "far"), [])
                client = await Client(
                    cluster, user, "sin-1", device="half", auto_ack=False, start="oldest"
                ).open()
                await client.until_messages(10)
                await client.ack("1:10")
                await client.until(lambda c: c.confirmed == "1:10", 10, "1:10 is confirmed")
                await client.close()

        run(before())
        kept = await_checkpoint(cluster, last_position(cluster))
        moment = age()
        run(send_all(cluster, "far", "iad-1", 21, 10))
        stop_hubs(cluster, ["sin-h1", "sin-h2"])
        first = cut_log(cluster, moment, kept)
        usable = [p for p in done_positions(cluster) if p + 1 >= first]
        start_hubs(cluster)
        for name in cluster.hub_names("sin"):
            assert opened_at(cluster.hubs[name]) == usable[0], "the oldest whose successor is there"

        async def after():
            for user in USERS:
                # The confirmed cursor is there, so nothing comes twice; nor is it given up.
                assert await read(cluster, user, "all", 30) == (expected(21, 30, "far"), [])
                got, gaps = await read(cluster, user, "half", 30)
                assert got == expected(21, 30, "far")
                assert [(a, b) for a, b, _ in gaps] == [("1:11", "1:20")]
                assert gaps[0][2] == "lost", "younger than the retention"
            # A repeat from before the cut is dropped, also through the lane; a new one goes on.
            for edge in ("iad-1", "sin-1"):
                again = await Client(cluster, "far", edge).open()
                for user in USERS:
                    await again.send(user, {"n": 5}, f"{user}-5")
                await again.close()
            await send_all(cluster, "far", "iad-1", 31, 1)
            for user in USERS:
                assert await read(cluster, user, "all", 31) == (expected(31, 31, "far"), [])

        run(after())
        assert "log_hole" not in cluster.hubs["sin-h1"].log()


def test_a_hub_alone_comes_back_from_a_checkpoint_and_serves_as_the_other_did():
    with cluster_of(1) as cluster:
        cluster.start()
        run(send_all(cluster, "near", "sin-1", 1, 10))
        run(read(cluster, "reader-a", "d", 10))
        await_checkpoint(cluster, last_position(cluster))
        # One is down while the log is cut past its position; the other has never stopped.
        cluster.hubs["sin-h1"].terminate()
        was_at = last_position(cluster)
        wait_for(
            lambda: [p for p in done_positions(cluster) if p > was_at + 10],
            30,
            "checkpoints without it",
            every_s=0.1,
        )
        moment = age()
        run(send_all(cluster, "near", "sin-1", 11, 10))
        assert cut_log(cluster, moment, was_at + 1) > was_at + 1
        cluster.restart(cluster.hubs["sin-h1"])
        cluster.hubs["sin-h1"].wait_log("the log does not hold the next position")
        assert opened_at(cluster.hubs["sin-h1"]) > was_at
        assert not list((cluster.folder / "data" / "sin-h1").glob("*.damaged"))

        cluster.hubs["sin-h2"].kill()
        got = run(read(cluster, "reader-a", "d", 20))
        assert got == (expected(11, 20, "near"), [])

        # The other way round, with its view deleted: the first one has stored its own checkpoints.
        shutil.rmtree(cluster.folder / "data" / "sin-h2")
        cluster.restart(cluster.hubs["sin-h2"])
        cluster.hubs["sin-h1"].kill()
        run(send_all(cluster, "near", "sin-1", 21, 1))
        assert run(read(cluster, "reader-a", "d", 21)) == (expected(21, 21, "near"), [])


def test_a_damaged_checkpoint_is_passed_over_and_none_at_all_is_said():
    with cluster_of(1) as cluster:
        cluster.start()
        run(send_all(cluster, "near", "sin-1", 1, 10))
        kept = await_checkpoint(cluster, last_position(cluster))
        moment = age()
        run(send_all(cluster, "near", "sin-1", 11, 5))
        first = cut_log(cluster, moment, kept)
        await_checkpoint(cluster, last_position(cluster))
        stop_hubs(cluster, ["sin-h1", "sin-h2"])
        usable = [p for p in done_positions(cluster) if p + 1 >= first]
        assert len(usable) >= 2

        with cluster.jetstream("sin") as js:
            part = js.api("STREAM.MSG.GET", CKPT, {"last_by_subj": f"ckpt.sin.0.{usable[0]}.0"})
            js.request(f"ckpt.sin.0.{usable[0]}.0", b"\xa5" * len(part["message"]["data"]))
        hub = cluster.hubs["sin-h1"]
        cluster.restart(hub)
        hub.wait_log(f"is damaged and passed over.*position={usable[0]}\\b")
        assert opened_at(hub) == usable[1]
        run(send_all(cluster, "near", "sin-1", 16, 1))
        assert run(read(cluster, "reader-a", "d", 16))[0][-1] == ("1:16", 16, "near")

        stop_hubs(cluster, ["sin-h1"])
        with cluster.jetstream("sin") as js:
            js.api("STREAM.PURGE", CKPT)
        hub.start()
        hub.wait_log("this shard is stopped.*reason=log_hole", 20)

        def is_said():
            status, _, body = cluster.http("sin-h1", "/readyz")
            return status == 503 and b"reason=log_hole" in body

        wait_for(is_said, 10, "/readyz says log_hole")
