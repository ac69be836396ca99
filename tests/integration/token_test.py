"""Tokens at a real edge: shown in each of the three ways, by who is whom and who is not, and their end."""

import asyncio
import json
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import websockets

from lab import Cluster
from lab.cluster import BUILD
from lab.process import wait_for
from lab.tokens import AUDIENCE, ISSUER, SECRET, b64, claims_of, signed, token


def bad_tokens():
    yield "x"
    yield token(secret="another secret, also of 32 bytes or more")
    yield token(alg="none")
    yield token(left_s=-60)
    yield token(aud="others")
    yield token(iss="https://evil.example")
    yield token(user="")
    yield token(user="$meridian")
    yield token()[:-1]
    yield token(left_s=100 * 86400)
    yield token(padding="x" * 4096)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One edge, which requires tokens, and tells of their end three seconds before it."""
    folder = tmp_path_factory.mktemp("keys")
    secret = folder / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    config = folder / "edge.yaml"
    key = folder / "key"
    command = [BUILD / "bin" / "meridian", "token", "key", "--alg", "ES256", "--out", key]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    config.write_text(
        f"""
auth:
  required: true
  issuer: {ISSUER}
  audience: {AUDIENCE}
  leeway: 0s
  expiring: 3s
  keys:
    - file: {secret}
      format: secret
      kid: shared
    - file: {key}.pub
      kid: made
