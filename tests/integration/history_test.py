"""History: a user pages through all he ever got, from the view of his home and from the archive."""

import asyncio
import json

import pytest

from lab import Client, Cluster
from lab.pages import (
    BODY,
    Database,
    Files,
    a_cluster,
    all_pages,
    ask,
    check,
    in_view,
    rest,
    run,
    send,
    until_trimmed,
)
from lab.postgres import missing
from lab.process import wait_for

needs_postgres = pytest.mark.skipif(missing() is not None, reason=str(missing()))
ARCHIVES = [Files, pytest.param(Database, marks=needs_postgres)]


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
