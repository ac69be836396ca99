"""For tests of history: archives, messages whose bytes can be told apart, and pages of them."""

import asyncio
import contextlib
import itertools
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import urllib.parse

from .client import Client
from .cluster import BUILD, Cluster
from .postgres import Postgres
from .process import wait_for

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
