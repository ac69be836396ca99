"""The lab: real Meridian clusters for tests, on loopback addresses or in network namespaces.

    with Cluster(regions=3) as cluster:
        cluster.start()
        ...
        cluster.hubs["sin-h1"].kill()

Everything the lab starts is stopped by process id when the cluster is left, and its logs are
searched for sanitizer reports. Times here are bounds on waiting for a condition, never sleeps in
hope."""

from . import mmdb
from .balancer import Haproxy, Nginx
from .cluster import Cluster, LabError
from .client import Client, SendFailed
from .namespaces import Network
from .postgres import Postgres
from .record import Talk
from .wan import Wan

__all__ = [
    "Cluster",
    "Client",
    "Haproxy",
    "LabError",
    "Network",
    "Nginx",
    "Postgres",
    "SendFailed",
    "Talk",
    "Wan",
    "mmdb",
]
