"""JetStream as an operator or an accident may use it: asks its API over a connection of its own."""

import json
import socket
import ssl


class JetStream:
    """One connection to the NATS server of a region, for requests. credentials: a folder of
    `meridian pki`, or None."""

    def __init__(self, host, port, credentials=None):
        self.link = socket.create_connection((host, port), timeout=10)
        if credentials:
            self.link.recv(65536)  # what a server says of itself comes in the clear
            context = ssl.create_default_context(cafile=credentials / "ca.pem")
            context.load_cert_chain(credentials / "certificate.pem", credentials / "key.pem")
            self.link = context.wrap_socket(self.link, server_hostname=host)
        self.input = self.link.makefile("rb")
        self.link.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB answer 1\r\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.link.close()

    def request(self, subject, body=b""):
        """The answer to a request; PubAcks of streams too."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.link.sendall(b"PUB %s answer %d\r\n%s\r\n" % (subject.encode(), len(data), data))
        while True:
            line = self.input.readline()
            if line.startswith(b"PING"):
                self.link.sendall(b"PONG\r\n")
            elif line.startswith((b"MSG ", b"HMSG ")):
                payload = self.input.read(int(line.split()[-1]))
                self.input.read(2)
                return payload
            elif not line:
                raise ConnectionError("NATS closed the connection")

    def api(self, verb, stream, body=b""):
        answer = json.loads(self.request(f"$JS.API.{verb}.{stream}", body))
        if "error" in answer:
            raise RuntimeError(f"{verb} {stream}: {answer['error']}")
        return answer

    def info(self, stream, **what):
        return self.api("STREAM.INFO", stream, what or b"")

    def update(self, stream, **changes):
        config = self.info(stream)["config"]
        return self.api("STREAM.UPDATE", stream, {**config, **changes})

    def subjects(self, stream, pattern=">"):
        """How many messages each subject holds."""
        return self.info(stream, subjects_filter=pattern)["state"].get("subjects") or {}
