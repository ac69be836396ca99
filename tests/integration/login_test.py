"""`meridian send` and `meridian listen`, and with them the C SDK, at an edge that requires tokens,
also over TLS: how they log in, and how a listener goes on when its token ends."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from lab import Cluster
from lab.certificates import make_certificate
from lab.cluster import BUILD
from lab.process import Process, wait_for
from lab.tokens import auth_file, token


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One edge with a plain port and one of TLS; it tells of a token's end four seconds before."""
    folder = tmp_path_factory.mktemp("login")
    with Cluster(regions=1, shards=1) as running:
        host = running.url["sin-1"].removeprefix("http://").rsplit(":", 1)[0]
        make_certificate(folder, host)
        settings = {
            "tls.certificate": folder / "edge.pem",
            "tls.key": folder / "edge.key",
            "tls.listen": f"{host}:8443",
        }
        edge = running.edges["sin-1"]
        edge.command += ["--config", str(auth_file(folder, expiring="4s"))]
        edge.command += [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]
        running.start()
        running.wss, running.ca = f"https://{host}:8443", folder / "edge.pem"
        yield running


def meridian(cluster, *arguments, environment=None, edge=None):
    return subprocess.run(
        [BUILD / "bin" / "meridian", *map(str, arguments), "--edge", edge or cluster.url["sin-1"]],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )


def send(cluster, *arguments, **more):
    return meridian(cluster, "send", *arguments, **more)


