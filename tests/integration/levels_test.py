"""Mixed versions: a log has a level of records, which its owner raises when all hubs of the region know
more; what a hub does not know stops that shard, and what only hubs may write stops nobody."""

import asyncio
import json
import socket
import struct
import zlib

from lab import Client, Cluster, Talk
from lab.process import wait_for

HELD_BACK = ["--set", "levels.max=1"]


def shards_of(cluster, hub):
    return json.loads(cluster.http(hub, "/status")[2])["shards"]


def levels(cluster):
    return {shard["log_level"] for hub in cluster.hubs for shard in shards_of(cluster, hub)}


def status(cluster):
    return cluster.meridian("status", "--catalogue", cluster.catalogue)


def batch(kind, level, payload):
    """A batch of one record (docs/format.md)."""
    body = struct.pack("<BBHI", kind, level, 0, len(payload)) + payload
    head = b"MRB1" + struct.pack("<BBHII", 1, 0, 1, len(body), zlib.crc32(body)) + bytes(32)
    return head + struct.pack("<I", zlib.crc32(head)) + body


def publish(cluster, subject, payload):
    """Past every process of ours, over a bare socket."""
    with socket.create_connection((cluster._wan_host("sin", 0), 4222), timeout=10) as link:
        link.sendall(
            b'CONNECT {"verbose":false}\r\n'
            + f"PUB {subject} {len(payload)}\r\n".encode()
            + payload
            + b"\r\nPING\r\n"
        )
        heard = b""
        while b"PONG" not in heard:
            heard += link.recv(4096)


async def talk_a_little(cluster, talk, users):
    await talk.run([(a, b) for a in users for b in users if a != b], 10, 0.01)
    await talk.until_complete(20)
    talk.assert_clean()


def test_the_level_is_raised_when_all_hubs_know_it():
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start_nats()
        cluster.provision("--level", "1")
        held = cluster.hubs["sin-h2"]
        command = list(held.command)
        held.command = command + HELD_BACK
        cluster.start_daemons()

        async def scenario():
            users = [f"l{i}" for i in range(4)]
            clients = [
                await Client(cluster, user, cluster.edge_names("sin")).open_forever()
                for user in users
            ]
            talk = Talk(clients)
            await talk_a_little(cluster, talk, users)
            told = await clients[0].send("aside", {"n": 1}, "w1", want=["stored"])
            assert told["t"] == "accepted"
            # Longer than owners need to hear all hubs: they would have raised it by now.
            end = asyncio.get_running_loop().time() + 6
            while asyncio.get_running_loop().time() < end:
                assert levels(cluster) == {1}
                await asyncio.sleep(0.5)
            result = status(cluster)
            assert result.returncode == 0, result.stdout
            assert "hub sin-h1: knows level 3, the log has level 1" in result.stdout
            assert not [frame for frame in clients[0].frames if frame["t"] == "receipt"]

            held.terminate()
            held.command = command
            cluster.restart(held)
            start = asyncio.get_running_loop().time()
            while levels(cluster) != {3}:
                assert asyncio.get_running_loop().time() - start < 50, levels(cluster)
                await asyncio.sleep(0.1)
            took = asyncio.get_running_loop().time() - start
            print(f"\nlevel 3 in both logs {took:.1f} s after the last hub knew it (promise 5 s)")
            await talk_a_little(cluster, talk, users)
            result = status(cluster)
            assert result.returncode == 0 and "knows level" not in result.stdout, result.stdout
            # What level 2 brings: who sends is told that the message is stored.
            await clients[0].send("aside", {"n": 2}, "w2", want=["stored"])
            await clients[0].until(
                lambda c: any(f["t"] == "receipt" and "w2" in str(f) for f in c.frames),
                20,
                "a receipt",
            )
            # An operator's change of the config, by who has not heard of it, leaves the level.
            cluster.catalogue.write_text("devices_max: 16\n" + cluster.catalogue.read_text())
            assert "devices_max=16" in cluster.provision().stdout
            await talk_a_little(cluster, talk, users)
            assert levels(cluster) == {3}

            # Whoever cannot know what is in the log stops, alone.
            held.terminate()
            held.command = command + HELD_BACK
            held.start()
            cluster.wait_http("sin-h2", "/healthz", 30)
            for shard in (0, 1):
                wait_for(
                    lambda: shards_of(cluster, "sin-h2")[shard]["reason"] == "unknown_record",
                    30,
                    "it stops",
                )
            await talk_a_little(cluster, talk, users)
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 160))


def test_an_unknown_record_stops_the_shard_on_every_hub_and_is_told():
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            users = [f"s{i}" for i in range(8)]
            clients = [
                await Client(cluster, user, cluster.edge_names("sin")).open_forever()
                for user in users
            ]
            talk = Talk(clients)
            await talk_a_little(cluster, talk, users[:4])

            # By an edge, it is put aside and nothing stops.
            publish(cluster, "log.sin.0.e", batch(99, 9, b"from a breached edge"))
            for hub in cluster.hubs:
                wait_for(
                    lambda: [a["name"] for a in shards_of(cluster, hub)[0]["alarms"]]
                    == ["quarantine"],
                    20,
                    "it is quarantined",
                )
            await talk_a_little(cluster, talk, users[:4])
            assert "ERROR quarantine, count 1" in status(cluster).stdout

            # By a hub, it may be of a newer program.
            publish(cluster, "log.sin.0.h", batch(99, 9, b"from the future"))
            positions = set()
            for hub in cluster.hubs:
                wait_for(
                    lambda: shards_of(cluster, hub)[0]["reason"] == "unknown_record", 20, "it stops"
                )
                shard = shards_of(cluster, hub)[0]
                assert "shard_stopped" in [alarm["name"] for alarm in shard["alarms"]]
                positions.add(shard["position"])
                assert shards_of(cluster, hub)[1]["ready"]
                assert cluster.http(hub, "/readyz")[0] == 503
            assert len(positions) == 1, positions
            result = status(cluster)
            assert result.returncode == 1
            for hub in cluster.hubs:
                assert f"sin shard 0, hub {hub}: stopped, unknown_record" in result.stdout
            assert "ERROR shard_stopped" in result.stdout
            # Edges answer as for an owner that is not there, and the rest goes on.
            wait_for(
                lambda: "no hub serves shard 0" in cluster.http("sin-1", "/readyz")[2].decode(),
                30,
                "the edge tells",
            )
            accepted = await clients[0].send(users[1], {"n": 5000}, "still-accepted")
            assert accepted["t"] == "accepted"
            await asyncio.sleep(2)
            for hub in cluster.hubs:  # nothing was skipped
                assert shards_of(cluster, hub)[0]["position"] in positions
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 160))
