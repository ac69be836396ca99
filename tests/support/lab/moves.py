"""What one owner asks another about a user that moves, said by a test."""

import base64
import datetime
import struct

from .bus import BusLink

ABORT, FREEZE = 2, 3  # what is asked
AT_HOME, WAIT, FROZEN, NOT_FROZEN = 0, 1, 2, 3  # codes of the answer
ASK, STATE = 9, 41  # kinds of entries
FREEZE_RECORD = 22


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


def _records(batch):
    """(kind, payload) of each."""
    at = 52
    while at < len(batch):
        kind, _, _, size = struct.unpack_from("<BBHI", batch, at)
        yield kind, batch[at + 8 : at + 8 + size]
        at += 8 + size


def _written_by_hubs(jetstream, region, shard):
    """(wall time, batch) of each that hubs wrote to a log."""
    wanted = {"next_by_subj": f"log.{region}.{shard}.h", "seq": 1}
    while True:
        try:
            found = jetstream.api("STREAM.MSG.GET", f"LOG_{region}_{shard}", wanted)["message"]
        except RuntimeError:  # no more
            return
        when = datetime.datetime.fromisoformat(found["time"][:26].rstrip("Z") + "+00:00")
        yield when.timestamp(), base64.b64decode(found["data"])
        wanted["seq"] = found["seq"] + 1


def frozen_at(cluster, region):
    """{user: the wall time when its mailbox was frozen last}, as the logs of its old home have it."""
    times = {}
    with cluster.jetstream(region) as jetstream:
        for shard in range(cluster.shards):
            for when, batch in _written_by_hubs(jetstream, region, shard):
                for kind, payload in _records(batch):
                    if kind == FREEZE_RECORD:
                        times[payload[17 : 17 + payload[16]].decode()] = when
    return times
