"""What an edge says to hubs, byte by byte, as docs/format.md has it: for edges that are broken into."""

import struct

ATTACH, REPORT, FETCH, HISTORY_ASK, SHOW, TOKEN = 1, 3, 4, 10, 11, 13
ATTACHED, DELIVER, KICK, UNATTACHED, HISTORY_PAGE, HISTORY_ROW, SHOWN = 32, 33, 35, 37, 43, 44, 45
OK, NOT_HOME, BUSY, REFUSED, UNSURE, UNAUTHORIZED = range(6)
REVOKED = 3


def text8(text):
    return struct.pack("<B", len(text.encode())) + text.encode()


def text16(text):
    return struct.pack("<H", len(text.encode())) + text.encode()


def entry(kind, payload):
    return struct.pack("<BBI", kind, 0, len(payload)) + payload


def frame(region, edge, *entries, shard=0):
    """To the owner of a shard of `region`, by `edge`."""
    head = b"MRF1" + struct.pack("<BBHQH", 1, 0, len(entries), 0, shard)
    return head + text8(region) + text8(edge) + b"".join(entries)


def attach(request, user, device, token=""):
    """Of a device that was never attached, from the oldest message on."""
    where = struct.pack("<QBIQ", 0, 0, 0, 0)
    who = struct.pack("<Q", request) + text8(user) + text8(device)
    return entry(ATTACH, who + where + text16(token))


def report(user, device, attach, received, acked):
    numbers = struct.pack("<QIQQ", attach, 1, received, acked)
    return entry(REPORT, text8(user) + text8(device) + numbers)


def fetch(user, device, attach, start):
    return entry(FETCH, text8(user) + text8(device) + struct.pack("<QIQ", attach, 1, start))


def token(token):
    return entry(TOKEN, text16(token))


def show(request, user, device, epoch, seq):
    place = struct.pack("<IQ", epoch, seq)
    return entry(SHOW, struct.pack("<Q", request) + text8(user) + text8(device) + text8("") + place)


def shown_of(payload):
    """(request, code)"""
    return struct.unpack_from("<QB", payload)


def history_ask(request, user):
    numbers = struct.pack("<BIQHI", 0, 0, 0, 50, 65536)
    return entry(HISTORY_ASK, struct.pack("<Q", request) + text8(user) + numbers)


def edge_beat(region, edge, start, number):
    head = b"MRE1" + struct.pack("<BBQQI", 1, 0, start, number, 0)
    return head + text8(edge) + text8(region)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, size):
        value = int.from_bytes(self.data[self.at : self.at + size], "little")
        self.at += size
        return value

    def text8(self):
        return self.bytes(self.number(1)).decode()

    def bytes(self, size):
        self.at += size
        return self.data[self.at - size : self.at]


def entries_of(data):
    """[(kind, payload)] of a frame."""
    reader = Reader(data)
    assert reader.bytes(4) == b"MRF1"
    reader.bytes(2)
    count = reader.number(2)
    reader.bytes(10)
    reader.text8(), reader.text8()
    found = []
    for _ in range(count):
        kind, _, size = reader.number(1), reader.number(1), reader.number(4)
        found.append((kind, reader.bytes(size)))
    return found


def attached_of(payload):
    """(request, user, attach, code)"""
    reader = Reader(payload)
    request, user, _ = reader.number(8), reader.text8(), reader.text8()
    return request, user, reader.number(8), reader.number(1)


def kick_of(payload):
    """(user, attach, reason)"""
    reader = Reader(payload)
    user, _ = reader.text8(), reader.text8()
    return user, reader.number(8), reader.number(1)


def page_of(payload):
    """(request, code)"""
    reader = Reader(payload)
    return reader.number(8), reader.number(1)
