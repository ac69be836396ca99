"""What an operator sees: `meridian status`, and GET /status of a hub."""

import json
import time

import pytest

from lab import Cluster
from lab.process import wait_for

STATUS_MAX_S = 10  # it listens for 2.5 s; the rest is for a slow machine


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=2, shards=2, hubs=2) as cluster:
        cluster.start()
        yield cluster


def status(cluster):
    start = time.monotonic()
    result = cluster.meridian("status", "--catalogue", cluster.catalogue)
    assert time.monotonic() - start < STATUS_MAX_S
    return result


def test_all_is_well(cluster):
    result = status(cluster)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "no alarms" in result.stdout
    for region in cluster.names:
        for shard in range(2):
            assert any(
                line.split()[:2] == [region, str(shard)] and f"{region}-h" in line.split()[2]
                for line in result.stdout.splitlines()
            )


def test_a_hub_tells_its_status_as_json(cluster):
    code, headers, body = cluster.http("sin-h1", "/status")
    told = json.loads(body)
    assert code == 200 and headers["Content-Type"] == "application/json"
    assert (told["hub"], told["region"]) == ("sin-h1", "sin")
    assert told["level"] == told["shards"][0]["log_level"] >= 1
    assert [shard["shard"] for shard in told["shards"]] == [0, 1]
    for shard in told["shards"]:
        assert shard["state"] in ("serving", "watching") and shard["ready"]
        assert shard["position"] > 0 and shard["alarms"] == []


def test_a_hub_that_is_killed_is_missed(cluster):
    cluster.hubs["iad-h2"].kill()
    result = status(cluster)
    assert result.returncode == 1
    assert "h2: is not heard" in result.stdout
    cluster.restart(cluster.hubs["iad-h2"])
    wait_for(lambda: status(cluster).returncode == 0, 30, "all is heard again")


def test_a_region_that_is_down_is_told(cluster):
    """The first region of the catalogue does not answer: the second is asked, in bounded time."""
    cluster.nodes["sin-n1"].kill()
    result = status(cluster)
    assert result.returncode == 1
    assert "region sin: no hub is heard" in result.stdout
    assert "sin" in result.stdout and "no owner is heard" in result.stdout
    cluster.restart(cluster.nodes["sin-n1"])
    cluster.wait_ready(*cluster.hub_names("sin"))
    wait_for(lambda: status(cluster).returncode == 0, 60, "all is heard again")
