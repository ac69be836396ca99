"""What services ask about users over HTTP: where they are at home, who is connected, and to end it."""

import asyncio
import json
import time

import pytest

from lab.client import Client
from lab.cluster import Cluster
from lab.process import wait_for
from lab.tokens import AUDIENCE, ISSUER, SECRET, token


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 60))


@pytest.fixture(scope="module")
def cluster():
    with Cluster(regions=2) as cluster:
        cluster.start()
        cluster.wait_ready(*cluster.edges)
        yield cluster


def ask(cluster, edge, path, body=None, headers=None):
    status, _, answer = cluster.http(edge, path, body, headers=headers)
    return status, json.loads(answer)


async def ask_soon(cluster, edge, path, body=None):
    return await asyncio.to_thread(ask, cluster, edge, path, body)


def edge_of(cluster, region):
    return cluster.edge_names(region)[0]


def test_location_is_the_home_of_the_directory(cluster):
    here, there = (edge_of(cluster, region) for region in cluster.names)

    async def scenario():
        bob = await Client(cluster, "where-bob", here).open()
        home = bob.welcome["home"]
        for edge in (here, there):
            status, said = await ask_soon(cluster, edge, "/api/users/where-bob/location")
            assert status == 200, said
            assert (said["user"], said["home"], said["epoch"]) == ("where-bob", home, 1)
            assert said["sure"] in (True, False)
        await bob.close()

    run(scenario())
    # A mirror proves itself current by two heartbeats.
    wait_for(
        lambda: ask(cluster, there, "/api/users/where-bob/location")[1]["sure"],
        20,
        "the mirror is known to be current",
    )


def test_nobody_gets_a_home_by_being_asked_for(cluster):
    edge = edge_of(cluster, cluster.names[0])
    for path in ("location", "connections"):
        for _ in range(2):

            def answer():
                return ask(cluster, edge, f"/api/users/never-seen/{path}")

            wait_for(lambda: answer()[0] == 404, 20, "it is known that nobody has this user")
            assert answer()[1]["code"] == "unknown_user"
    status, said = ask(cluster, edge, "/api/users/never-seen/disconnect", b"")
    assert (status, said["code"]) == (404, "unknown_user")


def test_connections_are_told_by_any_edge(cluster):
    here, there = (edge_of(cluster, region) for region in cluster.names)

    async def scenario():
        before = time.time() * 1000
        phone = await Client(cluster, "many", here, device="phone").open()
        desk = await Client(cluster, "many", there, device="desk").open()
        for edge in (here, there):
            status, said = await ask_soon(cluster, edge, "/api/users/many/connections")
            assert status == 200 and said["user"] == "many"
            rows = {row["device"]: row for row in said["connections"]}
            assert set(rows) == {"phone", "desk"}
            assert (rows["phone"]["region"], rows["phone"]["edge"]) == (cluster.names[0], here)
            assert (rows["desk"]["region"], rows["desk"]["edge"]) == (cluster.names[1], there)
            for row in rows.values():
                assert before - 1000 <= row["since"] <= time.time() * 1000 + 1000
        await phone.close()
        await desk.close()

    run(scenario())
    wait_for(
        lambda: ask(cluster, here, "/api/users/many/connections")[1]["connections"] == [],
        10,
        "who has left is not told of any more",
    )


@pytest.mark.parametrize(
    "body, codes",
    [
        (b"", {"phone": 4403, "desk": 4403}),
        ({"device": "phone", "reason": "stolen"}, {"phone": 4403}),
        ({"device": "desk", "reconnect": True}, {"desk": 4000}),
        ({"device": "nothing"}, {}),
    ],
)
def test_disconnect_ends_what_it_is_told_to(cluster, body, codes):
    here, there = (edge_of(cluster, region) for region in cluster.names)
    user = f"end-{len(codes)}-{sum(codes.values())}"

    async def scenario():
        clients = {
            "phone": await Client(cluster, user, here, device="phone").open(),
            "desk": await Client(cluster, user, there, device="desk").open(),
        }
        status, said = await ask_soon(cluster, here, f"/api/users/{user}/disconnect", body)
        assert (status, said) == (200, {"disconnected": len(codes)})
        for device, code in codes.items():
            await asyncio.wait_for(clients[device].socket.wait_closed(), 10)
            assert clients[device].socket.close_code == code
        _, said = await ask_soon(cluster, there, f"/api/users/{user}/connections")
        assert {row["device"] for row in said["connections"]} == set(clients) - set(codes)
        for client in clients.values():
            await client.close()

    run(scenario())


