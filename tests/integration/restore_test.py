"""Streams that are put back to an older state, as from a backup: what was lost is told, and what an
operator does then (docs/operations.md) works."""

import asyncio
import json
import re
import shutil
import time

import websockets

from lab import Client, Cluster, SendFailed, Talk
from lab.process import wait_for


def status(cluster):
    return cluster.meridian("status", "--catalogue", cluster.catalogue)


def shards_of(cluster, hub):
    return json.loads(cluster.http(hub, "/status")[2])["shards"]


def alarms_of(cluster, hub, shard):
    return [alarm["name"] for alarm in shards_of(cluster, hub)[shard]["alarms"]]


def stream_folder(cluster, node, stream):
    found = list((cluster.folder / "data" / node).glob(f"**/streams/{stream}"))
    assert len(found) == 1, found
    return found[0]


class Backup:
    """A copy of a stream's folder, taken and put back while its server is down."""

    def __init__(self, cluster, node, stream):
        self.cluster, self.node, self.stream = cluster, cluster.nodes[node], stream
        self.copy = cluster.folder / f"backup-{stream}"

    def take(self):
        self.node.terminate()
        shutil.copytree(stream_folder(self.cluster, self.node.name, self.stream), self.copy)
        self.cluster.restart(self.node)

    def put_back(self, while_down=lambda: None):
        self.node.terminate()
        folder = stream_folder(self.cluster, self.node.name, self.stream)
        shutil.rmtree(folder)
        shutil.copytree(self.copy, folder)
        while_down()
        self.cluster.restart(self.node)


def shard_of(cluster, user):
    told = cluster.meridian("where", "--catalogue", cluster.catalogue, user).stdout
    return int(re.search(r"^shard\s+(\d+) of", told, re.MULTILINE).group(1))


def test_a_log_that_was_put_back_stops_its_shard_and_no_other():
    with Cluster(regions=1, shards=2, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            clients = [
                await Client(cluster, f"u{i}", cluster.edge_names("sin")).open_forever()
                for i in range(8)
            ]
            lost = [c.user for c in clients if shard_of(cluster, c.user) == 0]
            kept = [c.user for c in clients if shard_of(cluster, c.user) == 1]
            assert lost and kept
            sender = clients[0].user
            everybody = [(sender, c.user) for c in clients]
            talk = Talk(clients)
            await talk.run(everybody, 5, 0.01)
            await talk.until_complete(20)
            backup = Backup(cluster, "sin-n1", "LOG_sin_0")
            backup.take()
            cluster.wait_ready(*cluster.hubs, *cluster.edges)
            await talk.run(everybody, 20, 0.01)
            await talk.until_complete(20)
            await asyncio.sleep(1.5)  # acks are in the log

            backup.put_back()
            for hub in cluster.hubs:
                wait_for(
                    lambda: alarms_of(cluster, hub, 0) == ["log_regressed"], 60, f"{hub} tells it"
                )
                code, _, body = cluster.http(hub, "/readyz")
                assert code == 503 and "reason=log_regressed" in body.decode()
                assert alarms_of(cluster, hub, 1) == []
            told = status(cluster)
            assert told.returncode == 1
            assert "ERROR log_regressed" in told.stdout
            assert "sin shard 0, hub sin-h2: stopped, log_regressed" in told.stdout
            # The other shard goes on. Who is at home in this one can still be sent to.
            await talk.run([(sender, user) for user in kept], 5, 0.01)
            for _ in range(1000):
                if not [key for key in talk.missing() if key[1] in kept]:
                    break
                await asyncio.sleep(0.02)
            assert not talk.missing()

            # The loss is accepted: the views of the shard are made again from what the log is now.
            for hub in cluster.hubs.values():
                hub.terminate()
            for hub in cluster.hubs:
                for file in (cluster.folder / "data" / hub).glob("sin-0.*"):
                    file.unlink()
            for hub in cluster.hubs.values():
                hub.start()
            cluster.wait_ready(*cluster.hubs, *cluster.edges, timeout_s=40)
            for client in clients:
                client.messages.clear()
            await talk.run(everybody, 5, 0.02, timeout_s=60)
            await talk.until_complete(40)
            lost_, repeated, disordered = talk.judge()
            assert not lost_ and not disordered, (lost_, disordered)
            # After a resync a device begins where the log that is left says it was.
            assert all(key[1] in lost and key[2] <= 5 for key in repeated), repeated
            for client in clients:
                resyncs = [frame for frame in client.frames if frame["t"] == "resync"]
                assert bool(resyncs) == (client.user in lost), (client.user, resyncs)
            wait_for(lambda: status(cluster).returncode == 0, 30, "all is well again")
            for client in clients:
                await client.close()

        asyncio.run(asyncio.wait_for(scenario(), 160))


def test_an_outbox_that_was_put_back_is_halted_and_renewed():
    """Batches that get sequences which the home has applied must not be lost in silence."""
    with Cluster(regions=2, shards=1, hubs=2) as cluster:
        cluster.start()

        async def scenario():
            here = await Client(cluster, "here", cluster.edge_names("sin")).open_forever()
            there = await Client(cluster, "there", cluster.edge_names("iad")).open_forever()
            assert (here.welcome["home"], there.welcome["home"]) == ("sin", "iad")
            talk = Talk([here, there])
            way = [("here", "there")]
            await talk.run(way, 10, 0.01)
            await talk.until_complete(20)
            backup = Backup(cluster, "sin-n1", "OUT_sin_iad")
            backup.take()
            cluster.wait_ready(*cluster.hubs, *cluster.edges, timeout_s=60)
            await talk.run(way, 100, 0.002)
            await talk.until_complete(20)

            backup.put_back()
            # What is accepted now gets old sequences. Soon edges reject.
            refused = None
            accepted = 0
            for n in range(1000, 1200):
                key = ("here", "there", n)
                try:
                    await here.send("there", {"n": n}, f"after-{n}")
                    talk.sent[key] = talk.accepted[key] = time.monotonic() * 1000
                    accepted += 1
                except SendFailed as failed:
                    refused = failed.frame
                    break
                except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                    continue  # the outcome is unknown: it may come
                await asyncio.sleep(0.1)
            serving = lambda: [
                hub
                for hub in cluster.hub_names("sin")
                if "outbox_regressed" in alarms_of(cluster, hub, 0)
            ]
            wait_for(serving, 30, "a hub tells that the outbox regressed")
            told = status(cluster)
            assert told.returncode == 1 and "ERROR outbox_regressed" in told.stdout
            assert accepted > 0, "nothing was accepted into the old outbox"
            assert refused and refused["retryable"], refused
            print(f"\n{accepted} accepted before edges rejected: {refused['code']}")

            done = cluster.meridian(
                "provision",
                "--catalogue",
                cluster.catalogue,
                "--renew-outbox",
                "OUT_sin_iad",
            )
            assert done.returncode == 0, done.stderr
            await talk.until_complete(30)
            wait_for(lambda: not serving(), 20, "the alarm is over")
            await talk.run([("here", "there")], 20, 0.01)
            await talk.until_complete(20)
            talk.assert_clean()
            wait_for(lambda: status(cluster).returncode == 0, 30, "all is well again")
            again = cluster.provision()
            assert "as they should be" in again.stdout
            refusal = cluster.meridian(
                "provision", "--catalogue", cluster.catalogue, "--renew-outbox", "LOG_sin_0"
            )
            assert refusal.returncode == 1 and "no outbox" in refusal.stderr
            await here.close()
            await there.close()

        asyncio.run(asyncio.wait_for(scenario(), 160))
