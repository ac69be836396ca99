"""What the properties share."""

import dataclasses

from ..events import epoch_of, pack, seq_of


@dataclasses.dataclass
class Violation:
    text: str
    lines: list  # of the history, so that the report shows the events themselves

    def __init__(self, text, *lines):
        self.text = text
        self.lines = sorted({line for line in lines if line is not None})


def is_rescued_copy(cursor, other, highest_epoch):
    """A rescue takes a mailbox into a higher epoch: what was at `cursor` may stand at `other`."""
    return epoch_of(cursor) < epoch_of(other) <= highest_epoch


def rescued_places(cursor, highest_epoch):
    """Where what is at `cursor` may stand as well, since a rescue took it along with its seq."""
    epochs = range(epoch_of(cursor) + 1, highest_epoch + 1)
    return [pack(epoch, seq_of(cursor)) for epoch in epochs]


def before_base(cursor, base):
    """True when a device that begins behind `base` is not owed what is at `cursor`. A rescue keeps
    the seqs of what it takes along, so they count in a higher epoch too."""
    return cursor <= base or (epoch_of(cursor) > epoch_of(base) and seq_of(cursor) <= seq_of(base))


def regions_of(message):
    """Where it was accepted."""
    return {attempt.connection.region for attempt in message.accepts()}


def cut_off(world, message, homes, *regions):
    """True when a fault for ever stands between where it was accepted, its home and `regions`."""
    if not any(fault.forever for fault in world.faults):
        return False
    return world.cut_off(*regions_of(message), *homes.get(message.to, ()), *regions)
