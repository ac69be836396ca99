"""500 hostile ids as sender, recipient and device: each is refused, or reaches its own mailbox alone."""

import asyncio
import base64
import json
import random
import re
import socket
import threading
import unicodedata

import pytest
import websockets

from lab import Client, Cluster

COUNT = 500
PROCESSES = ["sin-1", "sin-h1", "sin-n1", "sin"]
PIECES = [
    ".", "*", ">", " ", "..", ".*", ".>", "$", "$JS.API.>", "$JS.API.STREAM.DELETE.LOG_sin_0",
    "$JS.API.STREAM.PURGE.KV_DIRECTORY", "$KV.DIRECTORY.>", "$KV.DIRECTORY.u.", "$SYS.>", "_INBOX.>",
    "log.sin.0.e", "log.sin.0.h", "log.sin.0.l.sin", "log.>", "pa.sin.0.sin-1.1", "hub.sin.0.attach",
    "beat.hub.sin.0", "beat.edge.sin.sin-1", "edge.sin.sin-1", "dir.claim", "dir.changed", "u.", "u.*",
    "u", "beat", "\r\n", "\r\nPUB log.sin.0.e 1\r\nx\r\n", "\t", "\x01", "\x1b[2J", "\x7f", "\x00",
    "\x85", "\x9b", "\u202e", "\u200f", "\u200b", "\ufeff", "\u2028", "\u0301", "\u0301" * 20,
    "e\u0301", "\u00e9", "\ufb01", "fi", "\u0130", "\u212a", "K", "\ud800", "\udc00", "\udfff\ud800",
    "\U0001f600", "\U0010ffff", "\ufffd", "\ufffe", "%00", "%2e", "\\", "\\u0000", "\"", "'", "/", "../",
    "\"}", "{\"t\":\"ack\"}", "';--", "null", "0", "-", "_", "=", "YQ", "YQ==", *PROCESSES,
]  # fmt: skip

# What may be seen on the bus. A user id stands in one of them only, and there in base64url.
SUBJECTS = re.compile(
    r"log\.sin\.[01]\.(e|h)|pa\.sin\.[01]\.(_\.[eh]|sin-(1|h1-[01])\.\d+)|hub\.sin\.[01]\.[a-z]+|edge\.sin\.sin-1"
    r"|beat\.hub\.sin\.[01](\.sin-h1)?|beat\.edge\.sin\.sin-1|dir\.(claim|changed)"
    r"|\$KV\.DIRECTORY\.(beat|u\.[A-Za-z0-9_-]+)|_INBOX\.[A-Za-z0-9_-]+\.[0-9a-f]+\.[0-9a-f]+"
    r"|\$JS\.API\.DIRECT\.GET\.(LOG_sin_[01]|KV_DIRECTORY(\.\$KV\.DIRECTORY\.(beat|edge_drains|u\.[A-Za-z0-9_-]+))?)"
    r"|\$JS\.API\.STREAM\.(MSG\.GET\.KV_DIRECTORY|INFO\.LOG_sin_[01])|\$JS\.EVENT\.ADVISORY\.API"
)


def hostile_ids():
    """COUNT different ones, the same in every run."""
    chance = random.Random(7)
    known = ["alice", "a", "ab", "watcher"]
    ids = [*known, "", *PIECES]
    ids += [
        base64.urlsafe_b64encode(name.encode()).decode().rstrip("=") for name in known + PROCESSES
    ]
    ids += [f"u.{base64.urlsafe_b64encode(name.encode()).decode().rstrip('=')}" for name in known]
    ids += [
        f"{name}{tail}"
        for name in known
        for tail in (" ", ".", ".*", ".>", "\x00", "\x00b", "\u200b")
    ]
    ids += ["x" * 127, "x" * 128, "x" * 129, "x" * 4096, "." * 128, "." * 129, ">" * 128, "*" * 4096,
            "\u00e9" * 64, "\u00e9" * 64 + "e", "\u0301" * 64, "\u0301" * 2048, "\U0001f600" * 32,
            "\U0001f600" * 32 + "x", "x" * 127 + "\u00e9", "x" * 128 + "\x00"]  # fmt: skip
    ids = list(dict.fromkeys(ids))
    while len(ids) < COUNT:
        made = "".join(chance.choice(PIECES) for _ in range(chance.randint(2, 5)))
        if made not in ids:
            ids.append(made)
    return ids[:COUNT]


