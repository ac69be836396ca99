"""The directory by hand, on real servers."""

import asyncio
import base64
import datetime
import json
import os
import re
import struct
import subprocess
import time

import pytest

from lab import Client, Cluster, Network, Postgres, SendFailed
from lab.bus import BusLink
from lab.cluster import BUILD
from lab.jetstream import JetStream
from lab.postgres import missing
from lab.process import wait_for


def key(user):
    return base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")


def entry(home, epoch):
    return b"\x01" + bytes([len(home)]) + home.encode() + struct.pack("<IB", epoch, 0)


def register(bus, users, value):
    """Many at once, past every process. Returns the position of the last."""
    for user in users[:-1]:
        bus.publish(f"$KV.DIRECTORY.u.{key(user)}", value)
    return bus.request(f"$KV.DIRECTORY.u.{key(users[-1])}", value)["seq"]


class Directory:
    """The commands."""

    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, *arguments, code=0, timeout_s=90):
        done = self.cluster.meridian(
            "directory",
            *arguments,
            "--catalogue",
            self.cluster.catalogue,
            timeout_s=timeout_s,
        )
        assert (
            done.returncode == code
        ), f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def get(self, user):
        """(home, epoch, revision)"""
        home, epoch, _, revision = self.run("get", user).split()
        return home, int(epoch), int(revision)

    def shows(self, user, *expected):
        """Waits until `get` does: it asks a mirror, which may be behind, after a cut for long."""

        def is_so():
            try:
                return self.get(user)[: len(expected)] == expected
            except AssertionError:
                return False

        wait_for(is_so, 100, f"the directory shows {user} at {expected}", 0.1)

    def count(self, code=0):
        """{home: users}, and all that was said."""
        said = self.run("count", code=code)
        lines = [line.split() for line in said.splitlines()]
        return {line[0]: int(line[1]) for line in lines if len(line) == 2}, said


def test_entries_are_set_by_compare_and_set_and_counted():
    with Cluster(regions=["sin", "dub"], shards=1) as cluster:
        cluster.start_nats()
        cluster.provision()
        directory = Directory(cluster)

        assert "nobody has seen" in directory.run("get", "alice", code=1)
        said = directory.run("set", "alice", "sin", "--if-revision", "0")
        assert "alice is at home in sin (epoch 1" in said
        directory.shows("alice", "sin", 1)
        home, epoch, revision = directory.get("alice")
        directory.run("set", "alice", "sin")  # so it is
        assert directory.get("alice") == (home, epoch, revision)

        # What must not be: an unknown region, a user id that is none, an epoch that goes back.
        assert "no region 'mars'" in directory.run("set", "alice", "mars", code=2)
        assert "a user id is" in directory.run("set", "a\tb", "sin", code=2)
        directory.run("set", "a" * 128, "sin")
        directory.run("set", "a" * 129, "sin", code=2)
        directory.run("set", "alice", "sin", "--epoch", "7")
        assert "never goes back" in directory.run("set", "alice", "sin", "--epoch", "6", code=2)
        directory.run("set", "alice", "sin", "--epoch", "0", code=2)
        directory.run("set", "alice", "sin", "--epoch", "4294967296", code=2)

        # Another home only by force, with a higher epoch; a revision that is over, never.
        assert "at home in sin (epoch 7)" in directory.run("set", "alice", "dub", code=1)
        stale = ["set", "alice", "dub", "--force", "--if-revision", revision]
        assert "somebody has written it" in directory.run(*stale, code=1)
        directory.shows("alice", "sin", 7)
        revision = directory.get("alice")[2]
        said = directory.run("set", "alice", "dub", "--force", "--if-revision", revision)
        assert "no message was moved: what is in sin stays there" in said
        directory.shows("alice", "dub", 8)

        # Counting: more than a page, and what cannot be read is told.
        with BusLink(cluster, "dub-n1") as bus:
            register(bus, [f"user-{i}" for i in range(300)], entry("sin", 1))
            counted, _ = directory.count()
            assert counted == {"sin": 301, "dub": 1, "all": 302}
            bus.request(f"$KV.DIRECTORY.u.{key('odd')}", b"\x02what is this")
            bus.request("$KV.DIRECTORY.u.YR", entry("sin", 1))
        counted, said = directory.count(code=1)
        assert counted["all"] == 302 and "2 entries cannot be read" in said
        assert "its key is no user's" in said and "its value is no home" in said
        wait_for(
            lambda: "cannot be read" in directory.run("get", "odd", code=1),
            20,
            "the mirror has what cannot be read",
            0.1,
        )
        directory.run("set", "odd", "sin", code=1)
        directory.run("set", "odd", "sin", "--force", "--epoch", "2")
        directory.shows("odd", "sin", 2)


