"""kill -9 of a hub, an edge and a NATS server in turn, while messages flow among three regions."""

import itertools
import time

import pytest

from lab import Cluster
from lab.promise import hold, hold_p99
from lab.record import percentile
from lab.talk_tool import TalkTool, longest_silences

USERS = 60
RATE = 500  # messages/s, over 300 pairs of users
PROMISED_S = 5  # of a hub and an edge
# The only server of its region keeps everything waiting until it runs again: nothing is promised.
WORST_S = 50
SETTLE_S = 1  # between two kills; a silence that begins in it is laid to the next one


def victims(cluster):
    """(kind, process, how long it stays dead), for ever: each kind in turn, in another region each
    time. Sooner or later than another hub takes over, which is after 2.5 s."""
    for turn in itertools.count():
        kind = ("hub", "edge", "node")[turn % 3]
        region = cluster.names[(turn + turn // 3) % len(cluster.names)]
        named = {
            "hub": cluster.hub_names(region),
            "edge": cluster.edge_names(region),
            "node": [f"{region}-n1"],
        }[kind]
        process = (cluster.hubs | cluster.edges | cluster.nodes)[named[turn // 3 % len(named)]]
        yield kind, process, 4 if kind == "hub" and turn // 3 % 2 == 0 else 1


def kill_in_turn(cluster, until):
    """Kills, starts again, waits until it is ready, and goes on to the next."""
    kills = []
    for kind, process, dead_s in victims(cluster):
        if time.monotonic() > until:
            return kills
        kills.append((kind, process.name, time.monotonic()))
        process.kill()
        time.sleep(dead_s)
        process.start()
        region = cluster.region_of[process.name]
        cluster.wait_http(process.name, "/healthz" if kind == "node" else "/readyz", 40)
        if kind == "node":
            cluster.wait_ready(
                *cluster.hub_names(region), *cluster.edge_names(region), timeout_s=40
            )
        time.sleep(SETTLE_S)


def tell(kills, talk, end):
    """Prints, for each kill, how long a sender had nothing accepted, and how long what was sent
    after it took to be delivered; holds the promises."""
    accepted, took_s, sent = {}, {"a": [], "d": []}, []
    for kind, user, when, since in talk.events():
        took_s[kind].append(since)
        if kind == "a":
            accepted.setdefault(user, []).append(when)
        else:
            sent.append((when - since, since))
    for what, kind in (("accepted", "a"), ("delivered", "d")):
        print(
            f"{what}: p50 {1000 * percentile(took_s[kind], 0.5):.1f} ms p99 "
            f"{1000 * percentile(took_s[kind], 0.99):.1f} ms longest {max(took_s[kind]):.2f} s"
        )
    ends = [when for _, _, when in kills[1:]] + [end]
    for (kind, name, when), until in zip(kills, ends):
        silences = longest_silences(accepted, when, until - SETTLE_S / 2)
        delays = [since for at, since in sent if when <= at < until]
        if kind == "node":
            print(
                f"node {name} killed, its region's only one: nothing accepted for "
                f"{max(silences):.1f} s, delivered after at most {max(delays):.1f} s"
            )
        else:
            hold_p99(f"{kind} {name} killed: nothing accepted for", silences, PROMISED_S)
            hold_p99(f"{kind} {name} killed: delivered after", delays, PROMISED_S)
        assert max(silences + delays) < WORST_S


@pytest.mark.timeout(600)
def test_kills_in_turn_lose_repeat_and_disorder_nothing(full):
    duration_s = 240 if full else 60
    with Cluster(regions=3, shards=2, hubs=2, edges=2) as cluster:
        cluster.start()
        with TalkTool(cluster, USERS, RATE, duration_s) as talk:
            start = time.monotonic()
            time.sleep(2)
            kills = kill_in_turn(cluster, start + duration_s - 8)
            said = talk.finish(duration_s + 90)
        print(
            f"\n{len(kills)} kills in {duration_s} s at {said['rate']:.0f} messages/s: "
            f"{said['accepted']} accepted, {said['lost']} lost, {said['repeated']} repeated, "
            f"{said['disordered']} out of order (promise 0, 0, 0)"
        )
        tell(kills, talk, start + duration_s)
        hold("all there after the last", said["complete_s"], PROMISED_S)
        assert (said["lost"], said["repeated"], said["disordered"]) == (0, 0, 0)
        assert not said["unanswered"] and said["accepted"] == said["due"]
        assert {kind for kind, *_ in kills} == {"hub", "edge", "node"}
