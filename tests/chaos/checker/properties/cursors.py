"""Cursors of a device: without holes, resumed exactly, confirmed for good."""

import bisect

from .. import model
from ..events import SEQ_MAX, epoch_of, seq_of, show
from .base import Violation


def _text(connection, text):
    return f"{connection}: {text}"


def no_holes(world):
    for connection in world.connections.values():
        at, at_line = connection.cursor, connection.ready_line
        for kind, _, line, cursor, more in connection.stream:
            if kind == model.RESYNC:
                at, at_line = cursor, line
            elif kind in (model.RECV, model.NOTICE, model.GAP):
                if cursor != at + 1:
                    what = "a gap from" if kind == model.GAP else ""
                    text = _text(connection, f"{what} {show(cursor)} follows {show(at)}")
                    yield Violation(text, at_line, line)
                at, at_line = (more if kind == model.GAP else cursor), line


def exact_resume(world):
    for device in world.devices():
        replay = _Confirmed(device)
        honest = _Held(device)
        for connection in device.connections:
            if connection.ready_t is None:
                continue
            yield from _presented(world, connection, honest)
            yield from _nothing_again(connection, replay.at(connection.open_t))


class _Confirmed:
    """What of a device was confirmed when: the highest `acked` that it had received."""

    def __init__(self, device):
        self.rows = sorted(
            (t, line, cursor)
            for connection in device.connections
            for kind, t, line, cursor, _ in connection.stream
            if kind == model.ACKED
        )
        self.next, self.highest, self.line = 0, 0, None

    def at(self, t):
        """(cursor, line) before t; ask in the order of time."""
        while self.next < len(self.rows) and self.rows[self.next][0] < t:
            _, line, cursor = self.rows[self.next]
            if cursor > self.highest:
                self.highest, self.line = cursor, line
            self.next += 1
        return self.highest, self.line


class _Held:
    """The highest cursor that a device was told of before some time, by whatever frame."""

    def __init__(self, device):
        self.rows = list(
            (t, more if kind == model.GAP else cursor)
            for connection in device.connections
            for kind, t, _, cursor, more in connection.stream
            if kind in (model.RECV, model.NOTICE, model.GAP, model.RESYNC)
        )
        ready = [one for one in device.connections if one.ready_t is not None]
        self.rows += [(one.ready_t, one.cursor) for one in ready]
        self.rows.sort()
        self.next, self.highest = 0, 0

    def at(self, t):
        while self.next < len(self.rows) and self.rows[self.next][0] < t:
            self.highest = max(self.highest, self.rows[self.next][1])
            self.next += 1
        return self.highest


def _first_told(connection):
    """The first thing it was told that has a place, and a resync before it."""
    for kind, _, line, cursor, _ in connection.stream:
        if kind == model.RESYNC:
            return "resync", line, cursor
        if kind in (model.RECV, model.NOTICE, model.GAP):
            return "message", line, cursor
    return None, None, None


def _presented(world, connection, honest):
    held = honest.at(connection.open_t)
    if connection.presented is None:
        return
    asked, given = connection.presented, connection.cursor
    lines = (connection.open_line, connection.ready_line)
    told, line, cursor = _first_told(connection)
    if connection.resumed:
        rescued = epoch_of(given) > epoch_of(asked) and (given - asked) & SEQ_MAX == 0
        if given != asked and not rescued:
            text = _text(connection, f"resumed at {show(given)}, presented {show(asked)}")
            yield Violation(text, *lines)
        return
    if told == "message":
        text = _text(connection, f"{show(asked)} was not honoured, and no resync said so")
        yield Violation(text, *lines, line)
    same_epoch = epoch_of(given) == epoch_of(asked)
    if same_epoch and asked <= held and not world.had_disaster(connection.ready_t):
        text = _text(connection, f"{show(asked)} was not honoured, though it was given out")
        yield Violation(text, *lines, line)
    if told == "resync" and cursor != given:
        text = _text(connection, f"resync to {show(cursor)}, welcome at {show(given)}")
        yield Violation(text, *lines, line)


