"""The archive on a real PostgreSQL: complete, once, and in nobody's way."""

import asyncio
import json
import os
import sqlite3
import subprocess
import tempfile
import time

import pytest

from lab import Client, Cluster, Postgres
from lab.cluster import BUILD, ROOT
from lab.postgres import missing
from lab.process import wait_for
from lab.promise import hold, hold_clean, tell
from lab.record import judge_numbers

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

RSS_MAX = 64 << 20
# What is freed is kept aside by the address sanitizer, up to 256 MiB: that is no memory of the hub's.
LITTLE_KEPT_ASIDE = (
    "abort_on_error=0:exitcode=99:quarantine_size_mb=4:thread_local_quarantine_size_kb=64"
)
QUICK = {"archive.pause": "50ms", "archive.backoff_max": "1s", "archive.follow": "1s"}


def run(scenario, timeout_s=150):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


def command(*arguments, url, check=True):
    """The command line tool; the URL goes by the environment."""
    done = subprocess.run(
        [BUILD / "bin" / "meridian", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MERIDIAN_ARCHIVE_URL": url},
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


class Archived:
    """A PostgreSQL with the schema, and a cluster that archives into it."""

    def __init__(self, hubs=1, postgres=None, asan_options=None, **settings):
        self.postgres = postgres or Postgres()
        self.hubs, self.settings = hubs, settings
        self.environment = {"ASAN_OPTIONS": asan_options} if asan_options else {}

    def __enter__(self):
        self.postgres.start().create()
        command("archive", "migrate", url=self.postgres.url)
        self.cluster = Cluster(
            regions=1,
            shards=2,
            hubs=self.hubs,
            hub_settings={"archive.url": self.postgres.url, **QUICK, **self.settings},
        )
        for hub in self.cluster.hubs.values():
            hub.environment = self.environment
        self.cluster.start()
        self.accepted = {}  # (recipient, id) -> body
        return self

    def __exit__(self, *failure):
        try:
            self.cluster.__exit__(*failure)
        finally:
            self.postgres.__exit__(*failure)

    async def send(self, users, count, every_s=0.0, prefix="m"):
        """Each message waits for `accepted`, so `accepted` holds what must be archived."""
        sender = await Client(self.cluster, "sender", "sin-1").open_forever()
        due = time.monotonic()
        for i in range(count):
            for user in users:
                body, message_id = {"n": i, "zero": "\0"}, f"{prefix}-{i}"
                await sender.send_surely(user, body, message_id, timeout_s=60)
                self.accepted[(user, message_id)] = i
                due += every_s
                if every_s:
                    await asyncio.sleep(max(0, due - time.monotonic()))
        await sender.close()

    def count(self):
        return int(self.postgres.ask("SELECT count(*) FROM meridian.messages")[0][0])

    def wait_complete(self, timeout_s=60, parked=0):
        """Returns how long it took."""
        start = time.monotonic()
        wait_for(
            lambda: self.count() >= len(self.accepted) - parked,
            timeout_s,
            f"{len(self.accepted)} messages are archived",
            every_s=0.1,
        )
        return time.monotonic() - start

    def check(self, parked=()):
        """Exactly the accepted set, each cursor once and without a hole, in the order sent."""
        rows = self.postgres.ask(
            "SELECT recipient, id, seq, encode(body, 'hex')"
            " FROM meridian.messages ORDER BY recipient, epoch, seq"
        )
        rows = [(*row[:3], json.loads(bytes.fromhex(row[3]))) for row in rows]
        assert all(body["zero"] == "\0" for *_, body in rows)
        assert len(rows) == len({(r, i) for r, i, _, _ in rows}), "archived twice"
        assert {(r, i) for r, i, _, _ in rows} == set(self.accepted) - set(parked)
        for user in {row[0] for row in rows}:
            mine = [row for row in rows if row[0] == user]
            if not parked:
                assert [int(row[2]) for row in mine] == list(range(1, len(mine) + 1))
            sent = [i for r, i in self.accepted if r == user and (r, i) not in parked]
            assert [message_id for _, message_id, *_ in mine] == sent

    def judge(self):
        """(lost, repeated, out of order), each a list of (recipient, id)."""
        rows = self.postgres.ask(
            "SELECT recipient, id FROM meridian.messages ORDER BY recipient, epoch, seq"
        )
        accepted, archived = (
            sorted(keys, key=lambda key: key[0]) for keys in (self.accepted, map(tuple, rows))
        )
        return judge_numbers(accepted, archived)

    def readyz(self, hub="sin-h1"):
        status, _, body = self.cluster.http(hub, "/readyz")
        return status, body.decode()


def test_the_archive_is_complete_and_the_secret_is_told_to_nobody():
    with Archived() as lab:
        users = [f"user-{i}" for i in range(4)]
        run(lab.send(users, 50))
        lab.wait_complete()
        lab.check()
        wait_for(lambda: "lag_rows=0" in lab.readyz()[1], 10, "no lag")
        hub = lab.cluster.hubs["sin-h1"]
        printed = subprocess.run([*hub.command, "--print-config"], capture_output=True, text=True)
        assert "meridian:***@127.0.0.1" in printed.stdout
        for text in (hub.log(), printed.stdout, lab.readyz()[1]):
            assert "secret-of-the-test" not in text
        status = command("archive", "status", url=lab.postgres.url).stdout
        assert "sin 0" in status and "parked 0  gap 0" in status
        command("user", "erase", "user-0", url=lab.postgres.url)
        assert lab.count() == 150
        assert not lab.postgres.ask(
            "SELECT 1 FROM meridian.messages WHERE recipient = 'user-0' LIMIT 1"
        )
        # Of this month nothing is older than a day's partition.
        assert "dropped 0" in command("archive", "expire", "1", url=lab.postgres.url).stdout


def test_a_hub_needs_only_its_role():
    with Postgres() as postgres:
        postgres.start().create()
        command("archive", "migrate", url=postgres.url)
        postgres.ask("ALTER ROLE meridian CREATEROLE", database="postgres")
        for _ in range(2):
            postgres.run_file(ROOT / "deploy" / "sql" / "postgresql" / "roles.sql")
        postgres.ask("CREATE ROLE hub LOGIN IN ROLE meridian_hub")
        url = f"postgresql://hub@127.0.0.1:{postgres.port}/meridian"
        with Cluster(regions=1, hub_settings={"archive.url": url, **QUICK}) as cluster:
            cluster.start()

            async def talk():
                sender = await Client(cluster, "sender", "sin-1").open()
                for i in range(20):
                    await sender.send("reader", {"n": i}, f"m-{i}")
                await sender.close()

            run(talk())
            wait_for(
                lambda: postgres.ask("SELECT count(*) FROM meridian.messages") == [["20"]],
                20,
                "20 messages are archived",
            )
        with pytest.raises(RuntimeError, match="permission denied"):
            postgres.ask("DELETE FROM meridian.messages", user="hub")


@pytest.mark.timeout(300)
def test_a_database_that_is_away_costs_nothing_but_lag(full):
    away_s = 180 if full else 30
    with Archived(asan_options=LITTLE_KEPT_ASIDE) as lab:
        users = [f"user-{i}" for i in range(10)]
        run(lab.send(users, 20, prefix="warm"))
        lab.wait_complete()
        hub = lab.cluster.hubs["sin-h1"]
        before = hub.rss_bytes()
        lab.postgres.stop()
        start = time.monotonic()
        run(lab.send(users, int(away_s * 20), every_s=1 / 200), timeout_s=away_s * 4)
        sent_s = time.monotonic() - start
        status, text = lab.readyz()
        assert status == 200 and "trouble=not_connected" in text, text
        grown = hub.rss_bytes() - before
        lab.postgres.start()
        took = lab.wait_complete(600)
        lab.check()
        rate = away_s * 200 / sent_s
        print(f"\nPostgreSQL away for {sent_s:.0f} s at {rate:.0f} messages/s")
        hold("the hub grew by", grown / 2**20, RSS_MAX >> 20, "MiB", row="database")
        tell("archived after the return", took, "s", row="database")
        hold_clean(len(lab.accepted), *lab.judge(), rows=["database"])
        assert grown <= RSS_MAX
        assert took <= 60
        hub_text = hub.log()
        assert "messages are archived again" in hub_text


@pytest.mark.timeout(400)
def test_kills_of_hubs_neither_repeat_nor_skip(full):
    kills = 20 if full else 5
    with Archived(hubs=2) as lab:
        users = [f"user-{i}" for i in range(5)]

        async def scenario():
            sending = asyncio.create_task(lab.send(users, 60 * kills, every_s=1 / 150))
            for turn in range(kills):
                await asyncio.sleep(1)
                hub = lab.cluster.hubs[f"sin-h{turn % 2 + 1}"]
                await asyncio.to_thread(hub.kill)
                hub.start()
                await asyncio.to_thread(lab.cluster.wait_ready, hub.name, timeout_s=40)
            await sending

        run(scenario(), timeout_s=380)
        took = lab.wait_complete(60)
        lab.check()
        gaps = lab.postgres.ask("SELECT count(*) FROM meridian.gaps")[0][0]
        print(
            f"\n{kills} hubs killed: {len(lab.accepted)} accepted, {lab.count()} archived, each once, "
            f"complete {took:.1f} s after the last; {gaps} gaps"
        )
        assert gaps == "0"


def test_an_archiver_that_comes_back_from_a_pause_neither_repeats_nor_skips():
    with Archived(hubs=2) as lab:
        hubs = [lab.cluster.hubs[name] for name in ("sin-h1", "sin-h2")]

        async def scenario():
            sending = asyncio.create_task(lab.send(["bob", "carol"], 500, every_s=1 / 100))
            for turn in range(2):  # each is deposed while it sleeps, and wakes up in the middle
                await asyncio.sleep(0.5)
                hubs[turn].pause()
                await asyncio.sleep(4)
                hubs[turn].resume()
                await asyncio.to_thread(lab.cluster.wait_ready, hubs[turn].name, timeout_s=40)
            await sending

        run(scenario())
        lab.wait_complete()
        lab.check()
        assert lab.postgres.ask("SELECT count(*) FROM meridian.gaps") == [["0"]]


def test_a_refused_row_is_parked_and_the_rest_goes_on():
    with Archived() as lab:
        lab.postgres.ask(
            "ALTER TABLE meridian.messages ADD CONSTRAINT forced CHECK (id NOT LIKE '%-7')"
        )
        run(lab.send(["bob", "carol"], 20))
        lab.wait_complete(parked=2)
        refused = [("bob", "m-7"), ("carol", "m-7")]
        wait_for(
            lambda: lab.postgres.ask("SELECT count(*) FROM meridian.parked") == [["2"]],
            10,
            "two rows are parked",
        )
        lab.check(parked=refused)
        rows = lab.postgres.ask(
            "SELECT convert_from(recipient, 'UTF8'), reason FROM meridian.parked ORDER BY 1"
        )
        assert [row[0] for row in rows] == ["bob", "carol"]
        assert all("forced" in row[1] for row in rows)
        lab.cluster.hubs["sin-h1"].wait_log("parked")


def test_slow_statements_hold_up_nobody():
    with Archived() as lab:
        lab.postgres.ask(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN PERFORM pg_sleep(2); RETURN NULL; END$$;"
            "CREATE TRIGGER slow BEFORE INSERT ON meridian.messages FOR EACH STATEMENT"
            " EXECUTE FUNCTION slow()"
        )

        async def scenario():
            reader = await Client(lab.cluster, "reader", "sin-1", start="head").open()
            sender = await Client(lab.cluster, "watcher", "sin-1").open()
            waits = []
            for i in range(200):
                start = time.monotonic()
                await sender.send("reader", {"n": i, "zero": "\0"}, f"s-{i}")
                await reader.until_messages(i + 1)
                waits.append(time.monotonic() - start)
                lab.accepted[("reader", f"s-{i}")] = i
            await sender.close()
            await reader.close()
            return sorted(waits)

        waits = run(scenario())
        took = lab.wait_complete(60)
        lab.check()
        print(
            f"\n2 s a statement: delivered p50 {waits[100] * 1000:.1f} ms, longest "
            f"{waits[-1] * 1000:.0f} ms; archived {took:.1f} s after the last"
        )
        assert waits[190] < 1  # half of one statement
        run(lab.send(["reader"], 1, prefix="last"))
        wait_for(
            lambda: lab.postgres.ask(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' LIMIT 1"
            ),
            10,
            "a batch is on its way",
        )
        start = time.monotonic()
        assert lab.cluster.hubs["sin-h1"].terminate() == 0
        stopped = time.monotonic() - start
        print(f"stopped in the middle of a batch in {stopped:.2f} s (promise 2)")
        assert stopped < 10


def test_connections_that_are_cut_repeat_and_skip_nothing():
    with Archived() as lab:

        async def scenario():
            sending = asyncio.create_task(lab.send(["bob", "carol"], 250, every_s=1 / 100))
            cuts = 0
            while not sending.done():
                cuts += await asyncio.to_thread(lab.postgres.cut_connections)
                await asyncio.sleep(0.3)
            await sending
            return cuts

        cuts = run(scenario())
        took = lab.wait_complete()
        lab.check()
        print(f"\n{cuts} connections cut: complete {took:.1f} s after the last message")
        assert cuts > 0


def test_a_full_disk_of_the_database_is_waited_for():
    folder = tempfile.mkdtemp(prefix="meridian-tmpfs-", dir="/var/tmp")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192m,mode=755", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode != 0:
        os.rmdir(folder)
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        # Small segments, so that the log of the database does not fill the disk by itself.
        settings = {"min_wal_size": "32MB", "max_wal_size": "32MB"}
        with Archived(postgres=Postgres(folder=folder, settings=settings)) as lab:
            fill_up(lab, folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        os.rmdir(folder)


def fill_up(lab, folder):
    run(lab.send(["bob"], 20, prefix="before"))
    lab.wait_complete()
    stuffing = os.path.join(folder, "stuffing")
    with open(stuffing, "wb", buffering=0) as stuff:
        try:
            while stuff.write(b"\0" * 65536) > 0:
                pass
        except OSError:
            pass  # it is full

    async def big():
        sender = await Client(lab.cluster, "sender", "sin-1").open()
        for i in range(300):
            await sender.send("bob", {"n": i, "much": "x" * 20000}, f"big-{i}")
            lab.accepted[("bob", f"big-{i}")] = i
        await sender.close()

    run(big())
    wait_for(lambda: "trouble=" in lab.readyz()[1], 30, "the archive is in trouble")
    assert lab.readyz()[0] == 200
    os.unlink(stuffing)
    if not lab.postgres.process.alive():  # it gives itself up when its own log finds no room
        lab.postgres.start()
    took = lab.wait_complete(60)
    print(f"\ncomplete {took:.1f} s after there was room again")
    ids = lab.postgres.ask("SELECT id FROM meridian.messages")
    assert sorted(row[0] for row in ids) == sorted(i for _, i in lab.accepted)


def test_a_schema_newer_than_the_program_is_refused_in_words():
    with Archived() as lab:
        run(lab.send(["bob"], 5))
        lab.wait_complete()
        lab.postgres.ask("INSERT INTO meridian.schema_versions (version) VALUES (99)")
        hub = lab.cluster.hubs["sin-h1"]
        hub.terminate()
        lab.cluster.restart(hub)
        hub.wait_log("newer program")
        assert lab.readyz()[0] == 200
        done = command("archive", "migrate", url=lab.postgres.url, check=False)
        assert done.returncode == 1 and "newer program" in done.stderr
        run(lab.send(["bob"], 5, prefix="later"))
        lab.postgres.ask("DELETE FROM meridian.schema_versions WHERE version = 99")
        lab.wait_complete()


def test_a_file_serves_as_the_archive_of_several_hubs():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        url = f"sqlite:{folder}/archive.db"
        with Cluster(regions=1, hubs=2, hub_settings={"archive.url": url, **QUICK}) as cluster:
            cluster.start()

            async def talk():
                sender = await Client(cluster, "sender", "sin-1").open()
                for i in range(50):
                    for user in ("bob", "carol", "dave"):
                        await sender.send(user, {"n": i}, f"m-{i}")
                await sender.close()

            run(talk())

            def count():
                with sqlite3.connect(f"file:{folder}/archive.db?mode=ro", uri=True) as file:
                    return file.execute(
                        "SELECT count(*), count(DISTINCT recipient || id) FROM messages"
                    ).fetchone()

            wait_for(lambda: count() == (150, 150), 30, "150 messages are archived", every_s=0.2)
        assert "dropped 150" in command("archive", "expire", "0", url=url).stdout
