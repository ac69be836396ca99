"""History: a user pages through all he ever got, from the view of his home and from the archive."""

import asyncio
import contextlib
import itertools
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import urllib.parse

import pytest

from lab import Client, Cluster, Postgres
from lab.cluster import BUILD
from lab.postgres import missing
from lab.process import wait_for

QUICK = {"archive.pause": "50ms", "archive.backoff_max": "1s", "archive.follow": "1s"}
# What was said stays as it was said: this is not how Python writes it.
BODY = '{ "n":%d,  "much":[1.0, 1e2],"e":"\\u00df" }'


def run(scenario, timeout_s=150):
    return asyncio.run(asyncio.wait_for(scenario, timeout_s))


@contextlib.contextmanager
def a_cluster(url="", retention="3s", **more):
    hub = {"ownership.tick": "200ms", "archive.url": url, **(QUICK if url else {})}
    with Cluster(
        regions=1, shards=1, catalogue={"retention": retention}, hub_settings=hub, **more
    ) as cluster:
        cluster.start()
        yield cluster


class Files:
    """The archive as a file."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="meridian-history-", dir="/var/tmp")
        self.url = f"sqlite:{self.folder.name}/archive.db"
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def ask(self, sql):
        with sqlite3.connect(f"{self.folder.name}/archive.db", timeout=10) as file:
            return file.execute(sql.replace("meridian.", "")).fetchall()


class Database:
    """The archive on a PostgreSQL."""

    def __enter__(self):
        self.postgres = Postgres().start().create()
        self.url = self.postgres.url
        subprocess.run(
            [BUILD / "bin" / "meridian", "archive", "migrate"],
            check=True,
            capture_output=True,
            timeout=60,
            env={**os.environ, "MERIDIAN_ARCHIVE_URL": self.url},
        )
        return self

    def __exit__(self, *failure):
        self.postgres.__exit__(*failure)

    def ask(self, sql):
        return self.postgres.ask(sql)


needs_postgres = pytest.mark.skipif(missing() is not None, reason=str(missing()))
ARCHIVES = [Files, pytest.param(Database, marks=needs_postgres)]


async def send(cluster, to, numbers, sender="alice", body=BODY):
    """Until `to`, a client, has them: then they are in its mailbox."""
    client = await Client(cluster, sender, "sin-1").open()
    before = len(to.messages)
    for n in numbers:
        done = asyncio.get_running_loop().create_future()
        client._outcomes[(f"m{n}", None)] = done
        text = f'{{"t":"send","id":"m{n}","to":"{to.user}","body":{body % n}}}'
        await client.send_frame(text)
        assert (await asyncio.wait_for(done, 20))["t"] == "accepted"
    await client.close()
    await to.until_messages(before + len(numbers), 20)


NUMBERS = itertools.count()


async def ask(client, timeout_s=12, **more):
    """The frame that answers: `history` or `error`."""
    name = f"h{next(NUMBERS)}"
    await client.send_frame({"t": "history", "id": name, **more})

    def answers(c):
        return [f for f in c.frames if f.get("id") == name and f["t"] in ("history", "error")]

    await client.until(answers, timeout_s, f"an answer to {more}")
    return answers(client)[0]


def key(cursor):
    return tuple(int(part) for part in cursor.split(":"))


async def all_pages(client, way, limit, start=None):
    """Page by page to the end: the messages in rising order, and the last page."""
    messages, cursor = [], start
    while True:
        page = await ask(client, limit=limit, **({way: cursor} if cursor else {}))
        assert page["t"] == "history", page
        found = page["messages"]
        cursors = [key(m["cursor"]) for m in found]
        assert cursors == sorted(set(cursors)) and len(found) <= limit
        assert found or not page["more"], "empty while there are more"
        messages = found + messages if way == "before" else messages + found
        if not page["more"]:
            return messages, page
        cursor = found[0 if way == "before" else -1]["cursor"]


def in_view(cluster):
    """Seqs of bob's that the view still holds."""
    (path,) = pathlib.Path(cluster.folder).glob("data/sin-h1/sin-0.view")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
        return [row[0] for row in file.execute("SELECT seq FROM rows WHERE user = 'bob'")]