def test_who_may_come_again_misses_nothing(cluster):
    here = edge_of(cluster, cluster.names[0])

    async def scenario():
        bob = await Client(cluster, "again", here, device="phone").open()
        status, said = await ask_soon(
            cluster, here, "/api/users/again/disconnect", {"reconnect": True}
        )
        assert (status, said) == (200, {"disconnected": 1})
        await asyncio.wait_for(bob.socket.wait_closed(), 10)
        message = {"recipient_id": "again", "message": 1, "id": "m1"}
        assert (await ask_soon(cluster, here, "/api/messages", message))[0] == 202
        later = await Client(cluster, "again", here, device="phone").open()
        await later.until_messages(1)
        await later.close()

    run(scenario())


@pytest.mark.parametrize(
    "body",
    [b"nonsense", b"[]", {"device": 7}, {"device": "a b"}, {"reconnect": 1}, {"reason": "a\nb"}],
)
def test_a_bad_body_ends_nobody(cluster, body):
    edge = edge_of(cluster, cluster.names[0])
    status, said = ask(cluster, edge, "/api/users/many/disconnect", body)
    assert (status, said["code"]) == (400, "bad_request")


def test_an_owner_that_is_gone_is_unreachable_and_not_nobody():
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_ready("sin-1")
        message = {"recipient_id": "bob", "message": 1}
        assert ask(cluster, "sin-1", "/api/messages", message)[0] == 202
        assert ask(cluster, "sin-1", "/api/users/bob/connections")[0] == 200
        cluster.hubs["sin-h1"].kill()
        status, said = ask(cluster, "sin-1", "/api/users/bob/connections")
        assert (status, said["code"], said["retryable"]) == (503, "home_unreachable", True)
        assert ask(cluster, "sin-1", "/api/users/bob/location")[0] == 200


def test_a_token_speaks_for_its_user_or_for_all(tmp_path):
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_bytes(SECRET.encode())
    settings = tmp_path / "edge.yaml"
    settings.write_text(
        f"""auth:
  required: true
  issuer: {ISSUER}
  audience: {AUDIENCE}
  admin_scope: meridian.admin
  keys:
    - file: {secret}
      format: secret
      kid: shared
"""
    )
    with Cluster() as cluster:
        cluster.edges["sin-1"].command += ["--config", str(settings)]
        cluster.start()
        cluster.wait_ready("sin-1")

        def bearer(shown):
            return {"Authorization": f"Bearer {shown}"}

        own = bearer(token("bob"))
        message = {"recipient_id": "bob", "message": 1}
        assert ask(cluster, "sin-1", "/api/messages", message, headers=own)[0] == 202
        rows = [
            (own, 200),
            (bearer(token("eve", scope="read meridian.admin")), 200),
            ({}, 401),
            (bearer(token("eve")), 401),
            (bearer(token("eve", scope="meridian.administrator")), 401),
            (bearer(token("eve", scope=["meridian.admin"])), 401),
        ]
        for headers, expected in rows:
            for path, body in (("location", None), ("connections", None), ("disconnect", b"{}")):
                path = f"/api/users/bob/{path}"
                status, said = ask(cluster, "sin-1", path, body, headers=headers)
                assert status == expected, (path, headers, said)
        # It asks about users, and reads nobody's mailbox.
        admin = bearer(token("eve", scope="meridian.admin"))
        assert ask(cluster, "sin-1", "/api/messages/bob", headers=admin)[0] == 401
