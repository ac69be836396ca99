"""What the directory says, asked at its origin and at each mirror, and written down as `home`."""

import base64
import contextlib
import json
import struct
import threading
import time

from lab.jetstream import JetStream

EVERY_S = 1
ANSWER_S = 10  # a stream without a leader says nothing, while its server says PING
USERS = "$KV.DIRECTORY.u."
GONE = (OSError, ValueError, LookupError)  # a server that is not there, or says something odd


def subject(user):
    return USERS + base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")


def parse_entry(value):
    """(home, epoch) of an entry. ValueError: it is none of version 1."""
    if len(value) < 2 or value[0] != 1 or len(value) < 2 + value[1] + 4:
        raise ValueError(f"no entry of the directory: {value.hex()}")
    (epoch,) = struct.unpack_from("<I", value, 2 + value[1])
    return value[2 : 2 + value[1]].decode(), epoch


class Place(JetStream):
    """A connection to a region's NATS servers. Each question has an address of its own for its
    answer, so that a late answer is never taken for another one."""

    def __init__(self, host, port):
        super().__init__(host, port)
        self.asked = 0
        self.link.sendall(b"SUB at.* 2\r\n")

    def ask(self, stream, users):
        """{user: (home, epoch)} of those that are there, as the leader of the stream has it."""
        waiting = {}
        for user in users:
            self.asked += 1
            waiting[f"at.{self.asked}"] = user
            body = json.dumps({"last_by_subj": subject(user)}).encode()
            head = f"PUB $JS.API.STREAM.MSG.GET.{stream} at.{self.asked} {len(body)}\r\n"
            self.link.sendall(head.encode() + body + b"\r\n")
        found, until = {}, time.monotonic() + ANSWER_S
        while waiting:
            address, said = self._answer(until)
            user = waiting.pop(address, None)
            if user is not None and "message" in said:
                found[user] = parse_entry(base64.b64decode(said["message"].get("data", "")))
        return found

    def _answer(self, until):
        while time.monotonic() < until:
            words = self.input.readline().split()
            if not words:
                raise ConnectionError("NATS closed the connection")
            if words[0] == b"PING":
                self.link.sendall(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                payload = self.input.read(int(words[-1]))
                self.input.read(2)
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                return words[1].decode(), json.loads(payload[head:] or b"{}")
        raise TimeoutError("the stream does not answer")


class Homes:
    """with Homes(cluster, history, users): each region is asked once a second, and
    what is new there is written down. A region whose servers do not answer is asked again."""

    def __init__(self, cluster, history, users):
        self.cluster, self.history, self.users = cluster, history, users
        self.told = {}  # (user, stream) -> (home, epoch)
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=[name]) for name in cluster.names]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def _stream(self, region):
        return "KV_DIRECTORY" if region == self.cluster.primary else f"KV_DIRECTORY_{region}"

    def _connect(self, region):
        nodes = [name for name in self.cluster.nodes if self.cluster.region_of[name] == region]
        for name in sorted(nodes, key=lambda name: not self.cluster.nodes[name].alive()):
            with contextlib.suppress(OSError):
                address = self.cluster.bus_address(name)
                return self.cluster.in_region(region, lambda: Place(*address))
        raise ConnectionError(f"no NATS server of {region} answers")

    def ask(self, region):
        """{user: (home, epoch)} as the region has it now."""
        with self._connect(region) as place:
            return place.ask(self._stream(region), self.users)

    def note(self, region, found):
        stream = self._stream(region)
        for user, said in found.items():
            if self.told.get((user, stream)) != said:
                self.told[user, stream] = said
                self.history.write("home", user=user, home=said[0], epoch=said[1], at=stream)

    def _run(self, region):
        place = None
        while not self.done.wait(EVERY_S):
            try:
                place = place or self._connect(region)
                self.note(region, place.ask(self._stream(region), self.users))
            except GONE:
                if place is not None:
                    place.link.close()
                place = None
