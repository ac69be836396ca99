"""NATS over a bare socket, for what no daemon would ever publish: the protocol is text."""

import json
import socket


class BusLink:
    """One connection to a NATS server of the cluster. Not for two threads at a time.

    with BusLink(cluster, "sin-n1") as link:
        link.request("log.sin.0.e", batch)"""

    def __init__(self, cluster, node, timeout_s=10):
        host, port = cluster.bus_address(node)
        self.link = cluster.in_region(
            node, lambda: socket.create_connection((host, port), timeout=timeout_s)
        )
        self.stream = self.link.makefile("rb")
        self.stream.readline()
        self.count = 0
        self.kept = []  # what came while an answer was waited for
        self.link.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        self._await_pong()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.link.close()

    def _await_pong(self):
        while not (line := self._line()).startswith(b"PONG"):
            assert not line.startswith(b"-ERR"), line

    def _line(self):
        line = self.stream.readline()
        assert line, "the server has closed the connection"
        if line.startswith(b"PING"):
            self.link.sendall(b"PONG\r\n")
        return line

    def publish(self, subject, data, reply=""):
        head = f"PUB {subject} {reply + ' ' if reply else ''}{len(data)}\r\n"
        self.link.sendall(head.encode() + data + b"\r\n")

    def flush(self):
        self.link.sendall(b"PING\r\n")
        self._await_pong()

    def next(self):
        """(subject, data) of the next message of any subscription."""
        return self.kept.pop(0) if self.kept else self._read()

    def _read(self):
        while True:
            words = self._line().split()
            if words and words[0] == b"MSG":
                data = self.stream.read(int(words[-1]) + 2)[:-2]
                return words[1].decode(), data

    def request(self, subject, data):
        """The JSON of the first answer."""
        return json.loads(self.ask(subject, data))

    def ask(self, subject, data):
        """The bytes of the first answer."""
        self.count += 1
        inbox = f"_INBOX.lab.{id(self):x}.{self.count}"
        self.link.sendall(f"SUB {inbox} {self.count}\r\n".encode())
        self.publish(subject, data, inbox)
        while (message := self._read())[0] != inbox:
            self.kept.append(message)
        answer = message[1]
        self.link.sendall(f"UNSUB {self.count}\r\n".encode())
        return answer