class Archived:
    """A PostgreSQL with the schema, and a cluster whose hubs archive into it."""

    def __init__(self, **cluster):
        self.postgres = Postgres()
        self.cluster_settings = cluster

    def __enter__(self):
        self.postgres.start().create()
        self.command("archive", "migrate")
        self.cluster = Cluster(
            hub_settings={
                "archive.url": self.postgres.url,
                "archive.pause": "50ms",
                "archive.backoff_max": "500ms",
                "archive.follow": "1s",
            },
            **self.cluster_settings,
        )
        self.cluster.start()
        return self

    def __exit__(self, *failure):
        try:
            self.cluster.__exit__(*failure)
        finally:
            self.postgres.__exit__(*failure)

    def command(self, *arguments, code=0):
        """The command line tool; the URL goes by the environment."""
        done = subprocess.run(
            [BUILD / "bin" / "meridian", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "MERIDIAN_ARCHIVE_URL": self.postgres.url},
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def homes(self):
        """{user: (home, epoch)} of the archive's table."""
        rows = self.postgres.ask("SELECT user_id, home, epoch FROM meridian.directory")
        return {user: (home, int(epoch)) for user, home, epoch in rows}

    def status(self):
        """[(bucket, position, lag)]"""
        said = self.command("archive", "status", "--catalogue", self.cluster.catalogue)
        found = re.findall(r"directory (\S+)  position (\d+)  lag (\S+)", said)
        return [(name, int(position), lag) for name, position, lag in found]

    def wait_archived(self, expected, timeout_s=30):
        wait_for(lambda: self.homes() == expected, timeout_s, "the directory is archived", 0.1)


with_postgres = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@with_postgres
def test_the_directory_is_archived_and_an_archive_that_is_away_costs_only_lag():
    with Archived(regions=1, shards=1, hubs=2) as lab:
        directory = Directory(lab.cluster)
        expected = {}
        with BusLink(lab.cluster, "sin-n1") as bus:
            users = [f"user-{i}" for i in range(1500)]  # more than a batch
            register(bus, users, entry("sin", 1))
            expected.update({user: ("sin", 1) for user in users})
        lab.wait_archived(expected)
        directory.run("set", "user-7", "sin", "--epoch", "3")
        expected["user-7"] = ("sin", 3)
        lab.wait_archived(expected)
        assert [(name, lag) for name, _, lag in lab.status()] == [("KV_DIRECTORY", "0")]

        # A row never goes back, whatever the bucket says.
        lab.postgres.ask("UPDATE meridian.directory SET epoch = 9 WHERE user_id = 'user-8'")
        directory.run("set", "user-8", "sin", "--epoch", "5")
        directory.run("set", "user-9", "sin", "--epoch", "5")
        expected["user-8"], expected["user-9"] = ("sin", 9), ("sin", 5)
        lab.wait_archived(expected)

        # The archive away: users are registered as before, and come when it is back.
        lab.postgres.stop()
        for user in ("late-1", "late-2"):
            directory.run("set", user, "sin")
            expected[user] = ("sin", 1)
        owner = lambda: [
            line
            for hub in lab.cluster.hubs
            for line in lab.cluster.http(hub, "/readyz")[2].decode().splitlines()
            if "archive directory" in line
        ]
        lag_ms = lambda: max([int(re.search(r"lag_ms=(\d+)", line)[1]) for line in owner()] or [0])
        wait_for(lambda: lag_ms() > 1000, 20, "the lag grows", 0.1)
        lab.postgres.start()
        lab.wait_archived(expected)
        wait_for(lambda: lag_ms() == 0, 20, "nothing waits", 0.1)

        # Another owner goes on where the first one was.
        owners = [hub for hub in lab.cluster.hubs if owner_of(lab.cluster, hub)]
        assert len(owners) == 1
        lab.cluster.hubs[owners[0]].kill()
        directory.run("set", "later", "sin")
        expected["later"] = ("sin", 1)
        lab.wait_archived(expected)


def owner_of(cluster, hub):
    return "archive directory" in cluster.http(hub, "/readyz")[2].decode()


def run(scenario, timeout_s=120):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


async def send(cluster, edge, sender, to, body, message_id):
    client = await Client(cluster, sender, edge).open_forever()
    await client.send_surely(to, body, message_id)
    await client.close()


async def receive(cluster, edge, user, count, timeout_s=30):
    """The bodies of the first messages of a user's mailbox, by a device that has none yet."""
    client = await Client(cluster, user, edge, device=f"d-{edge}").open_forever()
    await client.until_messages(count, timeout_s)
    await client.close()
    return [message["body"] for message in client.messages], client.welcome["home"]


def nats(cluster, node):
    host, port = cluster.bus_address(node)
    return JetStream(host, port)


@with_postgres
def test_a_directory_that_is_lost_is_rebuilt_from_the_archive():
    with Archived(regions=["sin", "dub"], shards=1, catalogue={"directory_buckets": 4}) as lab:
        cluster, directory = lab.cluster, Directory(lab.cluster)
        users = {"alice": "sin", "bob": "dub", "carol": "sin", "dave": "dub"}

        async def begin():
            for user, home in users.items():
                await (await Client(cluster, user, f"{home}-1").open_forever()).close()
                await send(cluster, "sin-1", "alice", user, f"for {user}", f"m-{user}")

        run(begin())
        directory.run("set", "dave", "dub", "--epoch", "4")
        epochs = {"alice": 1, "bob": 1, "carol": 1, "dave": 4}
        lab.wait_archived({user: (home, epochs[user]) for user, home in users.items()})
        wait_for(
            lambda: int(lab.postgres.ask("SELECT count(*) FROM meridian.messages")[0][0]) == 4,
            30,
            "the messages are archived",
        )

        assert [(name, lag) for name, _, lag in lab.status()] == [
            (f"KV_DIRECTORY_{i}", "0") for i in range(4)
        ]

        # Nobody may be given a new home before the old ones are back: so no edges.
        for edge in cluster.edges.values():
            edge.terminate()
        with nats(cluster, "dub-n1") as stream:
            for i in range(4):
                if stream.subjects(f"KV_DIRECTORY_{i}", f"$KV.DIRECTORY_{i}.u.{key('alice')}"):
                    alices = f"$KV.DIRECTORY_{i}.u.{key('alice')}"
                stream.api("STREAM.DELETE", f"KV_DIRECTORY_{i}_sin")
                stream.api("STREAM.DELETE", f"KV_DIRECTORY_{i}")
        cluster.provision()
        assert directory.count()[0]["all"] == 0

        # One user has another home by now, one a newer epoch, one cannot be read, and one is in the
        # archive by its messages only.
        directory.run("set", "bob", "sin")
        with BusLink(cluster, "dub-n1") as bus:
            bus.request(alices, b"\x09")
        lab.postgres.ask("DELETE FROM meridian.directory WHERE user_id = 'carol'")

        def rebuild(*more):
            return lab.command("directory", "rebuild", "--catalogue", cluster.catalogue, *more)

        said = rebuild("--dry-run")
        assert "would write 1 that were missing, 0 with a lower epoch, 1 that could not" in said
        assert "'bob' is at home in sin (epoch 1), remembered is dub: left as it is" in said
        assert "'carol' has messages in the archive and no home" in said
        assert directory.count(code=1)[0]["all"] == 1
        said = rebuild()
        assert "wrote 1 that were missing" in said and "1 another home in the same epoch" in said
        said = rebuild()
        assert "wrote 0 that were missing, 0 with a lower epoch, 0 that could not be read" in said
        directory.shows("alice", "sin", 1)
        directory.shows("dave", "dub", 4)
        directory.run("set", "bob", "dub", "--force")
        directory.run("set", "carol", "sin")
        lab.wait_archived(
            {"alice": ("sin", 1), "bob": ("dub", 2), "carol": ("sin", 1), "dave": ("dub", 4)}
        )

        # Everybody reaches their mailbox again, through either region.
        for edge in cluster.edges.values():
            edge.start()
        cluster.wait_ready(*cluster.edges)

        async def end():
            for user, home in users.items():
                away = "dub-1" if home == "sin" else "sin-1"
                got, at_home = await receive(cluster, away, user, 1)
                assert (got, at_home) == ([f"for {user}"], home)

        run(end())


def test_another_region_is_promoted_and_nothing_splits_when_the_old_primary_is_back():
    with Cluster(regions=3, shards=1) as cluster:
        cluster.start()
        directory = Directory(cluster)
        promote = lambda *more, code=0: directory.run("promote", "sin", *more, code=code)
        run(send(cluster, "sin-1", "alice", "alice", "to myself", "m1"))
        run(send(cluster, "dub-1", "dora", "alice", "hello", "m2"))
        assert "still answers" in promote(code=1)
        assert "no region 'mars'" in directory.run("promote", "mars", code=2)

        # One entry reaches the mirror of iad only.
        last = lambda node, name: nats_info(cluster, node, name)["state"]["last_seq"]
        cluster.nodes["sin-n1"].kill()
        with BusLink(cluster, "dub-n1") as bus:
            position = bus.request(f"$KV.DIRECTORY.u.{key('late')}", entry("iad", 1))["seq"]
            revoked = bus.request("$KV.REVOKED.late", b"a token")["seq"]
        wait_for(
            lambda: last("iad-n1", "KV_DIRECTORY_iad") >= position, 30, "iad has it", every_s=0.1
        )
        wait_for(
            lambda: last("iad-n1", "KV_REVOKED_iad") >= revoked, 30, "iad has that", every_s=0.1
        )
        cluster.nodes["dub-n1"].kill()
        cluster.restart(cluster.nodes["sin-n1"], timeout_s=60)

        said = promote("--dry-run")
        assert "would: unregister KV_DIRECTORY of the lost region" in said
        wait_for(lambda: last("sin-n1", "KV_DIRECTORY_sin") > 0, 30, "it is a mirror still")
        begun = time.monotonic()
        said = promote()
        print("\n" + said)
        assert "what KV_DIRECTORY_iad has: wrote 1 that were missing" in said
        print(f"promoted in {time.monotonic() - begun:.1f} s")
        assert "what KV_REVOKED_iad has: wrote 1 that were missing" in said
        assert nats_info(cluster, "sin-n1", "KV_REVOKED")["state"]["messages"] == 1
        info = nats_info(cluster, "sin-n1", "KV_DIRECTORY")
        assert info["config"]["placement"]["cluster"] == "sin" and "mirror" not in info["config"]
        for user, home in (("alice", "sin"), ("dora", "dub"), ("late", "iad")):
            directory.shows(user, home)
        assert "writable" not in promote()  # twice changes nothing

        # The operator's part.
        text = cluster.catalogue.read_text()
        cluster.catalogue.write_text(text.replace("primary: dub", "primary: sin"))
        cluster.primary = "sin"
        cluster.hubs["sin-h1"].terminate()
        cluster.restart(cluster.hubs["sin-h1"])

        # Who is new gets a home, in the regions that are left; edges have run all the while.
        cluster.wait_ready("sin-1", "iad-1", timeout_s=40)

        async def newcomer(edge, user, home):
            client = await Client(cluster, user, edge).open_forever(40)
            assert client.welcome["home"] == home
            await client.close()

        run(newcomer("iad-1", "ina", "iad"))
        directory.shows("ina", "iad", 1)

        # The old primary is back: what it had is dropped, and it follows.
        cluster.restart(cluster.nodes["dub-n1"], timeout_s=60)
        wait_for(
            lambda: "KV_DIRECTORY" not in streams_of(cluster, "dub-n1"), 60, "dub drops its own"
        )
        promote()
        said = cluster.provision().stdout
        assert "made KV_DIRECTORY_dub" in said
        wait_for(
            lambda: last("dub-n1", "KV_DIRECTORY_dub") >= last("sin-n1", "KV_DIRECTORY") - 3,
            30,
            "dub has a mirror",
        )
        cluster.wait_ready("dub-1", "dub-h1", timeout_s=60)
        run(newcomer("dub-1", "dana", "dub"))
        assert directory.count()[0] == {"sin": 1, "iad": 2, "dub": 2, "all": 5}
        for node, name in (("iad-n1", "KV_DIRECTORY_iad"), ("dub-n1", "KV_DIRECTORY_dub")):
            wait_for(
                lambda: nats_info(cluster, node, name)["state"]["num_subjects"] == 6,
                30,
                f"{name} has the five users, and the beat",
            )
        got, home = run(receive(cluster, "dub-1", "alice", 2))
        assert sorted(got) == ["hello", "to myself"] and home == "sin"


def nats_info(cluster, node, name):
    with nats(cluster, node) as stream:
        return stream.info(name)


def streams_of(cluster, node):
    """What a server holds itself, whatever the others say."""
    told = json.loads(cluster.http(node, "/jsz?accounts=1&streams=1")[2])
    return [
        stream["name"]
        for account in told.get("account_details", [])
        for stream in account.get("stream_detail", [])
    ]


def test_a_mirror_of_a_directory_that_was_deleted_gives_back_what_it_has():
    with Cluster(regions=["sin", "dub"], shards=1) as cluster:
        cluster.start_nats()
        cluster.provision()
        directory = Directory(cluster)
        url = f"sqlite:{cluster.folder}/archive.db"
        with BusLink(cluster, "dub-n1") as bus:
            last = register(bus, [f"user-{i}" for i in range(600)], entry("sin", 2))  # three pages
        mirrored = lambda: nats_info(cluster, "sin-n1", "KV_DIRECTORY_sin")["state"]
        wait_for(lambda: mirrored()["last_seq"] == last, 30, "the mirror has them")
        with nats(cluster, "dub-n1") as stream:
            stream.api("STREAM.DELETE", "KV_DIRECTORY")
        cluster.provision()
        directory.run("set", "user-1", "dub", "--epoch", "3")
        assert cluster.meridian("archive", "migrate", "--url", url).returncode == 0
        said = directory.run("rebuild", "--url", url, "--dry-run")
        assert "would: KV_DIRECTORY_sin is of an origin that is no more" in said
        said = directory.run("rebuild", "--url", url)
        assert "wrote 599 that were missing" in said and "1 have a newer epoch" in said
        assert "no more" not in directory.run("rebuild", "--url", url)
        wait_for(lambda: mirrored()["messages"] == 600, 30, "the mirror is made anew")
        assert directory.count()[0] == {"sin": 599, "dub": 1, "all": 600}


@pytest.mark.namespaces
def test_a_directory_of_four_buckets_spreads_users_and_is_read_in_a_region_that_is_cut_off():
    with Network(["sin", "dub"]) as network, Cluster(
        regions=["sin", "dub"], shards=1, network=network, catalogue={"directory_buckets": 4}
    ) as cluster:
        cluster.start()
        directory = Directory(cluster)
        users = [f"user-{i}" for i in range(24)]

        async def connect():
            for user in users:  # who is new is claimed, in the bucket that is theirs
                client = await Client(cluster, user, "sin-1").open_forever()
                assert client.welcome["home"] == "sin"
                await client.close()

        run(connect())
        names = [f"KV_DIRECTORY_{i}" for i in range(4)]
        info = lambda node, name: cluster.in_region(node, lambda: nats_info(cluster, node, name))
        held = [info("dub-n1", name)["state"]["num_subjects"] - 1 for name in names]  # the beat
        assert sum(held) == len(users) and min(held) > 0, held
        assert directory.count()[0] == {"sin": 24, "dub": 0, "all": 24}
        directory.shows("user-3", "sin", 1)
        for i in range(8):
            directory.run("set", f"ahead-{i}", "sin")
        mirrored = lambda: sum(
            info("sin-n1", f"{name}_sin")["state"]["num_subjects"] - 1 for name in names
        )
        wait_for(lambda: mirrored() == 32, 30, "the mirrors have all", 0.1)

        # The number is fixed.
        text = cluster.catalogue.read_text()
        for other in ("1", "3", "8"):
            cluster.catalogue.write_text(
                text.replace("directory_buckets: 4", f"directory_buckets: {other}")
            )
            done = cluster.provision(check=False)
            assert done.returncode == 1 and "the directory has 4 buckets" in done.stderr
        cluster.catalogue.write_text(text)
        assert "as they should be" in cluster.provision().stdout

        # Cut off, who is registered is found by the region's own mirrors; who is not, is unsure.
        async def cut_off():
            client = await Client(cluster, "user-0", "sin-1").open_forever()
            network.isolate("sin")
            for i in range(8):  # nobody has asked for them before
                await client.send(f"ahead-{i}", i, f"m{i}")
            end = time.monotonic() + 30
            codes = set()
            while "directory_unsure" not in codes:
                assert time.monotonic() < end, codes
                try:
                    await client.send(f"nobody-{time.monotonic()}", 1, f"u{time.monotonic()}", 12)
                    codes.add("accepted")
                except SendFailed as failed:
                    codes.add(failed.code)
            network.heal()
            await client.send_surely("nobody-yet", 1, "late", timeout_s=40)
            await client.close()

        run(cut_off())
        directory.shows("nobody-yet", "sin")


def test_who_is_new_is_served_by_the_primary_while_the_mirror_stands_still():
    with Cluster(regions=["sin", "dub"], shards=1) as cluster:
        cluster.start()

        mirror = lambda: nats_info(cluster, "sin-n1", "KV_DIRECTORY_sin")["state"]
        wait_for(lambda: mirror()["messages"] > 0, 30, "the mirror has a beat", 0.1)

        def beat_age_s():
            last = mirror()["last_ts"]
            stored = datetime.datetime.fromisoformat(last.split(".")[0] + "+00:00")
            return time.time() - stored.timestamp()

        async def scenario():
            client = await Client(cluster, "known", "sin-1").open_forever()
            for hub in cluster.hub_names("dub"):
                cluster.hubs[hub].pause()  # who beats for the directory
            # Five seconds later nothing that the mirror does not have is believed to be nowhere.
            end = time.monotonic() + 40
            while beat_age_s() < 7:
                assert time.monotonic() < end
                await asyncio.sleep(0.2)
            await client.send("new-one", 1, "m1")
            other = await Client(cluster, "new-two", "sin-1").open_forever()
            assert other.welcome["home"] == "sin"
            assert cluster.http("sin-1", "/readyz")[0] == 200
            for hub in cluster.hub_names("dub"):
                cluster.hubs[hub].resume()
            await client.close()
            await other.close()

        run(scenario())
