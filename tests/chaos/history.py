"""Writes histories of chaos runs (docs/chaos-history.md): each process into a file of its own, and
merge() makes one of them.

    with History(folder) as history:
        history.write("open", user="alice", device="phone", conn=1, region="sin")
    merge(folder, "history.jsonl")
"""

import glob
import hashlib
import heapq
import json
import os
import threading
import time

SUFFIX = ".part.jsonl"


def body_hash(body):
    """Of the bytes of a body."""
    return hashlib.sha256(body).hexdigest()[:32]


class History:
    """The events of this process, of any thread. A line is written at once and whole, so a process
    that is killed loses nothing but what it was about to say. After a fork the child writes into a
    file of its own."""

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self._open()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _open(self):
        self._lock, self._pid = threading.Lock(), os.getpid()
        name = f"{self._pid}-{id(self):x}-{time.monotonic_ns()}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(os.path.join(self.folder, name), flags, 0o644)

    def write(self, event, /, **members):
        """Returns the time it wrote. Keys whose value is None are left out."""
        members = {name: value for name, value in members.items() if value is not None}
        if self._pid != os.getpid():  # forked; whoever held the lock is not here
            os.close(self._file)
            self._open()
        with self._lock:  # the clock is read in it, so that no file goes back in time
            t = time.monotonic_ns()
            line = json.dumps({"t": t, "ev": event, **members}, ensure_ascii=False) + "\n"
            data = line.encode()
            while data:
                data = data[os.write(self._file, data) :]
        return t

    def close(self):
        os.close(self._file)


def _events(path):
    """(t, line) of each whole line. What a killed process did not finish is left out."""
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)["t"], line


def merge(folder, path):
    """Makes one history of the files in the folder, in the order of time; returns how many events.
    Events of one file stay in their order."""
    parts = sorted(glob.glob(os.path.join(glob.escape(os.fspath(folder)), "*" + SUFFIX)))
    count = 0
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as merged:
        streams = [_events(part) for part in parts]
        for _, line in heapq.merge(*streams, key=lambda event: event[0]):
            merged.write(line)
            count += 1
    return count
