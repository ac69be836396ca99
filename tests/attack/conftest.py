"""Attacks on one edge of one cluster, whose bounds are a tenth of the defaults in short runs."""

import pytest

from lab import Cluster
from lab.bystanders import Bystanders
from lab.certificates import make_certificate

EDGE = "sin-1"
SHORT = {
    "times.request": "2s",
    "times.hello_timeout": "2s",
    "times.progress": "2s",
    "limits.unfinished_max": 200,
    "limits.strangers_max": 200,
    "limits.handshakes_per_s": 200,
    "limits.handshakes_burst": 400,
    "tls.handshake_timeout": "2s",
    "tls.handshakes_max": 200,
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, full):
    folder = tmp_path_factory.mktemp("attack")
    make_certificate(folder, "one")
    with Cluster(regions=1, shards=2) as cluster:
        edge = cluster.edges[EDGE]
        host = cluster.url[EDGE].removeprefix("http://").rsplit(":", 1)[0]
        cluster.tls_at = (host, 8443)
        settings = {
            "tls.listen": f"{host}:8443",
            "tls.certificate": folder / "edge.pem",
            "tls.key": folder / "edge.key",
            **({} if full else SHORT),
        }
        edge.command += cluster._sets(settings)
        # What is freed is to be free, or nothing can be said of memory.
        edge.environment["ASAN_OPTIONS"] = "abort_on_error=0:exitcode=99:quarantine_size_mb=1"
        yield cluster.start()


@pytest.fixture
def edge_at(cluster):
    """(host, port) of the edge under attack."""
    host, port = cluster.url[EDGE].removeprefix("http://").rsplit(":", 1)
    return host, int(port)


@pytest.fixture
def healthy(cluster, full):
    """Bystanders, who are looked at when the test is over."""
    with Bystanders(cluster, EDGE, full) as healthy:
        yield healthy
