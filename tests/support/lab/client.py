"""A client of meridian.v1 on python3-websockets: not ours, so that it shares no mistake of ours."""

import asyncio
import json
import time

import websockets


class SendFailed(Exception):
    def __init__(self, frame):
        super().__init__(f"{frame.get('code')}: {frame.get('message')}")
        self.frame = frame
        self.code = frame.get("code")


class Client:
    """One device of one user. It connects to the edges given in turn, resumes with its cursor, and
    keeps what it got in `messages`, and notices in `receipts`.

    on_message(frame) is called for each message.
    auto_ack: acknowledge what came, at most every 50 ms.
    site: where it is in a Wan; else in the network of the edge.
    tls: an ssl.SSLContext: it speaks wss to the host "meridian", where open_socket() leads to.
    address: where it says that it is, in X-Forwarded-For, as a balancer that is believed would.
    """

    def __init__(
        self,
        cluster,
        user,
        edges,
        device="d1",
        auto_ack=True,
        start=None,
        site=None,
        tls=None,
        address=None,
    ):
        self.cluster, self.user, self.device = cluster, user, device
        self.edges = [edges] if isinstance(edges, str) else list(edges)
        self.auto_ack, self.start, self.site = auto_ack, start, site
        self.tls = tls
        self.headers = {"X-Forwarded-For": address} if address else {}
        self.messages, self.receipts, self.frames = [], [], []
        self.cursor = None
        self.confirmed = None
        self.welcome = None
        self.socket = None
        self.on_message = None
        self.closed_code = None
        self.connected = asyncio.Event()
        self.reconnects = 0
        self.outages = []  # seconds from each loss to the next connection
        self.home_state = None  # as the last `welcome` or `state` said
        self.moved = []  # (region, wall time) of each `moved`
        self._outcomes = {}
        self._run = None
        self._ack_due = None
        self._changed = asyncio.Event()

    # Connecting

    async def open(self, timeout_s=10):
        """Connects once, to the first edge; no reconnecting."""
        await asyncio.wait_for(self._connect(self.edges[0]), timeout_s)
        self._run = asyncio.create_task(self._read())
        return self

    async def open_forever(self, timeout_s=20):
        """Connects, and again whenever it is cut off, to the next edge."""
        self._run = asyncio.create_task(self._stay())
        await asyncio.wait_for(self.connected.wait(), timeout_s)
        return self

    async def _connect(self, edge):
        where = [edge] if self.site is None else [edge, self.site]
        raw = await asyncio.to_thread(self.cluster.open_socket, *where)
        raw.setblocking(False)
        try:
            socket = await websockets.connect(
                "wss://meridian/ws" if self.tls else "ws://meridian/ws",
                sock=raw,
                **({"ssl": self.tls, "server_hostname": "meridian"} if self.tls else {}),
                subprotocols=["meridian.v1"],
                extra_headers=self.headers,
                max_size=2**22,
                open_timeout=5,
                close_timeout=1,
                ping_interval=None,
            )
        except BaseException:
            raw.close()
            raise
        hello = {"t": "hello", "user": self.user, "device": self.device}
        if self.cursor is not None:
            hello["cursor"] = self.cursor
        elif self.start is not None:
            hello["start"] = self.start
        await socket.send(json.dumps(hello))
        while True:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 10))
            if frame["t"] == "state":  # the welcome comes when the home is reached
                break
            self.frames.append(frame)
            if frame["t"] == "welcome":
                break
        self.socket = socket
        self._note(frame)
        self.connected.set()

    def _note(self, frame):
        if frame["t"] == "welcome":
            self.welcome, self.home_state = frame, "reachable"
        elif frame["t"] == "state":
            self.home_state = frame["home"]
        elif frame["t"] == "moved":
            self.moved.append((frame["home"], time.time()))

    async def _stay(self):
        turn, lost = 0, None
        while True:
            try:
                await self._connect(self.edges[turn % len(self.edges)])
                if lost is not None:
                    self.outages.append(time.monotonic() - lost)
                lost = None
                await self._read()
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                await asyncio.sleep(0.1)
            lost = lost or time.monotonic()
            self.connected.clear()
            self.reconnects += 1
            turn += 1

    async def _read(self):
        try:
            async for text in self.socket:
                self._hear(text)
        except websockets.ConnectionClosed:
            pass
        self.closed_code = self.socket.close_code
        self.connected.clear()
        for waiting in self._outcomes.values():  # the outcome of what is on its way is unknown now
            if not waiting.done():
                waiting.set_exception(ConnectionError("the connection ended"))
        self._outcomes.clear()
        self._changed.set()

    def _hear(self, text):
        self._take(json.loads(text))

    def _take(self, frame):
        self.frames.append(frame)
        kind = frame["t"]
        if kind in ("msg", "receipt"):
            (self.messages if kind == "msg" else self.receipts).append(frame)
            if "cursor" in frame:
                self.cursor = frame["cursor"]
                if self.auto_ack and self._ack_due is None:
                    self._ack_due = asyncio.get_running_loop().call_later(0.05, self._ack_now)
            if self.on_message and kind == "msg":
                self.on_message(frame)
        elif kind in ("accepted", "rejected"):
            key = (frame["id"], frame.get("to"))
            waiting = self._outcomes.pop(key, None) or self._outcomes.pop((frame["id"], None), None)
            if waiting and not waiting.done():
                waiting.set_result(frame)
        elif kind == "acked":
            self.confirmed = frame["cursor"]
        self._note(frame)
        self._changed.set()

    def _ack_now(self):
        self._ack_due = None
        if self.connected.is_set():
            asyncio.create_task(self._quietly(self.ack(self.cursor)))

    @staticmethod
    async def _quietly(work):
        try:
            await work
        except (OSError, websockets.WebSocketException):
            pass

    # Talking

    async def send_frame(self, frame):
        await self.socket.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))

    async def ack(self, cursor):
        await self.send_frame({"t": "ack", "cursor": cursor})

    async def has_read(self, sender, cursor):
        await self.send_frame({"t": "receipt", "kind": "read", "from": sender, "cursor": cursor})

    async def send(self, to, body, message_id, timeout_s=10, **more):
        """Sends once; returns the `accepted`. Raises SendFailed for `rejected`, TimeoutError when
        the outcome is unknown."""
        outcome = asyncio.get_running_loop().create_future()
        self._outcomes[(message_id, None)] = outcome
        await self.send_frame({"t": "send", "id": message_id, "to": to, "body": body, **more})
        frame = await asyncio.wait_for(outcome, timeout_s)
        if frame["t"] == "rejected":
            raise SendFailed(frame)
        return frame

    async def send_surely(self, to, body, message_id, timeout_s=60, attempt_s=10, **more):
        """Repeats with the same id until it is accepted, over reconnects too."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                await asyncio.wait_for(self.connected.wait(), max(0.1, end - time.monotonic()))
                return await self.send(to, body, message_id, timeout_s=attempt_s, **more)
            except SendFailed as failed:
                if not failed.frame.get("retryable") or time.monotonic() > end:
                    raise
                await asyncio.sleep(0.1)
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.05)

    async def until(self, condition, timeout_s=10, what="a condition"):
        """Waits until condition(self) is true."""
        end = time.monotonic() + timeout_s
        while not condition(self):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"{self.user}/{self.device}: after {timeout_s} s still not: {what}"
                )
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), min(left, 0.5))
            except asyncio.TimeoutError:
                pass

    async def until_messages(self, count, timeout_s=10):
        await self.until(
            lambda client: len(client.messages) >= count, timeout_s, f"{count} messages"
        )

    async def close(self):
        if self._run:
            self._run.cancel()
        if self._ack_due:
            self._ack_due.cancel()
        if self.socket:
            await self._quietly(self.socket.close())
