"""Parts of bench/run that hold an edge against a raw epoll server and Node's ws, in turn."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from lab import Cluster
from lab.certificates import make_certificate

PROGRAMS = pathlib.Path(os.environ["MERIDIAN_BUILD"]) / "bench-bin"
WS = pathlib.Path(__file__).with_name("echo_ws.js")
SERVERS = {
    "raw epoll": [PROGRAMS / "echo_raw"],
    "edge's framing": [PROGRAMS / "echo_edge"],
    "Node ws": ["node", WS],
}
ROUNDS = 3


def private_bytes(pid):
    """Memory of a process that is its own: what its heap and stacks hold."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return 1024 * sum(
            int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty")
        )


def kernel_slab_bytes():
    with open("/proc/meminfo") as meminfo:
        return 1024 * next(int(line.split()[1]) for line in meminfo if line.startswith("Slab:"))


def cpu_s(pid):
    """Of all threads, as /proc/PID/schedstat has it to the nanosecond."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def spread(values, digits=0):
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


@contextlib.contextmanager
def server(name):
    """(its process id, its HOST:PORT) of one of SERVERS."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    at = ["127.0.0.1", str(port)] if name == "Node ws" else [f"127.0.0.1:{port}"]
    environment = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
    command = [*SERVERS[name], *at]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, f"{name} has ended"
                time.sleep(0.05)
        try:
            yield process.pid, f"127.0.0.1:{port}"
        finally:
            process.stdin.close()


@contextlib.contextmanager
def held(address, count, *arguments):
    """`count` connections by bench/load, all there."""
    command = [PROGRAMS / "load", "--users", count, "--hold", 60, *arguments, address]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as load:
        opened = json.loads(load.stdout.readline())["opened"]
        assert opened == count, f"{opened} of {count} opened"
        try:
            yield
        finally:
            load.kill()


def measure_held(pid, address, count, *arguments):
    """(bytes of the process, of the kernel, CPU-us of the process) for each connection."""
    with held(address, 1000, *arguments):
        pass  # what is allocated once is not counted
    time.sleep(2)
    before, slab, cpu = private_bytes(pid), kernel_slab_bytes(), cpu_s(pid)
    with held(address, count, *arguments):
        time.sleep(1)  # a raw server accepts what the kernel has long connected
        used = cpu_s(pid) - cpu
        time.sleep(3)
        own, kernel = private_bytes(pid) - before, kernel_slab_bytes() - slab
    time.sleep(1)
    return own / count, kernel / count, used / count * 1e6


@contextlib.contextmanager
def edge_for(count, wide=True, **settings):
    """(process id, plain HOST:PORT, TLS HOST:PORT) of the edge of a region. `wide`: it admits
    `count` at once, else as many as it does by default."""
    folder = pathlib.Path(tempfile.mkdtemp())
    make_certificate(folder, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        tls = f"127.0.0.1:{free.getsockname()[1]}"
    tls_settings = {
        "tls.listen": tls,
        "tls.certificate": folder / "edge.pem",
        "tls.key": folder / "edge.key",
        "tls.handshakes_max": 2000,
    }
    admits = {
        "limits.sessions_max": 19000,
        "limits.unfinished_max": 19000,
        "limits.strangers_max": 19000,
        "limits.handshakes_burst": 4 * count,
        "limits.logins_burst": 4 * count,
        "times.hello_timeout": "60s",
    }
    all_settings = {**tls_settings, **(admits if wide else {}), **settings}
    try:
        with Cluster(regions=1, shards=2, edge_settings=all_settings) as cluster:
            cluster.start()
            yield cluster.edges["sin-1"].pid, cluster.url["sin-1"].removeprefix("http://"), tls
    finally:
        shutil.rmtree(folder)


def idle(_, count=15000):
    print(f"\n## Idle connections ({count}, {ROUNDS} rounds, all in turn)\n")
    print(
        "| server | user-space bytes each | kernel slab bytes each (both ends) | "
        "CPU-us each until they are there |"
    )
    print("| --- | --- | --- | --- |", flush=True)
    got = {}
    for _ in range(ROUNDS):
        for name, until in (("raw epoll", "connected"), ("Node ws", "upgraded")):
            with server(name) as (pid, address):
                got.setdefault(f"{name}, {until}", []).append(
                    measure_held(pid, address, count, "--until", until)
                )
        for until in ("upgraded", "welcomed"):
            for tls in (False, True):
                with edge_for(count) as (pid, plain, secure):
                    arguments = ["--until", until, *(["--tls"] if tls else [])]
                    name = f"edge, {'TLS' if tls else 'plain'}, {until}"
                    got.setdefault(name, []).append(
                        measure_held(pid, secure if tls else plain, count, *arguments)
                    )
    for name, rows in got.items():
        own, kernel, used = zip(*rows)
        print(f"| {name} | {spread(own)} | {spread(kernel)} | {spread(used, 1)} |")
    raw = [row[2] for row in got["raw epoll, connected"]]
    edge = [row[2] for row in got["edge, plain, upgraded"]]
    ratios = [a / b for a, b in zip(edge, raw)]
    print(f"\nHandshake of the edge / raw accept, round by round: {spread(ratios, 2)}.")


def echo_round(name, connections, seconds):
    """CPU-s of the server for a million messages, and messages a second."""
    with server(name) as (pid, address):
        command = [PROGRAMS / "echo_load", "--connections", connections, "--seconds", seconds]
        command += ["--raw"] if name == "raw epoll" else []
        with subprocess.Popen(
            list(map(str, [*command, address])), stdout=subprocess.PIPE, text=True
        ) as load:
            load.stdout.readline()  # it is warm
            before = cpu_s(pid)
            said = json.loads(load.stdout.readline())
            used = cpu_s(pid) - before
    return used / said["answered"] * 1e6, said["answered"] / said["seconds"]


def echo(seconds):
    print(f"\n## Echo of 200 bytes, closed loop ({ROUNDS} rounds of {seconds:.0f} s, in turn)\n")
    print("| server | connections | CPU-s a million | ratio to raw epoll | messages/s |")
    print("| --- | --- | --- | --- | --- |")
    for connections in (100, 5000):
        got = {name: [] for name in SERVERS}
        for _ in range(ROUNDS):
            for name, rows in got.items():
                rows.append(echo_round(name, connections, seconds))
        for name, rows in got.items():
            ratios = [row[0] / raw[0] for row, raw in zip(rows, got["raw epoll"])]
            print(
                f"| {name} | {connections} | {spread([row[0] for row in rows], 1)} | "
                f"{spread(ratios, 2)}, middle {statistics.median(ratios):.2f} | "
                f"{spread([row[1] for row in rows])} |",
                flush=True,
            )
