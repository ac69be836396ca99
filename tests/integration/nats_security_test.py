"""NATS with certificates: what gets in, and what somebody may do who took a process's key."""

import asyncio
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

from lab import Client, Cluster, Talk
from lab.breach import Breach
from lab.cluster import BUILD, NATS_CLIENT, NATS_CLUSTER, NATS_GATEWAY, ROOT, nats_server
from lab.process import wait_for

CANARY = "canary-7c1e"
REFUSED = b"-ERR 'Permissions Violation"


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=2, shards=2, secure=True) as cluster:
        cluster.start()
        yield cluster


def run(scenario, timeout_s=60):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


def at(cluster, node, base):
    return cluster.bus_address(node)[0], base


def breach(cluster, name, node=None):
    """A connection to a server of the region of `name`, or to `node`, with its certificate."""
    node = node or f"{cluster.region_of[name]}-n1"
    return Breach(*at(cluster, node, NATS_CLIENT), cluster.pki / name)


# The rendered configuration


def meridian(*arguments):
    done = subprocess.run(
        [BUILD / "bin" / "meridian", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("catalogue", ["regions.yaml", "single.yaml"])
def test_nats_server_takes_what_is_rendered(catalogue, tmp_path):
    path = ROOT / "config" / catalogue
    meridian("pki", "make", "--dir", tmp_path, "--catalogue", path)
    nodes = [line.split()[-1] for line in path.read_text().splitlines() if "-nats-" in line]
    assert nodes
    for node in nodes:
        text = meridian(
            *("nats", "config", node, "--catalogue", path, "--data", tmp_path / "data"),
            *("--credentials", tmp_path / node),
        )
        file = tmp_path / f"{node}.conf"
        file.write_text(text)
        checked = subprocess.run([nats_server(), "-t", "-c", file], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


def test_keys_are_for_their_owner_alone(tmp_path):
    meridian("pki", "make", "--dir", tmp_path, "--catalogue", ROOT / "config" / "single.yaml")
    keys = [*tmp_path.glob("*/key.pem"), *tmp_path.glob("authority/*.key")]
    assert len(keys) > 4
    for key in keys:
        assert key.stat().st_mode & 0o777 == 0o600


def test_an_edge_does_not_start_with_a_key_for_everybody(cluster, tmp_path):
    for file in (cluster.pki / "sin-1").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "key.pem").chmod(0o644)
    done = subprocess.run(
        [BUILD / "bin" / "meridian-edge", "--catalogue", cluster.catalogue, "--region", "sin"]
        + ["--name", "sin-1", "--set", f"nats.credentials={tmp_path}"]
        + ["--set", f"listen={cluster.block}.99:8080"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode != 0
    assert "key.pem can be read by everybody" in done.stderr + done.stdout


# Two regions


def talk_across(cluster, prefix):
    async def scenario():
        clients = [
            await Client(cluster, f"{prefix}-{name}", f"{name}-1").open() for name in ("sin", "iad")
        ]
        talk = Talk(clients)
        await talk.run([(a.user, b.user) for a in clients for b in clients], 10, 0.02)
        await talk.until_complete(20)
        talk.assert_clean()
        for client in clients:
            await client.close()

    run(scenario())


def test_two_regions_talk(cluster):
    talk_across(cluster, "talk")
    run(one_more_message(cluster))
    where = cluster.meridian("where", "talk-sin", "--catalogue", cluster.catalogue)
    assert where.returncode == 0 and "sin" in where.stdout
    assert violations(cluster) == 0  # they may do all that they must


def violations(cluster):
    logs = [(cluster.folder / f"{name}.log").read_text() for name in cluster.nodes]
    return sum(log.count("Violation") for log in logs)


def test_a_user_moves_to_the_other_region(cluster):
    moved = cluster.meridian("move", "talk-sin", "iad", "--catalogue", cluster.catalogue)
    assert moved.returncode == 0, moved.stdout + moved.stderr
    where = cluster.meridian("where", "talk-sin", "--catalogue", cluster.catalogue)
    assert "iad" in where.stdout
    assert violations(cluster) == 0


def test_a_renewed_certificate_is_taken_without_a_restart(cluster):
    certificate = cluster.pki / "sin-1" / "certificate.pem"
    before = certificate.read_bytes()
    meridian("pki", "renew", "sin-1", "--dir", cluster.pki, "--catalogue", cluster.catalogue)
    assert certificate.read_bytes() != before
    assert not os.path.exists(certificate.with_name("certificate.pem.new"))
    with breach(cluster, "sin-1") as link:
        assert b"-ERR" not in link.heard


# Somebody has an edge's key

GET = b'{"last_by_subj":"log.sin.0.>"}'
BATCH = b'{"seq":1,"batch":100}'
CONSUMER = json.dumps({"stream_name": "LOG_sin_0", "config": {"ack_policy": "none"}}).encode()
EDGE_PUBLISHES = [
    ("$JS.API.DIRECT.GET.LOG_sin_0", BATCH),
    ("$JS.API.DIRECT.GET.LOG_sin_0.log.sin.0.e", b""),
    ("$JS.API.DIRECT.GET.OUT_sin_iad", BATCH),
    ("$JS.API.DIRECT.GET.CKPT_sin", BATCH),
    ("$JS.API.STREAM.MSG.GET.LOG_sin_0", GET),
    ("$JS.API.STREAM.MSG.GET.LOG_iad_0", b'{"last_by_subj":"log.iad.0.>"}'),
    ("$JS.API.CONSUMER.CREATE.LOG_sin_0", CONSUMER),
    ("$JS.API.CONSUMER.MSG.NEXT.LOG_sin_0.c", b"1"),
    ("$JS.API.STREAM.PURGE.LOG_sin_0", b""),
    ("$JS.API.STREAM.PURGE.OUT_sin_iad", b""),
    ("$JS.API.STREAM.DELETE.LOG_sin_0", b""),
    ("$JS.API.STREAM.MSG.DELETE.LOG_sin_0", b'{"seq":1}'),
    ("$JS.API.STREAM.CREATE.THIEF", b'{"name":"THIEF","sources":[{"name":"LOG_sin_0"}]}'),
    ("$JS.API.STREAM.UPDATE.LOG_sin_0", b'{"name":"LOG_sin_0"}'),
    ("$JS.API.STREAM.SNAPSHOT.LOG_sin_0", b'{"deliver_subject":"_INBOX.sin-1.s"}'),
    ("$JS.API.STREAM.LIST", b""),
    ("$JS.API.INFO", b""),
    ("$KV.DIRECTORY.u.Ym9i", b"forged"),
    ("$KV.REVOKED.a", b"forged"),
    ("$SYS.REQ.SERVER.PING", b""),
    ("move.sin.0", b"forged"),
    ("edge.iad.iad-1", b"forged"),
    ("beat.hub.sin.0", b"forged"),
    ("beat.edge.iad.iad-1", b"forged"),
    ("log.sin.0.h", b"forged"),
    ("log.iad.0.e", b"forged"),
    ("log.iad.0.l.sin", b"forged"),
    ("out.iad.sin.0", b"forged"),
    ("out.sin.iad.genesis", b"forged"),
    ("hub.iad.0.lane", b"forged"),
    ("dir.changed", b"forged"),
    ("pa.sin.0.sin-h1-0.1", b"forged"),
    ("_INBOX.sin-h1-0.1.1", b"forged"),
]
EDGE_SUBSCRIBES = [
    *(">", "*.>", "log.>", "out.>", "ckpt.>", "hub.>", "move.>", "edge.>", "edge.iad.*", "$SYS.>"),
    *("_INBOX.>", "_INBOX.*.>", "_INBOX.sin-h1-0.>", "pa.>", "pa.sin.0.>", "$KV.>", "$JS.>"),
    "edge.sin.*",
]


def try_all(link, publishes, subscribes, inbox):
    """What was not refused."""
    link.subscribe(inbox)
    taken = [
        subject
        for subject, body in publishes
        if REFUSED not in link.publish(subject, body, inbox.replace(">", "x"))
    ]
    return taken + [subject for subject in subscribes if REFUSED not in link.subscribe(subject)]


def test_a_breached_edge_gets_nothing_foreign(cluster):
    before = violations(cluster)
    with breach(cluster, "sin-1") as link:
        taken = try_all(link, EDGE_PUBLISHES, EDGE_SUBSCRIBES, "_INBOX.sin-1.breach.>")
        run(one_more_message(cluster))
        link.flush()
        assert taken == []
        assert len(EDGE_PUBLISHES) + len(EDGE_SUBSCRIBES) >= 25
        assert CANARY.encode() not in link.heard and b"MSG " not in link.heard
    assert violations(cluster) > before  # and whoever looks after the servers sees it


async def one_more_message(cluster):
    """Of the other region's user to itself: no edge of this one has to do with it."""
    user = await Client(cluster, f"iad-{CANARY}", "iad-1").open()
    await user.send(user.user, {"secret": CANARY}, f"m-{os.urandom(4).hex()}")
    await user.close()


# Answers go where who asks says, with the rights of who answers

ABSENT = "$JS.API.DIRECT.GET.KV_DIRECTORY.$KV.DIRECTORY.u.nobody"  # answered by an empty message
EDGE_ASKS = [
    (ABSENT, b""),
    ("$JS.API.STREAM.MSG.GET.KV_DIRECTORY", b'{"last_by_subj":"$KV.DIRECTORY.beat"}'),
    ("$JS.API.DIRECT.GET.KV_REVOKED", BATCH),
    ("log.sin.0.e", b"junk"),
    ("out.sin.iad.0", b"junk"),
    ("hub.sin.9.who", b"junk"),  # nobody is there
]
ALL_STREAMS = [
    *("LOG_sin_0", "LOG_iad_1", "CKPT_sin", "CKPT_iad", "OUT_sin_iad", "OUT_iad_sin"),
    *("KV_DIRECTORY", "KV_DIRECTORY_sin", "KV_REVOKED"),
]
DESTROYING = ["STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.LEADER.STEPDOWN"]
EDGE_NAMES = [  # as places for answers
    *[f"$JS.API.STREAM.DELETE.{stream}" for stream in ALL_STREAMS],
    *[f"$JS.API.{what}.CKPT_iad" for what in DESTROYING],
    *("log.iad.0.e", "log.sin.0.h", "out.sin.iad.genesis", "move.iad.0", "hub.iad.0.lane"),
    *("edge.iad.iad-1", "beat.hub.sin.0", "dir.changed", "ckpt.sin.x", "_INBOX.sin-h1-0.1"),
    *("pa.sin.0.sin-h1-0.1", "pa.iad.0.iad-1.1", "$KV.REVOKED.a"),
]


def destroyed(cluster, before=None):
    """The streams' beginnings; whatever differs from `before`."""
    with cluster.jetstream("sin") as jetstream:
        now = {stream: jetstream.info(stream)["created"] for stream in ALL_STREAMS}
        for stream in ("LOG_sin_0", "LOG_iad_1"):  # outboxes are trimmed by their hubs
            state = jetstream.info(stream)["state"]
            now[stream] += f" {state['first_seq']} {state.get('num_deleted', 0)}"
    return now if before is None else {key for key in now if now[key] != before[key]}


def subjects_in(heard):
    lines = [line.split() for line in heard.split(b"\r\n")]
    return {line[1].decode() for line in lines if line[:1] in ([b"MSG"], [b"HMSG"])}


def test_answers_to_a_breached_edge_go_to_itself_alone(cluster):
    before = destroyed(cluster)
    with breach(cluster, "sin-1") as link, breach(cluster, "operator", "sin-n1") as all_there_is:
        all_there_is.subscribe(">")
        for subject, body in EDGE_ASKS:
            for reply in EDGE_NAMES:
                assert b"-ERR" not in link.publish(subject, body, reply)
            all_there_is.flush()
        link.subscribe("_INBOX.sin-1.>")
        assert REFUSED not in link.publish(ABSENT, b"", "_INBOX.sin-1.x")
        wait_for(lambda: b" 404 " in link.flush() or b" 404 " in link.heard, 10, "an answer")
        all_there_is.flush()
        heard = subjects_in(all_there_is.heard)
    assert {"log.sin.0.e", "out.sin.iad.0"} <= heard  # what it may publish came
    # Others may have written what is not for JetStream meanwhile.
    assert {
        name for name in EDGE_NAMES if name.startswith(("$JS", "_INBOX", "pa."))
    } & heard == set()
    assert destroyed(cluster, before) == set()


def test_what_an_edge_publishes_rings_its_regions_hubs(cluster):
    with breach(cluster, "sin-1") as link, breach(cluster, "sin-h1") as hub:
        hub.subscribe("pa.sin.0.>")
        hub.subscribe("pa.sin_iad.0.>")
        link.publish("log.sin.0.e", b"junk", "pa.sin.0.sin-1.1")
        link.publish("out.sin.iad.0", b"junk", "pa.sin_iad.0.sin-1.2")
        rung = {"pa.sin.0._.e", "pa.sin_iad.0._"}
        wait_for(lambda: hub.flush() and rung <= subjects_in(hub.heard), 10, "the doorbells")


def test_all_of_a_batch_comes_out_of_the_streams_account(cluster):
    for user in ("one", "two", "three"):
        done = cluster.meridian("token", "revoke", "--user", user, "--catalogue", cluster.catalogue)
        assert done.returncode == 0, done.stdout + done.stderr
    with breach(cluster, "sin-1") as link:
        link.subscribe("_INBOX.sin-1.>")

        def whole():
            link.publish(
                "$JS.API.DIRECT.GET.KV_REVOKED", BATCH, f"_INBOX.sin-1.{os.urandom(4).hex()}"
            )
            link.flush()
            return b"204 EOB" in link.heard and link.heard.count(b"Nats-Subject: $KV.REVOKED.") >= 3

        wait_for(whole, 10, "the batch and its end")


def test_no_answer_is_waited_for_that_does_not_come(cluster):
    """The servers keep what they wait for: one a question, and nothing of those that are over."""

    def waiting():
        state = json.loads(cluster.http("sin-n1", "/accountz?acc=MERIDIAN")[2])
        return len(state["account_detail"].get("responses") or ())

    talk_across(cluster, "waits")
    before = waiting()
    time.sleep(3)  # edges ask for the directory's heartbeat and revoked tokens once a second
    assert waiting() <= before + 2


# Somebody has a hub's key

HUB_PUBLISHES = [
    ("$JS.API.DIRECT.GET.LOG_iad_0", BATCH),
    ("$JS.API.DIRECT.GET.LOG_iad_1.log.iad.1.e", b""),
    ("$JS.API.DIRECT.GET.OUT_iad_sin", BATCH),
    ("$JS.API.DIRECT.GET.CKPT_iad", BATCH),
    ("$JS.API.STREAM.MSG.GET.LOG_iad_0", b'{"last_by_subj":"log.iad.0.>"}'),
    ("$JS.API.STREAM.PURGE.OUT_iad_sin", b""),
    ("$JS.API.STREAM.PURGE.LOG_sin_0", b""),
    ("$JS.API.STREAM.DELETE.LOG_iad_0", b""),
    ("$JS.API.STREAM.INFO.LOG_iad_0", b""),
    ("$JS.API.CONSUMER.CREATE.LOG_iad_0", CONSUMER),
    ("$JS.API.STREAM.CREATE.THIEF", b'{"name":"THIEF","sources":[{"name":"LOG_iad_0"}]}'),
    ("log.iad.0.e", b"forged"),
    ("log.iad.0.h", b"forged"),
    ("out.iad.sin.0", b"forged"),
    ("beat.hub.iad.0", b"forged"),
    ("$KV.REVOKED.a", b"forged"),
    ("$SYS.REQ.SERVER.PING", b""),
]
HUB_SUBSCRIBES = [
    *(">", "log.>", "out.>", "hub.>", "hub.iad.*.*", "move.iad.*", "edge.iad.*", "edge.>"),
    *("pa.>", "pa.iad.>", "_INBOX.>", "_INBOX.iad-h1-0.>", "ckpt.iad.>", "$SYS.>"),
]


def test_a_breached_hub_reads_nothing_of_another_region(cluster):
    with breach(cluster, "sin-h1") as link:
        taken = try_all(link, HUB_PUBLISHES, HUB_SUBSCRIBES, "_INBOX.sin-h1-0.>")
        run(one_more_message(cluster))
        link.flush()
        assert taken == []
        assert CANARY.encode() not in link.heard


# At the ports

PORTS = {"client": NATS_CLIENT, "route": NATS_CLUSTER, "gateway": NATS_GATEWAY}


def stranger(folder):
    """Certificates of somebody else's authority, with the same names."""
    path = ROOT / "config" / "single.yaml"
    meridian("pki", "make", "--dir", folder, "--catalogue", path)
    return next(folder.glob("*-nats-1"))


def expired(cluster, folder, name, authority):
    """What the authority signed, and is over."""
    key, request = folder / "key.pem", folder / "request.pem"
    signer = cluster.pki / "authority" / authority
    subject = subprocess.check_output(
        ["openssl", "x509", "-noout", "-subject", "-nameopt", "compat"]
        + ["-in", cluster.pki / name / "certificate.pem"],
        text=True,
    ).split("=", 1)[1]
    for command in (
        ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
        ["req", "-new", "-key", key, "-subj", subject.strip(), "-out", request],
        ["x509", "-req", "-in", request, "-CA", f"{signer}.pem", "-CAkey", f"{signer}.key"]
        + ["-set_serial", "7", "-days", "-1", "-out", folder / "certificate.pem"],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return folder


def knock(host, port, credentials):
    """How the server's end of a handshake ends: "in", or why not."""
    try:
        with socket.create_connection((host, port), timeout=10) as link:
            if port != NATS_GATEWAY and port != NATS_CLUSTER:
                link.recv(65536)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if credentials:
                context.load_cert_chain(credentials / "certificate.pem", credentials / "key.pem")
            with context.wrap_socket(link) as link:
                link.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
                said = b""
                while b"PONG\r\n" not in said:
                    some = link.recv(65536)
                    if not some or b"-ERR" in some:
                        return f"closed: {some!r}"
                    said += some
                return "in"
    except (OSError, ssl.SSLError) as error:
        return f"refused: {error}"


@pytest.fixture(scope="module")
def shown(cluster):
    """Who shows what: a folder, or None for no certificate."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ("stranger", "client", "node"):
            (folder / name).mkdir()
        yield {
            "no certificate": None,
            "another authority": stranger(folder / "stranger"),
            "an expired certificate of an edge": expired(
                cluster, folder / "client", "sin-1", "clients"
            ),
            "an expired certificate of a node": expired(
                cluster, folder / "node", "sin-n1", "nodes"
            ),
            "another region's edge": cluster.pki / "iad-1",
            "another region's hub": cluster.pki / "iad-h1",
            "another region's node": cluster.pki / "iad-n1",
            "an edge": cluster.pki / "sin-1",
            "the operator": cluster.pki / "operator",
        }


MAY = {("client", "an edge"), ("client", "the operator")}


@pytest.mark.parametrize("port", ["client", "route"])
def test_only_who_belongs_there_gets_in(cluster, shown, port):
    host = cluster.bus_address("sin-n1")[0]
    for who, credentials in shown.items():
        outcome = knock(host, PORTS[port], credentials)
        assert (outcome == "in") == ((port, who) in MAY), f"{who} at {port}: {outcome}"


def test_no_client_gets_in_at_a_gateway(cluster, shown):
    host = cluster.bus_address("sin-n1")[0]
    for who, credentials in shown.items():
        if who != "another region's node":  # the gateway is for those
            outcome = knock(host, NATS_GATEWAY, credentials)
            assert outcome != "in", f"{who}: {outcome}"


@pytest.mark.parametrize("port", PORTS)
def test_nothing_gets_in_in_the_clear(cluster, port):
    with socket.create_connection((cluster.bus_address("sin-n1")[0], PORTS[port]), 10) as link:
        link.sendall(b'CONNECT {"verbose":false}\r\nSUB > 1\r\nPING\r\n')
        said = b""
        try:
            while some := link.recv(65536):
                said += some
        except ConnectionError:
            pass
        assert b"PONG" not in said and b"MSG" not in said


def test_the_cluster_is_whole_afterwards(cluster):
    def whole():
        state = json.loads(cluster.http("sin-n1", "/gatewayz")[2])
        return "iad" in state["outbound_gateways"]

    wait_for(whole, 20, "the gateways are there")
    talk_across(cluster, "afterwards")


def test_three_servers_of_a_region_find_each_other():
    with Cluster(regions=1, nodes=3, secure=True) as cluster:
        cluster.start_nats()

        def routed():
            return json.loads(cluster.http("sin-n1", "/routez")[2])["num_routes"] >= 2

        wait_for(routed, 20, "the servers have routes to each other")
