"""The order in which one sender's messages to one user stand in the mailbox."""

import bisect

from .. import model
from ..events import epoch_of, show
from .base import Violation


def sender_order(world):
    homes = _Homes(world)
    for user in world.users.values():
        groups = {}
        for message in user.messages:
            cursor = _cursor(message)
            home = homes.number(user.name, message) if cursor is not None else None
            if home is not None:
                key = (message.sender, epoch_of(cursor), home)
                groups.setdefault(key, []).append((cursor, message))
        for rows in groups.values():
            yield from _by_region(rows)
            yield from _by_connection(rows)


def _cursor(message):
    if message.ephemeral:
        return None
    if message.cursor is not None:
        return message.cursor
    return message.archived[0][0] if message.archived else None


class _Homes:
    """Which home a message belongs to. While one changes nothing is promised of the order: what
    went to the old home is passed on, and comes behind what went straight to the new one."""

    def __init__(self, world):
        self.settle_t = int(world.settings.get("move_settle_s", 30) * model.SECOND)
        self.changes = {}  # user -> [(from when, until when)], merged
        starts = {}
        for t, _, user, _ in world.moves:
            starts.setdefault(user, []).append([t, None])
        last = {}
        for t, _, user, home, epoch, _ in world.homes:
            before = last.get(user)
            if before is not None and before[1:] != (home, epoch):
                self._changed(starts.setdefault(user, []), before[0], t)
            last[user] = (t, home, epoch)
        ends = [fault.heal_t for fault in world.faults if fault.heal_t is not None]
        for user, spans in starts.items():
            self.changes[user] = _merge(
                (since, self._end(until, ends)) for since, until in sorted(spans, key=_by_start)
            )

    def _changed(self, spans, before_t, t):
        for span in spans:
            if span[0] <= t:
                span[1] = t
        spans.append([before_t - self.settle_t, t])

    def _end(self, until, heals):
        """A change is over when all who believed in the old home have been told."""
        if until is None:
            return float("inf")
        return max([until, *(t for t in heals if t >= until)]) + self.settle_t

    def number(self, user, message):
        """The how-manieth home, or None: it was on its way while the home changed."""
        spans = self.changes.get(user)
        if not spans:
            return 0
        sent_t, seen_t = message.tries[0].t, message.seen_t
        after = bisect.bisect_right([until for _, until in spans], sent_t)
        if after < len(spans) and (seen_t is None or seen_t >= spans[after][0]):
            return None
        return after


def _by_start(span):
    return span[0]


def _merge(spans):
    merged = []
    for since, until in spans:
        if merged and since <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], until)
        else:
            merged.append([since, until])
    return merged


def _by_region(rows):
    """Accepted through a region before the other was first sent, through this region alone."""
    events = []
    for cursor, message in rows:
        regions = {attempt.connection.region for attempt in message.tries}
        for attempt in message.accepts():
            region = attempt.connection.region
            events.append((attempt.outcome_line, False, region, cursor, message))
        if len(regions) == 1:
            events.append((message.tries[0].line, True, regions.pop(), cursor, message))
    events.sort(key=lambda event: event[:2])
    highest = {}
    for line, is_send, region, cursor, message in events:
        before = highest.get(region)
        if is_send:
            if before is not None and before[0] > cursor:
                yield _disorder(before, (cursor, message, line), "accepted")
        elif before is None or cursor > before[0]:
            highest[region] = (cursor, message, line)


def _by_connection(rows):
    """Sent on one connection, each once."""
    rows = [row for row in rows if len(row[1].tries) == 1]
    rows.sort(key=lambda row: row[1].tries[0].line)
    highest = {}
    for cursor, message in rows:
        line, connection = message.tries[0].line, message.tries[0].connection
        before = highest.get(connection)
        if before is not None and before[0] > cursor:
            yield _disorder(before, (cursor, message, line), "sent on the same connection")
        else:
            highest[connection] = (cursor, message, line)


def _disorder(before, after, how):
    text = (
        f"{before[1]} was {how} before {after[1].id!r} was sent, and is at {show(before[0])},"
        f" behind {show(after[0])}"
    )
    return Violation(text, before[2], after[2], before[1].line, after[1].line)
