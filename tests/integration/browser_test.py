"""A page in Chromium as a client: logs in by a subprotocol, sends, receives, acknowledges, loses its
edge and goes on at another one. And a page of another origin, which may not."""

import asyncio
import json
import urllib.request

import pytest

from lab import Cluster
from lab.browser import Chromium, page_at
from lab.tokens import auth_file, token

PAGE = r"""<!doctype html>
<title>meridian</title>
<script>
// What a page needs to be a client: a cursor, and what has no outcome yet.
const lab = { got: [], accepted: [], closes: [], welcomes: [], cursor: null,
              acked: null, protocol: null };
const pending = new Map();
let socket = null, edges = [], next = 0, shown = '';

function say(frame) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}
function send(id, to, body) {
  pending.set(id, { t: 'send', id, to, body });
  if (lab.welcomes.length > 0) say(pending.get(id));
}
function onFrame(frame) {
  if (frame.t === 'welcome') {
    lab.welcomes.push({ edge: frame.edge, resumed: frame.resumed });
    for (const waiting of pending.values()) say(waiting);
  } else if (frame.t === 'msg') {
    lab.got.push(frame.body);
    lab.cursor = frame.cursor;
    say({ t: 'ack', cursor: frame.cursor });
  } else if (frame.t === 'acked') {
    lab.acked = frame.cursor;
  } else if (frame.t === 'accepted' && pending.delete(frame.id)) {
    lab.accepted.push(frame.id);
  }
}
function connect() {
  socket = new WebSocket(edges[next++ % edges.length], ['meridian.v1', 'bearer.' + shown]);
  socket.onopen = () => {
    lab.protocol = socket.protocol;
    say(lab.cursor ? { t: 'hello', device: 'page', cursor: lab.cursor }
                   : { t: 'hello', device: 'page' });
  };
  socket.onmessage = (event) => onFrame(JSON.parse(event.data));
  socket.onclose = (event) => {
    lab.closes.push(event.code);
    if (lab.closes.length < 100) setTimeout(connect, 50);
  };
}
function begin(urls, token) {
  edges = urls;
  shown = token;
  connect();
}
</script>
"""
MESSAGES = 300


@pytest.fixture(scope="module")
def page():
    with page_at(PAGE) as origin:
        yield origin


@pytest.fixture(scope="module")
def chromium():
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, page):
    """Two edges that require tokens, and let pages of one origin in."""
    config = auth_file(tmp_path_factory.mktemp("keys"))
    with Cluster(regions=1, edges=2, shards=1, edge_settings={"origins": page}) as running:
        for edge in running.edges.values():
            edge.command += ["--config", str(config)]
        running.start()
        yield running


def urls(cluster):
    return [cluster.url[edge].replace("http:", "ws:") + "/ws" for edge in ("sin-1", "sin-2")]


def post(cluster, user, to, number):
    """By the edge that stays, with an id that a repeat would have too."""
    body = {"recipient_id": to, "message": number, "id": f"m{number}"}
    request = urllib.request.Request(
        cluster.url["sin-2"] + "/api/messages",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token(user)}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 202


async def until(tab, expression, what, timeout_s=40):
    end = asyncio.get_running_loop().time() + timeout_s
    while not await tab.evaluate(expression):
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(f"{what}: {await tab.evaluate('JSON.stringify(lab)')}")
        await asyncio.sleep(0.05)


async def begin(tab, cluster, user):
    await until(tab, "typeof begin === 'function'", "the page is loaded")
    await tab.evaluate(f"begin({json.dumps(urls(cluster))}, {json.dumps(token(user))})")


def test_a_page_loses_its_edge_and_no_message(cluster, chromium, page):
    async def scenario():
        async with chromium.open(page) as tab:
            await begin(tab, cluster, "pia")
            await until(tab, "lab.welcomes.length === 1", "it is welcomed")
            assert await tab.evaluate("lab.protocol") == "meridian.v1"
            assert await tab.evaluate("lab.welcomes[0].edge") == "sin-1"

            async def feed():
                for number in range(MESSAGES):
                    await asyncio.to_thread(post, cluster, "quin", "pia", number)
                    if number == MESSAGES // 3:
                        await until(tab, "lab.got.length > 0", "the first ones are there")
                        cluster.edges["sin-1"].kill()

            async def talk():
                for number in range(MESSAGES):
                    await tab.evaluate(f"send('p{number}', 'quin', {number})")

            await asyncio.gather(feed(), talk())
            await until(tab, f"lab.got.length >= {MESSAGES}", "all messages are there")
            await until(tab, f"lab.accepted.length === {MESSAGES}", "all sends are accepted")
            await until(tab, "lab.acked === lab.cursor", "all is acknowledged")
            lab = json.loads(await tab.evaluate("JSON.stringify(lab)"))
            assert [body["message"] for body in lab["got"]] == list(range(MESSAGES))
            assert lab["welcomes"][-1] == {"edge": "sin-2", "resumed": True}
            assert 1006 in lab["closes"]  # an edge that is killed says nothing
            await tab.evaluate("lab.closes.length = 100; socket.close(1000)")
            print(f"{MESSAGES} each way, {len(lab['closes'])} closes", flush=True)

    asyncio.run(asyncio.wait_for(scenario(), 120))

    got = []
    while len(got) < MESSAGES:
        request = urllib.request.Request(
            cluster.url["sin-2"] + "/api/messages/quin?wait=10",
            headers={"Authorization": f"Bearer {token('quin')}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            page_of = json.load(answer)
        assert page_of, "messages are missing"
        got += page_of
    assert sorted(one["message"] for one in got) == list(range(MESSAGES))
    cluster.edges["sin-1"].start()
    cluster.wait_http("sin-1", "/readyz", 40)


def test_a_page_with_a_bad_token_is_told_so(cluster, chromium, page):
    """A browser hides the status of a refused handshake from the page; a close code it shows."""

    async def scenario():
        async with chromium.open(page) as tab:
            await until(tab, "typeof begin === 'function'", "the page is loaded")
            bad = json.dumps(token("pia", left_s=-60))
            await tab.evaluate(f"begin({json.dumps(urls(cluster))}, {bad})")
            await until(tab, "lab.closes.length >= 2", "it is closed")
            assert set(await tab.evaluate("lab.closes")) == {4401}
            await tab.evaluate("lab.closes.length = 100")

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_page_of_another_origin_gets_no_websocket(cluster, chromium):
    async def scenario():
        with page_at(PAGE) as other:
            async with chromium.open(other) as tab:
                await begin(tab, cluster, "pia")
                await until(tab, "lab.closes.length >= 4", "both edges refuse it")
                assert set(await tab.evaluate("lab.closes")) == {1006}
                assert await tab.evaluate("lab.protocol") is None
                await tab.evaluate("lab.closes.length = 100")

    asyncio.run(asyncio.wait_for(scenario(), 60))
