"""Thousands of sockets in one process, on epoll, which say what they are told and keep no rule."""

import resource
import select
import socket
import time

HEAR_MAX = 1024  # of what each one hears; the rest is read and forgotten
TURN_BYTES = 1 << 16


class Member:
    """One socket. heard: the beginning of what came; closed_at: when the other side ended it."""

    def __init__(self, raw, first):
        self.raw, self.unsaid = raw, first
        self.heard = b""
        self.count = 0  # bytes that came
        self.begun_at, self.connected_at, self.closed_at = time.monotonic(), None, None

    @property
    def status(self):
        """Of HTTP, None when it was not answered."""
        words = self.heard[:12].split(b" ")
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else None

    @property
    def is_open(self):
        return self.closed_at is None


class Crowd:
    """with Crowd((host, port)) as crowd: crowd.open(2000, b"GET "); crowd.until(...)

    deaf: reads nothing, and still notices the end. sources: how many loopback addresses it comes from.
    """

    def __init__(self, address, deaf=False, sources=16):
        self.address, self.deaf, self.sources = address, deaf, sources
        self.members, self._of = [], {}
        self.always = select.EPOLLRDHUP if deaf else select.EPOLLIN
        self.poll = select.epoll()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.raw.close()
        self.poll.close()

    def open(self, count, first=b""):
        """More of them; `first` is what each says when it is connected, or of (number) -> bytes."""
        for number in range(len(self.members), len(self.members) + count):
            raw = socket.socket()
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            raw.bind((f"127.77.{number % self.sources}.1", 0))
            raw.connect_ex(self.address)  # an event tells when it is
            member = Member(raw, first(number) if callable(first) else first)
            self.members.append(member)
            self._of[raw.fileno()] = member
            self.poll.register(raw, self.always | select.EPOLLOUT)

    def say(self, data):
        """To all who are open, behind what they have not said yet."""
        for member in self.members:
            if member.is_open:
                member.unsaid += data
                if member.connected_at:
                    self._flush(member)

    def turn(self, timeout_s=0.05):
        for descriptor, events in self.poll.poll(timeout_s, 4096):
            member = self._of[descriptor]
            if events & select.EPOLLOUT and member.is_open:
                self._flush(member)
            if events & ~select.EPOLLOUT and member.is_open:
                self._end(member) if self.deaf else self._hear(member)

    def _watch(self, member, more):
        self.poll.modify(member.raw, self.always | more)

    def _flush(self, member):
        member.connected_at = member.connected_at or time.monotonic()
        try:
            while member.unsaid:
                sent = member.raw.send(member.unsaid[:TURN_BYTES])
                member.unsaid = member.unsaid[sent:]
        except BlockingIOError:
            self._watch(member, select.EPOLLOUT)
            return
        except OSError:
            self._end(member)
            return
        self._watch(member, 0)

    def _hear(self, member):
        try:
            data = member.raw.recv(TURN_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        member.count += len(data)
        if len(member.heard) < HEAR_MAX:
            member.heard += data[: HEAR_MAX - len(member.heard)]
        if not data:
            self._end(member)

    def _end(self, member):
        member.closed_at = time.monotonic()
        self.poll.unregister(member.raw)
        del self._of[member.raw.fileno()]
        member.raw.close()

    def during(self, seconds, every_s=1, do=None):
        """Turns for so long, and calls do() so often."""
        end, due = time.monotonic() + seconds, 0
        while (now := time.monotonic()) < end:
            if do is not None and now >= due:
                do()
                due = now + every_s
            self.turn()

    def until(self, condition, timeout_s, what, every_s=1, do=None):
        """Turns until condition(), and returns how long that took."""
        begun = time.monotonic()
        due = begun
        while not condition():
            now = time.monotonic()
            if now - begun > timeout_s:
                raise TimeoutError(f"after {timeout_s} s still not: {what}: {self.told()}")
            if do is not None and now >= due:
                do()
                due = now + every_s
            self.turn()
        return time.monotonic() - begun

    def open_count(self):
        return sum(member.is_open for member in self.members)

    def statuses(self):
        counts = {}
        for member in self.members:
            counts[member.status] = counts.get(member.status, 0) + 1
        return counts

    def told(self):
        return f"{self.open_count()} of {len(self.members)} open, answers {self.statuses()}"
