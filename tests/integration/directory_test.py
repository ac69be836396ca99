"""The directory by hand, on real servers."""

import base64
import os
import re
import struct
import subprocess

import pytest

from lab import Cluster, Postgres
from lab.bus import BusLink
from lab.cluster import BUILD
from lab.postgres import missing
from lab.process import wait_for


def key(user):
    return base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")


def entry(home, epoch):
    return b"\x01" + bytes([len(home)]) + home.encode() + struct.pack("<IB", epoch, 0)


class Directory:
    """The commands, run in a region of the cluster."""

    def __init__(self, cluster, region=None):
        self.cluster, self.region = cluster, region

    def run(self, *arguments, code=0, timeout_s=90):
        done = self.cluster.meridian(
            "directory",
            *arguments,
            "--catalogue",
            self.cluster.catalogue,
            region=self.region,
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
        home, epoch, revision = directory.get("alice")
        assert (home, epoch) == ("sin", 1)
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
        revision = directory.get("alice")[2]
        said = directory.run("set", "alice", "dub", "--force", "--if-revision", revision)
        assert "no message was moved: what is in sin stays there" in said
        assert directory.get("alice")[:2] == ("dub", 8)

        # Counting: more than a page, and what cannot be read is told.
        with BusLink(cluster, "dub-n1") as bus:
            for i in range(300):
                bus.request(f"$KV.DIRECTORY.u.{key(f'user-{i}')}", entry("sin", 1))
            counted, _ = directory.count()
            assert counted == {"sin": 301, "dub": 1, "all": 302}
            bus.request(f"$KV.DIRECTORY.u.{key('odd')}", b"\x02what is this")
            bus.request("$KV.DIRECTORY.u.YR", entry("sin", 1))
        counted, said = directory.count(code=1)
        assert counted["all"] == 302 and "2 entries cannot be read" in said
        assert "its key is no user's" in said and "its value is no home" in said
        assert "cannot be read" in directory.run("get", "odd", code=1)
        directory.run("set", "odd", "sin", code=1)
        directory.run("set", "odd", "sin", "--force", "--epoch", "2")
        assert directory.get("odd")[:2] == ("sin", 2)


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
            for i in range(1500):  # more than a batch
                user = f"user-{i}"
                bus.request(f"$KV.DIRECTORY.u.{key(user)}", entry("sin", 1))
                expected[user] = ("sin", 1)
        lab.wait_archived(expected)
        directory.run("set", "user-7", "sin", "--epoch", "3")
        expected["user-7"] = ("sin", 3)
        lab.wait_archived(expected)
        assert [(name, lag) for name, _, lag in lab.status()] == [("KV_DIRECTORY", "0")]

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
