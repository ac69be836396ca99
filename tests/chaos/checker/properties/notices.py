"""Notices: stored, delivered, read. Only of what happened, in its order, and each thing once. What
was read is told by how far, so there the newest ids come again while it goes on."""

import bisect

from .. import model
from ..events import epoch_of, show
from .base import Violation, before_base, is_rescued_copy


def notices_are_true(world):
    acks, epochs = _Acks(world), world.epochs_of()
    told = {}
    for notice in world.notices:
        judge = KINDS.get(notice.kind)
        if judge is None:
            continue
        for identity in notice.ids:
            name = f"{notice.user} was told {notice.kind} of {identity!r} by {notice.by}"
            message = world.messages.get((notice.user, notice.by, identity))
            if message is None:
                yield Violation(f"{name}, which was not sent", notice.line)
                continue
            before = told.setdefault((notice.kind, message.number), notice)
            again = before is not notice and notice.kind != "read"
            if again and not _rescued(before, notice, epochs):
                yield Violation(f"{name} twice", before.line, notice.line)
            sent = message.tries[0]
            if notice.line < sent.line:
                yield Violation(f"{name} before it was sent", notice.line, sent.line)
            if notice.kind not in message.want:
                yield Violation(f"{name}, who was not asked", sent.line, notice.line)
            if all(attempt.outcome == model.REJECTED for attempt in message.tries):
                yield Violation(f"{name}, which was rejected", sent.line, notice.line)
            cursor = _cursor(message)
            if cursor is not None:
                for text in judge(world, acks, notice, cursor):
                    yield Violation(f"{name}: {text}", message.line, notice.line)

    yield from _in_order(world)


def _in_order(world):
    """Of one kind from one recipient, where neither of the two has moved."""
    moved = {user for user, homes in world.homes_of().items() if len(homes) > 1}
    moved.update(user for _, _, user, _ in world.moves)
    last = {}
    for notice in sorted(world.notices, key=lambda notice: notice.cursor):
        if notice.of_cursor is None or not moved.isdisjoint((notice.user, notice.by)):
            continue
        key = (notice.user, notice.by, notice.kind)
        before = last.get(key)
        if before is not None and notice.of_cursor <= before.of_cursor:
            text = (
                f"{notice.user} was told {notice.kind} by {notice.by} up to"
                f" {show(notice.of_cursor)} after {show(before.of_cursor)}"
            )
            yield Violation(text, before.line, notice.line)
        last[key] = notice


def _rescued(before, notice, epochs):
    """A notice that a rescue did not take along is passed on, behind what came since."""
    return is_rescued_copy(before.cursor, notice.cursor, epochs.get(notice.user, 0))


def _cursor(message):
    if message.cursor is not None:
        return message.cursor
    return message.archived[0][0] if message.archived else None


class _Acks:
    """The highest cursor that each device had acknowledged, by time."""

    def __init__(self, world):
        self.world, self.devices = world, {}

    def _of(self, device):
        found = self.devices.get(device)
        if found is None:
            rows = [
                (t, cursor)
                for connection in device.connections
                for kind, t, _, cursor, _ in connection.stream
                if kind == model.ACK
            ]
            # A cursor that was honoured was said to be held when it was presented.
            rows += [(one.open_t, one.cursor) for one in device.connections if one.resumed]
            times, highest = [], []
            for t, cursor in sorted(rows):
                times.append(t)
                highest.append(max(cursor, highest[-1] if highest else 0))
            found = self.devices[device] = (times, highest)
        return found

    def covers(self, user, cursor, t):
        for device in self.world.users[user].devices.values():
            times, highest = self._of(device)
            count = bisect.bisect_right(times, t)
            base = device.base()
            if count and highest[count - 1] >= cursor and not before_base(cursor, base or 0):
                return True
        return False


def _stored(_world, _acks, notice, cursor):
    same_epoch = notice.of_cursor is not None and epoch_of(notice.of_cursor) == epoch_of(cursor)
    if notice.of_cursor != cursor and (same_epoch or notice.of_cursor is None):
        yield f"it is at {show(cursor)}, not at {show(notice.of_cursor)}"


def _reaches(notice, cursor):
    if notice.of_cursor is None or notice.of_cursor < cursor:
        yield f"it is at {show(cursor)}, behind {show(notice.of_cursor)}"


def _delivered(_world, acks, notice, cursor):
    yield from _reaches(notice, cursor)
    for claimed in _claims(notice, cursor):
        if not acks.covers(notice.by, claimed, notice.t):
            yield f"no device had acknowledged {show(claimed)}"


def _read(world, _acks, notice, cursor):
    yield from _reaches(notice, cursor)
    reads = world.users[notice.by].reads.get(notice.user, ())
    count = bisect.bisect_right(reads, (notice.t, float("inf")))
    for claimed in _claims(notice, cursor):
        if not count or reads[count - 1][1] < claimed:
            yield f"{notice.by} had not said so of {show(claimed)}"


def _claims(notice, cursor):
    """What it says has happened: this message, and all up to its cursor. In an epoch that rose that
    may have been said by the cursors of the one before."""
    if notice.of_cursor is None or epoch_of(notice.of_cursor) > 1:
        return {cursor}
    return {cursor, notice.of_cursor}


KINDS = {"stored": _stored, "delivered": _delivered, "read": _read}
