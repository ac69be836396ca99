"""Users get another home region, one and many, while messages flow to them: nothing is lost, nothing
comes twice, and a hub that is killed in the middle of it changes neither."""

import asyncio
import itertools
import random
import time

import pytest

from lab import Client, Cluster, Talk, Wan
from lab.cluster import REGIONS
from lab.moves import FREEZE, FROZEN, NOT_FROZEN, ask_move, frozen_at
from lab.promise import hold
from lab.record import percentile

AWAY_S = 5  # of any user that moves


def move(cluster, *arguments):
    return cluster.meridian("move", "--catalogue", cluster.catalogue, *arguments)


def home_of(cluster, user):
    done = cluster.meridian("directory", "get", "--catalogue", cluster.catalogue, user)
    return done.stdout.split()[:2]


def assert_no_hole(client):
    """The cursors rise by one, in one epoch."""
    cursors = [frame["cursor"] for frame in client.frames if frame["t"] in ("msg", "receipt")]
    expected = [f"1:{seq}" for seq in range(1, len(cursors) + 1)]
    assert cursors == expected, [pair for pair in zip(cursors, expected) if pair[0] != pair[1]][:5]


def longest_wait(talk, user, first=0):
    """The longest time between two messages to the user, from the one numbered `first` on."""
    times = [when / 1000 for _, _, when, _ in talk.received[user]][first:]
    return max(b - a for a, b in itertools.pairwise(times))


def away_times(cluster, clients, region):
    """For each client: seconds from its mailbox being frozen to `moved`, which it is told when it is
    attached at its new home."""
    frozen = frozen_at(cluster, region)
    return [client.moved[-1][1] - frozen[client.user] for client in clients]


async def close(clients):
    await asyncio.gather(*[client.close() for client in clients])


def test_a_user_moves_with_its_mailbox_while_messages_flow_to_it():
    with Cluster(regions=2, shards=2) as cluster:
        cluster.start()

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open_forever()
            alice = await Client(cluster, "alice", "iad-1").open_forever()
            carol = await Client(cluster, "carol", "sin-1").open_forever()
            talk = Talk([bob, alice, carol])
            pairs = [("alice", "bob"), ("carol", "bob")]
            await talk.run(pairs, 150, 0)
            await talk.until_complete(20)
            tablet = await Client(cluster, "bob", "sin-1", device="tab", auto_ack=False).open()
            await tablet.until(lambda c: len(c.messages) >= 100, 10, "100 messages")
            await tablet.ack("1:100")
            await tablet.until(lambda c: c.confirmed == "1:100", 10, "the ack is kept")
            await tablet.close()

            wants = ["stored", "delivered", "read"]
            await alice.send_surely("bob", {"n": -1}, "wanted", want=wants)
            await bob.send_surely("alice", {"n": -1}, "answer", want=["stored"])
            await bob.until(lambda c: c.receipts and len(c.messages) == 301, 10, "a receipt")
            await alice.until(lambda c: len(c.receipts) == 2, 10, "stored, delivered")

            flowing = asyncio.create_task(talk.run(pairs, 100, 0.05))
            await asyncio.sleep(1.5)
            done = await asyncio.to_thread(move, cluster, "bob", "iad")
            assert (done.returncode, done.stdout) == (0, "bob is at home in iad\n"), done
            await flowing
            await talk.until_complete(20)
            lost, repeated, _ = talk.judge()
            assert (lost, repeated) == ([], [])
            assert_no_hole(bob)
            assert bob.reconnects == 0 and len(bob.messages) == 501
            assert [f for f in bob.frames if f["t"] == "moved"] == [
                {"t": "moved", "home": "iad", "epoch": 1}
            ]
            hold("\na user moves: away for", max(away_times(cluster, [bob], "sin")), AWAY_S)
            hold("nothing came for", longest_wait(talk, "bob", 300), AWAY_S)
            assert home_of(cluster, "bob") == ["iad", "1"]
            done = await asyncio.to_thread(move, cluster, "bob", "iad")
            assert (done.returncode, done.stdout) == (0, "bob is at home in iad already\n")

            tablet = await Client(cluster, "bob", "sin-1", device="tab").open()
            assert tablet.welcome["home"] == "iad" and tablet.welcome["resumed"]
            await tablet.until(lambda c: len(c.messages) == 401, 10, "the rest")
            assert tablet.messages[0]["cursor"] == "1:101" and len(tablet.receipts) == 1
            await bob.until(lambda c: c.confirmed == "1:502", 10, "the last ack is kept")

            # What was delivered is told once, and what is read is told by the new home.
            await bob.has_read("alice", "1:502")
            await alice.until(lambda c: len(c.receipts) == 3, 10, "read")
            kinds = [receipt["kind"] for receipt in alice.receipts]
            assert kinds == ["stored", "delivered", "read"]
            assert all(receipt["ids"] == ["wanted"] for receipt in alice.receipts)
            await close([bob, alice, carol, tablet])

        asyncio.run(asyncio.wait_for(scenario(), 120))


