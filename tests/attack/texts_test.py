"""Text that is meant for somebody else: rows A18, A24, A27 and A28 of docs/attacks.md."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import urllib.parse

import pytest

from lab import Client, Cluster
from lab.cluster import BUILD, ROOT
from lab.raw_socket import TEXT, RawSocket, frame, head
from lab.tokens import SECRET, auth_file, token

EDGE = "sin-1"


def run(scenario, timeout_s=60):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


# Secrets


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A cluster that asks for tokens, and hears debug."""
    config = auth_file(tmp_path_factory.mktemp("guarded"))
    with Cluster(regions=1, shards=1, edge_settings={"log.level": "debug"}) as cluster:
        cluster.config = config
        cluster.edges[EDGE].command += ["--config", str(config)]
        yield cluster.start()


async def show(cluster, shown):
    """Shows a token in each way there is; what was answered, in one."""
    heard = b""
    protocols = {"Sec_WebSocket_Protocol": f"meridian.v1, bearer.{shown}"}
    quoted = urllib.parse.quote(shown)
    hello = frame(TEXT, json.dumps({"t": "hello", "device": "d", "token": shown}).encode())
    requests = [
        head(**protocols),
        head(Authorization=f"Bearer {shown}", Sec_WebSocket_Protocol="meridian.v1"),
        head(Sec_WebSocket_Protocol="meridian.v1") + hello,
        head(path=f"/ws?token={quoted}", Sec_WebSocket_Protocol="meridian.v1"),
        head(path=f"/ws/alice?token={quoted}"),
        *(
            f"GET {path}?user=alice&device=d&token={quoted} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            for path in (
                "/v1/sse",
                "/v1/stream",
                "/v1/poll",
                "/v1/%zz",
                "/nowhere",
                "/api/messages",
            )
        ),
        f"GET /{quoted} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: x\r\nCookie: token={shown}\r\n\r\n".encode(),
    ]
    for request in requests:
        raw = await RawSocket.connect(cluster.url[EDGE])
        await raw.write(request)
        try:
            heard += await asyncio.wait_for(raw.reader.read(4096), 5)
        finally:
            raw.abort()
    return len(requests), heard


def places(cluster):
    """(name, bytes) of each place where something of a process can be read by others."""
    for process in cluster.all():
        yield f"log of {process.name}", process.log().encode()
        for part in ("cmdline", "environ"):
            yield f"{part} of {process.name}", pathlib.Path(
                f"/proc/{process.pid}/{part}"
            ).read_bytes()
    for name in [*cluster.edges, *cluster.hubs]:
        for path in ("/healthz", "/readyz", "/status", "/metrics"):
            yield f"{path} of {name}", cluster.http(name, path)[2]
    command = cluster.edges[EDGE].command + ["--print-config"]
    yield "--print-config", subprocess.run(command, capture_output=True, check=True).stdout


def test_no_token_and_no_secret_is_told(guarded):
    """A18 and A24: not in a log, an answer, an argument, an environment."""
    shown = [token(), token(secret="wrong"), token(left_s=-60), token(aud="other"), "x" * 200]
    count, heard = 0, b""
    for one in shown:
        asked, answered = run(show(guarded, one))
        count, heard = count + asked, heard + answered
    found = [("an answer", heard), *places(guarded)]
    wanted = [SECRET, *(part for one in shown for part in one.split(".") if len(part) > 16)]
    heads = {one.split(".")[0] for one in shown}  # not secret, but a sign of one
    hits = [
        f"{where}: {text[:20]}..."
        for where, held in found
        for text in [*wanted, *heads]
        if text.encode() in held
    ]
    print(f"{len(shown)} tokens in {count} requests, {len(found)} places: {len(hits)} found")
    assert b"401" in heard and b"101" in heard
    assert not hits, "\n".join(hits)


def test_a_websocket_takes_no_token_from_its_query(guarded):
    """A18: only an EventSource, which can say it nowhere else, may."""

    async def status(path):
        raw = await RawSocket.connect(guarded.url[EDGE])
        answer = await raw.handshake(head(path=path))
        raw.abort()
        return answer.status

    good = urllib.parse.quote(token())
    assert run(status(f"/ws/alice?token={good}")) == 401
    for path in ("/api/messages/alice", "/api/users/alice/location"):
        assert guarded.http(EDGE, f"{path}?token={good}")[0] == 401, path


def test_no_core_holds_a_secret():
    """A24: no unit of the packages lets one be written."""
    units = list((ROOT / "deploy" / "systemd").glob("*.service"))
    assert len(units) >= 3
    for unit in units:
        assert "\nLimitCORE=0\n" in unit.read_text(), unit.name


def test_an_edge_does_not_start_with_a_secret_for_everybody(guarded, tmp_path):
    """A24."""
    config = auth_file(tmp_path)
    for mode, code in ((0o600, 0), (0o640, 0), (0o604, 1), (0o644, 1)):
        os.chmod(tmp_path / "secret", mode)
        command = [BUILD / "bin" / "meridian-edge", "--check-config", "--config", config]
        command += ["--catalogue", guarded.catalogue, "--region", "sin", "--name", EDGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, f"{mode:o}: {done.stderr}"
        assert code == 0 or "can be read by everybody" in done.stderr


# Databases

PIECES = [
    "'; DROP TABLE messages; --",
    "\\'; DELETE FROM messages WHERE 1=1; --",
    '" OR ""="',
    "' OR '1'='1",
    "1; ATTACH DATABASE '/tmp/x' AS y; --",
    "$1 $2 ?1 ?2 :a @b #{c} ${d} %s %n %d %%",
    "{1,2,\"3\",NULL,'4'}",
    "\\x00\\000 E'\\\\' $$body$$ $a$b$a$",
    "/* */ -- \n\r\t\\ \x7f",
    "\u2019 \u02bc \uff07 \u0000 \u2028 \U0001f600 \u202e abc",
]
LITERAL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|SET|PRAGMA|CREATE|DROP|ATTACH) [^;]*%[^lud]")
CALL = re.compile(r"\b\w*printf\([^;]*;", re.S)
# A place, once looked at: the schema that the program itself was built with.
LOOKED_AT = {"INSERT INTO meridian.schema_versions"}


