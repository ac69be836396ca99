"""The bus seen over a bare socket: what is published, taken apart, and batches of our own. It shares
nothing with the code under test but docs/format.md."""

import socket
import struct
import threading
import zlib

MESSAGE = 1


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert self.at + size <= len(self.data)
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def text8(self):
        return self.take(self.number("B")).decode()


def messages_of(batch):
    """[(sender, id, [recipients], body)] of the messages in a batch."""
    assert batch[:4] == b"MRB1"
    count, size = struct.unpack_from("<HI", batch, 6)
    body = Reader(batch[52 : 52 + size])
    rows = []
    for _ in range(count):
        kind, _, _, size = struct.unpack("<BBHI", body.take(8))
        record = Reader(body.take(size))
        if kind != MESSAGE:
            continue
        record.take(1 + 1 + 2 + 4 + 8 + 16)
        sender, _, name = record.text8(), record.text8(), record.text8()
        recipients = []
        for _ in range(record.number("H")):
            record.take(1)
            recipients.append(record.text8())
        rows.append((sender, name, recipients, record.take(record.number("I"))))
    return rows


def batch_of(sender, name, recipients, body):
    """A batch with one durable message."""
    text8 = lambda text: bytes([len(text.encode())]) + text.encode()
    record = struct.pack("<BBHIq16s", 0, 0, 0, 0, 1, bytes(16))
    record += text8(sender) + text8("") + text8(name) + struct.pack("<H", len(recipients))
    record += b"".join(b"\0" + text8(recipient) for recipient in recipients)
    record += struct.pack("<I", len(body)) + body
    record = struct.pack("<BBHI", MESSAGE, 1, 0, len(record)) + record
    head = b"MRB1" + struct.pack("<BBHII", 1, 0, 1, len(record), zlib.crc32(record)) + bytes(32)
    return head + struct.pack("<I", zlib.crc32(head)) + record


class Tap:
    """Sees what is published on a subject, at one node, from when it is made."""

    def __init__(self, cluster, node, subject):
        host, port = cluster.bus_address(node)
        self.link = cluster.in_region(
            node, lambda: socket.create_connection((host, port), timeout=10)
        )
        self.stream = self.link.makefile("rb")
        self.stream.readline()
        self.seen = []  # (subject, payload)
        self.pong = threading.Event()
        self.link.sendall(b'CONNECT {"verbose":false}\r\nSUB %s 1\r\n' % subject.encode())
        self.link.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.sync()

    def _read(self):
        while line := self.stream.readline():
            words = line.split(b" ")
            if words[0] in (b"MSG", b"HMSG"):
                data = self.stream.read(int(words[-1]))
                self.stream.readline()
                skip = int(words[-2]) if words[0] == b"HMSG" else 0
                self.seen.append((words[1].decode(), data[skip:]))
            elif line.startswith(b"PING"):
                self.link.sendall(b"PONG\r\n")
            elif line.startswith(b"PONG"):
                self.pong.set()

    def sync(self):
        """What reached the node until now has been seen, and what was published has left."""
        self.pong.clear()
        self.link.sendall(b"PING\r\n")
        assert self.pong.wait(10)

    def publish(self, subject, payload):
        self.link.sendall(b"PUB %s %d\r\n" % (subject.encode(), len(payload)) + payload + b"\r\n")
        self.sync()

    def messages(self):
        """[(subject, sender, id, [recipients], body)]."""
        self.sync()
        return [
            (subject, *row)
            for subject, data in list(self.seen)
            if data[:4] == b"MRB1"
            for row in messages_of(data)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.link.close()
