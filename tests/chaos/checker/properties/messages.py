"""Messages: none lost, none invented, none in the wrong place, none twice."""

import bisect

from .. import model
from ..events import SEQ_MAX, show
from .base import Violation, before_base, cut_off, is_rescued_copy, rescued_places


def no_loss(world):
    homes, epochs = world.homes_of(), world.epochs_of()
    for device in world.devices():
        if device.read_to_end:
            yield from _lost(world, device, homes, epochs.get(device.user, 0))


def _missing(world, device, homes, highest):
    """(located, unlocated): the accepted messages that the device was owed and did not get. What
    stands under one of its gaps, or is cut off for ever, is not among them."""
    base, region = device.base(), device.connections[-1].region
    gaps = _Ranges(device.gaps)
    located, unlocated = [], []
    for message in world.users[device.user].messages:
        if message.number in device.got or message.ephemeral or not message.accepts():
            continue
        cursors = [cursor for cursor, _ in message.places()]
        for cursor in tuple(cursors):
            cursors += rescued_places(cursor, highest)
        if any(before_base(cursor, base) or gaps.cover(cursor) for cursor in cursors):
            continue
        if not cut_off(world, message, homes, region):
            (located if cursors else unlocated).append(message)
    return located, unlocated


class _Ranges:
    """The gaps of a device, joined."""

    def __init__(self, gaps):
        self.starts, self.ends = [], []
        for first, last, *_ in sorted(gaps):
            if self.ends and first <= self.ends[-1] + 1:
                self.ends[-1] = max(self.ends[-1], last)
            else:
                self.starts.append(first)
                self.ends.append(last)

    def cover(self, cursor):
        found = bisect.bisect_right(self.starts, cursor)
        return found > 0 and cursor <= self.ends[found - 1]


def _room(world, device, highest):
    """How many messages whose cursor nobody saw may be where this device needs none or was told of
    a gap: (all such positions, those that are not under a gap for ttl)."""
    taken = set(world.users[device.user].positions)
    taken.update(
        cursor for message in world.users[device.user].messages for cursor, _ in message.archived
    )
    for cursor in tuple(taken):
        taken.update(rescued_places(cursor, highest))
    base = device.base()
    ranges = [(base - (base & SEQ_MAX) + 1, base, "before its beginning")]
    ranges += [(first, last, reason) for first, last, reason, *_ in device.gaps]
    room = {}
    for first, last, reason in ranges:
        if last - first > world.events:  # more than was ever sent; gaps_are_true says so
            last = first + world.events
        for cursor in range(first, last + 1):
            if cursor not in taken:
                room[cursor] = room.get(cursor, True) and reason == "ttl"
    return len(room), sum(not only_ttl for only_ttl in room.values())


def _lost(world, device, homes, highest):
    located, unlocated = _missing(world, device, homes, highest)
    for message in located:
        places = ", ".join(show(cursor) for cursor, _ in message.places())
        yield _loss(message, device, f"it is at {places}")
    if not unlocated:
        return
    lasting = [message for message in unlocated if not message.ttl_s]
    room, room_lasting = _room(world, device, highest)
    lost = max(len(unlocated) - room, len(lasting) - room_lasting, 0)
    # Those with a ttl may be the ones under the gaps, so the others are named first.
    for message in sorted(unlocated, key=lambda message: message.ttl_s)[:lost]:
        yield _loss(message, device, "nobody saw it")


def _loss(message, device, where):
    accepted = message.accepts()[0]
    text = f"{message} was accepted and {device} never got it; {where}"
    lines = [line for _, line in message.places()][:2]
    return Violation(text, accepted.line, accepted.outcome_line, device.end_line, *lines)


def _recipients(world, strays):
    """(sender, id) -> its messages, of the strays alone."""
    wanted = {(stray.sender, stray.id) for stray in strays}
    found = {}
    for (sender, _, identity), message in world.messages.items() if wanted else ():
        if (sender, identity) in wanted:
            found.setdefault((sender, identity), []).append(message)
    return found


def nothing_invented(world):
    sent = _recipients(world, world.strays)
    for stray in world.strays:
        if (stray.sender, stray.id) not in sent:
            yield Violation(f"{stray.sender} never sent {stray.id!r}", stray.line)
    for message, line in world.altered:
        yield Violation(f"{message} has another body than was sent", message.tries[0].line, line)
    for text, line in world.answers_to_nothing:
        yield Violation(text, line)


def right_mailbox(world):
    strays = world.strays + world.archive_strays
    sent = _recipients(world, strays)
    for stray in strays:
        for message in sent.get((stray.sender, stray.id), ())[:1]:
            text = f"{message} was seen at {stray.to}, whom it was not sent to"
            yield Violation(text, message.tries[0].line, stray.line)


def rejected_never_seen(world):
    for message in world.messages.values():
        seen_line = message.line if message.seen_t is not None else None
        lines = [line for line in (seen_line, *(line for _, line in message.archived)) if line]
        if not lines:
            continue
        first = min(
            (attempt for attempt in message.tries if attempt.outcome != model.REJECTED),
            key=lambda attempt: attempt.line,
            default=None,
        )
        if first is None:
            last = message.tries[-1]
            text = f"{message} was rejected each time and seen"
            yield Violation(text, last.line, last.outcome_line, lines[0])
        elif seen_line is not None and seen_line < first.line:
            rejected = message.tries[0]
            text = f"{message} was seen when all its sends so far were rejected"
            yield Violation(text, rejected.line, rejected.outcome_line, seen_line, first.line)


def one_cursor(world):
    epochs = world.epochs_of()
    for name, cursor, one, other in world.clashes:
        yield Violation(f"two messages at {show(cursor)} of {name}", one, other)
    for message in world.messages.values():
        if message.ephemeral:
            continue
        highest, seen = epochs.get(message.to, 0), [(message.cursor, message.line)]
        for cursor, line in message.more:
            for other, other_line in seen:
                if cursor is None or other is None:
                    yield Violation(f"{message} was seen without a cursor", other_line, line)
                elif not (
                    is_rescued_copy(cursor, other, highest)
                    or is_rescued_copy(other, cursor, highest)
                ):
                    text = f"{message} is at {show(other)} and at {show(cursor)}"
                    yield Violation(text, other_line, line)
            seen.append((cursor, line))
