"""A region is evacuated: alive, cut off and dead; and it returns. What is lost, and what is not, is
what the command has said."""

import asyncio
import os
import subprocess

import pytest

from lab import Client, Cluster, Network, Postgres
from lab.cluster import BUILD
from lab.namespaces import inside
from lab.postgres import missing
from lab.process import wait_for

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

QUICK = {"archive.pause": "50ms", "archive.backoff_max": "1s", "archive.follow": "1s"}


def run(scenario, timeout_s=150):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


class Archived:
    """sin, iad and dub, which is the primary; all archive into one database."""

    def __init__(self, network=None):
        self.network = network
        self.postgres = Postgres(network=network, region="dub")

    def __enter__(self):
        self.postgres.start().create()
        self.environment = {**os.environ, "MERIDIAN_ARCHIVE_URL": self.postgres.url}
        prefix = inside(self.network.namespace("dub")) if self.network else []
        subprocess.run(
            [*prefix, BUILD / "bin" / "meridian", "archive", "migrate"],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
        settings = {"archive.url": self.postgres.url, **QUICK}
        self.cluster = Cluster(regions=3, shards=2, hub_settings=settings, network=self.network)
        self.cluster.start()
        return self

    def __exit__(self, *failure):
        try:
            self.cluster.__exit__(*failure)
        finally:
            self.postgres.__exit__(*failure)

    def region(self, what, *arguments, region="dub"):
        """`meridian region ...`, as seen from a region."""
        command = [BUILD / "bin" / "meridian", "region", what, "--catalogue"]
        command += [self.cluster.catalogue, *arguments]
        return self.cluster.in_region(
            f"{region}-h1",
            lambda: subprocess.run(
                [str(part) for part in command],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=120,
                cwd=self.cluster.folder,
            ),
        )

    def home(self, user):
        done = self.cluster.meridian(
            "directory", "get", "--catalogue", self.cluster.catalogue, user
        )
        return done.stdout.split()[:2]

    def processes(self, region):
        names = [name for name, of in self.cluster.region_of.items() if of == region]
        everything = {**self.cluster.nodes, **self.cluster.hubs, **self.cluster.edges}
        return [everything[name] for name in names]

    def kill(self, region):
        for process in self.processes(region):
            process.kill()

    def start(self, region):
        for process in self.processes(region):
            process.start()
        for name in [*self.cluster.hub_names(region), *self.cluster.edge_names(region)]:
            self.cluster.wait_http(name, "/readyz", 60)

    def archived(self, user):
        count = f"SELECT count(*) FROM meridian.messages WHERE recipient = '{user}'"
        return int(self.postgres.ask(count)[0][0])

    async def send(self, client, to, numbers):
        for number in numbers:
            await client.send_surely(to, {"n": number}, f"m-{number}")


def numbers(client):
    return [frame["body"]["n"] for frame in client.messages]


async def close(*clients):
    await asyncio.gather(*[client.close() for client in clients])


async def begin(world, archived):
    """bob and carol are at home in sin, and have ten messages each."""
    bob = await Client(world.cluster, "bob", ["sin-1", "iad-1"]).open_forever()
    carol = await Client(world.cluster, "carol", ["sin-1", "iad-1"], auto_ack=False).open_forever()
    alice = await Client(world.cluster, "alice", "dub-1").open_forever()
    for client in (bob, carol):
        await world.send(alice, client.user, range(1, 11))
        await client.until_messages(10, 20)
    await bob.until(lambda c: c.confirmed == "1:10", 10, "the ack is kept")
    if archived:
        wait_for(lambda: world.archived("bob") + world.archived("carol") == 20, 20, "the archive")
    return bob, carol, alice


def test_a_region_that_is_dead_is_taken_from_the_archive_and_what_it_had_more_comes_later():
    with Archived() as world:

        async def scenario():
            bob, carol, alice = await begin(world, archived=True)
            world.postgres.stop()
            dave = await Client(world.cluster, "dave", "sin-1").open()
            await world.send(dave, "bob", range(11, 14))  # no other region has seen them
            await bob.until_messages(13, 20)
            await dave.close()
            world.kill("sin")
            world.postgres.start()
            await world.send(alice, "bob", [21, 22])  # on their way to where he was

            done = await asyncio.to_thread(world.region, "evacuate", "sin")
            print(done.stdout, done.stderr)
            assert done.returncode == 1 and "--dead does that" in done.stderr
            assert "3 users are at home in sin" in done.stdout
            assert "0 of the 2 shards of sin are heard" in done.stdout
            assert "archived up to position" in done.stdout
            assert "lost if the disks of" in done.stdout
            done = await asyncio.to_thread(world.region, "evacuate", "--dead", "--to", "iad", "sin")
            print(done.stdout, done.stderr)
            assert done.returncode == 0 and "3 moved, 0 not" in done.stdout
            assert world.home("bob") == ["iad", "2"] and world.home("carol") == ["iad", "2"]

            # Below what was archived a device goes on; above it, it is told otherwise.
            await carol.until(lambda c: c.welcome["home"] == "iad", 30, "carol is in iad")
            assert carol.welcome["resumed"] and carol.welcome["cursor"] == "2:10"
            await bob.until(lambda c: c.welcome["home"] == "iad", 30, "bob is in iad")
            assert not bob.welcome["resumed"]
            await world.send(alice, "bob", [23])
            await bob.until(lambda c: {21, 22, 23} <= set(numbers(c)), 40, "what is new")
            assert sorted(numbers(bob)[-3:]) == [21, 22, 23]
            assert bob.messages[-1]["cursor"] == "2:13"

            # It returns, with all it had: it is served by nobody there, and what is missing comes.
            world.start("sin")
            await bob.until(lambda c: {11, 12, 13} <= set(numbers(c)[-3:]), 60, "the rest")
            await world.send(alice, "carol", [11])
            await carol.until(lambda c: numbers(c)[-1] == 11, 20, "what is new")
            assert numbers(carol) == list(range(1, 12))
            again = await Client(world.cluster, "bob", "sin-1", device="again").open()
            assert again.welcome["home"] == "iad"
            await again.until(lambda c: len(c.messages) == 16, 20, "all of it")
            assert sorted(numbers(again)) == [*range(1, 14), 21, 22, 23]
            await asyncio.sleep(2)  # what sin's lane had is taken now: nothing comes twice
            assert len(again.messages) == 16
            await close(bob, carol, alice, again)

        run(scenario())


def test_a_region_that_is_alive_is_emptied_and_filled_again_and_nothing_is_lost():
    with Archived() as world:

        async def scenario():
            bob, carol, alice = await begin(world, archived=False)
            done = await asyncio.to_thread(world.region, "evacuate", "--dry-run", "sin")
            assert done.returncode == 0, done
            assert "2 of the 2 shards of sin are heard" in done.stdout
            assert "nothing is lost" in done.stdout and "--dead" not in done.stdout
            assert world.home("bob") == ["sin", "1"]
            done = await asyncio.to_thread(world.region, "evacuate", "sin")
            assert done.returncode == 0 and "2 moved, 0 not" in done.stdout, done
            assert world.home("bob")[0] != "sin" and world.home("bob")[1] == "1"
            for client in (bob, carol):
                await world.send(alice, client.user, range(11, 21))
                await client.until_messages(20, 30)
                assert numbers(client) == list(range(1, 21))
                assert [frame["cursor"] for frame in client.messages][-1] == "1:20"
            done = await asyncio.to_thread(world.region, "evacuate", "sin")
            assert done.returncode == 0 and "0 users are at home in sin" in done.stdout, done

            done = await asyncio.to_thread(world.region, "restore", "--dry-run", "sin")
            assert done.returncode == 0 and "2 would move" in done.stdout, done
            done = await asyncio.to_thread(world.region, "restore", "sin")
            assert done.returncode == 0 and "2 moved, 0 there already" in done.stdout, done
            assert world.home("bob") == ["sin", "1"] and world.home("carol") == ["sin", "1"]
            for client in (bob, carol):
                await world.send(alice, client.user, range(21, 31))
                await client.until_messages(30, 30)
                assert numbers(client) == list(range(1, 31))
                assert client.reconnects == 0
            await close(bob, carol, alice)

        run(scenario())


def test_what_cannot_be_evacuated_is_refused_with_the_reason():
    with Archived() as world:
        for arguments, code, why in (
            (["mars"], 2, "the catalogue has no region 'mars'"),
            (["--to", "sin", "sin"], 2, "users of sin cannot be moved to sin"),
            (["--force", "sin"], 2, "--force goes with --dead"),
        ):
            done = world.region("evacuate", *arguments)
            assert done.returncode == code and why in done.stderr, done
        done = world.region("restore", "sin")
        assert done.returncode == 2 and "cannot read evacuated-sin.users" in done.stderr, done
        world.kill("dub")
        done = world.region("evacuate", "--dead", "dub", region="iad")
        assert done.returncode == 2 and "meridian directory promote" in done.stderr, done


@pytest.mark.namespaces
def test_a_region_that_is_cut_off_is_left_and_what_it_went_on_with_comes_when_the_cut_heals():
    with Network(["sin", "iad", "dub"]) as network, Archived(network) as world:

        async def scenario():
            bob, carol, alice = await begin(world, archived=True)
            dave = await Client(world.cluster, "dave", "sin-1").open()
            network.isolate("sin")
            await world.send(dave, "bob", range(11, 14))  # sin goes on with those that it has
            await bob.until_messages(13, 20)
            await world.send(alice, "bob", [21, 22])
            done = await asyncio.to_thread(world.region, "evacuate", "--dead", "--to", "iad", "sin")
            print(done.stdout, done.stderr)
            assert done.returncode == 0 and "moved, 0 not" in done.stdout
            assert "comes when sin returns" in done.stdout
            assert world.home("bob") == ["iad", "2"]

            tablet = await Client(world.cluster, "bob", "iad-1", device="tablet").open()
            await tablet.until(lambda c: len(c.messages) == 12, 40, "what is known there")
            assert numbers(tablet) == [*range(1, 11), 21, 22]
            await world.send(dave, "bob", [14])
            await bob.until_messages(14, 20)

            network.heal()
            await tablet.until(lambda c: len(c.messages) == 16, 90, "what sin went on with")
            assert sorted(numbers(tablet)) == [*range(1, 15), 21, 22]
            await bob.until(lambda c: {21, 22} <= set(numbers(c)), 30, "bob went after it")
            assert {frame["home"] for frame in bob.frames if frame["t"] == "moved"} == {"iad"}
            await world.send(alice, "bob", [23])
            for client in (bob, tablet):
                await client.until(lambda c: numbers(c)[-1] == 23, 30, "what is new")
            assert len(numbers(tablet)) == 17
            await close(bob, carol, alice, dave, tablet)

        run(scenario())