async def until_trimmed(cluster, last):
    """Until nothing up to seq `last` is in the view."""
    await asyncio.to_thread(
        wait_for,
        lambda: all(seq > last for seq in in_view(cluster)),
        60,
        f"all up to {last} have left the view",
        0.1,
    )


def check(messages, count, first=1):
    assert [m["id"] for m in messages] == [f"m{n}" for n in range(first, count + 1)]
    assert [m["cursor"] for m in messages] == [f"1:{n}" for n in range(first, count + 1)]
    assert all(m["from"] == "alice" and m["at"] > 1.6e12 for m in messages)
    assert [m["body"] for m in messages] == [
        {"n": n, "much": [1.0, 1e2], "e": "ß"} for n in range(first, count + 1)
    ]


def rest(cluster, user="bob", **query):
    status, _, body = cluster.http(
        "sin-1", f"/api/messages/{user}?" + urllib.parse.urlencode(query), timeout_s=12
    )
    return status, body.decode()


@pytest.mark.parametrize("archive", ARCHIVES)
def test_all_that_was_sent_is_there_once_and_in_order(archive):
    with archive() as kept, a_cluster(kept.url) as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, bob, range(1, 401))
            await until_trimmed(cluster, 400)
            await send(cluster, bob, range(401, 501))
            held = in_view(cluster)
            assert held and min(held) > 400, "a part is in the view and a part is not"
            for limit in (37, 200):
                messages, page = await all_pages(bob, "before", limit)
                check(messages, 500)
                assert page["complete"] is True
            for start in ("0:0", "1:0"):
                messages, page = await all_pages(bob, "after", 61, start)
                check(messages, 500)
                assert page["complete"] is True
            for border in (399, 400, 401, 402):  # where the two parts meet
                page = await ask(bob, before=f"1:{border + 5}", limit=10)
                check(page["messages"], border + 4, border - 5)
                page = await ask(bob, after=f"1:{border - 5}", limit=10)
                check(page["messages"], border + 5, border - 4)
            page = await ask(bob)
            check(page["messages"], 500, 451)  # 50 when nothing is said
            assert page["more"] is True
            await bob.close()

        run(scenario())
        # The same over HTTP, where the bytes can be seen.
        cursor, seen = "", []
        while True:
            status, text = rest(cluster, before=cursor, limit=150)
            page = json.loads(text)
            assert status == 200 and page["complete"] is True
            for message in page["messages"]:
                assert BODY % int(message["id"][1:]) in text
            seen = page["messages"] + seen
            if not page["more"]:
                break
            cursor = page["messages"][0]["cursor"]
        check(seen, 500)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_a_long_archive_is_read_as_quickly_as_a_short_one(archive):
    """A page is what it costs, whatever lies behind it; and of a cursor the younger row counts."""
    with archive() as kept, a_cluster(kept.url) as cluster:
        if archive is Database:  # what sorts the whole mailbox has no room to
            for setting in ("work_mem = '64kB'", "temp_file_limit = '1kB'"):
                kept.ask(f"ALTER ROLE meridian SET {setting}")

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, bob, range(1, 31))
            await until_trimmed(cluster, 30)
            columns = "recipient, epoch, seq, at, created, row, log, ttl_s, flags, sender, device, id, body"

            def copy(of, to, number, at="at"):
                """A row like the one of seq `of`: at another time, or as others behind it."""
                taken = f"recipient, epoch, {number}, {at}, created, row, log, ttl_s, flags, sender"
                kept.ask(
                    f"INSERT INTO meridian.messages ({columns})"
                    f" SELECT {taken}, device, '{to}', body FROM meridian.messages"
                    f" WHERE recipient = 'bob' AND seq = {of} AND id = 'm{of}'"
                )

            hour = "3600000" if archive is Files else "interval '1 hour'"
            copy(5, "younger", "seq", f"at + {hour}")
            copy(6, "older", "seq", f"at - {hour}")
            ids = [f"m{n}" for n in range(1, 31)]
            ids[4] = "younger"
            kept.ask(
                f"INSERT INTO meridian.messages ({columns})"
                " WITH RECURSIVE numbers (n) AS"
                " (SELECT 1000 UNION ALL SELECT n + 1 FROM numbers WHERE n < 21000)"
                " SELECT recipient, epoch, n, at, created, row, log, ttl_s, flags, sender, device,"
                " id, body FROM meridian.messages, numbers WHERE id = 'm30'"
            )
            for way, start in (("before", None), ("after", "1:0")):
                messages, page = await all_pages(bob, way, 7, start)
                assert [m["id"] for m in messages] == ids
                assert page["complete"] is True, page
            await bob.close()

        run(scenario())


