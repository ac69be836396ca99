"""Users and devices over all regions, who talk, lose their connections, come back and repeat what
was not answered, as a client library does. All that they do and see goes into the history."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import websockets
from recorded import RecordedClient

from lab import SendFailed

ATTEMPT_S = 10  # without an answer the outcome is unknown, and the same id is sent again
GIVE_UP_S = 60  # since the first attempt: then it stays unknown, as with a client library
RETRY_S = (0.1, 2.0)
OPEN_S = 60
PADS = [0, 1, 20, 200, 2000]


class Device(RecordedClient):
    """A device that remembers what it has seen, so that a run knows when all is there."""

    def __init__(self, history, cluster, user, device, edges):
        self.region = cluster.region_of[edges[0]]
        site = cluster.network.clients(self.region)
        super().__init__(history, cluster, user, edges, device=device, site=site)
        self.seen = set()
        self.on_message = lambda frame: self.seen.add((frame["from"], frame["id"]))

    def drop(self):
        """The connection ends without a goodbye."""
        if self.socket is not None and self.socket.transport is not None:
            self.socket.transport.abort()


class Sender:
    """What one device sends: the next message only when the last has its outcome."""

    def __init__(self, workload, device, rng):
        self.workload, self.device, self.rng = workload, device, rng
        self.count = 0

    async def run(self):
        loop, every_s = asyncio.get_running_loop(), len(self.workload.users) / self.workload.rate
        await asyncio.sleep(self.rng.uniform(0, every_s))
        while not self.workload.stopping:
            begun = loop.time()
            self.count += 1
            await self._send(self.rng.choice(self.workload.users), f"m{self.count}")
            pause_s = every_s * self.rng.uniform(0.5, 1.5)
            await asyncio.sleep(max(0, begun + pause_s - loop.time()))

    async def _send(self, to, message_id):
        body = {"n": self.count, "pad": "\u00e9\0" * self.rng.choice(PADS)}
        loop = asyncio.get_running_loop()
        until = loop.time() + GIVE_UP_S
        while (left_s := until - loop.time()) > 0:
            try:
                await asyncio.wait_for(self.device.connected.wait(), left_s)
                await self.device.send(to, body, message_id, timeout_s=ATTEMPT_S)
                self.workload.accepted.setdefault(to, set()).add((self.device.user, message_id))
                return
            except SendFailed as failed:
                if not failed.frame.get("retryable"):
                    return
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                pass
            await asyncio.sleep(self.rng.uniform(*RETRY_S))


class Workload:
    """Runs in a thread of its own. Each user has one device that sends, at the edges of a region,
    and up to two more that listen, anywhere."""

    def __init__(self, cluster, history, seed, users, rate):
        self.cluster, self.history, self.rate = cluster, history, rate
        self.rng = random.Random(seed)
        self.users = [f"user-{i}" for i in range(users)]
        self.accepted = {}  # recipient -> {(sender, id)}
        self.stopping = False
        self.failure = None
        self.devices, self.senders = [], []
        for number, user in enumerate(self.users):
            home = cluster.names[number % len(cluster.names)]
            for device in range(1 + self.rng.choice([0, 1, 1, 2])):
                there = home if device == 0 else self.rng.choice(cluster.names)
                made = Device(history, cluster, user, f"d{device}", self._edges(there))
                self.devices.append(made)
                if device == 0:
                    self.senders.append(Sender(self, made, random.Random(self.rng.random())))
        self.loop, self.ended = None, None
        self.opened = threading.Event()
        self.thread = threading.Thread(target=self._main, name="workload", daemon=True)

    def _edges(self, region):
        """In the order they are tried: its own region's, and after those another one's."""
        own = self.cluster.edge_names(region)
        others = [name for name in self.cluster.edges if name not in own]
        self.rng.shuffle(own)
        return own + own + [self.rng.choice(others)]

    def _main(self):
        try:
            asyncio.run(self._run())
        except BaseException as error:  # told to whoever waits
            self.failure = error
        self.opened.set()

    async def _run(self):
        self.loop, self.ended = asyncio.get_running_loop(), asyncio.Event()
        # Connecting waits in a thread, for seconds when a region is cut off.
        self.loop.set_default_executor(ThreadPoolExecutor(2 * len(self.devices)))
        await asyncio.gather(*(device.open_forever(OPEN_S) for device in self.devices))
        self.opened.set()
        sending = [asyncio.create_task(sender.run()) for sender in self.senders]
        await self.ended.wait()
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        for device in self.devices:
            await device.end(read_to_end=device.connected.is_set())

    # From other threads

    def start(self):
        self.thread.start()
        self.opened.wait(2 * OPEN_S)
        self._check()

    def _check(self):
        if self.failure is not None:
            raise RuntimeError("the workload failed") from self.failure

    def drop_connections(self, region):
        """Every connection of a region's devices; returns how many."""
        devices = [device for device in self.devices if device.region == region]

        def drop():
            for device in devices:
                device.drop()

        self.loop.call_soon_threadsafe(drop)
        return len(devices)

    def accepted_so_far(self):
        """{recipient: {(sender, id)}}"""
        return {user: set(messages) for user, messages in list(self.accepted.items())}

    def missing(self, accepted):
        """How many deliveries of these messages have not been seen."""
        self._check()
        return sum(len(accepted.get(device.user, set()) - device.seen) for device in self.devices)

    def finish(self):
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join(60)
        self._check()
