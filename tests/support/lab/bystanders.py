"""Healthy clients beside an attack, who are to notice nothing of it.

    with Bystanders(cluster, "sin-1", full) as healthy: ...

Leaving it holds what an attack must leave as it was: p99 of delivery, every message, the process
and its memory and descriptors. Figures of time fail at ten times what is promised. Memory that the
process keeps is told; it fails at what no allocator keeps."""

import itertools
import os
import pathlib
import time

from .process import wait_for
from .promise import hold
from .record import percentile
from .talk_tool import TalkTool

RATE = 200
P99_S = 0.25
RSS_BACK_PERCENT = 10
RSS_LEFT_MIB = 64
MIB = 1 << 20
_turns = itertools.count()


class Bystanders:
    def __init__(self, cluster, edge, full, back_s=None):
        self.cluster, self.edge = cluster, cluster.edges[edge]
        self.users = 1000 if full else 100
        self.left_mib = RSS_LEFT_MIB
        self.back_s = (15 if full else 2) if back_s is None else back_s
        name = f"bystander-{next(_turns)}"
        self.talk = TalkTool(cluster, self.users, RATE, 3600, [edge, edge], name)

    def __enter__(self):
        self.talk.__enter__()
        self.pid, self.starts = self.edge.pid, self.edge.starts
        self.rss = self.edge.rss_bytes()
        self.descriptors = self._descriptors()
        self.begun = time.monotonic()
        # Linux forgets the highest size so far when 5 is written.
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self._hold()
        finally:
            self.talk.__exit__()

    def _descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def peak_growth(self):
        """Bytes, of the process at its largest since the beginning."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 - self.rss
        raise AssertionError("no VmHWM")

    def _is_back(self):
        return self.edge.rss_bytes() <= self.rss * (1 + RSS_BACK_PERCENT / 100)

    def _hold(self):
        took_s, peak = time.monotonic() - self.begun, self.peak_growth()
        assert self.edge.alive() and self.edge.starts == self.starts, self.edge.log()[-2000:]
        wait_for(
            lambda: self._descriptors() == self.descriptors,
            15,
            f"{self.descriptors} descriptors as before the attack",
        )
        try:
            wait_for(self._is_back, self.back_s, "memory is given back")
        except TimeoutError:
            pass  # judged below
        left = self.edge.rss_bytes() - self.rss
        self.talk.end()
        said = self.talk.finish()
        times = [since for kind, _, _, since in self.talk.events() if kind == "d"]
        print(
            f"{self.users} bystanders for {took_s:.1f} s: {said['accepted']} accepted, "
            f"{said['lost']} lost, {said['repeated']} repeated, {said['reconnects']} cut off; "
            f"edge: {self.rss / MIB:.1f} MiB, at most {peak / MIB:+.1f} MiB, "
            f"{left / MIB:+.1f} MiB after; {self.descriptors} descriptors, as many after",
            flush=True,
        )
        harm = ("lost", "repeated", "disordered", "reconnects", "rejected")
        assert not any(said[name] for name in harm), said
        hold("bystanders, p99 of delivery", percentile(times, 0.99), P99_S)
        assert left < self.left_mib * MIB
