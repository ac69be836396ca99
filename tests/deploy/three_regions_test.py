"""Regions by scripts/rollout: two from nothing, a third one that joins, an upgrade, and back; all the
time somebody writes, and nothing is lost."""

import asyncio
import json
import shutil
import time

import pytest

from lab import Client, Talk
from lab.cluster import ROOT
from lab.hosts import Hosts
from lab.terraform import Deployment, next_release

pytestmark = [pytest.mark.hosts, pytest.mark.long, pytest.mark.timeout(1200)]
LAYOUT = {"sin": ["sin-a", "sin-b"], "iad": ["iad-a"], "dub": ["dub-a"]}
FIRST, LATER = ("sin", "dub"), ("sin-b",)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    names = [name for machines in LAYOUT.values() for name in machines]
    with Hosts(folder, names) as hosts:
        deployment = Deployment(folder, LAYOUT, hosts)
        for name in ("rollout", "lib.sh"):
            (folder / "scripts").mkdir(exist_ok=True)
            shutil.copy(ROOT / "scripts" / name, folder / "scripts")
        yield deployment


def rollout(world, *options, check=True):
    script = world.folder / "scripts/rollout"
    done = world.command(script, "--vars", world.variables, "--soak", "2", *options)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


class Visitor(Client):
    """A client with a token."""

    def __init__(self, world, user, edges):
        super().__init__(world, user, edges)
        self.headers["Authorization"] = f"Bearer {world.token(user)}"


def edges_of(world, region):
    return [edge for edge in world.edges if world.region_of[edge] == region]


async def talk_during(world, name, work=lambda: None, regions=tuple(LAYOUT)):
    """Users of that name write to each other, from region to region, until work(), in a thread, is
    done; nothing may be lost."""
    clients = [
        await Visitor(world, f"{name}-{region}", edges_of(world, region)).open_forever()
        for region in regions
    ]
    talk = Talk(clients)
    pairs = [(a.user, b.user) for a in clients for b in clients if a is not b]
    busy = asyncio.create_task(asyncio.to_thread(work))
    while True:
        await talk.run(pairs, 10, 0.05, timeout_s=120)
        if busy.done():
            break
    busy.result()
    await talk.until_complete(60)
    talk.assert_clean()
    for client in clients:
        await client.close()
    return talk, clients


def told(what, begun, talk, clients):
    outages = [outage for client in clients for outage in client.outages]
    print(
        f"{what}: {time.monotonic() - begun:.0f} s, {len(talk.accepted)} accepted, 0 lost, "
        f"longest outage of a client {max(outages, default=0):.2f} s"
    )
    return outages


def test_two_regions_come_up(world):
    world.write_catalogue(FIRST, without=LATER)
    begun = time.monotonic()
    done = rollout(world, "--nats-first", "--canary", "dub", *FIRST)
    print(f"two regions from nothing: {time.monotonic() - begun:.0f} s")
    assert done.stdout.rstrip().endswith("rollout: dub sin are up to date")
    talk, _ = asyncio.run(talk_during(world, "first", regions=FIRST))
    assert len(talk.accepted) >= 20


def test_another_machine_joins_and_nats_starts_again_for_its_edge(world):
    world.write_catalogue(FIRST)
    before = world.hosts["sin-a"].ssh("systemctl", "show", "-P", "MainPID", "meridian-nats").stdout
    assert int(before) > 0
    rollout(world, *FIRST)
    after = world.hosts["sin-a"].ssh("systemctl", "show", "-P", "MainPID", "meridian-nats").stdout
    assert after != before  # an account that comes by a reload gets nothing that it imports
    kept = world.hosts["sin-a"].ssh("cat", "/etc/meridian/nats.conf", check=True).stdout
    assert "CN=sin-2," in kept  # the new edge, which is ready: the rollout has asked it


def test_a_third_region_joins_under_load(world):
    world.write_catalogue(list(LAYOUT))
    begun = time.monotonic()
    work = lambda: rollout(world, "--nats-first", "--canary", "dub")  # noqa: E731
    told("a third region", begun, *asyncio.run(talk_during(world, "joined", work, FIRST)))
    talk, _ = asyncio.run(talk_during(world, "three"))
    assert len(talk.accepted) >= 60
    for region in LAYOUT:
        planned = world.plan(region)
        assert planned.returncode == 0, f"{region}: {planned.stdout}"


def versions(world):
    return {
        name: host.ssh("dpkg-query", "-W", "-f", "'${Version}'", "meridian-edge").stdout
        for name, host in world.hosts.hosts.items()
    }


def test_an_upgrade_under_load_loses_nothing(world):
    following = {
        name.replace("-", "_"): next_release(world.packages[name], world.folder)
        for name in ("meridian-edge", "meridian-hub")
    }
    world.use(**following)
    begun = time.monotonic()
    work = lambda: rollout(world, "--canary", "iad")  # noqa: E731
    talk, clients = asyncio.run(talk_during(world, "upgraded", work))
    outages = told("a new release of three regions", begun, talk, clients)
    assert all(version.startswith("1:") for version in versions(world).values())
    assert outages  # the clients did notice


def pids(world, unit):
    return {
        name: host.ssh("systemctl", "show", "-P", "MainPID", unit, check=True).stdout
        for name, host in world.hosts.hosts.items()
    }


def test_a_changed_catalogue_leaves_nats_alone(world):
    before = pids(world, "meridian-nats")
    edges = pids(world, "meridian-edge")
    text = world.catalogue.read_text()
    world.catalogue.write_text(
        text.replace("    place: Dublin\n", "    place: Dublin\n    weight: 50\n")
    )
    rollout(world, "dub")
    assert pids(world, "meridian-nats") == before
    changed = {name for name, pid in pids(world, "meridian-edge").items() if pid != edges[name]}
    assert changed == {"dub-a"}
    world.catalogue.write_text(text)
    rollout(world)


def test_a_rollout_stops_at_the_first_failure(world):
    before = versions(world)
    good = json.dumps(world.deployment)
    settings = world.folder / "bad-settings"
    settings.mkdir()
    for file in (world.folder / "settings").iterdir():
        shutil.copy(file, settings)
    (settings / "edge.yaml").write_text((settings / "edge.yaml").read_text() + "nonsense: 1\n")
    world.deployment["settings"]["edge"] = str(settings)
    world.write()
    try:
        done = rollout(world, "--canary", "iad", check=False)
        assert done.returncode == 1
        assert "rollout: stopped at iad. Up to date: none. As they were: dub sin." in done.stdout
        assert "nonsense" in done.stdout + done.stderr
        assert versions(world) == before
    finally:
        world.deployment = json.loads(good)
        world.write()
    rollout(world)
    asyncio.run(talk_during(world, "last"))


def test_destroy_leaves_nothing(world):
    for region in LAYOUT:
        world.destroy(region)
        assert world.terraform(region, "state", "list").stdout == ""
    for host in world.hosts.hosts.values():
        left = host.ssh("ls -d /etc/meridian /var/lib/meridian*; dpkg-query -W 'meridian*'").stdout
        assert "meridian" not in left, left
