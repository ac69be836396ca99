"""meridian.v1 without WebSockets, byte by byte: server-sent events, lines, polls, and frames by
POST. Written from docs/protocol.md and RFC 7230 alone."""

import asyncio
import json
from urllib.parse import urlencode


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
