"""What was sent and what came: a talk among users, and its judgement."""

import asyncio
import time


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def judge_numbers(accepted, got):
    """(lost, repeated, out of order) of the numbers that one reader got, in the order it got them;
    `accepted` is in the order sent."""
    seen, repeated, disordered, last = set(), [], [], None
    place = {number: at for at, number in enumerate(accepted)}
    for number in got:
        at = place.get(number, -1)
        if number in seen:
            repeated.append(number)
        elif last is not None and at < last:
            disordered.append(number)
        seen.add(number)
        last = at if last is None else max(last, at)
    return [number for number in accepted if number not in seen], repeated, disordered


class Talk:
    """Each sender sends numbered messages to each receiver at a rate; afterwards judge() tells what
    was lost, repeated or out of order. Times are of one monotonic clock, in ms."""

    def __init__(self, clients):
        self.clients = {client.user: client for client in clients}
        self.accepted = {}  # (sender, receiver, number) -> when
        self.sent = {}
        self.unknown = set()
        self.received = {user: [] for user in self.clients}  # (sender, number, when, cursor)
        for client in clients:
            client.on_message = lambda frame, user=client.user: self._take(user, frame)

    def _take(self, user, frame):
        self.received[user].append(
            (frame["from"], frame["body"]["n"], time.monotonic() * 1000, frame.get("cursor"))
        )

    async def run(self, pairs, count, every_s, timeout_s=60):
        """Sends `count` messages over each (sender, receiver), one after the other's outcome."""
        await asyncio.gather(*[self._send(a, b, count, every_s, timeout_s) for a, b in pairs])

    async def _send(self, sender, receiver, count, every_s, timeout_s):
        client = self.clients[sender]
        first = 1 + max((n for a, b, n in self.sent if (a, b) == (sender, receiver)), default=0)
        due = time.monotonic()
        for number in range(first, first + count):
            key = (sender, receiver, number)
            self.sent[key] = time.monotonic() * 1000
            try:
                await client.send_surely(
                    receiver, {"n": number}, f"{sender}-{receiver}-{number}", timeout_s=timeout_s
                )
                self.accepted[key] = time.monotonic() * 1000
            except Exception:
                self.unknown.add(key)
                raise
            due += every_s
            await asyncio.sleep(max(0, due - time.monotonic()))

    def missing(self):
        got = {
            (sender, user, n) for user, rows in self.received.items() for sender, n, _, _ in rows
        }
        return [key for key in self.accepted if key not in got]

    async def until_complete(self, timeout_s=10):
        end = time.monotonic() + timeout_s
        while self.missing():
            if time.monotonic() > end:
                lost = self.missing()
                raise AssertionError(
                    f"{len(lost)} accepted messages did not come: {sorted(lost)[:10]}"
                )
            await asyncio.sleep(0.02)

    def judge(self):
        """(lost, repeated, out of order), each a list of (sender, receiver, number)."""
        repeated, disordered = [], []
        for user, rows in self.received.items():
            seen, last = set(), {}
            for sender, number, _, _ in rows:
                key = (sender, user, number)
                if key in seen:
                    repeated.append(key)
                elif number < last.get(sender, 0):
                    disordered.append(key)
                seen.add(key)
                last[sender] = max(last.get(sender, 0), number)
        return self.missing(), repeated, disordered

    def assert_clean(self):
        lost, repeated, disordered = self.judge()
        assert not lost, f"lost: {lost[:10]} ({len(lost)})"
        assert not repeated, f"repeated: {repeated[:10]} ({len(repeated)})"
        assert not disordered, f"out of order: {disordered[:10]} ({len(disordered)})"

    def delivery_ms(self):
        return [
            when - self.sent[(sender, user, number)]
            for user, rows in self.received.items()
            for sender, number, when, _ in rows
            if (sender, user, number) in self.sent
        ]

    def accepted_ms(self):
        return [when - self.sent[key] for key, when in self.accepted.items()]
