"""bench/talk as a process: hundreds of messages a second, checked by it, while a test does harm."""

import bisect
import itertools
import json
import subprocess

from .cluster import BUILD


class TalkTool:
    """with TalkTool(cluster, users=60, rate=500, seconds=60) as talk: ...; talk.finish()

    edges: the names of two for each region; else all. name: of the users, new for each on a cluster.
    """

    def __init__(self, cluster, users, rate, seconds, edges=None, name="talk"):
        self.log_path = cluster.folder / "talk.log"
        if edges is None:
            edges = [name for region in cluster.names for name in cluster.edge_names(region)]
        addresses = [cluster.url[name].removeprefix("http://") for name in edges]
        self.command = [BUILD / "bench-bin" / "talk", "--users", users, "--rate", rate]
        self.command += ["--seconds", seconds, "--log", self.log_path, "--name", name]
        self.command += addresses
        self.popen = None

    def __enter__(self):
        command = [str(part) for part in self.command]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        opened = self.popen.stdout.readline()
        assert opened, f"{command[0]} ended with {self.popen.wait(10)}"
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)

    def finish(self, timeout_s=90):
        """What it says of all."""
        out, _ = self.popen.communicate(timeout=timeout_s)
        assert out, f"talk ended with {self.popen.returncode}"
        return json.loads(out.splitlines()[-1])

    def end(self):
        """No more messages; finish() waits for those that were accepted."""
        self.popen.terminate()

    def events(self):
        """What was accepted and delivered: (kind "a" or "d", user, when, seconds since sent)."""
        with open(self.log_path) as log:
            for line in log:
                kind, user, when, since = line.split()
                yield kind, int(user), int(when) / 1e6, int(since) / 1e6


def longest_silences(times_of_users, start, end):
    """For each user, the longest time without one of its sorted times, begun between the two."""
    silences = []
    for times in times_of_users.values():
        first, after = bisect.bisect_left(times, start), bisect.bisect_left(times, end)
        points = [start, *times[first : after + 1]]
        silences.append(max((b - a for a, b in itertools.pairwise(points)), default=end - start))
    return silences
