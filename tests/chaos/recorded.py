"""A client of the lab that writes down what it does and sees."""

import asyncio
import json

import websockets
from history import body_hash

from lab import Client

GIVEN_UP = (OSError, asyncio.TimeoutError, websockets.WebSocketException, asyncio.CancelledError)
DECODER = json.JSONDecoder()


def body_bytes(text):
    """The body in a frame, byte for byte. The first such key is the frame's own: within a text the
    quotes are escaped, and what is in the body comes behind."""
    start = text.index('"body":') + len('"body":')
    while text[start] in " \t\r\n":
        start += 1
    return text[start : DECODER.raw_decode(text, start)[1]].encode()


class RecordedClient(Client):
    """As Client; close it with end(), which says whether it read to the end."""

    def __init__(self, history, cluster, user, edges, **more):
        super().__init__(cluster, user, edges, **more)
        self.history = history
        self.conn, self.is_open = 0, False
        self.asked = {}  # id -> the user it is sent to, where that is one
        self.waiting = set()  # (connection, id) of sends whose outcome is awaited

    def note(self, event, /, **members):
        self.history.write(event, user=self.user, device=self.device, conn=self.conn, **members)

    # Connections

    async def _connect(self, edge):
        self.conn += 1
        self.is_open = True
        region = self.cluster.region_of[edge]
        self.note("open", region=region, edge=edge, cursor=self.cursor, start=self.start)
        try:
            await super()._connect(edge)
        except BaseException:
            self._closed(None)
            raise

    async def _read(self):
        try:
            await super()._read()
        finally:
            self._closed(self.socket.close_code)

    def _closed(self, code):
        if self.is_open:
            self.is_open = False
            self.note("close", code=code)

    async def end(self, read_to_end=True):
        self.history.write("end", user=self.user, device=self.device, read_to_end=read_to_end)
        await self.close()

    # What comes

    def _note(self, frame):
        super()._note(frame)
        if frame["t"] == "welcome":
            names = ("cursor", "resumed", "home", "edge")
            self.note("ready", **{name: frame[name] for name in names})

    def _hear(self, text):
        frame = json.loads(text)
        names = NAMES.get(frame["t"])
        if names is not None:
            members = {name: frame[name] for name in names if name in frame}
            if frame["t"] == "msg":
                members["hash"] = body_hash(body_bytes(text))
            elif frame["t"] in ("accepted", "rejected"):
                members.setdefault("to", self.asked.get(frame["id"]))
            self.note(EVENTS.get(frame["t"], frame["t"]), **members)
        super()._hear(text)

    # What goes

    async def send_frame(self, frame):
        if not self.is_open or not self.connected.is_set():
            raise ConnectionError("there is no connection")
        if frame["t"] == "send":
            names = {
                name: frame[name] for name in ("id", "to", "ttl", "class", "want") if name in frame
            }
            text = json.dumps(frame)
            body = body_bytes(text)
            self.asked[frame["id"]] = frame["to"]
            self.waiting.add((self.conn, frame["id"]))
            self.note("send", **names, hash=body_hash(body), size=len(body))
            frame = text
        elif frame["t"] == "ack":
            self.note("ack", cursor=frame["cursor"])
        elif frame["t"] == "receipt":
            self.note("read", **{"from": frame["from"], "cursor": frame["cursor"]})
        await super().send_frame(frame)

    async def send(self, to, body, message_id, timeout_s=10, **more):
        key = (self.conn, message_id)
        try:
            return await super().send(to, body, message_id, timeout_s, **more)
        except GIVEN_UP:
            if key in self.waiting:  # else it was not written at all
                names = {"user": self.user, "device": self.device, "conn": key[0]}
                for name in to if isinstance(to, list) else [to]:
                    self.history.write("unknown", **names, id=message_id, to=name)
            raise
        finally:
            self.waiting.discard(key)


# A frame that is written down -> its keys that are
NAMES = {
    "accepted": ("id", "to"),
    "rejected": ("id", "to", "code", "retryable"),
    "msg": ("cursor", "from", "id"),
    "receipt": ("cursor", "kind", "by", "ids", "of_cursor"),
    "acked": ("cursor",),
    "gap": ("from", "to", "reason"),
    "resync": ("cursor", "reason"),
}
EVENTS = {"msg": "recv", "receipt": "notice"}