@needs_postgres
def test_while_the_archive_is_away_the_views_part_is_told_and_that_it_is_a_part():
    with Database() as kept, a_cluster(kept.url) as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, bob, range(1, 61))
            await until_trimmed(cluster, 60)
            await asyncio.to_thread(kept.postgres.stop)
            await send(cluster, bob, range(61, 101))
            messages, page = await all_pages(bob, "before", 30)
            check(messages, 100, 61)
            assert page["complete"] is False and page["reason"] == "archive_unavailable"
            page = await ask(bob, before="1:61")
            assert page["messages"] == [] and page["more"] is False
            assert page["reason"] == "archive_unavailable"
            page = await ask(bob, after="1:10", limit=20)
            check(page["messages"], 80, 61)
            assert page["more"] is True and page["reason"] == "archive_unavailable"
            page = await ask(bob, after="1:90")  # of the view alone: nothing is missing
            check(page["messages"], 100, 91)
            assert page["complete"] is True
            await asyncio.to_thread(kept.postgres.start)

            async def whole():
                messages, page = await all_pages(bob, "before", 30)
                return page["complete"] and messages

            while not (messages := await whole()):
                await asyncio.sleep(0.2)
            check(messages, 100)
            await bob.close()

        run(scenario())


@needs_postgres
def test_a_stuck_archive_holds_up_neither_deliveries_nor_the_views_part():
    with Database() as kept, a_cluster(kept.url) as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, bob, range(1, 31))
            await until_trimmed(cluster, 30)
            await send(cluster, bob, range(31, 41))
            # The table is locked, so the statement waits until its time is over.
            lock = await asyncio.create_subprocess_exec(
                "/usr/lib/postgresql/15/bin/psql", "-X", "-q", "-h", "127.0.0.1", "-p",
                str(kept.postgres.port), "-U", "postgres", "-d", "meridian",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            lock.stdin.write(
                b"BEGIN; LOCK TABLE meridian.messages IN ACCESS EXCLUSIVE MODE;\n"
                b"SELECT 'locked';\n"
            )
            while b"locked" not in await lock.stdout.readline():
                pass
            asking = asyncio.create_task(ask(bob, limit=40))
            before = len(bob.messages)
            await send(cluster, bob, range(41, 61))
            await bob.until_messages(before + 20, 5)
            page = await asking
            found = [m["id"] for m in page["messages"]]
            assert found == [f"m{n}" for n in range(31, 31 + len(found))] and len(found) >= 10
            assert page["reason"] == "archive_unavailable"
            lock.stdin.close()
            await lock.wait()
            await bob.close()

        run(scenario())


@pytest.mark.parametrize("archive", ARCHIVES)
def test_pages_cross_epochs_in_their_order(archive):
    """Of one who has a home and no mailbox there: all is in the archive."""
    with archive() as kept, a_cluster(kept.url, retention="1h") as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, bob, range(1, 31))
            await bob.send("dave", 0, "e1", **{"class": "ephemeral"})
            await asyncio.to_thread(
                wait_for,
                lambda: int(kept.ask("SELECT count(*) FROM meridian.messages")[0][0]) == 30,
                30,
                "30 are archived",
                0.1,
            )
            await bob.close()

        run(scenario())
        for epoch, seqs in ((1, "<= 10"), (2, "BETWEEN 11 AND 20"), (3, "> 20")):
            kept.ask(
                f"UPDATE meridian.messages SET recipient = 'dave', epoch = {epoch}"
                f" WHERE seq {seqs}"
            )
        expected = [f"{1 + (n - 1) // 10}:{n}" for n in range(1, 31)]

        def page_before(cursor, limit):
            status, text = rest(cluster, "dave", before=cursor, limit=limit)
            assert status == 200, text
            page = json.loads(text)
            assert page["complete"] is True
            return [m["cursor"] for m in page["messages"]], page["more"]

        seen, more, cursor = [], True, ""
        while more:
            found, more = page_before(cursor, 7)
            seen, cursor = found + seen, found[0]
        assert seen == expected
        assert page_before("2:13", 5) == (expected[7:12], True)
        assert page_before("1:18446744073709551614", 1) == (["1:10"], True)
        assert page_before("4294967295:1", 30) == (expected, False)
        assert page_before("1:1", 5) == ([], False)


