"""A WebSocket client byte by byte, written from RFC 6455 alone: it can break every rule of it, and
fails when the server breaks one. It shares no line with the edge, nor with any library."""

import asyncio
import base64
import hashlib
import os
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NO_CODE = 1005  # a close frame without a payload
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Broken(Exception):
    """The server broke a rule."""


def head(method="GET", path="/ws", version="HTTP/1.1", host="meridian", drop=(), **more):
    """A request for a WebSocket. `more` replaces headers, with _ for -; `drop` leaves some out; a
    list is one line for each."""
    headers = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    names = {name.lower(): name for name in headers}
    for name, value in more.items():
        name = name.replace("_", "-")
        headers[names.get(name.lower(), name)] = value
    lines = [f"{method} {path} {version}"]
    for name, value in headers.items():
        if name not in drop:
            lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value])]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def masked(payload, mask):
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"", form=None, claims=None, bare=False):
    """A client's frame. form: bits of the length, 7, 16 or 64, else the shortest; claims: another
    length than the payload's; bare: unmasked; mask: the key, else a random one."""
    size = len(payload) if claims is None else claims
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    short = {7: size, 16: 126, 64: 127}[form]
    out = bytes([first, (0 if bare else 0x80) | short])
    out += {7: b"", 16: struct.pack(">H", size & 0xFFFF), 64: struct.pack(">Q", size)}[form]
    if bare:
        return out + payload
    mask = mask or os.urandom(4)
    return out + mask + masked(payload, mask)


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


class Response:
    def __init__(self, raw):
        lines = raw.decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ", 2)
        self.version, self.status = version, int(status)
        self.headers = [
            (name.lower(), value.strip())
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        ]

    def all(self, name):
        return [value for key, value in self.headers if key == name]


class RawSocket:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, url):
        """To an edge of a cluster on loopback, by what cluster.url says."""
        host, port = url.removeprefix("http://").rsplit(":", 1)
        return cls(*await asyncio.open_connection(host, int(port)))

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def write_cut(self, data, sizes):
        """In pieces of these sizes, each a write of its own; the rest in one."""
        at = 0
        for size in sizes:
            if at >= len(data):
                return
            self.writer.write(data[at : at + size])
            at += size
            await asyncio.sleep(0)
        await self.write(data[at:])

    def end_output(self):
        """Half-closes: our end of the stream, with the other one open."""
        self.writer.write_eof()

    def abort(self):
        self.writer.transport.abort()

    async def response(self):
        return Response(await self.reader.readuntil(b"\r\n\r\n"))

    async def handshake(self, request):
        """The answer to it; a 101 is checked, section 4.2.2."""
        await self.write(request)
        answer = await self.response()
        if answer.status == 101:
            self._check_switch(request, answer)
        return answer

    @staticmethod
    def _check_switch(request, answer):
        lines = request.decode("latin-1").split("\r\n")
        key = [
            line.partition(":")[2].strip(" \t")
            for line in lines
            if line.lower().startswith("sec-websocket-key:")
        ][0]
        if answer.version != "HTTP/1.1":
            raise Broken(f"switches in {answer.version}")
        if [value.lower() for value in answer.all("upgrade")] != ["websocket"]:
            raise Broken(f"Upgrade: {answer.all('upgrade')}")
        if "upgrade" not in ",".join(answer.all("connection")).lower():
            raise Broken(f"Connection: {answer.all('connection')}")
        if answer.all("sec-websocket-accept") != [accept_of(key)]:
            raise Broken(f"Sec-WebSocket-Accept: {answer.all('sec-websocket-accept')}")
        if len(answer.all("sec-websocket-protocol")) > 1:
            raise Broken("more than one subprotocol")
        if answer.all("sec-websocket-extensions"):
            raise Broken("agrees on an extension that is not spoken")

    async def read_frame(self):
        """(opcode, payload) of the next frame, None at the end of the stream."""
        try:
            start = await self.reader.readexactly(2)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise Broken("the stream ends within a frame") from None
            return None
        opcode, size = start[0] & 15, start[1] & 127
        if start[0] & 0x70:
            raise Broken("reserved bits are set")
        if start[1] & 0x80:
            raise Broken("a server masks")
        if opcode not in (TEXT, CLOSE, PING, PONG) or not start[0] & 0x80:
            raise Broken(f"frame {start!r}, this server sends whole texts alone")
        if size > 125:
            if opcode >= CLOSE:
                raise Broken("a large control frame")
            least, count = (126, 2) if size == 126 else (65536, 8)
            size = int.from_bytes(await self.reader.readexactly(count), "big")
            if size < least or size >> 63:
                raise Broken("a length that is not in its shortest form")
        payload = await self.reader.readexactly(size)
        if opcode == TEXT:
            payload.decode()
        return opcode, payload

    async def read_end(self):
        """Nothing but the end of the stream may come."""
        rest = await self.reader.read(1)
        if rest:
            raise Broken(f"{rest!r} after the close frame")

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


def read_close(payload):
    """(code, reason) of a close frame's payload, section 5.5.1."""
    if not payload:
        return NO_CODE, ""
    if len(payload) == 1:
        raise Broken("a close frame of one byte")
    return struct.unpack(">H", payload[:2])[0], payload[2:].decode()
