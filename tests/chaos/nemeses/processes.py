"""One process, all of a kind, one after the other; and connections."""

from .table import Fault, nemesis, pick


def _killed(chaos, process):
    process.kill()
    return Fault(process.name, lambda: chaos.start(process))


def _paused(chaos, process):
    process.pause()

    def heal():
        if process.alive():
            process.resume()

    return Fault(process.name, heal)


def _restarted(chaos, process):
    process.terminate(40)
    chaos.start(process)
    return Fault(process.name, lambda: None)


HARMS = {"kill": _killed, "pause": _paused, "restart": _restarted}


def _of_one(kind, harm):
    def begin(chaos, rng):
        return HARMS[harm](chaos, pick(rng, getattr(chaos.cluster, f"{kind}s")))

    return begin


for _kind, _harm, _lasts_s, _weight in (
    ("hub", "kill", (1, 6), 3),
    ("hub", "pause", (3, 12), 2),
    ("hub", "restart", (0, 1), 1),
    ("edge", "kill", (1, 4), 2),
    ("edge", "pause", (3, 12), 1),
    ("edge", "restart", (0, 1), 1),
    ("node", "kill", (2, 8), 2),
    ("node", "pause", (3, 10), 1),
    ("node", "restart", (0, 1), 1),
):
    nemesis(f"{_kind}-{_harm}", _lasts_s, weight=_weight)(_of_one(_kind, _harm))


@nemesis("region-nodes-kill", (2, 6))
def _region_nodes_kill(chaos, rng):
    """All NATS servers of a region at once: what they acknowledged must be on their disks."""
    region = rng.choice(chaos.cluster.names)
    nodes = [node for name, node in sorted(chaos.cluster.nodes.items())
             if chaos.cluster.region_of[name] == region]  # fmt: skip
    for node in nodes:
        node.kill()

    def heal():
        for node in nodes:
            node.start()
        chaos.wait_up(region)

    return Fault(f"all NATS servers of {region}", heal)


@nemesis("rolling-restart", (0, 1))
def _rolling_restart(chaos, rng):
    """Every hub and edge of a region, one after the other."""
    region = rng.choice(chaos.cluster.names)
    for names, processes in (
        (chaos.cluster.hub_names(region), chaos.cluster.hubs),
        (chaos.cluster.edge_names(region), chaos.cluster.edges),
    ):
        for name in names:
            processes[name].terminate(40)
            chaos.start(processes[name])
    return Fault(f"every hub and edge of {region}", lambda: None)


@nemesis("reconnect-storm", (0, 1))
def _reconnect_storm(chaos, rng):
    """Every connection of a region ends at once, and comes back."""
    region = rng.choice(chaos.cluster.names)
    count = chaos.workload.drop_connections(region)
    return Fault(f"{count} connections of {region}", lambda: None)
