"""A NATS client as somebody has it who took a process's certificate: does what it is told, and
keeps all that the server says."""

import socket
import ssl


class Breach:
    """credentials: a folder of `meridian pki`, or None for a connection in the clear."""

    def __init__(self, host, port, credentials, timeout_s=10):
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        try:
            self.info = self.socket.recv(65536)
            if credentials:
                context = ssl.create_default_context(cafile=credentials / "ca.pem")
                context.load_cert_chain(credentials / "certificate.pem", credentials / "key.pem")
                self.socket = context.wrap_socket(self.socket, server_hostname=host)
            self.heard = b""
            self.subscriptions = 0
            self.socket.sendall(
                b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n'
            )
            self.flush()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def flush(self):
        """What the server said until it had done all that it was told before."""
        self.socket.sendall(b"PING\r\n")
        said = b""
        while b"PONG\r\n" not in said:
            some = self.socket.recv(65536)
            if not some:
                raise ConnectionError(f"the server has closed the connection: {said!r}")
            said += some
        self.heard += said
        return said

    def publish(self, subject, body=b"", reply=""):
        head = f"PUB {subject} {reply + ' ' if reply else ''}{len(body)}\r\n"
        self.socket.sendall(head.encode() + body + b"\r\n")
        return self.flush()

    def subscribe(self, subject):
        self.subscriptions += 1
        self.socket.sendall(f"SUB {subject} {self.subscriptions}\r\n".encode())
        return self.flush()