def is_user_id(text):
    """What a user id is: 1 to 128 bytes of UTF-8 without controls."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= size <= 128 and not any(unicodedata.category(c) == "Cc" for c in text)


def is_device(text):
    return 1 <= len(text) <= 64 and all("!" <= c <= "~" for c in text)


class Watcher:
    """Sees every subject of the bus, over a bare socket."""

    def __init__(self, cluster):
        self.link = socket.create_connection((cluster._wan_host("sin", 0), 4222), timeout=10)
        self.stream = self.link.makefile("rb")
        self.stream.readline()
        self.subjects = set()
        self.errors = []
        self.pong = threading.Event()
        self.link.sendall(b'CONNECT {"verbose":false}\r\nSUB > 1\r\nPING\r\n')
        self.link.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.pong.wait(10)

    def _read(self):
        while line := self.stream.readline():
            words = line.split(b" ")  # not split(): an id might bring other blanks
            if words[0] in (b"MSG", b"HMSG"):
                self.subjects.add(words[1].decode("utf-8", "backslashreplace"))
                self.stream.read(int(words[-1]) + 2)
            elif line.startswith(b"PING"):
                self.link.sendall(b"PONG\r\n")
            elif line.startswith(b"PONG"):
                self.pong.set()
            elif line.startswith(b"-ERR"):
                self.errors.append(line)

    def close(self):
        """After all that was published until now has been seen."""
        self.pong.clear()
        self.link.sendall(b"PING\r\n")
        assert self.pong.wait(10)
        self.link.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.link.close()


async def hello(cluster, user, device):
    """(socket, welcome), or (None, error) when it was refused and the connection closed."""
    raw = await asyncio.to_thread(cluster.open_socket, "sin-1")
    raw.setblocking(False)
    link = await websockets.connect("ws://meridian/ws", sock=raw, subprotocols=["meridian.v1"],
                                    max_size=2**22, close_timeout=1, ping_interval=None)  # fmt: skip
    await link.send(json.dumps({"t": "hello", "user": user, "device": device}))
    frame = json.loads(await asyncio.wait_for(link.recv(), 10))
    if frame["t"] == "welcome":
        return link, frame
    with pytest.raises(websockets.ConnectionClosed):
        await asyncio.wait_for(link.recv(), 5)
    return None, frame


async def outcome(link, message_id, to, body):
    """Sends and returns the answer; messages that come meanwhile are returned too."""
    await link.send(json.dumps({"t": "send", "id": message_id, "to": to, "body": body}))
    messages = []
    while True:
        frame = json.loads(await asyncio.wait_for(link.recv(), 10))
        if frame["t"] == "msg":
            messages.append(frame)
        elif frame["t"] in ("accepted", "rejected", "error"):
            return frame, messages


def assert_refused(frame, what):
    assert frame["t"] in ("rejected", "error"), what
    assert frame["code"] == "bad_request" and frame["message"], f"{what!a}: {frame}"
    assert not frame.get("retryable"), f"{what!a}: {frame}"


async def as_recipients(cluster, ids):
    sender = await Client(cluster, "hostile-sender", "sin-1").open()
    sender._run.cancel()  # its frames are read here
    reached = []
    for i, name in enumerate(ids):
        frame, _ = await outcome(sender.socket, f"r{i}", name, {"for": i})
        if is_user_id(name):
            assert frame["t"] == "accepted", f"{name!a}: {frame}"
            reached.append(i)
        else:
            assert_refused(frame, name)
    await sender.close()
    return reached


async def as_users(cluster, ids):
    """Each reads its own mailbox to the end, and sends to the watcher of mailboxes."""
    welcomed = []
    for i, name in enumerate(ids):
        link, frame = await hello(cluster, name, "d")
        if not is_user_id(name):
            assert link is None, f"{name!a} was let in: {frame}"
            assert (
                frame["t"] == "error" and frame["code"] and frame["message"]
            ), f"{name!a}: {frame}"
            continue
        assert link is not None, f"{name!a}: {frame}"
        assert frame["user"] == name
        said, messages = await outcome(link, "end", name, {"for": i, "end": True})
        assert said["t"] == "accepted", f"{name!a}: {said}"
        said, more = await outcome(link, f"s{i}", "hostile-collector", {"for": i})
        assert said["t"] == "accepted", f"{name!a}: {said}"
        messages += more
        while len(messages) < 2:
            frame = json.loads(await asyncio.wait_for(link.recv(), 10))
            messages += [frame] if frame["t"] == "msg" else []
        assert [(m["cursor"], m["from"], m["body"]) for m in messages] == [
            ("1:1", "hostile-sender", {"for": i}), ("1:2", name, {"for": i, "end": True})
        ], f"{name!a}"  # fmt: skip
        welcomed.append(i)
        await link.close()
    return welcomed


async def as_devices(cluster, ids):
    welcomed = []
    sender = await Client(cluster, "hostile-sender", "sin-1", device="second", start="head").open()
    for i, name in enumerate(ids):
        link, frame = await hello(cluster, f"owner-{i}", name)
        if not is_device(name):
            assert link is None, f"device {name!a} was let in: {frame}"
            assert (
                frame["t"] == "error" and frame["code"] and frame["message"]
            ), f"{name!a}: {frame}"
            continue
        assert link is not None and frame["device"] == name, f"{name!a}: {frame}"
        await sender.send(f"owner-{i}", {"device": i}, f"d{i}")
        frame = json.loads(await asyncio.wait_for(link.recv(), 10))
        assert frame["t"] == "msg" and frame["body"] == {"device": i} and frame["cursor"] == "1:1"
        welcomed.append(i)
        await link.close()
    await sender.close()
    return welcomed


def streams(cluster):
    _, _, body = cluster.http("sin-n1", "/jsz?streams=true")
    details = json.loads(body)["account_details"]
    assert len(details) == 1
    return {s["name"]: s["state"] for s in details[0]["stream_detail"]}


@pytest.mark.timeout(300)
def test_hostile_ids_are_refused_or_reach_their_own_mailbox():
    ids = hostile_ids()
    assert len(set(ids)) == COUNT
    with Cluster(regions=1, shards=2) as cluster:
        cluster.start()
        names = set(streams(cluster))
        watcher = Watcher(cluster)

        async def scenario():
            collector = await Client(cluster, "hostile-collector", "sin-1").open()
            bystander = await Client(cluster, "bystander", "sin-1").open()
            reached = await as_recipients(cluster, ids)
            users = await as_users(cluster, ids)
            devices = await as_devices(cluster, ids)
            assert users == reached
            # What a hostile sender sent carries its very name, and nobody got what was not for him.
            await collector.until_messages(len(users), 20)
            got = [(m["from"], m["body"]) for m in collector.messages]
            assert got == [(ids[i], {"for": i}) for i in users]
            assert bystander.messages == []
            for client in (collector, bystander):
                await client.close()
            return users, devices

        users, devices = asyncio.run(asyncio.wait_for(scenario(), 240))
        watcher.close()
        unknown = sorted(s for s in watcher.subjects if not SUBJECTS.fullmatch(s))
        assert not unknown, f"{len(unknown)} subjects nobody should use: {unknown[:10]!a}"
        assert watcher.errors == []
        after = streams(cluster)
        assert set(after) == names, "a stream was made or deleted"
        for name in ("LOG_sin_0", "LOG_sin_1"):
            state = after[name]
            assert (
                state["first_seq"] == 1 and state["messages"] == state["last_seq"]
            ), f"{name}: {state}"
            assert not state.get("num_deleted"), f"{name}: {state}"
        # An entry for each user there was and for no other, beside the heartbeat.
        expected = {ids[i] for i in users} | {"hostile-sender", "hostile-collector", "bystander"}
        expected |= {f"owner-{i}" for i in devices}
        prefix = "$KV.DIRECTORY.u."
        keys = {s.removeprefix(prefix) for s in watcher.subjects if s.startswith(prefix)}
        assert {
            base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)).decode() for key in keys
        } == expected
        assert after["KV_DIRECTORY"]["num_subjects"] == len(expected) + 1
        for process in cluster.all():
            assert not re.search(r"[Pp]ermissions? [Vv]iolation", process.log()), process.name
        print(f"\n{COUNT} hostile ids: {len(users)} reached their own mailbox alone and {COUNT - len(users)} were "
              f"refused as users; {len(devices)} of them named a device; {len(watcher.subjects)} subjects seen, "
              f"all of known shapes")  # fmt: skip
        assert len(users) > 100 and COUNT - len(users) > 100 and len(devices) > 30
