"""What one owner asks another about a user that moves, said by a test."""

import struct

from .bus import BusLink

ABORT, FREEZE = 2, 3  # what is asked
AT_HOME, WAIT, FROZEN, NOT_FROZEN = 0, 1, 2, 3  # codes of the answer
ASK, STATE = 9, 41  # kinds of entries


def _text8(text):
    return bytes([len(text)]) + text.encode()


def _head(region, shard, count):
    return b"MRF1\1\0" + struct.pack("<HQH", count, 0, shard) + _text8(region)


def ask_move(cluster, what, user, region, to, shard=0, move=0):
    """(code, move, region) as the owner of `region` answers about one of its users."""
    ask = bytes([what]) + struct.pack("<Q", move) + _text8(user) + _text8(to) + bytes(8)
    frame = _head(region, shard, 1) + _text8("operator")
    frame += bytes([ASK, 0]) + struct.pack("<I", len(ask)) + ask
    with BusLink(cluster, f"{region}-n1") as link:
        answer = link.ask(f"move.{region}.{shard}", frame)
    at = len(_head(region, shard, 1))
    at += 1 + answer[at]  # who says it
    assert answer[at] == STATE, answer
    code, number = struct.unpack_from("<BQ", answer, at + 6)
    at += 6 + 9
    at += 1 + answer[at]  # the user
    return code, number, answer[at + 1 : at + 1 + answer[at]].decode()
