"""Record batches as docs/format.md has them, made by hand: the good ones, and those made bad."""

import struct
import zlib

MESSAGE, TICK, ACK = 1, 19, 20


def text8(text):
    return struct.pack("<B", len(text.encode())) + text.encode()


def record(kind, payload, level=1):
    return struct.pack("<BBHI", kind, level, 0, len(payload)) + payload


def message(sender, recipient, message_id, body):
    payload = struct.pack("<BBHIq16x", 0, 0, 0, 0, 1700000000000)
    payload += text8(sender) + text8("") + text8(message_id)
    payload += struct.pack("<HB", 1, 0) + text8(recipient)
    payload += struct.pack("<I", len(body)) + body
    return record(MESSAGE, payload)


def ack(user, device, generation, epoch, seq):
    payload = struct.pack("<Q", generation) + text8(user) + text8(device)
    return record(ACK, payload + struct.pack("<IQ", epoch, seq))


def batch(records, incarnation=bytes(16), sequence=0, previous=0):
    """`records`: their bytes, one each."""
    body = b"".join(records)
    head = struct.pack("<4sBBHII", b"MRB1", 1, 0, len(records), len(body), zlib.crc32(body))
    head += incarnation + struct.pack("<QQ", sequence, previous)
    return head + struct.pack("<I", zlib.crc32(head)) + body


def restamped(bytes_, sequence, previous, incarnation):
    """The same body in a lane, with a good header."""
    head = bytes_[:16] + incarnation + struct.pack("<QQ", sequence, previous)
    return head + struct.pack("<I", zlib.crc32(head)) + bytes_[52:]
