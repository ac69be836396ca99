"""meridian.v1 without WebSockets, byte by byte: server-sent events, lines, polls, and frames by
POST. Written from docs/protocol.md and RFC 7230 alone."""

import asyncio
import json
import time
from urllib.parse import urlencode

from .client import Client


class Refused(Exception):
    """An HTTP status other than 200, and the object that came with it."""

    def __init__(self, status, answer):
        super().__init__(f"{status}: {answer}")
        self.status, self.answer = status, answer


def request(method, path, query=None, body=None, **headers):
    """A request's bytes. `headers` have _ for -."""
    target = f"{path}?{urlencode(query)}" if query else path
    lines = [f"{method} {target} HTTP/1.1", "Host: meridian"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Http:
    """One connection to an edge, or to whatever else `place.open_socket(where)` leads to."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.status, self.headers = None, {}

    @classmethod
    async def open(cls, place, where, tls=None):
        raw = await asyncio.to_thread(place.open_socket, where)
        options = {"ssl": tls, "server_hostname": "meridian"} if tls else {}
        return cls(*await asyncio.open_connection(sock=raw, limit=2**22, **options))

    async def ask(self, data):
        """Writes a request, and reads the answer's head."""
        self.writer.write(data)
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        return self

    async def body(self):
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join([chunk async for chunk in self.chunks()])
        return await self.reader.readexactly(int(self.headers["content-length"]))

    async def chunks(self):
        """Up to the last one. An answer that is cut off raises IncompleteReadError."""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            data = await self.reader.readexactly(size + 2)
            assert data.endswith(b"\r\n"), data
            if size == 0:
                return
            yield data[:-2]

    async def close(self):
        if self.writer.get_extra_info("ssl_object"):
            self.writer.transport.abort()  # the peer may have no end of TLS to say
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


async def call(place, where, data, tls=None):
    """The JSON of an answer of 200; else Refused."""
    http = await Http.open(place, where, tls)
    try:
        await http.ask(data)
        answer = json.loads(await http.body())
    finally:
        await http.close()
    if http.status != 200:
        raise Refused(http.status, answer)
    return answer


async def post(place, where, query, frames, tls=None, **headers):
    """POST /v1/frames: the frames that answer them."""
    body = frames if isinstance(frames, bytes) else json.dumps(frames).encode()
    return await call(place, where, request("POST", "/v1/frames", query, body, **headers), tls)


async def poll(place, where, query, tls=None, **headers):
    """GET /v1/poll: the frames that are there."""
    return await call(place, where, request("GET", "/v1/poll", query, **headers), tls)


class Stream:
    """An answer without an end: kind "sse" or "stream". frame() gives its texts one by one, None
    at its proper end. `last_id` is what an EventSource would show; `beats` counts heartbeats."""

    def __init__(self, http, kind):
        self.http, self.kind = http, kind
        self.last_id, self.beats, self.raw = None, 0, []
        self._texts = self._read()

    @classmethod
    async def open(cls, place, where, kind, query, tls=None, **headers):
        http = await Http.open(place, where, tls)
        await http.ask(request("GET", f"/v1/{kind}", query, **headers))
        if http.status != 200:
            answer = json.loads(await http.body())
            await http.close()
            raise Refused(http.status, answer)
        return cls(http, kind)

    async def _lines(self):
        rest = b""
        async for chunk in self.http.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode()
        assert rest == b"", f"{rest!r} is no whole line"

    async def _read(self):
        data, comment = [], False
        async for line in self._lines():
            if self.kind == "stream":
                if line:
                    yield line
                else:
                    self.beats += 1
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "" and data:
                yield "\n".join(data)
                data = []
            elif line == "":
                self.beats += comment
            elif name == "data":
                data.append(value)
            elif name == "id":
                self.last_id = value
            comment = name == "" and line != ""

    async def frame(self, timeout_s=10):
        try:
            text = await asyncio.wait_for(self._texts.__anext__(), timeout_s)
        except StopAsyncIteration:
            return None
        self.raw.append(text)
        return json.loads(text)

    async def until(self, kind, timeout_s=10):
        """The next frame of this kind; those before it are passed over."""
        while True:
            frame = await self.frame(timeout_s)
            if frame is None or frame["t"] == kind:
                return frame

    async def close(self):
        await self.http.close()


class Wanderer:
    """A device that reads by one transport after the other, each at an edge drawn anew, and leaves
    each in the middle of whatever it sends. It keeps its cursor, and shows it at the next one.

    on_message(frame) is called for each message. What it sends goes by POST to edges of
    `sends_to`."""

    KINDS = ("ws", "sse", "stream", "poll", "wait")

    def __init__(self, cluster, user, edges, sends_to, random):
        self.cluster, self.user, self.random = cluster, user, random
        self.edges, self.sends_to = edges, sends_to
        self.on_message = None
        self.cursor = None
        self.cursors = []  # of all that was taken
        self.used = []  # (kind, edge)
        self.acks = []  # on their way
        self.odd = []  # gaps and resyncs, of which there must be none
        self.wants = 0  # messages until the next change
        self.enough = asyncio.Event()

    def _query(self, **more):
        cursor = {"cursor": self.cursor} if self.cursor else {}
        return {"user": self.user, "device": "d1", **cursor, **more}

    def _take(self, frame):
        if frame["t"] in ("gap", "resync"):
            self.odd.append(frame)
        if frame["t"] != "msg":
            return
        self.cursor = frame["cursor"]
        self.cursors.append(frame["cursor"])
        self.on_message(frame)
        self.wants -= 1
        if self.wants <= 0:
            self.enough.set()

    async def _read_ws(self, edge):
        client = Client(self.cluster, self.user, edge)
        client.cursor, client.on_message = self.cursor, self._take
        await client.open()
        try:
            await asyncio.wait_for(self.enough.wait(), 0.5)
        except asyncio.TimeoutError:
            pass
        await client.close()

    async def _read_stream(self, edge, kind):
        stream = await Stream.open(self.cluster, edge, kind, self._query())
        try:
            while self.wants > 0:
                frame = await stream.frame(0.5)
                if frame is None:
                    break
                self._take(frame)
                if frame["t"] == "msg" and self.random.random() < 0.2:
                    ack = {"t": "ack", "cursor": self.cursor}
                    ack = self._post(self.random.choice(self.edges), ack)
                    self.acks.append(asyncio.create_task(ack))
        except asyncio.TimeoutError:
            pass
        await stream.close()

    async def _read_poll(self, edge, **wait):
        while self.wants > 0:
            frames = await poll(self.cluster, edge, self._query(**wait))
            if self.random.random() < 0.2:
                continue  # the answer is lost on the way
            for frame in frames:
                self._take(frame)
            if not any(frame["t"] == "msg" for frame in frames):
                self.wants -= 6

    async def change(self):
        """Reads some messages by another transport."""
        kind, edge = self.random.choice(self.KINDS), self.random.choice(self.edges)
        self.wants = self.random.randint(1, 12)
        self.enough.clear()
        self.used.append((kind, edge))
        if kind == "ws":
            await self._read_ws(edge)
        elif kind == "poll":
            await self._read_poll(edge)
        elif kind == "wait":
            await self._read_poll(edge, wait=1)
        else:
            await self._read_stream(edge, kind)

    async def run(self, until):
        while not until.is_set():
            await self.change()
        for answer in await asyncio.gather(*self.acks):
            assert answer[0]["t"] == "acked", answer

    async def _post(self, edge, frame):
        return await post(self.cluster, edge, {"user": self.user, "device": "d1"}, frame)

    async def send_surely(self, to, body, message_id, timeout_s=60):
        """Repeats with the same id until it is accepted."""
        frame = {"t": "send", "id": message_id, "to": to, "body": body}
        end = time.monotonic() + timeout_s
        while True:
            [answer] = await self._post(self.random.choice(self.sends_to), frame)
            if answer["t"] == "accepted":
                return answer
            assert answer["retryable"] and time.monotonic() < end, answer
            await asyncio.sleep(0.05)
