"""History: what is asked wrongly, what is not there, and when nobody answers."""

import asyncio
import json

from lab import Client
from lab.pages import a_cluster, all_pages, ask, check, rest, run, send, until_trimmed


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