def test_no_text_is_printed_into_sql():
    """A27: values are bound; what is printed into a statement is a number."""
    found, calls = [], 0
    for source in sorted(ROOT.glob("*/**/*.c")):
        if "build" in source.relative_to(ROOT).parts or "tests" in source.relative_to(ROOT).parts:
            continue
        for call in CALL.finditer(source.read_text()):
            calls += 1
            if LITERAL.search(call[0]) and not any(known in call[0] for known in LOOKED_AT):
                found.append(f"{source.relative_to(ROOT)}: {' '.join(call[0].split())[:120]}")
    print(f"{calls} calls that print, {len(found)} of text into SQL")
    assert calls > 100 and not found, "\n".join(found)
    assert LITERAL.search("snprintf(q, 9, \"SELECT a FROM b WHERE c = '%s'\", name);")


def test_strings_of_sql_are_stored_and_read_back(cluster):
    """A27: 200 of them, as bodies, from a sender and to a recipient of such names."""
    texts = [f"{left}{right} {i}" for i in (0, 1) for left in PIECES for right in PIECES]
    names = ["robert'); DROP TABLE users;--", "' OR 1=1 --"]

    async def scenario():
        sender = await Client(cluster, names[0], EDGE).open()
        reader = await Client(cluster, names[1], EDGE).open()
        for number, text in enumerate(texts):
            await sender.send(names[1], text, f"'{number}'--")
        await reader.until_messages(len(texts), 30)
        assert [one["body"] for one in reader.messages] == texts
        assert {one["from"] for one in reader.messages} == {names[0]}
        await reader.send_frame({"t": "history", "id": "'h'--", "limit": 200})
        await reader.until(lambda c: any(f["t"] == "history" for f in c.frames), 10, "history")
        page = next(frame for frame in reader.frames if frame["t"] == "history")
        again = sorted(page["messages"], key=lambda one: int(one["cursor"].split(":")[1]))
        assert [one["body"] for one in again] == texts
        for client in (sender, reader):
            await client.close()

    run(scenario())
    print(f"{len(texts)} strings of SQL are equal when delivered and in the history")


# Logs

LINE = re.compile(
    r"[0-9T:.-]{23}Z (error|warning|info|debug) [a-z0-9-]+: "
    r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*"
)
FORGED = "2026-01-31T09:30:00.125Z error sin-1: forged"
EVIL = [
    f"a\r\n{FORGED}",
    f"b\n{FORGED}\n",
    "\x1b[2J\x1b]0;title\x07\x1b[31m",
    "\x9b31m \x85 \x90",
    "\u202egnp.exe\u2066\u2069\u200f\u061c",
    "\u2028\u2029",
    'c" level=error d="',
    "e=f g=h \\",
    "i" * (1 << 20),
    "\0\x01\x7f",
    "\ud7ff\ufeff\U000e0001",
]


async def whisper(cluster, evil):
    """Says it wherever it could come into a log."""
    line = evil.replace("\0", "").encode("utf-8", "surrogatepass")
    quoted = urllib.parse.quote(evil, errors="replace")[: 1 << 15]
    requests = [
        b"GET /ws/" + line + b" HTTP/1.1\r\nHost: " + line + b"\r\n\r\n",
        f"GET /ws/{quoted} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"GET /v1/sse?user={quoted}&device={quoted} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"POST /api/users/{quoted}/disconnect HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}"
        .encode(),
        *(
            b"GET /ws/log HTTP/1.1\r\nHost: x\r\n" + name + b": " + line + b"\r\n\r\n"
            for name in (b"User-Agent", b"Origin", b"X-Forwarded-For", b"Authorization", b"Cookie")
        ),
        head(Sec_WebSocket_Protocol="meridian.v1")
        + frame(TEXT, json.dumps({"t": "hello", "user": evil, "device": evil}).encode()),
    ]  # fmt: skip
    for request in requests:
        raw = await RawSocket.connect(cluster.url[EDGE])
        try:
            await raw.write(request)
            await asyncio.wait_for(raw.reader.read(4096), 5)
        except OSError:
            pass  # it would hear no more
        finally:
            raw.abort()
    return len(requests)


def test_nothing_forges_a_line_of_the_log(guarded, cluster):
    """A28: each event is one line, whose values are escaped and cut."""

    async def scenario():
        return sum([await whisper(one, evil) for one in (guarded, cluster) for evil in EVIL])

    said, seen = run(scenario(), 120), 0
    for process in [*cluster.edges.values(), *cluster.hubs.values()] + [
        *guarded.edges.values(),
        *guarded.hubs.values(),
    ]:
        for line in process.log_path.read_bytes().decode().split("\n")[:-1]:
            seen += 1
            assert LINE.fullmatch(line) and len(line.encode()) < 4096, line[:300]
            assert not line.startswith(FORGED)
    print(f"{said} requests with {len(EVIL)} texts: {seen} lines, each of one event")
