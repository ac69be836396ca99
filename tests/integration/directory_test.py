"""The directory by hand, on real servers."""

import base64
import struct

from lab import Cluster
from lab.bus import BusLink


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
