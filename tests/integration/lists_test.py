"""Lists: one record a shard of the recipients' homes, and an outcome for each recipient."""

import asyncio

import pytest

from lab import Client, Cluster
from lab.tap import Tap, batch_of


@pytest.fixture(scope="module")
def cluster():
    with Cluster(
        regions=["sin", "dub"], shards=2, catalogue={"unknown_recipients": "reject"}
    ) as cluster:
        cluster.start()
        yield cluster


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 120))


def register(cluster, users):
    """Each user gets a home, by turns in the two regions, by looking into the mailbox."""
    for number, user in enumerate(users):
        edge = ("sin-1", "dub-1")[number % 2]
        status, _, body = cluster.http(edge, f"/api/messages/{user}")
        assert (status, body) == (200, b"[]"), (user, status, body)


def outcomes(client, name):
    """{recipient: "accepted" or the code}, once each."""
    rows = {}
    for frame in client.frames:
        if frame["t"] in ("accepted", "rejected") and frame["id"] == name:
            assert frame.get("to") not in rows, f"twice: {frame}"
            rows[frame.get("to")] = frame.get("code", "accepted")
    return rows


async def send_list(client, to, name, body="x"):
    await client.send_frame({"t": "send", "id": name, "to": to, "body": body})
    await client.until(lambda c: len(outcomes(c, name)) >= len(to), 20, "an outcome each")
    return outcomes(client, name)


@pytest.mark.parametrize("known", ["none", "all", "some"])
def test_256_recipients_cost_one_record_a_home_shard(cluster, known):
    users = [f"list-{known}-{n}" for n in range(256)]
    register(cluster, users)
    cluster.edges["sin-1"].terminate()  # it has forgotten every home
    cluster.restart(cluster.edges["sin-1"])

    async def scenario():
        alice = await Client(cluster, f"alice-{known}", "sin-1").open()
        warm = {"none": [], "all": users, "some": users[::3]}[known]
        if warm:
            await send_list(alice, warm, "warm")
        with Tap(cluster, "sin-n1", "out.>") as out, Tap(cluster, "sin-n1", "log.sin.*.e") as log:
            assert await send_list(alice, users, "m1") == {user: "accepted" for user in users}
            rows = out.messages() + log.messages()
        rows = [row for row in rows if row[2] == "m1"]
        print({subject: len(to) for subject, _, _, to, _ in rows})
        assert sorted(subject for subject, *_ in rows) == [
            "log.sin.0.e", "log.sin.1.e", "out.sin.dub.0", "out.sin.dub.1",
        ]  # fmt: skip
        assert sorted(user for _, _, _, to, _ in rows for user in to) == sorted(users)
        for user in (users[0], users[1]):
            reader = await Client(cluster, user, "dub-1").open()
            await reader.until(lambda c: any(m["id"] == "m1" for m in c.messages), 10, "the list")
            await reader.close()
        await alice.close()

    run(scenario())


def test_each_recipient_has_an_outcome_of_its_own(cluster):
    register(cluster, ["mix-1", "mix-2"])
    long = "x" * 129

    async def scenario():
        alice = await Client(cluster, "alice-mix", "sin-1").open()
        to = ["mix-1", "nobody-1", long, "a\u0001b", "mix-2", "nobody.>"]
        rows = await send_list(alice, to, "m1")
        assert rows == {
            "mix-1": "accepted", "mix-2": "accepted",
            "nobody-1": "unknown_recipient", "nobody.>": "unknown_recipient",
            "a\u0001b": "bad_request", long: "bad_request",
        }  # fmt: skip
        # What is no string has no name to be told by.
        await alice.send_frame({"t": "send", "id": "m2", "to": ["mix-1", 5], "body": 1})
        await alice.until(lambda c: len(outcomes(c, "m2")) == 2, 10, "both")
        assert outcomes(alice, "m2") == {"mix-1": "accepted", None: "bad_request"}
        for name, to in (("m3", [f"u{n}" for n in range(257)]), ("m4", [])):
            await alice.send_frame({"t": "send", "id": name, "to": to, "body": 1})
            await alice.until(lambda c: outcomes(c, name), 10, "an outcome")
            assert outcomes(alice, name) == {None: "bad_request"}
        await alice.close()
        for user, edge in (("mix-1", "sin-1"), ("mix-2", "dub-1")):
            reader = await Client(cluster, user, edge).open()
            await reader.until_messages(1)
            assert reader.messages[0]["id"] == "m1"
            await reader.close()

    run(scenario())


def test_lists_and_single_sends_of_one_sender_keep_their_order(cluster):
    users = [f"order-{n}" for n in range(12)]
    register(cluster, users)
    cluster.edges["sin-1"].terminate()
    cluster.restart(cluster.edges["sin-1"])

    async def scenario():
        alice = await Client(cluster, "alice-order", "sin-1").open()
        expected = {user: [] for user in users}
        for n in range(240):  # nobody is waited for; homes become known in the middle of it
            to = users[: 1 + n // 20] if n % 3 == 0 else users[(n // 20) % 12 : (n // 20) % 12 + 1]
            for user in to:
                expected[user].append(n)
            await alice.send_frame(
                {"t": "send", "id": f"o{n}", "to": to if n % 3 == 0 else to[0], "body": {"n": n}}
            )
        for user in users:
            reader = await Client(cluster, user, "sin-1").open()
            await reader.until_messages(len(expected[user]), 20)
            assert [m["body"]["n"] for m in reader.messages] == expected[user], user
            await reader.close()
        assert not [frame for frame in alice.frames if frame["t"] == "rejected"]
        await alice.close()

    run(scenario())


def test_a_record_in_the_wrong_shards_log_arrives_once(cluster):
    register(cluster, ["astray"])

    async def scenario():
        alice = await Client(cluster, "alice-astray", "sin-1").open()
        reader = await Client(cluster, "astray", "sin-1").open()
        with Tap(cluster, "sin-n1", "log.sin.*.e") as tap:
            await alice.send("astray", "before", "m1")
            await reader.until_messages(1)
            right = next(row[0] for row in tap.messages() if row[2] == "m1")
            wrong = {"log.sin.0.e": "log.sin.1.e", "log.sin.1.e": "log.sin.0.e"}[right]
            batch = batch_of("alice-astray", "m2", ["astray"], b'"astray"')
            for _ in range(3):  # an edge that got no answer repeats it
                tap.publish(wrong, batch)
            await reader.until_messages(2)
            await alice.send("astray", "after", "m3")
            await reader.until_messages(3)
        assert [(m["cursor"], m["id"], m["body"]) for m in reader.messages] == [
            ("1:1", "m1", "before"), ("1:2", "m2", "astray"), ("1:3", "m3", "after"),
        ]  # fmt: skip
        await alice.send("astray", "last", "m4")  # a repeat would have come by now
        await reader.until_messages(4)
        assert [m["id"] for m in reader.messages] == ["m1", "m2", "m3", "m4"]
        for client in (alice, reader):
            await client.close()

    run(scenario())
