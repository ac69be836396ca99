"""What is done to a lab of regions, one table row each: how it begins, and how it ends.

A nemesis is a function of the chaos (see run.py) and a random generator. It does the harm at once
and returns a Fault, whose heal() undoes it. Only the main thread calls them: processes die with the
thread that started them."""

import dataclasses
import time
import typing


@dataclasses.dataclass
class Fault:
    what: str  # in words: who is hit
    heal: typing.Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Nemesis:
    name: str
    begin: typing.Callable
    lasts_s: tuple  # from, to
    weight: int = 1
    needs: str = ""  # "disk": where there is none, it is left out


NEMESES = {}


def nemesis(name, lasts_s, **more):
    def register(begin):
        NEMESES[name] = Nemesis(name, begin, lasts_s, **more)
        return begin

    return register


def _pick(rng, processes):
    return processes[rng.choice(sorted(processes))]


def _other_pair(chaos, rng):
    return rng.sample(sorted(chaos.cluster.names), 2)


# Processes


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
        return HARMS[harm](chaos, _pick(rng, getattr(chaos.cluster, f"{kind}s")))

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


# The network


@nemesis("isolate", (4, 20), weight=3)
def _isolate(chaos, rng):
    region = rng.choice(chaos.cluster.names)
    chaos.network.isolate(region)
    return Fault(f"{region} from all others", chaos.network.heal)


@nemesis("cut", (4, 20), weight=2)
def _cut(chaos, rng):
    one, other = _other_pair(chaos, rng)
    chaos.network.cut(one, other)
    return Fault(f"{one} from {other}", chaos.network.heal)


@nemesis("cut-one-way", (4, 15), weight=2)
def _cut_one_way(chaos, rng):
    one, other = _other_pair(chaos, rng)
    chaos.network.cut_one_way(one, other)
    return Fault(f"what {one} says to {other}", chaos.network.heal)


@nemesis("flap", (6, 15))
def _flap(chaos, rng):
    """A link that goes and comes several times a second or two."""
    one, other = _other_pair(chaos, rng)
    for _ in range(rng.randint(3, 6)):
        chaos.network.cut(one, other)
        time.sleep(rng.uniform(0.2, 1.5))
        chaos.network.heal()
        time.sleep(rng.uniform(0.2, 1.5))
    return Fault(f"the link of {one} and {other}", chaos.network.heal)


@nemesis("slow-link", (5, 15), weight=2)
def _slow_link(chaos, rng):
    one, other = _other_pair(chaos, rng)
    delay_ms, jitter_ms = rng.randint(200, 800), rng.randint(0, 100)
    undo = chaos.shape(one, other, f"delay {delay_ms}ms jitter {jitter_ms}ms")
    return Fault(f"{one} and {other}: {delay_ms} ms, jitter {jitter_ms} ms", undo)


@nemesis("lossy-link", (5, 15), weight=2)
def _lossy_link(chaos, rng):
    one, other = _other_pair(chaos, rng)
    loss = rng.choice([1, 2, 5])
    undo = chaos.shape(one, other, f"loss {loss}% reorder {rng.choice([0, 1])}%")
    return Fault(f"{one} and {other}: {loss} % lost", undo)


# The database, disks, views


@nemesis("postgres-stop", (5, 20))
def _postgres_stop(chaos, _):
    chaos.postgres.stop()
    return Fault("PostgreSQL", chaos.postgres.start)


@nemesis("postgres-pause", (4, 12))
def _postgres_pause(chaos, _):
    process = chaos.postgres.process
    process.pause()
    return Fault("PostgreSQL, paused", process.resume)


@nemesis("view-lost", (1, 3))
def _view_lost(chaos, rng):
    """A hub loses its views, as with a new machine: it makes them anew from the logs."""
    hub = _pick(rng, chaos.cluster.hubs)
    hub.kill()
    views = sorted((chaos.cluster.folder / "data" / hub.name).glob("*"))
    for path in views:
        if path.is_file():
            path.unlink()
    return Fault(f"the views of {hub.name}", lambda: chaos.start(hub))


@nemesis("view-damaged", (1, 3))
def _view_damaged(chaos, rng):
    """Some pages of a view are overwritten while its hub is down."""
    hub = _pick(rng, chaos.cluster.hubs)
    hub.kill()
    views = sorted((chaos.cluster.folder / "data" / hub.name).glob("*.view"))
    for view in views[:1]:
        size = view.stat().st_size
        with open(view, "r+b") as file:
            for _ in range(4):
                file.seek(rng.randrange(0, max(1, size - 4096)))
                file.write(rng.randbytes(512))
    return Fault(f"a view of {hub.name}", lambda: chaos.start(hub))


@nemesis("disk-full", (3, 8), needs="disk")
def _disk_full(chaos, rng):
    name = rng.choice(sorted(chaos.disks))
    disk = chaos.disks[name]
    disk.fill(200 << 10)

    def heal():
        disk.make_room()
        chaos.wait_up(chaos.cluster.region_of[name])

    return Fault(f"the disk of {name}", heal)
