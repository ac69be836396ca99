"""What is asked beside the connections: the archive and the directory."""

from ..events import show
from .base import Violation, cut_off, is_rescued_copy


def archive_is_accepted(world):
    if not world.archive_rows and not world.settings.get("archive", False):
        return
    yield from _rows(world)
    homes, epochs = world.homes_of(), world.epochs_of()
    for message in world.messages.values():
        yield from _places(message, epochs.get(message.to, 0))
        if message.archived or message.ephemeral:
            continue
        accepts = message.accepts()
        if (accepts or message.seen_t is not None) and not cut_off(world, message, homes):
            line = accepts[0].outcome_line if accepts else message.line
            text = f"{message} is not in the archive"
            yield Violation(text, message.tries[0].line, line)


def _rows(world):
    there = {}
    for stray in world.archive_strays:
        text = f"{stray.id!r} from {stray.sender} to {stray.to} is archived and was never sent"
        yield Violation(text, stray.line)
    for cursor, line, message, recipient in world.archive_rows:
        before = there.setdefault((recipient, cursor), (message, line))
        if before[1] != line:
            yield Violation(f"two rows at {show(cursor)} of {recipient}", before[1], line)
        if message is None:
            continue
        if message.ephemeral:
            yield Violation(f"{message} is archived, and ephemeral", line)
            continue
        seen = world.users[recipient].positions.get(cursor)
        if seen is not None and seen[0] is not message:
            text = f"{message} is archived at {show(cursor)}, where a device saw another"
            yield Violation(text, seen[1], line)


def _places(message, highest):
    """Two places of one message are one too many, unless a rescue took it into another epoch."""
    rows = message.archived
    seen = [(message.cursor, message.line), *message.more] if message.cursor is not None else []
    pairs = [(one, other) for one in seen for other in rows]
    pairs += [(rows[i], rows[j]) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    for (one, one_line), (other, other_line) in pairs:
        low, high = min(one, other), max(one, other)
        if is_rescued_copy(low, high, highest) or (one == other and one_line not in _lines(rows)):
            continue
        text = f"{message} is at {show(one)}, and archived at {show(other)}"
        yield Violation(text, one_line, other_line)


def _lines(rows):
    return [line for _, line in rows]


def directory_forward(world):
    """`move` is what was asked for; a move that came to nothing is passed over."""
    moves = {}
    for t, line, user, to in world.moves:
        moves.setdefault(user, []).append((t, line, to))
    first, walks = {}, {}
    copies = set(world.settings.get("copies", ()))
    for t, line, user, home, epoch, at in world.homes:
        path = first.setdefault((user, epoch), _Path(home, line, t, moves.get(user, ())))
        walk = walks.get((user, at)) if at not in copies else None
        if walk is not None and epoch < walk.epoch:
            text = f"the epoch of {user} fell from {walk.epoch} to {epoch}"
            yield Violation(text, walk.line, line)
            continue
        before = walk.place if walk is not None and epoch == walk.epoch else 0
        place = path.find(home, before, t)
        if place is None:
            text = f"the home of {user} in epoch {epoch} became {home}, and no move says so"
            yield Violation(text, walk.line if walk else path.line, line)
            place = before
        walks[user, at] = _Walk(epoch, place, line)


class _Walk:
    """How far along a path one place where the directory is asked has come."""

    __slots__ = ("epoch", "place", "line")

    def __init__(self, epoch, place, line):
        self.epoch, self.place, self.line = epoch, place, line


class _Path:
    """The homes that a user may have in one epoch, in order: the first one, and where it was asked
    to move to. When a move was asked for before anybody looked, the first one is anybody's guess,
    until it is seen."""

    def __init__(self, home, line, t, moves):
        self.line = line
        self.first = None if any(at <= t for at, _, _ in moves) else home
        self.moves = [(at, to) for at, _, to in moves]

    def find(self, home, start, t):
        """The place of `home`, from `start` on, or None."""
        if start == 0 and self.first == home:
            return 0
        for place, (since, to) in enumerate(self.moves, 1):
            if place >= start and to == home and since <= t:
                return place
        if start == 0 and self.first is None:
            self.first = home
            return 0
        return None