def test_what_cannot_move_is_refused_with_the_reason_and_a_move_can_be_given_up():
    with Cluster(regions=3, shards=1) as cluster:
        cluster.start()

        def refused(code, why, *arguments):
            done = move(cluster, *arguments)
            assert done.returncode == code and why in done.stderr, done

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open_forever()
            alice = await Client(cluster, "alice", "dub-1").open_forever()
            talk = Talk([bob, alice])
            await talk.run([("alice", "bob")], 20, 0)
            await talk.until_complete(20)
            refused(2, "the catalogue has no region 'xyz'", "bob", "xyz")
            refused(2, "meridian move USER REGION", "bob")
            refused(2, "--parallel is 1 to 1024", "--parallel", "0", "--users", "-", "iad")
            refused(2, "cannot read", "--users", cluster.folder / "none", "iad")
            refused(1, "nobody: nobody has seen this user yet", "nobody", "iad")
            done = move(cluster, "bob", "sin")
            assert (done.returncode, done.stdout) == (0, "bob is at home in sin already\n")
            done = move(cluster, "--dry-run", "bob", "iad")
            assert (done.returncode, done.stdout) == (0, "bob would move from sin to iad\n"), done
            assert home_of(cluster, "bob") == ["sin", "1"]
            done = move(cluster, "--abort", "bob")
            assert "bob does not move" in done.stdout and done.returncode == 0

            # A new home that has frozen bob and says no more.
            code, number, _ = ask_move(cluster, FREEZE, "bob", "sin", "iad")
            assert code == FROZEN
            refused(1, "bob: it moves to iad already", "bob", "dub")
            sending = asyncio.create_task(talk.run([("alice", "bob")], 10, 0))
            await sending  # accepted; held
            await asyncio.sleep(0.5)
            assert len(bob.messages) == 20
            done = move(cluster, "--abort", "bob")
            assert done.returncode == 0 and "was given up: the user stays in sin" in done.stdout
            await talk.until_complete(20)
            talk.assert_clean()
            assert_no_hole(bob)
            assert ask_move(cluster, FREEZE, "bob", "sin", "iad", move=number)[0] == NOT_FROZEN
            assert home_of(cluster, "bob") == ["sin", "1"] and bob.moved == []

            users = cluster.folder / "users"
            users.write_text("alice\r\n\nbob\nnobody\n" + 200 * "x" + "\n")
            done = move(cluster, "--users", users, "dub")
            assert done.returncode == 1 and "nobody: nobody has seen" in done.stderr
            assert "this is no user id" in done.stderr
            assert done.stdout == "1 moved, 1 were there already, 2 not\n", done
            await talk.run([("alice", "bob")], 10, 0)
            await talk.until_complete(20)
            talk.assert_clean()
            assert_no_hole(bob)
            await close([bob, alice])

        asyncio.run(asyncio.wait_for(scenario(), 120))


async def crowd_of(cluster, count, edges):
    clients = [Client(cluster, f"crowd-{i}", edges) for i in range(count)]
    for some in in_tens(clients):
        await asyncio.gather(*[client.open_forever() for client in some])
    return clients


