"""Gaps: what a device is told that it will not get, and why."""

import bisect
import itertools

from .. import model
from ..events import epoch_of, seq_of, show
from .base import Violation, rescued_places

WEEK_S = 7 * 24 * 3600
NOTICES = 3  # kinds that a message can be told of by


def gaps_are_true(world):
    own_wants = {}
    for message in world.messages.values():
        if message.want:
            own_wants[message.sender] = own_wants.get(message.sender, 0) + 1
    for user in world.users.values():
        if not any(device.gaps for device in user.devices.values()):
            continue
        box = _Box(world, user, NOTICES * own_wants.get(user.name, 0))
        for device in user.devices.values():
            for gap in device.gaps:
                yield from _judge(world, box, device, gap)
        yield from box.too_many_for_ttl()


class _Box:
    """What is known of one mailbox: what stands where, and how much can be in it when."""

    def __init__(self, world, user, notices_max):
        self.user, self.notices_max = user, notices_max
        self.slack_t = world.settings.get("clock_slack_s", 1) * model.SECOND
        possible = [
            message
            for message in user.messages
            if not message.ephemeral
            and any(attempt.outcome != model.REJECTED for attempt in message.tries)
        ]
        self.sent_t = sorted(message.tries[0].t for message in possible)
        self.sizes = [0, *itertools.accumulate(message.size for message in possible)]
        self.by_cursor = {}
        for message in possible:
            for cursor, line in message.places():
                if cursor is not None:
                    self.by_cursor[cursor] = message
        self.cursors = sorted(self.by_cursor)
        self.taken = set(self.cursors) | set(user.positions)
        highest = world.epochs_of().get(user.name, 0)
        for cursor in tuple(self.taken):
            self.taken.update(rescued_places(cursor, highest))
        self.ttl_unseen = sum(bool(message.ttl_s) and not message.places() for message in possible)
        self.ttl_positions, self.ttl_lines = set(), []

    def head_max(self, t):
        """No seq was higher than this at t."""
        return bisect.bisect_right(self.sent_t, t) + self.notices_max

    def bytes_max(self, t):
        return self.sizes[bisect.bisect_right(self.sent_t, t)]

    def within(self, first, last):
        start = bisect.bisect_left(self.cursors, first)
        for cursor in itertools.islice(self.cursors, start, None):
            if cursor > last:
                return
            yield cursor, self.by_cursor[cursor]

    def too_many_for_ttl(self):
        if len(self.ttl_positions) > self.ttl_unseen:
            text = (
                f"{len(self.ttl_positions)} messages to {self.user.name} that nobody saw went by"
                f" their ttl, and {self.ttl_unseen} such were sent with one"
            )
            yield Violation(text, *self.ttl_lines[:20])


def _judge(world, box, device, gap):
    first, last, reason, line, t = gap
    name = f"{device}: the gap {show(first)} to {show(last)}"
    if epoch_of(first) != epoch_of(last) or first > last:
        yield Violation(f"{name} has no range", line)
        return
    if seq_of(last) > box.head_max(t):
        text = f"{name} is above all that was sent by then, {box.head_max(t)}"
        yield Violation(text, line)
        return
    judge = REASONS.get(reason)
    if judge is None:
        yield Violation(f"{name} has no reason that there is: {reason!r}", line)
        return
    for text, more in judge(world, box, gap):
        yield Violation(f"{name}, {reason}: {text}", line, *more)


def _ttl(_world, box, gap):
    first, last, _, line, t = gap
    for cursor, message in box.within(first, last):
        sent = message.tries[0]
        if not message.ttl_s:
            yield f"{message} has no ttl", [sent.line]
        elif t + box.slack_t < sent.t + message.ttl_s * model.SECOND:
            yield f"{message} still had time", [sent.line]
    unseen = {cursor for cursor in range(first, last + 1) if cursor not in box.taken}
    if unseen - box.ttl_positions:
        box.ttl_positions |= unseen
        box.ttl_lines.append(line)


def _retention(world, box, gap):
    first, last, _, _, t = gap
    kept_t = world.settings.get("retention_s", WEEK_S) * model.SECOND
    for _, message in box.within(first, last):
        sent = message.tries[0]
        if t + box.slack_t < sent.t + kept_t:
            yield f"{message} is not that old", [sent.line]
    if box.sent_t and t + box.slack_t < box.sent_t[0] + kept_t:
        yield "nothing is that old", []


def _mailbox_full(world, box, gap):
    _, last, _, _, t = gap
    messages_max = world.settings.get("mailbox_max_messages")
    bytes_max = world.settings.get("mailbox_max_bytes")
    by_number = messages_max is not None and seq_of(last) <= box.head_max(t) - messages_max
    by_size = bytes_max is not None and box.bytes_max(t) > bytes_max
    if not by_number and not by_size:
        yield f"at most {box.head_max(t)} were there by then", []


def _lost(world, _box, gap):
    if not world.had_disaster(gap[4]):
        yield "no disaster came before", []


REASONS = {"ttl": _ttl, "retention": _retention, "mailbox_full": _mailbox_full, "lost": _lost}
