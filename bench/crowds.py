"""Parts of bench/run about crowds at one edge: all come back at once, all are silent, one stalls."""

import json
import pathlib
import re
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time

if __name__ != "__main__":
    from peers import PROGRAMS, cpu_s, edge_for, private_bytes

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: meridian.v1\r\n\r\n"
)


def status_bytes(pid, name):
    """VmRSS or VmHWM, the highest since it was forgotten."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", text)[1])


def load(address, *arguments):
    command = [PROGRAMS / "load", *arguments, address]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def again(_, count=5000):
    print(f"\n## {count} clients come back to one edge at once, with their cursors\n")
    print("| limits | resumed | after s | refused on the way | RSS before, MiB | peak |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, wide in (("default", False), ("wide", True)):
        for _ in range(3):
            with edge_for(count, wide=wide) as (pid, plain, _):
                with load(plain, "--users", count, "--again", "--hold", 1) as clients:
                    clients.stdout.readline()
                    before = status_bytes(pid, "VmRSS")
                    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
                    said = json.loads(clients.stdout.readline())
                    peak = status_bytes(pid, "VmHWM")
                print(
                    f"| {name} | {said['resumed']} | {said['resume_s']:.2f} | {said['refused']} | "
                    f"{before / 2**20:.1f} | {peak / before - 1:+.0%} |",
                    flush=True,
                )


def login_s(address):
    """How long two logins take, in a process of their own."""
    begin = time.monotonic()
    with load(address, "--users", 2) as clients:
        said = json.loads(clients.stdout.readline())
    assert said["opened"] == 2, said
    return said["open_s"], time.monotonic() - begin


def silent(_, count=15000, dripped=2000):
    print(f"\n## {count} silent connections and {dripped} dripped handshakes\n")
    print(
        "| limits | logins meanwhile | median ms | longest ms | cut | longest life s | last s | "
        "CPU-s of the edge |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, settings in (("default", {}), ("wide", {"limits.unfinished_max": 19000})):
        with edge_for(count, wide=False, **{"limits.sessions_max": 19000, **settings}) as (
            pid,
            plain,
            _,
        ):
            before, took = cpu_s(pid), []
            flooders = [
                subprocess.Popen(
                    [sys.executable, __file__, kind, str(many), plain],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for kind, many in (("silent", count), ("drip", dripped))
            ]
            time.sleep(0.5)
            while any(flooder.poll() is None for flooder in flooders):
                took.append(login_s(plain)[0] * 1000)
                time.sleep(0.2)
            said = [json.loads(flooder.stdout.read()) for flooder in flooders]
            took.sort()
            print(
                f"| {name} | {len(took)} | {took[len(took) // 2]:.1f} | {took[-1]:.0f} | "
                f"{' + '.join(str(row['cut']) for row in said)} | "
                f"{max(row['life_s'] for row in said):.1f} | "
                f"{max(row['last_s'] for row in said):.1f} | {cpu_s(pid) - before:.2f} |",
                flush=True,
            )


def flood(kind, count, address):
    """Connects `count` times and waits until all are cut; "drip" sends a byte a second."""
    host, port = address.split(":")
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    begin, poll, open_at, sockets, life = time.monotonic(), select.epoll(), {}, {}, []
    for _ in range(count):
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex((host, int(port)))
        sockets[peer.fileno()] = peer
        poll.register(peer, select.EPOLLOUT | select.EPOLLIN)
    sent, drip_at = 0, begin + 1
    while sockets and time.monotonic() < begin + 100:
        for fd, events in poll.poll(0.2):
            now = time.monotonic()
            if events & ~select.EPOLLOUT:  # an answer such as 408, or the end
                poll.unregister(fd)
                sockets.pop(fd).close()
                life.append(now - open_at.get(fd, now))
            else:
                open_at[fd] = now
                poll.modify(fd, select.EPOLLIN)
        if kind == "drip" and time.monotonic() >= drip_at:
            drip_at += 1
            for fd in open_at.keys() & sockets.keys():
                try:
                    sockets[fd].send(HANDSHAKE[sent : sent + 1])
                except OSError:
                    pass  # its end is an event
            sent += 1
    last_s = time.monotonic() - begin
    print(json.dumps({"cut": len(life), "life_s": max(life, default=0), "last_s": last_s}))


class Plain:
    """The least of a meridian.v1 client, blocking."""

    def __init__(self, address, user):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.sendall(HANDSHAKE)
        assert b" 101 " in self.socket.recv(4096)
        self.say({"t": "hello", "user": user, "device": "d", "start": "head"})
        self.socket.recv(65536)

    def say(self, frame):
        text = json.dumps(frame).encode()
        size = (
            struct.pack("!B", 0x80 | len(text))
            if len(text) < 126
            else struct.pack("!BH", 0xFE, len(text))
        )
        self.socket.sendall(b"\x81" + size + bytes(4) + text)


def kernel_bytes(client):
    """What the kernel holds for the edge's end of a connection: skmem's t and w, without slack."""
    port = client.socket.getsockname()[1]
    text = subprocess.run(
        ["ss", "-tmnH", f"dport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"skmem:\(r\d+,rb\d+,t(\d+),tb\d+,f\d+,w(\d+)", text)
    return int(found[1]) + int(found[2]) if found else 0


class Reader:
    """One who is sent 4 KiB a hundred times a second, and reads it or does not."""

    def __init__(self, address, reads):
        self.reads = reads
        self.reader, self.sender = Plain(address, "stalled"), Plain(address, "sender")
        self.kernel, self.stop = 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        body = "x" * 4000
        for number in range(100000):
            if self.stop:
                return
            self.sender.say({"t": "send", "id": f"s-{number}", "to": "stalled", "body": body})
            self.sender.socket.recv(65536)
            while self.reads and select.select([self.reader.socket], [], [], 0)[0]:
                self.reader.socket.recv(65536)
            if number % 10 == 0:
                self.kernel = max(self.kernel, kernel_bytes(self.reader))
            time.sleep(0.01)

    def end(self):
        self.stop = True
        self.thread.join()
        self.reader.socket.close()
        self.sender.socket.close()


def stalled(seconds):
    print("\n## One of 1,000 who does not read (500 messages/s to the others)\n")
    print(
        "| round | p50 / p99 ms while it reads | while it does not | kernel memory for it then, KiB | "
        "growth of the edge's own memory while it reads, while it does not, KiB |"
    )
    print("| --- | --- | --- | --- | --- |")
    asked = ["--users", 1000, "--rate", 500, "--seconds", seconds]
    for number in range(3):
        with edge_for(1000) as (pid, plain, _):
            got, own = [], []
            for reads in (True, True, False):  # the first round warms it up
                one = Reader(plain, reads)
                with load(plain, *asked) as clients:
                    clients.stdout.readline()
                    before, most = private_bytes(pid), 0
                    while clients.poll() is None:
                        most = max(most, private_bytes(pid))
                        time.sleep(0.1)
                    got.append(json.loads(clients.stdout.read()))
                own.append((most - before) / 1024)
                one.end()
            without, with_it = (
                f"{row['delivered_p50']} / {row['delivered_p99']}" for row in got[1:]
            )
            print(
                f"| {number + 1} | {without} | {with_it} | {one.kernel / 1024:.0f} | "
                f"{own[1]:.0f}, {own[2]:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    flood(sys.argv[1], int(sys.argv[2]), sys.argv[3])