def test_without_an_archive_it_is_told_that_the_older_are_gone():
    with a_cluster() as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            page = await ask(bob)
            assert page["messages"] == [] and page["more"] is False and page["complete"] is True
            await send(cluster, bob, range(1, 21))
            messages, page = await all_pages(bob, "before", 7)
            check(messages, 20)
            assert page["complete"] is True
            await until_trimmed(cluster, 20)
            page = await ask(bob)
            assert page["messages"] == [] and page["more"] is False
            assert page["complete"] is False and page["reason"] == "retention"
            await bob.close()

        run(scenario())


def test_a_page_is_bounded_and_what_is_asked_wrongly_is_told():
    with a_cluster(retention="1h") as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            large = '{"n":%d,"x":"' + "x" * 60000 + '"}'
            await send(cluster, bob, range(1, 6), body=large)
            messages, pages = [], 0
            cursor = {}
            while True:  # two fit 128 KiB
                page = await ask(bob, **cursor)
                messages, pages = page["messages"] + messages, pages + 1
                if not page["more"]:
                    break
                assert len(page["messages"]) == 2
                cursor = {"before": page["messages"][0]["cursor"]}
            assert [m["body"]["n"] for m in messages] == [1, 2, 3, 4, 5] and pages == 3

            good = {  # hostile cursors that are some
                "before": ["0:0", "0:18446744073709551614", "1:0", "1:1"],
                "after": ["1:5", "1:18446744073709551614", "2:0", "4294967295:9"],
            }
            for way, cursors in good.items():
                for cursor in cursors:
                    page = await ask(bob, **{way: cursor})
                    assert page["messages"] == [] and page["more"] is False, (way, cursor, page)
                    assert page["complete"] is True, (way, cursor, page)
            for cursor in ("1:6", "1:18446744073709551614", "7:1", "4294967295:0"):
                page = await ask(bob, before=cursor, limit=1)
                assert [m["cursor"] for m in page["messages"]] == ["1:5"], cursor
            bad = [
                {"before": "1"}, {"before": ":"}, {"before": "1:-1"}, {"before": "1:1 "},
                {"before": "1:18446744073709551615"}, {"before": "4294967296:1"}, {"before": 7},
                {"before": ""}, {"before": ["1:1"]}, {"after": "x" * 100}, {"after": {}},
                {"before": "1:1", "after": "1:1"}, {"limit": 0}, {"limit": 201}, {"limit": -1},
                {"limit": "5"}, {"limit": 1.5}, {"limit": 10**30},
            ]  # fmt: skip
            for wrong in bad:
                error = await ask(bob, **wrong)
                assert error["t"] == "error" and error["code"] == "bad_request", (wrong, error)
                assert error["retryable"] is False
            assert len((await ask(bob, limit=200, before="1:2"))["messages"]) == 1
            await bob.send_frame({"t": "history"})
            await bob.until(lambda c: c.frames[-1].get("code") == "bad_request", 5, "no id")
            for name in ("", "a b", "x" * 65, 7):
                count = len(bob.frames)
                await bob.send_frame({"t": "history", "id": name})
                await bob.until(
                    lambda c: any(f.get("code") == "bad_request" for f in c.frames[count:]),
                    5,
                    f"id {name} is refused",
                )
            await bob.close()

        run(scenario())
        assert rest(cluster, "nobody", before="")[0] == 404
        assert '"unknown_user"' in rest(cluster, "nobody", before="")[1]
        for wrong in (
            {"before": "1"},
            {"before": "1:x"},
            {"before": "x" * 70},
            {"before": "1:3", "after": "1:1"},
            {"before": "", "limit": 0},
            {"before": "", "limit": 201},
            {"before": "", "limit": "many"},
        ):
            status, text = rest(cluster, **wrong)
            assert status == 400 and '"bad_request"' in text, (wrong, text)
        status, text = rest(cluster, before="1:3", limit=200)
        assert status == 200 and len(json.loads(text)["messages"]) == 2
        for more in ([], ["--before", "1:3", "--limit", "1"]):
            done = cluster.meridian("history", "bob", *more, "--edge", cluster.url["sin-1"])
            assert done.returncode == 0, done.stderr
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert [line["id"] for line in lines] == (["m2"] if more else ["m4", "m5"])
            assert f"--before {lines[0]['cursor']}" in done.stderr
        done = cluster.meridian("history", "nobody", "--edge", cluster.url["sin-1"])
        assert done.returncode == 1 and "unknown_user" in done.stderr
        # It confirms nothing, and the other way to read is as it was.
        first = cluster.http("sin-1", "/api/messages/bob?limit=2")
        assert [m["id"] for m in json.loads(first[2])] == ["m1", "m2"]