def in_tens(items):
    return [items[i : i + 10] for i in range(0, len(items), 10)]


async def fill(sender, crowd, count, size):
    """Gives each of them `count` messages of some size, fifty at a time."""
    sends = [
        (client.user, {"n": -number, "fill": size * "x"}, f"{client.user}-{number}")
        for number in range(1, count + 1)
        for client in crowd
    ]
    for at in range(0, len(sends), 50):
        await asyncio.gather(*[sender.send_surely(*send) for send in sends[at : at + 50]])


async def flow(talk, senders, crowd, rate, stop):
    """Sends to the crowd in turn, `rate` messages a second, until `stop` is set."""
    receivers = itertools.cycle([client.user for client in crowd])
    due = time.monotonic()
    sending = set()
    for turn in itertools.count():
        if stop.is_set():
            break
        pair = (senders[turn % len(senders)].user, next(receivers))
        task = asyncio.create_task(talk.run([pair], 1, 0))
        sending.add(task)
        task.add_done_callback(sending.discard)
        due += 1 / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
    await asyncio.gather(*sending)


async def move_crowd(cluster, crowd, region, tries=1, **options):
    """Moves them all, as often as it takes, up to `tries` times; returns what it took."""
    users = cluster.folder / "users"
    users.write_text("".join(f"{client.user}\n" for client in crowd))
    arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
    start = time.monotonic()
    for _ in range(tries):
        done = await asyncio.to_thread(move, cluster, "--users", users, *arguments, region)
        if done.returncode == 0:
            return time.monotonic() - start, done.stdout
        print(done.stderr[-500:])
    raise AssertionError(done)


@pytest.mark.timeout(600)
def test_a_crowd_moves_under_load(full):
    users, rate = (1000, 500) if full else (100, 100)
    with Cluster(regions=2, shards=2, edges=2) as cluster:
        cluster.start()

        async def scenario():
            crowd = await crowd_of(cluster, users, cluster.edge_names("sin"))
            senders = [
                await Client(cluster, f"sender-{i}", f"{region}-1").open_forever()
                for i, region in enumerate(["sin", "iad", "sin", "iad"])
            ]
            talk = Talk([*crowd, *senders])
            stop = asyncio.Event()
            flowing = asyncio.create_task(flow(talk, senders, crowd, rate, stop))
            await asyncio.sleep(2)
            began = time.monotonic() * 1000
            took_s, said = await move_crowd(cluster, crowd, "iad")
            ended = time.monotonic() * 1000
            assert f"{users} moved" in said
            await asyncio.sleep(1)
            stop.set()
            await flowing
            await talk.until_complete(60)
            lost, repeated, disordered = talk.judge()
            delays = [
                (when - talk.sent[(sender, user, number)]) / 1000
                for user, rows in talk.received.items()
                for sender, number, when, _ in rows
                if began <= talk.sent[(sender, user, number)] <= ended
            ]
            print(
                f"\n{users} users moved in {took_s:.1f} s beside {rate} messages/s: "
                f"{len(talk.accepted)} accepted, {len(lost)} lost, {len(repeated)} repeated "
                f"(promise 0, 0); {len(disordered)} passed on after a later one"
            )
            assert (lost, repeated) == ([], [])
            away = away_times(cluster, crowd, "sin")
            hold(f"away for p50 {percentile(away, 0.5):.2f} s, longest", max(away), AWAY_S)
            hold("the longest that a message to one of them took", max(delays), AWAY_S)
            for client in crowd:
                assert_no_hole(client)
                assert [home for home, _ in client.moved] == ["iad"]
                assert client.reconnects == 0
            await close([*crowd, *senders])

        asyncio.run(asyncio.wait_for(scenario(), 500))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["sin", "iad"])
