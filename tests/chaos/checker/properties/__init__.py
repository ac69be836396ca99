"""What is held against a history. Each property is a function of the World that yields a Violation
for everything that breaks it; a new property is a new row here."""

from . import cursors, gaps, liveness, messages, notices, order, outside
from .base import Violation

# name, what it proves when nothing is found, function
PROPERTIES = [
    (
        "no_loss",
        "Every accepted message reached every device of its recipient that read to the end, or "
        "stands under a gap that the device was told of.",
        messages.no_loss,
    ),
    (
        "gaps_are_true",
        "Every gap gave a reason that was so for all that it covers.",
        gaps.gaps_are_true,
    ),
    (
        "nothing_invented",
        "Whatever was received had been sent by that sender under that id, byte for byte, and "
        "every outcome answers a send.",
        messages.nothing_invented,
    ),
    (
        "right_mailbox",
        "Whatever was received or archived for a user had been sent to this user.",
        messages.right_mailbox,
    ),
    (
        "rejected_never_seen",
        "A message of which every send was rejected was seen nowhere.",
        messages.rejected_never_seen,
    ),
    (
        "one_cursor",
        "In an epoch a message has one cursor and a cursor one message, for all devices of a user "
        "and however often it was sent.",
        messages.one_cursor,
    ),
    (
        "no_holes",
        "On each connection cursors rise by one; only a gap or a resync skips.",
        cursors.no_holes,
    ),
    (
        "sender_order",
        "Accepted before the other was sent, through one region; or both sent once on one "
        "connection: such messages to one user have cursors in the order of sending, within one "
        "epoch and one home.",
        order.sender_order,
    ),
    (
        "exact_resume",
        "A connection begins at the cursor it presented, or says by resync that it does not; "
        "nothing comes again that was confirmed, unless the device itself went back.",
        cursors.exact_resume,
    ),
    (
        "confirmed_stays",
        "Confirmed cursors never go back, are never ahead of what was acknowledged, and count when "
        "a device presents none.",
        cursors.confirmed_stays,
    ),
    (
        "liveness",
        "After the last fault, within the bound: every connection gets ready, every send is "
        "answered, every accepted message reaches the devices that are connected, and what they "
        "acknowledge is confirmed.",
        liveness.liveness,
    ),
    (
        "archive_is_accepted",
        "The archive holds every accepted message and whatever a device got, once, at the cursor "
        "that devices saw, and nothing that was not sent.",
        outside.archive_is_accepted,
    ),
    (
        "directory_forward",
        "No epoch falls; a home changes with a higher epoch, or in the order of the moves that "
        "were asked for.",
        outside.directory_forward,
    ),
    (
        "notices_are_true",
        "Notices tell of what happened before, each thing once.",
        notices.notices_are_true,
    ),
]

__all__ = ["PROPERTIES", "Violation"]
