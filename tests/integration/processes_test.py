"""An edge of several processes: one port, a parent that starts them again, and to all others as many
edges, of one certificate."""

import asyncio
import os
import pathlib
import re
import signal

import pytest

from lab import Client, Cluster, Talk
from lab.breach import Breach
from lab.cluster import NATS_CLIENT
from lab.process import wait_for
from lab.promise import hold_clean, hold_p99

COUNT, CLIENTS = 4, 40
NAMES = {f"sin-1-p{i + 1}" for i in range(COUNT)}


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=1, processes=COUNT, secure=True) as it:
        yield it.start()


@pytest.fixture
def parent(cluster):
    return cluster.edges["sin-1"]


def processes(parent):
    """{name: id} of those that run, or should."""
    started = re.findall(r"a process is started process=(\S+) pid=(\d+)", parent.log())
    return {name: int(pid) for name, pid in started}  # the last of each name


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def violations(cluster):
    return sum(
        (cluster.folder / f"{name}.log").read_text().count("Violation") for name in cluster.nodes
    )


def run(scenario, timeout_s=160):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


def test_clients_of_a_killed_process_are_back_within_5_s_and_nothing_is_lost(cluster, parent):
    async def scenario():
        clients = [Client(cluster, f"crowd-{i}", "sin-1") for i in range(CLIENTS)]
        await asyncio.gather(*[client.open_forever() for client in clients])
        assert {client.welcome["edge"] for client in clients} == NAMES  # spread over all
        pairs = [(a.user, b.user) for a, b in zip(clients, clients[1:] + clients[:1])]
        talk = Talk(clients)
        running = asyncio.create_task(talk.run(pairs, 60, 0.05, timeout_s=60))
        await asyncio.sleep(1)
        before = processes(parent)
        hit = [client for client in clients if client.welcome["edge"] == "sin-1-p2"]
        os.kill(before["sin-1-p2"], signal.SIGKILL)
        await running
        await talk.until_complete(50)
        hold_clean(len(talk.accepted), *talk.judge(), rows=[])
        hold_p99("a process killed: back and resumed", [c.outages[0] for c in hit], 5)
        assert not any(client.outages for client in clients if client not in hit)
        await asyncio.gather(*[client.close() for client in clients])
        return before

    before = run(scenario())
    parent.wait_log(r"a process ended and is started again process=sin-1-p2 how=Killed code=9")
    cluster.wait_processes("sin-1")
    after = processes(parent)
    assert after.keys() == NAMES and after["sin-1-p2"] != before["sin-1-p2"]
    assert {**after, "sin-1-p2": 0} == {**before, "sin-1-p2": 0}


def test_each_is_an_edge_to_all_others_and_all_have_one_certificate(cluster):
    status = cluster.meridian("status", "--catalogue", cluster.catalogue)
    assert status.returncode == 0, status.stdout + status.stderr
    assert set(re.findall(r"^sin +(sin-1\S*) +\d+$", status.stdout, re.M)) == NAMES
    assert violations(cluster) == 0  # they may do all that they must
    with Breach(cluster.bus_address("sin-n1")[0], NATS_CLIENT, cluster.pki / "sin-1") as link:
        for name in NAMES:
            for subject in (f"edge.sin.{name}", f"pa.*.*.{name}.*", f"_INBOX.{name}.>"):
                assert b"-ERR" not in link.subscribe(subject), subject
            assert b"-ERR" not in link.publish(f"beat.edge.sin.{name}")
        for subject in ("edge.sin.sin-1", "edge.sin.sin-1-p5", "_INBOX.sin-1.>", "edge.sin.*"):
            assert b"-ERR" in link.subscribe(subject), subject
        assert b"-ERR" in link.publish("beat.edge.sin.sin-1-p5")


def test_signals_are_passed_on_and_one_that_ends_in_order_comes_again(cluster, parent):
    before = processes(parent)
    parent.signal(signal.SIGHUP)
    os.kill(before["sin-1-p3"], signal.SIGTERM)
    parent.wait_log(r"a process ended and is started again process=sin-1-p3 how=exit code=0")
    cluster.wait_processes("sin-1")
    after = processes(parent)
    assert {**after, "sin-1-p3": 0} == {**before, "sin-1-p3": 0}  # SIGHUP ended none
    assert all(lives(pid) for pid in after.values())
    assert parent.terminate() == 0
    assert not any(lives(pid) for pid in after.values())
    assert len(re.findall(r"sin-1-p\d: stopped", parent.log())) == COUNT + 1
    cluster.restart(parent)
    cluster.wait_processes("sin-1")


def test_a_parent_that_is_killed_takes_its_processes_along(cluster, parent):
    pids = processes(parent).values()
    parent.kill()
    wait_for(lambda: not any(lives(pid) for pid in pids), 10, "all have ended")
    cluster.restart(parent)
    cluster.wait_processes("sin-1")