"""
    )
    with Cluster(regions=1, edges=1) as running:
        running.edges["sin-1"].command += ["--config", str(config)]
        running.start()
        running.secret, running.key, running.config = secret, key, config
        yield running


async def connect(cluster, path="/ws", headers=None, protocols=("meridian.v1",)):
    raw = await asyncio.to_thread(cluster.open_socket, "sin-1")
    raw.setblocking(False)
    return await websockets.connect(
        f"ws://meridian{path}",
        sock=raw,
        subprotocols=list(protocols) or None,
        extra_headers=headers or {},
        open_timeout=10,
        close_timeout=1,
        ping_interval=None,
    )


def bearer(shown):
    return {"Authorization": f"Bearer {shown}"}


async def hello(socket, **members):
    await socket.send(json.dumps({"t": "hello", **members}))


async def until(socket, kind, timeout_s=20):
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), timeout_s))
        if frame["t"] == kind:
            return frame


async def refusal(socket):
    """All that is heard until the end, and how it ended."""
    heard = []
    try:
        while True:
            heard.append(await asyncio.wait_for(socket.recv(), 20))
    except websockets.ConnectionClosed as closed:
        return tuple(heard), closed.rcvd.code, closed.rcvd.reason


async def handshake_refusal(cluster, **more):
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        await connect(cluster, **more)
    return refused.value.status_code


def call(cluster, method, path, headers=None, body=None):
    request = urllib.request.Request(
        cluster.url["sin-1"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers=headers or {},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_good_tokens_are_taken_in_each_of_three_ways(cluster):
    async def run():
        for how in ("header", "subprotocol", "hello"):
            shown = token(device="phone")
            socket = await connect(
                cluster,
                headers=bearer(shown) if how == "header" else None,
                protocols=["meridian.v1", *([f"bearer.{shown}"] if how == "subprotocol" else [])],
            )
            assert socket.subprotocol == "meridian.v1"
            await hello(socket, **({"token": shown} if how == "hello" else {}))
            welcome = await until(socket, "welcome")
            assert (welcome["user"], welcome["device"]) == ("alice", "phone")
            assert 590_000 < welcome["expires_at"] - time.time() * 1000 <= 600_000
            await socket.close()

    asyncio.run(run())


def test_bad_tokens_have_one_answer(cluster):
    async def run():
        answers, statuses = set(), set()
        for shown in [None, *bad_tokens()]:
            socket = await connect(cluster)
            more = {} if shown is None else {"token": shown}
            await hello(socket, user="alice", device="phone", **more)
            answers.add(await refusal(socket))
            if shown is not None and len(shown) < 4096:
                socket = await connect(cluster, protocols=["meridian.v1", f"bearer.{shown}"])
                answers.add(await refusal(socket))
            if shown is not None:
                statuses.add(await handshake_refusal(cluster, headers=bearer(shown)))
        assert len(answers) == 1
        heard, code, _ = answers.pop()
        assert code == 4401
        assert [json.loads(frame)["code"] for frame in heard] == ["unauthorized"]
        assert statuses == {401}

    asyncio.run(run())


def many_bad_tokens():
    now, good = int(time.time()), token()
    head, body, code = good.split(".")
    header, claims = json.dumps({"alg": "HS256", "kid": "shared"}), json.dumps(claims_of())
    made = [
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        f"{head}.{body}",
        f"{head}.{body}.",
        f".{body}.{code}",
    ]
    made += [f"{head}..{code}", f"{good}.{code}", f"{good}=", good[:-1], f"{head}.{body}.{body}"]
    made += [good.replace(".", "", 1), f"x{good}", f"{head}.{b64(b'{}')}.{code}", good.swapcase()]
    made += [
        token(alg=alg) for alg in ("none", "None", "hs256", "HS384", "HS512", "RS256", "ES256", "")
    ]
    made += [token(kid=kid) for kid in ("", "Shared", "../made", "made", None, 7)]
    made += [token(secret="x" * 32), token(secret=SECRET + " "), token(left_s=-60), token(left_s=0)]
    made += [token(left_s=100 * 86400), token(padding="x" * 4096)]
    made += [
        signed(text, claims) for text in ("", "[]", "{", '{"alg":"HS256"}x', '{"kid":"shared"}')
    ]
    made += [
        signed(header, text) for text in ("", "null", "[]", "{", claims + "x", claims[:-1] + ",}")
    ]
    made += [signed(header, claims[:-1] + ', "sub": "bob"}')]
    made += [token(iss=iss) for iss in (..., "", ISSUER + "/", [ISSUER], 5)]
    made += [token(aud=aud) for aud in (..., "", [], AUDIENCE + "2", {"a": 1})]
    made += [token(user=user) for user in (..., "", "$meridian", 5, "a\u0000", "x" * 129)]
    made += [token(exp=exp) for exp in (..., None, "soon", -1, now + 60.5)]
    made += [token(iat=...), token(iat="now"), token(iat=now + 300), token(nbf=now + 300)]
    made += [
        token(nbf=True),
        token(jti=""),
        token(jti="a b"),
        token(device=""),
        token(home="Dublin"),
    ]
    return made


def good_tokens():
    now = int(time.time())
    yield token()
    yield token(left_s=86400)
    yield token(aud=["others", AUDIENCE])
    yield token(iat=now - 3600, exp=now + 60)
    yield token(nbf=now - 1)
    yield token(device="phone", jti="t-1")
    yield token(home="sin")
    yield token(user="\u00e9\u20ac\U0001f600")
    yield token(user="x" * 128)
    yield token(more={"nested": [1, {"a": None}]})


def test_many_bad_tokens_are_refused_alike_and_ten_good_ones_taken(cluster):
    async def run():
        bad, good = many_bad_tokens(), list(good_tokens())
        assert len(set(bad)) == len(bad) >= 60 and len(good) == 10
        answers = set()
        for shown in bad:
            status, body = await asyncio.to_thread(
                call, cluster, "GET", "/api/messages/alice", bearer(shown)
            )
            answers.add((status, json.dumps(body)))
            statuses = await handshake_refusal(cluster, headers=bearer(shown))
            assert statuses == 401, shown
        assert len(answers) == 1 and answers.pop()[0] == 401
        for shown in good:
            await (await connect(cluster, headers=bearer(shown))).close()
        print(f"{len(bad)} bad tokens, one answer; {len(good)} good ones taken", flush=True)

    asyncio.run(run())


def test_who_somebody_is_stands_in_the_token(cluster):
    async def run():
        answers = set()
        for shown, members in [
            (token("bob"), {"user": "alice", "device": "d"}),
            (token("alice", device="phone"), {"user": "alice", "device": "tablet"}),
        ]:
            socket = await connect(cluster)
            await hello(socket, token=shown, **members)
            answers.add(await refusal(socket))
            socket = await connect(cluster, headers=bearer(shown))
            await hello(socket, **members)
            answers.add(await refusal(socket))
        assert len(answers) == 1 and answers.pop()[1] == 4401
        assert (
            await handshake_refusal(cluster, path="/ws/alice", headers=bearer(token("bob"))) == 401
        )
        plain = {"path": "/ws/alice", "protocols": []}
        assert await handshake_refusal(cluster, **plain) == 401
        assert await handshake_refusal(cluster, **plain, headers=bearer(token("bob"))) == 401
        await (await connect(cluster, **plain, headers=bearer(token()))).close()

    asyncio.run(run())


def test_http_calls_show_it_too(cluster):
    message = {"recipient_id": "carol", "message": "hi"}
    refusals = [
        call(cluster, "POST", "/api/messages", body=message),
        call(cluster, "POST", "/api/messages", bearer("x"), message),
        call(cluster, "POST", "/api/messages", bearer(token()), {**message, "sender_id": "bob"}),
        call(cluster, "GET", "/api/messages/carol"),
        call(cluster, "GET", "/api/messages/carol", bearer(token())),
        call(cluster, "GET", "/api/messages/carol", bearer(token("carol", device="phone"))),
        call(cluster, "GET", "/api/messages/carol?before="),
        call(cluster, "GET", "/api/messages/carol?before=", bearer("x")),
        call(cluster, "GET", "/api/messages/carol?before=", bearer(token())),
        call(cluster, "GET", "/api/messages/carol?before=", bearer(token("bob", device="phone"))),
    ]
    assert all(refusal == refusals[0] for refusal in refusals)
    status, answer = refusals[0]
    assert status == 401 and answer["code"] == "unauthorized"

    async def run():
        socket = await connect(cluster, headers=bearer(token("carol")))
        await hello(socket, device="phone")
        await until(socket, "welcome")
        status, answer = await asyncio.to_thread(
            call, cluster, "POST", "/api/messages", bearer(token()), message
        )
        assert (status, answer["status"]) == (202, "sent")
        assert (await until(socket, "msg"))["from"] == "alice"  # not what it might have said
        await socket.close()

    asyncio.run(run())
    status, answer = call(cluster, "GET", "/api/messages/carol", bearer(token("carol")))
    assert (status, [one["message"] for one in answer]) == (200, ["hi"])
    for device in (None, "phone"):  # history is the user's, whatever the device
        shown = bearer(token("carol", **({"device": device} if device else {})))
        status, answer = call(cluster, "GET", "/api/messages/carol?before=", shown)
        assert status == 200 and len(answer["messages"]) == 1


def test_it_ends_with_its_token_and_is_told_before(cluster):
    async def run():
        socket = await connect(cluster)
        await hello(socket, token=token(left_s=8), device="d")
        welcome = await until(socket, "welcome")
        told = await until(socket, "expiring")
        assert told["expires_at"] == welcome["expires_at"]
        assert 0 < told["left_ms"] <= 3000
        heard, code, _ = await refusal(socket)
        assert (heard, code) == ((), 4401)  # told once
        assert -100 < time.time() * 1000 - welcome["expires_at"] < 5000

    asyncio.run(run())


def test_a_new_token_takes_its_place(cluster):
    async def run():
        socket = await connect(cluster)
        await hello(socket, token=token("dave", left_s=8), device="d")
        first = await until(socket, "welcome")
        await until(socket, "expiring")
        await socket.send(json.dumps({"t": "refresh", "token": token("dave", left_s=16)}))
        refreshed = await until(socket, "refreshed")
        assert refreshed["expires_at"] > first["expires_at"]
        told = await until(socket, "expiring")  # of the new one
        assert told["expires_at"] == refreshed["expires_at"]
        assert time.time() * 1000 > first["expires_at"]
        await socket.send(json.dumps({"t": "refresh", "token": token("erin")}))
        assert (await refusal(socket))[1] == 4401

    asyncio.run(run())


def test_keys_are_read_again_and_a_damaged_file_is_passed_over(cluster):
    edge, new = cluster.edges["sin-1"], "the secret that comes after the first one"

    def status(secret):
        return call(cluster, "GET", "/api/messages/frank", bearer(token("frank", secret=secret)))[0]

    try:
        cluster.secret.write_text("short")
        edge.signal(signal.SIGHUP)
        edge.wait_log("the keys stay as they were")
        assert status(SECRET) == 200
        cluster.secret.write_text(new)
        edge.signal(signal.SIGHUP)
        wait_for(lambda: status(new) == 200, 10, "the new key counts")
        assert status(SECRET) == 401
    finally:
        cluster.secret.write_text(SECRET)
        edge.signal(signal.SIGHUP)
        wait_for(lambda: status(SECRET) == 200, 10, "the first key counts again")


def test_the_command_makes_tokens_and_tells_what_is_wrong_with_one(cluster):
    def make(*more):
        by = ("--key", cluster.key, "--config", cluster.config)
        return cluster.meridian("token", "make", "--user", "grace", *by, *more)

    def check(shown):
        return cluster.meridian("token", "check", shown, "--config", cluster.config)

    made = make("--kid", "made", "--device", "poll", "--ttl", "5m")
    assert made.returncode == 0, made.stderr
    shown = made.stdout.strip()
    assert call(cluster, "GET", "/api/messages/grace", bearer(shown)) == (200, [])
    told = check(shown)
    assert told.returncode == 0 and "good     user grace, device poll" in told.stdout

    told = check(token(aud="others", left_s=-60))
    assert told.returncode == 1
    refusals = [line for line in told.stdout.splitlines() if line.startswith("refused")]
    assert refusals == [
        "refused  'aud' does not name the audience",
        "refused  it has expired",
    ]
    assert check(make().stdout.strip()).returncode == 1  # by which of two keys?

    assert make("--ttl", "0s").returncode == 2
    assert make("--device", "a b").returncode == 2
    again = cluster.meridian("token", "key", "--out", cluster.key)
    assert again.returncode == 1 and "File exists" in again.stderr
    assert cluster.key.stat().st_mode & 0o777 == 0o600


def test_what_a_token_says_is_printed_safely(cluster):
    nasty = json.dumps({"x": "\x9b2J\x7f", "y": 1}, ensure_ascii=False, indent=1)
    part = b64(nasty.encode())
    told = cluster.meridian("token", "check", f"{part}.{part}.", "--config", cluster.config)
    assert told.returncode == 1
    lines = told.stdout.splitlines()
    assert lines[1].startswith("claims") and lines[2].startswith("refused")
    assert "?2J?" in lines[1]
