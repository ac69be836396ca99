"""The database, disks, views."""

from .table import Fault, nemesis, pick


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
    hub = pick(rng, chaos.cluster.hubs)
    hub.kill()
    views = sorted((chaos.cluster.folder / "data" / hub.name).glob("*"))
    for path in views:
        if path.is_file():
            path.unlink()
    return Fault(f"the views of {hub.name}", lambda: chaos.start(hub))


@nemesis("view-damaged", (1, 3))
def _view_damaged(chaos, rng):
    """Some pages of a view are overwritten while its hub is down."""
    hub = pick(rng, chaos.cluster.hubs)
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


@nemesis("node-disk-full", (3, 8), needs="disk", long=True)
def _node_disk_full(chaos, rng):
    """The disk of a NATS server, whose JetStream gives up: it needs room, and a restart."""
    name = rng.choice(sorted(chaos.node_disks))
    disk, node = chaos.node_disks[name], chaos.cluster.nodes[name]
    disk.fill(64 << 10)

    def heal():
        disk.make_room()
        if node.alive():
            node.terminate(40)
        chaos.start(node)

    return Fault(f"the disk of {name}", heal)


@nemesis("postgres-locked", (4, 12))
def _postgres_locked(chaos, _):
    """Somebody holds a lock on the archive's table, as a migration may."""
    lock = chaos.postgres.hold("LOCK TABLE meridian.messages IN ACCESS EXCLUSIVE MODE")
    return Fault("the archive's table", lock.release)


@nemesis("postgres-slow", (5, 15))
def _postgres_slow(chaos, rng):
    """Every statement that writes messages takes its time."""
    each_s = rng.choice([0.2, 1, 3])
    chaos.postgres.ask(
        "CREATE FUNCTION public.be_slow() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_sleep({each_s}); RETURN NULL; END $$;"
        "CREATE TRIGGER be_slow AFTER INSERT ON meridian.messages "
        "FOR EACH STATEMENT EXECUTE FUNCTION public.be_slow()"
    )

    def heal():
        chaos.postgres.ask("DROP FUNCTION public.be_slow() CASCADE")

    return Fault(f"PostgreSQL: {each_s} s for each write", heal)