def _nothing_again(connection, confirmed):
    floor, floor_line = confirmed
    asked = connection.presented
    went_back = asked is not None and asked < floor
    if went_back or not connection.resumed:
        floor = 0  # what a resync repeats, and a new device, is not held against it
    for kind, _, line, cursor, _ in connection.stream:
        if kind == model.RESYNC:
            floor = 0
        elif kind == model.ACKED and not went_back and cursor > floor:
            floor, floor_line = cursor, line
        elif kind in (model.RECV, model.NOTICE, model.GAP) and cursor <= floor:
            text = _text(connection, f"{show(cursor)} came after {show(floor)} was confirmed")
            yield Violation(text, floor_line, line)


def confirmed_stays(world):
    devices_max = world.settings.get("devices_max", 32)
    for device in world.devices():
        before = _Confirmed(device)
        acks = _Acknowledged(device)
        may_be_dropped = len(world.users[device.user].devices) > devices_max
        for connection in device.connections:
            confirmed, confirmed_line = before.at(connection.open_t)
            if connection.ready_t is None:
                continue
            if connection.presented is None and not may_be_dropped:
                yield from _begins(connection, confirmed, confirmed_line, acks)
            yield from _confirmed_on(connection, confirmed, confirmed_line, acks, may_be_dropped)


class _Acknowledged:
    """The highest cursor that a device said it has, before some time. What it presents, and where
    it was told that it begins, counts as said."""

    def __init__(self, device):
        rows = []
        for connection in device.connections:
            if connection.ready_t is not None:
                rows.append((connection.ready_t, connection.cursor))
            rows += [
                (t, cursor)
                for kind, t, _, cursor, _ in connection.stream
                if kind in (model.ACK, model.RESYNC)
            ]
        self.times, self.highest, self.seqs = [], [0], [0]
        for t, cursor in sorted(rows):
            self.times.append(t)
            self.highest.append(max(cursor, self.highest[-1]))
            self.seqs.append(max(seq_of(cursor), self.seqs[-1]))

    def before(self, t):
        return self.highest[bisect.bisect_left(self.times, t)]

    def cover(self, cursor, t, rises):
        """True when it had said so of the cursor, up to t. Where the epoch rises, what was said
        before counts by its seq."""
        count = bisect.bisect_right(self.times, t)
        return cursor <= self.highest[count] or (rises and seq_of(cursor) <= self.seqs[count])


def _begins(connection, confirmed, confirmed_line, acks):
    given = connection.cursor
    if confirmed and (given < confirmed or not connection.resumed):
        text = _text(connection, f"begins at {show(given)}, confirmed was {show(confirmed)}")
        yield Violation(text, confirmed_line, connection.ready_line)
    if connection.resumed and not acks.cover(given, connection.ready_t - 1, epoch_of(given) > 1):
        said = show(acks.before(connection.ready_t))
        text = _text(connection, f"begins at {show(given)}, acknowledged was {said}")
        yield Violation(text, connection.open_line, connection.ready_line)


def _confirmed_on(connection, confirmed, confirmed_line, acks, may_be_dropped):
    if may_be_dropped:
        confirmed = 0
    for kind, t, line, cursor, _ in connection.stream:
        if kind != model.ACKED:
            continue
        if cursor < confirmed:
            text = _text(connection, f"confirmed {show(cursor)} after {show(confirmed)}")
            yield Violation(text, confirmed_line, line)
        elif not acks.cover(cursor, t, epoch_of(cursor) > 1):
            said = show(acks.before(t))
            text = _text(connection, f"confirmed {show(cursor)}, acknowledged was {said}")
            yield Violation(text, line)
        if cursor > confirmed:
            confirmed, confirmed_line = cursor, line