def test_what_is_no_message_any_more_is_passed_over():
    """Receipts are no messages, and what is past its ttl is gone; neither makes a page empty."""
    with a_cluster(retention="1h") as cluster:

        async def scenario():
            alice = await Client(cluster, "alice", "sin-1").open()
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, alice, [1], sender="carol")
            for n in range(300):  # each makes a receipt in alice's mailbox
                await alice.send("bob", n, f"w{n}", want=["stored"])
            await alice.until(lambda c: len(c.receipts) >= 1, 20, "a receipt")
            await alice.until(
                lambda c: sum(len(r["ids"]) for r in c.receipts) == 300, 30, "all are told"
            )
            await bob.send("alice", "short", "t1", ttl=1)
            await asyncio.sleep(1.2)
            page = await ask(alice, limit=1)
            assert [m["id"] for m in page["messages"]] == ["m1"], page
            assert page["more"] is False and page["complete"] is True
            page = await ask(alice, after="0:0", limit=1)
            assert [m["id"] for m in page["messages"]] == ["m1"] and page["more"] is False
            await alice.close()
            await bob.close()

        run(scenario())


def test_a_page_comes_from_the_home_wherever_one_is():
    with Cluster(regions=2, shards=1) as cluster:
        cluster.start()

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            assert bob.welcome["home"] == "sin"
            await send(cluster, bob, range(1, 61))
            await bob.close()
            far = await Client(cluster, "bob", "iad-1", device="d2", start="head").open()
            assert far.welcome["home"] == "sin" and far.welcome["region"] == "iad"
            for way, start in (("before", None), ("after", "0:0")):
                messages, page = await all_pages(far, way, 25, start)
                check(messages, 60)
                assert page["complete"] is True
            await far.close()

        run(scenario())
        status, _, body = cluster.http("iad-1", "/api/messages/bob?before=1:11&limit=5")
        assert status == 200
        assert [m["cursor"] for m in json.loads(body)["messages"]] == [
            f"1:{n}" for n in range(6, 11)
        ]


def test_an_owner_that_is_away_is_told_and_asked_again():
    with a_cluster(retention="1h") as cluster:

        async def scenario():
            bob = await Client(cluster, "bob", "sin-1").open()
            await send(cluster, bob, range(1, 4))
            hub = cluster.hubs["sin-h1"]
            await asyncio.to_thread(hub.kill)
            error = await ask(bob)
            assert error["t"] == "error" and error["code"] == "home_unreachable"
            assert error["retryable"] is True
            status, text = await asyncio.to_thread(rest, cluster, before="")
            assert status == 503 and '"retryable":true' in text
            await asyncio.to_thread(cluster.restart, hub)
            while (page := await ask(bob))["t"] == "error":
                assert page["retryable"] is True
                await asyncio.sleep(0.1)
            check(page["messages"], 3)
            await bob.close()

        run(scenario())