def listen_once(cluster, *arguments, **more):
    done = meridian(cluster, "listen", "--count", 1, *arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_token_is_shown_in_each_of_three_ways(cluster, tmp_path):
    ann, file = token("ann"), tmp_path / "token"
    file.write_text(token("ben") + "\n")
    for i, (options, environment) in enumerate(
        [
            (["--token", ann], {}),
            (["--token-file", tmp_path / "ann"], {}),
            ([], {"MERIDIAN_TOKEN": ann}),
            (["--token", ann, "--from", "ann"], {"MERIDIAN_TOKEN": "bad"}),
        ]
    ):
        (tmp_path / "ann").write_text(ann)
        done = send(cluster, "--to", "ben", i, *options, environment=environment)
        assert done.returncode == 0 and done.stdout.startswith("accepted"), done.stderr
        heard = listen_once(cluster, "--token-file", file)
        assert (heard["from"], heard["body"]) == ("ann", i)
    bound = token("ben", device="phone")  # only as that device
    assert send(cluster, "--to", "ann", "1", "--token", bound).returncode == 1
    assert send(cluster, "--to", "ann", "1", "--token", bound, "--device", "phone").returncode == 0


def test_who_shows_no_good_token_is_told_at_once(cluster, tmp_path):
    for options in (
        [],
        ["--token", token(left_s=-60)],
        ["--token", token("ann"), "--from", "ben"],
        ["--token", "x" * 4096],
    ):
        done = send(cluster, "--to", "ben", "1", *options)
        assert done.returncode == 1 and "refused: closed by the edge with code 4401" in done.stderr
    done = meridian(cluster, "listen", "--token", token(left_s=-60))
    assert done.returncode == 1 and "4401" in done.stderr
    (tmp_path / "spaces").write_text("a b\n")
    for options, word in [
        (["--token", "x" * 4097], "1 to 4096 bytes"),
        (["--token", ""], "1 to 4096 bytes"),
        (["--token", "a b"], "no token"),
        (["--token-file", tmp_path / "spaces"], "no token"),
        (["--token-file", tmp_path / "away"], "No such file"),
        (["--token-file", tmp_path / "spaces", "--token", "x"], "say the same"),
    ]:
        done = send(cluster, "--to", "ben", "1", *options)
        assert done.returncode == 1 and word in done.stderr, done.stderr


def test_history_is_read_with_a_token(cluster):
    own = token("hanna")
    for i in range(3):
        assert send(cluster, "--to", "hanna", i, "--token", token("ann")).returncode == 0
    assert [listen_once(cluster, "--token", own)["body"] for i in range(3)] == [0, 1, 2]
    done = meridian(cluster, "history", "hanna", "--token", own)
    bodies = [json.loads(line)["body"] for line in done.stdout.splitlines()]
    assert (done.returncode, bodies) == (0, [0, 1, 2]), done.stderr
    for shown in ([], ["--token", token("ann")]):
        done = meridian(cluster, "history", "hanna", *shown)
        assert done.returncode == 1 and "unauthorized" in done.stderr and not done.stdout


def test_a_token_in_a_query_is_not_taken_unless_it_is_allowed(cluster):
    shown = token("query")
    for path in ("/v1/sse", "/v1/stream", "/v1/poll"):
        status, _, body = cluster.http("sin-1", f"{path}?device=d&token={shown}")
        assert status == 400 and "no token from the query" in json.loads(body)["message"]
    assert shown not in cluster.edges["sin-1"].log()


def listening(cluster, tmp_path, user, file):
    command = [BUILD / "bin" / "meridian", "listen", "--edge", cluster.url["sin-1"]]
    command += ["--token-file", file, "--device", "d"]
    process = Process("listen", command, tmp_path / "listen.log").start()
    process.wait_log("connected to sin-1")
    return process


def put(file, shown):
    """As who renews a token should: whole, in one step."""
    aside = file.with_suffix(".new")
    aside.write_text(shown)
    aside.rename(file)


def test_a_listener_shows_the_new_token_of_its_file_in_place(cluster, tmp_path):
    file = tmp_path / "token"
    put(file, token("carl", left_s=7))
    process = listening(cluster, tmp_path, "carl", file)
    try:
        for left_s in (7, 600):
            asked = process.log().count("is read for another one")
            wait_for(
                lambda: process.log().count("is read for another one") > asked, 20, "it is told"
            )
            refreshed = process.log().count("logged in with another token")
            put(file, token("carl", left_s=left_s))
            wait_for(
                lambda: process.log().count("logged in with another token") > refreshed,
                20,
                "the new one is taken",
            )
        assert send(cluster, "--to", "carl", "5", "--token", token("ann")).returncode == 0
        process.wait_log('"body":5')
        assert process.log().count("connected to sin-1") == 1
        assert "not connected" not in process.log()
    finally:
        process.terminate()


def test_a_listener_whose_token_has_ended_waits_for_another_one(cluster, tmp_path):
    file = tmp_path / "token"
    put(file, token("dora", left_s=3))
    process = listening(cluster, tmp_path, "dora", file)
    try:
        process.wait_log("the token is refused; waiting", 20)
        assert send(cluster, "--to", "dora", "6", "--token", token("ann")).returncode == 0
        put(file, token("dora", secret="of somebody else, 32 bytes or more"))  # no better
        wait_for(
            lambda: process.log().count("the token is refused; waiting") == 2, 20, "it is tried"
        )
        put(file, token("dora"))
        process.wait_log('"body":6', 20)
        assert process.log().count("connected to sin-1") == 2
    finally:
        assert process.terminate() == 0


def test_over_tls_it_is_known_who_the_edge_is(cluster, tmp_path):
    make_certificate(tmp_path, "other.example")
    shown = ["--token", token("ann"), "--timeout", 3]
    trusting = ["--ca", cluster.ca]
    done = send(cluster, "--to", "emil", "7", *shown, *trusting, edge=cluster.wss)
    assert done.returncode == 0, done.stderr
    heard = listen_once(cluster, "--token", token("emil"), *trusting, edge=cluster.wss)
    assert heard["body"] == 7
    other = ["--ca", tmp_path / "edge.pem"]
    for options in [], other:  # nobody vouches for it, or for another one
        done = send(cluster, "--to", "emil", "8", *shown, *options, edge=cluster.wss)
        assert done.returncode == 1 and "nothing was sent" in done.stderr, done.stderr
    edge = cluster.edges["sin-1"]
    for name in ("edge.pem", "edge.key"):
        shutil.copy(tmp_path / name, cluster.ca.parent / name)
    edge.signal(signal.SIGHUP)
    edge.wait_log("the certificate was read again")
    done = send(cluster, "--to", "emil", "8", *shown, *other, edge=cluster.wss)
    assert (
        done.returncode == 1 and "nothing was sent" in done.stderr
    ), done.stderr  # of other.example
    done = send(cluster, "--to", "emil", "8", *shown, "--ca", tmp_path / "away", edge=cluster.wss)
    assert done.returncode == 1 and "No such file" in done.stderr
