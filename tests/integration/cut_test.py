"""Regions in network namespaces, cut apart and healed."""

import asyncio
import itertools
import time

import pytest

from lab import Client, Cluster, Network, Talk
from lab.promise import hold, hold_clean, tell
from lab.record import percentile

pytestmark = pytest.mark.namespaces


def test_a_cut_of_20_s_between_two_regions_delays_and_loses_nothing():
    with Network(["sin", "iad", "dub"]) as network, Cluster(
        regions=3, shards=2, network=network
    ) as cluster:
        cluster.start()

        async def scenario():
            clients = []
            for region in cluster.names:
                clients.append(
                    await Client(
                        cluster, f"cut-{region}", cluster.edge_names(region)
                    ).open_forever()
                )
            talk = Talk(clients)
            both = [(a.user, b.user) for a, b in itertools.permutations(clients, 2)]
            await talk.run(both, 10, 0.02)
            await talk.until_complete(10)
            usual = percentile(talk.accepted_ms(), 0.99)
            network.cut("sin", "dub")
            start = time.monotonic()
            across = [("cut-sin", "cut-dub"), ("cut-dub", "cut-sin")]
            await asyncio.sleep(1)
            slowest = []
            while time.monotonic() - start < 20:
                before = len(talk.accepted)
                await talk.run(both, 5, 0.1)
                slowest += [
                    talk.accepted[key] - talk.sent[key]
                    for key in list(talk.accepted)[before:]
                    if key[:2] in across
                ]
            waiting = len(talk.missing())
            network.heal()
            healed = time.monotonic()
            await talk.until_complete(50)
            caught_up = time.monotonic() - healed
            talk.assert_clean()
            print(
                f"\ncut of 20 s: {waiting} waited, accepted p50 {percentile(slowest, 0.5):.1f} ms"
            )
            tell("accepted before the cut, p99", usual, "ms", row="link")
            tell("accepted during the cut, p99", percentile(slowest, 0.99), "ms", row="link")
            hold("caught up after the heal", caught_up, 5, row="link")
            assert waiting > 0, "the cut cut nothing"
            assert percentile(slowest, 0.5) < 1000, "accepting waited for another region"
            await talk.run(both, 5, 0.02)
            await talk.until_complete(10)
            hold_clean(len(talk.accepted), *talk.judge(), rows=["link"])
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 150))


def test_a_roaming_user_whose_home_is_cut_off_can_send_and_is_attached_again_5_s_after_the_heal():
    with Network(["sin", "dub"]) as network, Cluster(
        regions=["sin", "dub"], shards=1, network=network
    ) as cluster:
        cluster.start()

        async def scenario():
            at_home = await Client(cluster, "roamer", "sin-1").open()
            assert at_home.welcome["home"] == "sin"
            await at_home.close()
            roamer = await Client(cluster, "roamer", "dub-1").open_forever()
            local = await Client(cluster, "local", "dub-1").open_forever()
            distant = await Client(cluster, "distant", "sin-1").open_forever()
            assert (roamer.welcome["home"], local.welcome["home"]) == ("sin", "dub")
            talk = Talk([roamer, local, distant])
            pairs = [(a.user, b.user) for a, b in itertools.permutations(talk.clients.values(), 2)]
            await talk.run(pairs, 5, 0.02)
            await talk.until_complete(10)
            network.cut("sin", "dub")
            cut = time.monotonic()
            await roamer.until(lambda c: c.home_state == "unreachable", 50, "told so")
            tell("\ntold after the cut", time.monotonic() - cut, "s", row="home")
            before = len(talk.accepted)
            await talk.run(pairs, 20, 0.2)
            took = [talk.accepted[key] - talk.sent[key] for key in list(talk.accepted)[before:]]
            tell("accepted during the cut, p99", percentile(took, 0.99), "ms", row="home")
            assert percentile(took, 0.5) < 1000, "accepting waited for another region"
            waiting = len(talk.missing())
            assert waiting > 0 and local.home_state == "reachable"
            network.heal()
            healed = time.monotonic()
            await roamer.until(lambda c: c.home_state == "reachable", 60, "told so")
            hold("attached again after the heal", time.monotonic() - healed, 5, row="home")
            await talk.until_complete(50)
            hold(f"all {waiting} there after the heal", time.monotonic() - healed, 5)
            assert roamer.reconnects == 0
            hold_clean(len(talk.accepted), *talk.judge(), rows=["home"])
            for client in talk.clients.values():
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 170))


def test_unknown_users_are_unsure_while_the_directory_cannot_be_asked():
    with Network(["sin", "dub"]) as network, Cluster(
        regions=["sin", "dub"], shards=1, network=network
    ) as cluster:
        cluster.start()

        async def scenario():
            client = await Client(cluster, "known", "sin-1").open_forever()
            await client.send("known", 1, "m1")
            network.isolate("sin")
            end = time.monotonic() + 20
            while True:  # for up to 5 s the mirror may still be believed
                client.frames.clear()
                await client.send_frame(
                    {"t": "send", "id": f"u{time.monotonic()}", "to": "nobody-yet", "body": 1}
                )
                await client.until(
                    lambda c: any(f["t"] in ("accepted", "rejected") for f in c.frames), 12
                )
                frame = next(f for f in client.frames if f["t"] in ("accepted", "rejected"))
                if frame["t"] == "rejected":
                    break
                assert time.monotonic() < end
            assert frame["code"] == "directory_unsure" and frame["retryable"] is True
            await client.send("known", 2, "m2")  # who is known is reached
            await client.until_messages(2)
            network.heal()
            await client.send_surely("nobody-yet", 3, "m3", timeout_s=40)
            await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 120))
