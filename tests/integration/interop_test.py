"""Libraries that others wrote, each as its users use it: log in, send, receive, ping, close, come back
with a cursor and get exactly what came meanwhile."""

import asyncio
import json
import os
import shutil
import subprocess

import aiohttp
import pytest
import websockets

from lab import Client, Cluster
from lab.cluster import BUILD

NODE = r"""
const WebSocket = require('ws');
const task = JSON.parse(process.argv[1]);
const socket = new WebSocket(task.url, 'meridian.v1');
const say = (frame) => socket.send(JSON.stringify(frame));
const got = [];
let cursor = null, ponged = false;
socket.on('open', () => say({ t: 'hello', user: task.user, device: 'd', cursor: task.cursor }));
socket.on('pong', (data) => { ponged = data.toString() === 'probe'; say({ t: 'ack', cursor }); });
socket.on('message', (data) => {
  const frame = JSON.parse(data);
  if (frame.t === 'welcome' && task.send) say({ t: 'send', id: 'm1', to: task.user, body: task.send });
  if (frame.t === 'msg') { got.push(frame.body); cursor = frame.cursor; socket.ping('probe'); }
  if (frame.t === 'acked') socket.close(1000);
});
socket.on('close', (code) => console.log(JSON.stringify({ got, cursor, ponged, code })));
"""


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, shards=1) as cluster:
        cluster.start()
        yield cluster


def web_socket(cluster):
    return cluster.url["sin-1"].replace("http:", "ws:") + "/ws"


def hello(user, cursor):
    more = {} if cursor is None else {"cursor": cursor}
    return json.dumps({"t": "hello", "user": user, "device": "d", **more})


def message(user, body):
    return json.dumps({"t": "send", "id": "m1", "to": user, "body": body})


async def talk(user, cursor, body, say, frames):
    """A session by two functions of a library. Returns (bodies, cursor) once it is acknowledged."""
    got = []
    await say(hello(user, cursor))
    async for text in frames:
        frame = json.loads(text)
        if frame["t"] == "welcome" and body is not None:
            await say(message(user, body))
        elif frame["t"] == "msg":
            got.append(frame["body"])
            cursor = frame["cursor"]
            await say(json.dumps({"t": "ack", "cursor": cursor}))
        elif frame["t"] == "acked":
            return got, cursor


async def by_websockets(cluster, user, cursor, body):
    async with websockets.connect(web_socket(cluster), subprotocols=["meridian.v1"]) as socket:
        assert socket.subprotocol == "meridian.v1"
        found = await talk(user, cursor, body, socket.send, socket)
        await asyncio.wait_for(await socket.ping(b"probe"), 10)
        await socket.close(1000)
        assert socket.close_code == 1000
        return found


async def by_aiohttp(cluster, user, cursor, body):
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(
            web_socket(cluster), protocols=["meridian.v1"], autoping=False
        )
        assert socket.protocol == "meridian.v1"
        pongs = []

        async def texts():
            async for event in socket:
                if event.type == aiohttp.WSMsgType.PING:
                    await socket.pong(event.data)
                elif event.type == aiohttp.WSMsgType.PONG:
                    pongs.append(event.data)
                else:
                    yield event.data

        await socket.ping(b"probe")
        found = await talk(user, cursor, body, socket.send_str, texts())
        assert pongs == [b"probe"]
        await socket.close(code=1000)
        assert socket.close_code == 1000
        return found


async def by_node_ws(cluster, user, cursor, body):
    task = {"url": web_socket(cluster), "user": user, "send": body}
    if cursor is not None:
        task["cursor"] = cursor
    done = await asyncio.to_thread(
        subprocess.run,
        [shutil.which("node"), "-e", NODE, json.dumps(task)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "NODE_PATH": "/usr/share/nodejs"},
    )
    said = json.loads(done.stdout or "{}")
    assert said and said["ponged"] and said["code"] == 1000, done.stdout + done.stderr
    return said["got"], said["cursor"]


async def by_libwebsockets(cluster, user, cursor, body):
    """The C client, which is made of it, by the command."""
    edge = ["--edge", cluster.url["sin-1"]]

    async def run(*arguments):
        done = await asyncio.to_thread(
            subprocess.run,
            [BUILD / "bin" / "meridian", *arguments, *edge],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    if body is not None:
        await run("send", "--to", user, "--from", user, json.dumps(body))
    at = [] if cursor is None else ["--cursor", cursor]
    said = json.loads(await run("listen", "--user", user, "--device", "d", "--count", "1", *at))
    return [said["body"]], said["cursor"]


CLIENTS = [by_websockets, by_aiohttp, by_node_ws, by_libwebsockets]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_client_talks_and_comes_back(cluster, client):
    user = client.__name__
    first, second = {"n": 1, "text": "\u00e9\u20ac\U0001f600"}, {"n": 2}

    async def scenario():
        got, cursor = await client(cluster, user, None, first)
        assert got == [first]
        other = await Client(cluster, f"other-{user}", "sin-1").open_forever()
        await other.send(user, second, "m2")
        await other.close()
        got, later = await client(cluster, user, cursor, None)
        assert got == [second] and later != cursor

    asyncio.run(asyncio.wait_for(scenario(), 90))


def test_curl_sends_polls_and_switches(cluster):
    def curl(*arguments, code=0):
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "15", *arguments],
            capture_output=True,
            encoding="latin-1",
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    url = cluster.url["sin-1"]
    sent = {"recipient_id": "curl-user", "message": "by curl", "id": "c1"}
    said = curl("--json", json.dumps(sent), f"{url}/api/messages")
    assert json.loads(said)["status"] == "sent"
    got = json.loads(curl(f"{url}/api/messages/curl-user?wait=10"))
    assert [message["message"] for message in got] == ["by curl"]
    # It speaks no frames, but shows the answer to the handshake; 28: the time it was given is over.
    switched = curl(
        *("-i", "-N", "--http1.1", "--max-time", "1"),
        *("-H", "Connection: Upgrade", "-H", "Upgrade: websocket"),
        *("-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        f"{url}/ws/curl-user",
        code=28,
    )
    assert switched.startswith("HTTP/1.1 101 "), switched
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in switched