def test_hubs_of_the_old_and_of_the_new_home_are_killed_in_the_middle_of_moves(victim):
    with Cluster(regions=2, shards=1, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            crowd = await crowd_of(cluster, 40, "sin-1")
            senders = [
                await Client(cluster, f"sender-{i}", f"{region}-1").open_forever()
                for i, region in enumerate(["sin", "iad"])
            ]
            talk = Talk([*crowd, *senders])
            await fill(senders[0], crowd, 20, 16384)  # so that a move takes its time
            stop = asyncio.Event()
            flowing = asyncio.create_task(flow(talk, senders, crowd, 60, stop))
            await asyncio.sleep(1)
            owner = await asyncio.to_thread(cluster.owner, victim, 0)
            moving = asyncio.create_task(move_crowd(cluster, crowd, "iad", tries=5, parallel=8))
            while not any(client.moved for client in crowd):
                await asyncio.sleep(0.005)
            await asyncio.sleep(random.uniform(0, 0.2))
            await asyncio.to_thread(cluster.hubs[owner].kill)
            killed = time.time()
            there = sum(bool(client.moved) for client in crowd)
            took_s, said = await moving
            await asyncio.sleep(1)
            stop.set()
            await flowing
            await talk.until_complete(60)
            lost, repeated, _ = talk.judge()
            print(
                f"\n{owner} killed when {there} of {len(crowd)} had moved; all after {took_s:.1f} s: "
                f"{len(talk.accepted)} accepted, {len(lost)} lost, {len(repeated)} repeated"
            )
            assert (lost, repeated) == ([], [])
            for client in crowd:
                assert_no_hole(client)
                await client.until(lambda c: c.moved, 20, "it is told where its home is")
                assert client.moved[-1][0] == "iad"
            frozen = frozen_at(cluster, "sin")
            caught = sum(frozen[client.user] < killed < client.moved[-1][1] for client in crowd)
            away = away_times(cluster, crowd, "sin")
            print(
                f"{caught} were frozen then; away for p50 {percentile(away, 0.5):.2f} s, longest "
                f"{max(away):.2f} s"
            )
            await close([*crowd, *senders])

        asyncio.run(asyncio.wait_for(scenario(), 200))


@pytest.mark.namespaces
@pytest.mark.timeout(300)
def test_users_move_across_an_ocean_and_a_cut_in_the_middle_loses_nothing():
    with Wan(REGIONS) as wan, Cluster(
        regions=3, shards=1, network=wan, primary="iad", hub_settings={"moves.silent": "5s"}
    ) as cluster:
        cluster.start()

        async def scenario():
            def client(user, region):
                edges = cluster.edge_names(region)
                return Client(cluster, user, edges, site=wan.clients(region)).open_forever()

            crowd = [await client(f"crowd-{i}", "sin") for i in range(20)]
            senders = [await client("near", "sin"), await client("far", "dub")]
            talk = Talk([*crowd, *senders])
            bob = crowd[0].user
            await fill(senders[0], [crowd[0]], 1000, 200)
            stop = asyncio.Event()
            flowing = asyncio.create_task(flow(talk, senders, crowd, 60, stop))
            await asyncio.sleep(1)
            took_s, said = await move_crowd(cluster, crowd, "dub")
            away = away_times(cluster, crowd, "sin")
            print(f"\n20 users, one with 1,000 messages, moved from sin to dub in {took_s:.1f} s")
            hold("away with 1,000 messages for", away[0], AWAY_S)
            hold(f"the others p50 {percentile(away, 0.5):.2f} s, longest", max(away), AWAY_S)

            cutting = asyncio.create_task(move_crowd(cluster, crowd, "sin", tries=20))
            await asyncio.sleep(0.6)
            wan.isolate("dub")
            await asyncio.sleep(6)
            back = sum(c.moved[-1][0] == "sin" for c in crowd)
            wan.heal()
            took_s, _ = await cutting
            print(f"dub cut off for 6 s when {back} of 20 were back: all after {took_s:.1f} s")
            stop.set()
            await flowing
            await talk.until_complete(60)
            lost, repeated, _ = talk.judge()
            assert (lost, repeated) == ([], [])
            for c in crowd:
                assert_no_hole(c)
                await c.until(lambda c: c.moved[-1][0] == "sin", 20, "it is back")
            await close([*crowd, *senders])

        asyncio.run(asyncio.wait_for(scenario(), 250))
