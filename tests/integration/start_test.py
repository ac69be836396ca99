"""Starting: NATS that is not there yet, catalogues that are wrong, settings that are wrong."""

import asyncio
import json
import subprocess

import pytest

from lab import Client, Cluster, SendFailed
from lab.bus import BusLink
from lab.cluster import BUILD


def test_an_edge_without_nats_is_up_says_why_it_is_not_ready_and_serves_when_nats_comes():
    with Cluster(regions=1, shards=1) as cluster:
        for process in [*cluster.hubs.values(), *cluster.edges.values()]:
            process.start()
        cluster.wait_http("sin-1", "/healthz", 15)
        status, _, body = cluster.http("sin-1", "/readyz")
        assert status == 503 and "NATS" in body.decode()
        cluster.start_nats()
        cluster.provision()
        cluster.wait_ready("sin-h1", "sin-1", timeout_s=30)

        async def scenario():
            client = await Client(cluster, "early", "sin-1").open()
            await client.send("early", 1, "m")
            await client.until_messages(1)
            await client.close()

        asyncio.run(scenario())


def test_provisioning_twice_changes_nothing_and_drift_is_named():
    with Cluster(regions=1, shards=2) as cluster:
        cluster.start_nats()
        cluster.provision()
        before = streams(cluster)
        again = cluster.provision()
        assert streams(cluster) == before
        assert again.returncode == 0
        # Somebody changes a stream behind our back.
        name = "LOG_sin_0"
        config = next(s["config"] for s in raw_streams(cluster) if s["config"]["name"] == name)
        config["max_bytes"] = config["max_bytes"] // 2
        with BusLink(cluster, "sin-n1") as link:
            link.request(f"$JS.API.STREAM.UPDATE.{name}", json.dumps(config).encode())
        drift = cluster.provision("--check", check=False)
        assert drift.returncode != 0
        said = drift.stdout + drift.stderr
        assert name in said and "max_bytes" in said
        drift = cluster.provision(check=False)
        assert drift.returncode != 0 and "max_bytes" in drift.stdout + drift.stderr


def test_another_retention_is_followed_by_logs_and_checkpoints():
    with Cluster(regions=1, shards=1) as cluster:
        cluster.start_nats()
        cluster.provision()

        def ages():
            return {
                s["config"]["name"]: s["config"]["max_age"] // 10**9 // 86400
                for s in raw_streams(cluster)
            }

        assert (ages()["LOG_sin_0"], ages()["CKPT_sin"]) == (9, 15)
        text = cluster.catalogue.read_text()
        cluster.catalogue.write_text(f"retention_d: 3\n{text}")
        assert cluster.provision("--check", check=False).returncode != 0
        assert (ages()["LOG_sin_0"], ages()["CKPT_sin"]) == (9, 15)
        cluster.provision()
        assert (ages()["LOG_sin_0"], ages()["CKPT_sin"]) == (5, 11)
        cluster.provision("--check")


def raw_streams(cluster):
    _, _, body = cluster.http("sin-n1", "/jsz?streams=true&config=true")
    account = json.loads(body)["account_details"][0]
    return account["stream_detail"]


def streams(cluster):
    return sorted(
        (s["name"], s["state"]["messages"], s["state"]["last_seq"], s["created"])
        for s in raw_streams(cluster)
    )


def change(text, old, new):
    assert old in text
    return text.replace(old, new)


BAD_CATALOGUES = [
    ("a region twice", lambda t: change(t, "name: iad", "name: sin"), "sin"),
    (
        "a region without an edge",
        lambda t: change(t, "    edges:\n      - name: iad-1", "    edgez:\n      - name: iad-1"),
        "edgez",
    ),
    ("an unknown primary", lambda t: change(t, "primary: iad", "primary: nowhere"), "nowhere"),
    ("an alias", lambda t: change(t, "primary: iad", "primary: &a iad"), "anchor"),
    ("a process name twice", lambda t: change(t, "name: iad-h1", "name: sin-h1"), "sin-h1"),
    ("a bad number", lambda t: change(t, "latitude: 39.04", "latitude: 139.04"), "latitude"),
]


@pytest.mark.parametrize(
    "what,mutate,named", BAD_CATALOGUES, ids=[row[0] for row in BAD_CATALOGUES]
)
def test_a_wrong_catalogue_is_refused_with_file_line_and_rule(tmp_path, what, mutate, named):
    with Cluster(regions=2, shards=1) as cluster:
        text = mutate(cluster.catalogue.read_text())
    path = tmp_path / "regions.yaml"
    path.write_text(text)
    for command in (
        ["meridian-edge", "--region", "sin", "--name", "sin-1"],
        ["meridian-hub", "--region", "sin", "--name", "sin-h1", "--data", tmp_path],
    ):
        done = subprocess.run(
            [BUILD / "bin" / command[0], "--catalogue", path, "--check-config", *command[1:]],
            capture_output=True,
            text=True,
            timeout=10,
        )
        assert done.returncode != 0
        assert f"{path}:" in done.stderr and named in done.stderr, done.stderr


def test_trust_is_refused_beyond_loopback(tmp_path):
    with Cluster(regions=1, shards=1) as cluster:
        done = subprocess.run(
            [
                BUILD / "bin" / "meridian-edge",
                "--catalogue",
                cluster.catalogue,
                "--region",
                "sin",
                "--name",
                "sin-1",
                "--set",
                "listen=0.0.0.0:18999",
            ],
            capture_output=True,
            text=True,
            timeout=10,
        )
    assert done.returncode != 0 and "loopback" in done.stderr


def test_every_node_syncs_before_it_acknowledges():
    with Cluster(regions=3, shards=1) as cluster:
        cluster.start_nats()
        for name in cluster.nodes:
            _, _, body = cluster.http(name, "/jsz?config=true")
            assert json.loads(body)["config"]["sync_always"] is True, name


def test_an_unknown_recipient_is_rejected_where_nobody_is_adopted():
    with Cluster(regions=1, shards=1, catalogue={"unknown_recipients": "reject"}) as cluster:
        cluster.start()

        async def scenario():
            client = await Client(cluster, "somebody", "sin-1").open()
            # Until the directory is known to be current, the answer is "unsure".
            with pytest.raises(SendFailed) as failed:
                await client.send_surely("nobody", 1, "m1", timeout_s=20)
            assert failed.value.code == "unknown_recipient"
            assert failed.value.frame["retryable"] is False
            done = cluster.meridian(
                "directory", "set", "nobody", "sin", "--catalogue", cluster.catalogue
            )
            assert done.returncode == 0, done.stderr
            await asyncio.sleep(2)  # "unknown" is believed for so long
            await client.send_surely("nobody", 1, "m2", timeout_s=20)
            await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 60))
